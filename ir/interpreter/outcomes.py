"""Meanings of ops that relabel measured outcomes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .. import ops
from .walk import Environment, meaning


@meaning(ops.LinearBits)
def _linear_bits(op: ops.LinearBits, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    (bits,) = args
    columns = [bits[..., list(row)].sum(dim=-1) + (i in op.flips) for i, row in enumerate(op.parities)]
    if not columns:
        return (bits[..., :0],)
    return (torch.stack(columns, dim=-1).remainder(2).bool(),)


@meaning(ops.PermuteOutcomes)
def _permute_outcomes(op: ops.PermuteOutcomes, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    (weights,) = args
    old = torch.arange(weights.shape[-1], device=weights.device)
    new = torch.zeros_like(old)
    for i, row in enumerate(op.parities):
        parity = torch.full_like(old, int(i in op.flips))
        for k in row:
            parity ^= (old >> k) & 1
        new |= parity << i
    return (weights[..., torch.argsort(new)],)
