"""Parting loops: every value stays the same bit for bit, states stay with what makes them."""

from __future__ import annotations

import numpy as np
import pytest
from qsc.compiler.passes.loop_distribution import components, distributed
from qsc.ir import DYNAMIC, GraphBuilder, Module, Type, ops, verify
from qsc.ir.interpreter import evaluate

ROW = Type("f32", (DYNAMIC, 3))
STEPS = 5


def random_loop(rng: np.random.Generator) -> Module:
    """A loop of random neurons, sums and carried values over a sequence and a static input."""
    module = Module("m", weights={"b": np.array(0.7, np.float32), "t": np.array(0.3, np.float32)})
    inner = GraphBuilder(module)
    count = int(rng.integers(1, 5))
    states = [inner.input(f"s{k}", ROW) for k in range(count)]
    values = [*states, inner.input("seq", ROW), inner.input("fix", ROW)]
    made = []
    for _ in range(int(rng.integers(count, 12))):
        a, b = (values[int(k)] for k in rng.integers(0, len(values), 2))
        if rng.integers(0, 3) == 0:
            _, value = inner.add(ops.Leaky(reset="zero"), a, b, inner.weight("b"), inner.weight("t"))
        else:
            (value,) = inner.add(ops.Add() if rng.integers(0, 2) else ops.Sub(), a, b)
        values.append(value)
        made.append(value)
    ends = [made[int(k)] for k in rng.integers(0, len(made), count)]
    outputs = [made[int(k)] for k in rng.integers(0, len(made), int(rng.integers(1, 4)))]
    outer = GraphBuilder(module)
    seq, fix = outer.input("seq", Type("f32", (STEPS, DYNAMIC, 3))), outer.input("fix", ROW)
    starts = [outer.add(ops.Constant(0.1 * k, ROW.shape), fix)[0] for k in range(count)]
    results = outer.add(ops.Scan(STEPS, inner.graph(*ends, *outputs), count, 1), *starts, seq, fix)
    module = module.with_(graph=outer.graph(*results))
    verify(module)
    return module


@pytest.mark.parametrize("seed", range(60))
def test_the_meaning_stays_bit_for_bit(seed: int):
    rng = np.random.default_rng(seed)
    module = random_loop(rng)
    scan = len(module.graph.nodes) - 1
    after = module.with_(graph=distributed(module.graph, [scan]))
    verify(after)
    inputs = [rng.normal(size=shape).astype(np.float32) for shape in ((STEPS, 4, 3), (4, 3))]
    for a, b in zip(evaluate(module, inputs), evaluate(after, inputs), strict=True):
        assert np.array_equal(a.numpy(), b.numpy(), equal_nan=True)
    before = sum(1 for _ in module.graph.nodes[scan].op.bodies[0].nodes)
    assert before == sum(len(n.op.body.nodes) for n in after.graph.nodes if isinstance(n.op, ops.Scan))


def test_random_loops_do_part():
    parted = [random_loop(np.random.default_rng(seed)) for seed in range(60)]
    counts = [len(distributed(m.graph, [len(m.graph.nodes) - 1]).nodes) - len(m.graph.nodes) for m in parted]
    assert sum(count > 0 for count in counts) > 30


def test_every_loop_has_the_constants_that_it_reads():
    """A parameter that came as a value of another loop would be no constant to a chip."""
    module = Module("m")
    inner = GraphBuilder(module)
    v, w, x = inner.input("v", ROW), inner.input("w", ROW), inner.input("x", ROW)
    (one,) = inner.add(ops.Constant(1.0))
    spikes, v1 = inner.add(ops.Leaky(reset="zero"), x, v, one, one)
    (half,) = inner.add(ops.Div(2.0), spikes)
    again, w1 = inner.add(ops.Leaky(reset="zero"), half, w, one, one)
    outer = GraphBuilder(module)
    given = outer.input("x", Type("f32", (STEPS, DYNAMIC, 3)))
    start = outer.input("start", ROW)
    results = outer.add(ops.Scan(STEPS, inner.graph(v1, w1, again), 2, 1), start, start, given)
    module = module.with_(graph=outer.graph(*results))
    after = module.with_(graph=distributed(module.graph, [0]))
    verify(after)
    bodies = [[inner.op.mnemonic for inner in n.op.body.nodes] for n in after.graph.nodes if isinstance(n.op, ops.Scan)]
    assert bodies == [["constant", "leaky"], ["div"], ["constant", "leaky"]]
    inputs = [np.random.default_rng(0).normal(size=shape).astype(np.float32) for shape in ((STEPS, 4, 3), (4, 3))]
    for a, b in zip(evaluate(module, inputs), evaluate(after, inputs), strict=True):
        assert np.array_equal(a.numpy(), b.numpy())


def test_a_loop_that_hands_an_input_on_stays_whole():
    module = Module("m")
    inner = GraphBuilder(module)
    v, x = inner.input("v", ROW), inner.input("x", ROW)
    (total,) = inner.add(ops.Add(), v, x)
    outer = GraphBuilder(module)
    given = outer.input("x", ROW)
    results = outer.add(ops.Scan(STEPS, inner.graph(x, total), 1), given, given)
    graph = outer.graph(*results)
    assert distributed(graph, [0]) == graph


@pytest.mark.parametrize("seed", range(20))
def test_components_agree_with_reachability(seed: int):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 12))
    edges = rng.random((n, n)) < rng.uniform(0.02, 0.3)
    reach = edges | np.eye(n, dtype=bool)
    for _ in range(n):
        reach = reach | ((reach.astype(int) @ reach.astype(int)) > 0)
    found = components([set(np.flatnonzero(row).tolist()) for row in edges])
    assert sorted(k for group in found for k in group) == list(range(n))
    where = {k: number for number, group in enumerate(found) for k in group}
    for a in range(n):
        for b in range(n):
            assert (where[a] == where[b]) == bool(reach[a, b] and reach[b, a])
            assert not reach[a, b] or where[a] <= where[b]
