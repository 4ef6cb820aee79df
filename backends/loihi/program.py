"""A Loihi 2 program as plain data: spike sources, populations of leaky integrate-and-fire neurons, and connections.

All numbers are integers, as the chip holds them. What they mean is Lava's fixed-point model (lava-nc 0.10,
`lava.proc.lif`, `lava.proc.dense`, `lava.proc.conv`, `lava.proc.sparse`), step by step and for every neuron:

    a  = sum over connections of shift(W s, exponent)          of the spikes that arrive in this step
    u <- sgn(u) * ((|u| * (4096 - (du + 1))) >> 12) + (a << 6)   wrapped once, modulo 2^24
    v <- sgn(v) * ((|v| * (4096 - dv)) >> 12) + u + (bias << bias_exponent)   clipped to +-(2^23 - 1)
    spike where v > threshold << 6, and then v <- 0

A spike of step t arrives in step t + 1 + delay: every connection costs one step. Sums are kept in 32 bits with a sign
and wrap there; u and v are 32 bits wide until they are wrapped or clipped to 24. The sum of a convolution wraps at 24
bits once it is shifted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from ...ir.whole_learning import WholeRule

Synapses: TypeAlias = Any
"""np.ndarray, or scipy.sparse.csr_array for a matrix without its zeros; scipy has no types for a checker."""

CLIPS = {"mixed": (-256, 255), "excitatory": (0, 255), "inhibitory": (-255, 0)}
"""Sign mode of a connection -> the least and the greatest weight that is not clipped."""

SIGNS = tuple(CLIPS)


@dataclass(frozen=True)
class Source:
    """Where spikes come in. Its values of step t leave in step t.

    message_bits: 0 for binary spikes, else 2..24: the bits of a graded spike's payload with its sign, a whole number
    of a magnitude below 2^(message_bits - 1).
    """

    name: str
    shape: tuple[int, ...]
    message_bits: int = 0


@dataclass(frozen=True)
class Population:
    """Neurons with the same registers but for those given as arrays of `shape`.

    du, dv: decays in units of 1 / 4096, 0..4095; du = 4095 is a current without memory, dv = 0 a potential without
    leak. threshold: mantissa, 0..2^17 - 1, compared as threshold << 6. bias: mantissa, -2^12..2^12 - 1, shifted left
    by bias_exponent, 0..7. initial_v: potential before the first step, within +-(2^23 - 1).
    """

    name: str
    shape: tuple[int, ...]
    du: int | np.ndarray = 4095
    dv: int | np.ndarray = 0
    threshold: int | np.ndarray = 1
    bias: int | np.ndarray = 0
    bias_exponent: int = 0
    initial_v: int | np.ndarray = 0


@dataclass(frozen=True)
class Window:
    """The geometry of a convolution over (channels, height, width), as in torch."""

    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    def places(self, kernel: tuple[int, ...], size: tuple[int, ...]) -> tuple[int, int]:
        """(height, width) of what a kernel (height, width) makes of a size (height, width)."""
        high, wide = (
            (size[k] + 2 * self.padding[k] - self.dilation[k] * (kernel[k] - 1) - 1) // self.stride[k] + 1
            for k in (0, 1)
        )
        return high, wide


@dataclass(frozen=True)
class Learning:
    """How the weights of a connection move after every step, from the spikes of its source and its target in it.

    rule: in whole numbers, its sign that of the connection. seed: of the random numbers by which traces and weights are
    rounded, at least 0. What a spike brings is what the weight was before the step's learning.
    """

    rule: WholeRule
    seed: int = 0


@dataclass(frozen=True)
class Connection:
    """Synapses from a source or population to a population.

    weight: integers; (target neurons, source neurons), both flattened row by row, as an array or as a csr_array of
    scipy.sparse, or with a `window` a kernel (out channels, in channels / groups, height, width). weight_bits: 1..8, of
    which a mixed sign takes one. A weight keeps the bits that are left: see `effective`. exponent: -7..7, the sum is
    shifted by it after it is formed, to the right rounding down. delays: None or one number 0..63 a synapse, of the
    shape of `weight`, or of `weight.data` where that is a csr_array; steps beside the one that every connection costs.
    What arrives by each delay is shifted on its own, then added. sparse: whether the chip stores only weights that are
    not zero. learning: how its weights move, None where they stay. Those that move have 8 bits, and neither window nor
    delays, are not sparse and take spikes of 0 and 1; `weight` is what they begin with.
    """

    name: str
    source: str
    target: str
    weight: Synapses
    weight_bits: int = 8
    exponent: int = 0
    sign: str = "mixed"
    delays: np.ndarray | None = None
    window: Window | None = None
    sparse: bool = False
    learning: Learning | None = None

    def effective(self) -> Synapses:
        """The weights that the chip multiplies with, int32, in the form of `weight`.

        A magnitude has 8 bits, or 9 of which the lowest is lost where signs are mixed: weights are clipped to -256..254
        (mixed), 0..255 (excitatory) or -255..0 (inhibitory), and lose 8 - weight_bits more low bits. Mixed weights are
        rounded down, those of one sign towards zero (lava.utils.weightutils, truncate_weights).
        """
        if isinstance(self.weight, np.ndarray):
            return self._kept(self.weight)
        kept = self.weight.copy()
        kept.data = self._kept(self.weight.data)
        return kept

    def _kept(self, weight: np.ndarray) -> np.ndarray:
        low, high = CLIPS[self.sign]
        lost = 8 - self.weight_bits + (self.sign == "mixed")
        kept = np.clip(weight, low, high).astype(np.int32)
        return -(-kept >> lost << lost) if self.sign == "inhibitory" else kept >> lost << lost


@dataclass(frozen=True)
class Program:
    """Sources, populations and connections, each under its name; names are unique over all three.

    outputs: populations whose spikes are read. latency: steps from a value put into a source to the spikes that it
    causes at the outputs; reading starts there.
    """

    sources: tuple[Source, ...]
    populations: tuple[Population, ...]
    connections: tuple[Connection, ...]
    outputs: tuple[str, ...]
    latency: int = 0
    scales: dict[str, float] = field(default_factory=dict)
    """Population -> what one unit of its potential is in the units of the float model."""
