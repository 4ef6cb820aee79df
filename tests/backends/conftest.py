"""Generated circuits, and how one readout is emitted, run and interpreted."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import pytest
from qiskit.circuit import QuantumCircuit
from qsc.backends.base import Emission, RunOptions
from qsc.backends.qiskit.backend import load
from qsc.compiler.registry import find_backend, find_target
from qsc.ir import DYNAMIC, AngleInput, Circuit, CircuitEditor, GraphBuilder, Module, Type
from qsc.ir.angles import make_row
from qsc.ir.gates import GATES
from qsc.ir.interpreter import evaluate_graph
from qsc.ir.ops import Launch, Readout
from qsc.ir.target import Target

INPUTS = (AngleInput("x", (3,)), AngleInput("w", (2,), "weight"))
UNITARY = tuple(g for g in GATES if g.name not in ("measure", "reset", "barrier"))


def random_circuit(rng: np.random.Generator, qubits: int, gates: int, name: str = "random") -> Circuit:
    """Any unitary gates on any qubits, with constant angles and angles of one or two variables."""
    editor = CircuitEditor(name, qubits, 0, INPUTS)
    editor.phase = make_row(Fraction(1, 3), 0.0, [(0, 0.5)])
    table = [g for g in UNITARY if g.qubits <= qubits]
    for _ in range(gates):
        gate = table[rng.integers(len(table))]
        arity = gate.qubits if gate.qubits > 0 else int(rng.integers(1, qubits + 1))
        pauli = "".join(rng.choice(list("IXYZ"), arity)) if gate.name == "pauli" else None
        angles = [random_angle(rng) for _ in range(gate.angles)]
        editor.add(gate.name, rng.permutation(qubits)[:arity].tolist(), angles, pauli=pauli)
    return editor.circuit()


def random_angle(rng: np.random.Generator) -> tuple:
    variables = rng.permutation(5)[: rng.integers(3)]
    terms = [(int(v), float(rng.choice([1.0, -0.5, 0.3]))) for v in variables]
    return make_row(Fraction(int(rng.integers(-4, 5)), 4), 0.0, terms)


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
    a, b = ("bit", int(rng.integers(3))), ("bit", int(rng.integers(3)))
    forms = (a, ("not", a), ("and", a, ("not", b)), ("or", a, b), ("xor", a, b), ("not", ("xor", a, b)))
    return forms[rng.integers(len(forms))]


@dataclass
class Job:
    """One readout of one circuit for one device."""

    circuit: Circuit
    op: Readout
    target: Target
    seed: int = 0
    dtype: str = "f32"

    def __post_init__(self) -> None:
        self.module = Module("m", circuits={self.circuit.name: self.circuit})
        graph = GraphBuilder(self.module)
        inputs = [graph.input(a.name, Type(self.dtype, (DYNAMIC, *a.shape))) for a in self.circuit.inputs]
        outputs = graph.add(self.op, *inputs)
        self.launch = Launch(self.target.name, "part", graph.graph(*outputs))
        self.backend: Any = find_backend(self.target.backend)

    @cached_property
    def emission(self) -> Emission:
        return self.backend.emit(self.launch, self.module, self.target, self.seed)

    def split(self, values: np.ndarray) -> list[np.ndarray]:
        """(batch, variables) -> one array an angle input."""
        sizes = np.cumsum([a.size for a in self.circuit.inputs])[:-1]
        parts = np.split(values, sizes, axis=1)
        return [p.reshape(-1, *a.shape) for p, a in zip(parts, self.circuit.inputs, strict=True)]

    def run(self, values: np.ndarray, **options) -> np.ndarray:
        files = self.emission.files
        return self.backend.run(files, self.launch, self.module, self.split(values), RunOptions(**options))[0]

    def reference(self, values: np.ndarray) -> np.ndarray:
        """What the interpreter says, in float64."""
        return evaluate_graph(self.launch.body, self.module, self.split(values), precision="f64")[0].numpy()

    def backend_circuit(self) -> QuantumCircuit:
        """The emitted circuit."""
        return load(self.emission.files)[0]

    @property
    def standard_errors(self) -> np.ndarray:
        return self.backend.last_facts.standard_errors[0]


class Lab:
    """What the tests of this folder share."""

    Job = Job
    random_circuit = staticmethod(random_circuit)
    dynamic_circuit = staticmethod(dynamic_circuit)
    inputs = INPUTS
    unitary = UNITARY

    def job(self, circuit: Circuit, op: Readout, device: str, **options) -> Job:
        return Job(circuit, op, find_target(device), **options)


@pytest.fixture(scope="session")
def lab() -> Lab:
    return Lab()
