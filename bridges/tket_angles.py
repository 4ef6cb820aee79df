"""Pytket's angles, in half-turns and affine in symbols, as angle rows. No sympy where the text of an angle is plain."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache
from operator import add, sub
from typing import Any

from ..ir import InputError
from ..ir.angles import AngleInterner, Row, add_rows, exact_factor, make_row
from .faults import NotAffineError, unconvertible

Number = Fraction | float

Affine = tuple[Number, dict[str, Number]]
"""Constant, and the factor of every symbol."""

_NEAR = 1e-15
"""Pytket prints 15 digits, and its passes compute in floats: a number this near to a small fraction is the fraction."""

_LARGEST_DENOMINATOR = 1024
_LETTER = re.compile(r"[^\W\de]|_|\\|(?<![\d.])e|e(?![-+]?\d)")
_GRID = 1 << 16


class HalfTurns:
    """Angles in half-turns as rows of a table. rows: what pi times the value of each symbol stands for, in radians."""

    def __init__(self, table: AngleInterner, rows: Mapping[str, Row]) -> None:
        self.table = table
        self.rows = rows
        self._texts: dict[str, tuple[Row, ...]] = {}

    def index(self, row: Row) -> int:
        """The number of a row in the table."""
        return self.table.add(row)

    def of_op(self, op: Any) -> tuple[Row, ...]:
        """The rows of an op's parameters. NotAffineError for an angle that is not affine in the symbols."""
        name: str = op.get_name()
        opened = name.find("(")
        if opened < 0:
            return ()
        text = name[opened + 1 : -1]
        if not _LETTER.search(text):
            return tuple(half_turns(value) for value in op.params)
        found = self._texts.get(text)
        if found is None:
            found = tuple(self.of(value, name) for value in self._values(op, text))
            if all(row[3] for row in found):
                self._texts[text] = found
        return found

    def of(self, value: Any, gate: str) -> Row:
        """The row of one angle: a number, a sympy expression or its text."""
        if isinstance(value, int | float):
            return half_turns(float(value))
        constant, factors = _affine(str(value), gate)
        unknown = sorted(factors.keys() - self.rows.keys())
        if unknown:
            raise unconvertible(f"the symbol {unknown[0]} of the gate {gate} is not one of the circuit's inputs")
        row = half_turns(constant)
        for name, factor in factors.items():
            row = add_rows(row, self.rows[name], factor)
        return (*row[:3], tuple((variable, _rounded(factor)) for variable, factor in row[3]))

    def _values(self, op: Any, text: str) -> list[Any]:
        """The parameters, as text where one is all there is: numbers beside symbols are printed with few digits."""
        return op.params if "," in text else [text]


def _rounded(factor: float) -> float:
    """A factor that went through a division by pi and back is what it was."""
    near = round(factor * _GRID) / _GRID
    return near if near and abs(near - factor) <= 4 * _NEAR * max(1.0, abs(factor)) else factor


@lru_cache(4096)
def half_turns(value: Number) -> Row:
    """The row of `value * pi`."""
    number = float(value)
    if not math.isfinite(number):
        raise InputError.of("P0004", f"an angle of {number} half-turns is not a finite number")
    exact = nice(number)
    return make_row(exact) if isinstance(exact, Fraction) else make_row(0, number * math.pi)


@lru_cache(4096)
def nice(number: float) -> Number:
    """The small fraction that the number is within 15 digits, else the number."""
    if isinstance(exact_factor(number), Fraction):
        return exact_factor(number)
    near = Fraction(number).limit_denominator(_LARGEST_DENOMINATOR)
    return near if abs(float(near) - number) <= _NEAR * max(1.0, abs(number)) else number


@lru_cache(4096)
def _affine(text: str, gate: str) -> Affine:
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError:
        raise unconvertible(
            f"the angle {text} of the gate {gate} cannot be read", help="name symbols by plain identifiers"
        ) from None
    try:
        constant, factors = _read(tree)
    except _NotAffine:
        raise NotAffineError.of(
            "M0005",
            f"the angle {text} of the gate {gate} is not affine in its symbols",
            help="compute the value before it enters the circuit, and give it as a symbol of its own",
        ) from None
    return constant, {name: factor for name, factor in factors.items() if factor}


class _NotAffine(Exception):  # noqa: N818 - a signal within this module
    pass


def _read(node: ast.AST) -> Affine:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return (Fraction(node.value) if isinstance(node.value, int) else nice(node.value)), {}
    if isinstance(node, ast.Name):
        return (math.pi, {}) if node.id == "pi" else (Fraction(0), {node.id: Fraction(1)})
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return _scaled(_read(node.operand), Fraction(-1))
    if isinstance(node, ast.BinOp) and type(node.op) in _JOINED:
        return _JOINED[type(node.op)](_read(node.left), _read(node.right))
    raise _NotAffine


def _scaled(form: Affine, factor: Number) -> Affine:
    return form[0] * factor, {name: value * factor for name, value in form[1].items()}


def _sum(join: Callable[[Any, Any], Any]) -> Callable[[Affine, Affine], Affine]:
    def joined(a: Affine, b: Affine) -> Affine:
        names = {**a[1], **b[1]}
        return join(a[0], b[0]), {n: join(a[1].get(n, Fraction(0)), b[1].get(n, Fraction(0))) for n in names}

    return joined


def _product(a: Affine, b: Affine) -> Affine:
    if a[1] and b[1]:
        raise _NotAffine
    return _scaled(b, a[0]) if b[1] else _scaled(a, b[0])


def _quotient(a: Affine, b: Affine) -> Affine:
    if b[1] or not b[0]:
        raise _NotAffine
    return _scaled(a, 1 / b[0])


def _power(a: Affine, b: Affine) -> Affine:
    if a[1] or b[1] or (a[0] <= 0 and float(b[0]) != int(b[0])) or (not a[0] and b[0] < 0):
        raise _NotAffine
    return nice(float(a[0]) ** float(b[0])), {}


_JOINED: dict[type[ast.operator], Callable[[Affine, Affine], Affine]] = {
    ast.Add: _sum(add),
    ast.Sub: _sum(sub),
    ast.Mult: _product,
    ast.Div: _quotient,
    ast.Pow: _power,
}
