"""Other frameworks' importers of NIR: how to run them, and what they are known to change.

The known behaviours are those of snntorch 1.0.0, norse 1.1.0, sinabs 3.1.3, SpikingJelly 2.0.0 and rockpool 3.1.0, read
in their importers.
"""

from __future__ import annotations

import importlib
import importlib.util
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...bridges import environments
from ...bridges.nir import NirGraph, NirNode
from ...ir import MissingError, TargetError
from ...ir.diagnostics import Diagnostic

READERS = Path(__file__).with_name("readers")
TIMEOUT = 600.0


@dataclass(frozen=True)
class Importer:
    """kinds: nodes that it takes. changes: (node, dt) -> what it makes of it that the file does not say, or None."""

    kinds: frozenset[str]
    changes: tuple[Callable[[NirNode, float], str | None], ...] = ()
    cycles: bool = True
    named_only: bool = False


def _kinds(text: str) -> frozenset[str]:
    return frozenset(["Input", "Output", *text.split()])


def _several(node: NirNode, dt: float) -> str | None:
    for name in ("v_threshold", "v_reset"):
        if name in node.fields and np.unique(node.array(name)).size > 1:
            return f"takes one {name.removeprefix('v_')} a layer, and there are several"
    return None


def _uneven(node: NirNode, dt: float) -> str | None:
    for name in ("tau", "tau_syn", "tau_mem", "r", "w_in", "v_leak", "v_threshold", "v_reset"):
        if name in node.fields and np.unique(node.array(name)).size > 1:
            return f"takes one {name} a layer, and there are several"
    return None


def _resets_to_zero(node: NirNode, dt: float) -> str | None:
    return "resets to 0 whatever v_reset says" if "v_reset" in node.fields and node.array("v_reset").any() else None


def _ignores_r(node: NirNode, dt: float) -> str | None:
    ignored = node.kind in ("LIF", "IF") and not np.allclose(node.array("r"), 1)
    return f"ignores r of {node.kind}, which is {node.array('r').ravel()[0]:g} and not 1" if ignored else None


def _if_without_dt(node: NirNode, dt: float) -> str | None:
    other = node.kind == "IF" and not np.allclose(node.array("r") * dt, 1)
    return "adds the input to an IF as it is, without r dt" if other else None


def _exponential(node: NirNode, dt: float) -> str | None:
    if node.kind not in ("LIF", "LI"):
        return None
    return "decays by exp(-1 / tau) with tau in steps, ignores r, and takes the threshold off at a spike"


def _soft_if(node: NirNode, dt: float) -> str | None:
    return (
        "takes the threshold off an IF at a spike, and does not let it below minus the threshold" * (node.kind == "IF")
        or None
    )


def _inclusive(node: NirNode, dt: float) -> str | None:
    return "fires on the threshold too" if "v_threshold" in node.fields else None


def _leak_of_synapse(node: NirNode, dt: float) -> str | None:
    leaks = node.kind == "CubaLIF" and node.array("v_leak").any()
    return "gives the synaptic current of a CubaLIF the leak of the membrane" if leaks else None


def _guesses_dt(node: NirNode, dt: float) -> str | None:
    return "takes the step from tau / (1 + r), and decays by exp(-dt / tau)" if node.kind == "CubaLIF" else None


def _jelly_gain(node: NirNode, dt: float) -> str | None:
    if node.kind != "LIF":
        return None
    steps = node.array("tau").astype(np.float64) / dt
    fits = np.allclose(node.array("r"), 1) or np.allclose(node.array("r"), steps)
    return None if fits else "takes an r of 1 or of tau / dt for a LIF, and refuses others"


IMPORTERS: dict[str, Importer] = {
    "snntorch": Importer(
        _kinds("Affine Linear Conv2d Flatten AvgPool2d LIF CubaLIF"), (_several, _resets_to_zero), False
    ),
    "norse": Importer(
        _kinds("Affine Linear Conv2d Flatten SumPool2d IF LIF CubaLIF"),
        (_ignores_r, _resets_to_zero, _leak_of_synapse),
    ),
    "sinabs": Importer(
        _kinds("Affine Conv2d Flatten SumPool2d LI IF LIF"), (_exponential, _soft_if, _if_without_dt), False
    ),
    "spikingjelly": Importer(
        _kinds("Affine Linear Conv1d Conv2d Flatten AvgPool2d IF LIF CubaLIF"), (_uneven, _jelly_gain, _inclusive)
    ),
    "rockpool": Importer(_kinds("Affine Linear CubaLIF"), (_guesses_dt, _resets_to_zero), named_only=True),
}
"""Name -> importer."""


def causes(graph: NirGraph, name: str, dt: float) -> list[str]:
    """What an importer is known to do with this graph that the file does not say, a sentence each."""
    importer = IMPORTERS[name]
    return [f"{name} {text}" for text in dict.fromkeys(_causes(graph, importer, dt))]


def _causes(graph: NirGraph, importer: Importer, dt: float) -> Iterator[str]:
    for node_name, node in graph.nodes.items():
        if node.kind not in importer.kinds:
            yield f"imports no {node.kind} ({node_name})"
            continue
        for change in importer.changes:
            text = change(node, dt)
            if text:
                yield f"{text} ({node_name})"
    pairs = set(graph.edges)
    if not importer.cycles and any((b, a) in pairs for a, b in pairs):
        yield "cannot run recurrent weights"


def available(name: str) -> bool:
    """Whether an importer can be run here: in its environment, or in this one."""
    return environments.find(name) is not None or importlib.util.find_spec(name) is not None


def run_importer(name: str, data: bytes, x: np.ndarray, dt: float) -> np.ndarray:
    """What a framework makes of a graph's file, (steps, batch, ...).

    x: (steps, batch, ...), float32. MissingError E0006 where neither the environment nor the package is there,
    TargetError T0003 with what is known of the cause where the importer fails.
    """
    from ...bridges.nir import read

    if not available(name):
        raise MissingError.of("E0006", f"{name} is not there", help=f"qsc env create {name}")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "graph.nir").write_bytes(data)
        np.savez(place / "given.npz", x=x, dt=dt)
        try:
            return _run(name, place, x, dt)
        except Exception as fault:
            if isinstance(fault, MissingError) and fault.diagnostics[0].code != "E0008":
                raise
            text = str(fault).strip().splitlines() or [type(fault).__name__]
            known = tuple(causes(read(data), name, dt))
            message = f"{name} cannot run the graph: {text[0]}"
            raise TargetError([Diagnostic("T0003", message, notes=known)]) from None


def _run(name: str, place: Path, x: np.ndarray, dt: float) -> np.ndarray:
    if environments.find(name) is None:
        module = importlib.import_module(f".readers.{name}_reader", __package__)
        return np.asarray(module.run(str(place / "graph.nir"), x, dt))
    files = [str(place / file) for file in ("graph.nir", "given.npz", "out.npz")]
    environments.run_script(name, READERS / f"{name}_reader.py", files, TIMEOUT)
    return np.load(place / "out.npz")["y"]
