"""Unitaries that the host computes, and the angles that put them into a circuit (see `qsc.ir.unitaries`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..graph import Op, TypeFault
from ..types import DYNAMIC, Type
from ..unitaries import MOST_QUBITS, angle_count
from .rules import common_float, need_rank

if TYPE_CHECKING:
    from ..module import Module

_SIZES = tuple(1 << n for n in range(1, MOST_QUBITS + 1))


def _check_square(t: Type) -> int:
    """The number of qubits of square matrices in the last two dimensions."""
    size = t.shape[-1]
    if t.shape[-2] != size or size not in _SIZES:
        raise TypeFault(f"needs square matrices of 2 to {_SIZES[-1]} rows, a power of two, got {t}")
    return size.bit_length() - 1


@dataclass(frozen=True)
class HermitianEvolution(Op):
    """exp(-i t_l H / 2) for H = (M + M^T) / 2 and every time t_l.

    Operands: real M (batch, N, N) or (N, N), and times (L,). Result (batch, L, 2, N, N): real and imaginary parts.
    """

    mnemonic = "hermitian_evolution"
    operands = (2, 2)

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        matrix, times = operands
        need_rank(matrix, 2, 3)
        need_rank(times, 1)
        _check_square(matrix)
        if times.shape[0] == DYNAMIC:
            raise TypeFault(f"the times are the same for the whole batch, got {times}")
        lead, square = matrix.shape[:-2], matrix.shape[-2:]
        return (Type(common_float(matrix, times), (*lead, times.shape[0], 2, *square)),)


@dataclass(frozen=True)
class UnitaryAngles(Op):
    """Angles with which the dense template on n qubits is the given unitary, up to a global phase.

    Operand (..., 2, 2^n, 2^n): real and imaginary parts, n from 1 to 4. Result (..., angles): 3, 15, 69 or 297 numbers,
    in radians. Not differentiable.
    """

    mnemonic = "unitary_angles"

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        (parts,) = operands
        if len(parts.shape) < 3 or parts.shape[-3] != 2:
            raise TypeFault(f"needs real and imaginary parts (..., 2, N, N), got {parts}")
        return (Type(common_float(parts), (*parts.shape[:-3], angle_count(_check_square(parts)))),)
