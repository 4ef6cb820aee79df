"""The rows of a circuit from one of its ends, for passes that mostly stop after a few of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

import numpy as np

from ...ir import Circuit
from ...ir.angles import Row
from ...ir.circuit import GateRow, split_groups
from ...ir.gates import OPCODES

_CHUNK = 1024
_PAULI = OPCODES["pauli"]


def rows_between(circuit: Circuit, start: int, stop: int) -> list[GateRow]:
    """Rows start, ..., stop - 1."""
    groups = []
    for ptr, data in (
        (circuit.wire_ptr, circuit.wires),
        (circuit.angle_ptr, circuit.angle_rows),
        (circuit.clbit_ptr, circuit.clbits),
    ):
        ends = ptr[start : stop + 1]
        groups.append(split_groups(ends - ends[0], data[ends[0] : ends[-1]]))
    plain = (column[start:stop].tolist() for column in (circuit.payload, circuit.condition, circuit.location))
    return list(map(GateRow, circuit.opcode[start:stop].tolist(), *groups, *plain))


def rows_from_start(circuit: Circuit) -> Iterator[tuple[int, GateRow]]:
    """(number, row) from the first row on."""
    for start in range(0, len(circuit), _CHUNK):
        yield from enumerate(rows_between(circuit, start, min(start + _CHUNK, len(circuit))), start)


def rows_from_end(circuit: Circuit) -> Iterator[tuple[int, GateRow]]:
    """(number, row) from the last row backwards."""
    for stop in range(len(circuit), 0, -_CHUNK):
        start = max(stop - _CHUNK, 0)
        yield from zip(range(stop - 1, start - 1, -1), reversed(rows_between(circuit, start, stop)), strict=True)


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


def quarter_turns(rows: Iterable[Row]) -> tuple[Fraction, ...] | None:
    """The angles in units of pi, in [0, 4), where all are exact multiples of pi/2; None otherwise."""
    found = []
    for num, den, offset, terms in rows:
        if offset or terms or den > 2:
            return None
        found.append(Fraction(num, den) % 4)
    return tuple(found)
