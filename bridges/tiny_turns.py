"""Which angles the SDKs' passes may take for exact quarter turns: Qiskit's and pytket's drop the rest."""

from __future__ import annotations

from math import pi

_EXACT = 1e-15

TINY = 2e-4
"""Radians. Qiskit's CommutativeCancellation drops sums up to 1e-4, pytket's squashing turns up to 6.3e-6, and
controlled rotations are written with half the angle."""


def is_tiny(angle: object) -> bool:
    """Whether a number, in radians, is next to a quarter turn and not on it: others around it may leave next to
    nothing."""
    if not isinstance(angle, int | float):
        return False
    off = abs(angle - pi / 2 * round(angle / (pi / 2)))
    return _EXACT * max(1.0, abs(angle)) < off < TINY
