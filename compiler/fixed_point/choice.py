"""Which whole numbers make a network spike most like the original, on calibration data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...backends.loihi.lower import levels_of
from ...bridges.networks import Edge, Layer, Network, Neurons, fresh_name
from ...bridges.networks.building import Builder
from ...bridges.networks.synapses import shape_of
from ...ir import Module
from .populations import population
from .registers import Format, Registers, registers

SHARES = {"fast": (1.0,), "default": (1.0, 0.85, 0.7, 0.5), "max": (1.0, 0.93, 0.85, 0.77, 0.7, 0.6, 0.5, 0.4, 0.3)}
"""Effort -> shares of the largest weight that are tried as the end of the range."""

SEEDS = 4
"""How many seeds one rule takes."""

SAMPLES = 64
"""Rows of the calibration data that are used."""


@dataclass(frozen=True)
class InputCode:
    """How an input becomes whole numbers: round(x / unit), from `least` to `most`. unit 1 for spikes of 0 and 1."""

    unit: float
    least: int
    most: int

    def apply(self, x: np.ndarray) -> np.ndarray:
        """The whole numbers, as float32."""
        return np.clip(np.rint(x / np.float32(self.unit)), self.least, self.most).astype(np.float32)


@dataclass(frozen=True)
class Choice:
    """What was chosen.

    network: in whole numbers. codes: input -> its code. registers: population -> its registers. kept: population ->
    share of the largest weight. units: layer that learns -> units of the chip for one of its weights. error: share of
    all spike bins that differ from the original, output_error: of the bins of the outputs.
    """

    network: Network
    codes: dict[str, InputCode]
    registers: dict[str, Registers]
    kept: dict[str, float]
    units: dict[str, float]
    error: float
    output_error: float


def choose(
    network: Network, inputs: Sequence[np.ndarray], form: Format, input_bits: int, effort: str = "default"
) -> Choice:
    """The registers of every population, chosen one after the other in the order of the network.

    inputs: calibration data, one array an input of the network. input_bits: of graded inputs, the sign among them.
    """
    rows = [x[:, :SAMPLES] if i.sequence else x[:SAMPLES] for x, i in zip(inputs, network.inputs, strict=True)]
    names = [name for name, part in network.parts.items() if isinstance(part, Neurons)]
    spikes, largest = _recorded(network, names, rows)
    codes = {i.name: input_code(x, input_bits) for x, i in zip(rows, network.inputs, strict=True)}
    for given, x in zip(network.inputs, rows, strict=True):
        largest[given.name] = float(np.abs(codes[given.name].apply(x)).max(initial=0.0)) * codes[given.name].unit
    units = {name: code.unit for name, code in codes.items()}
    populations = {name: population(network, name, largest) for name in names}
    given = [codes[i.name].apply(x) for i, x in zip(network.inputs, rows, strict=True)]
    kept = dict.fromkeys(names, 1.0)
    chosen = {name: registers(p, form, units) for name, p in populations.items()}

    def error(trial: Mapping[str, Registers]) -> tuple[float, float]:
        found = run(fixed_network(network, trial), names, given)
        return _distance(found, spikes), float(np.mean([(found[n] != spikes[n]).mean() for n in names]))

    best = error(chosen)
    for name, share in ((n, s) for n in names for s in SHARES[effort][1:]):
        trial = chosen | {name: registers(populations[name], form, units, share)}
        found = error(trial)
        if found < best:
            best, chosen, kept[name] = found, trial, share
    fixed = fixed_network(network, chosen)
    ends = [n for n in network.outputs if n in spikes]
    outputs = run(fixed, ends, given)
    output_error = float(np.mean([(outputs[n] != spikes[n]).mean() for n in ends])) if ends else 0.0
    return Choice(fixed, codes, chosen, kept, _units(network, chosen), best[1], output_error)


def _units(network: Network, chosen: Mapping[str, Registers]) -> dict[str, float]:
    """Layer of the model that learns -> units of the chip for one of its weights."""
    named = {id(part): name for name, part in network.parts.items()}
    weights = [w for made in chosen.values() for w in made.weights]
    return {named[id(w.origin)]: w.rule.weight_scale for w in weights if w.rule is not None and w.origin is not None}


def input_code(x: np.ndarray, bits: int) -> InputCode:
    """The code of an input by its calibration data: spikes as they are, anything else as `bits` bits."""
    if np.isin(x, (0, 1)).all():
        return InputCode(1.0, 0, 1)
    most = (1 << (bits - 1)) - 1 if (x < 0).any() else (1 << bits) - 1
    largest = float(np.abs(x).max())
    return InputCode(float(np.float32(largest / most)), -most if (x < 0).any() else 0, most)


def _recorded(
    network: Network, names: list[str], rows: Sequence[np.ndarray]
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """(spikes of every population, largest magnitude of every potential) of the original."""
    found = run(network, [*names, *(f"{n}.v" for n in names)], rows)
    return {n: found[n] for n in names}, {f"{n}.v": float(np.abs(found[f"{n}.v"]).max(initial=0.0)) for n in names}


def run(network: Network, record: Sequence[str], inputs: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """What parts put out (`name`) and hold (`name.v`), (steps, batch, ...), by the interpreter."""
    from ...ir.interpreter import evaluate_graph

    wide = any(p.op.mnemonic == "loihi_lif" for p in network.parts.values() if isinstance(p, Neurons))
    builder = Builder(network, dtype="f64" if wide else "f32")
    graph = builder.graph(record)
    values = evaluate_graph(graph, Module("", weights=builder.weights), inputs)
    return dict(zip(record, (v.numpy() for v in values[len(network.outputs) :]), strict=True))


def _distance(found: Mapping[str, np.ndarray], wanted: Mapping[str, np.ndarray]) -> float:
    """How far spike counts are off, relative to the counts, and how many bins differ; the mean over populations."""
    total = 0.0
    for name, spikes in wanted.items():
        counts, off = spikes.sum(axis=0), np.abs(found[name].sum(axis=0) - spikes.sum(axis=0))
        total += float(off.mean() / max(counts.mean(), 1e-3)) + float((found[name] != spikes).mean())
    return total / len(wanted)


def fixed_network(network: Network, chosen: Mapping[str, Registers]) -> Network:
    """The network in whole numbers: weights, shifts and Loihi's neurons."""
    out = Network(network.steps, list(network.inputs))
    named = {id(part): name for name, part in network.parts.items()}
    learned: dict[str, str] = {}
    """Layer that learns -> its name in whole numbers."""
    for name, part in network.parts.items():
        if not isinstance(part, Neurons):
            continue
        for weights in chosen[name].weights:
            before, steps = weights.source, weights.steps
            # Learned weights multiply the spikes that their rule sees; further steps pass behind them.
            late = 0 if weights.origin is None else steps - weights.origin.fields["pre"][1]
            steps -= late
            shape = shape_of(network, before)
            layers = [weights.layer]
            if weights.layer.kind != "conv" and len(shape) > 1:
                flat = {"start": 0, "end": len(shape) - 1}
                layers.insert(0, Layer("flatten", (int(np.prod(shape)),), flat, "reshape", part.location))
            size = weights.layer.shape if weights.layer.kind == "conv" else (int(np.prod(part.shape)),)
            if weights.origin is None:
                layers[-1] = replace(weights.layer, shape=size)
            if weights.shift:
                layers.append(Layer("shift", size, {"by": weights.shift}, "shift", part.location))
            for layer in layers:
                made = fresh_name(f"{name}_{layer.kind}", out.parts)
                out.parts[made] = layer
                if layer is weights.layer and weights.origin is not None:
                    learned[named[id(weights.origin)]] = made
                out.edges.append(Edge(before, made, steps))
                before, steps = made, 0
            out.edges.append(Edge(before, name, steps + late))
        out.parts[name] = chosen[name].neurons
    _tell_apart(network, out, learned)
    return out


def _tell_apart(network: Network, out: Network, learned: Mapping[str, str]) -> None:
    """Outputs that are learned weights under their new names; what rules count from, and random numbers for each."""
    out.outputs = [learned.get(name, name) for name in network.outputs]
    levels = levels_of(out) if learned else {}
    for number, name in enumerate(learned.values()):
        part = out.parts[name]
        assert isinstance(part, Layer)
        post, ago = part.fields["post"]
        rule = replace(part.fields["rule"], seed=SEEDS * number)
        out.parts[name] = replace(part, fields=part.fields | {"count": levels[post] - ago, "rule": rule})
