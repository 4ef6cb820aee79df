"""Qiskit's parameters and their expressions as angle rows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from qiskit.circuit import ParameterExpression, ParameterVector, QuantumCircuit
from qiskit.circuit.parametervector import ParameterVectorElement

from ..ir import AngleInput, InputError
from ..ir.angles import AngleInterner, Row, add_rows, exact_factor, make_row, number_row
from .faults import NotAffineError, unconvertible
from .roles import Group, angle_inputs

Symbol: TypeAlias = Any
"""A qiskit Parameter or ParameterExpression, which type checkers do not see as classes."""

Named: TypeAlias = Any
"""What a caller may name an input by: a ParameterVector, a Parameter, or the name of either."""


class Angles:
    """Angles of a Qiskit circuit as rows of a table. rows: what each Parameter stands for."""

    def __init__(self, table: AngleInterner, rows: Mapping[Symbol, Row]) -> None:
        self.table = table
        self.rows = dict(rows)
        self._index: dict[Any, int] = {}

    def index(self, angle: Any, gate: str) -> int:
        """The row number of a gate's angle; `gate` names the gate in messages."""
        angle = _number_if_constant(angle)
        found = self._index.get(angle)
        if found is None:
            found = self._index[angle] = self.table.add(self.row(angle, gate))
        return found

    def row(self, angle: Any, gate: str) -> Row:
        """The row of a number or an affine expression. UnconvertibleError for any other expression."""
        angle = _number_if_constant(angle)
        if not isinstance(angle, ParameterExpression):
            return _constant(float(angle), gate)
        row = self.rows.get(angle)
        return self._affine(angle, gate) if row is None else row

    def _affine(self, angle: Symbol, gate: str) -> Row:
        slopes = {p: _number(angle.gradient(p)) for p in angle.parameters}
        bad = sorted(p.name for p, slope in slopes.items() if slope is None)
        if bad:
            raise NotAffineError.of(
                "M0005",
                f"the angle {angle} of the gate {gate} is not affine in the parameter {' and '.join(bad)}",
                help="compute the value before it enters the circuit, and give it as a parameter of its own",
            )
        row = _constant(float(angle.bind(dict.fromkeys(slopes, 0.0)).numeric()), gate)
        for parameter in sorted(slopes, key=lambda p: p.name):
            row = add_rows(row, self._parameter(parameter, gate), exact_factor(slopes[parameter] or 0.0))
        return row

    def _parameter(self, parameter: Symbol, gate: str) -> Row:
        row = self.rows.get(parameter)
        if row is None:
            raise unconvertible(f"the parameter {parameter.name} of the gate {gate} is not one of the circuit's inputs")
        return row


def _number_if_constant(angle: Any) -> Any:
    """The value of an expression whose parameters are bound or cancel, as in x - x - 2; else the angle itself."""
    try:
        hash(angle)
    except OverflowError:
        # Qiskit has no hash of an expression that is a negative number.
        return angle.simplify().numeric()
    return angle


def _constant(number: float, gate: str) -> Row:
    if not math.isfinite(number):
        raise InputError.of("P0004", f"an angle of the gate {gate} is {number}, not a finite number")
    return number_row(number)


def _number(slope: Any) -> float | None:
    """A derivative that is the same everywhere, else None."""
    if not isinstance(slope, ParameterExpression):
        return float(slope) if not isinstance(slope, complex) else None
    plain = slope.simplify()
    return None if plain.parameters else float(plain.numeric())


def declare(
    circuit: QuantumCircuit, inputs: Iterable[Named] | None, weights: Iterable[Named] | None
) -> tuple[tuple[AngleInput, ...], dict[Symbol, Row]]:
    """The angle inputs of a circuit from outside, and the row of each of its parameters.

    A ParameterVector is one array, any other parameter a scalar. Roles and errors as `angle_inputs` says.
    """
    groups = _groups(circuit)
    for named in (*(inputs or ()), *(weights or ())):
        if isinstance(named, ParameterVector):
            groups.setdefault(named.name, Group(tuple(named), (len(named),)))
    arrays, numbers = angle_inputs(groups, _names(inputs), _names(weights))
    return arrays, {parameter: make_row(0, 0.0, [(number, 1.0)]) for parameter, number in numbers.items()}


def _groups(circuit: QuantumCircuit) -> dict[str, Group]:
    """Name -> the parameters of that input: the elements of a vector, or the one."""
    groups: dict[str, Group] = {}
    for parameter in circuit.parameters:
        if isinstance(parameter, ParameterVectorElement):
            vector = parameter.vector
            groups.setdefault(vector.name, Group(tuple(vector), (len(vector),)))
    for parameter in circuit.parameters:
        if not isinstance(parameter, ParameterVectorElement):
            name = parameter.name
            while name in groups:
                name += "_"
            groups[name] = Group((parameter,))
    return groups


def _names(named: Iterable[Named] | None) -> list[str] | None:
    if named is None:
        return None
    return [n if isinstance(n, str) else getattr(n, "vector", n).name for n in named]
