"""Feature maps and the kernel module: angles, resources, and refusals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import qsc
import torch
from qsc.frontends.feature_maps import FeatureMap
from qsc.frontends.kernels import kernel_module, overlap
from qsc.ir import InputError, print_module, verify
from qsc.ir.interpreter import evaluate
from qsc.ir.interpreter.compare import unitary

TEXT: Any = "a"


def angles_of(feature_map: FeatureMap, x: np.ndarray) -> np.ndarray:
    return np.array([x[e[0]] if len(e) == 1 else np.prod(np.pi - x[list(e)]) for e in feature_map.products])


def triple() -> FeatureMap:
    c = qsc.Circuit(2)
    a = c.inputs("a", 2)
    c.ry(a[0], 0)
    c.rxx(a[1], 0, 1)
    return FeatureMap(c.build(), ((1,), (0, 1, 2)), 3)


@pytest.mark.parametrize(
    "feature_map",
    [
        qsc.zz_feature_map(3),
        qsc.zz_feature_map(4, 1, "linear"),
        qsc.dense_angle_map(7, 3, axes=("y", "x", "z"), scale=0.4, repetitions=2),
        triple(),
    ],
)
def test_the_kernel_is_the_overlap_of_states(feature_map: FeatureMap):
    from qsc.frontends.text import read

    module = kernel_module(feature_map)
    verify(module)
    assert read(print_module(module)) == module
    x, z = np.random.default_rng(0).uniform(0, 2, (2, 5, feature_map.features))
    given = evaluate(module, [x, z])[0].numpy()
    for a, b, value in zip(x, z, given, strict=True):
        states = [unitary(feature_map.circuit, angles_of(feature_map, s))[:, 0] for s in (a, b)]
        assert value == pytest.approx(abs(np.vdot(*states)) ** 2, abs=1e-12)


def test_resources_of_the_maps():
    dense = qsc.dense_angle_map(30, 3, repetitions=3).circuit
    assert dense.num_qubits == 10
    assert dense.gate_counts()["cx"] == 18
    assert qsc.zz_feature_map(5, 2, "linear").circuit.gate_counts()["rzz"] == 8


def test_maps_that_are_none():
    with pytest.raises(InputError, match="a str is no feature map"):
        qsc.QuantumKernel(TEXT)
    trained = qsc.Circuit(1)
    trained.ry(trained.weights("w"), 0)
    with pytest.raises(InputError, match="no feature map"):
        qsc.QuantumKernel(trained)
    measured = qsc.Circuit(1, bits=1)
    measured.ry(measured.inputs("x"), 0)
    measured.measure(0, 0)
    with pytest.raises(InputError, match="not unitary"):
        qsc.QuantumKernel(measured)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: qsc.zz_feature_map(0), "no ZZ feature map has 0 features"),
        (lambda: qsc.zz_feature_map(TEXT), "no ZZ feature map has 'a' features"),
        (lambda: qsc.zz_feature_map(2, 2, "ring"), "the entanglement 'ring'"),
        (lambda: qsc.dense_angle_map(4, 2, axes=("y", "h")), "no dense angle map has 4 features"),
        (lambda: qsc.dense_angle_map(4, 2, scale=TEXT), "scales by a number, not by 'a'"),
        (lambda: qsc.dense_angle_map(4, 2, scale=math.nan), "cannot be multiplied by nan"),
    ],
)
def test_faults_of_maps_have_the_callers_place(make, message):
    with pytest.raises(InputError, match=message) as caught:
        make()
    (fault,) = caught.value.diagnostics
    assert (fault.location.file, fault.location.line) == (__file__, make.__code__.co_firstlineno)


def test_gates_of_maps_have_the_callers_place():
    circuit = qsc.zz_feature_map(2).circuit
    assert circuit.place.file == __file__
    assert {circuit.place_of(k) for k in range(len(circuit))} == {circuit.place}


def test_the_overlap_of_a_state_with_itself_is_the_identity():
    circuit = overlap(qsc.zz_feature_map(3).circuit)
    values = np.random.default_rng(1).normal(size=6)
    assert np.abs(unitary(circuit, np.tile(values, 2)) - np.eye(8)).max() < 1e-12


def test_kernel_matrices_and_gradients():
    kernel = qsc.QuantumKernel(qsc.zz_feature_map(2))
    x = np.random.default_rng(2).uniform(0, 6, (6, 2))
    square, wide = kernel(x), kernel(x[:2], x)
    assert kernel.circuits == 12
    assert np.abs(square[:2] - wide).max() < 1e-12
    assert np.array_equal(square, square.T)
    assert np.array_equal(np.diag(square), np.ones(6))
    a, b = torch.tensor(x[:2], requires_grad=True), torch.tensor(x[2:4])
    assert torch.autograd.gradcheck(kernel.values, (a, b))
    with pytest.raises(InputError, match="2 features"):
        kernel(x[:, :1])
    with pytest.raises(InputError, match="no target"):
        _ = kernel.bundle
