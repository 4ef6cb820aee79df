"""Superconducting single-flux-quantum logic: the target `rsfq`, cell libraries, and the backend that writes Verilog."""

from __future__ import annotations

from pathlib import Path

from .backend import SfqBackend, exhaustive_check
from .library import load_library

TARGET = load_library(Path(__file__).with_name("rsfq.toml"))
"""The target `rsfq`."""

__all__ = ["TARGET", "SfqBackend", "exhaustive_check", "load_library"]
