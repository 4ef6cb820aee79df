"""The nir backend: a time loop of neurons and the layers that feed it become one NIR graph."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ...ir import InputError, Module, Node, ops
from ...ir.ops import Launch
from ...ir.target import Target
from ..base import Costs, Emission, RunOptions, SelfCheck
from ..extras import need
from .plan import DT, INPUT, OUTPUT, NirNode, Plan, make_plan, reason_against

GRAPH_FILE, META_FILE = "graph.nir", "meta.json"
IMPORTERS = ("snntorch",)


class NirBackend:
    """NIR files for any tool that reads them. A launch holds one time loop and the layers before it."""

    name: ClassVar[str] = "nir"
    whole_region: ClassVar[bool] = True

    def __init__(self) -> None:
        self.last_counts: dict[str, float] = {}

    def unsupported(self, node: Node, module: Module, target: Target) -> str | None:
        """Why NIR cannot hold the node, or None."""
        return reason_against(node, module)

    def target_from(self, table: Mapping[str, Any], path: Path) -> Target:
        """NIR is a file format, not a chip: InputError."""
        raise InputError.of("T0005", f"{path}: nir describes no chip", help="use --target nir")

    def self_checks(self, files: Mapping[str, bytes], launch: Launch, module: Module) -> list[SelfCheck]:
        """None: the values say everything about a graph."""
        return []

    def emit(self, launch: Launch, module: Module, target: Target, seed: int) -> Emission:
        """`graph.nir`, and `meta.json` with the time steps, the step's length and where each node came from.

        TargetError T0003 for every neuron whose parameters NIR cannot take.
        """
        need("nir", "nir")
        from ...ir.interpreter import constant_value

        plan = make_plan(launch.body, module, lambda value, graph: constant_value(value, graph, module))
        files = {GRAPH_FILE: write_graph(plan), META_FILE: _meta(plan)}
        return Emission(files, _costs(plan, launch), tuple(_notes(plan)))

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
        need("nir", "nir")
        import torch

        from .simulate import run_graph, run_snntorch

        meta = json.loads(files[META_FILE])
        graph = read_graph(files[GRAPH_FILE])
        x = torch.from_numpy(np.ascontiguousarray(inputs[0], np.float32))
        if options.importer is None:
            out, counts = run_graph(graph, meta["steps"], meta["dt"], x, sequence=meta["sequence"])
            self.last_counts = {"spikes": sum(counts.values())}
        elif options.importer in IMPORTERS:
            need("snntorch", "spiking")
            out = run_snntorch(graph, meta["steps"], x, sequence=meta["sequence"])
            self.last_counts = {}
        else:
            known = ", ".join(IMPORTERS)
            raise InputError.of("O0002", f"nir knows no importer {options.importer!r}", help=f"known: {known}")
        return [out.numpy()]


def write_graph(plan: Plan) -> bytes:
    """The bytes of a .nir file; equal plans give equal bytes."""
    import nir

    nodes: dict[str, Any] = {INPUT: nir.Input(input_type={"input": np.array(plan.input_shape)})}
    for name, node in plan.nodes.items():
        nodes[name] = getattr(nir, node.kind)(**node.fields)
    last = next(node for name, node in plan.nodes.items() if (name, OUTPUT) in plan.edges)
    nodes[OUTPUT] = nir.Output(output_type={"output": np.array(last.shape)})
    graph = nir.NIRGraph(nodes=nodes, edges=plan.edges, metadata={"dt": DT, "time_steps": plan.steps})
    buffer: Any = io.BytesIO()  # nir hands it to h5py, which takes open files too
    nir.write(buffer, graph, compression_opts=1)
    return buffer.getvalue()


def read_graph(data: bytes) -> Any:
    """The `nir.NIRGraph` of a .nir file, its types checked."""
    import nir

    buffer: Any = io.BytesIO(data)
    return nir.read(buffer)


def _meta(plan: Plan) -> bytes:
    facts = {
        "dt": DT,
        "steps": plan.steps,
        "sequence": plan.sequence,
        "input_shape": list(plan.input_shape),
        "reset": "at once, to v_reset",
        "nodes": {name: {"kind": n.kind, "place": str(n.location)} for name, n in plan.nodes.items()},
    }
    return (json.dumps(facts, indent=1, sort_keys=True) + "\n").encode()


def _costs(plan: Plan, launch: Launch) -> Costs:
    neurons = sum(int(np.prod(n.shape)) for n in plan.nodes.values() if n.kind in ("LIF", "CubaLIF"))
    bits = 32
    for node in launch.body.walk():
        if isinstance(node.op, ops.Dequantize):
            bits = min(bits, {"i8": 8, "i16": 16}.get(node.operands[0].type.dtype, 32))
    return {
        "neurons": neurons,
        "synapses": sum(_synapses(n) for n in plan.nodes.values()),
        "time_steps": plan.steps,
        "weight_bits": bits,
    }


def _synapses(node: NirNode) -> int:
    """Connections with a weight that is not zero; a kernel counts once for every place it is laid on."""
    if "weight" not in node.fields:
        return 0
    places = int(np.prod(node.shape[1:])) if node.kind.startswith("Conv") else 1
    return int(np.count_nonzero(node.fields["weight"])) * places


def _notes(plan: Plan) -> list[str]:
    kinds: dict[str, int] = {}
    for node in plan.nodes.values():
        kinds[node.kind] = kinds.get(node.kind, 0) + 1
    notes = ["NIR nodes: " + ", ".join(f"{count} {kind}" for kind, count in kinds.items())]
    notes.append(f"one time step is {DT:g} s (snntorch's convention; NIR itself has no time step)")
    given = "one value a step" if plan.sequence else f"the same value in each of the {plan.steps} steps"
    notes.append(f"the graph's input wants {given}; potentials reset at once, which spikes as the model's neurons do")
    thresholds = [np.unique(n.fields["v_threshold"]).size for n in plan.nodes.values() if "v_threshold" in n.fields]
    if any(size > 1 for size in thresholds):
        notes.append("a layer has several thresholds: snntorch's importer takes one a layer")
    return notes
