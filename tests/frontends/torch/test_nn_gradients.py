"""Layers on a backend: equal to the exact simulation, in one PUB each way."""

from __future__ import annotations

import copy
import warnings
from dataclasses import replace

import numpy as np
import pytest
import qsc
import torch
from qiskit.primitives import StatevectorEstimator, StatevectorSampler
from qsc.frontends.torch import nn_shift
from qsc.ir.gates import GATES, OPCODES

ANGLED = [g for g in GATES if g.angles]
OBSERVABLES = [qsc.Z(0), "0.5*X0*Y1 - Z2 + 0.25", "Z1*Z2"]


def random_layer(seed: int, gates: int = 14, **options) -> qsc.nn.Quantum:
    """Every gate with an angle, between others; angles of one or two variables, some shared, some constant."""
    rng = np.random.default_rng(seed)
    c = qsc.Circuit(3)
    x, w = c.inputs("x", 2), c.weights("w", (3,))
    variables = [*x, *w]
    for q in range(3):
        c.h(q)
    for k in range(gates):
        gate = ANGLED[(seed + k) % len(ANGLED)] if k % 2 else GATES[OPCODES[str(rng.choice(["cx", "sx", "cz", "t"]))]]
        arity = gate.qubits if gate.qubits > 0 else 3
        qubits = rng.permutation(3)[:arity].tolist()
        angles = [
            float(rng.choice([1.0, -0.5, 2.0])) * variables[rng.integers(5)] + rng.normal() * variables[rng.integers(5)]
            for _ in range(gate.angles)
        ]
        angles = [a if rng.random() < 0.8 else 0.3 for a in angles]
        if gate.name == "pauli":
            c.pauli(angles[0], "".join(rng.choice(list("XYZ"), 3)), qubits)
        else:
            getattr(c, gate.name)(*angles, *qubits)
    torch.manual_seed(seed)
    return qsc.nn.Quantum(c, OBSERVABLES, dtype=torch.float64, **options)


def gradients(layer: qsc.nn.Quantum, x: torch.Tensor) -> list[torch.Tensor]:
    x = x.clone().requires_grad_()
    y = layer(x)
    loss = (y**2).sum() + (y * torch.arange(3.0, dtype=y.dtype)).sum()
    return [y.detach(), *torch.autograd.grad(loss, [x, layer.weights["w"]])]


INPUTS = torch.from_numpy(np.random.default_rng(0).normal(size=(4, 2)))


@pytest.mark.parametrize("seed", range(6))
def test_gradients_are_those_of_the_exact_simulation(seed):
    exact, shifted = random_layer(seed), random_layer(seed, backend=StatevectorEstimator())
    for a, b in zip(gradients(exact, INPUTS), gradients(shifted, INPUTS), strict=True):
        assert (a - b).abs().max() < 1e-9
    assert shifted.counted is not None
    assert shifted.counted.pubs == 2


@pytest.mark.parametrize("gate", [g for g in ANGLED if g.matrix is not None], ids=lambda g: g.name)
def test_rules_differentiate_any_expectation(gate):
    rng = np.random.default_rng(1)
    size = 1 << gate.qubits
    state = rng.normal(size=size) + 1j * rng.normal(size=size)
    state /= np.linalg.norm(state)
    observable = rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size))
    observable = observable + observable.conj().T
    angles = rng.normal(size=gate.angles)

    def value(angles: np.ndarray) -> float:
        after = gate.matrix(*angles) @ state
        return float((after.conj() @ observable @ after).real)

    for position in range(gate.angles):
        unit, h = np.eye(gate.angles)[position], 1e-4
        steps = [(value(angles + k * h * unit) - value(angles - k * h * unit)) / (2 * k * h) for k in (1, 2)]
        rule = nn_shift.rule_of(gate, position)
        assert sum(c * value(angles + s * unit) for s, c in rule) == pytest.approx(
            (4 * steps[0] - steps[1]) / 3, abs=1e-8
        )
        assert len(rule) == (4 if gate.name in ("crx", "cry", "crz") else 2)


def test_a_gate_without_a_rule():
    odd = np.diag([0.0, 1.0, 2.0, np.pi])
    gate = replace(GATES[OPCODES["rzz"]], name="odd", matrix=lambda a: np.diag(np.exp(1j * a * odd.diagonal())))
    with pytest.raises(nn_shift.NoShiftRule, match="odd has the frequencies"):
        nn_shift.rule_of(gate, 0)


def encoder(backend) -> qsc.nn.Quantum:
    """Three rotations by data, one of them controlled, and two by weights; Z of every qubit."""
    c = qsc.Circuit(3)
    x, w = c.inputs("x", 2), c.weights("w", (2,))
    c.ry(x[0], 0)
    c.ry(x[1], 1)
    c.crx(x[0], 0, 1)
    c.ry(w[0], 1)
    c.ryy(w[1], 1, 2)
    return qsc.nn.Quantum(c, [qsc.Z(q) for q in range(3)], backend=backend)


def test_only_what_needs_a_gradient_is_shifted():
    executed = []
    for needs_input in (False, True):
        layer = encoder("aer")
        layer(torch.zeros(5, 2, requires_grad=needs_input)).sum().backward()
        assert layer.counted is not None
        executed.append((layer.counted.pubs, layer.counted.executions))
    # One setting reads all Z: a batch of 5 forward, and twice or four times as many a gate backward.
    assert executed == [(2, 5 + 5 * 4), (2, 5 + 5 * (4 + 2 + 2 + 4))]


def test_nothing_runs_backward_without_need():
    layer = encoder(StatevectorEstimator()).requires_grad_(False)
    assert not layer(torch.zeros(2, 2)).requires_grad
    assert layer.counted is not None
    assert layer.counted.pubs == 1


@pytest.mark.parametrize("readout", ["probs", OBSERVABLES])
def test_a_sampler_gives_values_and_gradients(readout):
    c = qsc.Circuit(3)
    x, w = c.inputs("x", 1), c.weights("w", (3,))
    for q in range(3):
        c.ry(w[q] + x[0], q)
    c.cx(0, 1)
    c.crx(w[1], 1, 2)
    torch.manual_seed(0)
    exact = qsc.nn.Quantum(c, readout, dtype=torch.float64)
    drawn = qsc.nn.Quantum(c, readout, backend=StatevectorSampler(seed=2), shots=20_000, dtype=torch.float64)
    drawn.load_state_dict(exact.state_dict())
    x = torch.tensor([[0.3], [-0.8]], dtype=torch.float64)
    found = []
    for layer in (exact, drawn):
        y = layer(x)
        found.append([y.detach(), *torch.autograd.grad(y[:, 0].sum(), list(layer.weights.parameters()))])
    for a, b in zip(*found, strict=True):
        assert (a - b).abs().max() < 0.05


def test_a_device_in_local_testing_mode():
    from qiskit_ibm_runtime import EstimatorV2
    from qsc.backends.qiskit.devices import find

    target = find("fake_nairobi")
    assert target is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator = EstimatorV2(mode=target.device, options={"simulator": {"seed_simulator": 1}})
        layer, exact = random_layer(2, 6, backend=estimator, precision=0.03), random_layer(2, 6)
        for a, b in zip(gradients(exact, INPUTS[:2]), gradients(layer, INPUTS[:2]), strict=True):
            assert (a - b).abs().max() < 0.6


def test_a_device_itself_is_read_by_a_sampler():
    from qsc.backends.qiskit.devices import find

    target = find("fake_nairobi")
    assert target is not None
    layer, exact = random_layer(2, 6, backend=target.device, shots=2000), random_layer(2, 6)
    for a, b in zip(gradients(exact, INPUTS[:1]), gradients(layer, INPUTS[:1]), strict=True):
        assert (a - b).abs().max() < 0.8


def test_a_layer_learns_on_a_backend():
    c = qsc.Circuit(2)
    x, w = c.inputs("x", 1), c.weights("w", (4,))
    c.ry(x[0], 0)
    for q in range(2):
        c.ry(w[q], q)
    c.cx(0, 1)
    for q in range(2):
        c.ry(w[2 + q], q)
    torch.manual_seed(3)
    layer = qsc.nn.Quantum(c, [qsc.Z(1)], backend="aer")
    data = torch.linspace(-1, 1, 8)[:, None]
    optimiser = torch.optim.Adam(layer.parameters(), 0.2)
    losses = []
    for _ in range(25):
        optimiser.zero_grad()
        loss = ((layer(data) - torch.sin(data)) ** 2).mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0]


def test_samples_are_drawn_on_the_backend():
    c = qsc.Circuit(2)
    c.h(0)
    c.cx(0, 1)
    bits = qsc.nn.Quantum(c, "samples", shots=200, backend=StatevectorSampler(seed=1))(torch.zeros(3, 0))
    assert bits.shape == (3, 200, 2)
    assert (bits[..., 0] == bits[..., 1]).all()
    assert 50 < int(bits[0, :, 0].sum()) < 150


def test_what_does_not_fit_is_refused():
    random = random_layer(0)
    with pytest.raises(qsc.ir.InputError, match="need a sampler, not an estimator"):
        qsc.nn.Quantum(random.circuit, "probs", backend=StatevectorEstimator())
    c = qsc.Circuit(1, bits=1)
    c.measure(0, 0)
    with pytest.raises(qsc.ir.InputError, match="measures inside, which estimators do not take"):
        qsc.nn.Quantum(c, [qsc.Z(0)], backend=StatevectorEstimator())
    with pytest.raises(qsc.ir.InputError, match="is nothing to run circuits on"):
        qsc.nn.Quantum(random.circuit, OBSERVABLES, backend=7)


def test_compiling_and_copying():
    layer = random_layer(3, backend=StatevectorEstimator(seed=1), precision=0.3)
    assert copy.deepcopy(layer).counted is layer.counted
    bundle = qsc.compile(torch.nn.Sequential(layer), target="line:3", example_input=INPUTS)
    assert layer.counted is not None
    assert layer.counted.pubs == 0
    layer.run_on(None)
    assert np.abs(bundle.run(INPUTS) - layer(INPUTS).detach().numpy()).max() < 1e-9
