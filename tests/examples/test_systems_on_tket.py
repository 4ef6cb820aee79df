"""The systems on tket targets: compiled, verified to 1e-9 against their sources, and the figure of their row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import qsc
import torch

pytest.importorskip("pytket")


def table_of(n: int) -> np.ndarray:
    return ((np.arange(1 << n)[:, None] >> np.arange(n)) & 1).astype(float)


def test_row_1(load_example):
    table = table_of(4)
    layer = qsc.nn.Quantum(load_example("01-pauli-classifier").parity(4, [0, 1, 2, 3]), ["Y4"], dtype=torch.float64)
    bundle = qsc.compile(layer, target="tket:all:5", example_input=torch.from_numpy(table), effort="fast")
    assert np.abs(bundle.run(table)[:, 0] - (1 - 2 * table).prod(1)).max() < 1e-9


def test_row_11():
    model = Path(__file__).parents[2] / "examples" / "11-transmon-classifier" / "model.qsc"
    bundle = qsc.compile(model, target="tket:line:10", effort="fast")
    assert bundle.costs["two_qubit_gates"] <= 23


def test_row_20(load_example):
    module = load_example("20-quantum-kernel")
    points = module.ad_hoc(0).train[:6]
    states = np.array([module.state(x) for x in points])
    compiled = module.kernel("tket:line:2", effort="fast")
    assert np.abs(compiled(points) - np.abs(states.conj() @ states.T) ** 2).max() < 1e-9
    assert compiled.bundle.costs["two_qubit_gates"] <= 6


def test_row_22(load_example):
    """One layer of the fifteen: an evolution by the image and two SU(4) gates."""
    module = load_example("22-hamiltonian-embedding")
    images = module.digits()[2][:4]
    with torch.no_grad():
        angles = module.model.evolution(images)[:, 0]
        layer = qsc.nn.Quantum(module.embedding(module.reference.gates().numpy()[:1]), "probs")
        wanted = layer(angles).numpy()
    bundle = qsc.compile(layer, target="tket:all:3", example_input=angles, effort="fast")
    assert np.abs(bundle.run(angles) - wanted).max() < 1e-9
    assert bundle.costs["two_qubit_gates"] <= 26


@pytest.mark.parametrize("target", ["tket:line:5", "quantinuum_h2-1"])
def test_row_28(target: str, load_example):
    module = load_example("28-transfer-learning")
    images = module.digits()[2][:20]
    bundle = qsc.compile(module.model, target=target, example_input=module.example_input, effort="fast")
    with torch.no_grad():
        wanted = module.model.double()(images.double()).numpy()
    module.model.float()
    assert np.abs(bundle.run(images) - wanted).max() < 1e-9


def test_row_35(load_example):
    module, evaluate = load_example("35-dense-kernel"), load_example("35-dense-kernel", "evaluate")
    halves = module.data()
    train, _ = evaluate.matrices(module.dense_map(30), halves)
    compiled = qsc.QuantumKernel(module.dense_map(30), "tket:line:10", effort="fast")
    assert np.abs(compiled(halves[0][:4]) - train[:4, :4]).max() < 1e-9
    assert compiled.bundle.costs["two_qubit_gates"] <= 18
