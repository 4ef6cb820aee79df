"""The order in which the qubits of a circuit can finish, such that few are in use at a time.

After DeCross, Chertkov, Kohagen and Foss-Feig, "Qubit-reuse compilation with mid-circuit measurement and reset"
(arXiv 2210.08039): a qubit can finish once the gates that its last gates depend on are done; these need the qubits of
its cone. In an order of finishing, the qubits in use are those of all cones so far less those that have finished.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from ...ir import Circuit
from ...ir.circuit import GateRow
from ...ir.conditions import bits_of
from ...ir.gates import OPCODES

_BARRIER, _PAULI = OPCODES["barrier"], OPCODES["pauli"]
_BLOCKS, _READS = "-", "r"

MOST_STARTS = {"fast": 8, "default": 64, "max": 256}
"""How many first qubits the greedy search tries."""

MOST_DRAWS = {"fast": 0, "default": 4, "max": 64}
"""How many searches with ties broken at random follow."""

EXACT_QUBITS = {"fast": 8, "default": 12, "max": 16}
"""Up to this many qubits the best order is found by dynamic programming over sets of finished qubits."""


@dataclass(frozen=True)
class Dependencies:
    """What every gate waits for.

    rows: the gates. before: numbers of the nodes that a node waits for; nodes from len(rows) on stand for all gates of
    a group that commute on a wire. on_qubit: the gates of every qubit, barriers included. cones: for every qubit the
    qubits that its gates depend on, as a bit mask, itself included.
    """

    rows: list[GateRow]
    before: list[list[int]]
    on_qubit: list[list[int]]
    cones: list[int]

    def needed(self, qubit: int, done: bytearray) -> list[int]:
        """The gates that are not done and that the gates of `qubit` depend on, itself included, in program order; they
        and the groups between them are marked as done."""
        found: list[int] = []
        waiting = [k for k in self.on_qubit[qubit] if not done[k]]
        for k in waiting:
            done[k] = 1
        while waiting:
            at = waiting.pop()
            if at < len(self.rows):
                found.append(at)
            for other in self.before[at]:
                if not done[other]:
                    done[other] = 1
                    waiting.append(other)
        return sorted(found)


@dataclass(slots=True)
class _Wire:
    """The last gates of one wire that share a letter (`open`), the node of those before them, and what they depend on
    as bit masks of qubits."""

    letter: str = _BLOCKS
    open: list[int] = field(default_factory=list)
    previous: int = -1
    mask_before: int = 0
    mask: int = 0


def dependencies(circuit: Circuit) -> Dependencies:
    """What every gate waits for: the gates before it on its qubits and bits, up to those that commute there.

    Gates commute on a qubit where they share a Pauli letter, on a bit where both only read it.
    """
    rows, width = circuit.rows(), circuit.num_qubits
    wires = [_Wire() for _ in range(width + circuit.num_clbits)]
    groups: list[list[int]] = []
    before: list[list[int]] = []
    on_qubit: list[list[int]] = [[] for _ in range(width)]
    for k, row in enumerate(rows):
        touched = list(_touched(circuit, row))
        for place, letter in touched:
            wire = wires[place]
            if wire.open and (letter != wire.letter or letter == _BLOCKS):
                wire.previous, wire.mask_before = len(rows) + len(groups), wire.mask
                groups.append(wire.open)
                wire.open = []
            wire.letter = letter
        before.append([wires[place].previous for place, _ in touched if wires[place].previous >= 0])
        mask = 0
        for place, _ in touched:
            mask |= wires[place].mask_before
            if place < width:
                mask |= (row.opcode != _BARRIER) << place
                on_qubit[place].append(k)
        for place, _ in touched:
            wires[place].open.append(k)
            wires[place].mask |= mask
    return Dependencies(rows, before + groups, on_qubit, [w.mask | 1 << q for q, w in enumerate(wires[:width])])


def _touched(circuit: Circuit, row: GateRow) -> Iterator[tuple[int, str]]:
    """Every wire of a gate with the letter that it has there; classical bits are numbered after the qubits."""
    if row.opcode == _BARRIER:
        yield from ((w, _BLOCKS) for w in row.wires or range(circuit.num_qubits))
        return
    axes = circuit.payloads[row.payload].replace("I", _BLOCKS) if row.opcode == _PAULI else row.gate.axes
    yield from zip(row.wires, axes, strict=True)
    written = set(row.clbits)
    yield from ((circuit.num_qubits + b, _BLOCKS) for b in row.clbits)
    if row.condition >= 0:
        read = dict.fromkeys(bits_of(circuit.conditions[row.condition]))
        yield from ((circuit.num_qubits + b, _READS) for b in read if b not in written)


def peak(cones: Sequence[int], order: Sequence[int]) -> int:
    """The most qubits in use at a time where qubits finish in this order."""
    started = most = 0
    for finished, q in enumerate(order):
        started |= cones[q]
        most = max(most, started.bit_count() - finished)
    return most


def best_order(cones: Sequence[int], effort: str = "default", seed: int = 0) -> list[int]:
    """An order of finishing with few qubits in use: the best one for few qubits, else the best of greedy searches."""
    width = len(cones)
    if width <= EXACT_QUBITS[effort]:
        return _exact(cones)
    starts = range(0, width, -(-width // MOST_STARTS[effort]))
    best = min((_greedy(cones, first) for first in starts), key=lambda order: peak(cones, order))
    rng = np.random.default_rng(seed)
    for _ in range(MOST_DRAWS[effort]):
        ranks = rng.permutation(width).tolist()
        order = _greedy(cones, int(rng.integers(width)), ranks)
        best = min(best, order, key=lambda order: peak(cones, order))
    return best


def _greedy(cones: Sequence[int], first: int, ranks: Sequence[int] = ()) -> list[int]:
    """Always the qubit that needs the fewest new ones; ties by the size of its cone, then by number or `ranks`."""
    order, started = [first], cones[first]
    rank = ranks or range(len(cones))
    left = [(cone.bit_count(), rank[q], q) for q, cone in enumerate(cones) if q != first]
    while left:
        best = min(left, key=lambda entry: ((cones[entry[2]] & ~started).bit_count(), entry))
        left.remove(best)
        started |= cones[best[2]]
        order.append(best[2])
    return order


def _exact(cones: Sequence[int]) -> list[int]:
    """The order with the smallest peak: a shortest path over sets of finished qubits, by the largest step."""
    everything = (1 << len(cones)) - 1
    waiting: list[tuple[int, int, int]] = [(0, 0, 0)]
    came_from: dict[int, int] = {}
    known: dict[int, int] = {0: 0}
    while waiting:
        most, _, finished = heapq.heappop(waiting)
        if finished == everything:
            break
        if most > known[finished]:
            continue
        started = _union(cones, finished)
        for q, cone in enumerate(cones):
            after = finished | 1 << q
            cost = max(most, (started | cone).bit_count() - finished.bit_count())
            if after != finished and cost < known.get(after, len(cones) + 1):
                known[after], came_from[after] = cost, finished
                heapq.heappush(waiting, (cost, -after.bit_count(), after))
    order: list[int] = []
    at = everything
    while at:
        order.append((at ^ came_from[at]).bit_length() - 1)
        at = came_from[at]
    return order[::-1]


def _union(cones: Sequence[int], chosen: int) -> int:
    out = 0
    for q, cone in enumerate(cones):
        if chosen >> q & 1:
            out |= cone
    return out
