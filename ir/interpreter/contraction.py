"""Meanings of contractions, and of batches with several rows a sample."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor

from .. import ops
from ..circuit import Circuit
from .matrices import bind
from .quantum import drawn, join, read_batched
from .walk import Environment, meaning


@meaning(ops.RepeatRows)
def _repeat_rows(op: ops.RepeatRows, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    return (args[0].repeat_interleave(op.times, dim=0),)


@meaning(ops.TileRows)
def _tile_rows(op: ops.TileRows, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    table, *like = args
    batch = len(like[0]) if op.batched else 1
    return (table.to(like[0].dtype if like else table.dtype).repeat(batch, *([1] * (table.dim() - 1))),)


@meaning(ops.SplitRows)
def _split_rows(op: ops.SplitRows, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    rows = args[0]
    batch = (len(rows) // prod(op.sizes),) if op.batched else ()
    return (rows.reshape(*batch, *op.sizes, *rows.shape[1:]),)


@meaning(ops.Contract)
def _contract(op: ops.Contract, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    kind = env.floats(args[0])[0].dtype
    # With opt_einsum installed, torch takes the order of the pairwise products from it.
    return (torch.einsum(op.equation, *(a.to(kind) for a in args)),)


@meaning(ops.Take)
def _take(op: ops.Take, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    return (args[0].index_select(op.dim, torch.tensor(op.indices, device=args[0].device)),)


@meaning(ops.GateAngles)
def _gate_angles(op: ops.GateAngles, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    def read(circuit: Circuit, arrays: Sequence[Tensor]) -> Tensor:
        return bind(circuit.angles, join(circuit, arrays))[:, circuit.angle_rows.tolist()]

    return (read_batched(op, args, env, read),)


@meaning(ops.SampleOutcomes)
def _sample_outcomes(op: ops.SampleOutcomes, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    (weights,) = args
    bits = weights.shape[-1].bit_length() - 1
    found = drawn(weights.reshape(-1, weights.shape[-1]), op.shots, bits, env)
    return (found.reshape(*weights.shape[:-1], op.shots, bits),)
