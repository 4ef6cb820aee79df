"""Neuromorphic Intermediate Representation (NIR): the target `nir`, for every tool and chip that reads NIR files.

Importing this package imports no SDK.
"""

from __future__ import annotations

from ...ir.target import Target
from .backend import NirBackend

TARGET = Target(
    name="nir",
    kind="neuromorphic",
    backend="nir",
    summary="a NIR graph: integrators and neurons with any reset, linear and conv layers, delays, pooling, recurrence",
    native_ops=(
        *("linear", "conv", "avg_pool", "reshape", "add", "mul", "neg", "scan", "push", "tap", "delayed_linear"),
        *("leaky", "synaptic", "lif", "cuba_lif", "integrate", "cuba_integrate", "fire"),
    ),
)
"""The target `nir`."""

__all__ = ["TARGET", "NirBackend"]
