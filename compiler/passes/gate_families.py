"""Which gates are turns about one axis, worked out from the matrices of the gate table.

A family is a set of gates that are all `exp(i (pi * phase + slope * a)) * R(pi * turn + a)` for one additive gate R,
the family's leader, and the gate's own angle a: z, s, t, p and rz are turns about Z. Two members on the same qubits are
one turn by the summed angle.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache

import numpy as np

from ...ir.gates import GATES, Gate, rotation_matrix

_STEPS = 16
"""Fixed gates are looked for at multiples of pi/4 up to 4 pi."""
_CLOSE = 1e-12
_PROBES = (0.7, 1.9)


@dataclass(frozen=True, slots=True)
class Member:
    """A gate as a turn of its leader: by `turn` pi, plus its own angle if it has one.

    phase: constant part of the factor in front, in units of pi. slope: radians of it for every radian of the gate's
    own angle.
    """

    opcode: int
    turn: Fraction
    phase: Fraction
    slope: Fraction


@dataclass(slots=True)
class Family:
    """All gates that turn about one axis. `rotation` says that the leader is exp(-i angle/2 P), P = `axes`."""

    leader: int
    axes: str
    period: Fraction
    phase_period: Fraction
    rotation: bool
    members: dict[int, Member] = field(default_factory=dict)

    def fixed(self, turn: Fraction) -> Member | None:
        """The member without an angle that is the turn by `turn` pi up to a factor."""
        for member in self.members.values():
            same = ((turn - member.turn) / self.phase_period).denominator == 1
            if GATES[member.opcode].angles == 0 and same:
                return member
        return None

    def turning(self) -> list[Member]:
        """The members with an angle, the leader first."""
        return [m for m in self.members.values() if GATES[m.opcode].angles == 1]


@cache
def families() -> tuple[Family, ...]:
    """The families of the gate table; `pauli`, whose axes are in its payload, belongs to none of them."""
    found: list[Family] = []
    for opcode, gate in enumerate(GATES):
        if not gate.additive or gate.matrix is None:
            continue
        home = next((f for f in found if _as_turning(opcode, f) is not None), None)
        if home is None:
            matrix = gate.matrix(_PROBES[0])
            rotation = np.allclose(matrix, rotation_matrix(gate.axes, _PROBES[0]), atol=_CLOSE)
            home = Family(opcode, gate.axes, gate.period, gate.phase_period, rotation)
            found.append(home)
        member = _as_turning(opcode, home)
        assert member is not None
        home.members[opcode] = member
    for opcode, gate in enumerate(GATES):
        if gate.angles == 0 and gate.matrix is not None and "-" not in gate.axes:
            _join_fixed(opcode, gate, found)
    return tuple(found)


def _as_turning(opcode: int, family: Family) -> Member | None:
    gate, leader = GATES[opcode], GATES[family.leader].matrix
    if gate.axes != family.axes or gate.matrix is None or leader is None:
        return None
    slopes = []
    for angle in _PROBES:
        factor = _factor(gate.matrix(angle), leader(angle))
        if factor is None:
            return None
        slopes.append(_as_fraction(np.angle(factor) / angle))
    return Member(opcode, Fraction(0), Fraction(0), slopes[0]) if slopes[0] == slopes[1] else None


def _join_fixed(opcode: int, gate: Gate, found: list[Family]) -> None:
    for family in found:
        leader = GATES[family.leader].matrix
        if family.axes != gate.axes or leader is None or gate.matrix is None:
            continue
        turns = [Fraction(k, 4) for k in range(_STEPS) if Fraction(k, 4) < family.period]
        for turn in sorted((t - family.period if t > family.period / 2 else t for t in turns), key=abs):
            factor = _factor(gate.matrix(), leader(float(turn) * np.pi))
            if factor is not None:
                phase = _as_fraction(np.angle(factor) / np.pi)
                family.members[opcode] = Member(opcode, turn, phase, Fraction(0))
                return


def _factor(a: np.ndarray, b: np.ndarray) -> complex | None:
    """The number f with a = f b, of modulus 1; None where there is none."""
    factor = np.vdot(b, a) / len(a)
    return complex(factor) if np.abs(a - factor * b).max() < _CLOSE else None


def _as_fraction(value: float) -> Fraction:
    return Fraction(float(value)).limit_denominator(16)


@cache
def exchangeable(opcode: int) -> tuple[tuple[int, ...], ...]:
    """Groups of operand positions of two or more that may be exchanged freely, from the gate's matrix."""
    gate = GATES[opcode]
    if gate.matrix is None or gate.qubits < 2 or gate.angles > 1:
        return ()
    matrix = gate.matrix(*_PROBES[: gate.angles])
    groups: list[list[int]] = []
    for position in range(gate.qubits):
        home = next((g for g in groups if _swappable(matrix, gate.qubits, g[0], position)), None)
        if home is None:
            groups.append([position])
        else:
            home.append(position)
    return tuple(tuple(g) for g in groups if len(g) > 1)


def _swappable(matrix: np.ndarray, qubits: int, a: int, b: int) -> bool:
    order = list(range(qubits))
    order[a], order[b] = order[b], order[a]
    index = [sum(((k >> order[q]) & 1) << q for q in range(qubits)) for k in range(len(matrix))]
    return np.abs(matrix[np.ix_(index, index)] - matrix).max() < _CLOSE
