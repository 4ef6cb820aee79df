"""What is counted of a NIR graph: against counting it all again by hand."""

from __future__ import annotations

import io
from typing import Any

import nir
import numpy as np
import pytest
import torch
from qsc.backends.activity import RASTER_NEURONS
from qsc.backends.nir.record import Recorder
from qsc.backends.nir.simulate import run_graph
from qsc.bridges.nir import NirGraph, read


def ours(graph: nir.NIRGraph) -> NirGraph:
    """A graph of the package nir as ours, through a file."""
    buffer: Any = io.BytesIO()
    nir.write(buffer, graph, compression=None)  # pyright: ignore[reportArgumentType] - h5py takes None
    return read(buffer.getvalue())


DT, STEPS = 1e-3, 6


def graph_of(nodes: dict[str, Any], edges: list[tuple[str, str]], into: tuple[int, ...], out: tuple[int, ...]) -> Any:
    ends = {"input": nir.Input({"input": np.array(into)}), "output": nir.Output({"output": np.array(out)})}
    return ours(nir.NIRGraph(nodes=ends | nodes, edges=edges))


def lif(shape: tuple[int, ...]) -> Any:
    one, zero = np.ones(shape, np.float32), np.zeros(shape, np.float32)
    return nir.LIF(5 * DT * one, 5 * one, zero, one, v_reset=zero)


def run(graph: Any, x: np.ndarray, sequence: bool = True, steps: int = STEPS) -> tuple[np.ndarray, Recorder]:
    watch = Recorder(graph, steps, DT, {"w": 4})
    out, _ = run_graph(graph, steps, DT, torch.from_numpy(x), sequence=sequence, watch=watch)
    return out.numpy(), watch


def test_a_sparse_matrix_counts_the_weights_that_are_there():
    rng = np.random.default_rng(0)
    weight = rng.normal(1, 1, (7, 5)).astype(np.float32) * (rng.random((7, 5)) < 0.5)
    graph = graph_of(
        {"w": nir.Linear(weight), "s": lif((7,))}, [("input", "w"), ("w", "s"), ("s", "output")], (5,), (7,)
    )
    x = (rng.random((STEPS, 3, 5)) < 0.5).astype(np.float32)
    out, watch = run(graph, x)
    activity = watch.activity()
    (synapses,), (neurons,) = activity.synapses, activity.neurons
    assert synapses.events == sum(np.count_nonzero(weight[:, j]) for *_, j in np.argwhere(x))
    assert (synapses.kind, synapses.binary, synapses.weight_bits) == ("sparse", True, 4)
    assert synapses.connections == np.count_nonzero(weight)
    assert neurons.spikes == activity.spikes == out.sum()
    raster = activity.rasters["s"].spikes
    assert raster is not None
    assert np.array_equal(raster, out[:, 0] > 0)


@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (2, 1), (3, 2)])
def test_a_kernel_counts_where_it_lies_on_a_spike(stride: int, padding: int):
    rng = np.random.default_rng(1)
    weight = rng.normal(0.5, 1, (4, 2, 3, 3)).astype(np.float32)
    weight[0, 0, 1] = 0
    size = (6 + 2 * padding - 3) // stride + 1
    nodes = {"w": nir.Conv2d((6, 6), weight, stride, padding, 1, 1, np.zeros(4, np.float32)), "s": lif((4, size, size))}
    graph = graph_of(nodes, [("input", "w"), ("w", "s"), ("s", "output")], (2, 6, 6), (4, size, size))
    x = (rng.random((STEPS, 2, 2, 6, 6)) < 0.3).astype(np.float32)
    (synapses,) = run(graph, x)[1].activity().synapses
    places = np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1).reshape(-1, 2) * stride - padding
    wanted = 0
    for spike in np.argwhere(x):
        for a, b in spike[3:] - places:
            wanted += np.count_nonzero(weight[:, spike[2], a, b]) if 0 <= a < 3 and 0 <= b < 3 else 0
    assert synapses.events == wanted
    assert (synapses.kind, synapses.biases, synapses.kernel) == ("conv", 0, 36)


def test_what_is_the_same_in_every_step_comes_in_in_every_step():
    weight = np.ones((3, 4), np.float32)
    graph = graph_of(
        {"w": nir.Linear(weight), "s": lif((3,))}, [("input", "w"), ("w", "s"), ("s", "output")], (4,), (3,)
    )
    x = np.array([[0.5, 0, 1, 2]], np.float32)
    static = run(graph, x, sequence=False)[1].activity()
    shown = run(graph, np.repeat(x[None], STEPS, axis=0))[1].activity()
    assert static.synapses == shown.synapses
    assert static.synapses[0].inputs == 3 * STEPS
    assert not static.synapses[0].binary


def test_potentials_are_those_before_the_reset():
    nodes = {"w": nir.Linear(np.eye(2, dtype=np.float32)), "s": lif((2,))}
    graph = graph_of(nodes, [("input", "w"), ("w", "s"), ("s", "output")], (2,), (2,))
    x = np.zeros((3, 1, 2), np.float32)
    x[:2, 0, 0] = 0.9
    traces = run(graph, x, steps=3)[1].activity().potentials["s"]
    assert traces.potentials is not None
    assert traces.thresholds is not None
    assert traces.potentials[:, 0].tolist() == pytest.approx([0.9, 0.8 * 0.9 + 0.9, 0.0])
    assert traces.thresholds.tolist() == [1, 1]


def test_pictures_keep_some_neurons_of_a_large_layer():
    count = 3 * RASTER_NEURONS
    nodes = {"w": nir.Scale(np.ones(count, np.float32)), "s": lif((count,))}
    graph = graph_of(nodes, [("input", "w"), ("w", "s"), ("s", "output")], (count,), (count,))
    raster = run(graph, np.ones((STEPS, 2, count), np.float32))[1].activity().rasters["s"]
    assert raster.spikes is not None
    assert raster.spikes.shape == (STEPS, RASTER_NEURONS)
    assert raster.neurons[[0, -1]].tolist() == [0, count - 1]
    assert raster.total == count
