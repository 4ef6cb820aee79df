"""Maximal two-qubit blocks of a circuit.

A block is a set of gates on one pair of qubits (and on each of them alone) that can be done at one place. Every wire
holds a stack of blocks. A gate joins the block of its pair where that lies on top of both stacks, or below blocks that
it commutes with there: all gates of such a block share the gate's Pauli letter on that wire (`Gate.axes`). Barriers,
measurements, resets, conditioned gates and gates on three or more qubits end the blocks of their wires.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ...ir import Circuit
from ...ir.circuit import split_groups
from ...ir.gates import GATES, OPCODES

_MIXED = "-"
_LOOK_BELOW = 6
_PAULI = OPCODES["pauli"]


@dataclass(slots=True, eq=False)
class Group:
    """Gates (row numbers) on `wires` in order; `letters`: the letter that all of them share on each wire. zeros: which
    wires were still in |0> before. solid: a gate that blocks. number: of the first gate on all wires. places: where
    it lies on the stack of each wire."""

    wires: tuple[int, ...]
    gates: list[int]
    letters: list[str]
    number: int
    zeros: tuple[bool, ...] = ()
    solid: bool = False
    pairs: int = field(default=1)
    places: tuple[int, ...] = ()


def collect(circuit: Circuit) -> list[Group]:
    """All gates in groups that may be done one after the other in this order."""
    return _Collector(circuit).run()


class _Collector:
    def __init__(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self.stacks: list[list[Group]] = [[] for _ in range(circuit.num_qubits)]
        self.pending: list[list[int]] = [[] for _ in range(circuit.num_qubits)]
        self.groups: list[Group] = []
        self.latest: dict[tuple[int, int], Group] = {}  # by its wires, the smaller first
        arity = np.diff(circuit.wire_ptr)
        unitary = np.array([g.unitary for g in GATES])[circuit.opcode]
        free = unitary & (circuit.condition < 0)
        self.kinds = np.where(free & (arity <= 2) & (arity > 0), arity, 0).tolist()
        self.opcodes = circuit.opcode.tolist()
        self.axes = [g.axes for g in GATES]

    def run(self) -> list[Group]:
        wires_of = split_groups(self.circuit.wire_ptr, self.circuit.wires)
        for k, (kind, wires) in enumerate(zip(self.kinds, wires_of, strict=True)):
            if kind == 2:
                self._pair(k, wires)
            elif kind == 1:
                self._single(k, wires[0])
            else:
                self._solid(k, wires)
        for wire in range(self.circuit.num_qubits):
            self._leave(wire, len(self.kinds))
        return self.groups

    def _letters(self, k: int) -> str:
        opcode = self.opcodes[k]
        if opcode == _PAULI:
            return self.circuit.payloads[self.circuit.payload[k]]
        return self.axes[opcode]

    def _single(self, k: int, wire: int) -> None:
        stack = self.stacks[wire]
        if not stack or stack[-1].solid:
            self.pending[wire].append(k)
            return
        top = stack[-1]
        top.gates.append(k)
        place = top.wires.index(wire)
        if top.letters[place] != (letter := self._letters(k)) and letter != "I":
            top.letters[place] = _MIXED

    def _pair(self, k: int, wires: tuple[int, ...]) -> None:
        letters = self._letters(k)
        a, b = wires
        first, second = self.stacks[a], self.stacks[b]
        if first and second:
            group = first[-1]
            if (group is second[-1] and not group.solid) or (group := self._below(wires, letters)) is not None:
                group.gates.append(k)
                group.pairs += 1
                for wire, letter in zip(wires, letters, strict=True):
                    place = group.wires.index(wire)
                    if group.letters[place] != letter:
                        group.letters[place] = _MIXED
                return
        gates: list[int] = []
        shared: list[str] = []
        for wire, letter in zip(wires, letters, strict=True):
            for other in self.pending[wire]:
                letter = letter if self._letters(other) in (letter, "I") else _MIXED
                gates.append(other)
            shared.append(letter)
            self.pending[wire] = []
        gates.append(k)
        self._push(Group(wires, gates, shared, k, (not first, not second)))

    def _below(self, wires: tuple[int, ...], letters: str) -> Group | None:
        """The block of this pair under blocks that the gate commutes with, None where there is none."""
        a, b = wires
        found = self.latest.get((a, b) if a < b else (b, a))
        if found is None:
            return None
        for wire, letter in zip(wires, letters, strict=True):
            stack, above = self.stacks[wire], found.places[found.wires.index(wire)] + 1
            if len(stack) - above >= _LOOK_BELOW or (letter in "-I" and above < len(stack)):
                return None
            for group in stack[above:]:
                if group.solid or group.letters[group.wires.index(wire)] != letter:
                    return None
        return found

    def _push(self, group: Group) -> None:
        self.groups.append(group)
        group.places = tuple([len(self.stacks[wire]) for wire in group.wires])
        for wire in group.wires:
            self.stacks[wire].append(group)
        if not group.solid:
            a, b = group.wires
            self.latest[(a, b) if a < b else (b, a)] = group

    def _leave(self, wire: int, number: int) -> None:
        """One-qubit gates that met no gate on two qubits."""
        if self.pending[wire]:
            self.groups.append(Group((wire,), self.pending[wire], [_MIXED], number))
            self.pending[wire] = []

    def _solid(self, k: int, wires: tuple[int, ...]) -> None:
        wires = wires or tuple(range(self.circuit.num_qubits))
        for wire in wires:
            self._leave(wire, k)
        self._push(Group(wires, [k], [_MIXED] * len(wires), k, solid=True))
