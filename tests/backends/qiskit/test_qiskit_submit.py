"""Emitted circuits on primitives of the user's own."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from qiskit.primitives import StatevectorEstimator, StatevectorSampler
from qsc.backends.qiskit.primitives import estimator_pub, submit
from qsc.ir import CircuitEditor, InputError, PauliSum
from qsc.ir.ops import Expectation, Probabilities, Samples

OBSERVABLES = (PauliSum.parse("Z0"), PauliSum.parse("0.5*X0*Y1 - Z2 + 0.25"))


@pytest.fixture
def circuit(lab):
    return lab.random_circuit(np.random.default_rng(3), 3, 15)


VALUES = np.random.default_rng(1).normal(size=(3, 5))


def test_an_estimator_gives_our_values_from_one_pub(lab, circuit):
    job = lab.job(circuit, Expectation(circuit.name, OBSERVABLES), "line:4")
    files, inputs = job.emission.files, job.split(VALUES)
    assert estimator_pub(files, inputs).shape == (3, 2)
    assert np.abs(submit(files, inputs, StatevectorEstimator()) - job.run(VALUES)).max() < 1e-9


def test_a_sampler_gives_frequencies_and_bits(lab, circuit):
    job = lab.job(circuit, Probabilities(circuit.name, (0, 2)), "line:4")
    exact = job.run(VALUES)
    drawn = submit(job.emission.files, job.split(VALUES), StatevectorSampler(seed=1), shots=4000)
    assert np.abs(drawn - exact).max() < 5 * 0.5 / np.sqrt(4000)
    samples = lab.job(circuit, Samples(circuit.name, (0, 2), 4000), "line:4")
    bits = submit(samples.emission.files, job.split(VALUES), StatevectorSampler(seed=2))
    assert bits.shape == (3, 4000, 2)
    assert np.abs((bits @ [1, 2] == 2).mean(axis=1) - exact[:, 2]).max() < 5 * 0.5 / np.sqrt(4000)


def test_a_device_in_local_testing_mode(lab, circuit):
    from qiskit_ibm_runtime import EstimatorV2

    job = lab.job(circuit, Expectation(circuit.name, OBSERVABLES), "fake_nairobi")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        estimator = EstimatorV2(mode=job.target.device, options={"simulator": {"seed_simulator": 1}})
    drawn = submit(job.emission.files, job.split(VALUES), estimator, precision=0.02)
    assert np.abs(drawn - job.run(VALUES, noise=True)).max() < 5 * 0.02 * 1.75


def test_circuits_without_parameters(lab):
    editor = CircuitEditor("bell", 2)
    editor.add("h", [0])
    editor.add("cx", [0, 1])
    job = lab.job(editor.circuit(), Expectation("bell", (PauliSum.parse("Z0*Z1"),)), "line:2")
    assert np.allclose(submit(job.emission.files, [], StatevectorEstimator()), [[1.0]])


def test_the_kind_of_primitive_is_checked(lab, circuit):
    job = lab.job(circuit, Expectation(circuit.name, OBSERVABLES), "line:4")
    with pytest.raises(InputError, match="needs an estimator, got StatevectorSampler"):
        submit(job.emission.files, job.split(VALUES), StatevectorSampler())
