"""Many templates written into a circuit at once, on its columns: `Writer` (templates.py) for large circuits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np

from ...ir import Circuit
from ...ir.angles import ZERO_ROW, AngleTable, Row, make_row
from ...ir.gates import OPCODES
from .templates import Template, substitute, without_unused_rows

_TURNS = tuple(OPCODES[n] for n in ("rz", "ry", "rx"))
_LARGE = 1 << 40
"""Numerators beyond which sums of angles are made one by one."""


@dataclass
class _Request:
    """One form for many slots: `sources` (batch, terms) are row numbers of the circuit's angle table."""

    form: Row
    sources: np.ndarray
    rows: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))


@dataclass
class _Part:
    """One gate of a template, many times: `at` are the rows that it replaces, `place` its place among their gates."""

    opcode: int
    payload: int
    at: np.ndarray
    place: int
    wires: np.ndarray
    angles: list[_Request]


class ColumnWriter:
    """Replaces gates of a circuit by templates. `add_constants` makes angle rows that slots may refer to."""

    def __init__(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self.removed = np.zeros(len(circuit), bool)
        self._parts: list[_Part] = []
        self._requests: dict[Row, list[_Request]] = {}
        self._payloads = {text: k for k, text in enumerate(circuit.payloads)}
        self._phases: list[tuple[Row, np.ndarray]] = []
        self._tables = [circuit.angles]
        self._count = len(circuit.angles)
        self._turns = Fraction(0)
        self._offset = 0.0

    def add_rows(self, table: AngleTable) -> int:
        """Append angle rows; the number of the first of them."""
        start = self._count
        self._tables.append(table)
        self._count += len(table)
        return start

    def _table(self) -> AngleTable:
        """All angle rows so far as one table."""
        self._tables = [_joined(self._tables)]
        return self._tables[0]

    def add_phase(self, value: float) -> None:
        """Multiply by exp(i value)."""
        self._offset += value

    def replace(self, template: Template, at: np.ndarray, wires: np.ndarray, slots: np.ndarray) -> None:
        """Gate `at[k]` becomes the template on `wires[k]` with angle rows `slots[k]`; its condition is kept."""
        self.removed[at] = True
        if template.phase != ZERO_ROW:
            self._phases.append((template.phase, slots))
        for place, (opcode, on, forms, payload) in enumerate(template.steps):
            number = self._payloads.setdefault(payload, len(self._payloads)) if payload else -1
            angles = [self._request(form, slots, len(at)) for form in forms]
            self._parts.append(_Part(opcode, number, at, place, wires[:, list(on)], angles))

    def _request(self, form: Row, slots: np.ndarray, count: int) -> _Request:
        """The form; equal forms share the rows that they make."""
        columns = [k for k, _ in form[3]]
        plain = (*form[:3], tuple((k, coeff) for k, (_, coeff) in enumerate(form[3])))
        found = _Request(plain, slots[:, columns] if columns else np.zeros((count, 0), np.int32))
        self._requests.setdefault(plain, []).append(found)
        return found

    def finish(self) -> Circuit:
        """The circuit with its new gates in their places, without turns by nothing and unused angle rows."""
        given = self._table()
        for form, requests in self._requests.items():
            self._answer(form, requests, given)
        phase = self._phase(given)
        table = self._table()
        circuit = replace(self._assembled(), angles=table, phase=phase, payloads=tuple(self._payloads))
        zero = table.is_constant & (table.num == 0) & (table.offset == 0.0)
        nothing = np.isin(circuit.opcode, _TURNS)
        nothing[nothing] = zero[circuit.angle_rows[circuit.angle_ptr[:-1][nothing]]]
        return without_unused_rows(circuit.select(~nothing) if nothing.any() else circuit)

    def _answer(self, form: Row, requests: list[_Request], given: AngleTable) -> None:
        """The rows that a form makes of `given` ones, every one once."""
        num, _, offset, terms = form
        sources = np.concatenate([r.sources for r in requests])
        if len(terms) == 1 and terms[0][1] == 1.0 and not num and not offset:
            made = sources[:, 0]
        elif not terms:
            made = np.full(len(sources), self.add_rows(AngleTable.from_rows([form])))
        else:
            distinct, where = np.unique(sources, axis=0, return_inverse=True)
            made = self.add_rows(_composed(form, distinct, given)) + where.reshape(-1)
        for request, rows in zip(
            requests, np.split(made, np.cumsum([len(r.sources) for r in requests])[:-1]), strict=True
        ):
            request.rows = rows

    def _phase(self, table: AngleTable) -> int:
        """The number of the row of the global phase, what the templates add included."""
        weights = np.zeros(len(table))
        turns, offset = self._turns, self._offset
        if self.circuit.phase >= 0:
            weights[self.circuit.phase] = 1.0
        for (num, den, extra, terms), slots in self._phases:
            turns += Fraction(num * len(slots), den)
            offset += extra * len(slots)
            for k, coeff in terms:
                np.add.at(weights, slots[:, k], coeff)
        for k in np.flatnonzero((weights != 0) & (table.num != 0)).tolist():
            turns += Fraction(weights[k]) * Fraction(int(table.num[k]), int(table.den[k]))
        offset += float(weights @ table.offset)
        sums = np.bincount(table.variables, table.coeffs * weights[table.term_rows], self.circuit.num_variables)
        row = make_row(turns % 2, offset, [(k, float(sums[k])) for k in np.flatnonzero(sums).tolist()])
        return self.add_rows(AngleTable.from_rows([row])) if row != ZERO_ROW else -1

    def _assembled(self) -> Circuit:
        """Kept and new gates in order, angle rows as numbers of the new table."""
        old, parts = self.circuit, self._parts
        kept = old.select(~self.removed)
        height = 1 + max((p.place for p in parts), default=0)
        keys = np.concatenate([np.flatnonzero(~self.removed) * height, *[p.at * height + p.place for p in parts]])
        order = np.argsort(keys, kind="stable")

        def column(own: np.ndarray, new: Sequence[np.ndarray]) -> np.ndarray:
            return np.concatenate([own, *new]).astype(own.dtype)[order]

        def groups(ptr: np.ndarray, data: np.ndarray, new: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
            """A compressed column; `new` holds one table (gates, entries) a part."""
            counts = np.concatenate([np.diff(ptr), *[np.full(len(t), t.shape[1]) for t in new]])
            flat = np.concatenate([data, *[t.ravel() for t in new]]).astype(np.int32)
            starts = np.concatenate([[0], np.cumsum(counts)])[:-1]
            taken = flat[_spans(starts[order], counts[order])]
            return np.concatenate([[0], np.cumsum(counts[order])]).astype(np.int32), taken

        tables = [np.stack([a.rows for a in p.angles], axis=1) if p.angles else np.zeros((len(p.at), 0)) for p in parts]
        wire_ptr, wires = groups(kept.wire_ptr, kept.wires, [p.wires for p in parts])
        angle_ptr, angle_rows = groups(kept.angle_ptr, kept.angle_rows, tables)
        clbit_ptr, clbits = groups(kept.clbit_ptr, kept.clbits, [np.zeros((len(p.at), 0)) for p in parts])
        return replace(
            old,
            opcode=column(kept.opcode, [np.full(len(p.at), p.opcode) for p in parts]),
            wire_ptr=wire_ptr,
            wires=wires,
            angle_ptr=angle_ptr,
            angle_rows=angle_rows,
            clbit_ptr=clbit_ptr,
            clbits=clbits,
            payload=column(kept.payload, [np.full(len(p.at), p.payload) for p in parts]),
            condition=column(kept.condition, [old.condition[p.at] for p in parts]),
            location=column(kept.location, [old.location[p.at] for p in parts]),
        )


def _composed(form: Row, sources: np.ndarray, table: AngleTable) -> AngleTable:
    """The form for every row of `sources`, which are numbers of rows of the table."""
    num, den, offset, terms = form
    first = sources[:, 0]
    (_, coeff), *more = terms
    if more or abs(coeff) != 1.0 or max(np.abs(table.num[first]).max(), table.den[first].max()) > _LARGE:
        return AngleTable.from_rows([substitute(form, [table.row(k) for k in row]) for row in sources.tolist()])
    sign = int(coeff)
    top, bottom = sign * table.num[first] * den + num * table.den[first], table.den[first] * den
    common = np.gcd(top, bottom)
    counts = table.ptr[first + 1] - table.ptr[first]
    taken = _spans(table.ptr[first], counts)
    return AngleTable(
        top // common,
        bottom // common,
        sign * table.offset[first] + offset + 0.0,
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        table.variables[taken],
        sign * table.coeffs[taken],
    )


def _spans(starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """starts[0], starts[0] + 1, ..., counts[0] of them, then those of starts[1], ..."""
    before = np.cumsum(counts) - counts
    return np.repeat(starts - before, counts) + np.arange(int(counts.sum()))


def _joined(tables: Sequence[AngleTable]) -> AngleTable:
    starts = np.cumsum([0] + [int(t.ptr[-1]) for t in tables])
    return AngleTable(
        np.concatenate([t.num for t in tables]),
        np.concatenate([t.den for t in tables]),
        np.concatenate([t.offset for t in tables]),
        np.concatenate([tables[0].ptr, *[t.ptr[1:] + s for t, s in zip(tables[1:], starts[1:], strict=False)]]),
        np.concatenate([t.variables for t in tables]),
        np.concatenate([t.coeffs for t in tables]),
    )


def constant_rows(values: np.ndarray) -> AngleTable:
    """Numbers in radians as angle rows."""
    count = len(values)
    return AngleTable(
        np.zeros(count, np.int64),
        np.ones(count, np.int64),
        np.asarray(values, np.float64) + 0.0,
        np.zeros(count + 1, np.int64),
        np.zeros(0, np.int64),
        np.zeros(0, np.float64),
    )
