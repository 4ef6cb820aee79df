"""Every example compiles with the command at its top, and does on real data what its README says."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import qsc
import torch
from qsc.compiler.cli import run

EXAMPLES = Path(__file__).parents[2] / "examples"


def load(name: str) -> ModuleType:
    """The module of an example's `model.py`."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / name / "model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def compiled(path: Path, target: str, out: Path) -> qsc.Bundle:
    """The bundle that the command line makes, read back from disk."""
    assert run(["compile", str(path), "--target", target, "-o", str(out), "--quiet"]) == 0
    assert run(["verify", str(out), "--quiet"]) == 0
    return qsc.load(out)


@pytest.fixture(scope="module")
def qcnn(tmp_path_factory: pytest.TempPathFactory) -> tuple[ModuleType, qsc.Bundle]:
    out = tmp_path_factory.mktemp("qcnn") / "bundle"
    return load("digits_qcnn"), compiled(EXAMPLES / "digits_qcnn" / "model.py", "fake_torino", out)


def test_digits_qcnn_on_every_test_digit(qcnn: tuple[ModuleType, qsc.Bundle]):
    module, bundle = qcnn
    _, _, images, labels = module.digits()
    with torch.no_grad():
        wanted = module.model.double()(images.double()).numpy()
    module.model.float()
    given = bundle.run(images)
    assert np.abs(given - wanted).max() < 1e-9
    assert np.array_equal(given.argmax(1), wanted.argmax(1))
    assert (given.argmax(1) == labels.numpy()).mean() >= 0.97
    sampled = bundle.run(images[:100], shots=4096, seed=1)
    assert (sampled.argmax(1) == labels[:100].numpy()).mean() >= 0.9
    assert bundle.costs["two_qubit_gates"] == 7


def test_expectation_values_of_the_routed_circuit(qcnn: tuple[ModuleType, qsc.Bundle]):
    """The quantum layer alone: what the emitted circuit gives for the angles of every test digit."""
    from qsc.backends.base import RunOptions

    module, bundle = qcnn
    (launch,) = bundle.launches()
    model = module.model.double()
    with torch.no_grad():
        angles = torch.pi / 2 * model.features(module.digits()[2].double())
        wanted = model.quantum(angles).numpy()
    model.float()
    files = bundle.artifact(launch.artifact)
    (given,) = bundle.backend_of(launch).run(files, launch, bundle.program, [angles.numpy()], RunOptions())
    assert given.shape == wanted.shape == (450, 15)
    assert np.abs(given - wanted).max() < 1e-9


def test_the_answer_of_digits_qcnn_goes_through_its_quantum_layer(qcnn: tuple[ModuleType, qsc.Bundle]):
    module, _ = qcnn
    _, _, images, labels = module.digits()
    with torch.no_grad():
        outputs = module.model.quantum(torch.pi / 2 * module.model.features(images))
        blind = module.model.head(outputs.mean(0).expand_as(outputs)).argmax(1)
    assert (blind == labels).double().mean() <= 0.15


def test_digits_snn(tmp_path: Path):
    module = load("digits_snn")
    bundle = compiled(EXAMPLES / "digits_snn" / "model.py", "nir", tmp_path / "snn")
    _, _, images, labels = module.digits()
    spikes = bundle.run(images)
    with torch.no_grad():
        assert np.array_equal(spikes, module.model(images).numpy())
    assert (spikes.sum(0).argmax(1) == labels.numpy()).mean() >= 0.95
    assert not any("on the host" in r["text"] for r in bundle.manifest["remarks"])


def test_xor_sfq(tmp_path: Path):
    bundle = compiled(EXAMPLES / "xor_sfq.qsc", "rsfq", tmp_path / "xor")
    pairs = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], bool)
    assert bundle.run(pairs).ravel().tolist() == [False, True, True, False]
    assert {"junctions", "junctions_with_clock", "cells", "depth", "period_s"} <= set(bundle.costs)
    device = [c for c in bundle.manifest["verification"]["checks"] if c["kind"] == "device"]
    assert device[0]["samples"] >= 16
    assert device[0]["mismatches"] == 0


def test_full_adder_sfq(tmp_path: Path):
    bundle = compiled(EXAMPLES / "full_adder_sfq.qsc", "rsfq", tmp_path / "adder")
    bits = (np.arange(8)[:, None] >> np.arange(3)) & 1 == 1
    sums = bundle.run(bits).astype(int)
    assert (sums @ np.array([1, 2])).tolist() == bits.sum(1).tolist()
