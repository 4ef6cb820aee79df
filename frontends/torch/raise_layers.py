"""Convolutions, normalisations and pooling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...ir import DYNAMIC, Value, ops
from .faults import Unsupported
from .raise_shapes import pad
from .raising import Call, Raiser, takes


def _each(item: Any, count: int) -> tuple[int, ...]:
    """One number for every dimension."""
    numbers = [item] if isinstance(item, int) else [*item]
    return tuple(numbers * count if len(numbers) == 1 else numbers)


def _floats(r: Raiser, call: Call, *items: Any) -> list[Value]:
    kind = r.result_type(call).dtype
    if kind not in ("f32", "f64"):
        raise Unsupported(f"a layer on {kind} values is not taken, only on floats")
    return [r.as_float(r.value(i), kind) for i in items if i is not None]


@takes("aten.conv1d", "aten.conv2d", "aten.convolution", "aten.conv1d.padding", "aten.conv2d.padding")
def _conv(r: Raiser, call: Call) -> Value:
    if call.get("transposed"):
        raise Unsupported("a transposed convolution is not taken")
    x, weight, *bias = _floats(r, call, call["input"], call["weight"], call["bias"])
    n = len(weight.type.shape) - 2
    stride, dilation = _each(call["stride"], n), _each(call["dilation"], n)
    padding = call["padding"]
    if padding == "valid":
        padding = 0
    if padding == "same":
        x, padding = _same_padding(r, x, weight.type.shape[2:], dilation)
    op = ops.Conv(stride, _each(padding, n), dilation, call["groups"])
    if len(x.type.shape) == n + 2:
        return r.layer(op, x, weight, *bias)
    out = r.layer(op, r.reshape(x, (1, *x.type.shape)), weight, *bias)
    return r.reshape(out, out.type.shape[1:])


def _same_padding(
    r: Raiser, x: Value, kernel: tuple[int, ...], dilation: tuple[int, ...]
) -> tuple[Value, tuple[int, ...]]:
    """Half of what the kernel overlaps on each side; torch puts the odd one at the end."""
    totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    rank = len(x.type.shape)
    for k, total in enumerate(totals):
        x = pad(r, x, rank - len(totals) + k, 0, total % 2, 0.0)
    return x, tuple(t // 2 for t in totals)


@takes("aten.batch_norm", "aten._native_batch_norm_legit_no_training", "aten.native_batch_norm")
def _batch_norm(r: Raiser, call: Call) -> Value | tuple[Value, ...]:
    if call.get("training") or call["running_mean"] is None or call["running_var"] is None:
        raise Unsupported("batch norm with the statistics of the batch would make samples depend on each other")
    x, mean, var = _floats(r, call, call["input"], call["running_mean"], call["running_var"])
    affine = _affine(r, call, mean.type.shape, mean.type.dtype)
    out = r.layer(ops.BatchNorm(float(call["eps"])), x, mean, var, *affine)
    return (out,) if "native" in str(call.node.target) else out


def _affine(r: Raiser, call: Call, shape: tuple[int, ...], kind: str) -> list[Value]:
    """Weight and bias: both, or none."""
    weight, bias = call["weight"], call["bias"]
    if weight is None and bias is None:
        return []
    filled = (v if v is not None else r.constant(n, shape, kind) for v, n in ((weight, 1.0), (bias, 0.0)))
    return _floats(r, call, *filled)


@takes("aten.layer_norm", "aten.native_layer_norm")
def _layer_norm(r: Raiser, call: Call) -> Value | tuple[Value, ...]:
    (x,) = _floats(r, call, call["input"])
    shape = tuple(call["normalized_shape"])
    out = r.layer(ops.LayerNorm(len(shape), float(call["eps"])), x, *_affine(r, call, shape, r.result_type(call).dtype))
    return (out,) if "native" in str(call.node.target) else out


@takes("aten.group_norm", "aten.native_group_norm")
def _group_norm(r: Raiser, call: Call) -> Value | tuple[Value, ...]:
    (x,) = _floats(r, call, call["input"])
    batch, channels, *rest = x.type.shape
    groups = call.get("num_groups", call.get("group"))
    size = channels // groups
    for d in rest:
        size *= d
    parts = r.one(ops.LayerNorm(1, float(call["eps"])), r.reshape(x, (batch, groups, size)))
    out = r.reshape(parts, x.type.shape)
    kind = r.result_type(call).dtype
    for op, name in ((ops.Mul, "weight"), (ops.Add, "bias")):
        if call[name] is not None:
            scale = r.reshape(r.as_float(r.value(call[name]), kind), (channels, *(1 for _ in rest)))
            out = r.one(op(), out, scale)
    return (out,) if "native" in str(call.node.target) else out


def _window(call: Call, n: int) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """(kernel, stride, padding) of a pooling call over n dimensions."""
    kernel = _each(call["kernel_size"], n)
    return kernel, _each(call["stride"] or kernel, n), _each(call["padding"], n)


def _dimensions(call: Call) -> int:
    return int(str(call.node.target).split("pool")[1][0])


@takes("aten.max_pool1d", "aten.max_pool2d", "aten.max_pool2d_with_indices", "aten.max_pool1d_with_indices")
def _max_pool(r: Raiser, call: Call) -> Value | tuple[Value, ...]:
    n = _dimensions(call)
    (x,) = _floats(r, call, call["self"])
    out = r.layer(ops.MaxPool(*_window(call, n), bool(call["ceil_mode"]), _each(call["dilation"], n)), x)
    return (out,) if "indices" in str(call.node.target) else out


@takes("aten.avg_pool1d", "aten.avg_pool2d")
def _avg_pool(r: Raiser, call: Call) -> Value:
    if call.get("divisor_override") is not None:
        raise Unsupported("average pooling with divisor_override is not taken")
    (x,) = _floats(r, call, call["self"])
    window = _window(call, _dimensions(call))
    return r.layer(ops.AvgPool(*window, bool(call["ceil_mode"]), bool(call["count_include_pad"])), x)


@takes("aten.adaptive_avg_pool1d", "aten.adaptive_avg_pool2d", "aten._adaptive_avg_pool2d")
def _adaptive_avg_pool(r: Raiser, call: Call) -> Value:
    (x,) = _floats(r, call, call["self"])
    return r.layer(ops.AdaptiveAvgPool(_each(call["output_size"], _dimensions(call))), x)


@takes("aten.adaptive_max_pool1d", "aten.adaptive_max_pool2d")
def _adaptive_max_pool(r: Raiser, call: Call) -> tuple[Value]:
    n = _dimensions(call)
    (x,) = _floats(r, call, call["self"])
    sizes, wanted = x.type.shape[-n:], _each(call["output_size"], n)
    if DYNAMIC in sizes or any(s % w for s, w in zip(sizes, wanted, strict=True)):
        raise Unsupported(
            f"adaptive max pooling of {_by(sizes)} to {_by(wanted)} needs windows of unequal size, which is not taken"
        )
    kernel = tuple(s // w for s, w in zip(sizes, wanted, strict=True))
    return (r.layer(ops.MaxPool(kernel, kernel, (0,) * n, False, (1,) * n), x),)


def _by(sizes: Sequence[int]) -> str:
    return "x".join(map(str, sizes))
