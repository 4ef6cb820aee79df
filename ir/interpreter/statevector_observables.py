"""Expectations of Pauli sums and outcome probabilities of states."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from ..observables import PauliSum, PauliTerm
from .statevector_plan import States


def expectation_values(states: States, observables: Sequence[PauliSum]) -> Tensor:
    """(columns, observables), real."""
    terms = list(dict.fromkeys(term for o in observables for term, _ in o.terms))
    index = {term: k for k, term in enumerate(terms)}
    weights = np.zeros((len(terms), len(observables)))
    for column, observable in enumerate(observables):
        for term, coefficient in observable.terms:
            weights[index[term], column] = coefficient
    values = _term_values(states, terms)
    return values.T @ torch.as_tensor(weights, dtype=values.dtype, device=values.device)


def outcome_probabilities(states: States, qubits: Sequence[int]) -> Tensor:
    """(columns, 2^k); bit i of the outcome is qubits[i]."""
    columns, n = states.rows.shape[1], len(states.layout)
    spread = _squares(states.rows).reshape(*(2,) * n, columns, -1)
    others = [k for k, qubit in enumerate(states.layout) if qubit not in set(qubits)]
    kept = [qubit for qubit in states.layout if qubit in set(qubits)]
    summed = spread.sum([*others, n + 1])
    order = [kept.index(qubit) for qubit in reversed(qubits)]
    return summed.permute(len(kept), *order).reshape(columns, -1)


def _squares(rows: Tensor) -> Tensor:
    """|amplitude|^2 in one or two parts that are yet to be added, (2^n, columns, parts)."""
    parts = torch.view_as_real(rows) if rows.is_complex() else rows[..., None]
    return parts * parts


def _term_values(states: States, terms: list[PauliTerm]) -> Tensor:
    """<P> for each Pauli product, (terms, columns).

    P maps |i> to i^(number of Y) (-1)^(z.i) |i xor x>, so terms with one x share conj(psi[i xor x]) psi[i].
    """
    position = {qubit: k for k, qubit in enumerate(states.layout)}
    groups: dict[frozenset[int], list[int]] = {}
    for k, term in enumerate(terms):
        groups.setdefault(frozenset(position[q] for letter, q in term if letter != "Z"), []).append(k)
    out: list[Tensor] = []
    for flips, members in groups.items():
        signed = [frozenset(position[q] for letter, q in terms[k] if letter != "X") for k in members]
        turns = [sum(letter == "Y" for letter, _ in terms[k]) % 4 for k in members]
        out.append(_group_values(states, sorted(flips), signed, turns))
    values = torch.cat(out) if out else states.rows.real.new_zeros(0, states.rows.shape[1])
    order = np.argsort([k for members in groups.values() for k in members])
    return values[torch.from_numpy(order).to(values.device)] if len(groups) > 1 else values


def _group_values(states: States, flips: list[int], signed: list[frozenset[int]], turns: list[int]) -> Tensor:
    rows, n = states.rows, len(states.layout)
    if not flips:
        return _signed_sums(_squares(rows), signed, n).sum(2)
    flipped = rows.reshape(*(2,) * n, -1).flip(flips).reshape(rows.shape)
    cross = flipped.conj() * rows
    parts = torch.view_as_real(cross) if cross.is_complex() else torch.stack([cross, torch.zeros_like(cross)], 2)
    # The real part of i^turns (a + i b) is a, -b, -a, b.
    choice = parts.new_tensor([[1, 0], [0, -1], [-1, 0], [0, 1]])[turns]
    return (_signed_sums(parts, signed, n) * choice[:, None]).sum(2)


def _signed_sums(parts: Tensor, signed: list[frozenset[int]], n: int) -> Tensor:
    """Sums of (2^n, columns, parts) over the rows, with a minus where the bits at `signed` are odd; one a set.

    The sign is a product over the two halves of the bits, so no table of 2^n signs a term is made.
    """
    high = n // 2
    tail = parts.shape[1:]
    above = _signs(tuple(tuple(sorted(k for k in s if k < high)) for s in signed), high, parts.dtype, parts.device)
    below = _signs(
        tuple(tuple(sorted(k - high for k in s if k >= high)) for s in signed), n - high, parts.dtype, parts.device
    )
    summed = (above @ parts.reshape(1 << high, -1)).reshape(len(signed), 1 << (n - high), -1)
    return (below[:, None] @ summed).reshape(len(signed), *tail)


@lru_cache(maxsize=256)
def _signs(axes: tuple[tuple[int, ...], ...], bits: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(sets, 2^bits) of +-1: the parity of the row's bits on each set of axes, axis 0 the most significant."""
    rows = np.arange(1 << bits)
    table = np.ones((len(axes), 1 << bits))
    for k, chosen in enumerate(axes):
        for axis in chosen:
            table[k] *= 1 - 2 * (rows >> (bits - 1 - axis) & 1)
    return torch.from_numpy(table).to(device, dtype)
