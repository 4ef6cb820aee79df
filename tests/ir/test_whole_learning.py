"""Rules in whole numbers: read back from their text, refused with what does not fit, and the op that takes a step."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch
from qsc.ir import GraphBuilder, Module, Type, ops
from qsc.ir.graph import TypeFault
from qsc.ir.interpreter import evaluate
from qsc.ir.whole_learning import LEAST, MANTISSA, MOST, State, dice, learn, nearest, whole_rule

PAIRS = {"x1": (10.0, 16.0), "y1": (10.0, 16.0)}
RULE = "1*2^-3*x0*y1 + 3*2^-4*y0*x1"


def test_every_constant_is_its_own_nearest():
    for exponent in range(LEAST, MOST + 1):
        for mantissa in range(1, MANTISSA + 1):
            found = nearest(-mantissa * 2.0**exponent, 0)
            assert found is not None
            assert found[0] * 2.0 ** found[1] == -mantissa * 2.0**exponent


def test_a_rule_is_read_from_its_text():
    for text in (RULE, "-1*2^8*u3*x0*(w - 7)", "7*2^-7*x0*y0*(y2 + 5)*x1"):
        rule = whole_rule(text, {n: (5.0, 3.0) for n in ("x1", "y1", "y2") if n in text}, "mixed")
        assert rule.text == text
        assert whole_rule(rule.text, {n: (t.tau, t.impulse) for n, t in rule.traces.items()}, "mixed") == rule


@pytest.mark.parametrize(
    ("text", "traces", "sign", "message"),
    [
        ("x1", {}, "mixed", "a product has none of x0"),
        ("x0*y1", {}, "mixed", "the rule reads the traces y1, not "),
        ("u1*x1 + u2*x1", {"x1": (1.0, 1.0)}, "mixed", "the rule has u1 and u2, the chip one u_k"),
        ("x0*x1*x2*y1*y2", dict.fromkeys(("x1", "x2", "y1", "y2"), (1.0, 1.0)), "mixed", "has 32 bits, the chip's"),
        ("9*x0", {}, "mixed", "`9*x0` is not m * 2^e"),
        ("0*x0", {}, "mixed", "is not m * 2^e"),
        ("x0*(y1 + 0.5)", {"y1": (1.0, 1.0)}, "mixed", "the constant is a whole number up to 128"),
        ("x0*y1", {"y1": (-1.0, 1.0)}, "mixed", "y1 has the time constant -1"),
        ("x0*y1", {"y1": (1.0, 200.0)}, "mixed", "impulses are 0..127"),
        ("x0", {}, "both", "'both' is not a sign of weights"),
    ],
)
def test_what_the_chip_does_not_hold(text: str, traces: dict, sign: str, message: str):
    with pytest.raises(ValueError, match=re.escape(message)):
        whole_rule(text, traces, sign)


def test_a_step_of_the_op_is_a_step_of_learning():
    rng = np.random.default_rng(0)
    op = ops.LoihiPlasticity(RULE, x1=PAIRS["x1"], y1=PAIRS["y1"], sign="excitatory", seed=3)
    shapes = {"pre": (2, 4), "post": (2, 3), "w": (2, 3, 4), "x": (2, 4), "y": (2, 3)}
    graph = GraphBuilder(Module("m"))
    values = [graph.input(n, Type("f64", (-1, *s[1:]))) for n, s in shapes.items()] + [graph.input("n", Type("i64"))]
    module = Module("m").with_(graph=graph.graph(*graph.add(op, *values)))
    state = State(rng.integers(0, 250, shapes["w"]), {"x1": np.zeros((2, 4), int), "y1": np.zeros((2, 3), int)})
    moved = 0
    for step in range(20):
        pre, post = rng.random(shapes["pre"]) < 0.4, rng.random(shapes["post"]) < 0.4
        held = [pre, post, state.weights, state.traces["x1"], state.traces["y1"]]
        given = [torch.from_numpy(np.asarray(x, np.float64)) for x in held]
        results = evaluate(module, [*given, torch.tensor(step)])
        before = state.weights
        learn(op.whole, state, pre, post, step + 1, dice(3, step + 1))
        moved += int((state.weights != before).sum())
        for got, wanted in zip(results, (state.weights, *state.traces.values(), step + 1), strict=True):
            assert np.array_equal(got.numpy(), wanted)
    assert moved > 20


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rule": RULE.replace("3*", "9*")}, "is not m * 2^e"),
        ({"x1": (1.0,)}, "x1 is [time constant in steps, impulse]"),
        ({"seed": -1}, "the seed is -1"),
    ],
)
def test_an_op_that_is_none(change: dict, message: str):
    kinds = [Type("f64", s) for s in ((4,), (3,), (3, 4), (4,), (3,))] + [Type("i64")]
    settings: dict[str, Any] = {"rule": RULE} | PAIRS | change
    op = ops.LoihiPlasticity(**settings)
    with pytest.raises(TypeFault, match=re.escape(message)):
        op.result_types(tuple(kinds), Module("m"))
    whole = ops.LoihiPlasticity(RULE, x1=PAIRS["x1"], y1=PAIRS["y1"])
    assert whole.result_types(tuple(kinds), Module("m")) == tuple(kinds[2:])
    with pytest.raises(TypeFault, match="needs whole numbers in f64"):
        whole.result_types((*(Type("f32", t.shape) for t in kinds[:5]), kinds[5]), Module("m"))
