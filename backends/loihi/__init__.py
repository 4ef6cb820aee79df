"""Loihi 1 and 2: programs of integers that mean what Lava's fixed-point models mean, on the chips' cores.

Importing this package imports no SDK.
"""

from __future__ import annotations

import tomllib
from typing import Any

from ...ir.target import Target
from .backend import LoihiBackend, chip
from .mapping.limits import TARGETS


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((TARGETS / f"{name}.toml").read_text(encoding="utf-8"))


LOIHI1: Target = chip(_read("loihi1"))
"""The target `loihi1`."""

LOIHI2: Target = chip(_read("loihi2"))
"""The target `loihi2`."""

__all__ = ["LOIHI1", "LOIHI2", "LoihiBackend"]
