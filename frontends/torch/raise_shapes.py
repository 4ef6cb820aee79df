"""Views, joins, slices, casts and tensors made from nothing."""

from __future__ import annotations

from typing import Any

import torch

from ...ir import DYNAMIC, Value, ops
from .faults import Unsupported
from .raising import DTYPE_OF, Call, Raiser, takes


@takes(
    "aten.contiguous",
    "aten.clone",
    "aten.detach",
    "aten.alias",
    "aten.lift_fresh_copy",
    "aten.dropout",
    "aten.native_dropout",
    "aten.feature_dropout",
    "aten.alpha_dropout",
    "aten.feature_alpha_dropout",
    "aten.resolve_conj",
    "aten.resolve_neg",
)
def _same(r: Raiser, call: Call) -> Value | tuple[Value, ...]:
    if call.get("train") and call.get("p"):
        raise Unsupported("dropout that stays on in evaluation mode draws random numbers")
    value = r.value(next(iter(call.arguments.values())))
    return (value,) if "native_dropout" in str(call.node.target) else value


@takes(
    "aten.to.dtype",
    "aten.to.dtype_layout",
    "aten.to.device",
    "aten.to.other",
    "aten.type_as",
    "aten._to_copy",
    "prims.convert_element_type",
)
def _cast(r: Raiser, call: Call) -> Value:
    value = r.value(next(iter(call.arguments.values())))
    kind = r.result_type(call).dtype
    if value.type.dtype == kind or (value.type.dtype, kind) == ("spike", "f32"):
        return value
    return r.one(ops.Cast(kind), value)


@takes(
    "aten.view",
    "aten.reshape",
    "aten._unsafe_view",
    "aten.view_copy",
    "aten.view_as",
    "aten.reshape_as",
    "aten.flatten.using_ints",
    "aten.unflatten.int",
    "aten.ravel",
    "aten.squeeze",
    "aten.squeeze.dim",
    "aten.squeeze.dims",
    "aten.unsqueeze",
)
def _reshape(r: Raiser, call: Call) -> Value:
    return r.reshape(r.value(call["self"]), r.dims(call.value.shape))


def permute(r: Raiser, value: Value, dims: tuple[int, ...]) -> Value:
    """Dimensions in another order; orders of orders become one, and the order that they have is the value itself."""
    rank = len(dims)
    dims = tuple(d % rank for d in dims)
    before = r.producer(value)
    if before is not None and isinstance(before.op, ops.Permute):
        return permute(r, before.operands[0], tuple(before.op.dims[d] for d in dims))
    return value if dims == tuple(range(rank)) else r.one(ops.Permute(dims), value)


@takes("aten.permute", "aten.permute_copy")
def _permute(r: Raiser, call: Call) -> Value:
    return permute(r, r.value(call["self"]), tuple(call["dims"]))


@takes("aten.transpose.int", "aten.swapaxes", "aten.swapdims", "aten.t", "aten.numpy_T", "aten.mT", "aten.adjoint")
def _transpose(r: Raiser, call: Call) -> Value:
    value = r.value(call["self"])
    rank = len(value.type.shape)
    order = list(range(rank))
    if rank < 2:
        return value
    if "numpy_T" in str(call.node.target):
        return permute(r, value, tuple(reversed(order)))
    a = call.get("dim0", call.get("axis0", -2)) % rank
    b = call.get("dim1", call.get("axis1", -1)) % rank
    order[a], order[b] = order[b], order[a]
    return permute(r, value, tuple(order))


@takes("aten.movedim.int", "aten.movedim.intlist", "aten.moveaxis.int", "aten.moveaxis.intlist")
def _movedim(r: Raiser, call: Call) -> Value:
    value = r.value(call["self"])
    rank = len(value.type.shape)
    sources, targets = ([call[k]] if isinstance(call[k], int) else call[k] for k in ("source", "destination"))
    placed = {t % rank: s % rank for s, t in zip(sources, targets, strict=True)}
    rest = iter(d for d in range(rank) if d not in placed.values())
    return permute(r, value, tuple(placed[d] if d in placed else next(rest) for d in range(rank)))


def expand(r: Raiser, value: Value, shape: tuple[int, ...]) -> Value:
    """Dimensions of size 1 repeated; dimensions put before."""
    if value.type.shape == shape:
        return value
    lender = () if DYNAMIC not in shape or value.type.batched else (r.batched_input(),)
    return r.one(ops.Expand(shape), value, *lender)


@takes("aten.expand", "aten.expand_as", "aten.broadcast_to", "aten.expand_copy")
def _expand(r: Raiser, call: Call) -> Value:
    return expand(r, r.value(call["self"]), r.dims(call.value.shape))


@takes("aten.repeat", "aten.tile")
def _repeat(r: Raiser, call: Call) -> Value:
    value = r.value(call["self"])
    counts = [*call.get("repeats", call.get("dims"))]
    rank = max(len(counts), len(value.type.shape))
    shape = (1,) * (rank - len(value.type.shape)) + value.type.shape
    counts = [1] * (rank - len(counts)) + counts
    value = r.reshape(value, shape)
    for dim, count in enumerate(r.dims(counts)):
        value = _repeat_dim(r, value, dim, count)
    return value


def _repeat_dim(r: Raiser, value: Value, dim: int, count: int) -> Value:
    shape = value.type.shape
    if count == 1:
        return value
    if shape[dim] == 1:
        return expand(r, value, (*shape[:dim], count, *shape[dim + 1 :]))
    if DYNAMIC in (count, shape[dim]):
        raise Unsupported("repeats the batch dimension", batch=True)
    apart = r.reshape(value, (*shape[:dim], 1, *shape[dim:]))
    filled = expand(r, apart, (*shape[:dim], count, *shape[dim:]))
    return r.reshape(filled, (*shape[:dim], count * shape[dim], *shape[dim + 1 :]))


# Joins and parts


def _alike(r: Raiser, items: list[Any]) -> list[Value]:
    """Operands of one element type."""
    values = [r.value(i) for i in items]
    if len({v.type.dtype for v in values}) == 1:
        return values
    kind = r.common_float(*values)
    alike = [r.as_float(v, kind) for v in values]
    return [r.one(ops.Cast(kind), v) if v.type.dtype == "spike" else v for v in alike]


@takes("aten.cat", "aten.concat", "aten.concatenate")
def _cat(r: Raiser, call: Call) -> Value:
    items = [i for i in call["tensors"] if not isinstance(i, Value) or i.type.shape != (0,)]
    values = _alike(r, items)
    dim = call["dim"] % len(values[0].type.shape)
    return values[0] if len(values) == 1 else r.one(ops.Cat(dim), *values)


@takes("aten.stack")
def _stack(r: Raiser, call: Call) -> Value:
    values = _alike(r, call["tensors"])
    return r.one(ops.Stack(call["dim"] % (len(values[0].type.shape) + 1)), *values)


def _part(r: Raiser, value: Value, dim: int) -> tuple[int, int]:
    """(dimension from 0, its size); the batch dimension has no parts."""
    at = dim % len(value.type.shape)
    size = value.type.shape[at]
    if size == DYNAMIC:
        raise Unsupported("takes a part of the batch dimension", batch=True)
    return at, size


@takes("aten.select.int", "aten.select_copy.int")
def _select(r: Raiser, call: Call) -> Value:
    value = r.value(call["self"])
    at, size = _part(r, value, call["dim"])
    index = _whole(call["index"]) % size
    return r.slice(value, at, index, index + 1, squeeze=True)


@takes("aten.slice.Tensor", "aten.slice_copy.Tensor")
def _slice(r: Raiser, call: Call) -> Value:
    value = r.value(call["self"])
    at = call["dim"] % len(value.type.shape)
    start, stop, step = call["start"], call["end"], _whole(call["step"])
    if value.type.shape[at] == DYNAMIC and start in (0, None) and step == 1 and _reaches_end(stop):
        return value
    at, size = _part(r, value, at)
    start, stop, step = slice(start, stop if stop is None else _whole(stop), step).indices(size)
    return r.slice(value, at, start, max(start, stop), step)


def _reaches_end(stop: Any) -> bool:
    return stop is None or (isinstance(stop, int) and stop == 2**63 - 1)


def _whole(item: Any) -> int:
    if not isinstance(item, int):
        raise Unsupported("takes an index that depends on the batch size", batch=True)
    return item


@takes("aten.narrow")
def _narrow(r: Raiser, call: Call) -> Value:
    value = r.value(call["self"])
    at, size = _part(r, value, call["dim"])
    start = _whole(call["start"]) % size
    return r.slice(value, at, start, start + _whole(call["length"]))


@takes(
    "aten.chunk",
    "aten.split.Tensor",
    "aten.split.sizes",
    "aten.split_with_sizes",
    "aten.tensor_split.sections",
    "aten.unsafe_chunk",
    "aten.unsafe_split.Tensor",
)
def _split(r: Raiser, call: Call) -> tuple[Value, ...]:
    value = r.value(call["self"])
    at, _ = _part(r, value, call["dim"])
    parts: list[Value] = []
    start = 0
    for piece in call.value:
        stop = start + int(piece.shape[at])
        parts.append(r.slice(value, at, start, stop))
        start = stop
    return tuple(parts)


@takes("aten.unbind.int", "aten.unbind_copy.int")
def _unbind(r: Raiser, call: Call) -> tuple[Value, ...]:
    value = r.value(call["self"])
    at, size = _part(r, value, call["dim"])
    return tuple(r.slice(value, at, k, k + 1, squeeze=True) for k in range(size))


@takes("aten.select_scatter")
def _select_scatter(r: Raiser, call: Call) -> Value:
    value, source = _alike(r, [call["self"], call["src"]])
    at, size = _part(r, value, call["dim"])
    index = _whole(call["index"]) % size
    row = r.reshape(source, (*value.type.shape[:at], 1, *value.type.shape[at + 1 :]))
    return _spliced(r, value, row, at, index, index + 1)


@takes("aten.slice_scatter")
def _slice_scatter(r: Raiser, call: Call) -> Value:
    value, source = _alike(r, [call["self"], call["src"]])
    at = call["dim"] % len(value.type.shape)
    if value.type.shape[at] == DYNAMIC and call["start"] in (0, None) and _reaches_end(call["end"]):
        return expand(r, source, value.type.shape)
    at, size = _part(r, value, at)
    start, stop, step = slice(call["start"], call["end"], _whole(call["step"])).indices(size)
    if step != 1:
        raise Unsupported("assigns to every k-th index of a tensor")
    return _spliced(r, value, source, at, start, stop)


def _spliced(r: Raiser, value: Value, source: Value, dim: int, start: int, stop: int) -> Value:
    """`value` with indices start to stop of a dimension replaced. Rows written one after another join in one Cat."""
    size = value.type.shape[dim]
    before, after = _slice_of(r, value, dim, 0, start), _slice_of(r, value, dim, stop, size)
    parts = [*before, source, *after]
    return parts[0] if len(parts) == 1 else r.one(ops.Cat(dim), *parts)


def _slice_of(r: Raiser, value: Value, dim: int, start: int, stop: int) -> list[Value]:
    """Indices start to stop as a list of values; a Cat along the dimension is taken apart, a constant shrinks."""
    if start >= stop:
        return []
    node = r.producer(value)
    if node is not None and isinstance(node.op, ops.Cat) and node.op.dim == dim:
        parts: list[Value] = []
        at = 0
        for part in node.operands:
            length = part.type.shape[dim]
            parts += _slice_of(r, part, dim, max(start - at, 0), min(stop - at, length))
            at += length
        return parts
    if node is not None and isinstance(node.op, ops.Constant):
        shape = (*value.type.shape[:dim], stop - start, *value.type.shape[dim + 1 :])
        return [r.constant(node.op.value, shape, node.op.dtype)]
    return [r.slice(value, dim, start, stop)]


@takes("aten.copy")
def _copy(r: Raiser, call: Call) -> Value:
    value, source = r.value(call["self"]), r.value(call["src"])
    return expand(r, r.as_float(source, value.type.dtype) if value.type.is_float else source, value.type.shape)


def pad(r: Raiser, value: Value, dim: int, before: int, after: int, number: float) -> Value:
    """`value` with `before` and `after` numbers put around a dimension; negative counts cut."""
    shape = value.type.shape
    value = r.slice(value, dim, max(0, -before), shape[dim] - max(0, -after)) if min(before, after) < 0 else value
    kind = "f32" if value.type.dtype == "spike" else value.type.dtype

    def filled(count: int) -> list[Value]:
        return [r.constant(number, (*shape[:dim], count, *shape[dim + 1 :]), kind)] if count > 0 else []

    around = filled(before), filled(after)
    if not any(around):
        return value
    return r.one(ops.Cat(dim), *_alike(r, [*around[0], value, *around[1]]))


@takes("aten.pad", "aten.constant_pad_nd")
def _pad(r: Raiser, call: Call) -> Value:
    if call.get("mode", "constant") != "constant":
        raise Unsupported(f"padding with mode={call['mode']!r} is not taken, only 'constant'")
    value = r.value(call["self"])
    pads = call["pad"]
    for k in range(len(pads) // 2):
        value = pad(r, value, len(value.type.shape) - 1 - k, pads[2 * k], pads[2 * k + 1], float(call["value"] or 0.0))
    return value


# Tensors made from nothing

_ONES = ("ones", "ones_like", "new_ones")
_FILLED = ("full", "full_like", "new_full", "fill")


@takes(
    *(f"aten.{name}" for name in (*_ONES, "full", "full_like", "new_full")),
    "aten.zeros",
    "aten.zeros_like",
    "aten.new_zeros",
    "aten.zero",
    "aten.fill.Scalar",
)
def _filled(r: Raiser, call: Call) -> Value:
    name = str(call.node.target).split(".")[1].removesuffix("_")
    number = call.get("fill_value", call.get("value", 0.0)) if name in _FILLED else float(name in _ONES)
    if not isinstance(number, int | float):
        raise Unsupported("a tensor filled with a computed number")
    kind = DTYPE_OF.get(call.value.dtype, "")
    if call.value.dtype == torch.bool or not kind:
        raise Unsupported(f"a tensor of element type {str(call.value.dtype).removeprefix('torch.')}")
    return r.constant(float(number), r.dims(call.value.shape), kind)
