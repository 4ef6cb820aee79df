"""Layers against torch's, on random shapes and options."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from qsc.ir import Module, Type, TypeFault, ops
from torch import nn
from torch.nn import functional


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def check(apply, op, wanted, *arrays: torch.Tensor) -> None:
    """The op equals the torch function in both precisions."""
    torch.testing.assert_close(apply(op, *arrays)[0], wanted(*arrays), rtol=0, atol=0)
    wide = [a.double() for a in arrays]
    torch.testing.assert_close(apply(op, *arrays, precision="f64")[0], wanted(*wide), rtol=0, atol=0)


@pytest.mark.parametrize("shape", [(2, 5), (0, 5), (2, 3, 5), (2, 3, 4, 5)])
def test_linear(shape, apply):
    x, w, b = numbers(*shape), numbers(4, 5, seed=1), numbers(4, seed=2)
    check(apply, ops.Linear(), functional.linear, x, w)
    check(apply, ops.Linear(), functional.linear, x, w, b)


CONV = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("seed", range(8))
def test_conv(n, seed, apply):
    rng = np.random.default_rng(seed)
    groups = int(rng.choice([1, 2, 4]))
    kernel, stride, padding, dilation = (tuple(rng.integers(lo, 4, n).tolist()) for lo in (1, 1, 0, 1))
    op = ops.Conv(stride, padding, dilation, groups)
    x = numbers(2, 4, *rng.integers(8, 11, n).tolist(), seed=seed)
    w, b = numbers(8, 4 // groups, *kernel, seed=seed + 1), numbers(8, seed=seed + 2)

    def wanted(x, w, b=None):
        return CONV[n](x, w, b, stride, padding, dilation, groups)

    check(apply, op, wanted, x, w)
    check(apply, op, wanted, x, w, b)


POOLS = {
    1: (functional.max_pool1d, functional.avg_pool1d, functional.adaptive_avg_pool1d),
    2: (functional.max_pool2d, functional.avg_pool2d, functional.adaptive_avg_pool2d),
    3: (functional.max_pool3d, functional.avg_pool3d, functional.adaptive_avg_pool3d),
}


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("seed", range(10))
def test_pools(n, seed, apply):
    rng = np.random.default_rng(seed)
    kernel, stride = (tuple(rng.integers(1, 4, n).tolist()) for _ in range(2))
    padding = tuple(int(rng.integers(0, k // 2 + 1)) for k in kernel)
    dilation = tuple(rng.integers(1, 3, n).tolist())
    ceil, counted = bool(rng.integers(2)), bool(rng.integers(2))
    x = numbers(2, 3, *rng.integers(6, 10, n).tolist(), seed=seed)
    largest, mean, adaptive = POOLS[n]
    op = ops.MaxPool(kernel, stride, padding, ceil, dilation)
    check(apply, op, lambda x: largest(x, kernel, stride, padding, dilation, ceil), x)
    op = ops.AvgPool(kernel, stride, padding, ceil, counted)
    check(apply, op, lambda x: mean(x, kernel, stride, padding, ceil, counted), x)
    size = tuple(rng.integers(1, 7, n).tolist())
    check(apply, ops.AdaptiveAvgPool(size), lambda x: adaptive(x, size), x)


def test_window_sizes_are_torchs():
    """Every small window: the type rule and torch agree on the size, or both refuse it."""
    module = Module("m")
    for size, kernel, stride, padding, ceil in itertools.product(range(1, 7), range(1, 4), range(1, 4), (0, 1), (0, 1)):
        op = ops.AvgPool((kernel,), (stride,), (padding,), bool(ceil))
        try:
            wanted = functional.avg_pool1d(torch.zeros(1, 1, size), kernel, stride, padding, bool(ceil)).shape
        except RuntimeError:
            with pytest.raises(TypeFault):
                op.result_types((Type("f32", (1, 1, size)),), module)
        else:
            assert op.result_types((Type("f32", (1, 1, size)),), module)[0].shape == tuple(wanted)


@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 5), (4, 3, 5, 6)])
def test_batch_norm(shape, apply):
    layer = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d}[len(shape)](3, eps=1e-3)
    torch.manual_seed(0)
    for _ in range(3):
        layer(torch.randn(8, *shape[1:]) * 2 + 1)
    nn.init.normal_(layer.weight)
    nn.init.normal_(layer.bias)
    layer.eval()
    x = numbers(*shape)
    statistics = [v.detach() for v in (layer.running_mean, layer.running_var, layer.weight, layer.bias)]
    torch.testing.assert_close(apply(ops.BatchNorm(1e-3), x, *statistics)[0], layer(x).detach(), rtol=0, atol=0)
    mean, var, weight, bias = (v.reshape(-1, *[1] * (len(shape) - 2)) for v in statistics)
    by_formula = (x - mean) / torch.sqrt(var + 1e-3) * weight + bias
    torch.testing.assert_close(apply(ops.BatchNorm(1e-3), x, *statistics)[0], by_formula)
    plain = (x - mean) / torch.sqrt(var + 1e-3)
    torch.testing.assert_close(apply(ops.BatchNorm(1e-3), x, *statistics[:2])[0], plain)


@pytest.mark.parametrize("dims", [1, 2])
def test_layer_norm(dims, apply):
    x, weight, bias = numbers(3, 4, 5), numbers(*(4, 5)[-dims:], seed=1), numbers(*(4, 5)[-dims:], seed=2)
    for parameters in ((), (weight,), (weight, bias)):
        check(
            apply,
            ops.LayerNorm(dims, 1e-4),
            lambda x, *p: functional.layer_norm(x, (4, 5)[-dims:], *p, eps=1e-4),
            x,
            *parameters,
        )


@pytest.mark.parametrize("dim", [1, 2, -1])
def test_softmax(dim, apply):
    check(apply, ops.Softmax(dim), lambda x: functional.softmax(x, dim), numbers(3, 4, 5) * 4)


@pytest.mark.parametrize(
    ("op", "types"),
    [
        (ops.Softmax(0), ["f32[?,3]"]),
        (ops.LayerNorm(2), ["f32[?,3]"]),
        (ops.AdaptiveAvgPool((2,)), ["f32[3,?]"]),
        (ops.Reshape((3, -1)), ["f32[?,3]"]),
        (ops.Matmul(), ["f32[3,?]", "f32[?,3]"]),
        (ops.MaxPool((3,), (1,), (2,), dilation=(1,)), ["f32[?,3,9]"]),
        (ops.MaxPool((0,), (1,), (0,), dilation=(1,)), ["f32[?,3,9]"]),
        (ops.Conv((0,), (0,), (1,)), ["f32[?,3,9]", "f32[2,3,1]"]),
    ],
)
def test_what_would_mix_samples_or_has_no_meaning_is_refused(op, types):
    def parse(text: str) -> Type:
        shape = text[4:-1].split(",")
        return Type(text[:3], tuple(-1 if d == "?" else int(d) for d in shape))

    with pytest.raises(TypeFault):
        op.result_types(tuple(map(parse, types)), Module("m"))


def test_layers_are_differentiable_in_inputs_and_weights(single_op):
    from qsc.ir.interpreter import evaluate

    x, w, b = (t.double().requires_grad_() for t in (numbers(2, 4, 6), numbers(4, 2, 3, seed=1), numbers(4, seed=2)))
    module = single_op(ops.Conv((2,), (1,), (1,), 2), [x, w, b])
    assert torch.autograd.gradcheck(lambda *v: evaluate(module, v)[0], (x, w, b))


@pytest.mark.parametrize("ceil", [False, True])
@pytest.mark.parametrize("shape", [(2, 3, 9, 8), (2, 3, 9)])
def test_sum_pooling_is_a_convolution_with_ones(shape: tuple[int, ...], ceil: bool, apply):
    n = len(shape) - 2
    op = ops.SumPool((3, 2)[:n], (2, 3)[:n], (1, 0)[:n], ceil)
    x = torch.randint(0, 2, shape).float()
    (given,) = apply(op, x, batched=(0,))
    kernel = torch.ones(3, 1, *op.kernel)
    conv = torch.nn.functional.conv2d if n == 2 else torch.nn.functional.conv1d
    # Enough zeros behind for a window that hangs over the end.
    sides = [size for p, k in zip(op.padding[::-1], op.kernel[::-1], strict=True) for size in (p, p + k)]
    padded = torch.nn.functional.pad(x, sides)
    wanted = conv(padded, kernel, None, op.stride, groups=3)
    assert torch.equal(given, wanted[(..., *(slice(0, d) for d in given.shape[2:]))])
