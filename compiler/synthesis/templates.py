"""Templates: gates over a few wires whose angles are affine forms over the angles of the gates that they stand for.

A template is made once for a structure and written many times. Its angle forms are rows (`qsc.ir.angles`) in which
variable k is slot k: the k-th angle of the gates that are replaced.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from math import gcd
from typing import NamedTuple

import numpy as np

from ...ir import Circuit
from ...ir.angles import ZERO_ROW, AngleTable, Row, add_rows, make_row
from ...ir.circuit import GateRow


class Step(NamedTuple):
    """One gate of a template: `wires` count within the template, `angles` are forms over its slots."""

    opcode: int
    wires: tuple[int, ...]
    angles: tuple[Row, ...] = ()
    payload: str = ""


@dataclass(frozen=True)
class Template:
    """Gates in order of time, and the global phase that goes with them."""

    steps: tuple[Step, ...]
    phase: Row = ZERO_ROW

    @cached_property
    def layout(self) -> Layout:
        """The gates as columns, made once for all circuits that they are written into."""
        forms = [form for step in self.steps for form in step.angles]
        return Layout(
            np.array([step.opcode for step in self.steps], np.uint8),
            np.array([len(step.wires) for step in self.steps], np.int32),
            np.array([w for step in self.steps for w in step.wires], np.int32),
            np.array([len(step.angles) for step in self.steps], np.int32),
            tuple((_renumbered(form), [k for k, _ in form[3]]) for form in forms),
            tuple(step.payload for step in self.steps),
        )


class Layout(NamedTuple):
    """Columns of a template: arrays (steps,), but `wires` (all wires of all steps).

    forms: one for every angle of every step, over its own variables 0, 1, ..., and the slots that these stand for.
    """

    opcodes: np.ndarray
    arities: np.ndarray
    wires: np.ndarray
    angle_counts: np.ndarray
    forms: tuple[tuple[Row, list[int]], ...]
    payloads: tuple[str, ...]


def _renumbered(form: Row) -> Row:
    return (*form[:3], tuple([(k, coeff) for k, (_, coeff) in enumerate(form[3])]))


def slot(number: int) -> Row:
    """The form that is slot `number` itself."""
    return (0, 1, 0.0, ((number, 1.0),))


def scaled(row: Row, factor: Fraction | int) -> Row:
    """`factor * row`."""
    return add_rows(ZERO_ROW, row, factor)


def substitute(form: Row, values: Sequence[Row]) -> Row:
    """The form with row `values[k]` in the place of slot k."""
    num, den, offset, terms = form
    out = (num, den, offset, ())
    for k, coeff in terms:
        out = add_rows(out, values[k], int(coeff) if coeff.is_integer() else Fraction(coeff))
    return out


class Writer:
    """Writes templates as gates of one circuit; collects new angle rows, payloads and the global phase."""

    def __init__(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self.rows = circuit.angles.rows()
        self._index = {row: k for k, row in enumerate(self.rows)}
        self._made: dict[tuple, int] = {}
        self._payloads = {text: k for k, text in enumerate(circuit.payloads)}
        self._phases: dict[tuple[Row, tuple[int, ...]], int] = {}

    def row(self, row: Row) -> int:
        """The number of an angle row."""
        number = self._index.setdefault(row, len(self.rows))
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
            return substitute(form, _Slots(self.rows, slots))
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
        if form is not ZERO_ROW and form != ZERO_ROW:
            key = (form, tuple([slots[k] for k, _ in form[3]]))
            self._phases[key] = self._phases.get(key, 0) + 1

    def write(
        self, template: Template, wires: Sequence[int], slots: Sequence[int], location: int = -1, condition: int = -1
    ) -> list[GateRow]:
        """The gates of a template on `wires`; its phase is added to the circuit's."""
        self.add_phase(template.phase, slots)
        angle = self.angle
        return [
            GateRow(
                opcode,
                tuple([wires[w] for w in at]),
                tuple([angle(form, slots) for form in forms]),
                (),
                self._payloads.setdefault(payload, len(self._payloads)) if payload else -1,
                condition,
                location,
            )
            for opcode, at, forms, payload in template.steps
        ]

    def phase(self) -> int:
        """The number of the row of the global phase, what was added included."""
        circuit = self.circuit
        parts = [(self.rows[circuit.phase], 1.0)] if circuit.phase >= 0 else []
        for (form, numbers), count in self._phases.items():
            parts.append(((*form[:3], ()), float(count)))
            parts += [(self.rows[n], count * coeff) for n, (_, coeff) in zip(numbers, form[3], strict=True)]
        turns, offset, terms = Fraction(0), 0.0, []
        for (num, den, extra, inner), factor in parts:
            if num:
                turns += Fraction(num, den) * Fraction(factor)
            offset += factor * extra
            terms += [(v, factor * c) for v, c in inner]
        total = make_row(turns % 2, offset, terms)
        return self.row(total) if total != ZERO_ROW else -1

    def finish(self, rows: Sequence[GateRow]) -> Circuit:
        """The circuit with these gates and only the angle rows that they use."""
        phase = self.phase()
        circuit = replace(self.circuit, payloads=tuple(self._payloads))
        return without_unused_rows(circuit.with_rows(rows, AngleTable.from_rows(self.rows), phase))


class _Slots(Sequence):
    """The rows behind slots."""

    def __init__(self, rows: list[Row], slots: Sequence[int]) -> None:
        self.rows = rows
        self.slots = slots

    def __len__(self) -> int:
        return len(self.slots)

    def __getitem__(self, index: int) -> Row:  # type: ignore[override]
        return self.rows[self.slots[index]]


def without_unused_rows(circuit: Circuit) -> Circuit:
    """The circuit without angle rows that no gate uses; the others keep their order."""
    angles = circuit.angles
    used = np.zeros(len(angles), bool)
    used[circuit.angle_rows] = True
    if circuit.phase >= 0:
        used[circuit.phase] = True
    if used.all():
        return circuit
    where = np.cumsum(used) - 1
    counts = np.diff(angles.ptr)
    kept = np.repeat(used, counts)
    table = AngleTable(
        angles.num[used],
        angles.den[used],
        angles.offset[used],
        np.concatenate([[0], np.cumsum(counts[used])]).astype(np.int64),
        angles.variables[kept],
        angles.coeffs[kept],
    )
    rows = where[circuit.angle_rows].astype(np.int32)
    return replace(
        circuit, angles=table, angle_rows=rows, phase=int(where[circuit.phase]) if circuit.phase >= 0 else -1
    )
