"""Resets, delays and cycles: what NIR has no single node for becomes several that spike alike."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable

import nir
import numpy as np
import pytest
import qsc
from qsc.backends.nir.backend import GRAPH_FILE
from qsc.ir import DYNAMIC, GraphBuilder, Module, Type, Value, ops, verify
from qsc.ir.interpreter import evaluate
from qsc.ir.ops.neurons import EULER_RESETS


def read_graph(data: bytes) -> nir.NIRGraph:
    """The graph as the package nir reads it, its types checked."""
    return nir.read(io.BytesIO(data))  # pyright: ignore[reportArgumentType] - h5py takes open files


STEPS, BATCH, INPUTS, COUNT = 30, 8, 5, 6
CURRENT = Type("f32", (DYNAMIC, COUNT))
Body = Callable[[GraphBuilder, Value, list[Value]], tuple[list[Value], Value]]
"""(body, x, states) -> (states after the step, output)."""


def looped(body: Body, states: list[Type], weights: dict[str, np.ndarray]) -> Module:
    """x (steps, batch, inputs) -> outputs of every step of a loop whose states start at zero."""
    module = Module("net", weights=weights)
    inner = GraphBuilder(module)
    held = [inner.input(f"s{k}", t) for k, t in enumerate(states)]
    after, out = body(inner, inner.input("x", Type("f32", (DYNAMIC, INPUTS))), held)
    outer = GraphBuilder(module)
    x = outer.input("x", Type("f32", (STEPS, DYNAMIC, INPUTS)))
    zeros = []
    for t in states:
        zeros += outer.add(ops.Constant(0.0, t.shape), x)
    results = outer.add(ops.Scan(STEPS, inner.graph(*after, out), len(states), 1), *zeros, x)
    module = module.with_(graph=outer.graph(results[-1]))
    verify(module)
    return module


def compiled(module: Module) -> dict[str, str]:
    """Kinds of the NIR nodes by name, after the graph has been found to spike as the module does."""
    x = np.random.default_rng(5).normal(0.3, 1.0, (STEPS, BATCH, INPUTS)).astype(np.float32)
    (wanted,) = evaluate(module, [x])
    assert 0.02 < float(wanted.mean()) < 0.98
    bundle = qsc.compile(module, target="nir", calibration=[x], strict=True)
    assert np.array_equal(bundle.run(x), wanted.numpy())
    (launch,) = bundle.launches()
    nodes = read_graph(bundle.artifact(launch.artifact)[GRAPH_FILE]).nodes
    return {name: type(node).__name__ for name, node in nodes.items() if name not in ("input", "output")}


def numbers(*names: str) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    limits = {
        "w": (-1.0, 1.5),
        "alpha": (0.2, 0.8),
        "beta": (0.5, 0.95),
        "threshold": (0.6, 1.2),
        "tau": (3e-4, 2e-3),
        "tau_syn": (2e-4, 5e-4),
        "w_in": (0.8, 1.5),
        "r": (0.8, 1.5),
        "v_leak": (-0.1, 0.1),
        "v_reset": (-0.2, 0.1),
    }
    shape = {"w": (COUNT, INPUTS)}
    return {n: rng.uniform(*limits[n], shape.get(n, (COUNT,))).astype(np.float32) for n in names}


def neuron(op: ops.Lif | ops.CubaLif | ops.Leaky | ops.Synaptic, names: tuple[str, ...]) -> Body:
    """A linear layer and a neuron."""

    def body(b: GraphBuilder, x: Value, states: list[Value]) -> tuple[list[Value], Value]:
        (current,) = b.add(ops.Linear(), x, b.weight("w"))
        spike, *after = b.add(op, current, *states, *map(b.weight, names))
        return after, spike

    return body


@pytest.mark.parametrize(
    ("cuba", "reset", "delayed"), [*itertools.product((False, True), ("subtract", "none", "zero"), (False, True))]
)
def test_neurons_of_snntorch_spike_alike(cuba: bool, reset: str, delayed: bool):
    if (cuba and reset == "zero" and delayed) or (reset == "subtract" and not delayed):
        pytest.skip("refused, see test_nir_backend")
    names = (*(("alpha",) if cuba else ()), "beta", "threshold")
    op = (ops.Synaptic if cuba else ops.Leaky)(reset, delayed)
    kinds = compiled(looped(neuron(op, names), [CURRENT] * op.states, numbers("w", *names)))
    if reset == "zero":
        assert sorted(kinds.values()) == sorted(["Linear", "CubaLIF" if cuba else "LIF"])
    else:
        extra = ["LI"] * cuba + ["Scale"] * (reset == "subtract")
        assert sorted(kinds.values()) == sorted(["Linear", "LI", "Threshold", *extra])


@pytest.mark.parametrize(
    ("kind", "form", "reset", "inclusive"),
    [*itertools.product((ops.Lif, ops.CubaLif), ("leak", "sum"), EULER_RESETS, (False, True))],
)
def test_neurons_in_continuous_time_spike_alike(kind: type, form: str, reset: str, inclusive: bool):
    if kind is ops.CubaLif and form == "sum" and reset == "value":
        pytest.skip("NIR has no current-based neuron without a leak")
    op = kind(form, 1e-4, reset, inclusive)
    weights = numbers("w", *op.parameters())
    if form == "sum":
        weights["r"] *= 3000
    compiled(looped(neuron(op, op.parameters()), [CURRENT] * op.states, weights))


def test_parameters_in_continuous_time_are_written_to_the_last_bit():
    op = ops.CubaLif("leak", 1e-4)
    weights = numbers("w", *op.parameters())
    module = looped(neuron(op, op.parameters()), [CURRENT] * 2, weights)
    bundle = qsc.compile(module, target="nir", verify=False)
    nodes = read_graph(bundle.artifact("nir")[GRAPH_FILE]).nodes
    (cuba,) = (node for node in nodes.values() if type(node).__name__ == "CubaLIF")
    for name, field in {"tau": "tau_mem", "threshold": "v_threshold"}.items():
        assert np.array_equal(getattr(cuba, field), weights[name])
    for name in ("tau_syn", "w_in", "r", "v_leak", "v_reset"):
        assert np.array_equal(getattr(cuba, name), weights[name])


def test_an_inclusive_threshold_fires_on_the_threshold():
    """x is the potential; on the threshold one kind fires and the other does not."""
    one = np.ones(COUNT, np.float32)
    for inclusive in (False, True):
        op = ops.Lif("leak", 1e-4, "value", inclusive)
        weights = {"tau": 1e-4 * one, "r": one, "v_leak": 0 * one, "threshold": one, "v_reset": 0 * one}
        weights["w"] = np.eye(COUNT, INPUTS, dtype=np.float32)
        module = looped(neuron(op, op.parameters()), [CURRENT], weights)
        bundle = qsc.compile(module, target="nir", verify=False)
        x = np.tile(np.array([1, 0, 2, 0.5, 1], np.float32)[:, None, None], (STEPS // 5, 1, INPUTS))
        given = bundle.run(x)[:5, 0, 0]
        assert given.tolist() == [inclusive, 0, 1, 0, inclusive]


def recurrent(b: GraphBuilder, x: Value, states: list[Value]) -> tuple[list[Value], Value]:
    """Spikes of the step before come back through a matrix."""
    (forward,) = b.add(ops.Linear(), x, b.weight("w"))
    (backward,) = b.add(ops.Linear(), states[1], b.weight("u"))
    (total,) = b.add(ops.Add(), forward, backward)
    spike, v = b.add(ops.Leaky("zero"), total, states[0], b.weight("beta"), b.weight("threshold"))
    return [v, b.add(ops.Cast("f32"), spike)[0]], spike


def test_recurrent_weights_are_a_cycle():
    weights = numbers("w", "beta", "threshold") | {"u": np.random.default_rng(2).normal(0, 0.7, (COUNT, COUNT))}
    weights["u"] = weights["u"].astype(np.float32)
    kinds = compiled(looped(recurrent, [CURRENT, CURRENT], weights))
    assert sorted(kinds.values()) == ["LIF", "Linear", "Linear"]


def test_an_earlier_value_that_is_no_cycle_is_a_delay():
    def body(b: GraphBuilder, x: Value, states: list[Value]) -> tuple[list[Value], Value]:
        (current,) = b.add(ops.Linear(), states[2], b.weight("w"))
        spike, v = b.add(ops.Leaky("zero"), current, states[0], b.weight("beta"), b.weight("threshold"))
        return [v, x, states[1]], spike

    given = Type("f32", (DYNAMIC, INPUTS))
    kinds = compiled(looped(body, [CURRENT, given, given], numbers("w", "beta", "threshold")))
    assert sorted(kinds.values()) == ["Delay", "LIF", "Linear"]


@pytest.mark.parametrize("pushed_first", [False, True])
def test_channels_with_delays(pushed_first: bool):
    """A line that is read before and after this step's value has been pushed."""

    def body(b: GraphBuilder, x: Value, states: list[Value]) -> tuple[list[Value], Value]:
        (pushed,) = b.add(ops.Push(), x, states[1])
        (late,) = b.add(ops.Tap(), pushed if pushed_first else states[1], b.weight("d"))
        (current,) = b.add(ops.Linear(), late, b.weight("w"))
        spike, v = b.add(ops.Leaky("zero"), current, states[0], b.weight("beta"), b.weight("threshold"))
        return [v, pushed], spike

    weights = numbers("w", "beta", "threshold") | {"d": np.array([1, 2, 4, 1, 3])}
    kinds = compiled(looped(body, [CURRENT, Type("f32", (4, DYNAMIC, INPUTS))], weights))
    assert sorted(kinds.values()) == ["Delay", "LIF", "Linear"]


@pytest.mark.parametrize("pushed_first", [False, True])
def test_a_delay_of_every_synapse_is_a_branch_for_every_delay(pushed_first: bool):
    def body(b: GraphBuilder, x: Value, states: list[Value]) -> tuple[list[Value], Value]:
        (pushed,) = b.add(ops.Push(), x, states[1])
        line = pushed if pushed_first else states[1]
        (current,) = b.add(ops.DelayedLinear(), line, b.weight("w"), b.weight("d"))
        spike, v = b.add(ops.Leaky("zero"), current, states[0], b.weight("beta"), b.weight("threshold"))
        return [v, pushed], spike

    steps = np.random.default_rng(3).integers(1, 5, (COUNT, INPUTS))
    steps[0, :4] = [1, 2, 3, 4]
    kinds = compiled(
        looped(body, [CURRENT, Type("f32", (4, DYNAMIC, INPUTS))], numbers("w", "beta", "threshold") | {"d": steps})
    )
    delays = 3 if pushed_first else 4
    assert sorted(kinds.values()) == [*["Delay"] * delays, "LIF", *["Linear"] * 4]
