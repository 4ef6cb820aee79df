"""The fast path: long runs of plain gate or cell lines are taken out of the text before lark sees it.

A run is a sequence of lines that the grammar would certainly take, each a whole statement in the form that the printer
writes. In the text a mark stands in its place, which the grammar takes as a statement. What the lines mean is decided
when the block around them is read: good lines become columns at once, the others go through the grammar one by one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Container, Iterator
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np

from ...ir.angles import Row, make_row
from ...ir.cells import CELL_CODES
from ...ir.gates import GATES, OPCODES
from .columns import Columns
from .expressions import Scope, condition, evaluate
from .faults import Wrong
from .parser import parse
from .syntax import CellLine, Statement

GATE_MARK, CELL_MARK = "\x01", "\x02"
"""A run's number follows. A text that has these characters of its own is refused before."""

SHORTEST_RUN = 4
_NUMBER = r"[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,4})?"
_NAME = r"(?!pi\b)[A-Za-z_][A-Za-z0-9_]*(?:\[[0-9]{1,9}(?:,[0-9]{1,9})*\])?"
_TERM = rf"(?:[0-9]{{1,20}}\*)?pi(?:/[0-9]{{1,20}})?|{_NUMBER}(?:\*{_NAME})?|{_NAME}"
_ANGLE = rf"-?(?:{_TERM})(?: [+-] (?:{_TERM}))*"
_BIT = r"!*c\[[0-9]{1,9}\]"
_BLANK = r"[ \t]*(?:#[^\n]*)?\r?"
_GATE_LINE = re.compile(
    r"([ \t]*)"
    r"(?:([a-z][a-z0-9]*)"
    rf'(?:\((?:"([IXYZ]*)", )?({_ANGLE}(?:, {_ANGLE})*)\))?'
    r" (q\[[0-9]{1,9}\](?:, ?q\[[0-9]{1,9}\])*)"
    r"(?: -> c\[([0-9]{1,9})\])?"
    rf"(?: if ({_BIT}(?: [&|^] {_BIT})*))?;)?"
    rf"{_BLANK}"
)
_NET = r"[A-Za-z_][A-Za-z0-9_]*"
_CELL_LINE = re.compile(rf"([ \t]*)(?:({_NET}(?:, {_NET})*) = ([A-Za-z0-9]+)\(((?:{_NET}(?:, {_NET})*)?)\);)?{_BLANK}")
_DIGITS = re.compile(r"[0-9]+")
_SIGN = re.compile(r" ([+-]) ")
_ONE_TERM = re.compile(
    r"(?:([0-9]+)\*)?(pi)(?:/([0-9]+))?"
    rf"|(?:({_NUMBER})(?:\*|\Z))?(?:([A-Za-z_][A-Za-z0-9_]*)(?:\[([0-9,]+)\])?)?"
)

GateFields = tuple[str, str, str | None, str | None, str, str | None, str | None]
CellFields = tuple[str, str, str, str]


class GateRun:
    """Consecutive plain gate lines: the fields of each (indent, gate, letters, angles, qubits, bit, condition) and its
    line number in the text."""

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
    """Consecutive plain cell lines: the fields of each (indent, outputs, cell, inputs) and its line number."""

    def __init__(self, fields: list[CellFields], lines: list[int], text: list[str]) -> None:
        self.fields = fields
        self.lines = lines
        self._text = text

    def cell(self, k: int) -> CellLine:
        """Line k by the grammar, with its place in the text."""
        line = self.lines[k]
        return parse("\n" * (line - 1) + self._text[line - 1], "cell")


AnyRun = TypeVar("AnyRun", GateRun, CellsRun)


class Mask:
    """The text with its runs taken out."""

    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")
        self._masked = list(self.lines)
        self._places: dict[str, list[int]] = {}
        self.gates = self._take(GateRun, _GATE_LINE, 1, OPCODES, GATE_MARK)
        self.cells = self._take(CellsRun, _CELL_LINE, 2, CELL_CODES, CELL_MARK)

    @property
    def text(self) -> str:
        """What lark reads: as many lines as the whole text, marks in place of runs."""
        return "\n".join(self._masked)

    def restore(self, mark: str) -> None:
        """Put the lines of a run back: it stands where the grammar takes no run."""
        for line in self._places[mark]:
            self._masked[line - 1] = self.lines[line - 1]

    def _take(
        self, kind: type[AnyRun], pattern: re.Pattern[str], key: int, known: Container[str], mark: str
    ) -> list[AnyRun]:
        """The runs of lines that match the pattern and whose field `key` is known. Blank lines may lie between."""
        runs: list[AnyRun] = []
        fields: list[Any] = []
        numbers: list[int] = []

        def close() -> None:
            if len(fields) >= SHORTEST_RUN:
                name = f"{mark}{len(runs)}"
                runs.append(kind(fields.copy(), numbers.copy(), self.lines))
                self._places[name] = runs[-1].lines
                for line in numbers:
                    self._masked[line - 1] = ""
                self._masked[numbers[0] - 1] = name
            fields.clear()
            numbers.clear()

        for number, match in enumerate(map(pattern.fullmatch, self.lines), 1):
            if match is None:
                close()
                continue
            groups = match.groups()
            if groups[key] in known:
                fields.append(groups)
                numbers.append(number)
            elif groups[key] is not None:
                close()
        close()
        return runs


# Gate runs -> columns

_QUBITS = np.array([g.qubits for g in GATES])
_ANGLES = np.array([g.angles for g in GATES])
_WRONG = -2


def take_run(run: GateRun, columns: Columns, scope: Scope, num_qubits: int, num_clbits: int) -> Iterator[int]:
    """Append the lines of a run. Yields, in its turn, the number of every line with a fault, which it leaves out."""
    indents, names, letters, angles, qubits, bits, conditions = zip(*run.fields, strict=True)
    wires = {text: tuple(map(int, _DIGITS.findall(text))) for text in set(qubits)}
    arity = {text: _arity(group, num_qubits) for text, group in wires.items()}
    rows = {text: _angle_rows(text, columns, scope) for text in dict.fromkeys(angles)}
    counts = {text: _WRONG if group is None else len(group) for text, group in rows.items()}
    when = {text: _condition(text, columns, num_clbits) for text in dict.fromkeys(conditions)}
    opcode = [OPCODES[name] for name in names]
    condition_column = [when[text] for text in conditions]

    codes = np.array(opcode)
    sizes = np.array([arity[text] for text in qubits])
    good = (sizes > 0) & ((_QUBITS[codes] < 0) | (sizes == _QUBITS[codes]))
    good &= np.array([counts[text] for text in angles]) == _ANGLES[codes]
    good &= np.array(condition_column) != _WRONG
    lengths = np.array([-1 if text is None else len(text) for text in letters])
    good &= lengths == np.where(codes == OPCODES["pauli"], sizes, -1)
    targets = np.array([-1 if text is None else int(text) for text in bits])
    measured = codes == OPCODES["measure"]
    good &= np.where(measured, (targets >= 0) & (targets < num_clbits), targets < 0)

    def append(start: int, stop: int) -> None:
        columns.opcode += opcode[start:stop]
        columns.wires += [wires[text] for text in qubits[start:stop]]
        columns.angle_rows += [rows[text] or () for text in angles[start:stop]]
        columns.clbits += [() if text is None else (int(text),) for text in bits[start:stop]]
        columns.payload += [columns.payload_of(text) for text in letters[start:stop]]
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


def _condition(text: str | None, columns: Columns, num_clbits: int) -> int:
    if text is None:
        return -1
    try:
        return columns.condition_of(condition(parse(text, "expression"), Scope(), num_clbits))
    except Wrong:
        return _WRONG


def _angle_rows(text: str | None, columns: Columns, scope: Scope) -> tuple[int, ...] | None:
    """The rows of the angles in a list; None where one is wrong."""
    if text is None:
        return ()
    try:
        return tuple(columns.angles.add(_plain_angle(part, scope)) for part in text.split(", "))
    except (Wrong, OverflowError):
        return None


def _plain_angle(text: str, scope: Scope) -> Row:
    """One angle: a number at once, a sum of plain terms by hand, everything else by the grammar."""
    if text[-1].isdigit() and (text[0].isdigit() or text[1].isdigit()):
        try:
            value = float(text)
        except ValueError:
            pass
        else:
            if math.isfinite(value):
                return (0, 1, value + 0.0, ())
    row = _plain_sum(text, scope)
    return evaluate(parse(text, "expression"), scope).row() if row is None else row


def _plain_sum(text: str, scope: Scope) -> Row | None:
    """The row of a sum of distinct terms; None where it is not one, or something in it is wrong."""
    negative = text.startswith("-")
    parts = _SIGN.split(text[negative:])
    pi_multiple, offset, terms = Fraction(0), 0.0, dict[int, float]()
    for sign, part in zip(["-" if negative else "+", *parts[1::2]], parts[::2], strict=True):
        match = _ONE_TERM.fullmatch(part)
        if match is None:
            return None
        size, pi, divisor, number, name, index = match.groups()
        direction = -1 if sign == "-" else 1
        if pi:
            if pi_multiple or (divisor and not int(divisor)):
                return None
            pi_multiple = Fraction(direction * int(size or 1), int(divisor or 1))
        elif name is None:
            if offset:
                return None
            offset = direction * float(number)
        else:
            variable = _variable(name, index, scope)
            if variable is None or variable in terms:
                return None
            terms[variable] = direction * float(number or 1)
    if not all(map(math.isfinite, (offset, *terms.values()))):
        return None
    return make_row(pi_multiple, offset, terms.items())


def _variable(name: str, index: str | None, scope: Scope) -> int | None:
    """The number of an angle variable; None where there is none."""
    if name not in scope.arrays:
        return None
    first, shape = scope.arrays[name]
    at = [int(k) for k in index.split(",")] if index else []
    if len(at) != len(shape) or any(k >= size for k, size in zip(at, shape, strict=True)):
        return None
    number = 0
    for k, size in zip(at, shape, strict=True):
        number = number * size + k
    return first + number
