"""Measurement settings: members agree with their basis, and nothing is lost."""

from __future__ import annotations

import numpy as np
import pytest
from qsc.ir import PauliSum
from qsc.ir.measurement_settings import (
    count_settings,
    pauli_masks,
    pauli_term,
    qubitwise_groups,
    settings_suffice,
)


@pytest.mark.parametrize("seed", range(20))
def test_members_agree_with_their_basis(seed: int):
    rng = np.random.default_rng(seed)
    letters = ["".join(rng.choice(list("IIIXYZ"), 6)) for _ in range(30)]
    terms = [tuple((p, q) for q, p in enumerate(row) if p != "I") for row in letters]
    products = [pauli_masks(term) for term in terms]
    assert [pauli_term(p) for p in products] == terms
    groups = qubitwise_groups(products)
    listed = sorted(k for _, members in groups for k in members)
    assert listed == [k for k, term in enumerate(terms) if term]
    for basis, members in groups:
        chosen = {q: p for p, q in pauli_term(basis)}
        assert all(chosen[q] == p for k in members for p, q in terms[k])


@pytest.mark.parametrize(
    ("texts", "count"),
    [(["Z0", "Z1*Z2", "Z0*Z70"], 1), (["X0*X1 + Y0*Y1 + Z0*Z1"], 3), (["Z0", "X1 - 2.0*X2"], 1), (["1.5"], 0)],
)
def test_settings_are_counted(texts: list[str], count: int):
    assert count_settings([PauliSum.parse(t) for t in texts]) == count


@pytest.mark.parametrize("seed", range(20))
def test_the_order_of_chain_terms_does_not_matter(seed: int):
    rng = np.random.default_rng(seed)
    terms = [((p, q), (p, q + 1)) for p in "XYZ" for q in range(9)]
    products = [pauli_masks(terms[k]) for k in rng.permutation(len(terms))]
    assert len(qubitwise_groups(products)) == 3


@pytest.mark.parametrize("seed", range(20))
def test_a_number_of_settings_suffices_exactly_where_so_many_are_found(seed: int):
    rng = np.random.default_rng(seed)
    qubits, terms = int(rng.integers(2, 7)), int(rng.integers(1, 25))
    letters = ["".join(rng.choice(list("IIXYZ"), qubits)) for _ in range(terms)]
    products = [pauli_masks(tuple((p, q) for q, p in enumerate(row) if p != "I")) for row in letters]
    found = len(qubitwise_groups(products))
    assert [settings_suffice(products, most) for most in range(terms + 1)] == [found <= m for m in range(terms + 1)]
