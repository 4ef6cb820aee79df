"""Logic compiled to RSFQ artifacts without the driver."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from qsc.backends.base import Emission, RunOptions
from qsc.backends.sfq import TARGET, SfqBackend, exhaustive_check
from qsc.backends.sfq.library import Library
from qsc.backends.sfq.timing import analyse
from qsc.compiler.passes.balance_paths import BalancePaths
from qsc.compiler.passes.base import Context
from qsc.compiler.passes.insert_splitters import InsertSplitters
from qsc.compiler.passes.map_rsfq import MapRsfq
from qsc.compiler.passes.simplify_logic import SimplifyLogic
from qsc.ir import DYNAMIC, GraphBuilder, Location, Module, Netlist, NetlistEditor, Type, ops, verify
from qsc.ir.cells import CELLS
from qsc.ir.graph import Graph, Node
from qsc.ir.interpreter.logic import evaluate_netlist
from qsc.ir.ops import Launch
from qsc.ir.target import Target

PASSES = (SimplifyLogic(), MapRsfq(), BalancePaths(), InsertSplitters())


@dataclass
class Compiled:
    """One netlist, its mapped form and its artifact."""

    logic: Netlist
    module: Module
    launch: Launch
    emission: Emission
    target: Target

    @property
    def netlist(self) -> Netlist:
        return self.module.netlists[self.logic.name]

    @property
    def main(self) -> str:
        """The name of the file with the netlist."""
        return next(name for name in self.emission.files if name not in ("cells.v", "testbench.v", "netlist.json"))

    def run(self, bits: np.ndarray) -> np.ndarray:
        (out,) = SfqBackend().run(self.emission.files, self.launch, self.module, [bits], RunOptions())
        return out

    def wanted(self, bits: np.ndarray) -> np.ndarray:
        return evaluate_netlist(self.logic, bits)

    def check(self, files: dict[str, bytes] | None = None) -> dict:
        return dict(exhaustive_check(files or self.emission.files, self.launch, self.module))

    def changed(self, old: str, new: str) -> dict[str, bytes]:
        """The files with one place of the structural Verilog changed."""
        text = self.emission.files[self.main].decode()
        assert text.count(old) == 1
        return self.emission.files | {self.main: text.replace(old, new).encode()}

    def at_period(self, period: int) -> dict[str, bytes]:
        """The files for another clock period, femtoseconds."""
        timing = analyse(self.netlist, Library.of(self.target), period)
        table = json.loads(self.emission.files["netlist.json"])
        table |= {"period_fs": period, "input_window_fs": list(timing.window)}
        return self.emission.files | {"netlist.json": json.dumps(table).encode()}


def module_of(netlist: Netlist) -> Module:
    """A module whose graph is the netlist."""
    module = Module("m", netlists={netlist.name: netlist})
    builder = GraphBuilder(module)
    x = builder.input("x", Type("bit", (DYNAMIC, len(netlist.inputs))))
    (y,) = builder.add(ops.Logic(netlist.name), x, location=netlist.place)
    return module.with_(graph=builder.graph(y))


def launch_of(node: Node, target: Target = TARGET) -> Launch:
    return Launch(target.name, "part", Graph(node.operands, (node,), node.results))


@pytest.fixture
def compile_logic() -> Callable[..., Compiled]:
    def compile_(netlist: Netlist, target: Target = TARGET, seed: int = 0) -> Compiled:
        module = module_of(netlist)
        for pass_ in PASSES:
            module = pass_.run(module, Context(target))
            verify(module)
        (node,) = module.graph.nodes
        assert SfqBackend().unsupported(node, module, target) is None
        launch = launch_of(node, target)
        return Compiled(netlist, module, launch, SfqBackend().emit(launch, module, target, seed), target)

    return compile_


@pytest.fixture
def unsupported() -> Callable[[Netlist], str]:
    """Why the backend does not take a netlist; an empty text where it does."""

    def reason(netlist: Netlist) -> str:
        module = module_of(netlist)
        return SfqBackend().unsupported(module.graph.nodes[0], module, TARGET) or ""

    return reason


@pytest.fixture
def library_target() -> Callable[..., Target]:
    """The target `rsfq` with changed clock, limits or cells."""

    def change(clock: dict | None = None, limits: dict | None = None, **cells: dict) -> Target:
        data = {
            "clock": TARGET.data["clock"] | (clock or {}),
            "cells": {name: row | cells.get(name, {}) for name, row in TARGET.data["cells"].items()},
        }
        return replace(TARGET, limits=limits or {}, data=data)

    return change


@pytest.fixture
def xor() -> Netlist:
    """XOR as a 2-2-1 threshold network."""
    editor = NetlistEditor("xor", "ab", Location("xor_sfq.qsc", 1))
    a, b = (net for _, net in editor.inputs)
    (either,) = editor.add("or", [a, b], location=Location("some/where/xor_sfq.qsc", 2, 3))
    (both,) = editor.add("and", [a, b], location=Location("some/where/xor_sfq.qsc", 3, 3))
    (neither,) = editor.add("not", [both], location=Location("some/where/xor_sfq.qsc", 4, 13))
    (y,) = editor.add("and", [either, neither], location=Location("some/where/xor_sfq.qsc", 4, 3))
    return editor.netlist([("y", y)])


@pytest.fixture
def full_adder() -> Netlist:
    editor = NetlistEditor("full_adder", ["a", "b", "carry_in"])
    a, b, c = (net for _, net in editor.inputs)
    (half,) = editor.add("xor", [a, b])
    (total,) = editor.add("xor", [half, c])
    (both,) = editor.add("and", [a, b])
    (passed,) = editor.add("and", [half, c])
    (carry,) = editor.add("or", [both, passed])
    return editor.netlist([("sum", total), ("carry", carry)])


@pytest.fixture
def random_logic() -> Callable[..., Netlist]:
    def make(seed: int, inputs: int, cells: int, outputs: int) -> Netlist:
        rng = random.Random(seed)
        editor = NetlistEditor("net", [f"i{k}" for k in range(inputs)])
        nets = [net for _, net in editor.inputs]
        kinds = [cell for cell in CELLS if cell.logic and cell.inputs]
        for _ in range(cells):
            cell = rng.choice(kinds)
            nets += editor.add(cell.name, [rng.choice(nets[-12:]) for _ in cell.inputs])
        return editor.netlist([(f"o{k}", net) for k, net in enumerate(nets[-outputs:])])

    return make


@pytest.fixture
def icarus(tmp_path: Path) -> Callable[[dict[str, bytes]], str]:
    """Runs the emitted testbench as a user would: its standard output."""

    def run(files: dict[str, bytes]) -> str:
        for name, data in files.items():
            (tmp_path / name).write_bytes(data)
        sources = sorted(name for name in files if name.endswith(".v"))
        compiled = subprocess.run(
            ["iverilog", "-Wall", "-o", "sim", *sources], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert (compiled.returncode, compiled.stderr) == (0, "")
        return subprocess.run(["vvp", "sim"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    return run


@pytest.fixture
def table() -> Callable[[int], np.ndarray]:
    """Every input once: (2**width, width)."""
    return lambda width: (np.arange(1 << width)[:, None] >> np.arange(width)) & 1 == 1
