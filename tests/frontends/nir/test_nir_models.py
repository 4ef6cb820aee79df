"""NIR files as models: they spike as a plain Euler integration, and go out as they came in."""

from __future__ import annotations

import importlib.util
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import qsc
from qsc.bridges.networks import Neurons
from qsc.bridges.networks.building import Builder
from qsc.bridges.nir import KINDS, NirGraph, NirNode, check, read, shapes_of, write
from qsc.bridges.nir.cycles import steps_of
from qsc.bridges.nir.graph import flat
from qsc.bridges.nir.shapes import flatten_range, padding_of
from qsc.frontends.nir import network_of, read_file
from qsc.ir import Module
from qsc.ir.interpreter import evaluate
from torch.nn import functional

torch = pytest.importorskip("torch")
pytest.importorskip("h5py")

FILES = Path(__file__).parents[2] / "bridges" / "nir_files"
PUBLISHED = {"two_lif": 1e-4, "lif_norse": 1e-4, "lif_rockpool": 1e-4, "cnn_sinabs": 1.0}
"""Part of a file's name -> seconds of a step that its numbers are made for."""


def _random_graphs() -> Any:
    spec = importlib.util.spec_from_file_location("random_nir_graphs", FILES / "random_graphs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


random_graph = _random_graphs().random_graph


def euler(graph: NirGraph, x: np.ndarray, dt: float) -> dict[str, np.ndarray]:
    """The equations of NIR in float64, one step after the other: what every node puts out, (steps, batch, ...)."""
    graph = flat(graph)
    shapes, _ = shapes_of(graph)
    late = {n: np.rint(node.array("delay") / dt).astype(int) for n, node in graph.nodes.items() if node.kind == "Delay"}
    lines = {n for n, d in late.items() if d.min() > 0}
    stateless = {n for n, node in graph.nodes.items() if not KINDS[node.kind].state}
    (source,), (sink,) = graph.of_kind("Input"), graph.of_kind("Output")
    order, back = steps_of([source, *graph.nodes], graph.edges, lines, stateless)
    batch = x.shape[1]
    state = {n: {s: np.zeros((batch, *shapes[n])) for s in "iv"} for n in graph.nodes}
    history: dict[str, list[np.ndarray]] = {n: [] for n in graph.nodes}
    before = {n: np.zeros((batch, *shapes[n])) for n in graph.nodes}
    out = []
    for given in x.astype(np.float64):
        now = {source: given}
        for name in order:
            if name == source:
                continue
            if name in lines:
                now[name] = _delayed(history[name], late[name], (batch, *shapes[name]))
                continue
            total = sum(before[a] if (a, name) in back else now[a] for a in graph.into(name))
            now[name] = _step(graph.nodes[name], np.asarray(total), state[name], dt)
            if name in late:
                history[name].insert(0, np.asarray(total))
                now[name] = _delayed(history[name], late[name] + 1, (batch, *shapes[name]))
        for name in lines:
            history[name].insert(0, np.asarray(sum(now[a] for a in graph.into(name))))
        before = now
        out.append(now)
    return {name: np.stack([now[name] for now in out]) for name in order} | {"": np.stack([now[sink] for now in out])}


def _delayed(history: list[np.ndarray], steps: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    out = np.zeros(shape)
    for at in np.ndindex(shape[1:]):
        ago = int(np.broadcast_to(steps, shape[1:])[at])
        if ago <= len(history):
            out[(slice(None), *at)] = history[ago - 1][(slice(None), *at)]
    return out


def _step(node: Any, x: np.ndarray, state: dict[str, np.ndarray], dt: float) -> np.ndarray:
    kind = node.kind
    if kind in ("Output", "Delay"):
        return x
    if kind in ("Linear", "Affine"):
        return x @ node.array("weight").T + (node.array("bias") if kind == "Affine" else 0)
    if kind == "Scale":
        return x * node.array("scale")
    if kind == "Threshold":
        return (x > node.array("threshold")).astype(float)
    if kind == "Flatten":
        start, end = flatten_range(node, x.shape[1:])
        return x.reshape(*x.shape[: start + 1], -1, *x.shape[end + 2 :])
    if kind.startswith("Conv"):
        weight, bias = (torch.from_numpy(node.array(n).astype(np.float64)) for n in ("weight", "bias"))
        conv: Any = functional.conv2d if kind == "Conv2d" else functional.conv1d
        geometry = node.ints("stride"), padding_of(node), node.ints("dilation"), node.ints("groups")[0]
        return conv(torch.from_numpy(x), weight, bias, *geometry).numpy()
    if kind.endswith("Pool2d"):
        window = (node.ints(n) for n in ("kernel_size", "stride", "padding"))
        out: Any = functional.avg_pool2d(torch.from_numpy(x), *window).numpy()
        return out * (np.prod(node.ints("kernel_size")) if kind == "SumPool2d" else 1)
    return _neurons(node, x, state, dt)


def _neurons(node: Any, x: np.ndarray, state: dict[str, np.ndarray], dt: float) -> np.ndarray:
    p = {n: node.array(n).astype(np.float64) for n in KINDS[node.kind].shaped}
    if node.kind.startswith("Cuba"):
        x = state["i"] = state["i"] + dt / p["tau_syn"] * (p["w_in"] * x - state["i"])
        p["tau"] = p["tau_mem"]
    if "tau" in p:
        v = state["v"] + dt / p["tau"] * ((p["v_leak"] - state["v"]) + p["r"] * x)
    else:
        v = state["v"] + dt * p["r"] * x
    if "v_threshold" not in p:
        state["v"] = v
        return v
    spikes = v > p["v_threshold"]
    state["v"] = np.where(spikes, p["v_reset"], v)
    return spikes.astype(float)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_graphs_spike_as_euler_says_over_200_steps(name: str):
    (path,) = (p for p in (FILES / "data").glob("*.nir") if name in p.name)
    graph = read(path)
    network = network_of(graph, 200, PUBLISHED[name])
    neurons = [n for n, part in network.parts.items() if isinstance(part, Neurons)]
    shape = (200, 4, *network.inputs[0].shape)
    x = (np.random.default_rng(1).random(shape) * (40 if name != "cnn_sinabs" else 1)).astype(np.float32)
    if name == "cnn_sinabs":
        x = (x < 0.1).astype(np.float32)
    wanted = euler(graph, x, PUBLISHED[name])
    builder = Builder(network)
    region = builder.graph(neurons)
    _, *given = evaluate(Module("net", weights=builder.weights, graph=region), [x], precision="f64")
    for neuron, spikes in zip(neurons, given, strict=True):
        assert np.array_equal(spikes.numpy(), wanted[neuron])
    assert 0 < np.mean([wanted[n].mean() for n in neurons]) < 1


@pytest.mark.parametrize("seed", range(40))
def test_random_graphs_are_what_euler_says(seed: int, tmp_path: Path):
    graph = random_graph(np.random.default_rng(seed))
    path = tmp_path / "drawn.nir"
    path.write_bytes(write(graph))
    imported = read_file(path)
    shape = (20, 3, *imported.module.graph.inputs[0].type.shape[2:])
    x = np.random.default_rng(1).normal(0.5, 1, shape).astype(np.float32)
    (given,) = evaluate(imported.module, [x], precision="f64")
    wanted = euler(read(path), x, 1e-4)[""]
    assert np.allclose(given.numpy(), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("seed", range(20))
def test_a_graph_goes_out_with_the_numbers_that_came_in(seed: int, tmp_path: Path):
    """Compiled for nir: every neuron and every weight of the file is in the graph that comes out, to the bit."""
    graph = random_graph(np.random.default_rng(seed))
    path = tmp_path / "drawn.nir"
    path.write_bytes(write(graph))
    bundle = qsc.compile(path, target="nir", verify=False)
    if not bundle.launches():
        pytest.skip("no neuron, or an output that is no spike")
    made = read(bundle.artifact(bundle.launches()[0].artifact)["graph.nir"])
    assert check(made) == []
    kept = {n.replace(".", "_"): node for n, node in flat(read(path)).nodes.items()}
    assert any(name in kept for name in made.nodes)
    for name, node in made.nodes.items():
        if name in kept and node.kind not in ("Input", "Output", "Delay") and node.kind == kept[name].kind:
            for field in (*KINDS[node.kind].shaped, *(("weight",) if "weight" in node.fields else ())):
                ours, theirs = node.array(field), np.broadcast_to(kept[name].array(field), node.array(field).shape)
                assert ours.dtype == theirs.dtype
                assert np.array_equal(ours, theirs)


def test_the_invalid_published_graph_is_refused_in_one_message():
    (path,) = (FILES / "data").glob("*subgraph.nir")
    with pytest.raises(
        qsc.QscError, match="lif1: the edge from input to lif refers to 'lif', which is no node"
    ) as caught:
        qsc.compile(path, target="nir", input_shape=(10,))
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "does not say for how many steps it runs"),
        ({"input_shape": (10, 3)}, "the input shape 10,3 does not fit"),
        ({"input_shape": (1,)}, "the input shape 1 of .* is without its steps"),
        ({"input_shape": (0,)}, "the input shape 0 does not fit"),
        ({"input_shape": (10,), "entry": "x"}, "takes no entry"),
        ({"input_shape": (10,), "dt": -1.0}, "option dt is -1.0"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict, message: str):
    (path,) = (FILES / "data").glob("*lif_norse.nir")
    with pytest.raises(qsc.QscError, match=message) as caught:
        qsc.compile(path, target="nir", **options)
    assert caught.value.exit_code == 2


def one_layer(tau: float, metadata: dict | None = None) -> bytes:
    one = np.ones(3, np.float32)
    lif = {"tau": np.float32(tau) * one, "r": one, "v_leak": 0 * one, "v_threshold": one, "v_reset": 0 * one}
    nodes = {
        "input": NirNode("Input", {"shape": np.array([2])}),
        "w": NirNode("Linear", {"weight": np.array([[1, 2], [3, -1], [0.4, 0.5]], np.float32)}),
        "n": NirNode("LIF", lif),
        "output": NirNode("Output", {"shape": np.array([3])}),
    }
    return write(NirGraph(nodes, list(pairwise(nodes)), metadata or {}))


def test_a_step_other_than_the_files_own_is_refused(tmp_path: Path):
    path = tmp_path / "net.nir"
    path.write_bytes(one_layer(0.01, {"qsc": {"dt": 1e-3, "time_steps": 5}}))
    with pytest.raises(qsc.QscError, match=r"O0002.*net.nir says that its steps are of 0.001 s, and .* dt is 0.002"):
        qsc.compile(path, target="nir", dt=2e-3)
    assert qsc.compile(path, target="nir", dt=1e-3, verify=False).launches()


@pytest.mark.parametrize("target", ["nir", "loihi2"])
@pytest.mark.parametrize("dt", [1e-3, 1e-4, 0.7e-3, 0.3])
def test_a_time_constant_of_one_step_keeps_nothing(tmp_path: Path, target: str, dt: float):
    path = tmp_path / "net.nir"
    path.write_bytes(one_layer(dt))
    assert qsc.compile(path, target=target, dt=dt, input_shape=(10,)).launches()
    assert not qsc.compile(path, target=target, dt=1.01 * dt, input_shape=(10,)).launches()
