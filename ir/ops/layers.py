"""Layers with weights or windows. Meanings are those of the torch layers of the same names, in evaluation mode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..graph import Op, TypeFault
from ..types import Type
from .rules import axis, common_float, need_fixed, need_rank, need_shape, need_size, window

if TYPE_CHECKING:
    from ..module import Module


@dataclass(frozen=True)
class Linear(Op):
    """y = x W^T + b: operands x (..., in), W (out, in) and, if there is one, b (out)."""

    mnemonic = "linear"
    operands = (2, 3)

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        x, w = operands[:2]
        need_rank(w, 2)
        if not x.shape:
            raise TypeFault("needs at least one dimension")
        need_size(x.shape[-1], w.shape[1], "the last dimension of the input")
        if len(operands) == 3:
            need_shape(operands[2], (w.shape[0],), "the bias")
        return (Type(common_float(*operands), (*x.shape[:-1], w.shape[0])),)


@dataclass(frozen=True)
class Conv(Op):
    """Cross-correlation over the last n dimensions, n = len(stride).

    Operands: x (batch, in, ...), W (out, in/groups, ...) and, if there is one, b (out).
    """

    mnemonic = "conv"
    operands = (2, 3)
    stride: tuple[int, ...] = (1, 1)
    padding: tuple[int, ...] = (0, 0)
    dilation: tuple[int, ...] = (1, 1)
    groups: int = 1

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        x, w = operands[:2]
        n = len(self.stride)
        need_rank(x, n + 2)
        need_rank(w, n + 2)
        if not n == len(self.padding) == len(self.dilation):
            raise TypeFault("stride, padding and dilation need one number for every dimension")
        if w.shape[0] % self.groups:
            raise TypeFault(f"{w.shape[0]} output channels do not divide into {self.groups} groups")
        need_size(x.shape[1], w.shape[1] * self.groups, "the number of input channels")
        if len(operands) == 3:
            need_shape(operands[2], (w.shape[0],), "the bias")
        spatial = zip(x.shape[2:], w.shape[2:], self.stride, self.padding, self.dilation, strict=True)
        return (Type(common_float(*operands), (x.shape[0], w.shape[0], *(window(*s) for s in spatial))),)


@dataclass(frozen=True)
class BatchNorm(Op):
    """(x - mean) / sqrt(var + eps) * weight + bias over dimension 1.

    Operands: x, mean, var and, if affine, weight and bias.
    """

    mnemonic = "batch_norm"
    operands = (3, 5)
    eps: float = 1e-5

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        x = operands[0]
        if len(x.shape) < 2 or len(operands) == 4:
            raise TypeFault("needs an input with channels, a mean, a variance and either both weight and bias or none")
        for t in operands[1:]:
            need_shape(t, (x.shape[1],), "a batch-norm statistic")
        return (Type(common_float(*operands), x.shape),)


@dataclass(frozen=True)
class LayerNorm(Op):
    """Normalisation over the last `dims` dimensions: operands x and, if affine, weight and bias of that shape."""

    mnemonic = "layer_norm"
    operands = (1, 3)
    dims: int = 1
    eps: float = 1e-5

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        x = operands[0]
        if not 1 <= self.dims <= len(x.shape):
            raise TypeFault(f"cannot normalise {self.dims} dimensions of {x}")
        need_fixed(x.shape[-self.dims :])
        for t in operands[1:]:
            need_shape(t, x.shape[-self.dims :], "a layer-norm parameter")
        return (Type(common_float(*operands), x.shape),)


@dataclass(frozen=True)
class Softmax(Op):
    """e^x / sum e^x along `dim`."""

    mnemonic = "softmax"
    dim: int = -1

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        x = operands[0]
        at = axis(self.dim, len(x.shape))
        need_fixed(x.shape[at : at + 1])
        return (Type(common_float(x), x.shape),)


@dataclass(frozen=True)
class Pool(Op):
    """A sliding window over the last n dimensions, n = len(kernel)."""

    kernel: tuple[int, ...] = (2, 2)
    stride: tuple[int, ...] = (2, 2)
    padding: tuple[int, ...] = (0, 0)
    ceil: bool = False

    def _dilation(self) -> tuple[int, ...]:
        return (1,) * len(self.kernel)

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        x = operands[0]
        n = len(self.kernel)
        need_rank(x, n + 1, n + 2)
        if not n == len(self.stride) == len(self.padding) == len(self._dilation()):
            raise TypeFault("kernel, stride and padding need one number for every dimension")
        spatial = zip(x.shape[-n:], self.kernel, self.stride, self.padding, self._dilation(), strict=True)
        sizes = tuple(window(*s, ceil=self.ceil) for s in spatial)
        for kernel, padding, dilation in zip(self.kernel, self.padding, self._dilation(), strict=True):
            if padding > (dilation * (kernel - 1) + 1) // 2:
                raise TypeFault(f"padding {padding} is more than half of the window {kernel}")
        return (Type(common_float(x), (*x.shape[:-n], *sizes)),)


@dataclass(frozen=True)
class MaxPool(Pool):
    """Largest number of every window; padding counts as minus infinity."""

    mnemonic = "max_pool"
    dilation: tuple[int, ...] = (1, 1)

    def _dilation(self) -> tuple[int, ...]:
        return self.dilation


@dataclass(frozen=True)
class AvgPool(Pool):
    """Mean of every window; `count_padding` says whether padded zeros count."""

    mnemonic = "avg_pool"
    count_padding: bool = True


@dataclass(frozen=True)
class SumPool(Pool):
    """Sum of every window."""

    mnemonic = "sum_pool"


@dataclass(frozen=True)
class AdaptiveAvgPool(Op):
    """Mean over windows chosen so that the last n dimensions become `size`."""

    mnemonic = "adaptive_avg_pool"
    size: tuple[int, ...] = (1, 1)

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        x = operands[0]
        need_rank(x, len(self.size) + 1, len(self.size) + 2)
        need_fixed(x.shape[-len(self.size) :])
        return (Type(common_float(x), (*x.shape[: -len(self.size)], *self.size)),)
