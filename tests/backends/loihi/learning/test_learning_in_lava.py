"""Learning in whole numbers and in floating point against Lava: golden runs, and new ones where Lava is there."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from qsc.backends.loihi.learning import ChipRule
from qsc.backends.loihi.learning_fixed import FixedLearning
from qsc.ir import GraphBuilder, Module, Type, ops
from qsc.ir.interpreter import evaluate
from qsc.ir.plasticity import POST_TRACES, PRE_TRACES, TRACES, parse_rule
from qsc.ir.whole_learning import DELIVERED_TAU

Case = dict[str, Any]
BOUNDS = {"mixed": (-math.inf, math.inf), "excitatory": (0.0, math.inf), "inhibitory": (-math.inf, 0.0)}


def check_fixed(case: Case, result: Case, rule: ChipRule, delivered: Callable) -> int:
    """Every weight and trace of every step is Lava's; how often a weight changed."""
    learning = FixedLearning(rule, np.array(case["weights"]), seed=case["seed"])
    changes = 0
    for step, (pre, post) in enumerate(zip(case["pre"], case["post"], strict=True)):
        before = learning.weights
        learning.step(np.array(pre), np.array(post), delivered(case, step) if case["three"] else None)
        changes += int((before != learning.weights).sum())
        assert np.array_equal(learning.weights, result["weights"][step]), (case["seed"], step, case["dw"])
        for name in TRACES:
            assert np.array_equal(learning.traces[name], result[name][step]), (case["seed"], step, name)
    return changes


def test_fixed_point_is_bit_exact(cases: Callable, chip_of: Callable, given_by_neuron: Callable):
    changes = [check_fixed(case, result, chip_of(case), given_by_neuron) for case, result in cases(floating=False)]
    assert len(changes) == 40
    assert sum(c > 0 for c in changes) > 30


def learned(case: Case) -> np.ndarray:
    """The weights after every step, by the op in a scan."""
    rule = parse_rule(case["dw"])
    third = tuple(name for name in POST_TRACES if case["three"] and name in rule.traces)
    settings = {name: (case["traces"][name][1], case["traces"][name][0]) for name in rule.traces if name not in third}
    low, high = BOUNDS[case["sign"]]
    op = ops.Plasticity(case["dw"], third=third, low=low, high=high, **settings)
    steps, size = len(case["pre"]), {name: 4 if name in PRE_TRACES else 3 for name in TRACES}
    module = Module("m")
    body = GraphBuilder(module)
    states = [body.input("w", Type("f64", (3, 4)))]
    states += [body.input(name, Type("f64", (size[name],))) for name in op.carried()]
    count = [body.input("count", Type("i64"))] if rule.counts_steps else []
    inputs = [body.input("pre", Type("f64", (4,))), body.input("post", Type("f64", (3,)))]
    given = {name: body.input(name, Type("f64", (3,))) for name in third}
    traces = {v.name: v for v in states[1:]} | given
    results = body.add(op, *inputs, states[0], *(traces[name] for name in rule.traces), *count)
    carried = len(states) + len(count)
    scan = ops.Scan(steps, body.graph(*results[:carried], results[0]), carried, 2 + len(third))
    starts = [np.array(case["weights"], float), *(np.zeros(size[name]) for name in op.carried())]
    starts += [np.array(0)] * len(count)
    # Lava decays what the neuron delivers by one step of 65535.
    series = [np.array(case[name], float) for name in ("pre", "post")]
    y = np.array(case["y"]) * math.exp(-1 / DELIVERED_TAU)
    series += [y[:, POST_TRACES.index(name)] for name in third]
    graph = GraphBuilder(module)
    values = [graph.input("s", v.type) for v in [*states, *count]]
    values += [graph.input("q", Type("f64", (steps, *v.type.shape))) for v in [*inputs, *given.values()]]
    module = module.with_(graph=graph.graph(graph.add(scan, *values)[-1]))
    return evaluate(module, [torch.from_numpy(v) for v in [*starts, *series]])[0].numpy()


def check_floating(case: Case, result: Case) -> None:
    wanted = np.array(result["weights"])
    assert np.abs(learned(case) - wanted).max() <= 1e-12 * max(1.0, np.abs(wanted).max()), case["dw"]


def test_floating_point_is_lavas(cases: Callable):
    found = cases(floating=True)
    assert len(found) == 12
    for case, result in found:
        check_floating(case, result)


@pytest.mark.parametrize("floating", [False, True])
def test_live(floating: bool, make_case: Callable, run_lava: Callable, chip_of: Callable, given_by_neuron: Callable):
    made = [make_case(seed, floating=floating) for seed in range(900, 906)]
    for case, result in zip(made, run_lava(made), strict=True):
        if floating:
            check_floating(case, result)
        else:
            check_fixed(case, result, chip_of(case), given_by_neuron)
