"""Regions of a graph that one launch may hold: connected, convex, with a neuron, and taken by the backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from ...ir import Graph, Module, Node, Value
from ...ir.ops import Cast, Constant, Expand, Launch, Reshape, Scan
from ...ir.ops.quantum import Readout
from ...ir.ops.spiking import Neuron
from .base import Supports

UNCONNECTED = "no neuron that the target runs is connected to it"
"""Why a node is left whose neighbours are left."""


class Regions:
    """Groups of node numbers of the module's graph, each for one launch.

    From every neuron or loop of neurons a region grows along edges over nodes that the backend supports, as far as
    the backend takes the whole: it is asked about the launch that the region would become. Constants do not count as
    nodes; a launch holds those that it needs itself.
    """

    def __init__(self, module: Module, supports: Supports, device: str) -> None:
        self._module = module
        self._nodes = module.graph.nodes
        self._supports = supports
        self._device = device
        self._constant = _constants(module.graph)
        self._reasons = {
            k: supports(node, module)
            for k, node in enumerate(self._nodes)
            if k not in self._constant and not isinstance(node.op, Launch)
        }
        self._maker = {v.name: k for k, node in enumerate(self._nodes) for v in node.results}
        self._before = [self._sources(node) for node in self._nodes]
        self._after: list[list[int]] = [[] for _ in self._nodes]
        for k, sources in enumerate(self._before):
            for source in sources:
                self._after[source].append(k)
        self._group_of: dict[int, int] = {}
        self._notes: dict[int, str] = {}
        """Why a supported node is in no region."""
        self.groups: list[list[int]] = []
        for seed in self._able():
            if seed not in self._group_of and _neurons(self._nodes[seed]):
                self._form(seed)

    def _sources(self, node: Node) -> list[int]:
        made = {self._maker[v.name] for v in node.operands if v.name in self._maker}
        return sorted(made - self._constant)

    def _able(self) -> list[int]:
        return [k for k, reason in self._reasons.items() if reason is None]

    def left(self) -> Iterator[tuple[int, str]]:
        """(node number, reason) of every node that no region holds, those with a reason of their own first."""
        left = {k: reason or self._notes.get(k) for k, reason in self._reasons.items() if k not in self._group_of}
        yield from ((k, reason) for k, reason in left.items() if reason)
        yield from ((k, UNCONNECTED) for k, reason in left.items() if not reason)

    def refused_loops(self) -> list[int]:
        """Numbers of the loops of neurons that no region holds."""
        return [k for k, _ in self.left() if isinstance(self._nodes[k].op, Scan) and _neurons(self._nodes[k])]

    def neurons(self) -> int:
        """How many neuron nodes the regions hold."""
        return sum(_neurons(self._nodes[k]) for k in self._group_of)

    def constant_names(self) -> set[str]:
        """The names of all constants."""
        return {v.name for k in self._constant for v in self._nodes[k].results}

    def launches(self, name_of: Callable[[Sequence[Node]], str]) -> list[Node]:
        """Every group as a launch, in the order of the groups."""
        return [self._launch(set(group), name_of([self._nodes[k] for k in group])) for group in self.groups]

    # Growing

    def _form(self, seed: int) -> None:
        """Make the group of a seed, or note why the backend takes none."""
        refusal: dict[int, str] = {}
        for candidate in (self._grown(seed, self._neighbours), self._grown(seed, self._before.__getitem__), {seed}):
            reason = self._supports(self._launch(candidate, "trial"), self._module)
            if reason is None:
                region = self._extended(candidate, refusal)
                break
            refusal |= dict.fromkeys(candidate, reason)
        else:
            self._notes[seed] = refusal[seed]
            return
        self._group_of |= dict.fromkeys(region, len(self.groups))
        self.groups.append(sorted(region))
        for k, reason in refusal.items():
            self._notes.setdefault(k, f"the device does not take it with its neurons: {reason}")

    def _extended(self, region: set[int], refusal: dict[int, str]) -> set[int]:
        """The region with every neighbour that the backend takes too."""
        refused: set[int] = set()
        while True:
            near = {k for at in region for k in self._neighbours(at)} - refused
            other = next((k for k in sorted(near) if self._may_join(k, region)), None)
            if other is None:
                return region
            reason = self._supports(self._launch(region | {other}, "trial"), self._module)
            if reason is None:
                region = region | {other}
            else:
                refused.add(other)
                refusal[other] = reason

    def _neighbours(self, k: int) -> list[int]:
        return [*self._before[k], *self._after[k]]

    def _grown(self, seed: int, edges: Callable[[int], list[int]]) -> set[int]:
        region, waiting = {seed}, [seed]
        while waiting:
            for other in edges(waiting.pop(0)):
                if self._may_join(other, region):
                    region.add(other)
                    waiting.append(other)
        return region

    def _may_join(self, k: int, region: set[int]) -> bool:
        free = k not in region and k not in self._group_of and self._reasons.get(k, "") is None
        return free and self._convex(region | {k})

    def _convex(self, region: set[int]) -> bool:
        """Whether no path leaves the region and comes back into it; a path through a group comes out anywhere."""
        outside = {k for at in region for k in self._after[at] if k not in region}
        seen: set[int] = set()
        while outside:
            at = outside.pop()
            if at in region:
                return False
            if at not in seen:
                group = self.groups[self._group_of[at]] if at in self._group_of else [at]
                seen.update(group)
                outside.update(k for member in group for k in self._after[member])
        return True

    # Launches

    def _launch(self, region: set[int], artifact: str) -> Node:
        nodes = self._nodes
        outside = [n for k, n in enumerate(nodes) if k not in region and k not in self._constant]
        used = {v.name for node in outside for v in node.operands} | {v.name for v in self._module.graph.outputs}
        outputs = tuple(v for k in sorted(region) for v in nodes[k].results if v.name in used)
        held = self._needed_constants(region)
        own = {v.name for k in region | held for v in nodes[k].results}
        read = [v for k in sorted(region) for v in nodes[k].operands if not v.is_weight and v.name not in own]
        lender = next((v for v in read if v.type.batched), None)
        members = [_lent(nodes[k], lender) if k in held else nodes[k] for k in sorted(region | held)]
        return launch_node(members, outputs, self._device, artifact)

    def _needed_constants(self, region: set[int]) -> set[int]:
        needed: set[int] = set()
        waiting = list(region)
        while waiting:
            at = waiting.pop()
            operands = self._nodes[at].operands
            read = operands[: len(operands) - 1] if at in needed and _lends(self._nodes[at]) else operands
            makers = {self._maker[v.name] for v in read if v.name in self._maker} & self._constant - needed
            needed |= makers
            waiting += makers
        return needed


def launch_node(members: Sequence[Node], outputs: tuple[Value, ...], device: str, artifact: str) -> Node:
    """A launch of nodes in order; its operands are what they read from outside, weights excepted."""
    made = {v.name for node in members for v in node.results}
    operands: dict[str, Value] = {}
    for node in members:
        operands |= {v.name: v for v in node.operands if not v.is_weight and v.name not in made}
    inputs = tuple(operands.values())
    place = next((n.location for n in members if n.location and not isinstance(n.op, Constant)), members[0].location)
    return Node(Launch(device, artifact, Graph(inputs, tuple(members), outputs)), inputs, outputs, place)


def lend_from_inputs(graph: Graph) -> Graph:
    """The graph in which a constant of the batch's size takes that size from an input of the graph."""
    lender = next((v for v in graph.inputs if v.type.batched), None)
    return replace(graph, nodes=tuple(_lent(node, lender) for node in graph.nodes))


def _lends(node: Node) -> bool:
    """Whether the last operand only lends its size."""
    return len(node.operands) == (1 if isinstance(node.op, Constant) else 2 if isinstance(node.op, Expand) else -1)


def _lent(node: Node, lender: Value | None) -> Node:
    if lender is None or not _lends(node) or not node.operands[-1].type.batched:
        return node
    return replace(node, operands=(*node.operands[:-1], lender))


def _constants(graph: Graph) -> set[int]:
    """Numbers of the nodes that are made of weights and numbers alone; what lends its size does not count."""
    found: set[int] = set()
    names: set[str] = set()
    for k, node in enumerate(graph.nodes):
        given = node.operands[:-1] if _lends(node) else node.operands
        plain = isinstance(node.op, Constant | Cast | Expand | Reshape) or bool(given)
        if node.op.bodies or isinstance(node.op, Readout | Neuron):
            continue
        if plain and all(v.is_weight or v.name in names for v in given):
            found.add(k)
            names.update(v.name for v in node.results)
    return found


def _neurons(node: Node) -> int:
    """How many neurons a node is or holds."""
    return sum(isinstance(n.op, Neuron) for n in Graph((), (node,), ()).walk())
