"""The nir backend: a time loop of neurons and the layers that feed it become one NIR graph."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ...bridges.networks import INPUT
from ...bridges.nir import NirGraph, read, write
from ...bridges.nir import NirNode as FileNode
from ...ir import Diagnostic, InputError, Module, Node, TargetError
from ...ir.ops import Launch
from ...ir.target import Target
from ..activity import Activity
from ..base import MODEL, Costs, Emission, Inputs, Plain, RunOptions
from .importers import run_importer
from .known import IMPORTERS, causes, refusals
from .lower import make_plan, reason_against
from .plan import DT, OUTPUT, Plan
from .readable import GENERATIONS, readable

GRAPH_FILE, META_FILE = "graph.nir", "meta.json"
RESET = "at once, to v_reset"
UPDATE = "one forward Euler step of dt"
NEWEST = "1.0.8"
"""The version of NIR files that is written where no reader needs an older one."""


class NirBackend(Plain):
    """NIR files for any tool that reads them. A launch holds one time loop and the layers before it."""

    name: ClassVar[str] = "nir"
    whole_region: ClassVar[bool] = True
    importers: ClassVar[tuple[str, ...]] = (*IMPORTERS, *(MODEL + name for name in IMPORTERS))

    def __init__(self) -> None:
        self.last_counts: dict[str, float] = {}
        self.last_activity: Activity | None = None

    def unsupported(self, node: Node, module: Module, target: Target) -> str | None:
        """Why NIR cannot hold the node, or None. A launch node is asked about as the whole that it is."""
        return reason_against(node, module)

    def target_from(self, table: Mapping[str, Any], path: Path) -> Target:
        """NIR is a file format, not a chip: InputError."""
        raise InputError.of("T0005", f"{path}: nir describes no chip", help="use --target nir")

    def emit(
        self,
        launch: Launch,
        module: Module,
        target: Target,
        seed: int,
        effort: str = "default",
        inputs: Inputs | None = None,
    ) -> Emission:
        """`graph.nir`, and `meta.json` with the time steps, the step's length and where each node came from.

        TargetError T0003 with everything that NIR cannot take, a weight that is not finite included, and with what the
        reader that the target is for is known to refuse.
        """
        reader = target.data.get("reader")
        plan = readable(make_plan(launch.body, module), reader)
        reasons = refusals(graph_of(plan), reader, plan.dt) if reader else []
        if reasons:
            help = "compile with --target nir for other readers"
            raise TargetError(
                [Diagnostic("T0003", f"{reader} cannot take the graph: it {r}", help=help) for r in reasons]
            )
        data = write_graph(plan, GENERATIONS.get(reader or "", NEWEST))
        files = {GRAPH_FILE: data, META_FILE: _meta(plan)}
        return Emission(files, _costs(plan), tuple(_notes(plan, reader or "snntorch")))

    def run(
        self,
        files: Mapping[str, bytes],
        launch: Launch,
        module: Module,
        inputs: Sequence[np.ndarray],
        options: RunOptions,
    ) -> list[np.ndarray]:
        """Spikes (time, batch, ...) of the emitted graph, by the embedded simulator or by `options.importer`.

        Shots and noise mean nothing here: the graph is deterministic.
        """
        import torch

        from .modelled import run_model
        from .record import Recorder
        from .simulate import run_graph

        meta = json.loads(files[META_FILE])
        graph = read(files[GRAPH_FILE])
        x = torch.from_numpy(np.ascontiguousarray(inputs[0], np.float32))
        if options.importer is None:
            bits = {name: facts.get("weight_bits", 32) for name, facts in meta["nodes"].items()}
            watch = Recorder(graph, meta["steps"], meta["dt"], bits) if options.record else None
            out, counts = run_graph(graph, meta["steps"], meta["dt"], x, sequence=meta["sequence"], watch=watch)
            self.last_counts = {"spikes": sum(counts.values())}
            self.last_activity = None if watch is None else watch.activity()
            return [out.numpy()]
        shown = x.numpy() if meta["sequence"] else np.broadcast_to(x.numpy(), (meta["steps"], *x.shape))
        self.last_counts, self.last_activity = {}, None
        shown = np.ascontiguousarray(shown)
        if options.importer.startswith(MODEL):
            return [run_model(options.importer.removeprefix(MODEL), graph, shown, meta["dt"])]
        return [run_importer(options.importer, files[GRAPH_FILE], shown, meta["dt"])]

    def importer_notes(self, files: Mapping[str, bytes], importer: str) -> list[str]:
        """What a framework is known to do with the graph that the file does not say."""
        return causes(read(files[GRAPH_FILE]), importer.removeprefix(MODEL), json.loads(files[META_FILE])["dt"])


def write_graph(plan: Plan, generation: str = NEWEST) -> bytes:
    """The bytes of a .nir file; equal plans give equal bytes."""
    return write(graph_of(plan), generation)


def graph_of(plan: Plan) -> NirGraph:
    """The graph of a plan."""
    nodes = {INPUT: FileNode("Input", {"shape": np.array(plan.input_shape)})}
    for name, node in plan.nodes.items():
        nodes[name] = FileNode(node.kind, node.fields, None, node.metadata())
    last = next(node for name, node in plan.nodes.items() if (name, OUTPUT) in plan.edges)
    nodes[OUTPUT] = FileNode("Output", {"shape": np.array(last.shape)})
    facts = {
        "dt": plan.dt,
        "time_steps": plan.steps,
        "input": "sequence" if plan.sequence else "static",
        "update": UPDATE,
        "reset": RESET,
    }
    return NirGraph(nodes, plan.edges, {"qsc": facts})


def _meta(plan: Plan) -> bytes:
    facts = {
        "dt": plan.dt,
        "steps": plan.steps,
        "sequence": plan.sequence,
        "input_shape": list(plan.input_shape),
        "reset": RESET,
        "nodes": {
            name: {"kind": n.kind, "place": str(n.location), "weight_bits": n.weight_bits}
            for name, n in plan.nodes.items()
        },
    }
    return (json.dumps(facts, indent=1, sort_keys=True) + "\n").encode()


def _costs(plan: Plan) -> Costs:
    return {
        "neurons": plan.neurons,
        "synapses": plan.synapses,
        "time_steps": plan.steps,
        "weight_bits": max(plan.weight_bits, default=32),
    }


def _notes(plan: Plan, reader: str) -> list[str]:
    parts = [f"{n.source} {n.location.path} -> {n.kind} {name}" for name, n in plan.nodes.items()]
    notes = ["NIR nodes: " + "; ".join(" ".join(part.split()) for part in parts)]
    convention = "what snntorch and spikingjelly assume; " if plan.dt == DT else ""
    notes.append(f"one time step is {plan.dt:g} s ({convention}NIR itself has no time step)")
    given = "one value a step" if plan.sequence else f"the same value in each of the {plan.steps} steps"
    notes.append(f"the graph's input wants {given}")
    if plan.late_resets:
        notes.append("NIR resets at the spike; of neurons that reset to zero in the next step the spikes are the same")
    notes += [f"for other readers: {reason}" for reason in causes(graph_of(plan), reader, plan.dt)]
    return notes
