"""Runs other frameworks' importers of NIR, each in its environment or, where it is installed beside us, in this one."""

from __future__ import annotations

import importlib
import importlib.util
import tempfile
from pathlib import Path

import numpy as np

from ...bridges import environments
from ...bridges.nir.shapes import show
from ...ir import CheckError, MissingError, QscError, TargetError
from ...ir.diagnostics import Diagnostic
from .known import causes

READERS = Path(__file__).with_name("readers")
TIMEOUT = 600.0


def available(name: str) -> bool:
    """Whether an importer can be run here: in its environment, or in this one."""
    return environments.find(name) is not None or importlib.util.find_spec(name) is not None


def run_importer(name: str, data: bytes, x: np.ndarray, dt: float) -> np.ndarray:
    """What a framework makes of a graph's file, (steps, batch, ...).

    x: (steps, batch, ...), float32. MissingError E0006 where neither the environment nor the package is there,
    TargetError T0003 with what is known of the cause where the importer fails, CheckError R0002 where its outputs have
    another shape.
    """
    from ...bridges.nir import read

    if not available(name):
        raise MissingError.of("E0006", f"{name} is not there", help=f"qsc env create {name}")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "graph.nir").write_bytes(data)
        np.savez(place / "given.npz", x=x, dt=dt)
        try:
            found = _run(name, place, x, dt)
        except Exception as fault:
            if isinstance(fault, MissingError) and fault.diagnostics[0].code != "E0008":
                raise
            known = tuple(causes(read(data), name, dt))
            message = f"{name} cannot run the graph; its own message is: {_own_words(name, fault)}"
            raise TargetError([Diagnostic("T0003", message, notes=known)]) from None
    graph = read(data)
    wanted = tuple(graph.nodes[graph.of_kind("Output")[0]].ints("shape"))
    if found.shape != (*x.shape[:2], *wanted):
        message = f"{name} puts out {show(found.shape[2:])} for {show(wanted)}"
        raise CheckError.of("R0002", message, notes=causes(graph, name, dt))
    return found


def _own_words(name: str, fault: Exception) -> str:
    """What the framework says, in a line."""
    if isinstance(fault, QscError):
        return fault.diagnostics[0].message.removeprefix(f"a script in environment {name} failed with 1: ")
    return f"{type(fault).__name__}: {str(fault).strip()}".splitlines()[0]


def _run(name: str, place: Path, x: np.ndarray, dt: float) -> np.ndarray:
    if environments.find(name) is None:
        module = importlib.import_module(f".readers.{name}_reader", __package__)
        return np.asarray(module.run(str(place / "graph.nir"), x, dt))
    files = [str(place / file) for file in ("graph.nir", "given.npz", "out.npz")]
    environments.run_script(name, READERS / f"{name}_reader.py", files, TIMEOUT)
    return np.load(place / "out.npz")["y"]
