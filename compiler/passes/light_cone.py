"""The light cone: gates that no readout needs.

A backward pass in the Heisenberg picture. For every qubit it keeps the Pauli letters that the readouts, pulled back to
this point, may hold there: none, one letter, or any. A gate that commutes with all such Pauli products is not needed;
any other gate stays and turns the letters into those that conjugation by its matrix gives. Measurements, resets and
conditions are pulled back in the same way, with the set of classical bits that a readout or a needed gate reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from itertools import product
from typing import ClassVar

import numpy as np

from ...ir import Circuit, Module, Node
from ...ir.circuit import GateRow
from ...ir.conditions import bits_of
from ...ir.gates import GATES, OPCODES, pauli_matrix
from ...ir.ops import BitExpectation, BitProbabilities, BitSamples, Expectation, Probabilities, Samples
from .base import Context, Contract, Pass
from .rewrites import readouts, relabelled

_NONE, _X, _Y, _Z, _ANY = range(5)
"""Which letters beside the identity a qubit may hold."""
_CODES = {"X": _X, "Y": _Y, "Z": _Z}
_HELD = ("I", "IX", "IY", "IZ", "IXYZ")
_MEMBERS = (0b0001, 0b0011, 0b0101, 0b1001, 0b1111)
"""For each of them, which of I, X, Y, Z that is."""
_PROBE_ANGLES = (0.7342, -1.3177, 2.0561)
"""Angles without special values: what commutes at these commutes at every angle."""
_CLOSE = 1e-9

_ARITY = np.array([g.qubits if g.matrix is not None and g.qubits <= 2 else 0 for g in GATES])
"""The width of gates with a matrix on one or two qubits, 0 for all others."""

_MEASURE, _RESET, _BARRIER, _PAULI = (OPCODES[n] for n in ("measure", "reset", "barrier", "pauli"))


@dataclass(frozen=True)
class LightCone(Pass):
    """Remove the gates and qubits that no readout of the module needs."""

    name: ClassVar[str] = "light-cone"
    contract: ClassVar[Contract] = Contract.EXPECTATION
    drop_qubits: bool = True
    """whether qubits without a gate or readout are removed and the others renumbered"""

    def run(self, module: Module, context: Context) -> Module:
        """Every circuit that is read, cut to the joint cone of all its readouts."""
        circuits = dict(module.circuits)
        places: dict[str, dict[int, int]] = {}
        for name, nodes in readouts(module).items():
            before = circuits[name]
            needed = letters_of(nodes, before.num_qubits)
            after = cone(before, needed, bits_read(nodes))
            if self.drop_qubits:
                after, places[name] = without_idle(after, np.flatnonzero(needed).tolist())
            circuits[name] = after
            if after is not before:
                self._report(before, after, context)
        if all(circuits[name] is c for name, c in module.circuits.items()):
            return module
        moved = {name: where for name, where in places.items() if circuits[name] is not module.circuits[name]}
        after = module.with_(circuits=circuits)
        return relabelled(after, moved) if moved else after

    def _report(self, before: Circuit, after: Circuit, context: Context) -> None:
        gates, pairs = (_count(before, arity) - _count(after, arity) for arity in (1, 2))
        qubits = before.num_qubits - after.num_qubits
        message = f"circuit {before.name}: {gates} of {_count(before, 1)} gates and {qubits} of {before.num_qubits} "
        message += "qubits are outside the light cone of its readouts"
        context.remark(self, message, before.place, gates=gates, two_qubit_gates=pairs, qubits=qubits)


def _count(circuit: Circuit, arity: int) -> int:
    return int(((circuit.opcode != _BARRIER) & (np.diff(circuit.wire_ptr) >= arity)).sum())


def letters_of(nodes: Iterable[Node], qubits: int) -> list[int]:
    """The letters that the readouts hold on every qubit; probabilities and samples are of Z."""
    needed = [_NONE] * qubits
    for node in nodes:
        if isinstance(node.op, Expectation):
            for observable in node.op.observables:
                for term, _ in observable.terms:
                    for letter, qubit in term:
                        needed[qubit] = _union(needed[qubit], _CODES[letter])
        elif isinstance(node.op, Probabilities | Samples):
            for qubit in node.op.qubits:
                needed[qubit] = _union(needed[qubit], _Z)
    return needed


def _union(a: int, b: int) -> int:
    return a if a == b or b == _NONE else b if a == _NONE else _ANY


def bits_read(nodes: Iterable[Node]) -> set[int]:
    """The classical bits that the readouts need."""
    found: set[int] = set()
    for node in nodes:
        if isinstance(node.op, BitExpectation):
            found.update(bit for observable in node.op.observables for bit in observable.qubits)
        elif isinstance(node.op, BitProbabilities | BitSamples):
            found.update(node.op.bits)
    return found


def cone(circuit: Circuit, needed: Sequence[int], bits: Iterable[int] = ()) -> Circuit:
    """The circuit with only the gates that its readouts depend on; the same object where that is every gate.

    needed: the letters that they hold on every qubit (`letters_of`). bits: the classical bits that they read. Barriers
    keep the needed qubits only.
    """
    walk = _Walk(circuit, list(needed), set(bits))
    walk.run()
    if 0 not in walk.keep and not walk.barriers:
        return circuit
    if walk.barriers:
        rows = [r._replace(wires=walk.barriers.get(k, r.wires)) for k, r in enumerate(circuit.rows())]
        circuit = circuit.with_rows(rows)
    return circuit.select(np.frombuffer(walk.keep, bool))


def needed_gates(circuit: Circuit, needed: Sequence[int]) -> np.ndarray:
    """Which gates `cone` keeps, barriers included: (gates,)."""
    walk = _Walk(circuit, list(needed), set())
    walk.run()
    return np.frombuffer(walk.keep, bool)


def letters_in_front(circuit: Circuit, needed: Sequence[int], bits: Iterable[int] = ()) -> list[tuple[str, ...]]:
    """For every gate and each of its qubits, the letters that the readouts may hold there right in front of the gate:
    "I" for none, "IX", "IY", "IZ" or "IXYZ"."""
    walk, found = _Walk(circuit, list(needed), set(bits)), list[tuple[str, ...]]()
    for k, opcode in zip(range(len(circuit) - 1, -1, -1), circuit.opcode[::-1].tolist(), strict=True):
        walk.step(k, opcode)
        found.append(tuple([_HELD[walk.letters[w]] for w in walk.wires_of(k)]))
    return found[::-1]


class _Walk:
    """The letters of every qubit and the classical bits that are read, from the end of a circuit backwards."""

    def __init__(self, circuit: Circuit, letters: list[int], bits: set[int]) -> None:
        self.circuit = circuit
        self.letters = letters
        self.bits = bits
        self.keep = bytearray(b"\1") * len(circuit)
        self.barriers: dict[int, tuple[int, ...]] = {}
        self.wires: list[int] = circuit.wires.tolist()
        self.wire_ptr: list[int] = circuit.wire_ptr.tolist()

    def run(self) -> None:
        """Mark the gates that are not needed. Plain gates on one and two qubits take a short way: two look-ups."""
        letters, keep, wires = self.letters, self.keep, self.wires
        forms, ones, twos = self._plain()
        opcodes, starts = self.circuit.opcode[::-1].tolist(), self.wire_ptr[-2::-1]
        for k, form, opcode, start in zip(range(len(keep) - 1, -1, -1), forms, opcodes, starts, strict=True):
            if form == 1:
                wire = wires[start]
                new = ones[opcode][letters[wire]]
                if new < 0:
                    keep[k] = 0
                else:
                    letters[wire] = new
            elif form == 2:
                a, b = wires[start], wires[start + 1]
                both = twos[opcode][letters[a]][letters[b]]
                if both is None:
                    keep[k] = 0
                else:
                    letters[a], letters[b] = both
            else:
                keep[k] = self.step(k, opcode)

    def _plain(self) -> tuple[list[int], list[list[int]], list[list[list[tuple[int, ...] | None]]]]:
        """From the last gate on: 1 and 2 for unconditioned gates with a matrix on that many qubits, 0 for everything
        else; and the tables of such gates by opcode."""
        forms = np.where(self.circuit.condition < 0, _ARITY[self.circuit.opcode], 0)
        used = set(np.unique(self.circuit.opcode[forms > 0]).tolist())
        ones = [_one_table(k) if k in used and _ARITY[k] == 1 else [] for k in range(len(GATES))]
        twos = [_two_table(k) if k in used and _ARITY[k] == 2 else [] for k in range(len(GATES))]
        return forms[::-1].tolist(), ones, twos

    def wires_of(self, k: int) -> tuple[int, ...]:
        """The qubits of gate k."""
        return tuple(self.wires[self.wire_ptr[k] : self.wire_ptr[k + 1]])

    def step(self, k: int, opcode: int) -> bool:
        """Step back over any gate; whether it is needed."""
        wires = self.wires_of(k)
        if opcode == _BARRIER:
            return self._barrier(k, wires)
        condition = int(self.circuit.condition[k])
        old = tuple([self.letters[w] for w in wires])
        if opcode == _MEASURE:
            new = self._measured(k, old, condition)
        elif opcode == _RESET:
            new = None if old == (_NONE,) else (_NONE,)
        elif opcode == _PAULI:
            new = _pull_rotation(self.circuit.payloads[self.circuit.payload[k]], old)
        else:
            new = _pull(opcode, old)
        if new is None:
            return False
        if condition >= 0:
            self.bits.update(bits_of(self.circuit.conditions[condition]))
            new = tuple(map(_union, old, new))
        for wire, letter in zip(wires, new, strict=True):
            self.letters[wire] = letter
        return True

    def _measured(self, k: int, old: tuple[int, ...], condition: int) -> tuple[int, ...] | None:
        bit = int(self.circuit.clbits[self.circuit.clbit_ptr[k]])
        if bit not in self.bits and old[0] in (_NONE, _Z):
            return None
        if condition < 0:
            self.bits.discard(bit)
        return (_Z,)

    def _barrier(self, k: int, wires: tuple[int, ...]) -> bool:
        kept = tuple(w for w in wires if self.letters[w] != _NONE)
        if kept != wires:
            self.barriers[k] = kept
        return bool(kept) or not wires


@cache
def _pull(opcode: int, letters: tuple[int, ...]) -> tuple[int, ...] | None:
    """The letters in front of a gate, for those behind it; None where it commutes with all their products."""
    fixed, found = _pulled_products(opcode)
    behind = list(product(range(4), repeat=len(letters)))
    chosen = [k for k, p in enumerate(behind) if all(_MEMBERS[at] >> c & 1 for at, c in zip(letters, p, strict=True))]
    if fixed[chosen].all():
        return None
    front = [behind[k] for k in np.flatnonzero(found[chosen].any(axis=0)).tolist()]
    return tuple(reduce(_union, codes) for codes in zip(*front, strict=True))


@cache
def _pulled_products(opcode: int) -> tuple[np.ndarray, np.ndarray]:
    """(which Pauli products commute with the gate, which products each pulled one is made of): (4^n,), (4^n, 4^n)."""
    gate = GATES[opcode]
    assert gate.matrix is not None
    matrix = gate.matrix(*_PROBE_ANGLES[: gate.angles])
    paulis = np.array([pauli_matrix("".join(letters)) for letters in product("IXYZ", repeat=gate.qubits)])
    pulled = matrix.conj().T @ paulis @ matrix
    parts = np.einsum("qij,pij->pq", paulis.conj(), pulled)
    return np.abs(pulled - paulis).max(axis=(1, 2)) < _CLOSE, np.abs(parts) > _CLOSE


@cache
def _one_table(opcode: int) -> list[int]:
    """Letter behind a gate on one qubit -> letter in front of it, -1 where the gate is not needed."""
    return [-1 if (new := _pull(opcode, (at,))) is None else new[0] for at in range(5)]


@cache
def _two_table(opcode: int) -> list[list[tuple[int, ...] | None]]:
    """The letters behind a gate on two qubits -> those in front of it, None where the gate is not needed."""
    return [[_pull(opcode, (a, b)) for b in range(5)] for a in range(5)]


def _pull_rotation(payload: str, letters: tuple[int, ...]) -> tuple[int, ...] | None:
    """`_pull` for exp(-i angle/2 P) of any width: a product that does not commute with P gains a factor P."""
    codes = [_CODES.get(p, _NONE) for p in payload]
    if all(code in (_NONE, at) or at == _NONE for code, at in zip(codes, letters, strict=True)):
        return None
    return tuple(_union(at, code) for code, at in zip(codes, letters, strict=True))


def without_idle(circuit: Circuit, read: list[int]) -> tuple[Circuit, dict[int, int]]:
    """The circuit without qubits that no gate or readout uses, and old -> new number of the others."""
    used = sorted({*circuit.wires[_real(circuit)].tolist(), *read}) or [0]
    where = {old: new for new, old in enumerate(used)}
    if len(used) >= circuit.num_qubits:
        return circuit, where
    if (circuit.opcode == _BARRIER).any():
        circuit = circuit.with_rows([r for r in (_barrier_on(r, where) for r in circuit.rows()) if r])
    lookup = np.full(circuit.num_qubits, -1, np.int32)
    lookup[used] = np.arange(len(used), dtype=np.int32)
    return circuit.with_(num_qubits=len(used), wires=lookup[circuit.wires]), where


def _real(circuit: Circuit) -> np.ndarray:
    """Which entries of the wire column belong to gates other than barriers."""
    return np.repeat(circuit.opcode != _BARRIER, np.diff(circuit.wire_ptr))


def _barrier_on(row: GateRow, where: dict[int, int]) -> GateRow | None:
    if row.opcode != _BARRIER or not row.wires:
        return row
    kept = tuple(w for w in row.wires if w in where)
    return row._replace(wires=kept) if kept else None
