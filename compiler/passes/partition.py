"""partition: what the device runs becomes `launch` ops, the rest stays in the host program."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import ClassVar

from ...ir import Graph, Module, Node, Value
from ...ir.ops import Constant, Launch, Logic
from ...ir.ops.quantum import Readout
from .base import Context, Contract, Pass
from .loop_distribution import distributed
from .regions import Regions, launch_node, lend_from_inputs

HOST_NOTE = "on the host: "
"""How a remark begins that says why a node was left to the host; `--strict` refuses these."""


@dataclass(frozen=True)
class Partition(Pass):
    """Wrap what the target runs into launch ops, and say why the rest stays on the host.

    A backend that takes regions gets connected convex regions of supported nodes that hold a neuron, each as large as
    the backend takes it; a loop that it does not take is parted into several where it takes some of them. Any other
    backend gets each supported node as a launch of its own, also inside loops.
    """

    name: ClassVar[str] = "partition"
    contract: ClassVar[Contract] = Contract.VALUES

    def run(self, module: Module, context: Context) -> Module:
        """The module with launches for `context.target`. Without a target, or without supported nodes, unchanged."""
        if context.target is None or context.supports is None:
            return module
        taken = {n.op.artifact for n in module.nodes() if isinstance(n.op, Launch)}
        names = _Names(context.target.name, taken)
        if context.whole_region:
            return module.with_(graph=self._regions(module, context, names))
        return module.with_(graph=self._nodes(module.graph, module, context, names))

    def _nodes(self, graph: Graph, module: Module, context: Context, names: _Names) -> Graph:
        """Every supported node of a graph and of the loops in it as a launch of its own."""
        assert context.supports is not None
        assert context.target is not None
        nodes: list[Node] = []
        for node in graph.nodes:
            if isinstance(node.op, Launch):
                nodes.append(node)
                continue
            reason = context.supports(node, module)
            if reason is None:
                nodes.append(launch_node((node,), node.results, context.target.name, names.of((node,))))
                continue
            self._note(context, node, reason)
            bodies = {
                f.name: self._nodes(body, module, context, names)
                for f in fields(node.op)
                if isinstance(body := getattr(node.op, f.name), Graph)
            }
            nodes.append(replace(node, op=replace(node.op, **bodies)) if bodies else node)
        return replace(graph, nodes=tuple(nodes))

    def _regions(self, module: Module, context: Context, names: _Names) -> Graph:
        assert context.supports is not None
        assert context.target is not None
        module = module.with_(graph=lend_from_inputs(module.graph))
        regions = Regions(module, context.supports, context.target.name)
        refused = regions.refused_loops()
        if refused:
            parted = module.with_(graph=distributed(module.graph, refused))
            finer = Regions(parted, context.supports, context.target.name)
            if finer.neurons() > regions.neurons():
                module, regions = parted, finer
        launches = regions.launches(names.of)
        for k, reason in regions.left():
            self._note(context, module.graph.nodes[k], reason)
        grouped = {k for group in regions.groups for k in group}
        units = [(min(group), node) for group, node in zip(regions.groups, launches, strict=True)]
        units += [(k, node) for k, node in enumerate(module.graph.nodes) if k not in grouped]
        nodes = _in_order([node for _, node in sorted(units, key=lambda unit: unit[0])], module.graph.inputs)
        return _without_unread_constants(replace(module.graph, nodes=tuple(nodes)), regions.constant_names())

    def _note(self, context: Context, node: Node, reason: str) -> None:
        if not isinstance(node.op, Constant | Launch):
            context.remark(self, f"{HOST_NOTE}{node.op.mnemonic}: {reason}", node.location)


class _Names:
    """Names of artifacts: that of the circuit or netlist, else of the device; each once."""

    def __init__(self, device: str, taken: Iterable[str]) -> None:
        self._device = device
        self._taken = set(taken)

    def of(self, members: Sequence[Node]) -> str:
        named = (
            n.op.circuit if isinstance(n.op, Readout) else n.op.netlist if isinstance(n.op, Logic) else ""
            for n in members
        )
        hint = next((name for name in named if name), self._device)
        plain = "".join(c if c.isalnum() or c in "_-" else "_" for c in hint)
        candidate, count = plain, 1
        while candidate in self._taken:
            count += 1
            candidate = f"{plain}_{count}"
        self._taken.add(candidate)
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


def _without_unread_constants(graph: Graph, constants: set[str]) -> Graph:
    """The graph without the constants that only launches read, which hold their own."""
    live = {v.name for v in graph.outputs}
    kept: list[Node] = []
    for node in reversed(graph.nodes):
        if node.results and all(v.name in constants and v.name not in live for v in node.results):
            continue
        live.update(v.name for v in node.operands)
        kept.append(node)
    return replace(graph, nodes=tuple(reversed(kept)))
