"""One loop over time as a chain of loops: what a device cannot hold is parted from what it can."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ...ir import Graph, Node, Value
from ...ir.ops import Constant, Scan
from .rewrites import fresh_name


def distributed(graph: Graph, chosen: Iterable[int]) -> Graph:
    """The graph with the scans of these node numbers parted as far as their states allow.

    Nodes that reach each other through carried values stay in one loop. A later loop reads what an earlier one gave,
    step by step, so every value is computed from the same operands as before. Every loop has its constants for itself.
    """
    wanted = set(chosen)
    taken = graph.names()
    nodes: list[Node] = []
    for k, node in enumerate(graph.nodes):
        parts = _part(node, node.op, taken) if k in wanted and isinstance(node.op, Scan) else None
        nodes += parts or [node]
    return replace(graph, nodes=tuple(nodes))


def _part(node: Node, op: Scan, taken: set[str]) -> list[Node] | None:
    """The loops that take the place of one, None where it cannot be parted."""
    body = op.body
    maker = {v.name: k for k, inner in enumerate(body.nodes) for v in inner.results}
    if any(v.name not in maker for v in body.outputs):
        return None
    loop = _Loop(node, op, maker)
    groups = loop.groups()
    if len(groups) < 2:
        return None
    return [loop.made(group, taken) for group in groups]


@dataclass
class _Port:
    """A value of the body that a loop of the chain reads: its outer form, and whether it has a time axis there."""

    outer: Value
    sequence: bool


class _Loop:
    def __init__(self, node: Node, op: Scan, maker: dict[str, int]) -> None:
        self.node, self.op, self.maker = node, op, maker
        self.states = {v.name: k for k, v in enumerate(op.body.inputs[: op.carried])}
        split = op.carried + op.sequences
        self.ports = {
            inside.name: _Port(given, k < split)
            for k, (given, inside) in enumerate(zip(node.operands, op.body.inputs, strict=True))
            if k >= op.carried
        }
        ends = {v.name for v in op.body.outputs}
        self.constants = {
            k
            for k, inner in enumerate(op.body.nodes)
            if isinstance(inner.op, Constant) and not inner.operands and inner.results[0].name not in ends
        }
        """Numbers of the nodes that each loop has for itself."""
        self.readers: dict[str, set[int]] = {}
        for k, inner in enumerate(op.body.nodes):
            for v in inner.operands:
                self.readers.setdefault(v.name, set()).add(k)

    def groups(self) -> list[list[int]]:
        """Node numbers of the loops, in an order in which every loop only reads earlier ones."""
        after: list[set[int]] = [set() for _ in self.op.body.nodes]
        for name, k in self.maker.items():
            after[k] |= self.readers.get(name, set())
        for name, state in self.states.items():
            end = self.maker[self.op.body.outputs[state].name]
            for reader in self.readers.get(name, set()):
                after[end].add(reader)
                after[reader].add(end)
        return [group for group in components(after) if group[0] not in self.constants]

    def made(self, group: Sequence[int], taken: set[str]) -> Node:
        """The loop of one group. Notes where later loops find its values."""
        op, body, members = self.op, self.op.body, set(group)
        lent = {k for k in self.constants if self.readers.get(body.nodes[k].results[0].name, set()) & members}
        nodes = tuple(body.nodes[k] for k in sorted(lent | members))
        own = {v.name for n in nodes for v in n.results}
        carried = [k for k, v in enumerate(body.outputs[: op.carried]) if self.maker[v.name] in members]
        read = {v.name: v for n in nodes for v in n.operands if v.name in self.ports and v.name not in own}
        sequences = [v for v in read.values() if self.ports[v.name].sequence]
        fixed = [v for v in read.values() if not self.ports[v.name].sequence]
        inputs = (*(body.inputs[k] for k in carried), *sequences, *fixed)
        operands = (
            *(self.node.operands[k] for k in carried),
            *(self.ports[v.name].outer for v in (*sequences, *fixed)),
        )
        steps = [(body.outputs[k], self.node.results[k]) for k in range(op.carried, len(body.outputs))]
        steps = [(inner, outer) for inner, outer in steps if inner.name in own]
        known = {inner.name for inner, _ in steps}
        for value in (v for k in group for v in body.nodes[k].results):
            if value.name not in known and self.readers.get(value.name, set()) - members:
                name = fresh_name(f"{value.name}_steps", taken)
                taken.add(name)
                steps.append((value, Value(name, value.type.with_shape((op.steps, *value.type.shape)))))
        self.ports |= {inner.name: _Port(outer, True) for inner, outer in steps}
        outputs = (*(body.outputs[k] for k in carried), *(inner for inner, _ in steps))
        results = (*(self.node.results[k] for k in carried), *(outer for _, outer in steps))
        scan = Scan(op.steps, Graph(inputs, nodes, outputs), len(carried), len(sequences))
        place = next((n.location for n in nodes if n.location), self.node.location)
        return Node(scan, operands, results, place)


def components(after: Sequence[Iterable[int]]) -> list[list[int]]:
    """Strongly connected components of the graph k -> after[k], sources first, members in ascending order."""
    before: list[list[int]] = [[] for _ in after]
    for k, targets in enumerate(after):
        for target in targets:
            before[target].append(k)
    finished: list[int] = []
    seen: set[int] = set()
    for root in range(len(after)):
        stack = [] if root in seen else [(root, iter(sorted(after[root])))]
        seen.add(root)
        while stack:
            at, rest = stack[-1]
            following = next((k for k in rest if k not in seen), None)
            if following is None:
                finished.append(at)
                stack.pop()
            else:
                seen.add(following)
                stack.append((following, iter(sorted(after[following]))))
    out: list[list[int]] = []
    placed: set[int] = set()
    for root in reversed(finished):
        if root in placed:
            continue
        group, waiting = [], [root]
        placed.add(root)
        while waiting:
            at = waiting.pop()
            group.append(at)
            fresh = [k for k in before[at] if k not in placed]
            placed.update(fresh)
            waiting += fresh
        out.append(sorted(group))
    return out
