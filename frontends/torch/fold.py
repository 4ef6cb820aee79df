"""Folding: a loop that export unrolled becomes one scan again.

The steps of an unrolled loop are equal stretches of nodes, one after the other: the same ops on the same weights from
the same source lines. What differs from step to step is where the operands come from, and that says what they are: the
same step (a local value), an earlier step (a carried state), always the same outside value, or index t of an outside
tensor (a sequence). A stretch that fits none of these is left unrolled.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ...ir import Graph, Location, Module, Node, Op, Type, Value, ops
from ...ir.ops.spiking import Neuron
from .fold_build import build
from .fold_read import NotALoop, Stretch
from .work import Work, renamed, without_repeats

Key = tuple[Op, tuple[str, ...], tuple[Type, ...], Location]


def fold_loops(graph: Graph, module: Module) -> Graph:
    """The graph with every unrolled loop folded, without dead nodes, with plain names."""
    folded = _folded(graph.without_dead_nodes(), module).without_dead_nodes()
    return renamed(without_repeats(folded), module)


def _folded(graph: Graph, module: Module) -> Graph:
    work = Work.of(graph)
    _start_accumulators(work)
    while (changed := _fold_once(work, module)) is not None:
        work = changed
    return work.graph()


def _fold_once(work: Work, module: Module) -> Work | None:
    """The work with its largest loop folded; None where there is no loop."""
    first = _hoist(work)
    keys = _keys(work.nodes)
    for stretch in _stretches(work.nodes, keys, first):
        for part in _with_trimmed_ends(stretch):
            try:
                return build(work, part, module, _folded)
            except NotALoop:
                continue
    return None


def _key(node: Node) -> Key:
    weights = tuple(v.name if v.is_weight else "" for v in node.operands)
    return node.op, weights, tuple(v.type for v in node.results), node.location


def _keys(nodes: list[Node]) -> np.ndarray:
    """A number for every node, equal for nodes that may be the same node of different steps."""
    known: dict[Key, int] = {}
    return np.array([known.setdefault(_key(n), len(known)) for n in nodes], np.int64)


def _hoist(work: Work) -> int:
    """Move what occurs once and does not depend on a loop to the front; how many nodes that are.

    Initial states and values that stay the same were made by the first step, which is then like all others.
    """
    keys = _keys(work.nodes).tolist()
    counts = Counter(keys)
    early: set[str] = {v.name for v in work.inputs}
    front: list[Node] = []
    rest: list[Node] = []
    for node, key in zip(work.nodes, keys, strict=True):
        ready = all(v.is_weight or work.root(v).name in early for v in node.operands)
        if ready and (counts[key] == 1 or isinstance(node.op, ops.Constant)):
            front.append(node)
            early.update(v.name for v in node.results)
        else:
            rest.append(node)
    work.nodes = [*front, *rest]
    return len(front)


def _stretches(nodes: list[Node], keys: np.ndarray, first: int) -> Iterator[Stretch]:
    """Repeated stretches from node `first` on, those that cover most first, of these the shortest step first."""
    found: list[tuple[int, int, Stretch]] = []
    tail = keys[first:]
    for period in _periods(tail):
        for start, stop in _runs(tail[period:] == tail[:-period]):
            steps = (stop - start) // period + 1
            if steps < 2:
                continue
            stretch = Stretch(first + start, period, steps)
            neuron = any(isinstance(n.op, Neuron) for n in nodes[stretch.start : stretch.start + period])
            if steps >= (2 if neuron else 3):
                found.append((-period * steps, period, stretch))
    for _, _, stretch in sorted(found, key=lambda f: f[:2]):
        yield stretch


def _periods(keys: np.ndarray) -> list[int]:
    """Distances between neighbouring nodes with equal keys."""
    order = np.lexsort((np.arange(len(keys)), keys))
    same = np.diff(keys[order]) == 0
    return np.unique(np.diff(order)[same]).tolist()


def _runs(equal: np.ndarray) -> Iterator[tuple[int, int]]:
    """Bounds of the stretches that are True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], equal, [False]]).astype(np.int8)))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def _with_trimmed_ends(stretch: Stretch) -> Iterator[Stretch]:
    """The stretch, then without its first, its last, and both of these steps, which may differ from the others."""
    yield stretch
    if stretch.steps > 3:
        yield replace(stretch, start=stretch.start + stretch.period, steps=stretch.steps - 1)
        yield replace(stretch, steps=stretch.steps - 1)
        yield replace(stretch, start=stretch.start + stretch.period, steps=stretch.steps - 2)


def _start_accumulators(work: Work) -> None:
    """`total = 0; total = total + x` begins with `x + 0`: write it as the other steps are, as a sum of two tensors."""
    makers = {v.name: n for n in work.nodes for v in n.results}
    sums: dict[tuple[Location, tuple[Type, ...]], Node] = {}
    for node in work.nodes:
        if isinstance(node.op, ops.Add) and node.op.scalar is None:
            sums.setdefault((node.location, tuple(v.type for v in node.results)), node)
    starts: dict[Op, Node] = {n.op: n for n in work.nodes if isinstance(n.op, ops.Constant)}
    lender = [v for v in work.inputs if v.type.batched][:1]
    nodes = [*work.nodes]
    for k, node in enumerate(nodes):
        type_ = node.results[0].type
        later = sums.get((node.location, (type_,)))
        if later is None or not isinstance(node.op, ops.Add) or node.op.scalar is None:
            continue
        op = ops.Constant(node.op.scalar, type_.shape, type_.dtype)
        if op not in starts:
            value = Value(f"constant#{node.results[0].name}", type_)
            starts[op] = Node(op, tuple(lender) if type_.batched else (), (value,), node.location)
        x, start = node.operands[0], starts[op].results[0]
        ahead = _alike(makers, later.operands[0], x)
        nodes[k] = replace(node, op=ops.Add(), operands=(x, start) if ahead else (start, x))
    made = [n for n in starts.values() if n not in nodes]
    work.nodes = [*made, *nodes]


def _alike(makers: dict[str, Node], a: Value, b: Value) -> bool:
    """Whether two values are made by the same node of different steps."""
    left, right = makers.get(a.name), makers.get(b.name)
    return left is not None and right is not None and _key(left) == _key(right)
