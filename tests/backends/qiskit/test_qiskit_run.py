"""Running emitted circuits: exact, with shots, with noise."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit_aer import AerSimulator
from qsc.backends.base import RunOptions
from qsc.backends.qiskit import simulate
from qsc.backends.qiskit.backend import load
from qsc.backends.qiskit.compact import Expressions
from qsc.bridges.settings import flip_readout, group, outcome_bits
from qsc.ir import AngleInput, CircuitEditor, InputError, PauliSum, TargetError
from qsc.ir.angles import make_row
from qsc.ir.ops import Expectation, Probabilities, Samples

DEVICES = ("line:6", "grid:3x3", "heavy-hex:3", "all:5", "fake_torino", "fake_sherbrooke", "fake_nairobi", "fake_kyoto")
OBSERVABLES = tuple(PauliSum.parse(t) for t in ("Z0", "0.5*X0*Y1 - Z2 + 1.5", "Y0*X3*Z4", "2.0", "-Z1*Z3"))


def z_scores(got, want, errors):
    """Deviations in standard errors. Values that hardly vary are not normal: they must agree closely, and go."""
    sure = errors < 3e-3
    assert np.abs(got - want)[sure].max(initial=0.0) < 0.02
    return ((got - want) / np.where(sure, 1.0, errors))[~sure]


def assert_plausible(scores):
    """Independent standard normal numbers, to a chance of about one in ten thousand."""
    assert np.abs(scores).max() < 5.0
    assert abs((scores**2).mean() - 1.0) < 5.0 * np.sqrt(2.0 / len(scores))


@pytest.mark.parametrize("device", DEVICES)
def test_exact_values_are_the_interpreter_s(lab, device):
    rng = np.random.default_rng(DEVICES.index(device))
    circuit = lab.random_circuit(rng, 5, 30)
    values = rng.normal(size=(6, 5))
    for op in (Expectation(circuit.name, OBSERVABLES), Probabilities(circuit.name, (3, 0, 4))):
        job = lab.job(circuit, op, device)
        got = job.run(values)
        assert got.dtype == np.float64
        assert np.abs(got - job.reference(values)).max() < 1e-9
        assert job.backend.last_counts == {"executions": 6}
        assert job.backend.last_facts.simulated_qubits < 10


@pytest.mark.parametrize("seed", range(4))
def test_measurement_reset_and_conditions_are_exact(lab, seed):
    rng = np.random.default_rng(seed)
    circuit = lab.dynamic_circuit(rng, 3, 25)
    values = rng.normal(size=(2, 5))
    observables = tuple(PauliSum.parse(t) for t in ("Z0", "X1", "0.5*Y2 + Z0*X2"))
    for op in (Expectation(circuit.name, observables), Probabilities(circuit.name, (2, 0))):
        job = lab.job(circuit, op, "fake_torino" if seed % 2 else "line:3")
        assert np.abs(job.run(values) - job.reference(values)).max() < 1e-9


def test_results_have_the_declared_type_and_batch(lab):
    circuit = lab.random_circuit(np.random.default_rng(0), 3, 10)
    job = lab.job(circuit, Expectation(circuit.name, OBSERVABLES[:1]), "line:3")
    single = [np.zeros(3, np.float32), np.ones(2, np.float32)]
    files = job.emission.files
    (alone,) = job.backend.run(files, job.launch, job.module, single, RunOptions())
    assert (alone.shape, alone.dtype) == ((1,), np.float32)
    mixed = [np.zeros((4, 3), np.float32), np.ones(2, np.float64)]
    (many,) = job.backend.run(files, job.launch, job.module, mixed, RunOptions())
    assert (many.shape, many.dtype) == ((4, 1), np.float64)
    assert np.allclose(many, alone)
    (none,) = job.backend.run(files, job.launch, job.module, [np.zeros((0, 3)), np.ones(2)], RunOptions())
    assert none.shape == (0, 1)


def test_inputs_that_do_not_fit(lab):
    circuit = lab.random_circuit(np.random.default_rng(0), 3, 10)
    job = lab.job(circuit, Expectation(circuit.name, OBSERVABLES[:1]), "line:3")
    wrong = (
        [np.zeros((2, 4)), np.zeros(2)],
        [np.zeros((2, 3)), np.zeros((3, 2))],
        [np.full((1, 3), np.nan), np.zeros(2)],
    )
    for inputs in wrong:
        with pytest.raises(InputError, match="R0001"):
            job.backend.run(job.emission.files, job.launch, job.module, inputs, RunOptions())


# Shots


@pytest.mark.parametrize("device", ["line:5", "fake_torino"])
def test_shots_scatter_around_the_exact_values(lab, device):
    rng = np.random.default_rng(3)
    circuit = lab.random_circuit(rng, 5, 20)
    values = rng.normal(size=(20, 5))
    job = lab.job(circuit, Expectation(circuit.name, OBSERVABLES), device)
    exact, drawn = job.run(values), job.run(values, shots=2000, seed=1)
    assert_plausible(z_scores(drawn, exact, job.standard_errors))
    assert job.backend.last_counts == {"executions": 60, "shots": 120_000}
    assert np.array_equal(drawn, job.run(values, shots=2000, seed=1))
    assert not np.array_equal(drawn, job.run(values, shots=2000, seed=2))


def test_frequencies_and_samples_follow_the_probabilities(lab):
    rng = np.random.default_rng(4)
    circuit = lab.random_circuit(rng, 4, 20)
    values = rng.normal(size=(5, 5))
    job = lab.job(circuit, Probabilities(circuit.name, (2, 0)), "grid:2x2")
    exact, drawn = job.run(values), job.run(values, shots=3000)
    assert np.allclose(drawn.sum(axis=1), 1.0)
    assert np.abs(z_scores(drawn, exact, np.sqrt(exact * (1 - exact) / 3000))).max() < 5
    samples = lab.job(circuit, Samples(circuit.name, (2, 0), 3000), "grid:2x2").run(values)
    assert (samples.shape, samples.dtype) == ((5, 3000, 2), np.bool_)
    for k in range(4):
        share = (samples @ [1, 2] == k).mean(axis=1)
        assert np.abs(share - exact[:, k]).max() < 5 * 0.5 / np.sqrt(3000)
    # Neighbouring shots are independent: the order carries nothing.
    first, second = samples[:, :1500].mean(axis=1), samples[:, 1500:].mean(axis=1)
    assert np.abs(first - second).max() < 5 * 0.5 * np.sqrt(2 / 1500)


def test_equal_samples_of_a_batch_are_drawn_independently(lab):
    circuit = lab.random_circuit(np.random.default_rng(3), 3, 15)
    job = lab.job(circuit, Expectation(circuit.name, OBSERVABLES[:1]), "line:3")
    drawn = job.run(np.full((50, 5), 0.3), shots=100)
    assert len(np.unique(drawn)) > 5


def test_wide_readouts_are_sampled_by_the_simulator(lab, monkeypatch):
    monkeypatch.setattr(simulate, "TABLE_BITS", 1)
    rng = np.random.default_rng(6)
    circuit = lab.random_circuit(rng, 4, 15)
    values = rng.normal(size=(4, 5))
    job = lab.job(circuit, Probabilities(circuit.name, (2, 0)), "line:4")
    exact = job.reference(values)
    drawn = job.run(values, shots=3000, seed=4)
    assert np.abs(z_scores(drawn, exact, np.sqrt(exact * (1 - exact) / 3000))).max() < 5
    with pytest.raises(TargetError, match="R0005"):
        job.run(values)


def test_a_circuit_too_wide_for_a_statevector(lab, monkeypatch):
    monkeypatch.setattr(simulate, "STATEVECTOR_QUBITS", 3)
    rng = np.random.default_rng(6)
    circuit = lab.random_circuit(rng, 5, 15)
    values = rng.normal(size=(2, 5))
    job = lab.job(circuit, Expectation(circuit.name, OBSERVABLES), "line:5")
    assert np.abs(job.run(values) - job.reference(values)).max() < 1e-9
    assert job.backend.last_facts.method == "matrix_product_state"


def test_equal_outcomes_for_constant_circuits(lab):
    editor = CircuitEditor("bell", 2)
    editor.add("h", [0])
    editor.add("cx", [0, 1])
    job = lab.job(editor.circuit(), Samples("bell", (0, 1), 500), "fake_nairobi")
    (bits,) = job.backend.run(job.emission.files, job.launch, job.module, [], RunOptions(seed=3))
    assert bits.shape == (500, 2)
    assert (bits[:, 0] == bits[:, 1]).all()
    assert 150 < bits[:, 0].sum() < 350


# Noise


def small_job(lab, op, device="fake_nairobi"):
    editor = CircuitEditor("noisy", 3, 0, [AngleInput("x", (2,))])
    for q in range(3):
        editor.add("ry", [q], [make_row(0, 0.4 * q, [(q % 2, 1.0)])])
    for a, b in ((0, 1), (1, 2), (0, 2)):
        editor.add("cx", [a, b])
        editor.add("rx", [b], [make_row(0, 0.2, [(0, 0.5)])])
    return lab.job(editor.circuit(), op, device)


def test_noise_is_that_of_the_whole_device_in_aer(lab):
    job = small_job(lab, Probabilities("noisy", (2, 0, 1)))
    values = np.array([[0.3, -0.8]])
    got, exact = job.run(values, noise=True)[0], job.run(values)[0]
    emitted, pub = load(job.emission.files)
    bound = emitted.assign_parameters(dict(zip(pub.parameters, pub.bind(values)[0], strict=True)))
    device = AerSimulator.from_backend(job.target.device, method="density_matrix")
    shots = 100_000
    counts = device.run(bound, shots=shots, seed_simulator=5).result().get_counts()
    theirs = np.array([counts.get(f"{k:03b}", 0) / shots for k in range(8)])
    assert np.abs((theirs - got) / np.sqrt(got * (1 - got) / shots)).max() < 5
    assert 0.01 < np.abs(got - exact).sum() < 2 * (1 - job.emission.costs["predicted_fidelity"])


def test_noisy_shots_scatter_around_the_noisy_values(lab, monkeypatch):
    job = small_job(lab, Expectation("noisy", OBSERVABLES[:2]))
    values = np.random.default_rng(0).normal(size=(6, 2))
    noisy = job.run(values, noise=True)
    assert np.abs(noisy - job.run(values)).max() > 0.01
    drawn = job.run(values, noise=True, shots=1000)
    assert_plausible(z_scores(drawn, noisy, job.standard_errors))
    monkeypatch.setattr(simulate, "DENSITY_QUBITS", 0)
    followed = job.run(values, noise=True, shots=1000, seed=2)
    assert job.backend.last_facts.method == "statevector"
    assert_plausible(z_scores(followed, noisy, job.standard_errors))
    with pytest.raises(TargetError, match="R0005"):
        job.run(values, noise=True)


def test_noisy_mid_circuit_measurement_takes_shots(lab):
    editor = CircuitEditor("teleport", 3, 2, [AngleInput("x")])
    editor.add("ry", [0], [make_row(0, 0.0, [(0, 1.0)])])
    for gate, wires in (("h", [1]), ("cx", [1, 2]), ("cx", [0, 1]), ("h", [0])):
        editor.add(gate, wires)
    editor.add("measure", [0], clbits=[0])
    editor.add("measure", [1], clbits=[1])
    editor.add("x", [2], condition=("bit", 1))
    editor.add("z", [2], condition=("bit", 0))
    job = lab.job(
        editor.circuit(), Expectation("teleport", (PauliSum.parse("Z2"), PauliSum.parse("X2"))), "fake_torino"
    )
    values = np.array([[0.4], [2.0]])
    wanted = np.hstack([np.cos(values), np.sin(values)])
    assert np.abs(job.run(values) - wanted).max() < 1e-9
    drawn = job.run(values, shots=500, noise=True)
    assert 1e-4 < np.abs(drawn - wanted).max() < 0.35
    with pytest.raises(TargetError, match="R0005"):
        job.run(values, noise=True)


def test_noise_needs_a_calibration(lab):
    job = small_job(lab, Probabilities("noisy", (0,)), "line:3")
    with pytest.raises(InputError, match="line:3 has no calibration"):
        job.run(np.zeros((1, 2)), noise=True)


# Parts


def test_settings_group_what_one_measurement_reads():
    terms = [[("Z", (0,), 1.0), ("ZZ", (0, 4), 0.5)], [("Z", (2,), 1.0)], [("X", (0,), 1.0)], [("XY", (0, 2), 1.0)]]
    settings = group(terms)
    assert [(s.qubits, s.letters) for s in settings] == [((0, 2, 4), "ZZZ"), ((0, 2), "XY")]
    values = settings[0].values(outcome_bits(3))
    assert np.array_equal(values[0b101], [-1.0 + 0.5, 1.0, 0.0, 0.0])


def test_readout_flips_are_a_product_of_channels():
    p = np.random.default_rng(0).dirichlet(np.ones(8), size=2)
    errors = [0.1, 0.0, 0.3]
    full = np.ones((1, 1))
    for e in errors:
        full = np.kron([[1 - e, e], [e, 1 - e]], full)
    assert np.allclose(flip_readout(p, errors), p @ full.T)


def test_expressions_that_are_not_affine_are_bound_one_by_one():
    from qiskit.circuit import Parameter

    a, b = Parameter("a"), Parameter("b")
    expressions = Expressions(["a", "b"])
    made = [expressions.replace(e) for e in (2 * a + 1, a * b, 2 * a + 1, b / 2 - a)]
    assert made[0] is made[2]
    values = np.array([[1.0, 2.0], [3.0, -1.0]])
    assert np.allclose(expressions.evaluate(values), [[3.0, 2.0, 0.0], [7.0, -3.0, -3.5]])
