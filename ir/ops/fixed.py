"""Whole numbers as neuromorphic chips compute with them. They are held in f64, which is exact up to 2^53."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..graph import Op, TypeFault
from ..types import Type
from .rules import common_float
from .spiking import Neuron

if TYPE_CHECKING:
    from ..module import Module


@dataclass(frozen=True)
class Round(Op):
    """The nearest whole number, the even one of two."""

    mnemonic = "round"

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        return (Type(common_float(*operands), operands[0].shape),)


@dataclass(frozen=True)
class Shift(Op):
    """x * 2^by, rounded down: an arithmetic shift of a whole number, to the left where `by` is above 0."""

    mnemonic = "shift"
    by: int = 0

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        return (Type(common_float(*operands), operands[0].shape),)


@dataclass(frozen=True)
class LoihiLif(Neuron):
    """Leaky integrate-and-fire in the fixed point of Loihi 2, as Lava states it (lava-nc 0.10, lava.proc.lif).

    Operands: a, u, v, then du, dv, bias and threshold; results s, u', v'; whole numbers in f64.

        u' = sgn(u) * ((|u| * (4096 - (du + 1))) >> 12) + (a << 6)     wrapped once, modulo 2^24
        w  = sgn(v) * ((|v| * (4096 - dv)) >> 12) + u' + bias            clipped to +-(2^23 - 1)
        s  = w > threshold << 6;   v' = 0 where s, else w

    bias: mantissa and exponent in one, mantissa << exponent.
    """

    mnemonic = "loihi_lif"
    operands = (7, 7)
    states: ClassVar[int] = 2

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        if any(t.dtype != "f64" for t in operands):
            raise TypeFault("needs whole numbers in f64, got " + ", ".join(map(str, operands)), "cast them")
        return super().result_types(operands, module)
