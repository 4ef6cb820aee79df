"""Row 28, 64 values as rotations on five qubits: they collapse to five angles, and a classical network does better."""

from __future__ import annotations

import numpy as np
import pytest
import qsc
import torch
from qsc.compiler.passes.cancel_gates import cancel
from qsc.ir.interpreter.compare import unitary

FOLDER = "28-transfer-learning"


def test_thirteen_rotations_are_one(load_example):
    module = load_example(FOLDER)
    written = module.encoding().build()
    merged = cancel(written)
    assert written.gate_counts()["ry"] == 64
    assert merged.gate_counts()["ry"] == 5
    for image in module.digits()[0][:5].double().numpy():
        assert np.abs(unitary(written, image) - unitary(merged, image)).max() < 1e-12


@pytest.fixture(scope="module")
def bundle(load_example) -> qsc.Bundle:
    module = load_example(FOLDER)
    return qsc.compile(module.model, target="line:5", example_input=module.example_input, effort="fast")


def test_the_compiled_model(bundle: qsc.Bundle, load_example):
    module = load_example(FOLDER)
    _, _, images, labels = module.digits()
    with torch.no_grad():
        wanted = module.model.double()(images.double()).numpy()
        plain = (module.classical(images).argmax(1) == labels).double().mean().item()
    module.model.float()
    given = bundle.run(images)
    assert np.abs(given - wanted).max() < 1e-9
    right = (given.argmax(1) == labels.numpy()).mean()
    assert right == (wanted.argmax(1) == labels.numpy()).mean()
    assert 0.3 < right < plain
    assert bundle.costs["two_qubit_gates"] <= 4
