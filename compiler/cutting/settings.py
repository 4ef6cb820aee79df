"""What fills the free angles of a fragment, and how numbers measured there become those of a bond.

Every table has a row a setting: its angles. Beside it stands the matrix (settings, bond) that turns what was read at
the settings into the bond's numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import atan2, pi

import numpy as np

from ...ir.angles import Row

_LETTER_AXES = {"X": 0, "Y": 1, "Z": 2}
_SIC = np.array([[0, 0, 1], [2 * 2**0.5 / 3, 0, -1 / 3], [-(2**0.5) / 3, (2 / 3) ** 0.5, -1 / 3],
                 [-(2**0.5) / 3, -((2 / 3) ** 0.5), -1 / 3]])  # fmt: skip
"""The corners of a regular tetrahedron on the Bloch sphere: of all four states that tell every state apart, those that
do so with the least noise (Renes et al., J. Math. Phys. 45, 2171, 2004)."""
_TURNS = (0.0, 2 * pi / 3, -2 * pi / 3)
"""Evenly spaced, so that constant, cosine and sine are told apart with the least noise."""
_REAL_TURNS = (0.0, pi)
"""Likewise for constant and cosine, with gates that are real."""


@dataclass(frozen=True)
class Settings:
    """angles: (settings, angles a setting). weights: (settings, ...), what the numbers read at each stand for."""

    angles: np.ndarray
    weights: np.ndarray


def states(letters: str) -> Settings:
    """States in which a wire starts, by the letters that pass: Ry (and Rz) angles, and half of each letter from them.

    A state rho = sum_P tr(P rho) P / 2, so the weights hold P / 2 as a sum of the states (settings, letters).
    """
    bloch = _bloch(letters)
    polar = [atan2(np.hypot(x, y) if "Y" in letters else x, z) for x, y, z in bloch]
    angles = np.array([[t, atan2(y, x)] if "Y" in letters else [t] for t, (x, y, z) in zip(polar, bloch, strict=True)])
    shown = np.array([[1.0, *(point[_LETTER_AXES[p]] for p in letters[1:])] for point in bloch])
    # rho_j = sum_P shown[j, P] P / 2, hence P / 2 = sum_j inverse[P, j] rho_j.
    return Settings(angles, np.linalg.pinv(shown).T)


def _bloch(letters: str) -> np.ndarray:
    """The states as points of the Bloch sphere."""
    axes = [np.eye(3)[_LETTER_AXES[p]] for p in letters[1:]]
    if len(axes) == 1:
        return np.array([axes[0], -axes[0]])
    if len(axes) == 3:
        return _SIC
    x, z = axes
    return np.array([np.cos(t) * z + np.sin(t) * x for t in _TURNS])


def bases(letters: str) -> Settings:
    """Bases in which a wire ends: Rz and Ry angles in front of a measurement, and every letter from the two outcomes.

    weights: (bases, outcomes, letters); the identity is the mean over the bases.
    """
    turns = {"X": (0.0, -pi / 2), "Y": (-pi / 2, -pi / 2), "Z": (0.0, 0.0)}
    weights = np.zeros((len(letters) - 1, 2, len(letters)))
    weights[:, :, 0] = 1.0 / (len(letters) - 1)
    for k in range(len(letters) - 1):
        weights[k, :, k + 1] = 1.0, -1.0
    return Settings(np.array([turns[p] for p in letters[1:]]), weights)


def basis_angles(letter: str) -> tuple[float, float]:
    """The Rz and Ry angles that turn a letter to Z."""
    rz, ry = bases("I" + letter).angles[0]
    return float(rz), float(ry)


def turns(constant: Row, even: bool = False) -> Settings:
    """Turns that stand for a cut gate, which itself turns by `constant` there: one angle a setting.

    What is read after a turn by t is a + b cos t + c sin t; `even`: c is zero. weights: (settings, 4) give rho,
    P rho P, -i [P, rho] and 0 at the gate's own turn.
    """
    own = pi * constant[0] / constant[1] + constant[2]
    angles = np.array(_REAL_TURNS if even else _TURNS)
    waves = np.array([np.ones_like(angles), np.cos(angles), np.sin(angles)])[: len(angles)].T
    cos, sin = np.cos(own), np.sin(own)
    wanted = np.array([[1, cos, sin], [1, -cos, -sin], [0, -2 * sin, 2 * cos], [0, 0, 0]])[:, : len(angles)]
    return Settings(angles[:, None], (wanted @ np.linalg.inv(waves)).T)


MEASURED = np.array([0.0, 0.0, 0.0, 1.0])
"""The measurement of a cut gate's letter gives {P, rho}/2 alone."""

COUPLING_CONSTANT = np.diag([0.5, 0.5, 0.0, 0.0])
COUPLING_COSINE = np.diag([0.5, -0.5, 0.0, 0.0])
COUPLING_SINE = np.array([[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0.5], [0, 0, 0.5, 0]])
"""exp(-i t/2 P x Q) as a sum over the maps at both ends, (4, 4): constant + cosine cos t + sine sin t."""


def coupling(angle: float) -> np.ndarray:
    """The matrix of a cut gate with a constant angle."""
    return COUPLING_CONSTANT + np.cos(angle) * COUPLING_COSINE + np.sin(angle) * COUPLING_SINE
