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
            before = self.driver_stage(net, stage)
            for sink in self.sinks[net]:
                stage[sink] = max(stage[sink], before + 1)
        return stage

    def depth(self, stage: Sequence[int]) -> int:
        """The stage that all outputs are aligned to."""
        return max([1, *(self.driver_stage(n, stage) for n, at in enumerate(self.at_output) if at)])

    def cheapest(self) -> list[int]:
        """Stages with the fewest DFFs among all of the least depth: an exact optimum.

        The number of DFFs is an L-natural convex function of the stages (sums of `max of sinks - driver`), so moving
        sets of cells later from the earliest stages, always the set that saves most a stage, ends in an optimum. The
        best set is a closure of largest profit, found by a maximum flow. A flow stays valid when the set moves, because
        it runs either inside the set or outside of it: the next step goes on with it.
        """
        stage = self.earliest()
        depth = self.depth(stage)
        moves = _Moves(self)
        while later := moves.best(stage, depth):
            step = self._longest_step(later, stage, depth)
            for cell in later:
                stage[cell] += step
        return stage

    def used(self) -> list[int]:
        """The nets that something reads."""
        return [n for n, sinks in enumerate(self.sinks) if sinks or self.at_output[n]]

    def driver_stage(self, net: int, stage: Sequence[int]) -> int:
        """The stage from which the net's pulse comes."""
        return stage[self.drivers[net]] if self.drivers[net] >= 0 else 0

    def last(self, net: int, stage: Sequence[int], depth: int) -> int:
        """The latest stage that reads the net."""
        last = max((stage[s] for s in self.sinks[net]), default=0)
        return max(last, depth + 1) if self.at_output[net] else last

    def _longest_step(self, moving: set[int], stage: Sequence[int], depth: int) -> int:
        """How far the set may move while each step saves as much as the first one."""
        steps = [depth]
        for net in self.used():
            driver_moves = self.drivers[net] in moving
            resting = [stage[s] for s in self.sinks[net] if s not in moving]
            if driver_moves:
                before = stage[self.drivers[net]]
                steps += [s - 1 - before for s in resting]
                steps += [depth - before] if self.at_output[net] else []
            ahead = [stage[s] for s in self.sinks[net] if s in moving]
            last = self.last(net, stage, depth)
            # Once a moving sink is the last one, its net costs one DFF a step.
            if ahead and max(ahead) < last:
                steps.append(last - max(ahead))
        return min(steps)


class _Moves:
    """Finds the cells that should move one stage later, as a minimum cut.

    A driver that moves saves one DFF, a net whose last sink moves costs one. Edges without a limit say what else has to
    move along; which of them hold depends on the stages.
    """

    def __init__(self, problem: Stages) -> None:
        self.problem = problem
        self.source, self.sink = problem.count, problem.count + 1
        self.flow = _Flow(problem.count + 2 + len(problem.drivers))
        self.after_driver: list[tuple[int, int, int]] = []
        self.at_last: list[tuple[int, int, int]] = []
        self.at_depth: list[tuple[int, int]] = []
        for net in problem.used():
            self._add_net(net)

    def _add_net(self, net: int) -> None:
        driver, node = self.problem.drivers[net], self.problem.count + 2 + net
        sinks = self.problem.sinks[net]
        if driver >= 0:
            self.flow.edge(self.source, driver, 1)
            self.after_driver += [(self.flow.edge(driver, s, 0), driver, s) for s in sinks]
            if self.problem.at_output[net]:
                self.at_depth.append((self.flow.edge(driver, self.sink, 0), driver))
        self.flow.edge(node, self.sink, 1)
        self.at_last += [(self.flow.edge(s, node, 0), net, s) for s in sinks]

    def best(self, stage: Sequence[int], depth: int) -> set[int]:
        """The smallest set of cells that saves most DFFs when all move one stage later; empty where none saves."""
        room, last = self.flow.room, {net: self.problem.last(net, stage, depth) for net in self.problem.used()}
        for e, driver, s in self.after_driver:
            room[e] = ENDLESS if stage[s] == stage[driver] + 1 else 0
        for e, net, s in self.at_last:
            room[e] = ENDLESS if stage[s] == last[net] else 0
        for e, driver in self.at_depth:
            room[e] = ENDLESS if stage[driver] == depth else 0
        reached = self.flow.source_side(self.source, self.sink)
        return {node for node in reached if node < self.problem.count}


class _Flow:
    """Maximum flow by Dinic's algorithm."""

    def __init__(self, count: int) -> None:
        self.out: list[list[int]] = [[] for _ in range(count)]
        self.head: list[int] = []
        self.room: list[int] = []

    def edge(self, a: int, b: int, room: int) -> int:
        """The number of a new edge from a to b that takes `room`; the edge after it runs back."""
        for start, end, amount in ((a, b, room), (b, a, 0)):
            self.out[start].append(len(self.head))
            self.head.append(end)
            self.room.append(amount)
        return len(self.head) - 2

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
