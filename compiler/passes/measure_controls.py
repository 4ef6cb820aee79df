"""Controls that are measured where nothing but Z is used of them any more, and what they control fed forward.

From some gate on a qubit may only be a control, or diagonal in another way, and then be read in Z or not at all. A
measurement there changes no outcome, and every later gate on it is one gate for the outcome 0 and another for 1 on the
other qubits: cx becomes an x where the bit is 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import ClassVar

import numpy as np

from ...ir import Circuit, Module
from ...ir.angles import ZERO_ROW, AngleTable, add_rows
from ...ir.circuit import GateRow
from ...ir.conditions import Condition
from ...ir.gates import GATES, OPCODES
from .base import Context, Contract, Pass
from .reuse_qubits import read_letters, unusual
from .rewrites import readouts

_BARRIER, _MEASURE, _PAULI = OPCODES["barrier"], OPCODES["measure"], OPCODES["pauli"]
_PROBE_ANGLES = (0.7342, -1.3177, 2.0561)
_CLOSE = 1e-12


@dataclass(frozen=True)
class MeasureControls(Pass):
    """Measure qubits that are only controls from there on, and condition the gates that they control.

    Off unless asked for: how long a device waits for a measured bit is in no calibration, so no cost can say whether it
    pays. Only where the target has if_else.
    """

    name: ClassVar[str] = "measure-controls"
    contract: ClassVar[Contract] = Contract.DISTRIBUTION
    feed_forward: bool = False
    """whether to measure controls inside circuits"""

    def run(self, module: Module, context: Context) -> Module:
        """Every circuit that is read, with conditioned gates in the place of controlled ones."""
        if not self.feed_forward:
            return module
        lacking = [n for n in ("measure", "if_else") if context.target and n not in context.target.native_ops]
        if lacking:
            assert context.target is not None
            context.remark(self, f"no control is measured, {context.target.name} has no {' and no '.join(lacking)}")
            return module
        circuits = dict(module.circuits)
        for name, nodes in readouts(module).items():
            before = circuits[name]
            if unusual(nodes):
                continue
            turned = {qubit for letter, qubit in read_letters(nodes) if letter != "Z"}
            circuits[name] = fed_forward(before, [q for q in range(before.num_qubits) if q not in turned])
            if circuits[name] is not before:
                self._report(before, circuits[name], context)
        changed = any(circuits[name] is not c for name, c in module.circuits.items())
        return module.with_(circuits=circuits) if changed else module

    def _report(self, before: Circuit, after: Circuit, context: Context) -> None:
        bits = after.num_clbits - before.num_clbits
        pairs = before.costs()["two_qubit_gates"] - after.costs()["two_qubit_gates"]
        message = f"circuit {before.name}: {bits} controls are measured, {pairs} gates less on two or more qubits"
        context.remark(self, message, before.place, two_qubit_gates=pairs)


def fed_forward(circuit: Circuit, candidates: Sequence[int]) -> Circuit:
    """The circuit with controls measured; the same object where there is nothing to measure.

    candidates: the qubits that are read in Z or not at all. Outcome distributions stay; the state is another mixture.
    """
    rows = circuit.rows()
    last = _last_turns(circuit, rows)
    waiting = {q: last[q] for q in candidates}
    if not any(len(r.wires) > 1 and any(k > waiting.get(w, k) for w in r.wires) for k, r in enumerate(rows)):
        return circuit
    work = _Work(circuit, waiting)
    for k, row in enumerate(rows):
        work.take(k, row)
    return work.result() if work.bits else circuit


def _last_turns(circuit: Circuit, rows: Sequence[GateRow]) -> list[int]:
    """For every qubit the number of its last gate that is not diagonal in Z on it, -1 where there is none."""
    last = [-1] * circuit.num_qubits
    for k, row in enumerate(rows):
        if row.opcode == _BARRIER:
            continue
        axes = circuit.payloads[row.payload] if row.opcode == _PAULI else row.gate.axes
        for wire, axis in zip(row.wires, axes, strict=True):
            if axis not in "ZI":
                last[wire] = k
    return last


class _Work:
    """The rows of the new circuit. waiting: qubit -> the gate after which it is only used in Z."""

    def __init__(self, circuit: Circuit, waiting: dict[int, int]) -> None:
        self.circuit = circuit
        self.waiting = waiting
        self.out: list[GateRow] = []
        self.bits: dict[int, int] = {}
        self.known = list(circuit.conditions)
        self.conditions = {condition: k for k, condition in enumerate(circuit.conditions)}
        self.angles = circuit.angles.rows()

    def take(self, k: int, row: GateRow) -> None:
        """Add a row, or what is left of it."""
        plain = row.gate.matrix is not None
        classical = [w for w in row.wires if plain and k > self.waiting.get(w, k)]
        self.out += self._parts(row, classical) if classical else [row]

    def _parts(self, row: GateRow, classical: Sequence[int]) -> list[GateRow]:
        """The row without as many of its `classical` qubits as possible; nothing where it only turns phases there."""
        if len(row.wires) == 1:
            return [] if row.wires[0] in classical and row.gate.diagonal else [row]
        for place, wire in enumerate(row.wires):
            forms = outcomes(row.opcode, place) if wire in classical else None
            if forms is not None:
                left = [w for w in classical if w != wire]
                kept = [(value, form) for value, form in enumerate(forms) if form is not None]
                rows = [self._conditioned(row, place, value, form) for value, form in kept]
                return [part for conditioned in rows for part in self._parts(conditioned, left)]
        return [row]

    def _conditioned(self, row: GateRow, place: int, value: int, form: Form) -> GateRow:
        wire = row.wires[place]
        bit: Condition = ("bit", self._bit(wire, row.location))
        condition = bit if value else ("not", bit)
        if row.condition >= 0:
            condition = ("and", self.known[row.condition], condition)
        return row._replace(
            opcode=form.opcode,
            wires=tuple(w for w in row.wires if w != wire),
            angles=tuple(self._turned(a, form.sign) for a in row.angles),
            condition=self._number(condition),
        )

    def _number(self, condition: Condition) -> int:
        if condition not in self.conditions:
            self.conditions[condition] = len(self.known)
            self.known.append(condition)
        return self.conditions[condition]

    def _turned(self, angle: int, sign: int) -> int:
        if sign > 0:
            return angle
        self.angles.append(add_rows(ZERO_ROW, self.angles[angle], -1))
        return len(self.angles) - 1

    def _bit(self, wire: int, location: int) -> int:
        """The bit that holds the qubit's value; it is measured here if it was not yet."""
        if wire not in self.bits:
            self.bits[wire] = self.circuit.num_clbits + len(self.bits)
            self.out.append(GateRow(_MEASURE, (wire,), clbits=(self.bits[wire],), location=location))
        return self.bits[wire]

    def result(self) -> Circuit:
        bits = self.circuit.num_clbits + len(self.bits)
        wider = replace(self.circuit, num_clbits=bits, conditions=tuple(self.known))
        return wider.with_rows(self.out, AngleTable.from_rows(self.angles)).compacted()


@dataclass(frozen=True, slots=True)
class Form:
    """A gate of the same angles, all of them negated where `sign` is -1."""

    opcode: int
    sign: int


@cache
def outcomes(opcode: int, place: int) -> tuple[Form | None, Form | None] | None:
    """The gate on the other qubits where qubit `place` of a gate is 0, and where it is 1; None for no gate at all.

    Each up to a phase, which no outcome sees. None in place of both where the gate is not diagonal there, or no gate of
    the table is what is left.
    """
    gate = GATES[opcode]
    if gate.matrix is None or gate.axes[place] != "Z" or gate.qubits < 2:
        return None
    matrix = gate.matrix(*_PROBE_ANGLES[: gate.angles])
    index = np.arange(len(matrix))
    found: list[Form | None] = []
    for value in (0, 1):
        mine = np.flatnonzero((index >> place) & 1 == value)
        block = matrix[np.ix_(mine, mine)]
        if _parallel(block, np.eye(len(block))):
            found.append(None)
            continue
        form = next((f for f, candidate in _forms(gate.qubits - 1, gate.angles) if _parallel(block, candidate)), None)
        if form is None:
            return None
        found.append(form)
    return found[0], found[1]


def _forms(qubits: int, angles: int) -> Iterator[tuple[Form, np.ndarray]]:
    for opcode, gate in enumerate(GATES):
        if gate.matrix is None or (gate.qubits, gate.angles) != (qubits, angles):
            continue
        for sign in (1, -1) if angles else (1,):
            yield Form(opcode, sign), gate.matrix(*(sign * a for a in _PROBE_ANGLES[:angles]))


def _parallel(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two unitaries are equal up to a phase."""
    return bool(abs(abs(np.vdot(a, b)) - len(a)) < _CLOSE)
