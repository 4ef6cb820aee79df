"""Gate cancellation: inverse pairs and rotations that meet through commuting gates.

One sweep in time linear in the number of gates. On every wire the gates since the last block form a stack of groups: a
group is a run of neighbours that share a Pauli letter on that wire (`Gate.axes`), so the gates of one group commute
there. A new gate can be moved next to an earlier one on the same wires exactly when both lie in the top group of every
wire, and one dictionary look-up finds that gate. What cancels leaves its groups, an empty group uncovers the one below,
and so cascades (h x x h) need no second sweep. A rotation about a Pauli product (rxx, ryy, rzz) also looks a few groups
below the top, under rotations about commuting products on the same wires.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain
from typing import ClassVar

import numpy as np

from ...ir import Circuit, Module
from ...ir.angles import ZERO_ROW, AngleTable, Row, add_rows, row_is_multiple
from ...ir.circuit import split_groups
from ...ir.conditions import bits_of
from ...ir.gates import GATES, OPCODES
from ..synthesis.memory import collector_paused
from .base import Context, Contract, Pass
from .gate_families import Family, Member
from .gate_kinds import LETTERS, OWN_LETTER, Kind, kinds_of_gates

_LOOK_BELOW = 4
_MOST_SWEEPS = 10
_PAULI, _ID, _MEASURE = OPCODES["pauli"], OPCODES["id"], OPCODES["measure"]
_NO_FACTOR: Row = ZERO_ROW
_TWO = Fraction(2)
_NEAR = 1e-6
"""radians from a full turn within which an angle is looked at exactly"""


@dataclass(frozen=True)
class CancelGates(Pass):
    """Cancel inverse pairs and merge rotations through commuting gates."""

    name: ClassVar[str] = "cancel-gates"
    contract: ClassVar[Contract] = Contract.UNITARY
    settles: ClassVar[bool] = True
    tolerance: float = 1e-12
    """radians below which a joined angle that was not written as a multiple of pi counts as zero"""

    def run(self, module: Module, context: Context) -> Module:
        """Every circuit with fewer gates; a circuit where nothing cancels stays the same object."""
        circuits: dict[str, Circuit] = {}
        for name, circuit in module.circuits.items():
            circuits[name] = cancel(circuit, self.tolerance)
            if circuits[name] is not circuit:
                self._report(circuit, circuits[name], context)
        changed = any(circuits[name] is not c for name, c in module.circuits.items())
        return module.with_(circuits=circuits) if changed else module

    def _report(self, before: Circuit, after: Circuit, context: Context) -> None:
        old, new = _sizes(before), _sizes(after)
        message = f"circuit {before.name}: {old[0]} -> {new[0]} gates, {old[1]} -> {new[1]} on two or more qubits"
        context.remark(self, message, before.place, gates=old[0] - new[0], two_qubit_gates=old[1] - new[1])


def _sizes(circuit: Circuit) -> tuple[int, int]:
    gates = circuit.opcode != OPCODES["barrier"]
    return int(gates.sum()), int((gates & (np.diff(circuit.wire_ptr) >= 2)).sum())


def cancel(circuit: Circuit, tolerance: float = 0.0) -> Circuit:
    """The circuit in which nothing meets any more: the same unitary with the global phase tracked.

    One sweep does it, unless a gate that hid a Pauli rotation from a later one vanished itself: then another follows,
    ten at most. Gates never move across a barrier, a measurement or a reset of their qubits. Conditioned gates meet
    only gates with the same condition while none of its bits is written between, and only where no global phase arises.
    """
    for _ in range(_MOST_SWEEPS):
        with collector_paused():
            sweep = _Sweep(circuit, tolerance)
            sweep.run()
            sweep.forget()
            circuit = sweep.result()
        if not sweep.uncovered:
            break
    return circuit


@dataclass(slots=True, eq=False)
class _Group:
    """Gates of one wire that share a letter there. `total` is the sum of their row numbers: of one gate, its own.

    latest: the last one that is on this wire alone and unconditioned, -1 for none. All of these are of one class.
    """

    letter: int
    number: int
    count: int
    total: int
    latest: int = -1


@dataclass(slots=True)
class _Hidden:
    """A Pauli rotation on top of something that it could not look below, with the groups that it is in."""

    row: int
    kind: Kind
    wires: tuple[int, ...]
    groups: list[_Group]


@dataclass(frozen=True, slots=True)
class _Joined:
    """Two gates as one: opcode -1 for none at all; angle row; the global phase that is left over."""

    opcode: int
    angle: int
    factor: Row


class _Sweep:
    def __init__(self, circuit: Circuit, tolerance: float) -> None:
        self.circuit = circuit
        self.tolerance = tolerance
        self.opcodes: list[int] = circuit.opcode.tolist()
        self.wires = _shared(split_groups(circuit.wire_ptr, circuit.wires))
        self.angles = _shared(split_groups(circuit.angle_ptr, circuit.angle_rows))
        self.conditions: list[int] = circuit.condition.tolist()
        self.keep = bytearray(b"\1") * len(self.opcodes)
        self.changed: set[int] = set()
        self.stacks: list[list[_Group]] = [[] for _ in range(circuit.num_qubits)]
        self.latest: dict[tuple[int, ...], int] = {}
        self.next_group = 0
        classes, self.kinds = kinds_of_gates()
        # Pauli strings and conditions make classes of their own.
        self.classes = classes.copy() if circuit.payloads or circuit.conditions else classes
        self.pauli_kinds: dict[str, Kind] = {}
        self.versions = [0] * circuit.num_clbits
        self.rows = circuit.angles.rows()
        self.row_index: dict[Row, int] = {}
        self.near_full_turn = self._near_full_turn()
        self.joined: dict[tuple[int, ...], _Joined] = {}
        self.factors: dict[Row, int] = {}
        self.hiding: dict[int, list[_Hidden]] = {}  # number of a group -> rotations that could not look below it
        self.uncovered = False  # whether one of them could now

    def _near_full_turn(self) -> list[bool]:
        angles = self.circuit.angles
        off = np.abs(np.remainder(angles.constants + np.pi, 2 * np.pi) - np.pi)
        return (angles.is_constant & (off <= _NEAR + self.tolerance)).tolist()

    def _near_full_turn_row(self, row: Row) -> bool:
        return abs((row[0] / row[1] * math.pi + row[2] + math.pi) % (2 * math.pi) - math.pi) <= _NEAR + self.tolerance

    def run(self) -> None:
        kinds, opcodes, conditions, wires = self.kinds, self.opcodes, self.conditions, self.wires
        for k, opcode in enumerate(opcodes):
            kind = kinds[opcode]
            if kind is None or conditions[k] >= 0:
                self._take_special(k, opcode)
            elif len(wires[k]) == 1:
                self._take_alone(k, kind, wires[k])
            else:
                self._take(k, kind, wires[k])

    def forget(self) -> None:
        """Free what only the sweep needs."""
        self.stacks, self.latest, self.hiding = [], {}, {}

    def _take_special(self, k: int, opcode: int) -> None:
        """A gate that blocks, is conditioned, or whose letters are in its payload."""
        if opcode == _ID:
            self.keep[k] = 0
            return
        wires = self.wires[k]
        kind = self.kinds[opcode]
        if opcode == _PAULI:
            kind, wires = self._pauli(k)
        if kind is None:
            self._block(k, wires)
            return
        condition = self.conditions[k]
        if condition >= 0:
            kind = self._conditioned(kind, condition)
        if len(wires) == 1 and condition < 0:
            self._take_alone(k, kind, wires)
        elif wires:
            self._take(k, kind, wires)
        elif condition < 0:
            self.keep[k] = 0
            self._add_factor(add_rows(ZERO_ROW, self.rows[self.angles[k][0]], Fraction(-1, 2)))

    def _block(self, k: int, wires: tuple[int, ...]) -> None:
        for wire in wires or range(self.circuit.num_qubits):
            self.stacks[wire] = []
        if self.opcodes[k] == _MEASURE:
            self.versions[self.circuit.clbits[self.circuit.clbit_ptr[k]]] += 1

    def _conditioned(self, kind: Kind, condition: int) -> Kind:
        expression = self.circuit.conditions[condition]
        key = (expression, tuple(self.versions[b] for b in bits_of(expression)))
        number = self.classes.conditioned(kind.number, key)
        letters = tuple(at if at < OWN_LETTER else OWN_LETTER + number for at in kind.letters)
        return replace(kind, number=number, letters=letters)

    def _pauli(self, k: int) -> tuple[Kind, tuple[int, ...]]:
        """The rotation without its identity letters, the letters in alphabetical order."""
        payload = self.circuit.payloads[self.circuit.payload[k]]
        pairs = sorted((p, w) for p, w in zip(payload, self.wires[k], strict=True) if p != "I")
        letters = "".join(p for p, _ in pairs)
        if letters not in self.pauli_kinds:
            numbers = tuple(LETTERS[p] for p in letters)
            runs = [tuple(i for i, p in enumerate(letters) if p == letter) for letter in LETTERS]
            exchange = tuple(run for run in runs if len(run) > 1)
            number = self.classes.of_pauli(letters)
            self.pauli_kinds[letters] = Kind(number, numbers, exchange, True, len(letters) > 1)
        return self.pauli_kinds[letters], tuple(w for _, w in pairs)

    def _take(self, k: int, kind: Kind, wires: tuple[int, ...]) -> None:
        """Add a gate: it vanishes, joins an earlier one, or goes on the stacks of its wires."""
        if kind.turning and self.near_full_turn[self.angles[k][0]] and self._vanishes(k, kind):
            return
        stacks = self.stacks
        tops: list[_Group] = []
        for wire, letter in zip(wires, kind.letters, strict=True):
            stack = stacks[wire]
            if not stack or stack[-1].letter != letter:
                break
            tops.append(stack[-1])
        else:
            key = self._key(kind, tops)
            other = self.latest.get(key, -1)
            if other >= 0 and self._join(other, k, kind, key, tops, wires):
                return
        if kind.product and self._join_below(k, kind, wires):
            return
        self._place(k, kind, wires)

    def _take_alone(self, k: int, kind: Kind, wires: tuple[int, ...]) -> None:
        """`_take` for an unconditioned gate on one wire: its group knows the gate that it may join."""
        if kind.turning and self.near_full_turn[self.angles[k][0]] and self._vanishes(k, kind):
            return
        stack, letter = self.stacks[wires[0]], kind.letters[0]
        if stack and stack[-1].letter == letter:
            group = stack[-1]
            if group.latest >= 0 and self._join(group.latest, k, kind, None, [group], wires):
                return
            if letter < OWN_LETTER:
                group.count += 1
                group.total += k
                group.latest = k
                return
        self.next_group += 1
        stack.append(_Group(letter, self.next_group, 1, k, k))

    def _key(self, kind: Kind, groups: list[_Group]) -> tuple[int, ...]:
        if not kind.exchange:
            return (kind.number, *[g.number for g in groups])
        numbers = [g.number for g in groups]
        for positions in kind.exchange:
            ordered = sorted([numbers[p] for p in positions])
            for p, number in zip(positions, ordered, strict=True):
                numbers[p] = number
        return (kind.number, *numbers)

    def _place(self, k: int, kind: Kind, wires: tuple[int, ...]) -> None:
        groups: list[_Group] = []
        for wire, letter in zip(wires, kind.letters, strict=True):
            stack = self.stacks[wire]
            if stack and stack[-1].letter == letter and letter < OWN_LETTER:
                group = stack[-1]
                group.count += 1
                group.total += k
            else:
                self.next_group += 1
                group = _Group(letter, self.next_group, 1, k)
                stack.append(group)
            groups.append(group)
        self.latest[self._key(kind, groups)] = k

    def _join(
        self, other: int, k: int, kind: Kind, key: tuple[int, ...] | None, groups: list[_Group], wires: tuple[int, ...]
    ) -> bool:
        """Join gate k into the earlier gate `other` where that is possible. key: None for gates that groups know."""
        joined = self._combine(other, k, kind.number)
        if joined is None or (self.conditions[k] >= 0 and joined.factor != _NO_FACTOR):
            return False
        self.keep[k] = 0
        self._add_factor(joined.factor)
        if joined.opcode < 0:
            self._remove(other, key, groups, wires)
            return True
        self.changed.add(other)
        self.angles[other] = (joined.angle,) if joined.angle >= 0 else ()
        if joined.opcode != self.opcodes[other]:
            if self.opcodes[other] == _PAULI:
                self.wires[other] = wires
            self.opcodes[other] = joined.opcode
        return True

    def _remove(self, other: int, key: tuple[int, ...] | None, groups: list[_Group], wires: tuple[int, ...]) -> None:
        self.keep[other] = 0
        if key is None:
            groups[0].latest = -1
        else:
            del self.latest[key]
        for wire, group in zip(wires, groups, strict=True):
            group.count -= 1
            group.total -= other
            if not group.count:
                del self.stacks[wire][_position(self.stacks[wire], group)]
        for group in groups:
            if group.number in self.hiding:
                self._uncover(self.hiding.pop(group.number))

    def _look_below(
        self, kind: Kind, stacks: list[list[_Group]], tops: list[int]
    ) -> tuple[int, tuple[int, ...], list[_Group], list[int]]:
        """Look for a rotation about the same product from positions `tops` of the stacks downwards.

        Only rotations about commuting products on the same wires may lie above it. Returns the gate (-1: none), its
        key, its groups or those that stopped the search, and the gates above it.
        """
        above: list[int] = []
        groups: list[_Group] = []
        for depth in range(min(_LOOK_BELOW, min(tops) + 1)):
            groups = [stack[top - depth] for stack, top in zip(stacks, tops, strict=True)]
            differing = 0
            for group, letter in zip(groups, kind.letters, strict=True):
                differing += group.letter != letter
            if not differing:
                key = self._key(kind, groups)
                return self.latest.get(key, -1), key, groups, above
            if differing % 2 or not self._is_one_rotation(groups):
                break
            above.append(groups[0].total)
        return -1, (), groups, above

    def _join_below(self, k: int, kind: Kind, wires: tuple[int, ...]) -> bool:
        """Join a Pauli rotation into an earlier one below the top; where something hides it, remember what."""
        stacks = [self.stacks[w] for w in wires]
        other, key, groups, above = self._look_below(kind, stacks, [len(stack) - 1 for stack in stacks])
        if other >= 0:
            return bool(above) and self._join_and_settle(other, k, kind, key, groups, wires, above)
        self._place(k, kind, wires)
        if groups:
            hidden = _Hidden(k, kind, wires, [stack[-1] for stack in stacks])
            for group in groups:
                self.hiding.setdefault(group.number, []).append(hidden)
        return True

    def _uncover(self, hidden: list[_Hidden]) -> None:
        """See whether gates that could not look below can do so now: then another sweep joins them."""
        for gate in hidden:
            stacks = [self.stacks[w] for w in gate.wires]
            tops = [_position(stack, group) for stack, group in zip(stacks, gate.groups, strict=True)]
            if not self.keep[gate.row] or min(tops) < 0:
                continue
            blocking = [g for g in gate.groups if g.count > 1]
            if not blocking and min(tops) > 0:
                other, _, blocking, _ = self._look_below(gate.kind, stacks, [top - 1 for top in tops])
                self.uncovered |= other >= 0
            for group in blocking:
                self.hiding.setdefault(group.number, []).append(gate)

    def _is_one_rotation(self, groups: list[_Group]) -> bool:
        """Whether the groups, one a wire, hold a single Pauli rotation on just these wires."""
        row = groups[0].total
        for group in groups:
            if group.count != 1 or group.total != row:
                return False
        below = self.kinds[self.opcodes[row]]
        return below is not None and below.product and len(below.letters) == len(groups) and self.conditions[row] < 0

    def _join_and_settle(
        self,
        other: int,
        k: int,
        kind: Kind,
        key: tuple[int, ...],
        groups: list[_Group],
        wires: tuple[int, ...],
        above: list[int],
    ) -> bool:
        """Join below the top. Where both vanish, the gates above are taken again: what they rest on has changed."""
        if not self._join(other, k, kind, key, groups, wires):
            return False
        if self.keep[other]:
            return True
        for wire in wires:
            del self.stacks[wire][-len(above) :]
        for gate in reversed(above):
            kind_above = self.kinds[self.opcodes[gate]]
            assert kind_above is not None
            self._take(gate, kind_above, self.wires[gate])
        return True

    # What two gates make together

    def _vanishes(self, k: int, kind: Kind) -> bool:
        family = self.classes.families[kind.number]
        assert family is not None
        joined = self._turn(family, [(self.opcodes[k], self.angles[k][0])])
        if joined is None or joined.opcode >= 0 or (self.conditions[k] >= 0 and joined.factor != _NO_FACTOR):
            return False
        self.keep[k] = 0
        self._add_factor(joined.factor)
        return True

    def _combine(self, a: int, b: int, number: int) -> _Joined | None:
        """Gate a, then gate b, as one gate or none; None where they do not join."""
        family = self.classes.families[number]
        if family is None:
            return _Joined(-1, -1, _NO_FACTOR) if self._inverse(a, b) else None
        angle_a, angle_b = (self.angles[k][0] if self.angles[k] else -1 for k in (a, b))
        if self.opcodes[a] == self.opcodes[b] and angle_a >= 0:
            total = _sum(self.rows[angle_a], self.rows[angle_b])
            if total[3] or not self._near_full_turn_row(total):
                return _Joined(self.opcodes[a], self._row(_wrap(total, GATES[self.opcodes[a]].period)), _NO_FACTOR)
        memo = (number, self.opcodes[a], angle_a, self.opcodes[b], angle_b)
        if memo not in self.joined:
            self.joined[memo] = self._turn(family, [(self.opcodes[a], angle_a), (self.opcodes[b], angle_b)])
        return self.joined[memo]

    def _inverse(self, a: int, b: int) -> bool:
        gate = GATES[self.opcodes[a]]
        if gate.inverse != GATES[self.opcodes[b]].name:
            return False
        order = gate.inverse_order or range(gate.angles)
        sums = (add_rows(self.rows[self.angles[b][i]], self.rows[self.angles[a][at]]) for i, at in enumerate(order))
        return all(not row[3] and abs(row[0] / row[1] * np.pi + row[2]) <= self.tolerance for row in sums)

    def _turn(self, family: Family, gates: list[tuple[int, int]]) -> _Joined:
        """The turns of a family, given as (opcode, angle row or -1), as one gate."""
        turn, factor = ZERO_ROW, ZERO_ROW
        for opcode, angle in gates:
            member = family.members[opcode]
            own = self.rows[angle] if angle >= 0 else ZERO_ROW
            turn = _sum(_sum(turn, own), _pi(member.turn))
            factor = _sum(_sum(factor, own, member.slope), _pi(member.phase))
        if row_is_multiple(turn, family.phase_period, self.tolerance):
            flip = not row_is_multiple(turn, family.period, self.tolerance)
            return _Joined(-1, -1, _wrap(_sum(factor, _pi(Fraction(flip))), _TWO))
        opcodes = [opcode for opcode, _ in gates]
        alike = len(set(opcodes)) == 1 and GATES[opcodes[0]].angles
        if not (alike or turn[2] or turn[3]):
            fixed = family.fixed(Fraction(turn[0], turn[1]))
            if fixed is not None:
                turns = (Fraction(turn[0], turn[1]) - fixed.turn) / family.phase_period
                flip = turns % 2 if family.phase_period != family.period else 0
                return _Joined(fixed.opcode, -1, _wrap(_sum(factor, _pi(flip - fixed.phase)), _TWO))
        chosen = self._choose(family, opcodes, turn, factor)
        left = _wrap(_sum(factor, turn, -chosen.slope), _TWO)
        return _Joined(chosen.opcode, self._row(_wrap(turn, GATES[chosen.opcode].period)), left)

    def _choose(self, family: Family, opcodes: list[int], turn: Row, factor: Row) -> Member:
        """The gate with an angle that stands for a turn: one of those joined, else the one that leaves no phase."""
        for at, opcode in enumerate(opcodes):
            if GATES[opcode].angles and (opcode != _PAULI or at == 0):
                return family.members[opcode]
        exact = (m for m in family.turning() if _wrap(_sum(factor, turn, -m.slope), _TWO) == ZERO_ROW)
        return next(exact, family.members[family.leader])

    def _row(self, row: Row) -> int:
        if not self.row_index:
            for number, known in enumerate(self.rows):
                self.row_index.setdefault(known, number)
        number = self.row_index.setdefault(row, len(self.rows))
        if number == len(self.rows):
            self.rows.append(row)
            self.near_full_turn.append(False)
        return number

    def _add_factor(self, factor: Row) -> None:
        if factor != _NO_FACTOR:
            self.factors[factor] = self.factors.get(factor, 0) + 1

    # The circuit that is left

    def result(self) -> Circuit:
        """The circuit of the gates that are left; the same object where nothing changed."""
        circuit = self.circuit
        if not self.changed and all(self.keep):
            return circuit
        keep = np.frombuffer(self.keep, bool)
        phase = self.rows[circuit.phase] if circuit.phase >= 0 else ZERO_ROW
        for factor, times in self.factors.items():
            phase = add_rows(phase, factor, times)
        phase = _wrap(phase, _TWO)
        phase_row = self._row(phase) if phase != ZERO_ROW else -1
        left = circuit.select(keep)
        if self.changed:
            payload = circuit.payload.copy()
            payload[[k for k in self.changed if self.opcodes[k] != _PAULI]] = -1
            wires, wire_ptr = _columns(self.wires, keep)
            angle_rows, angle_ptr = _columns(self.angles, keep)
            left = left.with_(
                opcode=np.array(self.opcodes, np.uint8)[keep],
                payload=payload[keep],
                wires=wires,
                wire_ptr=wire_ptr,
                angle_rows=angle_rows,
                angle_ptr=angle_ptr,
            )
        angles = circuit.angles if len(self.rows) == len(circuit.angles) else AngleTable.from_rows(self.rows)
        return left.with_(angles=angles, phase=phase_row)


def _shared(groups: Iterable[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """The groups, equal ones as one object."""
    known: dict[tuple[int, ...], tuple[int, ...]] = {}
    return [known.setdefault(group, group) for group in groups]


def _position(stack: list[_Group], group: _Group) -> int:
    """Where a group, most likely near the top, is in a stack; -1 where it is not."""
    at = len(stack) - 1
    while at >= 0 and stack[at] is not group:
        at -= 1
    return at


def _sum(a: Row, b: Row, factor: Fraction | int = 1) -> Row:
    """`add_rows(a, b, factor)`, without arithmetic on the parts that are zero."""
    if not factor or b == ZERO_ROW:
        return a
    if factor != 1 or (a[3] and b[3]):
        return add_rows(a, b, factor)
    if a[0] and b[0]:
        part = Fraction(a[0], a[1]) + Fraction(b[0], b[1])
        num, den = part.numerator, part.denominator
    else:
        num, den = a[:2] if a[0] else b[:2]
    return (num, den, a[2] + b[2] + 0.0, a[3] or b[3])


def _pi(multiple: Fraction) -> Row:
    return (multiple.numerator, multiple.denominator, 0.0, ())


def _wrap(row: Row, period: Fraction) -> Row:
    """The row with its multiple of pi brought into (-period/2, period/2]."""
    if not row[0]:
        return row
    if row[1] * period.numerator >= 2 * abs(row[0]) * period.denominator and 2 * row[0] != -row[1] * period:
        return row
    part = Fraction(row[0], row[1]) % period
    part = part - period if part > period / 2 else part
    return (part.numerator, part.denominator, row[2], row[3])


def _columns(groups: list[tuple[int, ...]], keep: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    kept = [group for group, stays in zip(groups, keep.tolist(), strict=True) if stays]
    ptr = np.zeros(len(kept) + 1, np.int32)
    np.cumsum(np.fromiter(map(len, kept), np.int64, len(kept)), out=ptr[1:])
    return np.fromiter(chain.from_iterable(kept), np.int32, int(ptr[-1])), ptr
