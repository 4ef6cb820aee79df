"""Everything that is wrong with a graph, each with its place and what would be right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter

from ...ir import Diagnostic, Location
from ...ir.diagnostics import did_you_mean
from .fields import node_faults, steps_faults
from .graph import KINDS, NirGraph, NirNode, unnested
from .shapes import shapes_of


def check(graph: NirGraph, file: str = "<nir>") -> list[Diagnostic]:
    """Faults of nodes (G0002) and of edges (G0003); an empty list for a graph that means something.

    Beside what the package nir checks: numbers that are not finite or of a wrong type, time constants that are not
    above 0, thresholds that are not above the reset value, biases of another length than the weights, shapes on the
    border of nested graphs, nodes that nothing reaches or that lead nowhere, edges to nodes that are not there, cycles
    without a state, and a length of a step in qsc's metadata that is none.
    """
    faults = [*_nodes(graph, file), *_edges(graph, file, "")]
    if faults:
        return faults
    whole = unnested(graph)
    _, wrong = shapes_of(whole)
    faults = [_fault("G0002", file, name, reason) for name, reason in wrong.items()]
    (source,), (sink,) = graph.of_kind("Input"), graph.of_kind("Output")
    return [*faults, *_reached(whole, source, sink, file), *_loops(whole, file)]


def _fault(code: str, file: str, path: str, message: str, help: str = "") -> Diagnostic:
    return Diagnostic(code, f"{path}: {message}", Location(file, path=path), help=help)


def _nodes(graph: NirGraph, file: str) -> Iterator[Diagnostic]:
    for message, help in steps_faults(graph.metadata.get("qsc", {})):
        yield _fault("G0002", file, "metadata.qsc", message, help)
    paths = Counter(path for path, _ in graph.walk())
    for path, node in graph.walk():
        if paths[path] > 1:
            yield _fault("G0003", file, path, "a node here and one of a nested graph have this path", "other names")
        if node.graph is None:
            for message, help in node_faults(node):
                yield _fault("G0002", file, path, message, help)


def _edges(graph: NirGraph, file: str, path: str) -> Iterator[Diagnostic]:
    where = path.removesuffix(".") or "the graph"
    for (a, b), count in Counter(graph.edges).items():
        for name in (a, b):
            if name not in graph.nodes:
                help = did_you_mean(name, graph.nodes)
                yield _fault(
                    "G0003", file, where, f"the edge from {a} to {b} refers to {name!r}, which is no node", help
                )
        if count > 1:
            yield _fault("G0003", file, where, f"there are {count} edges from {a} to {b}", "one; its weight twice")
    for kind in ("Input", "Output"):
        found = graph.of_kind(kind)
        if len(found) != 1:
            names = ", ".join(found) or "none"
            yield _fault("G0003", file, where, f"it has {len(found)} nodes of the kind {kind} ({names})", "one")
    starts, ends = {a for a, _ in graph.edges}, {b for _, b in graph.edges}
    for name, node in graph.nodes.items():
        if node.graph is not None:
            yield from _edges(node.graph, file, f"{path}{name}.")
        if node.kind == "Input" and name in ends:
            yield _fault("G0003", file, path + name, "an edge leads into an input")
        if node.kind == "Output" and name in starts:
            yield _fault("G0003", file, path + name, "an edge leads out of an output")


def _reached(graph: NirGraph, source: str, sink: str, file: str) -> Iterator[Diagnostic]:
    """Nodes that are on no way from the input to the output."""
    fed = _behind(source, graph.edges)
    used = _behind(sink, [(b, a) for a, b in graph.edges])
    for name in graph.nodes:
        if name not in fed:
            yield _fault("G0003", file, name, "nothing comes here from the input", "an edge, or no such node")
        elif name not in used:
            yield _fault("G0003", file, name, "nothing leads from here to the output", "an edge, or no such node")


def _behind(start: str, edges: Sequence[tuple[str, str]]) -> set[str]:
    after: dict[str, list[str]] = {}
    for a, b in edges:
        after.setdefault(a, []).append(b)
    seen, waiting = {start}, [start]
    while waiting:
        for other in after.get(waiting.pop(), ()):
            if other not in seen:
                seen.add(other)
                waiting.append(other)
    return seen


def _loops(graph: NirGraph, file: str) -> Iterator[Diagnostic]:
    """A cycle through nodes without a state: their value would depend on itself."""
    before: dict[str, list[str]] = {name: [] for name, node in graph.nodes.items() if not _remembers(node)}
    for a, b in graph.edges:
        if a in before and b in before:
            before[b].append(a)
    try:
        TopologicalSorter(before).prepare()
    except CycleError as fault:
        names = " -> ".join(fault.args[1])
        yield _fault("G0003", file, fault.args[1][0], f"a cycle without a state: {names}", "a neuron or a delay in it")


def _remembers(node: NirNode) -> bool:
    """Whether what comes in acts later than at once; a delay of 0 s does not."""
    return KINDS[node.kind].state and not (node.kind == "Delay" and (node.array("delay") == 0).any())
