"""Circuits as three kinds of primitive: fixed matrices, turns (shared angle) and phases (angle of each sample).

A *turn* is `A + cos(s t) B + sin(s t) C` for an angle t that the whole batch shares. A *phase* is the diagonal
`exp(i t v)` with an angle t that differs from sample to sample; every gate of the table is one between two fixed
changes of basis. Matrices are little-endian in the order of the primitive's qubits, as in the gate table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import pairwise

import numpy as np

from ..circuit import Circuit, GateRow
from ..gates import GATES, OPCODES, Gate, pauli_matrix, rotation_matrix

_SKIPPED = (OPCODES["id"], OPCODES["barrier"])
_PAULI_ROW, _U3 = OPCODES["pauli"], OPCODES["u3"]
_LONG_PAULI = 2
"""Pauli rotations on more qubits than this become a ladder of cx around an rz, so that no matrix grows with them."""


@dataclass(frozen=True, eq=False)
class Fixed:
    """A constant gate: `matrix` of shape (2^m, 2^m) on m `qubits`."""

    qubits: tuple[int, ...]
    matrix: np.ndarray


@dataclass(frozen=True, eq=False)
class Turn:
    """`parts[0] + cos(speed t) parts[1] + sin(speed t) parts[2]`, t the angle of table row `row`."""

    qubits: tuple[int, ...]
    row: int
    speed: float
    parts: np.ndarray


@dataclass(frozen=True, eq=False)
class Phase:
    """diag(exp(i t slopes[bits])), t the angle of table row `row`, another one for each sample."""

    qubits: tuple[int, ...]
    row: int
    slopes: np.ndarray


Primitive = Fixed | Turn | Phase


@dataclass(frozen=True, eq=False)
class Lowered:
    """A circuit from |0>: on each qubit the one-qubit gates before any wider gate (`prefix`), then the rest (`body`).

    Angles of prefix turns may differ from sample to sample; those of body turns are shared.
    """

    num_qubits: int
    prefix: tuple[tuple[Fixed | Turn, ...], ...]
    body: tuple[Primitive, ...]

    @property
    def real(self) -> bool:
        """Whether every amplitude stays real."""
        return all(
            not isinstance(p, Phase) and not np.imag(p.matrix if isinstance(p, Fixed) else p.parts).any()
            for run in (*self.prefix, self.body)
            for p in run
        )


def lower(circuit: Circuit, batched: np.ndarray) -> Lowered:
    """The primitives of a unitary circuit; `batched[r]` says whether angle row r differs from sample to sample.

    Raises ValueError where the circuit measures, resets or has conditions.
    """
    if circuit.has_measurement:
        raise ValueError(f"circuit {circuit.name} measures, resets or has conditions: it has no single statevector")
    prefix: list[list[Fixed | Turn]] = [[] for _ in range(circuit.num_qubits)]
    body: list[Primitive] = []
    open_prefix = [True] * circuit.num_qubits
    for primitive in _primitives(circuit):
        if len(primitive.qubits) == 1 and open_prefix[primitive.qubits[0]]:
            prefix[primitive.qubits[0]].append(primitive)
            continue
        for qubit in primitive.qubits:
            open_prefix[qubit] = False
        if isinstance(primitive, Turn) and batched[primitive.row]:
            body.extend(_diagonalised(primitive))
        else:
            body.append(primitive)
    return Lowered(circuit.num_qubits, tuple(map(tuple, prefix)), tuple(body))


def _primitives(circuit: Circuit) -> Iterator[Fixed | Turn]:
    """Fixed gates and turns, whether or not their angles are shared."""
    constants, is_constant = circuit.angles.constants.tolist(), circuit.angles.is_constant.tolist()
    for row in circuit.rows():
        if row.opcode in _SKIPPED:
            continue
        angles = [constants[a] if is_constant[a] else None for a in row.angles]
        if row.opcode == _PAULI_ROW:
            yield from _pauli(circuit.payloads[row.payload], row.wires, row.angles[0], angles[0])
        elif None not in angles:
            yield Fixed(row.wires, _fixed_matrix(row.opcode, tuple(angles)))
        elif row.opcode == _U3:
            yield from _u3(row, angles)
        else:
            yield _turn(GATES[row.opcode].name, row.wires, row.angles[0])


@lru_cache(maxsize=1024)
def _fixed_matrix(opcode: int, angles: tuple[float, ...]) -> np.ndarray:
    matrix = GATES[opcode].matrix
    assert matrix is not None
    return np.asarray(matrix(*angles), complex)


@cache
def _table_parts(name: str) -> tuple[np.ndarray, float]:
    gate: Gate = GATES[OPCODES[name]]
    assert gate.matrix is not None
    return _parts(gate.matrix, float(2 / gate.period))


def _parts(matrix: Callable[[float], np.ndarray], speed: float) -> tuple[np.ndarray, float]:
    """The three parts of a turn, from its matrices at speed * angle = 0, pi/2 and pi."""
    at = [np.asarray(matrix(k * np.pi / 2 / speed), complex) for k in range(3)]
    middle = (at[0] + at[2]) / 2
    parts = np.stack([middle, (at[0] - at[2]) / 2, at[1] - middle])
    parts.real[np.abs(parts.real) < 1e-15] = 0
    parts.imag[np.abs(parts.imag) < 1e-15] = 0
    return parts, speed


def _turn(name: str, qubits: tuple[int, ...], row: int) -> Turn:
    parts, speed = _table_parts(name)
    return Turn(qubits, row, speed, parts)


def _u3(row: GateRow, angles: list[float | None]) -> Iterator[Fixed | Turn]:
    """u3(theta, phi, lam) = p(phi) ry(theta) p(lam)."""
    for k, name in ((2, "p"), (0, "ry"), (1, "p")):
        angle = angles[k]
        if angle is None:
            yield _turn(name, row.wires, row.angles[k])
        else:
            yield Fixed(row.wires, _fixed_matrix(OPCODES[name], (angle,)))


def _pauli(letters: str, wires: tuple[int, ...], row: int, angle: float | None) -> Iterator[Fixed | Turn]:
    """exp(-i t/2 P): one primitive for a short P, else a ladder of cx around an rz."""
    kept = [(letter, wire) for letter, wire in zip(letters, wires, strict=True) if letter != "I"]
    short = "".join(letter for letter, _ in kept) or "I"
    qubits = tuple(wire for _, wire in kept) or wires[:1] or (0,)
    if len(kept) <= _LONG_PAULI:
        if angle is not None:
            yield Fixed(qubits, rotation_matrix(short, angle))
        else:
            yield Turn(qubits, row, 0.5, _pauli_parts(short))
        return
    cx = _fixed_matrix(OPCODES["cx"], ())
    into = [Fixed((wire,), _basis(letter).conj().T) for letter, wire in kept if letter != "Z"]
    ladder = [Fixed((a, b), cx) for a, b in pairwise(qubits)]
    yield from into
    yield from ladder
    yield from _pauli("Z", qubits[-1:], row, angle)
    yield from reversed(ladder)
    yield from (replace(f, matrix=f.matrix.conj().T) for f in into)


@cache
def _pauli_parts(letters: str) -> np.ndarray:
    pauli = pauli_matrix(letters)
    return np.stack([0 * pauli, np.eye(len(pauli)), -1j * pauli])


@cache
def _basis(letter: str) -> np.ndarray:
    """V with V Z V^dagger = the Pauli `letter`."""
    hadamard = _fixed_matrix(OPCODES["h"], ())
    if letter == "Z":
        return np.eye(2, dtype=complex)
    return hadamard if letter == "X" else _fixed_matrix(OPCODES["s"], ()) @ hadamard


def _diagonalised(turn: Turn) -> Iterator[Fixed | Phase]:
    """The turn as a diagonal of phases between changes of basis."""
    letters = _axes(turn.parts.tobytes(), len(turn.qubits))
    changes = [Fixed((q,), _basis(letter)) for letter, q in zip(letters, turn.qubits, strict=True) if letter != "Z"]
    whole = np.ones((1, 1), complex)
    for letter in letters:
        whole = np.kron(_basis(letter), whole)
    angle = 1.0
    matrix = turn.parts[0] + np.cos(turn.speed * angle) * turn.parts[1] + np.sin(turn.speed * angle) * turn.parts[2]
    diagonal = np.diagonal(whole.conj().T @ matrix @ whole)
    yield from (Fixed(f.qubits, f.matrix.conj().T) for f in changes)
    yield Phase(turn.qubits, turn.row, np.angle(diagonal) / angle)
    yield from changes


@cache
def _axes(parts: bytes, qubits: int) -> str:
    """The letters in whose eigenbasis the sine part of a turn is diagonal, first qubit first."""
    size = 1 << qubits
    sine = np.frombuffer(parts, complex).reshape(3, size, size)[2]
    for number in range(3**qubits):
        letters = "".join("ZXY"[number // 3**k % 3] for k in range(qubits))
        whole = np.ones((1, 1), complex)
        for letter in letters:
            whole = np.kron(_basis(letter), whole)
        turned = whole.conj().T @ sine @ whole
        if np.abs(turned - np.diag(np.diagonal(turned))).max() < 1e-12:
            return letters
    raise AssertionError("every gate of the table with one angle is diagonal in a Pauli basis")
