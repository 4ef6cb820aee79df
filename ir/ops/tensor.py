"""Elementwise arithmetic, shapes and reductions. Meanings are those of the torch functions of the same names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..graph import Op, TypeFault
from ..types import DTYPES, DYNAMIC, Type
from .rules import axis, broadcast, common_float, count, need_fixed, need_numeric, need_rank, need_size

if TYPE_CHECKING:
    from ..module import Module


@dataclass(frozen=True)
class Constant(Op):
    """A tensor filled with one number. A `?` in `shape` is the batch of the operand, which only lends its size."""

    mnemonic = "constant"
    operands = (0, 1)
    value: float
    shape: tuple[int, ...] = ()
    dtype: str = "f32"

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        if self.dtype not in DTYPES:
            raise TypeFault(f"unknown element type {self.dtype}")
        if DYNAMIC in self.shape and not (operands and operands[0].batched):
            raise TypeFault("a constant with a batch dimension needs a batched operand to take its size from")
        return (Type(self.dtype, self.shape),)


@dataclass(frozen=True)
class Unary(Op):
    """An elementwise function of one operand."""

    elementwise = True

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        return (Type(common_float(operands[0]), operands[0].shape),)


@dataclass(frozen=True)
class Neg(Unary):
    """-x."""

    mnemonic = "neg"


@dataclass(frozen=True)
class Abs(Unary):
    """|x|."""

    mnemonic = "abs"


@dataclass(frozen=True)
class Exp(Unary):
    """e^x."""

    mnemonic = "exp"


@dataclass(frozen=True)
class Log(Unary):
    """Natural logarithm."""

    mnemonic = "log"


@dataclass(frozen=True)
class Sqrt(Unary):
    """Square root."""

    mnemonic = "sqrt"


@dataclass(frozen=True)
class Sin(Unary):
    """Sine of an angle in radians."""

    mnemonic = "sin"


@dataclass(frozen=True)
class Cos(Unary):
    """Cosine of an angle in radians."""

    mnemonic = "cos"


@dataclass(frozen=True)
class Relu(Unary):
    """max(x, 0)."""

    mnemonic = "relu"


@dataclass(frozen=True)
class LeakyRelu(Unary):
    """x for x > 0, else slope * x."""

    mnemonic = "leaky_relu"
    slope: float = 0.01


@dataclass(frozen=True)
class Sigmoid(Unary):
    """1 / (1 + e^-x)."""

    mnemonic = "sigmoid"


@dataclass(frozen=True)
class Tanh(Unary):
    """Hyperbolic tangent."""

    mnemonic = "tanh"


@dataclass(frozen=True)
class Silu(Unary):
    """x * sigmoid(x)."""

    mnemonic = "silu"


@dataclass(frozen=True)
class Gelu(Unary):
    """x * Phi(x); `approximate` is "none" (the error function) or "tanh"."""

    mnemonic = "gelu"
    approximate: str = "none"


@dataclass(frozen=True)
class Clamp(Unary):
    """x limited to [low, high]; a missing limit does not limit."""

    mnemonic = "clamp"
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Pow(Unary):
    """x^exponent."""

    mnemonic = "pow"
    exponent: float = 2.0


@dataclass(frozen=True)
class Binary(Op):
    """An elementwise function of two operands that broadcast, or of one operand and the number `scalar`."""

    operands = (1, 2)
    elementwise = True
    scalar: float | None = None

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        if (len(operands) == 2) == (self.scalar is not None):
            raise TypeFault("needs either two operands or one operand and a scalar")
        return (Type(common_float(*operands), broadcast(*operands)),)


@dataclass(frozen=True)
class Add(Binary):
    """x + y."""

    mnemonic = "add"


@dataclass(frozen=True)
class Sub(Binary):
    """x - y."""

    mnemonic = "sub"


@dataclass(frozen=True)
class Mul(Binary):
    """x * y."""

    mnemonic = "mul"


@dataclass(frozen=True)
class Div(Binary):
    """x / y."""

    mnemonic = "div"


@dataclass(frozen=True)
class Cast(Op):
    """The same numbers as another element type."""

    mnemonic = "cast"
    dtype: str = "f32"

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        if self.dtype not in DTYPES:
            raise TypeFault(f"unknown element type {self.dtype}")
        return (Type(self.dtype, operands[0].shape),)


@dataclass(frozen=True)
class Dequantize(Op):
    """scale * q for an integer tensor q; `scale` is a scalar or one number for every index of dimension `axis`."""

    mnemonic = "dequantize"
    operands = (2, 2)
    axis: int = 0

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        q, scale = operands
        if q.dtype not in ("i8", "i16", "i32"):
            raise TypeFault(f"the quantised operand needs an integer type, got {q}")
        if scale.shape:
            need_rank(scale, 1)
            need_size(scale.shape[0], q.shape[axis(self.axis, len(q.shape))], "the number of scales")
        return (Type(common_float(scale), q.shape),)


@dataclass(frozen=True)
class Reshape(Op):
    """The same numbers in another shape, row-major; `?` stays the batch."""

    mnemonic = "reshape"
    shape: tuple[int, ...] = ()

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        if count(operands[0].shape) != count(self.shape):
            raise TypeFault(f"cannot reshape {operands[0]} to {Type(operands[0].dtype, self.shape)}")
        if _before_batch(operands[0].shape) != _before_batch(self.shape):
            need_fixed(self.shape)
        return (operands[0].with_shape(self.shape),)


@dataclass(frozen=True)
class Permute(Op):
    """Dimensions in another order: result dimension i is operand dimension dims[i]."""

    mnemonic = "permute"
    dims: tuple[int, ...] = ()

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        shape = operands[0].shape
        if sorted(self.dims) != list(range(len(shape))):
            raise TypeFault(f"dims {list(self.dims)} is not an order of {len(shape)} dimensions")
        return (operands[0].with_shape(tuple(shape[d] for d in self.dims)),)


@dataclass(frozen=True)
class Expand(Op):
    """Dimensions of size 1 repeated to `shape`; a `?` takes the batch of the second operand."""

    mnemonic = "expand"
    operands = (1, 2)
    shape: tuple[int, ...] = ()

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        source = operands[0]
        if broadcast(source, Type(source.dtype, self.shape)) != self.shape:
            raise TypeFault(f"cannot expand {source} to {Type(source.dtype, self.shape)}")
        if DYNAMIC in self.shape and not any(t.batched for t in operands):
            raise TypeFault("expanding to a batch needs a batched operand to take its size from")
        return (source.with_shape(self.shape),)


@dataclass(frozen=True)
class Cat(Op):
    """Operands joined along `dim`."""

    mnemonic = "cat"
    operands = (1, None)
    dim: int = 0

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        first = operands[0]
        at = axis(self.dim, len(first.shape))
        for t in operands[1:]:
            if t.dtype != first.dtype or _without(t.shape, at) != _without(first.shape, at):
                raise TypeFault(f"cannot join {first} and {t} along dimension {at}")
        if any(t.shape[at] == DYNAMIC for t in operands):
            raise TypeFault("cannot join along the batch dimension")
        total = sum(t.shape[at] for t in operands)
        return (first.with_shape((*first.shape[:at], total, *first.shape[at + 1 :])),)


@dataclass(frozen=True)
class Stack(Op):
    """Operands of one shape joined along a new dimension `dim`."""

    mnemonic = "stack"
    operands = (1, None)
    dim: int = 0

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        first = operands[0]
        for t in operands[1:]:
            if t != first:
                raise TypeFault(f"cannot stack {first} and {t}")
        at = axis(self.dim, len(first.shape) + 1)
        return (first.with_shape((*first.shape[:at], len(operands), *first.shape[at:])),)


@dataclass(frozen=True)
class Slice(Op):
    """Indices start, start+step, ... below stop along `dim`. `squeeze` drops the dimension (it has one index then)."""

    mnemonic = "slice"
    dim: int = 0
    start: int = 0
    stop: int = 1
    step: int = 1
    squeeze: bool = False

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        t = operands[0]
        at = axis(self.dim, len(t.shape))
        size = t.shape[at]
        if size == DYNAMIC:
            raise TypeFault("cannot slice the batch dimension")
        if not 0 <= self.start <= self.stop <= size or self.step < 1:
            raise TypeFault(f"slice {self.start}:{self.stop}:{self.step} does not fit size {size}")
        length = len(range(self.start, self.stop, self.step))
        if self.squeeze:
            need_size(length, 1, "the length of a squeezed slice")
            return (t.with_shape(_without(t.shape, at)),)
        return (t.with_shape((*t.shape[:at], length, *t.shape[at + 1 :])),)


@dataclass(frozen=True)
class Reduction(Op):
    """A reduction over the dimensions `dims`."""

    dims: tuple[int, ...] = ()
    keepdim: bool = False

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        t = operands[0]
        need_numeric(t)
        at = {axis(d, len(t.shape)) for d in self.dims}
        if any(t.shape[d] == DYNAMIC for d in at):
            raise TypeFault("the samples of a batch would mix: the result would depend on the batch")
        shape = tuple(1 if i in at else d for i, d in enumerate(t.shape) if self.keepdim or i not in at)
        return (Type(common_float(t), shape),)


@dataclass(frozen=True)
class Sum(Reduction):
    """Sum over `dims`."""

    mnemonic = "sum"


@dataclass(frozen=True)
class Mean(Reduction):
    """Mean over `dims`."""

    mnemonic = "mean"


@dataclass(frozen=True)
class Min(Reduction):
    """The least over `dims`."""

    mnemonic = "min"


@dataclass(frozen=True)
class Where(Op):
    """x where the condition holds, else y: operands condition (spikes or bits), x and y, which broadcast."""

    mnemonic = "where"
    operands = (3, 3)
    elementwise = True

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        condition, x, y = operands
        if condition.dtype not in ("spike", "bit"):
            raise TypeFault(f"the condition is spikes or bits, got {condition}")
        return (Type(common_float(x, y), broadcast(*operands)),)


@dataclass(frozen=True)
class Matmul(Op):
    """Matrix product of the last two dimensions; the others broadcast."""

    mnemonic = "matmul"
    operands = (2, 2)

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        a, b = operands
        if len(a.shape) < 2 or len(b.shape) < 2:
            raise TypeFault(f"needs matrices, got {a} and {b}")
        need_fixed((a.shape[-1],))
        need_size(b.shape[-2], a.shape[-1], "the number of rows of the second matrix")
        batch = broadcast(Type("f32", a.shape[:-2]), Type("f32", b.shape[:-2]))
        return (Type(common_float(a, b), (*batch, a.shape[-2], b.shape[-1])),)


def _before_batch(shape: tuple[int, ...]) -> int:
    """How many numbers of one sample lie before its neighbour's: the product of the dimensions before `?`."""
    return count(shape[: shape.index(DYNAMIC)])[0] if DYNAMIC in shape else 1


def _without(shape: tuple[int, ...], at: int) -> tuple[int, ...]:
    return shape[:at] + shape[at + 1 :]
