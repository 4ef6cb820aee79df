"""The neurons of a population, step by step: Lava's fixed-point leaky integrate-and-fire model.

The rules are those of lava.proc.lif.models, AbstractPyLifModelFixed.subthr_dynamics and PyLifModelBitAcc. A decay
sgn(x) * ((|x| d) >> 12) is trunc(x * (d / 4096)), exactly: d is a whole number of 13 bits, 4096 a power of two, x has
at most 32 bits, and float64 holds their product.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .arrays import Kit
from .program import Population

U_LIMIT = float(2**23)
V_LIMIT = float(2**23 - 1)
ACTIVATION_SHIFT = 6
DECAY_ONE = 4096


@dataclass
class Neurons:
    """The state and constants of one population for a batch of inputs.

    u, v: (batch, neurons). keep_u, keep_v: what one step keeps of them; threshold, bias: shifted; all (neurons,).
    memory, leak, biased: whether any current is kept, any potential lost, any bias not 0. steady: whether u never
    leaves 24 bits. wide: whether it can be outside after it was wrapped, and then grow beyond 32.
    """

    kit: Kit
    u: Any
    v: Any
    keep_u: Any
    keep_v: Any
    threshold: Any
    bias: Any
    memory: bool
    leak: bool
    biased: bool
    steady: bool
    wide: bool

    @classmethod
    def of(cls, p: Population, batch: int, peak: float, kit: Kit) -> Neurons:
        """The neurons of `p` before the first step. peak: what the sum of all arrivals of a step never exceeds."""
        count = int(np.prod(p.shape))

        def each(values: Any) -> np.ndarray:
            return np.broadcast_to(np.asarray(values, np.float64), p.shape).reshape(count).copy()

        keep_u = (DECAY_ONE - (each(p.du) + 1)) / DECAY_ONE
        keep_v = (DECAY_ONE - each(p.dv)) / DECAY_ONE
        bias = each(p.bias) * 2.0**p.bias_exponent
        input_peak = peak * 2**ACTIVATION_SHIFT
        most = float(keep_u.max())
        u = kit.zeros((batch, count), "float64")
        v = kit.put(np.tile(each(p.initial_v), (batch, 1)))
        return cls(
            kit,
            u,
            v,
            kit.put(keep_u),
            kit.put(keep_v),
            kit.put(each(p.threshold) * 2.0**ACTIVATION_SHIFT),
            kit.put(bias),
            memory=bool(keep_u.any()),
            leak=bool((keep_v < 1).any()),
            biased=bool(bias.any()),
            steady=input_peak < U_LIMIT * (1 - most),
            wide=input_peak > 2 * U_LIMIT,
        )

    def advance(self, arrivals: Any, v: Any, spikes: Any) -> None:
        """Take steps with these sums of synaptic input, (steps, batch, neurons).

        Writes u over `arrivals`, and v after the reset and the spikes into the other two, of the same shape.
        """
        kit = self.kit
        kit.multiply(arrivals, float(2**ACTIVATION_SHIFT), out=arrivals)
        if self.wide:
            arrivals[:] = kit.wrapped(arrivals, 32)
        self._currents(arrivals)
        drive = arrivals + self.bias if self.biased else arrivals
        clips = not self._within(drive)
        last = self.v
        for t in range(len(arrivals)):
            now = v[t]
            if self.leak:
                kit.multiply(last, self.keep_v, out=now)
                kit.trunc(now, out=now)
                kit.add(now, drive[t], out=now)
            else:
                kit.add(last, drive[t], out=now)
            if clips:
                self._clip(now)
            kit.greater(now, self.threshold, out=spikes[t])
            kit.reset(now, spikes[t])
            last = now
        self.u[:], self.v[:] = arrivals[-1], last

    def _currents(self, u: Any) -> None:
        """Synaptic input (steps, batch, neurons) -> u, in place."""
        kit = self.kit
        if not self.memory:
            if not self.steady:
                u[:] = self._wrapped(u)
            return
        wraps = not self.steady and not self._settled(u)
        last, kept = self.u, kit.zeros(tuple(self.u.shape), "float64")
        for now in u:
            kit.multiply(last, self.keep_u, out=kept)
            kit.trunc(kept, out=kept)
            kit.add(now, kept, out=now)
            if wraps:
                now[:] = self._wrapped(now)
            last = now

    def _settled(self, u: Any) -> bool:
        """Whether no current of these steps can leave 24 bits. One step alone is not worth the question."""
        if len(u) == 1:
            return False
        highest = max(float(abs(self.u).max()), float(abs(u).max()) / max(1.0 - float(self.keep_u.max()), 1e-9))
        return highest < U_LIMIT

    def _wrapped(self, u: Any) -> Any:
        """Wrapped once modulo 2^24; what is farther outside stays outside."""
        kit = self.kit
        if self.wide:
            u = kit.wrapped(u, 32)
        u = kit.where(u > U_LIMIT, u - 2 * U_LIMIT, u)
        return kit.where(u <= -U_LIMIT, u + 2 * U_LIMIT, u)

    def _within(self, drive: Any) -> bool:
        """Whether no potential of these steps can reach a limit: it starts a step at most at the threshold."""
        if len(drive) == 1:
            return False
        top = max(float(self.v.max()), float(self.threshold.max())) + max(float(drive.max()), 0.0)
        bottom = min(float(self.v.min()), 0.0) + min(float(drive.min()), 0.0) * len(drive)
        return top < V_LIMIT and bottom > -V_LIMIT

    def _clip(self, v: Any) -> None:
        if self.wide:
            v[:] = self.kit.wrapped(v, 32)
        if self.kit.torch is None:
            np.clip(v, -V_LIMIT, V_LIMIT, out=v)
        else:
            v.clamp_(-V_LIMIT, V_LIMIT)
