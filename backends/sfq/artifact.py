"""`netlist.json`: what a run and a reader need to know beside the Verilog.

Times are in femtoseconds (`_fs`); the input window is counted from the clock pulse with the row's number."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...ir import InputError, Netlist
from .library import Library
from .testbench import Schedule
from .timing import Timing
from .verilog import Names

FILE = "netlist.json"
CELLS_FILE = "cells.v"
TESTBENCH_FILE = "testbench.v"


def description(
    netlist: Netlist, names: Names, library: Library, timing: Timing, depth: int, costs: Mapping[str, float]
) -> bytes:
    """The file's bytes."""
    counts = netlist.cell_counts()
    outputs = zip(netlist.outputs, names.outputs, timing.outputs, strict=True)
    table = {
        "name": netlist.name,
        "library": library.name,
        "module": names.module,
        "verilog": [f"{names.module}.v", CELLS_FILE],
        "inputs": [{"name": n, "port": p} for (n, _), p in zip(netlist.inputs, names.inputs, strict=True)],
        "clock": {"port": names.clock},
        "outputs": [{"name": n, "port": p, "arrival_fs": t} for (n, _), p, t in outputs],
        "period_fs": timing.period,
        "latency_periods": depth,
        "input_window_fs": list(timing.window),
        "timing": {
            "shortest_period_fs": timing.shortest,
            "limited_by": timing.critical,
            "setup_slack_fs": timing.setup_slack,
            "hold_slack_fs": timing.hold_slack,
        },
        "cells": {
            kind: {
                "count": count,
                "junctions": count * library.cells[kind].junctions,
                "bias_a": round(count * library.cells[kind].bias, 9),
            }
            for kind, count in counts.items()
        },
        "costs": dict(costs),
    }
    return (json.dumps(table, indent=1) + "\n").encode()


@dataclass(frozen=True)
class Artifact:
    """One compiled netlist, read back from its files."""

    files: Mapping[str, bytes]
    names: Names
    schedule: Schedule
    sources: tuple[str, ...]
    num_cells: int

    @classmethod
    def of(cls, files: Mapping[str, bytes]) -> Artifact:
        """Raises InputError B0001 where a file is missing or `netlist.json` lacks something."""
        if FILE not in files:
            raise InputError.of("B0001", f"the artifact holds no {FILE}")
        try:
            return cls._parse(files, json.loads(files[FILE]))
        except (ValueError, KeyError, TypeError) as fault:
            raise InputError.of("B0001", f"{FILE} of the artifact cannot be read: {fault}") from None

    @classmethod
    def _parse(cls, files: Mapping[str, bytes], table: Mapping[str, Any]) -> Artifact:
        sources = tuple(table["verilog"])
        missing = [name for name in sources if name not in files]
        if missing:
            raise InputError.of("B0001", f"the artifact holds no {', '.join(missing)}")
        low, high = table["input_window_fs"]
        names = Names(
            table["module"],
            tuple(port["port"] for port in table["inputs"]),
            tuple(port["port"] for port in table["outputs"]),
            table["clock"]["port"],
        )
        arrivals = tuple(int(port["arrival_fs"]) for port in table["outputs"])
        schedule = Schedule(int(table["period_fs"]), (int(low), int(high)), int(table["latency_periods"]), arrivals)
        return cls(files, names, schedule, sources, sum(int(row["count"]) for row in table["cells"].values()))
