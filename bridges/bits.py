"""Boolean arithmetic on conditions: single bits that may be constants, and unsigned numbers as lists of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from typing import TypeAlias

from ..ir.conditions import Condition

Bit: TypeAlias = Condition | bool
"""An expression over classical bits, or a constant."""

Word: TypeAlias = Sequence[Bit]
"""An unsigned number, its least significant bit first."""


def negated(a: Bit) -> Bit:
    """Not a."""
    if isinstance(a, bool):
        return not a
    return a[1] if a[0] == "not" else ("not", a)


def both(a: Bit, b: Bit) -> Bit:
    """a and b."""
    if isinstance(a, bool):
        return b if a else False
    if isinstance(b, bool):
        return a if b else False
    return a if a == b else ("and", a, b)


def either(a: Bit, b: Bit) -> Bit:
    """a or b."""
    if isinstance(a, bool):
        return True if a else b
    if isinstance(b, bool):
        return True if b else a
    return a if a == b else ("or", a, b)


def differ(a: Bit, b: Bit) -> Bit:
    """a xor b."""
    if isinstance(a, bool):
        return negated(b) if a else b
    if isinstance(b, bool):
        return negated(a) if b else a
    return False if a == b else ("xor", a, b)


def same(a: Bit, b: Bit) -> Bit:
    """Whether a and b are equal."""
    return negated(differ(a, b))


def choose(test: Bit, yes: Bit, no: Bit) -> Bit:
    """`yes` where the test holds, else `no`."""
    if isinstance(test, bool):
        return yes if test else no
    return yes if yes == no else either(both(test, yes), both(negated(test), no))


def all_of(bits: Iterable[Bit]) -> Bit:
    """Whether every bit is set."""
    return reduce(both, bits, True)


def any_of(bits: Iterable[Bit]) -> Bit:
    """Whether some bit is set."""
    return reduce(either, bits, False)


def word(value: int, width: int) -> list[Bit]:
    """A constant of that many bits."""
    return [bool(value >> k & 1) for k in range(width)]


def resized(a: Word, width: int) -> list[Bit]:
    """The low bits, or the number with zeros above it."""
    return [*a[:width], *([False] * (width - len(a)))]


def equal(a: Word, b: Word) -> Bit:
    """a == b."""
    width = max(len(a), len(b))
    return all_of(same(x, y) for x, y in zip(resized(a, width), resized(b, width), strict=True))


def less(a: Word, b: Word) -> Bit:
    """a < b: from the lowest bit up, the highest bit in which they differ decides."""
    width = max(len(a), len(b))
    out: Bit = False
    for x, y in zip(resized(a, width), resized(b, width), strict=True):
        out = choose(differ(x, y), y, out)
    return out


def each(gate: Callable[[Bit, Bit], Bit]) -> Callable[[Word, Word], list[Bit]]:
    """The gate on every pair of bits of two numbers."""

    def apply(a: Word, b: Word) -> list[Bit]:
        width = max(len(a), len(b))
        return [gate(x, y) for x, y in zip(resized(a, width), resized(b, width), strict=True)]

    return apply


def constant(a: Word) -> int | None:
    """The number where every bit is a constant."""
    if not all(isinstance(bit, bool) for bit in a):
        return None
    return sum(1 << k for k, bit in enumerate(a) if bit)
