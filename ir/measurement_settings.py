"""Measurement settings: which Pauli products one choice of basis a qubit reads together.

A product is a pair of bit masks (x, z), bit q for qubit q: X is (1, 0), Z is (0, 1), Y is (1, 1).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from .observables import PauliSum, PauliTerm

Masks = tuple[int, int]

_MOST_ORDERED = 500
"""More products than this are grouped in their own order only: the other compares all pairs."""
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
    that it agrees with, in the order of the products, or in the order of Brelaz (DSATUR, 1979) where that gives fewer
    settings. All products of Z alone give one setting.
    """
    listed = list(products)
    groups = _first_fit(listed, range(len(listed)))
    if len(groups) > 2 and len(listed) <= _MOST_ORDERED:
        other = _first_fit(listed, _most_bound_first(_disagreements(listed)))
        if len(other) < len(groups):
            return [(basis, sorted(members)) for basis, members in other]
    return groups


def settings_suffice(products: Iterable[Masks], most: int) -> bool:
    """Whether `qubitwise_groups` finds at most so many settings; ends as soon as that is known."""
    listed = list(products)
    if len(_first_fit(listed, range(len(listed)))) <= most:
        return True
    if most < 2 or len(listed) > _MOST_ORDERED:
        return False
    order = _most_bound_first(_disagreements(listed), most)
    return len(order) == len(listed) and len(_first_fit(listed, order)) <= most


def _first_fit(products: Sequence[Masks], order: Iterable[int]) -> list[tuple[Masks, list[int]]]:
    bases: list[Masks] = []
    members: list[list[int]] = []
    for index in order:
        x, z = products[index]
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


def _disagreements(products: Sequence[Masks]) -> np.ndarray:
    """(products, products), whether two hold different letters on some qubit."""
    size = max(((x | z).bit_length() + 7) // 8 for x, z in products)
    x, z = (
        np.unpackbits(
            np.frombuffer(b"".join(p[part].to_bytes(size, "little") for p in products), np.uint8).reshape(-1, size),
            axis=1,
        )
        for part in (0, 1)
    )
    letters = np.hstack([x & (z ^ 1), x & z, z & (x ^ 1)]).astype(np.float32)
    present = (x | z).astype(np.float32)
    return present @ present.T > letters @ letters.T


def _most_bound_first(disagree: np.ndarray, most: int | None = None) -> list[int]:
    """Always the product with the fewest settings left to join, and of those the one that disagrees most.

    The order ends before a product that would open a setting beyond `most`.
    """
    count = len(disagree)
    taken = np.zeros((count, count), bool)  # (product, setting): whether it disagrees with a member
    rank = disagree.sum(1) / (count + 1.0)
    order: list[int] = []
    for _ in range(count):
        index = int(rank.argmax())
        setting = int(taken[index].argmin())
        if setting == most:
            break
        rank[disagree[index] & ~taken[:, setting]] += 1.0
        taken[:, setting] |= disagree[index]
        rank[index] = -np.inf
        order.append(index)
    return order


def count_settings(observables: Sequence[PauliSum]) -> int:
    """The number of settings in which all terms of the observables are read together."""
    return len(qubitwise_groups(pauli_masks(term) for o in observables for term, _ in o.terms))
