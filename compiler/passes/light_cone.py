"""The light cone: gates that no readout needs.

A backward pass in the Heisenberg picture. For every qubit it keeps the Pauli letters that the readouts, pulled back to
this point, may hold there: none, one letter, or any. A gate that commutes with all such Pauli products is not needed;
any other gate stays and turns the letters into those that conjugation by its matrix gives. Measurements, resets and
conditions are pulled back in the same way, with the set of classical bits that a needed gate reads.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from typing import ClassVar

import numpy as np

from ...ir import Circuit, Module, Node
from ...ir.circuit import GateRow, split_groups
from ...ir.conditions import bits_of
from ...ir.gates import GATES, OPCODES, PAULI
from ...ir.graph import map_nodes
from ...ir.observables import PauliSum
from ...ir.ops import Expectation, Probabilities, Readout, Samples
from .base import Context, Contract, Pass
from .rewrites import readouts

_NONE, _X, _Y, _Z, _ANY = 0, 1, 2, 3, 7
"""Which letters beside the identity a qubit may hold."""
_CODES = {"X": _X, "Y": _Y, "Z": _Z}
_MEMBERS = {_NONE: "I", _X: "IX", _Y: "IY", _Z: "IZ", _ANY: "IXYZ"}
_PROBE_ANGLES = (0.7342, -1.3177, 2.0561)
"""Angles without special values: what commutes at these commutes at every angle."""
_CLOSE = 1e-9

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
            needed = _letters_of(nodes, before.num_qubits)
            after = cone(before, needed)
            if self.drop_qubits:
                after, places[name] = _without_idle(after, np.flatnonzero(needed).tolist())
            circuits[name] = after
            if after is not before:
                self._report(before, after, context)
        moved = {name: where for name, where in places.items() if circuits[name] is not module.circuits[name]}
        graph = map_nodes(module.graph, lambda node: _renumbered(node, moved)) if moved else module.graph
        return module.with_(circuits=circuits, graph=graph)

    def _report(self, before: Circuit, after: Circuit, context: Context) -> None:
        gates, pairs = (_count(before, arity) - _count(after, arity) for arity in (1, 2))
        qubits = before.num_qubits - after.num_qubits
        message = f"circuit {before.name}: {gates} of {_count(before, 1)} gates and {qubits} of {before.num_qubits} "
        message += "qubits are outside the light cone of its readouts"
        context.remark(self, message, before.place, gates=gates, two_qubit_gates=pairs, qubits=qubits)


def _count(circuit: Circuit, arity: int) -> int:
    return int(((circuit.opcode != _BARRIER) & (np.diff(circuit.wire_ptr) >= arity)).sum())


def _letters_of(nodes: Iterable[Node], qubits: int) -> list[int]:
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


def cone(circuit: Circuit, needed: Iterable[int]) -> Circuit:
    """The circuit with only the gates that readouts holding the letters `needed` on its qubits depend on.

    The same object where every gate is needed. Barriers keep the needed qubits only.
    """
    walk = _Walk(circuit, list(needed))
    opcodes, conditions = circuit.opcode.tolist(), circuit.condition.tolist()
    wires = list(split_groups(circuit.wire_ptr, circuit.wires))
    keep = [walk.visit(k, opcodes[k], wires[k], conditions[k]) for k in range(len(circuit) - 1, -1, -1)][::-1]
    if all(keep) and not walk.barriers:
        return circuit
    if walk.barriers:
        rows = [r._replace(wires=walk.barriers.get(k, r.wires)) for k, r in enumerate(circuit.rows())]
        circuit = circuit.with_rows(rows)
    return circuit.select(np.array(keep, bool)).compacted()


class _Walk:
    """The letters of every qubit and the classical bits that are read, from the end of a circuit backwards."""

    def __init__(self, circuit: Circuit, letters: list[int]) -> None:
        self.circuit = circuit
        self.letters = letters
        self.bits: set[int] = set()
        self.barriers: dict[int, tuple[int, ...]] = {}

    def visit(self, k: int, opcode: int, wires: tuple[int, ...], condition: int) -> bool:
        """Step back over one gate; whether it is needed."""
        if opcode == _BARRIER:
            return self._barrier(k, wires)
        letters = self.letters
        old = tuple([letters[w] for w in wires])
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
            letters[wire] = letter
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
    gate = GATES[opcode]
    assert gate.matrix is not None
    matrix = gate.matrix(*_PROBE_ANGLES[: gate.angles])
    basis = ["".join(p) for p in product("IXYZ", repeat=gate.qubits)]
    paulis = [_product(letters) for letters in basis]
    commutes, found = True, [_NONE] * gate.qubits
    for choice in product(*(_MEMBERS[at] for at in letters)):
        pauli = _product("".join(choice))
        pulled = matrix.conj().T @ pauli @ matrix
        commutes = commutes and np.abs(pulled - pauli).max() < _CLOSE
        for name, p in zip(basis, paulis, strict=True):
            if abs(np.vdot(p, pulled)) > _CLOSE:
                found = [_union(at, _CODES.get(letter, _NONE)) for at, letter in zip(found, name, strict=True)]
    return None if commutes else tuple(found)


def _product(letters: str) -> np.ndarray:
    """Tensor product, the first letter on the least significant bit."""
    out = np.ones((1, 1), complex)
    for letter in letters:
        out = np.kron(PAULI[letter], out)
    return out


def _pull_rotation(payload: str, letters: tuple[int, ...]) -> tuple[int, ...] | None:
    """`_pull` for exp(-i angle/2 P) of any width: a product that does not commute with P gains a factor P."""
    codes = [_CODES.get(p, _NONE) for p in payload]
    if all(code in (_NONE, at) or at == _NONE for code, at in zip(codes, letters, strict=True)):
        return None
    return tuple(_union(at, code) for code, at in zip(codes, letters, strict=True))


def _without_idle(circuit: Circuit, read: list[int]) -> tuple[Circuit, dict[int, int]]:
    """The circuit without qubits that no gate or readout uses, and old -> new number of the others."""
    used = sorted({*circuit.wires[_real(circuit)].tolist(), *read}) or [0]
    where = {old: new for new, old in enumerate(used)}
    if len(used) >= circuit.num_qubits:
        return circuit, where
    if (circuit.opcode == _BARRIER).any():
        circuit = circuit.with_rows([r for r in (_barrier_on(r, where) for r in circuit.rows()) if r])
    lookup = np.full(circuit.num_qubits, -1, np.int32)
    lookup[used] = np.arange(len(used), dtype=np.int32)
    return replace(circuit, num_qubits=len(used), wires=lookup[circuit.wires]), where


def _real(circuit: Circuit) -> np.ndarray:
    """Which entries of the wire column belong to gates other than barriers."""
    return np.repeat(circuit.opcode != _BARRIER, np.diff(circuit.wire_ptr))


def _barrier_on(row: GateRow, where: dict[int, int]) -> GateRow | None:
    if row.opcode != _BARRIER or not row.wires:
        return row
    kept = tuple(w for w in row.wires if w in where)
    return row._replace(wires=kept) if kept else None


def _renumbered(node: Node, places: dict[str, dict[int, int]]) -> Node:
    op = node.op
    if not isinstance(op, Readout) or op.circuit not in places:
        return node
    where = places[op.circuit]
    if isinstance(op, Expectation):
        moved = tuple(
            PauliSum.of((tuple((letter, where[q]) for letter, q in term), coeff) for term, coeff in o.terms)
            for o in op.observables
        )
        return replace(node, op=replace(op, observables=moved))
    assert isinstance(op, Probabilities | Samples)
    return replace(node, op=replace(op, qubits=tuple(where[q] for q in op.qubits)))
