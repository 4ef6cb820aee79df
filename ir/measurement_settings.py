"""Measurement settings: which Pauli products one choice of basis a qubit reads together.

A product is a pair of bit masks (x, z), bit q for qubit q: X is (1, 0), Z is (0, 1), Y is (1, 1).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .observables import PauliSum, PauliTerm

Masks = tuple[int, int]

_BITS = {"X": (1, 0), "Z": (0, 1), "Y": (1, 1)}
_LETTERS = {bits: letter for letter, bits in _BITS.items()}


def pauli_masks(term: PauliTerm) -> Masks:
    """The masks of a product of letters."""
    x = z = 0
    for letter, qubit in term:
        x_bit, z_bit = _BITS[letter]
        x |= x_bit << qubit
        z |= z_bit << qubit
    return x, z


def pauli_term(masks: Masks) -> PauliTerm:
    """The letters of a product, sorted by qubit."""
    x, z = masks
    support = x | z
    qubits = [q for q in range(support.bit_length()) if support >> q & 1]
    return tuple((_LETTERS[x >> q & 1, z >> q & 1], q) for q in qubits)


def qubitwise_groups(products: Iterable[Masks]) -> list[tuple[Masks, list[int]]]:
    """(basis, indices of its members) of every setting; the identity is in none.

    The members of a setting agree with its basis on every qubit they act on. Greedy: a product joins the first setting
    that it agrees with, in the order of the products. All products of Z alone give one setting.
    """
    bases: list[Masks] = []
    members: list[list[int]] = []
    for index, (x, z) in enumerate(products):
        support = x | z
        if not support:
            continue
        for at, (basis_x, basis_z) in enumerate(bases):
            if not ((basis_x ^ x) | (basis_z ^ z)) & (basis_x | basis_z) & support:
                bases[at] = basis_x | x, basis_z | z
                members[at].append(index)
                break
        else:
            bases.append((x, z))
            members.append([index])
    return list(zip(bases, members, strict=True))


def count_settings(observables: Sequence[PauliSum]) -> int:
    """The number of settings in which all terms of the observables are read together."""
    return len(qubitwise_groups(pauli_masks(term) for o in observables for term, _ in o.terms))
