"""Circuits as Pauli rotations and a Clifford, put together again with fewer two-qubit gates.

The form (compiler/synthesis/pauli_form.py) knows that the register starts in |0...0> and what is read: rotations are
joined and dropped in it, and the Clifford that is left at the end is pulled into the observables, as far as the number
of measurement settings of every readout stays what it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from ...ir import Circuit, Module, Node
from ...ir.angles import AngleInterner
from ...ir.circuit import GateRow
from ...ir.gates import GATES, OPCODES
from ...ir.graph import map_nodes
from ...ir.measurement_settings import Masks, count_settings, pauli_masks, pauli_term, qubitwise_groups
from ...ir.observables import PauliSum, PauliTerm
from ...ir.ops import BitReadout, Expectation, Probabilities, Readout, Samples
from ..synthesis.pauli_form import pauli_form, simplified, supported
from ..synthesis.pauli_synthesis import Readings, Synthesis, Trial, synthesise
from ..synthesis.tableau import IDENTITY, Pauli, Tableau, pauli
from .base import Context, Contract, Pass
from .cancel_gates import cancel
from .rewrites import readouts

_TRIALS = (
    Trial(0.5, 0.05, 0.0, 0),
    Trial(0.4, 0.02, 0.0, 1),
    Trial(0.7, 0.0, 0.0, 2),
    Trial(0.85, 0.05, 0.0, 3),
    Trial(0.5, 0.2, 0.1, 4),
    Trial(0.95, 0.2, 0.1, 5),
)
_EFFORTS = {"fast": 1, "default": len(_TRIALS), "max": 30}
_SIZES = {"fast": 1_000, "default": 8_000, "max": 80_000}
"""Largest number of rotations times qubits that is looked at."""
_WORK = {"fast": 0, "default": 2_500_000, "max": 60_000_000}
"""No further trial begins after so much work: gates times (400 + qubits squared), about a second at the default."""
_HOPELESS = 1.5
"""Where the first trial needs so many times the gates that came in, no other is made."""
_MOST_TERMS = 5_000
_COSTS = {"swap": 3, "iswap": 2, "ccx": 6, "cswap": 7}
"""CX that a gate takes, beside 1 for another Clifford gate on two qubits and 2 for a rotation."""
_NATIVE_TURNS = frozenset({"rzz", "rxx", "zzphase", "xxphase", "ms"})


@dataclass(frozen=True)
class PauliRotations(Pass):
    """Take circuits apart into Pauli rotations and put them together with fewer two-qubit gates."""

    name: ClassVar[str] = "pauli-rotations"
    contract: ClassVar[Contract] = Contract.EXPECTATION

    def run(self, module: Module, context: Context) -> Module:
        """Every circuit that is read and gets cheaper, with its readouts; other circuits stay the same objects."""
        circuits: dict[str, Circuit] = {}
        changes: dict[str, _Rewritten] = {}
        for name, nodes in readouts(module).items():
            before = module.circuits[name]
            found = self._rewritten(before, nodes, context)
            if found is not None:
                circuits[name], changes[name] = found.circuit, found
        if not changes:
            return module
        graph = map_nodes(module.graph, lambda node: _read_from(node, changes))
        return module.with_(circuits=dict(module.circuits) | circuits, graph=graph)

    def _rewritten(self, before: Circuit, nodes: Sequence[Node], context: Context) -> _Rewritten | None:
        native = _has_native_turns(context)
        old = entangling_cost(before, native)
        if not old[0]:
            return None
        refusal = _refusal(before, nodes, _SIZES[context.effort])
        if refusal:
            context.remark(self, f"circuit {before.name}: left alone, {refusal}", before.place)
            return None
        found = _best(before, nodes, context, old[0])
        if found is not None:
            new = entangling_cost(found.circuit, native)
            if new < old and _keeps_settings(nodes, found):
                message = f"circuit {before.name}: {found.turns} Pauli rotations, {old[0]} -> {new[0]} CX or CZ"
                context.remark(self, message, before.place, two_qubit_gates=old[0] - new[0])
                return found
        context.remark(self, f"circuit {before.name}: left alone, its Pauli rotations are not cheaper", before.place)
        return None


@dataclass(frozen=True)
class _Rewritten:
    """A circuit with what its readouts are now: products of letters -> signed products, qubits -> qubits."""

    circuit: Circuit
    products: Mapping[PauliTerm, Pauli | None]
    bits: Mapping[int, int]
    turns: int


def _has_native_turns(context: Context) -> bool:
    native = context.target.native_ops if context.target is not None else ()
    return any(name.lower() in _NATIVE_TURNS for name in native)


def _refusal(circuit: Circuit, nodes: Iterable[Node], size: int) -> str:
    """Why a circuit is not looked at; empty where it is."""
    clifford = np.array([gate.clifford for gate in GATES])
    pieces = int((~clifford[circuit.opcode]).sum())
    if pieces * circuit.num_qubits > size:
        return f"{pieces} gates that are not Clifford on {circuit.num_qubits} qubits are too many"
    if len(circuit) > 20 * size:
        return f"{len(circuit)} gates are too many"
    if any(isinstance(n.op, BitReadout) for n in nodes):
        return "its classical bits are read"
    if not supported(circuit):
        return "it measures, resets, has conditions or barriers"
    terms = sum(len(o.terms) for n in nodes if isinstance(n.op, Expectation) for o in n.op.observables)
    return f"{terms} observable terms are too many" if terms > _MOST_TERMS else ""


def entangling_cost(circuit: Circuit, native_turns: bool = False) -> tuple[int, int]:
    """(CX or CZ that the gates take one by one, the depth in them).

    native_turns: whether a rotation on two qubits is one gate of the device.
    """
    turn = 1 if native_turns else 2
    table = [_COSTS.get(g.name, 0 if g.qubits < 2 else turn if g.angles else 1) if g.unitary else 0 for g in GATES]
    arity = np.diff(circuit.wire_ptr)
    costs = np.array(table)[circuit.opcode]
    wide = circuit.opcode == OPCODES["pauli"]
    costs = np.where(wide, np.where(arity == 2, turn, 2 * (arity - 1)), costs)
    (rows,) = np.nonzero(costs > 0)
    level = [0] * circuit.num_qubits
    starts = circuit.wire_ptr.tolist()
    wires = circuit.wires.tolist()
    for k in rows.tolist():
        on = wires[starts[k] : starts[k + 1]]
        top = max(level[w] for w in on) + int(costs[k])
        for w in on:
            level[w] = top
    return int(costs[rows].sum()), max(level, default=0)


def _best(circuit: Circuit, nodes: Sequence[Node], context: Context, cost: int) -> _Rewritten | None:
    terms, read = _wanted(nodes)
    form = simplified(pauli_form(circuit), [pauli(t) for t in terms] + [pauli([("Z", q)]) for q in read])
    readings = _readings(form.tableau, nodes, terms, read)
    best: Synthesis | None = None
    work = 0
    for number in range(_EFFORTS[context.effort]):
        trial = _trial(number, context.seed)
        found = synthesise(form.turns, form.qubits, readings, trial)
        if found is not None and (best is None or (found.entangling, found.depth) < (best.entangling, best.depth)):
            best = found
        work += (found.entangling if found is not None else cost) * (400 + form.qubits**2)
        # The first trial tells where the form is of no use.
        if best is None or not 0 < best.entangling <= _HOPELESS * cost or work >= _WORK[context.effort]:
            break
    if best is None:
        return None
    products = dict(zip(terms, best.products, strict=True))
    return _Rewritten(_built(circuit, best), products, dict(zip(read, best.bits, strict=True)), len(form.turns))


def _trial(number: int, seed: int) -> Trial:
    if number < len(_TRIALS):
        return replace(_TRIALS[number], seed=_TRIALS[number].seed + seed)
    random = np.random.default_rng((seed, number))
    return Trial(
        random.uniform(0.3, 1.0), float(random.choice([0.0, 0.05, 0.2])), random.uniform(0.02, 0.4), seed + number
    )


def _wanted(nodes: Iterable[Node]) -> tuple[list[PauliTerm], list[int]]:
    """(distinct products of the expectation values, qubits whose bits are read)."""
    terms: dict[PauliTerm, None] = {}
    read: set[int] = set()
    for node in nodes:
        if isinstance(node.op, Expectation):
            terms |= {term: None for o in node.op.observables for term, _ in o.terms if term}
        elif isinstance(node.op, Probabilities | Samples):
            read.update(node.op.qubits)
    return list(terms), sorted(read)


def _readings(tableau: Tableau, nodes: Sequence[Node], terms: Sequence[PauliTerm], read: Sequence[int]) -> Readings:
    index = {term: k for k, term in enumerate(terms)}
    expectations = [node.op for node in nodes if isinstance(node.op, Expectation)]
    most = [count_settings(op.observables) for op in expectations]
    settings: list[tuple[int, ...]] = []
    for op in expectations:
        numbers = [index[term] for o in op.observables for term, _ in o.terms if term]
        found = qubitwise_groups([pauli_masks(terms[k]) for k in numbers])
        settings += [tuple(numbers[m] for m in members) for _, members in found]

    def enough(masks: Sequence[Masks | None]) -> bool:
        products = {t: None if m is None else Pauli(*m) for t, m in zip(terms, masks, strict=True)}
        return all(
            count_settings([_moved(o, products) for o in op.observables]) <= limit
            for op, limit in zip(expectations, most, strict=True)
        )

    return Readings(
        tuple(tableau.pull(pauli(term)) for term in terms),
        tuple(dict.fromkeys(settings)),
        tuple(tableau.pull(pauli([("Z", q)])) for q in read),
        tuple(_generators(tableau, terms, read)),
        enough,
    )


def _generators(tableau: Tableau, terms: Sequence[PauliTerm], read: Sequence[int]) -> Iterable[tuple[Pauli, ...]]:
    """For every qubit that is read, the pulled back letters that its readings are products of."""
    letters: dict[int, set[str]] = {q: {"Z"} for q in read}
    for term in terms:
        for letter, qubit in term:
            letters.setdefault(qubit, set()).add(letter)
    for qubit, found in sorted(letters.items()):
        needed = sorted(found) if len(found) == 1 else ["X", "Z"]
        yield tuple(tableau.pull(pauli([(letter, qubit)])) for letter in needed)


def _built(circuit: Circuit, synthesis: Synthesis) -> Circuit:
    angles = AngleInterner()
    rows = [
        GateRow(
            OPCODES[step.gate],
            step.wires,
            () if step.angle is None else (angles.add(step.angle),),
            location=step.location,
        )
        for step in synthesis.steps
    ]
    return cancel(circuit.with_rows(rows, angles.table(), -1)).compacted()


def _keeps_settings(nodes: Iterable[Node], found: _Rewritten) -> bool:
    expectations = [n.op for n in nodes if isinstance(n.op, Expectation)]
    return all(
        count_settings([_moved(o, found.products) for o in op.observables]) <= count_settings(op.observables)
        for op in expectations
    )


def _moved(observable: PauliSum, products: Mapping[PauliTerm, Pauli | None]) -> PauliSum:
    terms: list[tuple[PauliTerm, float]] = []
    for term, coeff in observable.terms:
        product = products[term] if term else IDENTITY
        if product is not None:
            terms.append((pauli_term(product.masks), -coeff if product.negative else coeff))
    return PauliSum.of(terms)


def _read_from(node: Node, changes: Mapping[str, _Rewritten]) -> Node:
    op = node.op
    if not isinstance(op, Readout) or op.circuit not in changes:
        return node
    found = changes[op.circuit]
    if isinstance(op, Expectation):
        return replace(node, op=replace(op, observables=tuple(_moved(o, found.products) for o in op.observables)))
    assert isinstance(op, Probabilities | Samples)
    return replace(node, op=replace(op, qubits=tuple(found.bits[q] for q in op.qubits)))
