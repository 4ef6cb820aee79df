"""Learning of one connection in the chip's whole numbers, step by step, as Lava's fixed-point model computes it (see
`ir.whole_learning`). `rounding="nearest"` rounds what Lava rounds at random to the nearest number, halves down.
"""

from __future__ import annotations

import numpy as np

from ...ir.plasticity import POST_TRACES, PRE_TRACES
from ...ir.whole_learning import LIMITS, Dice, State, WholeRule, dice, learn, loaded


class FixedLearning:
    """Weights and traces of one connection, stepped in whole numbers.

    weights: (..., out, in), in the chip's units; traces: name -> whole numbers, x1 and x2 (..., in), the others (...,
    out). Every row before the last two dimensions learns by itself, with the same random numbers.
    """

    def __init__(self, rule: WholeRule, weights: np.ndarray, *, seed: int = 0, rounding: str = "stochastic") -> None:
        """weights within the limits of the rule's sign. ValueError for a rule of another arithmetic, weights out of
        range or another way to round."""
        low, high = LIMITS[rule.sign]
        if not getattr(rule, "fixed", True):
            raise ValueError("the rule is for floating point: make it with fixed=True")
        if rounding not in ("stochastic", "nearest"):
            raise ValueError(f"rounding is 'stochastic' or 'nearest', not {rounding!r}")
        if weights.min() < low or weights.max() > high:
            raise ValueError(f"{rule.sign} weights lie in {low}..{high}, got {weights.min()}..{weights.max()}")
        self.rule, self.seed, self.steps = rule, seed, 0
        *rows, outs, ins = weights.shape
        traces = {name: np.zeros((*rows, ins), np.int64) for name in PRE_TRACES}
        traces |= {name: np.zeros((*rows, outs), np.int64) for name in POST_TRACES}
        self._state = State(loaded(weights, rule.sign), traces)
        self._random = rounding == "stochastic"

    @property
    def weights(self) -> np.ndarray:
        return self._state.weights

    @property
    def traces(self) -> dict[str, np.ndarray]:
        return self._state.traces

    def step(self, pre: np.ndarray, post: np.ndarray, delivered: dict[str, np.ndarray] | None = None) -> None:
        """One time step: spikes before (..., in) and after (..., out); `delivered`: what the neuron says y1, y2 and y3
        are, in the chip's units, for a three-factor rule."""
        self.steps += 1
        thrown = dice(self.seed, self.steps) if self._random else Dice()
        learn(self.rule, self._state, pre != 0, post != 0, self.steps, thrown, delivered)
