"""The fast path: long runs of plain gate or cell lines are taken out of the text before lark sees it.

A run is a sequence of lines that the grammar would certainly take, each a whole statement in the form that the printer
writes. In the text a mark stands in its place, which the grammar takes as a statement. What the lines mean is decided
when the block around them is read: good lines become columns at once, the others go through the grammar one by one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Container, Iterable, Iterator
from fractions import Fraction
from operator import lt
from typing import Any

import numpy as np

from ...ir.angles import Row, make_row
from ...ir.cells import CELL_CODES
from ...ir.gates import GATES, OPCODES
from .columns import Columns
from .expressions import Scope, condition, evaluate, flat_index
from .faults import Wrong
from .parser import parse
from .syntax import CellLine, Statement

GATE_MARK, CELL_MARK = "\x01", "\x02"
"""A run's number follows. A text that has these characters of its own is refused before."""

SHORTEST_RUN = 4
# Possessive quantifiers (`++`, `?+`) keep the engine from trying again what cannot match otherwise.
_NUMBER = r"[0-9]{1,40}+(?:\.[0-9]{1,40}+)?+(?:[eE][+-]?[0-9]{1,4}+)?+"
_NAME = r"(?!pi\b)[A-Za-z_][A-Za-z0-9_]*+(?:\[[0-9]{1,9}(?:,[0-9]{1,9})*\])?"
_TERM = rf"{_NUMBER}(?:\*{_NAME})?|(?:[0-9]{{1,20}}\*)?pi(?:/[0-9]{{1,20}})?|{_NAME}"
_ANGLE = rf"-?(?:{_TERM})(?: [+-] (?:{_TERM}))*"
_BIT = r"!*c\[[0-9]{1,9}\]"
_TAIL = r"[ \t]*+(?:#[^\n]*+)?\r?$"
_GATE_LINE = re.compile(
    r"^(?:([ \t]*+)([a-z][a-z0-9]*+)"
    rf'(?:\((?:"([IXYZ]*+)", )?({_ANGLE}(?:, {_ANGLE})*)\))?'
    r" (q\[[0-9]{1,9}\](?:, ?q\[[0-9]{1,9}\])*)"
    r"(?: -> c\[([0-9]{1,9})\])?"
    rf"(?: if ({_BIT}(?: [&|^] {_BIT})*))?;{_TAIL}|([^\n]*)$)",
    re.MULTILINE,
)
_NET = r"[A-Za-z_][A-Za-z0-9_]*+"
_NETS = rf"{_NET}(?:, {_NET})*"
_CELL_LINE = re.compile(rf"^(?:([ \t]*+)({_NETS}) = ([A-Za-z0-9]++)\(((?:{_NETS})?)\);{_TAIL}|([^\n]*)$)", re.MULTILINE)
_DIGITS = re.compile(r"[0-9]+")

GateFields = tuple[str, str, str, str, str, str, str, str]
"""Indent, gate, letters, angles, qubits, bit, condition of a plain gate line; of any other line all of it, last."""

CellFields = tuple[str, str, str, str, str]
"""Indent, outputs, cell, inputs of a plain cell line; of any other line all of it, last."""


class GateRun:
    """Consecutive plain gate lines: the fields of each, and its line number in the text."""

    def __init__(self, fields: list[GateFields], lines: list[int], text: list[str]) -> None:
        self.fields = fields
        self.lines = lines
        self._text = text
        self._statements: dict[int, Statement] = {}

    def __len__(self) -> int:
        return len(self.fields)

    def statement(self, k: int) -> Statement:
        """Line k by the grammar, with its place in the text."""
        if k not in self._statements:
            line = self.lines[k]
            self._statements[k] = parse("\n" * (line - 1) + self._text[line - 1], "statement")
        return self._statements[k]


class CellsRun:
    """Consecutive plain cell lines: the fields of each, and its line number in the text."""

    def __init__(self, fields: list[CellFields], lines: list[int], text: list[str]) -> None:
        self.fields = fields
        self.lines = lines
        self._text = text

    def cell(self, k: int) -> CellLine:
        """Line k by the grammar, with its place in the text."""
        line = self.lines[k]
        return parse("\n" * (line - 1) + self._text[line - 1], "cell")


class Mask:
    """The text with its runs taken out."""

    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")
        self._masked = list(self.lines)
        self._places: dict[str, list[int]] = {}
        self.gates: list[GateRun] = []
        self.cells: list[CellsRun] = []
        if "circuit" in text:
            for fields, numbers in self._runs(_GATE_LINE.findall(text), 1, OPCODES):
                self._take(f"{GATE_MARK}{len(self.gates)}", numbers)
                self.gates.append(GateRun(fields, numbers, self.lines))
        if "netlist" in text:
            for fields, numbers in self._runs(_CELL_LINE.findall(text), 2, CELL_CODES):
                self._take(f"{CELL_MARK}{len(self.cells)}", numbers)
                self.cells.append(CellsRun(fields, numbers, self.lines))

    @property
    def text(self) -> str:
        """What lark reads: as many lines as the whole text, marks in place of runs."""
        return "\n".join(self._masked)

    def restore(self, mark: str) -> None:
        """Put the lines of a run back: it stands where the grammar takes no run."""
        for line in self._places[mark]:
            self._masked[line - 1] = self.lines[line - 1]

    def _take(self, mark: str, numbers: list[int]) -> None:
        self._places[mark] = numbers
        for line in numbers:
            self._masked[line - 1] = ""
        self._masked[numbers[0] - 1] = mark

    @staticmethod
    def _runs(lines: list[tuple[str, ...]], key: int, known: Container[str]) -> Iterator[tuple[list[Any], list[int]]]:
        """The runs of lines whose field `key` is known: (their fields, their numbers). Blank lines may lie between."""
        fields: list[tuple[str, ...]] = []
        numbers: list[int] = []
        for number, line in enumerate(lines, 1):
            if line[key] in known:
                fields.append(line)
                numbers.append(number)
            elif fields and (line[key] or line[-1].strip()[:1] not in ("", "#")):
                if len(fields) >= SHORTEST_RUN:
                    yield fields, numbers
                fields, numbers = [], []
        if len(fields) >= SHORTEST_RUN:
            yield fields, numbers


# Gate runs -> columns

_QUBITS = np.array([g.qubits for g in GATES])
_ANGLES = np.array([g.angles for g in GATES])
_WRONG = -2


def take_run(run: GateRun, columns: Columns, scope: Scope, num_qubits: int, num_clbits: int) -> Iterator[int]:
    """Append the lines of a run. Yields, in its turn, the number of every line with a fault, which it leaves out."""
    indents, names, letters, angles, qubits, bits, conditions = ([f[k] for f in run.fields] for k in range(7))
    wires = {text: tuple(map(int, _DIGITS.findall(text))) for text in set(qubits)}
    arity = {text: _arity(group, num_qubits) for text, group in wires.items()}
    rows = _Angles(columns, scope).rows(angles)
    counts = {text: _WRONG if group is None else len(group) for text, group in rows.items()}
    when = {text: _condition(text, columns, num_clbits) for text in dict.fromkeys(conditions)}
    targets = {text: (int(text),) if text else () for text in set(bits)}

    opcode = [OPCODES[name] for name in names]
    codes = np.array(opcode)
    sizes = np.array([arity[text] for text in qubits])
    good = (sizes > 0) & ((_QUBITS[codes] < 0) | (sizes == _QUBITS[codes]))
    good &= np.array([counts[text] for text in angles]) == _ANGLES[codes]
    condition_column = [when[text] for text in conditions]
    good &= np.array(condition_column) != _WRONG
    lengths = np.array(list(map(len, letters)))
    good &= lengths == np.where(codes == OPCODES["pauli"], sizes, 0)
    fits = {text: 0 if not group else 1 if group[0] < num_clbits else _WRONG for text, group in targets.items()}
    good &= np.array([fits[text] for text in bits]) == (codes == OPCODES["measure"])

    def append(start: int, stop: int) -> None:
        columns.opcode += opcode[start:stop]
        columns.wires += [wires[text] for text in qubits[start:stop]]
        columns.angle_rows += [rows[text] or () for text in angles[start:stop]]
        columns.clbits += [targets[text] for text in bits[start:stop]]
        columns.payload += [columns.payload_of(text) if text else -1 for text in letters[start:stop]]
        columns.condition += condition_column[start:stop]
        columns.line += run.lines[start:stop]
        columns.column += [len(text) + 1 for text in indents[start:stop]]

    start = 0
    for bad in np.flatnonzero(~good).tolist():
        append(start, bad)
        yield bad
        start = bad + 1
    append(start, len(run))


def _arity(group: tuple[int, ...], num_qubits: int) -> int:
    """How many qubits there are, _WRONG where one is not there or stands twice."""
    return len(group) if max(group) < num_qubits and len(set(group)) == len(group) else _WRONG


def _condition(text: str, columns: Columns, num_clbits: int) -> int:
    if not text:
        return -1
    try:
        return columns.condition_of(condition(parse(text, "expression"), Scope(), num_clbits))
    except Wrong:
        return _WRONG


class _Angles:
    """Reads angle texts: numbers at once, sums of plain terms by hand, everything else by the grammar."""

    def __init__(self, columns: Columns, scope: Scope) -> None:
        self.intern = columns.angles.add
        self.scope = scope
        self.variables: dict[str, int | None] = {}

    def rows(self, texts: Iterable[str]) -> dict[str, tuple[int, ...] | None]:
        """Text of a list of angles -> its rows; None where one is wrong."""
        out: dict[str, tuple[int, ...] | None] = {}
        for text in dict.fromkeys(texts):
            try:
                if not text:
                    out[text] = ()
                elif ", " in text:
                    out[text] = tuple([self.intern(self.row(part)) for part in text.split(", ")])
                else:
                    out[text] = (self.intern(self.row(text)),)
            except (Wrong, OverflowError):
                out[text] = None
        return out

    def row(self, text: str) -> Row:
        """The row of one angle."""
        if text[-1] in "0123456789" and text[0] in "-0123456789":
            try:
                value = float(text)
            except ValueError:
                value = math.inf  # a sum that ends in a number, perhaps
            if math.isfinite(value):
                return (0, 1, value + 0.0, ())
        row = self._sum(text)
        return evaluate(parse(text, "expression"), self.scope).row() if row is None else row

    def _sum(self, text: str) -> Row | None:
        """The row of a sum of distinct terms; None where it is not one, or something in it is wrong."""
        pi_multiple: Fraction | int = 0
        offset, terms = 0.0, dict[int, float]()
        for part in text.replace(" - ", " + -").split(" + "):
            sign, body = (-1, part[1:]) if part[0] == "-" else (1, part)
            factor, _, name = body.rpartition("*")
            if name[:2] == "pi" and name[2:3] in ("", "/"):
                divisor = int(name[3:] or 1)
                if pi_multiple or not divisor:
                    return None
                pi_multiple = Fraction(sign * int(factor or 1), divisor)
            elif name[0] in "0123456789":
                if offset:
                    return None
                offset = sign * float(name)
            else:
                variable = self._variable(name)
                if variable is None or variable in terms:
                    return None
                terms[variable] = sign * float(factor or 1)
        if not all(map(math.isfinite, (offset, *terms.values()))):
            return None
        return make_row(pi_multiple, offset, terms.items())

    def _variable(self, text: str) -> int | None:
        """The number of the angle variable `name` or `name[index,...]`; None where there is none."""
        if text not in self.variables:
            name, _, index = text.partition("[")
            first, shape = self.scope.arrays.get(name, (0, None))
            at = tuple(map(int, index[:-1].split(","))) if index else ()
            there = shape is not None and len(at) == len(shape) and all(map(lt, at, shape))
            self.variables[text] = first + flat_index(at, shape) if there and shape is not None else None
        return self.variables[text]
