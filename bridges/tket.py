"""Circuits of the IR as pytket circuits, with one symbol for every distinct angle row that varies, and back.

Pytket counts angles in half-turns. `from_tket` is the way back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import pi
from typing import Any

import sympy
from pytket import Circuit as TketCircuit
from pytket import OpType
from pytket.circuit import Bit, ClExpr, Op, PauliExpBox, WiredClExpr
from pytket.passes import DecomposeBoxes
from pytket.pauli import Pauli

from ..ir.angles import Row
from ..ir.circuit import Circuit, GateRow
from ..ir.conditions import Condition, bits_of
from ..ir.gates import GATES, OPCODES
from .faults import NotAffineError
from .tiny_turns import is_tiny
from .tket_bits import expression, literals
from .tket_reading import OPTYPES, FromTket, from_tket

__all__ = ["ConvertedTket", "FromTket", "NotAffineError", "from_tket", "to_tket", "with_symbols"]

_SHORT = {
    "X": OpType.Rx,
    "Y": OpType.Ry,
    "Z": OpType.Rz,
    "XX": OpType.XXPhase,
    "YY": OpType.YYPhase,
    "ZZ": OpType.ZZPhase,
}
_PAULIS = {"X": Pauli.X, "Y": Pauli.Y, "Z": Pauli.Z}
_MEASURE, _BARRIER, _PAULI = OPCODES["measure"], OPCODES["barrier"], OPCODES["pauli"]

SCRATCH = "scratch"
"""Register of the bits that hold conditions which are not a conjunction of bits."""


@dataclass(frozen=True)
class ConvertedTket:
    """A pytket circuit and what its symbols stand for: symbols[k], in half-turns, is the angle `rows[k] / pi`.

    source: the circuit that it was made of. tiny: symbols of constant angles, in half-turns.
    """

    circuit: TketCircuit
    symbols: tuple[str, ...]
    rows: tuple[Row, ...]
    source: Circuit
    tiny: Mapping[sympy.Symbol, float] = field(default_factory=dict)


def to_tket(circuit: Circuit, *, hold_tiny: bool = False) -> ConvertedTket:
    """The circuit in pytket's form: qubits `q`, bits `c`, symbols `a0`, `a1`, ... in the order of first use.

    Pauli rotations on three or more qubits are written out with CX. A condition that is not a conjunction of bits is
    computed into a bit of the register `scratch`. hold_tiny: constants that passes may drop (`is_tiny`) are symbols
    `tiny0`, `tiny1`, ... too, the last ones.
    """
    circuit = circuit.compacted()
    rows = circuit.angles.rows()
    varying = [k for k, row in enumerate(rows) if row[3]]
    names = tuple(f"a{number}" for number in range(len(varying)))
    angles: list[Any] = [row[0] / row[1] + row[2] / pi for row in rows]
    held = [k for k, row in enumerate(rows) if not row[3] and is_tiny(angles[k] * pi)] if hold_tiny else []
    names += tuple(f"tiny{number}" for number in range(len(held)))
    tiny = {sympy.Symbol(f"tiny{number}"): float(angles[k]) for number, k in enumerate(held)}
    for name, k in zip(names, [*varying, *held], strict=True):
        angles[k] = sympy.Symbol(name)
    writer = _Writer(circuit, angles)
    for row in circuit.rows():
        writer.append(row)
    out = writer.out
    if circuit.phase >= 0:
        out.add_phase(angles[circuit.phase])
    if writer.boxes:
        DecomposeBoxes().apply(out)
    return ConvertedTket(out, names, tuple(rows[k] for k in [*varying, *held]), circuit, tiny)


def with_symbols(circuit: Circuit) -> TketCircuit:
    """As `to_tket`, its symbols the circuit's own angle variables in radians: `x[1,2]` is the symbol `x_1_2`."""
    made = to_tket(circuit)
    names = [v.replace("[", "_").replace(",", "_").rstrip("]") for v in circuit.variable_names]
    values = {
        sympy.Symbol(symbol): sympy.Float(row[0] / row[1] + row[2] / pi)
        + sum(sympy.Float(factor / pi) * sympy.Symbol(names[variable]) for variable, factor in row[3])
        for symbol, row in zip(made.symbols, made.rows, strict=True)
    }
    made.circuit.symbol_substitution(values)
    return made.circuit


class _Writer:
    """Appends the rows of one circuit to a pytket circuit."""

    def __init__(self, circuit: Circuit, angles: Sequence[Any]) -> None:
        self.out = TketCircuit(circuit.num_qubits, circuit.num_clbits, name=circuit.name)
        self.circuit = circuit
        self.angles = angles
        self.boxes = False
        self._ops: dict[tuple[int, tuple[int, ...], int], tuple[Op, tuple[int, ...]]] = {}
        computed = [k for k, condition in enumerate(circuit.conditions) if literals(condition) is None]
        self._scratch = {index: number for number, index in enumerate(computed)}
        self._fresh: set[int] = set()
        if computed:
            self.out.add_c_register(SCRATCH, len(computed))

    def append(self, row: GateRow) -> None:
        if row.opcode == _BARRIER:
            self.out.add_barrier(list(row.wires))
            return
        key = (row.opcode, row.angles, row.payload)
        made = self._ops.get(key)
        if made is None:
            made = self._ops[key] = self._op(row)
        op, kept = made
        wires = [row.wires[k] for k in kept]
        if row.opcode == _PAULI and not wires:
            if row.condition < 0:
                self.out.add_phase(-0.5 * self.angles[row.angles[0]])
            return
        guard = {} if row.condition < 0 else self._guard(row.condition)
        if row.opcode == _MEASURE:
            self.out.Measure(wires[0], row.clbits[0], **guard)
            self._written(row.clbits[0])
        elif guard:
            self.out.add_gate(op, wires, **guard)
        else:
            self.out.add_gate(op, wires)

    def _op(self, row: GateRow) -> tuple[Op, tuple[int, ...]]:
        """The op of a row, and which of its wires it acts on."""
        given = [self.angles[a] for a in row.angles]
        everything = tuple(range(len(row.wires)))
        if row.opcode != _PAULI:
            return Op.create(OPTYPES[GATES[row.opcode].name], given), everything
        letters = self.circuit.payloads[row.payload]
        kept = tuple(k for k, letter in enumerate(letters) if letter != "I")
        kinds = "".join(letters[k] for k in kept)
        if kinds in _SHORT or not kinds:
            return Op.create(_SHORT.get(kinds, OpType.Rz), given), kept
        self.boxes = True
        return PauliExpBox([_PAULIS[letter] for letter in kinds], given[0]), kept

    def _guard(self, index: int) -> dict[str, Any]:
        """The arguments that put a gate under a condition."""
        condition = self.circuit.conditions[index]
        plain = literals(condition)
        if plain is not None:
            value = sum(wanted << k for k, wanted in enumerate(plain.values()))
            return {"condition_bits": [self.out.bits[bit] for bit in plain], "condition_value": value}
        held = Bit(SCRATCH, self._scratch[index])
        if index not in self._fresh:
            self._compute(condition, held)
            self._fresh.add(index)
        return {"condition_bits": [held], "condition_value": 1}

    def _compute(self, condition: Condition, into: Bit) -> None:
        """Append the expression that gives `into` the condition's value."""
        places: dict[int, int] = {}
        made = expression(condition, places)
        assert isinstance(made, ClExpr)
        numbers = {variable: variable for variable in places.values()}
        wired = WiredClExpr(made, bit_posn=numbers, output_posn=[len(places)])
        self.out.add_clexpr(wired, [*(Bit("c", bit) for bit in places), into])

    def _written(self, bit: int) -> None:
        """Conditions that read the bit have to be computed again."""
        self._fresh -= {index for index in self._fresh if bit in bits_of(self.circuit.conditions[index])}
