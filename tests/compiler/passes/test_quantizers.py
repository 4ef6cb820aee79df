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
from qsc.compiler.calibration import layer_grams
from qsc.compiler.passes.base import Context
from qsc.compiler.passes.quantize_weights import QuantizeWeights
from qsc.compiler.passes.quantizers import CLIPS, KINDS, ROUNDINGS, compensated, levels_of, quantize, stored_bits
from qsc.ir import GraphBuilder, InputError, Module, Type, ops
from qsc.ir.interpreter import evaluate

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
        ({"layer_bits": "fc1=17"}, "it takes 2 to 16 there"),
        ({"layer_bits": "fc1"}, "as in"),
        ({"layer_bits": "=3"}, "as in"),
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


def test_grams_are_what_layers_meet():
    module = layers()
    x = np.random.default_rng(2).normal(size=(5, 2, 3, 3)).astype(np.float32)
    grams = layer_grams(module, [x])
    assert {name: gram.shape for name, gram in grams.items()} == {"0.weight": (1, 8, 8), "shared": (1, 12, 12)}
    windows = [x[:, :, i : i + 2, j : j + 2].reshape(5, 8).astype(np.float64) for i in range(2) for j in range(2)]
    assert np.allclose(grams["0.weight"][0], sum(w.T @ w for w in windows), rtol=1e-12)


@pytest.mark.parametrize(("groups", "stride", "padding"), [(1, 1, 0), (2, 2, 1), (4, 1, 1)])
def test_grams_give_the_error_of_a_convolution(groups: int, stride: int, padding: int):
    rng = np.random.default_rng(3)
    weight = rng.normal(size=(8, 4 // groups, 3, 3))
    module = Module("m", weights={"w": weight})
    builder = GraphBuilder(module)
    x = builder.input("x", Type("f64", (-1, 4, 6, 6)))
    op = ops.Conv((stride, stride), (padding, padding), (1, 1), groups)
    module = module.with_(graph=builder.graph(builder.add(op, x, builder.weight("w"))[0]))
    given = rng.normal(size=(3, 4, 6, 6))
    rows = weight.reshape(groups, 8 // groups, -1)
    squares = np.einsum("grk,gkl,grl->gr", rows, layer_grams(module, [given])["w"], rows).reshape(-1)
    out = evaluate(module, [given])[0].numpy()
    assert np.allclose(squares, np.square(out).sum(axis=(0, 2, 3)), rtol=1e-9)


@given(st.sampled_from(KINDS), st.integers(2, 4), st.integers(0, 1000), st.sampled_from((1, 3)))
def test_compensated_rounding_is_never_farther_from_the_layer(kind: str, bits: int, seed: int, groups: int):
    rng = np.random.default_rng(seed)
    weight = rng.normal(size=(6, 10))
    x = rng.normal(size=(groups, 10, 7)) @ rng.normal(size=(7, 40))
    grams = x @ x.transpose(0, 2, 1)
    integers, scale = quantize(weight, bits, True, kind)
    found = compensated(weight, integers, scale, levels_of(kind, bits), grams)
    assert np.isin(found, levels_of(kind, bits)).all()
    for part, inputs in zip(np.split(np.arange(6), groups), x, strict=True):
        was, now = (
            np.square((q[part] * scale[part, None] - weight[part]) @ inputs).sum(axis=1) for q in (integers, found)
        )
        assert (now <= was * (1 + 1e-9)).all()


def test_compensated_rounding_helps_where_inputs_go_together():
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(20, 60))
    x = rng.normal(size=(60, 5)) @ rng.normal(size=(5, 500)) + 0.1 * rng.normal(size=(60, 500))
    integers, scale = quantize(weight, 3)
    found = compensated(weight, integers, scale, levels_of("uniform", 3), (x @ x.T)[None])
    was, now = (np.square((q * scale[:, None] - weight) @ x).sum() for q in (integers, found))
    assert now < 0.3 * was


@pytest.mark.parametrize("kind", KINDS)
def test_the_pass_compensates(kind: str):
    before, pass_ = layers(), QuantizeWeights(3, quantizer=kind, rounding="compensated")
    x = np.random.default_rng(1).normal(size=(40, 2, 3, 3)).astype(np.float32)
    plain = QuantizeWeights(3, quantizer=kind).run(before, Context(inputs=[x]))
    after = pass_.run(before, Context(inputs=[x]))
    measured = pass_.measured(before, after)
    assert (measured.value, measured.bound) == (0, 0)
    assert after.weights.keys() == plain.weights.keys()
    assert any(not np.array_equal(after.weights[name], plain.weights[name]) for name in after.weights)
    assert pass_.run(before, Context(inputs=[x])).weights.keys() == after.weights.keys()
    assert pass_.run(before, Context()).weights.keys() == after.weights.keys()


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_layers_have_bits_of_their_own(rounding: str):
    before = layers()
    pass_ = QuantizeWeights(8, layer_bits="0 = 3", rounding=rounding)
    context = Context()
    after = pass_.run(before, context)
    assert {"0.weight.q3", "shared.q8"} <= after.weights.keys()
    assert np.abs(after.weights["0.weight.q3"]).max() == 3
    assert [remark.message.split(",")[0][-9:] for remark in context.remarks] == ["at 3 bits", "at 8 bits"]
    measured = pass_.measured(before, after)
    assert measured.value <= measured.bound
    assert set(QuantizeWeights(3).run(before, Context()).weights) - after.weights.keys() == {"shared.q3"}
    with pytest.raises(InputError, match=r"there is no layer 'fc1'[^$]*known: 0, shared"):
        QuantizeWeights(8, layer_bits="fc1=3").run(before, Context())
