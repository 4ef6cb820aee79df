"""Logical qubits one after the other on the same physical one: gates reordered so that qubits finish early.

A qubit that has finished and is read is measured there, into a classical bit; then it is reset and the next logical
qubit starts on it. So the readouts of such a circuit read classical bits. The order is that of
`synthesis.qubit_reuse`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from ...ir import Circuit, Module, Node, PauliSum, Value
from ...ir.circuit import CircuitEditor, GateRow
from ...ir.gates import OPCODES
from ...ir.graph import map_nodes
from ...ir.ops import (
    BitExpectation,
    BitProbabilities,
    BitReadout,
    BitSamples,
    Expectation,
    Probabilities,
    Readout,
    Samples,
)
from ..synthesis.qubit_reuse import Dependencies, best_order, dependencies, peak
from .base import Context, Contract, Pass
from .rewrites import readouts

_BARRIER, _MEASURE, _RESET = (OPCODES[n] for n in ("barrier", "measure", "reset"))
_TO_Z = {"X": ("h",), "Y": ("sdg", "h"), "Z": ()}
"""Letter -> the gates after which a measurement of Z measures it."""
_PLAIN = (Expectation, Probabilities, Samples, BitExpectation, BitProbabilities, BitSamples)


@dataclass(frozen=True)
class ReuseQubits(Pass):
    """Start qubits on others that have finished, after a reset, so that few are in use at a time.

    Runs on circuits that are wider than the target, or than `max_qubits`, or on all with `reuse`; only where the
    target has measure and reset, and where one choice of basis reads everything.
    """

    name: ClassVar[str] = "reuse-qubits"
    contract: ClassVar[Contract] = Contract.DISTRIBUTION
    reuse: bool = False
    """whether to use as few qubits as possible even where the circuit fits"""
    max_qubits: int = 0
    """the width from which on qubits are reused; 0: the target's"""

    def run(self, module: Module, context: Context) -> Module:
        """Every circuit that is read and too wide, on fewer qubits; its readouts read classical bits."""
        circuits: dict[str, Circuit] = {}
        bits: dict[str, Mapping[int, int]] = {}
        for name, nodes in readouts(module).items():
            before = module.circuits[name]
            if before.num_qubits <= self._wanted(context):
                continue
            refusal = _lacking(context) or unreadable(nodes)
            if refusal:
                context.remark(self, f"circuit {name}: no qubit is reused, {refusal}", before.place)
                continue
            made = reused(before, letters_of(nodes), context.effort, context.seed)
            if made is not None:
                circuits[name], bits[name] = made
                self._report(before, made[0], context)
        if not circuits:
            return module
        graph = map_nodes(module.graph, lambda node: read_from_bits(node, bits))
        return module.with_(circuits=dict(module.circuits) | circuits, graph=graph)

    def _wanted(self, context: Context) -> float:
        """The most qubits that a circuit may have to be left alone."""
        if self.reuse:
            return 1
        limit = context.target.limits.get("qubits", float("inf")) if context.target else float("inf")
        return min(limit, self.max_qubits or limit)

    def _report(self, before: Circuit, after: Circuit, context: Context) -> None:
        resets = int((after.opcode == _RESET).sum() - (before.opcode == _RESET).sum())
        message = (
            f"circuit {before.name}: {before.num_qubits} -> {after.num_qubits} qubits, {resets} of them used again"
        )
        context.remark(self, message, before.place, qubits=before.num_qubits - after.num_qubits)


def _lacking(context: Context) -> str:
    if context.target is None:
        return ""
    lacking = [name for name in ("measure", "reset") if name not in context.target.native_ops]
    if lacking:
        return f"{context.target.name} has no {' and no '.join(lacking)}"
    return "" if reads_bits(context) else f"{context.target.name} reads no bits that are measured inside a circuit"


def reads_bits(context: Context) -> bool:
    """Whether the target's backend runs circuits that measure inside."""
    if context.supports is None:
        return True
    editor = CircuitEditor("measured", 1, 1)
    editor.add("measure", (0,), clbits=(0,))
    op = BitProbabilities("measured", (0,))
    module = Module("measured", circuits={"measured": editor.circuit()})
    results = tuple(Value("p", t) for t in op.result_types((), module))
    return context.supports(Node(op, (), results), module) is None


def unusual(nodes: Iterable[Node]) -> str:
    """The name of a readout that is more than a choice of qubits, bits and observables; empty where there is none."""
    return next((n.op.mnemonic for n in nodes if type(n.op) not in _PLAIN), "")


def unreadable(nodes: Sequence[Node]) -> str:
    """Why one measurement of each qubit does not give all readouts; empty where it does."""
    if unusual(nodes):
        return f"{unusual(nodes)} reads it"
    known: dict[int, str] = {}
    for letter, qubit in read_letters(nodes):
        if known.setdefault(qubit, letter) != letter:
            return f"qubit {qubit} is read both in {known[qubit]} and in {letter}"
    return ""


def read_letters(nodes: Iterable[Node]) -> Iterator[tuple[str, int]]:
    """(letter, qubit) of everything that readouts read from qubits, with repeats."""
    for node in nodes:
        if isinstance(node.op, Expectation):
            yield from (factor for o in node.op.observables for term, _ in o.terms for factor in term)
        elif isinstance(node.op, Probabilities | Samples):
            yield from (("Z", qubit) for qubit in node.op.qubits)


def letters_of(nodes: Iterable[Node]) -> dict[int, str]:
    """Qubit -> the letter in which the readouts read it, by rising qubit; one letter each is taken for granted."""
    return dict(sorted((qubit, letter) for letter, qubit in read_letters(nodes)))


def reused(
    circuit: Circuit, letters: Mapping[int, str], effort: str = "default", seed: int = 0
) -> tuple[Circuit, dict[int, int]] | None:
    """The circuit on fewer qubits, and the classical bit that each of the qubits `letters` was measured into.

    letters: qubit -> the Pauli letter in which it is read. None where no order of the gates needs fewer qubits.
    """
    waits = dependencies(circuit)
    order = best_order(waits.cones, effort, seed)
    if peak(waits.cones, order) >= circuit.num_qubits:
        return None
    bits = {qubit: circuit.num_clbits + k for k, qubit in enumerate(letters)}
    emission = _Emission(circuit, waits, letters, bits)
    rows = emission.run(order)
    after = replace(circuit, num_qubits=max(emission.width, 1), num_clbits=circuit.num_clbits + len(bits))
    return after.with_rows(rows).compacted(), bits


@dataclass
class _Emission:
    """The gates in their new order, while qubits start and finish.

    place: logical qubit -> physical one, while it is in use. free: physical qubits that wait for a reset, those that
    have waited longest first. left: how many gates of every logical qubit are still to come.
    """

    circuit: Circuit
    waits: Dependencies
    letters: Mapping[int, str]
    bits: Mapping[int, int]
    width: int = 0
    place: dict[int, int] = field(default_factory=dict)
    free: deque[int] = field(default_factory=deque)
    out: list[GateRow] = field(default_factory=list)

    def run(self, order: Sequence[int]) -> list[GateRow]:
        waits = self.waits
        self.left = [len(gates) for gates in waits.on_qubit]
        done = bytearray(len(waits.before))
        for qubit in order:
            for k in waits.needed(qubit, done):
                self._emit(waits.rows[k])
            if not waits.on_qubit[qubit] and qubit in self.letters:
                self._finish(qubit, -1)
        self.out += [row for k, row in enumerate(waits.rows) if not done[k]]
        return self.out

    def _emit(self, row: GateRow) -> None:
        if row.opcode == _BARRIER:
            wires = tuple(self.place[w] for w in row.wires if w in self.place)
            if wires or not row.wires:
                self.out.append(row._replace(wires=wires))
        else:
            self.out.append(row._replace(wires=tuple(self._placed(w, row) for w in row.wires)))
        touched = row.wires if row.wires or row.opcode != _BARRIER else range(self.circuit.num_qubits)
        for qubit in touched:
            self.left[qubit] -= 1
            if not self.left[qubit]:
                self._finish(qubit, row.location)

    def _placed(self, qubit: int, row: GateRow) -> int:
        """The physical qubit of a logical one; it starts here if it was not in use."""
        if qubit in self.place:
            return self.place[qubit]
        if not self.free:
            self.place[qubit] = self.width
            self.width += 1
            return self.place[qubit]
        self.place[qubit] = self.free.popleft()
        if row.opcode != _RESET or row.condition >= 0:
            self.out.append(GateRow(_RESET, (self.place[qubit],), location=row.location))
        return self.place[qubit]

    def _finish(self, qubit: int, location: int) -> None:
        start = GateRow(_MEASURE, (), location=location)
        if qubit in self.letters:
            at = self._placed(qubit, start)
            turns = (GateRow(OPCODES[name], (at,), location=location) for name in _TO_Z[self.letters[qubit]])
            self.out += [*turns, start._replace(wires=(at,), clbits=(self.bits[qubit],))]
        if qubit in self.place:
            self.free.append(self.place.pop(qubit))


def read_from_bits(node: Node, bits: Mapping[str, Mapping[int, int]]) -> Node:
    """The readout of the classical bits `bits[circuit][q]` in the place of qubits q, each measured in its letter."""
    op = node.op
    if not isinstance(op, Readout) or isinstance(op, BitReadout) or op.circuit not in bits:
        return node
    where = bits[op.circuit]
    if isinstance(op, Expectation):
        sums = (((tuple(("Z", where[q]) for _, q in term), c) for term, c in o.terms) for o in op.observables)
        return replace(node, op=BitExpectation(op.circuit, tuple(PauliSum.of(terms) for terms in sums)))
    assert isinstance(op, Probabilities | Samples)
    read = tuple(where[q] for q in op.qubits)
    if isinstance(op, Samples):
        return replace(node, op=BitSamples(op.circuit, read, op.shots))
    return replace(node, op=BitProbabilities(op.circuit, read))
