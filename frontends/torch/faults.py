"""What cannot be taken, and where it is in the user's source."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import fx

from ...ir import Diagnostic, InputError, Location

FOREIGN = ("torch", "snntorch", "norse", "spikingjelly", "sinabs", "rockpool", "pennylane", "qiskit_machine_learning")
"""Packages whose layers are named in a diagnostic about one of their operations."""
_FRAME = re.compile(r'File "([^"]+)", line (\d+)')
_PACKAGE = Path(__file__).parents[2]
_PARTS = ("backends", "bridges", "compiler", "frontends", "ir")
_HERE = tuple(str(_PACKAGE / part) + os.sep for part in _PARTS)
_LIBRARIES = (str(Path(torch.__file__).parent) + os.sep, *_HERE, "<", "torch" + os.sep)


STATE = "pass the state in and out instead, or make it in forward"


class Unsupported(Exception):  # noqa: N818 - becomes a diagnostic
    """A call that has no meaning in the IR. `batch`: because it treats the batch dimension as one of its own."""

    def __init__(self, message: str, *, batch: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.batch = batch


@dataclass
class Fault:
    """One kind of fault at one place, and how often it occurs there."""

    message: str
    place: Location
    batch: bool = False
    count: int = 1
    layer: str = ""


class UnsupportedError(InputError):
    """M0005: everything that could not be taken. `batch`: whether each fault concerns the batch dimension."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.batch = all(f.batch for f in faults)
        super().__init__([_diagnostic(f) for f in faults])


def _diagnostic(fault: Fault) -> Diagnostic:
    notes = [f"it is part of the layer {fault.layer}"] if fault.layer else []
    notes += [f"it occurs {fault.count} times there"] if fault.count > 1 else []
    return Diagnostic("M0005", fault.message, fault.place, tuple(notes))


def source_location(trace: str, path: str) -> Location:
    """The innermost line of a printed stack that is the user's own, with the module path."""
    file, line = _user_frame(trace)
    return Location(file, line, path=path)


@cache
def _user_frame(trace: str) -> tuple[str, int]:
    for file, line in reversed(_FRAME.findall(trace)):
        if is_user_file(file):
            return short_path(file), int(line)
    return "", 0


def is_user_file(file: str) -> bool:
    """Whether a source file is the user's: not torch, not an installed package, not this one."""
    return not file.startswith(_LIBRARIES) and f"{os.sep}site-packages{os.sep}" not in file


def short_path(file: str) -> str:
    """The path from the current folder where the file is below it."""
    here = os.getcwd() + os.sep
    return file.removeprefix(here)


def foreign_layer(node: fx.Node) -> str:
    """The class of the layer that a call belongs to, where torch or another package brought it."""
    classes = [str(e[1]) for e in (node.meta.get("nn_module_stack") or {}).values() if isinstance(e, tuple)]
    return classes[-1] if classes and classes[-1].split(".")[0] in FOREIGN else ""
