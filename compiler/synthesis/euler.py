"""One-qubit gates: runs of them as alternating turns, and those as native gates.

A run is kept as a chain `Rz(a_n) Ry(t_n) ... Rz(a_1) Ry(t_1) Rz(a_0)` (the rightmost acts first) in which every tilt
t_k is a constant strictly between 0 and pi or pi itself, and every inner a_k holds a symbol. Turns about X and Y by an
unknown angle become Rz between two tilts by pi/2:

    Rx(a) = Ry(pi/2) Rz(a + pi) Ry(pi/2) Rz(-pi)        Ry(a) = Rz(pi/2) Rx(a) Rz(-pi/2)
    Ry(pi/2) Rz(a) Ry(pi/2) = Rz(pi/2) Ry(pi - a) Rz(pi/2)

so that two tilts by pi/2 make one gate u3 with affine angles, whatever lies between them. A chain of one tilt, or of
two by pi/2, is one u3 or RZ-SX-RZ-SX-RZ; a longer one has no affine form.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache, lru_cache

import numpy as np

from ...ir.angles import ZERO_ROW, Row, add_rows, make_row
from ...ir.gates import GATES, OPCODES
from ..passes.gate_families import families
from .templates import Step, Template

_PI = make_row(1)
_HALF_PI = make_row(Fraction(1, 2))
_QUARTER = math.pi / 4
TINY = 1e-14
"""size of a matrix entry whose phase means nothing"""
SNAP = 1e-12
"""radians from a multiple of pi/4 within which a computed constant is that multiple"""
_MOST_RUNS = 4096
"""Runs of gates whose templates are remembered, for the next circuits too."""
_U3, _H, _RZ, _RY, _RX, _SX, _X = (OPCODES[n] for n in ("u3", "h", "rz", "ry", "rx", "sx", "x"))

BASES = ("u3", "rz-sx", "rz-rx", "rz-ry", "rz-rx90")
"""Sets of one-qubit gates: u3 (with rz, ry and rx where they do); RZ with SX and X; RZ with RX or RY by any angle; RZ
with RX by multiples of pi/2."""


def snapped(value: float) -> Row:
    """A computed constant as a row: a multiple of pi/4 where it is one up to rounding."""
    steps = round(value / _QUARTER)
    return make_row(Fraction(steps, 4)) if abs(value - steps * _QUARTER) < SNAP else make_row(0, value)


def constant(row: Row) -> float:
    """The value of a row without symbols."""
    return row[0] / row[1] * math.pi + row[2]


@cache
def _turns() -> dict[int, tuple[str, Row, Row, Fraction]]:
    """Opcode of a one-qubit turn -> (letter, fixed turn, phase, phase for every radian of its own angle)."""
    return {
        opcode: (family.axes, make_row(member.turn), make_row(member.phase), member.slope)
        for family in families()
        if len(family.axes) == 1
        for opcode, member in family.members.items()
    } | {OPCODES["id"]: ("Z", ZERO_ROW, ZERO_ROW, Fraction(0))}


@dataclass
class Chain:
    """A run in normal form: `alphas[k]` acts before `tilts[k]`; one more alpha than tilts."""

    alphas: list[Row] = field(default_factory=lambda: [ZERO_ROW])
    tilts: list[Row] = field(default_factory=list)
    phase: Row = ZERO_ROW

    def add(self, opcode: int, angles: Sequence[Row]) -> None:
        """One more gate; `angles` are rows over any variables."""
        if opcode == _U3:
            theta, phi, lam = angles
            self.turn("Z", lam)
            self.turn("Y", theta)
            self.turn("Z", phi)
            self._phase(add_rows(phi, lam), Fraction(1, 2))
        elif opcode == _H:
            self.turn("Z", _PI)
            self.turn("Y", _HALF_PI)
            self._phase(_HALF_PI)
        else:
            letter, fixed, phase, slope = _turns()[opcode]
            self._phase(phase)
            if angles:
                self._phase(angles[0], slope)
                fixed = add_rows(fixed, angles[0])
            self.turn(letter, fixed)

    def turn(self, letter: str, angle: Row) -> None:
        """exp(-i angle/2 P)."""
        if letter == "Z":
            self.alphas[-1] = add_rows(self.alphas[-1], angle)
            return
        before = Fraction(1, 2) if letter == "X" else Fraction(0)
        self._rz(before)
        if angle[3]:
            # Ry(a) = Rz(pi/2) Ry(pi/2) Rz(a + pi) Ry(pi/2) Rz(-3 pi/2)
            self._rz(Fraction(-3, 2))
            self._tilt(_HALF_PI)
            self.alphas[-1] = add_rows(self.alphas[-1], add_rows(angle, _PI))
            self._tilt(_HALF_PI)
            self._rz(Fraction(1, 2))
        else:
            self._tilt(angle)
        self._rz(-before)

    def _rz(self, multiple: Fraction) -> None:
        if multiple:
            self.alphas[-1] = add_rows(self.alphas[-1], make_row(multiple))

    def _phase(self, row: Row, factor: Fraction | int = 1) -> None:
        if factor and row != ZERO_ROW:
            self.phase = add_rows(self.phase, row, factor)

    def _tilt(self, angle: Row) -> None:
        """Ry by a constant, joined with the last tilt where only a constant lies between."""
        angle = self._reduced(angle)
        if angle == ZERO_ROW:
            return
        if not self.tilts:
            self._push(angle)
            return
        last, between = self.tilts[-1], self.alphas[-1]
        if last == _PI or angle == _PI:
            # Rz and Ry(pi): a turn by pi about Y reverses what it passes.
            self.tilts.pop()
            self.alphas.pop()
            if last == _PI:
                self.alphas[-1] = add_rows(self.alphas[-1], between, -1)
                self._tilt(add_rows(angle, _PI))
            else:
                self._tilt(add_rows(last, _PI))
                self.alphas[-1] = add_rows(self.alphas[-1], between, -1)
        elif between[3]:
            self._push(angle)
        else:
            self.tilts.pop()
            self.alphas.pop()
            self._join(last, between, angle)

    def _push(self, angle: Row) -> None:
        """Append a tilt; one beyond pi is -Ry(a - 2 pi) = -Rz(pi) Ry(2 pi - a) Rz(-pi)."""
        value = constant(angle)
        if value < math.pi or angle == _PI:
            self.tilts.append(angle)
            self.alphas.append(ZERO_ROW)
            return
        self._rz(Fraction(-1))
        self.tilts.append(add_rows(make_row(2), angle, -1))
        self.alphas.append(_PI)
        self._phase(_PI)

    def _reduced(self, angle: Row) -> Row:
        """The tilt in [0, 2 pi), a sign for every full turn."""
        turns = math.floor(constant(angle) / (2 * math.pi) + 1e-15)
        if turns:
            angle = add_rows(angle, make_row(2), -turns)
            self._phase(_PI, turns % 2)
        if angle[2] and abs(constant(angle)) < 1e-15:
            return ZERO_ROW
        return angle

    def _join(self, first: Row, between: Row, second: Row) -> None:
        """Ry(second) Rz(between) Ry(first), all constant."""
        turns = Fraction(between[0], between[1])
        if not between[2] and turns.denominator == 1:
            # Rz(k pi) Ry(a) = Ry((-1)^k a) Rz(k pi)
            self._rz(turns)
            self._tilt(add_rows(second, first, -1 if turns.numerator % 2 else 1))
        elif first == second == _HALF_PI:
            self._rz(Fraction(1, 2))
            self._tilt(add_rows(_PI, between, -1))
            self._rz(Fraction(1, 2))
        else:
            phi, theta, lam = _zyz(constant(first), constant(between), constant(second))
            self.alphas[-1] = add_rows(self.alphas[-1], snapped(lam))
            self._tilt(snapped(theta))
            self.alphas[-1] = add_rows(self.alphas[-1], snapped(phi))

    def elements(self) -> list[tuple[Row, Row, Row]]:
        """The run as gates (lam, theta, phi), each Rz(phi) Ry(theta) Rz(lam); empty where it is Rz(alphas[0]) alone."""
        out: list[tuple[Row, Row, Row]] = []
        k, count = 0, len(self.tilts)
        carried = self.alphas[0]
        while k < count:
            if k + 1 < count and self.tilts[k] == self.tilts[k + 1] == _HALF_PI:
                theta = add_rows(_PI, self.alphas[k + 1], -1)
                out.append((add_rows(carried, _HALF_PI), theta, _HALF_PI))
                k += 2
                if theta[3] and theta[3][0][1] < 0:
                    # Rz(phi) Ry(-t) Rz(lam) = Rz(phi - pi) Ry(t) Rz(lam + pi)
                    theta = add_rows(ZERO_ROW, theta, -1)
                    out[-1] = (add_rows(carried, make_row(Fraction(3, 2))), theta, make_row(Fraction(-1, 2)))
            else:
                out.append((carried, self.tilts[k], ZERO_ROW))
                k += 1
            carried = self.alphas[k]
        if out:
            lam, theta, phi = out[-1]
            out[-1] = (lam, theta, add_rows(phi, carried))
        return out


def _zyz(first: float, between: float, second: float) -> tuple[float, float, float]:
    """(phi, theta, lam) with Rz(phi) Ry(theta) Rz(lam) = Ry(second) Rz(between) Ry(first), the sign included."""
    c1, s1, c2, s2 = math.cos(first / 2), math.sin(first / 2), math.cos(second / 2), math.sin(second / 2)
    wave = cmath.exp(0.5j * between)
    low = c2 * c1 * wave - s2 * s1 / wave  # cos(theta/2) exp(i (phi + lam)/2)
    high = s2 * c1 / wave + c2 * s1 * wave  # sin(theta/2) exp(i (phi - lam)/2)
    total = cmath.phase(low) if abs(low) > TINY else 0.0
    rest = cmath.phase(high) if abs(high) > TINY else 0.0
    return total + rest, 2 * math.atan2(abs(high), abs(low)), total - rest


def angles_of(matrices: np.ndarray) -> np.ndarray:
    """(theta, phi, lam, phase) with matrix = exp(i phase) u3(theta, phi, lam): (..., 2, 2) -> (..., 4)."""
    half = np.angle(matrices[..., 0, 0] * matrices[..., 1, 1] - matrices[..., 0, 1] * matrices[..., 1, 0]) / 2
    special = matrices * np.exp(-1j * half)[..., None, None]
    low, high = special[..., 1, 1], special[..., 1, 0]
    theta = 2 * np.arctan2(np.abs(high), np.abs(low))
    total = np.where(np.abs(low) > TINY, np.angle(low), 0.0)
    rest = np.where(np.abs(high) > TINY, np.angle(high), 0.0)
    return np.stack([theta, total + rest, total - rest, half - total], axis=-1)


# Chains as gates


class _Emitter:
    """Gates of one wire in order of time, neighbouring turns about Z joined."""

    def __init__(self, phase: Row) -> None:
        self.steps: list[Step] = []
        self.phase = phase
        self.pending = ZERO_ROW

    def rz(self, angle: Row) -> None:
        self.pending = add_rows(self.pending, angle)

    def fixed(self, opcode: int, phase: Fraction) -> None:
        """A gate without angles that is exp(i pi phase) times the turn it stands for."""
        self.flush()
        self.steps.append(Step(opcode, (0,)))
        self.phase = add_rows(self.phase, make_row(-phase))

    def turn(self, opcode: int, angle: Row) -> None:
        """rz, ry or rx by an angle, reduced to one turn; nothing where that is zero."""
        angle, sign = _one_turn(angle)
        if sign:
            self.phase = add_rows(self.phase, _PI)
        if angle != ZERO_ROW:
            self.steps.append(Step(opcode, (0,), (angle,)))

    def flush(self) -> None:
        angle, self.pending = self.pending, ZERO_ROW
        self.turn(_RZ, angle)

    def template(self) -> Template:
        self.flush()
        return Template(tuple(self.steps), self.phase)


def _one_turn(angle: Row) -> tuple[Row, bool]:
    """The angle with its multiple of pi in (-1, 1], and whether that changed the sign of the rotation."""
    num, den, offset, terms = angle
    if -den < num <= den:
        return angle, False
    turns = (num + den - 1) // (2 * den) if num > 0 else -((den - num) // (2 * den))
    return (num - 2 * den * turns, den, offset, terms), bool(turns % 2)


def emit(chain: Chain, basis: str, has_x: bool = True) -> Template:
    """The chain as gates of one of `BASES` on wire 0. has_x: whether `x` may be used beside sx."""
    out = _Emitter(chain.phase)
    elements = chain.elements()
    if not elements:
        out.rz(chain.alphas[0])
    for k, (lam, theta, phi) in enumerate(elements):
        if basis == "u3":
            _u3(out, lam, theta, phi)
        elif basis in ("rz-sx", "rz-rx90"):
            _quarter_turns(out, lam, theta, phi, basis == "rz-sx", has_x, last=k + 1 == len(elements))
        else:
            shift = _HALF_PI if basis == "rz-rx" else ZERO_ROW
            out.rz(add_rows(lam, shift, -1))
            out.flush()
            out.turn(_RX if basis == "rz-rx" else _RY, theta)
            out.rz(add_rows(phi, shift))
    return out.template()


def _u3(out: _Emitter, lam: Row, theta: Row, phi: Row) -> None:
    """One gate: ry or rx where that is all, else u3 = exp(i (phi + lam)/2) Rz(phi) Ry(theta) Rz(lam)."""
    out.rz(lam)
    lam, out.pending = out.pending, ZERO_ROW
    (lam, sign), (phi, other) = _one_turn(lam), _one_turn(phi)
    if sign != other:
        out.phase = add_rows(out.phase, _PI)
    if lam == phi == ZERO_ROW:
        out.turn(_RY, theta)
    elif lam == _HALF_PI and phi == make_row(Fraction(-1, 2)):
        out.turn(_RX, theta)
    else:
        theta, sign = _one_turn(theta)
        out.steps.append(Step(_U3, (0,), (theta, phi, lam)))
        out.phase = add_rows(out.phase, add_rows(phi, lam), Fraction(-1, 2))
        if sign:
            out.phase = add_rows(out.phase, _PI)


def _quarter_turns(out: _Emitter, lam: Row, theta: Row, phi: Row, sx: bool, has_x: bool, last: bool) -> None:
    """Rz(phi) Ry(theta) Rz(lam) by turns about X by pi/2: none more than needed for special angles.

    Ry(theta) = Rx(pi/2) Rz(pi - theta) Rx(pi/2) Rz(-pi) = Rz(pi) Rx(pi/2) Rz(pi + theta) Rx(pi/2) Rz(-2 pi).
    """

    def quarter() -> None:
        if sx:
            out.fixed(_SX, Fraction(1, 4))
        else:
            out.flush()
            out.turn(_RX, _HALF_PI)

    if theta == _HALF_PI:
        out.rz(add_rows(lam, _HALF_PI, -1))
        quarter()
        out.rz(add_rows(phi, _HALF_PI))
    elif theta == _PI and has_x:
        # Rz(phi) Ry(pi) Rz(lam) = Rz(phi - lam) Rz(pi/2) Rx(pi) Rz(-pi/2), all of it behind the X.
        lam = add_rows(add_rows(out.pending, lam), _HALF_PI, -1)
        out.pending = ZERO_ROW
        if sx:
            out.fixed(_X, Fraction(1, 2))
        else:
            out.turn(_RX, _PI)
        out.rz(add_rows(add_rows(phi, _HALF_PI), lam, -1))
    else:
        before = add_rows(out.pending, lam)
        direct = _is_turn(before, 1) + (last and _is_turn(phi, 0))
        other = _is_turn(before, 0) + (last and _is_turn(phi, 1))
        if direct >= other:
            steps = (add_rows(lam, _PI, -1), add_rows(_PI, theta, -1), phi)
        else:
            steps = (add_rows(lam, make_row(-2)), add_rows(_PI, theta), add_rows(phi, _PI))
        out.rz(steps[0])
        quarter()
        out.rz(steps[1])
        quarter()
        out.rz(steps[2])


def _is_turn(row: Row, multiple: int) -> bool:
    """Whether the row is `multiple * pi` up to full turns."""
    num, den, offset, terms = row
    return not terms and not offset and den == 1 and (num - multiple) % 2 == 0


def template_of(gates: Sequence[tuple[int, Sequence[Row]]], basis: str, has_x: bool = True) -> tuple[Template, int]:
    """(template on wire 0, number of u3 that it takes) of a run of gates (opcode, angles) in order of time."""
    return _template(tuple([(opcode, tuple(angles)) for opcode, angles in gates]), basis, has_x)


@lru_cache(_MOST_RUNS)
def _template(gates: tuple[tuple[int, tuple[Row, ...]], ...], basis: str, has_x: bool) -> tuple[Template, int]:
    chain = Chain()
    for opcode, angles in gates:
        chain.add(opcode, angles)
    return emit(chain, basis, has_x), len(chain.elements())


def matrix_template(values: Sequence[float], basis: str, has_x: bool = True) -> Template:
    """The template of exp(i phase) u3(theta, phi, lam), four constants in the order of `angles_of`."""
    theta, phi, lam, phase = values
    chain = Chain()
    chain.turn("Z", snapped(lam))
    chain.turn("Y", snapped(theta))
    chain.turn("Z", snapped(phi))
    # u3 carries exp(i (phi + lam)/2); the emitted chain is exact, so only the given phase is added.
    chain.phase = add_rows(chain.phase, make_row(0, phase + (phi + lam) / 2))
    return emit(chain, basis, has_x)


def matrix_of(opcode: int, angles: Sequence[float]) -> np.ndarray:
    """The matrix of a gate of the table for bound angles."""
    matrix = GATES[opcode].matrix
    assert matrix is not None
    return matrix(*angles)
