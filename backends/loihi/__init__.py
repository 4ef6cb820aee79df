"""Loihi 2: programs of integers that mean what Lava's fixed-point models mean.

Importing this package imports no SDK.
"""

from __future__ import annotations

from ...ir.target import Target
from .backend import LoihiBackend

TARGET = Target(
    name="loihi2",
    kind="neuromorphic",
    backend="loihi",
    summary="Loihi 2: leaky integrate-and-fire neurons in whole numbers, dense, sparse and convolution connections",
    native_ops=(
        "linear",
        "conv",
        "avg_pool",
        "sum_pool",
        "reshape",
        "add",
        "mul",
        "scan",
        "delayed_linear",
        "loihi_lif",
    ),
)
"""The target `loihi2`."""

__all__ = ["TARGET", "LoihiBackend"]
