"""Qiskit's parameters and their expressions as angle rows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, TypeAlias

from qiskit.circuit import ParameterExpression, ParameterVector, QuantumCircuit
from qiskit.circuit.parametervector import ParameterVectorElement

from ..ir import AngleInput, InputError
from ..ir.angles import AngleInterner, Row, add_rows, exact_factor, make_row, number_row
from ..ir.diagnostics import did_you_mean
from .faults import NotAffineError, unconvertible

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
        found = self._index.get(angle)
        if found is None:
            found = self._index[angle] = self.table.add(self.row(angle, gate))
        return found

    def row(self, angle: Any, gate: str) -> Row:
        """The row of a number or an affine expression. UnconvertibleError for any other expression."""
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

    A ParameterVector is one array, any other parameter a scalar. Those that `inputs` and `weights` list come first, in
    that order; the rest is sorted by name and is data, or trainable where only `inputs` is given. Raises InputError
    P0002 for a name that the circuit does not have, P0003 for one that is listed twice.
    """
    groups = _groups(circuit)
    chosen: dict[str, str] = {}
    for role, names in (("input", inputs), ("weight", weights)):
        for named in names or ():
            key = _key(named)
            groups.setdefault(key, _members(named))
            if not groups[key]:
                raise InputError.of(
                    "P0002",
                    f"the circuit has no parameter {key!r}",
                    help=did_you_mean(key, [k for k in groups if groups[k]]),
                )
            if key in chosen:
                raise InputError.of("P0003", f"the parameter {key!r} is listed twice as an input or a weight")
            chosen[key] = role
    rest = "weight" if inputs is not None and weights is None else "input"
    for key in sorted(groups):
        chosen.setdefault(key, rest)
    arrays: list[AngleInput] = []
    rows: dict[Symbol, Row] = {}
    start = 0
    for key, role in chosen.items():
        members = groups[key]
        vector = isinstance(members[0], ParameterVectorElement)
        arrays.append(AngleInput(key, (len(members),) if vector else (), role))
        rows |= {p: make_row(Fraction(0), 0.0, [(start + k, 1.0)]) for k, p in enumerate(members)}
        start += len(members)
    return tuple(arrays), rows


def _groups(circuit: QuantumCircuit) -> dict[str, Sequence[Symbol]]:
    """Name -> the parameters of that input: the elements of a vector, or the one."""
    groups: dict[str, Sequence[Symbol]] = {}
    for parameter in circuit.parameters:
        if isinstance(parameter, ParameterVectorElement):
            groups.setdefault(parameter.vector.name, tuple(parameter.vector))
    for parameter in circuit.parameters:
        if not isinstance(parameter, ParameterVectorElement):
            name = parameter.name
            while name in groups:
                name += "_"
            groups[name] = (parameter,)
    return groups


def _key(named: Named) -> str:
    if isinstance(named, ParameterVectorElement):
        return named.vector.name
    return named if isinstance(named, str) else named.name


def _members(named: Named) -> Sequence[Symbol]:
    if isinstance(named, ParameterVector):
        return tuple(named)
    return () if isinstance(named, str) else (named,)
