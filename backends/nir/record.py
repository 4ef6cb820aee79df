"""Counts what the nodes of a NIR graph do while the simulator runs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from ...bridges.nir import NirGraph, NirNode, shapes_of
from ...bridges.nir.shapes import padding_of
from ..activity import (
    RASTER_NEURONS,
    TRACE_NEURONS,
    Activity,
    Laying,
    NeuronCounts,
    SynapseCounts,
    Traces,
    bits_of,
    evenly,
    synaptic_events,
)
from .plan import NEURONS

STATES = {"I": 1, "IF": 1, "LI": 1, "LIF": 1, "CubaLI": 2, "CubaLIF": 2, "Threshold": 0}
"""Kind of a node -> numbers that each of its neurons keeps."""


@dataclass
class _Node:
    """What was seen of one node. calls: steps in which the simulator computed it."""

    calls: int = 0
    arrived: Tensor | None = None
    """How often something that is not zero came into each place, over rows and steps."""
    low: float = 0.0
    high: float = 1.0
    whole: bool = True
    """The range of what came in, and whether it is whole numbers."""
    spikes: float = 0.0
    raster: list[np.ndarray] = field(default_factory=list)
    potentials: list[np.ndarray] = field(default_factory=list)


class Recorder:
    """A `simulate.Watch` that counts. bits: node -> bits of its weights, 32 where it has none."""

    def __init__(self, graph: NirGraph, steps: int, dt: float, bits: Mapping[str, int]) -> None:
        self._shapes, _ = shapes_of(graph)
        self._graph, self._steps, self._dt, self._bits = graph, steps, dt, bits
        self._seen: dict[str, _Node] = {}
        self._rows = 0

    def __call__(self, name: str, given: Tensor, value: Tensor, potential: Tensor | None) -> None:
        node, seen = self._graph.nodes[name], self._seen.setdefault(name, _Node())
        seen.calls += 1
        self._rows = len(given)
        if "weight" in node.fields:
            arrived = given.count_nonzero(dim=0)
            seen.arrived = arrived if seen.arrived is None else seen.arrived + arrived
            seen.whole = seen.whole and bool((given == given.round()).all())
            seen.low, seen.high = min(seen.low, float(given.min())), max(seen.high, float(given.max()))
        if node.kind in NEURONS:
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
            kind, size = node.kind, int(np.prod(self._shapes[name]))
            if "weight" in node.fields:
                synapses.append(self._synapses(name, node, seen))
            elif kind in STATES:
                leaks = kind not in ("I", "IF", "Threshold")
                neurons.append(NeuronCounts(name, size, seen.spikes, STATES[kind], leaks, kind in NEURONS))
            if seen.raster:
                rasters[name] = Traces(evenly(size, RASTER_NEURONS), spikes=np.array(seen.raster) > 0, total=size)
            if seen.potentials:
                chosen = evenly(size, TRACE_NEURONS)
                thresholds = self._thresholds(name, node)
                potentials[name] = Traces(
                    chosen,
                    potentials=np.array(seen.potentials),
                    thresholds=None if thresholds is None else np.broadcast_to(thresholds.ravel(), size)[chosen],
                    total=size,
                )
        return Activity(self._rows, self._steps, self._dt, tuple(synapses), tuple(neurons), rasters, potentials)

    def _thresholds(self, name: str, node: NirNode) -> np.ndarray | None:
        """Of the node, or of the one that fires for it."""
        if "v_threshold" in node.fields:
            return node.array("v_threshold")
        after = [self._graph.nodes[b] for a, b in self._graph.edges if a == name]
        return next((n.array("threshold") for n in after if n.kind == "Threshold"), None)

    def _synapses(self, name: str, node: NirNode, seen: _Node) -> SynapseCounts:
        assert seen.arrived is not None
        arrived = seen.arrived.numpy()
        # What is the same in every step is computed in the first, and comes in in all.
        repeated = self._steps / seen.calls
        weight = node.array("weight")
        targets = int(np.prod(self._shapes[name]))
        conv = node.kind.startswith("Conv")
        places = targets // weight.shape[0] if conv else 1
        used = int(np.count_nonzero(weight))
        events = synaptic_events(weight, arrived, _laying(node) if conv else None)
        return SynapseCounts(
            name,
            "conv" if conv else "dense" if used == weight.size else "sparse",
            float(arrived.sum()) * repeated,
            events * repeated,
            bits_of(seen.low, seen.high, seen.whole),
            used * places,
            weight.size,
            weight.shape[0] if "bias" in node.fields and node.array("bias").any() else 0,
            arrived.size,
            targets,
            self._bits.get(name, 32),
            weight.shape[0] * int(np.prod(weight.shape[2:])) if conv else 0,
        )


def _chosen(values: Tensor, most: int) -> np.ndarray:
    flat = values.reshape(-1)
    return flat[torch.from_numpy(evenly(len(flat), most))].numpy()


def _laying(node: NirNode) -> Laying:
    return Laying(node.ints("stride"), padding_of(node), node.ints("dilation"), node.ints("groups")[0])
