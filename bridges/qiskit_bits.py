"""Qiskit's classical expressions over bits and registers as conditions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from qiskit.circuit import ClassicalRegister, Clbit
from qiskit.circuit.classical import expr, types

from . import bits
from .bits import Bit, Word
from .faults import known, unconvertible

_BITWISE: dict[expr.Binary.Op, Callable[[Word, Word], list[Bit]]] = {
    expr.Binary.Op.BIT_AND: bits.each(bits.both),
    expr.Binary.Op.LOGIC_AND: bits.each(bits.both),
    expr.Binary.Op.BIT_OR: bits.each(bits.either),
    expr.Binary.Op.LOGIC_OR: bits.each(bits.either),
    expr.Binary.Op.BIT_XOR: bits.each(bits.differ),
    expr.Binary.Op.EQUAL: lambda a, b: [bits.equal(a, b)],
    expr.Binary.Op.NOT_EQUAL: lambda a, b: [bits.negated(bits.equal(a, b))],
    expr.Binary.Op.LESS: lambda a, b: [bits.less(a, b)],
    expr.Binary.Op.LESS_EQUAL: lambda a, b: [bits.negated(bits.less(b, a))],
    expr.Binary.Op.GREATER: lambda a, b: [bits.less(b, a)],
    expr.Binary.Op.GREATER_EQUAL: lambda a, b: [bits.negated(bits.less(a, b))],
    expr.Binary.Op.SHIFT_LEFT: lambda a, b: bits.resized([*([False] * _count(b)), *a], len(a)),
    expr.Binary.Op.SHIFT_RIGHT: lambda a, b: bits.resized(a[_count(b) :], len(a)),
}

Lookup = Mapping[Clbit, Bit]
"""The value of every bit at this point."""


def word_of(target: Any, values: Lookup) -> Word:
    """The bits of a Clbit, a register or an expression, lowest first. UnconvertibleError for what is no logic."""
    if isinstance(target, Clbit):
        return [values[target]]
    if isinstance(target, ClassicalRegister):
        return [values[bit] for bit in target]
    return _Reader(values).read(target)


def test_of(condition: Any, values: Lookup) -> Bit:
    """The condition of an `if_else`: (bit or register, value) or an expression."""
    if not isinstance(condition, tuple):
        return bits.any_of(word_of(condition, values))
    target, value = condition
    return equals(word_of(target, values), int(value))


def equals(target: Word, value: int) -> Bit:
    """Whether the number is this constant."""
    return bits.equal(target, bits.word(value, max(len(target), value.bit_length())))


class _Reader:
    def __init__(self, values: Lookup) -> None:
        self.values = values

    def read(self, node: expr.Expr) -> Word:
        if isinstance(node, expr.Var):
            return self._var(node)
        if isinstance(node, expr.Value):
            return bits.word(int(node.value), _width(node))
        if isinstance(node, expr.Cast):
            inner = self.read(node.operand)
            return [bits.any_of(inner)] if node.type.kind is types.Bool else bits.resized(inner, _width(node))
        if isinstance(node, expr.Unary):
            if node.op is expr.Unary.Op.NEGATE:
                raise unconvertible(f"the condition uses {node.op.name}")
            return [bits.negated(bit) for bit in self.read(node.operand)]
        if isinstance(node, expr.Binary):
            gate = known(_BITWISE.get(node.op), f"the condition uses {node.op.name}")
            return gate(self.read(node.left), self.read(node.right))
        if isinstance(node, expr.Index):
            index = known(bits.constant(self.read(node.index)), "the condition uses an index that is no constant")
            return [self.read(node.target)[index]]
        raise unconvertible(f"the condition uses a {type(node).__name__}")

    def _var(self, node: expr.Var) -> Word:
        if isinstance(node.var, Clbit | ClassicalRegister):
            return word_of(node.var, self.values)
        raise unconvertible(f"the condition uses the variable {node.name}", help="only classical bits are taken")


def _width(node: expr.Expr) -> int:
    if isinstance(node.type, types.Uint):
        return node.type.width
    if isinstance(node.type, types.Bool):
        return 1
    raise unconvertible(f"the condition uses a value of type {node.type}")


def _count(amount: Word) -> int:
    return known(bits.constant(amount), "the condition shifts by an amount that is no constant")
