"""Boolean expressions over classical bits, the conditions of gates.

An expression is a nested tuple: ("bit", i), ("not", e), ("and", a, b), ("or", a, b), ("xor", a, b).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

Condition = tuple[Any, ...]

_BINARY: dict[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "and": ("&", lambda a, b: a & b),
    "or": ("|", lambda a, b: a | b),
    "xor": ("^", lambda a, b: a ^ b),
}


def bits_of(condition: Condition) -> Iterator[int]:
    """Every classical bit that the expression reads, in order, with repeats."""
    if condition[0] == "bit":
        yield condition[1]
    else:
        for part in condition[1:]:
            yield from bits_of(part)


def evaluate(condition: Condition, bits: Sequence[Any]) -> Any:
    """The value for `bits`: a bool each, or boolean arrays of one shape (then an array)."""
    kind = condition[0]
    if kind == "bit":
        return bits[condition[1]]
    if kind == "not":
        return True ^ evaluate(condition[1], bits)
    return _BINARY[kind][1](evaluate(condition[1], bits), evaluate(condition[2], bits))


def format_condition(condition: Condition) -> str:
    """The text form, for example `c[0] & !c[1]`; every nested binary expression is in parentheses."""
    kind = condition[0]
    if kind == "bit":
        return f"c[{condition[1]}]"
    parts = [f"({format_condition(p)})" if p[0] in _BINARY else format_condition(p) for p in condition[1:]]
    return f"!{parts[0]}" if kind == "not" else f"{parts[0]} {_BINARY[kind][0]} {parts[1]}"


def map_bits(condition: Condition, rename: Callable[[int], int]) -> Condition:
    """The same expression over renamed bits."""
    if condition[0] == "bit":
        return ("bit", rename(condition[1]))
    return (condition[0], *(map_bits(part, rename) for part in condition[1:]))
