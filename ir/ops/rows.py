"""Batches with several rows a sample: every sample of a model beside every row of a table of settings.

Row v of sample s is row s * rows + v of such a batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from ..graph import Op, TypeFault
from ..types import DYNAMIC, Type

if TYPE_CHECKING:
    from ..module import Module


@dataclass(frozen=True)
class RepeatRows(Op):
    """Every sample (batch, ...) `times` times in succession: (batch * times, ...)."""

    mnemonic = "repeat_rows"
    times: int

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        if not operands[0].shape or operands[0].shape[0] != DYNAMIC:
            raise TypeFault(f"needs the batch as the first dimension, got {operands[0]}")
        _need_positive(self.times)
        return (operands[0],)


@dataclass(frozen=True)
class TileRows(Op):
    """All rows of a table (rows, ...) for every sample of the second operand: (batch * rows, ...).

    The second operand lends its batch and its type alone; without `batched` its type alone.
    """

    mnemonic = "tile_rows"
    operands = (1, 2)
    batched: bool = True

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        table, *like = operands
        if not table.is_float or not table.shape or table.shape[0] < 1:
            raise TypeFault(f"needs a table of floats with rows, got {table}")
        if self.batched and not (like and like[0].batched):
            raise TypeFault("needs a batched operand to take the batch from")
        if like and not like[0].is_float:
            raise TypeFault(f"needs floats to take the type from, got {like[0]}")
        return (Type(like[0].dtype if like else table.dtype, (DYNAMIC, *table.shape[1:])),)


@dataclass(frozen=True)
class SplitRows(Op):
    """The rows of every sample as dimensions of their own: (batch * prod(sizes), ...) -> (batch, *sizes, ...).

    Without `batched` there is one sample, and no dimension for it.
    """

    mnemonic = "split_rows"
    sizes: tuple[int, ...]
    batched: bool = True

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        t = operands[0]
        if not t.shape or t.shape[0] != DYNAMIC:
            raise TypeFault(f"needs the batch as the first dimension, got {t}")
        _need_positive(*self.sizes, prod(self.sizes))
        return (t.with_shape((*((DYNAMIC,) if self.batched else ()), *self.sizes, *t.shape[1:])),)


def _need_positive(*counts: int) -> None:
    if min(counts) < 1:
        raise TypeFault(f"needs at least one row, got {min(counts)}")
