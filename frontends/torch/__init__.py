"""PyTorch models in: torch.export with stand-ins for known layers, raised to the IR, time loops folded."""

from __future__ import annotations

from .importer import read
from .model_file import read_file

__all__ = ["read", "read_file"]
