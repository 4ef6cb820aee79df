"""Whether a net could run on a chip that qsc has no backend for, by the chip's published rules and without its SDK.

The rules are data: `ir/target/xylo.toml`, `speck.toml`, `spinnaker2.toml`, or a file of the same form.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..bridges.extras import need
from ..ir import Diagnostic, InputError, Location
from ..ir.diagnostics import did_you_mean

TARGETS = Path(__file__).parents[1] / "ir" / "target"
CHIPS = ("speck", "spinnaker2", "xylo")
INPUT = "input"
"""Stands for the net's input among the sources of a layer."""


@dataclass(frozen=True)
class Layer:
    """Weights and the neurons behind them.

    kind: "dense" or "conv". neuron: "IF", "LIF", "CubaLIF" and so on. weight: shape, (out, in) or (out, in / groups,
    height, width). shape: neurons, (count,) or (channels, height, width), before the pool. sources: names of layers or
    INPUT. pool: "", "sum", "average" or "max", behind the neurons. synaptic_inputs: synapses a neuron that have a time
    constant of their own. recurrent: whether the layer feeds itself. weight_bias: whether the weights have a bias.
    step: seconds, None where it is the net's. reset: of the potential at a spike, "zero", "value" (another one),
    "subtract" (the threshold) or "none"; "" where it is not known.
    """

    name: str
    kind: str
    neuron: str
    weight: tuple[int, ...]
    shape: tuple[int, ...]
    sources: tuple[str, ...]
    weight_bits: int = 8
    pool: str = ""
    synaptic_inputs: int = 1
    recurrent: bool = False
    weight_bias: bool = False
    step: float | None = None
    reset: str = ""

    @property
    def neurons(self) -> int:
        return int(np.prod(self.shape))


@dataclass(frozen=True)
class NetOutline:
    """input_shape: of one step. layers: in any order, under their names. outputs: layers that are read."""

    input_shape: tuple[int, ...]
    layers: tuple[Layer, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Reason:
    """Why a net does not fit. layer: empty where it is the whole net. value, limit: what it has and what is allowed."""

    layer: str
    rule: str
    value: Any
    limit: Any
    text: str

    def __str__(self) -> str:
        return f"{self.layer}: {self.text}" if self.layer else self.text


def reasons_against(net: NetOutline, target: str | Path) -> list[Reason]:
    """Every rule of the target that the net breaks; empty where it could run there.

    target: a name of CHIPS or a TOML file. Raises InputError M0001 where there is no file, T0005 with every fault of
    it, R0001 where the net names a layer that it does not have.
    """
    table = _table(target)
    names = {layer.name for layer in net.layers}
    for name in [*net.outputs, *(source for layer in net.layers for source in layer.sources if source != INPUT)]:
        if name not in names:
            raise InputError.of("R0001", f"the net has no layer {name!r}", help=did_you_mean(name, names))
    found = [reason for key, limit in table["rules"].items() for reason in RULES[key](net, limit)]
    if "cores" in table:
        found += _cores(net, table["cores"])
    if "memory" in table:
        found += _memory(net, table["memory"])
    return found


def summaries() -> dict[str, str]:
    """Chip -> what it is, in a few words."""
    return {chip: _table(chip)["summary"] for chip in CHIPS}


def _table(target: str | Path) -> dict[str, Any]:
    path = TARGETS / f"{target}.toml" if str(target) in CHIPS else Path(target)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError.of("M0001", f"there is no target file {path}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise InputError.of("T0005", f"{path} is not TOML: {fault}") from None
    faults = [Diagnostic("T0005", text, Location(str(path)), help=help_) for text, help_ in _faults(table)]
    if faults:
        raise InputError(faults)
    return table


_TOP = ("name", "kind", "summary", "rules", "cores", "memory", "sources")
_LISTS = ("layer_kinds", "neuron_kinds", "pools", "resets")
_FLAGS = ("recurrent_layers", "recurrent_outputs", "cycles", "one_step", "weight_biases")
_CORE_MEMORY = ("kernel", "neuron", "bias")


def _faults(table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key in table:
        if key not in _TOP:
            yield f"unknown key {key!r}", did_you_mean(key, _TOP)
    rules, cores, memory = (table.get(key, {}) for key in ("rules", "cores", "memory"))
    if "rules" not in table or not all(isinstance(part, Mapping) for part in (rules, cores, memory)):
        yield "there is no table [rules], or a table is no table", "see xylo.toml"
        return
    for key, value in rules.items():
        if key not in RULES:
            yield f"unknown rule {key!r}", did_you_mean(key, RULES)
        elif key in _LISTS and not (isinstance(value, list) and all(isinstance(entry, str) for entry in value)):
            yield f"rules.{key} is {value!r}", "a list of names"
        elif key in _FLAGS and not isinstance(value, bool):
            yield f"rules.{key} is {value!r}", "true or false"
        elif key not in (*_LISTS, *_FLAGS) and not _count(value):
            yield f"rules.{key} is {value!r}", "a whole number of at least 1"
    sizes = [cores.get(key) for key in _CORE_MEMORY]
    if cores and not all(isinstance(row, list) and row and all(map(_count, row)) for row in sizes):
        yield "[cores] lacks kernel, neuron or bias", "a list of words for each, one entry a core"
    elif cores and len({len(row) for row in sizes if row}) > 1:
        yield "[cores] has lists of different lengths", "one entry a core in each"
    if memory and not all(_count(memory.get(key)) for key in ("elements", "bytes")):
        yield "[memory] lacks elements or bytes", "whole numbers of at least 1"


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _inputs(net: NetOutline, limit: int) -> Iterator[Reason]:
    count = int(np.prod(net.input_shape))
    if count > limit:
        yield Reason("", "inputs", count, limit, f"{count} inputs, {limit} is the most: {count - limit} too many")


def _outputs(net: NetOutline, limit: int) -> Iterator[Reason]:
    count = sum(layer.neurons for layer in net.layers if layer.name in net.outputs)
    if count > limit:
        yield Reason("", "outputs", count, limit, f"{count} outputs, {limit} is the most: {count - limit} too many")


def _hidden(net: NetOutline, limit: int) -> Iterator[Reason]:
    hidden = [layer for layer in net.layers if layer.name not in net.outputs]
    count = sum(layer.neurons for layer in hidden)
    if count > limit:
        each = ", ".join(f"{layer.name} {layer.neurons}" for layer in hidden)
        text = f"{count} hidden neurons, {limit} is the most: {count - limit} too many ({each})"
        yield Reason("", "hidden_neurons", count, limit, text)


def _layers_least(net: NetOutline, limit: int) -> Iterator[Reason]:
    count = len(net.layers)
    if count < limit:
        yield Reason("", "layers_least", count, limit, f"{count} layers of neurons, {limit} is the least")


def _among(rule: str, field: str, what: str) -> Callable[[NetOutline, list[str]], Iterator[Reason]]:
    def check(net: NetOutline, allowed: list[str]) -> Iterator[Reason]:
        for layer in net.layers:
            value = getattr(layer, field)
            if value and value not in allowed:
                known = ", ".join(allowed) or "none"
                yield Reason(layer.name, rule, value, allowed, f"{what} {value}, the chip has {known}")

    return check


def _most(rule: str, field: str, what: str) -> Callable[[NetOutline, int], Iterator[Reason]]:
    def check(net: NetOutline, limit: int) -> Iterator[Reason]:
        for layer in net.layers:
            value = getattr(layer, field)
            if value > limit:
                yield Reason(layer.name, rule, value, limit, f"{value} {what}, {limit} is the most")

    return check


def _recurrent_layers(net: NetOutline, allowed: bool) -> Iterator[Reason]:
    for layer in net.layers:
        if not allowed and (layer.recurrent or layer.name in layer.sources):
            yield Reason(layer.name, "recurrent_layers", True, False, "it feeds itself, which the chip cannot")


def _recurrent_outputs(net: NetOutline, allowed: bool) -> Iterator[Reason]:
    for layer in net.layers:
        if not allowed and layer.name in net.outputs and (layer.recurrent or layer.name in layer.sources):
            yield Reason(
                layer.name, "recurrent_outputs", True, False, "an output layer feeds itself, which the chip cannot"
            )


def _one_step(net: NetOutline, needed: bool) -> Iterator[Reason]:
    steps = sorted({layer.step for layer in net.layers if layer.step is not None})
    if needed and len(steps) > 1:
        text = "time steps of " + ", ".join(f"{step:g} s" for step in steps) + "; all neurons of the chip share one"
        yield Reason("", "one_step", len(steps), 1, text)


def _weight_biases(net: NetOutline, allowed: bool) -> Iterator[Reason]:
    for layer in net.layers:
        if layer.weight_bias and not allowed:
            text = "its weights have a bias, which is not carried over: make it the neurons' bias"
            yield Reason(layer.name, "weight_biases", True, False, text)


def _destinations(net: NetOutline, limit: int) -> Iterator[Reason]:
    for layer in net.layers:
        fed = [other.name for other in net.layers if layer.name in other.sources]
        if len(fed) > limit:
            text = f"it feeds {len(fed)} layers ({', '.join(fed)}), {limit} is the most"
            yield Reason(layer.name, "destinations", len(fed), limit, text)


def _cycles(net: NetOutline, allowed: bool) -> Iterator[Reason]:
    """Cycles through more than one layer: what is left when layers without sources are taken away again and again."""
    left = {layer.name: {s for s in layer.sources if s not in (INPUT, layer.name)} for layer in net.layers}
    for direction in ("sources", "targets"):
        while free := [name for name, others in left.items() if not others & left.keys()]:
            for name in free:
                del left[name]
        if direction == "sources":
            left = {name: {other for other in left if name in left[other]} for name in left}
    if left and not allowed:
        text = f"a cycle through {', '.join(left)}, which the chip cannot"
        yield Reason("", "cycles", len(left), 0, text)


RULES: dict[str, Callable[[NetOutline, Any], Iterator[Reason]]] = {
    "inputs": _inputs,
    "outputs": _outputs,
    "hidden_neurons": _hidden,
    "layers_least": _layers_least,
    "layer_kinds": _among("layer_kinds", "kind", "a layer of kind"),
    "neuron_kinds": _among("neuron_kinds", "neuron", "neurons of kind"),
    "pools": _among("pools", "pool", "a pool of kind"),
    "resets": _among("resets", "reset", "neurons whose reset is"),
    "weight_bits": _most("weight_bits", "weight_bits", "bits a weight"),
    "synaptic_inputs": _most("synaptic_inputs", "synaptic_inputs", "synaptic inputs a neuron"),
    "recurrent_layers": _recurrent_layers,
    "recurrent_outputs": _recurrent_outputs,
    "one_step": _one_step,
    "weight_biases": _weight_biases,
    "destinations": _destinations,
    "cycles": _cycles,
}
"""Rule of a target file -> what checks it."""


def core_memory(layer: Layer, source_shape: tuple[int, ...]) -> dict[str, int]:
    """Words that a layer takes in a DYNAP-CNN core; source_shape: of what a dense layer reads, to be a convolution.

    Kernel c 2^(ceil log2(kx ky) + ceil log2 f), neurons f 2^(ceil log2 fy + ceil log2 fx), as memory_summary of
    sinabs 3.1 counts them.
    """
    if layer.kind == "conv":
        filters, channels, high, wide = layer.weight
        _, rows, columns = layer.shape
    else:
        filters, rows, columns = layer.neurons, 1, 1
        channels, high, wide = source_shape if len(source_shape) == 3 else (layer.weight[1], 1, 1)
    return {
        "kernel": channels << (_bits(high * wide) + _bits(filters)),
        "neuron": filters << (_bits(rows) + _bits(columns)),
        "bias": filters if layer.weight_bias else 0,
    }


def _bits(count: int) -> int:
    return (count - 1).bit_length()


def _source_shape(net: NetOutline, layer: Layer) -> tuple[int, ...]:
    """(channels, height, width) that a dense layer reads, after the pool of its source; (inputs,) where not known."""
    source = next((other for other in net.layers if other.name in layer.sources), None)
    shape = net.input_shape if source is None else source.shape
    if len(shape) != 3 or layer.kind == "conv" or layer.weight[1] % shape[0]:
        return (layer.weight[1],)
    area = layer.weight[1] // shape[0]
    side = next((k for k in range(1, shape[1] + 1) if k * shape[2] * k == area * shape[1]), 0)
    return (shape[0], side, area // side) if side else (layer.weight[1],)


def _cores(net: NetOutline, sizes: Mapping[str, list[int]]) -> Iterator[Reason]:
    """Every layer a core with enough memory of its own: a matching in the bipartite graph of layers and cores."""
    sparse = need("scipy.sparse", "loihi")
    graphs = need("scipy.sparse.csgraph", "loihi")
    cores = len(sizes["kernel"])
    needs = [core_memory(layer, _source_shape(net, layer)) for layer in net.layers]
    fits = np.array([[all(n[key] <= sizes[key][core] for key in _CORE_MEMORY) for core in range(cores)] for n in needs])
    alone = False
    for layer, words, row in zip(net.layers, needs, fits.reshape(-1, cores), strict=True):
        if row.any():
            continue
        alone = True
        over = {key: (words[key], max(sizes[key])) for key in _CORE_MEMORY if words[key] > max(sizes[key])}
        texts = [
            f"{value} words of {key} memory, {most} is the most of any core" for key, (value, most) in over.items()
        ]
        pair = f"{words['kernel']} words of kernel and {words['neuron']} of neuron memory, and no core has both"
        yield Reason(layer.name, "cores", words, dict(sizes), "; ".join(texts) or pair)
    if alone or not len(needs):
        return
    core_of = graphs.maximum_bipartite_matching(sparse.csr_array(fits), perm_type="column")
    if (core_of >= 0).all():
        return
    layers, held = _crowd(fits, core_of)
    names = ", ".join(net.layers[index].name for index in layers)
    text = f"{len(layers)} layers ({names}) have only {len(held)} cores large enough ({', '.join(map(str, held))})"
    yield Reason("", "cores", len(layers), len(held), text)


def _crowd(fits: np.ndarray, core_of: np.ndarray) -> tuple[list[int], list[int]]:
    """Layers and the fewer cores that they all are confined to (Hall's theorem), from a layer without a core."""
    layers, cores = {int(np.flatnonzero(core_of < 0)[0])}, set()
    while True:
        reached = {core for layer in layers for core in np.flatnonzero(fits[layer]).tolist()}
        if reached == cores:
            return sorted(layers), sorted(cores)
        cores = reached
        layers |= {layer for layer in range(len(fits)) if int(core_of[layer]) in cores}


def _memory(net: NetOutline, memory: Mapping[str, int]) -> Iterator[Reason]:
    weights = sum(int(np.prod(layer.weight)) for layer in net.layers)
    limit = memory["elements"] * memory["bytes"]
    if weights > limit:
        each = ", ".join(f"{layer.name} {int(np.prod(layer.weight))}" for layer in net.layers)
        text = f"{weights} bytes of weights, all elements have {limit}: {weights - limit} too many ({each})"
        yield Reason("", "memory", weights, limit, text)
