"""A problem with what must stay together made one: blocks of ends, and the edges between blocks that may be cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log

from .problem import Problem


@dataclass(frozen=True, slots=True)
class Edge:
    """Between block `a` and block `b`, the later one of a wire. Cut, it multiplies the executions of a's fragment by
    exp(front), those of b's by exp(behind), and the overhead by exp(overhead); a cut wire takes one qubit more of b's
    fragment."""

    a: int
    b: int
    front: float
    behind: float
    overhead: float
    wire: bool


@dataclass(frozen=True)
class Blocks:
    """block_of: end -> its block. starts: how many qubits begin in each block. wires: the blocks along every qubit,
    each stretch in one block once."""

    block_of: tuple[int, ...]
    starts: tuple[int, ...]
    edges: tuple[Edge, ...]
    wires: tuple[tuple[int, ...], ...]

    @property
    def count(self) -> int:
        return len(self.starts)

    def components(self) -> list[int]:
        """Block -> the number of its connected part, numbered from 0 in order."""
        part = _Union(self.count)
        for edge in self.edges:
            part.join(edge.a, edge.b)
        return part.numbers()

    def fragment_of(self, label: Sequence[int]) -> tuple[int, ...]:
        """End -> fragment for block -> label, fragments numbered in order of their first ends."""
        number: dict[int, int] = {}
        return tuple(number.setdefault(label[block], len(number)) for block in self.block_of)


def blocks_of(problem: Problem) -> Blocks:
    """The blocks of a problem."""
    union = _Union(problem.ends)
    for joint in problem.joints:
        if joint.cut is None:
            for end in joint.ends[1:]:
                union.join(joint.ends[0], end)
    for wire in problem.wires:
        for before, after in pairwise(wire):
            if problem.wire_cuts[after] is None:
                union.join(before, after)
    block_of = union.numbers()
    starts = [0] * (max(block_of, default=-1) + 1)
    edges: list[Edge] = []
    wires: list[tuple[int, ...]] = []
    for wire in problem.wires:
        starts[block_of[wire[0]]] += 1
        along = [block_of[wire[0]]]
        for before, after in pairwise(wire):
            cut, a, b = problem.wire_cuts[after], block_of[before], block_of[after]
            if a != b and cut is not None:
                edges.append(Edge(a, b, log(cut.bases), log(cut.states), 2.0 * log(cut.gamma), True))
                along.append(b)
        wires.append(tuple(along))
    for joint in problem.joints:
        touched = [block_of[end] for end in joint.ends]
        if joint.cut is not None and touched[0] != touched[1]:
            front, behind = map(log, joint.cut.operations)
            edges.append(Edge(touched[0], touched[1], front, behind, 2.0 * log(joint.cut.gamma), False))
    return Blocks(tuple(block_of), tuple(starts), tuple(edges), tuple(wires))


class _Union:
    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def _root(self, x: int) -> int:
        while self._parent[x] != x:
            self._parent[x] = self._parent[self._parent[x]]
            x = self._parent[x]
        return x

    def join(self, a: int, b: int) -> None:
        a, b = self._root(a), self._root(b)
        self._parent[max(a, b)] = min(a, b)

    def numbers(self) -> list[int]:
        number: dict[int, int] = {}
        return [number.setdefault(self._root(k), len(number)) for k in range(len(self._parent))]
