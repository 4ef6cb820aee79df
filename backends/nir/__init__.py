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
    summary="a NIR graph: LIF and CubaLIF neurons, linear and conv layers, average pooling, flatten",
    native_ops=("linear", "conv", "avg_pool", "reshape", "add", "mul", "leaky", "synaptic", "scan"),
)
"""The target `nir`."""

__all__ = ["TARGET", "NirBackend"]
