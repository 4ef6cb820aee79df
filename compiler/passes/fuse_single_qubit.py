"""fuse-single-qubit: every run of one-qubit gates on a wire as few native ones.

Constants are multiplied at once. With symbols a run keeps affine angles where it has such a form (`rz ry rz` does, `ry
rx` does not). Any other run becomes one gate whose angles are late-bound: the module gets a small circuit `NAME.late`
with one wire a run that holds the run's gates, a node `late_angles` computes the Euler angles of every wire for the
whole batch, and the circuit takes them as one more input.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache, lru_cache
from itertools import groupby
from math import cos, sin
from typing import ClassVar, NamedTuple, TypeAlias

from ...ir import Circuit, Graph, Module, Node, Value
from ...ir.angles import ZERO_ROW, AngleTable, Row, make_row
from ...ir.circuit import AngleInput, GateRow, empty_circuit, split_groups
from ...ir.gates import GATES, OPCODES
from ...ir.ops import LateAngles, Readout
from ..synthesis.euler import SNAP, TINY, constant, matrix_template, snapped, template_of
from ..synthesis.gate_writer import GateWriter
from ..synthesis.memory import collector_paused
from ..synthesis.native import OneQubitBasis, one_qubit_basis
from ..synthesis.native_rules import Entanglers, rule
from ..synthesis.templates import TURNS, Template, slot
from .base import Context, Contract, Pass
from .rewrites import fresh_name, map_graphs, readouts

_U3 = OPCODES["u3"]
_QUARTER = math.pi / 4
_SPECIAL = 1e-9
"""radians from a multiple of pi/4 within which a constant angle is looked at exactly"""


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
        fused = fuse_all(module, lambda circuit, late: Fusion(circuit, basis, self.late and late))
        for before, after, late in fused.changes:
            message = f"circuit {before.name}: {len(before)} -> {len(after)} gates{late_note(late)}"
            context.remark(self, message, before.place, gates=len(before) - len(after))
        return fused.module


def late_note(late: int) -> str:
    """What a remark says of late-bound runs."""
    return f", {late} of them with angles from the host" if late else ""


class Fused(NamedTuple):
    """A module after fusion, and (circuit before, after, number of late-bound runs) of every circuit that changed."""

    module: Module
    changes: list[tuple[Circuit, Circuit, int]]


def fuse_all(module: Module, make: Callable[[Circuit, bool], Fusion]) -> Fused:
    """The module with every circuit that a device runs replaced by what the fusion of it gives.

    make: called with a circuit and whether it may have late-bound angles.
    """
    nodes, hosted = readouts(module), host_circuits(module)
    circuits: dict[str, Circuit] = {}
    late: dict[str, str] = {}
    changes: list[tuple[Circuit, Circuit, int]] = []
    for name, circuit in module.circuits.items():
        circuits[name] = circuit
        if name in hosted:
            continue
        fusion = make(circuit, name in nodes)
        circuits[name] = fusion.run()
        if fusion.late_runs:
            late[name] = fresh_name(f"{name}.late", {*module.circuits, *circuits})
            circuits[late[name]] = fusion.late_circuit(late[name])
        if circuits[name] is not circuit:
            changes.append((circuit, circuits[name], len(fusion.late_runs)))
    if not changes:
        return Fused(module, changes)
    after = module.with_(circuits=circuits)
    if late:
        after = after.with_(graph=map_graphs(module.graph, lambda graph: with_late_angles(graph, after, late)))
    return Fused(after, changes)


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


_Gate: TypeAlias = tuple[int, tuple[int, ...], int]
"""A one-qubit gate that waits on its wire: opcode, numbers of angle rows, and the row that it comes from."""


class _Plan(NamedTuple):
    """What runs of one form become. template: None where they stay. u3s: how many u3 a template takes.

    constant: all gates together are one matrix. mixed: constants other than multiples of pi stand between symbols.
    """

    template: Template | None
    u3s: int = 0
    constant: bool = False
    mixed: bool = False


_STAY = _Plan(None)
_GO = _Plan(Template(()))


class _Part(NamedTuple):
    """A gate of a rule: wires count within it; angles are row numbers, forms stand in their place where one has a
    slot."""

    opcode: int
    wires: tuple[int, ...]
    angles: tuple[int, ...]
    forms: tuple[Row, ...]


class _Rule(NamedTuple):
    """What takes the place of a gate that the target does not have, and its phase."""

    phase: Row
    parts: list[_Part]


_ALONE, _WHOLE, _SPLIT = range(3)
"""A gate on one qubit that runs are made of; one that ends the runs of its wires; one that the target does not have."""

_EXACT, _FLOAT, _SYMBOL = range(3)
"""An angle row that is an exact multiple of pi, another constant, one with a symbol."""


@cache
def _kinds(target: Entanglers | None) -> list[int]:
    """The kind of every gate."""
    one = [gate.matrix is not None and gate.qubits == 1 for gate in GATES]
    whole = [target is None or k in target.native or not gate.unitary for k, gate in enumerate(GATES)]
    return [_ALONE if a else _WHOLE if w else _SPLIT for a, w in zip(one, whole, strict=True)]


class Fusion:
    """One circuit with its runs of one-qubit gates made again.

    late: whether runs without an affine form may become late-bound; those that do are in `late_runs`. target: gates on
    several qubits that it does not have are replaced by templates, whose one-qubit gates join the runs around them.
    """

    def __init__(
        self, circuit: Circuit, basis: OneQubitBasis, late: bool = False, target: Entanglers | None = None
    ) -> None:
        self.circuit = circuit
        self.basis = basis
        self.late = late
        self.target = target
        self.late_runs: list[list[_Gate]] = []
        self.changed = False

    def run(self) -> Circuit:
        """The circuit with shorter runs; the same object where nothing changes."""
        with collector_paused():
            self._walk()
        return self._finish() if self.changed else self.circuit

    def _walk(self) -> None:
        circuit = self.circuit
        self.kept: list[bool] = self.basis.keeps.tolist()
        self.writer = writer = GateWriter(circuit)
        self.num_variables = circuit.num_variables
        self.kinds: list[int] = []
        self.plans: dict[tuple[int, ...], _Plan] = {}
        self.rules: dict[tuple[int, int], _Rule | None] = {}
        self.waiting: list[list[_Gate]] = [[] for _ in range(circuit.num_qubits)]
        waiting, flush, kinds = self.waiting, self._flush, _kinds(self.target)
        opcodes, conditions = circuit.opcode.tolist(), circuit.condition.tolist()
        wires_of = split_groups(circuit.wire_ptr, circuit.wires)
        angles_of = split_groups(circuit.angle_ptr, circuit.angle_rows)
        for k, (opcode, wires, angles) in enumerate(zip(opcodes, wires_of, angles_of, strict=True)):
            kind = kinds[opcode]
            if kind == _ALONE and conditions[k] < 0:
                waiting[wires[0]].append((opcode, angles, k))
            elif kind == _SPLIT and (found := self._rule(opcode, int(circuit.payload[k]))) is not None:
                self._split(found, wires, angles, k)
            else:
                for wire in wires or range(circuit.num_qubits):
                    if waiting[wire]:
                        flush(wire)
                if kind == _ALONE:
                    self._conditioned(opcode, wires, angles, k)
                else:
                    writer.add(opcode, wires, angles, k)
        for wire in range(circuit.num_qubits):
            flush(wire)

    def _kinds_of_rows(self) -> list[int]:
        """The kind of every angle row; new rows come as gates are written."""
        kinds, rows = self.kinds, self.writer.rows
        if len(kinds) < len(rows):
            kinds += [_SYMBOL if r[3] else _FLOAT if r[2] else _EXACT for r in rows[len(kinds) :]]
        return kinds

    def _rule(self, opcode: int, payload: int) -> _Rule | None:
        assert self.target is not None
        key = opcode, payload
        if key not in self.rules:
            found = rule(opcode, self.circuit.payloads[payload] if payload >= 0 else "", self.target)
            self.rules[key] = _Rule(found.phase, [self._part(*step) for step in found.steps]) if found else None
        return self.rules[key]

    def _part(self, opcode: int, wires: tuple[int, ...], forms: tuple[Row, ...], _: str) -> _Part:
        if any(form[3] for form in forms):
            return _Part(opcode, wires, (), forms)
        return _Part(opcode, wires, tuple(map(self.writer.row, forms)), ())

    def _split(self, rule: _Rule, wires: Sequence[int], angles: Sequence[int], source: int) -> None:
        """A gate that the target does not have. Under a condition a global phase has no effect: the bits that it
        depends on are measured."""
        self.changed = True
        conditioned = self.circuit.condition[source] >= 0
        if not conditioned:
            self.writer.add_phase(rule.phase, angles)
        for opcode, at, numbers, forms in rule.parts:
            if forms:
                numbers = tuple([self.writer.angle(form, angles) for form in forms])
            if len(at) == 1 and not conditioned:
                self.waiting[wires[at[0]]].append((opcode, numbers, source))
                continue
            on = [wires[w] for w in at]
            for wire in on:
                self._flush(wire)
            if len(on) == 1:
                self._conditioned(opcode, on, numbers, source)
            else:
                self.writer.add(opcode, on, numbers, source)

    def _conditioned(self, opcode: int, wires: Sequence[int], angles: Sequence[int], source: int) -> None:
        """A one-qubit gate under a condition, in the target's gates with the same condition."""
        if self.target is None or self.kept[opcode]:
            self.writer.add(opcode, wires, angles, source)
            return
        self.changed = True
        gates = [(opcode, [self.writer.rows[a] for a in angles])]
        for step in template_of(gates, self.basis.name, self.basis.has_x)[0].steps:
            self.writer.add(step.opcode, wires, [self.writer.row(form) for form in step.angles], source)

    def _flush(self, wire: int) -> None:
        """Write the run that waits on a wire."""
        run = self.waiting[wire]
        if not run:
            return
        self.waiting[wire] = []
        plan, slots = self._planned(run)
        if plan.constant:
            self._numeric(wire, run)
            return
        given, phase = run, 0.0
        if plan.u3s > 1 and plan.mixed:
            run, phase = self._joined(run)
            plan, slots = self._planned(run)
        if plan.u3s > 1 and self.late:
            self._late(wire, given)
            return
        if run is not given:
            self.changed = True
            self.writer.add_offset(phase)
        self._replace(wire, run, plan.template, slots)

    def _planned(self, run: list[_Gate]) -> tuple[_Plan, list[int]]:
        """The plan of a run, and the angle rows of its slots. Multiples of pi are constants of the plan."""
        kinds = self._kinds_of_rows()
        key: list[int] = []
        slots: list[int] = []
        for opcode, angles, _ in run:
            key.append(opcode)
            for a in angles:
                slots.append(a)
                key.append(a if kinds[a] == _EXACT else -kinds[a])
        form = tuple(key)
        plan = self.plans.get(form)
        if plan is None:
            plan = self.plans[form] = self._plan(run, slots, [kinds[a] for a in slots])
        return plan, slots

    def _plan(self, run: list[_Gate], slots: list[int], kinds: list[int]) -> _Plan:
        rows = self.writer.rows
        if len(run) == 1 and self.kept[run[0][0]]:
            return _GO if run[0][0] in TURNS and rows[slots[0]] == ZERO_ROW else _STAY
        if len(run) > 1 and _FLOAT in kinds and _SYMBOL not in kinds:
            return _Plan(None, constant=True)
        forms = iter(
            [rows[a] if kind == _EXACT else slot(k) for k, (a, kind) in enumerate(zip(slots, kinds, strict=True))]
        )
        gates = [(opcode, [next(forms) for _ in angles]) for opcode, angles, _ in run]
        template, u3s = template_of(gates, self.basis.name, self.basis.has_x)
        return _Plan(template if self._better(run, template) else None, u3s, mixed=_FLOAT in kinds)

    def _joined(self, run: list[_Gate]) -> tuple[list[_Gate], float]:
        """The run with constant gates that follow each other as one u3 each, and its phase; the same object where none
        do. Gates without a tilt, or with one by pi, stay: what is next to them takes them in."""
        out, total = list[_Gate](), 0.0
        for symbolic, gates in groupby(run, self._symbolic):
            some = list(gates)
            values = self._values(some) if len(some) > 1 and not symbolic else (0.0, 0.0, 0.0, 0.0)
            if abs(values[0] - round(values[0] / math.pi) * math.pi) < _SPECIAL:
                out += some
                continue
            angles = tuple([self.writer.row(snapped(value)) for value in values[:3]])
            out.append((_U3, angles, some[0][2]))
            total += values[3]
        self._kinds_of_rows()
        return (out, total) if len(out) < len(run) else (run, 0.0)

    def _symbolic(self, gate: _Gate) -> bool:
        return any(self.kinds[a] == _SYMBOL for a in gate[1])

    def _better(self, run: list[_Gate], template: Template) -> bool:
        """Whether the template is shorter than the run, or gates of the run have to go."""
        return len(template.steps) < len(run) or not all(self.kept[opcode] for opcode, _, _ in run)

    def _replace(self, wire: int, run: list[_Gate], template: Template | None, slots: Sequence[int]) -> None:
        if template is not None:
            self.changed = True
            self.writer.write(template, (wire,), slots, run[0][2])
            return
        for opcode, angles, source in run:
            self.writer.add(opcode, (wire,), angles, source)

    def _late(self, wire: int, run: list[_Gate]) -> None:
        """A run whose angles theta, phi and lam are three new variables."""
        first = self.num_variables + 3 * len(self.late_runs)
        slots = [self.writer.row((0, 1, 0.0, ((first + k, 1.0),))) for k in range(3)]
        self.late_runs.append(run)
        self._replace(wire, run, _any_u3(self.basis.name, self.basis.has_x), slots)

    def _numeric(self, wire: int, run: list[_Gate]) -> None:
        """A run of constants by its matrix. Angles that are no multiples of pi/4 go into slots."""
        values = self._values(run)
        steps = [round(v / _QUARTER) for v in values[:3]]
        off = [abs(v - k * _QUARTER) for v, k in zip(values, steps, strict=False)]
        # Without a tilt, or with one by pi, the other two angles are one.
        if any(SNAP <= x < _SPECIAL for x in off) or (off[0] < SNAP and steps[0] % 4 == 0):
            template = matrix_template(values, self.basis.name, self.basis.has_x)
            self._replace(wire, run, template if self._better(run, template) else None, ())
            return
        free = tuple([k for k, x in enumerate(off) if x >= SNAP])
        fixed = tuple([0 if k in free else n for k, n in enumerate(steps)])
        template = _near_quarters(fixed, free, self.basis.name, self.basis.has_x)
        if not self._better(run, template):
            self._replace(wire, run, None, ())
            return
        self.writer.add_offset(values[3])
        self._replace(wire, run, template, [self.writer.row((0, 1, values[k] + 0.0, ())) for k in free])

    def _values(self, run: Sequence[_Gate]) -> tuple[float, float, float, float]:
        """theta, phi, lam and phase of exp(i phase) u3(theta, phi, lam), the product of constant gates."""
        product = self._matrix(run[0])
        for gate in run[1:]:
            product = _times(self._matrix(gate), product)
        return _angles(product)

    def _matrix(self, gate: _Gate) -> Matrix:
        opcode, angles, _ = gate
        if opcode in _SPINS:
            return _SPINS[opcode](constant(self.writer.rows[angles[0]]) / 2)
        return _matrix(opcode, tuple([constant(self.writer.rows[a]) for a in angles]))

    # Late-bound runs and the result

    def _finish(self) -> Circuit:
        circuit = self.circuit
        if self.late_runs:
            name = fresh_name("late", {a.name for a in circuit.inputs})
            late = AngleInput(name, (len(self.late_runs), 3))
            self.writer.circuit = circuit.with_(inputs=(*circuit.inputs, late))
        return self.writer.finish()

    def late_circuit(self, name: str) -> Circuit:
        """The gates of the late-bound runs, run k on wire k."""
        circuit = self.circuit
        base = empty_circuit(name, len(self.late_runs), 0, circuit.inputs)
        base = replace(base, locations=circuit.locations, place=circuit.place)
        used = dict.fromkeys(a for run in self.late_runs for _, angles, _ in run for a in angles)
        where = dict(zip(used, range(len(used)), strict=True))
        places = circuit.location.tolist()
        rows = [
            GateRow(opcode, (k,), tuple([where[a] for a in angles]), (), -1, -1, places[source])
            for k, run in enumerate(self.late_runs)
            for opcode, angles, source in run
        ]
        return base.with_rows(rows, AngleTable.from_rows([self.writer.rows[a] for a in used]))


Matrix: TypeAlias = tuple[complex, complex, complex, complex]
"""A 2x2 matrix, row by row: for one at a time numpy would take ten times as long."""

_SPINS: dict[int, Callable[[float], Matrix]] = {
    OPCODES["rz"]: lambda half: (complex(cos(half), -sin(half)), 0j, 0j, complex(cos(half), sin(half))),
    OPCODES["ry"]: lambda half: (complex(cos(half)), complex(-sin(half)), complex(sin(half)), complex(cos(half))),
    OPCODES["rx"]: lambda half: (complex(cos(half)), -1j * sin(half), -1j * sin(half), complex(cos(half))),
}
"""The matrices of rotations by half their angle."""


def _times(a: Matrix, b: Matrix) -> Matrix:
    return (
        a[0] * b[0] + a[1] * b[2],
        a[0] * b[1] + a[1] * b[3],
        a[2] * b[0] + a[3] * b[2],
        a[2] * b[1] + a[3] * b[3],
    )


@cache
def _any_u3(basis: str, has_x: bool) -> Template:
    """u3 with three slots."""
    return template_of([(_U3, [slot(0), slot(1), slot(2)])], basis, has_x)[0]


@lru_cache(maxsize=4096)
def _near_quarters(steps: tuple[int, ...], free: tuple[int, ...], basis: str, has_x: bool) -> Template:
    """u3 whose angles `free` are slots, the others `steps` times pi/4."""
    forms = [slot(free.index(k)) if k in free else make_row(Fraction(steps[k], 4)) for k in range(3)]
    return template_of([(_U3, forms)], basis, has_x)[0]


@lru_cache(maxsize=4096)
def _matrix(opcode: int, angles: tuple[float, ...]) -> Matrix:
    make = GATES[opcode].matrix
    assert make is not None
    a, b, c, d = make(*angles).ravel().tolist()
    return a, b, c, d


def _angles(matrix: Matrix) -> tuple[float, float, float, float]:
    """`euler.angles_of` for one matrix."""
    a, b, c, d = matrix
    half = cmath.phase(a * d - b * c) / 2
    wave = cmath.exp(-1j * half)
    low, high = d * wave, c * wave
    total = cmath.phase(low) if abs(low) > TINY else 0.0
    rest = cmath.phase(high) if abs(high) > TINY else 0.0
    return 2 * math.atan2(abs(high), abs(low)), total + rest, total - rest, half - total
