"""Every fact of the gate table, checked numerically; matrices against Qiskit."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from qsc.ir.circuit import CircuitEditor
from qsc.ir.gates import GATES, OPCODES, PAULI, Gate, pauli_matrix, rotation_matrix
from scipy.linalg import expm

UNITARIES = [g for g in GATES if g.matrix is not None]
TURNS = [g for g in UNITARIES if g.angles == 1]
FIXED = [g for g in UNITARIES if g.angles == 0]
ANGLES = (0.3, -1.1, 2.7)


def ids(gate: Gate) -> str:
    return gate.name


def matrix(gate: Gate, *angles: float) -> np.ndarray:
    assert gate.matrix is not None
    return gate.matrix(*(angles or ANGLES[: gate.angles]))


def on_qubit(letter: str, qubit: int, width: int) -> np.ndarray:
    return pauli_matrix("".join(letter if q == qubit else "I" for q in range(width)))


def permuted(m: np.ndarray, order: tuple[int, ...]) -> np.ndarray:
    """The matrix with its qubits in another order."""
    n = len(order)
    index = np.array([sum(((k >> q) & 1) << order[q] for q in range(n)) for k in range(1 << n)])
    out = np.empty_like(m)
    out[np.ix_(index, index)] = m
    return out


@pytest.mark.parametrize("gate", UNITARIES, ids=ids)
def test_matrix_is_qiskits(gate, to_qiskit_gate):
    from qiskit.quantum_info import Operator

    editor = CircuitEditor("one", gate.qubits)
    editor.add(gate.name, range(gate.qubits), [0.0] * gate.angles)
    row = editor.circuit().rows()[0]._replace(angles=tuple(range(gate.angles)))
    wanted = np.asarray(Operator(to_qiskit_gate(editor.circuit(), row, np.array(ANGLES))).data)
    np.testing.assert_allclose(matrix(gate), wanted, atol=1e-14)


@pytest.mark.parametrize("gate", UNITARIES, ids=ids)
def test_matrix_is_unitary_and_as_large_as_the_gate(gate):
    m = matrix(gate)
    assert m.shape == (1 << gate.qubits, 1 << gate.qubits)
    np.testing.assert_allclose(m @ m.conj().T, np.eye(len(m)), atol=1e-14)


@pytest.mark.parametrize("gate", TURNS, ids=ids)
def test_period_is_the_smallest(gate):
    turn = float(gate.period) * np.pi
    np.testing.assert_allclose(matrix(gate, 0.3 + turn), matrix(gate, 0.3), atol=1e-12)
    for divisor in (2, 3, 4):
        assert not np.allclose(matrix(gate, 0.3 + turn / divisor), matrix(gate, 0.3))


@pytest.mark.parametrize("gate", TURNS, ids=ids)
def test_phase_period_gives_minus_one(gate):
    turn = float(gate.phase_period) * np.pi
    sign = 1 if gate.phase_period == gate.period else -1
    np.testing.assert_allclose(matrix(gate, 0.3 + turn), sign * matrix(gate, 0.3), atol=1e-12)
    for divisor in (2, 3, 4):
        a, b = matrix(gate, 0.3 + turn / divisor), matrix(gate, 0.3)
        assert abs(np.vdot(a, b)) < len(a) - 1e-3, "equal up to a phase before phase_period"


@pytest.mark.parametrize("gate", UNITARIES, ids=ids)
def test_axes_name_what_the_gate_commutes_with(gate):
    assert len(gate.axes) == gate.qubits
    m = matrix(gate)
    for qubit, axis in enumerate(gate.axes):
        for letter in "XYZ":
            p = on_qubit(letter, qubit, gate.qubits)
            commutes = np.allclose(m @ p, p @ m)
            if letter == axis:
                assert commutes
            elif gate.name != "id":
                assert not commutes, f"{gate.name} is diagonal in {letter} on its qubit {qubit}"
    assert gate.diagonal == (np.allclose(m, np.diag(np.diag(m))))


@pytest.mark.parametrize("gate", UNITARIES, ids=ids)
def test_inverse(gate):
    m = matrix(gate)
    if gate.inverse is None:
        candidates = [g for g in UNITARIES if g.qubits == gate.qubits and not g.angles]
        assert not any(np.allclose(matrix(g) @ m, np.eye(len(m))) for g in candidates)
        return
    other = GATES[OPCODES[gate.inverse]]
    order = gate.inverse_order or range(gate.angles)
    undo = matrix(other, *(-ANGLES[k] for k in order)) if gate.angles else matrix(other)
    np.testing.assert_allclose(undo @ m, np.eye(len(m)), atol=1e-14)
    assert gate.self_inverse == (gate.angles == 0 and np.allclose(m @ m, np.eye(len(m))))


@pytest.mark.parametrize("gate", [g for g in UNITARIES if g.qubits > 1], ids=ids)
def test_symmetric_means_any_order_of_qubits(gate):
    m = matrix(gate)
    orders = list(itertools.permutations(range(gate.qubits)))
    assert gate.symmetric == all(np.allclose(permuted(m, order), m) for order in orders)


@pytest.mark.parametrize("gate", [g for g in UNITARIES if g.angles], ids=ids)
def test_additive_means_angles_add_up(gate):
    a, b = np.array(ANGLES[: gate.angles]), np.array([0.7, 0.2, -0.4][: gate.angles])
    assert gate.additive == np.allclose(matrix(gate, *a) @ matrix(gate, *b), matrix(gate, *(a + b)))


@pytest.mark.parametrize("gate", UNITARIES, ids=ids)
def test_real_means_no_imaginary_part(gate):
    assert gate.real == np.allclose(np.imag(matrix(gate)), 0)


@pytest.mark.parametrize("gate", FIXED, ids=ids)
def test_clifford_means_paulis_go_to_paulis(gate):
    m = matrix(gate)
    paulis = [pauli_matrix("".join(p)) for p in itertools.product("IXYZ", repeat=gate.qubits)]

    def is_pauli(p: np.ndarray) -> bool:
        return any(np.allclose(p, s * q) for q in paulis for s in (1, -1))

    singles = [on_qubit(letter, q, gate.qubits) for letter in "XZ" for q in range(gate.qubits)]
    assert gate.clifford == all(is_pauli(m @ p @ m.conj().T) for p in singles)


@pytest.mark.parametrize("letters", ["X", "ZY", "IXYZ", "YIY"])
def test_pauli_rotation_is_the_exponential(letters):
    pauli = np.ones((1, 1))
    for letter in reversed(letters):
        pauli = np.kron(pauli, PAULI[letter])
    np.testing.assert_allclose(pauli_matrix(letters), pauli)
    np.testing.assert_allclose(rotation_matrix(letters, 0.7), expm(-0.35j * pauli), atol=1e-14)


def test_rows_that_are_not_one_matrix():
    pauli, measure = GATES[OPCODES["pauli"]], GATES[OPCODES["measure"]]
    assert pauli.unitary
    assert not pauli.self_inverse
    assert (pauli.period, pauli.phase_period) == (Fraction(4), Fraction(2))
    assert not measure.unitary
    assert not GATES[OPCODES["reset"]].unitary
    assert not GATES[OPCODES["barrier"]].unitary
    assert measure.diagonal


def test_names_and_opcodes_agree():
    assert len({g.name for g in GATES}) == len(GATES) == len(OPCODES)
    assert all(GATES[code].name == name for name, code in OPCODES.items())
