"""Writing a circuit in Python: one method a gate, named as in the text form, and angles that stay affine and exact."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from numbers import Integral, Real
from typing import Any

import numpy as np

from .. import ir
from ..bridges.extras import need
from ..ir import AngleInput, CircuitEditor, InputError, PauliSum, unitaries
from ..ir.angles import ZERO_ROW, Row, add_rows, exact_factor, make_row, number_row
from ..ir.circuit import empty_circuit
from ..ir.conditions import Condition, bits_of
from ..ir.diagnostics import user_line
from ..ir.gates import OPCODES
from ..ir.observables import pauli_product
from ..ir.printer import format_angle


def _wrong(code: str, message: str, help: str = "") -> InputError:
    return InputError(ir.Diagnostic(code, message, user_line(), help=help))


class Angle:
    """An affine angle in radians: a multiple of pi, a number, and multiples of a circuit's angle variables.

    Supports `+`, `-`, negation, and `*` and `/` by a number. Integer, Fraction and short binary factors (0.5, 0.25)
    keep multiples of pi exact.
    """

    __slots__ = ("circuit", "row")

    def __init__(self, row: Row, circuit: Circuit | None = None) -> None:
        self.row = row
        self.circuit = circuit

    @classmethod
    def of(cls, value: Angle | Real | float) -> Angle:
        """An angle as it is, a Fraction as a multiple of pi, any other number in radians."""
        if isinstance(value, Angle):
            return value
        if isinstance(value, Fraction):
            return cls(make_row(value))
        if not isinstance(value, (Real, np.number)):
            raise _wrong(
                "P0005",
                f"an angle is a number or an expression in the circuit's inputs, not {type(value).__name__}: {value!r}",
            )
        number = float(value)
        if not math.isfinite(number):
            raise _wrong("P0004", f"an angle of {number} radians is not a finite number")
        return cls(number_row(number))

    @property
    def is_constant(self) -> bool:
        return not self.row[3]

    def __float__(self) -> float:
        if not self.is_constant:
            raise TypeError(f"{self} depends on the circuit's inputs: it has no number of its own")
        return self.row[0] / self.row[1] * math.pi + self.row[2]

    def __add__(self, other: Angle | Real | float) -> Angle:
        added = Angle.of(other)
        if self.circuit is not None and added.circuit not in (None, self.circuit):
            raise _wrong("P0005", f"{self} and {added} belong to two different circuits")
        return Angle(add_rows(self.row, added.row), self.circuit or added.circuit)

    __radd__ = __add__

    def __neg__(self) -> Angle:
        return self * -1

    def __sub__(self, other: Angle | Real | float) -> Angle:
        return self + -Angle.of(other)

    def __rsub__(self, other: Real | float) -> Angle:
        return -self + other

    def __mul__(self, other: Angle | Real | float) -> Angle:
        if isinstance(other, Angle):
            if not self.is_constant and not other.is_constant:
                raise _wrong(
                    "P0005",
                    f"the product of the angles {self} and {other} is not affine",
                    "multiply the values before they enter the circuit, and give the product as an input of its own",
                )
            return self * float(other) if other.is_constant else other * float(self)
        if not isinstance(other, (Real, np.number)):
            return NotImplemented
        return Angle(add_rows(ZERO_ROW, self.row, _factor(other)), self.circuit)

    __rmul__ = __mul__

    def __truediv__(self, other: Angle | Real | float) -> Angle:
        if isinstance(other, Angle):
            other = float(other)
        if not isinstance(other, (Real, np.number)):
            return NotImplemented
        if other == 0:
            raise _wrong("P0004", f"the angle {self} is divided by zero")
        factor = _factor(other)
        return self * (1 / factor if isinstance(factor, float) else Fraction(1) / factor)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Angle):
            return NotImplemented
        return self.row == other.row and (self.is_constant or self.circuit is other.circuit)

    def __hash__(self) -> int:
        return hash(self.row)

    def __repr__(self) -> str:
        names = self.circuit.variable_names if self.circuit is not None else ()
        return format_angle(self.row, names)


def _bridge(name: str, package: str) -> Any:
    """The module of conversions for one SDK. MissingError that names the extra where the SDK is not installed."""
    need(package, name)
    return need(f"qsc.bridges.{name}", name)


def _factor(value: Any) -> Fraction | float:
    """The number as a Fraction where it is one with a small denominator, else as a float."""
    if isinstance(value, Fraction):
        return value
    if isinstance(value, (int, np.integer)):
        return Fraction(int(value))
    number = float(value)
    if not math.isfinite(number):
        raise _wrong("P0004", f"an angle cannot be multiplied by {number}")
    return exact_factor(number)


pi = Angle(make_row(1))
"""Pi, exactly: `pi / 3` and `pi * Fraction(2, 7)` stay rational multiples."""


@dataclass(frozen=True)
class Bit:
    """A boolean expression over a circuit's classical bits: `&`, `|`, `^` and `~` join them; a gate's `condition`."""

    expression: Condition

    def __and__(self, other: Bit) -> Bit:
        return Bit(("and", self.expression, other.expression))

    def __or__(self, other: Bit) -> Bit:
        return Bit(("or", self.expression, other.expression))

    def __xor__(self, other: Bit) -> Bit:
        return Bit(("xor", self.expression, other.expression))

    def __invert__(self) -> Bit:
        return Bit(("not", self.expression))


def _wires(qubits: Sequence[int]) -> str:
    return ", ".join(f"q[{qubit}]" for qubit in qubits)


def _sizes(name: str, shape: int | Sequence[int]) -> tuple[int, ...]:
    sizes = tuple(shape) if isinstance(shape, Iterable) else (shape,)
    if not all(isinstance(size, Integral) for size in sizes):
        raise _wrong("P0005", f"the angle input {name!r} has the shape {shape!r}", "whole numbers, as in 4 or (2, 4)")
    return tuple(int(size) for size in sizes)


AngleLike = Angle | float | Fraction


class Circuit:
    """A circuit on `num_qubits` qubits and `bits` classical bits, all in 0 at the start, written gate by gate.

    Gates take angles (radians, a Fraction as a multiple of pi, or an expression in the inputs) first and qubits after
    them, and `condition=`, an expression over measured bits. Every gate keeps the line that wrote it. Qubit 0 is the
    least significant bit wherever bits are joined to a number. Wrong qubits, bits or angles raise InputError.
    """

    def __init__(self, num_qubits: int, bits: int = 0) -> None:
        for number, what in ((num_qubits, "qubits"), (bits, "classical bits")):
            if not isinstance(number, Integral):
                raise _wrong("P0005", f"the number of {what} is {number!r}", "a whole number, as in Circuit(4, bits=2)")
        if num_qubits < 1 or bits < 0:
            raise _wrong(
                "P0004", f"a circuit has at least one qubit and no negative number of bits: {num_qubits}, {bits}"
            )
        self.num_qubits = num_qubits
        self.num_bits = bits
        self.variable_names: tuple[str, ...] = ()
        self._editor = CircuitEditor("circuit", num_qubits, bits, place=user_line())

    # Angle inputs

    def inputs(self, name: str, shape: int | Sequence[int] = ()) -> Any:
        """Declare angles that are data. Returns an array of `Angle` of that shape, or one Angle for the shape ()."""
        return self._declare(name, shape, "input")

    def weights(self, name: str, shape: int | Sequence[int] = ()) -> Any:
        """Declare trainable angles. Returns as `inputs`."""
        return self._declare(name, shape, "weight")

    def _declare(self, name: str, shape: int | Sequence[int], role: str) -> Any:
        sizes = _sizes(name, shape)
        if not isinstance(name, str) or not name.isidentifier():
            raise _wrong("P0005", f"the angle input {name!r} is not named by a plain identifier")
        if any(array.name == name for array in self._editor.inputs):
            raise _wrong("P0003", f"the angle input {name!r} is declared twice")
        if any(size < 1 for size in sizes):
            raise _wrong("P0004", f"the angle input {name!r} has the shape {sizes}, which holds no angle")
        array = AngleInput(name, sizes, role)
        start = len(self.variable_names)
        self._editor.inputs = (*self._editor.inputs, array)
        self.variable_names += empty_circuit("", 1, 0, (array,)).variable_names
        angles = np.empty(array.size, object)
        angles[:] = [Angle(make_row(0, 0.0, [(start + k, 1.0)]), self) for k in range(array.size)]
        return angles.reshape(sizes) if sizes else angles[0]

    # Gates without angles

    def id(self, qubit: int, *, condition: Bit | None = None) -> None:
        self._add("id", (qubit,), condition=condition)

    def x(self, qubit: int, *, condition: Bit | None = None) -> None:
        self._add("x", (qubit,), condition=condition)

    def y(self, qubit: int, *, condition: Bit | None = None) -> None:
        self._add("y", (qubit,), condition=condition)

    def z(self, qubit: int, *, condition: Bit | None = None) -> None:
        self._add("z", (qubit,), condition=condition)

    def h(self, qubit: int, *, condition: Bit | None = None) -> None:
        self._add("h", (qubit,), condition=condition)

    def s(self, qubit: int, *, condition: Bit | None = None) -> None:
        self._add("s", (qubit,), condition=condition)

    def sdg(self, qubit: int, *, condition: Bit | None = None) -> None:
        self._add("sdg", (qubit,), condition=condition)

    def t(self, qubit: int, *, condition: Bit | None = None) -> None:
        self._add("t", (qubit,), condition=condition)

    def tdg(self, qubit: int, *, condition: Bit | None = None) -> None:
        self._add("tdg", (qubit,), condition=condition)

    def sx(self, qubit: int, *, condition: Bit | None = None) -> None:
        self._add("sx", (qubit,), condition=condition)

    def sxdg(self, qubit: int, *, condition: Bit | None = None) -> None:
        self._add("sxdg", (qubit,), condition=condition)

    def cx(self, control: int, target: int, *, condition: Bit | None = None) -> None:
        self._add("cx", (control, target), condition=condition)

    def cy(self, control: int, target: int, *, condition: Bit | None = None) -> None:
        self._add("cy", (control, target), condition=condition)

    def cz(self, control: int, target: int, *, condition: Bit | None = None) -> None:
        self._add("cz", (control, target), condition=condition)

    def ch(self, control: int, target: int, *, condition: Bit | None = None) -> None:
        self._add("ch", (control, target), condition=condition)

    def swap(self, a: int, b: int, *, condition: Bit | None = None) -> None:
        self._add("swap", (a, b), condition=condition)

    def iswap(self, a: int, b: int, *, condition: Bit | None = None) -> None:
        self._add("iswap", (a, b), condition=condition)

    def ecr(self, a: int, b: int, *, condition: Bit | None = None) -> None:
        self._add("ecr", (a, b), condition=condition)

    def ccx(self, control1: int, control2: int, target: int, *, condition: Bit | None = None) -> None:
        self._add("ccx", (control1, control2, target), condition=condition)

    def cswap(self, control: int, a: int, b: int, *, condition: Bit | None = None) -> None:
        self._add("cswap", (control, a, b), condition=condition)

    # Gates with angles

    def rx(self, angle: AngleLike, qubit: int, *, condition: Bit | None = None) -> None:
        self._add("rx", (qubit,), (angle,), condition=condition)

    def ry(self, angle: AngleLike, qubit: int, *, condition: Bit | None = None) -> None:
        self._add("ry", (qubit,), (angle,), condition=condition)

    def rz(self, angle: AngleLike, qubit: int, *, condition: Bit | None = None) -> None:
        self._add("rz", (qubit,), (angle,), condition=condition)

    def p(self, angle: AngleLike, qubit: int, *, condition: Bit | None = None) -> None:
        self._add("p", (qubit,), (angle,), condition=condition)

    def u3(self, theta: AngleLike, phi: AngleLike, lam: AngleLike, qubit: int, *, condition: Bit | None = None) -> None:
        self._add("u3", (qubit,), (theta, phi, lam), condition=condition)

    def rxx(self, angle: AngleLike, a: int, b: int, *, condition: Bit | None = None) -> None:
        self._add("rxx", (a, b), (angle,), condition=condition)

    def ryy(self, angle: AngleLike, a: int, b: int, *, condition: Bit | None = None) -> None:
        self._add("ryy", (a, b), (angle,), condition=condition)

    def rzz(self, angle: AngleLike, a: int, b: int, *, condition: Bit | None = None) -> None:
        self._add("rzz", (a, b), (angle,), condition=condition)

    def crx(self, angle: AngleLike, control: int, target: int, *, condition: Bit | None = None) -> None:
        self._add("crx", (control, target), (angle,), condition=condition)

    def cry(self, angle: AngleLike, control: int, target: int, *, condition: Bit | None = None) -> None:
        self._add("cry", (control, target), (angle,), condition=condition)

    def crz(self, angle: AngleLike, control: int, target: int, *, condition: Bit | None = None) -> None:
        self._add("crz", (control, target), (angle,), condition=condition)

    def cp(self, angle: AngleLike, control: int, target: int, *, condition: Bit | None = None) -> None:
        self._add("cp", (control, target), (angle,), condition=condition)

    def pauli(self, angle: AngleLike, letters: str, qubits: Sequence[int], *, condition: Bit | None = None) -> None:
        """exp(-i angle/2 P), P the product of `letters` (of I, X, Y, Z), the first on the first of `qubits`."""
        if len(letters) != len(qubits) or not set(letters) <= set("IXYZ"):
            raise _wrong("P0005", f"{letters!r} does not give one letter of I, X, Y, Z to each of {_wires(qubits)}")
        self._add("pauli", tuple(qubits), (angle,), pauli=letters, condition=condition)

    def pauli_rot(self, product: str | PauliSum, angle: AngleLike, *, condition: Bit | None = None) -> None:
        """exp(-i angle/2 P) with P written as a product: `pauli_rot("Z3 X16", angle)`. A `pauli` gate."""
        try:
            letters, qubits = pauli_product(product)
        except ValueError as fault:
            raise _wrong("P0005", str(fault), 'write one letter and its qubit each: "Z3 X16"') from fault
        self.pauli(angle, letters, qubits, condition=condition)

    def unitary(self, matrix: np.ndarray, qubits: Sequence[int]) -> None:
        """A constant unitary (2^n, 2^n) on n = 1 to 4 qubits, the first the least significant bit of an index, up to a
        global phase: 3, 20 or 100 CX for 2, 3 or 4 qubits (see `qsc.ir.unitaries`)."""
        given = np.asarray(matrix, complex)
        size = 1 << len(qubits)
        if given.shape != (size, size) or not np.allclose(given @ given.conj().T, np.eye(size), atol=1e-9):
            raise _wrong("P0005", f"an array of shape {given.shape} is no unitary on {len(qubits)} qubits")
        self.dense([float(a) for a in unitaries.angles(given)] if len(qubits) <= unitaries.MOST_QUBITS else [], qubits)

    def dense(self, angles: Sequence[AngleLike], qubits: Sequence[int]) -> None:
        """A unitary on n = 1 to 4 qubits that its angles decide: 3, 15, 69 or 297 of them, as the op `unitary_angles`
        and the layer `qsc.nn.Evolution` give them."""
        if not 1 <= len(qubits) <= unitaries.MOST_QUBITS:
            raise _wrong("P0005", f"a dense unitary has 1 to {unitaries.MOST_QUBITS} qubits, not {len(qubits)}")
        if len(angles) != unitaries.angle_count(len(qubits)):
            needed = unitaries.angle_count(len(qubits))
            raise _wrong("P0005", f"a dense unitary on {len(qubits)} qubits has {needed} angles, got {len(angles)}")
        for gate, wires, slots in unitaries.template(len(qubits)):
            self._add(gate, [qubits[w] for w in wires], [angles[k] for k in slots])

    def phase(self, angle: AngleLike) -> None:
        """Add to the global phase: the state is multiplied by exp(i angle)."""
        self._editor.phase = add_rows(self._editor.phase, self._row(angle))

    # What is not unitary

    def measure(self, qubit: int, bit: int, *, condition: Bit | None = None) -> Bit:
        """Measure in the Z basis into classical bit `bit`; the returned Bit is that bit in conditions."""
        self._add("measure", (qubit,), bits=(bit,), condition=condition)
        return self.bit(bit)

    def reset(self, qubit: int, *, condition: Bit | None = None) -> None:
        self._add("reset", (qubit,), condition=condition)

    def barrier(self, *qubits: int) -> None:
        """Keep what is before from moving behind it, on `qubits` or, without any, on all."""
        self._add("barrier", qubits or tuple(range(self.num_qubits)))

    def bit(self, index: int) -> Bit:
        """Classical bit `index`, for conditions."""
        self._check_bit(index)
        return Bit(("bit", int(index)))

    # From and to the neighbours

    @classmethod
    def from_qiskit(
        cls, qc: Any, *, inputs: Sequence[Any] | None = None, weights: Sequence[Any] | None = None
    ) -> Circuit:
        """A QuantumCircuit: parameters, global phase and classical control are kept, registers flattened in order.

        A ParameterVector becomes an array of angles of its name, any other Parameter a scalar. inputs, weights: which
        of them (vectors, parameters or names) are data or trainable; the rest is data, or trainable where only `inputs`
        is given. Gates that qsc lacks are taken by their definitions.

        Raises InputError M0005 for what has no form here (angles that are not affine in the parameters, `while`, gates
        without a definition), P0002 and P0003 for wrong names, MissingError where Qiskit is not installed.
        """
        bridge: Any = _bridge("qiskit", "qiskit")
        return cls._of(bridge.from_qiskit(qc, inputs=inputs, weights=weights))

    @classmethod
    def from_tket(
        cls, circuit: Any, *, inputs: Sequence[Any] | None = None, weights: Sequence[Any] | None = None
    ) -> Circuit:
        """A pytket Circuit: symbols, global phase, boxes and classical logic are kept, implicit swaps made explicit.

        Every symbol becomes a scalar angle input with the symbol's own value: `Rz(a)` is the angle `pi*a`. inputs,
        weights and errors as `from_qiskit`.
        """
        bridge: Any = _bridge("tket", "pytket")
        plain = circuit.copy()
        plain.replace_implicit_wire_swaps()
        return cls._of(bridge.from_tket(plain, inputs=inputs, weights=weights).circuit)

    def to_qiskit(self) -> Any:
        """The QuantumCircuit: one qubit register `q`, one register `c` of bits, an array of angles as a ParameterVector
        of its name (flattened in row order), a scalar as a Parameter. MissingError where Qiskit is not installed."""
        bridge: Any = _bridge("qiskit", "qiskit")
        return bridge.with_parameters(self.build())

    def to_tket(self) -> Any:
        """The pytket Circuit: the angle variable `x[1,2]`, in radians, as the symbol `x_1_2`. MissingError where pytket
        is not installed."""
        bridge: Any = _bridge("tket", "pytket")
        return bridge.with_symbols(self.build())

    @classmethod
    def _of(cls, circuit: ir.Circuit) -> Circuit:
        """A builder that goes on where `circuit` ends."""
        made = cls(circuit.num_qubits, circuit.num_clbits)
        made._editor = CircuitEditor.of(replace(circuit, place=user_line()))
        made.variable_names = circuit.variable_names
        return made

    def build(self, name: str = "circuit") -> ir.Circuit:
        """The circuit so far as the IR holds it."""
        return replace(self._editor.circuit(), name=name)

    def __len__(self) -> int:
        return len(self._editor.rows)

    def __repr__(self) -> str:
        arrays = ", ".join(f"{a.role} {a.name}{list(a.shape)}" for a in self._editor.inputs)
        return f"Circuit({self.num_qubits} qubits, {self.num_bits} bits, {len(self)} gates; {arrays or 'no inputs'})"

    def _add(
        self,
        gate: str,
        qubits: Sequence[int],
        angles: Sequence[AngleLike] = (),
        *,
        bits: Sequence[int] = (),
        pauli: str | None = None,
        condition: Bit | None = None,
    ) -> None:
        assert gate in OPCODES
        for qubit in qubits:
            if not isinstance(qubit, (int, np.integer)):
                raise _wrong("P0005", f"{gate} takes qubits as integers after its angles, not {qubit!r}")
            if not 0 <= qubit < self.num_qubits:
                raise _wrong("C0001", f"{gate} on qubit {qubit}, but the circuit has qubits 0 to {self.num_qubits - 1}")
        if len(set(qubits)) != len(qubits):
            raise _wrong("C0002", f"{gate} on {_wires(qubits)} uses one qubit twice")
        for bit in bits:
            self._check_bit(bit)
        if condition is not None and not isinstance(condition, Bit):
            raise _wrong("P0005", f"a condition is a Bit, such as the one measure() returns, not {condition!r}")
        if condition is not None:
            for bit in bits_of(condition.expression):
                self._check_bit(bit)
        self._editor.add(
            gate,
            [int(q) for q in qubits],
            [self._row(a) for a in angles],
            clbits=[int(b) for b in bits],
            pauli=pauli,
            condition=None if condition is None else condition.expression,
            location=user_line(),
        )

    def _row(self, angle: AngleLike) -> Row:
        taken = Angle.of(angle)
        if taken.circuit not in (None, self):
            raise _wrong("P0005", f"the angle {taken} belongs to another circuit")
        return taken.row

    def _check_bit(self, bit: int) -> None:
        if not isinstance(bit, (int, np.integer)) or not 0 <= bit < self.num_bits:
            raise _wrong(
                "C0004",
                f"bit {bit!r} is not one of the circuit's {self.num_bits} classical bits",
                f"declare them: Circuit({self.num_qubits}, bits=...)",
            )
