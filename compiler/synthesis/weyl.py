"""Two-qubit matrices, for the passes: see `qsc.ir.weyl`."""

from __future__ import annotations

from ...ir.weyl import NEAR, Canonical, canonical, core, mirrored

__all__ = ["NEAR", "Canonical", "canonical", "core", "mirrored"]
