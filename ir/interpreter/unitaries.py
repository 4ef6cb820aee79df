"""Meanings of unitaries that the host computes. Always in float64, whatever the type of the operands."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .. import ops, unitaries
from .walk import Environment, meaning


@meaning(ops.HermitianEvolution)
def _evolution(op: ops.HermitianEvolution, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    matrix, times = env.floats(*args)
    return (evolution(matrix, times).to(matrix.dtype),)


def evolution(matrix: Tensor, times: Tensor) -> Tensor:
    """exp(-i t_l H / 2), H = (M + M^T) / 2: (..., N, N) and (L,) -> (..., L, 2, N, N), float64, differentiable."""
    m = matrix.double()
    energies, states = torch.linalg.eigh((m + m.mT) / 2)
    phases = torch.exp(-0.5j * times.double()[:, None] * energies[..., None, :])
    frame = states[..., None, :, :].to(phases.dtype)
    out = (frame * phases[..., None, :]) @ frame.mT
    return torch.stack([out.real, out.imag], dim=-3)


@meaning(ops.UnitaryAngles)
def _unitary_angles(op: ops.UnitaryAngles, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    (parts,) = env.floats(*args)
    return (angles(parts).to(parts.dtype),)


def angles(parts: Tensor) -> Tensor:
    """Real and imaginary parts (..., 2, N, N) of unitaries -> (..., angles), float64, without gradient."""
    given = parts.detach().cpu().double().numpy()
    found = unitaries.angles(given[..., 0, :, :] + 1j * given[..., 1, :, :])
    return torch.from_numpy(found).to(parts.device)
