"""What a program of Loihi 2 did in a run, as every spiking backend says it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..activity import (
    RASTER_NEURONS,
    TRACE_NEURONS,
    Activity,
    Laying,
    NeuronCounts,
    SynapseCounts,
    Traces,
    evenly,
    synaptic_events,
)
from .program import Connection, Population, Program


def activity_of(
    program: Program, spikes: Mapping[str, np.ndarray], potentials: Mapping[str, np.ndarray] | None = None
) -> Activity:
    """The counts of a run.

    spikes: source or population -> (steps, rows, *shape), what it put out. potentials: population -> v, the same shape,
    whose first row is kept for pictures.
    """
    steps, rows = next(iter(spikes.values())).shape[:2]
    arrived = {name: np.count_nonzero(array, axis=(0, 1)) for name, array in spikes.items()}
    bits = {source.name: max(1, source.message_bits) for source in program.sources}
    shapes = {end.name: end.shape for end in (*program.sources, *program.populations)}
    synapses = tuple(
        _synapses(c, arrived[c.source], bits.get(c.source, 1), shapes[c.target]) for c in program.connections
    )
    neurons = tuple(_neurons(p, float(arrived[p.name].sum())) for p in program.populations)
    rasters = {p.name: _raster(spikes[p.name]) for p in program.populations}
    known = potentials or {}
    traced = {p.name: _traces(p, known[p.name]) for p in program.populations if p.name in known}
    return Activity(rows, steps, None, synapses, neurons, rasters, traced)


def _synapses(c: Connection, arrived: np.ndarray, input_bits: int, target: tuple[int, ...]) -> SynapseCounts:
    # A synapse that learns is used whatever its weight is.
    weight = c.effective() if c.learning is None else np.ones_like(c.weight)
    window = c.window
    laying = None if window is None else Laying(window.stride, window.padding, window.dilation, window.groups)
    used, targets = int(np.count_nonzero(weight)), int(np.prod(target))
    kind = "conv" if window is not None else "dense" if used == weight.size else "sparse"
    return SynapseCounts(
        c.name,
        kind,
        float(arrived.sum()),
        synaptic_events(weight, arrived, laying),
        input_bits,
        used * (1 if window is None else targets // weight.shape[0]),
        weight.size,
        0,
        arrived.size,
        targets,
        c.weight_bits,
        0 if window is None else weight.shape[0] * int(np.prod(weight.shape[2:])),
    )


def _neurons(p: Population, spikes: float) -> NeuronCounts:
    """A current without memory (du = 4095) is no state."""
    currents = bool((np.asarray(p.du) < 4095).any())
    leaks = bool((np.asarray(p.dv) > 0).any()) or currents
    return NeuronCounts(p.name, int(np.prod(p.shape)), spikes, 2 if currents else 1, leaks)


def _raster(spikes: np.ndarray) -> Traces:
    flat = spikes[:, 0].reshape(len(spikes), -1)
    chosen = evenly(flat.shape[1], RASTER_NEURONS)
    return Traces(chosen, spikes=flat[:, chosen] != 0, total=flat.shape[1])


def _traces(population: Population, v: np.ndarray) -> Traces:
    """In the chip's units."""
    flat = v[:, 0].reshape(len(v), -1)
    chosen = evenly(flat.shape[1], TRACE_NEURONS)
    levels = np.broadcast_to(np.ravel(population.threshold), flat.shape[1])[chosen].astype(np.float64) * 64
    return Traces(
        chosen,
        potentials=flat[:, chosen].astype(np.float32),
        thresholds=levels,
        total=flat.shape[1],
    )
