"""Meanings of single-step neurons, in the order of operations of snntorch 1.0, so that floats agree bit by bit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .. import ops
from ..ops.spiking import SteppedNeuron
from .walk import Environment, meaning


class Spike(torch.autograd.Function):
    """1 where the argument is positive; the gradient is that of arctan(pi x) / pi, snntorch's default."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return (x > 0).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return grads[0] / (1 + (math.pi * x) ** 2)


def fire(v: Tensor, threshold: Tensor) -> Tensor:
    """1.0 where v > threshold, else 0.0."""
    spikes = Spike.apply(v - threshold)
    assert isinstance(spikes, Tensor)
    return spikes


@meaning(ops.Leaky)
def _leaky(op: ops.Leaky, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    x, v, beta, threshold = env.floats(*args)
    reset = fire(v, threshold).detach()
    if op.reset == "zero":
        v = (1 - reset) * v
    v = beta * v + x
    if op.reset == "subtract":
        v = v - reset * threshold
    spike = fire(v, threshold)
    return spike.to(env.dtype("spike")), _reset_at_once(op, v, spike, reset, threshold)


@meaning(ops.Synaptic)
def _synaptic(op: ops.Synaptic, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    x, i, v, alpha, beta, threshold = env.floats(*args)
    reset = fire(v, threshold).detach()
    i = alpha * i + x
    v = _delayed_reset(op, beta * v + i, reset, threshold)
    spike = fire(v, threshold)
    return spike.to(env.dtype("spike")), i, _reset_at_once(op, v, spike, reset, threshold)


@meaning(ops.RLeaky)
def _rleaky(op: ops.RLeaky, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    x, w, v, beta, threshold = env.floats(*args)
    reset = fire(v, threshold).detach()
    v = _delayed_reset(op, beta * v + x + w, reset, threshold)
    spike = fire(v, threshold)
    return spike.to(env.dtype("spike")), _reset_at_once(op, v, spike, reset, threshold)


@meaning(ops.RSynaptic)
def _rsynaptic(op: ops.RSynaptic, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    x, w, i, v, alpha, beta, threshold = env.floats(*args)
    reset = fire(v, threshold).detach()
    i = alpha * i + x + w
    v = _delayed_reset(op, beta * v + i, reset, threshold)
    spike = fire(v, threshold)
    return spike.to(env.dtype("spike")), i, _reset_at_once(op, v, spike, reset, threshold)


def _delayed_reset(op: SteppedNeuron, v: Tensor, reset: Tensor, threshold: Tensor) -> Tensor:
    """The reset for a spike of the step before."""
    if op.reset == "none":
        return v
    return v - reset * (v if op.reset == "zero" else threshold)


def _reset_at_once(op: SteppedNeuron, v: Tensor, spike: Tensor, reset: Tensor, threshold: Tensor) -> Tensor:
    """The reset of a neuron that is not delayed: what the delayed reset has taken off already is not taken twice."""
    if op.delayed or op.reset == "none":
        return v
    return v - (spike - reset) * (threshold if op.reset == "subtract" else v)
