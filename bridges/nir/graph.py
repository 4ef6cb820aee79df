"""A NIR graph as plain data, and what each kind of node holds.

Source: Pedersen et al., "Neuromorphic intermediate representation", Nature Communications 15, 8122 (2024), and the
package nir 1.0.8.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Kind:
    """What a kind of node holds.

    required, optional: fields. shaped: fields that have the shape of the node's output, parameters of a neuron each.
    positive: fields whose numbers are above 0. state: whether it remembers. fires: whether it puts out spikes.
    """

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    shaped: tuple[str, ...] = ()
    positive: tuple[str, ...] = ()
    state: bool = False
    fires: bool = False


def _neuron(*names: str, optional: tuple[str, ...] = (), fires: bool = False) -> Kind:
    positive = tuple(name for name in names if name.startswith("tau"))
    return Kind(names, optional, (*names, *optional), positive, True, fires)


Edge = tuple[str, str]

_WINDOW = ("stride", "padding", "dilation", "groups", "bias")

KINDS: dict[str, Kind] = {
    "Input": Kind(("shape",)),
    "Output": Kind(("shape",)),
    "Affine": Kind(("weight", "bias")),
    "Linear": Kind(("weight",)),
    "Scale": Kind(("scale",), shaped=("scale",)),
    "Conv1d": Kind(("weight", *_WINDOW), ("input_shape",)),
    "Conv2d": Kind(("weight", *_WINDOW), ("input_shape",)),
    "SumPool2d": Kind(("kernel_size", "stride", "padding")),
    "AvgPool2d": Kind(("kernel_size", "stride", "padding")),
    "Flatten": Kind(("start_dim", "end_dim"), ("input_type",)),
    "Delay": Kind(("delay",), shaped=("delay",), state=True),
    "Threshold": Kind(("threshold",), shaped=("threshold",), fires=True),
    "I": _neuron("r"),
    "IF": _neuron("r", "v_threshold", optional=("v_reset",), fires=True),
    "LI": _neuron("tau", "r", "v_leak"),
    "LIF": _neuron("tau", "r", "v_leak", "v_threshold", optional=("v_reset",), fires=True),
    "CubaLI": _neuron("tau_syn", "tau_mem", "r", "v_leak", optional=("w_in",)),
    "CubaLIF": _neuron("tau_syn", "tau_mem", "r", "v_leak", "v_threshold", optional=("w_in", "v_reset"), fires=True),
}
"""Every kind of node but NIRGraph, which holds a graph."""

GRAPH = "NIRGraph"

LEAST: dict[str, int | None] = {
    **dict.fromkeys(("shape", "input_shape", "input_type", "kernel_size", "stride", "dilation", "groups"), 1),
    "padding": 0,
    "start_dim": None,
    "end_dim": None,
}
"""Fields of whole numbers, and the least that is right, None for any. Every other field holds real numbers."""

Fields = Mapping[str, Any]
"""Field -> array, number or text, as the file holds it."""


@dataclass(frozen=True, eq=False)
class NirNode:
    """One node. graph: what a NIRGraph holds, None for every other kind."""

    kind: str
    fields: Fields = field(default_factory=dict)
    graph: NirGraph | None = None
    metadata: Fields = field(default_factory=dict)

    def array(self, name: str) -> np.ndarray:
        """A field as an array; v_reset is zero and w_in one where the file is older than they are."""
        if name in self.fields:
            return np.asarray(self.fields[name])
        like = np.asarray(self.fields["v_threshold" if "v_threshold" in self.fields else "tau_mem"])
        return np.zeros_like(like) if name == "v_reset" else np.ones_like(like)

    def ints(self, name: str) -> tuple[int, ...]:
        """A field of whole numbers."""
        return tuple(int(v) for v in np.atleast_1d(np.asarray(self.fields[name])))


@dataclass(frozen=True, eq=False)
class NirGraph:
    """Nodes by name and edges between names, in the order of the file."""

    nodes: dict[str, NirNode]
    edges: list[Edge]
    metadata: Fields = field(default_factory=dict)
    version: str = ""

    def of_kind(self, kind: str) -> list[str]:
        """The names of the nodes of a kind."""
        return [name for name, node in self.nodes.items() if node.kind == kind]

    def into(self, name: str) -> list[str]:
        """Where a node's edges come from."""
        return [a for a, b in self.edges if b == name]

    def walk(self, path: str = "") -> Iterator[tuple[str, NirNode]]:
        """Every node with its path, those of nested graphs after their owner."""
        for name, node in self.nodes.items():
            yield path + name, node
            if node.graph is not None:
                yield from node.graph.walk(f"{path}{name}.")


def unnested(graph: NirGraph) -> NirGraph:
    """The graph with the nodes of nested graphs beside its own: they get the path as a name.

    Inputs and outputs of nested graphs stay, as nodes that let through what comes. A nested graph has one of each.
    """
    nodes: dict[str, NirNode] = {}
    edges: list[Edge] = []
    begins: dict[str, str] = {}
    ends: dict[str, str] = {}
    for name, node in graph.nodes.items():
        if node.graph is None:
            nodes[name] = node
            continue
        inner = unnested(node.graph)
        nodes |= {f"{name}.{k}": v for k, v in inner.nodes.items()}
        edges += [(f"{name}.{a}", f"{name}.{b}") for a, b in inner.edges]
        begins[name], ends[name] = (f"{name}.{node.graph.of_kind(kind)[0]}" for kind in ("Input", "Output"))
    edges += [(ends.get(a, a), begins.get(b, b)) for a, b in graph.edges]
    return NirGraph(nodes, edges, graph.metadata, graph.version)


def flat(graph: NirGraph) -> NirGraph:
    """The graph without nested graphs: their nodes get the path as a name, their inputs and outputs become edges.

    Where one node leads to another in several ways, as a way around a nested graph and one straight through it, all
    but the first go through a `Scale` of 1: an edge stands once.
    """
    whole = unnested(graph)
    ends = {kind: {n for n in whole.of_kind(kind) if n not in graph.nodes} for kind in ("Input", "Output")}
    nodes = {name: node for name, node in whole.nodes.items() if name not in ends["Input"] | ends["Output"]}
    edges: dict[Edge, None] = {}
    for a, b in whole.edges:
        if a in ends["Input"] or b in ends["Output"]:
            continue
        for pair in ((x, y) for x in _sources(whole, ends, a) for y in _sinks(whole, ends, b)):
            if pair not in edges:
                edges[pair] = None
                continue
            again = f"{pair[1]}.again{len(nodes)}"
            nodes[again] = NirNode("Scale", {"scale": np.ones((), np.float32)})
            edges |= {(pair[0], again): None, (again, pair[1]): None}
    return NirGraph(nodes, list(edges), graph.metadata, graph.version)


def _sources(whole: NirGraph, ends: Mapping[str, set[str]], name: str) -> list[str]:
    """What comes out of a node; through the output of a nested graph, what leads to it but for its input."""
    if name not in ends["Output"]:
        return [name] if name not in ends["Input"] else []
    return [x for a in whole.into(name) for x in _sources(whole, ends, a)]


def _sinks(whole: NirGraph, ends: Mapping[str, set[str]], name: str) -> list[str]:
    """Where a node's input leads; through the input of a nested graph, and through its output where that is next."""
    if name not in ends["Input"] | ends["Output"]:
        return [name]
    return [y for a, b in whole.edges if a == name for y in _sinks(whole, ends, b)]
