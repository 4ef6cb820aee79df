"""Random circuits in which gates meet their inverses, and outside references for what they mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
import pytest
from qsc.ir.angles import Row, add_rows, make_row
from qsc.ir.circuit import AngleInput, Circuit, CircuitEditor
from qsc.ir.conditions import evaluate
from qsc.ir.gates import GATES, OPCODES

INPUTS = (AngleInput("x", (2,)), AngleInput("w", (2,), "weight"))
VARIABLES = 4

Step = dict


def random_angle(rng: np.random.Generator) -> Row:
    """One of few angles, so that equal and opposite ones meet: multiples of pi, variables, numbers, and sums."""
    pi_part = Fraction(int(rng.integers(-16, 17)), int(rng.choice([1, 2, 4]))) if rng.random() < 0.6 else Fraction(0)
    offset = float(rng.choice([0.25, -0.25, 0.7])) if rng.random() < 0.2 else 0.0
    terms = [(int(rng.integers(VARIABLES)), float(rng.choice([-1.0, 1.0, 0.5])))] if rng.random() < 0.4 else []
    return make_row(pi_part, offset, terms)


def inverse_of(step: Step) -> Step:
    """The step's inverse, by the gate table."""
    gate = GATES[OPCODES[step["gate"]]]
    order = gate.inverse_order or range(gate.angles)
    angles = [add_rows(make_row(), step["angles"][i], -1) for i in order]
    return step | {"gate": gate.inverse or gate.name, "angles": angles}


def random_steps(
    rng: np.random.Generator, qubits: int, gates: int, names: Sequence[str] = (), bits: int = 0
) -> list[Step]:
    """Gates of all kinds; every third undoes or repeats an earlier one. With `bits` also measurements and the like."""
    fitting = [g for g in GATES if (g.unitary or g.name == "pauli") and g.qubits <= qubits]
    fitting = [g for g in fitting if not names or g.name in names]
    steps: list[Step] = []
    for _ in range(gates):
        if bits and rng.random() < 0.2:
            name = str(rng.choice(["measure", "measure", "reset", "barrier"]))
            wires = rng.permutation(qubits)[: 2 if name == "barrier" else 1].tolist()
            clbits = [int(rng.integers(bits))] if name == "measure" else []
            steps.append({"gate": name, "wires": wires, "angles": [], "clbits": clbits, "condition": None})
            continue
        recent = [s for s in steps[-8:] if s["gate"] not in ("measure", "reset", "barrier", "iswap")]
        if recent and rng.random() < 0.35:
            old = recent[int(rng.integers(len(recent)))]
            steps.append(inverse_of(old) if rng.random() < 0.7 else dict(old))
            continue
        gate = fitting[int(rng.integers(len(fitting)))]
        wires = rng.permutation(qubits)[: gate.qubits if gate.qubits > 0 else int(rng.integers(1, 4))].tolist()
        step: Step = {"gate": gate.name, "wires": wires, "angles": [random_angle(rng) for _ in range(gate.angles)]}
        if gate.name == "pauli":
            step["pauli"] = "".join(rng.choice(list("IXYZ"), len(wires)))
        if bits and rng.random() < 0.25:
            bit = ("bit", int(rng.integers(bits)))
            step["condition"] = bit if rng.random() < 0.7 else ("not", bit)
        steps.append(step)
    return steps


def circuit_of(steps: Sequence[Step], qubits: int, bits: int = 0, phase: Row = (0, 1, 0.0, ())) -> Circuit:
    """The circuit of a list of steps."""
    editor = CircuitEditor("random", qubits, bits, INPUTS)
    editor.phase = phase
    for step in steps:
        rest = {k: v for k, v in step.items() if k not in ("gate", "wires", "angles")}
        editor.add(step["gate"], step["wires"], step["angles"], **rest)
    return editor.circuit()


def own_unitary(circuit: Circuit, values: np.ndarray) -> np.ndarray:
    """The matrix from the gate table alone, by index arithmetic."""
    angles = circuit.angles.bind(values[None])[0]
    size = 1 << circuit.num_qubits
    out = np.eye(size, dtype=complex) * (np.exp(1j * angles[circuit.phase]) if circuit.phase >= 0 else 1)
    for row in circuit.rows():
        if row.gate.name != "barrier":
            out = spread(matrix_of(circuit, row, angles), row.wires, size) @ out
    return out


def matrix_of(circuit: Circuit, row, angles: np.ndarray) -> np.ndarray:
    given = [angles[a] for a in row.angles]
    if row.gate.name == "pauli":
        letters = circuit.payloads[row.payload]
        paulis = {"I": np.eye(2), "X": [[0, 1], [1, 0]], "Y": [[0, -1j], [1j, 0]], "Z": [[1, 0], [0, -1]]}
        product = np.eye(1)
        for letter in letters:
            product = np.kron(paulis[letter], product)
        return np.cos(given[0] / 2) * np.eye(len(product)) - 1j * np.sin(given[0] / 2) * product
    return row.gate.matrix(*given)


def spread(matrix: np.ndarray, wires: Sequence[int], size: int) -> np.ndarray:
    """A gate's matrix on the whole register."""
    out = np.zeros((size, size), complex)
    mask = sum(1 << w for w in wires)
    for column in range(size):
        inner = sum(((column >> w) & 1) << k for k, w in enumerate(wires))
        for row in range(len(matrix)):
            out[(column & ~mask) | sum(((row >> k) & 1) << w for k, w in enumerate(wires)), column] = matrix[row, inner]
    return out


def own_mixture(circuit: Circuit, values: np.ndarray, start: np.ndarray | None = None) -> dict[tuple, np.ndarray]:
    """Classical bits -> the density matrix that goes with them, by following every outcome."""
    angles = circuit.angles.bind(values[None])[0]
    size = 1 << circuit.num_qubits
    first = np.eye(size)[0].astype(complex) if start is None else start
    states = {(False,) * circuit.num_clbits: np.outer(first, first.conj())}
    low, high = np.diag([1.0, 0.0]), np.diag([0.0, 1.0])
    flip = np.array([[0.0, 1.0], [1.0, 0.0]])
    for row in circuit.rows():
        after: dict[tuple, np.ndarray] = {}
        for bits, rho in states.items():
            if row.condition >= 0 and not evaluate(circuit.conditions[row.condition], bits):
                parts = [(bits, np.eye(2), (0,))]
            elif row.gate.name == "measure":
                bit = row.clbits[0]
                zero, one = ((*bits[:bit], value, *bits[bit + 1 :]) for value in (False, True))
                parts = [(zero, low, row.wires), (one, high, row.wires)]
            elif row.gate.name == "reset":
                parts = [(bits, low, row.wires), (bits, flip @ high, row.wires)]
            elif row.gate.name == "barrier":
                parts = [(bits, np.eye(2), (0,))]
            else:
                parts = [(bits, matrix_of(circuit, row, angles), row.wires)]
            for key, matrix, wires in parts:
                whole = spread(np.asarray(matrix, complex), wires, size)
                after[key] = after.get(key, 0) + whole @ rho @ whole.conj().T
        states = after
    return states


def qiskit_circuit(circuit: Circuit, values: np.ndarray):
    """The circuit in Qiskit, angles bound, global phase included; unitary gates and barriers only."""
    import qiskit.circuit.library as library
    from qiskit import QuantumCircuit
    from qiskit.quantum_info import Pauli
    from scipy.linalg import expm

    special = {"id": "IGate", "u3": "UGate", "p": "PhaseGate", "cp": "CPhaseGate", "iswap": "iSwapGate"}
    special |= {"swap": "SwapGate", "cswap": "CSwapGate", "sdg": "SdgGate", "tdg": "TdgGate", "sxdg": "SXdgGate"}
    angles = circuit.angles.bind(values[None])[0]
    out = QuantumCircuit(circuit.num_qubits)
    out.global_phase = angles[circuit.phase] if circuit.phase >= 0 else 0.0
    for row in circuit.rows():
        given = [float(angles[a]) for a in row.angles]
        name = row.gate.name
        if name == "pauli":
            # Qiskit writes the letter of the highest qubit first.
            pauli = Pauli(circuit.payloads[row.payload][::-1]).to_matrix()
            out.append(library.UnitaryGate(expm(-0.5j * given[0] * pauli)), row.wires)
        elif name != "barrier":
            out.append(getattr(library, special.get(name, f"{name.upper()}Gate"))(*given), row.wires)
    return out


@pytest.fixture(scope="session")
def make_circuit() -> Callable[..., Circuit]:
    """make_circuit(seed, qubits, gates, names=(), bits=0)."""

    def make(seed: int, qubits: int, gates: int, names: Sequence[str] = (), bits: int = 0) -> Circuit:
        rng = np.random.default_rng(seed)
        return circuit_of(random_steps(rng, qubits, gates, names, bits), qubits, bits, random_angle(rng))

    return make


@pytest.fixture(scope="session")
def write_circuit() -> Callable[..., Circuit]:
    """write_circuit("h 0; rx(pi/2) 1; rz(x0) 0; cx 0 1 if c0; measure 0 -> 1", qubits, bits=0)."""

    def angle(text: str) -> Row:
        if text[-2:] in ("x0", "x1"):
            return make_row(0, 0.0, [(int(text[-1]), float(text[:-2] + "1" if text[:-2] in ("", "-") else text[:-2]))])
        if "pi" in text:
            size, _, divisor = text.partition("/")
            return make_row(
                Fraction(size.replace("pi", "") + "1" if size in ("pi", "-pi") else size.replace("pi", ""))
                / int(divisor or 1)
            )
        return make_row(0, float(text))

    def write(text: str, qubits: int, bits: int = 0) -> Circuit:
        steps: list[Step] = []
        for part in filter(None, map(str.strip, text.split(";"))):
            body, _, condition = part.partition(" if ")
            body, _, target = body.partition(" -> ")
            head, *wires = body.split()
            name, _, given = head.rstrip(")").partition("(")
            step: Step = {
                "gate": name,
                "wires": [*map(int, wires)],
                "angles": [*map(angle, filter(None, given.split(",")))],
            }
            if target:
                step["clbits"] = [int(target)]
            if condition:
                step["condition"] = ("bit", int(condition.removeprefix("c")))
            steps.append(step)
        return circuit_of(steps, qubits, bits)

    return write


@pytest.fixture(scope="session")
def show_circuit() -> Callable[[Circuit], str]:
    """The gates in one line, for example `h q[0]; cx q[0], q[1]`, the global phase first where it is not zero."""
    from qsc.ir.printer import print_circuit

    return lambda circuit: " ".join(line.strip() for line in print_circuit(circuit).splitlines()[1:-1]).rstrip(";")


@pytest.fixture(scope="session")
def matrix_by_table() -> Callable[..., np.ndarray]:
    """own_unitary(circuit, values)."""
    return own_unitary


@pytest.fixture(scope="session")
def mixture_by_table() -> Callable[..., dict[tuple, np.ndarray]]:
    """own_mixture(circuit, values, start state)."""
    return own_mixture


@pytest.fixture(scope="session")
def in_qiskit() -> Callable[..., object]:
    """qiskit_circuit(circuit, values)."""
    return qiskit_circuit
