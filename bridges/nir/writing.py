"""Writes a .nir file in the layout of the package nir, byte for byte the same for the same graph."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from ...ir import InputError
from ..extras import need
from .graph import GRAPH, NirGraph, NirNode

GENERATIONS = ("1.0.8", "1.0.4")
"""Versions of the package nir that files are written for: the older one knows no v_reset."""


def write(graph: NirGraph, generation: str = "1.0.8") -> bytes:
    """The bytes of the file. InputError O0002 where the generation is unknown or cannot hold a reset value."""
    if generation not in GENERATIONS:
        help = "one of " + ", ".join(GENERATIONS)
        raise InputError.of("O0002", f"there is no generation {generation!r} of NIR files", help=help)
    h5py = need("h5py", "nir")
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.create_dataset("version", data=generation, dtype=h5py.string_dtype())
        root = file.create_group("node")
        _graph(root, graph, generation, h5py)
    return buffer.getvalue()


def _graph(group: Any, graph: NirGraph, generation: str, h5py: Any) -> None:
    group.create_dataset("type", data=GRAPH, dtype=h5py.string_dtype())
    _metadata(group, graph.metadata, h5py)
    edges = np.array(graph.edges, object).reshape(-1, 2)
    group.create_dataset("edges", data=edges, dtype=h5py.string_dtype())
    nodes = group.create_group("nodes")
    for name, node in graph.nodes.items():
        _node(nodes.create_group(name), name, node, generation, h5py)


def _node(group: Any, name: str, node: NirNode, generation: str, h5py: Any) -> None:
    if node.graph is not None:
        _graph(group, node.graph, generation, h5py)
        return
    group.create_dataset("type", data=node.kind, dtype=h5py.string_dtype())
    fields = dict(node.fields)
    if generation == "1.0.4" and np.any(fields.pop("v_reset", 0)):
        help = "write for 1.0.8, or reset to 0"
        raise InputError.of("O0002", f"{name} is reset to a value, which NIR 1.0.4 does not know", help=help)
    for key, value in fields.items():
        if isinstance(value, str):
            group.create_dataset(key, data=value, dtype=h5py.string_dtype())
        else:
            group.create_dataset(key, data=value)
    _metadata(group, node.metadata, h5py)


def _metadata(group: Any, metadata: Any, h5py: Any) -> None:
    if metadata:
        _table(group.create_group("metadata"), metadata, h5py)


def _table(group: Any, table: Any, h5py: Any) -> None:
    for key, value in table.items():
        if isinstance(value, dict):
            _table(group.create_group(key), value, h5py)
        elif isinstance(value, str):
            group.create_dataset(key, data=value, dtype=h5py.string_dtype())
        else:
            group.create_dataset(key, data=value)
