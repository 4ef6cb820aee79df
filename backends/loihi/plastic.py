"""Synapses of a program that learn, as Lava runs them: what spikes bring, then one step of learning.

Lava's `LearningDense` in fixed point (lava.proc.dense.models, PyLearningDenseModelBitApproximate) sums the weights as
they are before the step's learning and shifts the sum; it arrives a step later. The rule sees the spikes of the step,
those of the neurons behind the synapses among them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...ir.whole_learning import LIMITS
from .arrays import NUMPY
from .learning_fixed import FixedLearning
from .program import Connection, Learning

SUM_BITS = 32


@dataclass
class PlasticSynapses:
    """A connection for a batch of inputs, each with weights of its own. end: the steps after which weights are kept;
    kept: those, (batch, out, in). bound: what a sum never exceeds in magnitude."""

    name: str
    source: str
    exponent: int
    learning: FixedLearning
    end: int
    kept: np.ndarray
    bound: float

    @classmethod
    def of(cls, c: Connection, learning: Learning, batch: int, end: int) -> PlasticSynapses:
        weights = np.repeat(np.asarray(c.weight, np.int64)[None], batch, axis=0)
        state = FixedLearning(learning.rule, weights, seed=learning.seed)
        low, high = LIMITS[c.sign]
        bound = min(c.weight.shape[1] * max(-low, high) * 2.0**c.exponent + 1, 2.0 ** (SUM_BITS - 1))
        return cls(c.name, c.source, c.exponent, state, end, state.weights, bound)

    def take(self, pre: np.ndarray, post: np.ndarray) -> np.ndarray:
        """A step: spikes (batch, in) and (batch, out) of it -> what arrives in the next, (batch, out), float64."""
        total = np.matmul(self.learning.weights.astype(np.float64), pre[..., None].astype(np.float64))[..., 0]
        self.learning.step(pre, post)
        if self.learning.steps == self.end:
            self.kept = self.learning.weights
        shifted = np.floor(total * 2.0**self.exponent)
        return NUMPY.wrapped(shifted, SUM_BITS) if self.bound >= 2.0 ** (SUM_BITS - 1) else shifted
