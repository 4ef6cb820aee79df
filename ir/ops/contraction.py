"""Contraction of tensor networks, and what a circuit cut leaves to it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..graph import Op, TypeFault
from ..types import Type
from .quantum import CircuitOp
from .rules import axis, need_size

if TYPE_CHECKING:
    from ..module import Module

_EQUATION = re.compile(r"[A-Za-z]*(,[A-Za-z]*)*->[A-Za-z]*")


@dataclass(frozen=True)
class Contract(Op):
    """Einstein's sum over tensors: letters of `equation` name dimensions, those not in the result are summed over.

    "abc,cd->abd" is a product of two tensors. Floats of both widths may meet; the result has the first operand's type.
    """

    mnemonic = "contract"
    operands = (1, None)
    equation: str

    @property
    def terms(self) -> tuple[list[str], str]:
        """(letters of every operand, letters of the result)."""
        given, _, result = self.equation.partition("->")
        return given.split(","), result

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        if not _EQUATION.fullmatch(self.equation):
            raise TypeFault(f"{self.equation!r} is not an equation such as 'ab,bc->ac'")
        terms, result = self.terms
        need_size(len(operands), len(terms), "the number of operands")
        sizes: dict[str, int] = {}
        for letters, t in zip(terms, operands, strict=True):
            if not t.is_float or len(letters) != len(t.shape) or len(set(letters)) != len(letters):
                raise TypeFault(f"{letters!r} does not name the dimensions of floats {t}, each by its own letter")
            for letter, size in zip(letters, t.shape, strict=True):
                if sizes.setdefault(letter, size) != size:
                    raise TypeFault(f"dimension {letter} has the sizes {sizes[letter]} and {size}")
        if len(set(result)) != len(result) or not set(result) <= sizes.keys():
            raise TypeFault(f"the result {result!r} names a dimension twice, or one that no operand has")
        if any(size < 0 and letter not in result for letter, size in sizes.items()):
            raise TypeFault("the samples of a batch would mix: the result would depend on the batch")
        return (operands[0].with_shape(tuple(sizes[letter] for letter in result)),)


@dataclass(frozen=True)
class Take(Op):
    """Entries `indices` of dimension `dim`, in that order and as often as they are listed."""

    mnemonic = "take"
    indices: tuple[int, ...]
    dim: int = -1

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        t = operands[0]
        at = axis(self.dim, len(t.shape))
        size = t.shape[at] if t.shape else -1
        if size < 0 or any(not 0 <= k < size for k in self.indices):
            raise TypeFault(f"cannot take entries {list(self.indices)} of dimension {self.dim} of {t}")
        return (t.with_shape((*t.shape[:at], len(self.indices), *t.shape[at + 1 :])),)


@dataclass(frozen=True)
class GateAngles(CircuitOp):
    """The bound angles of a circuit in the order of its gates, in radians: result (batch, angles)."""

    mnemonic = "gate_angles"

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        kind, batch = self._inputs(operands, module)
        return (Type(kind, (*batch, len(self._circuit(module).angle_rows))),)


@dataclass(frozen=True)
class SampleOutcomes(Op):
    """Outcomes drawn by their probabilities (..., 2^n): bits (..., shots, n), bit i of an outcome has the value 2^i.

    Numbers below zero, as sums of measured parts may have them, count as zero, and the rest is scaled to a sum of 1.
    """

    mnemonic = "sample_outcomes"
    draws = True
    shots: int = 1024

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        t = operands[0]
        size = t.shape[-1] if t.shape else 0
        if not t.is_float or size < 1 or size & (size - 1):
            raise TypeFault(f"needs the probabilities of 2^n outcomes, got {t}")
        if self.shots < 1:
            raise TypeFault(f"needs at least one shot, got {self.shots}")
        return (Type("bit", (*t.shape[:-1], self.shots, size.bit_length() - 1)),)
