"""Pauli products as bit masks, and Clifford tableaus that pull them back.

A Pauli operator is (x, z, p): i^p X^x Z^z with bit q of each mask for qubit q, any number of qubits. The product of
letters with a sign has p = |x & z| + 2 sign (mod 4), because Y = i X Z.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import product
from typing import NamedTuple

import numpy as np

from ...ir.gates import GATES, pauli_matrix


class Pauli(NamedTuple):
    """i^p X^x Z^z, masks with bit q for qubit q."""

    x: int
    z: int
    p: int = 0

    @property
    def negative(self) -> bool:
        """The sign of a Hermitian product of letters."""
        return bool((self.p - (self.x & self.z).bit_count()) & 2)

    @property
    def masks(self) -> tuple[int, int]:
        return self.x, self.z

    def letter(self, qubit: int) -> str:
        """The letter on one qubit, I where there is none."""
        return "IXZY"[(self.x >> qubit & 1) | (self.z >> qubit & 1) << 1]


IDENTITY = Pauli(0, 0)


def pauli(letters: Iterable[tuple[str, int]], negative: bool = False) -> Pauli:
    """The product of (letter, qubit) pairs on distinct qubits."""
    x = z = 0
    for letter, qubit in letters:
        x |= (letter in "XY") << qubit
        z |= (letter in "ZY") << qubit
    return Pauli(x, z, ((x & z).bit_count() + 2 * negative) & 3)


def multiply(a: Pauli, b: Pauli) -> Pauli:
    """The operator product a b."""
    return Pauli(a.x ^ b.x, a.z ^ b.z, (a.p + b.p + 2 * (a.z & b.x).bit_count()) & 3)


def commute(a: Pauli, b: Pauli) -> bool:
    """Whether two products commute."""
    return not ((a.x & b.z).bit_count() + (a.z & b.x).bit_count()) & 1


def turned(a: Pauli, axis: Pauli, quarter_turns: int) -> Pauli:
    """V^dagger a V for V = exp(-i angle/2 axis), angle = quarter_turns * pi/2."""
    quarters = quarter_turns & 3
    if not quarters or commute(a, axis):
        return a
    if quarters == 2:
        return Pauli(a.x, a.z, (a.p + 2) & 3)
    both = multiply(axis, a)
    return Pauli(both.x, both.z, (both.p + quarters) & 3)


class Tableau:
    """A Clifford unitary C as the images C^dagger X_q C and C^dagger Z_q C of every qubit, up to a global phase."""

    def __init__(self, qubits: int) -> None:
        self.xs = [Pauli(1 << q, 0) for q in range(qubits)]
        self.zs = [Pauli(0, 1 << q) for q in range(qubits)]

    def pull(self, given: Pauli) -> Pauli:
        """C^dagger P C."""
        out = Pauli(0, 0, given.p)
        for mask, images in ((given.x, self.xs), (given.z, self.zs)):
            while mask:
                low = mask & -mask
                out = multiply(out, images[low.bit_length() - 1])
                mask ^= low
        return out

    def pull_letters(self, letters: str, wires: Sequence[int]) -> Pauli:
        """C^dagger P C for the product of `letters` on `wires`."""
        return self.pull(pauli((p, w) for p, w in zip(letters, wires, strict=True) if p != "I"))

    def apply(self, opcode: int, wires: Sequence[int]) -> None:
        """Follow C with a Clifford gate of the gate table."""
        x_images, z_images = gate_images(opcode)
        old = [(self.xs[w], self.zs[w]) for w in wires]
        for k, w in enumerate(wires):
            self.xs[w] = _combined(x_images[k], old)
            self.zs[w] = _combined(z_images[k], old)

    def turn(self, axis: Pauli, quarter_turns: int) -> None:
        """Put a rotation by a multiple of pi/2 before C: C exp(-i angle/2 axis)."""
        self.xs = [turned(a, axis, quarter_turns) for a in self.xs]
        self.zs = [turned(a, axis, quarter_turns) for a in self.zs]


def _combined(local: Pauli, images: Sequence[tuple[Pauli, Pauli]]) -> Pauli:
    out = Pauli(0, 0, local.p)
    for k, (x_image, _) in enumerate(images):
        if local.x >> k & 1:
            out = multiply(out, x_image)
    for k, (_, z_image) in enumerate(images):
        if local.z >> k & 1:
            out = multiply(out, z_image)
    return out


@cache
def gate_images(opcode: int) -> tuple[tuple[Pauli, ...], tuple[Pauli, ...]]:
    """(G^dagger X_k G, G^dagger Z_k G) on the gate's own wires, worked out from its matrix."""
    gate = GATES[opcode]
    assert gate.matrix is not None
    matrix = gate.matrix()
    images = []
    for letter in "XZ":
        singles = ["I" * k + letter + "I" * (gate.qubits - k - 1) for k in range(gate.qubits)]
        images.append(tuple(_as_pauli(matrix.conj().T @ pauli_matrix(s) @ matrix, gate.qubits) for s in singles))
    return images[0], images[1]


def _as_pauli(matrix: np.ndarray, qubits: int) -> Pauli:
    for letters in map("".join, product("IXYZ", repeat=qubits)):
        overlap = float(np.vdot(pauli_matrix(letters), matrix).real) / len(matrix)
        if abs(overlap) > 0.5:
            return pauli(((p, k) for k, p in enumerate(letters) if p != "I"), overlap < 0)
    raise ValueError("not a Clifford gate")
