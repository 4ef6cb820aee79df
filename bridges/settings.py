"""Measurement settings: which observables are read together, and what their values are for measured bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..ir.measurement_settings import Masks, pauli_masks, pauli_term, qubitwise_groups

PhysicalTerm = tuple[str, tuple[int, ...], float]
"""(Pauli letters, qubit of each letter, coefficient); no letters: the identity."""

BitValues = tuple[float, float]
"""What a measured 0 and a measured 1 count."""


def undone_readout(reads_one: float, reads_zero: float) -> BitValues:
    """Numbers for a measured 0 and 1 whose mean is that of Z before the readout, for one qubit.

    reads_one: P(1 is read | 0), reads_zero: P(0 is read | 1). The inverse of the 2x2 confusion matrix applied to
    (1, -1), tensored over qubits (Bravyi et al., arXiv 2006.14044, section II). The variance grows with the product of
    the largest of these numbers.
    """
    kept = 1.0 - reads_one - reads_zero
    if kept <= 0.0:
        raise ValueError(f"a readout that errs with {reads_one} and {reads_zero} tells nothing")
    return (1.0 - reads_zero + reads_one) / kept, -(1.0 - reads_one + reads_zero) / kept


@dataclass(frozen=True)
class Setting:
    """One choice of basis: `letters[i]` is measured on qubit `qubits[i]`, giving bit i.

    masks: (terms, bits), the bits whose parity a term is. weights: (terms, observables), its coefficients.
    """

    qubits: tuple[int, ...]
    letters: str
    masks: np.ndarray
    weights: np.ndarray

    def values(self, bits: np.ndarray, readout: Sequence[BitValues] | None = None) -> np.ndarray:
        """Contribution of this setting to every observable: bits (..., bits) -> (..., observables).

        readout: for each bit the numbers that stand for a measured 0 and 1 in place of +1 and -1.
        """
        if readout is None:
            parity = (bits.astype(np.uint8) @ self.masks.T.astype(np.uint8)) & 1
            return (1.0 - 2.0 * parity) @ self.weights
        low, high = np.asarray(readout).T
        seen = np.where(bits, high, low)
        products = np.stack([np.prod(seen[..., mask], axis=-1) for mask in self.masks], axis=-1)
        return products @ self.weights


def constants(observables: Sequence[Sequence[PhysicalTerm]]) -> np.ndarray:
    """Coefficient of the identity in every observable, which needs no measurement."""
    return np.array([sum(c for letters, _, c in terms if not letters) for terms in observables], np.float64)


def group(observables: Sequence[Sequence[PhysicalTerm]]) -> list[Setting]:
    """Settings in which all terms agree qubit by qubit, found greedily in the order of the terms.

    All observables of Z alone give one setting.
    """
    terms = [(index, term) for index, terms in enumerate(observables) for term in terms]
    products = [pauli_masks(tuple(zip(letters, qubits, strict=True))) for _, (letters, qubits, _) in terms]
    return [
        _setting(basis, [terms[k] for k in members], len(observables)) for basis, members in qubitwise_groups(products)
    ]


def _setting(basis: Masks, terms: Sequence[tuple[int, PhysicalTerm]], observables: int) -> Setting:
    """The setting that reads these terms, each with the number of its observable."""
    rows: dict[tuple[int, ...], np.ndarray] = {}
    for index, (_, qubits, coeff) in terms:
        row = rows.setdefault(tuple(sorted(qubits)), np.zeros(observables))
        row[index] += coeff
    letters = pauli_term(basis)
    masks = np.array([[q in term for _, q in letters] for term in rows], np.bool_).reshape(len(rows), len(letters))
    return Setting(tuple(q for _, q in letters), "".join(p for p, _ in letters), masks, np.array(list(rows.values())))


def outcome_bits(count: int) -> np.ndarray:
    """Every outcome of `count` bits: (2^count, count), row x holds bit i of x in column i."""
    return (np.arange(1 << count)[:, None] >> np.arange(count)) & 1 == 1


def flip_readout(probabilities: np.ndarray, errors: Sequence[float]) -> np.ndarray:
    """Outcome probabilities (batch, 2^bits) after each bit i was read wrong with probability errors[i]."""
    batch, bits = len(probabilities), len(errors)
    table = probabilities.reshape((batch,) + (2,) * bits)
    for bit, error in enumerate(errors):
        axis = bits - bit
        table = (1.0 - error) * table + error * np.flip(table, axis)
    return table.reshape(batch, -1)
