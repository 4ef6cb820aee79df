"""Dale's principle: a neuron excites all that it reaches, or inhibits all of it, and never both.

A presynaptic neuron is one number that a layer of weights reads: of the input, of neurons, or of a layer without a
threshold, such as a population that inhibits. A weight acts with its own sign and with those between its layer and the
next neurons or weights: the right side of a difference, a negation, factors below zero. What divides, and what chooses
between values, has no sign; a divisor that is computed counts as positive.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from ...ir import Graph, InputError, Module, Node, Value, ops
from ...ir.diagnostics import Diagnostic
from ...ir.ops.spiking import Neuron
from .base import Context, Contract, Pass

MOST = 8
"""Neurons of a population that are told one by one."""

SAME = (ops.Reshape, ops.Cast, ops.AvgPool, ops.SumPool, ops.MaxPool, ops.Push, ops.Tap)
"""What hands a neuron's number on as its own."""

LAYERS = (ops.Linear, ops.Conv, ops.DelayedLinear)

Signs = frozenset[int]
"""1, -1, both or neither."""

Seen = frozenset[tuple[int, str]]
"""Ids of sites and names of values on the way so far."""


@dataclass(frozen=True)
class Dale(Pass):
    """Refuse weights with which one neuron both excites and inhibits (Dale's principle)."""

    name: ClassVar[str] = "dale"
    contract: ClassVar[Contract] = Contract.VALUES
    tolerance: ClassVar[float] = 0.0
    dale: bool = True
    """whether the signs are checked"""

    def run(self, module: Module, context: Context) -> Module:
        """The module as it is. InputError M0009 for every neuron whose weights have both signs."""
        if not self.dale:
            return module
        groups = _Reader(module).groups()
        faults = [fault for group in groups for fault in _faults(group)]
        if faults:
            raise InputError(faults)
        for group in groups:
            excite, inhibit = (int(which.sum()) for which in _kinds(group))
            text = f"{group[0].source.name}: {excite} neurons excite and {inhibit} inhibit what they reach"
            context.remark(self, text, group[0].node.location)
        return module


@dataclass(frozen=True)
class _Synapses:
    """A layer of weights. acts: (out, in), each weight with the sign that it acts with; places of a kernel are among
    `out`. Of a layer whose result acts with both signs there is one for each."""

    node: Node
    source: Value
    acts: np.ndarray


def _kinds(group: list[_Synapses]) -> tuple[np.ndarray, np.ndarray]:
    """(whether each neuron excites anything, whether it inhibits anything) by the layers that read it."""
    acts = np.concatenate([s.acts for s in group])
    return np.any(acts > 0, axis=0, keepdims=True)[0], np.any(acts < 0, axis=0, keepdims=True)[0]


def _faults(group: list[_Synapses]) -> Iterator[Diagnostic]:
    excites, inhibits = _kinds(group)
    both = np.flatnonzero(excites & inhibits)
    name = group[0].source.name
    for k in both[:MOST]:
        columns = [s.acts[:, k] for s in group]
        up, down = (sum(int((sign * c > 0).sum()) for c in columns) for sign in (1, -1))
        # The rarer sign is most likely the wrong one.
        rare = 1 if up < down else -1
        at, column = next((s, c) for s, c in zip(group, columns, strict=True) if (rare * c > 0).any())
        onto = int(np.flatnonzero(rare * column > 0)[0])
        what = "excites" if rare == 1 else "inhibits"
        text = f"neuron {k} of {name} excites by {up} and inhibits by {down} of its weights"
        text += f": it {what} row {onto} of {at.node.operands[1].name} ({abs(column[onto]):g})"
        left = f"so do {len(both) - MOST} more neurons of {name}"
        notes = (left,) if k == both[:MOST][-1] and len(both) > MOST else ()
        help = "hold the weights of each neuron at one sign in training, or give it two populations"
        yield Diagnostic("M0009", text, at.node.location, notes, help)


@dataclass(eq=False)
class _Site:
    """A graph, and the loop whose body it is."""

    graph: Graph
    loop: Node | None = None
    outer: _Site | None = None
    makers: dict[str, Node] = field(default_factory=dict)
    readers: dict[str, list[Node]] = field(default_factory=dict)
    inside: dict[int, _Site] = field(default_factory=dict)
    """Node's id -> the site of its body."""

    def __post_init__(self) -> None:
        self.makers, self.readers = self.graph.producers(), self.graph.consumers()
        for node in self.graph.nodes:
            if isinstance(node.op, ops.Scan):
                self.inside[id(node)] = _Site(node.op.body, node, self)

    def all(self) -> Iterator[_Site]:
        """This one and those inside."""
        yield self
        for site in self.inside.values():
            yield from site.all()


class _Reader:
    """Finds every layer of weights, what it reads, and what its result does."""

    def __init__(self, module: Module) -> None:
        self._module = module
        self._root = _Site(module.graph)

    def groups(self) -> list[list[_Synapses]]:
        """The layers of constant weights that read one value, for every value."""
        found: dict[tuple[int, str, int], list[_Synapses]] = {}
        for site in self._root.all():
            for node in site.graph.nodes:
                if not (isinstance(node.op, LAYERS) and node.operands[1].is_weight):
                    continue
                weight = self._matrix(node)
                where, source = self._origin(site, node.operands[0])
                key = (id(where), source.name, weight.shape[1])
                for sign in sorted(self._effect(site, node.results[0], frozenset())):
                    found.setdefault(key, []).append(_Synapses(node, source, weight * sign))
        return list(found.values())

    def _matrix(self, node: Node) -> np.ndarray:
        """(out, in) in float64; in a kernel every channel counts once, and its places are among the rows."""
        weight = self._module.weights[node.operands[1].weight_name].astype(np.float64)
        if not isinstance(node.op, ops.Conv):
            return weight
        groups = node.op.groups
        each = weight.reshape(groups, weight.shape[0] // groups, weight.shape[1], -1)
        # (groups, out, in, places) -> rows (out, places), columns (groups, in)
        return each.transpose(1, 3, 0, 2).reshape(-1, groups * weight.shape[1])

    def _origin(self, site: _Site, value: Value) -> tuple[_Site, Value]:
        """Where a value comes from, and what it is there: back over what hands it on, out of loops, and from a carried
        value to what the step before made."""
        seen: set[tuple[int, str]] = set()
        while (id(site), value.name) not in seen:
            seen.add((id(site), value.name))
            maker = site.makers.get(value.name)
            if maker is not None and (isinstance(maker.op, SAME) or self._scales(maker) == frozenset({1})):
                value = next(v for v in maker.operands if not v.is_weight)
            elif maker is None and site.loop is not None and site.outer is not None:
                op, at = site.loop.op, site.graph.inputs.index(value)
                assert isinstance(op, ops.Scan)
                if at < op.carried:
                    value = site.graph.outputs[at]
                else:
                    site, value = site.outer, site.loop.operands[at]
            elif maker is not None and id(maker) in site.inside:
                at = maker.results.index(value)
                site = site.inside[id(maker)]
                value = site.graph.outputs[at]
            else:
                break
        return site, value

    def _scales(self, node: Node) -> Signs | None:
        """The signs of a constant factor or divisor; None for any other op."""
        if not isinstance(node.op, ops.Mul | ops.Div):
            return None
        if node.op.scalar is not None:
            return _signs(np.array(node.op.scalar))
        known = [v for v in (node.operands[1:] if isinstance(node.op, ops.Div) else node.operands) if v.is_weight]
        return _signs(self._module.weights[known[0].weight_name]) if known else None

    def _effect(self, site: _Site, value: Value, seen: Seen) -> Signs:
        """The signs with which a value reaches neurons, weights or the outputs of the program."""
        if (id(site), value.name) in seen:
            return frozenset()
        seen = seen | {(id(site), value.name)}
        found: set[int] = set()
        for node in site.readers.get(value.name, []):
            for at, operand in enumerate(node.operands):
                if operand == value:
                    found |= self._through(site, node, at, seen)
        for at, end in enumerate(site.graph.outputs):
            if end == value:
                found |= self._beyond(site, at, seen)
        return frozenset(found)

    def _beyond(self, site: _Site, at: int, seen: Seen) -> Signs:
        """What an output of a graph does: in the next step, behind the loop, or outside of the program."""
        if site.loop is None or site.outer is None:
            return frozenset({1})
        assert isinstance(site.loop.op, ops.Scan)
        carried = at < site.loop.op.carried
        found = self._effect(site, site.graph.inputs[at], seen) if carried else frozenset[int]()
        return found | self._effect(site.outer, site.loop.results[at], seen)

    def _through(self, site: _Site, node: Node, at: int, seen: Seen) -> Signs:
        """What a value does by one operand of a node."""
        op = node.op
        if isinstance(op, (Neuron, *LAYERS)):
            return frozenset({1})
        if isinstance(op, ops.Scan):
            inside = site.inside[id(node)]
            return self._effect(inside, inside.graph.inputs[at], seen) if at >= op.carried else frozenset()
        if (isinstance(op, ops.Where) and at == 0) or (isinstance(op, ops.Div) and at == 1):
            return frozenset()
        after = frozenset[int]().union(*(self._effect(site, v, seen) for v in node.results))
        turned = isinstance(op, ops.Neg) or (isinstance(op, ops.Sub) and at == 1)
        own = frozenset({-1}) if turned else self._scales(node) or frozenset({1})
        return frozenset(a * b for a in own for b in after)


def _signs(numbers: np.ndarray) -> Signs:
    return frozenset(int(x) for x in np.unique(np.sign(numbers)) if x)
