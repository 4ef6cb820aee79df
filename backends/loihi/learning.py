"""A learning rule as Loihi holds it: whole mantissas, powers of two, impulses of traces, and what rounding cost.

The chip's constants are m * 2^e with |m| <= 7 and -7 <= e <= 8 (lava-nc 0.10, `product_series.py`), traces have 7 bits,
weights 8 and a sign. A rule in real numbers gets there by scales: weights are counted in units of 1 / weight_scale and
every trace in units of 1 / its own scale, which moves constants between the products and the impulses. Scales are
chosen so that the worst constant is as near as it can be; in fixed point impulses are whole numbers, because Lava's
model adds the fraction of an impulse with twice its probability.

Lava's fixed-point model shifts a product of n bits right by n - 15 and does not shift it back; the exponents here make
up for that, so that `text` means in fixed point what the rule means in real numbers.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ...ir import TargetError
from ...ir.ops import Plasticity
from ...ir.plasticity import Factor, Product, Rule
from ...ir.whole_learning import (
    ACCUMULATOR_BITS,
    LEAST,
    LIMITS,
    MANTISSA,
    MOST,
    PRODUCT_BITS,
    TRACE_LIMIT,
    WIDTHS,
    ChipProduct,
    ChipTrace,
    WholeRule,
    gates_of,
    nearest,
    product_bits,
)

USED = 4.0
"""How many impulses a trace is taken to reach where nobody measured it."""


@dataclass(frozen=True)
class Rounding:
    """One number that the chip holds otherwise than wanted, both in the chip's units."""

    what: str
    wanted: float
    given: float

    @property
    def relative(self) -> float:
        """(given - wanted) / wanted."""
        return (self.given - self.wanted) / self.wanted if self.wanted else math.copysign(math.inf, self.given)

    def __str__(self) -> str:
        return f"{self.what}: {self.given:.6g} for {self.wanted:.6g} ({100 * self.relative:+.3g} %)"


@dataclass(frozen=True)
class ChipRule(WholeRule):
    """What one plastic connection is on the chip.

    weight_scale: units of the chip that are one unit of the rule's weights. fixed: whether it is for whole numbers.
    roundings: every constant that is not exactly as wanted.
    """

    weight_scale: float = 1.0
    fixed: bool = True
    roundings: tuple[Rounding, ...] = ()


def chip_rule(
    op: Plasticity, *, fixed: bool = True, weight_scale: float | None = None, peaks: Mapping[str, float] | None = None
) -> ChipRule:
    """The op's rule for the chip, or with fixed=False for Lava's model in floating point.

    weight_scale: where left out, the weights' bounds fill the 8 bits, less whatever makes the constants fit better, up
    to a quarter; in floating point 1. peaks: the largest value of a trace, as a run showed it; where left out, four
    impulses, and 1 for a third factor. Raises TargetError T0003 where the chip cannot hold the rule.
    """
    rule = op.terms
    _refuse(rule, fixed)
    sign = "excitatory" if op.low >= 0 else "inhibitory" if op.high <= 0 else "mixed"
    problem = _Problem(op, rule, fixed, dict(peaks or {}))
    if weight_scale is not None:
        scales = [weight_scale]
    elif not fixed:
        scales = [1.0]
    else:
        scales = problem.weight_scales(_filling(op, sign))
    best = min(((problem.traces(s), s) for s in scales), key=lambda found: (problem.cost(*found), -found[1]))
    return problem.finish(*best, sign)


def _refuse(rule: Rule, fixed: bool) -> None:
    if len(rule.decimations) > 1:
        names = " and ".join(f"u{k}" for k in rule.decimations)
        raise _no(f"it has {names}, and the chip counts one number of steps", "use one u_k in all products")
    for p in rule.products:
        gates = gates_of(p)[0]
        if not fixed and len(gates) > 1:
            raise _no(
                f"Lava's model in floating point does not evaluate {'*'.join(gates)}", "its fixed-point model does"
            )
        bits = product_bits(gates[1:], [f.name for f in p.factors])
        if fixed and bits > PRODUCT_BITS:
            raise _no(f"`{p}` has {bits} bits, the chip's products {PRODUCT_BITS}", "use fewer factors in a product")


def _no(why: str, help: str) -> TargetError:
    error = TargetError.of("T0003", f"the chip cannot hold the learning rule: {why}", help=help)
    assert isinstance(error, TargetError)
    return error


def _filling(op: Plasticity, sign: str) -> float:
    """The weight scale at which the bounds are the chip's own."""
    low, high = LIMITS[sign]
    ratios = [limit / bound for limit, bound in ((low, op.low), (high, op.high)) if bound]
    ratios = [r for r in ratios if r > 0]
    if not ratios:
        raise _no(
            "its weights have no bounds, so nothing says how many units of the chip they are",
            "give low and high, or weight_scale",
        )
    return min(ratios)


@dataclass(frozen=True)
class _Problem:
    """The choice of scales: one for the weights and one for every trace."""

    op: Plasticity
    rule: Rule
    fixed: bool
    peaks: dict[str, float]

    def impulse(self, name: str) -> float:
        """The impulse in the rule's units; 1 for a third factor, which has none."""
        return 1.0 if name in self.op.third else self.op.trace(name)[1]

    def most(self, name: str) -> float:
        """The largest scale at which the trace stays within its bits."""
        usual = 1.0 if name in self.op.third else USED * abs(self.impulse(name))
        return TRACE_LIMIT / (self.peaks.get(name) or usual or 1.0)

    def shift(self, p: Product) -> int:
        gates, _ = gates_of(p)
        return max(0, product_bits(gates[1:], [f.name for f in p.factors]) - ACCUMULATOR_BITS) if self.fixed else 0

    def constant(self, p: Product, weight_scale: float, scales: Mapping[str, float]) -> float:
        """The product's coefficient in the chip's units."""
        units = math.prod(weight_scale if f.name == "w" else scales[f.name] for f in p.factors)
        return p.coefficient * weight_scale / units

    def error(self, p: Product, weight_scale: float, scales: Mapping[str, float]) -> float:
        """Relative rounding error of the product's coefficient; 1 where the chip has nothing near."""
        wanted = self.constant(p, weight_scale, scales)
        shift = self.shift(p)
        found = nearest(wanted, shift)
        return 1.0 if found is None else abs(found[0] * 2.0 ** (found[1] - shift) / wanted - 1)

    def cost(self, scales: Mapping[str, float], weight_scale: float) -> tuple[float, float]:
        """Worst and total error, both without what only the last bits of a double are."""
        errors = [round(self.error(p, weight_scale, scales), 9) for p in self.rule.products if p.coefficient]
        return max(errors, default=0.0), sum(errors)

    def weight_scales(self, largest: float) -> list[float]:
        """Weight scales from three quarters of the largest up: the largest, and those that make a product exact."""
        found = {largest}
        for p in self.rule.products:
            names = {f.name for f in p.factors}
            if not p.coefficient or "w" in names:
                continue
            rest = {name: self.most(name) for name in names}
            for name in sorted(names)[:1]:
                for scale in self._candidates(name):
                    found.update(self._exact(p, rest | {name: scale}, largest))
            if not names:
                found.update(self._exact(p, {}, largest))
        return sorted(found)

    def _exact(self, p: Product, scales: Mapping[str, float], largest: float) -> Iterator[float]:
        one = abs(self.constant(p, 1.0, scales))
        for mantissa, exponent in itertools.product((1, 3, 5, 7), range(LEAST, MOST + 1)):
            scale = mantissa * 2.0 ** (exponent - self.shift(p)) / one
            if 0.75 * largest <= scale <= largest:
                yield scale

    def _candidates(self, name: str) -> list[float]:
        """Scales of a trace that make its impulse a whole number, the largest first."""
        impulse = abs(self.impulse(name))
        if not impulse:
            return [1.0]
        count = max(1, math.floor(self.most(name) * impulse * (1 + 1e-12)))
        return [n / impulse for n in range(count, 0, -1)]

    def traces(self, weight_scale: float) -> dict[str, float]:
        """Scales of the traces, one after the other, each the best for the products whose other scales are known."""
        known: dict[str, float] = {}
        for name in self.rule.traces:
            ready = [
                p
                for p in self.rule.products
                if p.coefficient and name in (names := {f.name for f in p.factors}) and names <= {*known, name, "w"}
            ]
            options = self._options(name, ready, weight_scale, known)

            def worst(scale: float, name: str = name, ready: list[Product] = ready) -> float:
                return max((round(self.error(p, weight_scale, known | {name: scale}), 9) for p in ready), default=0.0)

            known[name] = min(options, key=lambda scale: (worst(scale), -scale))
        return known

    def _options(self, name: str, ready: list[Product], weight_scale: float, known: Mapping[str, float]) -> list[float]:
        """Scales to try. Where the impulse need not be whole, those that make one of the products exact."""
        whole = self.fixed and name not in self.op.third
        if whole:
            return self._candidates(name)
        found = [self.most(name)]
        for p in ready:
            powers = sum(f.name == name for f in p.factors)
            one = abs(self.constant(p, weight_scale, {**known, name: 1.0}))
            for mantissa, exponent in itertools.product((1, 3, 5, 7), range(LEAST, MOST + 1)):
                scale = (one / (mantissa * 2.0 ** (exponent - self.shift(p)))) ** (1 / powers)
                if scale <= self.most(name):
                    found.append(scale)
        return found

    def finish(self, scales: Mapping[str, float], weight_scale: float, sign: str) -> ChipRule:
        """The rule with these scales. TargetError where a constant is too small or too large."""
        roundings: list[Rounding] = []
        products = tuple(self._product(p, weight_scale, scales, roundings) for p in self.rule.products if p.coefficient)
        if not products:
            raise _no("all its constants are 0", "leave the synapses without a rule")
        traces = {name: self._trace(name, scales[name]) for name in self.rule.traces}
        if self.fixed:
            low, high = LIMITS[sign]
            bounds = (("lower bound", self.op.low, low), ("upper bound", self.op.high, high))
            roundings += [Rounding(what, bound * weight_scale, limit) for what, bound, limit in bounds]
        kept = tuple(r for r in roundings if not math.isclose(r.wanted, r.given, rel_tol=1e-9))
        return ChipRule(products, traces, sign, bool(self.op.third), weight_scale, self.fixed, kept)

    def _trace(self, name: str, scale: float) -> ChipTrace:
        if name in self.op.third:
            return ChipTrace(0.0, 0.0, scale, delivered=True)
        tau, impulse = self.op.trace(name)
        given = round(impulse * scale) if self.fixed else impulse * scale
        return ChipTrace(given, tau, scale, delivered=bool(self.op.third) and name.startswith("y"))

    def _product(
        self, p: Product, weight_scale: float, scales: Mapping[str, float], roundings: list[Rounding]
    ) -> ChipProduct:
        gates, decimation = gates_of(p)
        shift = self.shift(p)
        wanted = self.constant(p, weight_scale, scales)
        found = nearest(wanted, shift)
        if found is None:
            raise _no(
                f"the constant of `{p}` is {wanted:.3g} in units of the chip, and the least it has is "
                f"{2.0 ** (LEAST - shift):.3g}",
                "use a larger weight scale (narrower bounds of the weights), larger impulses, or u_k with a larger k",
            )
        if abs(wanted) > MANTISSA * 2.0 ** (MOST - shift) * (1 + 1 / 14):
            raise _no(
                f"the constant of `{p}` is {wanted:.3g} in units of the chip, and the largest it has is "
                f"{MANTISSA * 2 ** (MOST - shift):g}",
                "use a smaller weight scale",
            )
        roundings.append(Rounding(f"the constant of `{p}`", wanted, found[0] * 2.0 ** (found[1] - shift)))
        factors = tuple((f.name, self._constant(f, weight_scale, scales, p, roundings)) for f in p.factors)
        return ChipProduct(*found, gates[0], gates[1:], factors, decimation)

    def _constant(
        self, factor: Factor, weight_scale: float, scales: Mapping[str, float], p: Product, roundings: list[Rounding]
    ) -> int:
        """The constant that is added to a factor: a whole number of at most 8 bits."""
        wanted = factor.plus * (weight_scale if factor.name == "w" else scales[factor.name])
        given = round(wanted)
        limit = 1 << (WIDTHS[factor.name] - (factor.name == "w"))
        if abs(given) > limit:
            raise _no(
                f"{factor.plus:g} beside {factor.name} in `{p}` is {given} in units of the chip, above {limit}",
                "use a smaller constant",
            )
        roundings.append(Rounding(f"the constant beside {factor.name} in `{p}`", wanted, given))
        return given
