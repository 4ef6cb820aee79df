"""The search for the cheapest cuts: local search first, then dynamic programming for a proof, or a bound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil, inf
from time import monotonic

import numpy as np

from .blocks import Blocks, blocks_of
from .exact import Proof, Rules, prove
from .local_search import improve
from .lower_bounds import Sweep, fewest_cuts, least_score, obstacles
from .orders import orders
from .problem import Cost, Problem, cost_of
from .suffixes import suffix_costs

_TOLERANCE = 1e-6
_LARGE = 400
"""From so many blocks on, kicks get fewer: a kick costs as much as a block has neighbours to go through."""
_MOST_NUMBERS = 12
"""Most fragments that have blocks in one frontier."""


@dataclass(frozen=True)
class _Effort:
    """kicks: of local search. rounds: (rows, rows of a layer) of the dynamic programs, each with a wider beam than the
    one before. blocks: no dynamic program for more. suffixes: how many are solved by themselves before the last."""

    kicks: int
    rounds: tuple[tuple[int, int], ...]
    blocks: int
    suffixes: int


_EFFORTS = {
    "fast": _Effort(20, ((20_000, 300),), 300, 0),
    "default": _Effort(60, ((40_000, 600), (250_000, 8_000)), 600, 8),
    "max": _Effort(600, ((40_000, 600), (500_000, 20_000), (5_000_000, 100_000)), 2_000, 16),
}


@dataclass(frozen=True)
class Widths:
    """What fragments have room in: any number of them with at most `most` qubits, or, where `devices` are given, one a
    device with at most its qubits."""

    most: int = 0
    devices: tuple[int, ...] = ()

    @property
    def widest(self) -> int:
        """Most qubits of any fragment."""
        return max(self.devices, default=self.most)


@dataclass(frozen=True)
class Found:
    """fragment_of: end -> fragment, numbered in the order of first ends. bound: no choice of cuts scores less (see
    `Cost.score`). proven: whether this one scores no more. devices: fragment -> device, where devices are given."""

    fragment_of: tuple[int, ...]
    cost: Cost
    bound: float
    proven: bool
    devices: tuple[int, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class NotFound:
    """No choice of cuts that fits was found. impossible: whether there is none, or a budget ended the search first."""

    impossible: bool
    reasons: tuple[str, ...]


def find(
    problem: Problem, widths: Widths, effort: str = "default", seed: int = 0, time_limit: float | None = None
) -> Found | NotFound:
    """The cheapest cuts that are found for fragments of these widths.

    Budgets are counted in candidates and rows, so that the same input and seed give the same cuts. time_limit: seconds
    after which local search keeps what it has and proofs are given up; what is found then depends on the machine.
    """
    if not problem.ends:
        return Found((), Cost(1, 1.0, ()), 0.0, True, (), ("there is nothing to cut",))
    return _Search(problem, widths, _EFFORTS[effort], seed, time_limit).run()


@dataclass
class _Search:
    problem: Problem
    widths: Widths
    effort: _Effort
    seed: int
    time_limit: float | None
    label: tuple[int, ...] | None = None
    score: float = inf
    bound: float = 0.0
    impossible: bool = False
    reasons: list[str] = field(default_factory=list)

    def run(self) -> Found | NotFound:
        self.end = inf if self.time_limit is None else monotonic() + self.time_limit
        self.blocks = blocks = blocks_of(self.problem)
        devices = sorted(self.widths.devices, reverse=True)
        self.room = tuple(devices or [self.widths.most] * blocks.count)
        self.free = any(part == 0.0 for edge in blocks.edges for part in (edge.front, edge.behind))
        self.parts = max(blocks.components()) + 1
        if self._lacks_room():
            return NotFound(True, tuple(self.reasons))
        self.sweeps = [Sweep(blocks, order) for order in orders(blocks)]
        self.bound = self._first_bound()
        self._whole_parts()
        if not self._done:
            self._local()
        if not self._done:
            self._exact()
        return self._found()

    @property
    def _done(self) -> bool:
        return self.label is not None and self.score <= self.bound + _TOLERANCE

    def _lacks_room(self) -> bool:
        """Whether what stays together is wider than any fragment, or all qubits are more than those of the devices."""
        crossing: list[int] = [0] * self.blocks.count
        for along in self.blocks.wires:
            for block in set(along):
                crossing[block] += 1
        if max(crossing) > self.widths.widest:
            self.reasons.append(f"what cannot be cut takes {max(crossing)} qubits")
        elif sum(self.widths.devices or self.room) < len(self.blocks.wires):
            self.reasons.append(f"there are {len(self.blocks.wires)} qubits, more than those of all devices")
        else:
            return False
        return True

    def _first_bound(self) -> float:
        """A bound from the number of fragments that the qubits need and the cuts that those need."""
        held, fewest = 0, len(self.room)
        for count, room in enumerate(self.room, 1):
            held += room
            if held >= len(self.blocks.wires):
                fewest = count
                break
        cut = np.max([obstacles(sweep, self.widths.widest)[0] for sweep in self.sweeps], axis=0)
        bound = least_score(self.blocks, cut, fewest, len(self.room))
        self.reasons.append(
            f"{len(self.blocks.wires)} qubits take at least {fewest} fragment{'s' * (fewest > 1)}"
            + (f", and what is connected on too many qubits takes cuts: a score of {bound:.4f}" if cut[1] else "")
        )
        return min(bound, 1e300)

    def _offer(self, label: Sequence[int], how: str) -> None:
        """A choice that may be better than the best known one. Fragments without a load join others with room."""
        label = self._joined(label)
        cost = cost_of(self.problem, self.blocks.fragment_of(label))
        if cost.score < self.score - 1e-9 and self._fits(label):
            self.label, self.score = tuple(label), cost.score
            self.reasons.append(f"{how} found a score of {cost.score:.4f}")

    def _fits(self, label: Sequence[int]) -> bool:
        width = self._sizes(label)[0]
        return all(own <= self.room[k] for k, own in width.items())

    def _sizes(self, label: Sequence[int]) -> tuple[dict[int, int], dict[int, float]]:
        """Widths and loads by fragment."""
        width, load = dict.fromkeys(label, 0), dict.fromkeys(label, 0.0)
        for block, own in enumerate(label):
            width[own] += self.blocks.starts[block]
        for edge in self.blocks.edges:
            a, b = label[edge.a], label[edge.b]
            if a != b:
                load[a] += edge.front
                load[b] += edge.behind
                width[b] += edge.wire
        return width, load

    def _joined(self, label: Sequence[int]) -> list[int]:
        width, load = self._sizes(label)
        label = list(label)
        for small in sorted((k for k in width if load[k] == 0.0), key=lambda k: (-width[k], k)):
            fitting = [k for k in width if k != small and width[k] + width[small] <= self.room[k]]
            if fitting:
                into = min(fitting, key=lambda k: (self.room[k] - width[k], k))
                width[into] += width.pop(small)
                label = [into if own == small else own for own in label]
        return label

    def _whole_parts(self) -> None:
        """Connected parts whole, the widest first, each where it leaves the least room."""
        part_of = self.blocks.components()
        starts = [0] * self.parts
        for block, part in enumerate(part_of):
            starts[part] += self.blocks.starts[block]
        left: list[int] = list(self.room)
        place: dict[int, int] = {}
        for part in sorted(range(self.parts), key=lambda k: -starts[k]):
            used = [k for k in set(place.values()) if left[k] >= starts[part]]
            new = [k for k in range(len(left)) if left[k] >= starts[part]]
            if not new:
                return
            place[part] = min(used or new[:1], key=lambda k: (left[k], k))
            left[place[part]] -= starts[part]
        self._offer([place[part] for part in part_of], "putting connected parts side by side")

    def _local(self) -> None:
        blocks, effort = self.blocks, self.effort
        kicks = max(3, effort.kicks * min(blocks.count, _LARGE) // blocks.count)
        room = self.room if self.widths.devices else self.room[: _most_fragments(blocks, self.widths.most)]
        best = improve(blocks, room, kicks, self.seed, end=self.end)
        if monotonic() > self.end:
            self.reasons.append("the time limit ended local search")
        if best.fits:
            self._offer(best.label, f"local search over {best.candidates} moves")
        elif not self.widths.devices:
            self._offer(range(blocks.count), "every block by itself")

    def _exact(self) -> None:
        if self.blocks.count > self.effort.blocks:
            self.reasons.append(f"no proof was tried: {self.blocks.count} blocks are more than {self.effort.blocks}")
            return
        closing = not self.widths.devices
        loose = closing and (self.free or self.parts > 1)
        if self._rounds(closing, loose) and loose and not self._done and self.label is not None:
            # Fragments without a load were left out of account.
            self._rounds(False, False)

    def _rounds(self, closing: bool, loose: bool) -> bool:
        """Dynamic programs with wider and wider beams, until one leaves nothing out: whether one did."""
        sweep = min(self.sweeps, key=lambda sweep: sweep.effort)
        floor = obstacles(sweep, self.widths.widest)
        for number, (rows, layer) in enumerate(self.effort.rounds):
            if self._out_of_time():
                return False
            numbers, beyond = self._numbers(floor[0], loose)
            rules = Rules(self.room[:numbers], closing, loose)
            if number and self.effort.suffixes and self.label is not None:
                floor = suffix_costs(self.blocks, sweep, rules, self.label, self.effort.suffixes, rows // 10, self.end)[
                    0
                ]
                beyond = self._with(floor[0], numbers + 1, loose)
            proof = prove(self.blocks, sweep, rules, self.score, rows, layer, floor, self.end)
            self._take(proof, beyond, loose)
            if self._done or not proof.cut_short:
                # Open fragments are never more than the blocks of a frontier and the next one.
                told_apart = not closing or numbers > sweep.widest
                self.impossible = self.label is None and told_apart
                return True
        self._out_of_time()
        return False

    def _out_of_time(self) -> bool:
        if monotonic() <= self.end:
            return False
        self.reasons.append("the time limit ended the search for a proof")
        return True

    def _take(self, proof: Proof, beyond: float, loose: bool) -> None:
        if proof.label is not None:
            self._offer(proof.label, f"dynamic programming over {proof.rows} rows")
        bound = min(proof.bound, beyond) if proof.bound < inf or self.label is not None else inf
        left = "some left out for the budget" if proof.cut_short else "none left out that could be better"
        text = f"{proof.rows} rows of choices for first blocks, {left}: a score of at least {bound:.4f}"
        if not proof.cut_short and beyond < min(proof.bound, self.score):
            text += ", which is all that is known of more fragments than were told apart"
        if loose and bound > self.bound:
            text += ", where fragments without a load are not counted"
        self.reasons.append(text)
        self.bound = max(self.bound, min(bound, self.score))

    def _numbers(self, cut: np.ndarray, loose: bool) -> tuple[int, float]:
        """How many fragments are told apart at a time, and a bound on what more than these score."""
        if self.widths.devices:
            return len(self.room), inf
        count = 2
        while count < _MOST_NUMBERS and self._with(cut, count + 1, loose) < self.score:
            count += 1
        count = min(count, self.blocks.count)
        return count, self._with(cut, count + 1, loose)

    def _with(self, cut: np.ndarray, fewest: int, loose: bool) -> float:
        """A bound on what so many fragments or more score, where cuts cost at least `cut` by alpha."""
        if fewest > self.blocks.count:
            return inf
        if not loose:
            return least_score(self.blocks, cut, fewest, self.blocks.count)
        # Fragments without a load count for nothing.
        cheapest = fewest_cuts(self.blocks)[0]
        return max(float(cut[0]), float(cheapest[min(max(0, fewest - self.parts), len(cheapest) - 1)]))

    def _found(self) -> Found | NotFound:
        if self.label is None:
            return NotFound(self.impossible, tuple(self.reasons))
        fragment_of = self.blocks.fragment_of(self.label)
        cost = cost_of(self.problem, fragment_of)
        devices: tuple[int, ...] = ()
        if self.widths.devices:
            order = sorted(range(len(self.widths.devices)), key=lambda k: -self.widths.devices[k])
            owner = {f: self.label[self.blocks.block_of[end]] for end, f in enumerate(fragment_of)}
            devices = tuple(order[owner[f]] for f in range(len(owner)))
        return Found(fragment_of, cost, min(self.bound, cost.score), self._done, devices, tuple(self.reasons))


def _most_fragments(blocks: Blocks, most: int) -> int:
    """How many fragments local search has: as few qubits a fragment as one new qubit for each, where every other one
    was cut into it."""
    qubits = len(blocks.wires)
    fresh = max(1, most - 1)
    return min(blocks.count, max(ceil(qubits / most) + 2, ceil(qubits / fresh) + 1))
