"""Meanings of mitigated readouts, in a world without noise, and of extrapolations."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .. import ops
from ..ops.mitigation import linear_weights, richardson_weights
from .walk import MEANINGS, Environment, meaning


@meaning(ops.MitigatedExpectation)
def _mitigated(op: ops.MitigatedExpectation, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    (plain,) = MEANINGS[ops.Expectation](op, args, env)
    return (plain[..., None, :].expand(*plain.shape[:-1], len(op.scales), plain.shape[-1]),)


@meaning(ops.Extrapolate)
def _extrapolate(op: ops.Extrapolate, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    (values,) = args
    weights = richardson_weights(op.scales) if op.model == "richardson" else linear_weights(op.scales)
    intercept = values.new_tensor(weights)
    line = torch.einsum("s,...sn->...n", intercept, values)
    if op.model != "exponential":
        return (line,)
    sizes = values.abs()
    least, largest = op.scales.index(min(op.scales)), op.scales.index(max(op.scales))
    one_sign = (values.sign() == values[..., :1, :].sign()).all(dim=-2)
    fits = one_sign & (sizes > op.floor).all(dim=-2) & (sizes[..., least, :] >= sizes[..., largest, :])
    logs = sizes.clamp(min=op.floor).log()
    decayed = values[..., 0, :].sign() * torch.einsum("s,...sn->...n", intercept, logs).exp()
    return (torch.where(fits, decayed, line),)
