"""quantize-weights: integers with a scale, the error below half of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from qsc.compiler import contracts
from qsc.compiler.passes.base import Context, Contract
from qsc.compiler.passes.quantize_weights import QuantizeWeights
from qsc.compiler.passes.quantizers import quantize
from qsc.ir import CheckError, GraphBuilder, InputError, Module, Type, ops, verify
from qsc.ir.interpreter import evaluate, max_error

FLOATS = st.floats(-1e4, 1e4, width=32)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    arrays(np.float32, array_shapes(min_dims=2, max_dims=4, max_side=4), elements=FLOATS),
    st.integers(2, 16),
    st.booleans(),
)
def test_the_error_is_at_most_half_a_scale(weight: np.ndarray, bits: int, per_channel: bool):
    integers, scale = quantize(weight, bits, per_channel)
    assert scale.dtype == weight.dtype
    assert integers.dtype == (np.int8 if bits <= 8 else np.int16)
    assert np.abs(integers.astype(int)).max() <= 2 ** (bits - 1) - 1
    assert scale.shape == (weight.shape[:1] if per_channel else ())
    spread = scale.astype(float).reshape(-1, *(1,) * (weight.ndim - 1)) if per_channel else float(scale)
    assert (np.abs(weight - spread * integers) <= spread / 2 * (1 + 1e-9)).all()
    assert (integers[weight == 0] == 0).all()


def layers(dtype: type = np.float32) -> Module:
    """A convolution with one channel of zeros, and two linear layers that share a weight."""
    rng = np.random.default_rng(0)
    weights = {
        "0.weight": rng.normal(size=(3, 2, 2, 2)).astype(dtype),
        "0.bias": rng.normal(size=3).astype(dtype),
        "shared": rng.normal(size=(12, 12)).astype(dtype),
    }
    weights["0.weight"][1] = 0
    module = Module("m", weights=weights)
    builder = GraphBuilder(module)
    x = builder.input("x", Type("f32" if dtype == np.float32 else "f64", (-1, 2, 3, 3)))
    y = builder.add(ops.Conv(), x, builder.weight("0.weight"), builder.weight("0.bias"))[0]
    y = builder.add(ops.Reshape((-1, 12)), y)[0]
    for _ in range(2):
        y = builder.add(ops.Tanh(), builder.add(ops.Linear(), y, builder.weight("shared"))[0])[0]
    return module.with_(graph=builder.graph(y))


def restore(module: Module, name: str, bits: int) -> np.ndarray:
    integers, scale = module.weights[f"{name}.q{bits}"], module.weights[f"{name}.scale"]
    return (
        integers * scale.reshape(-1, *(1,) * (integers.ndim - 1))
        if scale.ndim
        else (integers * scale).astype(scale.dtype)
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("bits", [3, 8, 12])
def test_layers_take_the_restored_weights(bits: int, per_channel: bool, dtype: type):
    before = layers(dtype)
    pass_, context = QuantizeWeights(bits, per_channel), Context()
    after = pass_.run(before, context)
    verify(after)
    assert set(after.weights) == {"0.bias", f"0.weight.q{bits}", "0.weight.scale", f"shared.q{bits}", "shared.scale"}
    assert sum(isinstance(n.op, ops.Dequantize) for n in after.graph.nodes) == 2
    x = np.random.default_rng(1).normal(size=(4, 2, 3, 3)).astype(dtype)
    restored = before.with_(weights=dict(before.weights) | {k: restore(after, k, bits) for k in ("0.weight", "shared")})
    assert max_error(*(evaluate(m, [x], precision="f64")[0] for m in (restored, after))) < (
        1e-6 if dtype == np.float32 else 1e-14
    )
    assert max_error(*(evaluate(m, [x], precision="f64")[0] for m in (before, after))) > 0
    measured = pass_.measured(before, after)
    assert 0.5 < measured.value <= measured.bound
    outcome = contracts.check(pass_, before, after, [[x]])
    assert outcome.contract is Contract.APPROXIMATE
    assert "outputs change by" in outcome.detail
    assert pass_.run(after, Context()) is after


def test_the_remark_states_bytes_and_error_beside_its_bound():
    context = Context()
    QuantizeWeights(8).run(layers(), context)
    assert [r.message.split(",")[0] for r in context.remarks] == [
        "weight 0.weight: 96 -> 36 bytes at 8 bits",
        "weight shared: 576 -> 192 bytes at 8 bits",
    ]
    for remark in context.remarks:
        error, bound = (float(remark.message.split(word)[1].split()[0].rstrip(")")) for word in ("error ", "bound "))
        assert 0 < error <= bound < 0.02
    assert context.remarks[0].saved == {"weight_bytes": 60.0}


def test_an_error_above_the_bound_is_caught():
    before = layers()
    after = QuantizeWeights(8).run(before, Context())
    wrong = after.weights["shared.q8"].copy()
    wrong[2, 3] += 2
    broken = after.with_(weights=dict(after.weights) | {"shared.q8": wrong})
    with pytest.raises(CheckError, match=r"quantize-weights.*'approximate'.*nearest level"):
        contracts.check(QuantizeWeights(8), before, broken)


@pytest.mark.parametrize("bits", [1, 17])
def test_bits_that_make_no_sense(bits: int):
    with pytest.raises(InputError, match="it takes 2 to 16"):
        QuantizeWeights(bits).run(layers(), Context())
