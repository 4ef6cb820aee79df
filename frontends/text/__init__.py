"""The .qsc language in: what `qsc.ir.print_module` prints, and the sugar that people write."""

from __future__ import annotations

from .reader import read, read_file

__all__ = ["read", "read_file"]
