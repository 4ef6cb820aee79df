"""A graph as folding edits it: nodes in order, and slices of one index apart from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ...ir import Graph, GraphBuilder, Module, Node, Value, ops


@dataclass
class Work:
    """`slices` holds every Slice of one index by its result's name: `x[:, t]` is not a step of a loop but what the
    step reads, wherever in the program it was taken."""

    inputs: tuple[Value, ...]
    nodes: list[Node]
    outputs: tuple[Value, ...]
    slices: dict[str, Node] = field(default_factory=dict)

    @classmethod
    def of(cls, graph: Graph) -> Work:
        slices = {n.results[0].name: n for n in graph.nodes if is_index(n)}
        return cls(graph.inputs, [n for n in graph.nodes if not is_index(n)], graph.outputs, slices)

    def graph(self) -> Graph:
        """The graph, every slice before its first use."""
        out: list[Node] = []
        placed: set[str] = set()

        def place(value: Value) -> None:
            node = self.slices.get(value.name)
            if node is not None and value.name not in placed:
                place(node.operands[0])
                placed.add(value.name)
                out.append(node)

        for node in self.nodes:
            for value in node.operands:
                place(value)
            out.append(node)
        for value in self.outputs:
            place(value)
        return Graph(self.inputs, tuple(out), self.outputs)

    def root(self, value: Value) -> Value:
        """What a slice of slices is taken from."""
        while value.name in self.slices:
            value = self.slices[value.name].operands[0]
        return value


def is_index(node: Node) -> bool:
    """Whether a node picks one index of a dimension."""
    return isinstance(node.op, ops.Slice) and node.op.stop == node.op.start + 1


def renamed_nodes(nodes: Iterable[Node], rename: Mapping[str, Value]) -> list[Node]:
    return [n.with_operands(rename) if any(v.name in rename for v in n.operands) else n for n in nodes]


def renamed(graph: Graph, module: Module) -> Graph:
    """The graph with plain names: the part before `#`, numbered where it occurs more than once."""
    builder = GraphBuilder(module)
    names: dict[str, Value] = {}

    def name(value: Value) -> Value:
        names[value.name] = fresh = Value(builder.fresh(value.name.partition("#")[0]), value.type)
        return fresh

    inputs = tuple(name(v) for v in graph.inputs)
    nodes: list[Node] = []
    for node in graph.nodes:
        op = node.op
        if isinstance(op, ops.Scan):
            op = replace(op, body=renamed(op.body, module))
        operands = tuple(names.get(v.name, v) for v in node.operands)
        nodes.append(Node(op, operands, tuple(name(v) for v in node.results), node.location))
    return Graph(inputs, tuple(nodes), tuple(names.get(v.name, v) for v in graph.outputs))


def without_repeats(graph: Graph) -> Graph:
    """The graph with equal nodes made once; drawn samples stay apart."""
    known: dict[tuple[object, ...], tuple[Value, ...]] = {}
    rename: dict[str, Value] = {}
    nodes: list[Node] = []
    for old in graph.nodes:
        node = old.with_operands(rename)
        if isinstance(node.op, ops.Scan):
            node = replace(node, op=replace(node.op, body=without_repeats(node.op.body)))
        key = (node.op, *(v.name for v in node.operands))
        if key in known and not node.op.draws:
            rename.update((v.name, same) for v, same in zip(node.results, known[key], strict=True))
            continue
        known[key] = node.results
        nodes.append(node)
    return replace(graph, nodes=tuple(nodes), outputs=tuple(rename.get(v.name, v) for v in graph.outputs))
