"""Gate-model devices through Qiskit: device snapshots and generic devices, QPY and OpenQASM 3, Aer simulation.

Importing this package imports no SDK; `QiskitBackend` does, on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .backend import QiskitBackend

__all__ = ["QiskitBackend"]


def __getattr__(name: str) -> Any:
    if name != "QiskitBackend":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ...bridges.extras import need

    for module in ("qiskit", "qiskit_aer"):
        need(module, "qiskit")
    from .backend import QiskitBackend

    return QiskitBackend
