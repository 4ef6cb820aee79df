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


def read(source: str | Path | bytes) -> NirGraph:
    """The graph of a file, or of a file's bytes. InputError G0001 with the place where it cannot be read."""
    h5py = need("h5py", "nir")
    place = "<nir>" if isinstance(source, bytes) else str(source)
    if not isinstance(source, bytes) and not Path(source).is_file():
        raise InputError.of("M0001", f"there is no file {source}")
    try:
        with h5py.File(io.BytesIO(source) if isinstance(source, bytes) else source, "r") as file:
            if "node" not in file:
                raise _error(place, "", "it holds no node", "a NIR file has the groups `node` and `version`")
            version = _plain(file["version"][()]) if "version" in file else ""
            node = _node(file["node"], place, "")
    except OSError as fault:
        raise _error(place, "", f"it is not HDF5: {fault}", "a NIR file is HDF5, written by the package nir") from None
    if node.graph is None:
        raise _error(place, "", f"its root is a {node.kind}", "the root of a NIR file is a NIRGraph")
    return NirGraph(node.graph.nodes, node.graph.edges, node.graph.metadata, str(version))


def _error(place: str, path: str, message: str, help: str = "") -> InputError:
    return InputError.of("G0001", f"{path}: {message}" if path else message, Location(place, path=path), help=help)


def _node(group: Any, place: str, path: str) -> NirNode:
    if "type" not in group:
        raise _error(place, path, "it has no type", "one of " + ", ".join([GRAPH, *KINDS]))
    kind = str(_plain(group["type"][()]))
    metadata = _fields(group["metadata"]) if "metadata" in group else {}
    if kind == GRAPH:
        return NirNode(kind, {}, _graph(group, place, path, metadata), metadata)
    if kind not in KINDS:
        raise _error(place, path, f"there is no node {kind!r} in NIR", did_you_mean(kind, [GRAPH, *KINDS]))
    fields = {k: v for k, v in _fields(group).items() if k not in ("type", "metadata")}
    for name in KINDS[kind].required:
        if name not in fields:
            raise _error(place, path, f"a {kind} has no {name}", f"it needs {', '.join(KINDS[kind].required)}")
    for name in fields:
        if name not in KINDS[kind].required + KINDS[kind].optional:
            raise _error(place, path, f"a {kind} has no field {name!r}", did_you_mean(name, KINDS[kind].required))
    return NirNode(kind, fields, None, metadata)


def _graph(group: Any, place: str, path: str, metadata: dict[str, Any]) -> NirGraph:
    inner = f"{path}." if path else ""
    for name in ("nodes", "edges"):
        if name not in group:
            raise _error(place, path, f"a graph has no {name}")
    nodes = {name: _node(node, place, inner + name) for name, node in group["nodes"].items()}
    rows = np.atleast_2d(group["edges"][()]) if group["edges"].size else np.zeros((0, 2), object)
    edges = [(str(_plain(a)), str(_plain(b))) for a, b in rows]
    return NirGraph(nodes, edges, metadata)


def _fields(group: Any) -> dict[str, Any]:
    """Datasets as arrays, numbers and text; groups as tables."""
    return {name: _fields(item) if hasattr(item, "keys") else _plain(item[()]) for name, item in group.items()}


def _plain(value: Any) -> Any:
    return value.decode("utf-8") if isinstance(value, bytes) else value
