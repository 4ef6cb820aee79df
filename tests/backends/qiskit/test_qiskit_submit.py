"""Emitted circuits on primitives of the user's own."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import numpy as np
import pytest
from qiskit.primitives import StatevectorEstimator, StatevectorSampler
from qiskit.primitives.containers.sampler_pub import SamplerPub
from qsc.backends.qiskit.devices import find
from qsc.backends.qiskit.primitives import estimator_pub, load, run, submit
from qsc.bridges import primitives
from qsc.ir import CircuitEditor, InputError, PauliSum, TargetError
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


@pytest.mark.parametrize("target", ["line:4", "rigetti_ankaa_84"])
def test_aer_by_name(lab, circuit, target):
    job = lab.job(circuit, Expectation(circuit.name, OBSERVABLES), target)
    assert np.abs(submit(job.emission.files, job.split(VALUES), "aer") - job.run(VALUES)).max() < 1e-9
    ways: list[dict[str, Any]] = [{"shots": 4096}, {"precision": 1 / 64}]
    for asked in ways:
        drawn = [run(job.emission.files, flat(job), "aer", seed=seed, **asked) for seed in (1, 1, 2)]
        assert drawn[0].facts.shots == 4096 * drawn[0].facts.executions
        assert (drawn[0].values == drawn[1].values).all()
        assert (drawn[0].values != drawn[2].values).any()
        assert np.abs(drawn[0].values - job.run(VALUES)).max() < 5 * 1.75 / 64
    tables = lab.job(circuit, Probabilities(circuit.name, (0, 2)), target)
    found = submit(tables.emission.files, tables.split(VALUES), "aer", shots=4000)
    assert np.abs(found - tables.run(VALUES)).max() < 5 * 0.5 / np.sqrt(4000)


def test_an_observable_that_is_zero_is_zero(lab, circuit):
    job = lab.job(circuit, Expectation(circuit.name, (PauliSum.parse("Z0"), PauliSum(()))), "line:4")
    found = submit(job.emission.files, job.split(VALUES), StatevectorEstimator())
    assert np.abs(found - job.run(VALUES)).max() < 1e-9
    assert not found[:, 1].any()


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


def test_a_sampler_gives_expectations_by_settings(lab, circuit):
    job = lab.job(circuit, Expectation(circuit.name, OBSERVABLES), "fake_torino")
    answer = run(job.emission.files, flat(job), StatevectorSampler(seed=4), shots=3000)
    (errors,) = answer.facts.standard_errors
    assert (answer.values.shape, answer.facts.settings, answer.facts.executions) == ((3, 2), 2, 6)
    assert np.abs((answer.values - job.run(VALUES)) / errors).max() < 5
    assert 0 < errors.max() < 5 * 1.75 / np.sqrt(3000)


def flat(job) -> np.ndarray:
    return load(job.emission.files)[1].flatten(job.split(VALUES))[0]


@pytest.mark.parametrize("kind", ["device", "simulator", "session", "service", "sampler"])
def test_what_a_user_may_hand_over(lab, circuit, kind):
    from qiskit_aer import AerSimulator
    from qiskit_ibm_runtime import SamplerV2, Session
    from qiskit_ibm_runtime.fake_provider.local_service import QiskitRuntimeLocalService

    job = lab.job(circuit, Expectation(circuit.name, OBSERVABLES), "fake_nairobi")
    made = {
        "device": lambda: job.target.device,
        "simulator": lambda: AerSimulator(seed_simulator=3),
        "session": lambda: Session(backend=job.target.device),
        "service": QiskitRuntimeLocalService,
        "sampler": lambda: SamplerV2(mode=job.target.device),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answer = run(job.emission.files, flat(job), made[kind](), shots=2000)
    wanted = job.run(VALUES, noise=kind != "simulator")
    assert np.abs(answer.values - wanted).max() < 5 * 1.75 / np.sqrt(2000) + (0.05 if kind != "simulator" else 0.0)


def test_a_large_batch_is_parted_into_pubs_and_jobs(lab, circuit, monkeypatch):
    class Counting(StatevectorSampler):
        jobs: ClassVar[list[list[int]]] = []

        def run(self, pubs, *, shots=None):
            pubs = [SamplerPub.coerce(pub) for pub in pubs]
            self.jobs.append([pub.parameter_values.size for pub in pubs])
            return super().run(pubs, shots=shots)

    job = lab.job(circuit, Probabilities(circuit.name, (0, 2)), "line:4")
    monkeypatch.setattr(primitives, "MOST_BINDINGS", 2)
    whole = run(job.emission.files, flat(job), Counting(seed=1), shots=50)
    monkeypatch.setattr(primitives, "MOST_EXECUTIONS", 100)
    run(job.emission.files, flat(job), Counting(seed=1), shots=50)
    assert Counting.jobs == [[2, 1], [2], [1]]
    assert np.allclose(whole.values.sum(axis=1), 1.0)


def test_a_circuit_for_another_device_is_refused(lab, circuit):
    job = lab.job(circuit, Expectation(circuit.name, OBSERVABLES), "all:4")
    other = find("fake_nairobi")
    assert other is not None
    with pytest.raises(TargetError, match=r"compiled for all:4, and fake_nairobi cannot run it"):
        submit(job.emission.files, job.split(VALUES), other.device)


def test_what_cannot_be_run_on_is_refused(lab, circuit):
    job = lab.job(circuit, Expectation(circuit.name, OBSERVABLES), "line:4")
    with pytest.raises(InputError, match="'ibm_torino' is nothing to run circuits on"):
        submit(job.emission.files, job.split(VALUES), "ibm_torino")
    with pytest.raises(InputError, match="an object of type int is nothing to run circuits on"):
        submit(job.emission.files, job.split(VALUES), 7)
    probabilities = lab.job(circuit, Probabilities(circuit.name, (0, 2)), "line:4")
    with pytest.raises(InputError, match="needs a sampler, got StatevectorEstimator"):
        submit(probabilities.emission.files, job.split(VALUES), StatevectorEstimator())
