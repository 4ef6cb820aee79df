"""Angle rows: exact arithmetic, multiples of a period, interning, binding."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qsc.ir.angles import ZERO_ROW, AngleInterner, AngleTable, Row, add_rows, make_row, row_is_multiple

FRACTIONS = st.fractions(-1000, 1000, max_denominator=720)
FLOATS = st.floats(-100, 100, allow_nan=False).map(lambda v: round(v, 6))
TERMS = st.lists(st.tuples(st.integers(0, 6), st.integers(-8, 8).map(lambda k: k / 4)), max_size=5)
ROWS = st.builds(make_row, FRACTIONS, st.just(0.0) | FLOATS, TERMS)
EXACT_ROWS = st.builds(make_row, FRACTIONS, st.just(0.0), TERMS)
VALUES = np.array([0.3, -1.2, 2.5, 0.0, 7.1, -0.01, 1e-3])


def value(row: Row, values: np.ndarray = VALUES) -> float:
    return row[0] / row[1] * math.pi + row[2] + sum(c * values[v] for v, c in row[3])


@given(ROWS)
def test_a_row_is_canonical(row):
    num, den, offset, terms = row
    assert den > 0
    assert math.gcd(num, den) == 1
    assert list(terms) == sorted(set(terms))
    assert len({v for v, _ in terms}) == len(terms)
    assert all(c != 0 for _, c in terms)
    assert make_row(Fraction(num, den), offset, terms) == row
    assert math.copysign(1, offset) == 1 or offset


@given(FRACTIONS, FRACTIONS, FRACTIONS)
def test_rational_parts_add_exactly(a, b, factor):
    total = add_rows(make_row(a), make_row(b), factor)
    assert Fraction(total[0], total[1]) == a + factor * b
    assert total[2] == 0.0


@given(EXACT_ROWS, EXACT_ROWS)
def test_adding_commutes_and_undoes_itself(a, b):
    assert add_rows(a, b) == add_rows(b, a)
    assert add_rows(add_rows(a, b), b, -1) == a
    assert add_rows(a, a, -1) == ZERO_ROW
    assert add_rows(a, b, 2) == add_rows(add_rows(a, b), b)
    assert add_rows(a, b, 2.0) == add_rows(a, b, 2), "a whole float keeps the rational part"


@given(ROWS, ROWS, st.one_of(FRACTIONS, FLOATS, st.integers(-9, 9)))
def test_adding_gives_the_sum_of_the_values(a, b, factor):
    wanted = value(a) + float(factor) * value(b)
    scale = 1 + abs(value(a)) + abs(float(factor)) * (abs(b[0] / b[1]) * 4 + abs(b[2]) + 100)
    assert value(add_rows(a, b, factor)) == pytest.approx(wanted, abs=1e-13 * scale)


def test_a_denominator_too_large_becomes_a_number():
    row = make_row(Fraction(1, 2**40))
    assert row == (0, 1, math.pi / 2**40, ())
    huge = make_row(Fraction(2**63))
    assert huge[:2] == (0, 1)
    AngleTable.from_rows([row, huge])


@given(FRACTIONS, st.sampled_from([Fraction(2), Fraction(4), Fraction(1, 2), 2, 4]))
def test_multiples_of_a_period_are_decided_exactly(multiple, period):
    wanted = (multiple / period).denominator == 1
    assert row_is_multiple(make_row(multiple), period) == wanted
    assert row_is_multiple(make_row(multiple * period), period) == (multiple.denominator == 1)


@pytest.mark.parametrize("big", [2**40, 2**52 + 1, 2**61 + 2])
def test_large_multiples_are_not_rounded(big):
    assert row_is_multiple(make_row(2 * (big // 2)), 2)
    assert not row_is_multiple(make_row(2 * (big // 2) + 1), 2)


@given(FRACTIONS, FLOATS, st.sampled_from([2, 4]), st.sampled_from([0.0, 1e-9, 1e-3, 0.5]))
def test_within_a_tolerance(multiple, offset, period, tolerance):
    row = make_row(multiple, offset)
    angle = float(multiple % period) * math.pi + offset
    distance = abs(math.remainder(angle, period * math.pi))
    if abs(distance - tolerance) > 1e-9:
        exact = not offset and multiple % period == 0
        assert row_is_multiple(row, period, tolerance) == (exact or (distance < tolerance))


def test_tolerance_counts_for_rational_angles_too():
    row = make_row(Fraction(1, 10**6))
    assert row_is_multiple(row, 2, 1e-5)
    assert not row_is_multiple(row, 2)
    assert row_is_multiple(make_row(2 - Fraction(1, 10**6)), 2, 1e-5)


@given(ROWS.filter(lambda r: r[3]))
def test_an_angle_with_a_variable_is_no_multiple(row):
    assert not row_is_multiple(row, 2, 10.0)


@given(st.lists(ROWS, max_size=12))
def test_a_table_holds_its_rows(rows):
    table = AngleTable.from_rows(rows)
    assert len(table) == len(rows)
    assert table.rows() == rows
    assert [table.row(k) for k in range(len(rows))] == rows
    assert table.is_constant.tolist() == [not r[3] for r in rows]
    np.testing.assert_allclose(table.constants, [r[0] / r[1] * math.pi + r[2] for r in rows], rtol=1e-15)
    assert table.term_rows.tolist() == [k for k, r in enumerate(rows) for _ in r[3]]


@given(st.lists(ROWS, max_size=12), st.integers(0, 3))
def test_binding_a_batch_is_evaluating_every_row(rows, batch):
    values = np.random.default_rng(1).normal(size=(batch, 7))
    bound = AngleTable.from_rows(rows).bind(values)
    assert bound.shape == (batch, len(rows))
    wanted = [[value(row, sample) for row in rows] for sample in values]
    np.testing.assert_allclose(bound, np.array(wanted).reshape(batch, len(rows)), atol=1e-11)


@given(st.lists(ROWS, max_size=20))
def test_equal_rows_are_stored_once(rows):
    interner = AngleInterner(rows)
    assert interner.rows() == list(dict.fromkeys(rows))
    assert all(interner.rows()[interner.add(row)] == row for row in rows)
    assert len(interner) == len(interner.table()) == len(set(rows))
