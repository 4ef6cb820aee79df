"""Hypergraphs cut into parts by Mt-KaHyPar (Gottesbueren et al., ALENEX 2021): few rate-weighted edges between parts.

`hypergraph.ini` is its deterministic preset with one run on the coarsest level, which takes most of its time.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ....bridges.extras import need
from .net import Net, distinct

_CONFIG = Path(__file__).with_name("hypergraph.ini")
_MOST_PINS = 25_000
_PIECES = 8
"""Vertices are joined before the cut, up to this share of a part, while there are more pins."""
_KEPT_PINS = 40_000
"""Edges with the lowest rates are left out of the cut where there are still more pins."""
_UNITS = 10_000
"""Weights are whole numbers: this many units for the heaviest."""


@cache
def _library() -> tuple[Any, Any]:
    library = need("mtkahypar", "loihi")
    return library, library.initialize(1, False)


def cut(net: Net, atoms: np.ndarray, load: np.ndarray, parts: int, seed: int) -> np.ndarray:
    """A part for each of `atoms`, 0..parts - 1, about equal in `load`, with a small rate-weighted connectivity - 1."""
    local = np.full(len(net.size), -1)
    local[atoms] = np.arange(len(atoms))
    edge, vertex = _incidence(net, local)
    group, most = np.arange(len(atoms)), load[atoms].sum() / parts / _PIECES
    while len(edge) > _MOST_PINS:
        merged = np.bincount(group, load[atoms])
        kind = np.zeros(len(merged), np.int64)
        pairs = np.unique(_matched(edge, vertex, net.edges.rate, merged, kind, most), return_inverse=True)[1]
        if pairs.max() + 1 > 0.95 * len(merged):
            break
        group = pairs[group]
        edge, vertex = distinct(edge, pairs[vertex])
    kept = _heaviest(edge, net.edges.rate)
    return _partition(edge[kept], vertex[kept], net.edges.rate, np.bincount(group, load[atoms]), parts, seed)[group]


def _heaviest(edge: np.ndarray, rate: np.ndarray) -> np.ndarray:
    """Whether each pin is of an edge that is kept: those with the highest rates, up to a number of pins."""
    size = np.bincount(edge, minlength=len(rate))
    order = np.lexsort((np.arange(len(rate)), -rate))
    kept = np.zeros(len(rate), bool)
    kept[order[np.cumsum(size[order]) <= _KEPT_PINS]] = True
    return kept[edge]


def _incidence(net: Net, local: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(edge, vertex) of every pin on a vertex, sorted. local: vertex of every atom, rising, or -1."""
    edge, atom = net.incidence
    vertex = local[atom]
    kept = vertex >= 0
    return edge[kept], vertex[kept]


def _partition(
    edge: np.ndarray, vertex: np.ndarray, rate: np.ndarray, load: np.ndarray, parts: int, seed: int
) -> np.ndarray:
    starts = np.flatnonzero(np.r_[True, edge[1:] != edge[:-1]]) if len(edge) else np.zeros(0, np.int64)
    sizes = np.diff(np.r_[starts, len(edge)])
    wide = np.flatnonzero((sizes > 1) & (rate[edge[starts]] > 0.0))
    if parts < 2 or not len(wide) or len(load) <= parts:
        return _even(load, parts)
    # Edges with equal pins are one.
    cells: dict[bytes, float] = {}
    for index in wide:
        key = vertex[starts[index] : starts[index] + sizes[index]].tobytes()
        cells[key] = cells.get(key, 0.0) + float(rate[edge[starts[index]]])
    heaviest = max(cells.values())
    nets = [np.frombuffer(key, np.int64).tolist() for key in cells]
    weights = [max(1, round(_UNITS * value / heaviest)) for value in cells.values()]
    loads = np.maximum(1, np.round(_UNITS * load / load.max())).astype(np.int64).tolist()
    library, session = _library()
    library.set_seed(seed)
    context = session.context_from_file(str(_CONFIG))
    context.set_partitioning_parameters(parts, 0.05, library.Objective.KM1)
    context.logging = False
    graph = session.create_hypergraph(context, len(load), len(nets), nets, loads, weights)
    return np.asarray(graph.partition(context).get_partition(), np.int64)


def _even(load: np.ndarray, parts: int) -> np.ndarray:
    """Vertices in order, in parts of about equal load."""
    middle = np.cumsum(load) - load / 2
    return np.minimum((middle / max(load.sum(), 1e-12) * parts).astype(np.int64), parts - 1)


def matched(net: Net, load: np.ndarray, most: float) -> np.ndarray:
    """Group of every atom: pairs of one population that share rate, each other's best choice, `most` a core at most."""
    edge, vertex = _incidence(net, np.arange(len(load)))
    return _matched(edge, vertex, net.edges.rate, load, net.population, most)


def _matched(
    edge: np.ndarray, vertex: np.ndarray, rate: np.ndarray, load: np.ndarray, kind: np.ndarray, most: float
) -> np.ndarray:
    """Group of every vertex: itself, or the first of a pair of one kind.

    An edge of n pins ties its neighbouring pins by rate / n only, so that no quadratic number of ties is formed.
    """
    sparse = need("scipy.sparse", "loihi")
    size = np.bincount(edge, minlength=len(rate))
    left, right, among = vertex[:-1], vertex[1:], edge[1:]
    kept = (edge[1:] == edge[:-1]) & (kind[left] == kind[right]) & (load[left] + load[right] <= most)
    left, right, value = left[kept], right[kept], (rate / np.maximum(size, 1))[among[kept]] + 1e-12
    count = len(load)
    ties = sparse.csr_array((np.r_[value, value], (np.r_[left, right], np.r_[right, left])), (count, count))
    row = np.repeat(np.arange(count), np.diff(ties.indptr))
    # Equal ties, as in dense layers, are broken by the parity of the pair, so that they do not all point one way.
    order = np.lexsort((ties.indices, (np.minimum(row, ties.indices) % 2), -np.round(ties.data, 12), row))
    starts = ties.indptr[:-1][np.diff(ties.indptr) > 0]
    best = np.arange(count)
    best[row[order][starts]] = ties.indices[order][starts]
    mutual = best[best] == np.arange(count)
    return np.where(mutual, np.minimum(best, np.arange(count)), np.arange(count))
