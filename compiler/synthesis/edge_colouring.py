"""Colours for the edges of a graph such that edges that share a vertex differ: layers of gates that commute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count

Edge = tuple[int, int]


def edge_colours(edges: Sequence[Edge]) -> list[int]:
    """A colour from 0 for every edge; parallel edges are allowed, loops are not.

    A complete graph of n vertices gets n - 1 colours (n where n is odd), a bipartite one as many as its largest degree
    (Koenig's theorem, by alternating paths), any other about as many as its largest degree.
    """
    vertices = sorted({v for edge in edges for v in edge})
    if len(edges) == len({frozenset(e) for e in edges}) == len(vertices) * (len(vertices) - 1) // 2:
        return _round_robin(edges, vertices)
    colouring = _Colouring(edges, vertices)
    for k in range(len(edges)):
        colouring.take(k)
    return colouring.colours


def _round_robin(edges: Sequence[Edge], vertices: Sequence[int]) -> list[int]:
    """The circle method of tournaments: player i meets j in round i + j, the last one meets i in round 2 i."""
    place = {v: i for i, v in enumerate(vertices)}
    rounds = len(vertices) - 1 + len(vertices) % 2
    return [
        (2 * min(i, j) if max(i, j) == rounds else i + j) % rounds for i, j in ((place[u], place[v]) for u, v in edges)
    ]


class _Colouring:
    def __init__(self, edges: Sequence[Edge], vertices: Sequence[int]) -> None:
        self.edges = edges
        self.colours = [-1] * len(edges)
        self.at: dict[int, dict[int, int]] = {v: {} for v in vertices}
        """vertex -> colour -> its edge"""

    def take(self, k: int) -> None:
        """Colour edge k."""
        u, v = self.edges[k]
        at_u, at_v = self.at[u], self.at[v]
        a, b = _free(at_u), _free(at_v)
        if a in at_v and b in at_u:
            path = self._path(v, a, b)
            if at_u[b] in path:
                a = _free(at_u, at_v)
            else:
                self._exchange(path, a, b)
        elif a in at_v:
            a = b
        self._put(k, a)

    def _put(self, k: int, colour: int) -> None:
        self.colours[k] = colour
        for vertex in self.edges[k]:
            self.at[vertex][colour] = k

    def _path(self, vertex: int, a: int, b: int) -> list[int]:
        """The edges of colours a, b, a, ... from a vertex on."""
        path: list[int] = []
        while a in self.at[vertex]:
            path.append(self.at[vertex][a])
            u, v = self.edges[path[-1]]
            vertex, a, b = u + v - vertex, b, a
        return path

    def _exchange(self, path: Sequence[int], a: int, b: int) -> None:
        """Exchange the two colours along a path, so that its start has no edge of colour a."""
        for k in path:
            for vertex in self.edges[k]:
                self.at[vertex].pop(self.colours[k], None)
        for k in path:
            self._put(k, a + b - self.colours[k])


def _free(*taken: Mapping[int, int]) -> int:
    return next(c for c in count() if not any(c in t for t in taken))
