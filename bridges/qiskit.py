"""Circuits of the IR as Qiskit circuits, with one Parameter for every distinct angle row that varies, and back.

`from_qiskit` and `final_permutation` are the way back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from itertools import groupby, pairwise
from math import pi
from typing import Any, TypeAlias
from uuid import UUID

from qiskit.circuit import (
    Barrier,
    CircuitInstruction,
    ClassicalRegister,
    Clbit,
    Gate,
    Measure,
    Parameter,
    ParameterVector,
    QuantumCircuit,
    QuantumRegister,
    Qubit,
    Reset,
)
from qiskit.circuit.classical import expr
from qiskit.circuit.library import standard_gates as std

from ..ir.angles import Row
from ..ir.circuit import Circuit, GateRow, split_groups
from ..ir.conditions import Condition, bits_of
from ..ir.gates import OPCODES
from ..ir.printer import angle_texts
from .qiskit_reading import final_permutation, from_qiskit

__all__ = [
    "STANDARD",
    "Converted",
    "append_pauli_rotation",
    "condition_test",
    "final_permutation",
    "from_qiskit",
    "to_qiskit",
    "with_parameters",
]

Symbol: TypeAlias = Any
"""A qiskit Parameter or ParameterExpression, which type checkers do not see as classes."""

Step: TypeAlias = Any
"""A qiskit CircuitInstruction, which type checkers do not see as a class either."""

Angle: TypeAlias = Any
"""A number in radians or a Parameter."""

STANDARD: dict[str, Callable[..., Gate]] = {
    "id": std.IGate,
    "x": std.XGate,
    "y": std.YGate,
    "z": std.ZGate,
    "h": std.HGate,
    "s": std.SGate,
    "sdg": std.SdgGate,
    "t": std.TGate,
    "tdg": std.TdgGate,
    "sx": std.SXGate,
    "sxdg": std.SXdgGate,
    "rx": std.RXGate,
    "ry": std.RYGate,
    "rz": std.RZGate,
    "p": std.PhaseGate,
    "u3": std.UGate,
    "cx": std.CXGate,
    "cy": std.CYGate,
    "cz": std.CZGate,
    "ch": std.CHGate,
    "swap": std.SwapGate,
    "iswap": std.iSwapGate,
    "ecr": std.ECRGate,
    "rxx": std.RXXGate,
    "ryy": std.RYYGate,
    "rzz": std.RZZGate,
    "crx": std.CRXGate,
    "cry": std.CRYGate,
    "crz": std.CRZGate,
    "cp": std.CPhaseGate,
    "ccx": std.CCXGate,
    "cswap": std.CSwapGate,
}
"""Gate of `ir/gates.py` -> Qiskit's gate with the same matrix, qubit order and angle order."""

CLBITS = "c"
"""Name of the register that holds the circuit's own classical bits."""


@dataclass(frozen=True)
class Converted:
    """A Qiskit circuit and what its parameters stand for: parameters[k] is the angle `rows[k]`, written `texts[k]`.

    source: the circuit that it was made of.
    """

    circuit: QuantumCircuit
    parameters: tuple[Symbol, ...]
    rows: tuple[Row, ...]
    source: Circuit

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """What `parameters` stand for, as text."""
        angles = self.source.angles
        return tuple([text for text, k in zip(angle_texts(self.source), angles.is_constant, strict=True) if not k])


def to_qiskit(circuit: Circuit) -> Converted:
    """The circuit in Qiskit's form: the same qubits, classical bits in a register `c`, angles as Parameters.

    Parameters are named `a0`, `a1`, ... (zero-padded, so that names sort as rows do) in the order of first use. Their
    uuids are derived from the circuit's name, inputs and angles, so that the same circuit gives the same QPY bytes.
    """
    circuit = circuit.compacted()
    out = QuantumCircuit(QuantumRegister(circuit.num_qubits, "q"), name=circuit.name)
    if circuit.num_clbits:
        out.add_register(ClassicalRegister(circuit.num_clbits, CLBITS))
    rows = circuit.angles.rows()
    varying = [k for k, row in enumerate(rows) if row[3]]
    width, first = len(str(max(len(varying) - 1, 0))), _first_uuid(circuit)
    angles: list[Angle] = circuit.angles.constants.tolist()
    parameters = [Parameter(f"a{k:0{width}d}", uuid=UUID(int=first + k)) for k in range(len(varying))]
    for parameter, k in zip(parameters, varying, strict=True):
        angles[k] = parameter
    if circuit.phase >= 0:
        out.global_phase = angles[circuit.phase]
    _Writer(out, circuit, angles).write()
    return Converted(out, tuple(parameters), tuple([rows[k] for k in varying]), circuit)


def _first_uuid(circuit: Circuit) -> int:
    """A number that follows from the circuit's name, inputs and angles; others do not come within 2^32 of it."""
    angles = circuit.angles
    found = sha256(repr((circuit.name, circuit.inputs)).encode())
    for column in (angles.num, angles.den, angles.offset, angles.ptr, angles.variables, angles.coeffs):
        found.update(column.tobytes())
    return int.from_bytes(found.digest()[:12], "big") << 32


def with_parameters(circuit: Circuit) -> QuantumCircuit:
    """As `to_qiskit`, with the circuit's own angle inputs as parameters: an array as a ParameterVector of its name,
    flattened in row order, a scalar as a Parameter."""
    made = to_qiskit(circuit)
    variables: list[Symbol] = []
    for array in circuit.inputs:
        variables += ParameterVector(array.name, array.size) if array.shape else [Parameter(array.name)]
    return made.circuit.assign_parameters(
        {parameter: _expression_of(row, variables) for parameter, row in zip(made.parameters, made.rows, strict=True)}
    )


def _expression_of(row: Row, variables: Sequence[Symbol]) -> Symbol:
    """The row written out, without the ones and zeros that add nothing."""
    parts = [variables[v] if factor == 1.0 else factor * variables[v] for v, factor in row[3]]
    constant = row[0] / row[1] * pi + row[2]
    return sum(parts[1:], parts[0] + constant if constant else parts[0])


_KINDS: dict[int, Any] = {OPCODES[name]: getattr(gate, "_standard_gate") for name, gate in STANDARD.items()}  # noqa: B009
"""Opcode -> Qiskit's own number of the gate, from which it makes instructions without a Gate object."""

_PAULI, _MEASURE, _BARRIER = OPCODES["pauli"], OPCODES["measure"], OPCODES["barrier"]


class _Instructions(dict[tuple, Step]):
    """The first four fields of a `GateRow` -> the instruction, equal ones made once."""

    def __init__(self, out: QuantumCircuit, angles: Sequence[Angle]) -> None:
        super().__init__()
        self.qubits, self.clbits, self.angles = out.qubits, out.clbits, angles

    def __missing__(self, key: tuple) -> Step:
        opcode, wires, angles, clbits = key
        qubits = tuple([self.qubits[w] for w in wires])
        if opcode in _KINDS:
            made = CircuitInstruction.from_standard(_KINDS[opcode], qubits, tuple([self.angles[a] for a in angles]))
        elif opcode == _MEASURE:
            made = CircuitInstruction(Measure(), qubits, (self.clbits[clbits[0]],))
        else:
            made = CircuitInstruction(Barrier(len(qubits)) if opcode == _BARRIER else Reset(), qubits)
        self[key] = made
        return made


class _Writer:
    """Appends the rows of one circuit to a Qiskit circuit."""

    def __init__(self, out: QuantumCircuit, circuit: Circuit, angles: Sequence[Angle]) -> None:
        self.out = out
        self.circuit = circuit
        self.angles = angles
        self.made = _Instructions(out, angles)

    def write(self) -> None:
        circuit = self.circuit
        if not circuit.conditions and not circuit.payloads:
            self._extend(
                zip(
                    circuit.opcode.tolist(),
                    split_groups(circuit.wire_ptr, circuit.wires),
                    split_groups(circuit.angle_ptr, circuit.angle_rows),
                    split_groups(circuit.clbit_ptr, circuit.clbits),
                    strict=True,
                )
            )
            return
        for condition, rows in _blocks(circuit):
            if condition is None:
                self._write_free(rows)
            else:
                with self.out.if_test(condition_test(condition, self.out.clbits)):
                    for row in rows:
                        self._append(row)

    def _write_free(self, rows: Sequence[GateRow]) -> None:
        for is_pauli, run in groupby(rows, lambda row: row.opcode == _PAULI):
            if is_pauli:
                for row in run:
                    self._append(row)
            else:
                self._extend(row[:4] for row in run)

    def _extend(self, keys: Iterable[tuple]) -> None:
        """Gates without a condition, all at once, which costs a tenth of `QuantumCircuit.append`."""
        self.out._data.extend(list(map(self.made.__getitem__, keys)))

    def _append(self, row: GateRow) -> None:
        if row.opcode == _PAULI:
            wires = [self.out.qubits[w] for w in row.wires]
            append_pauli_rotation(self.out, self.circuit.payloads[row.payload], self.angles[row.angles[0]], wires)
        else:
            self.out.append(self.made[row[:4]])


def _blocks(circuit: Circuit) -> Iterator[tuple[Condition | None, list[GateRow]]]:
    """Runs of rows under one condition; a run ends after a measurement that writes a bit of its condition."""
    splits = 0

    def key(row: GateRow) -> tuple[int, int]:
        nonlocal splits
        mine = (row.condition, splits)
        if row.condition >= 0 and row.opcode == _MEASURE:
            splits += row.clbits[0] in bits_of(circuit.conditions[row.condition])
        return mine

    for (index, _), rows in groupby(circuit.rows(), key):
        yield (circuit.conditions[index] if index >= 0 else None), list(rows)


def condition_test(condition: Condition, bits: Sequence[Clbit]) -> tuple[Clbit, bool] | expr.Expr:
    """A condition in Qiskit's form: the plain (bit, value) where one bit is enough, else an expression."""
    if condition[0] == "bit":
        return bits[condition[1]], True
    if condition[0] == "not" and condition[1][0] == "bit":
        return bits[condition[1][1]], False
    return _expression(condition, bits)


_BINARY: dict[str, Callable[[expr.Expr, expr.Expr], expr.Expr]] = {
    "and": expr.logic_and,
    "or": expr.logic_or,
    "xor": expr.not_equal,
}


def _expression(condition: Condition, bits: Sequence[Clbit]) -> expr.Expr:
    if condition[0] == "bit":
        return expr.lift(bits[condition[1]])
    parts = [_expression(part, bits) for part in condition[1:]]
    return expr.logic_not(parts[0]) if condition[0] == "not" else _BINARY[condition[0]](*parts)


_SHORT = {"X": std.RXGate, "Y": std.RYGate, "Z": std.RZGate, "XX": std.RXXGate, "YY": std.RYYGate, "ZZ": std.RZZGate}


def append_pauli_rotation(out: QuantumCircuit, letters: str, angle: Angle, qubits: Sequence[Qubit]) -> None:
    """exp(-i angle/2 P): basis changes, a ladder of CX onto the last qubit, RZ, and back."""
    acted = [(letter, qubit) for letter, qubit in zip(letters, qubits, strict=True) if letter != "I"]
    kinds, wires = "".join(letter for letter, _ in acted), [qubit for _, qubit in acted]
    if not acted:
        out.global_phase = out.global_phase - 0.5 * angle
        return
    if kinds in _SHORT:
        out.append(_SHORT[kinds](angle), wires, copy=False)
        return
    for letter, qubit in acted:
        if letter == "X":
            out.h(qubit)
        elif letter == "Y":
            out.rx(pi / 2, qubit)
    pairs = list(pairwise(wires))
    for control, target in pairs:
        out.cx(control, target)
    out.rz(angle, wires[-1])
    for control, target in reversed(pairs):
        out.cx(control, target)
    for letter, qubit in acted:
        if letter == "X":
            out.h(qubit)
        elif letter == "Y":
            out.rx(-pi / 2, qubit)
