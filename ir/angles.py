"""Angles: affine forms over a circuit's angle variables, kept exactly and stored once each.

A row is `pi * num / den + offset + sum_k coeff_k * a_k` in radians, where `a_k` are the flattened angle variables of
the circuit. What was written as a multiple of pi stays a rational, so "is this the identity" is decided exactly for it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import chain

import numpy as np

Terms = tuple[tuple[int, float], ...]
Row = tuple[int, int, float, Terms]
"""(num, den, offset, terms): num/den in lowest terms, den > 0; terms sorted by variable, no zero coefficient."""

ZERO_ROW: Row = (0, 1, 0.0, ())
MOST_KEPT = 4_096
"""A table of at most so many angles keeps its rows as tuples once they are asked for; a circuit its gates likewise."""
_DENOMINATOR_LIMIT = 2**31
_NUMERATOR_LIMIT = 2**62

FINEST_TURN = 1 << 16
"""A float that equals k*pi/2^j to the last bit, with 2^j up to this, is taken for that multiple of pi."""


def make_row(pi_multiple: Fraction | int = 0, offset: float = 0.0, terms: Iterable[tuple[int, float]] = ()) -> Row:
    """The canonical row of `pi_multiple * pi + offset + sum coeff * variable`."""
    collected: dict[int, float] = {}
    for variable, coeff in terms:
        collected[variable] = collected.get(variable, 0.0) + coeff
    fraction = Fraction(pi_multiple)
    if fraction.denominator > _DENOMINATOR_LIMIT or abs(fraction.numerator) > _NUMERATOR_LIMIT:
        offset += float(fraction) * math.pi
        fraction = Fraction(0)
    kept = tuple(sorted((v, float(c)) for v, c in collected.items() if c != 0.0))
    return (fraction.numerator, fraction.denominator, float(offset) + 0.0, kept)


def add_rows(a: Row, b: Row, factor: Fraction | float | int = 1) -> Row:
    """`a + factor * b`. A float factor turns the rational part of `b` into a float offset."""
    if isinstance(factor, float) and factor.is_integer():
        factor = int(factor)
    if isinstance(factor, float):
        offset = a[2] + factor * b[2] + factor * b[0] / b[1] * math.pi
        return make_row(Fraction(a[0], a[1]), offset, a[3] + tuple((v, factor * c) for v, c in b[3]))
    # Plain integers: a Fraction an operation would cost more than the rest of a pass.
    up, down = (factor, 1) if isinstance(factor, int) else (factor.numerator, factor.denominator)
    num, den = a[0] * b[1] * down + up * b[0] * a[1], a[1] * b[1] * down
    common = math.gcd(num, den)
    num, den = num // common, den // common
    scale = up / down
    offset = a[2] + scale * b[2]
    if den > _DENOMINATOR_LIMIT or abs(num) > _NUMERATOR_LIMIT:
        return make_row(Fraction(num, den), offset, a[3] + tuple((v, scale * c) for v, c in b[3]))
    return num, den, offset + 0.0, _add_terms(a[3], b[3], scale)


def _add_terms(a: Terms, b: Terms, scale: float) -> Terms:
    if not b or scale == 0.0:
        return a
    if not a:
        return b if scale == 1.0 else tuple([(v, scale * c) for v, c in b])
    total = dict(a)
    for variable, coeff in b:
        total[variable] = total.get(variable, 0.0) + scale * coeff
    return tuple(sorted([(v, c) for v, c in total.items() if c != 0.0]))


def number_row(number: float) -> Row:
    """The row of a finite number in radians: an exact multiple of pi where it equals one (see FINEST_TURN)."""
    turns = Fraction(round(number / math.pi * FINEST_TURN), FINEST_TURN) if abs(number) < 2**20 else Fraction(0)
    exact = turns and turns.numerator * math.pi / turns.denominator == number
    return make_row(turns) if exact else make_row(0, number)


def exact_factor(number: float) -> Fraction | float:
    """The finite number as a Fraction where it is one with a small binary denominator, else as it is."""
    exact = Fraction(number)
    return exact if exact.denominator <= FINEST_TURN and abs(number) < 2**31 else number


def row_is_multiple(row: Row, period: Fraction | int, tolerance: float = 0.0) -> bool:
    """Whether the row is a constant multiple of `period * pi`, exactly or within `tolerance` radians."""
    num, den, offset, terms = row
    if terms:
        return False
    # The rational part modulo the period, exactly, in units of pi / (den * period.denominator).
    rest = (num * period.denominator) % (den * period.numerator)
    if offset == 0.0 and (rest == 0 or tolerance == 0.0):
        return rest == 0
    full = float(period) * math.pi
    value = rest / (den * period.denominator) * math.pi + offset
    return abs(value - round(value / full) * full) <= tolerance


@dataclass(frozen=True, eq=False)
class AngleTable:
    """Distinct angle rows as columns. `ptr`, `variables`, `coeffs` hold the terms in compressed rows."""

    num: np.ndarray
    den: np.ndarray
    offset: np.ndarray
    ptr: np.ndarray
    variables: np.ndarray
    coeffs: np.ndarray

    def __len__(self) -> int:
        return len(self.num)

    @classmethod
    def from_rows(cls, rows: Sequence[Row]) -> AngleTable:
        num, den, offset, terms = zip(*rows, strict=True) if rows else ((), (), (), ())
        pairs = list(chain.from_iterable(terms))
        variables, coeffs = zip(*pairs, strict=True) if pairs else ((), ())
        ptr = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(list(map(len, terms)), out=ptr[1:])
        table = cls(
            np.array(num, np.int64),
            np.array(den, np.int64),
            np.array(offset, np.float64),
            ptr,
            np.array(variables, np.int64),
            np.array(coeffs, np.float64),
        )
        if len(rows) <= MOST_KEPT:
            table.__dict__["_kept_rows"] = list(rows)
        return table

    def row(self, index: int) -> Row:
        """One row as a plain tuple."""
        if len(self) <= MOST_KEPT:
            return self._kept_rows[index]
        start, stop = int(self.ptr[index]), int(self.ptr[index + 1])
        terms = zip(self.variables[start:stop].tolist(), self.coeffs[start:stop].tolist(), strict=True)
        return (int(self.num[index]), int(self.den[index]), float(self.offset[index]), tuple(terms))

    def rows(self) -> list[Row]:
        """All rows as plain tuples, the form in which passes edit them."""
        return list(self._kept_rows) if len(self) <= MOST_KEPT else self._made_rows()

    @cached_property
    def _kept_rows(self) -> list[Row]:
        return self._made_rows()

    def _made_rows(self) -> list[Row]:
        num, den, offset = self.num.tolist(), self.den.tolist(), self.offset.tolist()
        if not len(self.variables):
            return [(n, d, o, ()) for n, d, o in zip(num, den, offset, strict=True)]
        ptr = self.ptr.tolist()
        pairs = list(zip(self.variables.tolist(), self.coeffs.tolist(), strict=True))
        return [(n, d, o, tuple(pairs[s:e])) for n, d, o, s, e in zip(num, den, offset, ptr[:-1], ptr[1:], strict=True)]

    @cached_property
    def constants(self) -> np.ndarray:
        """Constant part of every row in radians, shape (rows,)."""
        return self.num / self.den * math.pi + self.offset

    @cached_property
    def term_rows(self) -> np.ndarray:
        """The row that each stored term belongs to, shape (terms,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.ptr))

    @cached_property
    def is_constant(self) -> np.ndarray:
        """Whether each row has no variable, shape (rows,)."""
        return np.diff(self.ptr) == 0

    def bind(self, values: np.ndarray) -> np.ndarray:
        """Angles in radians for a whole batch: values (batch, variables) -> (batch, rows), one sparse product."""
        angles = np.repeat(self.constants[None, :], len(values), axis=0)
        filled = np.flatnonzero(~self.is_constant)
        if len(filled):
            angles[:, filled] += np.add.reduceat(values[:, self.variables] * self.coeffs, self.ptr[filled], axis=1)
        return angles


class AngleInterner:
    """Builds an angle table in which equal rows share one index."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._index: dict[Row, int] = {}
        for row in rows:
            self.add(row)

    def add(self, row: Row) -> int:
        return self._index.setdefault(row, len(self._index))

    def __len__(self) -> int:
        return len(self._index)

    def rows(self) -> list[Row]:
        return list(self._index)

    def table(self) -> AngleTable:
        return AngleTable.from_rows(self.rows())
