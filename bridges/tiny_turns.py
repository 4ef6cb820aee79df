"""Which angles the SDKs' passes may take for exact quarter turns: Qiskit's and pytket's drop the rest."""

from __future__ import annotations

from math import pi

_EXACT = 1e-15

TINY = 2e-4
"""Radians. Qiskit's CommutativeCancellation drops sums up to 1e-4, pytket's squashing turns up to 6.3e-6, and
controlled rotations are written with half the angle."""

NEAR = 0.1
"""Radians. Qiskit's two-qubit resynthesis takes a gate at s from a special class for one of it, up to s of about 0.04:
an error of s**3 / 3."""


def is_tiny(angle: object) -> bool:
    """Whether a number, in radians, is next to a quarter turn and not on it: others around it may leave next to
    nothing."""
    if not isinstance(angle, int | float):
        return False
    return _EXACT * max(1.0, abs(angle)) < _off(angle) < TINY


def is_near(angle: object) -> bool:
    """Whether a number is so near to a quarter turn that a fidelity of 1 - 1e-9 may not tell gates of it apart."""
    return isinstance(angle, int | float) and _EXACT * max(1.0, abs(angle)) < _off(angle) < NEAR


def is_odd(angle: object) -> bool:
    """Whether a number is no multiple of an eighth of a turn."""
    return isinstance(angle, int | float) and abs(_off(angle) - pi / 4) > _EXACT * max(1.0, abs(angle)) < _off(angle)


def _off(angle: float) -> float:
    """How far an angle is from a quarter turn."""
    return abs(angle - pi / 2 * round(angle / (pi / 2)))
