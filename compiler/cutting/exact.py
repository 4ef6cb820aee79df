"""The cheapest cuts, with a proof: all choices for the blocks one after another, those left out that cannot be best.

Blocks are given to fragments in a fixed order. Two choices for the first blocks differ for the rest only by the
fragments of the blocks in the frontier (those with edges to later blocks), and by widths, loads and overhead: of two
that agree in the frontier, one that is nowhere better is left out (dynamic programming with dominance). So is one that
cannot be completed for less than the best known choice, by the bounds of `lower_bounds`. What is left is a layer of
arrays, one row a choice. Where there are more rows than the budget allows, those with the least bounds are kept (beam
search), and the least bound of the others is what is proven.

Executions are sum_f exp(L_f). For any weights p that sum to 1, log sum_f exp(L_f) >= sum_f p_f L_f - p_f log p_f; where
all p_f >= alpha, further cuts with loads l add at least alpha l to this, and cost what the bounds say at this alpha.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

import numpy as np

from .blocks import Blocks
from .lower_bounds import ALPHAS, Sweep, divisions, fewest_cuts, obstacles

_CLOSE = 1e-9
_NONE = -1.0
"""The load of a fragment number that is not in use."""
_SHIFTS = 12
"""With how many rows in front of it a row is compared."""
_MORE = 4
"""For so many numbers of fragments bounds are told apart."""


@dataclass(frozen=True)
class Proof:
    """label: block -> fragment, better than what was known; None where nothing better was found. bound: nothing scores
    less, or infinite where nothing fits at all. rows: choices for first blocks that were looked at. cut_short: whether
    some were left out for the budget."""

    label: tuple[int, ...] | None
    score: float
    bound: float
    rows: int
    cut_short: bool


@dataclass(frozen=True)
class Rules:
    """room: most qubits of every fragment number; equal ones next to each other. closing: whether a fragment without
    blocks in the frontier takes no more blocks and frees its number, which is no restriction where fragments may be as
    many as they like, since one in several parts is as well several fragments. loose: whether fragments without a load
    are not counted, as there may be room for them in others."""

    room: tuple[int, ...]
    closing: bool
    loose: bool


def prove(
    blocks: Blocks,
    sweep: Sweep,
    rules: Rules,
    known: float,
    most_rows: int,
    layer: int,
    floor: np.ndarray | None = None,
    end: float = np.inf,
) -> Proof:
    """The best choice that scores less than `known`, within a budget of rows, and rows of one layer.

    floor: [step, alpha] what the blocks of this step and later cost at least, where more is known than `obstacles`.
    end: a time by `time.monotonic` from which on hardly any row is kept.
    """
    floor = obstacles(sweep, max(rules.room)) if floor is None else floor
    return _Layers(blocks, sweep, rules, known, most_rows, layer, floor, end).run()


@dataclass
class _Rows:
    """Choices for the first blocks. labels: [row, place in the frontier] fragment numbers. widths, loads: [row,
    number]. shut: executions of closed fragments; closed: how many they are. overhead: of the cuts."""

    labels: np.ndarray
    widths: np.ndarray
    loads: np.ndarray
    shut: np.ndarray
    closed: np.ndarray
    overhead: np.ndarray

    def take(self, index: np.ndarray) -> _Rows:
        return _Rows(
            self.labels[index],
            self.widths[index],
            self.loads[index],
            self.shut[index],
            self.closed[index],
            self.overhead[index],
        )

    def __len__(self) -> int:
        return len(self.overhead)


class _Layers:
    def __init__(
        self,
        blocks: Blocks,
        sweep: Sweep,
        rules: Rules,
        known: float,
        most_rows: int,
        layer: int,
        floor: np.ndarray,
        end: float,
    ) -> None:
        self.blocks, self.sweep, self.rules = blocks, sweep, rules
        self.known, self.most_rows, self.layer = known, most_rows, layer
        self.room, self.end = np.array(rules.room), end
        self.floor = floor
        self.tables = divisions(sweep, floor)
        self.cheapest = fewest_cuts(blocks)
        parts = blocks.components()
        seen: set[int] = set()
        self.parts_left = [max(parts, default=-1) + 1]
        self.starts_left = [sum(blocks.starts)]
        for block in sweep.order:
            seen.add(parts[block])
            self.parts_left.append(max(parts) + 1 - len(seen))
            self.starts_left.append(self.starts_left[-1] - blocks.starts[block])
        self.left_out = np.inf

    def run(self) -> Proof:
        kinds = len(self.room)
        rows = _Rows(
            np.zeros((1, 0), np.int8),
            np.zeros((1, kinds), np.int16),
            np.full((1, kinds), _NONE),
            np.zeros(1),
            np.zeros(1, np.int16),
            np.zeros(1),
        )
        history: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        looked = 0
        for t in range(len(self.sweep.order)):
            rows, parent, chosen, opened = self._step(t, rows)
            looked += len(rows)
            rows, chosen_rows = self._best(t + 1, rows, looked)
            history.append((parent[chosen_rows], chosen[chosen_rows], opened[chosen_rows]))
            if not len(rows):
                return Proof(None, self.known, min(self.known, self.left_out), looked, self.left_out < np.inf)
        scores = self._executions(rows) + rows.overhead
        best = int(np.argmin(scores))
        label = self._trace(history, best)
        score = float(scores[best])
        return Proof(label, score, min(score, self.left_out), looked, self.left_out < np.inf)

    def _step(self, t: int, rows: _Rows) -> tuple[_Rows, np.ndarray, np.ndarray, np.ndarray]:
        """Every row with every fragment that the next block may get: (rows, parents, fragments, whether new)."""
        used = rows.loads >= 0.0
        first = np.zeros_like(used)
        # Of unused numbers of equal room, the first.
        for room in np.unique(self.room):
            own = np.flatnonzero(self.room == room)
            free = ~used[:, own]
            first[:, own] = free & (np.cumsum(free, axis=1) == 1)
        parent, chosen = np.nonzero(used | first)
        opened = ~used[parent, chosen]
        grown = rows.take(parent)
        each = np.arange(len(parent))
        block = self.sweep.order[t]
        grown.loads[each, chosen] = np.maximum(grown.loads[each, chosen], 0.0)
        grown.widths[each, chosen] += self.blocks.starts[block]
        for place, k in self.sweep.edges[t]:
            edge = self.blocks.edges[k]
            theirs = grown.labels[:, place].astype(np.intp)
            cut = np.flatnonzero(theirs != chosen)
            upper, lower = (chosen, theirs) if edge.a == block else (theirs, chosen)
            grown.loads[cut, upper[cut]] += edge.front
            grown.loads[cut, lower[cut]] += edge.behind
            grown.overhead[cut] += edge.overhead
            if edge.wire:
                grown.widths[cut, lower[cut]] += 1
        grown.labels = np.concatenate([grown.labels, chosen[:, None].astype(np.int8)], axis=1)
        fits = np.flatnonzero((grown.widths <= self.room).all(axis=1))
        grown = grown.take(fits)
        grown.labels = np.ascontiguousarray(grown.labels[:, self.sweep.kept[t]])
        if self.rules.closing:
            self._close(grown)
        return grown, parent[fits], chosen[fits], opened[fits]

    def _close(self, rows: _Rows) -> None:
        active = np.zeros(rows.loads.shape, bool)
        for place in range(rows.labels.shape[1]):
            active[np.arange(len(rows)), rows.labels[:, place]] = True
        done = (rows.loads >= 0.0) & ~active
        counted = done & (rows.loads > 0.0) if self.rules.loose else done
        rows.shut += np.where(counted, np.exp(np.minimum(rows.loads, 700.0)), 0.0).sum(axis=1)
        rows.closed += counted.sum(axis=1).astype(np.int16)
        rows.loads[done] = _NONE
        rows.widths[done] = 0

    def _counted(self, rows: _Rows) -> np.ndarray:
        return rows.loads > 0.0 if self.rules.loose else rows.loads >= 0.0

    def _executions(self, rows: _Rows) -> np.ndarray:
        """The logarithm of the executions so far."""
        total = rows.shut + np.where(self._counted(rows), np.exp(rows.loads), 0.0).sum(axis=1)
        return np.log(np.maximum(total, 1.0))

    def _best(self, t: int, rows: _Rows, looked: int) -> tuple[_Rows, np.ndarray]:
        """The rows that may lead to something better, and their numbers."""
        limit = self.known - _CLOSE
        index = np.flatnonzero(self._executions(rows) + rows.overhead + self.floor[t][0] < limit)
        rows = rows.take(index)
        if not len(rows):
            return rows, index
        bounds = self._bounds(t, rows)
        keep = np.flatnonzero(bounds < limit)
        keep = keep[self._undominated(rows.take(keep), bounds[keep])]
        going = looked < self.most_rows and (self.end == np.inf or monotonic() < self.end)
        allowed = self.layer if going else max(1, self.layer // 100)
        if len(keep) > allowed:
            order = np.argsort(bounds[keep], kind="stable")
            self.left_out = min(self.left_out, float(bounds[keep[order[allowed]]]))
            keep = np.sort(keep[order[:allowed]])
        return rows.take(keep), index[keep]

    def _bounds(self, t: int, rows: _Rows) -> np.ndarray:
        """What every row scores at least when it is completed."""
        counted = self._counted(rows)
        loads = np.where(counted, rows.loads, 0.0)
        powers = np.where(counted, np.exp(loads), 0.0)
        active = counted.sum(axis=1)
        cuts = self._cuts(t, rows)
        fewest = active + rows.closed
        if self.rules.closing:
            left = np.where(rows.loads >= 0.0, self.room - rows.widths, 0).sum(axis=1)
            short = np.maximum(self.starts_left[t] - left, 0)
            needed = -(-short // int(self.room.max()))
            if not self.rules.loose:
                fewest = fewest + needed
        found = np.full(len(rows), np.inf)
        sums = rows.shut + powers.sum(axis=1)
        spare = 0 if self.rules.loose else self.parts_left[t]
        shut_log = np.log(np.maximum(rows.shut, 1e-300))
        now = active + rows.closed
        for more in range(_MORE + 1):
            count = np.maximum(fewest + more, 1)
            new = count - now
            total = np.maximum(sums + new, 1.0)
            extra = np.clip(new - spare, 0, self.cheapest.shape[1] - 1)
            cost = cuts if self.rules.loose else np.maximum(cuts, self.cheapest[:, extra])
            # A single fragment has no further cuts.
            value = np.log(total) + cost[0]
            if more < _MORE:
                open_ones = np.maximum(count - rows.closed, 1)
                for part in (0.5, 1.0):
                    alpha = np.minimum(part / open_ones, 0.5)
                    value = np.maximum(
                        value, _dual(alpha, open_ones, loads, powers, counted, new, rows.shut, shut_log, total, cost)
                    )
            found = np.minimum(found, value)
        return found + rows.overhead

    def _cuts(self, t: int, rows: _Rows) -> np.ndarray:
        """[alpha, row] what the cuts to come cost at least."""
        if self.tables is None:
            return np.repeat(self.floor[t][:, None], len(rows), axis=1)
        plain, raised = (table[t] for table in self.tables)
        size = rows.labels.shape[1]
        if not size:
            return np.repeat(raised[:, :1], len(rows), axis=1)
        each = np.arange(len(rows))
        codes = np.zeros(rows.loads.shape, np.int64)
        for place in range(size):
            codes[each, rows.labels[:, place]] += 1 << place
        best, half = np.zeros((len(ALPHAS), len(rows))), np.zeros((len(ALPHAS), len(rows)))
        for own in codes.T:
            best = np.maximum(best, raised[:, own])
            half += plain[:, own]
        # A cut is between two fragments, so that it is in two of the divisions of one from all others.
        return np.maximum(best, 0.5 * half)

    def _undominated(self, rows: _Rows, bounds: np.ndarray) -> np.ndarray:
        """The numbers of rows without another of the same frontier that is nowhere worse, as far as rows near in order
        are compared."""
        if len(rows) < 2:
            return np.arange(len(rows))
        labels, widths, loads = self._canonical(rows)
        names = _names(labels)
        order = np.lexsort((_names(np.concatenate([widths, loads.round(6)], axis=1)), bounds, names))
        names = names[order]
        labels = labels[order]
        table = np.concatenate(
            [widths[order], loads[order], rows.shut[order, None], rows.overhead[order, None]], axis=1
        )
        keep = np.ones(len(order), bool)
        for shift in range(1, min(_SHIFTS, len(order) - 1) + 1):
            near = np.flatnonzero((names[shift:] == names[:-shift]) & keep[shift:])
            if not len(near):
                break
            worse = (table[near] <= table[near + shift] + _CLOSE * 1e-2).all(axis=1)
            worse &= (labels[near] == labels[near + shift]).all(axis=1)
            keep[near[worse] + shift] = False
        return np.sort(order[keep])

    def _canonical(self, rows: _Rows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Labels, widths and loads with fragments of equal room in the order of the frontier, then of widths and
        loads."""
        size, kinds = rows.labels.shape[1], len(self.room)
        place = np.full(rows.loads.shape, size)
        each = np.arange(len(rows))
        for k in range(size - 1, -1, -1):
            place[each, rows.labels[:, k]] = k
        room = np.searchsorted(np.unique(self.room), self.room)
        # Numbers not in use come last.
        rank = 1e9 * (room * (size + 2) + place + (rows.loads < 0.0))
        rank += rows.widths * 1e5 + np.minimum(rows.loads.round(6), 9e4)
        order = np.argsort(rank, axis=1, kind="stable")
        number = np.empty_like(order)
        np.put_along_axis(number, order, np.broadcast_to(np.arange(kinds), order.shape).copy(), axis=1)
        return (
            np.take_along_axis(number, rows.labels.astype(np.intp), axis=1),
            np.take_along_axis(rows.widths, order, axis=1),
            np.take_along_axis(rows.loads, order, axis=1),
        )

    def _trace(self, history: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]], row: int) -> tuple[int, ...]:
        """The fragments of all blocks; a number that was freed and used again stands for two."""
        path: list[tuple[int, bool]] = []
        for parent, chosen, opened in reversed(history):
            path.append((int(chosen[row]), bool(opened[row])))
            row = int(parent[row])
        label = [0] * self.blocks.count
        now: dict[int, int] = {}
        count = 0
        for block, (number, new) in zip(self.sweep.order, reversed(path), strict=True):
            if new:
                now[number] = count if self.rules.closing else number
                count += 1
            label[block] = now[number]
        return tuple(label)


def _dual(
    alpha: np.ndarray,
    open_ones: np.ndarray,
    loads: np.ndarray,
    powers: np.ndarray,
    counted: np.ndarray,
    new: np.ndarray,
    shut: np.ndarray,
    shut_log: np.ndarray,
    total: np.ndarray,
    cost: np.ndarray,
) -> np.ndarray:
    """The bound with weights p = alpha + (1 - alpha open_ones) exp(L) / sum exp(L) for fragments that are open or new,
    and without the alpha for closed ones."""
    scale = (1.0 - alpha * open_ones) / total
    p = np.where(counted, alpha[:, None] + scale[:, None] * powers, 1.0)
    value = np.where(counted, p * (loads - np.log(p)), 0.0).sum(axis=1)
    fresh = np.maximum(alpha + scale, 1e-300)
    value -= new * fresh * np.log(fresh)
    past = scale * shut
    value += np.where(past > 0.0, past * (shut_log - np.log(np.maximum(past, 1e-300))), 0.0)
    return value + cost[0] + (cost[1] - cost[0]) * (alpha / ALPHAS[1])


def _names(table: np.ndarray) -> np.ndarray:
    """A number for every row of a table, equal for equal rows."""
    if not table.shape[1]:
        return np.zeros(len(table), np.uint64)
    rng = np.random.default_rng(7)
    factors = rng.integers(1, 1 << 62, table.shape[1]).astype(np.uint64) * np.uint64(2) + np.uint64(1)
    values = np.round(table * 1e6).astype(np.int64).astype(np.uint64)
    values ^= values >> np.uint64(29)
    mixed = values * np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(32)
    return (mixed * factors).sum(axis=1, dtype=np.uint64)
