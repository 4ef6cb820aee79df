"""From a NIR file to a module.

NIR is in continuous time: a file says no step, no number of steps, and no order within a step. Here every equation
advances by Euler steps of `dt` seconds, a spike resets at once, a delay is rounded to whole steps, and cycles are
broken as `qsc.bridges.nir.cycles` says.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ...bridges.networks import INPUT, Edge, Input, Layer, Network, Neurons, Part, fresh_name
from ...bridges.networks.building import Builder
from ...bridges.nir import KINDS, NirGraph, NirNode, check, read, shapes_of
from ...bridges.nir.cycles import steps_of
from ...bridges.nir.graph import flat
from ...bridges.nir.shapes import flatten_range, padding_of
from ...ir import InputError, Location, Module, ops
from ...ir.ops.spiking import Neuron
from ..base import Imported

DT = 1e-4
"""Seconds of a step where nothing says it: what snntorch and spikingjelly assume of every NIR file."""

EXAMPLES = 16
"""Rows of example input: spikes in three of ten places."""


def read_file(
    path: str | Path,
    entry: str | None = None,
    input_shape: tuple[int, ...] | None = None,
    dt: float | None = None,
) -> Imported:
    """The module of a .nir file: input f32[steps,?,...], output of every step.

    input_shape: (steps, *shape of the graph's input), or only (steps,); not needed where the file's metadata says its
    steps, as those that qsc writes do. dt: seconds of a step [the file's metadata, else 1e-4].
    Raises InputError G0001 to G0003 for what is wrong in the file, O0002 for options that do not fit it.
    """
    if entry is not None:
        raise InputError.of("O0002", f"{path} takes no entry", Location(str(path)), help="a NIR file holds one graph")
    graph = read(path)
    faults = check(graph, str(path))
    if faults:
        raise InputError(faults)
    facts = graph.metadata.get("qsc", {})
    step = _seconds(path, facts, dt)
    network = network_of(graph, _steps(path, graph, facts, input_shape), step, str(path))
    builder = Builder(network)
    region = builder.graph()
    module = Module(_identifier(Path(path).stem), weights=builder.weights, graph=region)
    (given,) = network.inputs
    shape = (network.steps, EXAMPLES, *given.shape)
    spikes = np.random.default_rng(0).random(shape) < 0.3
    return Imported(module, [spikes.astype(np.float32)])


def _seconds(path: str | Path, facts: Any, dt: float | None) -> float:
    """The length of a step. The numbers of a file that says it are made for it: another one is refused."""
    stated = float(facts["dt"]) if "dt" in facts else None
    if stated is None or dt is None or np.isclose(dt, stated, rtol=1e-6, atol=0):
        return stated or dt or DT
    help = "leave dt out; a network of other steps is a file without that metadata, or another export"
    message = f"{path} says that its steps are of {stated:g} s, and the option dt is {dt:g}"
    raise InputError.of("O0002", message, Location(str(path)), help=help)


def _identifier(stem: str) -> str:
    """The file's name as that of a module."""
    return "".join(c if c.isalnum() else "_" for c in stem)


def _steps(path: str | Path, graph: NirGraph, facts: Any, input_shape: tuple[int, ...] | None) -> int:
    wanted = graph.nodes[graph.of_kind("Input")[0]].ints("shape")
    shown = ",".join(map(str, wanted))
    if input_shape is None:
        if "time_steps" in facts:
            return int(facts["time_steps"])
        help = f"give --input-shape STEPS,{shown}"
        raise InputError.of("O0002", f"{path} does not say for how many steps it runs", Location(str(path)), help=help)
    if input_shape == wanted:
        help = f"give --input-shape STEPS,{shown}; for {shown} steps {shown},{shown}"
        raise InputError.of(
            "O0002", f"the input shape {shown} of {path} is without its steps", Location(str(path)), help=help
        )
    if input_shape[0] < 1 or input_shape[1:] not in ((), wanted):
        given = ",".join(map(str, input_shape))
        help = f"it takes STEPS,{shown}"
        raise InputError.of("O0002", f"the input shape {given} does not fit {path}", Location(str(path)), help=help)
    return input_shape[0]


def network_of(graph: NirGraph, steps: int, dt: float, file: str = "<nir>") -> Network:
    """The network of a checked graph for so many steps of `dt` seconds."""
    graph = flat(graph)
    shapes, _ = shapes_of(graph)
    (source,), (sink,) = graph.of_kind("Input"), graph.of_kind("Output")
    late = {n: _delay(node, dt) for n, node in graph.nodes.items() if node.kind == "Delay"}
    lines = {name for name, delays in late.items() if delays.min() > 0}
    stateless = {n for n, node in graph.nodes.items() if not KINDS[node.kind].state}
    order, back = steps_of([source, *(n for n in graph.nodes if n != source)], graph.edges, lines, stateless)
    network = Network(steps, [Input(INPUT, shapes[source], True)], dt=dt)
    names = {source: INPUT}
    for name in order:
        if name not in (source, sink):
            names[name] = fresh_name(name, network.parts)
            place = Location(file, path=name)
            # A delay of a step or more is fed by what came a step ago, so that what feeds it may stand behind it.
            delays = late[name] - (name in lines) if name in late else None
            shape = shapes[graph.into(name)[0]]
            network.parts[names[name]] = _part(graph.nodes[name], shape, shapes[name], dt, delays, place)
    for a, b in graph.edges:
        if b != sink:
            network.edges.append(Edge(names[a], names[b], int((a, b) in back or b in lines)))
    network.outputs = [_output(network, [names[a] for a in graph.into(sink)], shapes[sink], sink, file)]
    return network


def _output(network: Network, sources: list[str], shape: tuple[int, ...], sink: str, file: str) -> str:
    """The part that is read: what leads to the output, or the sum of it."""
    if len(sources) == 1 and sources[0] != INPUT:
        return sources[0]
    name = fresh_name("sum", network.parts)
    fields = {"scale": np.ones(shape, np.float32)}
    network.parts[name] = Layer("scale", shape, fields, "Output", Location(file, path=sink))
    network.edges += [Edge(source, name) for source in sources]
    return name


def _delay(node: NirNode, dt: float) -> np.ndarray:
    """Whole steps of every channel."""
    return np.rint(node.array("delay").astype(np.float64) / dt).astype(np.int64)


def _part(
    node: NirNode, given: tuple[int, ...], shape: tuple[int, ...], dt: float, delays: np.ndarray | None, place: Location
) -> Part:
    if node.kind in _NEURONS:
        op, names = _NEURONS[node.kind](dt)
        parameters = {ours: _fitting(node.array(theirs), shape) for ours, theirs in names.items()}
        return Neurons(op, shape, parameters, place)
    if delays is not None:
        return Layer("delay", shape, {"steps": _fitting(delays, shape)}, "Delay", place)
    kind, fields = _LAYERS[node.kind](node, given)
    return Layer(kind, shape, fields, node.kind, place)


def _fitting(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A parameter without leading ones that the shape does not have."""
    return array.reshape(array.shape[array.ndim - len(shape) :]) if array.ndim > len(shape) else array


_REST = {"threshold": "v_threshold", "v_reset": "v_reset"}
_LEAK = {"tau": "tau", "r": "r", "v_leak": "v_leak"}
_CUBA = {"tau_syn": "tau_syn", "w_in": "w_in", "tau": "tau_mem", "r": "r", "v_leak": "v_leak"}

_NEURONS: dict[str, Callable[[float], tuple[Neuron, dict[str, str]]]] = {
    "I": lambda dt: (ops.Integrate("sum", dt), {"r": "r"}),
    "IF": lambda dt: (ops.Lif("sum", dt), {"r": "r"} | _REST),
    "LI": lambda dt: (ops.Integrate("leak", dt), _LEAK),
    "LIF": lambda dt: (ops.Lif("leak", dt), _LEAK | _REST),
    "CubaLI": lambda dt: (ops.CubaIntegrate("leak", dt), _CUBA),
    "CubaLIF": lambda dt: (ops.CubaLif("leak", dt), _CUBA | _REST),
}
"""Kind -> dt -> the op, and the names of its parameters in NIR."""


def _linear(node: NirNode, given: tuple[int, ...]) -> tuple[str, dict[str, Any]]:
    return "linear", {name: node.array(name) for name in ("weight", "bias") if name in node.fields}


def _conv(node: NirNode, given: tuple[int, ...]) -> tuple[str, dict[str, Any]]:
    n = node.array("weight").ndim - 2
    stride, dilation = ((node.ints(name) * n)[:n] for name in ("stride", "dilation"))
    geometry = {"stride": stride, "padding": padding_of(node), "dilation": dilation, "groups": node.ints("groups")[0]}
    return "conv", {"weight": node.array("weight"), "bias": node.array("bias"), **geometry}


def _pool(kind: str) -> Callable[[NirNode, tuple[int, ...]], tuple[str, dict[str, Any]]]:
    names = {"kernel": "kernel_size", "stride": "stride", "padding": "padding"}
    return lambda node, given: (kind, {ours: (node.ints(theirs) * 2)[:2] for ours, theirs in names.items()})


def _flatten(node: NirNode, given: tuple[int, ...]) -> tuple[str, dict[str, Any]]:
    start, end = flatten_range(node, given)
    return "flatten", {"start": start, "end": end}


_LAYERS: dict[str, Callable[[NirNode, tuple[int, ...]], tuple[str, dict[str, Any]]]] = {
    "Affine": _linear,
    "Linear": _linear,
    "Conv1d": _conv,
    "Conv2d": _conv,
    "SumPool2d": _pool("sum_pool"),
    "AvgPool2d": _pool("avg_pool"),
    "Flatten": _flatten,
    "Scale": lambda node, given: ("scale", {"scale": node.array("scale")}),
    "Threshold": lambda node, given: ("fire", {"threshold": node.array("threshold"), "inclusive": False}),
}
"""Kind -> (node, shape of what comes in) -> kind and fields of the part."""
