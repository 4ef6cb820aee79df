"""Pauli sums: text, canonical form, arithmetic against matrices."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qsc.ir import InputError, PauliSum, X, Y, Z
from qsc.ir.gates import pauli_matrix

QUBITS = 3
TEXT: Any = "a"
HALF: Any = 1.5
TERMS = st.dictionaries(st.integers(0, QUBITS - 1), st.sampled_from("XYZ"), max_size=QUBITS).map(
    lambda term: tuple((letter, qubit) for qubit, letter in term.items())
)
COEFFS = st.floats(-4, 4, allow_nan=False).filter(lambda c: c == 0 or abs(c) > 1e-6)
SUMS = st.lists(st.tuples(TERMS, COEFFS), max_size=5).map(PauliSum.of)


def matrix(observable: PauliSum) -> np.ndarray:
    total = np.zeros((1 << QUBITS, 1 << QUBITS), complex)
    for term, coeff in observable.terms:
        letters = ["I"] * QUBITS
        for letter, qubit in term:
            letters[qubit] = letter
        total += coeff * pauli_matrix("".join(letters))
    return total


@given(SUMS)
def test_text_reads_back(observable):
    assert PauliSum.parse(str(observable)) == observable


@given(SUMS)
def test_a_sum_is_canonical(observable):
    assert PauliSum.of(observable.terms) == observable
    assert PauliSum.of(reversed(observable.terms)) == observable
    assert all(coeff for _, coeff in observable.terms)
    assert observable.qubits == tuple(sorted({q for term, _ in observable.terms for _, q in term}))


@given(SUMS, SUMS, COEFFS)
def test_arithmetic_is_that_of_matrices(a, b, number):
    np.testing.assert_allclose(matrix(a + b), matrix(a) + matrix(b), atol=1e-12)
    np.testing.assert_allclose(matrix(a - b), matrix(a) - matrix(b), atol=1e-12)
    np.testing.assert_allclose(matrix(-a), -matrix(a), atol=1e-12)
    np.testing.assert_allclose(matrix(number * a), number * matrix(a), atol=1e-12)
    np.testing.assert_allclose(matrix(number + a), matrix(a) + number * np.eye(1 << QUBITS), atol=1e-12)


def test_products_on_different_qubits():
    product = (X(0) + 2 * Y(0)) * (Z(2) - 1)
    np.testing.assert_allclose(matrix(product), matrix(X(0) + 2 * Y(0)) @ matrix(Z(2) - 1), atol=1e-12)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: X(0) * Y(0), "names qubit 0 twice: X0 and Y0"),
        (lambda: (Z(3) + X(1)) * Z(3), "names qubit 3 twice: Z3 and Z3"),
        (lambda: Z(0) + TEXT, "not str: 'a'"),
        (lambda: Z(-1), "Z is asked for on qubit -1"),
        (lambda: X(TEXT), "X is asked for on qubit 'a'"),
        (lambda: Y(HALF), "Y is asked for on qubit 1.5"),
    ],
)
def test_faults_have_the_callers_place(make, message):
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        make()
    (fault,) = caught.value.diagnostics
    assert (fault.location.file, fault.location.line) == (__file__, make.__code__.co_firstlineno)


def test_a_product_in_words():
    with pytest.raises(ValueError, match="a Pauli product names qubit 1 twice: Z1 and X1"):
        PauliSum.parse("0.5*Z1*Y0*X1")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Z0", Z(0)),
        ("Z[12]", Z(12)),
        ("0.5*X0*Y1 - Z2", 0.5 * X(0) * Y(1) - Z(2)),
        ("-Z0 Z1 + 1.5", -(Z(0) * Z(1)) + 1.5),
        ("  2e-3 * Z0  ", 2e-3 * Z(0)),
        ("Z0 + Z0", 2 * Z(0)),
        ("Z0 - Z0", PauliSum(())),
        ("2Z0Z1", 2 * Z(0) * Z(1)),
        ("-.5", PauliSum.of([((), -0.5)])),
    ],
)
def test_ways_to_write_it(text, wanted):
    assert PauliSum.parse(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Q0",
        "Z",
        "Z0 +",
        "Z0 ** X1",
        "+",
        "Z0 W1",
        "2 3",
        "X0*X0",
        "Z0 ++ Z1",
        "Z-1",
        "2*",
        "Z0*",
        "Z[0",
        "1e400*Z0",
    ],
)
def test_what_is_no_pauli_sum(text):
    with pytest.raises(ValueError):  # noqa: PT011 - messages differ by what is wrong
        PauliSum.parse(text)
