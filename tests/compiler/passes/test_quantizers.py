"""Levels of weights: every weight goes to its nearest, and scales have the least error that they claim."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import qsc
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from qsc.compiler import contracts
from qsc.compiler.passes.base import Context
from qsc.compiler.passes.quantize_weights import QuantizeWeights
from qsc.compiler.passes.quantizers import CLIPS, KINDS, levels_of, quantize, stored_bits
from qsc.ir import InputError

from .test_quantize_weights import layers

WEIGHTS = arrays(np.float32, array_shapes(min_dims=2, max_dims=4, max_side=5), elements=st.floats(-100, 100, width=32))
CHOICES = st.tuples(st.sampled_from(KINDS), st.sampled_from(CLIPS), st.integers(2, 5), st.booleans())


def restored(integers: np.ndarray, scale: np.ndarray) -> np.ndarray:
    wide = scale.astype(np.float64).reshape(-1, *(1,) * (integers.ndim - 1)) if scale.ndim else np.float64(scale)
    return integers * wide


def squared(weight: np.ndarray, how: tuple[np.ndarray, np.ndarray]) -> float:
    return float(np.square(weight - restored(*how)).sum())


@given(WEIGHTS, CHOICES)
def test_every_weight_goes_to_its_nearest_level(weight: np.ndarray, choice: tuple[str, str, int, bool]):
    kind, clip, bits, per_channel = choice
    levels = levels_of(kind, bits)
    integers, scale = quantize(weight, bits, per_channel, kind, clip)
    assert np.isin(integers, levels).all()
    assert len(levels) <= 2 ** stored_bits(kind, bits)
    spread = restored(np.ones_like(integers), scale)
    best = np.min([np.abs(weight - level * spread) for level in levels], axis=0)
    assert (np.abs(weight - restored(integers, scale)) <= best + 1e-6 * spread).all()


@given(WEIGHTS, st.sampled_from(("uniform", "power-of-two")), st.integers(2, 5), st.booleans())
def test_clipping_by_error_is_never_behind_the_maximum(weight: np.ndarray, kind: str, bits: int, per_channel: bool):
    by_error, by_max = (squared(weight, quantize(weight, bits, per_channel, kind, clip)) for clip in ("error", "max"))
    assert by_error <= by_max * (1 + 1e-6) + 1e-30


@given(arrays(np.float64, (2, 6), elements=st.floats(-8, 8)), st.sampled_from(("ternary", "binary")))
def test_ternary_and_binary_weights_have_the_least_squared_error(weight: np.ndarray, kind: str):
    assume((np.abs(weight).max(axis=1) > 1e-6).all())
    found = quantize(weight, 8, True, kind)
    for row, integers, scale in zip(weight, *found, strict=True):
        signs = np.array(list(product(levels_of(kind, 8), repeat=len(row))))
        norms = np.square(signs).sum(axis=1)
        # The best scale of given levels is a projection, and takes (w q)^2 / q^2 off the squared error.
        gains = np.square(np.maximum(signs @ row, 0))[norms > 0] / norms[norms > 0]
        least = np.square(row).sum() - gains.max()
        assert np.square(row - scale * integers).sum() <= least + 1e-9 * np.square(row).sum() + 1e-15


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("clip", CLIPS)
def test_layers_with_every_kind_of_levels_keep_the_contract(kind: str, clip: str):
    before, pass_ = layers(), QuantizeWeights(4, quantizer=kind, clip=clip)
    context = Context()
    after = pass_.run(before, context)
    measured = pass_.measured(before, after)
    assert measured.value <= measured.bound
    x = np.random.default_rng(1).normal(size=(4, 2, 3, 3)).astype(np.float32)
    assert contracts.check(pass_, before, after, [[x]]).detail
    bits = stored_bits(kind, 4)
    assert f"shared.q{bits}" in after.weights
    assert f"at {bits} bits" in context.remarks[0].message
    assert ("bound" in context.remarks[0].message) is (kind == "uniform" and clip == "max")


def test_clipping_helps_where_one_weight_is_large():
    weight = np.random.default_rng(0).normal(size=(4, 300))
    weight[:, 0] = 8
    assert squared(weight, quantize(weight, 3, clip="error")) < 0.6 * squared(weight, quantize(weight, 3))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"quantizer": "ternry"}, "did you mean ternary"),
        ({"clip": "mean"}, "did you mean max"),
        ({"quantizer": "power-of-two", "bits": 6}, "it takes 2 to 5 there"),
    ],
)
def test_options_that_are_none(options: dict, words: str):
    with pytest.raises(InputError, match=f"O0002[^$]*{words}"):
        QuantizeWeights(**options)


@pytest.mark.parametrize(("kind", "bits"), [("ternary", 2), ("binary", 1), ("power-of-two", 4), ("uniform", 3)])
def test_the_bits_of_the_levels_reach_the_report(kind: str, bits: int):
    rng = np.random.default_rng(0)
    text = """
    weight @w: f32[6,12];
    weight @beta: f32[1];
    weight @threshold: f32[1];
    main(x: f32[8,?,12]) {
      v = constant(x, value=0.0, shape=[?, 6]);
      last, y = scan(v, x, steps=8, carried=1, sequences=1) {
        body(v: f32[?,6], x: f32[?,12]) {
          s, v1 = leaky(linear(x, @w), v, @beta, @threshold, reset="zero", delayed=false);
          return v1, s;
        }
      }
      return y;
    }
    """
    weights = {
        "w": rng.normal(size=(6, 12)).astype(np.float32),
        "beta": np.full(1, 0.9, np.float32),
        "threshold": np.full(1, 1.0, np.float32),
    }
    from qsc.frontends.text import read

    module = read(text, "net", weights)
    x = (rng.random((8, 16, 12)) < 0.4).astype(np.float32)
    bundle = qsc.compile(module, target="nir", calibration=[x], quantizer=kind, bits=3)
    assert bundle.costs["weight_bits"] == bits
    assert bundle.costs["bit_budget"] == 8 * bits
    assert bundle.verify().passed
