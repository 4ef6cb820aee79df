"""partition: what the device runs becomes `launch` ops, the rest stays in the host program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from ...ir import Graph, Module, Node, Value
from ...ir.ops import Constant, Launch, Logic, Scan
from ...ir.ops.quantum import Readout
from ...ir.ops.spiking import Neuron
from .base import Contract, Context, Pass

HOST_NOTE = "on the host: "
"""How a remark begins that says why a node was left to the host; `--strict` refuses these."""


@dataclass(frozen=True)
class Partition(Pass):
    """Wrap what the target runs into launch ops, and say why the rest stays on the host.

    A backend that takes regions gets every connected convex region of supported nodes that holds a neuron; any other
    gets each supported node as a launch of its own.
    """

    name: ClassVar[str] = "partition"
    contract: ClassVar[Contract] = Contract.VALUES

    def run(self, module: Module, context: Context) -> Module:
        """The module with launches for `context.target`. Without a target, or without supported nodes, unchanged."""
        if context.target is None or context.supports is None:
            return module
        reasons = {k: context.supports(node, module) for k, node in enumerate(module.graph.nodes)}
        able = {k for k, reason in reasons.items() if reason is None}
        groups = _regions(module.graph, able) if context.whole_region else [[k] for k in sorted(able)]
        grouped = {k for group in groups for k in group}
        for k, node in enumerate(module.graph.nodes):
            if k not in grouped and not isinstance(node.op, Constant | Launch):
                reason = reasons[k] or "no neuron is connected to it"
                context.remark(self, f"{HOST_NOTE}{node.op.mnemonic}: {reason}", node.location)
        graph = _wrap(module.graph, groups, context.target.name)
        return module.with_(graph=graph)


def _regions(graph: Graph, able: set[int]) -> list[list[int]]:
    """Convex connected groups of the nodes `able`, by node number, that hold a neuron.

    Grown along edges from every neuron or scan, nearest first; a node joins where no path then leaves and comes back.
    """
    nodes = graph.nodes
    maker = {v.name: k for k, node in enumerate(nodes) for v in node.results}
    before = [sorted({maker[v.name] for v in node.operands if v.name in maker}) for node in nodes]
    after: list[list[int]] = [[] for _ in nodes]
    for k, sources in enumerate(before):
        for source in sources:
            after[source].append(k)
    taken: set[int] = set()
    regions: list[list[int]] = []
    for seed in (k for k in sorted(able) if _spikes(nodes[k])):
        if seed in taken:
            continue
        region, waiting = {seed}, [seed]
        while waiting:
            at = waiting.pop(0)
            for other in (*before[at], *after[at]):
                if other in able and other not in taken | region and _convex(region | {other}, after):
                    region.add(other)
                    waiting.append(other)
        taken |= region
        regions.append(sorted(region))
    return regions


def _spikes(node: Node) -> bool:
    return isinstance(node.op, Neuron) or any(isinstance(n.op, Neuron) for body in node.op.bodies for n in body.walk())


def _convex(region: set[int], after: Sequence[Sequence[int]]) -> bool:
    """Whether no path leaves the region and comes back into it."""
    last = max(region)
    outside = {k for at in region for k in after[at] if k not in region}
    seen: set[int] = set()
    while outside:
        at = outside.pop()
        if at in region:
            return False
        if at <= last and at not in seen:
            seen.add(at)
            outside.update(after[at])
    return True


def _wrap(graph: Graph, groups: Sequence[Sequence[int]], device: str) -> Graph:
    """The graph with every group as one launch, placed where all its inputs are known."""
    used_outside = _users(graph, groups)
    group_of = {k: number for number, group in enumerate(groups) for k in group}
    names: set[str] = set()
    launches: dict[int, Node] = {}
    for number, group in enumerate(groups):
        members = [graph.nodes[k] for k in group]
        artifact = _fresh(_artifact_name(members, device), names)
        launches[number] = _launch(members, used_outside[number], device, artifact)
    units: list[Node] = [launches[n] for n in launches]
    units += [node for k, node in enumerate(graph.nodes) if k not in group_of]
    first = {id(launches[n]): min(group) for n, group in enumerate(groups)}
    first |= {id(node): k for k, node in enumerate(graph.nodes) if k not in group_of}
    return replace(graph, nodes=tuple(_in_order(sorted(units, key=lambda n: first[id(n)]), graph.inputs)))


def _users(graph: Graph, groups: Sequence[Sequence[int]]) -> list[set[str]]:
    """For every group, the names of its values that something outside it uses."""
    out: list[set[str]] = []
    for group in groups:
        members = set(group)
        used = {v.name for k, node in enumerate(graph.nodes) if k not in members for v in node.operands}
        out.append(used | {v.name for v in graph.outputs})
    return out


def _launch(members: Sequence[Node], used: set[str], device: str, artifact: str) -> Node:
    made = {v.name for node in members for v in node.results}
    operands: dict[str, Value] = {}
    for node in members:
        operands |= {v.name: v for v in node.operands if not v.is_weight and v.name not in made}
    outputs = tuple(v for node in members for v in node.results if v.name in used)
    body = Graph(tuple(operands.values()), tuple(members), outputs)
    place = next((n.location for n in members if n.location), members[0].location)
    return Node(Launch(device, artifact, body), tuple(operands.values()), outputs, place)


def _artifact_name(members: Sequence[Node], device: str) -> str:
    for node in members:
        if isinstance(node.op, Readout):
            return node.op.circuit
        if isinstance(node.op, Logic):
            return node.op.netlist
    return device if any(isinstance(n.op, Scan) for n in members) else members[0].op.mnemonic


def _fresh(name: str, taken: set[str]) -> str:
    plain = "".join(c if c.isalnum() or c in "_-" else "_" for c in name)
    candidate, count = plain, 1
    while candidate in taken:
        count += 1
        candidate = f"{plain}_{count}"
    taken.add(candidate)
    return candidate


def _in_order(units: Sequence[Node], inputs: Sequence[Value]) -> list[Node]:
    """The nodes so that every value is made before it is used, otherwise in the given order."""
    known = {v.name for v in inputs}
    made = {v.name for node in units for v in node.results}
    waiting, out = list(units), []
    while waiting:
        ready = next(n for n in waiting if all(v.name in known or v.name not in made for v in n.operands))
        waiting.remove(ready)
        out.append(ready)
        known.update(v.name for v in ready.results)
    return out
