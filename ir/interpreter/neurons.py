"""Meanings of neurons in continuous time, of delay lines, and of synapses with delays."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .. import ops
from ..neurons import FORMS, SYNAPSE, synapse_coefficients
from ..ops.neurons import EulerFiring, EulerNeuron
from .spiking import Spike
from .walk import Environment, meaning


def rounded(numbers: Sequence[Tensor], like: Tensor) -> list[Tensor | None]:
    """Numbers in float64 in the type that is computed in; None for gains of 1 but for rounding."""
    return [None if bool(torch.isclose(n, torch.ones_like(n)).all()) else n.to(like.dtype) for n in numbers]


def membrane(op: EulerNeuron, v: Tensor, x: Tensor, parameters: Sequence[Tensor]) -> Tensor:
    """The potential after one step, before any reset."""
    decay, gain, offset = FORMS[op.form].coefficients(op.dt, *(p.double() for p in parameters))
    (scale,) = rounded([gain], v)
    u = decay.to(v.dtype) * v + (x if scale is None else scale * x)
    return u + offset.to(v.dtype) if bool(offset.any()) else u


def current(op: EulerNeuron, i: Tensor, x: Tensor, tau_syn: Tensor, w_in: Tensor) -> Tensor:
    """The synaptic current after one step."""
    decay, gain = synapse_coefficients(op.dt, tau_syn.double(), w_in.double())
    (scale,) = rounded([gain], i)
    return decay.to(i.dtype) * i + (x if scale is None else scale * x)


def spikes(x: Tensor, threshold: Tensor, inclusive: bool) -> Tensor:
    """1.0 where x is above the threshold, or on it with `inclusive`."""
    fired = Spike.apply(x - threshold)
    assert isinstance(fired, Tensor)
    return torch.where(x == threshold, torch.ones_like(x), fired) if inclusive else fired


def _fire(op: EulerFiring, u: Tensor, last: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """(spikes, potential after the reset); last: threshold and, where the reset needs it, v_reset."""
    fired = spikes(u, last[0], op.inclusive)
    if op.reset == "value":
        return fired, torch.where(fired > 0, last[1], u)
    return fired, u - fired * last[0] if op.reset == "subtract" else u


@meaning(ops.Integrate)
def _integrate(op: ops.Integrate, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    x, v, *parameters = env.floats(*args)
    return (membrane(op, v, x, parameters),)


@meaning(ops.CubaIntegrate)
def _cuba_integrate(op: ops.CubaIntegrate, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    x, i, v, tau_syn, w_in, *parameters = env.floats(*args)
    i = current(op, i, x, tau_syn, w_in)
    return i, membrane(op, v, i, parameters)


@meaning(ops.Lif)
def _lif(op: ops.Lif, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    x, v, *parameters = env.floats(*args)
    count = len(FORMS[op.form].parameters)
    fired, v = _fire(op, membrane(op, v, x, parameters[:count]), parameters[count:])
    return fired.to(env.dtype("spike")), v


@meaning(ops.CubaLif)
def _cuba_lif(op: ops.CubaLif, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    x, i, v, *parameters = env.floats(*args)
    synapse, rest = parameters[: len(SYNAPSE)], parameters[len(SYNAPSE) :]
    count = len(FORMS[op.form].parameters)
    i = current(op, i, x, synapse[0], synapse[1])
    fired, v = _fire(op, membrane(op, v, i, rest[:count]), rest[count:])
    return fired.to(env.dtype("spike")), i, v


@meaning(ops.Fire)
def _threshold(op: ops.Fire, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    x, threshold = env.floats(*args)
    return (spikes(x, threshold, op.inclusive).to(env.dtype("spike")),)


@meaning(ops.Push)
def _push(op: ops.Push, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    x, line = args
    return (torch.cat([x.to(line.dtype)[None], line[:-1]]),)


@meaning(ops.Tap)
def _tap(op: ops.Tap, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    line, steps = args
    index = (steps - 1).expand(line.shape[1:])[None]
    return (line.gather(0, index)[0],)


@meaning(ops.DelayedLinear)
def _delayed_linear(op: ops.DelayedLinear, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    line, weight = env.floats(args[0], args[1])
    steps = args[2]
    # One product for every delay that occurs, oldest last, so that the sum has one stated order.
    parts = [line[d - 1] @ (weight * (steps == d)).T for d in torch.unique(steps).tolist()]
    return (sum(parts[1:], parts[0]),)
