"""Synapses that learn: one step of a matrix of weights and of the traces that its rule reads."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..graph import Op, TypeFault
from ..plasticity import POST_TRACES, PRE_TRACES, TRACES, Rule, RuleFault, parse_rule
from ..types import Type
from ..whole_learning import WholeRule, whole_rule
from .rules import common_float, need_numeric, need_shape

if TYPE_CHECKING:
    from ..module import Module


@dataclass(frozen=True)
class Plasticity(Op):
    """One step of learning, after the spikes of the step are known.

    Operands: spikes before the synapses (..., in), spikes after them (..., out), the weights (..., out, in), every
    trace that the rule reads, x1 and x2 (..., in), y1, y2 and y3 (..., out), in this order, and last, where the rule
    has u_k with k > 0, how many steps went before, i64. Results: the new weights, the new traces that are not in
    `third`, and the count.

    x1 = (time constant in steps, impulse), the others alike; for every trace with such a pair

        x1' = e^(-1 / time constant) * x1 + impulse * x0        x0 = 1 where a spike came in, else 0

    with a time constant of 0 for a trace that lasts one step. A trace of `third` is given in every step by what lies
    after the synapse: a third factor. Then, with the new traces,

        w' = min(max(w + rule, low), high)

    so a spike before and a spike after in one step see each other in both products of "x0*y1 + y0*x1". A step of a
    batch learns from each row by itself: every row has its own weights, (batch, out, in). Source of the grammar and of
    the order: lava-nc 0.10, `lava.magma.core.model.py.connection`, with an epoch of one step.
    """

    mnemonic = "plasticity"
    operands = (3, None)
    rule: str
    x1: tuple[float, ...] = ()
    x2: tuple[float, ...] = ()
    y1: tuple[float, ...] = ()
    y2: tuple[float, ...] = ()
    y3: tuple[float, ...] = ()
    third: tuple[str, ...] = ()
    low: float = -math.inf
    high: float = math.inf

    @property
    def terms(self) -> Rule:
        """The rule as data. RuleFault where it is none."""
        return parse_rule(self.rule)

    def trace(self, name: str) -> tuple[float, float]:
        """(time constant in steps, impulse) of a trace that is not in `third`."""
        tau, impulse = getattr(self, name)
        return tau, impulse

    def carried(self) -> tuple[str, ...]:
        """The traces that the op computes, in the order of its results."""
        return tuple(name for name in self.terms.traces if name not in self.third)

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        self._check_attributes()
        rule = self.terms
        kind = _check_operands(rule, operands, rule.counts_steps)
        pre, post, weights = operands[:3]
        traces = tuple(Type(kind, (pre if name in PRE_TRACES else post).shape) for name in self.carried())
        return (Type(kind, weights.shape), *traces, *operands[len(operands) - rule.counts_steps :])

    def _check_attributes(self) -> None:
        try:
            rule = self.terms
        except RuleFault as fault:
            message = f"{self.rule!r} is no learning rule: {fault.message}, at character {fault.place + 1}"
            raise TypeFault(message, 'a sum of products, for example "0.04*x0*y1 + 0.04*y0*x1"', "I0007") from fault
        for name in self.third:
            if name not in POST_TRACES:
                raise TypeFault(f"{name!r} is not a third factor", "one of " + ", ".join(POST_TRACES))
        for name in TRACES:
            self._check_trace(name, name in rule.traces)
        if not self.low <= self.high:
            raise TypeFault(f"no weight lies between {self.low:g} and {self.high:g}")

    def _check_trace(self, name: str, read: bool) -> None:
        given: tuple[float, ...] = getattr(self, name)
        if not read and (given or name in self.third):
            raise TypeFault(f"the rule does not read {name}")
        if name in self.third and given:
            raise TypeFault(f"{name} is a third factor, which has no time constant and no impulse")
        if not read or name in self.third:
            return
        if len(given) != 2:
            raise TypeFault(f"the rule reads {name}: it needs {name}=[time constant in steps, impulse]")
        if not (given[0] >= 0 and math.isfinite(given[1])):
            raise TypeFault(f"{name} has the time constant {given[0]:g} and the impulse {given[1]:g}")


def _check_operands(rule: Rule, operands: tuple[Type, ...], counted: bool) -> str:
    """The float type of spikes, weights, traces and, where steps are counted, the step. TypeFault where they do not fit
    together."""
    wanted = ["spikes before", "spikes after", "weights", *rule.traces, *(["the step"] if counted else [])]
    if len(operands) != len(wanted):
        raise TypeFault(f"needs {', '.join(wanted)}; got {len(operands)} values")
    pre, post, weights = operands[:3]
    need_numeric(pre, post)
    if min(len(pre.shape), len(post.shape)) < 1 or pre.shape[:-1] != post.shape[:-1]:
        raise TypeFault(f"spikes are (..., in) and (..., out), got {pre} and {post}")
    need_shape(weights, (*post.shape, pre.shape[-1]), "a matrix of weights (..., out, in)")
    shapes = {name: pre.shape if name in PRE_TRACES else post.shape for name in rule.traces}
    for name, given in zip(rule.traces, operands[3:], strict=False):
        need_shape(given, shapes[name], f"the trace {name}")
    if counted and operands[-1] != Type("i64"):
        raise TypeFault(f"the step is i64[], got {operands[-1]}")
    return common_float(weights, *operands[3 : 3 + len(shapes)])


@dataclass(frozen=True)
class LoihiPlasticity(Op):
    """One step of learning in the fixed point of Loihi 2, as Lava states it (see `ir.whole_learning`).

    Operands and results as those of `plasticity`, whole numbers in f64, with the count of steps always there. rule: in
    Lava's grammar, constants m * 2^e; x1 to y3: (time constant in steps, impulse in the chip's units) of the traces
    that it reads; sign: of the weights, "mixed", "excitatory" or "inhibitory", which says their limits; seed: of the
    random numbers by which traces and weights are rounded, the same for all rows of a batch.
    """

    mnemonic = "loihi_plasticity"
    operands = (4, None)
    rule: str
    x1: tuple[float, ...] = ()
    x2: tuple[float, ...] = ()
    y1: tuple[float, ...] = ()
    y2: tuple[float, ...] = ()
    y3: tuple[float, ...] = ()
    sign: str = "mixed"
    seed: int = 0

    @property
    def whole(self) -> WholeRule:
        """The rule as data. ValueError where the chip holds no such rule."""
        given = {name: tuple(getattr(self, name)) for name in TRACES if getattr(self, name)}
        if wrong := [name for name, pair in given.items() if len(pair) != 2]:
            raise ValueError(f"{wrong[0]} is [time constant in steps, impulse]")
        return whole_rule(self.rule, given, self.sign)

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        try:
            rule = self.whole
        except ValueError as fault:
            raise TypeFault(str(fault)) from fault
        if self.seed < 0:
            raise TypeFault(f"the seed is {self.seed}", "a whole number of at least 0")
        if _check_operands(parse_rule(self.rule), operands, True) != "f64":
            raise TypeFault("needs whole numbers in f64, got " + ", ".join(map(str, operands)), "cast them")
        return (operands[2], *operands[3 : 3 + len(rule.traces)], operands[-1])
