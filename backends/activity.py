"""What the neurons and synapses of a launch did in a run: plain counts, summed over rows and steps.

A backend whose `run` is asked to `record` leaves an `Activity` in `last_activity`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

RASTER_NEURONS, TRACE_NEURONS = 1000, 4
"""Most neurons of a layer whose spikes, and whose potentials, are kept for pictures."""


@dataclass(frozen=True)
class SynapseCounts:
    """One layer of weights.

    kind: "dense", "conv", or "sparse" where some weights of a matrix are zero. inputs: numbers that came in and are not
    zero. events: connections whose weight is not zero and that one of these passed. input_bits: of a number that came
    in and its sign, 1 where all are 0 or 1, 32 where they are no whole numbers. connections: those with a weight that
    is not zero, a kernel counted once for every place it is laid on. weights, biases: numbers that are stored. sources,
    targets: numbers in and out in a step. weight_bits: of a stored weight. kernel: output channels times places of a
    kernel, 0 without one.
    """

    name: str
    kind: str
    inputs: float
    events: float
    input_bits: int
    connections: int
    weights: int
    biases: int
    sources: int
    targets: int
    weight_bits: int = 32
    kernel: int = 0

    def plus(self, other: SynapseCounts) -> SynapseCounts:
        """The counts of both runs."""
        events, inputs = self.events + other.events, self.inputs + other.inputs
        return replace(self, events=events, inputs=inputs, input_bits=max(self.input_bits, other.input_bits))

    @property
    def binary(self) -> bool:
        """Whether all that came in is 0 or 1, so that an event is an addition."""
        return self.input_bits == 1


@dataclass(frozen=True)
class NeuronCounts:
    """One layer of neurons. spikes: how many it put out. states: numbers that a neuron keeps from step to step, none
    for a threshold alone. leaks: whether a state is multiplied in every step. fires: whether it puts out spikes."""

    name: str
    neurons: int
    spikes: float
    states: int = 1
    leaks: bool = True
    fires: bool = True

    def plus(self, other: NeuronCounts) -> NeuronCounts:
        """The counts of both runs."""
        return replace(self, spikes=self.spikes + other.spikes)


@dataclass(frozen=True)
class Traces:
    """What some neurons of one layer did with the first row. neurons: their numbers. spikes: bool (steps, neurons), or
    None. potentials: float32 (steps, neurons) before a spike's reset, or None. thresholds: of these neurons."""

    neurons: np.ndarray
    spikes: np.ndarray | None = None
    potentials: np.ndarray | None = None
    thresholds: np.ndarray | None = None
    total: int = 0
    """How many neurons the layer has."""


@dataclass(frozen=True)
class Activity:
    """A run of `rows` inputs of `steps` steps of `dt` seconds, None where steps have no length. rasters, potentials:
    layer -> what its first row did."""

    rows: int
    steps: int
    dt: float | None
    synapses: tuple[SynapseCounts, ...] = ()
    neurons: tuple[NeuronCounts, ...] = ()
    rasters: dict[str, Traces] = field(default_factory=dict)
    potentials: dict[str, Traces] = field(default_factory=dict)

    @property
    def spikes(self) -> float:
        """Of all neurons, rows and steps."""
        return sum(n.spikes for n in self.neurons)

    def plus(self, other: Activity) -> Activity:
        """The counts of two runs of the same network; the pictures stay those of the first."""
        return replace(
            self,
            rows=self.rows + other.rows,
            synapses=tuple(a.plus(b) for a, b in zip(self.synapses, other.synapses, strict=True)),
            neurons=tuple(a.plus(b) for a, b in zip(self.neurons, other.neurons, strict=True)),
        )


def bits_of(low: float, high: float, whole: bool) -> int:
    """Bits of a number between low and high, and of its sign where there are any below 0; 32 for no whole numbers."""
    return min(32, max(1, int(max(high, -low)).bit_length() + (low < 0))) if whole else 32


def sum_of(runs: Iterable[Activity | None]) -> Activity | None:
    """All runs of one network as one; None where there is none."""
    known = [run for run in runs if run is not None]
    total = known[0] if known else None
    for run in known[1:]:
        total = run if total is None else total.plus(run)
    return total


def evenly(count: int, most: int) -> np.ndarray:
    """At most so many of the numbers below `count`, evenly spread."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(np.int64)


@dataclass(frozen=True)
class Laying:
    """How a kernel is laid on its input, as torch counts."""

    stride: tuple[int, ...]
    padding: tuple[int, ...] | str
    dilation: tuple[int, ...]
    groups: int = 1


def synapses_of(weight: np.ndarray, source: tuple[int, ...], laying: Laying | None = None) -> int:
    """How many connections with a weight that is not zero there are; what a kernel meets in the padding is none.

    weight, laying: as of `synaptic_events`. source: the shape of what comes in.
    """
    return round(synaptic_events(weight, np.ones(source), laying))


def synaptic_events(weight: np.ndarray, arrived: np.ndarray, laying: Laying | None = None) -> float:
    """How many connections with a weight that is not zero are passed.

    weight: (targets, sources), or a kernel (out channels, in channels / groups, places...) with its `laying`. arrived:
    how often something that is not zero came from every source, (sources,) or (channels, places...).
    """
    if laying is None:
        return float((arrived.reshape(-1) * (weight != 0).sum(axis=0)).sum())
    import torch

    function = torch.nn.functional.conv2d if weight.ndim == 4 else torch.nn.functional.conv1d
    kernel = torch.from_numpy((weight != 0).astype(np.float64))
    given = torch.from_numpy(arrived[None].astype(np.float64))
    padding: Any = laying.padding
    return float(function(given, kernel, None, laying.stride, padding, laying.dilation, laying.groups).sum())
