"""The arithmetic of membranes: how a potential v and an input x become the potential of the next step.

Every form is affine in (v, x): v' = decay * v + gain * x + offset. A form that is stated in continuous time is computed
by these three numbers, made in float64 and rounded once to the type that is computed in; the step is Euler's of `dt`
seconds, as NIR's equations are read by every framework that discretises them so.

Sources: Pedersen et al., "Neuromorphic intermediate representation", Nature Communications 15, 8122 (2024), equations
of I, LI, IF, LIF, CubaLI and CubaLIF.
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
    equation.
    """

    parameters: tuple[str, ...]
    coefficients: Callable[..., Coefficients]
    summary: str


FORMS: dict[str, Form] = {
    "leak": Form(
        ("tau", "r", "v_leak"),
        lambda dt, tau, r, v_leak: (1 - dt / tau, r * dt / tau, v_leak * dt / tau),
        "tau v' = (v_leak - v) + r x",
    ),
    "sum": Form(("r",), lambda dt, r: (1 + 0 * r, r * dt, 0 * r), "v' = r x"),
}
"""Name -> form. tau in seconds."""

SYNAPSE = ("tau_syn", "w_in")
"""What an exponential synapse before a membrane needs: tau_syn i' = -i + w_in x; the membrane then integrates i."""


def synapse_coefficients(dt: float, tau_syn: Any, w_in: Any) -> tuple[Any, Any]:
    """(decay, gain) of i' = decay * i + gain * x, from parameters in float64."""
    return 1 - dt / tau_syn, w_in * dt / tau_syn
