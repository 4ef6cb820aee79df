"""Extrapolation to no noise: what every model is exact for, and where the exponential one falls back."""

from __future__ import annotations

import numpy as np
import pytest
from qsc.ir import DYNAMIC, GraphBuilder, Module, Type, verify
from qsc.ir.graph import TypeFault
from qsc.ir.interpreter import evaluate
from qsc.ir.ops import Extrapolate

SCALES = (1.0, 3.0, 5.0)


def extrapolated(values: np.ndarray, model: str, **options) -> np.ndarray:
    graph = GraphBuilder(Module("m"))
    x = graph.input("x", Type("f64", (DYNAMIC, *values.shape[1:])))
    out = graph.add(Extrapolate(SCALES, model, **options), x)
    module = Module("m").with_(graph=graph.graph(*out))
    verify(module)
    return evaluate(module, [values])[0].numpy()


def curves(of) -> np.ndarray:
    """(batch, scales, n) of n curves of two parameters each."""
    a, b = np.random.default_rng(0).uniform(0.2, 0.9, (2, 4, 1, 3))
    return np.stack([of(s, a[:, 0], b[:, 0]) for s in SCALES], axis=1)


def test_what_each_model_is_exact_for():
    a, _ = np.random.default_rng(0).uniform(0.2, 0.9, (2, 4, 1, 3))
    wanted = a[:, 0]
    assert np.abs(extrapolated(curves(lambda s, a, b: a - b * s), "linear") - wanted).max() < 1e-12
    parabola = curves(lambda s, a, b: a - b * s + 0.1 * s**2)
    assert np.abs(extrapolated(parabola, "richardson") - wanted).max() < 1e-12
    decay = curves(lambda s, a, b: -a * np.exp(-0.2 * b * s))
    assert np.abs(extrapolated(decay, "exponential") + wanted).max() < 1e-12


def test_equal_values_stay():
    values = np.repeat(np.array([[[0.3, -0.7, 0.0]]]), 3, axis=1)
    for model in ("linear", "richardson", "exponential"):
        assert np.abs(extrapolated(values, model) - values[:, 0]).max() < 1e-12


@pytest.mark.parametrize("points", [[0.1, -0.05, 0.02], [0.2, 0.3, 0.4], [5e-4, 3e-4, 1e-4]])
def test_the_guard_takes_the_line(points):
    values = np.array(points)[None, :, None]
    assert np.abs(extrapolated(values, "exponential") - extrapolated(values, "linear")).max() == 0.0


@pytest.mark.parametrize("options", [{"scales": (1.0,)}, {"scales": (1.0, 1.0, 3.0)}, {"model": "cubic"}])
def test_type_rule(options):
    graph = GraphBuilder(Module("m"))
    x = graph.input("x", Type("f64", (DYNAMIC, 3, 2)))
    given = {"scales": SCALES, "model": "linear"} | options
    with pytest.raises(TypeFault):
        graph.add(Extrapolate(**given), x)
