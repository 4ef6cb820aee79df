"""Gates that cannot be cut themselves, by gates that can: on three qubits and more, swaps, and the like."""

from __future__ import annotations

from ...ir import Circuit
from ...ir.circuit import GateRow
from ...ir.gates import OPCODES
from ..synthesis.gate_writer import GateWriter
from ..synthesis.native_rules import Entanglers, rule
from ..synthesis.templates import Template
from .wires import interaction

_PAULI = OPCODES["pauli"]
_NAMES = ("cx", "cy", "cz", "crx", "cry", "crz", "cp", "rxx", "ryy", "rzz")
_GATES = Entanglers(OPCODES["cx"], OPCODES["rzz"], frozenset(OPCODES[name] for name in _NAMES))


def cuttable(circuit: Circuit) -> Circuit:
    """The circuit with every unconditioned gate on several qubits in gates that can be cut; the same object where all
    are."""
    rows = circuit.rows()
    if not any(_written(circuit, row) for row in rows):
        return circuit
    writer = GateWriter(circuit)
    for k, row in enumerate(rows):
        template = _template(circuit, row) if _written(circuit, row) else None
        if template is None:
            writer.add(row.opcode, row.wires, row.angles, k)
        else:
            writer.write(template, row.wires, row.angles, k)
    return writer.finish()


def _written(circuit: Circuit, row: GateRow) -> bool:
    """Whether the gate has to be written in others."""
    wide = len(row.wires) > 1 or row.opcode == _PAULI
    return wide and row.gate.unitary and row.condition < 0 and interaction(circuit, row) is None


def _template(circuit: Circuit, row: GateRow) -> Template | None:
    return rule(row.opcode, circuit.payloads[row.payload] if row.payload >= 0 else "", _GATES)
