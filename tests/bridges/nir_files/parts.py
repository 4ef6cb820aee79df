"""Small graphs of few nodes, right unless a test changes them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from qsc.bridges.nir import NirGraph, NirNode

from .random_graphs import neurons, node


def chain(
    given: Sequence[float] | dict[str, Any] = (3,), put_out: Sequence[float] | None = None, /, **parts: NirNode
) -> NirGraph:
    """input -> parts -> output; a table instead of a shape is qsc's metadata."""
    facts, shape = (given, (3,)) if isinstance(given, dict) else ({}, given)
    last = node("Output", shape=np.array(shape if put_out is None else put_out))
    nodes = {"input": node("Input", shape=np.array(shape)), **parts, "output": last}
    return NirGraph(nodes, list(pairwise(nodes)), {"qsc": facts} if facts else {})


def lif(**changed: Any) -> NirNode:
    return NirNode("LIF", dict(neurons(np.random.default_rng(0), "LIF", (3,)).fields) | changed)


def conv(**changed: Any) -> NirNode:
    """One channel of 6 x 6 to two of 4 x 4."""
    right = {
        "input_shape": np.array([6, 6]),
        "weight": np.ones((2, 1, 3, 3)),
        "stride": np.array([1, 1]),
        "padding": np.array([0, 0]),
        "dilation": np.array([1, 1]),
        "groups": 1,
        "bias": np.zeros(2),
    }
    return NirNode("Conv2d", right | changed)


def pool(**changed: Any) -> NirNode:
    """Halves an image."""
    window = {"kernel_size": np.array([2, 2]), "stride": np.array([2, 2]), "padding": np.array([0, 0])}
    return NirNode("SumPool2d", window | changed)


def nested(size: int = 3, edges: Sequence[tuple[str, str]] = (), **parts: NirNode) -> NirNode:
    """A graph as a node: input -> parts -> output, and more edges."""
    graph = chain((size,), **parts)
    return NirNode("NIRGraph", {}, NirGraph(graph.nodes, [*graph.edges, *edges]))
