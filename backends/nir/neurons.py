"""How the numbers of neurons become NIR's.

A membrane of the IR advances one step by v' = decay v + gain x + offset. NIR states LIF as tau v' = (v_leak - v) + R I;
its Euler step of dt seconds is the same with tau = dt / (1 - decay), R = gain tau / dt and v_leak = offset tau / dt.
CubaLIF has the same for its current: tau_syn = dt / (1 - decay) and w_in = gain tau_syn / dt. Neurons that were stated
as NIR states them keep their numbers to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...bridges.networks import Neurons
from ...ir.ops.neurons import Cuba, EulerNeuron
from ...ir.ops.spiking import SteppedNeuron

Fields = tuple[str, dict[str, Any]]
"""(class name in the nir package, its arguments)."""


def spiking_node(part: Neurons, dt: float) -> Fields:
    """The NIR node of neurons that are reset to a value: LIF, IF or CubaLIF."""
    kind, fields = membrane(part, dt)
    resets = {"v_threshold": fire_above(part), "v_reset": part.v_reset}
    synapse = _synapse(part, dt)
    if synapse is None:
        return {"LI": "LIF", "I": "IF"}[kind], fields | resets
    fields["tau_mem"] = fields.pop("tau")
    return "CubaLIF", synapse | fields | resets


def integrator(part: Neurons, dt: float) -> Iterator[Fields]:
    """The NIR nodes of a membrane without a reset, in order; a synapse is a leaky integrator before it."""
    synapse = _synapse(part, dt)
    kind, fields = membrane(part, dt)
    if synapse is not None:
        tau, zero = synapse["tau_syn"], np.zeros(part.shape, np.float32)
        yield "LI", {"tau": tau, "r": synapse["w_in"], "v_leak": zero}
    yield kind, fields


def membrane(part: Neurons, dt: float) -> Fields:
    """LI or I, and its fields."""
    op = part.op
    if isinstance(op, EulerNeuron):
        if op.form == "leak":
            return "LI", {name: part.full(name) for name in ("tau", "r", "v_leak")}
        if op.form == "sum":
            return "I", {"r": part.full("r")}
    decay, gain, offset = part.membrane()
    if (decay == 1).all():
        return "I", {"r": (gain / dt).astype(np.float32)}
    if isinstance(op, SteppedNeuron):
        tau = time_constant(part.full("beta"), dt)
        return "LI", {"tau": tau, "r": tau / dt, "v_leak": np.zeros(part.shape, np.float32)}
    tau = dt / (1 - decay)
    return "LI", {"tau": tau, "r": gain * tau / dt, "v_leak": offset * tau / dt}


def _synapse(part: Neurons, dt: float) -> dict[str, Any] | None:
    """tau_syn and w_in, None where there is no synapse."""
    op = part.op
    if isinstance(op, Cuba) and op.current == "leak":
        return {name: part.full(name) for name in ("tau_syn", "w_in")}
    numbers = part.synapse()
    if numbers is None:
        return None
    decay, gain = numbers
    if isinstance(op, SteppedNeuron):
        tau = time_constant(part.full("alpha"), dt)
        return {"tau_syn": tau, "w_in": tau / dt}
    tau = dt / (1 - decay)
    return {"tau_syn": tau, "w_in": gain * tau / dt}


def fire_above(part: Neurons) -> np.ndarray:
    """The thresholds that NIR's strict comparison needs: the next number below where a neuron fires on its own."""
    threshold = part.full("threshold")
    return np.nextafter(threshold, -np.inf, dtype=threshold.dtype) if part.inclusive else threshold


def time_constant(decay: np.ndarray, dt: float) -> np.ndarray:
    """tau in seconds, of which a reader's 1 - dt / tau is `decay` again to the last bit, whether it computes in float32
    or in float64 and rounds.

    decay: float32 in [0, 1). The result is float32 where that is exact for every neuron (most decays from 0.8 on), else
    float64.
    """
    exact = dt / (1.0 - decay.astype(np.float64))
    single = exact.astype(np.float32)
    for direction in (np.float32(0), np.float32(np.inf)):
        near = exact.astype(np.float32)
        for _ in range(4):
            near = np.nextafter(near, direction)
            single = np.where(_gives(single, decay, dt) | ~_gives(near, decay, dt), single, near)
    return single if _gives(single, decay, dt).all() else exact


def _gives(tau: np.ndarray, decay: np.ndarray, dt: float) -> np.ndarray:
    return (1 - dt / tau == decay) & ((1 - dt / tau.astype(np.float64)).astype(np.float32) == decay)
