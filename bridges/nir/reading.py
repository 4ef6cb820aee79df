"""Reads a .nir file: every version, nested graphs, fields as they are."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from ...ir import InputError, Location
from ...ir.diagnostics import did_you_mean
from ..extras import need
from .graph import GRAPH, KINDS, NirGraph, NirNode

LEVELS = 32
"""How deep graphs may be nested: a damaged file can hold a group that holds itself."""

DENSEST = 1100
"""Bytes that one stored byte can stand for: deflate packs at most 1032. A damaged file can say more, without end."""

_BROKEN = (OSError, RuntimeError, LookupError, ValueError, TypeError, OverflowError, MemoryError)
"""What h5py raises at bytes that are not what the file says of them."""


def read(source: str | Path | bytes) -> NirGraph:
    """The graph of a file, or of a file's bytes. InputError G0001 with the place where it cannot be read."""
    h5py = need("h5py", "nir")
    place = "<nir>" if isinstance(source, bytes) else str(source)
    if not isinstance(source, bytes) and not Path(source).is_file():
        raise InputError.of("M0001", f"there is no file {source}")
    try:
        file = h5py.File(io.BytesIO(source) if isinstance(source, bytes) else source, "r")
    except _BROKEN as fault:
        raise _error(place, "", f"it is not HDF5: {fault}", "a NIR file is HDF5, written by the package nir") from None
    with file:
        try:
            return _root(file, place)
        except _BROKEN as fault:
            raise _damaged(place, "", fault) from None


def _error(place: str, path: str, message: str, help: str = "") -> InputError:
    return InputError.of("G0001", f"{path}: {message}" if path else message, Location(place, path=path), help=help)


def _damaged(place: str, path: str, fault: BaseException) -> InputError:
    return _error(place, path, f"it is damaged: {fault.args[0] if fault.args else fault}", "a file that is whole")


def _root(file: Any, place: str) -> NirGraph:
    if "node" not in file:
        raise _error(place, "", "it holds no node", "a NIR file has the groups `node` and `version`")
    node = _node(file["node"], place, "", 0)
    if node.graph is None:
        raise _error(place, "", f"its root is a {node.kind}", "the root of a NIR file is a NIRGraph")
    version = _value(file, "version", place, "") if "version" in file else ""
    return NirGraph(node.graph.nodes, node.graph.edges, node.graph.metadata, str(version))


def _node(group: Any, place: str, path: str, level: int) -> NirNode:
    try:
        return _known(group, place, path, level)
    except _BROKEN as fault:
        raise _damaged(place, path, fault) from None


def _known(group: Any, place: str, path: str, level: int) -> NirNode:
    if level > LEVELS:
        raise _error(place, "", f"its graphs are nested more than {LEVELS} deep")
    if not hasattr(group, "items") or "type" not in group:
        raise _error(place, path, "it has no type", "one of " + ", ".join([GRAPH, *KINDS]))
    kind = _value(group, "type", place, path)
    if kind == GRAPH:
        graph = _graph(group, place, path, level)
        return NirNode(GRAPH, {}, graph, graph.metadata)
    if kind not in KINDS:
        raise _error(place, path, f"there is no node {kind!r} in NIR", did_you_mean(str(kind), [GRAPH, *KINDS]))
    fields = {name: _value(group, name, place, path) for name in group if name not in ("type", "metadata")}
    for name in KINDS[kind].required:
        if name not in fields:
            raise _error(place, path, f"a {kind} has no {name}", f"it needs {', '.join(KINDS[kind].required)}")
    known = KINDS[kind].required + KINDS[kind].optional
    for name in fields:
        if name not in known:
            raise _error(place, path, f"a {kind} has no field {name!r}", did_you_mean(name, known))
    return NirNode(kind, fields, None, _metadata(group, place, path))


def _graph(group: Any, place: str, path: str, level: int) -> NirGraph:
    inner = f"{path}." if path else ""
    for name in ("nodes", "edges"):
        if name not in group:
            raise _error(place, path, f"a graph has no {name}", "nodes, a group, and edges, pairs of names")
    if not hasattr(group["nodes"], "items"):
        raise _error(place, path, "its nodes are no group", "a group with a group for every node")
    nodes = {}
    for name in group["nodes"]:
        if not name.isprintable():
            raise _error(place, path, f"a node is called {name!r}", "a name that can be shown")
        nodes[name] = _node(group["nodes"][name], place, inner + name, level + 1)
    rows = np.asarray(_value(group, "edges", place, path))
    if rows.size and (rows.ndim != 2 or rows.shape[1] != 2 or rows.dtype.kind != "O"):
        raise _error(place, path, f"its edges are {rows.dtype} {list(rows.shape)}", "pairs of names")
    edges = [(str(a), str(b)) for a, b in rows.reshape(-1, 2)]
    return NirGraph(nodes, edges, _metadata(group, place, path))


def _metadata(group: Any, place: str, path: str) -> dict[str, Any]:
    if "metadata" not in group:
        return {}
    if not hasattr(group["metadata"], "items"):
        raise _error(place, path, "its metadata are no group", "a group")
    return _table(group["metadata"], place, path, 0)


def _table(group: Any, place: str, path: str, level: int) -> dict[str, Any]:
    if level > LEVELS:
        raise _error(place, path, f"its metadata are nested more than {LEVELS} deep")
    return {
        name: _table(group[name], place, path, level + 1)
        if hasattr(group[name], "items")
        else _value(group, name, place, path)
        for name in group
    }


def _value(group: Any, name: str, place: str, path: str) -> Any:
    """A dataset as an array, a number or text; arrays of text hold str."""
    h5py, item = need("h5py", "nir"), group[name]
    if getattr(item, "shape", None) is None:
        raise _error(place, path, f"{name} holds no value", "numbers or text")
    stored = item.id.get_storage_size()
    if item.nbytes > DENSEST * max(stored, 64):
        raise _error(place, path, f"{name} says {item.nbytes} bytes, and {stored} are there", "a file that is whole")
    if h5py.check_string_dtype(item.dtype) is not None:
        return item.asstr()[()]
    if item.dtype.kind == "O":
        raise _error(place, path, f"{name} is of a type that NIR does not know", "numbers or text")
    return item[()]
