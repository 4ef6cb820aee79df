"""Cycles of a graph, as readers of NIR break them.

NIR has continuous time: its edges take none. A reader that advances in steps takes a graph in an order, and where an
edge points back in that order, it brings what was one step before. The order here is that of a depth-first search from
the input that follows edges as they are listed. The step is taken where the way back leaves the last node with a state
or with several edges out, so that weights on the way back see the spikes of the step before, and their bias acts from
the first step on. A `Delay` of at least one step needs nothing of its own step: a cycle through one has no edge back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

Edge = tuple[str, str]


def order_of(names: Sequence[str], after: Mapping[str, Sequence[str]]) -> tuple[list[str], set[Edge]]:
    """(nodes in order, edges that point back).

    names: every node, in the order in which searches begin. after: node -> nodes that its edges lead to.
    """
    state: dict[str, int] = {}
    done: list[str] = []
    back: set[Edge] = set()
    for root in names:
        stack = [(root, iter(after.get(root, ())))] if root not in state else []
        state.setdefault(root, 1)
        while stack:
            name, rest = stack[-1]
            for other in rest:
                if state.get(other) == 1:
                    back.add((name, other))
                elif other not in state:
                    state[other] = 1
                    stack.append((other, iter(after.get(other, ()))))
                    break
            else:
                state[name] = 2
                done.append(name)
                stack.pop()
    return done[::-1], back


def steps_of(
    names: Sequence[str], edges: Sequence[Edge], delays: Collection[str], stateless: Collection[str]
) -> tuple[list[str], set[Edge]]:
    """(nodes in order, edges that bring the value of the step before) of a graph.

    names: the inputs first. delays: nodes that put out what came in at least one step ago; they stand first in the
    order, before what comes in.
    """
    into: dict[str, list[str]] = {}
    out: dict[str, list[str]] = {}
    for a, b in edges:
        into.setdefault(b, []).append(a)
        out.setdefault(a, []).append(b)
    late = {(a, b) for a, b in edges if b in delays}
    _, back = order_of(names, _after(edges, late))
    taken: set[Edge] = set()
    for a, b in back:
        while a in stateless and len(into[a]) == len(out[a]) == 1:
            a, b = into[a][0], a
        taken.add((a, b))
    order, _ = order_of(names, _after(edges, late | taken))
    return order, taken


def _after(edges: Sequence[Edge], without: Collection[Edge]) -> dict[str, list[str]]:
    after: dict[str, list[str]] = {}
    for a, b in edges:
        if (a, b) not in without:
            after.setdefault(a, []).append(b)
    return after
