"""Meanings of elementwise arithmetic, shapes and reductions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from .. import ops
from .walk import Environment, meaning

_UNARY: dict[type[ops.Unary], Callable[[Any, Tensor], Tensor]] = {
    ops.Neg: lambda op, x: -x,
    ops.Abs: lambda op, x: x.abs(),
    ops.Exp: lambda op, x: x.exp(),
    ops.Log: lambda op, x: x.log(),
    ops.Sqrt: lambda op, x: x.sqrt(),
    ops.Sin: lambda op, x: x.sin(),
    ops.Cos: lambda op, x: x.cos(),
    ops.Relu: lambda op, x: x.relu(),
    ops.LeakyRelu: lambda op, x: functional.leaky_relu(x, op.slope),
    ops.Sigmoid: lambda op, x: x.sigmoid(),
    ops.Tanh: lambda op, x: x.tanh(),
    ops.Silu: lambda op, x: functional.silu(x),
    ops.Gelu: lambda op, x: functional.gelu(x, approximate=op.approximate),
    ops.Clamp: lambda op, x: x if op.low is None and op.high is None else x.clamp(op.low, op.high),
    ops.Pow: lambda op, x: x.pow(op.exponent),
}

_BINARY: dict[type[ops.Binary], Callable[[Any, Any], Tensor]] = {
    ops.Add: torch.add,
    ops.Sub: torch.sub,
    ops.Mul: torch.mul,
    ops.Div: torch.div,
}


@meaning(*_UNARY)
def _unary(op: ops.Unary, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    return (_UNARY[type(op)](op, *env.floats(*args)),)


@meaning(*_BINARY)
def _binary(op: ops.Binary, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    numbers = env.floats(*args)
    return (_BINARY[type(op)](numbers[0], numbers[1] if op.scalar is None else op.scalar),)


@meaning(ops.Constant)
def _constant(op: ops.Constant, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    return (torch.full(env.shape(op.shape), op.value, dtype=env.dtype(op.dtype), device=env.device),)


@meaning(ops.Cast)
def _cast(op: ops.Cast, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    return (args[0].to(env.dtype(op.dtype)),)


@meaning(ops.Dequantize)
def _dequantize(op: ops.Dequantize, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    q, scale = args
    (scale,) = env.floats(scale)
    if scale.dim():
        shape = [1] * q.dim()
        shape[op.axis] = -1
        scale = scale.reshape(shape)
    return (scale * q.to(scale.dtype),)


@meaning(ops.Reshape)
def _reshape(op: ops.Reshape, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    return (args[0].reshape(env.shape(op.shape)),)


@meaning(ops.Permute)
def _permute(op: ops.Permute, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    return (args[0].permute(op.dims),)


@meaning(ops.Expand)
def _expand(op: ops.Expand, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    return (args[0].expand(env.shape(op.shape)),)


@meaning(ops.Cat)
def _cat(op: ops.Cat, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    return (torch.cat(list(args), op.dim),)


@meaning(ops.Stack)
def _stack(op: ops.Stack, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    return (torch.stack(list(args), op.dim),)


@meaning(ops.Slice)
def _slice(op: ops.Slice, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    index = [slice(None)] * args[0].dim()
    index[op.dim] = slice(op.start, op.stop, op.step)
    part = args[0][tuple(index)]
    return (part.squeeze(op.dim) if op.squeeze else part,)


@meaning(ops.Sum)
def _sum(op: ops.Sum, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    (x,) = env.floats(*args)
    # torch reduces everything where no dimension is named.
    return (x.sum(op.dims, keepdim=op.keepdim) if op.dims else x,)


@meaning(ops.Mean)
def _mean(op: ops.Mean, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    (x,) = env.floats(*args)
    return (x.mean(op.dims, keepdim=op.keepdim) if op.dims else x,)


@meaning(ops.Min)
def _min(op: ops.Min, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    (x,) = env.floats(*args)
    return (x.amin(op.dims, keepdim=op.keepdim) if op.dims else x,)


@meaning(ops.Where)
def _where(op: ops.Where, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    return (torch.where(args[0] != 0, *env.floats(*args[1:])),)


@meaning(ops.Matmul)
def _matmul(op: ops.Matmul, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    return (torch.matmul(*env.floats(*args)),)
