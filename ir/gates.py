"""The gate table: every fact about a gate that a pass, a backend or the interpreter may ask for.

Matrices are little-endian: the gate's first qubit is the least significant bit of the row index, as in Qiskit.
Rotations follow exp(-i angle/2 P).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np

Matrix = Callable[..., np.ndarray]


@dataclass(frozen=True)
class Gate:
    """One gate kind.

    axes: for each qubit the Pauli letter in whose eigenbasis the gate is diagonal on that qubit, or "-" where there is
        none. Two gates commute when they agree on a letter on every qubit they share.
    inverse: the name of the inverse gate with the same operands (its own name if self-inverse); for gates with angles
        it is the same gate with negated angles unless `inverse_order` says otherwise.
    period: the angle, in units of pi, after which the gate is the same matrix.
    phase_period: the angle, in units of pi, after which it is the same up to the global phase `pi`; equal to `period`
        where that never happens earlier.
    symmetric: whether the qubits may be exchanged.
    additive: whether two of them in a row on the same qubits are one with the sum of the angles.
    """

    name: str
    qubits: int
    angles: int
    axes: str
    matrix: Matrix | None
    inverse: str | None = None
    period: Fraction = Fraction(0)
    phase_period: Fraction = Fraction(0)
    symmetric: bool = False
    additive: bool = False
    clifford: bool = False
    inverse_order: tuple[int, ...] = ()
    real: bool = False

    @property
    def diagonal(self) -> bool:
        return bool(self.axes) and set(self.axes) == {"Z"}

    @property
    def unitary(self) -> bool:
        """Whether it is a unitary; for `pauli` the payload says which."""
        return self.matrix is not None or self.name == "pauli"

    @property
    def self_inverse(self) -> bool:
        return self.inverse == self.name and self.angles == 0


I2 = np.eye(2, dtype=complex)
PAULI = {
    "I": I2,
    "X": np.array([[0, 1], [1, 0]], complex),
    "Y": np.array([[0, -1j], [1j, 0]], complex),
    "Z": np.diag([1, -1]).astype(complex),
}


def pauli_matrix(letters: str) -> np.ndarray:
    """Tensor product of Pauli letters, the first letter on the least significant bit."""
    out = np.ones((1, 1), complex)
    for letter in letters:
        out = np.kron(PAULI[letter], out)
    return out


def _constant(values: list[list[complex]] | np.ndarray) -> Matrix:
    matrix = np.asarray(values, complex)
    matrix.setflags(write=False)
    return lambda: matrix


def rotation_matrix(letters: str, angle: float) -> np.ndarray:
    """exp(-i angle/2 P) for the Pauli product `letters` (first letter on the least significant bit)."""
    pauli, one = _pauli_and_identity(letters)
    return math.cos(angle / 2) * one - 1j * math.sin(angle / 2) * pauli


@lru_cache(256)
def _pauli_and_identity(letters: str) -> tuple[np.ndarray, np.ndarray]:
    pauli = pauli_matrix(letters)
    return pauli, np.eye(len(pauli))


def _rotation(letters: str) -> Matrix:
    return lambda angle: rotation_matrix(letters, angle)


def _controlled(base: Matrix, controls: int = 1) -> Matrix:
    """The gate with `controls` control qubits listed before the target."""

    def matrix(*angles: float) -> np.ndarray:
        inner = base(*angles)
        size = len(inner) << controls
        out = np.eye(size, dtype=complex)
        rows = [(k << controls) | ((1 << controls) - 1) for k in range(len(inner))]
        out[np.ix_(rows, rows)] = inner
        return out

    return matrix


def _p(angle: float) -> np.ndarray:
    return np.diag([1, np.exp(1j * angle)])


def _u3(theta: float, phi: float, lam: float) -> np.ndarray:
    c, s = np.cos(theta / 2), np.sin(theta / 2)
    return np.array([[c, -np.exp(1j * lam) * s], [np.exp(1j * phi) * s, np.exp(1j * (phi + lam)) * c]])


_X, _Y, _Z = PAULI["X"], PAULI["Y"], PAULI["Z"]
_H = np.array([[1, 1], [1, -1]]) / np.sqrt(2)
_SX = np.array([[1 + 1j, 1 - 1j], [1 - 1j, 1 + 1j]]) / 2
_SWAP = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
_ISWAP = np.array([[1, 0, 0, 0], [0, 0, 1j, 0], [0, 1j, 0, 0], [0, 0, 0, 1]])
_ECR = (pauli_matrix("XI") - pauli_matrix("YX")) / np.sqrt(2)
_T = np.exp(1j * np.pi / 4)

_TWO, _FOUR = Fraction(2), Fraction(4)


def _fixed(
    name: str,
    qubits: int,
    axes: str,
    matrix: list[list[complex]] | np.ndarray,
    inverse: str | None = None,
    *,
    symmetric: bool = False,
    clifford: bool = True,
    real: bool = False,
) -> Gate:
    return Gate(
        name,
        qubits,
        0,
        axes,
        _constant(matrix),
        inverse or name,
        symmetric=symmetric,
        clifford=clifford,
        real=real,
    )


def _turn(
    name: str,
    axes: str,
    matrix: Matrix,
    period: Fraction,
    phase: Fraction,
    *,
    symmetric: bool = False,
    real: bool = False,
) -> Gate:
    return Gate(name, len(axes), 1, axes, matrix, name, period, phase, symmetric=symmetric, additive=True, real=real)


GATES: tuple[Gate, ...] = (
    _fixed("id", 1, "Z", I2, real=True),
    _fixed("x", 1, "X", _X, real=True),
    _fixed("y", 1, "Y", _Y),
    _fixed("z", 1, "Z", _Z, real=True),
    _fixed("h", 1, "-", _H, real=True),
    _fixed("s", 1, "Z", np.diag([1, 1j]), "sdg"),
    _fixed("sdg", 1, "Z", np.diag([1, -1j]), "s"),
    _fixed("t", 1, "Z", np.diag([1, _T]), "tdg", clifford=False),
    _fixed("tdg", 1, "Z", np.diag([1, np.conj(_T)]), "t", clifford=False),
    _fixed("sx", 1, "X", _SX, "sxdg"),
    _fixed("sxdg", 1, "X", _SX.conj().T, "sx"),
    _turn("rx", "X", _rotation("X"), _FOUR, _TWO),
    _turn("ry", "Y", _rotation("Y"), _FOUR, _TWO, real=True),
    _turn("rz", "Z", _rotation("Z"), _FOUR, _TWO),
    _turn("p", "Z", _p, _TWO, _TWO),
    Gate("u3", 1, 3, "-", _u3, "u3", inverse_order=(0, 2, 1)),
    _fixed("cx", 2, "ZX", _controlled(_constant(_X))(), real=True),
    _fixed("cy", 2, "ZY", _controlled(_constant(_Y))()),
    _fixed("cz", 2, "ZZ", _controlled(_constant(_Z))(), symmetric=True, real=True),
    _fixed("ch", 2, "Z-", _controlled(_constant(_H))(), clifford=False, real=True),
    _fixed("swap", 2, "--", _SWAP, symmetric=True, real=True),
    Gate("iswap", 2, 0, "--", _constant(_ISWAP), None, symmetric=True, clifford=True),
    _fixed("ecr", 2, "-X", _ECR),
    _turn("rxx", "XX", _rotation("XX"), _FOUR, _TWO, symmetric=True),
    _turn("ryy", "YY", _rotation("YY"), _FOUR, _TWO, symmetric=True),
    _turn("rzz", "ZZ", _rotation("ZZ"), _FOUR, _TWO, symmetric=True),
    _turn("crx", "ZX", _controlled(_rotation("X")), _FOUR, _FOUR),
    _turn("cry", "ZY", _controlled(_rotation("Y")), _FOUR, _FOUR, real=True),
    _turn("crz", "ZZ", _controlled(_rotation("Z")), _FOUR, _FOUR),
    _turn("cp", "ZZ", _controlled(_p), _TWO, _TWO, symmetric=True),
    _fixed("ccx", 3, "ZZX", _controlled(_constant(_X), 2)(), clifford=False, real=True),
    _fixed("cswap", 3, "Z--", _controlled(_constant(_SWAP))(), clifford=False, real=True),
    # Rows below take their arity from the row's payload or operands (-1), or are not unitary.
    Gate("pauli", -1, 1, "", None, "pauli", _FOUR, _TWO, additive=True),
    Gate("measure", 1, 0, "Z", None),
    Gate("reset", 1, 0, "-", None),
    Gate("barrier", -1, 0, "", None),
)
"""`pauli` is exp(-i angle/2 P) with P the row's payload string; `measure` writes one classical bit."""

OPCODES: dict[str, int] = {gate.name: code for code, gate in enumerate(GATES)}
"""Gate name -> opcode, the value in a circuit's `opcode` column."""
