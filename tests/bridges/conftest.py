"""Generated circuits, and what a circuit means."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from qsc.frontends.readouts import module_around
from qsc.ir import AngleInput, Circuit, CircuitEditor
from qsc.ir.angles import make_row
from qsc.ir.gates import GATES
from qsc.ir.interpreter import evaluate
from qsc.ir.interpreter.compare import unitary
from qsc.ir.ops import BitProbabilities, Probabilities

INPUTS = (AngleInput("x", (3,)), AngleInput("w", (2,), "weight"))
VARIABLES = 5
UNITARY = tuple(g for g in GATES if g.name not in ("measure", "reset", "barrier"))


def random_angle(rng: np.random.Generator) -> tuple:
    """A multiple of pi, at times a number, and up to two variables."""
    terms = [(int(v), float(rng.choice([1.0, -0.5, 0.3]))) for v in rng.permutation(VARIABLES)[: rng.integers(3)]]
    return make_row(Fraction(int(rng.integers(-4, 5)), 4), float(rng.choice([0.0, 0.0, 0.7])), terms)


def random_circuit(rng: np.random.Generator, qubits: int, gates: int, name: str = "random") -> Circuit:
    """Any unitary gates on any qubits, a barrier now and then, and a global phase."""
    editor = CircuitEditor(name, qubits, 0, INPUTS)
    editor.phase = make_row(Fraction(1, 3), 0.0, [(0, 0.5)])
    table = [g for g in UNITARY if g.qubits <= qubits]
    for _ in range(gates):
        gate = table[rng.integers(len(table))]
        arity = gate.qubits if gate.qubits > 0 else int(rng.integers(1, qubits + 1))
        pauli = "".join(rng.choice(list("IXYZ"), arity)) if gate.name == "pauli" else None
        angles = [random_angle(rng) for _ in range(gate.angles)]
        editor.add(gate.name, rng.permutation(qubits)[:arity].tolist(), angles, pauli=pauli)
        if rng.random() < 0.05:
            editor.add("barrier", range(qubits))
    return editor.circuit()


def dynamic_circuit(rng: np.random.Generator, qubits: int, gates: int) -> Circuit:
    """Rotations and CX with up to four measurements or resets between them, and conditions of every kind."""
    editor = CircuitEditor("dynamic", qubits, 3, INPUTS)
    room = 4
    for _ in range(gates):
        condition = random_condition(rng) if rng.random() < 0.3 else None
        kind = rng.integers(8)
        qubit = int(rng.integers(qubits))
        if kind < 2 and room:
            room -= 1
            bits = [int(rng.integers(3))] if kind else []
            editor.add("measure" if kind else "reset", [qubit], clbits=bits, condition=condition)
        elif kind == 2:
            editor.add("barrier", range(qubits))
        elif kind < 5:
            editor.add("cx", rng.permutation(qubits)[:2].tolist(), condition=condition)
        else:
            editor.add(("ry", "p", "rx")[rng.integers(3)], [qubit], [random_angle(rng)], condition=condition)
    return editor.circuit()


def random_condition(rng: np.random.Generator) -> tuple:
    """One of six forms over three bits."""
    a, b = ("bit", int(rng.integers(3))), ("bit", int(rng.integers(3)))
    forms = (a, ("not", a), ("and", a, ("not", b)), ("or", a, b), ("xor", a, b), ("not", ("xor", a, b)))
    return forms[rng.integers(len(forms))]


def _batched(circuit: Circuit, arrays: list[np.ndarray]) -> list[np.ndarray]:
    return [a if i.role == "weight" else a[None] for a, i in zip(arrays, circuit.inputs, strict=True)]


class Lab:
    """What the tests of this folder share."""

    random_circuit = staticmethod(random_circuit)
    dynamic_circuit = staticmethod(dynamic_circuit)
    unitary = UNITARY
    inputs = INPUTS
    variables = VARIABLES

    @staticmethod
    def outcomes(circuit: Circuit, values: np.ndarray) -> np.ndarray:
        """Probability of every value of the classical bits, then of every outcome of the qubits."""
        bits = tuple(range(circuit.num_clbits))
        ops = [Probabilities(circuit.name, tuple(range(circuit.num_qubits)))]
        ops = [BitProbabilities(circuit.name, bits), *ops] if bits else ops
        parts = np.split(values, np.cumsum([a.size for a in circuit.inputs])[:-1]) if circuit.inputs else []
        arrays = [part.reshape(a.shape) for part, a in zip(parts, circuit.inputs, strict=True)]
        found = [evaluate(module_around(circuit, op), _batched(circuit, arrays), precision="f64")[0] for op in ops]
        return np.concatenate([f.numpy().ravel() for f in found])

    @staticmethod
    def matrix(circuit: Circuit, values: np.ndarray) -> np.ndarray:
        """The circuit's unitary, its global phase included, shape (2^n, 2^n)."""
        return np.asarray(unitary(circuit, values))


@pytest.fixture(scope="session")
def lab() -> Lab:
    return Lab()
