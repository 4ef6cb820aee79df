"""Counts what the nodes of a NIR graph do while the simulator runs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..activity import Activity, NeuronCounts, SynapseCounts, Traces
from .plan import NEURONS

STATES = {"I": 1, "IF": 1, "LI": 1, "LIF": 1, "CubaLI": 2, "CubaLIF": 2, "Threshold": 0}
"""Kind of a node -> numbers that each of its neurons keeps."""

RASTER_NEURONS, TRACE_NEURONS = 1000, 4
"""Most neurons of a layer whose spikes, and whose potentials, are kept for pictures."""


@dataclass
class _Node:
    """What was seen of one node. calls: steps in which the simulator computed it."""

    calls: int = 0
    arrived: Tensor | None = None
    """How often something that is not zero came into each place, over rows and steps."""
    binary: bool = True
    spikes: float = 0.0
    raster: list[np.ndarray] = field(default_factory=list)
    potentials: list[np.ndarray] = field(default_factory=list)


class Recorder:
    """A `simulate.Watch` that counts. bits: node -> bits of its weights, 32 where it has none."""

    def __init__(self, graph: Any, steps: int, dt: float, bits: Mapping[str, int]) -> None:
        self._graph, self._steps, self._dt, self._bits = graph, steps, dt, bits
        self._seen: dict[str, _Node] = {}
        self._rows = 0

    def __call__(self, name: str, given: Tensor, value: Tensor, potential: Tensor | None) -> None:
        node, seen = self._graph.nodes[name], self._seen.setdefault(name, _Node())
        seen.calls += 1
        self._rows = len(given)
        if hasattr(node, "weight"):
            arrived = given.count_nonzero(dim=0)
            seen.arrived = arrived if seen.arrived is None else seen.arrived + arrived
            seen.binary = seen.binary and bool((given * given == given).all())
        if type(node).__name__ in NEURONS:
            seen.spikes += float(value.sum())
            seen.raster.append(_chosen(value[:1], RASTER_NEURONS))
        # A membrane that does not fire puts its potential out.
        if potential is not None:
            seen.potentials.append(_chosen(potential[:1], TRACE_NEURONS))

    def activity(self) -> Activity:
        """The counts and traces of the run."""
        synapses, neurons = [], []
        rasters, potentials = dict[str, Traces](), dict[str, Traces]()
        for name, seen in self._seen.items():
            node = self._graph.nodes[name]
            kind, size = type(node).__name__, int(np.prod(node.output_type["output"]))
            if hasattr(node, "weight"):
                synapses.append(self._synapses(name, node, seen))
            elif kind in STATES:
                leaks = kind not in ("I", "IF", "Threshold")
                neurons.append(NeuronCounts(name, size, seen.spikes, STATES[kind], leaks, kind in NEURONS))
            if seen.raster:
                rasters[name] = Traces(_indices(size, RASTER_NEURONS), spikes=np.array(seen.raster) > 0, total=size)
            if seen.potentials:
                chosen = _indices(size, TRACE_NEURONS)
                thresholds = self._thresholds(name, node)
                potentials[name] = Traces(
                    chosen,
                    potentials=np.array(seen.potentials),
                    thresholds=None if thresholds is None else np.broadcast_to(thresholds.ravel(), size)[chosen],
                    total=size,
                )
        return Activity(self._rows, self._steps, self._dt, tuple(synapses), tuple(neurons), rasters, potentials)

    def _thresholds(self, name: str, node: Any) -> np.ndarray | None:
        """Of the node, or of the one that fires for it."""
        if hasattr(node, "v_threshold"):
            return np.asarray(node.v_threshold)
        after = [self._graph.nodes[b] for a, b in self._graph.edges if a == name]
        return next((np.asarray(n.threshold) for n in after if type(n).__name__ == "Threshold"), None)

    def _synapses(self, name: str, node: Any, seen: _Node) -> SynapseCounts:
        assert seen.arrived is not None
        arrived = seen.arrived.double()
        # What is the same in every step is computed in the first, and comes in in all.
        repeated = self._steps / seen.calls
        weight = np.asarray(node.weight)
        targets = int(np.prod(node.output_type["output"]))
        conv = type(node).__name__.startswith("Conv")
        places = targets // weight.shape[0] if conv else 1
        used = int(np.count_nonzero(weight))
        events = _conv_events(node, arrived, weight) if conv else _dense_events(arrived, weight)
        return SynapseCounts(
            name,
            "conv" if conv else "dense" if used == weight.size else "sparse",
            float(arrived.sum()) * repeated,
            events * repeated,
            seen.binary,
            used * places,
            weight.size,
            weight.shape[0] if hasattr(node, "bias") and np.any(node.bias) else 0,
            arrived.numel(),
            targets,
            self._bits.get(name, 32),
            weight.shape[0] * int(np.prod(weight.shape[2:])) if conv else 0,
        )


def _indices(count: int, most: int) -> np.ndarray:
    """At most so many of the numbers below `count`, evenly spread."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(np.int64)


def _chosen(values: Tensor, most: int) -> np.ndarray:
    flat = values.reshape(-1)
    return flat[torch.from_numpy(_indices(len(flat), most))].numpy()


def _dense_events(arrived: Tensor, weight: np.ndarray) -> float:
    fan_out = torch.from_numpy((weight != 0).sum(axis=0)).double()
    return float((arrived @ fan_out).sum())


def _conv_events(node: Any, arrived: Tensor, weight: np.ndarray) -> float:
    """Sums what arrived under every weight of the kernel that is not zero, at every place."""
    kernel = torch.from_numpy((weight != 0).astype(np.float64))
    function = functional.conv2d if weight.ndim == 4 else functional.conv1d
    stride, padding, dilation = (_ints(v) for v in (node.stride, node.padding, node.dilation))
    return float(function(arrived[None], kernel, None, stride, padding, dilation, int(node.groups)).sum())


def _ints(value: Any) -> Any:
    return value if isinstance(value, str) else tuple(int(v) for v in np.atleast_1d(value))
