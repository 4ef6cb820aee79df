"""Row 11, the ten-transmon classifier: the authors' figures to 1e-9 from the compiled circuit, without a SWAP."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import qsc

MODEL = Path(__file__).parents[2] / "examples" / "11-transmon-classifier" / "model.qsc"


@pytest.fixture(scope="module")
def bundle() -> qsc.Bundle:
    return qsc.compile(MODEL, target="line:10", effort="fast")


def test_no_swap_on_a_line_of_ten(bundle: qsc.Bundle):
    """36 CX as published, at most as many CZ as the light cone of qubit 4 leaves, each where it was written."""
    circuit = bundle.source.circuits["classifier"]
    assert circuit.gate_counts() == {"rx": 130, "rz": 130, "cx": 36}
    assert bundle.costs["two_qubit_gates"] <= 23
    assert bundle.verify().passed


def test_figures_of_the_authors(bundle: qsc.Bundle, data_folder: Path, load_example):
    evaluate = load_example("11-transmon-classifier", "evaluate")
    known = evaluate.published(data_folder)
    hardware, adversarial = known.theta["hardware"], known.theta["adversarial"]
    hand, breast = known.train[[evaluate.HAND]], known.train[[evaluate.BREAST]]
    assert bundle.run(hand, hardware)[0, 0] == pytest.approx(0.7085782963915472, abs=1e-9)
    assert bundle.run(breast, hardware)[0, 0] == pytest.approx(0.3048620682065254, abs=1e-9)
    right = {name: bundle.run(known.test, theta).argmax(1) == known.labels for name, theta in known.theta.items()}
    assert {name: round(float(r.mean()), 2) for name, r in right.items()} == {
        "simulated": 0.99,
        "hardware": 0.95,
        "adversarial": 0.98,
    }
    changed = evaluate.attack(known.train[evaluate.HAND], hardware)[None]
    assert np.abs(changed - hand).max() < 0.08
    assert bundle.run(changed, hardware)[0, 0] == pytest.approx(0.3788, abs=5e-5)
    assert bundle.run(changed, adversarial)[0, 0] == pytest.approx(0.6916, abs=5e-5)
    rows, measured = known.measured["hardware"]
    theory = bundle.run(known.test[rows], hardware)[:, 0]
    assert np.abs(theory - measured).mean() == pytest.approx(0.069, abs=5e-4)
