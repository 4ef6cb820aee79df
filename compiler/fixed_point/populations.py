"""What fixed point needs to know of the neurons of a network: their recursion, what comes in, how far it can go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...backends.loihi.resets import taken_off
from ...bridges.networks import Network, Neurons, RefusedError
from ...bridges.networks.synapses import Synapses, shape_of, synapses


@dataclass(frozen=True)
class Population:
    """Neurons in the form v' = decay v + current + bias, fired above `threshold`, then 0.

    connections: their weights make currents, the neurons' own gains included but where they learn. gain: what neurons
    multiply their input with. decay, alpha: a step of the potential and
    of the synaptic current (None where there is none), one number a neuron. bias: into the potential in every step.
    current_bias: into the synaptic current. up, down, current: the largest potential, the largest one below 0 and the
    largest current that can come up, in the units of the model. taken_off: what a spike takes off the current of the
    next step, where the current holds the potential of neurons that are not reset to zero (`backends.loihi.resets`);
    else None.
    """

    name: str
    part: Neurons
    connections: tuple[Synapses, ...]
    gain: np.ndarray
    decay: np.ndarray
    alpha: np.ndarray | None
    threshold: np.ndarray
    bias: np.ndarray
    current_bias: np.ndarray
    up: float
    down: float
    current: float
    taken_off: np.ndarray | None = None


def population(network: Network, name: str, largest: Mapping[str, float]) -> Population:
    """The population of a part.

    largest: input -> its largest magnitude, and `part.v` -> the largest magnitude of a potential, on calibration data.
    Spikes are at most 1.
    """
    part = network.parts[name]
    assert isinstance(part, Neurons)
    decay, gain, offset = part.membrane()
    synapse = part.synapse()
    alpha = None if synapse is None else synapse[0]
    gains = gain if synapse is None else gain * synapse[1]
    back = taken_off(part) if part.reset == "subtract" else None
    if back is not None:
        alpha, decay = decay, np.zeros(part.shape)
    connections = tuple(_with_gain(s, gains, shape_of(network, s.source)) for s in synapses(network, name))
    constant = gains * sum((s.bias for s in connections), np.zeros(part.shape))
    into_current = np.zeros(part.shape) if alpha is None else constant if back is None else constant + offset
    bias = offset + constant - into_current
    reach = sum((_reach(s, part.shape, gains) * largest.get(s.source, 1.0) for s in connections), np.zeros(part.shape))
    reach = reach + np.abs(into_current) + (0 if back is None else np.abs(back))
    if alpha is not None:
        reach = reach / (1 - alpha)
    step = reach + np.abs(bias)
    threshold = part.full("threshold").astype(np.float64)
    seen = 4 * largest[f"{name}.v"] + step
    below = np.where(decay < 1, np.minimum(step / np.maximum(1 - decay, 1e-9), seen), seen)
    return Population(
        name,
        part,
        connections,
        gains,
        decay,
        alpha,
        threshold,
        bias,
        into_current,
        float((np.abs(threshold) + step).max()),
        float(below.max()),
        float(reach.max()),
        back,
    )


def _with_gain(s: Synapses, gain: np.ndarray, given: tuple[int, ...]) -> Synapses:
    """The connection with the gain of the neurons in its weights, as a matrix where that differs within a channel.

    Weights that learn stay as they are.
    """
    if s.plastic is not None:
        return s
    if s.geometry is None:
        return Synapses(s.source, s.target, s.steps, s.weight * gain.reshape(-1, 1), s.bias, s.delays)
    channels = gain.reshape(gain.shape[0], -1)
    if np.ptp(channels, axis=1).any():
        raise RefusedError("neurons of one channel have different gains behind a convolution")
    weight = s.weight * channels[:, 0].reshape(-1, *(1,) * (s.weight.ndim - 1))
    return Synapses(s.source, s.target, s.steps, weight, s.bias, None, s.geometry)


def _reach(s: Synapses, shape: tuple[int, ...], gain: np.ndarray) -> np.ndarray:
    """The sum of magnitudes into every neuron; what a kernel lays outside the picture is counted with it. Weights that
    learn count with the largest that they can become."""
    if s.plastic is not None:
        op = s.plastic.fields["rule"]
        return np.abs(gain) * s.weight.shape[1] * max(abs(op.low), abs(op.high))
    if s.geometry is None:
        return np.abs(s.weight).sum(axis=1).reshape(shape)
    total = np.abs(s.weight).reshape(len(s.weight), -1).sum(axis=1)
    return np.broadcast_to(total.reshape(-1, *(1,) * (len(shape) - 1)), shape)
