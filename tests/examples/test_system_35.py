"""Row 35, a kernel of many features on few qubits (circuit not confirmed): exactness, accuracy, resources."""

from __future__ import annotations

import numpy as np
import pytest
import qsc

FOLDER = "35-dense-kernel"


def test_the_example_says_that_its_circuit_is_not_confirmed(load_example):
    assert "CIRCUIT NOT CONFIRMED" in (load_example(FOLDER).__doc__ or "")


def test_compiled_kernel(load_example):
    module, evaluate = load_example(FOLDER), load_example(FOLDER, "evaluate")
    halves = module.data()
    train, _ = evaluate.matrices(module.dense_map(30), halves)
    assert np.linalg.eigvalsh(train).min() > -1e-12
    compiled = qsc.QuantumKernel(module.dense_map(30), "line:10", effort="fast")
    assert np.abs(compiled(halves[0][:8]) - train[:8, :8]).max() < 1e-9
    assert compiled.bundle.costs["qubits"] <= 10
    assert compiled.bundle.costs["two_qubit_gates"] <= 18


@pytest.mark.parametrize("features", [6, 9, 12, 30])
def test_resources(features: int, load_example):
    circuit = load_example(FOLDER).dense_map(features).circuit
    assert circuit.num_qubits <= features / 3
    assert circuit.gate_counts()["cx"] == circuit.num_qubits - 1
    zz = qsc.zz_feature_map(features).circuit
    assert zz.gate_counts()["rzz"] == features * (features - 1)


def test_accuracy(load_example):
    module, evaluate = load_example(FOLDER), load_example(FOLDER, "evaluate")
    assert evaluate.accuracy(module.dense_map(30), module.data(), module.DENSE[1]) >= 0.95
    nine, (scale, penalty) = module.data(module.EQUAL), module.DENSE_EQUAL
    ours = evaluate.accuracy(module.dense_map(module.EQUAL, scale), nine, penalty)
    scale, penalty = module.ZZ_EQUAL
    assert ours >= evaluate.accuracy(qsc.zz_feature_map(module.EQUAL), nine, penalty, scale)


def test_the_settings_are_those_of_cross_validation(load_example):
    module, evaluate = load_example(FOLDER), load_example(FOLDER, "evaluate")
    chosen = evaluate.select(lambda scale: (module.dense_map(module.EQUAL, scale), 1.0), module.data(module.EQUAL))
    assert chosen == module.DENSE_EQUAL


def test_concentration(load_example):
    """Of unscaled features: the ZZ kernel's variance falls faster with their number than the dense kernel's."""
    module, evaluate = load_example(FOLDER), load_example(FOLDER, "evaluate")
    dense, zz = (
        [evaluate.spread(make(n), module.data(n)) for n in (3, 6, 9)]
        for make in (lambda n: module.dense_map(n, 1.0), qsc.zz_feature_map)
    )
    assert zz[2] < zz[1] < zz[0]
    assert dense[2] / dense[0] > zz[2] / zz[0]
