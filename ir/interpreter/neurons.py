"""Meanings of neurons in continuous time, of delay lines, and of synapses with delays."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .. import ops
from ..neurons import FORMS, SYNAPSES
from ..ops.neurons import Cuba, EulerFiring, EulerNeuron
from .spiking import Spike
from .walk import Environment, meaning


def rounded(numbers: Sequence[Tensor], like: Tensor) -> list[Tensor | None]:
    """Numbers in float64 in the type that is computed in; None for gains of 1 but for rounding."""
    return [None if bool(torch.isclose(n, torch.ones_like(n)).all()) else n.to(like.dtype) for n in numbers]


def membrane(op: EulerNeuron, v: Tensor, x: Tensor, parameters: Sequence[Tensor]) -> Tensor:
    """The potential after one step, before any reset."""
    form = FORMS[op.form]
    if form.step is not None:
        return form.step(v, x, op.dt, *parameters)
    decay, gain, offset = form.coefficients(op.dt, *(p.double() for p in parameters))
    (scale,) = rounded([gain], v)
    u = decay.to(v.dtype) * v + (x if scale is None else scale * x)
    return u + offset.to(v.dtype) if bool(offset.any()) else u


def current(op: Cuba, i: Tensor, inputs: Sequence[Tensor], parameters: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """(what the membrane integrates, the synapse's state after the step)."""
    synapse = SYNAPSES[op.current]
    if synapse.step is not None:
        return synapse.step(i, tuple(inputs), op.dt, *parameters)
    decay, gain = synapse.coefficients(op.dt, *(p.double() for p in parameters))
    (scale,) = rounded([gain], i)
    i = decay.to(i.dtype) * i + (inputs[0] if scale is None else scale * inputs[0])
    return i, i


def spikes(x: Tensor, threshold: Tensor, inclusive: bool) -> Tensor:
    """1.0 where x is above the threshold, or on it with `inclusive`."""
    fired = Spike.apply(x - threshold)
    assert isinstance(fired, Tensor)
    return torch.where(x == threshold, torch.ones_like(x), fired) if inclusive else fired


def _fire(op: EulerFiring, v: Tensor, u: Tensor, last: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """(spikes, potential after the reset) of neurons whose potential went from v to u; last: threshold and, where the
    reset needs it, v_reset."""
    if op.delayed:
        u = _reset(op, spikes(v, last[0], op.inclusive).detach(), u, last)
    fired = spikes(u, last[0], op.inclusive)
    return fired, u if op.delayed else _reset(op, fired, u, last)


def _reset(op: EulerFiring, fired: Tensor, u: Tensor, last: Sequence[Tensor]) -> Tensor:
    if op.reset == "value":
        return torch.where(fired > 0, last[1], u)
    return u - fired * last[0] if op.reset == "subtract" else u


def _synapse(op: Cuba, args: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor, Sequence[Tensor]]:
    """(what the membrane integrates, i', v, the parameters after the synapse's)."""
    count = len(SYNAPSES[op.current].parameters)
    inputs, (i, v, *parameters) = args[: op.inputs], args[op.inputs :]
    given, after = current(op, i, inputs, parameters[:count])
    return given, after, v, parameters[count:]


@meaning(ops.Integrate)
def _integrate(op: ops.Integrate, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    x, v, *parameters = env.floats(*args)
    return (membrane(op, v, x, parameters),)


@meaning(ops.CubaIntegrate)
def _cuba_integrate(op: ops.CubaIntegrate, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    x, i, v, parameters = _synapse(op, env.floats(*args))
    return i, membrane(op, v, x, parameters)


@meaning(ops.Lif)
def _lif(op: ops.Lif, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    x, v, *parameters = env.floats(*args)
    count = len(FORMS[op.form].parameters)
    fired, v = _fire(op, v, membrane(op, v, x, parameters[:count]), parameters[count:])
    return fired.to(env.dtype("spike")), v


@meaning(ops.CubaLif)
def _cuba_lif(op: ops.CubaLif, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    x, i, v, parameters = _synapse(op, env.floats(*args))
    count = len(FORMS[op.form].parameters)
    fired, v = _fire(op, v, membrane(op, v, x, parameters[:count]), parameters[count:])
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
