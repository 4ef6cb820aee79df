"""Tensor ops against the torch functions of the same names, on random shapes and both precisions."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from qsc.ir import DYNAMIC, ops
from torch.nn import functional

UNARY = {
    "neg": (ops.Neg(), torch.neg),
    "abs": (ops.Abs(), torch.abs),
    "exp": (ops.Exp(), torch.exp),
    "sin": (ops.Sin(), torch.sin),
    "cos": (ops.Cos(), torch.cos),
    "relu": (ops.Relu(), torch.relu),
    "leaky_relu": (ops.LeakyRelu(0.2), lambda x: functional.leaky_relu(x, 0.2)),
    "sigmoid": (ops.Sigmoid(), torch.sigmoid),
    "tanh": (ops.Tanh(), torch.tanh),
    "silu": (ops.Silu(), functional.silu),
    "gelu": (ops.Gelu(), functional.gelu),
    "gelu tanh": (ops.Gelu("tanh"), lambda x: functional.gelu(x, approximate="tanh")),
    "clamp": (ops.Clamp(-0.5, 0.25), lambda x: torch.clamp(x, -0.5, 0.25)),
    "clamp low": (ops.Clamp(low=0.1), lambda x: torch.clamp(x, min=0.1)),
    "clamp high": (ops.Clamp(high=0.1), lambda x: torch.clamp(x, max=0.1)),
    "clamp not": (ops.Clamp(), lambda x: x),
    "pow 2": (ops.Pow(2.0), lambda x: torch.pow(x, 2)),
    "pow 3": (ops.Pow(3.0), lambda x: torch.pow(x, 3)),
    "pow -1": (ops.Pow(-1.0), lambda x: torch.pow(x, -1)),
    "add": (ops.Add(scalar=1.5), lambda x: x + 1.5),
    "sub": (ops.Sub(scalar=1.5), lambda x: x - 1.5),
    "mul": (ops.Mul(scalar=0.1), lambda x: x * 0.1),
    "div": (ops.Div(scalar=0.3), lambda x: x / 0.3),
}
POSITIVE = {
    "log": (ops.Log(), torch.log),
    "sqrt": (ops.Sqrt(), torch.sqrt),
    "pow 0.5": (ops.Pow(0.5), lambda x: torch.pow(x, 0.5)),
}
BINARY = {ops.Add: torch.add, ops.Sub: torch.sub, ops.Mul: torch.mul, ops.Div: torch.div}
SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=4)
SEEDS = st.integers(0, 1000)


def numbers(shape, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(tuple(shape), generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("name", [*UNARY, *POSITIVE])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_elementwise(name, dtype, apply):
    op, function = (UNARY | POSITIVE)[name]
    for shape in ((3,), (2, 5), (0, 3), (2, 3, 4)):
        x = numbers(shape, dtype=dtype)
        x = x.abs() + 0.1 if name in POSITIVE else x
        torch.testing.assert_close(apply(op, x)[0], function(x), rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("name", UNARY)
def test_double_precision_computes_in_float64(name, apply):
    op, function = UNARY[name]
    x = numbers((4, 3))
    (result,) = apply(op, x, precision="f64")
    torch.testing.assert_close(result, function(x.double()), rtol=1e-14, atol=1e-14)


@settings(max_examples=25, deadline=None)
@given(SHAPES, st.data())
def test_two_operands_broadcast(apply, shape, data):
    other = [data.draw(st.sampled_from([1, d])) for d in shape[1:]]
    other = other[data.draw(st.integers(0, len(other))) :]
    a, b = numbers(shape, 1), numbers(other, 2) + 3
    for op, function in BINARY.items():
        torch.testing.assert_close(apply(op(), a, b)[0], function(a, b), rtol=0, atol=0)
        torch.testing.assert_close(apply(op(), b, a + 9, batched=(1,))[0], function(b, a + 9), rtol=0, atol=0)


def test_spikes_are_numbers(apply):
    spikes, x = (numbers((3, 2)) > 0).float(), numbers((3, 2), 1)
    (result,) = apply(ops.Mul(), spikes, x, batched=(0, 1), spikes=(0,))
    torch.testing.assert_close(result, spikes * x)
    (result,) = apply(ops.Mul(), spikes, x.double(), batched=(0, 1), spikes=(0,))
    assert result.dtype == torch.float64
    (result,) = apply(ops.Sum(dims=(1,)), spikes, spikes=(0,))
    torch.testing.assert_close(result, spikes.sum(1))


@pytest.mark.parametrize("dtype", ["f32", "f64", "i8", "i16", "i32", "i64", "bit", "spike"])
def test_cast(dtype, apply):
    wanted = {"f64": torch.float64, "bit": torch.bool, "i8": torch.int8, "i16": torch.int16, "i32": torch.int32}
    wanted |= {"i64": torch.int64}
    for x in (numbers((4, 3)) * 5, torch.arange(-6, 6, dtype=torch.int32).reshape(4, 3), numbers((4, 3)) > 0):
        (result,) = apply(ops.Cast(dtype), x)
        torch.testing.assert_close(result, x.to(wanted.get(dtype, torch.float32)))


def test_cast_to_f32_keeps_its_digits_in_double_precision(apply):
    x = numbers((4,), dtype=torch.float64)
    torch.testing.assert_close(apply(ops.Cast("f32"), x, precision="f64")[0], x, rtol=0, atol=0)
    torch.testing.assert_close(apply(ops.Cast("f32"), x)[0], x.float(), rtol=0, atol=0)


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_dequantize(axis, apply):
    q = torch.randint(-128, 128, (3, 4, 5), dtype=torch.int8, generator=torch.Generator().manual_seed(0))
    scale = numbers((q.shape[axis],)).abs()
    shape = [1, 1, 1]
    shape[axis] = -1
    (result,) = apply(ops.Dequantize(axis), q, scale, batched=())
    torch.testing.assert_close(result, q * scale.reshape(shape), rtol=0, atol=0)
    (result,) = apply(ops.Dequantize(), q.to(torch.int32), torch.tensor(0.25), batched=())
    torch.testing.assert_close(result, q * 0.25, rtol=0, atol=0)


def test_constant_takes_the_batch_of_its_operand(apply):
    x = numbers((5, 2))
    torch.testing.assert_close(apply(ops.Constant(1.5, (DYNAMIC, 3)), x)[0], torch.full((5, 3), 1.5))
    torch.testing.assert_close(apply(ops.Constant(2.0, (2,), "f64"))[0], torch.full((2,), 2.0, dtype=torch.float64))
    torch.testing.assert_close(apply(ops.Constant(3.0, (), "i32"))[0], torch.tensor(3, dtype=torch.int32))
    torch.testing.assert_close(apply(ops.Constant(1.0, (2,), "bit"))[0], torch.tensor([True, True]))
    (exact,) = apply(ops.Constant(0.1, (1,)), precision="f64")
    assert exact.item() == 0.1


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 4), st.permutations([2, 3, 4]), SEEDS)
def test_reshape(apply, batch, sizes, seed):
    x = numbers((batch, 24), seed)
    torch.testing.assert_close(apply(ops.Reshape((DYNAMIC, *sizes)), x)[0], x.reshape(batch, *sizes))
    (back,) = apply(ops.Reshape((1, DYNAMIC, 24)), x.reshape(batch, *sizes))
    torch.testing.assert_close(back, x[None])


@given(st.permutations(range(4)), SEEDS)
@settings(max_examples=20, deadline=None)
def test_permute(apply, dims, seed):
    x = numbers((2, 3, 4, 5), seed)
    torch.testing.assert_close(apply(ops.Permute(tuple(dims)), x)[0], x.permute(dims))


def test_expand(apply):
    x, like = numbers((1, 3)), numbers((4, 7))
    (result,) = apply(ops.Expand((DYNAMIC, 3)), x, like, batched=(1,))
    torch.testing.assert_close(result, x.expand(4, 3))
    (result,) = apply(ops.Expand((2, DYNAMIC, 3)), numbers((5, 1)))
    torch.testing.assert_close(result, numbers((5, 1)).expand(2, 5, 3))


@pytest.mark.parametrize("dim", [1, 2, -1, -2])
def test_cat_and_stack(dim, apply):
    parts = [numbers((2, 3, 4), seed) for seed in range(3)]
    everywhere = (0, 1, 2)
    torch.testing.assert_close(apply(ops.Cat(dim), *parts, batched=everywhere)[0], torch.cat(parts, dim))
    for at in (dim, 0, 3):
        torch.testing.assert_close(apply(ops.Stack(at), *parts, batched=everywhere)[0], torch.stack(parts, at))


@given(st.integers(0, 9), st.integers(0, 9), st.integers(1, 4), st.sampled_from([1, 2, -1, -2]))
@settings(max_examples=30, deadline=None)
def test_slice(apply, a, b, step, dim):
    x = numbers((2, 9, 9))
    start, stop = min(a, b), max(a, b)
    index = [slice(None)] * 3
    index[dim] = slice(start, stop, step)
    torch.testing.assert_close(apply(ops.Slice(dim, start, stop, step), x)[0], x[tuple(index)])
    if start < 9:
        torch.testing.assert_close(apply(ops.Slice(dim, start, start + 1, squeeze=True), x)[0], x.select(dim, start))


@pytest.mark.parametrize("dims", [(1,), (1, 2), (-1,), (3, 1), ()])
@pytest.mark.parametrize("keepdim", [False, True])
def test_reductions(dims, keepdim, apply):
    x = numbers((2, 3, 4, 5))
    for op, function in ((ops.Sum, torch.sum), (ops.Mean, torch.mean), (ops.Min, torch.amin)):
        wanted = function(x, dims, keepdim=keepdim) if dims else x
        torch.testing.assert_close(apply(op(dims, keepdim), x)[0], wanted)


def test_where(apply):
    condition, x, y = (numbers((2, 3)) > 0).float(), numbers((2, 3), 1), numbers((3,), 2)
    found = apply(ops.Where(), condition, x, y, batched=(0, 1), spikes=(0,))[0]
    torch.testing.assert_close(found, torch.where(condition > 0, x, y))


def test_matmul(apply):
    a, b = numbers((5, 2, 3), 1), numbers((3, 4), 2)
    torch.testing.assert_close(apply(ops.Matmul(), a, b)[0], a @ b)
    c = numbers((5, 3, 4), 3)
    torch.testing.assert_close(apply(ops.Matmul(), a, c, batched=(0, 1))[0], a @ c)
    torch.testing.assert_close(apply(ops.Matmul(), a[0], b, precision="f64")[0], a[0].double() @ b.double())


def test_every_tensor_op_is_differentiable(single_op):
    from qsc.ir.interpreter import evaluate

    for op, _ in (UNARY | POSITIVE).values():
        x = (numbers((2, 3), 5, torch.float64).abs() + 0.3).requires_grad_()
        module = single_op(op, [x])
        assert torch.autograd.gradcheck(lambda v, m=module: evaluate(m, [v])[0], (x,)), op
