"""Two-qubit matrices: the canonical decomposition, for many matrices at once, and exact circuits for its core.

    U = exp(i phase) (K1 x K0) exp(i (x XX + y YY + z ZZ)) (L1 x L0)

(Kraus and Cirac 2001; Zhang et al. 2003). Index 0 belongs to the first wire, the least significant bit. The core with
coordinates in the Weyl chamber takes 0, 1, 2 or 3 CX (Shende, Bullock and Markov, quant-ph/0308045; the circuit with
three is that of Vatan and Williams, quant-ph/0308006, figure 6).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .gates import PAULI, rotation_matrix

NEAR = 1e-11
"""Coordinates this close to a face of the Weyl chamber are on it."""

_MAGIC = np.array([[1, 0, 0, 1j], [0, 1j, 1, 0], [0, 1j, -1, 0], [1, 0, 0, -1j]]) / np.sqrt(2)
_PAIRS = ("XX", "YY", "ZZ")
_MIXES = ((1.0, 0.0), (0.0, 1.0), (0.8390715, 0.5440211), (0.4161468, -0.9092974), (0.2836622, 0.9589243))
"""Fixed combinations a Re + b Im whose eigenvectors are tried."""
_QUARTER, _HALF = np.pi / 4, np.pi / 2


def _diagonal_of(pair: str) -> np.ndarray:
    """A pair of equal Pauli letters is diagonal in the magic basis."""
    return np.real(np.diag(_MAGIC.conj().T @ rotation_matrix(pair, np.pi) @ _MAGIC * 1j))


_TO_COORDINATES = np.array([_diagonal_of(pair) for pair in _PAIRS]) / 4


@dataclass
class Canonical:
    """Decompositions of a batch. `before` and `after`: (batch, 2, 2, 2), the local gate of each qubit; `coordinates`:
    (batch, 3) with pi/4 >= x >= y >= |z|; phase: (batch,)."""

    before: np.ndarray
    after: np.ndarray
    coordinates: np.ndarray
    phase: np.ndarray

    def matrices(self) -> np.ndarray:
        """The decomposed matrices, (batch, 4, 4)."""
        middle = core(self.coordinates)
        outside = _kron(self.after) @ middle @ _kron(self.before)
        return np.exp(1j * self.phase)[:, None, None] * outside

    def cx_counts(self) -> np.ndarray:
        """Fewest CX for every matrix, (batch,)."""
        x, y, z = np.abs(self.coordinates).T
        three = z > NEAR
        two = ~three & ((y > NEAR) | ((x > NEAR) & (np.abs(x - _QUARTER) > NEAR)))
        return np.where(three, 3, np.where(two, 2, np.where(x > NEAR, 1, 0)))

    def rotation_counts(self) -> np.ndarray:
        """Fewest rotations about a pair of Pauli letters, (batch,)."""
        return (np.abs(self.coordinates) > NEAR).sum(axis=1)


def core(coordinates: np.ndarray) -> np.ndarray:
    """exp(i (x XX + y YY + z ZZ)): (batch, 3) -> (batch, 4, 4)."""
    waves = np.exp(4j * coordinates @ _TO_COORDINATES)
    return (_MAGIC * waves[:, None, :]) @ _MAGIC.conj().T


def canonical(matrices: np.ndarray) -> Canonical:
    """The decomposition of unitaries (batch, 4, 4), exact within rounding for degenerate ones too."""
    special, phase = _special(matrices)
    inside = _MAGIC.conj().T @ special @ _MAGIC
    gram = np.swapaxes(inside, 1, 2) @ inside
    frame = _real_eigenvectors(gram)
    angles = np.angle(np.einsum("bji,bjk,bki->bi", frame, gram, frame)) / 2
    left = (inside @ frame) * np.exp(-1j * angles)[:, None, :]
    odd = np.linalg.det(left.real) < 0
    angles[odd, 0] += np.pi
    left[odd, :, 0] *= -1
    after, shift1 = _split(_MAGIC @ left @ _MAGIC.conj().T)
    before, shift0 = _split(_MAGIC @ np.swapaxes(frame, 1, 2) @ _MAGIC.conj().T)
    mean = angles.mean(axis=1)
    coordinates = (angles - mean[:, None]) @ _TO_COORDINATES.T
    out = Canonical(before, after, coordinates, phase + mean + shift0 + shift1)
    _into_chamber(out)
    return out


def _special(matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    phase = np.angle(np.linalg.det(matrices)) / 4
    return matrices * np.exp(-1j * phase)[:, None, None], phase


def _real_eigenvectors(gram: np.ndarray) -> np.ndarray:
    """Real orthogonal matrices of determinant 1 that diagonalise symmetric unitary ones; the best of a few tries."""
    best = np.empty(gram.shape)
    errors = np.full(len(gram), np.inf)
    for a, b in _MIXES:
        open_ = np.flatnonzero(errors > 1e-13)
        if not len(open_):
            break
        some = np.asarray(gram[open_], np.complex128)
        _, vectors = np.linalg.eigh(a * some.real + b * some.imag)
        rotated = np.swapaxes(vectors, 1, 2) @ some @ vectors
        off = np.abs(rotated * (1 - np.eye(4))).max(axis=(1, 2))
        better = off < errors[open_]
        best[open_[better]], errors[open_[better]] = vectors[better], off[better]
    best[np.linalg.det(best) < 0, :, 0] *= -1
    return best


def _split(products: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tensor products (batch, 4, 4) as the factors of both qubits, in SU(2), and the phase that is left over."""
    blocks = products.reshape(-1, 2, 2, 2, 2)  # batch, high row, low row, high column, low column
    flat = np.transpose(blocks, (0, 1, 3, 2, 4)).reshape(-1, 4, 2, 2)
    pick = np.abs(flat).max(axis=(2, 3)).argmax(axis=1)
    low = flat[np.arange(len(flat)), pick]
    low = low / np.sqrt(_det(low))[:, None, None]
    high = np.einsum("bijkl,bjl->bik", blocks, low.conj()) / 2
    root = np.sqrt(_det(high))
    high = high / root[:, None, None]
    return np.stack([low, high], axis=1), np.angle(root)


def _det(m: np.ndarray) -> np.ndarray:
    return m[..., 0, 0] * m[..., 1, 1] - m[..., 0, 1] * m[..., 1, 0]


def _kron(pairs: np.ndarray) -> np.ndarray:
    """(batch, 2, 2, 2) with the first qubit first -> (batch, 4, 4)."""
    return np.einsum("bij,bkl->bikjl", pairs[:, 1], pairs[:, 0]).reshape(-1, 4, 4)


def _into_chamber(c: Canonical) -> None:
    """Move coordinates to pi/4 >= x >= y >= |z| by local gates, in place."""
    for axis, letter in enumerate("XYZ"):
        steps = np.round(c.coordinates[:, axis] / _HALF)
        c.coordinates[:, axis] -= steps * _HALF
        _shift(c, steps % 4 != 0, letter, steps)
    for first, second, letter in ((0, 1, "Z"), (1, 2, "X"), (0, 1, "Z")):
        _exchange(c, np.abs(c.coordinates[:, first]) < np.abs(c.coordinates[:, second]), first, second, letter)
    for pair, letter in (((0, 2), "Y"), ((1, 2), "X")):
        _turn_signs(c, c.coordinates[:, pair[0]] < 0, pair, letter)
    # On the face x = pi/4 the sign of z is free: (pi/4, y, z) is (-pi/4, y, z), and then (pi/4, y, -z).
    edge = (np.abs(c.coordinates[:, 0] - _QUARTER) < NEAR) & (c.coordinates[:, 2] < 0)
    c.coordinates[edge, 0] -= _HALF
    _shift(c, edge, "X", np.ones(len(edge)))
    _turn_signs(c, edge, (0, 2), "Y")


def _shift(c: Canonical, where: np.ndarray, letter: str, steps: np.ndarray) -> None:
    """exp(i k pi/2 PP) = (i PP)^k goes into the gates behind."""
    c.phase += np.where(where, steps * _HALF, 0.0)
    odd = where & (steps % 2 != 0)
    c.after[odd] = c.after[odd] @ PAULI[letter]


def _exchange(c: Canonical, where: np.ndarray, first: int, second: int, letter: str) -> None:
    """Exchange two coordinates: both qubits turn by pi/2 about the third axis."""
    turn = rotation_matrix(letter, _HALF)
    x, y = c.coordinates[where, first], c.coordinates[where, second]
    c.coordinates[where, first], c.coordinates[where, second] = y, x
    c.before[where] = turn @ c.before[where]
    c.after[where] = c.after[where] @ turn.conj().T


def _turn_signs(c: Canonical, where: np.ndarray, pair: tuple[int, int], letter: str) -> None:
    """Change the signs of two coordinates: the first qubit turns by pi about the third axis."""
    for axis in pair:
        c.coordinates[where, axis] *= -1
    c.before[where, 0] = PAULI[letter] @ c.before[where, 0]
    c.after[where, 0] = c.after[where, 0] @ PAULI[letter]


def mirrored(matrices: np.ndarray) -> np.ndarray:
    """The matrices behind a swap: swap @ matrix."""
    return matrices[:, [0, 2, 1, 3], :]
