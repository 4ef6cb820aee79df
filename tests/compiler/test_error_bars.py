"""Standard errors of a run: of measured values, and of what the host makes of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import qsc
import torch
from qiskit.primitives import StatevectorEstimator, StatevectorSampler
from qsc.compiler.cli import run

SHOTS = 2000


def circuit() -> qsc.Circuit:
    c = qsc.Circuit(3)
    x = c.inputs("x", 3)
    for q in range(3):
        c.ry(x[q], q)
    c.cx(0, 1)
    return c


class Net(torch.nn.Module):
    """One output straight from the circuit, one through the host."""

    def __init__(self) -> None:
        super().__init__()
        self.quantum = qsc.nn.Quantum(circuit(), [qsc.Z(q) for q in range(3)])
        self.head = torch.nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        read = self.quantum(x)
        return read, torch.tanh(self.head(read))


INPUTS = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def bundle() -> qsc.Bundle:
    torch.manual_seed(0)
    return qsc.compile(Net(), target="line:3", example_input=INPUTS, effort="fast")


def test_they_are_the_scatter_of_repeated_runs(bundle):
    exact = bundle.outputs(INPUTS)
    assert bundle.standard_errors == [None, None]
    many, told = [], []
    for seed in range(60):
        many.append(bundle.outputs(INPUTS, shots=SHOTS, seed=seed))
        told.append(bundle.standard_errors)
    for k in range(2):
        drawn = np.stack([found[k] for found in many])
        errors = np.sqrt(np.mean([found[k] ** 2 for found in told], axis=0))
        assert errors.shape == exact[k].shape
        assert np.abs(drawn.mean(axis=0) - exact[k]).max() < 5 * errors.max() / np.sqrt(60) + 1e-3
        measured = drawn.std(axis=0)
        # Z of qubits 0 and 1 are correlated, and measured together.
        assert ((errors > 0.7 * measured) & (errors < 1.4 * measured)).all()


def test_a_backend_of_the_user(bundle):
    exact = bundle.outputs(INPUTS)
    given = bundle.outputs(INPUTS, backend=StatevectorEstimator())
    assert all(np.abs(a - b).max() < 1e-9 for a, b in zip(given, exact, strict=True))
    drawn = bundle.outputs(INPUTS, backend=StatevectorSampler(seed=1), shots=SHOTS)
    assert bundle.run_counts == {"executions": 4, "shots": 4 * SHOTS}
    for a, b, errors in zip(drawn, exact, bundle.standard_errors, strict=True):
        assert errors is not None
        assert np.abs((a - b) / errors).max() < 6


def test_many_numbers_have_only_the_direct_errors(bundle, monkeypatch):
    from qsc.compiler import error_bars

    monkeypatch.setattr(error_bars, "MOST_NUMBERS", 1)
    bundle.outputs(INPUTS, shots=SHOTS)
    assert bundle.standard_errors[0] is not None
    assert bundle.standard_errors[1] is None


def test_values_without_scatter_have_none():
    """Where all shots agree the covariance is singular: rounding must not make it negative."""
    c = qsc.Circuit(8)
    x = c.inputs("x", 8)
    for q in range(8):
        c.ry(x[q], q)
    for q in range(7):
        c.rzz(0.7, q, q + 1)
        c.rx(x[q], q)
    cut = qsc.compile(
        c, target="all:3", readout="Z0, Z7, X1*X2", effort="fast", verify=False, max_qubits=3, reuse=False
    )
    rows = np.random.default_rng(0).uniform(-1, 1, (400, 8))
    assert np.abs(cut.run(rows, shots=1000)).max() > 1 - 1e-12
    (errors,) = cut.standard_errors
    assert errors is not None
    assert np.isfinite(errors).all()


def test_wrong_uses(bundle):
    with pytest.raises(qsc.ir.InputError, match="noise is the simulator's"):
        bundle.run(INPUTS, backend=StatevectorSampler(), noise=True)
    host = qsc.compile(Net(), target="host", example_input=INPUTS)
    with pytest.raises(qsc.ir.InputError, match="this model has none there"):
        host.run(INPUTS, backend=StatevectorSampler())


def test_the_command_prints_and_keeps_them(bundle, tmp_path: Path, capsys):
    bundle.save(tmp_path / "net")
    np.save(tmp_path / "x.npy", INPUTS)
    command = ["run", str(tmp_path / "net"), "--input", str(tmp_path / "x.npy"), "--shots", "500"]
    assert run(command) == 0
    shown = capsys.readouterr().out
    assert shown.count("standard errors:") == 2
    assert run([*command, "-o", str(tmp_path / "y.npz"), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    names = list(facts["outputs"])
    assert set(facts["largest_standard_errors"]) == set(names)
    with np.load(tmp_path / "y.npz") as kept:
        errors = kept[f"{names[0]}.standard_error"]
    assert errors.shape == (4, 3)
    assert 0 < errors.max() <= 1 / np.sqrt(499)
