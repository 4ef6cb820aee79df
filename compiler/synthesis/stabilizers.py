"""Many Pauli products as one array of letters that Clifford gates act on at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import product
from typing import NamedTuple

import numpy as np

from .tableau import Pauli

X, Z, Y = 1, 2, 3
"""Letters are x + 2 z, the identity 0; the product of two letters is their exclusive or."""
NAMES = "IXZY"
TYPES = tuple(product((X, Z, Y), repeat=2))
"""The nine classes of entangling Clifford gates (1 + P + Q - P Q)/2, by the letters P on the first qubit and Q on the
second: (Z, Z) is CZ, (Z, X) is CX."""
FIRST, SECOND = np.array(TYPES).T

_TO_Z = {X: "h", Y: "sx"}
_TO_X = {Z: "h", Y: "sdg"}


def _anticommute(a: int, b: int) -> bool:
    return a != b and a != 0 and b != 0


def _one_qubit_tables() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Gate -> (letter, sign) of G P G^dagger for every letter P."""
    rules = {
        "h": ({X: Z, Z: X, Y: Y}, {Y}),
        "sx": ({X: X, Z: Y, Y: Z}, {Z}),
        "sdg": ({X: Y, Z: Z, Y: X}, {X}),
        "x": ({X: X, Z: Z, Y: Y}, {Z, Y}),
    }
    out = {}
    for name, (letters, negative) in rules.items():
        mapped = np.array([letters.get(p, 0) for p in range(4)], np.uint8)
        out[name] = mapped, np.array([p in negative for p in range(4)], np.uint8)
    return out


_ONE = _one_qubit_tables()


class Entangler(NamedTuple):
    """A gate class as it is emitted: gates of one qubit (name, 0 or 1), then `gate` on `wires` of the pair.

    first, second, sign: for the letters (p, q) at index 4 p + q, what conjugation by all of these gates gives.
    """

    local: tuple[tuple[str, int], ...]
    gate: str
    wires: tuple[int, int]
    first: np.ndarray
    second: np.ndarray
    sign: np.ndarray


@cache
def entanglers() -> tuple[Entangler, ...]:
    """One for each of `TYPES`. The one-qubit gates are not undone after it: the frame turns with them."""
    return tuple(_entangler(p, q) for p, q in TYPES)


def _entangler(p: int, q: int) -> Entangler:
    if (p, q) == (Z, Z):
        local, gate, wires = [], "cz", (0, 1)
    else:
        ways = []
        for control, (c, t) in enumerate(((p, q), (q, p))):
            turns = [(_TO_Z[c], control)] if c != Z else []
            turns += [(_TO_X[t], 1 - control)] if t != X else []
            ways.append((len(turns), turns, (control, 1 - control)))
        (_, local, wires), gate = min(ways), "cx"
    letters = np.array([[a, b] for a in range(4) for b in range(4)], np.uint8).T
    signs = np.zeros(16, np.uint8)
    for name, wire in local:
        table, negative = _ONE[name]
        signs ^= negative[letters[wire]]
        letters[wire] = table[letters[wire]]
    (xa, za), (xb, zb) = ((letters[w] & 1, letters[w] >> 1) for w in wires)
    if gate == "cx":
        signs ^= xa & zb & (xb ^ za ^ 1)
        xb, za = xb ^ xa, za ^ zb
    else:
        signs ^= xa & xb & (za ^ zb)
        za, zb = za ^ xb, zb ^ xa
    out = {wires[0]: xa + 2 * za, wires[1]: xb + 2 * zb}
    return Entangler(tuple(local), gate, wires, out[0].astype(np.uint8), out[1].astype(np.uint8), signs)


def _after_types() -> np.ndarray:
    """(9, 16, 2): the letters behind the plain gate of every type, local gates undone."""
    out = np.zeros((9, 16, 2), np.uint8)
    for k, (p, q) in enumerate(TYPES):
        for a, b in product(range(4), repeat=2):
            out[k, 4 * a + b] = a ^ p * _anticommute(b, q), b ^ q * _anticommute(a, p)
    return out


AFTER = _after_types()
_PAIRS = np.array([[a, b] for a in range(4) for b in range(4)])
CHANGE = ((AFTER > 0).sum(2).astype(np.int64) - (_PAIRS > 0).sum(1)).T.astype(np.float32)
"""(16, 9): by how much each type changes the weight of every pair of letters."""

_PHASE = np.zeros((4, 4), np.int64)
for _a, _b in ((X, Y), (Y, Z), (Z, X)):
    _PHASE[_a, _b], _PHASE[_b, _a] = 1, 3


def histogram(letters: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(qubits, qubits, 16): total weight of the rows that hold letters (p, q) on two qubits, at index 4 p + q."""
    n, rows = letters.shape
    hot = (letters[:, None, :] == np.arange(4, dtype=np.uint8)[:, None]).reshape(4 * n, rows).astype(np.float32)
    joint = (hot * weights) @ hot.T
    return joint.reshape(n, 4, n, 4).transpose(0, 2, 1, 3).reshape(n, n, 16)


class Board:
    """Pauli products in columns: `letters` (qubits, rows), `signs` (rows,), 1 for minus."""

    def __init__(self, products: Sequence[Pauli], qubits: int) -> None:
        self.letters = np.zeros((qubits, len(products)), np.uint8)
        self.signs = np.array([p.negative for p in products], np.uint8)
        size = (qubits + 7) // 8
        for part, value in (("x", 1), ("z", 2)):
            raw = b"".join(getattr(p, part).to_bytes(size, "little") for p in products)
            packed = np.frombuffer(raw, np.uint8).reshape(len(products), size)
            bits = np.unpackbits(packed, axis=1, bitorder="little")[:, :qubits]
            self.letters += (bits.T * value).astype(np.uint8)

    def copy(self) -> Board:
        """Another board with the same rows."""
        out = Board.__new__(Board)
        out.letters, out.signs = self.letters.copy(), self.signs.copy()
        return out

    def turn(self, name: str, qubit: int) -> None:
        """Conjugate by a one-qubit gate."""
        table, negative = _ONE[name]
        column = self.letters[qubit]
        self.signs ^= negative[column]
        self.letters[qubit] = table[column]

    def entangle(self, kind: int, a: int, b: int) -> None:
        """Conjugate by the gates of entangler `kind` on qubits a and b."""
        e = entanglers()[kind]
        index = 4 * self.letters[a] + self.letters[b]
        self.signs ^= e.sign[index]
        self.letters[a], self.letters[b] = e.first[index], e.second[index]

    def weights(self, rows: np.ndarray | slice) -> np.ndarray:
        """How many letters each of the rows has."""
        return np.count_nonzero(self.letters[:, rows], axis=0)

    def multiply(self, row: int, by: int) -> None:
        """Row times a row that commutes with it."""
        phase = int(_PHASE[self.letters[:, row], self.letters[:, by]].sum()) & 3
        self.signs[row] ^= self.signs[by] ^ (phase >> 1)
        self.letters[:, row] ^= self.letters[:, by]

    def anticommuting(self, row: int, rows: np.ndarray) -> np.ndarray:
        """Whether each of `rows` anticommutes with `row`."""
        return anticommutation(self.letters[:, rows], self.letters[:, [row]])[:, 0]

    def masks(self, rows: Sequence[int]) -> list[tuple[int, int]]:
        """(x, z) bit masks of rows."""
        chosen = self.letters[:, list(rows)]
        xs, zs = (np.packbits(chosen >> k & 1, axis=0, bitorder="little").T for k in (0, 1))
        pairs = zip(xs, zs, strict=True)
        return [(int.from_bytes(x.tobytes(), "little"), int.from_bytes(z.tobytes(), "little")) for x, z in pairs]


def anticommutation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Letters (qubits, m) and (qubits, k) -> (m, k), whether the products anticommute."""
    ax, az, bx, bz = ((part & 1).astype(np.float32) for part in (a, a >> 1, b, b >> 1))
    return ((ax.T @ bz + az.T @ bx).astype(np.int64) & 1).astype(bool)
