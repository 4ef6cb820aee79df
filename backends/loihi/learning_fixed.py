"""Learning in the chip's whole numbers, as Lava's fixed-point model computes it (lava-nc 0.10,
`lava.magma.core.model.py.connection.LearningConnectionModelBitApproximate`), with an epoch of one step.

Traces have 7 bits and are rounded at random after every decay, one random number for all of one side; so are weights
after every step. With the same seed the numbers are Lava's own, bit by bit. `rounding="nearest"` rounds the same
quantities to the nearest number, halves down.
"""

from __future__ import annotations

import math

import numpy as np

from ...ir.plasticity import POST_TRACES, PRE_TRACES
from .learning import ACCUMULATOR_BITS, LIMITS, TRACE_LIMIT, WIDTHS, ChipProduct, ChipRule

WEIGHT_SHIFT = 7
"""Weights of 8 bits and a sign stand at the upper end of an accumulator of 15 and a sign."""
WEIGHT_SEED = 2
"""Lava's seed of the rounding of weights, whatever the rule's seed is."""
DELIVERED_TAU = 65535.0
"""Lava decays what a neuron delivers with this time constant, in the step in which it comes."""
FRACTION_BITS = 8


class _Dice:
    """The random numbers of one side of the synapses."""

    def __init__(self, seed: int) -> None:
        self.decays = np.random.default_rng(seed)
        self.impulses = np.random.default_rng(seed + 1)
        self.roll()

    def roll(self) -> None:
        """New numbers: one in [0, 1) for decays, a whole one of 7 bits for impulses."""
        self.decay = float(self.decays.random(1)[0])
        self.impulse = int(self.impulses.integers(0, TRACE_LIMIT + 1, size=1, dtype=int)[0])


class FixedLearning:
    """Weights and traces of one connection, stepped in whole numbers.

    weights: (out, in), in the chip's units; traces: name -> whole numbers, x1 and x2 (in,), the others (out,).
    """

    def __init__(self, rule: ChipRule, weights: np.ndarray, *, seed: int = 0, rounding: str = "stochastic") -> None:
        """weights (out, in) within the limits of the rule's sign. ValueError for a rule of another arithmetic, weights
        out of range or another way to round."""
        low, high = LIMITS[rule.sign]
        if not rule.fixed:
            raise ValueError("the rule is for floating point: make it with fixed=True")
        if rounding not in ("stochastic", "nearest"):
            raise ValueError(f"rounding is 'stochastic' or 'nearest', not {rounding!r}")
        if weights.min() < low or weights.max() > high:
            raise ValueError(f"{rule.sign} weights lie in {low}..{high}, got {weights.min()}..{weights.max()}")
        self.rule = rule
        # A mixed sign costs the lowest bit of what is loaded; learning uses it again.
        self.weights = weights.astype(np.int64) >> 1 << 1 if rule.sign == "mixed" else weights.astype(np.int64)
        self.traces = {name: np.zeros(weights.shape[1], np.int64) for name in PRE_TRACES}
        self.traces |= {name: np.zeros(weights.shape[0], np.int64) for name in POST_TRACES}
        self.steps = 0
        self._random = rounding == "stochastic"
        self._pre, self._post = _Dice(seed), _Dice(seed + 2)
        self._weight_dice = np.random.default_rng(WEIGHT_SEED)
        self._weight_dice.random(1)

    def step(self, pre: np.ndarray, post: np.ndarray, delivered: dict[str, np.ndarray] | None = None) -> None:
        """One time step: spikes before (in,) and after (out,); `delivered`: what the neuron says y1, y2 and y3 are, in
        the chip's units, for a three-factor rule."""
        self.steps += 1
        pre, post = pre != 0, post != 0
        for dice in (self._pre, self._post):
            # Lava draws twice a step and uses the second.
            dice.roll()
            dice.roll()
        weight_dice = float(self._weight_dice.random(1)[0]) if self._random else 0.5
        now = self._moved(pre, post, delivered or {})
        change = self.weights << WEIGHT_SHIFT
        for product in self.rule.products:
            if self.steps % (1 << product.decimation) == 0:
                change = _saturated(change + self._product(product, pre, post, now))
        low, high = LIMITS[self.rule.sign]
        self.weights = np.clip(_rounded(change / (1 << WEIGHT_SHIFT), weight_dice), low, high)

    def _moved(self, pre: np.ndarray, post: np.ndarray, delivered: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Traces as the rule sees them; the state moves on with them, but for what a neuron delivers."""
        seen: dict[str, np.ndarray] = {}
        for name, value in self.traces.items():
            before = name in PRE_TRACES
            dice, spikes = (self._pre, pre) if before else (self._post, post)
            if self.rule.three_factor and not before:
                self.traces[name] = np.asarray(delivered.get(name, value)).astype(np.int64)
                seen[name] = self._decayed(self.traces[name], DELIVERED_TAU, dice)
                continue
            trace = self.rule.traces.get(name)
            if trace is None:
                seen[name] = value
                continue
            seen[name] = self.traces[name] = self._hit(
                self._decayed(value, trace.tau, dice), spikes, trace.impulse, dice
            )
        return seen

    def _decayed(self, value: np.ndarray, tau: float, dice: _Dice) -> np.ndarray:
        if not tau:
            return np.zeros_like(value)
        return _rounded(math.exp(-1 / tau) * value, dice.decay if self._random else 0.5)

    def _hit(self, value: np.ndarray, spikes: np.ndarray, impulse: float, dice: _Dice) -> np.ndarray:
        whole = math.floor(impulse)
        fraction = round((impulse - whole) * (1 << FRACTION_BITS))
        # Seven random bits against eight of the fraction: it is added twice as often as it should be, in Lava too.
        more = dice.impulse < fraction if self._random else fraction > 1 << (FRACTION_BITS - 1)
        return np.where(spikes, np.clip(value + whole + more, 0, TRACE_LIMIT), value)

    def _product(
        self, product: ChipProduct, pre: np.ndarray, post: np.ndarray, now: dict[str, np.ndarray]
    ) -> np.ndarray:
        """What a product adds to the accumulator (out, in)."""
        gates = {"x0": pre[None, :], "y0": post[:, None], "u": np.ones((1, 1), bool)}
        out = np.broadcast_to(gates[product.dependency], self.weights.shape).astype(np.int64)
        for name in product.spikes:
            out = out * gates[name]
        for name, plus in product.factors:
            value = self.weights if name == "w" else now[name][None, :] if name in PRE_TRACES else now[name][:, None]
            out = out * np.clip(value + plus, -(1 << WIDTHS[name]), (1 << WIDTHS[name]) - 1)
        return _saturated(out * product.mantissa >> product.shift << (product.exponent + 7))


def _rounded(value: np.ndarray, dice: float) -> np.ndarray:
    """The whole part, and 1 more where the dice is below the fraction."""
    whole = np.floor(value)
    return (whole + (dice < value % 1)).astype(np.int64)


def _saturated(value: np.ndarray) -> np.ndarray:
    """Clipped as Lava clips its accumulator."""
    return np.clip(value, -(1 << ACCUMULATOR_BITS) - 1, (1 << ACCUMULATOR_BITS) - 1)
