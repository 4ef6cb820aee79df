"""What a program means, in torch: every op batched and differentiable, circuits exactly."""

from __future__ import annotations

from . import (
    contraction,
    control,
    fixed,
    layers,
    logic,
    mitigation,
    neurons,
    outcomes,
    plasticity,
    quantum,
    spiking,
    tensor,
    unitaries,
)  # register the meanings
from .compare import max_error, random_inputs, unitary
from .evaluate import constant_value, evaluate, evaluate_graph
from .logic import evaluate_netlist, latency, pulses
from .walk import MEANINGS, LaunchRunner

__all__ = [
    "MEANINGS",
    "LaunchRunner",
    "constant_value",
    "contraction",
    "control",
    "evaluate",
    "evaluate_graph",
    "evaluate_netlist",
    "fixed",
    "latency",
    "layers",
    "logic",
    "max_error",
    "mitigation",
    "neurons",
    "outcomes",
    "plasticity",
    "pulses",
    "quantum",
    "random_inputs",
    "spiking",
    "tensor",
    "unitaries",
    "unitary",
]
