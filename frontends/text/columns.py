"""Gates as they are read, one list a column, and the circuit that they make."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...ir import AngleInput, Circuit, Location
from ...ir.angles import ZERO_ROW, AngleInterner, Row
from ...ir.circuit import empty_circuit, join_groups
from ...ir.conditions import Condition
from ...ir.locations import LocationTable


class Columns:
    """The columns of a circuit while they grow."""

    def __init__(self) -> None:
        self.angles = AngleInterner()
        self.payloads: dict[str, int] = {}
        self.conditions: dict[Condition, int] = {}
        self.opcode: list[int] = []
        self.wires: list[tuple[int, ...]] = []
        self.angle_rows: list[tuple[int, ...]] = []
        self.clbits: list[tuple[int, ...]] = []
        self.payload: list[int] = []
        self.condition: list[int] = []
        self.line: list[int] = []
        self.column: list[int] = []

    def __len__(self) -> int:
        return len(self.opcode)

    def payload_of(self, letters: str | None) -> int:
        return -1 if letters is None else self.payloads.setdefault(letters, len(self.payloads))

    def condition_of(self, condition: Condition | None) -> int:
        return -1 if condition is None else self.conditions.setdefault(condition, len(self.conditions))

    def circuit(
        self, name: str, num_qubits: int, num_clbits: int, inputs: tuple[AngleInput, ...], phase: Row, place: Location
    ) -> Circuit:
        """The circuit of all gates so far; every gate has its place in `place.file`."""
        wires, wire_ptr = join_groups(self.wires)
        angle_rows, angle_ptr = join_groups(self.angle_rows)
        clbits, clbit_ptr = join_groups(self.clbits)
        phase_row = self.angles.add(phase) if phase != ZERO_ROW else -1
        return replace(
            empty_circuit(name, num_qubits, num_clbits, inputs),
            angles=self.angles.table(),
            opcode=np.array(self.opcode, np.uint8),
            wire_ptr=wire_ptr,
            wires=wires,
            angle_ptr=angle_ptr,
            angle_rows=angle_rows,
            clbit_ptr=clbit_ptr,
            clbits=clbits,
            payload=np.array(self.payload, np.int32),
            condition=np.array(self.condition, np.int32),
            location=np.arange(len(self), dtype=np.int32),
            payloads=tuple(self.payloads),
            conditions=tuple(self.conditions),
            locations=LocationTable.in_file(place.file, np.array(self.line), np.array(self.column)),
            phase=phase_row,
            place=place,
        )
