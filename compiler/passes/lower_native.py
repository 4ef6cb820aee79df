"""lower-native: every gate in a target's own gates.

A gate on two or more qubits that the target does not have is replaced by the template with the fewest entangling gates
(`compiler/synthesis/native_rules.py`); one-qubit gates between entangling ones are then joined in the target's set.
Which way round a gate runs is left to routing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...ir import Circuit, Module
from ...ir.circuit import GateRow
from ...ir.gates import GATES, OPCODES
from ..synthesis.columns import ColumnWriter
from ..synthesis.euler import template_of
from ..synthesis.native import OneQubitBasis, one_qubit_basis
from ..synthesis.native_rules import Entanglers, entanglers, rule
from ..synthesis.templates import Writer
from .base import Context, Contract, Pass
from .fuse_single_qubit import Fusion, host_circuits

_KEPT = frozenset(OPCODES[n] for n in ("measure", "reset", "barrier"))


@dataclass(frozen=True)
class LowerNative(Pass):
    """Write every gate in the target's own gates."""

    name: ClassVar[str] = "lower-native"
    contract: ClassVar[Contract] = Contract.UNITARY

    def run(self, module: Module, context: Context) -> Module:
        """Every circuit that is read in native gates; the same object where all are, or where the target says none."""
        found = entanglers(context.target.native_ops) if context.target else None
        if context.target is None or found is None:
            return module
        basis = one_qubit_basis(context.target.native_ops)
        circuits: dict[str, Circuit] = {}
        hosted = host_circuits(module)
        for name, circuit in module.circuits.items():
            circuits[name] = circuit if name in hosted else lower(circuit, found, basis)
            if circuits[name] is not circuit:
                pairs = [int((np.diff(c.wire_ptr) >= 2).sum()) for c in (circuit, circuits[name])]
                message = f"circuit {name}: {len(circuit)} gates are {len(circuits[name])} of {context.target.name}"
                context.remark(self, message, circuit.place, two_qubit_gates=pairs[0] - pairs[1])
        same = all(circuits[name] is c for name, c in module.circuits.items())
        return module if same else module.with_(circuits=circuits)


def lower(circuit: Circuit, target: Entanglers, basis: OneQubitBasis) -> Circuit:
    """The circuit in the gates of `target` and `basis`; the same object where it is already."""
    own = np.array([basis.keeps[k] or k in target.native or k in _KEPT for k in range(len(GATES))])
    if own[circuit.opcode].all():
        return circuit
    plain = np.array([not own[k] and not (g.qubits == 1 and g.matrix is not None) for k, g in enumerate(GATES)])
    wanted = np.flatnonzero(plain[circuit.opcode])
    if len(wanted):
        circuit = _expanded(circuit, wanted, target)
    return Fusion(_with_conditioned(circuit, basis), basis).run()


def _expanded(circuit: Circuit, rows: np.ndarray, target: Entanglers) -> Circuit:
    """Gates on several qubits in the target's entangling gates and any one-qubit gates, all of one kind at once."""
    writer = ColumnWriter(circuit)
    kinds = circuit.opcode[rows].astype(np.int64) * (len(circuit.payloads) + 1) + circuit.payload[rows] + 1
    for kind in np.unique(kinds).tolist():
        at = rows[kinds == kind]
        opcode, payload = divmod(kind, len(circuit.payloads) + 1)
        template = rule(opcode, circuit.payloads[payload - 1] if payload else "", target)
        if template is None:
            continue
        width = int(circuit.wire_ptr[at[0] + 1]) - int(circuit.wire_ptr[at[0]])
        wires = circuit.wires[circuit.wire_ptr[at][:, None] + np.arange(width)]
        slots = circuit.angle_rows[circuit.angle_ptr[at][:, None] + np.arange(GATES[opcode].angles)]
        writer.replace(template, at, wires, slots)
    return writer.finish()


def _with_conditioned(circuit: Circuit, basis: OneQubitBasis) -> Circuit:
    """One-qubit gates under a condition, each in native gates with the same condition."""
    arity = np.diff(circuit.wire_ptr)
    gates = circuit.opcode
    alone = np.array([g.matrix is not None and g.qubits == 1 for g in GATES])
    if not ((circuit.condition >= 0) & alone[gates] & ~basis.keeps[gates] & (arity == 1)).any():
        return circuit
    writer = Writer(circuit)
    rows: list[GateRow] = []
    for row in circuit.rows():
        if row.condition < 0 or not alone[row.opcode] or basis.keeps[row.opcode]:
            rows.append(row)
            continue
        template, _ = template_of([(row.opcode, [writer.rows[a] for a in row.angles])], basis.name, basis.has_x)
        # Under a condition a global phase has no effect: the bits that it depends on are measured.
        for step in template.steps:
            angles = tuple(writer.row(a) for a in step.angles)
            rows.append(GateRow(step.opcode, row.wires, angles, (), -1, row.condition, row.location))
    return writer.finish(rows)
