"""Pytket's classical ops as values of bits, and conditions of the IR as pytket's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pytket import OpType
from pytket.circuit import ClBitVar, ClExpr, ClOp, ClRegVar

from ..ir.conditions import Condition
from . import bits
from .bits import Bit, Word
from .faults import known

_WORDS: dict[ClOp, Callable[..., Word]] = {
    ClOp.BitAnd: bits.each(bits.both),
    ClOp.BitOr: bits.each(bits.either),
    ClOp.BitXor: bits.each(bits.differ),
    ClOp.BitEq: lambda a, b: [bits.equal(a, b)],
    ClOp.BitNeq: lambda a, b: [bits.negated(bits.equal(a, b))],
    ClOp.BitNot: lambda a: [bits.negated(bit) for bit in a],
    ClOp.BitZero: lambda: [False],
    ClOp.BitOne: lambda: [True],
    ClOp.RegAnd: bits.each(bits.both),
    ClOp.RegOr: bits.each(bits.either),
    ClOp.RegXor: bits.each(bits.differ),
    ClOp.RegEq: lambda a, b: [bits.equal(a, b)],
    ClOp.RegNeq: lambda a, b: [bits.negated(bits.equal(a, b))],
    ClOp.RegNot: lambda a: [bits.negated(bit) for bit in a],
    ClOp.RegZero: lambda: [False],
    ClOp.RegLt: lambda a, b: [bits.less(a, b)],
    ClOp.RegGt: lambda a, b: [bits.less(b, a)],
    ClOp.RegLeq: lambda a, b: [bits.negated(bits.less(b, a))],
    ClOp.RegGeq: lambda a, b: [bits.negated(bits.less(a, b))],
}
"""Op of a classical expression -> its value; arithmetic is not taken."""

Table = dict[str, Any]


def predicate(values: Sequence[bool], inputs: Word) -> Bit:
    """The entry of a truth table at the number that the inputs make."""
    chosen = [bits.equal(inputs, bits.word(k, len(inputs))) for k, value in enumerate(values) if value]
    return bits.any_of(chosen)


def _set_bits(op: Any, args: Word, table: Table) -> Word:
    return list(op.values)


def _copy_bits(op: Any, args: Word, table: Table) -> Word:
    return args[: len(args) // 2]


def _range(op: Any, args: Word, table: Table) -> Word:
    number, width = args[:-1], len(args) - 1
    above = True if op.lower == 0 else bits.negated(bits.less(number, bits.word(op.lower, width)))
    below = True if op.upper >= 1 << width else bits.negated(bits.less(bits.word(op.upper, width), number))
    return [bits.both(above, below)]


def _predicate(op: Any, args: Word, table: Table) -> Word:
    return [predicate(table["values"], args[:-1])]


def _modifier(op: Any, args: Word, table: Table) -> Word:
    return [predicate(table["values"], args)]


def _expression(op: Any, args: Word, table: Table) -> Word:
    wired = op.expr
    registers = {index: [args[p] for p in places] for index, places in wired.reg_posn.items()}
    single = {index: args[place] for index, place in wired.bit_posn.items()}

    def value(term: Any) -> Word:
        if isinstance(term, int):
            return bits.word(term, max(1, term.bit_length()))
        if isinstance(term, ClBitVar):
            return [single[term.index]]
        if isinstance(term, ClRegVar):
            return registers[term.index]
        assert isinstance(term, ClExpr)
        gate = known(_WORDS.get(term.op), f"the classical expression uses {term.op.name}")
        return gate(*[value(a) for a in term.args])

    return bits.resized(value(wired.expr), len(wired.output_posn))


_OPS: dict[OpType, Callable[[Any, Word, Table], Word]] = {
    OpType.SetBits: _set_bits,
    OpType.CopyBits: _copy_bits,
    OpType.RangePredicate: _range,
    OpType.ExplicitPredicate: _predicate,
    OpType.ExplicitModifier: _modifier,
    OpType.ClExpr: _expression,
}


def assigned(op: Any, args: Sequence[int], values: Word, table: Callable[[], Table]) -> tuple[Sequence[int], Word]:
    """The bits that a classical op writes and their values. values: of its arguments before it.

    table: gives the op's entry of the circuit's JSON. UnconvertibleError for an op that is no logic.
    """
    make = known(_OPS.get(op.type), f"the classical operation {op.type.name} is not taken")
    facts = table().get("classical", {}) if op.type in (OpType.ExplicitPredicate, OpType.ExplicitModifier) else {}
    made = make(op, values, facts)
    if op.type is OpType.ClExpr:
        return [args[p] for p in op.expr.output_posn], made
    return args[len(args) - len(made) :], made


# The way out


def literals(condition: Condition) -> dict[int, bool] | None:
    """Bit -> the value that it must have, for a conjunction of bits; None for any other condition."""
    if condition[0] == "bit":
        return {condition[1]: True}
    if condition[0] == "not" and condition[1][0] == "bit":
        return {condition[1][1]: False}
    if condition[0] != "and":
        return None
    left, right = literals(condition[1]), literals(condition[2])
    if left is None or right is None or any(left.get(bit, value) != value for bit, value in right.items()):
        return None
    return left | right


_OUT: dict[str, ClOp] = {"and": ClOp.BitAnd, "or": ClOp.BitOr, "xor": ClOp.BitXor, "not": ClOp.BitNot}


def expression(condition: Condition, places: dict[int, int]) -> ClExpr | ClBitVar:
    """The condition as pytket's expression over bit variables. places: filled, bit -> number of its variable."""
    if condition[0] == "bit":
        return ClBitVar(places.setdefault(condition[1], len(places)))
    return ClExpr(_OUT[condition[0]], [expression(part, places) for part in condition[1:]])
