"""Many Pauli products pulled back through Clifford gates at once, as bit planes.

A plane is an integer with one bit a product: `xs[q]` says which products hold X or Y on qubit q, `zs[q]` which hold Z
or Y, `signs` which are negative. A gate then costs a few operations on integers, however many products there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import product

import numpy as np

from ...ir.gates import GATES, pauli_matrix, rotation_matrix
from ...ir.measurement_settings import Masks, pauli_term
from ...ir.observables import PauliTerm

_CLOSE = 1e-9
_WIDEST = 2
"""Gates on more qubits are not looked at: the tables grow as 16^n."""


@dataclass(frozen=True)
class Pull:
    """What P -> G^dagger P G does to the planes of a Clifford gate's k wires, x planes first, then z planes.

    outputs: for each new plane, the old ones that it is the sum of. negative: bit patterns over the old planes of the
    products that change their sign.
    """

    outputs: tuple[tuple[int, ...], ...]
    negative: tuple[int, ...]


@cache
def gate_pull(opcode: int, angles: tuple[Fraction, ...] = ()) -> Pull | None:
    """The table of a gate with angles in units of pi; None where it is not a Clifford gate, or acts on many qubits."""
    gate = GATES[opcode]
    if gate.matrix is None or gate.qubits > _WIDEST:
        return None
    return _pull_of(gate.matrix(*(float(a) * np.pi for a in angles)), gate.qubits)


@cache
def rotation_pull(letters: str, angle: Fraction) -> Pull | None:
    """The table of exp(-i angle/2 P) for a product of letters and an angle in units of pi; None as for `gate_pull`."""
    return _pull_of(rotation_matrix(letters, float(angle) * np.pi), len(letters)) if len(letters) <= _WIDEST else None


def _pull_of(matrix: np.ndarray, k: int) -> Pull | None:
    letters = ["".join(p) for p in product("IXYZ", repeat=k)]
    paulis = np.array([pauli_matrix(p).ravel() for p in letters])
    pulled = np.array([(matrix.conj().T @ p.reshape(matrix.shape) @ matrix).ravel() for p in paulis])
    overlaps = np.real(pulled @ paulis.conj().T) / len(matrix)
    if np.abs(np.abs(overlaps).max(axis=1) - 1).max() > _CLOSE:
        return None
    bits = [_plane_bits(p) for p in letters]
    images = {bits[i]: bits[int(j)] for i, j in enumerate(np.abs(overlaps).argmax(axis=1))}
    outputs = tuple(tuple(i for i in range(2 * k) if images[1 << i] >> out & 1) for out in range(2 * k))
    return Pull(outputs, tuple(bits[i] for i in np.flatnonzero(overlaps.min(axis=1) < -0.5)))


def _plane_bits(letters: str) -> int:
    k = len(letters)
    return sum((p in "XY") << i | (p in "ZY") << (k + i) for i, p in enumerate(letters))


class PulledTerms:
    """Pauli products with signs, on `qubits` qubits."""

    def __init__(self, terms: Iterable[PauliTerm], qubits: int) -> None:
        self.xs = [0] * qubits
        self.zs = [0] * qubits
        self.signs = 0
        self.count = 0
        for term in terms:
            bit = 1 << self.count
            self.count += 1
            for letter, qubit in term:
                self.xs[qubit] |= bit * (letter in "XY")
                self.zs[qubit] |= bit * (letter in "ZY")

    def saved(self, wires: Sequence[int]) -> tuple[int, list[tuple[int, int, int]]]:
        """What `restore` needs to undo a `pull` on these wires."""
        return self.signs, [(w, self.xs[w], self.zs[w]) for w in wires]

    def restore(self, saved: tuple[int, list[tuple[int, int, int]]]) -> None:
        """Undo a `pull`."""
        self.signs = saved[0]
        for wire, x, z in saved[1]:
            self.xs[wire], self.zs[wire] = x, z

    def pull(self, table: Pull, wires: Sequence[int]) -> None:
        """P -> G^dagger P G for every product."""
        old = [self.xs[w] for w in wires] + [self.zs[w] for w in wires]
        for pattern in table.negative:
            hit = -1
            for i, plane in enumerate(old):
                hit &= plane if pattern >> i & 1 else ~plane
            self.signs ^= hit
        new = []
        for sources in table.outputs:
            plane = 0
            for i in sources:
                plane ^= old[i]
            new.append(plane)
        k = len(wires)
        for i, w in enumerate(wires):
            self.xs[w], self.zs[w] = new[i], new[k + i]

    def anticommuting(self, letter: str, qubit: int) -> int:
        """The plane of the products that do not commute with a letter on a qubit."""
        x, z = self.xs[qubit], self.zs[qubit]
        return {"X": z, "Y": x ^ z, "Z": x}[letter]

    def holding(self, qubit: int) -> int:
        """The plane of the products that act on a qubit."""
        return self.xs[qubit] | self.zs[qubit]

    def letters(self, qubit: int, chosen: int) -> int:
        """How many different letters the products of a plane hold on a qubit."""
        x, z = self.xs[qubit] & chosen, self.zs[qubit] & chosen
        both = x & z
        return (x != both) + (z != both) + (both != 0)

    def masks(self, chosen: int) -> list[Masks]:
        """The products of a plane, in order, as masks over the qubits."""
        found: dict[int, list[int]] = {t: [0, 0] for t in _bits(chosen)}
        for side, planes in enumerate((self.xs, self.zs)):
            for qubit, plane in enumerate(planes):
                for t in _bits(plane & chosen):
                    found[t][side] |= 1 << qubit
        return [(x, z) for x, z in found.values()]

    def terms(self) -> list[tuple[PauliTerm, bool]]:
        """Every product in order, and whether it is negative."""
        everything = (1 << self.count) - 1
        return [(pauli_term(m), bool(self.signs >> t & 1)) for t, m in enumerate(self.masks(everything))]

    def weight(self) -> int:
        """The number of letters of all products together."""
        return sum((x | z).bit_count() for x, z in zip(self.xs, self.zs, strict=True))


def _bits(plane: int) -> Iterator[int]:
    while plane:
        low = plane & -plane
        yield low.bit_length() - 1
        plane ^= low
