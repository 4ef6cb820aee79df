"""gather-pairs: gates on one pair of qubits come to stand together, so that they can be fused as one block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...ir import Circuit, Module
from ...ir.circuit import GateRow
from .base import Context, Contract, Pass


@dataclass(frozen=True)
class GatherPairs(Pass):
    """Move gates on a pair of qubits next to earlier ones on that pair, through gates that they commute with.

    Rotations that share a readout qubit (Z0*X4, Z1*X4, X0*X4, X1*X4, ...) become one block a pair, which takes two CX
    however many rotations it holds. One sweep, in time linear in the gates.
    """

    name: ClassVar[str] = "gather-pairs"
    contract: ClassVar[Contract] = Contract.UNITARY

    def run(self, module: Module, context: Context) -> Module:
        """Every circuit with its gates in another order; the same object where none moves."""
        circuits = {name: gather(circuit) for name, circuit in module.circuits.items()}
        for name, circuit in module.circuits.items():
            if circuits[name] is not circuit:
                message = f"circuit {circuit.name}: {_pairs(circuit)} -> {_pairs(circuits[name])} runs of one pair"
                context.remark(self, message, circuit.place)
        if all(circuits[name] is circuit for name, circuit in module.circuits.items()):
            return module
        return module.with_(circuits=circuits)


@dataclass(slots=True, eq=False)
class _Block:
    """Rows on one pair of wires that stand together. Whatever stands behind the block on wire `w` was the gate number
    `end[w]` of that wire, or a later one, in the order in which the circuit was written."""

    rows: list[int]
    end: dict[int, int]


class _Sweep:
    """Takes the rows in order. A run of a wire is its longest row of last gates that share a Pauli letter there; a gate
    with that letter commutes with them, so it reaches a block that only gates of the runs of its wires stand behind."""

    def __init__(self, circuit: Circuit) -> None:
        self.letters = _Letters(circuit)
        self.items: list[list[int]] = []
        self.blocks: dict[tuple[int, ...], _Block] = {}
        self.count = [0] * circuit.num_qubits
        self.letter = ["-"] * circuit.num_qubits
        self.begin = [0] * circuit.num_qubits
        self.last: list[_Block | None] = [None] * circuit.num_qubits

    def take(self, number: int, row: GateRow) -> None:
        """Put row `number` into the block that it reaches, or at the end."""
        letters = self.letters.of(row)
        block = self._reached(row, letters) if letters else None
        joins = block is not None
        if block is None:
            block = _Block([], {})
            self.items.append(block.rows)
            if letters and len(row.wires) == 2:
                self.blocks[_pair(row.wires)] = block
        block.rows.append(number)
        for wire, letter in zip(row.wires, letters or "-" * len(row.wires), strict=True):
            if letter == "-" or letter != self.letter[wire]:
                self.letter[wire], self.begin[wire] = letter, self.count[wire]
            self.count[wire] += 1
            if not joins:
                self.last[wire] = block if letters and len(row.wires) == 2 else None
            if self.last[wire] is block:
                block.end[wire] = self.count[wire]

    def _reached(self, row: GateRow, letters: str) -> _Block | None:
        if len(row.wires) == 1:
            return self.last[row.wires[0]]
        block = self.blocks.get(_pair(row.wires))
        if block is None:
            return None
        for wire, letter in zip(row.wires, letters, strict=True):
            through = letter != "-" and letter == self.letter[wire] and self.begin[wire] <= block.end[wire]
            if self.last[wire] is not block and not through:
                return None
        return block


class _Letters:
    """For every row that may move, one Pauli letter (or "-") a wire."""

    def __init__(self, circuit: Circuit) -> None:
        self.payloads = circuit.payloads

    def of(self, row: GateRow) -> str:
        """The letters; "" for a row that stays where it is: on three or more wires, conditioned, or not unitary."""
        gate = row.gate
        if len(row.wires) > 2 or row.condition >= 0 or not gate.unitary:
            return ""
        return self.payloads[row.payload].replace("I", "-") if gate.name == "pauli" else gate.axes


def gather(circuit: Circuit) -> Circuit:
    """The circuit with the gates of each pair of wires together where commutation allows it."""
    if not _some_pair_returns(circuit):
        return circuit
    sweep, rows = _Sweep(circuit), circuit.rows()
    for number, row in enumerate(rows):
        sweep.take(number, row)
    order = [number for item in sweep.items for number in item]
    if order == list(range(len(rows))):
        return circuit
    moved = circuit.with_rows([rows[number] for number in order])
    return moved if _pairs(moved) < _pairs(circuit) else circuit


def _pair(wires: tuple[int, ...]) -> tuple[int, ...]:
    return wires if wires[0] < wires[1] else wires[::-1]


def _some_pair_returns(circuit: Circuit) -> bool:
    """Whether two gates act on one pair of wires."""
    starts = circuit.wire_ptr[:-1][np.diff(circuit.wire_ptr) == 2]
    low = np.minimum(circuit.wires[starts], circuit.wires[starts + 1]).astype(np.int64)
    high = np.maximum(circuit.wires[starts], circuit.wires[starts + 1])
    return len(np.unique(low * circuit.num_qubits + high)) < len(starts)


def _pairs(circuit: Circuit) -> int:
    """How often a wire meets another partner than the one it met last, over two: the number of blocks of one pair."""
    partner: list[int] = [-1] * circuit.num_qubits
    changes = 0
    for row in circuit.rows():
        if len(row.wires) == 1:
            continue
        for at, wire in enumerate(row.wires):
            other = row.wires[1 - at] if len(row.wires) == 2 else -2
            changes += partner[wire] != other
            partner[wire] = other
    return -(-changes // 2)
