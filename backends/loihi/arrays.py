"""The few array operations that the simulator needs, over numpy or torch.

Integers are held as float64: all of them stay below 2^53, where float64 is exact, and its products and roundings are
vectorised where those of int64 are not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...bridges.extras import need
from ...ir import InputError


@dataclass(frozen=True)
class Kit:
    """Operations of one array library on one device. All of the first five take `out=`.

    zeros: (shape, "float64" | "bool") -> array. put: numpy -> array. get: array -> numpy. reset: sets values to 0 where
    a mask of the same shape is true. torch: the module, where the arrays are its tensors. device: where they live.
    """

    multiply: Callable[..., Any]
    add: Callable[..., Any]
    greater: Callable[..., Any]
    trunc: Callable[..., Any]
    floor: Callable[..., Any]
    where: Callable[..., Any]
    zeros: Callable[[tuple[int, ...], str], Any]
    put: Callable[[np.ndarray], Any]
    get: Callable[[Any], np.ndarray]
    reset: Callable[[Any, Any], None]
    torch: Any = None
    device: str = "numpy"

    def wrapped(self, x: Any, bits: int) -> Any:
        """Whole numbers modulo 2^bits, from -2^(bits - 1) on: what an integer of so many bits keeps."""
        full = float(2**bits)
        return x - self.floor((x + full / 2) / full) * full

    @property
    def on_gpu(self) -> bool:
        return self.device not in ("numpy", "cpu")


def _reset(values: np.ndarray, mask: np.ndarray) -> None:
    np.putmask(values, mask, 0.0)


NUMPY = Kit(
    np.multiply, np.add, np.greater, np.trunc, np.floor, np.where, np.zeros, np.asarray, np.asarray, _reset
)  # fmt: skip


def kit_of(device: str) -> Kit:
    """numpy, or torch on a device of its (cpu, cuda, cuda:1, ...). InputError O0002 for a device that is not there."""
    if device == "numpy":
        return NUMPY
    torch = need("torch", "torch")
    try:
        torch.zeros(1, dtype=torch.float64, device=device)
    except (RuntimeError, TypeError, AssertionError) as fault:
        reason = str(fault).splitlines()[0]
        raise InputError.of(
            "O0002", f"device {device!r} cannot be used: {reason}", help="numpy, cpu, cuda or cuda:NUMBER"
        ) from fault
    return Kit(
        torch.mul,
        torch.add,
        torch.gt,
        torch.trunc,
        torch.floor,
        torch.where,
        lambda shape, kind: torch.zeros(shape, dtype=getattr(torch, kind), device=device),
        lambda values: torch.from_numpy(np.ascontiguousarray(values)).to(device),
        lambda values: values.cpu().numpy(),
        lambda values, mask: values.masked_fill_(mask, 0.0),
        torch,
        device,
    )
