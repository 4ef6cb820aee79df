"""Dense unitaries as fixed circuits: the gates depend on the number of qubits alone, the angles on the matrix.

One qubit: u3. Two: the canonical decomposition with three CX (Vatan and Williams, quant-ph/0308006). More: the quantum
Shannon decomposition with both of its optimisations (Shende, Bullock and Markov, quant-ph/0406176, theorem 13 and
appendix A): 20 CX for three qubits, 100 for four. Global phases are left out. Index bit 0 belongs to the first wire.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np

from .gates import PAULI
from .weyl import canonical

MOST_QUBITS = 4
"""Dense unitaries on more qubits are refused: five would take 444 CX."""

_HALF = np.pi / 2


class Step(NamedTuple):
    """One gate of a template: `slots` are the numbers of its angles."""

    gate: str
    wires: tuple[int, ...]
    slots: tuple[int, ...]


@dataclass(frozen=True)
class _Placed:
    """One gate with its angles for a batch, (batch, angles)."""

    gate: str
    wires: tuple[int, ...]
    angles: np.ndarray


@dataclass(frozen=True)
class _Block:
    """Matrices (batch, 4, 4) on the two lowest wires that have no gates yet."""

    matrices: np.ndarray


_Item = _Placed | _Block


@cache
def template(qubits: int) -> tuple[Step, ...]:
    """The gates for any unitary on so many qubits, their angles numbered in order. ValueError beyond `MOST_QUBITS`."""
    steps: list[Step] = []
    count = 0
    for item in _decompose(np.eye(1 << qubits, dtype=complex)[None], qubits):
        width = item.angles.shape[1]
        steps.append(Step(item.gate, item.wires, tuple(range(count, count + width))))
        count += width
    return tuple(steps)


def angle_count(qubits: int) -> int:
    """How many angles the template has."""
    return sum(len(step.slots) for step in template(qubits))


def angles(matrices: np.ndarray) -> np.ndarray:
    """The angles of the template in radians, (..., 2^n, 2^n) unitaries -> (..., angles). The circuit equals each matrix
    up to a global phase, to about 1e-13."""
    qubits = matrices.shape[-1].bit_length() - 1
    flat = np.asarray(matrices, complex).reshape(-1, *matrices.shape[-2:])
    if not len(flat):
        return np.zeros((*matrices.shape[:-2], angle_count(qubits)))
    found = np.concatenate([item.angles for item in _decompose(flat, qubits)], axis=1)
    return found.reshape(*matrices.shape[:-2], -1)


def _decompose(matrices: np.ndarray, qubits: int) -> list[_Placed]:
    if not 1 <= qubits <= MOST_QUBITS:
        raise ValueError(f"a dense unitary has 1 to {MOST_QUBITS} qubits, not {qubits}")
    if qubits == 1:
        return [_u3(matrices, 0)]
    items = _shannon(matrices, qubits)
    blocks = [k for k, item in enumerate(items) if isinstance(item, _Block)]
    out: list[_Placed] = []
    carried = np.ones((len(matrices), 4))
    for k, item in enumerate(items):
        if isinstance(item, _Placed):
            out.append(item)
            continue
        block = item.matrices * carried[:, None, :]
        if k != blocks[-1]:
            block, carried = _without_diagonal(block)
        out += _two_qubits(block, 3 if k == blocks[-1] else 2)
    return out


# One and two qubits


def _u3(matrices: np.ndarray, wire: int) -> _Placed:
    determinant = matrices[:, 0, 0] * matrices[:, 1, 1] - matrices[:, 0, 1] * matrices[:, 1, 0]
    special = matrices * np.exp(-0.5j * np.angle(determinant))[:, None, None]
    low, high = special[:, 1, 1], special[:, 1, 0]
    theta = 2 * np.arctan2(np.abs(high), np.abs(low))
    total, rest = _argument(low), _argument(high)
    return _Placed("u3", (wire,), np.stack([theta, total + rest, total - rest], axis=1))


def _argument(z: np.ndarray) -> np.ndarray:
    return np.where(np.abs(z) < 1e-12, 0.0, np.angle(z))


def _two_qubits(matrices: np.ndarray, entanglers: int) -> list[_Placed]:
    """The canonical decomposition; with two CX the third coordinate has to be 0."""
    found = canonical(matrices)
    x, y, z = found.coordinates.T
    if entanglers == 2:
        # exp(i (x XX + y YY)) is exp(i (x XX + y ZZ)) between quarter turns about X.
        turn = _rotation("X", np.full(len(x), _HALF))
        before, after = turn[:, None] @ found.before, found.after @ turn.conj().swapaxes(1, 2)[:, None]
        middle = [_cx(0, 1, x), _turn("rx", 0, -2 * x), _turn("rz", 1, -2 * y), _cx(0, 1, x)]
    else:
        first = _rotation("Z", np.full(len(x), -_HALF))
        before, after = found.before.copy(), found.after.copy()
        before[:, 1] = first @ before[:, 1]
        after[:, 0] = after[:, 0] @ first.conj().swapaxes(1, 2)
        middle = [
            _cx(1, 0, x),
            _turn("rz", 0, _HALF - 2 * z),
            _turn("ry", 1, 2 * x - _HALF),
            _cx(0, 1, x),
            _turn("ry", 1, _HALF - 2 * y),
            _cx(1, 0, x),
        ]
    return [_u3(before[:, 0], 0), _u3(before[:, 1], 1), *middle, _u3(after[:, 0], 0), _u3(after[:, 1], 1)]


def _rotation(letter: str, angle: np.ndarray) -> np.ndarray:
    half = angle[:, None, None] / 2
    return np.cos(half) * np.eye(2) - 1j * np.sin(half) * PAULI[letter]


def _cx(control: int, target: int, like: np.ndarray) -> _Placed:
    return _Placed("cx", (control, target), np.zeros((len(like), 0)))


def _turn(gate: str, wire: int, angle: np.ndarray) -> _Placed:
    return _Placed(gate, (wire,), angle[:, None])


def _without_diagonal(matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Matrices U = D W as (W, diagonal of D), W with two CX: D = exp(-i psi/2 ZZ), where tr(W YY W^T YY) is real for W
    of determinant 1 (Shende, Bullock and Markov, quant-ph/0308033, proposition 3)."""
    special = matrices * np.exp(-0.25j * np.angle(np.linalg.det(matrices)))[:, None, None]
    yy = np.kron(PAULI["Y"], PAULI["Y"])
    zz = np.diag(np.kron(PAULI["Z"], PAULI["Z"]))
    gamma = np.einsum("bii->bi", special @ yy @ special.swapaxes(1, 2) @ yy)
    psi = np.arctan2(-gamma.sum(1).imag, (gamma * zz).sum(1).real)
    diagonal = np.exp(-0.5j * psi[:, None] * zz)
    return diagonal.conj()[:, :, None] * matrices, diagonal


# Three qubits and more


def _shannon(matrices: np.ndarray, qubits: int) -> list[_Item]:
    """Gates and open two-qubit blocks in order of time: U = (A + B) (multiplexed RY) (C + D) on the highest wire."""
    if qubits == 2:
        return [_Block(matrices)]
    from scipy.linalg import cossin

    half = len(matrices[0]) // 2
    parts = [cossin(m, p=half, q=half, separate=True) for m in matrices]
    (left0, left1), (right0, right1) = ([np.array([p[s][k] for p in parts]) for k in (0, 1)] for s in (0, 2))
    turns = 2 * np.array([p[1] for p in parts])
    # The last CZ of the multiplexed RY, between the two highest wires, goes into the blocks behind it.
    signs = np.where(np.arange(half) >= half // 2, -1.0, 1.0)
    return [
        *_demultiplexed(right0, right1, qubits),
        *_multiplexed("ry", "cz", turns, qubits)[:-1],
        *_demultiplexed(left0, left1 * signs, qubits),
    ]


def _demultiplexed(low: np.ndarray, high: np.ndarray, qubits: int) -> list[_Item]:
    """`low` where the highest wire is 0, `high` where it is 1: W, a multiplexed RZ, V with low = V D W and
    high = V D^-1 W."""
    from scipy.linalg import schur

    found = [schur(a @ b.conj().T, output="complex") for a, b in zip(low, high, strict=True)]
    squares, v = np.array([np.diag(pair[0]) for pair in found]), np.array([pair[1] for pair in found])
    angle = np.angle(squares) / 2
    w = np.exp(1j * angle)[:, :, None] * (v.conj().swapaxes(1, 2) @ high)
    return [
        *_shannon(w, qubits - 1),
        *_multiplexed("rz", "cx", -2 * angle, qubits),
        *_shannon(v, qubits - 1),
    ]


def _multiplexed(gate: str, entangler: str, turns: np.ndarray, qubits: int) -> list[_Placed]:
    """Rotations of the highest wire by `turns[:, k]` where the others are k, with Gray-code ordered entanglers."""
    controls = qubits - 1
    numbers = np.arange(1 << controls)
    gray = numbers ^ (numbers >> 1)
    parity = np.array([[bin(k & g).count("1") & 1 for k in numbers] for g in gray])
    angles_ = turns @ (1 - 2 * parity).T / len(numbers)
    out: list[_Placed] = []
    for j in numbers.tolist():
        changed = int(gray[j] ^ gray[(j + 1) % len(gray)]).bit_length() - 1
        out.append(_turn(gate, controls, angles_[:, j]))
        out.append(_Placed(entangler, (changed, controls), np.zeros((len(turns), 0))))
    return out
