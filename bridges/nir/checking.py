"""Everything that is wrong with a graph, each with its place and what would be right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from ...ir import Diagnostic, Location
from ...ir.diagnostics import did_you_mean
from .graph import KINDS, NirGraph, NirNode, flat
from .shapes import shapes_of, show


def check(graph: NirGraph, file: str = "<nir>") -> list[Diagnostic]:
    """Faults of nodes (G0002) and of edges (G0003); an empty list for a graph that means something.

    Beside what the package nir checks: numbers that are not finite, time constants that are not above 0, thresholds
    that are not above the reset value, biases of another length than the weights, nodes that nothing reaches, edges to
    nodes that are not there, cycles without a state.
    """
    faults = [*_nodes(graph, file), *_edges(graph, file, "")]
    if faults:
        return faults
    whole = flat(graph)
    _, wrong = shapes_of(whole)
    faults = [_fault("G0002", file, name, reason) for name, reason in wrong.items()]
    return [*faults, *_reached(whole, file), *_loops(whole, file)]


def _fault(code: str, file: str, path: str, message: str, help: str = "") -> Diagnostic:
    return Diagnostic(code, f"{path}: {message}", Location(file, path=path), help=help)


def _nodes(graph: NirGraph, file: str) -> Iterator[Diagnostic]:
    for path, node in graph.walk():
        if node.graph is None:
            for message, help in _node(node):
                yield _fault("G0002", file, path, message, help)


def _node(node: NirNode) -> Iterator[tuple[str, str]]:
    """(what is wrong, what would be right)."""
    kind = KINDS[node.kind]
    for name in (*kind.required, *kind.optional):
        value = node.fields.get(name)
        if isinstance(value, np.ndarray | np.number) and np.asarray(value).dtype.kind == "f":
            array = np.asarray(value)
            if not np.isfinite(array).all():
                at = np.argwhere(~np.isfinite(array))[0].tolist()
                yield f"{name} is {array[tuple(at)]} at index {at}", "a finite number"
            elif name in kind.positive and (array <= 0).any():
                yield f"{name} is {array[array <= 0].ravel()[0]:g}", "a time constant in seconds above 0"
    if node.kind == "Delay" and (node.array("delay") < 0).any():
        yield f"a delay of {node.array('delay').min():g} s", "0 or more"
    if "v_threshold" in node.fields:
        low = node.array("v_threshold") <= node.array("v_reset")
        if low.any():
            at = np.argmax(low)
            pair = node.array("v_threshold").ravel()[at], node.array("v_reset").ravel()[at]
            yield f"v_threshold is {pair[0]:g}, v_reset {pair[1]:g}", "a threshold above what the potential is reset to"
    yield from _sizes(node)


def _sizes(node: NirNode) -> Iterator[tuple[str, str]]:
    kind = KINDS[node.kind]
    shapes = {name: node.array(name).shape for name in kind.shaped if name in node.fields}
    whole = {shape for shape in shapes.values() if shape != ()}
    if len(whole) > 1:
        text = ", ".join(f"{name} {show(shape)}" for name, shape in shapes.items())
        yield f"its parameters have several shapes: {text}", "one number a neuron"
    if "bias" in node.fields:
        weight, bias = node.array("weight").shape, node.array("bias").shape
        outputs = weight[0] if node.kind.startswith("Conv") else weight[-2]
        if bias[-1:] != (outputs,):
            yield f"its bias is {show(bias)}, its weight {show(weight)}", f"a bias of {outputs}"
    if node.kind in ("Affine", "Linear") and node.array("weight").ndim < 2:
        yield f"its weight is {show(node.array('weight').shape)}", "a matrix [out,in]"
    if node.kind.startswith("Conv") and node.array("weight").ndim != int(node.kind[4]) + 2:
        yield f"its weight is {show(node.array('weight').shape)}", "a kernel [out,in / groups,...]"


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
    for name, node in graph.nodes.items():
        if node.graph is not None:
            yield from _edges(node.graph, file, f"{path}{name}.")
        if node.kind == "Input" and any(b == name for _, b in graph.edges):
            yield _fault("G0003", file, path + name, "an edge leads into an input")
        if node.kind == "Output" and any(a == name for a, _ in graph.edges):
            yield _fault("G0003", file, path + name, "an edge leads out of an output")


def _reached(graph: NirGraph, file: str) -> Iterator[Diagnostic]:
    after: dict[str, list[str]] = {}
    for a, b in graph.edges:
        after.setdefault(a, []).append(b)
    seen, waiting = set(graph.of_kind("Input")), graph.of_kind("Input")
    while waiting:
        for other in after.get(waiting.pop(), ()):
            if other not in seen:
                seen.add(other)
                waiting.append(other)
    for name in graph.nodes:
        if name not in seen:
            yield _fault("G0003", file, name, "nothing comes here from the input", "an edge, or no such node")


def _loops(graph: NirGraph, file: str) -> Iterator[Diagnostic]:
    """Cycles through nodes without a state: their value would depend on itself."""
    plain = {name for name, node in graph.nodes.items() if not KINDS[node.kind].state}
    left = {name: [a for a in graph.into(name) if a in plain] for name in plain}
    while ready := [name for name, sources in left.items() if not sources]:
        for name in ready:
            del left[name]
        left = {name: [a for a in sources if a not in ready] for name, sources in left.items()}
    circle = {name for name in left if any(name in sources for sources in left.values())}
    if circle:
        names = ", ".join(sorted(circle))
        yield _fault("G0003", file, sorted(circle)[0], f"a cycle without a state: {names}", "a neuron or a delay in it")
