"""Random circuits, and the same circuits in Qiskit's hands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
import pytest
from qsc.ir.angles import Row, make_row
from qsc.ir.circuit import AngleInput, Circuit, CircuitEditor, GateRow
from qsc.ir.gates import GATES, OPCODES

INPUTS = (AngleInput("x", (3,)), AngleInput("t"), AngleInput("w", (2, 2), "weight"))


def random_row(rng: np.random.Generator, variables: int) -> Row:
    """An angle of any kind: a multiple of pi, a number, a variable, or all of them together."""
    kind = rng.integers(5)
    pi_part = Fraction(int(rng.integers(-16, 17)), int(rng.integers(1, 9))) if kind in (0, 3, 4) else 0
    offset = float(rng.normal()) if kind in (1, 3) else 0.0
    count = int(rng.integers(1, 4)) if kind >= 2 and variables else 0
    chosen = rng.choice(variables, min(count, variables), replace=False) if count else ()
    return make_row(pi_part, offset, [(int(v), float(rng.choice([-1.0, 0.5, 1.0, rng.normal()]))) for v in chosen])


def make_circuit(
    seed: int, qubits: int = 4, gates: int = 30, *, bits: int = 0, dynamic: bool = False, names: Sequence[str] = ()
) -> Circuit:
    """A random circuit over all gates that fit; with `dynamic` also measurements, resets and conditions."""
    rng = np.random.default_rng(seed)
    editor = CircuitEditor("random", qubits, bits, INPUTS)
    variables = sum(a.size for a in INPUTS)
    fitting = [g for g in GATES if (g.unitary or g.name == "barrier") and g.qubits <= qubits]
    fitting = [g for g in fitting if not names or g.name in names]
    for _ in range(gates):
        if dynamic and bits and rng.random() < 0.3:
            name = str(rng.choice(["measure", "measure", "reset"]))
            clbits = [int(rng.integers(bits))] if name == "measure" else []
            editor.add(name, [int(rng.integers(qubits))], clbits=clbits, condition=_condition(rng, bits, 0.2))
            continue
        gate = fitting[int(rng.integers(len(fitting)))]
        count = gate.qubits if gate.qubits >= 0 else int(rng.integers(1, qubits + 1))
        editor.add(
            gate.name,
            rng.permutation(qubits)[:count].tolist(),
            [random_row(rng, variables) for _ in range(gate.angles)],
            pauli="".join(rng.choice(list("IXYZ"), count)) if gate.name == "pauli" else None,
            condition=_condition(rng, bits, 0.3) if dynamic and gate.name != "barrier" else None,
        )
    editor.phase = random_row(rng, variables)
    return editor.circuit()


def _condition(rng: np.random.Generator, bits: int, chance: float) -> tuple | None:
    if not bits or rng.random() > chance:
        return None
    a, b = (("bit", int(k)) for k in rng.integers(bits, size=2))
    return [a, ("not", a), ("and", a, b), ("or", ("not", a), b), ("xor", a, b)][int(rng.integers(5))]


def qiskit_gate(circuit: Circuit, row: GateRow, angles: np.ndarray):
    """The row as a Qiskit gate; `angles` are the bound rows."""
    import qiskit.circuit.library as library
    from qiskit.quantum_info import Pauli
    from scipy.linalg import expm

    given = [float(angles[a]) for a in row.angles]
    if row.gate.name == "pauli":
        # Qiskit writes the letter of the highest qubit first.
        pauli = Pauli(circuit.payloads[row.payload][::-1]).to_matrix()
        return library.UnitaryGate(expm(-0.5j * given[0] * pauli))
    return getattr(library, QISKIT_NAMES[row.gate.name])(*given)


QISKIT_NAMES = {
    "id": "IGate",
    "u3": "UGate",
    "p": "PhaseGate",
    "cp": "CPhaseGate",
    "swap": "SwapGate",
    "iswap": "iSwapGate",
    "cswap": "CSwapGate",
    "sdg": "SdgGate",
    "tdg": "TdgGate",
    "sxdg": "SXdgGate",
}
QISKIT_NAMES |= {
    gate.name: f"{gate.name.upper()}Gate" for gate in GATES if gate.matrix is not None and gate.name not in QISKIT_NAMES
}


def make_qiskit(circuit: Circuit, values: np.ndarray):
    """A Qiskit circuit with all angles bound to `values` (variables,). Barriers stay out."""
    from qiskit import QuantumCircuit
    from qiskit.circuit.classical import expr

    angles = circuit.angles.bind(np.asarray(values, float)[None])[0]
    out = QuantumCircuit(circuit.num_qubits, circuit.num_clbits)
    if circuit.phase >= 0:
        out.global_phase = float(angles[circuit.phase])

    def condition(e: tuple) -> expr.Expr:
        if e[0] == "bit":
            return expr.lift(out.clbits[e[1]])
        parts = [condition(p) for p in e[1:]]
        combine = {"not": expr.logic_not, "and": expr.logic_and, "or": expr.logic_or, "xor": expr.bit_xor}
        return combine[e[0]](*parts)

    def add(row: GateRow) -> None:
        if row.gate.name == "measure":
            out.measure(row.wires[0], row.clbits[0])
        elif row.gate.name == "reset":
            out.reset(row.wires[0])
        else:
            out.append(qiskit_gate(circuit, row, angles), row.wires)

    for row in circuit.rows():
        if row.opcode == OPCODES["barrier"]:
            continue
        if row.condition < 0:
            add(row)
        else:
            with out.if_test(condition(circuit.conditions[row.condition])):
                add(row)
    return out


@pytest.fixture(scope="session")
def random_circuit() -> Callable[..., Circuit]:
    """make_circuit(seed, qubits, gates, bits=, dynamic=, names=)."""
    return make_circuit


@pytest.fixture(scope="session")
def to_qiskit() -> Callable[..., object]:
    """make_qiskit(circuit, values)."""
    return make_qiskit


@pytest.fixture(scope="session")
def to_qiskit_gate() -> Callable[..., object]:
    """qiskit_gate(circuit, row, bound angles)."""
    return qiskit_gate
