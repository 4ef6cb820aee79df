"""The fidelity kernel of a feature map as one module: K(x, z) = |<0| U^dag(x) U(z) |0>|^2."""

from __future__ import annotations

from fractions import Fraction

from ..ir import AngleInput, Circuit, CircuitEditor, InputError, Module, Type, ops
from ..ir.angles import ZERO_ROW, Row, add_rows, make_row
from ..ir.circuit import GateRow
from ..ir.gates import OPCODES
from ..ir.graph import GraphBuilder
from ..ir.types import DYNAMIC
from .feature_maps import FeatureMap


def kernel_module(feature_map: FeatureMap) -> Module:
    """Inputs x and z of shape (batch, features), f64; output K(x, z) of shape (batch,).

    One circuit U^dag(x) U(z), read by the probability that all qubits are 0. Its gates meet at the seam, where what is
    diagonal in both halves merges. Raises InputError P0005 where the map is not unitary.
    """
    circuit = overlap(feature_map.circuit)
    module = Module("kernel", circuits={circuit.name: circuit})
    graph = GraphBuilder(module)
    kind = Type("f64", (DYNAMIC, feature_map.features))
    angles = [feature_map.angles(graph, graph.input(name, kind)) for name in ("x", "z")]
    (table,) = graph.add(ops.Probabilities(circuit.name, tuple(range(circuit.num_qubits))), *angles)
    (value,) = graph.add(ops.Slice(dim=1, start=0, stop=1, squeeze=True), table, name="kernel")
    return module.with_(graph=graph.graph(value))


def overlap(circuit: Circuit) -> Circuit:
    """U^dag(x) U(z) for the circuit U, with two angle inputs x and z of as many numbers as U has variables."""
    if circuit.has_measurement:
        raise InputError.of("P0005", f"circuit {circuit.name} is not unitary", circuit.place)
    size = circuit.num_variables
    inputs = (AngleInput("x", (size,)), AngleInput("z", (size,)))
    editor = CircuitEditor("overlap", circuit.num_qubits, 0, inputs, circuit.place)
    rows = [row for row in circuit.rows() if row.gate.name != "barrier"]
    for row in rows:
        _append(editor, circuit, row, [_shifted(circuit.angles.row(a), size) for a in row.angles], row.gate.name)
    for row in reversed(rows):
        if row.gate.inverse is None:
            raise InputError.of("P0005", f"{row.gate.name} has no inverse gate", circuit.locations[row.location])
        given = [add_rows(ZERO_ROW, circuit.angles.row(a), -1) for a in row.angles]
        order = row.gate.inverse_order or range(len(given))
        _append(editor, circuit, row, [given[k] for k in order], row.gate.inverse)
    return editor.circuit()


def _append(editor: CircuitEditor, circuit: Circuit, row: GateRow, angles: list[Row], gate: str) -> None:
    pauli = circuit.payloads[row.payload] if row.opcode == OPCODES["pauli"] else None
    editor.add(gate, row.wires, angles, pauli=pauli, location=circuit.locations[row.location])


def _shifted(row: Row, by: int) -> Row:
    """The angle row with every variable counted `by` further."""
    return make_row(Fraction(row[0], row[1]), row[2], [(v + by, c) for v, c in row[3]])
