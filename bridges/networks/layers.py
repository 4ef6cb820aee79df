"""Layers without state: a node of the IR -> kind and fields of a part, or None where the node does nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...ir import Node, ops
from ...ir.types import DYNAMIC, Type

Weight = Callable[[int], np.ndarray | None]
"""The array of the operand with this number, None where there is none."""

Made = tuple[str, dict[str, Any]]
"""Kind and fields of a `Layer`."""


class RefusedError(Exception):
    """No network holds this; the message is the reason."""


def features(t: Type) -> tuple[int, ...]:
    """The shape without batch and time. RefusedError where there is nothing else, or another order."""
    if t.shape[:1] == (DYNAMIC,):
        left = t.shape[1:]
    elif is_timed(t):
        left = t.shape[2:]
    else:
        raise RefusedError(f"{t} does not have the batch first, or time and then the batch")
    if not left:
        raise RefusedError(f"{t} has no dimension beside the batch")
    return left


def is_timed(t: Type) -> bool:
    """Whether the first dimension is time."""
    return len(t.shape) > 1 and t.shape[0] != DYNAMIC and t.shape[1] == DYNAMIC


def _linear(node: Node, weight: Weight) -> Made:
    if len(features(node.operands[0].type)) != 1:
        raise RefusedError(f"its input {node.operands[0].type} is not one vector a sample")
    return "linear", _with_bias(weight)


def _with_bias(weight: Weight) -> dict[str, Any]:
    bias = weight(2)
    return {"weight": weight(1)} | ({} if bias is None else {"bias": bias})


def _conv(node: Node, weight: Weight) -> Made:
    op = node.op
    assert isinstance(op, ops.Conv)
    if len(op.stride) > 2:
        raise RefusedError("networks have convolutions over one and two dimensions only")
    geometry = {"stride": op.stride, "padding": op.padding, "dilation": op.dilation, "groups": op.groups}
    return "conv", _with_bias(weight) | geometry


def _pool(node: Node, weight: Weight) -> Made:
    op = node.op
    assert isinstance(op, ops.AvgPool | ops.SumPool)
    if len(op.kernel) != 2 or len(features(node.operands[0].type)) != 3:
        raise RefusedError("networks have pooling over two dimensions of images with channels only")
    if op.ceil or (isinstance(op, ops.AvgPool) and any(op.padding) and not op.count_padding):
        raise RefusedError("pooling of a network counts padding and rounds down")
    return op.mnemonic, {"kernel": op.kernel, "stride": op.stride, "padding": op.padding}


def _reshape(node: Node, weight: Weight) -> Made | None:
    """Flatten, where a run of dimensions becomes one."""
    given, wanted = features(node.operands[0].type), features(node.results[0].type)
    if is_timed(node.operands[0].type) != is_timed(node.results[0].type):
        raise RefusedError("it moves the time axis")
    if given == wanted:
        return None
    for start in range(len(wanted)):
        end = start + len(given) - len(wanted)
        merged = (*given[:start], int(np.prod(given[start : end + 1])), *given[end + 1 :])
        if end > start and merged == wanted:
            return "flatten", {"start": start, "end": end}
    raise RefusedError("networks have no reshape but flatten")


def _mul(node: Node, weight: Weight) -> Made:
    op, shape = node.op, features(node.results[0].type)
    assert isinstance(op, ops.Mul)
    factor: Any = op.scalar
    if factor is None:
        index = next(k for k, v in enumerate(node.operands) if not v.type.batched)
        value = node.operands[index]
        if len(value.type.shape) > len(shape):
            raise RefusedError(f"it multiplies by {value.type}, which has a batch or time dimension")
        factor = weight(index)
    if not np.isfinite(factor).all():
        raise RefusedError(f"it multiplies by {factor}")
    return "scale", {"scale": np.broadcast_to(np.asarray(factor, np.float32), shape).copy()}


def _neg(node: Node, weight: Weight) -> Made:
    return "scale", {"scale": np.full(features(node.results[0].type), -1, np.float32)}


def _cast(node: Node, weight: Weight) -> None:
    if not (node.operands[0].type.is_numeric and node.results[0].type.is_numeric):
        raise RefusedError(f"networks hold floats only, this casts {node.operands[0].type.dtype}")


def _fire(node: Node, weight: Weight) -> Made:
    op = node.op
    assert isinstance(op, ops.Fire)
    return "fire", {"threshold": weight(1), "inclusive": op.inclusive}


def _shift(node: Node, weight: Weight) -> Made:
    assert isinstance(node.op, ops.Shift)
    return "shift", {"by": node.op.by}


LAYERS: dict[type, Callable[[Node, Weight], Made | None]] = {
    ops.Linear: _linear,
    ops.Conv: _conv,
    ops.AvgPool: _pool,
    ops.SumPool: _pool,
    ops.Reshape: _reshape,
    ops.Mul: _mul,
    ops.Neg: _neg,
    ops.Cast: _cast,
    ops.Fire: _fire,
    ops.Shift: _shift,
}
"""Op -> how it becomes a part."""
