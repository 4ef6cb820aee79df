"""Observables with small light cones of their own are read from circuits of their own.

A circuit with t two-qubit gates of error e in the cone of its observables damps them to about f = (1 - e)^t. Where a
number of circuits is asked for, they are chosen such that the mean of 1 - f over the observables gets smallest. Else a
split has to pay by itself: at a damping f it takes 1/f^2 as many executions to know the value behind it, and the sum of
measurement settings / f^2 over the circuits has to fall.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from math import exp, expm1, log1p
from typing import ClassVar

import numpy as np

from ...ir import Circuit, Graph, Module, Node, PauliSum, Value
from ...ir.gates import GATES, OPCODES
from ...ir.measurement_settings import count_settings
from ...ir.ops import Cat, Expectation, Slice
from .base import Context, Contract, Pass
from .light_cone import cone, letters_of, needed_gates, without_idle
from .rewrites import fresh_name, map_graphs, readouts, relabelled

USUAL_ERROR = 0.005
"""The error of a two-qubit gate where the target has no calibration."""
MOST_OBSERVABLES = 128
"""Readouts of more observables are left alone."""
_MOST_THAT_PAY = 4
_MOST_DAMPING = 300.0
_LEAST_GAIN = 0.1
"""By which share of the error of one circuit another circuit has to lower it."""
_BARRIER = OPCODES["barrier"]


@dataclass(frozen=True)
class SplitReadouts(Pass):
    """Read observables from several circuits, each cut to its light cone, for less noise.

    With `max_circuits` the predicted error falls by a tenth or more for every circuit more; by default splits are made
    at effort max alone, and only where they pay in executions. The values stay the same.
    """

    name: ClassVar[str] = "split-readouts"
    contract: ClassVar[Contract] = Contract.EXPECTATION
    max_circuits: int = 0
    """most circuits for one readout; 1: never split; 0: splits that pay, at effort max"""

    def run(self, module: Module, context: Context) -> Module:
        """The module in which expectations may be joined from those of several circuits."""
        most = self.max_circuits or (_MOST_THAT_PAY if context.effort == "max" else 1)
        if most < 2:
            return module
        splitter = _Splitter(module, most, _error(context), self.max_circuits == 0)
        graph = map_graphs(module.graph, splitter.split)
        for message, node in splitter.done:
            context.remark(self, message, node.location)
        if not splitter.made:
            return module
        after = module.with_(graph=graph, circuits=dict(module.circuits) | splitter.made)
        used = readouts(after)
        kept = {k: c for k, c in after.circuits.items() if k in used or k not in splitter.sources}
        return relabelled(after.with_(circuits=kept), splitter.places)


def _error(context: Context) -> float:
    """The median error of the target's best two-qubit gate."""
    errors = context.target.data.get("median_errors", {}) if context.target else {}
    widths = {gate.name: gate.qubits for gate in GATES}
    return min((e for name, e in errors.items() if widths.get(name) == 2 and 0 < e < 0.5), default=USUAL_ERROR)


@dataclass
class _Splitter:
    """made: the new circuits. sources: circuits that a readout was split off. places: old -> new qubits of each."""

    module: Module
    most: int
    error: float
    pays: bool
    made: dict[str, Circuit] = field(default_factory=dict)
    sources: set[str] = field(default_factory=set)
    places: dict[str, dict[int, int]] = field(default_factory=dict)
    done: list[tuple[str, Node]] = field(default_factory=list)

    def split(self, graph: Graph) -> Graph:
        taken = graph.names()
        nodes: list[Node] = []
        for node in graph.nodes:
            op = node.op
            groups = self._groups(op) if type(op) is Expectation else []
            nodes += self._parts(node, op, groups, taken) if type(op) is Expectation and len(groups) > 1 else [node]
        return replace(graph, nodes=tuple(nodes))

    def _groups(self, op: Expectation) -> list[list[int]]:
        if not 1 < len(op.observables) <= MOST_OBSERVABLES:
            return []
        return grouped(self.module.circuits[op.circuit], op.observables, self.most, self.error, self.pays)

    def _parts(self, node: Node, op: Expectation, groups: Sequence[Sequence[int]], taken: set[str]) -> list[Node]:
        """One readout a group, and the nodes that put the values into their order."""
        nodes: list[Node] = []

        def add(new: Expectation | Slice | Cat, *operands: Value, hint: str) -> Value:
            (kind,) = new.result_types(tuple(v.type for v in operands), self.module)
            value = Value(fresh_name(hint, taken), kind)
            taken.add(value.name)
            nodes.append(Node(new, operands, (value,), node.location))
            return value

        hint = node.results[0].name
        where: dict[int, tuple[int, int]] = {}
        values: list[Value] = []
        sizes: list[str] = []
        for k, group in enumerate(groups):
            part = replace(op, observables=tuple(op.observables[i] for i in group))
            values.append(add(part, *node.operands, hint=f"{hint}_part"))
            name = self._cut(op.circuit, part)
            nodes[-1] = replace(nodes[-1], op=replace(part, circuit=name))
            where |= {i: (k, at) for at, i in enumerate(group)}
            sizes.append(str(self.made[name].costs()["two_qubit_gates"]))
        dim = len(values[0].type.shape) - 1
        runs = _runs([where[i] for i in range(len(op.observables))])
        pieces = [add(Slice(dim, at, at + length), values[k], hint=f"{hint}_slice") for k, at, length in runs]
        nodes.append(Node(Cat(dim), tuple(pieces), node.results, node.location))
        gates = self.module.circuits[op.circuit].costs()["two_qubit_gates"]
        message = f"circuit {op.circuit}: {len(op.observables)} observables are read from {len(groups)} circuits with "
        self.done.append((f"{message}{', '.join(sizes)} two-qubit gates in the place of one with {gates}", node))
        return nodes

    def _cut(self, source: str, part: Expectation) -> str:
        """A copy of the circuit with the light cone of a readout alone; its name."""
        circuit = self.module.circuits[source]
        letters = _letters(part.observables, circuit.num_qubits)
        name = fresh_name(f"{source}_part", {*self.module.circuits, *self.made})
        read = [q for q, letter in enumerate(letters) if letter]
        small, self.places[name] = without_idle(cone(circuit, letters), read)
        self.made[name] = replace(small, name=name)
        self.sources.add(source)
        return name


def _letters(observables: Sequence[PauliSum], qubits: int) -> list[int]:
    return letters_of((Node(Expectation("", tuple(observables)), (), ()),), qubits)


def _runs(places: Sequence[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """(group, start, length) of consecutive values of one group."""
    runs: list[tuple[int, int, int]] = []
    for k, at in places:
        if runs and runs[-1][0] == k and sum(runs[-1][1:]) == at:
            runs[-1] = (k, runs[-1][1], runs[-1][2] + 1)
        else:
            runs.append((k, at, 1))
    return runs


@dataclass(frozen=True)
class _Group:
    """Observables, the gates on two or more qubits in their cones, and what it costs to read them together."""

    members: tuple[int, ...]
    gates: np.ndarray
    cost: float


def grouped(
    circuit: Circuit, observables: Sequence[PauliSum], most: int, error: float, pays: bool = False
) -> list[list[int]]:
    """At most `most` groups of observables, each to be read from a circuit of its own; one where no split is worth it.

    error: of a two-qubit gate. pays: whether a split has to save executions; else it has to lower the mean error by
    enough. Groups are joined greedily, always the two whose union costs least more.
    """
    pairs = (circuit.opcode != _BARRIER) & (np.diff(circuit.wire_ptr) >= 2)

    def group(members: tuple[int, ...], gates: np.ndarray) -> _Group:
        damping = min(-int(gates.sum()) * log1p(-error), _MOST_DAMPING)
        if not pays:
            return _Group(members, gates, -len(members) * expm1(-damping))
        return _Group(members, gates, count_settings([observables[i] for i in members]) * exp(2 * damping))

    by_cone: dict[bytes, tuple[tuple[int, ...], np.ndarray]] = {}
    for k, observable in enumerate(observables):
        gates = needed_gates(circuit, _letters([observable], circuit.num_qubits))[pairs]
        members, _ = by_cone.get(gates.tobytes(), ((), gates))
        by_cone[gates.tobytes()] = ((*members, k), gates)
    groups = [group(members, gates) for members, gates in by_cone.values()]
    together = group(tuple(range(len(observables))), np.any([g.gates for g in groups], axis=0))

    unions: dict[tuple[int, ...], _Group] = {}

    def union(a: _Group, b: _Group) -> _Group:
        members = tuple(sorted(a.members + b.members))
        if members not in unions:
            unions[members] = group(members, a.gates | b.gates)
        return unions[members]

    while len(groups) > 1:
        growth, i, j = min(
            (union(a, b).cost - a.cost - b.cost, i, j) for (i, a), (j, b) in combinations(enumerate(groups), 2)
        )
        if len(groups) <= most and growth >= (0.0 if pays else _LEAST_GAIN * together.cost):
            break
        groups = [g for k, g in enumerate(groups) if k not in (i, j)] + [union(groups[i], groups[j])]
    if sum(g.cost for g in groups) >= together.cost:
        groups = [together]
    return [list(g.members) for g in sorted(groups, key=lambda g: g.members)]
