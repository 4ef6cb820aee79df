"""fold-gates: circuits made longer on purpose, without a change of what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from ...ir import Circuit, InputError, Module
from ...ir.angles import ZERO_ROW, AngleInterner, Row, add_rows, make_row
from ...ir.circuit import GateRow
from ...ir.gates import GATES, OPCODES
from .base import Context, Contract, Pass
from .rewrites import readouts

_BARRIER = OPCODES["barrier"]


@dataclass(frozen=True)
class FoldGates(Pass):
    """Lengthen circuits to `scale` times their gates, G as G G^dag G, with barriers that later passes respect.

    Without noise nothing changes; with noise the circuit suffers about `scale` times as much, which zero-noise
    extrapolation uses (Giurgica-Tiron et al., arXiv 2005.10921). Circuits that measure inside are left alone.
    """

    name: ClassVar[str] = "fold-gates"
    contract: ClassVar[Contract] = Contract.UNITARY
    scale: int = 3
    """an odd number"""
    folding: str = "global"
    """global: the whole circuit; local: every gate on two or more qubits"""

    def run(self, module: Module, context: Context) -> Module:
        """Every circuit that is read, folded."""
        if self.scale < 1 or self.scale % 2 == 0:
            raise InputError.of("O0002", f"option scale of pass fold-gates is {self.scale}", help="an odd number")
        if self.folding not in ("global", "local"):
            raise InputError.of(
                "O0002", f"option folding of pass fold-gates is {self.folding!r}", help="global or local"
            )
        made: dict[str, Circuit] = {}
        for name in readouts(module):
            circuit = module.circuits[name]
            if circuit.has_measurement:
                context.remark(self, f"circuit {name}: left alone, it measures inside", circuit.place)
                continue
            made[name] = folded(circuit, self.scale, self.folding)
            added = len(made[name]) - len(circuit)
            context.remark(self, f"circuit {name}: scale {self.scale}, {self.folding}", circuit.place, gates=-added)
        return module.with_(circuits={**module.circuits, **made}) if self.scale > 1 else module


def folded(circuit: Circuit, scale: int, folding: str) -> Circuit:
    """The circuit as G (G^dag G)^n with barriers between, or so every gate on two or more qubits; scale is 2n + 1."""
    circuit = circuit.compacted()
    source, angles = circuit.angles.rows(), AngleInterner(circuit.angles.rows())
    rows: list[GateRow] = []
    if folding == "global":
        wall = [GateRow(_BARRIER, tuple(range(circuit.num_qubits)))]
        gates = [row for row in reversed(circuit.rows()) if row.opcode != _BARRIER]
        backward = [undone for row in gates for undone in inverse(row, source, angles)]
        rows = circuit.rows() + (wall + backward + wall + circuit.rows()) * ((scale - 1) // 2)
    else:
        for row in circuit.rows():
            rows.append(row)
            if row.opcode != _BARRIER and len(row.wires) > 1:
                wall = [GateRow(_BARRIER, row.wires)]
                rows += (wall + inverse(row, source, angles) + wall + [row]) * ((scale - 1) // 2) + wall
    # G^dag takes the global phase back, so that the phase row stays as it is.
    return circuit.with_rows(rows, angles.table())


def inverse(row: GateRow, source: Sequence[Row], angles: AngleInterner) -> list[GateRow]:
    """Gates that undo one gate. source: the angle rows that it refers to; new ones go into `angles`."""
    gate = GATES[row.opcode]
    if gate.inverse is None:
        # iSWAP is exp(i pi/4 (XX + YY)), so that two quarter turns undo it.
        quarter = angles.add(make_row(Fraction(1, 2)))
        return [row._replace(opcode=OPCODES[name], angles=(quarter,)) for name in ("rxx", "ryy")]
    order = gate.inverse_order or range(len(row.angles))
    negated = tuple(angles.add(add_rows(ZERO_ROW, source[row.angles[k]], -1)) for k in order)
    return [row._replace(opcode=OPCODES[gate.inverse], angles=negated)]
