"""Templates: gates over a few wires whose angles are affine forms over the angles of the gates that they stand for.

A template is made once for a structure and written many times. Its angle forms are rows (`qsc.ir.angles`) in which
variable k is slot k: the k-th angle of the gates that are replaced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ...ir import Circuit
from ...ir.angles import ZERO_ROW, AngleTable, Row, add_rows
from ...ir.gates import OPCODES

TURNS = frozenset(OPCODES[n] for n in ("rz", "ry", "rx"))
"""Rotations that are nothing at all for the angle zero."""


class Step(NamedTuple):
    """One gate of a template: `wires` count within the template, `angles` are forms over its slots."""

    opcode: int
    wires: tuple[int, ...]
    angles: tuple[Row, ...] = ()
    payload: str = ""


@dataclass(frozen=True)
class Template:
    """Gates in order of time, and the global phase that goes with them."""

    steps: tuple[Step, ...]
    phase: Row = ZERO_ROW

    @cached_property
    def columns(self) -> tuple[bytes, list[int], bool, bool]:
        """(opcodes, the wires of all gates one after the other, whether no gate has a payload, whether one turns)."""
        opcodes = bytes([step.opcode for step in self.steps])
        wires = [wire for step in self.steps for wire in step.wires]
        return opcodes, wires, not any(step.payload for step in self.steps), not TURNS.isdisjoint(opcodes)


def slot(number: int) -> Row:
    """The form that is slot `number` itself."""
    return (0, 1, 0.0, ((number, 1.0),))


def scaled(row: Row, factor: Fraction | int) -> Row:
    """`factor * row`."""
    return add_rows(ZERO_ROW, row, factor)


def substitute(form: Row, values: Sequence[Row] | Mapping[int, Row]) -> Row:
    """The form with row `values[k]` in the place of slot k."""
    num, den, offset, terms = form
    out = (num, den, offset, ())
    for k, coeff in terms:
        out = add_rows(out, values[k], int(coeff) if coeff.is_integer() else Fraction(coeff))
    return out


def without_unused_rows(circuit: Circuit) -> Circuit:
    """The circuit without angle rows that no gate uses; the others keep their order."""
    angles = circuit.angles
    used = np.zeros(len(angles), bool)
    used[circuit.angle_rows] = True
    if circuit.phase >= 0:
        used[circuit.phase] = True
    if used.all():
        return circuit
    where = np.cumsum(used) - 1
    counts = np.diff(angles.ptr)
    kept = np.repeat(used, counts)
    table = AngleTable(
        angles.num[used],
        angles.den[used],
        angles.offset[used],
        np.concatenate([[0], np.cumsum(counts[used])]).astype(np.int64),
        angles.variables[kept],
        angles.coeffs[kept],
    )
    rows = where[circuit.angle_rows].astype(np.int32)
    phase = int(where[circuit.phase]) if circuit.phase >= 0 else -1
    return circuit.with_(angles=table, angle_rows=rows, phase=phase)
