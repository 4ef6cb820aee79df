"""Bounds from below on what the blocks still to come must cost, whatever fragments they get.

All of them weigh a cut edge by `overhead + alpha (front + behind)`: alpha is the weight that a fragment's load has.
The weighed cost of any set of edges is linear in alpha, so the least over all choices is concave, and the straight line
between the two `ALPHAS` stays below it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import numpy as np

from .blocks import Blocks

ALPHAS = np.array([0.0, 0.5])
_TABLE = 13
"""Most blocks between past and future of which all divisions in two are tabulated."""
_CELLS = 4_000_000
"""Most numbers in all tables."""


class Sweep:
    """An order of the blocks and, for every step, what it needs.

    frontier[t]: the blocks placed before step t that have an edge to step t or later. edges[t]: the edges of block
    order[t] to earlier blocks, as (place in the frontier, number of the edge).
    """

    def __init__(self, blocks: Blocks, order: Sequence[int]) -> None:
        self.blocks, self.order = blocks, tuple(order)
        step = [0] * blocks.count
        for t, block in enumerate(self.order):
            step[block] = t
        last = list(step)
        back: list[list[int]] = [[] for _ in self.order]
        for k, edge in enumerate(blocks.edges):
            early, late = sorted((edge.a, edge.b), key=lambda block: step[block])
            last[early] = max(last[early], step[late])
            back[step[late]].append(k)
        self.frontier: list[list[int]] = [[]]
        self.edges: list[list[tuple[int, int]]] = []
        self.kept: list[list[int]] = []
        """Of frontier[t] and the new block behind it, the places that stay in frontier[t + 1]"""
        for t, block in enumerate(self.order):
            now = self.frontier[-1]
            place = {b: k for k, b in enumerate(now)}
            other = [blocks.edges[k].a + blocks.edges[k].b - block for k in back[t]]
            self.edges.append([(place[b], k) for b, k in zip(other, back[t], strict=True)])
            grown = [*now, block]
            self.kept.append([k for k, b in enumerate(grown) if last[b] > t])
            self.frontier.append([grown[k] for k in self.kept[-1]])

    @property
    def widest(self) -> int:
        """Most blocks in a frontier."""
        return max(map(len, self.frontier))

    @property
    def effort(self) -> float:
        """How many divisions of frontiers in two there are."""
        return sum(2.0 ** min(len(blocks), 500) for blocks in self.frontier)


def weights(blocks: Blocks) -> np.ndarray:
    """[alpha, edge] what a cut edge costs."""
    overhead = np.array([edge.overhead for edge in blocks.edges])
    load = np.array([edge.front + edge.behind for edge in blocks.edges])
    return overhead + ALPHAS[:, None] * load


def obstacles(sweep: Sweep, widest: int) -> np.ndarray:
    """[step, alpha]: connected blocks on more than `widest` qubits have a cut among their edges; so many of them as are
    found without a common edge, all at this step or later, cost at least this."""
    kinds = [_obstacles(sweep, widest, skip) for skip in (False, True)]
    return np.maximum(*kinds)


def _obstacles(sweep: Sweep, widest: int, skip: bool) -> np.ndarray:
    """skip: whether components that have a qubit in common are left apart where a block would only join them."""
    blocks = sweep.blocks
    cost = weights(blocks)
    qubits: list[set[int]] = [set() for _ in range(blocks.count)]
    for wire, along in enumerate(blocks.wires):
        for block in along:
            qubits[block].add(wire)
    later: list[list[tuple[int, int]]] = [[] for _ in range(blocks.count)]
    for t, block in enumerate(sweep.order):
        for place, k in sweep.edges[t]:
            later[sweep.frontier[t][place]].append((block, k))
    group_of: dict[int, list[int]] = {}
    wires_of: dict[int, set[int]] = {}
    least_of: dict[int, np.ndarray] = {}
    steps = len(sweep.order)
    least = np.zeros((steps + 1, len(ALPHAS)))
    total = np.zeros(len(ALPHAS))

    def forget(group: list[int]) -> None:
        for b in group:
            fresh = [b]
            group_of[b] = fresh
            wires_of[id(fresh)] = qubits[b]
            least_of[id(fresh)] = np.full(len(ALPHAS), np.inf)

    for t in range(steps - 1, -1, -1):
        block = sweep.order[t]
        forget([block])
        # Gates first, then wires: qubits are what an obstacle needs.
        for other, k in sorted(later[block], key=lambda entry: blocks.edges[entry[1]].wire):
            mine, its = group_of[block], group_of[other]
            if mine is its:
                continue
            wires = wires_of[id(mine)] | wires_of[id(its)]
            if skip and len(mine) > 1 and len(wires) <= max(len(wires_of[id(mine)]), len(wires_of[id(its)])):
                continue
            price = np.minimum(np.minimum(least_of[id(mine)], least_of[id(its)]), cost[:, k])
            if len(wires) > widest:
                total = total + price
                forget(mine + its)
                continue
            small, large = sorted((mine, its), key=len)
            large += small
            for b in small:
                group_of[b] = large
            wires_of[id(large)], least_of[id(large)] = wires, price
        least[t] = total
    return least


def divisions(sweep: Sweep, floor: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]] | None:
    """Tables of what it costs at least to finish, for every division of a frontier in two: [step][alpha, division],
    bit k of a division is the side of the k-th block of the frontier. Widths are left out of account, all blocks to
    come may be on either side, so it is a least cut with the frontier's blocks as terminals, found backwards.

    The second tables are never less than `floor` (see `obstacles`). None where they would be too large.
    """
    if sweep.widest > _TABLE or sweep.effort * len(ALPHAS) > _CELLS:
        return None
    cost = weights(sweep.blocks)
    plain = [np.zeros((len(ALPHAS), 1))]
    raised = [np.zeros((len(ALPHAS), 1))]
    for t in range(len(sweep.order) - 1, -1, -1):
        size = len(sweep.frontier[t])
        codes = np.arange(1 << size)
        after = [_kept_bits(codes | side << size, sweep.kept[t]) for side in (0, 1)]
        price = [np.zeros((len(ALPHAS), 1 << size)) for _ in (0, 1)]
        for place, k in sweep.edges[t]:
            bit = codes >> place & 1
            price[0] += cost[:, k, None] * bit
            price[1] += cost[:, k, None] * (1 - bit)
        plain.append(np.minimum(price[0] + plain[-1][:, after[0]], price[1] + plain[-1][:, after[1]]))
        best = np.minimum(price[0] + raised[-1][:, after[0]], price[1] + raised[-1][:, after[1]])
        raised.append(np.maximum(best, floor[t][:, None]))
    return plain[::-1], raised[::-1]


def _kept_bits(codes: np.ndarray, kept: Sequence[int]) -> np.ndarray:
    found = np.zeros_like(codes)
    for new, old in enumerate(kept):
        found |= (codes >> old & 1) << new
    return found


def fewest_cuts(blocks: Blocks) -> np.ndarray:
    """[alpha, number of cuts]: what the cheapest so many edges cost."""
    ordered = np.sort(weights(blocks), axis=1)
    return np.concatenate([np.zeros((len(ALPHAS), 1)), np.cumsum(ordered, axis=1)], axis=1)


def least_score(blocks: Blocks, cut: np.ndarray, fewest: int, most: int) -> float:
    """A bound on the score of `fewest` to `most` fragments whose cuts cost at least `cut` by alpha: executions are at
    least the number of fragments times their geometric mean."""
    cheapest = fewest_cuts(blocks)
    parts = max(blocks.components(), default=0) + 1
    found = np.inf
    for count in range(2 if cut[-1] > 0.0 else 1, most + 1):
        cuts = min(max(0, count - parts), len(blocks.edges))
        needed = np.maximum(cut, cheapest[:, cuts])
        if log(count) + needed[0] >= found:
            break
        if count >= fewest:
            found = min(found, log(count) + at_alpha(needed, min(0.5, 1.0 / count)))
    return found


def at_alpha(values: np.ndarray, alpha: float) -> float:
    """What lies between the values at `ALPHAS` at an alpha of at most a half."""
    return float(np.interp(alpha, ALPHAS, values))
