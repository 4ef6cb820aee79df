"""Gates on qubits in known states: what is left of them, worked out from the matrices of the gate table.

A known state is the number of an eigenstate of a Pauli letter: 0 and 1 are |0> and |1>, 2 and 3 |+> and |->, 4 and 5
|+i> and |-i>; UNKNOWN is anything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import permutations, product

import numpy as np

from ...ir.gates import GATES, Gate

UNKNOWN = -1
ZERO = 0
LETTERS = "ZZXXYY"
"""The letter that each known state is an eigenstate of; even ones have the eigenvalue 1."""

_VECTORS = np.array([[1, 0], [0, 1], [1, 1], [1, -1], [1, 1j], [1, -1j]], complex)
_VECTORS[2:] /= np.sqrt(2)
_PROBES = (0.7342, 1.9177)
_SCALES = tuple(Fraction(n, d) for n, d in ((1, 1), (-1, 1), (1, 2), (-1, 2)))
_SLOPES = tuple(Fraction(n, 4) for n in (0, 2, -2, 1, -1, 4, -4))
_CLOSE = 1e-9


@dataclass(frozen=True)
class Rest:
    """What is left of a gate: exp(i (pi phase + slope angle)) times gate `opcode` (-1: none) with the angle scaled.

    wires: positions of the old gate's wires that the new one acts on, in its order.
    """

    opcode: int
    wires: tuple[int, ...]
    scale: Fraction
    phase: Fraction
    slope: Fraction


@cache
def rest_of(opcode: int, position: int, state: int) -> Rest | None:
    """What gate `opcode` does to its other wires while the wire at `position` is in a state that it cannot change.

    None where it changes the state, or where the rest is no gate of the table.
    """
    gate = GATES[opcode]
    if gate.matrix is None or gate.angles > 1 or gate.axes[position] != LETTERS[state]:
        return None
    blocks = [_block(gate.matrix(*_PROBES[k : k + gate.angles]), gate.qubits, position, state) for k in range(2)]
    others = tuple(k for k in range(gate.qubits) if k != position)
    found = [r for r in (_as_rest(blocks, *given) for given in _candidates(gate, others)) if r is not None]
    return min(found, key=lambda r: (r.opcode >= 0, r.phase != 0 or r.slope != 0), default=None)


def _block(matrix: np.ndarray, qubits: int, position: int, state: int) -> np.ndarray:
    """<state| matrix |state> on the wire at `position`, a matrix on the others."""
    tensor = matrix.reshape((2,) * (2 * qubits))
    axis = qubits - 1 - position
    tensor = np.tensordot(_VECTORS[state].conj(), tensor, (0, axis))
    tensor = np.tensordot(tensor, _VECTORS[state], (qubits - 1 + axis, 0))
    return tensor.reshape(1 << (qubits - 1), 1 << (qubits - 1))


def _candidates(gate: Gate, others: tuple[int, ...]) -> list[tuple[int, tuple[int, ...], Fraction]]:
    """(opcode, wires, scale) of all that may be left."""
    found: list[tuple[int, tuple[int, ...], Fraction]] = [(-1, (), Fraction(1))]
    for opcode, other in enumerate(GATES):
        if other.matrix is None or other.qubits != len(others) or other.angles not in (0, gate.angles):
            continue
        orders = [others] if other.symmetric else permutations(others)
        scales = _SCALES if other.angles else (Fraction(1),)
        found += [(opcode, tuple(order), scale) for order in orders for scale in scales]
    return found


def _as_rest(blocks: Sequence[np.ndarray], opcode: int, wires: tuple[int, ...], scale: Fraction) -> Rest | None:
    factors = []
    for block, angle in zip(blocks, _PROBES, strict=True):
        matrix = _on(opcode, wires, float(scale) * angle, len(block))
        factor = np.vdot(matrix, block) / len(block)
        if np.abs(block - factor * matrix).max() > _CLOSE or abs(abs(factor) - 1) > _CLOSE:
            return None
        factors.append(factor)
    for slope in _SLOPES:
        first, second = (np.angle(f * np.exp(-1j * float(slope) * a)) for f, a in zip(factors, _PROBES, strict=True))
        phase = Fraction(float(first / np.pi)).limit_denominator(8)
        if max(abs(first - float(phase) * np.pi), abs(np.angle(np.exp(1j * (first - second))))) < _CLOSE:
            return Rest(opcode, wires, scale, phase, slope)
    return None


def _on(opcode: int, wires: tuple[int, ...], angle: float, size: int) -> np.ndarray:
    """The matrix of a gate (-1: the identity) whose wires are in rising order, or the other way round."""
    if opcode < 0:
        return np.eye(size, dtype=complex)
    gate = GATES[opcode]
    assert gate.matrix is not None
    matrix = gate.matrix(*[angle][: gate.angles])
    if len(wires) < 2 or wires[0] < wires[1]:
        return matrix
    order = [0, 2, 1, 3]
    return matrix[np.ix_(order, order)]


@cache
def applied(
    opcode: int, turns: tuple[Fraction, ...], states: tuple[int, ...]
) -> tuple[Fraction | None, tuple[int, ...]]:
    """(phase in units of pi where a gate only turns the phase of known states, the states behind it).

    turns: the gate's angles in units of pi.
    """
    matrix = GATES[opcode].matrix
    assert matrix is not None
    given = _joint(states)
    out = matrix(*(float(t) * np.pi for t in turns)) @ given
    factor = np.vdot(given, out)
    if abs(abs(factor) - 1) < _CLOSE:
        phase = Fraction(float(np.angle(factor) / np.pi)).limit_denominator(16)
        if abs(np.exp(1j * float(phase) * np.pi) - factor) < _CLOSE:
            return phase, states
    for found in product(range(len(LETTERS)), repeat=len(states)):
        if abs(abs(np.vdot(_joint(found), out)) - 1) < _CLOSE:
            return None, found
    return None, (UNKNOWN,) * len(states)


def _joint(states: Sequence[int]) -> np.ndarray:
    out = np.ones(1, complex)
    for state in states:
        out = np.kron(_VECTORS[state], out)
    return out
