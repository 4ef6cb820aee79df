"""Cuts by local search: partitions of whole qubits first, refined by moving stretches of wires between fragments.

The first partitions cut orders of the qubits into runs: the given order, reverse Cuthill-McKee, and orders that grow
around a qubit; where there are many qubits, multilevel partitions of their graph are among them. A refinement moves
single gate ends, stretches of a wire and what depends on a gate to a fragment next to it, as long as the score falls
(Fiduccia and Mattheyses, DAC 1982, with the score in the place of the number of cut edges); then it is kicked and
refined again, and the best is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil, exp, inf, log
from random import Random
from time import monotonic

import numpy as np

from .blocks import Blocks
from .multilevel import Level, partitions, rank

_TOO_WIDE = 5.0
"""What a qubit too many adds to the score while searching."""
_NEVER = 1e6
"""What it adds where a choice has to fit at last."""
_LEAST_GAIN = 1e-9
_MANY = 24
"""Qubits from which multilevel partitions are tried."""
_TRIES = 8
"""How many of them for every number of fragments."""


@dataclass(frozen=True)
class Best:
    """label: block -> fragment. fits: whether every fragment is narrow enough. candidates: how many were looked at."""

    label: tuple[int, ...]
    score: float
    fits: bool
    candidates: int


class State:
    """A choice of fragments with all its costs, changed move by move.

    room: most qubits of every fragment number; fragments without blocks cost nothing.
    """

    def __init__(self, blocks: Blocks, room: Sequence[int], label: Sequence[int]) -> None:
        self.blocks, self.room, self.label = blocks, room, list(label)
        self.incident: list[list[int]] = [[] for _ in range(blocks.count)]
        for k, edge in enumerate(blocks.edges):
            self.incident[edge.a].append(k)
            self.incident[edge.b].append(k)
        self.width = [0] * len(room)
        self.load = [0.0] * len(room)
        self.members = [0] * len(room)
        self.overhead = 0.0
        self.penalty = _TOO_WIDE
        for block, own in enumerate(self.label):
            self.width[own] += blocks.starts[block]
            self.members[own] += 1
        for k in range(len(blocks.edges)):
            self._count(k, 1)

    def _count(self, number: int, sign: int) -> None:
        edge = self.blocks.edges[number]
        a, b = self.label[edge.a], self.label[edge.b]
        if a == b:
            return
        self.load[a] += sign * edge.front
        self.load[b] += sign * edge.behind
        self.overhead += sign * edge.overhead
        if edge.wire:
            self.width[b] += sign

    def move(self, group: Iterable[int], to: int | Sequence[int]) -> list[int]:
        """Give blocks to a fragment, or each to its own; the fragments that they had."""
        group = list(group)
        targets = [to] * len(group) if isinstance(to, int) else list(to)
        touched = {k for block in group for k in self.incident[block]}
        for k in touched:
            self._count(k, -1)
        before = [self.label[block] for block in group]
        for block, old, new in zip(group, before, targets, strict=True):
            starts = self.blocks.starts[block]
            self.width[old] -= starts
            self.width[new] += starts
            self.members[old] -= 1
            self.members[new] += 1
            self.label[block] = new
        for k in touched:
            self._count(k, 1)
        return before

    @property
    def too_wide(self) -> int:
        """Qubits that fragments have too many."""
        return sum(max(0, w - room) for w, room in zip(self.width, self.room, strict=True))

    @property
    def score(self) -> float:
        """log(executions * overhead), and more for what is too wide."""
        executions = sum(exp(min(load, 600.0)) for load, m in zip(self.load, self.members, strict=True) if m)
        return log(executions) + self.overhead + self.penalty * self.too_wide


def improve(
    blocks: Blocks,
    room: Sequence[int],
    kicks: int,
    seed: int,
    end: float = inf,
) -> Best:
    """The best choice that local search finds. room: most qubits of every fragment there may be. kicks: how often each
    of the best is kicked. end: a time by `time.monotonic` at which the best so far is taken."""
    rng = Random(seed)
    found: list[tuple[bool, float, tuple[int, ...]]] = []
    search = _Search(blocks, rng, end)
    for label in dict.fromkeys((*_first_choices(blocks, room), *_by_levels(blocks, room, seed))):
        for penalty in (_TOO_WIDE, _NEVER):
            # Whether to walk through choices that do not fit: what is best differs.
            state = State(blocks, room, label)
            state.penalty = penalty
            search.refine(state, range(blocks.count))
            state.penalty = _NEVER
            search.refine(state, range(blocks.count))
            found.append((state.too_wide > 0, state.score, tuple(state.label)))
            if search.ended:
                break
    found.sort(key=lambda entry: entry[:2])
    best = found[0]
    for _, _, label in found[:3]:
        best = min(best, search.kicked(State(blocks, room, label), kicks), key=lambda entry: entry[:2])
    return Best(best[2], best[1], not best[0], search.candidates)


class _Search:
    def __init__(self, blocks: Blocks, rng: Random, end: float) -> None:
        self.blocks, self.rng, self.end = blocks, rng, end
        self.candidates = 0
        self.places: list[list[tuple[int, int]]] = [[] for _ in range(blocks.count)]
        """Block -> (wire, place) of every time that a wire comes to it"""
        for wire, along in enumerate(blocks.wires):
            for place, block in enumerate(along):
                self.places[block].append((wire, place))

    @property
    def ended(self) -> bool:
        """Whether the time is over."""
        return self.end < inf and monotonic() > self.end

    def refine(self, state: State, blocks: Iterable[int]) -> None:
        """Moves that lower the score, until there is none."""
        waiting = list(blocks)
        self.rng.shuffle(waiting)
        queued = set(waiting)
        score = state.score
        while waiting and not self.ended:
            block = waiting.pop()
            queued.discard(block)
            for group, to in self._moves(state, block):
                before = state.move(group, to)
                self.candidates += 1
                new = state.score
                if new < score - _LEAST_GAIN:
                    score = new
                    near = [b for b in self._around(state, group) if b not in queued]
                    waiting += near
                    queued.update(near)
                    break
                state.move(group, before)

    def _around(self, state: State, group: Sequence[int]) -> Iterator[int]:
        yield from dict.fromkeys(
            b
            for block in group
            for k in state.incident[block]
            for b in (self.blocks.edges[k].a, self.blocks.edges[k].b)
        )

    def _moves(self, state: State, block: int) -> Iterator[tuple[Sequence[int], int]]:
        """Groups of blocks around one, each with a fragment that it touches."""
        own = state.label[block]
        near = dict.fromkeys(state.label[b] for b in self._around(state, (block,)))
        targets = [t for t in near if t != own]
        if not targets:
            return
        groups: dict[tuple[int, ...], None] = {(block,): None}
        for wire, place in self.places[block]:
            along = self.blocks.wires[wire]
            first, last = place, place
            while first and state.label[along[first - 1]] == own:
                first -= 1
            while last + 1 < len(along) and state.label[along[last + 1]] == own:
                last += 1
            for run in (along[place : last + 1], along[first : place + 1], along[first : last + 1]):
                groups[tuple(dict.fromkeys(run))] = None
        partners = [b for b in self._around(state, (block,)) if state.label[b] == own]
        groups[tuple(dict.fromkeys((block, *partners)))] = None
        for group in groups:
            for target in targets:
                yield group, target

    def kicked(self, state: State, kicks: int) -> tuple[bool, float, tuple[int, ...]]:
        """The best of `kicks` changes at random, each refined and kept where it is no worse."""
        state.penalty = _NEVER
        best = (state.too_wide > 0, state.score, tuple(state.label))
        for _ in range(kicks):
            if self.ended:
                break
            before = tuple(state.label)
            block = self.rng.randrange(self.blocks.count)
            group = self._kick(state, block)
            free = [k for k, m in enumerate(state.members) if not m][:1]
            state.move(group, self.rng.choice([k for k, m in enumerate(state.members) if m] + free))
            state.penalty = _TOO_WIDE if self.rng.random() < 0.5 else _NEVER
            self.refine(state, [*self._around(state, group), *group])
            if state.too_wide and state.penalty < _NEVER:
                state.penalty = _NEVER
                self.refine(state, range(self.blocks.count))
            state.penalty = _NEVER
            now = (state.too_wide > 0, state.score, tuple(state.label))
            if now[:2] <= best[:2]:
                best = now
            else:
                changed = [k for k, (old, new) in enumerate(zip(before, state.label, strict=True)) if old != new]
                state.move(changed, [before[k] for k in changed])
        return best

    def _kick(self, state: State, block: int) -> list[int]:
        """A block, a stretch of a wire, or what grows around a block in its fragment."""
        kind = self.rng.randrange(3)
        if kind == 0:
            return [block]
        if kind == 1:
            wire, place = self.rng.choice(self.places[block])
            along = self.blocks.wires[wire]
            return list(dict.fromkeys(along[place:] if self.rng.random() < 0.5 else along[: place + 1]))
        grown, own = [block], state.label[block]
        size = self.rng.randrange(2, 3 + min(self.blocks.count // 2, 40))
        for at in grown:
            if len(grown) >= size:
                break
            grown += [b for b in self._around(state, (at,)) if state.label[b] == own and b not in grown]
        return grown[:size]


def _first_choices(blocks: Blocks, room: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Whole qubits in runs of several orders, as equal as the fragments' room allows and as full as it allows."""
    qubits, home = len(blocks.wires), _homes(blocks)
    largest, counts = _counts(blocks, room)
    for order in _orders(blocks):
        place = {qubit: k for k, qubit in enumerate(order)}
        for count in counts:
            total = sum(room[k] for k in largest[:count])
            for scale in (qubits / total if total else 1.0, 1.0):
                label_at: list[int] = []
                for k in largest[:count]:
                    label_at += [k] * ceil(room[k] * scale)
                label_at += [largest[count - 1]] * (qubits - len(label_at))
                yield tuple(label_at[place[home[block]]] for block in range(blocks.count))


def _by_levels(blocks: Blocks, room: Sequence[int], seed: int) -> Iterator[tuple[int, ...]]:
    """Whole qubits in multilevel partitions, the one with the least cut for every number of fragments."""
    if len(blocks.wires) < _MANY:
        return
    weight, home, rng = _ties(blocks), _homes(blocks), Random(seed)
    largest, counts = _counts(blocks, room)
    for count in counts:
        own = largest[:count]
        level = Level(weight, np.ones(len(weight), int))
        limits = [room[k] for k in own]
        found = partitions(weight, limits, _TRIES, rng)
        part = min(found, key=lambda part: rank(level, limits, np.asarray(part)))
        yield tuple(own[part[home[block]]] for block in range(blocks.count))


def _homes(blocks: Blocks) -> dict[int, int]:
    """Block -> its qubit; one that several qubits run through goes with the first of them."""
    return {block: wire for wire, along in reversed(list(enumerate(blocks.wires))) for block in along}


def _counts(blocks: Blocks, room: Sequence[int]) -> tuple[list[int], range]:
    """Fragments by falling room, and how many of them to try: the fewest that hold all qubits, and a few more."""
    largest = sorted(range(len(room)), key=lambda k: -room[k])
    wanted = len(blocks.wires)
    fewest = next((n for n in range(1, len(room) + 1) if sum(room[k] for k in largest[:n]) >= wanted), len(room))
    return largest, range(fewest, min(fewest + 2, len(room)) + 1)


def _orders(blocks: Blocks) -> Iterator[list[int]]:
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    qubits = len(blocks.wires)
    yield list(range(qubits))
    if qubits < 3:
        return
    weight = _ties(blocks)
    cuthill = reverse_cuthill_mckee(csr_array(weight), symmetric_mode=True).tolist()
    yield cuthill
    yield _grown(weight, cuthill[0])
    yield _grown(weight, 0)


def _ties(blocks: Blocks) -> np.ndarray:
    """What cuts between the blocks of two qubits would cost: (qubits, qubits), 0 on the diagonal."""
    qubits = len(blocks.wires)
    weight = np.zeros((qubits, qubits))
    home = [set[int]() for _ in range(blocks.count)]
    for wire, along in enumerate(blocks.wires):
        for block in along:
            home[block].add(wire)
    for edge in blocks.edges:
        for a in home[edge.a]:
            for b in home[edge.b]:
                weight[a, b] += 1.0 + edge.overhead
    weight += weight.T
    np.fill_diagonal(weight, 0.0)
    return weight


def _grown(weight: np.ndarray, first: int) -> list[int]:
    """Qubits in the order in which each is tied most to those before it, and least to those after it."""
    order, left = [first], np.ones(len(weight), bool)
    left[first] = False
    inside = weight[first].copy()
    outside = weight.sum(axis=1)
    while left.any():
        gain = np.where(left, 2.0 * inside - outside, -np.inf)
        chosen = int(np.argmax(gain))
        order.append(chosen)
        left[chosen] = False
        inside += weight[chosen]
    return order
