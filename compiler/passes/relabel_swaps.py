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
from ...ir.gates import OPCODES
from .base import Context, Contract, Pass
from .rewrites import readouts, relabelled
from .row_walks import lettered

_CX, _CZ, _S, _SWAP, _ISWAP, _BARRIER = (OPCODES[n] for n in ("cx", "cz", "s", "swap", "iswap", "barrier"))
_MOST_SWEEPS = 8


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
        old, new = before.costs(), after.costs()
        pairs = old["two_qubit_gates"] - new["two_qubit_gates"]
        message = f"circuit {before.name}: swaps are taken out by renaming qubits; {pairs} two-qubit gates fewer"
        context.remark(self, message, before.place, gates=old["gates"] - new["gates"], two_qubit_gates=pairs)


def without_swaps(circuit: Circuit) -> tuple[Circuit, list[int]]:
    """The circuit without swaps, and where each of its qubits is at the end; the same object where there is none."""
    where = list(range(circuit.num_qubits))
    if not _may_hold_swaps(circuit):
        return circuit, where
    for _ in range(_MOST_SWEEPS):
        sweep = _Sweep(circuit)
        if not sweep.run():
            break
        circuit, moved = sweep.result()
        where = [moved[q] for q in where]
        if not sweep.met:
            break
    return circuit, where


def _may_hold_swaps(circuit: Circuit) -> bool:
    free = circuit.condition < 0
    if (np.isin(circuit.opcode, (_SWAP, _ISWAP)) & free).any():
        return True
    first = circuit.wire_ptr[:-1][(circuit.opcode == _CX) & free]
    controls, targets = circuit.wires[first].astype(np.int64), circuit.wires[first + 1].astype(np.int64)
    width = circuit.num_qubits
    return bool(np.isin(controls * width + targets, targets * width + controls).any())


@dataclass(slots=True)
class _Run:
    """The newest run of gates on a wire that share a letter, and the run before it; `last` is the last gate of each."""

    number: int = 0
    letter: str = ""
    last: int = -1
    number_before: int = -1
    last_before: int = -1


class _Sweep:
    """One pass over the gates: which of them go, which change, and after which of them two wires change places."""

    def __init__(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self.rows = circuit.rows()
        self.runs = [_Run() for _ in range(circuit.num_qubits)]
        self.next_number = 1
        self.latest: dict[tuple[int, ...], tuple[int, int, int]] = {}
        self.new: dict[int, tuple[GateRow, ...]] = {}
        self.swapped: dict[int, tuple[int, ...]] = {}
        self.met = False  # whether two gates met: then others may meet in the next sweep

    def run(self) -> bool:
        """Whether there is anything to do."""
        for k, row in enumerate(self.rows):
            plain = row.condition < 0
            if plain and row.opcode == _CX and self._meets(k, row):
                self.met = True
                continue
            if plain and row.opcode in (_SWAP, _ISWAP):
                self._swap(k, row)
            self._place(k, row)
        return bool(self.new)

    def _swap(self, k: int, row: GateRow) -> None:
        self.swapped[k] = row.wires
        turns = (row._replace(opcode=_S, wires=(w,)) for w in row.wires)
        self.new[k] = (*turns, row._replace(opcode=_CZ)) if row.opcode == _ISWAP else ()

    def _place(self, k: int, row: GateRow) -> None:
        wires, axes = lettered(self.circuit, row)
        if row.opcode == _BARRIER:
            wires = wires or tuple(range(self.circuit.num_qubits))
            axes = "-" * len(wires)
        for wire, letter in zip(wires, axes, strict=True):
            run = self.runs[wire]
            if run.letter != letter or letter == "-":
                self._start(run, letter)
            run.last = k
        if row.opcode == _CX and row.condition < 0:
            control, target = wires
            self.latest[wires] = (k, self.runs[control].number, self.runs[target].number)

    def _start(self, run: _Run, letter: str) -> None:
        run.number_before, run.last_before = run.number, run.last
        run.number, run.letter, run.last = self.next_number, letter, -1
        self.next_number += 1

    def _meets(self, k: int, row: GateRow) -> bool:
        """Whether gate k, a cx, meets an earlier one on the same wires; both are dealt with then."""
        b, a = row.wires
        i, run_b, run_a = self.latest.get((b, a), (-1, -1, -1))
        if i >= 0 and self.runs[a].number == run_a and self.runs[b].number == run_b:
            self.new[i] = self.new[k] = ()
            del self.latest[b, a]
            return True
        i, run_a, run_b = self.latest.get((a, b), (-1, -1, -1))
        if i < 0:
            return False
        if self.runs[a].number == run_a and self.runs[b].number == run_b:
            self.new[i], self.new[k] = (), (row._replace(location=self.rows[i].location),)
            self.swapped[k] = row.wires
        elif self._reaches(i, run_a, a, "X") and self._reaches(i, run_b, b, "Z"):
            self.new[i], self.new[k] = (self.rows[i]._replace(wires=row.wires),), ()
            self.swapped[i] = row.wires
        else:
            return False
        del self.latest[a, b]
        for wire, number in ((a, run_a), (b, run_b)):
            if self.runs[wire].number == number:
                self._start(self.runs[wire], "")
            self.runs[wire].number_before = -1
        return True

    def _reaches(self, i: int, number: int, wire: int, letter: str) -> bool:
        """Whether all gates on a wire behind gate i, which is in run `number`, share `letter`."""
        run = self.runs[wire]
        if run.number == number:
            return run.last == i
        return run.letter == letter and run.number_before == number and run.last_before == i

    def result(self) -> tuple[Circuit, list[int]]:
        """The circuit with renamed wires, and where each wire is at the end."""
        at = list(range(self.circuit.num_qubits))
        rows: list[GateRow] = []
        for k, old in enumerate(self.rows):
            rows += [row._replace(wires=tuple([at[w] for w in row.wires])) for row in self.new.get(k, (old,))]
            if k in self.swapped:
                a, b = self.swapped[k]
                at[a], at[b] = at[b], at[a]
        return self.circuit.with_rows(rows).compacted(), at
