"""Learning rules in Loihi's whole numbers, and their steps as Lava's fixed-point model takes them (lava-nc 0.10,
`lava.magma.core.model.py.connection.LearningConnectionModelBitApproximate`), with an epoch of one step.

The chip's constants are m * 2^e with |m| <= 7 and -7 <= e <= 8 (`product_series.py`), traces have 7 bits, weights 8 and
a sign. Traces are rounded at random after every decay, one random number for all of one side; so are weights after
every step. With the same seed the numbers are Lava's own, bit by bit. Lava shifts a product of n bits right by n - 15
and does not shift it back.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from .plasticity import POST_TRACES, PRE_TRACES, TRACES, Product, RuleFault, parse_rule

MANTISSA, LEAST, MOST = 7, -7, 8
"""Largest mantissa; least and largest exponent of a constant."""
TRACE_LIMIT = 127
WIDTHS = {"x0": 1, "y0": 1, "w": 9} | dict.fromkeys(TRACES, 7)
MANTISSA_BITS, ACCUMULATOR_BITS, PRODUCT_BITS = 4, 15, 31
LIMITS = {"excitatory": (0, 255), "inhibitory": (-255, 0), "mixed": (-256, 255)}
"""Sign of the weights -> least and largest weight on the chip."""
WEIGHT_SHIFT = 7
"""Weights of 8 bits and a sign stand at the upper end of an accumulator of 15 and a sign."""
WEIGHT_SEED = 2
"""Lava's seed of the rounding of weights, whatever the rule's seed is."""
DELIVERED_TAU = 65535.0
"""Lava decays what a neuron delivers with this time constant, in the step in which it comes."""
FRACTION_BITS = 8


@dataclass(frozen=True)
class ChipProduct:
    """mantissa * 2^exponent * dependency * factors. dependency: "x0", "y0" or "u"; spikes: further ones of x0 and y0,
    as factors; decimation: k of u_k."""

    mantissa: int
    exponent: int
    dependency: str
    spikes: tuple[str, ...]
    factors: tuple[tuple[str, int], ...]
    decimation: int = 0

    @property
    def bits(self) -> int:
        """Bits of the product before it is shifted."""
        return product_bits(self.spikes, [name for name, _ in self.factors])

    @property
    def shift(self) -> int:
        """How far Lava's fixed-point model shifts the product right."""
        return max(0, self.bits - ACCUMULATOR_BITS)

    def __str__(self) -> str:
        gate = f"u{self.decimation}" if self.dependency == "u" else self.dependency
        factors = [f"({name} {'-' if c < 0 else '+'} {abs(c)})" if c else name for name, c in self.factors]
        return "*".join([f"{self.mantissa}*2^{self.exponent}", gate, *self.spikes, *factors])


@dataclass(frozen=True)
class ChipTrace:
    """A trace on the chip: impulse in its units, time constant in steps, and how many of its units are one unit of the
    rule's. A trace that the neuron delivers (`delivered`) has them as what the neuron has to do."""

    impulse: float
    tau: float
    scale: float = 1.0
    delivered: bool = False


@dataclass(frozen=True)
class WholeRule:
    """A rule in whole numbers. sign: a key of `LIMITS`. three_factor: whether the neuron delivers y1, y2 and y3."""

    products: tuple[ChipProduct, ...]
    traces: dict[str, ChipTrace]
    sign: str
    three_factor: bool = False

    @property
    def text(self) -> str:
        """The rule in Lava's grammar."""
        return " + ".join(map(str, self.products)).replace("+ -", "- ")


def product_bits(spikes: tuple[str, ...], factors: list[str]) -> int:
    """Bits of a product with its mantissa; the first spike only gates it and costs none."""
    return sum(WIDTHS[name] for name in (*spikes, *factors)) + MANTISSA_BITS


def gates_of(p: Product) -> tuple[tuple[str, ...], int]:
    """What gates a product, u first, and k. u_0 is 1 in every step, so beside x0 or y0 it does nothing."""
    if p.decimation is None or (p.decimation == 0 and p.spikes):
        return p.spikes, 0
    return ("u", *p.spikes), p.decimation


def nearest(wanted: float, shift: int) -> tuple[int, int] | None:
    """(mantissa, exponent) of the nearest constant whose product is shifted right by `shift`; None where it is 0."""
    best: tuple[float, int, int] | None = None
    for exponent in range(LEAST, MOST + 1):
        unit = 2.0 ** (exponent - shift)
        mantissa = min(max(round(wanted / unit), -MANTISSA), MANTISSA)
        found = (abs(mantissa * unit - wanted), abs(mantissa), exponent)
        if mantissa and (best is None or found < best):
            best = found
    if best is None or best[0] >= abs(wanted):
        return None
    return int(math.copysign(best[1], wanted)), best[2]


def whole_rule(text: str, traces: Mapping[str, tuple[float, float]], sign: str) -> WholeRule:
    """The rule that a text in the chip's grammar states.

    traces: name -> (time constant in steps, impulse), for each that the rule reads. Raises ValueError with what the
    chip cannot hold.
    """
    try:
        rule = parse_rule(text)
    except RuleFault as fault:
        raise ValueError(f"{text!r} is no learning rule: {fault.message}, at character {fault.place + 1}") from fault
    if sign not in LIMITS:
        raise ValueError(f"{sign!r} is not a sign of weights; those are {', '.join(LIMITS)}")
    if len(rule.decimations) > 1:
        raise ValueError(f"the rule has {' and '.join(f'u{k}' for k in rule.decimations)}, the chip one u_k")
    if set(traces) != set(rule.traces):
        raise ValueError(f"the rule reads the traces {', '.join(rule.traces) or 'none'}, not {', '.join(traces)}")
    for name, (tau, impulse) in traces.items():
        if not (tau >= 0 and math.isfinite(tau) and 0 <= impulse <= TRACE_LIMIT):
            limits = f"impulses are 0..{TRACE_LIMIT}"
            raise ValueError(f"{name} has the time constant {tau:g} and the impulse {impulse:g}; {limits}")
    made = {name: ChipTrace(traces[name][1], traces[name][0]) for name in rule.traces}
    return WholeRule(tuple(map(_whole_product, rule.products)), made, sign)


def _whole_product(p: Product) -> ChipProduct:
    found = nearest(p.coefficient, 0) if p.coefficient else None
    if found is None or found[0] * 2.0 ** found[1] != p.coefficient:
        raise ValueError(f"the constant of `{p}` is not m * 2^e with |m| <= {MANTISSA} and {LEAST} <= e <= {MOST}")
    gates, decimation = gates_of(p)
    for factor in p.factors:
        limit = 1 << (WIDTHS[factor.name] - (factor.name == "w"))
        if factor.plus != int(factor.plus) or abs(factor.plus) > limit:
            raise ValueError(f"`{factor}` in `{p}`: the constant is a whole number up to {limit}")
    made = ChipProduct(*found, gates[0], gates[1:], tuple((f.name, int(f.plus)) for f in p.factors), decimation)
    if made.bits > PRODUCT_BITS:
        raise ValueError(f"`{p}` has {made.bits} bits, the chip's products {PRODUCT_BITS}")
    return made


@dataclass(frozen=True)
class Dice:
    """The random numbers of one step. decays, impulses: of the side before and the side after the synapses. A number of
    None stands for rounding to the nearest, halves down."""

    decays: tuple[float, float] = (0.5, 0.5)
    impulses: tuple[int, int] | None = None
    weights: float = 0.5


BLOCK = 1024
"""Steps whose random numbers are drawn at once."""


def dice(seed: int, step: int) -> Dice:
    """The numbers that Lava draws for a rule of this seed in a step, counted from 1."""
    decays, impulses, weights = _rolled(seed, -(-step // BLOCK))
    # Lava draws once before the first step, then twice a step, and uses the second.
    at = 2 * step
    pairs = [(float(d[at]), int(i[at])) for d, i in zip(decays, impulses, strict=True)]
    return Dice((pairs[0][0], pairs[1][0]), (pairs[0][1], pairs[1][1]), float(weights[step]))


@cache
def _rolled(seed: int, blocks: int) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
    draws = 2 * blocks * BLOCK + 1
    sides = (seed, seed + 2)
    decays = [np.random.default_rng(s).random(draws) for s in sides]
    impulses = [np.random.default_rng(s + 1).integers(0, TRACE_LIMIT + 1, size=draws, dtype=int) for s in sides]
    return decays, impulses, np.random.default_rng(WEIGHT_SEED).random(blocks * BLOCK + 1)


def loaded(weights: np.ndarray, sign: str) -> np.ndarray:
    """What the chip holds of weights that are put in: a mixed sign costs the lowest bit, which learning uses again."""
    return weights.astype(np.int64) >> 1 << 1 if sign == "mixed" else weights.astype(np.int64)


@dataclass
class State:
    """What learning changes: weights (..., out, in) and traces, name -> (..., in) or (..., out), whole numbers."""

    weights: np.ndarray
    traces: dict[str, np.ndarray] = field(default_factory=dict)


def learn(
    rule: WholeRule,
    state: State,
    pre: np.ndarray,
    post: np.ndarray,
    step: int,
    thrown: Dice,
    delivered: Mapping[str, np.ndarray] | None = None,
) -> None:
    """One time step, counted from 1, of every row. pre (..., in) and post (..., out) are true where a spike was;
    delivered: what the neuron says y1, y2 and y3 are, for a three-factor rule."""
    now = _moved(rule, state, (pre, post), thrown, delivered or {})
    change = state.weights << WEIGHT_SHIFT
    for product in rule.products:
        if step % (1 << product.decimation) == 0:
            change = _saturated(change + _product(product, state.weights, pre, post, now))
    state.weights = np.clip(_rounded(change / (1 << WEIGHT_SHIFT), thrown.weights), *LIMITS[rule.sign])


def _moved(
    rule: WholeRule,
    state: State,
    spikes: tuple[np.ndarray, np.ndarray],
    thrown: Dice,
    delivered: Mapping[str, np.ndarray],
) -> dict[str, np.ndarray]:
    """Traces as the rule sees them; the state moves on with them, but for what a neuron delivers."""
    seen: dict[str, np.ndarray] = {}
    for name, value in state.traces.items():
        side = int(name in POST_TRACES)
        if rule.three_factor and side:
            state.traces[name] = np.asarray(delivered.get(name, value)).astype(np.int64)
            seen[name] = _decayed(state.traces[name], DELIVERED_TAU, thrown.decays[side])
            continue
        trace = rule.traces.get(name)
        if trace is None:
            seen[name] = value
            continue
        left = _decayed(value, trace.tau, thrown.decays[side])
        more = None if thrown.impulses is None else thrown.impulses[side]
        seen[name] = state.traces[name] = _hit(left, spikes[side], trace.impulse, more)
    return seen


def _decayed(value: np.ndarray, tau: float, thrown: float) -> np.ndarray:
    return _rounded(math.exp(-1 / tau) * value, thrown) if tau else np.zeros_like(value)


def _hit(value: np.ndarray, spikes: np.ndarray, impulse: float, thrown: int | None) -> np.ndarray:
    whole = math.floor(impulse)
    fraction = round((impulse - whole) * (1 << FRACTION_BITS))
    # Seven random bits against eight of the fraction: it is added twice as often as it should be, in Lava too.
    more = fraction > 1 << (FRACTION_BITS - 1) if thrown is None else thrown < fraction
    return np.where(spikes, np.clip(value + whole + more, 0, TRACE_LIMIT), value)


def _product(
    product: ChipProduct, weights: np.ndarray, pre: np.ndarray, post: np.ndarray, now: Mapping[str, np.ndarray]
) -> np.ndarray:
    """What a product adds to the accumulator (..., out, in)."""
    gates = {"x0": pre[..., None, :], "y0": post[..., :, None], "u": np.ones((1, 1), bool)}
    out = gates[product.dependency].astype(np.int64)
    for name in product.spikes:
        out = out * gates[name]
    for name, plus in product.factors:
        traces = now.get(name)
        value = weights if traces is None else traces[..., None, :] if name in PRE_TRACES else traces[..., :, None]
        out = out * np.clip(value + plus, -(1 << WIDTHS[name]), (1 << WIDTHS[name]) - 1)
    return _saturated(out * product.mantissa >> product.shift << (product.exponent + 7))


def _rounded(value: np.ndarray, thrown: float) -> np.ndarray:
    """The whole part, and 1 more where what was thrown is below the fraction."""
    whole = np.floor(value)
    return (whole + (thrown < value - whole)).astype(np.int64)


def _saturated(value: np.ndarray) -> np.ndarray:
    """Clipped as Lava clips its accumulator."""
    return np.clip(value, -(1 << ACCUMULATOR_BITS) - 1, (1 << ACCUMULATOR_BITS) - 1)
