"""The SFQ backend: mapped netlists as structural Verilog, run by Icarus Verilog."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ...ir import CheckError, InputError, Module, Netlist, Node, TargetError
from ...ir.cells import CELL_CODES, CELLS
from ...ir.diagnostics import Diagnostic
from ...ir.ops import Launch, Logic
from ...ir.stages import clock_nets, net_stages, stage_faults
from ...ir.target import Target
from ..base import Costs, Emission, Inputs, Plain, RunOptions, SelfCheck
from .artifact import CELLS_FILE, FILE, TESTBENCH_FILE, Artifact, description
from .cell_models import cell_library
from .library import FEMTO, Library, target_of
from .pulse_orders import EVENTS, CheckResult, check_pulse_orders
from .simulator import play
from .testbench import Schedule, self_checking
from .timing import PICO, Timing, TimingFault, analyse
from .verilog import Names, structural

TABLE_INPUTS = 6
"""Up to so many inputs the testbench streams the whole truth table, above it as many random rows."""

SPLIT, DFF = CELL_CODES["SPLIT"], CELL_CODES["DFF"]


class SfqBackend(Plain):
    """Clocked pulse logic. A launch holds one `logic` node whose netlist is mapped, balanced and split."""

    name: ClassVar[str] = "sfq"
    whole_region: ClassVar[bool] = False
    importers: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        self.last_counts: dict[str, float] = {}

    def target_from(self, table: Mapping[str, Any], path: Path) -> Target:
        """The target of a cell library file. Raises InputError T0005 with every fault of it."""
        return target_of(table, path)

    def unsupported(self, node: Node, module: Module, target: Target) -> str | None:
        """Why the node is not pulse logic of this library, or None."""
        if not isinstance(node.op, Logic):
            return f"{node.op.mnemonic} is not Boolean logic"
        return _netlist_fault(module.netlists[node.op.netlist], Library.of(target))

    def emit(
        self,
        launch: Launch,
        module: Module,
        target: Target,
        seed: int,
        effort: str = "default",
        inputs: Inputs | None = None,
    ) -> Emission:
        """`NAME.v`, `cells.v`, `testbench.v` and `netlist.json` of the launch's netlist.

        Raises TargetError T0003 where pulses race, where a fixed clock is too fast, or where a limit is exceeded.
        """
        netlist, library = _netlist_of(launch, module), Library.of(target)
        timing = _timing(netlist, library)
        names = Names.of(netlist)
        stage = net_stages(netlist)
        depth = max(stage[net] for _, net in netlist.outputs)
        schedule = Schedule(timing.period, timing.window, depth, timing.outputs)
        costs = _costs(netlist, library, timing, schedule)
        _check_limits(netlist, target, costs)
        rows = _testbench_rows(len(netlist.inputs), seed)
        header = _header(netlist, library, timing, depth)
        texts = {
            f"{names.module}.v": structural(netlist, names, header),
            CELLS_FILE: cell_library(library, _kinds(netlist)),
            TESTBENCH_FILE: self_checking(names, schedule, rows, _meaning(netlist)(rows)),
        }
        files = {name: text.encode() for name, text in texts.items()}
        files[FILE] = description(netlist, names, library, timing, depth, costs)
        return Emission(files, costs, _notes(netlist, timing))

    def run(
        self,
        files: Mapping[str, bytes],
        launch: Launch,
        module: Module,
        inputs: Sequence[np.ndarray],
        options: RunOptions,
    ) -> list[np.ndarray]:
        """Bits (..., inputs) -> bits (..., outputs): the rows back to back, one a clock period, in Icarus Verilog.

        Pulse logic is exact, so shots change nothing. Raises InputError O0002 for noise or a foreign importer,
        MissingError E0002 without Icarus Verilog, CheckError R0002 where cells report timing faults.
        """
        _check_options(options)
        artifact = Artifact.of(files)
        (bits,) = inputs
        flat = np.asarray(bits, bool).reshape(-1, len(artifact.names.inputs))
        middle = artifact.schedule.middle
        found = play(artifact, [[(k, middle) for k in np.flatnonzero(row).tolist()] for row in flat])
        if found.faults:
            count = len(found.faults)
            shown = [f"row {fault.row}: {fault.text}" for fault in found.faults[:3]]
            raise CheckError.of(
                "R0002", f"the simulation of {launch.artifact} reports {count} timing faults", notes=shown
            )
        self.last_counts = {"rows": len(flat), "pulses": found.pulses}
        return [found.bits.reshape(*bits.shape[:-1], len(artifact.names.outputs))]

    def self_checks(self, files: Mapping[str, bytes], launch: Launch, module: Module) -> list[SelfCheck]:
        """The check of all pulse orders."""
        result = exhaustive_check(files, launch, module)
        tried = "all" if result["exhaustive"] else f"{result['cases']} random ones of {result['total']}"
        detail = f"pulse orders: {tried} pairs of consecutive inputs"
        detail += f"; first failure: {result['first']}" if result["failures"] else ""
        return [SelfCheck(result["cases"], result["failures"], detail)]


def exhaustive_check(
    files: Mapping[str, bytes], launch: Launch, module: Module, *, events: int = EVENTS
) -> CheckResult:
    """Simulate the artifact for every order and time in which input pulses may come, for all pairs of consecutive
    inputs, against the Boolean meaning of the launch's netlist.

    Above `events` simulated events (about 150,000 a second) random pairs are tried instead, and the result says so.
    Raises MissingError E0002 without Icarus Verilog.
    """
    return check_pulse_orders(Artifact.of(files), _meaning(_netlist_of(launch, module)), events=events)


def _netlist_of(launch: Launch, module: Module) -> Netlist:
    (op,) = (node.op for node in launch.body.nodes if isinstance(node.op, Logic))
    return module.netlists[op.netlist]


def _meaning(netlist: Netlist) -> Callable[[np.ndarray], np.ndarray]:
    from ...ir.interpreter.logic import evaluate_netlist

    return lambda bits: evaluate_netlist(netlist, bits)


def _netlist_fault(netlist: Netlist, library: Library) -> str | None:
    if any(CELLS[code].logic for code in _codes(netlist)) or netlist.clock < 0:
        return f"netlist {netlist.name} holds logic that is not mapped to cells (map-rsfq does it)"
    unknown = [CELLS[code].name for code in _codes(netlist) if CELLS[code].name not in library.cells]
    if unknown:
        return f"netlist {netlist.name} holds {', '.join(unknown)}, which the library {library.name} does not have"
    if not netlist.outputs:
        return f"netlist {netlist.name} has no outputs"
    reads = np.concatenate([netlist.input_nets, np.array([net for _, net in netlist.outputs], np.int64)])
    most = int(np.bincount(reads, minlength=1).max())
    if most > 1:
        return f"netlist {netlist.name} has a net with {most} sinks (insert-splitters adds splitters)"
    unbalanced = stage_faults(netlist)
    if unbalanced:
        return f"netlist {netlist.name} is not balanced: {unbalanced[0]} (balance-paths adds DFFs)"
    return None


def _codes(netlist: Netlist) -> list[int]:
    return sorted(set(netlist.opcode.tolist()))


def _kinds(netlist: Netlist) -> list[str]:
    return [CELLS[code].name for code in _codes(netlist)]


def _timing(netlist: Netlist, library: Library) -> Timing:
    try:
        timing = analyse(netlist, library)
    except TimingFault as fault:
        place = netlist.place_of(fault.cell) if fault.cell >= 0 else netlist.place
        raise TargetError.of("T0003", f"netlist {netlist.name}: {fault}", place) from None
    if timing.period < timing.shortest:
        raise TargetError.of(
            "T0003",
            f"netlist {netlist.name} needs a clock period of {timing.shortest / PICO:g} ps, the library {library.name} "
            f"has {timing.period / PICO:g} ps: {(timing.shortest - timing.period) / PICO:g} ps too short",
            netlist.place,
            notes=[f"limited by {timing.critical}"],
            help="lengthen [clock] period in the library, or leave it out: the analysis then chooses it",
        )
    return timing


def _costs(netlist: Netlist, library: Library, timing: Timing, schedule: Schedule) -> Costs:
    clocks = clock_nets(netlist)
    on_clock = sum(row.opcode == SPLIT and row.inputs[0] in clocks for row in netlist.rows())
    figures = [(library.cells[kind], count) for kind, count in netlist.cell_counts().items()]
    junctions = sum(cell.junctions * count for cell, count in figures)
    clock_junctions = on_clock * library.cells["SPLIT"].junctions if on_clock else 0
    latency = schedule.depth * schedule.period + max(schedule.arrivals) - schedule.window[0]
    return {
        "cells": len(netlist),
        "junctions": junctions - clock_junctions,
        "junctions_with_clock": junctions,
        "balancing_dffs": int(np.count_nonzero(netlist.opcode == DFF)),
        "splitters": int(np.count_nonzero(netlist.opcode == SPLIT)),
        "clock_splitters": on_clock,
        "depth": schedule.depth,
        "bias_a": round(sum(cell.bias * count for cell, count in figures), 9),
        "period_s": timing.period / FEMTO,
        "latency_s": latency / FEMTO,
    }


def _check_limits(netlist: Netlist, target: Target, costs: Costs) -> None:
    needed = {
        "junctions": costs["junctions_with_clock"],
        "bias": costs["bias_a"],
        "pins": len(netlist.inputs) + len(netlist.outputs) + 1,
    }
    faults = [
        Diagnostic(
            "T0003",
            f"netlist {netlist.name} needs {needed[key]:g} {key}, {target.name} has {limit:g}: "
            f"{needed[key] - limit:g} too many",
            netlist.place,
        )
        for key, limit in target.limits.items()
        if needed[key] > limit
    ]
    if faults:
        raise TargetError(faults)


def _check_options(options: RunOptions) -> None:
    if options.noise:
        raise InputError.of("O0002", "the sfq backend has no noise model", help="run without noise")
    if options.importer not in (None, "iverilog"):
        raise InputError.of(
            "O0002", f"the sfq backend does not know the importer {options.importer!r}", help="known: iverilog"
        )


def _testbench_rows(inputs: int, seed: int) -> np.ndarray:
    """The rows of `testbench.v`: (rows, inputs)."""
    if inputs <= TABLE_INPUTS:
        return (np.arange(1 << inputs)[:, None] >> np.arange(inputs)) & 1 == 1
    return np.random.default_rng(seed).random((1 << TABLE_INPUTS, inputs)) < 0.5


def _header(netlist: Netlist, library: Library, timing: Timing, depth: int) -> list[str]:
    cells = ", ".join(f"{count} {kind}" for kind, count in netlist.cell_counts().items())
    low, high = timing.window
    return [
        f"{netlist.name}: RSFQ netlist, cells of the library {library.name} ({CELLS_FILE})",
        f"{cells}",
        f"clock period {timing.period / PICO:g} ps; safe from {timing.shortest / PICO:g} ps, limited by "
        f"{timing.critical}",
        f"input pulses of a row come once each, in any order, {low / PICO:g} to {high / PICO:g} ps after its clock "
        "pulse;",
        f"the row's output pulses come {depth} clock pulses later",
    ]


def _notes(netlist: Netlist, timing: Timing) -> tuple[str, ...]:
    cells = ", ".join(f"{count} {kind}" for kind, count in netlist.cell_counts().items())
    low, high = timing.window
    return (
        f"cells: {cells}",
        f"safe from a clock period of {timing.shortest / PICO:g} ps ({1e6 / timing.shortest:.4g} GHz), limited by "
        f"{timing.critical}",
        f"inputs may come in any order from {low / PICO:g} to {high / PICO:g} ps after the clock pulse of their row",
        "wires between cells (JTLs, PTLs) and converters at the ports are not counted",
    )
