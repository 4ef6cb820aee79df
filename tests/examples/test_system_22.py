"""Row 22, images as Hamiltonians: the compiled circuit against matrices, CX counts, Trotter steps."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import qsc
import torch

FOLDER = "22-hamiltonian-embedding"


@pytest.fixture(scope="module")
def bundle(load_example) -> qsc.Bundle:
    module = load_example(FOLDER)
    return qsc.compile(module.model, target="all:3", example_input=module.example_input, effort="fast", verify=False)


def test_compiled_circuit_on_fifty_digits(bundle: qsc.Bundle, load_example):
    module = load_example(FOLDER)
    _, _, images, labels = module.digits()
    with torch.no_grad():
        wanted = module.reference(images).numpy()
        circuit = module.model(images).numpy()
    given = bundle.run(images[:50])
    assert np.abs(given - wanted[:50]).max() < 1e-8
    assert np.array_equal(given.argmax(1), wanted[:50].argmax(1))
    assert np.abs(circuit - wanted).max() < 1e-8
    assert (wanted.argmax(1) == labels.numpy()).mean() >= 0.94


def test_two_qubit_gates(bundle: qsc.Bundle):
    """20 CX for each evolution, 3 for each SU(4) gate; the last layer's last gate need not be whole."""
    assert bundle.costs["two_qubit_gates"] <= 15 * (20 + 2 * 3)


def test_trotter_error_falls(load_example):
    errors = load_example(FOLDER, "evaluate").trotter_errors((1, 2, 4, 8))
    assert all(after < before for before, after in pairwise(errors))
    assert errors[-1] < 0.6 * errors[-2]
