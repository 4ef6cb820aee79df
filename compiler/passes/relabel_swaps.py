"""Swaps taken out by renaming the qubits of everything behind them, readouts included.

A swap is written as one, as part of an iswap (s on both qubits, cz, swap), or hidden in two controlled-not gates the
other way round: cx(a, b) cx(b, a) is cx(b, a) and a swap. Gates between the two that commute with one of them by their
axes do not matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...ir import Circuit, Module
from ...ir.circuit import GateRow
from ...ir.gates import GATES, OPCODES
from ..synthesis.templates import without_unused_rows
from .base import Context, Contract, Pass
from .rewrites import readouts, relabelled
from .row_walks import Runs, wire_runs

_CX, _CZ, _S, _SWAP, _ISWAP = (OPCODES[n] for n in ("cx", "cz", "s", "swap", "iswap"))
_SWAPS = np.array([gate.name in ("swap", "iswap") for gate in GATES])
_MOST_SWEEPS = 4


@dataclass(frozen=True)
class RelabelSwaps(Pass):
    """Remove swaps by reading and using other qubits from there on."""

    name: ClassVar[str] = "relabel-swaps"
    contract: ClassVar[Contract] = Contract.DISTRIBUTION

    def run(self, module: Module, context: Context) -> Module:
        """Every circuit that is read, without unconditioned swaps; the readouts follow."""
        circuits = dict(module.circuits)
        places: dict[str, dict[int, int]] = {}
        for name in readouts(module):
            before = circuits[name]
            circuits[name], where = without_swaps(before)
            if circuits[name] is not before:
                places[name] = dict(enumerate(where))
                self._report(before, circuits[name], context)
        return relabelled(module.with_(circuits=circuits), places) if places else module

    def _report(self, before: Circuit, after: Circuit, context: Context) -> None:
        pairs = int((np.diff(before.wire_ptr) >= 2).sum() - (np.diff(after.wire_ptr) >= 2).sum())
        message = f"circuit {before.name}: swaps are taken out by renaming qubits; {pairs} two-qubit gates fewer"
        context.remark(self, message, before.place, gates=len(before) - len(after), two_qubit_gates=pairs)


def without_swaps(circuit: Circuit) -> tuple[Circuit, list[int]]:
    """The circuit without swaps, and where each of its qubits is at the end; the same object where there is none."""
    where = list(range(circuit.num_qubits))
    if not _may_hold_swaps(circuit):
        return circuit, where
    circuit = _without_iswaps(circuit)
    for sweep in range(_MOST_SWEEPS):
        edit = _Edit(circuit)
        edit.take_swaps()
        edit.take_pairs(wire_runs(circuit), cancel=sweep > 0)
        if edit.keep.all():
            break
        circuit, moved = edit.result()
        where = [moved[q] for q in where]
    return circuit, where


def _may_hold_swaps(circuit: Circuit) -> bool:
    free = circuit.condition < 0
    if (_SWAPS[circuit.opcode] & free).any():
        return True
    first = circuit.wire_ptr[:-1][(circuit.opcode == _CX) & free]
    controls, targets = circuit.wires[first].astype(np.int64), circuit.wires[first + 1].astype(np.int64)
    width = circuit.num_qubits
    return len(first) > 1 and bool(np.isin(controls * width + targets, targets * width + controls).any())


def _without_iswaps(circuit: Circuit) -> Circuit:
    """Every free iswap as s on both qubits, cz and a swap."""
    if not ((circuit.opcode == _ISWAP) & (circuit.condition < 0)).any():
        return circuit
    rows: list[GateRow] = []
    for row in circuit.rows():
        if row.opcode != _ISWAP or row.condition >= 0:
            rows.append(row)
            continue
        rows += (row._replace(opcode=_S, wires=(w,)) for w in row.wires)
        rows += (row._replace(opcode=_CZ), row._replace(opcode=_SWAP))
    return circuit.with_rows(rows)


class _Edit:
    """Which gates stay, their wires, and after which of them two wires change places."""

    def __init__(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self.keep = np.ones(len(circuit), bool)
        self.wires = circuit.wires.copy()
        self.location = circuit.location.copy()
        self.swapped: list[int] = []
        self.free = circuit.condition < 0

    def take_swaps(self) -> None:
        """Take out the gates that are swaps."""
        found = np.flatnonzero((self.circuit.opcode == _SWAP) & self.free)
        self.keep[found] = False
        self.swapped += found.tolist()

    def take_pairs(self, runs: Runs, cancel: bool) -> None:
        """Take out one of two cx the other way round that meet; with `cancel`, both of two equal ones that meet.

        Gate i meets a later gate j where their runs follow each other on both wires, and either nothing else of the
        run of j comes before it (then i can move to it), or nothing else of the run of i behind (then j can move).
        """
        rows = np.flatnonzero((self.circuit.opcode == _CX) & self.free)
        at = np.searchsorted(runs.row, rows)
        control, target = runs.run[at], runs.run[at + 1]
        both_first, both_last = (end[at] & end[at + 1] for end in (runs.first, runs.last))
        if cancel:
            self._cancel(rows, control, target)
        size = int(runs.run.max(initial=0)) + 2
        behind, before = (control + 1) * size + target + 1, target * size + control
        meeting = np.flatnonzero(np.isin(behind, before))
        earlier = dict(zip(behind[meeting].tolist(), meeting.tolist(), strict=True))
        busy = [-1] * self.circuit.num_qubits
        for k in np.flatnonzero(np.isin(before, behind)).tolist():
            i, j = earlier[int(before[k])], k
            a, b = (int(w) for w in runs.wire[at[i] : at[i] + 2])
            if runs.wire[at[j]] != b or runs.wire[at[j] + 1] != a or rows[i] <= max(busy[a], busy[b]):
                continue
            if not (both_first[j] or both_last[i]) or not (self.keep[rows[i]] and self.keep[rows[j]]):
                continue
            busy[a] = busy[b] = int(rows[j])
            self._join(int(rows[i]), int(rows[j]), bool(both_first[j]))

    def _join(self, i: int, j: int, at_j: bool) -> None:
        """cx(a, b) in row i and cx(b, a) in row j: cx(b, a) and a swap, in the place of one of them."""
        start = self.circuit.wire_ptr
        if at_j:
            self.location[j] = self.location[i]
        else:
            self.wires[start[i] : start[i] + 2] = self.wires[start[j] : start[j] + 2]
        self.keep[i if at_j else j] = False
        self.swapped.append(j if at_j else i)

    def _cancel(self, rows: np.ndarray, control: np.ndarray, target: np.ndarray) -> None:
        """Two equal cx in the same runs undo each other."""
        order = np.lexsort((rows, target, control))
        if not len(order):
            return
        fresh = np.ones(len(order), bool)
        fresh[1:] = (np.diff(control[order]) != 0) | (np.diff(target[order]) != 0)
        starts = np.flatnonzero(fresh)
        second = (np.arange(len(order)) - starts[np.cumsum(fresh) - 1]) % 2 == 1
        self.keep[rows[order[second]]] = False
        self.keep[rows[order[np.flatnonzero(second) - 1]]] = False

    def result(self) -> tuple[Circuit, list[int]]:
        """The circuit with renamed wires, and where each wire is at the end."""
        circuit = self.circuit
        at = np.arange(circuit.num_qubits, dtype=np.int32)
        wires, start = self.wires.copy(), 0
        for row in sorted(self.swapped):
            first, stop = int(circuit.wire_ptr[row]), int(circuit.wire_ptr[row + 1])
            wires[start:stop] = at[self.wires[start:stop]]
            pair = self.wires[first:stop]
            at[pair] = at[pair[::-1]]
            start = stop
        wires[start:] = at[self.wires[start:]]
        changed = circuit.with_(wires=wires, location=self.location)
        return without_unused_rows(changed.select(self.keep)), at.tolist()
