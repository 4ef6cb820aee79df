"""Meanings of layers with weights or windows: those of torch.nn.functional."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

from .. import ops
from .walk import Environment, meaning

_CONV = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
_MAX_POOL = {1: functional.max_pool1d, 2: functional.max_pool2d, 3: functional.max_pool3d}
_AVG_POOL = {1: functional.avg_pool1d, 2: functional.avg_pool2d, 3: functional.avg_pool3d}
_ADAPTIVE_AVG_POOL = {
    1: functional.adaptive_avg_pool1d,
    2: functional.adaptive_avg_pool2d,
    3: functional.adaptive_avg_pool3d,
}


@meaning(ops.Linear)
def _linear(op: ops.Linear, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    return (functional.linear(*env.floats(*args)),)


@meaning(ops.Conv)
def _conv(op: ops.Conv, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    x, weight, *bias = env.floats(*args)
    convolve = _CONV[len(op.stride)]
    return (convolve(x, weight, bias[0] if bias else None, op.stride, op.padding, op.dilation, op.groups),)


@meaning(ops.BatchNorm)
def _batch_norm(op: ops.BatchNorm, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    x, mean, var, *affine = env.floats(*args)
    return (functional.batch_norm(x, mean, var, *affine, training=False, eps=op.eps),)


@meaning(ops.LayerNorm)
def _layer_norm(op: ops.LayerNorm, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    x, *affine = env.floats(*args)
    return (functional.layer_norm(x, x.shape[-op.dims :], *affine, eps=op.eps),)


@meaning(ops.Softmax)
def _softmax(op: ops.Softmax, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    return (env.floats(*args)[0].softmax(op.dim),)


@meaning(ops.MaxPool)
def _max_pool(op: ops.MaxPool, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    pool = _MAX_POOL[len(op.kernel)]
    return (pool(env.floats(*args)[0], op.kernel, op.stride, op.padding, op.dilation, op.ceil),)


@meaning(ops.AvgPool)
def _avg_pool(op: ops.AvgPool, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    pool = _AVG_POOL[len(op.kernel)]
    return (pool(env.floats(*args)[0], op.kernel, op.stride, op.padding, op.ceil, op.count_padding),)


@meaning(ops.SumPool)
def _sum_pool(op: ops.SumPool, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    (x,) = env.floats(*args)
    if len(op.kernel) == 1:
        # torch takes a divisor for images and volumes only; a row is an image of height 1.
        sizes = (1, *op.kernel), (1, *op.stride), (0, *op.padding)
        return (functional.avg_pool2d(x.unsqueeze(-2), *sizes, op.ceil, divisor_override=1).squeeze(-2),)
    pool = functional.avg_pool2d if len(op.kernel) == 2 else functional.avg_pool3d
    return (pool(x, op.kernel, op.stride, op.padding, op.ceil, divisor_override=1),)


@meaning(ops.AdaptiveAvgPool)
def _adaptive_avg_pool(op: ops.AdaptiveAvgPool, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    return (_ADAPTIVE_AVG_POOL[len(op.size)](env.floats(*args)[0], op.size),)
