"""Neurons in continuous time against a plain Euler integration in float64, and delay lines against shifted arrays."""

from __future__ import annotations

import numpy as np
import pytest
from qsc.ir import DYNAMIC, GraphBuilder, Module, Type, ops, verify
from qsc.ir.interpreter import evaluate
from qsc.ir.ops.neurons import EulerFiring, EulerNeuron

STEPS, BATCH, COUNT, DT = 60, 4, 7, 1e-3
STATE = Type("f32", (DYNAMIC, COUNT))

PARAMETERS = {
    "tau": (2e-3, 3e-2),
    "tau_syn": (2e-3, 1e-2),
    "w_in": (0.5, 2.0),
    "r": (0.5, 4.0),
    "v_leak": (-0.2, 0.2),
    "threshold": (0.4, 1.0),
    "v_reset": (-0.3, 0.1),
}


def looped(op: EulerNeuron, weights: dict[str, np.ndarray]) -> Module:
    """A scan of one neuron that starts at rest; results: what it puts out in every step."""
    module = Module("m", weights=weights)
    body = GraphBuilder(module)
    states = [body.input(f"s{k}", STATE) for k in range(op.states)]
    x = body.input("x", STATE)
    results = body.add(op, x, *states, *(body.weight(name) for name in op.parameters()))
    scan = ops.Scan(STEPS, body.graph(*results[-op.states :], *results), op.states, 1)
    graph = GraphBuilder(module)
    start = [graph.input(f"start{k}", STATE) for k in range(op.states)]
    series = graph.input("series", Type("f32", (STEPS, DYNAMIC, COUNT)))
    module = module.with_(graph=graph.graph(*graph.add(scan, *start, series)[op.states :]))
    verify(module)
    return module


def euler(op: EulerNeuron, p: dict[str, np.ndarray], series: np.ndarray) -> list[np.ndarray]:
    """The equations of NIR, step by step, in float64: spikes (where it fires), then the states."""
    i = np.zeros((BATCH, COUNT))
    v = np.zeros((BATCH, COUNT))
    out = []
    for x in series.astype(np.float64):
        if op.synapse:
            i = i + DT / p["tau_syn"] * (-i + p["w_in"] * x)
            x = i
        v = v + (DT / p["tau"] * ((p["v_leak"] - v) + p["r"] * x) if op.form == "leak" else DT * p["r"] * x)
        made: list[np.ndarray] = []
        if isinstance(op, EulerFiring):
            s = v >= p["threshold"] if op.inclusive else v > p["threshold"]
            v = {"value": np.where(s, p.get("v_reset"), v), "subtract": v - s * p["threshold"], "none": v}[op.reset]
            made = [s.astype(np.float64)]
        out.append([*made, *([i] if op.synapse else []), v])
    return [np.stack(column) for column in zip(*out, strict=True)]


def all_ops() -> list[EulerNeuron]:
    made: list[EulerNeuron] = []
    for form in ("leak", "sum"):
        made += [ops.Integrate(form, DT), ops.CubaIntegrate(form, DT)]
        for reset in ("value", "subtract", "none"):
            made += [kind(form, DT, reset, inclusive) for kind in (ops.Lif, ops.CubaLif) for inclusive in (False, True)]
    return made


@pytest.mark.parametrize("op", all_ops(), ids=str)
def test_neurons_follow_euler(op: EulerNeuron):
    rng = np.random.default_rng(3)
    weights = {n: rng.uniform(*PARAMETERS[n], COUNT).astype(np.float32) for n in op.parameters()}
    scale = 200.0 if op.form == "sum" else 1.0
    series = (rng.standard_normal((STEPS, BATCH, COUNT)) * scale + 0.4 * scale).astype(np.float32)
    zero = np.zeros((BATCH, COUNT), np.float32)
    given = evaluate(looped(op, weights), [*[zero] * op.states, series], precision="f64")
    wanted = euler(op, {n: w.astype(np.float64) for n, w in weights.items()}, series)
    for a, b in zip(given, wanted, strict=True):
        assert np.allclose(a.numpy(), b, rtol=1e-9, atol=1e-9)
    if op.fires:
        assert 0.01 < wanted[0].mean() < 0.99


def test_a_tap_gives_what_went_in_as_many_steps_ago():
    """The line holds the step before at 1: pushed first, a tap of 1 is this step's value."""
    rng = np.random.default_rng(0)
    delays = np.array([1, 2, 5, 3, 1, 4, 5])
    module = Module("m", weights={"d": delays})
    body = GraphBuilder(module)
    line, x = body.input("line", Type("f32", (5, DYNAMIC, COUNT))), body.input("x", STATE)
    (before,) = body.add(ops.Tap(), line, body.weight("d"))
    (after,) = body.add(ops.Push(), x, line)
    scan = ops.Scan(STEPS, body.graph(after, before), 1, 1)
    graph = GraphBuilder(module)
    start = graph.input("start", Type("f32", (5, DYNAMIC, COUNT)))
    series = graph.input("series", Type("f32", (STEPS, DYNAMIC, COUNT)))
    module = module.with_(graph=graph.graph(graph.add(scan, start, series)[1]))
    verify(module)
    values = rng.standard_normal((STEPS, BATCH, COUNT)).astype(np.float32)
    (given,) = evaluate(module, [np.zeros((5, BATCH, COUNT), np.float32), values])
    for k, delay in enumerate(delays):
        assert np.array_equal(given[delay:, :, k], values[:-delay, :, k])
        assert not given[:delay, :, k].any()


def test_delayed_linear_sums_every_synapse_at_its_own_time():
    rng = np.random.default_rng(1)
    weight = rng.standard_normal((3, COUNT)).astype(np.float32)
    steps = rng.integers(1, 6, (3, COUNT))
    module = Module("m", weights={"w": weight, "d": steps})
    graph = GraphBuilder(module)
    line = graph.input("line", Type("f32", (5, DYNAMIC, COUNT)))
    module = module.with_(
        graph=graph.graph(*graph.add(ops.DelayedLinear(), line, graph.weight("w"), graph.weight("d")))
    )
    verify(module)
    values = rng.standard_normal((5, BATCH, COUNT)).astype(np.float32)
    (given,) = evaluate(module, [values])
    wanted = np.zeros((BATCH, 3))
    for o in range(3):
        for i in range(COUNT):
            wanted[:, o] += weight[o, i] * values[steps[o, i] - 1, :, i]
    assert np.allclose(given.numpy(), wanted, atol=1e-5)
