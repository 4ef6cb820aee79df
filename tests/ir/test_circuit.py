"""Circuits as columns: what editing, selecting, compacting and comparing keep."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from qsc.ir import AngleInput, CircuitEditor, Location
from qsc.ir.angles import AngleInterner, make_row
from qsc.ir.circuit import GateRow, as_row, empty_circuit, join_groups, split_groups
from qsc.ir.gates import GATES, OPCODES

SEEDS = range(8)


def texts(circuit) -> list[tuple]:
    """The gates with everything that they refer to written out."""
    angles = circuit.angles.rows()
    return [
        (
            row.gate.name,
            row.wires,
            tuple(angles[a] for a in row.angles),
            row.clbits,
            circuit.payloads[row.payload] if row.payload >= 0 else None,
            circuit.conditions[row.condition] if row.condition >= 0 else None,
        )
        for row in circuit.rows()
    ]


@pytest.fixture(params=SEEDS)
def circuit(request, random_circuit):
    return random_circuit(request.param, 5, 60, bits=3, dynamic=True)


def test_rows_and_columns_hold_the_same(circuit):
    again = circuit.with_rows(circuit.rows())
    assert again == circuit
    assert again.rows() == circuit.rows()
    assert len(again) == len(circuit) == len(circuit.rows())


def test_select_keeps_the_chosen_rows_in_order(circuit):
    rng = np.random.default_rng(0)
    for chance in (0.0, 0.3, 1.0):
        keep = rng.random(len(circuit)) < chance
        kept = circuit.select(keep)
        assert kept.rows() == [row for row, wanted in zip(circuit.rows(), keep, strict=True) if wanted]
        assert texts(kept) == [t for t, wanted in zip(texts(circuit), keep, strict=True) if wanted]


def test_compacted_says_the_same_with_less(circuit):
    half = circuit.select(np.arange(len(circuit)) % 3 == 0)
    small = half.compacted()
    assert texts(small) == texts(half)
    assert small == half
    again = small.compacted()
    assert again.rows() == small.rows()
    assert again is small or small.payloads or small.conditions
    used = set(small.angle_rows.tolist()) | ({small.phase} if small.phase >= 0 else set())
    assert used == set(range(len(small.angles)))
    assert set(small.payload.tolist()) - {-1} == set(range(len(small.payloads)))
    assert set(small.condition.tolist()) - {-1} == set(range(len(small.conditions)))


def test_equality_does_not_see_numbering_or_places(circuit):
    order = np.random.default_rng(1).permutation(len(circuit.angles))
    shuffled = AngleInterner([make_row(99), *(circuit.angles.rows()[k] for k in order)])
    number = {row: k for k, row in enumerate(shuffled.rows())}
    rows = circuit.angles.rows()
    renamed = circuit.with_rows(
        [r._replace(angles=tuple(number[rows[a]] for a in r.angles), location=-1) for r in circuit.rows()],
        shuffled.table(),
        number[rows[circuit.phase]] if circuit.phase >= 0 else -1,
    )
    moved = replace(renamed, place=Location("elsewhere.qsc", 1, 1))
    assert moved == circuit
    assert hash(moved) == hash(circuit)


def test_equality_sees_every_gate(circuit):
    rows = circuit.rows()
    for k, row in enumerate(rows):
        other = replace_at(rows, k, GateRow(OPCODES["barrier"], (0, 1, 2, 3, 4)))
        if other[k][:6] != row[:6]:
            assert circuit.with_rows(other) != circuit
        if row.angles:
            shifted = AngleInterner([*circuit.angles.rows(), make_row(Fraction(1, 977))])
            turned = row._replace(angles=(len(circuit.angles), *row.angles[1:]))
            assert circuit.with_rows(replace_at(rows, k, turned), shifted.table()) != circuit
    assert circuit.select(np.arange(len(circuit)) > 0) != circuit
    assert replace(circuit, name="other") != circuit
    assert circuit != "circuit"


def replace_at(rows: list, k: int, row) -> list:
    return [*rows[:k], row, *rows[k + 1 :]]


def test_a_phase_of_zero_is_no_phase():
    editor = CircuitEditor("c", 1)
    editor.add("x", [0], [])
    plain = editor.circuit()
    zero = plain.with_rows(plain.rows(), AngleInterner([make_row(0)]).table(), 0)
    assert zero == plain
    assert zero.compacted().phase == -1
    assert plain.with_rows(plain.rows(), AngleInterner([make_row(1)]).table(), 0) != plain


@pytest.mark.parametrize("seed", SEEDS)
def test_costs_are_qiskits(seed, random_circuit, to_qiskit):
    circuit = random_circuit(seed, 5, 80, names=[g.name for g in GATES if g.name != "barrier"])
    theirs = to_qiskit(circuit, np.zeros(circuit.num_variables))
    costs = circuit.costs()
    assert costs["qubits"] == theirs.num_qubits
    assert costs["gates"] == theirs.size()
    assert costs["two_qubit_gates"] == theirs.num_nonlocal_gates()
    assert costs["depth"] == theirs.depth()
    assert costs["two_qubit_depth"] == theirs.depth(lambda step: len(step.qubits) >= 2)
    names = [row.gate.name for row in circuit.rows()]
    assert circuit.gate_counts() == {name: names.count(name) for name in set(names)}


def test_costs_count_classical_bits_as_wires_and_barriers_as_nothing():
    editor = CircuitEditor("c", 3, 1)
    editor.add("measure", [0], clbits=[0])
    editor.add("x", [1], condition=("bit", 0))
    editor.add("barrier", [1, 2])
    editor.add("h", [2])
    costs = editor.circuit().costs()
    assert costs == {"qubits": 3, "gates": 3, "two_qubit_gates": 0, "depth": 3, "two_qubit_depth": 0}
    assert empty_circuit("e", 0).costs()["depth"] == 0


def test_variables_are_numbered_in_order():
    circuit = empty_circuit("c", 1, 0, (AngleInput("x", (3,)), AngleInput("t"), AngleInput("w", (2, 2), "weight")))
    assert circuit.variable_names == ("x[0]", "x[1]", "x[2]", "t", "w[0,0]", "w[0,1]", "w[1,0]", "w[1,1]")
    assert circuit.num_variables == 8
    assert [circuit.first_variable(name) for name in ("x", "t", "w")] == [0, 3, 4]
    with pytest.raises(KeyError):
        circuit.first_variable("y")


def test_every_row_has_its_place():
    editor = CircuitEditor("c", 1, place=Location("c.qsc", 1, 1))
    editor.add("x", [0], location=Location("c.qsc", 2, 3))
    editor.add("y", [0])
    editor.add("z", [0], location=Location("c.qsc", 2, 3))
    circuit = editor.circuit()
    assert [str(circuit.place_of(k)) for k in range(3)] == ["c.qsc:2:3", "c.qsc:1:1", "c.qsc:2:3"]
    assert str(circuit.select(np.array([False, True, True])).place_of(1)) == "c.qsc:2:3"


def test_measurement_reset_and_condition_make_it_no_unitary():
    def one(name: str, **options) -> bool:
        editor = CircuitEditor("c", 1, 1)
        editor.add(name, [0], **options)
        return editor.circuit().has_measurement

    assert not one("x")
    assert not one("barrier")
    assert one("measure", clbits=[0])
    assert one("reset")
    assert one("x", condition=("bit", 0))


def test_angles_of_every_form():
    assert as_row(Fraction(1, 2)) == make_row(Fraction(1, 2))
    assert as_row(0.5) == make_row(0, 0.5)
    assert as_row(make_row(0, 0, [(1, 2.0)])) == make_row(0, 0, [(1, 2.0)])


def test_groups():
    groups = [(1, 2), (), (3,)]
    data, ptr = join_groups(groups)
    assert list(split_groups(ptr, data)) == groups
    assert join_groups([])[1].tolist() == [0]
