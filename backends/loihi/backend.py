"""The loihi backend: a network in whole numbers becomes a program of Loihi 2, run by this package's own simulator."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ...bridges.networks import Network, Neurons, Part, make_network, read_node
from ...ir import Graph, Module, Node, TargetError
from ...ir.diagnostics import Diagnostic
from ...ir.ops import Clamp, Launch, Scan
from ...ir.ops.fixed import LoihiLif
from ...ir.target import Target
from ..activity import Activity, Laying, synapses_of
from ..base import Costs, Emission, Inputs, Plain, RunOptions
from . import lava_script, netx
from .activity import activity_of
from .learning_network import reason_against_rule, reasons_against_learning
from .lower import ALWAYS, make_program
from .mapping import map_program
from .mapping.limits import limits_of
from .placed import placed
from .program import Program
from .program_file import dump, load
from .resets import reason_against_reset

META_FILE = "meta.json"
NATIVE_OPS = (
    *("linear", "conv", "avg_pool", "sum_pool", "reshape", "add", "mul", "neg", "scan", "push", "tap"),
    *("delayed_linear", "loihi_lif", "matmul", "plasticity", "loihi_plasticity"),
)
LAYERS = ("linear", "delayed_linear", "plastic", "conv", "avg_pool", "sum_pool", "flatten", "scale", "delay", "shift")
VALUES = 64
"""The most values that a launch reads from outside, each a source of its own, and the most spikes that it gives."""
SAMPLES = 16
"""Rows of the calibration data that spikes are counted on for the mapping."""


class LoihiBackend(Plain):
    """Programs of Loihi 2. A launch holds one time loop and the layers before it."""

    name: ClassVar[str] = "loihi"
    whole_region: ClassVar[bool] = True
    importers: ClassVar[tuple[str, ...]] = ("lava",)

    def __init__(self) -> None:
        self.last_counts: dict[str, float] = {}
        self.last_activity: Activity | None = None

    def unsupported(self, node: Node, module: Module, target: Target) -> str | None:
        """Why the chip cannot hold the node, in whole numbers or before they are chosen; None where it can."""
        whole = any(isinstance(n.op, LoihiLif) for n in Graph((), (node,), ()).walk())
        network, reasons = read_node(node, module, wide=whole, inputs=VALUES, outputs=VALUES)
        inside = f"{node.op.mnemonic} inside the loop: " if isinstance(node.op, Scan | Launch) else ""
        for part in network.parts.values():
            reason = reason_against(part)
            if reason:
                reasons.append(inside.replace(node.op.mnemonic, part.source) + reason)
        reasons += [f"its output {n} is no neuron's" for n in network.outputs if not _can_be_read(network.parts[n])]
        if isinstance(node.op, Launch) and not reasons:
            reasons += reasons_against_learning(network)
        return "; ".join(dict.fromkeys(reasons)) or None

    def target_from(self, table: Mapping[str, Any], path: Path) -> Target:
        """A chip of one's own, described as `ir/target/loihi2.toml` describes Loihi 2."""
        limits_of(table, path)
        return chip(table)

    def emit(
        self,
        launch: Launch,
        module: Module,
        target: Target,
        seed: int,
        effort: str = "default",
        inputs: Inputs | None = None,
    ) -> Emission:
        """The program file, `meta.json` with steps, inputs and the level of every population, `mapping.json` with the
        core of every neuron, `chip.svg`, and a script for Lava.

        TargetError T0003 where the launch is not in whole numbers, where its time does not work out on the chip, or
        where it does not fit.
        """
        network = make_network(launch.body, module, wide=True, inputs=VALUES, outputs=VALUES)
        for part in network.parts.values():
            if isinstance(part, Neurons) and not isinstance(part.op, LoihiLif):
                text = f"{part.source} is not in whole numbers"
                raise TargetError(
                    [Diagnostic("T0003", text, part.location, help="put the pass quantize-neurons behind partition")]
                )
        program, levels = make_program(network, _message_bits(launch, module, network))
        limits = limits_of(target.data, Path(target.name))
        meta = {
            "steps": network.steps,
            "inputs": [{"name": i.name, "sequence": i.sequence} for i in network.inputs],
            "levels": levels,
            "outputs": network.outputs,
        }
        made = placed(program, limits, _calibrated(program, meta, inputs), seed)
        files = dump(program) | {META_FILE: (json.dumps(meta, indent=1, sort_keys=True) + "\n").encode()} | made.files
        also, left_out = _other_forms(program, network.steps)
        costs = _costs(program, network) | made.costs
        return Emission(files | also, costs, (*_notes(program, network), *left_out, *made.notes))

    def faults(self, files: Mapping[str, bytes], target: Target) -> list[str]:
        """What of the program does not fit onto the cores of another chip, or of this one."""
        try:
            map_program(load(files), limits_of(target.data, Path(target.name)), None)
        except TargetError as fault:
            return [d.message for d in fault.diagnostics]
        return []

    def run(
        self,
        files: Mapping[str, bytes],
        launch: Launch,
        module: Module,
        inputs: Sequence[np.ndarray],
        options: RunOptions,
    ) -> list[np.ndarray]:
        """Spikes (time, batch, ...) of the program, by this package's simulator of the chip's arithmetic.

        Shots and noise mean nothing here: the program is deterministic.
        """
        from .simulator import run

        program, meta = load(files), json.loads(files[META_FILE])
        given, steps = in_time(program, meta, inputs)
        after = _learned_after(program, meta)
        if options.importer == "lava":
            return _in_lava(program, meta, given, steps, after)
        traces = run(program, given, steps, ("spikes", "counts"), weights_after=after)
        self.last_counts = {"spikes": float(sum(counts.sum() for counts in traces.counts.values()))}
        self.last_activity = None
        if options.record:
            first = run(program, {name: values[:, :1] for name, values in given.items()}, steps, ("v",))
            self.last_activity = activity_of(program, {**given, **traces.spikes}, first.v)
        return _outputs(meta, traces.spikes, traces.weights)


def _can_be_read(part: Part) -> bool:
    return isinstance(part, Neurons) or part.kind == "plastic"


def _outputs(
    meta: Mapping[str, Any], spikes: Mapping[str, np.ndarray], weights: Mapping[str, np.ndarray]
) -> list[np.ndarray]:
    """The outputs in order: spikes of the model's steps, and learned weights in the chip's units."""
    found: list[np.ndarray] = []
    for name in meta["outputs"]:
        if name in weights:
            found.append(weights[name].astype(np.float64))
        else:
            level = meta["levels"][name]
            found.append(spikes[name][level : level + meta["steps"]].astype(np.float32))
    return found


def _learned_after(program: Program, meta: Mapping[str, Any]) -> dict[str, int]:
    """Connection that learns -> the step of the chip after which the model's last step is over behind it."""
    learning = [c for c in program.connections if c.learning is not None]
    return {c.name: meta["steps"] + meta["levels"][c.target] for c in learning}


def _in_lava(
    program: Program,
    meta: Mapping[str, Any],
    given: Mapping[str, np.ndarray],
    steps: int,
    after: Mapping[str, int],
) -> list[np.ndarray]:
    """Outputs by Lava's fixed-point models, one input after the other."""
    from .lava import Job, run_in_lava

    rows = range(next(iter(given.values())).shape[1])
    jobs = [Job(program, {name: x[:, row] for name, x in given.items()}, steps, weights_after=after) for row in rows]
    found = run_in_lava(jobs, timeout=60.0 + 30.0 * len(jobs))
    spikes = {name: np.concatenate([ran.traces.spikes[name] for ran in found], axis=1) for name in program.outputs}
    return _outputs(meta, spikes, {name: np.concatenate([ran.traces.weights[name] for ran in found]) for name in after})


def chip(table: Mapping[str, Any]) -> Target:
    """The target of a table such as `ir/target/loihi2.toml` holds."""
    chips = table.get("system", {}).get("chips")
    limits = {} if chips is None else {"cores": float(table["chip"]["cores"] * chips), "chips": float(chips)}
    return Target(
        name=table["name"],
        kind="neuromorphic",
        backend="loihi",
        summary=table.get("summary", ""),
        limits=limits,
        native_ops=NATIVE_OPS,
        data=table,
    )


FORMS: dict[str, Callable[[Program, int], dict[str, bytes]]] = {
    "Lava script": lambda program, steps: lava_script.dump(program, steps + program.latency),
    "netx file": lambda program, steps: netx.dump(program),
}
"""What else a program is written as, where that holds it."""


def _other_forms(program: Program, steps: int) -> tuple[dict[str, bytes], list[str]]:
    """(files, a note for every form that cannot hold the program)."""
    files: dict[str, bytes] = {}
    notes: list[str] = []
    for name, dumped in FORMS.items():
        try:
            files |= dumped(program, steps)
        except TargetError as fault:
            notes.append(f"no {name}: " + "; ".join(d.message for d in fault.diagnostics))
    return files, notes


def in_time(
    program: Program, meta: Mapping[str, Any], inputs: Sequence[np.ndarray]
) -> tuple[dict[str, np.ndarray], int]:
    """(what every source gives at every step of the chip, steps); zeros once the input is over."""
    shown, steps = meta["steps"], meta["steps"] + program.latency
    given: dict[str, np.ndarray] = {}
    for facts, x in zip(meta["inputs"], inputs, strict=True):
        values = x if facts["sequence"] else np.broadcast_to(x, (shown, *x.shape))
        after = np.zeros((steps - shown, *values.shape[1:]), values.dtype)
        given[facts["name"]] = np.concatenate([values, after]).astype(np.int32)
    batch = next(iter(given.values())).shape[1]
    for source in program.sources:
        if source.name == ALWAYS:
            given[ALWAYS] = np.ones((steps, batch, *source.shape), np.int32)
    return given, steps


def _calibrated(program: Program, meta: Mapping[str, Any], inputs: Inputs | None) -> dict[str, np.ndarray] | None:
    """What sources and populations put out on calibration data, of few inputs; None where there is none."""
    if inputs is None:
        return None
    from .simulator import run

    rows = [x[:, :SAMPLES] if i["sequence"] else x[:SAMPLES] for x, i in zip(inputs(), meta["inputs"], strict=True)]
    given, steps = in_time(program, meta, rows)
    return given | run(program, given, steps).spikes


def reason_against(part: Part) -> str | None:
    """Why the chip has nothing that means what a part means; None where it has."""
    if not isinstance(part, Neurons):
        reason = None if part.kind in LAYERS else f"Loihi 2 has no connection that is a {part.kind}"
        return reason or reason_against_rule(part)
    if isinstance(part.op, LoihiLif):
        return None
    if not part.op.fires:
        return "it puts out potentials; Loihi's neurons put out spikes"
    if part.reset == "none":
        return "a spike leaves the potential as it is; Loihi's neurons are reset to zero"
    if part.reset == "subtract" and (reason := reason_against_reset(part)):
        return f"{reason}; Loihi's neurons are reset to zero"
    if part.v_reset.any():
        return (
            f"a spike sets the potential to {part.v_reset[part.v_reset != 0][0]:g}; Loihi's neurons are reset to zero"
        )
    return _reason_against_numbers(part)


def _reason_against_numbers(part: Neurons) -> str | None:
    decay, _, _ = part.membrane()
    synapse = part.synapse()
    if synapse is not None and part.reset_delayed:
        return "a delayed reset also drops the input of the step after a spike; Loihi's neurons are reset at once"
    if (part.full("threshold") <= 0).any():
        return f"its threshold is {part.full('threshold').min():g}; Loihi's neurons need one above 0"
    for what, numbers in {"potential": decay, **({} if synapse is None else {"current": synapse[0]})}.items():
        outside = numbers[(numbers < 0) | (numbers > 1)]
        if outside.size:
            why = " (the step is longer than the time constant: give a smaller --dt)" if outside[0] < 0 else ""
            return f"the decay of its {what} a step is {outside[0]:g}, not between 0 and 1{why}"
    if synapse is not None and (synapse[0] >= 1).any():
        return "its synaptic current does not decay"
    return None


def _message_bits(launch: Launch, module: Module, network: Network) -> dict[str, int]:
    """Bits of every input's payload with its sign, from the range that the program clamps it to; 0 for spikes."""
    found: dict[str, int] = {}
    makers = module.graph.producers()
    launched = next(n for n in module.graph.nodes if isinstance(n.op, Launch) and n.op.artifact == launch.artifact)
    for given, value in zip(network.inputs, launched.operands, strict=True):
        maker = makers.get(value.name)
        limits = (maker.op.low, maker.op.high) if maker is not None and isinstance(maker.op, Clamp) else (0, 1)
        largest = max(abs(v) for v in limits if v is not None)
        found[given.name] = 0 if limits == (0, 1) else int(largest).bit_length() + 1
    return found


def _costs(program: Program, network: Network) -> Costs:
    shapes = {part.name: part.shape for part in (*program.sources, *program.populations)}
    synapses = 0
    for c in program.connections:
        w = c.window
        laying = None if w is None else Laying(w.stride, w.padding, w.dilation, w.groups)
        weight = c.weight if c.learning is None else np.ones_like(c.weight)
        synapses += synapses_of(weight, shapes[c.source], laying)
    return {
        "neurons": sum(int(np.prod(p.shape)) for p in program.populations),
        "synapses": synapses,
        "time_steps": network.steps,
        "weight_bits": max((c.weight_bits for c in program.connections), default=8),
    }


def _notes(program: Program, network: Network) -> list[str]:
    notes = [f"outputs are read {program.latency} steps after the input: every connection takes a step on the chip"]
    for s in program.sources:
        kind = f"graded spikes of {s.message_bits} bits with their sign" if s.message_bits else "binary spikes"
        notes.append(f"source {s.name}: {kind}")
    early = [p.name for p in program.populations if np.any(p.initial_v)]
    if early:
        notes.append(f"{', '.join(early)}: initial potentials make up for a bias that acts before the input arrives")
    for c in program.connections:
        if c.learning is not None:
            traces = "".join(
                f", {name} + {t.impulse:g} a spike, time constant {t.tau:g}"
                for name, t in c.learning.rule.traces.items()
            )
            notes.append(f"{c.name} learns by {c.learning.rule.text}{traces}; seed {c.learning.seed}")
    return notes
