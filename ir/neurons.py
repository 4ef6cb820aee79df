"""The arithmetic of membranes: how a potential v and an input x become the potential of the next step.

Every form is affine in (v, x): v' = decay * v + gain * x + offset. Backends lower by these three numbers. The forms of
NIR are also computed by them, made in float64 and rounded once to the type that is computed in; the step is Euler's of
`dt` seconds, as NIR's equations are read by every framework that discretises them so. A form of a framework has a
`step`: that framework's own operations in their own order, so that floats agree bit by bit.

Sources: Pedersen et al., "Neuromorphic intermediate representation", Nature Communications 15, 8122 (2024), equations
of I, LI, IF, LIF, CubaLI and CubaLIF; the code of snntorch 1.0, spikingjelly 2.0, norse 1.1, sinabs 3.1 and
rockpool 3.1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Coefficients = tuple[Any, Any, Any]
"""(decay, gain, offset), arrays that broadcast to the neurons."""


@dataclass(frozen=True)
class Form:
    """One way to state a membrane.

    parameters: names, in operand order. coefficients: (dt, parameters in float64) -> decay, gain, offset. summary: the
    equation. step: (v, x, dt, parameters) -> v', in the precision that is computed in, where the order of operations is
    a framework's own.
    """

    parameters: tuple[str, ...]
    coefficients: Callable[..., Coefficients]
    summary: str
    step: Callable[..., Any] | None = None


ROUNDING = 1e-6
"""What is left of a number that loses all of itself in a step, where the step and the time constant are of 24 bits."""


def _kept(dt: float, tau: Any) -> Any:
    """1 - dt / tau, and 0 where that is 0 but for rounding."""
    decay = 1 - dt / tau
    return decay * (abs(decay) > ROUNDING)


FORMS: dict[str, Form] = {
    "leak": Form(
        ("tau", "r", "v_leak"),
        lambda dt, tau, r, v_leak: (_kept(dt, tau), r * dt / tau, v_leak * dt / tau),
        "tau v' = (v_leak - v) + r x",
    ),
    "sum": Form(("r",), lambda dt, r: (1 + 0 * r, r * dt, 0 * r), "v' = r x"),
    "add": Form((), lambda dt: (1.0, 1.0, 0.0), "v + x", lambda v, x, dt: v + x),
    "decay": Form(
        ("beta",),
        lambda dt, beta: (beta, 1 + 0 * beta, 0 * beta),
        "beta v + x",
        lambda v, x, dt, beta: beta * v + x,
    ),
    "average": Form(
        ("beta",),
        lambda dt, beta: (beta, 1 - beta, 0 * beta),
        "beta v + (1 - beta) x",
        lambda v, x, dt, beta: beta * v + (1 - beta) * x,
    ),
    "decay_bias": Form(
        ("beta", "bias"),
        lambda dt, beta, bias: (beta, 1 + 0 * beta, bias),
        "(beta v + x) + bias",
        lambda v, x, dt, beta, bias: beta * v + x + bias,
    ),
    "charge": Form(
        ("steps", "v_rest"),
        lambda dt, steps, v_rest: (1 - 1 / steps, 1 / steps, v_rest / steps),
        "v + (x - (v - v_rest)) / steps",
        lambda v, x, dt, steps, v_rest: v + (x - (v - v_rest)) / steps,
    ),
    "drain": Form(
        ("steps", "v_rest"),
        lambda dt, steps, v_rest: (1 - 1 / steps, 1 + 0 * steps, v_rest / steps),
        "v - (v - v_rest) / steps + x",
        lambda v, x, dt, steps, v_rest: v - (v - v_rest) / steps + x,
    ),
    "charge_share": Form(
        ("share", "v_rest"),
        lambda dt, share, v_rest: (1 - share, share, v_rest * share),
        "v + (x - (v - v_rest)) share",
        lambda v, x, dt, share, v_rest: v + (x - (v - v_rest)) * share,
    ),
    "drain_share": Form(
        ("share", "v_rest"),
        lambda dt, share, v_rest: (1 - share, 1 + 0 * share, v_rest * share),
        "v - (v - v_rest) share + x",
        lambda v, x, dt, share, v_rest: v - (v - v_rest) * share + x,
    ),
    "rate": Form(
        ("tau_mem_inv", "v_leak"),
        lambda dt, rate, v_leak: (1 - dt * rate, dt * rate, v_leak * dt * rate),
        "v + dt tau_mem_inv ((v_leak - v) + x)",
        lambda v, x, dt, rate, v_leak: v + dt * rate * ((v_leak - v) + x),
    ),
    "rate_box": Form(
        ("tau_mem_inv", "v_leak"),
        lambda dt, rate, v_leak: (1 - dt * rate, dt * rate, v_leak * dt * rate),
        "v + dt tau_mem_inv ((x + v_leak) - v)",
        lambda v, x, dt, rate, v_leak: v + dt * rate * (x + v_leak - v),
    ),
    "circuit": Form(
        ("resistance", "capacitance", "time_step"),
        lambda dt, r, c, step: (1 - step / (r * c), step / c, 0 * r),
        "x R (1 / (R C)) time_step + (1 - time_step / (R C)) v",
        lambda v, x, dt, r, c, step: x * r * (1 / (r * c)) * step + (1 - step / (r * c)) * v,
    ),
}
"""Name -> form. tau, and 1 / tau_mem_inv, in seconds; `steps`, 1 / share and time_step count steps.

"add", "decay", "average" and "decay_bias" are sinabs's and rockpool's, "charge" and "drain" spikingjelly's with and
without decay_input, "..._share" its parametric ones, "rate" norse's, "rate_box" that of its box neurons, "circuit"
snntorch's Lapicque.
"""


@dataclass(frozen=True)
class Synapse:
    """One way to state the exponential synapse before a membrane.

    parameters: names, in operand order. coefficients: (dt, parameters in float64) -> decay and gain of
    j' = decay j + gain x, j being the current that the membrane integrates. summary: the equation. step:
    (i, inputs, dt, parameters) -> j and the state after the step, where the order of operations is a framework's own.
    """

    parameters: tuple[str, ...]
    coefficients: Callable[..., tuple[Any, Any]]
    summary: str
    step: Callable[..., tuple[Any, Any]] | None = None


SYNAPSE = ("tau_syn", "w_in")
"""What NIR's exponential synapse needs: tau_syn i' = -i + w_in x; the membrane then integrates i."""


def synapse_coefficients(dt: float, tau_syn: Any, w_in: Any) -> tuple[Any, Any]:
    """(decay, gain) of i' = decay * i + gain * x, from parameters in float64."""
    return _kept(dt, tau_syn), w_in * dt / tau_syn


def _decay(i: Any, inputs: tuple[Any, ...], dt: float, alpha: Any) -> tuple[Any, Any]:
    i = sum(inputs, alpha * i)
    return i, i


def _jump(i: Any, inputs: tuple[Any, ...], dt: float, rate: Any) -> tuple[Any, Any]:
    jump = sum(inputs, i)
    return jump, jump + -dt * rate * jump


def _damped(i: Any, inputs: tuple[Any, ...], dt: float, alpha: Any) -> tuple[Any, Any]:
    i = alpha * sum(inputs, i)
    return i, i


SYNAPSES: dict[str, Synapse] = {
    "leak": Synapse(SYNAPSE, synapse_coefficients, "tau_syn i' = -i + w_in x, j = i"),
    "decay": Synapse(("alpha",), lambda dt, alpha: (alpha, 1 + 0 * alpha), "i' = alpha i + x, j = i'", _decay),
    "jump": Synapse(
        ("tau_syn_inv",),
        lambda dt, rate: (1 - dt * rate, 1 + 0 * rate),
        "j = i + x, i' = j - dt tau_syn_inv j",
        _jump,
    ),
    "damped": Synapse(("alpha",), lambda dt, alpha: (alpha, alpha), "i' = alpha (i + x), j = i'", _damped),
}
"""Name -> synapse: NIR's, snntorch's and spikingjelly's, norse's, sinabs's and rockpool's."""
