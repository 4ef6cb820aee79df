"""Tableaus and boards of Pauli products against matrices."""

from __future__ import annotations

import numpy as np
import pytest
from qsc.compiler.synthesis.pauli_form import PauliForm, Turn, pauli_form, quarter_turns, supported
from qsc.compiler.synthesis.stabilizers import AFTER, TYPES, Board, entanglers
from qsc.compiler.synthesis.tableau import Pauli, Tableau, commute, multiply, pauli
from qsc.ir.angles import make_row
from qsc.ir.circuit import CircuitEditor
from qsc.ir.gates import GATES, OPCODES, pauli_matrix, rotation_matrix
from qsc.ir.interpreter import unitary

LETTERS = "IXZY"


def matrix_of(product: Pauli, qubits: int) -> np.ndarray:
    letters = "".join(product.letter(q) for q in range(qubits))
    return pauli_matrix(letters) * (1j) ** (product.p - (product.x & product.z).bit_count())


def random_pauli(rng: np.random.Generator, qubits: int) -> Pauli:
    letters = rng.choice(list("IXYZ"), qubits)
    return pauli(((p, q) for q, p in enumerate(letters) if p != "I"), bool(rng.integers(2)))


@pytest.mark.parametrize("seed", range(10))
def test_products_are_those_of_matrices(seed: int):
    rng = np.random.default_rng(seed)
    a, b = random_pauli(rng, 3), random_pauli(rng, 3)
    left, right = matrix_of(a, 3), matrix_of(b, 3)
    np.testing.assert_allclose(matrix_of(multiply(a, b), 3), left @ right, atol=1e-12)
    assert commute(a, b) == np.allclose(left @ right, right @ left)


@pytest.mark.parametrize("seed", range(10))
def test_a_tableau_pulls_back(seed: int):
    rng = np.random.default_rng(seed)
    cliffords = [g for g in GATES if g.clifford]
    editor, tableau = CircuitEditor("c", 3), Tableau(3)
    for _ in range(12):
        gate = cliffords[int(rng.integers(len(cliffords)))]
        wires = rng.permutation(3)[: gate.qubits].tolist()
        editor.add(gate.name, wires)
        tableau.apply(OPCODES[gate.name], wires)
    axis, quarters = random_pauli(rng, 3), int(rng.integers(4))
    tableau.turn(axis, quarters)
    given = random_pauli(rng, 3)
    angle = quarters * np.pi / 2
    clifford = unitary(editor.circuit()) @ (np.cos(angle / 2) * np.eye(8) - 1j * np.sin(angle / 2) * matrix_of(axis, 3))
    wanted = clifford.conj().T @ matrix_of(given, 3) @ clifford
    np.testing.assert_allclose(matrix_of(tableau.pull(given), 3), wanted, atol=1e-12)


@pytest.mark.parametrize("kind", range(9))
def test_an_entangler_turns_products_as_its_gates_do(kind: int):
    entangler, pair = entanglers()[kind], (2, 0)
    editor = CircuitEditor("c", 3)
    for name, wire in entangler.local:
        editor.add(name, [pair[wire]])
    editor.add(entangler.gate, [pair[w] for w in entangler.wires])
    gates = unitary(editor.circuit())
    rng = np.random.default_rng(kind)
    products = [random_pauli(rng, 3) for _ in range(40)]
    board = Board(products, 3)
    board.entangle(kind, *pair)
    for k, before in enumerate(products):
        found = pauli(((LETTERS[board.letters[q, k]], q) for q in range(3)), bool(board.signs[k]))
        wanted = gates @ matrix_of(before, 3) @ gates.conj().T
        np.testing.assert_allclose(matrix_of(found, 3), wanted, atol=1e-12)
        weights = np.count_nonzero(AFTER[kind, 4 * LETTERS.index(before.letter(2)) + LETTERS.index(before.letter(0))])
        assert weights == np.count_nonzero(board.letters[[2, 0], k])
    assert len(TYPES) == 9


@pytest.mark.parametrize("seed", range(5))
def test_rows_of_a_board_multiply(seed: int):
    rng = np.random.default_rng(seed)
    products = [random_pauli(rng, 9) for _ in range(12)]
    board = Board(products, 9)
    assert board.masks(range(12)) == [p.masks for p in products]
    for k in range(1, 12):
        if commute(products[0], products[k]):
            wanted = multiply(products[k], products[0])
            board.multiply(k, 0)
            assert board.masks([k]) == [wanted.masks]
            assert bool(board.signs[k]) == wanted.negative


@pytest.mark.parametrize("gate", [g.name for g in GATES if g.matrix is not None])
def test_the_form_of_every_gate_is_the_gate(gate: str):
    kind = GATES[OPCODES[gate]]
    editor = CircuitEditor("c", 3)
    for q in range(3):
        editor.add("h", [q])
    editor.add(gate, [2, 0, 1][: kind.qubits], [0.3, -1.1, 0.7][: kind.angles])
    circuit = editor.circuit()
    assert supported(circuit)
    form = pauli_form(circuit)
    wanted = unitary(circuit)
    for letter in "XZ":
        for q in range(3):
            axis = pauli([(letter, q)])
            pulled = matrix_of(form.tableau.pull(axis), 3)
            turned = turns_matrix(form)
            found = turned.conj().T @ pulled @ turned
            np.testing.assert_allclose(found, wanted.conj().T @ matrix_of(axis, 3) @ wanted, atol=1e-12)


def turns_matrix(form: PauliForm) -> np.ndarray:
    out = np.eye(1 << form.qubits, dtype=complex)
    for turn in form.turns:
        letters = "".join(turn.axis.letter(q) for q in range(form.qubits))
        out = rotation_matrix(letters, turn.angle[0] / turn.angle[1] * np.pi + turn.angle[2]) @ out
    return out


def test_turns_have_positive_axes():
    editor = CircuitEditor("c", 1)
    editor.add("x", [0])
    editor.add("rz", [0], [0.5])
    assert pauli_form(editor.circuit()).turns == [Turn(pauli([("Z", 0)]), make_row(0, -0.5), -1)]
    assert quarter_turns(make_row(0, np.pi)) == 2
    assert quarter_turns(make_row(0, 0.1)) is None
