"""Measurement settings: which observables are read together, and what their values are for measured bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .pub import PhysicalTerm


@dataclass(frozen=True)
class Setting:
    """One choice of basis: `letters[i]` is measured on physical qubit `qubits[i]`, giving bit i.

    masks: (terms, bits), the bits whose parity a term is. weights: (terms, observables), its coefficients.
    """

    qubits: tuple[int, ...]
    letters: str
    masks: np.ndarray
    weights: np.ndarray

    def values(self, bits: np.ndarray) -> np.ndarray:
        """Contribution of this setting to every observable: bits (rows, bits) -> (rows, observables)."""
        parity = (bits.astype(np.uint8) @ self.masks.T.astype(np.uint8)) & 1
        return (1.0 - 2.0 * parity) @ self.weights


def constants(observables: Sequence[Sequence[PhysicalTerm]]) -> np.ndarray:
    """Coefficient of the identity in every observable, which needs no measurement."""
    return np.array([sum(c for letters, _, c in terms if not letters) for terms in observables], np.float64)


def group(observables: Sequence[Sequence[PhysicalTerm]]) -> list[Setting]:
    """Settings in which all terms agree qubit by qubit, found greedily in the order of the terms.

    All observables of Z alone give one setting.
    """
    bases: list[dict[int, str]] = []
    members: list[dict[tuple[int, ...], np.ndarray]] = []
    for index, terms in enumerate(observables):
        for letters, qubits, coeff in terms:
            if not letters:
                continue
            wanted = dict(zip(qubits, letters, strict=True))
            at = next((k for k, basis in enumerate(bases) if _agree(basis, wanted)), len(bases))
            if at == len(bases):
                bases.append({})
                members.append({})
            bases[at].update(wanted)
            row = members[at].setdefault(tuple(sorted(qubits)), np.zeros(len(observables)))
            row[index] += coeff
    return [_setting(basis, rows) for basis, rows in zip(bases, members, strict=True)]


def _agree(basis: dict[int, str], wanted: dict[int, str]) -> bool:
    return all(basis.get(qubit, letter) == letter for qubit, letter in wanted.items())


def _setting(basis: dict[int, str], members: dict[tuple[int, ...], np.ndarray]) -> Setting:
    qubits = tuple(sorted(basis))
    masks = np.array([[q in term for q in qubits] for term in members], np.bool_).reshape(len(members), len(qubits))
    return Setting(qubits, "".join(basis[q] for q in qubits), masks, np.array(list(members.values())))


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
