"""Measured outcomes relabelled on the host: every new bit is the parity of some of the old ones, possibly flipped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..graph import Op, TypeFault
from ..types import Type
from .rules import need_rank, need_size

if TYPE_CHECKING:
    from ..module import Module


@dataclass(frozen=True)
class Parities(Op):
    """New bit i is the parity of the old bits `parities[i]`, flipped where i is in `flips`."""

    parities: tuple[tuple[int, ...], ...] = ()
    flips: tuple[int, ...] = ()

    def _check(self, bits: int) -> None:
        """Raises TypeFault for bits that are not there or are listed twice."""
        for row, limit in ((self.flips, len(self.parities)), *((row, bits) for row in self.parities)):
            if len(set(row)) != len(row) or any(not 0 <= k < limit for k in row):
                raise TypeFault(f"{list(row)} are not distinct numbers of {limit} bits")


@dataclass(frozen=True)
class LinearBits(Parities):
    """Bits (..., n) -> bits (..., m): bit i is the parity of bits `parities[i]`, flipped where i is in `flips`."""

    mnemonic = "linear_bits"

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        t = operands[0]
        if t.dtype != "bit" or not t.shape or t.shape[-1] < 0:
            raise TypeFault(f"needs bits with a last dimension of known size, got {t}")
        self._check(t.shape[-1])
        return (t.with_shape((*t.shape[:-1], len(self.parities))),)


@dataclass(frozen=True)
class PermuteOutcomes(Parities):
    """Probabilities of outcomes (..., 2^n) after the bits of every outcome went through `linear_bits`, invertibly.

    Bit i of an index has the value 2^i, as in `probabilities`.
    """

    mnemonic = "permute_outcomes"

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        t = operands[0]
        need_rank(t, 1, 2)
        if not t.is_float:
            raise TypeFault(f"needs probabilities, got {t}")
        need_size(t.shape[-1], 1 << len(self.parities), "the number of outcomes")
        self._check(len(self.parities))
        if not _independent(self.parities):
            raise TypeFault(f"the parities {[list(row) for row in self.parities]} are not independent")
        return (t,)


def _independent(parities: Sequence[Sequence[int]]) -> bool:
    """Whether no row is a sum modulo 2 of others."""
    pivots: dict[int, int] = {}
    for row in parities:
        mask = sum(1 << k for k in row)
        while mask and mask.bit_length() in pivots:
            mask ^= pivots[mask.bit_length()]
        if not mask:
            return False
        pivots[mask.bit_length()] = mask
    return True
