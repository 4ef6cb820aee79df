"""Terminal Clifford gates pulled into the readouts.

A Clifford gate at the end, also one that commutes by its axes with every gate behind it, maps each Pauli product of an
observable to one Pauli product. Reading the pulled-back products in its place gives the same values without the gate.
Probabilities and samples are read as Z products of single qubits; where these stay Z products, the outcomes are
relabelled on the host, every new bit the parity of some measured ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import chain
from typing import ClassVar

import numpy as np

from ...ir import Circuit, Graph, Module, Node
from ...ir.circuit import GateRow
from ...ir.gates import OPCODES
from ...ir.graph import Value
from ...ir.measurement_settings import qubitwise_groups, settings_suffice
from ...ir.observables import PauliSum, PauliTerm
from ...ir.ops import Expectation, LinearBits, Parities, PermuteOutcomes, Probabilities, Readout, Samples
from ..synthesis.pulled_terms import Pull, PulledTerms, gate_pull, rotation_pull
from .base import Context, Contract, Pass
from .gate_families import families
from .rewrites import fresh_name, map_graphs, readouts
from .row_walks import lettered, quarter_turns, rows_from_end, used_wires

_PAULI = OPCODES["pauli"]
_BLOCKED = "#"
_MOST_VISITED = 200_000
"""Products that are sorted into settings again while gates are tried one by one."""
_LETTERS_GROW = 8
_LETTERS_FREE = 20_000
"""The letters of all products together may become this many times as many, and this many more."""


@dataclass(frozen=True)
class AbsorbClifford(Pass):
    """Pull terminal Clifford gates into the observables and the measured bits."""

    name: ClassVar[str] = "absorb-clifford"
    contract: ClassVar[Contract] = Contract.DISTRIBUTION
    max_settings_growth: int = 0
    """by how many a readout's measurement settings may grow"""

    def run(self, module: Module, context: Context) -> Module:
        """Every circuit that is read, without its Clifford tail."""
        circuits = dict(module.circuits)
        changes: dict[Readout, tuple[Readout, Parities | None]] = {}
        for name, nodes in readouts(module).items():
            read = list(dict.fromkeys(n.op for n in nodes if isinstance(n.op, Readout)))
            tail = absorbed(circuits[name], read, self.max_settings_growth)
            if tail.circuit is circuits[name]:
                continue
            self._report(circuits[name], tail, context)
            circuits[name] = tail.circuit
            changes |= tail.changes
        if all(circuits[name] is c for name, c in module.circuits.items()):
            return module
        after = module.with_(circuits=circuits)
        return after.with_(graph=map_graphs(after.graph, lambda graph: _rewritten(graph, changes, after)))

    def _report(self, before: Circuit, tail: Absorbed, context: Context) -> None:
        arity = np.diff(before.wire_ptr)
        gone = len(before) - len(tail.circuit)
        pairs = int((arity >= 2).sum() - (np.diff(tail.circuit.wire_ptr) >= 2).sum())
        message = f"circuit {before.name}: {gone} gates at the end are in its readouts, {pairs} of them on two qubits"
        message += f"; {tail.settings[0]} -> {tail.settings[1]} measurement settings"
        context.remark(self, message, before.place, gates=gone, two_qubit_gates=pairs)


@dataclass(frozen=True)
class Absorbed:
    """A circuit without its tail, the readouts that change, and the number of measurement settings before and after.

    changes: readout of the whole circuit -> readout of this one, and what then happens to the outcomes on the host.
    """

    circuit: Circuit
    changes: dict[Readout, tuple[Readout, Parities | None]]
    settings: tuple[int, int]


def absorbed(circuit: Circuit, read: Sequence[Readout], growth: int = 0) -> Absorbed:
    """The circuit without the gates that readouts can take over; the same object where there is none.

    read: the distinct readouts of the circuit. growth: by how many the settings of one of them may grow. All gates that
    can move to the end are tried together; where that needs more settings, one by one from the end.
    """
    for careful in (False, True):
        walk = _Walk(circuit, read, growth, careful)
        walk.run()
        if careful or walk.fits():
            break
    if not walk.gone:
        return Absorbed(circuit, {}, (0, 0))
    keep = np.ones(len(circuit), bool)
    keep[walk.gone] = False
    old = sum(r.settings - growth for r in walk.readings)
    settings = (old, sum(walk.settings(r) for r in walk.readings))
    return Absorbed(circuit.select(keep), walk.changes(), settings)


@dataclass
class _Reading:
    """One readout as products: `chosen` is their plane, `first` the number of the first.

    settings: how many it may need at most. width: for probabilities, how many qubits it may read.
    """

    op: Readout
    chosen: int
    first: int
    settings: int = 1
    width: int | None = None
    rigid: bool = False


@dataclass
class _Walk:
    """From the end of a circuit backwards. `letters`: on each qubit the letter of the gates that stay behind."""

    circuit: Circuit
    read: Sequence[Readout]
    growth: int
    careful: bool
    gone: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.letters = [""] * self.circuit.num_qubits
        self.open = used_wires(self.circuit)
        self.readings: list[_Reading] = []
        products = []
        for op in self.read:
            own = list(_products(op))
            chosen = ((1 << len(own)) - 1) << len(products)
            rigid = not isinstance(op, Expectation)
            width = len(own) if isinstance(op, Probabilities) else None
            self.readings.append(_Reading(op, chosen, len(products), width=width, rigid=rigid))
            products += own
        self.terms = PulledTerms(products, self.circuit.num_qubits)
        self.visits_left = _MOST_VISITED
        self.most_letters = _LETTERS_GROW * self.terms.weight() + _LETTERS_FREE
        self.letters_used = self.terms.weight()
        for reading in self.readings:
            reading.settings = self.settings(reading) + self.growth

    def run(self) -> None:
        for k, row in rows_from_end(self.circuit):
            if not self.open:
                return
            wires, axes = lettered(self.circuit, row)
            if row.gate.unitary and self._goes(row, wires, axes):
                self.gone.append(k)
            else:
                self._stays(row, wires, axes)

    def _stays(self, row: GateRow, wires: Sequence[int], axes: str) -> None:
        letters = self.letters
        if row.opcode == OPCODES["barrier"]:
            wires = wires or range(self.circuit.num_qubits)
            axes = "-" * len(wires)
        for wire, axis in zip(wires, axes, strict=True):
            if letters[wire] not in (axis, _BLOCKED):
                blocked = axis == "-" or letters[wire] != ""
                letters[wire] = _BLOCKED if blocked else axis
                self.open -= blocked

    def _goes(self, row: GateRow, wires: Sequence[int], axes: str) -> bool:
        """Whether the readouts can do without the gate; they are pulled back through it then."""
        letters = self.letters
        if any(letters[w] not in ("", a) for w, a in zip(wires, axes, strict=True)):
            return False
        if self._commutes(row, wires, axes):
            return True
        if row.condition >= 0:
            return False
        turns = quarter_turns(map(self.circuit.angles.row, row.angles))
        if turns is None:
            return False
        table = rotation_pull(axes, turns[0]) if row.opcode == _PAULI else gate_pull(row.opcode, turns)
        return table is not None and self._pull(table, wires)

    def _commutes(self, row: GateRow, wires: Sequence[int], axes: str) -> bool:
        """Whether a gate commutes with every product that is read."""
        terms = self.terms
        if not any(terms.holding(w) for w in wires):
            return True
        if "-" in axes:
            return False
        planes = [terms.anticommuting(a, w) for w, a in zip(wires, axes, strict=True)]
        if not any(planes):
            return True
        if row.opcode != _PAULI and row.opcode not in _turning():
            return False
        together = 0
        for plane in planes:
            together ^= plane
        return not together

    def _pull(self, table: Pull, wires: Sequence[int]) -> bool:
        terms = self.terms
        saved, before = terms.saved(wires), [terms.holding(w) for w in wires]
        terms.pull(table, wires)
        more = sum(terms.holding(w).bit_count() for w in wires) - sum(p.bit_count() for p in before)
        if not self.careful or self._allowed(wires, before, more):
            self.letters_used += more
            return True
        terms.restore(saved)
        return False

    def _allowed(self, wires: Sequence[int], before: Sequence[int], more: int) -> bool:
        """Whether every readout may be pulled back as it just was; `before`: what the wires' planes held."""
        if self.letters_used + more > self.most_letters:
            return False
        return all(self._reading_allowed(r, wires, before) for r in self.readings)

    def _reading_allowed(self, reading: _Reading, wires: Sequence[int], before: Sequence[int]) -> bool:
        terms, chosen = self.terms, reading.chosen
        if reading.width is not None:
            moved = any(bool(p & chosen) != bool(terms.holding(w) & chosen) for p, w in zip(before, wires, strict=True))
            if moved and self._width(reading) > reading.width:
                return False
        if reading.rigid:
            return not any(terms.xs[w] & chosen for w in wires)
        if len(wires) == 1:
            return True
        if reading.settings == 1:
            return all(terms.letters(w, chosen) <= 1 for w in wires)
        self.visits_left -= chosen.bit_count()
        return self.visits_left >= 0 and self._suffices(reading)

    def fits(self) -> bool:
        """Whether all that was pulled back may be read."""
        return self.letters_used <= self.most_letters and all(map(self._fits, self.readings))

    def _fits(self, reading: _Reading) -> bool:
        if reading.rigid and any(x & reading.chosen for x in self.terms.xs):
            return False
        if reading.width is not None:
            return self._width(reading) <= reading.width
        return self._suffices(reading)

    def settings(self, reading: _Reading) -> int:
        """In how many settings the products of a readout are read."""
        return 1 if self._letters(reading) <= 1 else len(qubitwise_groups(self.terms.masks(reading.chosen)))

    def _suffices(self, reading: _Reading) -> bool:
        least = self._letters(reading)
        if least <= 1 or least > reading.settings:
            return least <= 1
        return settings_suffice(self.terms.masks(reading.chosen), reading.settings)

    def _letters(self, reading: _Reading) -> int:
        """The most different letters on one qubit: as many settings are needed, and one suffices where it is one."""
        terms = self.terms
        return 1 if reading.rigid else max(terms.letters(q, reading.chosen) for q in range(len(terms.xs)))

    def _width(self, reading: _Reading) -> int:
        return sum(bool((x | z) & reading.chosen) for x, z in zip(self.terms.xs, self.terms.zs, strict=True))

    # The readouts that take the place of the given ones

    def changes(self) -> dict[Readout, tuple[Readout, Parities | None]]:
        """Every readout that changes, with what is read in its place and what the host does to the outcomes."""
        terms = self.terms.terms()
        new = {r.op: _reread(r.op, terms[r.first : r.first + r.chosen.bit_count()]) for r in self.readings}
        return {op: change for op, change in new.items() if change != (op, None)}


@cache
def _turning() -> frozenset[int]:
    """The gates that are exp(-i angle/2 P) up to a phase, for the product P of their letters."""
    return frozenset(opcode for family in families() if family.rotation for opcode in family.members)


def _products(op: Readout) -> Iterable[PauliTerm]:
    """What a readout reads, as products; probabilities and samples read Z on every qubit.

    Readouts of classical bits read none: a gate that can move behind everything else does not change them.
    """
    if isinstance(op, Expectation):
        return (term for observable in op.observables for term, _ in observable.terms)
    return ((("Z", q),) for q in op.qubits) if isinstance(op, Probabilities | Samples) else ()


def _reread(op: Readout, terms: Sequence[tuple[PauliTerm, bool]]) -> tuple[Readout, Parities | None]:
    """The readout of the products `terms` with signs, in the place of those of `op`."""
    if isinstance(op, Expectation):
        rest = iter(terms)
        signed = ([(*next(rest), c) for _, c in o.terms] for o in op.observables)
        sums = (PauliSum.of((term, -c if negative else c) for term, negative, c in parts) for parts in signed)
        return replace(op, observables=tuple(sums)), None
    if not isinstance(op, Probabilities | Samples):
        return op, None
    supports = [tuple(q for _, q in term) for term, _ in terms]
    flips = tuple(i for i, (_, negative) in enumerate(terms) if negative)
    if not flips and all(len(s) == 1 for s in supports):
        return replace(op, qubits=tuple(s[0] for s in supports)), None
    joint = set(chain.from_iterable(supports))
    qubits = op.qubits if joint == set(op.qubits) else tuple(sorted(joint))
    where = {q: i for i, q in enumerate(qubits)}
    parities = tuple(tuple(where[q] for q in s) for s in supports)
    host = LinearBits if isinstance(op, Samples) else PermuteOutcomes
    return replace(op, qubits=qubits), host(parities, flips)


def _rewritten(graph: Graph, changes: Mapping[Readout, tuple[Readout, Parities | None]], module: Module) -> Graph:
    taken = graph.names()
    nodes: list[Node] = []
    for node in graph.nodes:
        op, host = changes.get(node.op, (node.op, None)) if isinstance(node.op, Readout) else (node.op, None)
        if host is None:
            nodes.append(replace(node, op=op))
            continue
        measured = Value(
            fresh_name(f"{node.results[0].name}_measured", taken),
            op.result_types(tuple(v.type for v in node.operands), module)[0],
        )
        taken.add(measured.name)
        nodes += (replace(node, op=op, results=(measured,)), Node(host, (measured,), node.results, node.location))
    return replace(graph, nodes=tuple(nodes))
