"""Optional dependencies: one line that names the missing extra instead of an ImportError."""

from __future__ import annotations

import importlib
from types import ModuleType

from ..ir import MissingError


def need(module: str, extra: str) -> ModuleType:
    """Import `module`, which comes with the extra `extra`. MissingError E0001 names the extra where it is absent."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as fault:
        missing = (fault.name or module).split(".")[0]
        raise MissingError.of(
            "E0001", f"the package {missing} is not installed", help=f'pip install "qsc[{extra}]"'
        ) from fault
