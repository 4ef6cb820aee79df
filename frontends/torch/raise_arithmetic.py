"""Elementwise operations, reductions and matrix products."""

from __future__ import annotations

from typing import Any

import torch

from ...ir import DYNAMIC, TypeFault, Value, ops
from .faults import Unsupported
from .raising import Call, Raiser, takes


def _number(item: Any) -> float | None:
    """The number that a scalar argument is, None for an operand."""
    if isinstance(item, torch.SymInt | torch.SymFloat):
        raise Unsupported("uses a number that depends on the batch size", batch=True)
    return float(item) if isinstance(item, int | float) else None


def _float_kind(r: Raiser, call: Call) -> str:
    kind = r.result_type(call).dtype
    if kind not in ("f32", "f64"):
        raise Unsupported(f"arithmetic on {kind} values is not taken, only on floats")
    return kind


def binary(r: Raiser, call: Call, op: type[ops.Binary]) -> Value:
    """x op alpha * y, operands brought to the float type of torch's result."""
    kind = _float_kind(r, call)
    if call.get("rounding_mode") is not None:
        raise Unsupported(f"division with rounding_mode={call['rounding_mode']!r} is not taken")
    alpha = call.get("alpha", 1)
    x, y = call["self"], call["other"]
    left, right = _number(x), _number(y)
    if right is not None:
        return r.one(op(scalar=right * alpha), r.as_float(r.value(x), kind))
    y = r.as_float(r.value(y), kind)
    y = y if alpha == 1 else r.one(ops.Mul(scalar=float(alpha)), y)
    x = r.constant(left, (), kind) if left is not None else r.as_float(r.value(x), kind)
    return r.one(op(), x, y)


@takes("aten.add.Tensor", "aten.add.Scalar")
def _add(r: Raiser, call: Call) -> Value:
    return binary(r, call, ops.Add)


@takes("aten.sub.Tensor", "aten.sub.Scalar")
def _sub(r: Raiser, call: Call) -> Value:
    return binary(r, call, ops.Sub)


@takes("aten.mul.Tensor", "aten.mul.Scalar", "aten.multiply.Tensor")
def _mul(r: Raiser, call: Call) -> Value:
    return binary(r, call, ops.Mul)


@takes("aten.div.Tensor", "aten.div.Scalar", "aten.div.Tensor_mode", "aten.true_divide.Tensor", "aten.divide.Tensor")
def _div(r: Raiser, call: Call) -> Value:
    return binary(r, call, ops.Div)


@takes("aten.rsub.Scalar", "aten.rsub.Tensor")
def _rsub(r: Raiser, call: Call) -> Value:
    swapped = Call(call.node, {"self": call["other"], "other": call["self"], "alpha": call.get("alpha", 1)})
    return binary(r, swapped, ops.Sub)


@takes("aten.reciprocal")
def _reciprocal(r: Raiser, call: Call) -> Value:
    kind = _float_kind(r, call)
    return r.one(ops.Div(), r.constant(1.0, (), kind), r.as_float(r.value(call["self"]), kind))


@takes("aten.rsqrt")
def _rsqrt(r: Raiser, call: Call) -> Value:
    kind = _float_kind(r, call)
    return r.one(ops.Div(), r.constant(1.0, (), kind), r.one(ops.Sqrt(), r.as_float(r.value(call["self"]), kind)))


_UNARY: dict[str, type[ops.Unary]] = {
    "neg": ops.Neg,
    "abs": ops.Abs,
    "exp": ops.Exp,
    "log": ops.Log,
    "sqrt": ops.Sqrt,
    "sin": ops.Sin,
    "cos": ops.Cos,
    "relu": ops.Relu,
    "sigmoid": ops.Sigmoid,
    "tanh": ops.Tanh,
    "silu": ops.Silu,
}


def _operand(r: Raiser, call: Call) -> Value:
    return r.as_float(r.value(call["self"]), _float_kind(r, call))


@takes(*(f"aten.{name}" for name in _UNARY))
def _unary(r: Raiser, call: Call) -> Value:
    name = str(call.node.target).split(".")[1].removesuffix("_")
    return r.one(_UNARY[name](), _operand(r, call))


@takes("aten.square")
def _square(r: Raiser, call: Call) -> Value:
    return r.one(ops.Pow(2.0), _operand(r, call))


@takes("aten.pow.Tensor_Scalar")
def _pow(r: Raiser, call: Call) -> Value:
    exponent = _number(call["exponent"])
    if exponent is None:
        raise Unsupported("pow with a tensor as exponent is not taken")
    return r.one(ops.Pow(exponent), _operand(r, call))


@takes("aten.leaky_relu")
def _leaky_relu(r: Raiser, call: Call) -> Value:
    return r.one(ops.LeakyRelu(float(call["negative_slope"])), _operand(r, call))


@takes("aten.gelu")
def _gelu(r: Raiser, call: Call) -> Value:
    return r.one(ops.Gelu(call["approximate"]), _operand(r, call))


@takes("aten.clamp", "aten.hardtanh", "aten.clamp_min", "aten.clamp_max", "aten.relu6", "aten.clip")
def _clamp(r: Raiser, call: Call) -> Value:
    low, high = call.get("min", call.get("min_val")), call.get("max", call.get("max_val"))
    if "relu6" in str(call.node.target):
        low, high = 0.0, 6.0
    return r.one(ops.Clamp(_limit(low), _limit(high)), _operand(r, call))


def _limit(item: Any) -> float | None:
    if item is None:
        return None
    limit = _number(item)
    if limit is None:
        raise Unsupported("clamp with a tensor as limit is not taken")
    return limit


@takes("aten.hardsigmoid", "aten.hardswish")
def _hard(r: Raiser, call: Call) -> Value:
    x = _operand(r, call)
    gate = r.one(ops.Div(scalar=6.0), r.one(ops.Clamp(0.0, 6.0), r.one(ops.Add(scalar=3.0), x)))
    return r.one(ops.Mul(), x, gate) if "hardswish" in str(call.node.target) else gate


@takes("aten.softmax.int", "aten._softmax")
def _softmax(r: Raiser, call: Call) -> Value:
    x = _operand(r, call)
    dim = call["dim"] % len(x.type.shape)
    if x.type.shape[dim] == DYNAMIC:
        raise Unsupported("over the batch dimension would make samples depend on each other", batch=True)
    return r.one(ops.Softmax(dim), x)


@takes("aten.log_softmax.int", "aten._log_softmax")
def _log_softmax(r: Raiser, call: Call) -> Value:
    return r.one(ops.Log(), _softmax(r, call))


_REDUCTIONS: dict[str, type[ops.Sum] | type[ops.Mean] | type[ops.Min]] = {
    "aten.sum": ops.Sum,
    "aten.mean": ops.Mean,
    "aten.amin": ops.Min,
}


@takes("aten.sum.dim_IntList", "aten.sum", "aten.mean.dim", "aten.mean", "aten.amin")
def _reduce(r: Raiser, call: Call) -> Value:
    x = _operand(r, call)
    rank = len(x.type.shape)
    dims = tuple(sorted(d % rank for d in call.get("dim") or range(rank))) if rank else ()
    op = _REDUCTIONS[".".join(str(call.node.target).split(".")[:2])]
    return r.one(op(dims, bool(call.get("keepdim", False))), x)


# Comparisons and choices

_COMPARISONS = {"gt": (False, False), "ge": (False, True), "lt": (True, False), "le": (True, True)}
"""Name -> (whether the operands are swapped, whether equal ones count)."""


@takes(*(f"aten.{name}.{kind}" for name in _COMPARISONS for kind in ("Scalar", "Tensor")))
def _compare(r: Raiser, call: Call) -> Value:
    """1 where it holds; neurons that fire compare in the same way."""
    swapped, inclusive = _COMPARISONS[str(call.node.target).split(".")[1]]
    x, number = r.value(call["self"]), _number(call["other"])
    kind = "f64" if x.type.dtype == "f64" else "f32"
    x = r.as_float(x, kind)
    y = r.constant(number, (), kind) if number is not None else r.as_float(r.value(call["other"]), kind)
    if swapped:
        x, y = r.one(ops.Neg(), x), r.one(ops.Neg(), y)
    return r.one(ops.Fire(inclusive), x, y)


@takes("aten.where.self", "aten.where.ScalarOther", "aten.where.ScalarSelf", "aten.where.Scalar")
def _where(r: Raiser, call: Call) -> Value:
    kind = _float_kind(r, call)
    numbers = [(_number(call[side]), call[side]) for side in ("self", "other")]
    x, y = (r.constant(n, (), kind) if n is not None else r.as_float(r.value(v), kind) for n, v in numbers)
    return r.one(ops.Where(), r.value(call["condition"]), x, y)


# Matrix products


def product(r: Raiser, x: Value, y: Value, kind: str) -> Value:
    """torch.matmul for any ranks; a product with a transposed weight is a Linear."""
    x, y = r.as_float(x, kind), r.as_float(y, kind)
    if not x.type.shape or not y.type.shape:
        raise TypeFault("a matrix product needs at least one dimension each")
    weight = _transposed_weight(r, y)
    if weight is not None:
        return r.layer(ops.Linear(), x, weight)
    left, right = len(x.type.shape) == 1, len(y.type.shape) == 1
    x = r.reshape(x, (1, *x.type.shape)) if left else x
    y = r.reshape(y, (*y.type.shape, 1)) if right else y
    out = r.one(ops.Matmul(), x, y)
    shape = out.type.shape
    if left:
        shape = (*shape[:-2], shape[-1])
    if right:
        shape = shape[:-1]
    return r.reshape(out, shape)


def _transposed_weight(r: Raiser, y: Value) -> Value | None:
    node = r.producer(y)
    if node is None or not isinstance(node.op, ops.Permute) or node.op.dims != (1, 0):
        return None
    return node.operands[0] if node.operands[0].is_weight else None


@takes("aten.mm", "aten.bmm", "aten.matmul", "aten.mv", "aten.dot")
def _matmul(r: Raiser, call: Call) -> Value:
    x, y = list(call.arguments.values())[:2]
    return product(r, r.value(x), r.value(y), _float_kind(r, call))


@takes("aten.addmm", "aten.baddbmm", "aten.addmv")
def _addmm(r: Raiser, call: Call) -> Value:
    kind = _float_kind(r, call)
    base, x, y = (r.as_float(r.value(v), kind) for v in list(call.arguments.values())[:3])
    alpha, beta = call.get("alpha", 1), call.get("beta", 1)
    weight = _transposed_weight(r, y)
    if weight is not None and alpha == beta == 1 and base.type.shape == (weight.type.shape[0],):
        return r.layer(ops.Linear(), x, weight, base)
    out = product(r, x, y, kind)
    out = out if alpha == 1 else r.one(ops.Mul(scalar=float(alpha)), out)
    base = base if beta == 1 else r.one(ops.Mul(scalar=float(beta)), base)
    return r.one(ops.Add(), base, out)


@takes("aten.linear")
def _linear(r: Raiser, call: Call) -> Value:
    kind = _float_kind(r, call)
    operands = [r.as_float(r.value(v), kind) for v in (call["input"], call["weight"], call["bias"]) if v is not None]
    if len(operands[1].type.shape) == 1:
        out = product(r, operands[0], operands[1], kind)
        return r.one(ops.Add(), out, operands[2]) if len(operands) == 3 else out
    return r.layer(ops.Linear(), *operands)


@takes("aten.scaled_dot_product_attention")
def _attention(r: Raiser, call: Call) -> Value:
    if call["attn_mask"] is not None or call["is_causal"] or call["dropout_p"] or call.get("enable_gqa"):
        raise Unsupported("scaled_dot_product_attention with a mask, dropout or grouped queries is not taken")
    kind = _float_kind(r, call)
    q, k, v = (r.as_float(r.value(call[name]), kind) for name in ("query", "key", "value"))
    rank = len(k.type.shape)
    scale = call["scale"] if call["scale"] is not None else q.type.shape[-1] ** -0.5
    turned = r.one(ops.Permute((*range(rank - 2), rank - 1, rank - 2)), k)
    scores = r.one(ops.Mul(scalar=float(scale)), r.one(ops.Matmul(), q, turned))
    return r.one(ops.Matmul(), r.one(ops.Softmax(rank - 1), scores), v)
