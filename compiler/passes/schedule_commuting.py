"""Fewer layers of two-qubit gates by the order of gates that commute.

On every wire the gates form runs that share a Pauli letter; the gates of a run commute there, so a gate is free to come
as soon as the runs before its own are done on all its wires. A list scheduler fills one layer of two-qubit gates after
the other with free gates, once those first that most gates wait for, and once in the order of an edge colouring of the
gates that commute. The better order stays if it beats the given one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from ...ir import Circuit, Module
from ...ir.circuit import GateRow
from ...ir.conditions import bits_of
from ...ir.gates import GATES, OPCODES
from ..synthesis.edge_colouring import edge_colours
from .base import Context, Contract, Pass
from .row_walks import lettered

_BARRIER = OPCODES["barrier"]
_READ = "R"
"""The letter of a classical bit in a gate that only reads it."""
_MOST_COLOURED = 5_000
"""Circuits with more gates are not tried in the order of a colouring."""
_MOST_LOOKED_AT = 3_000_000
"""Free gates looked at for one circuit before its order is kept as it is."""


@dataclass(frozen=True)
class ScheduleCommuting(Pass):
    """Reorder commuting gates for the least depth of two-qubit gates."""

    name: ClassVar[str] = "schedule-commuting"
    contract: ClassVar[Contract] = Contract.UNITARY
    most_gates: int = 20_000
    """circuits with more gates are left as they are"""

    def run(self, module: Module, context: Context) -> Module:
        """Every circuit in an order of lower depth; the same object where none is found."""
        circuits = dict(module.circuits)
        for name, before in module.circuits.items():
            if len(before) > self.most_gates:
                context.remark(self, f"circuit {name} keeps its order: more than {self.most_gates} gates", before.place)
                continue
            circuits[name] = scheduled(before)
            if circuits[name] is not before:
                old, new = before.costs(), circuits[name].costs()
                saved = {key: old[key] - new[key] for key in ("two_qubit_depth", "depth")}
                depths = f"{old['two_qubit_depth']} -> {new['two_qubit_depth']}"
                context.remark(self, f"circuit {name}: depth of two-qubit gates {depths}", before.place, **saved)
        changed = any(circuits[name] is not c for name, c in module.circuits.items())
        return module.with_(circuits=circuits) if changed else module


def scheduled(circuit: Circuit) -> Circuit:
    """The circuit in an order of lower depth of two-qubit gates, or of the same with a lower depth of all gates."""
    if int(((np.diff(circuit.wire_ptr) >= 2) & (circuit.opcode != _BARRIER)).sum()) < 2:
        return circuit
    plan = _Plan(circuit)
    best, least = circuit, _depths(circuit)
    if plan.longest() >= least[0]:
        return circuit
    for order in (plan.by_waiting, plan.by_colour)[: 1 if len(circuit) > _MOST_COLOURED else 2]:
        rows = plan.order(order) if least[0] > plan.longest() else None
        if rows is None:
            continue
        found = circuit.with_rows(rows)
        if _depths(found) < least:
            best, least = found, _depths(found)
    return best


def _depths(circuit: Circuit) -> tuple[int, int]:
    costs = circuit.costs()
    return costs["two_qubit_depth"], costs["depth"]


@dataclass(slots=True)
class _Run:
    """Gates in a row on one wire that commute there.

    after: the run that follows. pairs: its two-qubit gates. tail: the most layers that may follow it. least: the fewest
    layers from here on. level: how many runs come before it. first: whether none does. left, pairs_left: the gates that
    are not in the new order yet.
    """

    letter: str
    members: list[int] = field(default_factory=list)
    after: _Run | None = None
    pairs: int = 0
    tail: int = 0
    least: int = 0
    level: int = 0
    first: bool = False
    left: int = 0
    pairs_left: int = 0


class _Plan:
    """The runs of a circuit's wires, qubits first and then classical bits."""

    def __init__(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self.rows = circuit.rows()
        self.is_pair: list[bool] = ((np.diff(circuit.wire_ptr) >= 2) & (circuit.opcode != _BARRIER)).tolist()
        self.runs_of: list[list[_Run]] = []
        self.levels: list[int] = []
        self._make_runs()
        self._look_ahead()

    def _make_runs(self) -> None:
        newest: list[_Run | None] = [None] * (self.circuit.num_qubits + self.circuit.num_clbits)
        plain = [gate.axes if gate.matrix is not None else None for gate in GATES]
        for k, (row, is_pair) in enumerate(zip(self.rows, self.is_pair, strict=True)):
            wires, axes = row.wires, plain[row.opcode]
            if axes is None or row.condition >= 0:
                wires, axes = self._lettered(row)
            own: list[_Run] = []
            level = 0
            for wire, letter in zip(wires, axes, strict=True):
                run = newest[wire]
                if run is None or run.letter != letter or letter == "-":
                    run = newest[wire] = _follow(run, letter)
                run.members.append(k)
                run.pairs += is_pair
                own.append(run)
                if run.level > level:
                    level = run.level
            for run in own:
                run.level = level
            self.runs_of.append(own)
            self.levels.append(level)

    def _look_ahead(self) -> None:
        for k in range(len(self.rows) - 1, -1, -1):
            own = self.runs_of[k]
            tail = least = 0
            for run in own:
                if run.after is not None:
                    tail = max(tail, run.after.pairs + run.after.tail)
                    least = max(least, run.after.least)
            least += self.is_pair[k]
            for run in own:
                run.tail, run.least = max(run.tail, tail), max(run.least, least)
                if run.members[0] == k:
                    run.least = max(run.least, run.pairs + (run.after.least if run.after else 0))

    def _lettered(self, row: GateRow) -> tuple[tuple[int, ...], str]:
        """The wires of a row, classical bits included, and a letter on each.

        Gates with one letter on a wire commute there; "-" commutes with nothing.
        """
        circuit = self.circuit
        if row.opcode == _BARRIER:
            wires = row.wires or tuple(range(circuit.num_qubits + circuit.num_clbits))
            return wires, "-" * len(wires)
        wires, axes = lettered(circuit, row)
        read = bits_of(circuit.conditions[row.condition]) if row.condition >= 0 else ()
        read = tuple(circuit.num_qubits + b for b in dict.fromkeys(read) if b not in row.clbits)
        written = tuple(circuit.num_qubits + b for b in row.clbits)
        return wires + read + written, axes + _READ * len(read) + "-" * len(written)

    def longest(self) -> int:
        """Layers that no order goes below."""
        return max((run.least for own in self.runs_of for run in own), default=0)

    # Which free gate first

    def by_waiting(self) -> Callable[[int], tuple[int, ...]]:
        """First the gates with the most layers still to come on one of their wires."""
        return lambda k: (-max(run.pairs_left + run.tail for run in self.runs_of[k]), k)

    def by_colour(self) -> Callable[[int], tuple[int, ...]]:
        """Commuting gates by the colours of their edges."""
        members: dict[int, list[int]] = {}
        for k, level in enumerate(self.levels):
            if self.is_pair[k]:
                members.setdefault(level, []).append(k)
        colours = [0] * len(self.rows)
        for gates in members.values():
            pairs = [k for k in gates if len(self.rows[k].wires) == 2]
            edges = [(self.rows[k].wires[0], self.rows[k].wires[1]) for k in pairs]
            for k, colour in zip(pairs, edge_colours(edges), strict=True):
                colours[k] = colour
        return lambda k: (self.levels[k], colours[k], k)

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

    def run(self) -> bool:
        """Whether all gates are in order."""
        first: list[_Run] = []
        for k, own in enumerate(self.plan.runs_of):
            if not own:
                self.now.append(k)
            for run in own:
                if run.members[0] == k:
                    run.left, run.pairs_left = len(run.members), run.pairs
                    first += [run] * run.first
        for run in first:
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

    def _open(self, run: _Run) -> None:
        for k in run.members:
            self.waits[k] -= 1
            if not self.waits[k]:
                (self.free if self.plan.is_pair[k] else self.now).append(k)

    def _emit(self, k: int) -> None:
        self.done.append(k)
        for run in self.plan.runs_of[k]:
            run.left -= 1
            run.pairs_left -= self.plan.is_pair[k]
            if not run.left and run.after is not None:
                self._open(run.after)


def _follow(run: _Run | None, letter: str) -> _Run:
    new = _Run(letter, first=run is None)
    if run is not None:
        run.after, new.level = new, run.level + 1
    return new
