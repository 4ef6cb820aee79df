"""fuse-single-qubit: every run of one-qubit gates on a wire as few native ones.

Constants are multiplied at once. With symbols a run keeps affine angles where it has such a form (`rz ry rz` does, `ry
rx` does not). Any other run becomes one gate whose angles are late-bound: the module gets a small circuit `NAME.late`
with one wire a run that holds the run's gates, a node `late_angles` computes the Euler angles of every wire for the
whole batch, and the circuit takes them as one more input.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache
from typing import ClassVar

import numpy as np

from ...ir import Circuit, Graph, Module, Node, Value
from ...ir.angles import make_row
from ...ir.circuit import AngleInput, GateRow, empty_circuit, split_groups
from ...ir.gates import GATES, OPCODES
from ...ir.ops import LateAngles, Readout
from ..synthesis.columns import ColumnWriter, constant_rows
from ..synthesis.euler import SNAP, angles_of, matrix_template, template_of
from ..synthesis.native import OneQubitBasis, one_qubit_basis
from ..synthesis.runs import find_runs
from ..synthesis.templates import Template, slot, without_unused_rows
from .base import Context, Contract, Pass
from .rewrites import fresh_name, map_graphs, readouts

_U3 = OPCODES["u3"]
_FEW = 256
"""rows of a table up to which a dictionary groups them faster than a sort of its columns"""
_SPECIAL = 1e-9
"""radians from a multiple of pi/4 within which a constant angle is looked at exactly"""
_IN_SLOT = 99


@dataclass(frozen=True)
class FuseSingleQubit(Pass):
    """Join runs of one-qubit gates into as few gates of the target as they need."""

    name: ClassVar[str] = "fuse-single-qubit"
    contract: ClassVar[Contract] = Contract.EXPECTATION
    basis: str = ""
    """u3, rz-sx, rz-rx, rz-ry or rz-rx90; the target's own where it is empty, u3 without a target"""
    late: bool = True
    """whether runs without an affine form get angles that the host computes from the inputs"""

    def run(self, module: Module, context: Context) -> Module:
        """Every circuit with shorter runs; the same object where nothing gets shorter."""
        basis = one_qubit_basis(context.target.native_ops if context.target else (), self.basis)
        nodes = readouts(module)
        circuits: dict[str, Circuit] = {}
        late: dict[str, str] = {}
        hosted = host_circuits(module)
        for name, circuit in module.circuits.items():
            if name in hosted:
                circuits[name] = circuit
                continue
            fusion = Fusion(circuit, basis, self.late and name in nodes)
            circuits[name] = fusion.run()
            if fusion.late_runs:
                late[name] = fresh_name(f"{name}.late", {*module.circuits, *circuits})
                circuits[late[name]] = fusion.late_circuit(late[name])
            if circuits[name] is not circuit:
                self._report(circuit, circuits[name], len(fusion.late_runs), context)
        if all(circuits[name] is c for name, c in module.circuits.items()):
            return module
        after = module.with_(circuits=circuits)
        return (
            after.with_(graph=map_graphs(module.graph, lambda g: with_late_angles(g, after, late))) if late else after
        )

    def _report(self, before: Circuit, after: Circuit, late: int, context: Context) -> None:
        saved = len(before) - len(after)
        message = f"circuit {before.name}: {len(before)} -> {len(after)} gates"
        message += f", {late} of them with angles from the host" if late else ""
        context.remark(self, message, before.place, gates=saved)


def host_circuits(module: Module) -> set[str]:
    """Circuits that no device runs: the host takes angles from them."""
    return {node.op.circuit for node in module.nodes() if isinstance(node.op, LateAngles)}


def with_late_angles(graph: Graph, module: Module, late: dict[str, str]) -> Graph:
    """The graph in which readouts of the circuits in `late` also get the angles that the circuit behind it gives."""
    taken = graph.names()
    made: dict[tuple, Value] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        if not isinstance(node.op, Readout) or node.op.circuit not in late:
            nodes.append(node)
            continue
        key = (node.op.circuit, node.operands)
        if key not in made:
            op = LateAngles(late[node.op.circuit])
            (kind,) = op.result_types(tuple(v.type for v in node.operands), module)
            made[key] = Value(fresh_name("late", taken), kind)
            taken.add(made[key].name)
            nodes.append(Node(op, node.operands, (made[key],), node.location))
        nodes.append(replace(node, operands=(*node.operands, made[key])))
    return replace(graph, nodes=tuple(nodes))


@dataclass
class Fusion:
    """One circuit with its runs made again.

    late: whether runs without an affine form may become late-bound; those that do are in `late_runs`, row numbers each.
    """

    circuit: Circuit
    basis: OneQubitBasis
    late: bool = False
    late_runs: list[list[int]] = field(default_factory=list)

    def run(self) -> Circuit:
        circuit = self.circuit
        runs = find_runs(circuit, self.basis.keeps)
        if not runs:
            return circuit
        self.opcodes: list[int] = circuit.opcode.tolist()
        self.rows = circuit.angles.rows()
        self.kept: list[bool] = self.basis.keeps.tolist()
        self.symbolic = ~circuit.angles.is_constant
        self.floats = circuit.angles.is_constant & (circuit.angles.offset != 0.0)
        self.exact = np.where(self.symbolic | self.floats, -1, np.arange(len(circuit.angles)))
        self.writer = ColumnWriter(circuit)
        self.numeric: list[list[int]] = []
        for table in runs:
            for group, pattern in _groups(circuit.opcode[table]):
                self._pattern(pattern, table[group])
        self._numeric(self.numeric)
        self.late_runs.sort()
        if not self.late_runs and not self.writer.removed.any():
            return circuit
        return self._finish()

    def _pattern(self, pattern: list[int], runs: np.ndarray) -> None:
        """Runs (runs, gates) that have the same gates."""
        circuit = self.circuit
        places = [circuit.angle_ptr[runs[:, k]] + i for k, op in enumerate(pattern) for i in range(GATES[op].angles)]
        slots = circuit.angle_rows[np.array(places, np.int64).reshape(-1, len(runs)).T]
        floats = self.floats[slots]
        numeric = floats.any(axis=1) & ~self.symbolic[slots].any(axis=1) & (len(pattern) > 1)
        self.numeric += runs[numeric].tolist()
        self._affine(pattern, runs[~numeric], slots[~numeric], self.exact[slots[~numeric]])

    def _affine(self, pattern: list[int], runs: np.ndarray, slots: np.ndarray, kinds: np.ndarray) -> None:
        """Runs by templates. kinds: for every angle -1 for a slot, else the number of a constant row."""
        for group, kind in _groups(kinds):
            forms = iter([slot(k) if row < 0 else self.rows[row] for k, row in enumerate(kind)])
            gates = [(op, [next(forms) for _ in range(GATES[op].angles)]) for op in pattern]
            template, count = template_of(gates, self.basis.name, self.basis.has_x)
            floats = self.floats[slots[group]] & (kinds[group] < 0)
            if count > 1 and floats.any():
                self._affine(pattern, runs[group], slots[group], np.where(floats, slots[group], kinds[group]))
            elif count > 1 and self.late:
                self.late_runs += runs[group].tolist()
            elif self._better(pattern, template):
                self._replace(template, runs[group], slots[group])

    def _better(self, pattern: list[int], template: Template) -> bool:
        """Whether the template is shorter than gates of these kinds, or those have to go."""
        return len(template.steps) < len(pattern) or not all(self.kept[op] for op in pattern)

    def _better_run(self, run: list[int], template: Template) -> bool:
        return self._better([self.opcodes[g] for g in run], template)

    def _numeric(self, runs: list[list[int]]) -> None:
        """Runs of constants, all matrices at once. Angles that are no multiples of pi/4 go into slots."""
        if not runs:
            return
        values = angles_of(self._products(runs))
        steps = np.round(values[:, :3] / (np.pi / 4))
        off = np.abs(values[:, :3] - steps * (np.pi / 4))
        # Without a tilt, or with one by pi, the other two angles are one: such runs are made one by one.
        alone = ((off >= SNAP) & (off < _SPECIAL)).any(axis=1) | ((off[:, 0] < SNAP) & (steps[:, 0] % 4 == 0))
        kinds = np.where(off < SNAP, steps, _IN_SLOT).astype(np.int64)
        shared = np.flatnonzero(~alone)
        for group, kind in _groups(kinds[shared]):
            self._alike(kind, shared[group], runs, values)
        for k in np.flatnonzero(alone).tolist():
            template = matrix_template(values[k].tolist(), self.basis.name, self.basis.has_x)
            if self._better_run(runs[k], template):
                self._replace(template, np.array([runs[k]]), np.zeros((1, 0), np.int32))

    def _alike(self, kind: list[int], group: np.ndarray, runs: list[list[int]], values: np.ndarray) -> None:
        """Runs whose gate u3 has the same multiples of pi/4 (`kind`: in theta, phi, lam), other angles in slots."""
        places = [k for k, step in enumerate(kind) if step == _IN_SLOT]
        slots = iter(range(len(places)))
        forms = [slot(next(slots)) if step == _IN_SLOT else make_row(Fraction(step, 4)) for step in kind]
        template, _ = template_of([(_U3, forms)], self.basis.name, self.basis.has_x)
        group = group[[self._better_run(runs[k], template) for k in group.tolist()]]
        if not len(group):
            return
        start = self.writer.add_rows(constant_rows(values[group][:, places].ravel()))
        self.writer.add_phase(float(values[group, 3].sum()))
        self._take(
            template,
            [runs[k] for k in group.tolist()],
            start + np.arange(len(group) * len(places)).reshape(len(group), -1),
        )

    def _three_slots(self) -> Template:
        """u3 of three slots in the basis."""
        return template_of([(_U3, [slot(0), slot(1), slot(2)])], self.basis.name, self.basis.has_x)[0]

    def _replace(self, template: Template, runs: np.ndarray, slots: np.ndarray) -> None:
        """Runs (runs, gates) by the template; slots (runs, slots) are angle rows."""
        first = runs[:, 0]
        self.writer.replace(template, first, self.circuit.wires[self.circuit.wire_ptr[first]][:, None], slots)
        self.writer.removed[runs] = True

    def _take(self, template: Template, runs: list[list[int]], slots: np.ndarray) -> None:
        """`_replace` for runs of different lengths."""
        first = np.array([run[0] for run in runs])
        self.writer.removed[[g for run in runs for g in run]] = True
        self._replace(template, first[:, None], slots)

    def _products(self, runs: list[list[int]]) -> np.ndarray:
        """(runs, 2, 2): gate k of every run for k = 0, 1, ..."""
        out = np.repeat(np.eye(2, dtype=complex)[None], len(runs), axis=0)
        values = self.circuit.angles.constants
        longest = max(map(len, runs))
        order = sorted(range(len(runs)), key=lambda k: -len(runs[k]))
        active = len(order)
        for place in range(longest):
            while len(runs[order[active - 1]]) <= place:
                active -= 1
            which = np.array(order[:active])
            gates = [runs[k][place] for k in order[:active]]
            out[which] = self._matrices(gates, values) @ out[which]
        return out

    def _matrices(self, gates: list[int], values: np.ndarray) -> np.ndarray:
        rows = np.array(gates)
        opcodes = self.circuit.opcode[rows]
        out = np.empty((len(rows), 2, 2), complex)
        for opcode in np.unique(opcodes).tolist():
            here = np.flatnonzero(opcodes == opcode)
            columns = self.circuit.angle_ptr[rows[here]][:, None] + np.arange(GATES[opcode].angles)
            given = values[self.circuit.angle_rows[columns]]
            out[here] = matrices_of(opcode, given)
        return out

    # Late-bound runs and the result

    def _finish(self) -> Circuit:
        if not self.late_runs:
            return self.writer.finish()
        circuit, count = self.circuit, 3 * len(self.late_runs)
        variables = circuit.num_variables + np.arange(count)
        table = constant_rows(np.zeros(count))
        table = replace(table, ptr=np.arange(count + 1), variables=variables, coeffs=np.ones(count))
        slots = self.writer.add_rows(table) + np.arange(count).reshape(-1, 3)
        name = fresh_name("late", {a.name for a in circuit.inputs})
        inputs = (*circuit.inputs, AngleInput(name, (len(self.late_runs), 3)))
        self.writer.circuit = replace(circuit, inputs=inputs)
        self._take(self._three_slots(), self.late_runs, slots)
        return self.writer.finish()

    def late_circuit(self, name: str) -> Circuit:
        """The gates of the late-bound runs, run k on wire k."""
        circuit = self.circuit
        base = empty_circuit(name, len(self.late_runs), 0, circuit.inputs)
        base = replace(base, locations=circuit.locations, place=circuit.place)
        angles = list(split_groups(circuit.angle_ptr, circuit.angle_rows))
        rows = [
            GateRow(self.opcodes[g], (k,), angles[g], (), -1, -1, int(circuit.location[g]))
            for k, run in enumerate(self.late_runs)
            for g in run
        ]
        return without_unused_rows(base.with_rows(rows, circuit.angles))


def _groups(kinds: np.ndarray) -> Iterator[tuple[np.ndarray, list[int]]]:
    """(row numbers, the row) of every distinct row of a table."""
    if not len(kinds):
        return
    if not kinds.shape[1]:
        yield np.arange(len(kinds)), []
        return
    if len(kinds) <= _FEW:
        found: dict[tuple[int, ...], list[int]] = {}
        for k, row in enumerate(map(tuple, kinds.tolist())):
            found.setdefault(row, []).append(k)
        yield from ((np.array(found[row]), list(row)) for row in sorted(found))
        return
    distinct, which = np.unique(kinds, axis=0, return_inverse=True)
    order = np.argsort(which.reshape(-1), kind="stable")
    ends = np.cumsum(np.bincount(which.reshape(-1)))
    for row, group in zip(distinct.tolist(), np.split(order, ends[:-1]), strict=True):
        yield group, row


def matrices_of(opcode: int, angles: np.ndarray) -> np.ndarray:
    """Matrices of one kind of one-qubit gate for angles (batch, its number of angles)."""
    make = GATES[opcode].matrix
    assert make is not None
    if opcode == _U3:
        theta, phi, lam = angles.T
        c, s = np.cos(theta / 2), np.sin(theta / 2)
        entries = [c, -np.exp(1j * lam) * s, np.exp(1j * phi) * s, np.exp(1j * (phi + lam)) * c]
        return np.stack(entries, axis=-1).reshape(-1, 2, 2)
    if not angles.shape[1]:
        return np.repeat(make()[None], len(angles), axis=0)
    # With one angle t every entry is a combination of 1, exp(i t/2), exp(-i t/2) and exp(i t).
    waves = np.exp(1j * angles * np.array([0.0, 0.5, -0.5, 1.0]))
    return np.einsum("bk,kij->bij", waves, _wave_coefficients(opcode))


@cache
def _wave_coefficients(opcode: int) -> np.ndarray:
    make = GATES[opcode].matrix
    assert make is not None
    probes = np.array([0.0, 0.9, 2.1, 3.7])
    waves = np.exp(1j * probes[:, None] * np.array([0.0, 0.5, -0.5, 1.0]))
    values = np.array([make(p) for p in probes]).reshape(4, 4)
    return np.linalg.solve(waves, values).reshape(4, 2, 2)
