"""Orders of the blocks in which few have neighbours both before and behind."""

from __future__ import annotations

from .blocks import Blocks

_STARTS = 3
_LARGE = 1_500


def orders(blocks: Blocks) -> list[list[int]]:
    """The order of the numbers, which is that of time, and one that grows where the frontier stays small."""
    found = [list(range(blocks.count))]
    if blocks.count <= _LARGE:
        found.append(_narrow(blocks))
    return found


def _narrow(blocks: Blocks) -> list[int]:
    near: list[set[int]] = [set() for _ in range(blocks.count)]
    for edge in blocks.edges:
        near[edge.a].add(edge.b)
        near[edge.b].add(edge.a)
    ends = sorted(range(blocks.count), key=lambda block: (len(near[block]), block))
    tries = [_grown(near, start) for start in dict.fromkeys((*ends[:_STARTS], 0, blocks.count - 1))]
    return min(tries, key=lambda entry: entry[0])[1]


def _grown(near: list[set[int]], start: int) -> tuple[float, list[int]]:
    """(the sum of 2^size over all frontiers, the order): each time the block that leaves the smallest frontier."""
    left = [len(own) for own in near]
    order: list[int] = []
    frontier: set[int] = set()
    placed = [False] * len(near)
    total, block = 0.0, start
    while True:
        order.append(block)
        placed[block] = True
        for other in near[block]:
            left[other] -= 1
        if left[block]:
            frontier.add(block)
        frontier -= {other for other in near[block] if placed[other] and not left[other]}
        total += 2.0 ** min(len(frontier), 500)
        if len(order) == len(near):
            return total, order
        edge = sorted({other for own in frontier for other in near[own] if not placed[other]})
        if not edge:
            block = next(k for k in range(len(near)) if not placed[k])
            continue
        block = min(edge, key=lambda k: ((left[k] > 0) - sum(placed[o] and left[o] == 1 for o in near[k]), left[k], k))
