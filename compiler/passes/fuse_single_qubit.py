"""fuse-single-qubit: every run of one-qubit gates on a wire as few native ones.

Constants are multiplied at once. With symbols a run keeps affine angles where it has such a form (`rz ry rz` does, `ry
rx` does not). Any other run becomes one gate whose angles are late-bound: the module gets a small circuit `NAME.late`
with one wire a run that holds the run's gates, a node `late_angles` computes the Euler angles of every wire for the
whole batch, and the circuit takes them as one more input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from ...ir import Circuit, Graph, Module, Node, Value
from ...ir.angles import ZERO_ROW
from ...ir.circuit import AngleInput, GateRow, empty_circuit, split_groups
from ...ir.gates import GATES, OPCODES
from ...ir.ops import LateAngles, Readout
from ..synthesis.euler import angles_of, matrix_template, template_of
from ..synthesis.native import OneQubitBasis, one_qubit_basis
from ..synthesis.runs import find_runs
from ..synthesis.templates import Template, Writer, slot, without_unused_rows
from .base import Context, Contract, Pass
from .rewrites import fresh_name, map_graphs, readouts

_U3 = OPCODES["u3"]
_ONE_QUBIT = np.array([g.matrix is not None and g.qubits == 1 for g in GATES])
_TURNS = [OPCODES[n] for n in ("rz", "ry", "rx")]


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
        for name, circuit in module.circuits.items():
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
        self.angles = list(split_groups(circuit.angle_ptr, circuit.angle_rows))
        self.locations: list[int] = circuit.location.tolist()
        self.wires: list[int] = circuit.wires[circuit.wire_ptr[:-1][: len(circuit)]].tolist() if len(circuit) else []
        self.writer = Writer(circuit)
        self._kinds()
        self.templates: dict[tuple, tuple[Template, int]] = {}
        self.made: dict[int, list[GateRow]] = {}
        numeric: list[list[int]] = []
        for run in runs:
            if len(run) > 1 and self._is_numeric(run):
                numeric.append(run)
            else:
                self._affine(run)
        self._numeric(numeric)
        if not self.made and not self.late_runs:
            return circuit
        return self._finish()

    def _kinds(self) -> None:
        """For every angle row: its number where it is an exact constant, else -1; whether it is another constant."""
        angles = self.circuit.angles
        exact = angles.is_constant & (angles.offset == 0.0)
        self.exact = np.where(exact, np.arange(len(angles)), -1).tolist()
        self.floats = (angles.is_constant & ~exact).tolist()

    def _is_numeric(self, run: list[int]) -> bool:
        """Whether all angles of a run are constants and not all of them exact."""
        found = False
        for g in run:
            for a in self.angles[g]:
                if self.floats[a]:
                    found = True
                elif self.exact[a] < 0:
                    return False
        return found

    def _affine(self, run: list[int]) -> None:
        slots = [a for g in run for a in self.angles[g]]
        template, count = self._template(run, [self.exact[a] for a in slots])
        if count > 1 and any(self.floats[a] for a in slots):
            template, count = self._template(run, [a if self.floats[a] else self.exact[a] for a in slots])
        if count > 1 and self.late:
            self.late_runs.append(run)
        elif len(template.steps) < len(run) or not all(self.basis.keeps[self.opcodes[g]] for g in run):
            self._take(run, template, slots)

    def _template(self, run: list[int], kinds: list[int]) -> tuple[Template, int]:
        """The run's template and number of u3; angles that are -1 in `kinds` are slots, others row numbers."""
        key = (*[self.opcodes[g] for g in run], *kinds)
        found = self.templates.get(key)
        if found is None:
            forms = iter([slot(k) if row < 0 else self.writer.rows[row] for k, row in enumerate(kinds)])
            gates = [(self.opcodes[g], [next(forms) for _ in self.angles[g]]) for g in run]
            found = self.templates[key] = template_of(gates, self.basis.name, self.basis.has_x)
        return found

    def _take(self, run: list[int], template: Template, slots: Sequence[int]) -> None:
        first = run[0]
        rows = self.writer.write(template, (self.wires[first],), slots, self.locations[first])
        for g in run:
            self.made[g] = []
        self.made[first] = [r for r in rows if not self._is_nothing(r)]

    def _is_nothing(self, row: GateRow) -> bool:
        return row.opcode in _TURNS and self.writer.rows[row.angles[0]] == ZERO_ROW

    def _numeric(self, runs: list[list[int]]) -> None:
        """Runs of constants, all matrices at once."""
        if not runs:
            return
        found = angles_of(self._products(runs)).tolist()
        for run, values in zip(runs, found, strict=True):
            template = matrix_template(values, self.basis.name, self.basis.has_x)
            if len(template.steps) < len(run) or not all(self.basis.keeps[self.opcodes[g]] for g in run):
                self._take(run, template, ())

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
        circuit = self.circuit
        if self.late_runs:
            start = circuit.num_variables
            name = fresh_name("late", {a.name for a in circuit.inputs})
            added = AngleInput(name, (len(self.late_runs), 3))
            circuit = self.writer.circuit = replace(circuit, inputs=(*circuit.inputs, added))
            template = template_of([(_U3, [slot(0), slot(1), slot(2)])], self.basis.name, self.basis.has_x)[0]
            for k, run in enumerate(self.late_runs):
                slots = [self.writer.row((0, 1, 0.0, ((start + 3 * k + i, 1.0),))) for i in range(3)]
                self._take(run, template, slots)
        rows = circuit.rows()
        for k, group in self.made.items():
            rows[k] = group  # type: ignore[call-overload]
        flat: list[GateRow] = []
        for row in rows:
            if type(row) is list:
                flat += row
            else:
                flat.append(row)
        return self.writer.finish(flat)

    def late_circuit(self, name: str) -> Circuit:
        """The gates of the late-bound runs, run k on wire k."""
        circuit = self.circuit
        base = empty_circuit(name, len(self.late_runs), 0, circuit.inputs)
        base = replace(base, locations=circuit.locations, place=circuit.place)
        rows = [
            GateRow(self.opcodes[g], (k,), self.angles[g], (), -1, -1, self.locations[g])
            for k, run in enumerate(self.late_runs)
            for g in run
        ]
        return without_unused_rows(base.with_rows(rows, circuit.angles))


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


def _wave_coefficients(opcode: int) -> np.ndarray:
    make = GATES[opcode].matrix
    assert make is not None
    probes = np.array([0.0, 0.9, 2.1, 3.7])
    waves = np.exp(1j * probes[:, None] * np.array([0.0, 0.5, -0.5, 1.0]))
    values = np.array([make(p) for p in probes]).reshape(4, 4)
    return np.linalg.solve(waves, values).reshape(4, 2, 2)
