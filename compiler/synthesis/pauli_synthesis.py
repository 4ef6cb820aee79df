"""Gates for a sequence of Pauli rotations on |0...0>, with few two-qubit gates.

Greedy, after the idea of Schmitz et al. (arXiv 2103.08602) and Paykin et al. (arXiv 2305.10966): an entangling Clifford
gate turns all Pauli products behind it at once. Take the one that makes a lightest rotation of the front (those that
nothing else has to precede) lighter and, summed with a discount over what follows, all others too; a rotation about a
single letter is a gate. Two things are ours: the gate classes of all pairs are scored together by one matrix product,
and stabilizers of the state are used on the way: a gate whose letter on one qubit stabilizes the state does nothing
there and costs nothing, and the next rotation may be multiplied by any stabilizer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ...ir.angles import Row
from .pauli_form import Turn, negated
from .stabilizers import AFTER, CHANGE, FIRST, NAMES, SECOND, TYPES, Board, anticommutation, entanglers, histogram
from .tableau import Pauli

_WINDOW = 160
"""How many of the next rotations are looked at."""
_LEAST_WEIGHT = 1e-4
_DEPTH_WEIGHT = 1e-3
_SMALL = 1e-4
_MOST_MEASURES = 64


class Step(NamedTuple):
    """One gate; an angle where it is a rotation."""

    gate: str
    wires: tuple[int, ...]
    angle: Row | None
    location: int


@dataclass(frozen=True)
class Trial:
    """How the greedy choice looks ahead: discount a layer, weight of the products at the end, size of random ties."""

    discount: float
    end_weight: float
    noise: float
    seed: int


@dataclass(frozen=True)
class Readings:
    """What is read behind the rotations, pulled back through the Clifford.

    products: of the expectation values. settings: for groups of them, by index, what has to stay readable together.
    bits: products that have to become Z on distinct qubits. generators: rows that all of these are products of, each
    with the row that anticommutes with it directly behind it where there is one; `pairs` says how long each run is.
    enough: whether products with these masks are read with few enough settings.
    """

    products: tuple[Pauli, ...]
    settings: tuple[tuple[int, ...], ...]
    bits: tuple[Pauli, ...]
    generators: tuple[tuple[Pauli, ...], ...]
    enough: Callable[[Sequence[tuple[int, int] | None]], bool]


@dataclass
class Synthesis:
    """Gates, and what has to be read behind them.

    products: (letters as masks, sign) of every product; None where its expectation value is zero. bits: (qubit).
    """

    steps: list[Step]
    products: list[Pauli | None]
    bits: list[int]
    entangling: int
    depth: int


def synthesise(turns: Sequence[Turn], qubits: int, readings: Readings, trial: Trial) -> Synthesis | None:
    """One greedy pass; None where the readings would need more settings. Deterministic for a trial."""
    return _Greedy(turns, qubits, readings, trial).run()


@dataclass
class _Emitted:
    """The gates so far, and the two-qubit depth of every qubit."""

    qubits: int
    steps: list[Step] = field(default_factory=list)
    entangling: int = 0
    location: int = -1

    def __post_init__(self) -> None:
        self.depth = np.zeros(self.qubits, np.int64)

    def copy(self) -> _Emitted:
        out = _Emitted(self.qubits, list(self.steps), self.entangling, self.location)
        out.depth = self.depth.copy()
        return out

    def add(self, gate: str, *wires: int, angle: Row | None = None) -> None:
        self.steps.append(Step(gate, wires, angle, self.location))
        if len(wires) == 2:
            self.entangling += 1
            self.depth[list(wires)] = self.depth[list(wires)].max() + 1


class _Greedy:
    def __init__(self, turns: Sequence[Turn], qubits: int, readings: Readings, trial: Trial) -> None:
        self.turns, self.qubits, self.readings, self.trial = turns, qubits, readings, trial
        generators = [p for run in readings.generators for p in run]
        stabilizers = [Pauli(0, 1 << q) for q in range(qubits)]
        parts = [[t.axis for t in turns], generators, list(readings.products), list(readings.bits), stabilizers]
        self.board = Board([p for part in parts for p in part], qubits)
        ends = np.cumsum([0] + [len(p) for p in parts]).tolist()
        self.rows = [np.arange(a, b) for a, b in pairwise(ends)]
        _, self.generators, self.products, self.bits, self.stabilizers = self.rows
        self.random = np.random.default_rng(trial.seed)
        self.out = _Emitted(qubits)
        self.upper = np.triu(np.ones((qubits, qubits), bool), 1)[:, :, None]
        m = len(turns)
        axes = self.board.letters[:, :m]
        self.clash = anticommutation(axes, axes)
        earlier = np.tril(self.clash, -1)
        self.before = earlier.sum(1)
        self.level = _levels(earlier)
        self.pending = np.ones(m, bool)
        self.order = np.argsort(self.level, kind="stable")

    def run(self) -> Synthesis | None:
        self._emit_ready()
        while self.pending.any():
            self._step()
            self._emit_ready()
        return _Ending(self).run()

    # Rotations

    def front(self) -> np.ndarray:
        return np.flatnonzero(self.pending & (self.before == 0))

    def _emit_ready(self) -> None:
        """Emit rotations about one letter or none while there are any, made light by stabilizers where possible."""
        while True:
            front = self.front()
            ready = front[self.board.weights(front) <= 1] if len(front) else front
            if not len(ready) and len(front) and len(self.stabilizers):
                lighter = self._lighter(front)
                if lighter < 0:
                    return
                continue
            if not len(ready):
                return
            for row in ready.tolist():
                self._emit(row)

    def _emit(self, row: int) -> None:
        turn = self.turns[row]
        self.pending[row] = False
        self.before[self.clash[row] & self.pending] -= 1
        (support,) = np.nonzero(self.board.letters[:, row])
        if not len(support):
            return
        self.out.location = turn.location
        qubit = int(support[0])
        letter = NAMES[self.board.letters[qubit, row]].lower()
        angle = negated(turn.angle) if self.board.signs[row] else turn.angle
        self.out.add("r" + letter, qubit, angle=angle)
        self._restrict(row)

    def _restrict(self, row: int) -> None:
        """Keep the stabilizers that commute with an emitted rotation."""
        if not len(self.stabilizers):
            return
        odd = self.stabilizers[self.board.anticommuting(row, self.stabilizers)]
        if not len(odd):
            return
        pivot = int(odd[np.argmin(self.board.weights(odd))])
        for other in odd.tolist():
            if other != pivot:
                self.board.multiply(other, pivot)
        self.stabilizers = self.stabilizers[self.stabilizers != pivot]

    def _lighter(self, front: np.ndarray) -> int:
        """Multiply the front rotation that gains most by stabilizers and let it go first; its row, or -1."""
        letters = self.board.letters
        products = letters[:, front][:, :, None] ^ letters[:, self.stabilizers][:, None, :]
        weights = np.count_nonzero(products, axis=0)
        weights[anticommutation(letters[:, front], letters[:, self.stabilizers])] = self.qubits + 1
        gain = self.board.weights(front)[:, None] - weights
        # A lighter axis that is not the lightest of the front would only bind the order.
        lightest = int(self.board.weights(front).min())
        gain[weights >= lightest] = 0
        if gain.max() <= 0:
            return -1
        at, by = np.unravel_index(int(np.argmin(np.where(gain > 0, weights, self.qubits + 1))), gain.shape)
        row = int(front[at])
        self.board.multiply(row, int(self.stabilizers[by]))
        now = self.board.anticommuting(row, np.arange(len(self.turns)))
        self.before[self.pending] += now[self.pending].astype(np.int64) - self.clash[row, self.pending]
        self.clash[row] = self.clash[:, row] = now
        return row

    # Gates

    def _step(self) -> None:
        front = self.front()
        weights = self.board.weights(front)
        lightest = front[weights == weights.min()]
        self.out.location = self.turns[int(lightest[0])].location
        score = self._score()
        letters = histogram(self.board.letters[:, lightest], np.ones(len(lightest), np.float32))
        allowed = (letters @ (CHANGE < 0)) > 0
        # A free gate that made all of these heavier could be undone by the next, for ever.
        harmless = (letters @ (CHANGE > 0)) == 0
        self.choose(score, allowed & self.upper, harmless & self.upper)

    def choose(self, score: np.ndarray, allowed: np.ndarray, allowed_free: np.ndarray) -> None:
        """Apply the best gate: a free one while it makes things lighter, else the best of those allowed."""
        free = self.free()
        if free is not None:
            gains = np.where(free & allowed_free, score, np.inf)
            if gains.min() < -_SMALL:
                self.apply(int(gains.argmin()), True)
                return
            score = score - free
        depth = np.maximum(self.out.depth[:, None], self.out.depth[None, :]) - self.out.depth.max()
        score = score + (_DEPTH_WEIGHT * depth)[:, :, None]
        if self.trial.noise:
            score += self.trial.noise * self.random.random(score.shape)
        index = int(np.where(allowed, score, np.inf).argmin())
        self.apply(index, free is not None and bool(free.flat[index]))

    def apply(self, index: int, free: bool) -> None:
        """Emit entangler number `index` of a (qubits, qubits, 9) array and turn everything."""
        a, b, kind = (int(i) for i in np.unravel_index(index, (self.qubits, self.qubits, 9)))
        pair = (a, b)
        entangler = entanglers()[kind]
        if free:
            self._emit_sign(pair, kind)
        for name, wire in entangler.local:
            self.out.add(name, pair[wire])
        if not free:
            self.out.add(entangler.gate, *(pair[w] for w in entangler.wires))
        self.board.entangle(kind, a, b)

    def _emit_sign(self, pair: tuple[int, int], kind: int) -> None:
        """A gate whose letter is -1 on the state is its other letter there."""
        for one, other in ((0, 1), (1, 0)):
            row = self.single.get((pair[one], TYPES[kind][one]))
            if row is not None:
                if self.board.signs[row]:
                    self.out.add(NAMES[TYPES[kind][other]].lower(), pair[other])
                return

    def free(self) -> np.ndarray | None:
        """(qubits, qubits, 9): which gates have a letter that is +1 or -1 on the state; None where none has."""
        if not len(self.stabilizers):
            return None
        letters = self.board.letters[:, self.stabilizers]
        (at,) = np.nonzero(np.count_nonzero(letters, axis=0) == 1)
        if not len(at):
            return None
        self.single: dict[tuple[int, int], int] = {}
        out = np.zeros((self.qubits, self.qubits, 9), bool)
        for k in at.tolist():
            qubit = int(np.flatnonzero(letters[:, k])[0])
            letter = int(letters[qubit, k])
            self.single[qubit, letter] = int(self.stabilizers[k])
            out[qubit] |= letter == FIRST
            out[:, qubit] |= letter == SECOND
        return out

    def _score(self) -> np.ndarray:
        """(qubits, qubits, 9): discounted change of all weights ahead."""
        self.order = self.order[self.pending[self.order]]
        ahead = self.order[:_WINDOW]
        weights = self.trial.discount ** (self.level[ahead] - self.level[ahead[0]]).astype(np.float32)
        # Weights are falling; what hardly counts is left out, and with it the slow arithmetic of denormal numbers.
        rows = ahead = ahead[: np.count_nonzero(weights > _LEAST_WEIGHT)]
        weights = weights[: len(ahead)]
        if self.trial.end_weight:
            rows = np.concatenate([ahead, self.generators])
            weights = np.concatenate([weights, np.full(len(self.generators), self.trial.end_weight)])
        return histogram(self.board.letters[:, rows], weights.astype(np.float32)) @ CHANGE


def _levels(earlier: np.ndarray) -> np.ndarray:
    """The layer of every rotation: one more than the last that it has to follow."""
    level = np.zeros(len(earlier), np.int64)
    for k, row in enumerate(earlier):
        follows = level[:k][row[:k]]
        level[k] = follows.max() + 1 if len(follows) else 0
    return level


class _Ending:
    """What is left of the Clifford: only as much of it as the readings need."""

    def __init__(self, greedy: _Greedy) -> None:
        self.g = greedy
        self.board = greedy.board
        self.gone: np.ndarray = np.zeros(len(greedy.products), bool)

    def run(self) -> Synthesis | None:
        g, best = self.g, None
        board, out = g.board, g.out
        self._find_zeros()
        for approach in (self._toward_settings, self._toward_letters):
            self.board = g.board = board.copy()
            g.out = out.copy()
            if approach():
                found = self._result()
                if best is None or (found.entangling, found.depth) < (best.entangling, best.depth):
                    best = found
            if best is not None and best.entangling == out.entangling:
                break
        return best

    def _find_zeros(self) -> None:
        """Products that anticommute with a stabilizer have expectation zero."""
        g, letters = self.g, self.board.letters
        if len(g.stabilizers):
            self.gone = np.any(anticommutation(letters[:, g.products], letters[:, g.stabilizers]), axis=1)

    def _lighten(self, row: int, stabilizers: np.ndarray) -> None:
        letters = self.board.letters
        while True:
            weights = np.count_nonzero(letters[:, stabilizers] ^ letters[:, [row]], axis=0)
            if not len(weights) or weights.min() >= np.count_nonzero(letters[:, row]):
                return
            self.board.multiply(row, int(stabilizers[int(weights.argmin())]))

    def _done(self) -> bool:
        g = self.g
        if len(g.bits) and (self.board.weights(g.bits) > 1).any():
            return False
        masks = self.board.masks(g.products.tolist())
        return g.readings.enough([None if gone else m for m, gone in zip(masks, self.gone.tolist(), strict=True)])

    def _toward_settings(self) -> bool:
        """Greedy gates until the products of each setting agree qubit by qubit; False where it gets stuck."""
        g = self.g
        if len(g.bits) or len(g.readings.settings) > _MOST_MEASURES:
            return False
        for row in g.products[~self.gone].tolist():
            self._lighten(row, g.stabilizers)
        while not self._done():
            score, now = self._disagreement()
            allowed = (score < now - 0.5) & g.upper
            if not allowed.any():
                return False
            generators = self.board.letters[:, g.generators]
            weight = histogram(generators, np.ones(len(g.generators), np.float32)) @ CHANGE
            g.choose(score - now + 0.05 * weight, allowed, allowed)
        return True

    def _disagreement(self) -> tuple[np.ndarray, float]:
        """How many letters differ from their qubit's most frequent one in each setting, after each gate and now."""
        g = self.g
        total, now = np.zeros((g.qubits, g.qubits, 9)), 0.0
        for setting in g.readings.settings:
            rows = g.products[[k for k in setting if not self.gone[k]]]
            if not len(rows):
                continue
            letters = self.board.letters[:, rows]
            joint = histogram(letters, np.ones(len(rows), np.float32))
            counts = np.stack([(letters == p).sum(1) for p in (1, 2, 3)])
            here = counts.sum(0) - counts.max(0)
            now += float(here.sum())
            total -= (here[:, None] + here[None, :])[:, :, None]
            for side in (0, 1):
                after = np.stack([joint @ (AFTER[:, :, side] == p).T for p in (1, 2, 3)])
                total += after.sum(0) - after.max(0)
        return total + now, now

    def _toward_letters(self) -> bool:
        """Make every generator one letter, runs of light ones first, and stop as soon as it is enough."""
        g = self.g
        runs, start = [], 0
        for run in g.readings.generators:
            runs.append(g.generators[start : start + len(run)])
            start += len(run)
        fixed: list[int] = []
        while runs and not self._done():
            run = min(runs, key=lambda r: (int(self.board.weights(r).sum()), int(r[0])))
            runs = [r for r in runs if r is not run]
            for row in run.tolist():
                if not self._reduce(row, fixed):
                    return True  # enough already
                fixed.append(row)
        return self._done()

    def _reduce(self, row: int, fixed: Sequence[int]) -> bool:
        """Make one row a letter, those of `fixed` staying what they are; False where it is all enough before that."""
        g = self.g
        while np.count_nonzero(self.board.letters[:, row]) > 1:
            if self._done():
                return False
            letters = self.board.letters
            allowed = (histogram(letters[:, [row]], np.ones(1)) @ (CHANGE < 0)) > 0
            if len(fixed):
                allowed &= (histogram(letters[:, list(fixed)], np.ones(len(fixed))) @ (CHANGE != 0)) == 0
            weight = histogram(letters[:, g.generators], np.ones(len(g.generators), np.float32)) @ CHANGE
            g.choose(weight, allowed & g.upper, allowed & g.upper)
        return True

    def _result(self) -> Synthesis:
        g, board = self.g, self.board
        bits: list[int] = []
        for row in g.bits.tolist():
            qubit = int(np.flatnonzero(board.letters[:, row])[0])
            letter = NAMES[board.letters[qubit, row]]
            for name in {"X": ("h",), "Y": ("sx",), "Z": ()}[letter]:
                g.out.add(name, qubit)
                board.turn(name, qubit)
            if board.signs[row]:
                g.out.add("x", qubit)
                board.turn("x", qubit)
            bits.append(qubit)
        products: list[Pauli | None] = []
        signs = board.signs[g.products].tolist()
        for (x, z), sign, gone in zip(board.masks(g.products.tolist()), signs, self.gone.tolist(), strict=True):
            products.append(None if gone else Pauli(x, z, ((x & z).bit_count() + 2 * sign) & 3))
        return Synthesis(list(g.out.steps), products, bits, g.out.entangling, int(g.out.depth.max(initial=0)))
