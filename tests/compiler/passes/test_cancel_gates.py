"""cancel-gates: what meets vanishes, and the unitary stays, global phase included."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit.quantum_info import Operator
from qsc.compiler.passes.base import Context
from qsc.compiler.passes.cancel_gates import CancelGates, cancel
from qsc.compiler.passes.gate_families import exchangeable, families
from qsc.compiler.passes.gate_kinds import LETTERS, kinds_of_gates
from qsc.ir import Module, verify
from qsc.ir.gates import GATES, OPCODES

SEEDS = st.integers(0, 2**32 - 1)
THOROUGH = settings(max_examples=120, deadline=None, derandomize=True)
ROTATIONS = ["rx", "ry", "rz", "p", "rxx", "ryy", "rzz", "pauli", "cp", "crz", "s", "t", "x", "sx"]
CLIFFORD = ["h", "x", "z", "s", "sdg", "cx", "cz", "swap", "id", "cy"]


def is_same(a: np.ndarray, b: np.ndarray, tolerance: float = 1e-9) -> bool:
    return bool(np.abs(a - b).max() < tolerance)


def values(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-7, 7, 4)


@pytest.mark.parametrize("names", [[], ROTATIONS, CLIFFORD], ids=["all", "rotations", "clifford"])
def test_the_unitary_stays(names, make_circuit, matrix_by_table):
    @THOROUGH
    @given(SEEDS, st.integers(3, 5), st.integers(1, 40))
    def check(seed: int, qubits: int, gates: int):
        before = make_circuit(seed, qubits, gates, names)
        after = cancel(before, 1e-12)
        verify(Module("m", circuits={"c": after}))
        assert len(after) <= len(before)
        assert is_same(matrix_by_table(before, values(seed)), matrix_by_table(after, values(seed)))
        assert cancel(after, 1e-12) is after

    check()


@settings(max_examples=40, deadline=None, derandomize=True)
@given(SEEDS)
def test_qiskit_agrees(make_circuit, in_qiskit, seed: int):
    before = make_circuit(seed, 4, 40)
    after = cancel(before)
    wanted, found = (np.asarray(Operator(in_qiskit(c, values(seed))).data) for c in (before, after))
    assert is_same(wanted, found)


@THOROUGH
@given(SEEDS)
def test_measured_circuits_keep_every_branch(make_circuit, mixture_by_table, seed: int):
    before = make_circuit(seed, 3, 30, CLIFFORD + ROTATIONS, bits=2)
    after = cancel(before, 1e-12)
    start = np.random.default_rng(seed).normal(size=(8, 2)) @ [1, 1j]
    start /= np.linalg.norm(start)
    wanted, found = (mixture_by_table(c, values(seed), start) for c in (before, after))
    empty = np.zeros((8, 8))
    assert all(is_same(wanted.get(k, empty), found.get(k, empty)) for k in wanted.keys() | found.keys())
    assert cancel(after, 1e-12) is after
    fixed = [[r[1:4] for r in c.rows() if r.gate.name in ("measure", "reset", "barrier")] for c in (before, after)]
    assert fixed[0] == fixed[1]


CASES = {
    "h 0; x 0; x 0; h 0": "",
    "cx 0 1; z 0; cx 0 1": "z q[0]",
    "cx 0 1; x 1; cx 0 1": "x q[1]",
    "cx 0 1; cx 1 0": "cx q[0], q[1]; cx q[1], q[0]",
    "cx 0 1; cx 0 2; cx 0 1": "cx q[0], q[2]",
    "cx 0 1; cx 2 1; cx 0 1": "cx q[2], q[1]",
    "cz 0 1; cz 1 0": "",
    "swap 0 1; swap 1 0": "",
    "ccx 0 1 2; ccx 1 0 2": "",
    "cswap 0 1 2; cswap 0 2 1": "",
    "iswap 0 1; iswap 0 1": "iswap q[0], q[1]; iswap q[0], q[1]",
    "ecr 0 1; ecr 0 1": "",
    "ch 0 1; z 0; ch 0 1": "z q[0]",
    "rz(x0) 0; rz(-x0) 0": "",
    "rz(x0) 0; cx 0 1; rz(x1) 0": "rz(x[0] + x[1]) q[0]; cx q[0], q[1]",
    "rz(x0) 0; rz(x1) 0; rz(-x0) 0": "rz(x[1]) q[0]",
    "rx(2pi) 0": "phase(pi)",
    "rx(4pi) 0": "",
    "rx(-2pi) 0": "phase(pi)",
    "rx(pi) 0; rx(pi) 0": "phase(pi)",
    "crx(2pi) 0 1": "crx(2*pi) q[0], q[1]",
    "crx(4pi) 0 1": "",
    "crz(2pi) 0 1; crz(2pi) 0 1": "",
    "cp(2pi) 0 1": "",
    "p(2pi) 0": "",
    "rzz(2pi) 0 1": "phase(pi)",
    "id 0; h 0; id 0; h 0": "",
    "s 0; s 0": "z q[0]",
    "t 0; t 0": "s q[0]",
    "t 0; s 0": "p(3*pi/4) q[0]",
    "t 0; tdg 0": "",
    "s 0; s 0; s 0": "sdg q[0]",
    "z 0; s 0; cx 0 1; z 0": "s q[0]; cx q[0], q[1]",
    "sx 0; sx 0": "x q[0]",
    "sx 0; sx 0; sx 0": "sxdg q[0]",
    "x 0; rx(0.5) 0": "phase(pi/2); rx(pi + 0.5) q[0]",
    "s 0; p(x0) 0": "p(pi/2 + x[0]) q[0]",
    "s 0; rz(x0) 0": "phase(pi/4); rz(pi/2 + x[0]) q[0]",
    "rz(x0) 0; p(-x0) 0": "phase(-0.5*x[0])",
    "cz 0 1; cp(pi/2) 1 0": "cp(-pi/2) q[0], q[1]",
    "cp(pi/2) 0 1; cp(pi/2) 1 0": "cp(pi) q[0], q[1]",
    "u3(0.5,x0,0.25) 0; u3(-0.5,-0.25,-x0) 0": "",
    "u3(0.5,x0,0.25) 0; u3(-0.5,-x0,-0.25) 0": "u3(0.5, x[0], 0.25) q[0]; u3(-0.5, -x[0], -0.25) q[0]",
    "rxx(x0) 0 1; rzz(0.5) 0 1; rxx(x1) 1 0": "rxx(x[0] + x[1]) q[0], q[1]; rzz(0.5) q[0], q[1]",
    "rxx(x0) 0 1; ryy(0.5) 0 1; rzz(0.5) 1 0; rxx(-x0) 1 0; ryy(-0.5) 0 1": "rzz(0.5) q[1], q[0]",
    "rxx(x0) 0 1; rzz(0.5) 1 2; rxx(-x0) 0 1": "rxx(x[0]) q[0], q[1]; rzz(0.5) q[1], q[2]; rxx(-x[0]) q[0], q[1]",
    "h 0; barrier 0; h 0": "h q[0]; barrier q[0]; h q[0]",
    "h 0; barrier 1; h 0": "barrier q[1]",
    "h 0; barrier; h 0": "h q[0]; barrier; h q[0]",
    "x 0; reset 0; x 0": "x q[0]; reset q[0]; x q[0]",
    "h 0 if c0; h 0 if c0": "",
    "h 0 if c0; h 0 if c1": "h q[0] if c[0]; h q[0] if c[1]",
    "h 0 if c0; h 0": "h q[0] if c[0]; h q[0]",
    "x 0 if c0; measure 1 -> 0; x 0 if c0": "x q[0] if c[0]; measure q[1] -> c[0]; x q[0] if c[0]",
    "x 0 if c0; measure 1 -> 1; x 0 if c0": "measure q[1] -> c[1]",
    "rz(x0) 0 if c0; rz(x1) 0 if c0": "rz(x[0] + x[1]) q[0] if c[0]",
    "rz(2pi) 0 if c0": "rz(2*pi) q[0] if c[0]",
    "rz(4pi) 0 if c0": "",
}


@pytest.mark.parametrize("text", CASES)
def test_known_case(text: str, write_circuit, show_circuit):
    bits = 2 if "c0" in text else 0
    assert show_circuit(cancel(write_circuit(text, 3, bits))) == CASES[text]


def test_tolerance_is_in_radians(write_circuit):
    circuit = write_circuit("rz(0.1) 0; rz(0.2) 0; rz(-0.3) 0; rx(0.001) 1", 2)
    assert len(cancel(circuit, 0.0)) == 2
    assert len(cancel(circuit, 1e-12)) == 1
    assert len(cancel(circuit, 0.01)) == 0


def test_pauli_rotations_meet_by_their_letters(matrix_by_table):
    from qsc.ir import CircuitEditor

    editor = CircuitEditor("c", 4)
    editor.add("pauli", [0, 1, 2], [0.5], pauli="XIZ")
    editor.add("pauli", [2, 0], [0.25], pauli="ZX")
    editor.add("pauli", [3, 1], [0.7], pauli="ZZ")
    editor.add("rzz", [1, 3], [-0.7])
    editor.add("pauli", [1], [np.pi], pauli="Y")
    editor.add("pauli", [2, 3], [0.3], pauli="II")
    before = editor.circuit()
    after = cancel(before, 1e-12)
    assert after.gate_counts() == {"pauli": 2}
    assert is_same(matrix_by_table(before, np.zeros(0)), matrix_by_table(after, np.zeros(0)))


@pytest.mark.parametrize("seed", range(3))
def test_a_circuit_and_its_mirror_vanish(seed: int, make_circuit):
    """Every gate meets its inverse, one after the other: thousands of cascades in one sweep."""
    names = [g.name for g in GATES if g.matrix is not None and g.inverse and g.name != "id"]
    there = make_circuit(seed, 5, 3000, names)
    rows, angles = there.rows(), there.angles.rows()
    from qsc.ir.angles import AngleInterner, make_row

    interner = AngleInterner(dict.fromkeys(angles))
    number = {k: interner.add(row) for k, row in enumerate(angles)}
    back = []
    for row in reversed(rows):
        order = row.gate.inverse_order or range(len(row.angles))
        negated = [
            interner.add(make_row(-_fraction(r), -r[2], [(v, -c) for v, c in r[3]]))
            for r in (angles[row.angles[i]] for i in order)
        ]
        back.append(row._replace(opcode=OPCODES[row.gate.inverse], angles=tuple(negated)))
    there_rows = [r._replace(angles=tuple(number[a] for a in r.angles)) for r in rows]
    whole = there.with_rows(there_rows + back, interner.table(), -1)
    assert len(cancel(whole, 1e-12)) == 0


def _fraction(row):
    from fractions import Fraction

    return Fraction(row[0], row[1])


def test_the_pass_reports_what_it_saved(write_circuit):
    context = Context()
    module = Module("m", circuits={"random": write_circuit("cx 0 1; z 0; cx 0 1; h 1", 2)})
    after = CancelGates().run(module, context)
    assert len(after.circuits["random"]) == 2
    assert str(context.remarks[0]) == (
        "cancel-gates: circuit random: 4 -> 2 gates, 2 -> 0 on two or more qubits (gates -2, two_qubit_gates -2)"
    )
    again = CancelGates().run(after, context)
    assert again == after
    assert len(context.remarks) == 1


def test_families_follow_from_the_matrices():
    names = [{GATES[op].name for op in family.members} for family in families()]
    assert {"rz", "p", "z", "s", "sdg", "t", "tdg", "id"} in names
    assert {"rx", "x", "sx", "sxdg"} in names
    assert {"cp", "cz"} in names
    for family in families():
        leader = GATES[family.leader].matrix
        assert leader is not None
        for member in family.members.values():
            gate = GATES[member.opcode]
            own = [0.6] if gate.angles else []
            assert gate.matrix is not None
            turned = leader(float(member.turn) * np.pi + sum(own))
            factor = np.exp(1j * (np.pi * float(member.phase) + float(member.slope) * sum(own)))
            assert is_same(gate.matrix(*own), factor * turned)


def test_exchangeable_operands():
    found = {g.name: exchangeable(op) for op, g in enumerate(GATES) if exchangeable(op)}
    assert found["ccx"] == ((0, 1),)
    assert found["cswap"] == ((1, 2),)
    assert all((g.name in found) == g.symmetric for g in GATES if g.qubits == 2)


def test_unconditioned_gates_that_share_a_letter_on_one_wire_are_of_one_class() -> None:
    """Groups of gates rest on this: they keep the last gate on their wire alone whatever its kind."""
    found: dict[int, set[int]] = {}
    classes, kinds = kinds_of_gates()
    for kind in kinds:
        if kind is not None and len(kind.letters) == 1:
            found.setdefault(kind.letters[0], set()).add(kind.number)
    for letter, number in LETTERS.items():
        found[number].add(classes.of_pauli(letter))
    assert all(len(numbers) == 1 for numbers in found.values())
