"""Which clock stage every clocked cell works in, so that the fewest balancing DFFs are needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

ENDLESS = 1 << 30


@dataclass(frozen=True)
class Stages:
    """Clocked cells and the nets between them.

    drivers: for every net the cell that drives it, or -1 for an input port (stage 0). sinks: for every net the cells
    that read it, each once. at_output: for every net whether an output port reads it.
    """

    count: int
    drivers: Sequence[int]
    sinks: Sequence[Sequence[int]]
    at_output: Sequence[bool]

    def earliest(self) -> list[int]:
        """Every cell as early as its inputs allow. Cells are numbered so that drivers come before sinks."""
        stage = [1] * self.count
        for net in sorted(range(len(self.drivers)), key=lambda n: self.drivers[n]):
            before = self._driver_stage(net, stage)
            for sink in self.sinks[net]:
                stage[sink] = max(stage[sink], before + 1)
        return stage

    def depth(self, stage: Sequence[int]) -> int:
        """The stage that all outputs are aligned to."""
        return max([1, *(self._driver_stage(n, stage) for n, at in enumerate(self.at_output) if at)])

    def balancing_cells(self, stage: Sequence[int], depth: int) -> int:
        """How many DFFs balance the paths; the sinks of a net tap one chain."""
        return sum(self._last(n, stage, depth) - 1 - self._driver_stage(n, stage) for n in self._used())

    def cheapest(self) -> list[int]:
        """Stages with the fewest DFFs among all of the least depth: an exact optimum.

        The number of DFFs is an L-natural convex function of the stages (sums of `max of sinks - driver`), so moving
        sets of cells one stage later from the earliest stages, always the set that saves most, ends in an optimum. The
        best set is a closure of largest profit, found by a maximum flow.
        """
        stage = self.earliest()
        depth = self.depth(stage)
        while later := self._best_move(stage, depth):
            for cell in later:
                stage[cell] += 1
        return stage

    def _used(self) -> list[int]:
        return [n for n, sinks in enumerate(self.sinks) if sinks or self.at_output[n]]

    def _driver_stage(self, net: int, stage: Sequence[int]) -> int:
        return stage[self.drivers[net]] if self.drivers[net] >= 0 else 0

    def _last(self, net: int, stage: Sequence[int], depth: int) -> int:
        """The latest stage that reads the net."""
        last = max((stage[s] for s in self.sinks[net]), default=0)
        return max(last, depth + 1) if self.at_output[net] else last

    def _best_move(self, stage: Sequence[int], depth: int) -> list[int]:
        """The smallest set of cells that saves most DFFs when all move one stage later; empty where none saves."""
        source, sink = self.count, self.count + 1
        flow = _Flow(self.count + 2 + len(self.drivers))
        for net in self._used():
            driver, node = self.drivers[net], self.count + 2 + net
            last = self._last(net, stage, depth)
            flow.edge(node, sink, 1)
            if driver >= 0:
                # A driver that moves later saves one DFF; where its sinks follow directly, they have to move too.
                flow.edge(source, driver, 1)
                for s in self.sinks[net]:
                    if stage[s] == stage[driver] + 1:
                        flow.edge(driver, s, ENDLESS)
                if self.at_output[net] and stage[driver] == depth:
                    flow.edge(driver, sink, ENDLESS)
            if self.at_output[net]:
                continue
            for s in self.sinks[net]:
                if stage[s] == last:
                    flow.edge(s, node, ENDLESS)
        reached = flow.source_side(source, sink)
        return [cell for cell in range(self.count) if cell in reached]


class _Flow:
    """Maximum flow by Dinic's algorithm."""

    def __init__(self, count: int) -> None:
        self.out: list[list[int]] = [[] for _ in range(count)]
        self.head: list[int] = []
        self.room: list[int] = []

    def edge(self, a: int, b: int, room: int) -> None:
        """An edge from a to b that takes `room`."""
        for start, end, amount in ((a, b, room), (b, a, 0)):
            self.out[start].append(len(self.head))
            self.head.append(end)
            self.room.append(amount)

    def source_side(self, source: int, sink: int) -> set[int]:
        """The nodes that still reach no sink once the flow is largest: the smallest minimum cut."""
        while True:
            distance = self._distances(source)
            if sink not in distance:
                return set(distance)
            position = [0] * len(self.out)
            while self._push(source, sink, distance, position):
                pass

    def _distances(self, source: int) -> dict[int, int]:
        distance, queue = {source: 0}, [source]
        for node in queue:
            for e in self.out[node]:
                if self.room[e] and self.head[e] not in distance:
                    distance[self.head[e]] = distance[node] + 1
                    queue.append(self.head[e])
        return distance

    def _push(self, source: int, sink: int, distance: dict[int, int], position: list[int]) -> bool:
        """Push one unit along a shortest path; False where there is none left."""
        path: list[int] = []
        node = source
        while node != sink:
            edges = self.out[node]
            while position[node] < len(edges):
                e = edges[position[node]]
                if self.room[e] and distance.get(self.head[e], -1) == distance[node] + 1:
                    break
                position[node] += 1
            else:
                if node == source:
                    return False
                node = self.head[path.pop() ^ 1]
                position[node] += 1
                continue
            path.append(e)
            node = self.head[e]
        for e in path:
            self.room[e] -= 1
            self.room[e ^ 1] += 1
        return True
