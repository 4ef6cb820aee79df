"""From a network of neurons to a NIR graph, or to every reason why NIR cannot hold it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from ...bridges.networks import INPUT, Layer, Network, Neurons, Part, RefusedError, make_network, read_node
from ...bridges.nir.cycles import steps_of
from ...ir import Graph, Module, Node, TargetError
from ...ir.diagnostics import Diagnostic
from ...ir.ops.spiking import SteppedNeuron, Synaptic
from .neurons import fire_above, integrator, spiking_node
from .plan import DT, OUTPUT, NirNode, Plan


def make_plan(body: Graph, module: Module) -> Plan:
    """The NIR graph of a launch body. Raises TargetError T0003 with everything that NIR cannot hold."""
    network = make_network(body, module)
    faults = []
    for part in network.parts.values():
        try:
            check(part)
        except RefusedError as fault:
            faults.append(Diagnostic("T0003", str(fault), part.location))
    if faults:
        raise TargetError(faults)
    return Lowering(network).plan


def reason_against(node: Node, module: Module) -> str | None:
    """Why NIR cannot hold a node of the module's graph, None where it can. A launch is asked about as a whole."""
    network, reasons = read_node(node, module)
    inside = "" if not node.op.bodies else "{} inside the loop: "
    for part in network.parts.values():
        try:
            check(part)
        except RefusedError as fault:
            place = f" at {part.location}" if inside and part.location else ""
            reasons.append(inside.format(part.source) + str(fault) + place)
    return "; ".join(dict.fromkeys(reasons)) or None


def check(part: Part) -> None:
    """RefusedError where NIR has no nodes that mean what the part means."""
    if isinstance(part, Neurons):
        _check_neurons(part)


def _check_neurons(part: Neurons) -> None:
    decay, gain, offset = part.membrane()
    if part.reset == "value" and (part.full("threshold") <= part.v_reset).any():
        at = np.argmax(part.full("threshold") <= part.v_reset)
        threshold, reset = part.full("threshold").ravel()[at], part.v_reset.ravel()[at]
        raise RefusedError(f"its threshold is {threshold:g}; a NIR neuron needs one above its reset value {reset:g}")
    if part.reset == "subtract" and isinstance(part.op, SteppedNeuron) and not part.op.delayed:
        raise RefusedError(
            "snntorch takes the threshold off twice where a potential is above twice the threshold and "
            "reset_delay=False; a reset in the next step (reset_delay=True) is taken"
        )
    if part.reset == "subtract" and (gain == 0).any():
        raise RefusedError("its input has no effect, so that no spike can take the threshold off through it")
    synapse = part.synapse()
    if synapse is not None and (synapse[0] >= 1).any():
        raise RefusedError("its synaptic current does not decay; NIR's does")
    if synapse is not None and part.reset == "value" and (decay == 1).any():
        raise RefusedError("it has a synaptic current and no leak; NIR's CubaLIF leaks")
    flat = decay == 1
    if isinstance(part.op, Synaptic) and part.op.delayed and part.reset == "value":
        raise RefusedError(
            "a delayed reset also drops the input of the step after a spike; NIR's CubaLIF resets at once "
            "(reset_delay=False)"
        )
    if flat.any() and not flat.all():
        raise RefusedError("some of its neurons leak and some do not; NIR has one kind of neuron a node")
    if flat.any() and offset.any():
        raise RefusedError("its neurons add a constant in every step and do not leak; NIR's integrators add none")
    if (decay < 0).any() or (decay > 1).any():
        wrong, why = decay[(decay < 0) | (decay > 1)][0], ""
        if wrong < 0:
            why = " (the step is longer than the time constant: give a smaller --dt)"
        raise RefusedError(f"its decay a step is {wrong:g}, NIR's lie between 0 and 1{why}")


Ends = tuple[tuple[str, ...], tuple[str, ...]]
"""The NIR nodes in which a part begins, and those whose sum it puts out."""


class Lowering:
    """Makes the plan of a network: parts become nodes, then edges that take steps become what NIR has for them."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.plan = Plan(steps=network.steps, dt=network.dt or DT)
        given = network.inputs[0]
        self.plan.sequence, self.plan.input_shape = given.sequence, given.shape
        self.plan.late_resets = any(
            isinstance(p, Neurons) and p.reset == "value" and p.reset_delayed for p in network.parts.values()
        )
        self._ends: dict[str, Ends] = {INPUT: ((), (INPUT,))}
        self._steps: dict[tuple[str, str], int] = {}
        """Edges that take steps of time."""
        for name, part in network.parts.items():
            self._part(name, part)
        for edge in network.edges:
            for source, target in product(self._ends[edge.source][1], self._ends[edge.target][0]):
                only = len(network.into(edge.target)) == 1
                self._connect(source, target, self._absorbed(target, edge.steps) if only else edge.steps)
        self._connect(self._ends[network.outputs[0]][1][0], OUTPUT, 0)
        self._take_time()

    def _absorbed(self, target: str, steps: int) -> int:
        """The steps that are left after a delay that nothing else feeds has taken them on."""
        node = self.plan.nodes[target]
        if not steps or node.kind != "Delay":
            return steps
        self.plan.nodes[target] = replace(node, fields={"delay": node.fields["delay"] + steps * self.plan.dt})
        return 0

    def _connect(self, source: str, target: str, steps: int) -> None:
        if (source, target) in self.plan.edges:
            source = self._scale(source, target)
        self.plan.edges.append((source, target))
        if steps:
            self._steps[source, target] = steps

    def _scale(self, source: str, target: str) -> str:
        """A node that does nothing, since NIR has one edge from a node to a node."""
        shape = self._shape(source)
        node = NirNode("Scale", {"scale": np.ones(shape, np.float32)}, shape, "add", self.plan.nodes[target].location)
        name = self.plan.name(f"{source}_again")
        self.plan.nodes[name] = node
        self.plan.edges.append((source, name))
        return name

    def _shape(self, name: str) -> tuple[int, ...]:
        return self.plan.input_shape if name == INPUT else self.plan.nodes[name].shape

    def _node(self, hint: str, kind: str, fields: dict[str, Any], part: Part) -> str:
        name = self.plan.name(hint)
        bits, scale = (part.weight_bits, part.weight_scale) if isinstance(part, Layer) else (32, None)
        self.plan.nodes[name] = NirNode(kind, fields, part.shape, part.source, part.location, bits, scale)
        return name

    def _part(self, name: str, part: Part) -> None:
        if isinstance(part, Layer) and "weight" in part.fields:
            self.plan.weight_bits.append(part.weight_bits)
        if isinstance(part, Neurons) and part.reset != "value":
            self._ends[name] = self._integrator(name, part)
        elif isinstance(part, Layer) and part.kind == "delayed_linear":
            self._ends[name] = self._delayed_linear(name, part)
        else:
            kind, fields = (
                spiking_node(part, self.plan.dt)
                if isinstance(part, Neurons)
                else _LAYERS[part.kind](part, self._shape_into(name), self.plan.dt)
            )
            node = self._node(name, kind, fields, part)
            self._ends[name] = ((node,), (node,))

    def _shape_into(self, name: str) -> tuple[int, ...]:
        source = self.network.into(name)[0].source
        return self.plan.input_shape if source == INPUT else self.network.parts[source].shape

    def _integrator(self, name: str, part: Neurons) -> Ends:
        """A membrane that is not reset to a value: an integrator, a threshold, and for a soft reset the way back.

        A spike takes the threshold off the potential of the next step; where the reset acts at once, what is left of
        the threshold after one step's decay.
        """
        first = last = ""
        for kind, fields in integrator(part, self.plan.dt):
            node = self._node(f"{name}_{kind.lower()}" if part.op.fires else name, kind, fields, part)
            if first:
                self._connect(last, node, 0)
            first, last = first or node, node
        if not part.op.fires:
            return (first,), (last,)
        threshold = part.full("threshold")
        membrane, fire = last, self._node(name, "Threshold", {"threshold": fire_above(part)}, part)
        self._connect(membrane, fire, 0)
        if part.reset == "subtract":
            decay, gain, _ = part.membrane()
            left = threshold.astype(np.float64) if part.reset_delayed else threshold * decay
            # The membrane multiplies what comes in by its gain.
            back = self._node(f"{name}_reset", "Scale", {"scale": -(left / gain).astype(np.float32)}, part)
            self._connect(fire, back, 1)
            self._connect(back, membrane, 0)
        return (first,), (fire,)

    def _delayed_linear(self, name: str, part: Layer) -> Ends:
        """A branch for every delay that occurs: NIR delays channels, not synapses."""
        weight, steps, size = part.array("weight"), part.array("steps"), self._shape_into(name)
        ends: list[tuple[str, str]] = []
        for delay in np.unique(steps).tolist():
            branch = self._node(f"{name}_{delay}", "Linear", {"weight": weight * (steps == delay)}, part)
            entry = branch
            if delay:
                entry = self._delay(size, delay, f"{name}_delay{delay}", part)
                self._connect(entry, branch, 0)
            ends.append((entry, branch))
        return tuple(entry for entry, _ in ends), tuple(end for _, end in ends)

    def _delay(self, shape: tuple[int, ...], steps: int, hint: str, part: Part | NirNode) -> str:
        """A node that puts out what came in whole steps ago."""
        name = self.plan.name(hint)
        fields = {"delay": np.full(shape, steps * self.plan.dt)}
        self.plan.nodes[name] = NirNode("Delay", fields, shape, part.source, part.location)
        return name

    def _take_time(self) -> None:
        """Edges of one step stay where readers break the graph's cycles there; every other becomes a delay."""
        plan = self.plan
        names = [INPUT, *plan.nodes, OUTPUT]
        _, back = steps_of(names, plan.edges, plan.delays(), plan.stateless())
        if back == {edge for edge, steps in self._steps.items() if steps == 1} and len(back) == len(self._steps):
            return
        for (source, target), steps in self._steps.items():
            delay = self._delay(self._shape(source), steps, f"{target}_before", plan.nodes[target])
            plan.edges[plan.edges.index((source, target))] = (source, delay)
            plan.edges.append((delay, target))


# Layers: (part, shape of what comes in, dt) -> class name in the nir package, its arguments

Fields = tuple[str, dict[str, Any]]


def _linear(part: Layer, given: tuple[int, ...], dt: float) -> Fields:
    fields = {name: part.fields[name] for name in ("weight", "bias") if name in part.fields}
    return ("Affine" if "bias" in fields else "Linear"), fields


def _conv(part: Layer, given: tuple[int, ...], dt: float) -> Fields:
    fields, n = part.fields, len(given) - 1
    whole: dict[str, Any] = {"input_shape": np.array(given[1:])} | {
        k: fields[k] for k in ("stride", "padding", "dilation")
    }
    if n == 1:
        whole = {key: value[0] for key, value in whole.items()}
    bias = fields["bias"] if "bias" in fields else np.zeros(part.shape[0], np.float32)
    return f"Conv{n}d", {**whole, "weight": fields["weight"], "groups": fields["groups"], "bias": bias}


def _pool(kind: str) -> Callable[[Layer, tuple[int, ...], float], Fields]:
    names = {"kernel_size": "kernel", "stride": "stride", "padding": "padding"}
    return lambda part, given, dt: (kind, {key: np.array(part.fields[field]) for key, field in names.items()})


def _flatten(part: Layer, given: tuple[int, ...], dt: float) -> Fields:
    shape = {"input_type": np.array(given)}
    return "Flatten", {**shape, "start_dim": part.fields["start"], "end_dim": part.fields["end"]}


def _scale(part: Layer, given: tuple[int, ...], dt: float) -> Fields:
    return "Scale", {"scale": part.fields["scale"]}


def _delay(part: Layer, given: tuple[int, ...], dt: float) -> Fields:
    return "Delay", {"delay": np.broadcast_to(part.array("steps") * dt, part.shape).copy()}


def _fire(part: Layer, given: tuple[int, ...], dt: float) -> Fields:
    threshold = np.broadcast_to(part.array("threshold"), part.shape).copy()
    return "Threshold", {"threshold": np.nextafter(threshold, -np.inf) if part.fields["inclusive"] else threshold}


_LAYERS: dict[str, Callable[[Layer, tuple[int, ...], float], Fields]] = {
    "linear": _linear,
    "conv": _conv,
    "avg_pool": _pool("AvgPool2d"),
    "sum_pool": _pool("SumPool2d"),
    "flatten": _flatten,
    "scale": _scale,
    "delay": _delay,
    "fire": _fire,
}
