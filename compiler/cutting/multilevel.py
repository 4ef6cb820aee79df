"""Whole qubits in parts that little connects: multilevel partitioning of the graph of qubits.

Heavy edges are contracted until few vertices are left, those are put into parts by growing regions, and on the way back
every level is refined by moves (Karypis and Kumar, SIAM J. Sci. Comput. 20, 1998; Fiduccia and Mattheyses, DAC 1982).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

_COARSE = 6
"""Vertices a part at which contraction ends."""
_GROWN = 6
"""How many partitions of the coarsest graph are refined."""
_SHRINKS = 0.9
"""A level that keeps more of its vertices than this is the last."""


@dataclass(frozen=True)
class Level:
    """weight: (vertices, vertices), symmetric, 0 on the diagonal. size: qubits of every vertex."""

    weight: np.ndarray
    size: np.ndarray


def partitions(weight: np.ndarray, room: Sequence[int], tries: int, rng: Random) -> Iterator[list[int]]:
    """Vertex -> part, for `tries` random contractions. room: most vertices of every part; what is too wide in the end
    is left so."""
    for _ in range(tries):
        levels = [Level(weight, np.ones(len(weight), int))]
        maps: list[np.ndarray] = []
        most = max(1, max(room) // 3)
        while len(levels[-1].size) > _COARSE * len(room):
            coarse, number = _contracted(levels[-1], most, rng)
            if len(coarse.size) > _SHRINKS * len(levels[-1].size):
                break
            levels.append(coarse)
            maps.append(number)
        grown = [refined(levels[-1], room, _grown(levels[-1], room, rng)) for _ in range(_GROWN)]
        part = min(grown, key=lambda found: rank(levels[-1], room, found))
        for level, number in zip(reversed(levels[:-1]), reversed(maps), strict=True):
            part = refined(level, room, part[number])
        yield part.tolist()


def _contracted(level: Level, most: int, rng: Random) -> tuple[Level, np.ndarray]:
    """The graph with pairs of vertices made one, and the new number of every vertex: each with the free neighbour that
    it is tied to most."""
    count = len(level.size)
    number = np.full(count, -1)
    order, made = list(range(count)), 0
    rng.shuffle(order)
    for vertex in order:
        if number[vertex] >= 0:
            continue
        number[vertex] = made
        free = (number < 0) & (level.size + level.size[vertex] <= most)
        ties = np.where(free, level.weight[vertex], 0.0)
        partner = int(np.argmax(ties))
        if ties[partner] > 0.0:
            number[partner] = made
        made += 1
    to = np.zeros((made, count))
    to[number, np.arange(count)] = 1.0
    weight = to @ level.weight @ to.T
    np.fill_diagonal(weight, 0.0)
    return Level(weight, (to @ level.size).astype(int)), number


def _grown(level: Level, room: Sequence[int], rng: Random) -> np.ndarray:
    """Regions that grow around random vertices, one after the other, by the vertex that is tied to them most."""
    count, parts = len(level.size), len(room)
    part = np.full(count, -1)
    share = level.size.sum() / sum(room)
    for own in range(parts - 1):
        free = np.flatnonzero(part < 0)
        if not len(free):
            break
        inside, filled = np.zeros(count), 0
        chosen = int(rng.choice(free.tolist()))
        while filled + level.size[chosen] <= max(1.0, room[own] * share):
            part[chosen] = own
            filled += level.size[chosen]
            inside += level.weight[chosen]
            left = np.where(part < 0, inside, -1.0)
            chosen = int(np.argmax(left))
            if left[chosen] < 0.0:
                break
    part[part < 0] = parts - 1
    return part


def refined(level: Level, room: Sequence[int], part: np.ndarray) -> np.ndarray:
    """Passes of moves, each vertex once a pass and the best choice on the way kept, until a pass gains nothing."""
    part, best = part.copy(), rank(level, room, part)
    while True:
        part, now = _pass(level, room, part)
        if now >= best:
            return part
        best = now


def _pass(level: Level, room: Sequence[int], part: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    count, parts = len(level.size), len(room)
    limit = np.asarray(room)
    ties = level.weight @ np.eye(parts)[part]
    width = np.bincount(part, level.size, parts)
    kept, best = part.copy(), rank(level, room, part)
    part, free = part.copy(), np.ones(count, bool)
    over, cut = best
    for _ in range(count):
        # Room that a move gives back or takes away counts before anything else.
        spare = np.maximum(width - limit, 0.0)
        taken = np.maximum(width[None] + level.size[:, None] - limit, 0.0) - spare
        given = spare[part] - np.maximum(width[part] - level.size - limit[part], 0.0)
        gain = ties - ties[np.arange(count), part][:, None] - 1e9 * (taken - given[:, None])
        gain[~free] = -np.inf
        gain[np.arange(count), part] = -np.inf
        vertex, to = divmod(int(np.argmax(gain)), parts)
        if not np.isfinite(gain[vertex, to]):
            break
        own = part[vertex]
        cut -= ties[vertex, to] - ties[vertex, own]
        over += float(taken[vertex, to] - given[vertex])
        ties[:, own] -= level.weight[vertex]
        ties[:, to] += level.weight[vertex]
        width[own] -= level.size[vertex]
        width[to] += level.size[vertex]
        part[vertex] = to
        free[vertex] = False
        if (over, cut) < (best[0], best[1] - 1e-9):
            kept, best = part.copy(), (over, cut)
    return kept, best


def rank(level: Level, room: Sequence[int], part: np.ndarray) -> tuple[float, float]:
    """(qubits too many, weight of what is cut)."""
    width = np.bincount(part, level.size, len(room))
    over = float(np.maximum(width - np.asarray(room), 0.0).sum())
    return over, float(level.weight[part[:, None] != part[None]].sum() / 2.0)
