"""Fewer layers of two-qubit gates by the order of gates that commute.

On every wire the gates form runs that share a Pauli letter; the gates of a run commute there, so a gate is free to come
as soon as the runs before its own are done on all its wires. A list scheduler fills one layer of two-qubit gates after
the other with free gates, once those first that most gates wait for, and once in the order of an edge colouring of the
gates that commute. The better order stays if it beats the given one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import repeat
from typing import ClassVar

import numpy as np

from ...ir import Circuit, Module
from ...ir.circuit import GateRow, split_groups
from ...ir.conditions import bits_of
from ...ir.gates import GATES, OPCODES
from ..synthesis.edge_colouring import edge_colours
from .base import Context, Contract, Pass
from .row_walks import wire_runs

_BARRIER = OPCODES["barrier"]
_AXES = [gate.axes for gate in GATES]
_MOST_COLOURED = 5_000
"""Circuits with more gates are not tried in the order of a colouring."""
_MOST_LOOKED_AT = 3_000_000
"""Free gates looked at for one circuit before its order is kept as it is."""


@dataclass(frozen=True)
class ScheduleCommuting(Pass):
    """Reorder commuting gates for the least depth of two-qubit gates.

    Where qubits have to move, the order stays, since it says which ones meet next: there the portfolio tries both.
    """

    name: ClassVar[str] = "schedule-commuting"
    contract: ClassVar[Contract] = Contract.UNITARY
    settles: ClassVar[bool] = True
    most_gates: int = 100_000
    """circuits with more gates are left as they are; a twentieth of it at effort `fast`"""

    def run(self, module: Module, context: Context) -> Module:
        """Every circuit in an order of lower depth; the same object where none is found."""
        if context.services is not None and not context.services.couples_all:
            return module
        circuits = dict(module.circuits)
        most = self.most_gates // 20 if context.effort == "fast" else self.most_gates
        for name, before in module.circuits.items():
            if len(before) > most:
                context.remark(self, f"circuit {name} keeps its order: more than {most} gates", before.place)
                continue
            circuits[name] = scheduled(before)
            if circuits[name] is not before:
                (all_old, old), (all_new, new) = before.depths, circuits[name].depths
                message = f"circuit {name}: depth of two-qubit gates {old} -> {new}"
                context.remark(self, message, before.place, two_qubit_depth=old - new, depth=all_old - all_new)
        changed = any(circuits[name] is not c for name, c in module.circuits.items())
        return module.with_(circuits=circuits) if changed else module


def scheduled(circuit: Circuit) -> Circuit:
    """The circuit in an order of lower depth of two-qubit gates, or of the same with a lower depth of all gates."""
    if not _commute_somewhere(circuit):
        return circuit
    plan = _Plan(circuit)
    best, least = circuit, circuit.depths[::-1]
    if plan.longest() >= least[0]:
        return circuit
    for order in (plan.by_waiting, plan.by_colour)[: 1 if len(circuit) > _MOST_COLOURED else 2]:
        rows = plan.order(order) if least[0] > plan.longest() else None
        if rows is None:
            continue
        found = circuit.with_rows(rows)
        if found.depths[::-1] < least:
            best, least = found, found.depths[::-1]
    return best


def _commute_somewhere(circuit: Circuit) -> bool:
    """Whether two gates on several qubits are in one run of a wire: otherwise their order is what it is."""
    letters = [""] * circuit.num_qubits
    holds_pair = [False] * circuit.num_qubits
    for opcode, payload, wires in zip(
        circuit.opcode.tolist(), circuit.payload.tolist(), split_groups(circuit.wire_ptr, circuit.wires), strict=True
    ):
        axes = circuit.payloads[payload] if payload >= 0 else _AXES[opcode] or "-" * len(wires)
        pair = len(wires) >= 2 and opcode != _BARRIER
        for wire, letter in zip(wires or range(circuit.num_qubits), axes or repeat("-"), strict=False):
            if letter == "I":
                continue
            if letter != letters[wire] or letter == "-":
                letters[wire], holds_pair[wire] = letter, pair
            elif pair and holds_pair[wire]:
                return True
            else:
                holds_pair[wire] |= pair
    return False


class _Plan:
    """The runs of a circuit's wires, qubits first and then classical bits, as columns with an entry a run.

    after: the run that follows on the wire (-1: none). pairs: its two-qubit gates. tail: the most layers that may
    follow it. least: the fewest layers from its start on.
    """

    def __init__(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self.rows = circuit.rows()
        pairs = (np.diff(circuit.wire_ptr) >= 2) & (circuit.opcode != _BARRIER)
        self.is_pair: list[bool] = pairs.tolist()
        runs = wire_runs(circuit, self._bits())
        run = runs.run - 1
        self.count = int(run.max(initial=-1)) + 1
        self.runs_of = list(split_groups(_pointers(runs.row, len(circuit)), run))
        order = np.argsort(run, kind="stable")
        self.members = list(split_groups(_pointers(run[order], self.count), runs.row[order]))
        self.pairs: list[int] = np.bincount(run, pairs[runs.row], self.count).astype(int).tolist()
        wire = np.full(self.count + 1, -1)
        wire[run] = runs.wire
        self.after: list[int] = np.where(wire[1:] == wire[:-1], np.arange(1, self.count + 1), -1).tolist()
        self.tail = [0] * self.count
        self.least = [0] * self.count
        self.pairs_left = self.pairs
        self._look_ahead()

    def _bits(self) -> list[tuple[int, int, str]]:
        """(row, wire, letter) for the classical bits that the rows read, which commutes, and write."""
        circuit = self.circuit
        first, found = circuit.num_qubits, []
        for k in np.flatnonzero((circuit.condition >= 0) | (np.diff(circuit.clbit_ptr) > 0)).tolist():
            row = self.rows[k]
            read = bits_of(circuit.conditions[row.condition]) if row.condition >= 0 else ()
            found += [(k, first + b, "Z") for b in dict.fromkeys(read) if b not in row.clbits]
            found += [(k, first + b, "-") for b in row.clbits]
        return found

    def _look_ahead(self) -> None:
        after, pairs, tails, leasts = self.after, self.pairs, self.tail, self.least
        for k in range(len(self.rows) - 1, -1, -1):
            own = self.runs_of[k]
            tail = least = 0
            for run in own:
                behind = after[run]
                if behind >= 0:
                    tail = max(tail, pairs[behind] + tails[behind])
                    least = max(least, leasts[behind])
            least += self.is_pair[k]
            for run in own:
                if tail > tails[run]:
                    tails[run] = tail
                if least > leasts[run]:
                    leasts[run] = least
                if self.members[run][0] == k:
                    behind = after[run]
                    leasts[run] = max(leasts[run], pairs[run] + (leasts[behind] if behind >= 0 else 0))

    def levels(self) -> list[int]:
        """A number for every gate; those with one number commute, and none has to come after one with a larger."""
        level = [-1] * self.count
        found: list[int] = []
        before = [-1] * self.count
        for run, behind in enumerate(self.after):
            if behind >= 0:
                before[behind] = run
        for own in self.runs_of:
            for run in own:
                if level[run] < 0:
                    level[run] = level[before[run]] + 1 if before[run] >= 0 else 0
            found.append(max([level[run] for run in own], default=0))
            for run in own:
                level[run] = found[-1]
        return found

    def longest(self) -> int:
        """Layers that no order goes below."""
        return max(self.least, default=0)

    # Which free gate first

    def by_waiting(self) -> Callable[[int], tuple[int, ...]]:
        """First the gates with the most layers still to come on one of their wires."""
        return lambda k: (-max([self.pairs_left[run] + self.tail[run] for run in self.runs_of[k]]), k)

    def by_colour(self) -> Callable[[int], tuple[int, ...]]:
        """Commuting gates by the colours of their edges."""
        levels = self.levels()
        members: dict[int, list[int]] = {}
        for k, level in enumerate(levels):
            if self.is_pair[k]:
                members.setdefault(level, []).append(k)
        colours = [0] * len(self.rows)
        for gates in members.values():
            pairs = [k for k in gates if len(self.rows[k].wires) == 2]
            edges = [(self.rows[k].wires[0], self.rows[k].wires[1]) for k in pairs]
            for k, colour in zip(pairs, edge_colours(edges), strict=True):
                colours[k] = colour
        return lambda k: (levels[k], colours[k], k)

    def order(self, rule: Callable[[], Callable[[int], tuple[int, ...]]]) -> list[GateRow] | None:
        """All gates, layer by layer; None where that would take too long."""
        scheduler = _Scheduler(self, rule())
        return [self.rows[k] for k in scheduler.done] if scheduler.run() else None


class _Scheduler:
    """Puts free gates in order: at once those that take no layer, the others layer by layer, by their key."""

    def __init__(self, plan: _Plan, key: Callable[[int], tuple[int, ...]]) -> None:
        self.plan = plan
        self.key = key
        self.done: list[int] = []
        self.now: deque[int] = deque()
        self.free: list[int] = []
        self.waits = [len(own) for own in plan.runs_of]
        """for how many runs each gate waits"""
        self.left = [len(own) for own in plan.members]
        """how many gates of each run are not in order yet"""

    def run(self) -> bool:
        """Whether all gates are in order."""
        plan = self.plan
        plan.pairs_left = plan.pairs.copy()
        self.now += (k for k, own in enumerate(plan.runs_of) if not own)
        behind = set(plan.after)
        for run in range(plan.count):
            if run not in behind:
                self._open(run)
        looked_at = 0
        while self.now or self.free:
            while self.now:
                self._emit(self.now.popleft())
            looked_at += len(self.free)
            if looked_at > _MOST_LOOKED_AT:
                return False
            for k in self._layer():
                self._emit(k)
        return True

    def _layer(self) -> list[int]:
        """The free two-qubit gates of the next layer."""
        busy: set[int] = set()
        chosen: list[int] = []
        later: list[int] = []
        for k in sorted(self.free, key=self.key):
            wires = self.plan.rows[k].wires
            if busy.isdisjoint(wires):
                busy.update(wires)
                chosen.append(k)
            else:
                later.append(k)
        self.free = later
        return chosen

    def _open(self, run: int) -> None:
        for k in self.plan.members[run]:
            self.waits[k] -= 1
            if not self.waits[k]:
                (self.free if self.plan.is_pair[k] else self.now).append(k)

    def _emit(self, k: int) -> None:
        plan = self.plan
        self.done.append(k)
        for run in plan.runs_of[k]:
            self.left[run] -= 1
            plan.pairs_left[run] -= plan.is_pair[k]
            if not self.left[run] and plan.after[run] >= 0:
                self._open(plan.after[run])


def _pointers(groups: np.ndarray, count: int) -> np.ndarray:
    """Where each of `count` groups begins, for sorted group numbers."""
    return np.concatenate([[0], np.cumsum(np.bincount(groups, minlength=count))]).astype(np.int64)
