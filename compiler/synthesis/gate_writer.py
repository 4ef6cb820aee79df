"""A circuit written again, gate by gate: its own gates, and templates in the place of others."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd

import numpy as np

from ...ir import Circuit
from ...ir.angles import ZERO_ROW, AngleTable, Row, make_row
from ...ir.circuit import take_groups
from ...ir.gates import GATES, OPCODES
from .templates import TURNS, Template, slot, substitute, without_unused_rows

_PAULI = OPCODES["pauli"]
_WIDTHS = np.array([gate.qubits for gate in GATES], np.int32)
"""Qubits of every gate, -1 for any number of them."""
_ANY_WIDTH = frozenset(np.flatnonzero(_WIDTHS < 0).tolist())
_TURNED = np.array([gate.angles for gate in GATES], np.int32)
"""Angles of every gate."""


@dataclass(slots=True)
class _Entry:
    """A template as it is written: the opcodes and wires of all its gates one after the other, and its angles.

    angles: constants as row numbers, -1 - k for slot k. forms: (place among the angles, form) of all others. plain:
    whether no gate has a payload. turns: whether one is a rotation, which may be by nothing. times: how often it was
    written.
    """

    template: Template
    opcodes: bytes
    wires: list[int]
    angles: list[int]
    forms: list[tuple[int, Row]]
    plain: bool
    turns: bool
    times: int = 0


class GateWriter:
    """Collects gates in flat arrays, new angle rows, payloads and the global phase.

    rows: the angle rows, those of the circuit first; new ones are equal to no other new one.
    """

    def __init__(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self.rows = circuit.angles.rows()
        self._given = len(self.rows)
        self._numbers: dict[Row, int] = {}
        self._made: dict[tuple, int] = {}
        self._zeros = {k for k, row in enumerate(self.rows) if row == ZERO_ROW}
        self._entries: dict[int, _Entry] = {}
        self._opcodes = bytearray()
        self._sources, self._wires, self._angles = array("i"), array("i"), array("i")
        self._widths: dict[int, int] = {}
        self._payloads = {text: k for k, text in enumerate(circuit.payloads)}
        self._written: dict[int, int] = {}
        self._phases: dict[tuple[int, int, float], int] = {}
        self._offset = 0.0
        self._weights: dict[int, float] = {}

    def add(self, opcode: int, wires: Sequence[int], angles: Sequence[int], source: int) -> None:
        """One gate; `source` is the row of the circuit whose bits, payload, condition and place it has."""
        if opcode in _ANY_WIDTH:
            self._widths[len(self._opcodes)] = len(wires)
        self._opcodes.append(opcode)
        self._sources.append(source)
        self._wires.extend(wires)
        self._angles.extend(angles)

    def write(self, template: Template, wires: Sequence[int], slots: Sequence[int], source: int) -> None:
        """The gates of a template on `wires`, with angle row `slots[k]` in slot k and without turns by nothing; its
        phase is added to the circuit's."""
        entry = self._entries.get(id(template)) or self._prepared(template)
        entry.times += 1
        if template.phase[3]:
            self._weigh(template.phase, slots)
        numbers = [a if a >= 0 else slots[~a] for a in entry.angles]
        for at, form in entry.forms:
            numbers[at] = self.angle(form, slots)
        if entry.plain and not (entry.turns and self._zeros and self._zeros.intersection(numbers)):
            self._opcodes += entry.opcodes
            self._sources.extend([source] * len(entry.opcodes))
            self._wires.extend([wires[w] for w in entry.wires])
            self._angles.extend(numbers)
            return
        for opcode, at, forms, payload in template.steps:
            angles = [self.angle(form, slots) for form in forms]
            if opcode in TURNS and angles[0] in self._zeros:
                continue
            if payload:
                self._written[len(self._opcodes)] = self._payloads.setdefault(payload, len(self._payloads))
            self.add(opcode, [wires[w] for w in at], angles, source)

    def _prepared(self, template: Template) -> _Entry:
        angles: list[int] = []
        forms: list[tuple[int, Row]] = []
        for form in (form for step in template.steps for form in step.angles):
            terms = form[3]
            if terms and form != slot(terms[0][0]):
                forms.append((len(angles), form))
            angles.append(-1 - terms[0][0] if terms else self.row(form))
        opcodes, wires, plain, turns = template.columns
        # The entry keeps the template alive, and so its id its own.
        entry = self._entries[id(template)] = _Entry(template, opcodes, wires, angles, forms, plain, turns)
        return entry

    def row(self, row: Row) -> int:
        """The number of a new angle row."""
        number = self._numbers.setdefault(row, len(self.rows))
        if number == len(self.rows):
            self.rows.append(row)
            if row == ZERO_ROW:
                self._zeros.add(number)
        return number

    def angle(self, form: Row, slots: Sequence[int]) -> int:
        """The number of the row that `form` gives with angle row `slots[k]` in slot k."""
        num, _, offset, terms = form
        if not terms:
            return self.row(form)
        key = (*[slots[k] for k, _ in terms], form)
        if len(key) == 2 and not num and not offset and terms[-1][1] == 1.0:
            return key[0]
        number = self._made.get(key, -1)
        if number < 0:
            number = self._made[key] = self.row(self._composed(form, slots))
        return number

    def _composed(self, form: Row, slots: Sequence[int]) -> Row:
        num, den, offset, terms = form
        (source, coeff), *more = terms
        if more or abs(coeff) != 1.0:
            return substitute(form, {k: self.rows[slots[k]] for k, _ in terms})
        n, d, o, t = self.rows[slots[source]]
        if coeff < 0:
            n, o, t = -n, -o, tuple([(v, -c) for v, c in t])
        if d == den:
            n += num
        else:
            n, d = n * den + num * d, d * den
        if d > 1:
            common = gcd(n, d)
            n, d = n // common, d // common
        return (n, d, o + offset + 0.0, t)

    def add_phase(self, form: Row, slots: Sequence[int] = ()) -> None:
        """Multiply the circuit by exp(i form)."""
        if form == ZERO_ROW:
            return
        self._phases[form[:3]] = self._phases.get(form[:3], 0) + 1
        self._weigh(form, slots)

    def _weigh(self, form: Row, slots: Sequence[int]) -> None:
        for k, coeff in form[3]:
            self._weights[slots[k]] = self._weights.get(slots[k], 0.0) + coeff

    def add_offset(self, angle: float) -> None:
        """Multiply the circuit by exp(i angle)."""
        self._offset += angle

    def _phase(self) -> int:
        """The number of the row of the global phase, what was added included; -1 for zero."""
        parts = [((*constants, ()), float(times)) for constants, times in self._phases.items()]
        parts += [((*e.template.phase[:3], ()), float(e.times)) for e in self._entries.values()]
        parts += [(self.rows[k], weight) for k, weight in self._weights.items()]
        parts = [(row, weight) for row, weight in parts if row != ZERO_ROW]
        if not parts and not self._offset:
            return self.circuit.phase
        if self.circuit.phase >= 0:
            parts.append((self.rows[self.circuit.phase], 1.0))
        turns: dict[int, float] = {}  # denominator -> the sum of what stands over it; quarters are exact
        offset, terms = self._offset, dict[int, float]()
        for (num, den, extra, inner), weight in parts:
            turns[den] = turns.get(den, 0.0) + num * weight
            offset += weight * extra
            for variable, coeff in inner:
                terms[variable] = terms.get(variable, 0.0) + weight * coeff
        total, below = 0, 1
        for den, over in turns.items():
            up, down = over.as_integer_ratio()
            total, below = total * down * den + up * below, below * down * den
        row = make_row(Fraction(total, below) % 2, offset, terms.items())
        return self.row(row) if row != ZERO_ROW else -1

    def finish(self) -> Circuit:
        """The circuit of the gates so far, with the angle rows that they use."""
        circuit, phase = self.circuit, self._phase()
        opcode, source = np.frombuffer(self._opcodes, np.uint8), np.frombuffer(self._sources, np.int32)
        widths = _WIDTHS[opcode]
        if self._widths:
            widths[list(self._widths)] = list(self._widths.values())
        clbit_ptr, clbits = take_groups(circuit.clbit_ptr, circuit.clbits, source)
        payload = circuit.payload[source]
        if self._payloads:
            payload[opcode != _PAULI] = -1
            payload[list(self._written)] = list(self._written.values())
        angle_rows = np.frombuffer(self._angles, np.int32)
        angles = circuit.angles
        if len(self.rows) > self._given:
            used = np.zeros(len(self.rows), np.int32)
            used[angle_rows] = 1
            if phase >= 0:
                used[phase] = 1
            angles = AngleTable.from_rows([self.rows[k] for k in np.flatnonzero(used).tolist()])
            where = np.cumsum(used, dtype=np.int32) - 1
            angle_rows, phase = where[angle_rows], int(where[phase]) if phase >= 0 else -1
        made = circuit.with_(
            angles=angles,
            phase=phase,
            payloads=tuple(self._payloads),
            opcode=opcode,
            wire_ptr=_pointers(widths),
            wires=np.frombuffer(self._wires, np.int32),
            angle_ptr=_pointers(_TURNED[opcode]),
            angle_rows=angle_rows,
            clbit_ptr=clbit_ptr,
            clbits=clbits,
            payload=payload,
            condition=circuit.condition[source],
            location=circuit.location[source],
        )
        return made if angles is not circuit.angles else without_unused_rows(made)


def _pointers(counts: np.ndarray) -> np.ndarray:
    ptr = np.zeros(len(counts) + 1, np.int32)
    np.cumsum(counts, out=ptr[1:])
    return ptr
