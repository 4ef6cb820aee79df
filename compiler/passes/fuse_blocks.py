"""fuse-blocks: two-qubit blocks made again with fewer entangling gates.

Blocks of constants go through the canonical decomposition of their matrix, or the Schmidt decomposition of their state
where both qubits are still in |0>. Blocks with symbols (and Clifford ones) are Pauli rotations before a Clifford gate,
whose cheapest circuit with affine angles is a shortest path over two-qubit frames (`compiler/synthesis/frames.py`),
found once for a structure. The count is of CX, or of rotations such as rzz where the target has those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from ...ir import Circuit, Module
from ...ir.circuit import GateRow
from ...ir.gates import GATES, OPCODES, rotation_matrix
from ..synthesis import constant_blocks
from ..synthesis.blocks import Group, collect
from ..synthesis.frames import resynthesise
from ..synthesis.gate_writer import GateWriter
from ..synthesis.memory import collector_paused
from ..synthesis.native import entangling_cost, has_rotations
from ..synthesis.templates import Step, Template, slot
from .base import Context, Contract, Pass
from .rewrites import readouts

_SWAP = OPCODES["swap"]
_LONGEST = 40
"""Most gates of a symbolic block; longer ones are left alone."""


@dataclass(frozen=True)
class FuseBlocks(Pass):
    """Make every two-qubit block again with the fewest entangling gates."""

    name: ClassVar[str] = "fuse-blocks"
    contract: ClassVar[Contract] = Contract.EXPECTATION
    allow_swaps: bool = False
    """count swaps as free: something relabels them away afterwards"""

    def run(self, module: Module, context: Context) -> Module:
        """Every circuit with fewer entangling gates; the same object where nothing can be saved. One that no readout
        reads keeps its unitary, the others what they make of |0>.

        Blocks with as many entangling gates and fewer others count too, at effort `fast` only beside some that save.
        """
        rotations = context.target is not None and has_rotations(context.target.native_ops)
        circuits, read = dict(module.circuits), readouts(module)
        for name, circuit in module.circuits.items():
            fused, saved = fuse(circuit, rotations, self.allow_swaps, name in read, context.effort != "fast")
            circuits[name] = fused
            if fused is not circuit:
                message = f"circuit {name}: {saved} fewer {'entangling gates' if rotations else 'CX'} in its blocks"
                context.remark(self, message, circuit.place, two_qubit_gates=saved)
        changed = any(circuits[name] is not c for name, c in module.circuits.items())
        return module.with_(circuits=circuits) if changed else module


def fuse(
    circuit: Circuit, rotations: bool = False, swaps: bool = False, from_zero: bool = True, thorough: bool = True
) -> tuple[Circuit, int]:
    """(circuit, entangling gates saved). rotations: a rotation about a pair of letters is one native gate. from_zero:
    whether the register starts in |0>, so that the first blocks need no more than the state. thorough: whether the
    circuit also changes where no entangling gate is saved."""
    arity = np.diff(circuit.wire_ptr)
    if np.count_nonzero(arity == 2) < (1 if from_zero or swaps else 2):
        return circuit, 0
    with collector_paused():
        return _Fusion(circuit, rotations, swaps, from_zero, thorough).run()


@dataclass
class _Fusion:
    circuit: Circuit
    rotations: bool
    swaps: bool
    from_zero: bool
    thorough: bool
    rows: dict[int, GateRow] = field(default_factory=dict)
    templates: dict[int, tuple[Template, tuple[int, ...]]] = field(default_factory=dict)
    saved: int = 0

    def run(self) -> tuple[Circuit, int]:
        circuit = self.circuit
        groups = collect(circuit)
        candidates = [(k, g) for k, g in enumerate(groups) if not g.solid and self._worth(g)]
        if not candidates:
            return circuit, 0
        chosen = np.array([g for _, group in candidates for g in group.gates])
        self.rows = dict(zip(chosen.tolist(), circuit.take(chosen).rows(), strict=True))
        angles = circuit.angles
        self.angle_rows = angles.rows()
        self.symbolic = (~angles.is_constant).tolist()
        self.clifford = (angles.is_constant & (angles.offset == 0.0) & (2 * angles.num % angles.den == 0)).tolist()
        constants: list[tuple[int, Group, int]] = []
        for k, group in candidates:
            used = [a for g in group.gates for a in self.rows[g].angles]
            cost = self._cost(group)
            if any(self.symbolic[a] for a in used) or self._is_clifford(group, used):
                self._symbolic(k, group, cost)
            else:
                constants.append((k, group, cost))
        self._constant(constants)
        if not self.templates or not (self.saved or self.thorough):
            return circuit, 0
        return self._written(groups), self.saved

    def _worth(self, group: Group) -> bool:
        return len(group.wires) == 2 and (group.pairs > 1 or self.swaps or (self.from_zero and any(group.zeros)))

    def _is_clifford(self, group: Group, used: Sequence[int]) -> bool:
        plain = all(GATES[self.rows[g].opcode].clifford or self.rows[g].angles for g in group.gates)
        return plain and all(self.clifford[a] for a in used)

    def _cost(self, group: Group) -> int:
        return sum(self._gate_cost(self.rows[g]) for g in group.gates)

    def _gate_cost(self, row: GateRow) -> int:
        if row.opcode == _SWAP and self.swaps:
            return 0
        payload = self.circuit.payloads[row.payload] if row.payload >= 0 else ""
        return entangling_cost(row.opcode, payload, self.rotations)

    def _zeros(self, group: Group) -> tuple[bool, bool]:
        return (group.zeros[0], group.zeros[1]) if self.from_zero else (False, False)

    def _symbolic(self, k: int, group: Group, cost: int) -> None:
        if len(group.gates) > _LONGEST:
            return
        steps, slots = self._steps(group)
        rotation_cost = 1 if self.rotations else 2
        found = resynthesise(steps, len(slots), cost, self._zeros(group), rotation_cost, self.swaps)
        if found is not None:
            self._take(k, group, found.template, slots, cost - found.cost)

    def _take(self, k: int, group: Group, template: Template, slots: tuple[int, ...], saved: int) -> None:
        """Use the template where it saves entangling gates, or as many need fewer gates in all."""
        pairs = sum(len(step.wires) == 2 for step in template.steps)
        fewer = (pairs, len(template.steps)) < (group.pairs, len(group.gates)) and pairs <= group.pairs
        if saved > 0 or (saved == 0 and fewer):
            self.templates[k] = (template, slots)
            self.saved += saved

    def _steps(self, group: Group) -> tuple[tuple[Step, ...], tuple[int, ...]]:
        """The block's structure, and the angle rows in its slots: all but multiples of pi/2."""
        slots: dict[int, int] = {}
        steps: list[Step] = []
        for g in group.gates:
            row = self.rows[g]
            forms = tuple(
                self.angle_rows[a] if self.clifford[a] else slot(slots.setdefault(a, len(slots))) for a in row.angles
            )
            payload = self.circuit.payloads[row.payload] if row.payload >= 0 else ""
            steps.append(Step(row.opcode, tuple(map(group.wires.index, row.wires)), forms, payload))
        return tuple(steps), tuple(slots)

    def _constant(self, blocks: list[tuple[int, Group, int]]) -> None:
        if not blocks:
            return
        values = self.circuit.angles.constants
        matrices = np.array([self._matrix(group, values) for _, group, _ in blocks])
        known = np.array([all(self._zeros(group)) for _, group, _ in blocks])
        limits = [cost for _, _, cost in blocks]
        made = constant_blocks.synthesise(matrices, known, limits, self.rotations, self.swaps)
        for (k, group, cost), found in zip(blocks, made, strict=True):
            if found is not None:
                self._take(k, group, found.template, (), cost - found.cost)

    def _matrix(self, group: Group, values: np.ndarray) -> np.ndarray:
        """The block's matrix, the first wire of the group the least significant bit."""
        out = np.eye(4, dtype=complex).reshape(2, 2, 4)
        for g in group.gates:
            row = self.rows[g]
            bound = [float(values[a]) for a in row.angles]
            if row.payload >= 0:
                matrix = rotation_matrix(self.circuit.payloads[row.payload], *bound)
            else:
                make = GATES[row.opcode].matrix
                assert make is not None
                matrix = make(*bound)
            first = row.wires[0] == group.wires[0]
            if len(row.wires) == 1:
                out = np.einsum("ab,xbk->xak" if first else "ab,bxk->axk", matrix, out)
            else:
                order = matrix.reshape(2, 2, 2, 2)
                out = np.einsum("abcd,cdk->abk" if first else "badc,cdk->abk", order, out)
        return out.reshape(4, 4)

    def _written(self, groups: list[Group]) -> Circuit:
        """The circuit, gates in the order of the groups, with the templates in the place of their blocks."""
        circuit = self.circuit
        writer = GateWriter(circuit)
        # Views, since a list holds an object for every number.
        opcodes, wires, angles = circuit.opcode.data, circuit.wires.data, circuit.angle_rows.data
        first_wire, first_angle = circuit.wire_ptr.data, circuit.angle_ptr.data
        groups.reverse()  # each is let go once it is written: together they are most of what is alive here
        for k in range(len(groups)):
            group = groups.pop()
            if k in self.templates:
                template, slots = self.templates[k]
                writer.write(template, group.wires, slots, group.gates[0])
                continue
            for g in group.gates:
                at, turns = slice(first_wire[g], first_wire[g + 1]), slice(first_angle[g], first_angle[g + 1])
                writer.add(opcodes[g], wires[at], angles[turns], g)
        return writer.finish()
