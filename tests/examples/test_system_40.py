"""Row 40, zero-noise extrapolation by a network: nearer to the ideal value than the least noise, and than a line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import qsc
from qsc.compiler.passes.base import Context
from qsc.compiler.passes.cancel_gates import CancelGates
from qsc.compiler.passes.fold_gates import FoldGates
from qsc.frontends.readouts import module_of
from qsc.ir.interpreter import evaluate

FOLDER = "40-zne-nn"
EXAMPLE = Path(__file__).parents[2] / "examples" / FOLDER


@pytest.fixture(scope="module")
def found(load_example, tmp_path_factory: pytest.TempPathFactory):
    return load_example(FOLDER, "evaluate").estimates(tmp_path_factory.mktemp("sweep"))


def test_the_network_is_nearer_than_the_least_noise_and_the_line(found):
    error = abs(found.network - found.ideal)
    assert error < 0.1 * abs(found.least_noise - found.ideal)
    assert error <= abs(found.line - found.ideal)
    assert error <= abs(found.line_of_two - found.ideal)


def test_folded_circuits_at_one_strength_are_nearer_too(found):
    least = abs(found.least_noise - found.ideal)
    for kind, share in (("linear", 0.25), ("richardson", 0.02), ("exponential", 0.02)):
        assert abs(found.folded[kind] - found.ideal) < share * least


@pytest.mark.parametrize("scale", [1, 3, 5])
def test_global_depolarising_is_a_power(load_example, tmp_path: Path, scale: int):
    value, wanted = load_example(FOLDER, "evaluate").decay(tmp_path, 0.05, scale)
    assert abs(wanted) > 0.05
    assert value == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("folding", ["global", "local"])
def test_folds_keep_the_value_and_are_not_cancelled(load_example, folding: str):
    example = load_example(FOLDER)
    plain = module_of(example.ansatz().build("ansatz"), [example.hamiltonian()])
    after = FoldGates(3, folding).run(plain, Context())
    cancelled = CancelGates().run(after, Context())
    rng = np.random.default_rng(0)
    inputs = [rng.normal(size=(3,)), rng.normal(size=(3, 4, 2))]
    wanted, *others = (evaluate(m, inputs, precision="f64")[0].numpy() for m in (plain, after, cancelled))
    assert all(np.abs(given - wanted).max() < 1e-12 for given in others)
    assert cancelled.circuits["ansatz"].gate_counts()["cx"] == 3 * plain.circuits["ansatz"].gate_counts()["cx"] == 18


def test_the_command_of_the_readme(tmp_path: Path):
    from qsc.compiler.cli import run

    passes = "bake-weights,mitigate{zne=1+3+5 extrapolation=exponential},partition"
    out = str(tmp_path / "zne")
    command = ["compile", str(EXAMPLE / "model.py"), "--target", str(EXAMPLE / "noisy.toml"), "-o", out]
    assert run([*command, "--passes", passes, "--quiet"]) == 0
    assert run(["verify", out, "--quiet"]) == 0
    bundle = qsc.load(out)
    angles = np.zeros((1, 1))
    ideal = bundle.run(angles)
    drawn = bundle.run(angles, noise=True, shots=4096, seed=1)
    (error,) = bundle.standard_errors
    assert error is not None
    assert np.abs(drawn - ideal).max() < 5 * error.max() + 1e-3
    assert bundle.costs["circuits"] == 3
