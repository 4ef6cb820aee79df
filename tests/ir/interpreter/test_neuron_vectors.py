"""Neurons against what norse, spikingjelly, sinabs and rockpool put out, recorded by tools/make_neuron_vectors.py."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from qsc.ir import DYNAMIC, GraphBuilder, Module, Op, Type, ops, verify
from qsc.ir.interpreter import evaluate
from qsc.ir.ops.neurons import EulerNeuron

VECTORS = dict(np.load(Path(__file__).parent / "golden" / "neurons.npz"))
CASES = sorted({name.split("/")[0] for name in VECTORS})


def looped(op: EulerNeuron, weights: dict[str, np.ndarray], steps: int, count: int) -> Module:
    """A scan of one neuron; result: what it puts out in every step."""
    module = Module("m", weights=weights)
    state = Type("f32", (DYNAMIC, count))
    body = GraphBuilder(module)
    states = [body.input(f"s{k}", state) for k in range(op.states)]
    x = body.input("x", state)
    results = body.add(op, x, *states, *(body.weight(name) for name in op.parameters()))
    out = results[0] if op.fires else results[-1]
    scan = ops.Scan(steps, body.graph(*results[-op.states :], out), op.states, 1)
    graph = GraphBuilder(module)
    start = [graph.input(f"start{k}", state) for k in range(op.states)]
    series = graph.input("series", Type("f32", (steps, DYNAMIC, count)))
    module = module.with_(graph=graph.graph(graph.add(scan, *start, series)[-1]))
    verify(module)
    return module


@pytest.mark.parametrize("name", CASES)
def test_equal_to_the_bit(name):
    fields = json.loads(str(VECTORS[f"{name}/op"]))
    kind = Op.registry[fields.pop("op")]
    assert issubclass(kind, EulerNeuron)
    op = kind(**fields)
    prefix = f"{name}/p/"
    weights = {key.removeprefix(prefix): array for key, array in VECTORS.items() if key.startswith(prefix)}
    series, wanted = VECTORS[f"{name}/x"], VECTORS[f"{name}/out"]
    steps, batch, count = series.shape
    # norse starts at rest, the others at zero.
    rest = weights.get("v_leak", weights.get("v_reset", 0.0) if name == "norse.iaf" else weights.get("v_rest", 0.0))
    zero = np.zeros((batch, count), np.float32)
    starts = [*[zero] * (op.states - 1), zero + np.asarray(rest, np.float32)]
    (given,) = evaluate(looped(op, weights, steps, count), [*starts, series])
    np.testing.assert_array_equal(given.numpy(), wanted)
    if op.fires:
        assert 0.02 < wanted.mean() < 0.98


def test_every_framework_is_recorded():
    assert {name.split(".")[0] for name in CASES} == {"norse", "rockpool", "sinabs", "spikingjelly"}
