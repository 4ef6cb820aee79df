"""What becomes which NIR node, and every reason against one: loops built op by op."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import nir
import numpy as np
import pytest
import qsc
from qsc.backends.nir import TARGET, NirBackend
from qsc.backends.nir.backend import GRAPH_FILE, write_graph
from qsc.backends.nir.importers import run_importer
from qsc.backends.nir.plan import DT, NirNode, Plan
from qsc.ir import DYNAMIC, GraphBuilder, Module, Node, Type, Value, ops, verify
from qsc.ir.diagnostics import UNKNOWN
from qsc.ir.graph import Op
from qsc.ir.interpreter import evaluate


def read_graph(data: bytes) -> nir.NIRGraph:
    """The graph as the package nir reads it, its types checked."""
    return nir.read(io.BytesIO(data))  # pyright: ignore[reportArgumentType] - h5py takes open files


STEPS = 9
Layers = Callable[[GraphBuilder, Value], Value]
"""Adds layers to the body of a loop: current of the neurons from the loop's input."""


def loop(
    features: tuple[int, ...], layers: Layers, weights: dict[str, np.ndarray], *, sequence: bool = False
) -> Module:
    """input -> layers -> leaky neurons -> spikes of every step."""
    numbers = {"beta": np.array(0.8, np.float32), "threshold": np.array(0.4, np.float32)}
    module = Module("net", weights=numbers | weights)
    trial = GraphBuilder(module)
    current = layers(trial, trial.input("x", Type("f32", (DYNAMIC, *features))))
    inner = GraphBuilder(module)
    v = inner.input("v", Type("f32", current.type.shape))
    current = layers(inner, inner.input("x", Type("f32", (DYNAMIC, *features))))
    spike, after = inner.add(ops.Leaky(reset="zero"), current, v, inner.weight("beta"), inner.weight("threshold"))
    outer = GraphBuilder(module)
    x = outer.input("x", Type("f32", (STEPS, DYNAMIC, *features) if sequence else (DYNAMIC, *features)))
    (zero,) = outer.add(ops.Constant(0.0, current.type.shape), x)
    _, spikes = outer.add(ops.Scan(STEPS, inner.graph(after, spike), 1, int(sequence)), zero, x)
    module = module.with_(graph=outer.graph(spikes))
    verify(module)
    return module


def one(op: Op, *weights: str) -> Layers:
    """A single layer with these weights."""
    return lambda b, x: b.add(op, x, *map(b.weight, weights))[0]


def several(*layers: Layers) -> Layers:
    def add(b: GraphBuilder, x: Value) -> Value:
        for layer in layers:
            x = layer(b, x)
        return x

    return add


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(0, 1, shape).astype(np.float32)


CONVS = {"k2": normal(3, 2, 3, 3), "k1": normal(3, 2, 3), "b": normal(3), "w": normal(4, 27), "k5": normal(2, 2, 5, 5)}
GOOD: list[tuple[str, tuple[int, ...], Layers, list[str]]] = [
    ("conv 2d", (2, 6, 5), one(ops.Conv(padding=(1, 0)), "k2", "b"), ["Conv2d"]),
    ("strides", (2, 8, 7), one(ops.Conv((2, 1), (1, 2), (1, 2)), "k2"), ["Conv2d"]),
    ("conv 1d", (2, 7), one(ops.Conv((2,), (1,), (1,)), "k1", "b"), ["Conv1d"]),
    ("pool", (2, 6, 4), one(ops.AvgPool((3, 2), (3, 1), (1, 0))), ["AvgPool2d"]),
    ("flatten all", (3, 3, 3), several(one(ops.Reshape((DYNAMIC, 27))), one(ops.Linear(), "w")), ["Flatten", "Linear"]),
    ("flatten some", (2, 3, 4), one(ops.Reshape((DYNAMIC, 2, 12))), ["Flatten"]),
    ("same shape", (5,), one(ops.Reshape((DYNAMIC, 5))), []),
    ("factor", (5,), one(ops.Mul(0.3)), ["Scale"]),
    ("factors", (5,), lambda b, x: b.add(ops.Mul(), b.weight("f"), x)[0], ["Scale"]),
    ("skip", (3,), lambda b, x: b.add(ops.Add(), b.add(ops.Linear(), x, b.weight("q"))[0], x)[0], ["Linear"]),
    (
        "stack",
        (2, 6, 6),
        several(one(ops.Conv(), "k2", "b"), one(ops.AvgPool((2, 2), (1, 1))), one(ops.Reshape((DYNAMIC, 27)))),
        ["AvgPool2d", "Conv2d", "Flatten"],
    ),
]


@pytest.mark.parametrize("sequence", [False, True])
@pytest.mark.parametrize(("features", "layers", "kinds"), [g[1:] for g in GOOD], ids=[g[0] for g in GOOD])
def test_layers_become_nodes_that_run_alike(
    features: tuple[int, ...], layers: Layers, kinds: Sequence[str], sequence: bool
):
    module = loop(features, layers, CONVS | {"f": normal(5), "q": normal(3, 3)}, sequence=sequence)
    x = np.random.default_rng(1).normal(0.3, 1, (*([STEPS] if sequence else []), 6, *features)).astype(np.float32)
    bundle = qsc.compile(module, target="nir", calibration=[x], strict=True)
    graph = read_graph(bundle.artifact("nir")[GRAPH_FILE])
    assert sorted(type(n).__name__ for n in graph.nodes.values()) == sorted([*kinds, "Input", "LIF", "Output"])
    wanted = evaluate(module, [x])[0].numpy()
    assert wanted.any()
    assert not wanted.all()
    assert np.array_equal(bundle.run(x), wanted)
    if "Scale" not in kinds:
        assert np.array_equal(bundle.run(x, importer="snntorch"), wanted)


BAD: list[tuple[tuple[int, ...], Layers, str]] = [
    (
        (2, 6, 5),
        one(ops.MaxPool()),
        r"max_pool inside the loop: networks of neurons have no max_pool \(avg_pool has one\)",
    ),
    ((4,), one(ops.BatchNorm(), "m", "s"), r"have no batch_norm \(fold-batchnorm removes it"),
    ((4,), one(ops.Relu()), "relu inside the loop: networks of neurons have no relu"),
    ((4,), one(ops.Softmax()), "have no softmax"),
    ((4,), one(ops.LayerNorm()), "have no layer_norm"),
    ((4,), one(ops.Permute((0, 1))), "have no permute"),
    ((4,), one(ops.Add(1.0)), "it adds a constant"),
    ((4,), one(ops.Add(), "m"), "it adds a constant"),
    ((4,), lambda b, x: b.add(ops.Add(), x, x)[0], "it adds one value twice"),
    ((4,), lambda b, x: b.add(ops.Mul(), x, x)[0], "multiplies by"),
    ((2, 2), one(ops.Linear(), "l"), r"its input f32\[\?,2,2\] is not one vector a sample"),
    ((2, 3, 3, 3), one(ops.Conv((1,) * 3, (0,) * 3, (1,) * 3), "k3"), "one and two dimensions only"),
    ((2, 5, 5), one(ops.AvgPool((2, 2), (2, 2), (0, 0), True)), "rounds down"),
    ((2, 6, 6), one(ops.AvgPool((2, 2), (2, 2), (1, 1), False, False)), "counts padding"),
    ((2, 6), one(ops.AvgPool((2,), (2,), (0,))), "two dimensions of images"),
    ((4,), one(ops.Reshape((DYNAMIC, 2, 2))), "networks have no reshape but flatten"),
]
BAD_WEIGHTS = {
    "m": normal(4),
    "s": np.abs(normal(4)) + 1,
    "l": normal(2, 2),
    "rect": normal(2, 2, 3, 1),
    "group": normal(2, 1, 3, 3),
    "k3": normal(2, 2, 2, 2, 2),
    "q": normal(3, 3),
}


@pytest.mark.parametrize(("features", "layers", "reason"), BAD, ids=[b[2] for b in BAD])
def test_what_nir_cannot_hold_is_refused_with_its_reason(features: tuple[int, ...], layers: Layers, reason: str):
    module = loop(features, layers, BAD_WEIGHTS)
    with pytest.raises(qsc.QscError, match=reason) as caught:
        qsc.compile(module, target="nir", verify=False, strict=True, passes="partition")
    assert caught.value.exit_code == 3
    x = np.random.default_rng(1).normal(0.3, 1, (6, *features)).astype(np.float32)
    bundle = qsc.compile(module, target="nir", verify=False, passes="partition")
    assert np.array_equal(bundle.run(x), evaluate(module, [x])[0].numpy())


def test_all_reasons_are_said_at_once():
    module = loop((4,), several(one(ops.Relu()), one(ops.Softmax())), {})
    reason = NirBackend().unsupported(scan_of(module), module, TARGET)
    none = "inside the loop: networks of neurons have no"
    assert reason == f"relu {none} relu; softmax {none} softmax"


def scan_of(module: Module) -> Node:
    return next(node for node in module.graph.nodes if isinstance(node.op, ops.Scan))


def test_float64_models_stay_on_the_host():
    weights = {name: np.array(value, np.float64) for name, value in (("beta", 0.5), ("threshold", 0.5))}
    module = Module("net", weights=weights)
    row = Type("f64", (DYNAMIC, 3))
    inner = GraphBuilder(module)
    v, x = inner.input("v", row), inner.input("x", row)
    spike, after = inner.add(ops.Leaky(reset="zero"), x, v, inner.weight("beta"), inner.weight("threshold"))
    outer = GraphBuilder(module)
    given = outer.input("x", row)
    (zero,) = outer.add(ops.Constant(0.0, row.shape, "f64"), given)
    _, spikes = outer.add(ops.Scan(STEPS, inner.graph(after, spike), 1), zero, given)
    module = module.with_(graph=outer.graph(spikes))
    assert "float64" in (NirBackend().unsupported(scan_of(module), module, TARGET) or "")


@pytest.mark.parametrize("start", [0.25, None])
def test_states_start_at_zero(start: float | None):
    """A state that starts elsewhere, at a number or at an input, has no place in NIR."""
    module = Module("net", weights={"b": np.array(0.5, np.float32), "t": np.array(0.5, np.float32)})
    row = Type("f32", (DYNAMIC, 3))
    inner = GraphBuilder(module)
    v, x = inner.input("v", row), inner.input("x", row)
    spike, after = inner.add(ops.Leaky(reset="zero"), x, v, inner.weight("b"), inner.weight("t"))
    outer = GraphBuilder(module)
    given = outer.input("x", row)
    first = outer.input("v", row) if start is None else outer.add(ops.Constant(start, row.shape), given)[0]
    _, spikes = outer.add(ops.Scan(STEPS, inner.graph(after, spike), 1), first, given)
    module = module.with_(graph=outer.graph(spikes))
    assert NirBackend().unsupported(scan_of(module), module, TARGET) == "the state v does not start at zero"


def test_a_state_of_two_neurons_is_refused():
    module = Module("net", weights={"b": np.array(0.5, np.float32), "t": np.array(0.5, np.float32)})
    row = Type("f32", (DYNAMIC, 3))
    inner = GraphBuilder(module)
    v, x = inner.input("v", row), inner.input("x", row)
    parameters = inner.weight("b"), inner.weight("t")
    spike, after = inner.add(ops.Leaky(reset="zero"), x, v, *parameters)
    other, _ = inner.add(ops.Leaky(reset="zero"), spike, v, *parameters)
    outer = GraphBuilder(module)
    given = outer.input("x", row)
    (zero,) = outer.add(ops.Constant(0.0, row.shape), given)
    _, spikes = outer.add(ops.Scan(STEPS, inner.graph(after, other), 1), zero, given)
    module = module.with_(graph=outer.graph(spikes))
    assert "not carried from step to step for it alone" in str(
        NirBackend().unsupported(scan_of(module), module, TARGET)
    )


@pytest.mark.parametrize(
    ("path", "name"), [("keys", "keys_2"), ("a.b", "a_b"), ("x/y+z", "x_y_z"), ("output", "output_2")]
)
def test_names_fit_files_and_readers(path: str, name: str):
    node = NirNode("Linear", {"weight": np.eye(3, dtype=np.float32)}, (3,), "linear", UNKNOWN)
    plan = Plan(2, False, (3,))
    assert plan.name(path) == name
    plan.nodes = {name: node}
    plan.edges = [("input", name), (name, "output")]
    x = np.random.default_rng(0).random((2, 2, 3)).astype(np.float32)
    assert np.array_equal(run_importer("snntorch", write_graph(plan), x, DT), x)


def test_names_are_those_of_the_layers_and_fit_every_reader():
    module = loop((3,), several(one(ops.Linear(), "q"), one(ops.Linear(), "q")), {"q": normal(3, 3)})
    nodes = read_graph(qsc.compile(module, target="nir", verify=False).artifact("nir")[GRAPH_FILE]).nodes
    assert set(nodes) == {"input", "linear", "linear_1", "leaky", "output"}
