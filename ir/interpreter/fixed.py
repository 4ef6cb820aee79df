"""Meanings of whole numbers as chips compute with them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .. import ops
from .walk import Environment, meaning

WRAP, CLIP = 2.0**23, 2.0**23 - 1


@meaning(ops.Round)
def _round(op: ops.Round, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    return (env.floats(*args)[0].round(),)


@meaning(ops.Shift)
def _shift(op: ops.Shift, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    return ((env.floats(*args)[0] * 2.0**op.by).floor(),)


@meaning(ops.LoihiLif)
def _loihi_lif(op: ops.LoihiLif, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    a, u, v, du, dv, bias, threshold = args
    u = decayed(u, du + 1) + a * 64
    u = torch.where(u > WRAP, u - 2 * WRAP, torch.where(u <= -WRAP, u + 2 * WRAP, u))
    v = (decayed(v, dv) + u + bias).clamp(-CLIP, CLIP)
    spikes = v > threshold * 64
    return spikes.to(env.dtype("spike")), u, v.masked_fill(spikes, 0)


def decayed(x: Tensor, decay: Tensor) -> Tensor:
    """sgn(x) * ((|x| * (4096 - decay)) >> 12): towards zero."""
    return (x * (4096 - decay) / 4096).trunc()
