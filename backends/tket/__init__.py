"""Gate-model devices through pytket: Quantinuum's native gates, and any device known to Qiskit by pytket's passes.

Importing this package imports no SDK; `TketBackend` does, on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .backend import TketBackend

__all__ = ["TketBackend"]


def __getattr__(name: str) -> Any:
    if name != "TketBackend":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ...bridges.extras import need

    need("pytket", "tket")
    for module in ("qiskit", "qiskit_aer"):
        need(module, "qiskit")
    from .backend import TketBackend

    return TketBackend
