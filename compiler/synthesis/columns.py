"""Many templates written into a circuit at once, on its columns: `Writer` (templates.py) for large circuits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from ...ir import Circuit
from ...ir.angles import ZERO_ROW, AngleTable, Row, add_rows, make_row
from ...ir.circuit import spans
from ...ir.gates import GATES, OPCODES
from .templates import Layout, Template, substitute, without_unused_rows

_IS_TURN = np.isin(np.arange(len(GATES)), [OPCODES[n] for n in ("rz", "ry", "rx")])
_LARGE = 1 << 40
"""Numerators beyond which sums of angles are made one by one."""
_FEW = 16
"""Angles of one form up to which they are made one by one, faster than as arrays."""


class _Request(NamedTuple):
    """One form for many slots: `sources` (batch, terms) are row numbers of the angle table, `out` takes the rows."""

    sources: np.ndarray
    out: np.ndarray


@dataclass
class _Part:
    """A template many times: `at` (batch,) are the rows that it replaces, `wires` and `angles` hold one row each."""

    layout: Layout
    payloads: list[int]
    at: np.ndarray
    wires: np.ndarray
    angles: np.ndarray


class ColumnWriter:
    """Replaces gates of a circuit by templates. `add_rows` makes angle rows that slots may refer to."""

    def __init__(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self.removed = np.zeros(len(circuit), bool)
        self._parts: list[_Part] = []
        self._requests: dict[Row, list[_Request]] = {}
        self._payloads = {text: k for k, text in enumerate(circuit.payloads)}
        self._phases: list[tuple[Row, np.ndarray]] = []
        self._tables = [circuit.angles]
        self._count = len(circuit.angles)
        self._constants = ZERO_ROW

    def add_rows(self, table: AngleTable) -> int:
        """Append angle rows; the number of the first of them."""
        start = self._count
        self._tables.append(table)
        self._count += len(table)
        return start

    def _table(self) -> AngleTable:
        """All angle rows so far as one table."""
        if len(self._tables) > 1:
            self._tables = [_joined(self._tables)]
        return self._tables[0]

    def add_phase(self, value: float) -> None:
        """Multiply by exp(i value)."""
        self._constants = add_rows(self._constants, make_row(0, value))

    def replace(self, template: Template, at: np.ndarray, wires: np.ndarray, slots: np.ndarray) -> None:
        """Gate `at[k]` becomes the template on `wires[k]` with angle rows `slots[k]`; its condition is kept."""
        self.removed[at] = True
        if template.phase != ZERO_ROW:
            self._constants = add_rows(self._constants, (*template.phase[:3], ()), len(at))
            if template.phase[3]:
                self._phases.append((template.phase, slots))
        layout = template.layout
        if not len(layout.opcodes):
            return
        angles = np.empty((len(at), len(layout.forms)), np.int32)
        for column, (form, sources) in enumerate(layout.forms):
            if form[3] == ((0, 1.0),) and not form[0] and not form[2]:
                angles[:, column] = slots[:, sources[0]]
            else:
                given = slots[:, sources] if sources else slots
                self._requests.setdefault(form, []).append(_Request(given, angles[:, column]))
        payloads = [self._payloads.setdefault(p, len(self._payloads)) if p else -1 for p in layout.payloads]
        self._parts.append(_Part(layout, payloads, at, wires[:, layout.wires], angles))

    def finish(self) -> Circuit:
        """The circuit with its new gates in their places, without turns by nothing and unused angle rows."""
        given = self._table()
        phase = self._phase(given)
        self._answer_all(given)
        circuit = replace(self._assembled(), phase=phase, payloads=tuple(self._payloads))
        return without_unused_rows(circuit)

    def _answer_all(self, given: AngleTable) -> None:
        """Fill in the angle rows of all requests, the forms with few of them first."""
        first = self._count
        made: dict[Row, int] = {}
        many: list[tuple[Row, list[_Request]]] = []
        for form, requests in self._requests.items():
            if not form[3]:
                number = made.setdefault(form, first + len(made))
                for request in requests:
                    request.out[:] = number
            elif sum(len(r.out) for r in requests) > _FEW:
                many.append((form, requests))
            else:
                for request in requests:
                    rows = [substitute(form, [given.row(k) for k in row]) for row in request.sources.tolist()]
                    request.out[:] = [made.setdefault(row, first + len(made)) for row in rows]
        if made:
            self.add_rows(AngleTable.from_rows(list(made)))
        for form, requests in many:
            distinct, where = np.unique(np.concatenate([r.sources for r in requests]), axis=0, return_inverse=True)
            numbers = self.add_rows(_composed(form, distinct, given)) + where.reshape(-1)
            start = 0
            for request in requests:
                request.out[:] = numbers[start : start + len(request.out)]
                start += len(request.out)

    def _phase(self, table: AngleTable) -> int:
        """The number of the row of the global phase, what the templates add included."""
        old = self.circuit.phase
        if self._constants == ZERO_ROW and not self._phases:
            return old
        total = add_rows(table.row(old), self._constants) if old >= 0 else self._constants
        if self._phases:
            weights = np.zeros(len(table))
            for (*_, terms), slots in self._phases:
                for k, coeff in terms:
                    np.add.at(weights, slots[:, k], coeff)
            turns = Fraction(total[0], total[1]) + _weighted_turns(table, weights)
            sums = np.bincount(table.variables, table.coeffs * weights[table.term_rows], self.circuit.num_variables)
            terms = [(k, float(sums[k])) for k in np.flatnonzero(sums).tolist()]
            total = make_row(turns, total[2] + float(weights @ table.offset), [*total[3], *terms])
        row = make_row(Fraction(total[0], total[1]) % 2, total[2], total[3])
        return self.add_rows(AngleTable.from_rows([row])) if row != ZERO_ROW else -1

    def _assembled(self) -> Circuit:
        """Kept and new gates in order, without turns by nothing."""
        old, parts, table = self.circuit, self._parts, self._table()
        kept = np.flatnonzero(~self.removed).astype(np.int32)
        opcode, payload = old.opcode[kept], old.payload[kept]
        wires = _Groups.kept(old.wire_ptr, old.wires, kept)
        angles = _Groups.kept(old.angle_ptr, old.angle_rows, kept)
        clbits = _Groups.kept(old.clbit_ptr, old.clbits, kept)
        order, source = np.arange(len(kept)), kept
        if parts:
            # The steps of all templates in a row; `step` are the numbers of those that are written, gate by gate.
            layouts = [p.layout for p in parts]
            size = np.array([len(k.opcodes) for k in layouts])
            part = np.repeat(np.arange(len(parts)), [len(p.at) for p in parts])
            sizes, starts = size[part], (np.cumsum(size) - size)[part]
            step = spans(starts, sizes)
            at = np.repeat(np.concatenate([p.at for p in parts]).astype(np.int32), sizes)
            keys = np.concatenate([kept, at]).astype(np.int64) * int(size.max())
            keys[len(kept) :] += step - np.repeat(starts, sizes)
            order = np.argsort(keys, kind="stable").astype(np.int32)
            del keys
            source = np.concatenate([kept, at])
            opcode = np.concatenate([opcode, np.concatenate([k.opcodes for k in layouts])[step]])
            payloads = np.concatenate([np.array(p.payloads, np.int32) for p in parts])
            payload = np.concatenate([payload, payloads[step]])
            wires = wires.with_groups([p.wires for p in parts], np.concatenate([k.arities for k in layouts])[step])
            counts = np.concatenate([k.angle_counts for k in layouts])
            angles = angles.with_groups([p.angles for p in parts], counts[step])
            clbits = clbits.with_groups([], np.zeros(len(step), np.int32)) if len(clbits.data) else clbits
        turns = np.flatnonzero(_IS_TURN[opcode])
        zero = table.is_constant & (table.num == 0) & (table.offset == 0.0)
        stays = np.ones(len(opcode), bool)
        stays[turns[zero[angles.data[angles.starts[turns]]]]] = False
        order = order[stays[order]]
        source = source[order]
        wire_ptr, wire_data = wires.ordered(order)
        angle_ptr, angle_rows = angles.ordered(order)
        clbit_ptr, clbit_data = clbits.ordered(order)
        return replace(
            old,
            angles=table,
            opcode=opcode[order],
            wire_ptr=wire_ptr,
            wires=wire_data,
            angle_ptr=angle_ptr,
            angle_rows=angle_rows,
            clbit_ptr=clbit_ptr,
            clbits=clbit_data,
            payload=payload[order],
            condition=old.condition[source],
            location=old.location[source],
        )


class _Groups(NamedTuple):
    """Entries of many gates: those of gate k are `data[starts[k] : starts[k] + counts[k]]`."""

    data: np.ndarray
    starts: np.ndarray
    counts: np.ndarray

    @classmethod
    def kept(cls, ptr: np.ndarray, data: np.ndarray, rows: np.ndarray) -> _Groups:
        """These rows of a compressed column."""
        starts = ptr[rows]
        return cls(data, starts, ptr[rows + 1] - starts)

    def with_groups(self, tables: Sequence[np.ndarray], counts: np.ndarray) -> _Groups:
        """More groups of these sizes, whose entries are those of the tables one after the other."""
        starts = np.cumsum(counts, dtype=np.int32) - counts + len(self.data)
        return _Groups(
            np.concatenate([self.data, *[t.ravel() for t in tables]]).astype(np.int32, copy=False),
            np.concatenate([self.starts, starts]),
            np.concatenate([self.counts, counts]),
        )

    def ordered(self, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(pointers, entries) of the gates in this order."""
        if not len(self.data):
            return np.zeros(len(order) + 1, np.int32), self.data
        counts = self.counts[order]
        ptr = np.zeros(len(order) + 1, np.int32)
        np.cumsum(counts, out=ptr[1:])
        return ptr, self.data[spans(self.starts[order], counts)]


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
    taken = spans(table.ptr[first], counts)
    return AngleTable(
        top // common,
        bottom // common,
        sign * table.offset[first] + offset + 0.0,
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        table.variables[taken],
        sign * table.coeffs[taken],
    )


def _weighted_turns(table: AngleTable, weights: np.ndarray) -> Fraction:
    """The sum of the rational parts of all rows with these weights, in units of pi, exactly."""
    used = np.flatnonzero((weights != 0) & (table.num != 0))
    weights, num, den = weights[used] * 4, table.num[used], table.den[used]
    if (weights == np.round(weights)).all() and (np.abs(weights) * np.abs(num)).sum() < _LARGE:
        parts = [Fraction(int(weights[den == d] @ num[den == d]), 4 * d) for d in np.unique(den).tolist()]
    else:
        entries = zip(weights.tolist(), num.tolist(), den.tolist(), strict=True)
        parts = [Fraction(weight) * Fraction(n, 4 * d) for weight, n, d in entries]
    return sum(parts, Fraction(0))


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
