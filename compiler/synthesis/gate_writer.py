"""A circuit written again, gate by gate: its own gates, and templates in the place of others."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from fractions import Fraction
from math import gcd
from typing import NamedTuple

import numpy as np

from ...ir import Circuit
from ...ir.angles import ZERO_ROW, AngleTable, Row, make_row
from ...ir.circuit import take_groups
from ...ir.gates import OPCODES
from .templates import Template, substitute, without_unused_rows

_PAULI = OPCODES["pauli"]
TURNS = frozenset(OPCODES[n] for n in ("rz", "ry", "rx"))
"""Rotations that are nothing at all for the angle zero."""


class _Prepared(NamedTuple):
    """A step of a template whose angles are all constants, row numbers then, or given by forms."""

    opcode: int
    wires: tuple[int, ...]
    angles: tuple[int, ...]
    forms: tuple[Row, ...]
    payload: str


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
        self._prepared: dict[int, tuple[Template, list[_Prepared]]] = {}
        self._opcodes = bytearray()
        self._sources = array("i")
        self._wires, self._wire_ends = array("i"), array("i", [0])
        self._angles, self._angle_ends = array("i"), array("i", [0])
        self._payloads = {text: k for k, text in enumerate(circuit.payloads)}
        self._written: dict[int, int] = {}
        self._phases: dict[Row, int] = {}
        self._weights: dict[int, float] = {}

    def add(self, opcode: int, wires: Sequence[int], angles: Sequence[int], source: int) -> None:
        """One gate; `source` is the row of the circuit whose bits, payload, condition and place it has."""
        self._opcodes.append(opcode)
        self._sources.append(source)
        self._wires.extend(wires)
        self._wire_ends.append(len(self._wires))
        self._angles.extend(angles)
        self._angle_ends.append(len(self._angles))

    def write(self, template: Template, wires: Sequence[int], slots: Sequence[int], source: int) -> None:
        """The gates of a template on `wires`, with angle row `slots[k]` in slot k and without turns by nothing; its
        phase is added to the circuit's."""
        self.add_phase(template.phase, slots)
        for opcode, at, angles, forms, payload in self.prepared(template):
            if forms:
                angles = [self.angle(form, slots) for form in forms]
            if opcode in TURNS and self.rows[angles[0]] == ZERO_ROW:
                continue
            if payload:
                self._written[len(self._opcodes)] = self._payloads.setdefault(payload, len(self._payloads))
            self.add(opcode, [wires[w] for w in at], angles, source)

    def prepared(self, template: Template) -> list[_Prepared]:
        """The steps of a template as this writer takes them."""
        _, steps = self._prepared.get(id(template), (template, None))
        if steps is None:
            steps = [self._step(*step) for step in template.steps]
            self._prepared[id(template)] = template, steps  # the template stays alive, and its id its own
        return steps

    def _step(self, opcode: int, wires: tuple[int, ...], forms: tuple[Row, ...], payload: str) -> _Prepared:
        if any(form[3] for form in forms):
            return _Prepared(opcode, wires, (), forms, payload)
        return _Prepared(opcode, wires, tuple(map(self.row, forms)), (), payload)

    def row(self, row: Row) -> int:
        """The number of a new angle row."""
        number = self._numbers.setdefault(row, len(self.rows))
        if number == len(self.rows):
            self.rows.append(row)
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
        *_, terms = form
        constants = (*form[:3], ())
        self._phases[constants] = self._phases.get(constants, 0) + 1
        for k, coeff in terms:
            self._weights[slots[k]] = self._weights.get(slots[k], 0.0) + coeff

    def _phase(self) -> int:
        """The number of the row of the global phase, what was added included; -1 for zero."""
        if not self._phases:
            return self.circuit.phase
        parts = [(row, float(times)) for row, times in self._phases.items()]
        parts += [(self.rows[k], weight) for k, weight in self._weights.items()]
        if self.circuit.phase >= 0:
            parts.append((self.rows[self.circuit.phase], 1.0))
        turns: dict[int, float] = {}  # denominator -> the sum of what stands over it; quarters are exact
        offset, terms = 0.0, dict[int, float]()
        for (num, den, extra, inner), weight in parts:
            turns[den] = turns.get(den, 0.0) + num * weight
            offset += weight * extra
            for variable, coeff in inner:
                terms[variable] = terms.get(variable, 0.0) + weight * coeff
        total = sum((Fraction(over) / den for den, over in turns.items() if over), Fraction(0))
        row = make_row(total % 2, offset, terms.items())
        return self.row(row) if row != ZERO_ROW else -1

    def finish(self) -> Circuit:
        """The circuit of the gates so far, with the angle rows that they use."""
        circuit, phase = self.circuit, self._phase()
        opcode, source = np.array(self._opcodes, np.uint8), np.array(self._sources, np.int32)
        clbit_ptr, clbits = take_groups(circuit.clbit_ptr, circuit.clbits, source)
        payload = np.where(opcode == _PAULI, circuit.payload[source], -1).astype(np.int32)
        for number, text in self._written.items():
            payload[number] = text
        angle_rows = np.array(self._angles, np.int32)
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
            wire_ptr=np.array(self._wire_ends, np.int32),
            wires=np.array(self._wires, np.int32),
            angle_ptr=np.array(self._angle_ends, np.int32),
            angle_rows=angle_rows,
            clbit_ptr=clbit_ptr,
            clbits=clbits,
            payload=payload,
            condition=circuit.condition[source],
            location=circuit.location[source],
        )
        return made if angles is not circuit.angles else without_unused_rows(made)
