"""What expressions mean: numbers, angles that are affine in the angle inputs, and conditions on classical bits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from ...ir import AngleInput
from ...ir.conditions import Condition
from ...ir.diagnostics import did_you_mean
from .exact import Affine, Scalar, parse_number
from .faults import Wrong
from .syntax import Chain, Expression, Index, Number, Pi, Prefixed, Reference, Slice, Span

LARGEST_EXPONENT = 4096
LONGEST_CONDITION = 100
"""Operators of one rank in a condition: what reads conditions nests as deeply."""

_BITWISE = {"|": "or", "^": "xor", "&": "and"}
_PI = Affine.of(Scalar(pi_multiple=Fraction(1)))


@dataclass(frozen=True)
class Scope:
    """What names mean in expressions: arrays of angle variables, and loop variables with their values.

    arrays: name -> (number of the first variable, shape).
    """

    arrays: Mapping[str, tuple[int, tuple[int, ...]]] = field(default_factory=dict)
    integers: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, inputs: tuple[AngleInput, ...]) -> Scope:
        """The scope of a circuit."""
        arrays: dict[str, tuple[int, tuple[int, ...]]] = {}
        start = 0
        for array in inputs:
            arrays[array.name] = (start, array.shape)
            start += array.size
        return cls(arrays)

    def with_integer(self, name: str, value: int) -> Scope:
        return replace(self, integers={**self.integers, name: value})


def evaluate(expression: Expression, scope: Scope) -> Affine:
    """The value of an angle expression. Raises Wrong where it has none, or is not affine."""
    try:
        return _affine(expression, scope)
    except OverflowError:
        raise Wrong("P0004", "a number here is larger than every double", expression.span) from None


def integer(expression: Expression, scope: Scope) -> int:
    """The value of an expression that must be a whole number, an index say."""
    if isinstance(expression, Reference) and not expression.indices and expression.name.text in scope.integers:
        return scope.integers[expression.name.text]
    value = evaluate(expression, scope)
    if value.terms:
        raise Wrong("P0005", "an index cannot depend on an angle input", expression.span)
    constant = value.constant
    if not constant.is_rational or constant.rational.denominator != 1:
        raise Wrong("P0004", f"{float(constant):g} is not a whole number", expression.span)
    return int(constant.rational)


def number(literal: Number) -> Fraction:
    """The exact value of a literal."""
    try:
        return parse_number(literal.text)
    except ValueError as error:
        raise Wrong("P0004", str(error), literal.span) from None


def whole(literal: Number, most: int, what: str) -> int:
    """A literal that counts something."""
    value = number(literal)
    if value > most:
        raise Wrong("P0004", f"{literal.text} {what} are too many", literal.span, f"at most {most}")
    return int(value)


def _affine(expression: Expression, scope: Scope) -> Affine:
    if isinstance(expression, Number):
        return Affine.of(Scalar(number(expression)))
    if isinstance(expression, Pi):
        return _PI
    if isinstance(expression, Reference):
        return _named(expression, scope)
    if isinstance(expression, Prefixed):
        if expression.operator != "-":
            raise Wrong("P0005", f"'{expression.operator}' is for bits, not for numbers", expression.span)
        return _affine(expression.operand, scope).scaled(Scalar(Fraction(-1)))
    value = _affine(expression.first, scope)
    for operator, item in expression.rest:
        value = _combined(operator, value, _affine(item, scope), item.span)
    return value


def _combined(operator: str, a: Affine, b: Affine, span: Span) -> Affine:
    if operator == "+":
        return a + b
    if operator == "-":
        return a + b.scaled(Scalar(Fraction(-1)))
    if operator in _BITWISE:
        help = "a power is written a**b" if operator == "^" else ""
        raise Wrong("P0005", f"'{operator}' is for bits, not for numbers", span, help)
    if operator == "*" and not a.terms:
        return b.scaled(a.constant)
    if b.terms:
        raise _not_affine(operator, span)
    if operator == "*":
        return a.scaled(b.constant)
    if operator == "**":
        return _power(a, b, span)
    if b.constant.is_zero:
        raise Wrong("P0004", "division by zero", span)
    if operator == "/":
        return a.divided(b.constant)
    if a.terms or not (a.constant.is_rational and b.constant.is_rational):
        raise Wrong("P0005", "'%' needs numbers without pi and without angle inputs", span)
    return Affine.of(Scalar(a.constant.rational % b.constant.rational))


def _power(base: Affine, exponent: Affine, span: Span) -> Affine:
    power = exponent.constant
    if base.terms:
        raise _not_affine("**", span)
    if not (base.constant.is_rational and power.is_rational and power.rational.denominator == 1):
        raise Wrong("P0005", "'**' needs a number without pi and a whole exponent", span)
    if abs(power.rational) > LARGEST_EXPONENT:
        raise Wrong("P0004", f"the exponent {power.rational} is too large", span, f"at most {LARGEST_EXPONENT}")
    if base.constant.is_zero and power.rational < 0:
        raise Wrong("P0004", "division by zero", span)
    value = base.constant.rational ** int(power.rational)
    float(value)  # a power beyond the doubles is refused here, before it is multiplied on
    return Affine.of(Scalar(value))


def _not_affine(operator: str, span: Span) -> Wrong:
    what = {"*": "a product of two angle inputs", "/": "a division by an angle input"}.get(
        operator, f"'{operator}' of an angle input"
    )
    return Wrong(
        "P0005",
        f"{what} is not affine",
        span,
        "an angle is a sum of numbers, multiples of pi, and numbers times angle inputs; "
        "compute anything else in main and pass it as an angle input",
    )


def _named(reference: Reference, scope: Scope) -> Affine:
    name = reference.name.text
    if name in scope.integers:
        if reference.indices:
            raise Wrong("P0005", f"{name} is a loop variable, it has no index", reference.span)
        return Affine.of(Scalar(Fraction(scope.integers[name])))
    if name not in scope.arrays:
        known = [*scope.arrays, *scope.integers]
        help = did_you_mean(name, known) if known else "this circuit has no angle inputs"
        raise Wrong("P0002", f"there is no angle input {name}", reference.name.span, help)
    first, shape = scope.arrays[name]
    if len(reference.indices) != len(shape):
        raise Wrong("P0005", _index_message(name, shape, len(reference.indices)), reference.span)
    given: list[int] = []
    for k, (index, size) in enumerate(zip(reference.indices, shape, strict=True)):
        at = single(index, scope)
        if not 0 <= at < size:
            help = f"dimension {k + 1} of {name} has the indices 0 to {size - 1}" if size else f"{name} is empty"
            raise Wrong("P0004", f"{name} has no index {at}", index.span, help)
        given.append(at)
    return Affine.variable(first + flat_index(given, shape))


def single(index: Index, scope: Scope) -> int:
    """An index that is one number, not a range."""
    if isinstance(index, Slice):
        raise Wrong("P0005", "a range of indices is for qubits and bits only", index.span)
    return integer(index, scope)


def flat_index(index: Sequence[int], shape: Sequence[int]) -> int:
    """The number of an element, row-major."""
    number = 0
    for at, size in zip(index, shape, strict=True):
        number = number * size + at
    return number


def _index_message(name: str, shape: tuple[int, ...], given: int) -> str:
    if not shape:
        return f"{name} is a single angle, it has no index"
    declared = f"{name}[{','.join(map(str, shape))}]"
    return f"{declared} needs {len(shape)} {'index' if len(shape) == 1 else 'indices'}, got {given or 'none'}"


def span_of_range(given: Slice, scope: Scope, most: int) -> range:
    """The numbers of `first..last` (last excluded) or `first..=last`, at most `most` of them."""
    first, last = integer(given.first, scope), integer(given.last, scope) + given.inclusive
    if last - first > most:
        raise Wrong("P0004", f"this range has {last - first} numbers, more than {most}", given.span)
    return range(first, last)


def condition(expression: Expression, scope: Scope, num_bits: int) -> Condition:
    """A condition on the classical bits c[0] .. c[num_bits - 1]."""
    if isinstance(expression, Chain) and all(op in _BITWISE for op, _ in expression.rest):
        if len(expression.rest) > LONGEST_CONDITION:
            message = f"a condition of {len(expression.rest) + 1} parts is too long"
            raise Wrong("P0004", message, expression.span, f"at most {LONGEST_CONDITION + 1}")
        value = condition(expression.first, scope, num_bits)
        for operator, item in expression.rest:
            value = (_BITWISE[operator], value, condition(item, scope, num_bits))
        return value
    if isinstance(expression, Prefixed) and expression.operator != "-":
        return ("not", condition(expression.operand, scope, num_bits))
    if isinstance(expression, Reference) and len(expression.indices) == 1 and expression.name.text == "c":
        return ("bit", bit_number(single(expression.indices[0], scope), num_bits, expression.span))
    raise Wrong("P0005", "this is not a condition", expression.span, "bits c[k] joined by & | ^ and ! are")


def bit_number(number: int, num_bits: int, span: Span) -> int:
    """A classical bit that is there."""
    if not 0 <= number < num_bits:
        there = f"bits c[0] to c[{num_bits - 1}]" if num_bits > 1 else "bit c[0]"
        known = f"the circuit has the {there}" if num_bits else "declare bits: circuit name(...) on 2 qubits, 2 bits"
        raise Wrong("C0004", f"there is no bit c[{number}]", span, known)
    return number
