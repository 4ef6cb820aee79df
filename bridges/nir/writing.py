"""Writes a .nir file in the layout of the package nir, byte for byte the same for the same graph."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from ...ir import InputError, Location
from ..extras import need
from .graph import GRAPH, Fields, NirGraph, NirNode

GENERATIONS = ("1.0.8", "1.0.4")
"""Versions of the package nir that files are written for: the older one knows no v_reset."""


def write(graph: NirGraph, generation: str = "1.0.8") -> bytes:
    """The bytes of the file.

    InputError O0002 where the generation is unknown or cannot hold a reset value, G0002 for what HDF5 cannot hold: a
    node without a name or with a / in it, a value that is neither numbers nor text.
    """
    if generation not in GENERATIONS:
        help = "one of " + ", ".join(GENERATIONS)
        raise InputError.of("O0002", f"there is no generation {generation!r} of NIR files", help=help)
    h5py = need("h5py", "nir")
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        _put(file, "version", generation, "version")
        _graph(file.create_group("node"), graph, generation, "")
    return buffer.getvalue()


def _error(path: str, message: str, help: str) -> InputError:
    return InputError.of("G0002", f"{path}: {message}", Location(path=path), help=help)


def _graph(group: Any, graph: NirGraph, generation: str, path: str) -> None:
    inner = f"{path}." if path else ""
    _put(group, "type", GRAPH, path)
    _metadata(group, graph.metadata, path)
    _put(group, "edges", np.array(graph.edges, object).reshape(-1, 2), path)
    nodes = group.create_group("nodes")
    for name, node in graph.nodes.items():
        _node(_child(nodes, name, path), inner + name, node, generation)


def _child(group: Any, name: str, path: str) -> Any:
    if name in ("", ".") or "/" in name or not name.isprintable():
        raise _error(path or "the graph", f"{name!r} is a name that HDF5 cannot hold", "a name without /")
    return group.create_group(name)


def _node(group: Any, path: str, node: NirNode, generation: str) -> None:
    if node.graph is not None:
        _graph(group, node.graph, generation, path)
        return
    _put(group, "type", node.kind, path)
    fields = dict(node.fields)
    if generation == "1.0.4" and np.any(fields.pop("v_reset", 0)):
        help = "write for 1.0.8, or reset to 0"
        raise InputError.of("O0002", f"{path} is reset to a value, which NIR 1.0.4 does not know", help=help)
    for key, value in fields.items():
        _put(group, key, value, path)
    _metadata(group, node.metadata, path)


def _metadata(group: Any, metadata: Fields, path: str) -> None:
    if metadata:
        _table(_child(group, "metadata", path), metadata, path)


def _table(group: Any, table: Fields, path: str) -> None:
    for key, value in table.items():
        if isinstance(value, dict):
            _table(_child(group, key, path), value, path)
        else:
            _put(group, key, value, path)


def _put(group: Any, key: str, value: Any, path: str) -> None:
    """One dataset: numbers in their own type, text in UTF-8 of any length."""
    array = np.asarray(value)
    text = array.dtype.kind == "U" or (array.dtype.kind == "O" and all(isinstance(v, str) for v in array.ravel()))
    if not text and array.dtype.kind not in "biufc":
        raise _error(path, f"{key} is {value!r:.80}, which a NIR file cannot hold", "numbers or text")
    dtype = need("h5py", "nir").string_dtype() if text else array.dtype
    group.create_dataset(key, data=array.astype(object) if text else array, dtype=dtype)
