"""The meaning of a step of learning: traces first, then the sum of products, in the order in which Lava's model in
floating point computes it, so that floats agree."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from .. import ops
from ..plasticity import PRE_TRACES, Product
from ..whole_learning import State, dice, learn
from .walk import Environment, meaning


@meaning(ops.Plasticity)
def _plasticity(op: ops.Plasticity, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    rule = op.terms
    given = args[: len(args) - rule.counts_steps]
    pre, post, weights, *traces = env.floats(*given)
    pre, post = (pre != 0).to(weights.dtype), (post != 0).to(weights.dtype)
    known = dict(zip(rule.traces, traces, strict=True))
    for name in op.carried():
        tau, impulse = op.trace(name)
        known[name] = decay(tau) * known[name] + impulse * (pre if name in PRE_TRACES else post)
    # What lies before a synapse is a row of the matrix (..., out, in), what lies after it a column.
    values = {name: t[..., None, :] if name in PRE_TRACES else t[..., :, None] for name, t in known.items()}
    values |= {"x0": pre[..., None, :], "y0": post[..., :, None], "w": weights}
    step = int(args[-1]) + 1 if rule.counts_steps else 1
    change = [product(p, values) for p in rule.products if step % (1 << (p.decimation or 0)) == 0]
    moved = weights + sum(change[1:], change[0]) if change else weights
    new = (moved.clamp(op.low, op.high), *(known[name] for name in op.carried()))
    return (*new, args[-1] + 1) if rule.counts_steps else new


def decay(tau: float) -> float:
    """What is left of a trace after a step; tau in steps, 0 for nothing."""
    return math.exp(-1 / tau) if tau else 0.0


def product(p: Product, values: dict[str, Tensor]) -> Tensor:
    """One product of the rule, broadcast over the weights."""
    out = torch.as_tensor(p.coefficient, dtype=values["w"].dtype, device=values["w"].device)
    for name in p.spikes:
        out = out * values[name]
    for factor in p.factors:
        out = out * (values[factor.name] + factor.plus if factor.plus else values[factor.name])
    return out


@meaning(ops.LoihiPlasticity)
def _loihi_plasticity(op: ops.LoihiPlasticity, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    rule, step = op.whole, int(args[-1]) + 1
    pre, post, weights, *traces = (x.detach().cpu().numpy() for x in args[:-1])
    known = {name: t.astype(np.int64) for name, t in zip(rule.traces, traces, strict=True)}
    state = State(weights.astype(np.int64), known)
    learn(rule, state, pre != 0, post != 0, step, dice(op.seed, step))
    found = (state.weights, *(state.traces[name] for name in rule.traces))
    return (*(torch.from_numpy(x.astype(np.float64)).to(args[2].device) for x in found), args[-1] + 1)
