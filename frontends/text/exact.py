"""Exact arithmetic of angles: numbers `a + b pi` with rational a and b, and affine forms over variables.

Everything that is written with whole numbers, decimals and pi stays exact until it becomes an angle row, so `pi/3*3`
is pi and `0.1 + 0.2` is 0.3. What is outside of that form (pi * pi, 1 / pi) becomes a double in `rest`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from ...ir.angles import Row, make_row

_ZERO = Fraction(0)
LONGEST_LITERAL = 400
"""Digits that a number may have."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """The number `rational + pi_multiple * pi + rest`."""

    rational: Fraction = _ZERO
    pi_multiple: Fraction = _ZERO
    rest: float = 0.0

    def __float__(self) -> float:
        value = float(self.rational)
        if self.pi_multiple:
            value += float(self.pi_multiple) * math.pi
        return value + self.rest if self.rest else value

    @property
    def is_rational(self) -> bool:
        return not self.pi_multiple and not self.rest

    @property
    def is_zero(self) -> bool:
        return not self.rational and self.is_rational

    def __add__(self, other: Scalar) -> Scalar:
        return Scalar(self.rational + other.rational, self.pi_multiple + other.pi_multiple, self.rest + other.rest)

    def __neg__(self) -> Scalar:
        return Scalar(-self.rational, -self.pi_multiple, -self.rest)

    def __mul__(self, other: Scalar) -> Scalar:
        if other.is_rational:
            factor = other.rational
            return Scalar(self.rational * factor, self.pi_multiple * factor, self.rest * float(factor))
        if self.is_rational:
            return other * self
        return Scalar(rest=float(self) * float(other))

    def __truediv__(self, other: Scalar) -> Scalar:
        """Raises ZeroDivisionError."""
        if other.is_rational:
            return self * Scalar(1 / other.rational)
        if not (self.rational or self.rest or other.rational or other.rest):
            return Scalar(self.pi_multiple / other.pi_multiple)
        return Scalar(rest=float(self) / float(other))


def parse_number(text: str) -> Fraction:
    """The exact value of a literal. ValueError where it has too many digits or is beyond the doubles."""
    if len(text) > LONGEST_LITERAL:
        raise ValueError(f"a number of {len(text)} characters is too long")
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text} is larger than every double")
    # A literal that is zero as a double may have an exponent too long for an exact power.
    return Fraction(text) if value else _ZERO


@dataclass(frozen=True, slots=True)
class Affine:
    """`constant + sum of coefficient * variable`; variables are numbers, coefficients never zero."""

    constant: Scalar
    terms: Mapping[int, Scalar]

    @classmethod
    def of(cls, value: Scalar) -> Affine:
        return cls(value, {})

    @classmethod
    def variable(cls, number: int) -> Affine:
        return cls(Scalar(), {number: Scalar(Fraction(1))})

    def __add__(self, other: Affine) -> Affine:
        if not self.terms and not other.terms:
            return Affine(self.constant + other.constant, {})
        terms = dict(self.terms)
        for variable, coefficient in other.terms.items():
            terms[variable] = terms[variable] + coefficient if variable in terms else coefficient
        return Affine(self.constant + other.constant, {v: c for v, c in terms.items() if not c.is_zero})

    def scaled(self, factor: Scalar) -> Affine:
        if factor.is_zero:
            return Affine(Scalar(), {})
        return Affine(self.constant * factor, {v: c * factor for v, c in self.terms.items()})

    def divided(self, divisor: Scalar) -> Affine:
        """Raises ZeroDivisionError."""
        return Affine(self.constant / divisor, {v: c / divisor for v, c in self.terms.items()})

    def substituted(self, values: Sequence[Affine]) -> Affine:
        """The form with value k in place of variable k."""
        out = Affine.of(self.constant)
        for variable, coefficient in self.terms.items():
            out += values[variable].scaled(coefficient)
        return out

    def row(self) -> Row:
        """The angle row: rounded once, except for the multiple of pi, which stays exact. OverflowError beyond the
        doubles."""
        constant = Scalar(self.constant.rational, rest=self.constant.rest)
        row = make_row(self.constant.pi_multiple, float(constant), [(v, float(c)) for v, c in self.terms.items()])
        if not all(map(math.isfinite, (row[2], *(c for _, c in row[3])))):
            raise OverflowError
        return row
