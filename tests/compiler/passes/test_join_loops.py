"""Loops that follow one another become one, with the same values."""

from __future__ import annotations

import numpy as np
import pytest
from qsc.compiler.passes.join_loops import joined_loops
from qsc.ir import DYNAMIC, GraphBuilder, Module, Type, ops, verify
from qsc.ir.interpreter import evaluate

STEPS, SLICE = 5, Type("f32", (DYNAMIC, 3))


def body(module: Module, op: ops.Relu | ops.Neg) -> tuple[GraphBuilder, list]:
    """A running sum, and what `op` makes of it."""
    inner = GraphBuilder(module)
    total, x = inner.input("total", SLICE), inner.input("x", SLICE)
    (after,) = inner.add(ops.Add(), total, x)
    (out,) = inner.add(op, after)
    return inner, [after, out]


def program(steps: int = STEPS, shown: str = "last") -> Module:
    """Two loops, the second over what the first puts out. shown: what else the program gives."""
    module = Module("net")
    outer = GraphBuilder(module)
    x = outer.input("x", Type("f32", (STEPS, DYNAMIC, 3)))
    (zero,) = outer.add(ops.Constant(0.0, SLICE.shape), x)
    inner, ends = body(module, ops.Neg())
    first = outer.add(ops.Scan(STEPS, inner.graph(*ends), 1, 1), zero, x)
    sequence = first[1]
    if steps != STEPS:
        (sequence,) = outer.add(ops.Slice(0, 0, steps), sequence)
    inner, ends = body(module, ops.Relu())
    second = outer.add(ops.Scan(steps, inner.graph(*ends), 1, 1), zero, sequence)
    outputs = {"last": [second[1]], "both": [second[1], first[1]]}[shown]
    made = module.with_(graph=outer.graph(*outputs))
    verify(made)
    return made


def loops(module: Module) -> int:
    return sum(isinstance(n.op, ops.Scan) for n in module.graph.nodes)


def test_joined_loops_give_the_same():
    before = program()
    after = before.with_(graph=joined_loops(before.graph, ops.Relu))
    verify(after)
    assert (loops(before), loops(after)) == (2, 1)
    x = np.random.default_rng(0).normal(size=(STEPS, 4, 3)).astype(np.float32)
    np.testing.assert_array_equal(evaluate(before, [x])[0], evaluate(after, [x])[0])


@pytest.mark.parametrize("made", [program(shown="both"), program(steps=3)])
def test_loops_stay_apart_where_something_else_reads_the_first(made: Module):
    assert joined_loops(made.graph, ops.Relu) == made.graph


def test_only_loops_with_the_op_are_joined():
    assert loops(program().with_(graph=joined_loops(program().graph, ops.BatchNorm))) == 2
