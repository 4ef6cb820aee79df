"""Loops over the same steps that follow one another become one: what needs a layer and the next beside each other."""

from __future__ import annotations

from dataclasses import replace

from ...ir import Graph, Node, Value
from ...ir.diagnostics import join_locations
from ...ir.ops import Scan
from .rewrites import fresh_name


def joined_loops(graph: Graph, only_if: type) -> Graph:
    """The graph where a loop whose body has an op of the class `only_if` is part of the loop that makes its sequence.

    Joined where the first loop's results go nowhere but into the second, as a sequence, and both have the same number
    of steps: step t of the second then needs step t of the first alone.
    """
    found = True
    while found:
        found = False
        consumers = graph.consumers()
        makers = graph.producers()
        kept = {v.name for v in graph.outputs}
        for later in graph.nodes:
            if not (isinstance(later.op, Scan) and any(isinstance(n.op, only_if) for n in later.op.body.nodes)):
                continue
            sequences = later.operands[later.op.carried : later.op.carried + later.op.sequences]
            for first in [makers[v.name] for v in sequences if v.name in makers]:
                used = [v for v in first.results if consumers.get(v.name)]
                inside = all(consumers[v.name] == [later] and v in sequences for v in used)
                alone = inside and not kept & {v.name for v in first.results}
                if alone and isinstance(first.op, Scan) and first.op.steps == later.op.steps:
                    joined = _joined(first, later)
                    graph = replace(
                        graph, nodes=tuple(joined if n is later else n for n in graph.nodes if n is not first)
                    )
                    found = True
                    break
            if found:
                break
    return graph


def _joined(first: Node, later: Node) -> Node:
    """One loop at the place of the second, without the steps of the first, which nothing else reads."""
    a, b = first.op, later.op
    assert isinstance(a, Scan)
    assert isinstance(b, Scan)
    body = _renamed(b.body, a.body.names())
    made = dict(zip((v.name for v in first.results[a.carried :]), a.body.outputs[a.carried :], strict=True))
    fed = {
        inner.name: made[given.name]
        for inner, given in zip(body.inputs, later.operands, strict=True)
        if given.name in made
    }
    parts: tuple[list[tuple[Value, Value]], ...] = ([], [], [])
    for op, inner, given in ((a, a.body, first.operands), (b, body, later.operands)):
        for k, (value, operand) in enumerate(zip(inner.inputs, given, strict=True)):
            if value.name not in fed:
                parts[(k >= op.carried) + (k >= op.carried + op.sequences)].append((value, operand))
    pairs = [*parts[0], *parts[1], *parts[2]]
    nodes = (*a.body.nodes, *(n.with_operands(fed) for n in body.nodes))
    ends = [fed.get(v.name, v) for v in body.outputs]
    outputs = (*a.body.outputs[: a.carried], *ends)
    results = (*first.results[: a.carried], *later.results)
    loop = Scan(
        a.steps,
        Graph(tuple(v for v, _ in pairs), nodes, outputs),
        carried=a.carried + b.carried,
        sequences=len(parts[1]),
    )
    return Node(loop, tuple(o for _, o in pairs), results, join_locations([first.location, later.location]))


def _renamed(graph: Graph, taken: set[str]) -> Graph:
    """The graph with other names where they are taken."""
    names: dict[str, Value] = {}
    known = {*taken, *graph.names()}
    for value in (*graph.inputs, *(v for n in graph.nodes for v in n.results)):
        if value.name in taken:
            names[value.name] = Value(fresh_name(value.name, known), value.type)
            known.add(names[value.name].name)
    return Graph(
        tuple(names.get(v.name, v) for v in graph.inputs),
        tuple(
            replace(n.with_operands(names), results=tuple(names.get(v.name, v) for v in n.results)) for n in graph.nodes
        ),
        tuple(names.get(v.name, v) for v in graph.outputs),
    )
