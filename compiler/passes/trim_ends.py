"""What a circuit's start and its readouts make superfluous.

Every qubit starts in |0>. While a qubit is known to be in an eigenstate of a Pauli letter, a gate that is diagonal in
that letter on it only turns a phase there: rz on |0> goes, cx with the control in |1> is x, rzz with |0> is rz. And a
circuit of real gates makes a real state, in which a Pauli product with an odd number of Y has the expectation 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import ClassVar

import numpy as np

from ...ir import Circuit, Module, Node
from ...ir.angles import ZERO_ROW, AngleTable, Row, add_rows, make_row
from ...ir.circuit import GateRow
from ...ir.gates import GATES, OPCODES
from ...ir.graph import map_nodes
from ...ir.observables import PauliSum
from ...ir.ops import Expectation, Readout
from ...ir.ops.quantum import CircuitOp
from ..synthesis.known_states import LETTERS, UNKNOWN, ZERO, applied, rest_of
from .base import Context, Contract, Pass
from .rewrites import readouts
from .row_walks import quarter_turns, rows_from_start, with_start

_PAULI, _SWAP, _BARRIER, _MEASURE, _RESET = (OPCODES[n] for n in ("pauli", "swap", "barrier", "measure", "reset"))
_ROTATIONS = {"X": OPCODES["rx"], "Y": OPCODES["ry"], "Z": OPCODES["rz"]}
_KEEPS_REAL = np.array([g.real or not g.unitary for g in GATES])


@dataclass(frozen=True)
class TrimEnds(Pass):
    """Remove or simplify gates on qubits in known states, and observables that are 0 for real circuits."""

    name: ClassVar[str] = "trim-ends"
    contract: ClassVar[Contract] = Contract.STATE

    def run(self, module: Module, context: Context) -> Module:
        """Every circuit that starts in |0> trimmed; observables without the terms that vanish."""
        operators = {
            n.op.circuit for n in module.nodes() if isinstance(n.op, CircuitOp) and not isinstance(n.op, Readout)
        }
        circuits = {name: c if name in operators else trimmed(c) for name, c in module.circuits.items()}
        changed = [name for name, c in circuits.items() if c is not module.circuits[name]]
        for name in changed:
            self._report(module.circuits[name], circuits[name], context)
        vanishing = self._vanishing(module, circuits, context)
        if not changed and not vanishing:
            return module
        after = module.with_(circuits=circuits)
        return after.with_(graph=map_nodes(after.graph, lambda n: _reread(n, vanishing))) if vanishing else after

    def _report(self, before: Circuit, after: Circuit, context: Context) -> None:
        gates, pairs = (_count(before, arity) - _count(after, arity) for arity in (1, 2))
        message = f"circuit {before.name}: gates on qubits in known states are removed or made smaller"
        context.remark(self, message, before.place, gates=gates, two_qubit_gates=pairs)

    def _vanishing(
        self, module: Module, circuits: dict[str, Circuit], context: Context
    ) -> dict[Expectation, Expectation]:
        """Readouts with terms that are 0 because the circuit is real, and what is left of them."""
        found: dict[Expectation, Expectation] = {}
        for name, nodes in readouts(module).items():
            for op in dict.fromkeys(n.op for n in nodes if isinstance(n.op, Expectation)):
                left = tuple(map(_real_part, op.observables))
                if left == op.observables or not is_real(circuits[name]):
                    continue
                found[op] = replace(op, observables=left)
                terms = sum(len(o.terms) for o in op.observables) - sum(len(o.terms) for o in left)
                message = f"circuit {name} has real amplitudes: {terms} terms with an odd number of Y are 0"
                context.remark(self, message, module.circuits[name].place, terms=terms)
        return found


def _count(circuit: Circuit, arity: int) -> int:
    return int(((circuit.opcode != _BARRIER) & (np.diff(circuit.wire_ptr) >= arity)).sum())


def _reread(node: Node, left: dict[Expectation, Expectation]) -> Node:
    return replace(node, op=left[node.op]) if isinstance(node.op, Expectation) and node.op in left else node


def _real_part(observable: PauliSum) -> PauliSum:
    """The terms with an even number of Y: those whose matrices are real."""
    kept = tuple(t for t in observable.terms if sum(letter == "Y" for letter, _ in t[0]) % 2 == 0)
    return observable if len(kept) == len(observable.terms) else PauliSum(kept)


def is_real(circuit: Circuit) -> bool:
    """Whether every gate has a real matrix, so that all states and mixtures from |0> are real."""
    rotations = circuit.opcode == _PAULI
    if not (_KEEPS_REAL[circuit.opcode] | rotations).all():
        return False
    # exp(-i angle/2 P) is real where P is imaginary.
    used = set(circuit.payload[rotations].tolist())
    return all(circuit.payloads[k].count("Y") % 2 for k in used)


def trimmed(circuit: Circuit) -> Circuit:
    """The circuit without what its start makes superfluous: the same state from |0>, with the global phase tracked.

    Barriers in front of all gates or behind them go, too. The same object where nothing changes.
    """
    walk = _Walk(circuit)
    walk.run()
    return walk.result()


class _Walk:
    """From the start of a circuit: the known state of every qubit, and what becomes of the gates."""

    def __init__(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self.states = [UNKNOWN] * circuit.num_qubits
        for wire in np.flatnonzero(np.bincount(circuit.wires, minlength=1)).tolist():
            self.states[wire] = ZERO
        self.new: dict[int, GateRow | None] = {}
        self.phase: Row = ZERO_ROW
        self.payloads = list(circuit.payloads)
        self.rows: list[Row] = []
        self.numbers: dict[Row, int] = {}

    def run(self) -> None:
        states, endless = self.states, bool((self.circuit.opcode == _RESET).any())
        known = sum(s >= 0 for s in states)
        for k, row in rows_from_start(self.circuit):
            if not known and not endless:
                break
            before = [states[w] for w in row.wires]
            if not any(s >= 0 for s in before) and row.opcode != _RESET:
                continue
            left = self._visit(row)
            if left is not row:
                self.new[k] = left
            known += sum((states[w] >= 0) - (s >= 0) for w, s in zip(row.wires, before, strict=True))

    def _visit(self, row: GateRow) -> GateRow | None:
        """The gate that is left; the states are those behind it."""
        states = self.states
        if row.opcode == _BARRIER:
            return row
        if row.opcode == _MEASURE:
            if LETTERS[states[row.wires[0]]] != "Z":
                states[row.wires[0]] = UNKNOWN
            return row
        if row.opcode == _RESET:
            if states[row.wires[0]] == ZERO:
                return None
            states[row.wires[0]] = ZERO if row.condition < 0 else UNKNOWN
            return row
        left = self._smaller_rotation(row) if row.opcode == _PAULI else self._smaller(row)
        if left is None or left.opcode == _PAULI or left.condition >= 0:
            self._scramble(left)
            return left
        return self._settled(left)

    def _smaller(self, row: GateRow) -> GateRow | None:
        """The gate without the wires on which it only turns a phase."""
        at = 0
        while at < len(row.wires):
            state = self.states[row.wires[at]]
            rest = rest_of(row.opcode, at, state) if state >= 0 else None
            if rest is None:
                at += 1
                continue
            self._turn_phase(row, rest.phase, rest.slope)
            if rest.opcode < 0:
                return None
            wires = tuple(row.wires[k] for k in rest.wires)
            angles = tuple(self._scaled(a, rest.scale) for a in row.angles) if GATES[rest.opcode].angles else ()
            row, at = row._replace(opcode=rest.opcode, wires=wires, angles=angles), 0
        return row

    def _smaller_rotation(self, row: GateRow) -> GateRow | None:
        """exp(-i angle/2 P) without the letters of which its wires are in eigenstates."""
        pairs, sign = [], 1
        for letter, wire in zip(self.circuit.payloads[row.payload], row.wires, strict=True):
            state = self.states[wire]
            if state >= 0 and LETTERS[state] == letter:
                sign *= -1 if state & 1 else 1
            elif letter != "I":
                pairs.append((letter, wire))
        if len(pairs) == len(row.wires):
            return row
        if not pairs:
            self._turn_phase(row, Fraction(0), Fraction(-sign, 2))
            return None
        letters, wires = "".join(p for p, _ in pairs), tuple(w for _, w in pairs)
        row = row._replace(wires=wires, angles=(self._scaled(row.angles[0], Fraction(sign)),))
        if len(pairs) == 1:
            return row._replace(opcode=_ROTATIONS[letters], payload=-1)
        if letters not in self.payloads:
            self.payloads.append(letters)
        return row._replace(payload=self.payloads.index(letters))

    def _settled(self, row: GateRow) -> GateRow | None:
        """The gate, or None where it only turns the phase of known states; the states move on."""
        states = self.states
        before = tuple(states[w] for w in row.wires)
        turns = quarter_turns([self._row(a) for a in row.angles]) if min(before) >= 0 else None
        if turns is not None:
            phase, after = applied(row.opcode, turns, before)
            for wire, state in zip(row.wires, after, strict=True):
                states[wire] = state
            if phase is None:
                return row
            self._turn_phase(row, phase, Fraction(0))
            return None
        if row.opcode == _SWAP:
            for wire, state in zip(row.wires, reversed(before), strict=True):
                states[wire] = state
        else:
            self._scramble(row)
        return row

    def _scramble(self, row: GateRow | None) -> None:
        """Forget the states of the wires that a gate may change."""
        if row is None:
            return
        letters = self.payloads[row.payload] if row.opcode == _PAULI else row.gate.axes
        for wire, letter in zip(row.wires, letters, strict=True):
            if self.states[wire] >= 0 and letter not in ("I", LETTERS[self.states[wire]]):
                self.states[wire] = UNKNOWN

    # Angles

    def _row(self, number: int) -> Row:
        return self.rows[number] if self.rows else self.circuit.angles.row(number)

    def _scaled(self, number: int, scale: Fraction) -> int:
        """The number of the row that is `scale` times row `number`."""
        if scale == 1:
            return number
        if not self.rows:
            self.rows = self.circuit.angles.rows()
            self.numbers = {row: k for k, row in reversed(list(enumerate(self.rows)))}
        row = add_rows(ZERO_ROW, self.rows[number], scale)
        found = self.numbers.setdefault(row, len(self.rows))
        if found == len(self.rows):
            self.rows.append(row)
        return found

    def _turn_phase(self, row: GateRow, phase: Fraction, slope: Fraction) -> None:
        """Add pi phase + slope angle to the global phase; the branches of a condition have none in common."""
        if row.condition >= 0:
            return
        self.phase = add_rows(self.phase, make_row(phase))
        if slope:
            self.phase = add_rows(self.phase, self._row(row.angles[0]), slope)

    # The circuit that is left

    def result(self) -> Circuit:
        """The trimmed circuit; the same object where nothing changes."""
        circuit = self.circuit
        for k in _outer_barriers(circuit, {k for k, row in self.new.items() if row is None}):
            self.new[k] = None
        if not self.new:
            return circuit
        keep = np.ones(len(circuit), bool)
        keep[[k for k, row in self.new.items() if row is None]] = False
        changed = {k: row for k, row in self.new.items() if row is not None}
        known = self.rows or circuit.angles.rows()
        phase = add_rows(self.phase, known[circuit.phase]) if circuit.phase >= 0 else self.phase
        table = AngleTable.from_rows([*known, _in_one_turn(phase)])
        circuit = circuit.with_(payloads=tuple(self.payloads), angles=table, phase=len(known))
        return with_start(circuit, changed, keep).compacted()


def _in_one_turn(phase: Row) -> Row:
    """The phase with its multiple of pi in [0, 2)."""
    turn = Fraction(phase[0], phase[1]) % 2
    return (turn.numerator, turn.denominator, *phase[2:])


def _outer_barriers(circuit: Circuit, gone: set[int]) -> list[int]:
    """The barriers with no gate in front of them, or none behind them."""
    barriers = set(np.flatnonzero(circuit.opcode == _BARRIER).tolist())
    found: list[int] = []
    for order in (range(len(circuit)), range(len(circuit) - 1, -1, -1)) if barriers else ():
        for k in order:
            if k in barriers:
                found.append(k)
            elif k not in gone:
                break
    return found
