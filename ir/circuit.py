"""Quantum circuits as columns: one row a gate, numpy arrays for every fact, no object per gate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from itertools import chain, repeat
from math import prod
from typing import Any, NamedTuple

import numpy as np

from .angles import MOST_KEPT, ZERO_ROW, AngleInterner, AngleTable, Row, make_row
from .conditions import Condition, bits_of
from .diagnostics import UNKNOWN, Location
from .gates import GATES, OPCODES, Gate
from .locations import NO_LOCATIONS, LocationTable

_DERIVED = ("variable_names", "depths", "_kept_rows")
_MEASURES = np.array([gate.name in ("measure", "reset") for gate in GATES])


@dataclass(frozen=True, slots=True)
class AngleInput:
    """A named array of angle variables: data (`role="input"`) or trainable (`role="weight"`)."""

    name: str
    shape: tuple[int, ...] = ()
    role: str = "input"

    @property
    def size(self) -> int:
        return prod(self.shape)


class GateRow(NamedTuple):
    """One gate as plain values, the form in which passes edit a circuit.

    `angles` are row numbers of the angle table; `condition` and `payload` index the circuit's tables (-1: none).
    """

    opcode: int
    wires: tuple[int, ...]
    angles: tuple[int, ...] = ()
    clbits: tuple[int, ...] = ()
    payload: int = -1
    condition: int = -1
    location: int = -1

    @property
    def gate(self) -> Gate:
        return GATES[self.opcode]


@dataclass(frozen=True, eq=False)
class Circuit:
    """A circuit on `num_qubits` qubits (all start in |0>) and `num_clbits` classical bits (all start at 0).

    Row k is gate `GATES[opcode[k]]` on qubits `wires[wire_ptr[k]:wire_ptr[k+1]]`, with angle rows and classical bits in
    the same compressed form. `phase` is the angle row of the global phase. Locations take no part in equality.
    """

    name: str
    num_qubits: int
    num_clbits: int
    inputs: tuple[AngleInput, ...]
    angles: AngleTable
    opcode: np.ndarray
    wire_ptr: np.ndarray
    wires: np.ndarray
    angle_ptr: np.ndarray
    angle_rows: np.ndarray
    clbit_ptr: np.ndarray
    clbits: np.ndarray
    payload: np.ndarray
    condition: np.ndarray
    location: np.ndarray
    payloads: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()
    locations: LocationTable = field(default=NO_LOCATIONS)
    phase: int = -1
    place: Location = UNKNOWN

    def __len__(self) -> int:
        return len(self.opcode)

    @cached_property
    def variable_names(self) -> tuple[str, ...]:
        """The name of every angle variable in order: `x[3]`, `w[1,2]`, or `t` for a scalar."""
        names: list[str] = []
        for array in self.inputs:
            if array.shape:
                names += [f"{array.name}[{','.join(map(str, index))}]" for index in np.ndindex(*array.shape)]
            else:
                names.append(array.name)
        return tuple(names)

    @property
    def num_variables(self) -> int:
        return sum(array.size for array in self.inputs)

    def first_variable(self, name: str) -> int:
        """The number of the first angle variable of the input array `name`."""
        start = 0
        for array in self.inputs:
            if array.name == name:
                return start
            start += array.size
        raise KeyError(name)

    def with_(self, **changes: Any) -> Circuit:
        """A copy with some fields replaced."""
        # A tenth of what `replace` costs: nothing is checked when a circuit is made.
        made = object.__new__(Circuit)
        made.__dict__.update(self.__dict__)
        for derived in _DERIVED:
            made.__dict__.pop(derived, None)
        made.__dict__.update(changes)
        return made

    def place_of(self, index: int) -> Location:
        """The source location of row `index`, or the circuit's own."""
        return self.locations[int(self.location[index])] or self.place

    def rows(self) -> list[GateRow]:
        """All gates as plain tuples."""
        return list(self._kept_rows) if len(self) <= MOST_KEPT else self._made_rows()

    @cached_property
    def _kept_rows(self) -> list[GateRow]:
        return self._made_rows()

    def _made_rows(self) -> list[GateRow]:
        return gate_rows(
            self.opcode.tolist(),
            split_groups(self.wire_ptr, self.wires),
            split_groups(self.angle_ptr, self.angle_rows),
            split_groups(self.clbit_ptr, self.clbits),
            self.payload.tolist(),
            self.condition.tolist(),
            self.location.tolist(),
        )

    def with_rows(self, rows: Sequence[GateRow], angles: AngleTable | None = None, phase: int | None = None) -> Circuit:
        """The circuit with other gates (and angle table and phase row), everything else kept."""
        columns = list(zip(*rows, strict=True)) or [()] * len(GateRow._fields)
        opcode, wires, angle_rows, clbits, payload, condition, location = columns
        wires, wire_ptr = join_groups(wires)
        angle_rows, angle_ptr = join_groups(angle_rows)
        clbits, clbit_ptr = join_groups(clbits)
        return self.with_(
            angles=self.angles if angles is None else angles,
            phase=self.phase if phase is None else phase,
            opcode=np.array(opcode, np.uint8),
            wire_ptr=wire_ptr,
            wires=wires,
            angle_ptr=angle_ptr,
            angle_rows=angle_rows,
            clbit_ptr=clbit_ptr,
            clbits=clbits,
            payload=np.array(payload, np.int32),
            condition=np.array(condition, np.int32),
            location=np.array(location, np.int32),
        )

    def select(self, keep: np.ndarray) -> Circuit:
        """The circuit with only the rows where the boolean column `keep` is set, in order."""

        return self.take(np.flatnonzero(keep))

    def take(self, order: np.ndarray) -> Circuit:
        """The circuit with the rows of these numbers in this order."""
        wire_ptr, wires = take_groups(self.wire_ptr, self.wires, order)
        angle_ptr, angle_rows = take_groups(self.angle_ptr, self.angle_rows, order)
        clbit_ptr, clbits = take_groups(self.clbit_ptr, self.clbits, order)
        return self.with_(
            opcode=self.opcode[order],
            wire_ptr=wire_ptr,
            wires=wires,
            angle_ptr=angle_ptr,
            angle_rows=angle_rows,
            clbit_ptr=clbit_ptr,
            clbits=clbits,
            payload=self.payload[order],
            condition=self.condition[order],
            location=self.location[order],
        )

    def compacted(self) -> Circuit:
        """The same circuit with only the used angle rows, payloads and conditions, in order of first use."""
        interner, rows = AngleInterner(), self.angles.rows()
        first_use = list(dict.fromkeys(self.angle_rows.tolist()))
        if self._is_compact(first_use, rows):
            return self
        renumber = np.zeros(len(rows), np.int32)
        renumber[first_use] = [interner.add(rows[old]) for old in first_use]
        phase = interner.add(rows[self.phase]) if self.phase >= 0 and rows[self.phase] != ZERO_ROW else -1
        payloads, payload = _renumber(self.payloads, self.payload)
        conditions, condition = _renumber(self.conditions, self.condition)
        return self.with_(
            angles=interner.table(),
            angle_rows=renumber[self.angle_rows],
            phase=phase,
            payloads=payloads,
            payload=payload,
            conditions=conditions,
            condition=condition,
        )

    def _is_compact(self, first_use: Sequence[int], rows: Sequence[Row]) -> bool:
        used = [*first_use, self.phase] if self.phase == len(first_use) else first_use
        tables_used = used == list(range(len(rows))) and not self.payloads and not self.conditions
        return tables_used and len(set(rows)) == len(rows) and (self.phase < 0 or rows[self.phase] != ZERO_ROW)

    @property
    def has_measurement(self) -> bool:
        """Whether the circuit measures, resets or is conditioned: then it is not one unitary."""
        return bool(_MEASURES[self.opcode].any() or (self.condition >= 0).any())

    def gate_counts(self) -> dict[str, int]:
        """Number of rows of every gate kind, barriers included, by falling count."""
        counts = np.bincount(self.opcode, minlength=len(GATES))
        pairs = [(GATES[code].name, int(n)) for code, n in enumerate(counts) if n]
        return dict(sorted(pairs, key=lambda pair: (-pair[1], pair[0])))

    def costs(self) -> dict[str, int]:
        """`qubits`, `gates`, `two_qubit_gates` (on two or more), `depth`, `two_qubit_depth`; barriers do not count."""
        arity = np.diff(self.wire_ptr)
        real = self.opcode != OPCODES["barrier"]
        depth, two_qubit_depth = self.depths
        return {
            "qubits": self.num_qubits,
            "gates": int(real.sum()),
            "two_qubit_gates": int((real & (arity >= 2)).sum()),
            "depth": depth,
            "two_qubit_depth": two_qubit_depth,
        }

    @cached_property
    def depths(self) -> tuple[int, int]:
        """(depth, depth of gates on two or more qubits). Classical bits that a gate writes or reads are wires too."""
        ends = list(split_groups(self.wire_ptr, self.wires))
        if len(self.clbits) or (self.condition >= 0).any():
            ends = self._with_bits(ends)
        real = self.opcode != OPCODES["barrier"]
        ones, twos = real.tolist(), (real & (np.diff(self.wire_ptr) >= 2)).tolist()
        level = [0] * (self.num_qubits + self.num_clbits)
        level2 = level.copy()
        for wires, one, two in zip(ends, ones, twos, strict=True):
            if len(wires) == 1:
                level[wires[0]] += one
            elif len(wires) == 2:
                a, b = wires
                level[a] = level[b] = max(level[a], level[b]) + one
                level2[a] = level2[b] = max(level2[a], level2[b]) + two
            elif wires:
                top, top2 = max([level[w] for w in wires]) + one, max([level2[w] for w in wires]) + two
                for w in wires:
                    level[w], level2[w] = top, top2
        return max(level, default=0), max(level2, default=0)

    def _with_bits(self, wires: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
        """The wires of every row with the classical bits that it writes or reads, numbered after the qubits."""
        reads = [tuple(dict.fromkeys(bits_of(c))) for c in self.conditions] + [()]
        writes = split_groups(self.clbit_ptr, self.clbits)
        return [
            (*qubits, *(self.num_qubits + bit for bit in dict.fromkeys((*written, *reads[condition]))))
            for qubits, written, condition in zip(wires, writes, self.condition.tolist(), strict=True)
        ]

    def canonical(self) -> tuple:
        """Everything that equality compares: gates with their angle rows, payloads and conditions written out."""
        c = self.compacted()
        return (
            c.name,
            c.num_qubits,
            c.num_clbits,
            c.inputs,
            c.angles.row(c.phase) if c.phase >= 0 else ZERO_ROW,
            c.payloads,
            c.conditions,
            tuple(c.angles.rows()[: len(c.angles)]),
            tuple(tuple(r[:6]) for r in c.rows()),
        )

    def __eq__(self, other: object) -> bool:
        return self.canonical() == other.canonical() if isinstance(other, Circuit) else NotImplemented

    def __hash__(self) -> int:
        return hash((self.name, self.num_qubits, len(self)))


def gate_rows(*columns: Iterable[Any]) -> list[GateRow]:
    """Gates from their columns, in the order of the fields of `GateRow`."""
    # What `map(GateRow, *columns)` does, without a call of Python code for each.
    return list(map(tuple.__new__, repeat(GateRow), zip(*columns, strict=True)))


def split_groups(ptr: np.ndarray, data: np.ndarray) -> Iterator[tuple[int, ...]]:
    """The entries of every group of a compressed column."""
    ends = ptr.tolist()
    return map(tuple(data.tolist()).__getitem__, map(slice, ends[:-1], ends[1:]))


def join_groups(groups: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    ptr = np.zeros(len(groups) + 1, np.int32)
    np.cumsum(list(map(len, groups)), out=ptr[1:])
    return np.fromiter(chain.from_iterable(groups), np.int32, int(ptr[-1])), ptr


def take_groups(ptr: np.ndarray, data: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(pointers, data) of a compressed column with its groups in another order."""
    out = np.zeros(len(order) + 1, np.int32)
    if not len(data):
        return out, data
    starts = ptr[order]
    counts = ptr[order + 1] - starts
    np.cumsum(counts, out=out[1:])
    return out, data[spans(starts, counts)]


def spans(starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """starts[0], starts[0] + 1, ..., counts[0] of them, then those of starts[1], ..."""
    ends = np.cumsum(counts, dtype=counts.dtype)
    total = int(ends[-1]) if len(ends) else 0
    return np.repeat(starts - (ends - counts), counts) + np.arange(total, dtype=counts.dtype)


def _renumber(table: tuple, column: np.ndarray) -> tuple[tuple, np.ndarray]:
    """Keep the used entries of a table in order of first use, equal entries once."""
    if not table:
        return (), column
    index: dict = {}
    values = column.tolist()
    renumbered = [index.setdefault(table[v], len(index)) if v >= 0 else -1 for v in values]
    return tuple(index), np.array(renumbered, np.int32)


class CircuitEditor:
    """Collects gates one by one and makes the columns at the end. Frontends and generators use it."""

    def __init__(
        self,
        name: str,
        num_qubits: int,
        num_clbits: int = 0,
        inputs: Iterable[AngleInput] = (),
        place: Location = UNKNOWN,
    ) -> None:
        self.name = name
        self.num_qubits = num_qubits
        self.num_clbits = num_clbits
        self.inputs = tuple(inputs)
        self.place = place
        self.angles = AngleInterner()
        self.phase: Row = ZERO_ROW
        self.rows: list[GateRow] = []
        self._payloads: dict[str, int] = {}
        self._conditions: dict[Condition, int] = {}
        self._locations: dict[Location, int] = {}

    @classmethod
    def of(cls, circuit: Circuit) -> CircuitEditor:
        """An editor that goes on where `circuit` ends."""
        circuit = circuit.compacted()
        editor = cls(circuit.name, circuit.num_qubits, circuit.num_clbits, circuit.inputs, circuit.place)
        editor.angles = AngleInterner(circuit.angles.rows())
        editor.phase = circuit.angles.row(circuit.phase) if circuit.phase >= 0 else ZERO_ROW
        editor._payloads = {text: k for k, text in enumerate(circuit.payloads)}
        editor._conditions = {condition: k for k, condition in enumerate(circuit.conditions)}
        for row in circuit.rows():
            place = circuit.locations[row.location]
            number = editor._locations.setdefault(place, len(editor._locations)) if place else -1
            editor.rows.append(row._replace(location=number))
        return editor

    def add(
        self,
        gate: str,
        wires: Sequence[int],
        angles: Sequence[Row | float | Fraction] = (),
        *,
        clbits: Sequence[int] = (),
        pauli: str | None = None,
        condition: Condition | None = None,
        location: Location = UNKNOWN,
    ) -> None:
        """Append one gate. An angle is a row, a number in radians, or a Fraction (a multiple of pi)."""
        self.rows.append(
            GateRow(
                OPCODES[gate],
                tuple(wires),
                tuple(self.angles.add(as_row(a)) for a in angles),
                tuple(clbits),
                -1 if pauli is None else self._payloads.setdefault(pauli, len(self._payloads)),
                -1 if condition is None else self._conditions.setdefault(condition, len(self._conditions)),
                self._locations.setdefault(location, len(self._locations)) if location else -1,
            )
        )

    def circuit(self) -> Circuit:
        """The finished circuit."""
        phase = self.angles.add(self.phase) if self.phase != ZERO_ROW else -1
        return replace(
            empty_circuit(self.name, self.num_qubits, self.num_clbits, self.inputs),
            payloads=tuple(self._payloads),
            conditions=tuple(self._conditions),
            locations=LocationTable.of(self._locations),
            place=self.place,
        ).with_rows(self.rows, self.angles.table(), phase)


def as_row(angle: Row | float | Fraction) -> Row:
    """An angle row from a row, a number in radians, or a Fraction (a multiple of pi)."""
    if isinstance(angle, Fraction):
        return make_row(angle)
    return angle if isinstance(angle, tuple) else make_row(0, float(angle))


def empty_circuit(name: str, num_qubits: int, num_clbits: int = 0, inputs: Sequence[AngleInput] = ()) -> Circuit:
    """A circuit without gates."""
    none, start = np.zeros(0, np.int32), np.zeros(1, np.int32)
    return Circuit(
        name,
        num_qubits,
        num_clbits,
        tuple(inputs),
        AngleTable.from_rows(()),
        np.zeros(0, np.uint8),
        start,
        none,
        start,
        none,
        start,
        none,
        none,
        none,
        none,
    )
