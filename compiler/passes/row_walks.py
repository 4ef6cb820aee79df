"""The rows of a circuit from one of its ends, for passes that mostly stop after a few of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ...ir import Circuit
from ...ir.angles import MOST_KEPT, Row
from ...ir.circuit import GateRow, gate_rows, split_groups
from ...ir.gates import GATES, OPCODES

_FIRST_CHUNK, _CHUNK = 32, 1024
"""Rows taken apart at once: few at first, twice as many each time, at most _CHUNK."""
_POINTERS = ("wire_ptr", "angle_ptr", "clbit_ptr")
_PLAIN_COLUMNS = ("opcode", "wires", "angle_rows", "clbits", "payload", "condition", "location")
_PAULI = OPCODES["pauli"]
_LETTER_CODES = {"-": 0, "X": 1, "Y": 2, "Z": 3, "I": 4}
_MOST_AXES = max(len(gate.axes) for gate in GATES) + 1
_LETTER_TABLE = np.array([[_LETTER_CODES[a] for a in gate.axes.ljust(_MOST_AXES, "-")] for gate in GATES], np.int8)


def rows_between(circuit: Circuit, start: int, stop: int) -> list[GateRow]:
    """Rows start, ..., stop - 1."""
    if len(circuit) <= MOST_KEPT:
        return circuit.rows()[start:stop]
    groups = []
    for ptr, data in (
        (circuit.wire_ptr, circuit.wires),
        (circuit.angle_ptr, circuit.angle_rows),
        (circuit.clbit_ptr, circuit.clbits),
    ):
        ends = ptr[start : stop + 1]
        groups.append(split_groups(ends - ends[0], data[ends[0] : ends[-1]]))
    plain = (column[start:stop].tolist() for column in (circuit.payload, circuit.condition, circuit.location))
    return gate_rows(circuit.opcode[start:stop].tolist(), *groups, *plain)


def rows_from_start(circuit: Circuit) -> Iterator[tuple[int, GateRow]]:
    """(number, row) from the first row on."""
    start, size = 0, _FIRST_CHUNK
    while start < len(circuit):
        stop = min(start + size, len(circuit))
        yield from enumerate(rows_between(circuit, start, stop), start)
        start, size = stop, min(2 * size, _CHUNK)


def rows_from_end(circuit: Circuit) -> Iterator[tuple[int, GateRow]]:
    """(number, row) from the last row backwards."""
    stop, size = len(circuit), _FIRST_CHUNK
    while stop > 0:
        start = max(stop - size, 0)
        yield from zip(range(stop - 1, start - 1, -1), reversed(rows_between(circuit, start, stop)), strict=True)
        stop, size = start, min(2 * size, _CHUNK)


def with_start(circuit: Circuit, changed: Mapping[int, GateRow], keep: np.ndarray) -> Circuit:
    """The circuit with other rows `changed` and without those that `keep` leaves out.

    Only the rows up to the last one of `changed` are taken apart.
    """
    if not changed:
        return circuit.select(keep)
    stop = max(changed) + 1
    rows = enumerate(rows_between(circuit, 0, stop))
    head = circuit.with_rows([changed.get(k, row) for k, row in rows if keep[k]])
    rest = circuit.select(keep & (np.arange(len(circuit)) >= stop))
    columns = {name: np.concatenate([getattr(head, name), getattr(rest, name)]) for name in _PLAIN_COLUMNS}
    for ptr in _POINTERS:
        ends = getattr(head, ptr)
        columns[ptr] = np.concatenate([ends, getattr(rest, ptr)[1:] + ends[-1]])
    return circuit.with_(**columns)


def used_wires(circuit: Circuit) -> int:
    """The number of qubits that some row uses."""
    used = np.zeros(circuit.num_qubits, bool)
    used[circuit.wires] = True
    return int(used.sum())


def lettered(circuit: Circuit, row: GateRow) -> tuple[tuple[int, ...], str]:
    """The wires that a unitary row acts on, and its Pauli letter on each ("-" for none)."""
    if row.opcode != _PAULI:
        return row.wires, row.gate.axes
    letters = circuit.payloads[row.payload]
    pairs = [(w, p) for w, p in zip(row.wires, letters, strict=True) if p != "I"]
    return tuple(w for w, _ in pairs), "".join(p for _, p in pairs)


@dataclass(frozen=True)
class Runs:
    """The gates of every wire in runs that share a Pauli letter there: the gates of a run commute on that wire.

    One entry a wire of a row, in the order of the rows; `row` and `wire` say which. run: its number; the runs of a wire
    are numbered in order. first, last: whether the entry is at that end of its run.
    """

    row: np.ndarray
    wire: np.ndarray
    run: np.ndarray
    first: np.ndarray
    last: np.ndarray


def wire_runs(circuit: Circuit, more: Sequence[tuple[int, int, str]] = ()) -> Runs:
    """The runs of a circuit's qubits. A gate without a letter on a wire is a run of its own there.

    more: further entries (row, wire, letter), for example of wires that stand for classical bits.
    """
    row = np.repeat(np.arange(len(circuit)), np.diff(circuit.wire_ptr))
    place = np.arange(len(row)) - circuit.wire_ptr[row]
    wire = circuit.wires
    letter = _LETTER_TABLE[circuit.opcode[row], np.minimum(place, _LETTER_TABLE.shape[1] - 1)]
    products = np.flatnonzero(circuit.opcode[row] == _PAULI)
    if len(products):
        payloads = circuit.payload[row[products]].tolist()
        found = [circuit.payloads[p][k] for p, k in zip(payloads, place[products].tolist(), strict=True)]
        letter[products] = [_LETTER_CODES[p] for p in found]
    everywhere = np.flatnonzero((circuit.opcode == OPCODES["barrier"]) & (np.diff(circuit.wire_ptr) == 0))
    if len(everywhere) or more:
        width = circuit.num_qubits
        row = np.concatenate([row, np.repeat(everywhere, width), [r for r, _, _ in more]]).astype(np.int64)
        wire = np.concatenate([wire, np.tile(np.arange(width), len(everywhere)), [w for _, w, _ in more]]).astype(int)
        blocked = np.zeros(len(everywhere) * width, np.int8)
        letter = np.concatenate([letter, blocked, [_LETTER_CODES[p] for _, _, p in more]]).astype(np.int8)
        order = np.argsort(row, kind="stable")
        row, wire, letter = row[order], wire[order], letter[order]
    if len(products):
        acts = letter != _LETTER_CODES["I"]
        row, wire, letter = row[acts], wire[acts], letter[acts]
    order = np.argsort(wire, kind="stable")
    sorted_wire, sorted_letter = wire[order], letter[order]
    starts = np.ones(len(order), bool)
    starts[1:] = (np.diff(sorted_wire) != 0) | (np.diff(sorted_letter) != 0) | (sorted_letter[1:] == 0)
    ends = np.ones(len(order), bool)
    ends[:-1] = starts[1:]
    run, first, last = np.empty(len(order), np.int64), np.empty(len(order), bool), np.empty(len(order), bool)
    run[order], first[order], last[order] = np.cumsum(starts), starts, ends
    return Runs(row, wire, run, first, last)


def quarter_turns(rows: Iterable[Row]) -> tuple[Fraction, ...] | None:
    """The angles in units of pi, in [0, 4), where all are exact multiples of pi/2; None otherwise."""
    found = []
    for num, den, offset, terms in rows:
        if offset or terms or den > 2:
            return None
        found.append(Fraction(num, den) % 4)
    return tuple(found)
