"""What the last blocks of an order cost by themselves, from the end of the order to its beginning.

Every suffix is solved with the bounds from those behind it (Russian doll search: Verfaillie, Lemaitre and Schiex,
AAAI 1996), with a weighed sum of the cuts in the place of the score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .blocks import Blocks
from .exact import Rules, prove
from .lower_bounds import ALPHAS, Sweep, obstacles, weights


def suffix_costs(
    blocks: Blocks, sweep: Sweep, rules: Rules, known: Sequence[int], stops: int, rows: int, end: float
) -> tuple[np.ndarray, int]:
    """([step, alpha] what the blocks of this step and later cost at least, and the rows this took).

    known: a choice that fits. stops: how many suffixes are solved. rows: budget of each. end: a time by
    `time.monotonic` from which on hardly any row is kept.
    """
    floor = obstacles(sweep, max(rules.room))
    steps = len(sweep.order)
    places = sorted({steps * k // stops for k in range(1, stops)}, reverse=True)
    looked = 0
    for column, prices in enumerate(weights(blocks)):
        weighed = _weighed(blocks, prices)
        for t in places:
            part, order = _suffix(weighed, sweep.order[t:])
            label = [known[block] for block in sweep.order[t:]]
            own = [label[k] for k in np.argsort(order)]
            cost = sum(edge.overhead for edge in part.edges if own[edge.a] != own[edge.b])
            if cost <= floor[t, column]:
                continue
            below = np.repeat(floor[t:, column : column + 1], len(ALPHAS), axis=1)
            found = prove(
                part, Sweep(part, order), replace(rules, closing=True, loose=True), cost, rows, rows // 4, below, end
            )
            looked += found.rows
            floor[: t + 1, column] = np.maximum(floor[: t + 1, column], found.bound)
    return floor, looked


def _weighed(blocks: Blocks, cost: np.ndarray) -> Blocks:
    edges = [
        replace(edge, front=0.0, behind=0.0, overhead=float(c)) for edge, c in zip(blocks.edges, cost, strict=True)
    ]
    return replace(blocks, edges=tuple(edges))


def _suffix(blocks: Blocks, kept: Sequence[int]) -> tuple[Blocks, list[int]]:
    """The problem of some blocks alone, numbered as before among themselves, and their order. A qubit starts in the
    first of its blocks that is left."""
    number = {block: k for k, block in enumerate(sorted(kept))}
    starts = [0] * len(number)
    wires: list[tuple[int, ...]] = []
    for along in blocks.wires:
        own = [number[block] for block in along if block in number]
        if own:
            starts[own[0]] += 1
            wires.append(tuple(own))
    edges = [
        replace(edge, a=number[edge.a], b=number[edge.b])
        for edge in blocks.edges
        if edge.a in number and edge.b in number
    ]
    part = Blocks(tuple(range(len(number))), tuple(starts), tuple(edges), tuple(wires))
    return part, [number[block] for block in kept]
