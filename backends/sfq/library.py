"""Cell libraries: what a cell costs and how fast it is, as data of a target."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...ir import InputError, Location
from ...ir.cells import CELL_CODES, CELLS
from ...ir.diagnostics import Diagnostic, did_you_mean
from ...ir.target import Target

FEMTO = 10**15
"""Femtoseconds in a second. Timing is computed in whole femtoseconds, as Verilog does."""

NEEDED = ("AND2", "OR2", "XOR2", "XNOR2", "NOT", "DFF", "SPLIT")
"""The cells that the mapping uses."""

KNOWN = (*NEEDED, "JTL")
LIMITS = ("junctions", "bias", "pins")
TOP_KEYS = ("name", "kind", "backend", "summary", "clock", "limits", "cells")
WIRE_KEYS = ("junctions", "bias", "delay", "separation")
CLOCKED_KEYS = ("junctions", "bias", "delay", "setup", "hold", "separation")
POSITIVE = ("delay", "junctions", "period")
LONGEST = 1e-6
"""No cell is slower than this: a number above it is one in picoseconds."""


@dataclass(frozen=True)
class CellFigures:
    """One cell: bias in amperes, times in femtoseconds; setup and hold are 0 for cells without a clock."""

    junctions: int
    bias: float
    delay: int
    separation: int
    setup: int = 0
    hold: int = 0


@dataclass(frozen=True)
class Library:
    """A target's cells. period: the fixed clock period or None; window: the least input window; in femtoseconds."""

    name: str
    cells: Mapping[str, CellFigures]
    margin: float
    window: int
    period: int | None

    @classmethod
    def of(cls, target: Target) -> Library:
        """The library that the target's data hold."""
        clock = target.data["clock"]
        cells = {name: _figures(row) for name, row in target.data["cells"].items()}
        period = femtoseconds(clock["period"]) if "period" in clock else None
        return cls(target.name, cells, float(clock["margin"]), femtoseconds(clock["window"]), period)


def femtoseconds(seconds: float) -> int:
    """Seconds as whole femtoseconds."""
    return round(seconds * FEMTO)


def _figures(row: Mapping[str, Any]) -> CellFigures:
    times = {key: femtoseconds(row[key]) for key in ("delay", "separation", "setup", "hold") if key in row}
    return CellFigures(int(row["junctions"]), float(row["bias"]), **times)


def load_library(path: str | Path) -> Target:
    """The target that a cell library file describes; its keys are those of `rsfq.toml`.

    Raises InputError T0005 with every fault of the file and its line.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except FileNotFoundError:
        raise InputError.of("M0001", f"there is no target file {path}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise InputError.of("T0005", f"{path} is not TOML: {fault}") from None
    return target_of(table, path)


def target_of(table: Mapping[str, Any], path: Path) -> Target:
    """The target of a parsed library file. Raises InputError T0005 with every fault of it and its line."""
    faults = [*_faults(table, _Places(path))]
    if faults:
        raise InputError(faults)
    return Target(
        table["name"],
        "sfq",
        "sfq",
        table.get("summary", ""),
        {key: float(value) for key, value in table.get("limits", {}).items()},
        tuple(table["cells"]),
        {"clock": dict(table["clock"]), "cells": {name: dict(row) for name, row in table["cells"].items()}},
    )


class _Places:
    """Line and column of keys and table heads in the file; the file alone where they are not found."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            self.lines = []

    def __call__(self, table: str, key: str = "") -> Location:
        inside = not table
        found = Location(str(self.path))
        for number, line in enumerate(self.lines, 1):
            head = re.match(r"\s*\[\s*([\w.\"' -]+?)\s*\]", line)
            if head:
                inside = head[1].replace('"', "").replace("'", "") == table
                if inside:
                    found = Location(str(self.path), number, line.index("[") + 1)
            elif inside and key and (match := re.match(rf"(\s*){re.escape(key)}\s*=", line)):
                return Location(str(self.path), number, len(match[1]) + 1)
        return found


def _faults(table: Mapping[str, Any], place: _Places) -> Iterator[Diagnostic]:
    for key in table:
        if key not in TOP_KEYS:
            yield Diagnostic("T0005", f"unknown key {key!r}", place("", key), help=did_you_mean(key, TOP_KEYS))
    if not isinstance(table.get("name"), str) or not table["name"]:
        yield Diagnostic("T0005", "the library has no name", place(""), help='add a line like name = "my_cells"')
    for key in ("kind", "backend"):
        if table.get(key) != "sfq":
            yield Diagnostic("T0005", f"{key} is {table.get(key)!r}", place("", key), help=f'{key} = "sfq"')
    for key in ("clock", "cells", "limits"):
        if not isinstance(table.get(key, {}), Mapping) or (key != "limits" and key not in table):
            yield Diagnostic("T0005", f"there is no table [{key}]", place(""), help="see the library rsfq.toml")
            return
    yield from _clock_faults(table["clock"], place)
    yield from _number_faults("limits", table.get("limits", {}), (), LIMITS, place)
    yield from _cell_faults(table["cells"], place)


def _clock_faults(clock: Mapping[str, Any], place: _Places) -> Iterator[Diagnostic]:
    yield from _number_faults("clock", clock, ("margin", "window"), ("margin", "window", "period"), place)


def _cell_faults(cells: Mapping[str, Any], place: _Places) -> Iterator[Diagnostic]:
    for name in NEEDED:
        if name not in cells:
            yield Diagnostic("T0005", f"there is no cell {name}", place("cells"), help=f"add a table [cells.{name}]")
    for name, row in cells.items():
        where = f"cells.{name}"
        if name not in KNOWN:
            yield Diagnostic("T0005", f"unknown cell {name!r}", place(where), help=did_you_mean(name, KNOWN))
        elif not isinstance(row, Mapping):
            yield Diagnostic("T0005", f"{where} is not a table", place("cells", name), help=f"write [cells.{name}]")
        else:
            keys = CLOCKED_KEYS if CELLS[CELL_CODES[name]].clocked else WIRE_KEYS
            yield from _number_faults(where, row, keys, keys, place)


def _number_faults(
    where: str, row: Mapping[str, Any], needed: tuple[str, ...], known: tuple[str, ...], place: _Places
) -> Iterator[Diagnostic]:
    for key in needed:
        if key not in row:
            yield Diagnostic("T0005", f"[{where}] does not say its {key}", place(where), help=f"add {key} = ...")
    for key, value in row.items():
        at = place(where, key)
        if key not in known:
            yield Diagnostic("T0005", f"[{where}] has an unknown key {key!r}", at, help=did_you_mean(key, known))
        elif fault := _number_fault(key, value, where):
            yield Diagnostic("T0005", f"[{where}] {key} is {value!r}: {fault}", at)


def _number_fault(key: str, value: Any, where: str) -> str:
    """What is wrong with a number, or nothing."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return "a number is needed"
    if key in POSITIVE and value <= 0:
        return "it has to be above zero"
    if value < 0:
        return "it may not be negative"
    if key in ("junctions", "pins") and value != int(value):
        return "a whole number is needed"
    if key in ("delay", "setup", "hold", "separation", "window", "period") and value > LONGEST:
        return "times are in seconds, for example 5.0e-12"
    if key == "bias" and value > 1 and where != "limits":
        return "bias is in amperes, for example 0.35e-3"
    return ""
