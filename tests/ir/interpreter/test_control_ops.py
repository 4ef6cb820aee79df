"""Scans and launches."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from qsc.ir import DYNAMIC, CircuitEditor, GraphBuilder, Module, Type, ops, verify
from qsc.ir.interpreter import evaluate
from qsc.ir.interpreter.control import split_loop

STATE = Type("f32", (DYNAMIC, 3))


def recurrent(steps: int) -> Module:
    """h' = tanh(x W^T + h U^T + bias), where bias is an invariant operand and U comes quantised."""
    rng = np.random.default_rng(0)
    weights = {
        "w": rng.normal(size=(3, 2)).astype(np.float32),
        "u": rng.integers(-100, 100, (3, 3)).astype(np.int8),
        "scale": np.array(0.01, np.float32),
    }
    module = Module("rnn", weights=weights)
    body = GraphBuilder(module)
    h, x, bias = (
        body.input("h", STATE),
        body.input("x", Type("f32", (DYNAMIC, 2))),
        body.input("bias", Type("f32", (3,))),
    )
    (u,) = body.add(ops.Dequantize(), body.weight("u"), body.weight("scale"))
    (fresh,) = body.add(ops.Linear(), x, body.weight("w"), bias)
    (old,) = body.add(ops.Linear(), h, u)
    (total,) = body.add(ops.Add(), fresh, old)
    (new,) = body.add(ops.Tanh(), total)
    scan = ops.Scan(steps, body.graph(new, new), carried=1, sequences=1)
    graph = GraphBuilder(module)
    inputs = [graph.input("h0", STATE), graph.input("series", Type("f32", (steps, DYNAMIC, 2)))]
    results = graph.add(scan, *inputs, graph.input("bias", Type("f32", (3,))))
    module = module.with_(graph=graph.graph(*results))
    verify(module)
    return module


def inputs(steps: int, batch: int = 4) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(*shape, generator=generator) for shape in ((batch, 3), (steps, batch, 2), (3,))]


@pytest.mark.parametrize("steps", [1, 2, 17])
def test_scan_is_the_loop(steps):
    module = recurrent(steps)
    h, series, bias = inputs(steps)
    last, states = evaluate(module, [h, series, bias])
    w, u = (torch.from_numpy(module.weights[k]) for k in ("w", "u"))
    for t in range(steps):
        h = torch.tanh(torch.nn.functional.linear(series[t], w, bias) + h @ (u * 0.01).T)
        torch.testing.assert_close(states[t], h)
    torch.testing.assert_close(last, h)
    assert states.shape == (steps, 4, 3)


def test_what_does_not_depend_on_the_step_runs_once():
    scan = recurrent(3).graph.nodes[0].op
    assert isinstance(scan, ops.Scan)
    loop = split_loop(scan)
    assert [n.op.mnemonic for n in loop.before.nodes] == ["dequantize"]
    assert [n.op.mnemonic for n in loop.step.nodes] == ["linear", "linear", "add", "tanh"]


def test_gradients_flow_through_time():
    module = recurrent(5)
    values = [x.double().requires_grad_() for x in inputs(5, 2)]
    assert torch.autograd.gradcheck(lambda *v: tuple(evaluate(module, v, precision="f64")), values)


def test_body_outputs_may_be_inputs_or_weights():
    module = Module("m", weights={"w": np.ones(2, np.float32)})
    body = GraphBuilder(module)
    h, x = body.input("h", STATE), body.input("x", STATE)
    scan = ops.Scan(3, body.graph(x, h, x, body.weight("w")), carried=1, sequences=1)
    graph = GraphBuilder(module)
    results = graph.add(scan, graph.input("h0", STATE), graph.input("s", Type("f32", (3, DYNAMIC, 3))))
    module = module.with_(graph=graph.graph(*results))
    verify(module)
    start, series = torch.zeros(2, 3), torch.arange(18.0).reshape(3, 2, 3)
    last, states, copies, weights = evaluate(module, [start, series])
    assert torch.equal(last, series[-1])
    assert torch.equal(states, torch.cat([start[None], series[:-1]]))
    assert torch.equal(copies, series)
    assert torch.equal(weights, torch.ones(3, 2))


def test_a_scan_in_a_scan():
    module = Module("m")
    inner = GraphBuilder(module)
    (y,) = inner.add(ops.Add(scalar=1.0), inner.input("h", STATE))
    outer = GraphBuilder(module)
    (z,) = outer.add(ops.Scan(3, inner.graph(y), carried=1), outer.input("h", STATE))
    graph = GraphBuilder(module)
    (result,) = graph.add(ops.Scan(4, outer.graph(z), carried=1), graph.input("x", STATE))
    module = module.with_(graph=graph.graph(result))
    verify(module)
    assert torch.equal(evaluate(module, [torch.zeros(2, 3)])[0], torch.full((2, 3), 12.0))


def test_every_step_draws_its_own_samples():
    editor = CircuitEditor("c", 1)
    editor.add("h", [0])
    module = Module("m", circuits={"c": editor.circuit()})
    body = GraphBuilder(module)
    (bits,) = body.add(ops.Samples("c", (0,), 30))
    graph = GraphBuilder(module)
    (series,) = graph.add(ops.Scan(4, body.graph(bits)))
    module = module.with_(graph=graph.graph(series))
    verify(module)
    (drawn,) = evaluate(module, [], seed=1)
    assert drawn.shape == (4, 30, 1)
    assert len({tuple(row) for row in drawn[..., 0].tolist()}) == 4
    assert torch.equal(drawn, evaluate(module, [], seed=1)[0])


def test_many_steps_take_time_in_proportion():
    def seconds(steps: int) -> float:
        module, values = recurrent(steps), inputs(steps, 1)
        times = []
        for _ in range(3):
            start = time.perf_counter()
            evaluate(module, values)
            times.append(time.perf_counter() - start)
        return min(times)

    assert seconds(2000) < 20 * seconds(200) + 0.05


# Launches


def launched() -> Module:
    module = Module("m", weights={"w": np.full((2, 3), 0.5, np.float32)})
    body = GraphBuilder(module)
    (y,) = body.add(ops.Linear(), body.input("x", STATE), body.weight("w"))
    (z,) = body.add(ops.Mean(dims=(1,)), y)
    graph = GraphBuilder(module)
    results = graph.add(ops.Launch("chip", "part0", body.graph(y, z)), graph.input("x", STATE))
    module = module.with_(graph=graph.graph(*results))
    verify(module)
    return module


def test_a_launch_without_a_device_is_its_body():
    y, z = evaluate(launched(), [np.ones((4, 3), np.float32)])
    assert torch.equal(y, torch.full((4, 2), 1.5))
    assert torch.equal(z, torch.full((4,), 1.5))


@pytest.mark.parametrize("precision", [None, "f64"])
def test_a_launch_is_handed_to_its_device(precision):
    wide = np.float64 if precision else np.float32
    seen = []

    def device(op: ops.Launch, arrays: list[np.ndarray]) -> list[np.ndarray]:
        seen.append(op.artifact)
        assert [a.dtype for a in arrays] == [wide]
        return [np.full((4, 2), 7.0), np.arange(4)]

    x = torch.ones(4, 3, requires_grad=True)
    y, z = evaluate(launched(), [x], launch=device, precision=precision)
    assert seen == ["part0"]
    assert y.numpy().dtype == z.numpy().dtype == wide
    assert z.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("results", "message"),
    [([np.zeros((4, 2))], "1 results, declared 2"), ([np.zeros((4, 3))] * 2, "shape \\(4, 3\\)")],
)
def test_what_a_device_gives_is_checked(results, message):
    with pytest.raises(ValueError, match=message):
        evaluate(launched(), [np.ones((4, 3), np.float32)], launch=lambda op, arrays: results)
