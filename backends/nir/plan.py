"""What a launch becomes in NIR: nodes and edges as plain data, and the reasons why something cannot become one.

A neuron of the IR advances one step of `DT` seconds by v' = beta v + x. NIR states LIF as tau v' = (v_leak - v) + R I;
its Euler step of DT is the same with tau = DT / (1 - beta) and R = tau / DT (snntorch's own convention).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...ir import Graph, Location, Module, Node, TargetError, Value, ops
from ...ir.diagnostics import Diagnostic
from ...ir.ops import Scan
from ...ir.ops.spiking import Neuron
from ...ir.types import DYNAMIC

DT = 1e-4
"""Seconds of one time step: what snntorch assumes of every NIR file."""

INPUT, OUTPUT = "input", "output"


@dataclass(frozen=True)
class NirNode:
    """One NIR node: `kind` is the class name in the nir package, `fields` its arguments."""

    kind: str
    fields: dict[str, Any]
    shape: tuple[int, ...]
    """Shape of the output without batch and time."""
    location: Location


@dataclass
class Plan:
    """A NIR graph before it is written.

    sequence: whether the input has a time axis; otherwise the same input is given in every step.
    """

    steps: int
    sequence: bool
    input_shape: tuple[int, ...]
    nodes: dict[str, NirNode] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)

    def add(self, hint: str, node: NirNode, sources: tuple[str, ...]) -> tuple[str, ...]:
        """Append a node fed by `sources` (their sum) and return it as a source."""
        name, count = hint, 1
        while name in self.nodes or name in (INPUT, OUTPUT):
            count += 1
            name = f"{hint}_{count}"
        self.nodes[name] = node
        self.edges += [(source, name) for source in sources]
        return (name,)


# Reasons


def reason_against(node: Node, module: Module) -> str | None:
    """Why NIR cannot hold a node of the main graph; None where it can."""
    if isinstance(node.op, Scan):
        return _scan_reason(node, module)
    if isinstance(node.op, Neuron):
        return "a single step of a neuron: NIR holds neurons inside a loop over time"
    reason = _layer_reason(node)
    if reason is not None:
        return reason
    if not _feeds_one_loop(node, module.graph, module):
        return "it does not only feed a time loop on the device"
    return None


def _layer_reason(node: Node) -> str | None:
    """Why a node without state is no NIR node; None where it is one."""
    if type(node.op) in _LAYER_RULES:
        return _LAYER_RULES[type(node.op)](node)
    return f"NIR has no node for {node.op.mnemonic}" + _HINTS.get(node.op.mnemonic, "")


_HINTS = {
    "batch_norm": " (fold-batchnorm removes it where a linear or conv layer comes before)",
    "max_pool": " (avg_pool has one)",
}


def _weights_reason(node: Node) -> str | None:
    if any(v.type.batched for v in node.operands[1:]):
        return "its weights are computed while the model runs"
    return None


def _conv_reason(node: Node) -> str | None:
    op, weight = node.op, node.operands[1].type
    assert isinstance(op, ops.Conv)
    if len(op.stride) > 2:
        return "NIR has convolutions over one and two dimensions only"
    if op.groups != 1:
        return "grouped convolutions do not survive a NIR file (nir 1.0.8 reads their shape wrongly)"
    if len(set(weight.shape[2:])) != 1:
        return "kernels that are not square do not survive a NIR file (nir 1.0.8 reads their shape wrongly)"
    return _weights_reason(node)


def _pool_reason(node: Node) -> str | None:
    op = node.op
    assert isinstance(op, ops.AvgPool)
    if len(op.kernel) != 2:
        return "NIR has average pooling over two dimensions only"
    if op.ceil or (any(op.padding) and not op.count_padding):
        return "NIR's average pooling counts padding and rounds down"
    return None


def _reshape_reason(node: Node) -> str | None:
    given, wanted = node.operands[0].type.shape, node.results[0].type.shape
    if len(wanted) == 2 and given[:1] == wanted[:1] == (DYNAMIC,):
        return None
    return "NIR has no reshape but flatten"


def _add_reason(node: Node) -> str | None:
    if len(node.operands) != 2 or node.operands[0].type.shape != node.operands[1].type.shape:
        return "NIR adds the outputs of two nodes of one shape, nothing else"
    if node.operands[0] == node.operands[1] or any(v.is_weight for v in node.operands):
        return "NIR adds the outputs of two different nodes"
    return None


def _constant_reason(node: Node) -> str | None:
    assert isinstance(node.op, ops.Constant)
    return None if node.op.value == 0.0 else "a state that does not start at zero"


_LAYER_RULES: dict[type, Callable[[Node], str | None]] = {
    ops.Linear: _weights_reason,
    ops.Conv: _conv_reason,
    ops.AvgPool: _pool_reason,
    ops.Reshape: _reshape_reason,
    ops.Add: _add_reason,
    ops.Constant: _constant_reason,
    ops.Dequantize: lambda node: None if all(v.is_weight for v in node.operands) else "it dequantises no weight",
}


def _feeds_one_loop(node: Node, graph: Graph, module: Module) -> bool:
    """Whether every use of the node's results ends in time loops that NIR holds, and in nothing else."""
    outputs = {v.name for v in graph.outputs}
    consumers = graph.consumers()
    waiting, found = [node], False
    while waiting:
        at = waiting.pop()
        if any(v.name in outputs for v in at.results):
            return False
        for user in (u for v in at.results for u in consumers.get(v.name, ())):
            if isinstance(user.op, Scan):
                found = True
                if _scan_reason(user, module) is not None:
                    return False
            elif _layer_reason(user) is not None:
                return False
            else:
                waiting.append(user)
    return found


def _scan_reason(node: Node, module: Module) -> str | None:
    op = node.op
    assert isinstance(op, Scan)
    outputs = {v.name for v in module.graph.outputs}
    used = outputs | set(module.graph.consumers())
    last_states = node.results[: op.carried]
    if any(v.name in used for v in last_states):
        return "the last membrane potentials are used, which NIR does not put out"
    if len([v for v in node.results[op.carried :] if v.name in used]) != 1:
        return "NIR graphs of this backend have one output"
    makers = module.graph.producers()
    for state in node.operands[: op.carried]:
        maker = makers.get(state.name)
        if maker is None or not isinstance(maker.op, ops.Constant) or maker.op.value != 0.0:
            return "a state that does not start at zero"
    sources = [v for v in node.operands[op.carried :] if not v.is_weight]
    if len(sources) != 1:
        return f"the loop reads {len(sources)} values; NIR graphs of this backend have one input"
    return next(_body_reasons(op), None)


def _body_reasons(op: Scan) -> Iterator[str]:
    states = {v.name: k for k, v in enumerate(op.body.inputs[: op.carried])}
    ends = {k: v.name for k, v in enumerate(op.body.outputs[: op.carried])}
    owned: set[str] = set()
    if not any(isinstance(node.op, Neuron) for node in op.body.nodes):
        yield "the loop holds no neuron"
    for node in op.body.nodes:
        if not isinstance(node.op, Neuron):
            reason = _layer_reason(node)
            if reason is not None:
                yield f"{node.op.mnemonic} inside the loop: {reason}"
            continue
        reason = _neuron_reason(node)
        if reason is not None:
            yield reason
        first = node.op.states
        given, made = node.operands[1 : 1 + first], node.results[1:]
        for before, after in zip(given, made, strict=True):
            owned.add(before.name)
            if ends.get(states.get(before.name, -1)) != after.name:
                yield "a neuron whose state is not carried from step to step"
    if set(states) - owned:
        yield "the loop carries a value that is not the state of a neuron"


def _neuron_reason(node: Node) -> str | None:
    op = node.op
    assert isinstance(op, Neuron)
    if op.reset != "zero":
        what = "subtracts the threshold" if op.reset == "subtract" else "does nothing"
        return f"a spike {what}; NIR's neurons reset to v_reset (reset_mechanism='zero')"
    if isinstance(op, ops.Synaptic) and op.delayed:
        return "a delayed reset that also drops the next input; NIR's CubaLIF resets at once (reset_delay=False)"
    if any(v.type.batched for v in node.operands[1 + op.states :]):
        return "the parameters of a neuron are computed while the model runs"
    return None


# Lowering


def make_plan(body: Graph, module: Module, constant: Callable[[Value, Graph], np.ndarray | None]) -> Plan:
    """The NIR graph of a launch body: layers that see the static input, then one loop over time.

    constant: the array of a value that depends on weights alone, else None. Raises TargetError with every neuron or
    layer whose parameters NIR cannot take.
    """
    scan, op = next((n, n.op) for n in body.nodes if isinstance(n.op, Scan))
    (outer,) = body.inputs
    sequence = outer in scan.operands[op.carried : op.carried + op.sequences]
    shape = outer.type.shape[2:] if sequence else outer.type.shape[1:]
    plan = Plan(op.steps, sequence, shape)
    lowering = _Lowering(plan, constant)
    lowering.sources[outer.name] = (INPUT,)
    lowering.walk([n for n in body.nodes if n is not scan], body)
    for inside, given in zip(op.body.inputs, scan.operands, strict=True):
        if given.is_weight:
            lowering.alias[inside.name] = given
        elif given.name in lowering.sources:
            lowering.sources[inside.name] = lowering.sources[given.name]
    lowering.walk(op.body.nodes, op.body)
    used = {v.name for v in body.outputs}
    stacked = zip(scan.results[op.carried :], op.body.outputs[op.carried :], strict=True)
    (spikes,) = (inside for result, inside in stacked if result.name in used)
    plan.edges += [(source, OUTPUT) for source in lowering.sources[spikes.name]]
    if lowering.faults:
        raise TargetError(lowering.faults)
    return plan


class _Lowering:
    """Turns IR nodes into NIR nodes, one after the other. `sources` maps a value to the NIR nodes it is the sum of."""

    def __init__(self, plan: Plan, constant: Callable[[Value, Graph], np.ndarray | None]) -> None:
        self.plan = plan
        self.constant = constant
        self.sources: dict[str, tuple[str, ...]] = {}
        self.alias: dict[str, Value] = {}
        """Inputs of the loop's body that are weights."""
        self.faults: list[Diagnostic] = []

    def walk(self, nodes: list[Node] | tuple[Node, ...], graph: Graph) -> None:
        """Lower all nodes of a graph that are not made of weights alone."""
        for node in nodes:
            if isinstance(node.op, ops.Constant | ops.Dequantize):
                continue
            if isinstance(node.op, ops.Add):
                a, b = (self.sources[v.name] for v in node.operands)
                self.sources[node.results[0].name] = a + b
                continue
            kind, fields = self._fields(node, graph)
            place = node.location
            hint = place.path.replace(".", "_") or node.op.mnemonic
            made = NirNode(kind, fields, node.results[0].type.shape[1:], place)
            self.sources[node.results[0].name] = self.plan.add(hint, made, self.sources[node.operands[0].name])

    def _fields(self, node: Node, graph: Graph) -> tuple[str, dict[str, Any]]:
        op = node.op
        if isinstance(op, ops.Linear):
            weight, bias = self._array(node, 1, graph), self._array(node, 2, graph)
            return ("Linear", {"weight": weight}) if bias is None else ("Affine", {"weight": weight, "bias": bias})
        if isinstance(op, ops.Conv):
            return self._conv(node, op, graph)
        if isinstance(op, ops.AvgPool):
            arrays = {"kernel_size": op.kernel, "stride": op.stride, "padding": op.padding}
            return "AvgPool2d", {key: np.array(value) for key, value in arrays.items()}
        if isinstance(op, ops.Reshape):
            shape = np.array(node.operands[0].type.shape[1:])
            return "Flatten", {"input_type": {"input": shape}, "start_dim": 0, "end_dim": -1}
        assert isinstance(op, Neuron)
        return self._neuron(node, op, graph)

    def _conv(self, node: Node, op: ops.Conv, graph: Graph) -> tuple[str, dict[str, Any]]:
        weight, bias = self._array(node, 1, graph), self._array(node, 2, graph)
        assert weight is not None
        spatial = node.operands[0].type.shape[2:]
        one = len(op.stride) == 1
        fields: dict[str, Any] = {
            "input_shape": spatial[0] if one else spatial,
            "weight": weight,
            "stride": op.stride[0] if one else op.stride,
            "padding": op.padding[0] if one else op.padding,
            "dilation": op.dilation[0] if one else op.dilation,
            "groups": 1,
            "bias": np.zeros(len(weight), weight.dtype) if bias is None else bias,
        }
        return ("Conv1d" if one else "Conv2d"), fields

    def _neuron(self, node: Node, op: Neuron, graph: Graph) -> tuple[str, dict[str, Any]]:
        shape = node.results[0].type.shape[1:]
        given = [self._array(node, 1 + op.states + k, graph) for k in range(len(node.operands) - 1 - op.states)]
        arrays = [np.broadcast_to(np.asarray(a, np.float32), shape).copy() for a in given if a is not None]
        *decays, threshold = arrays
        self._check(node, decays, threshold)
        zero = np.zeros(shape, np.float32)
        # A decay of 1 has been reported; its infinite time constant is never written.
        with np.errstate(divide="ignore", invalid="ignore"):
            taus = [time_constant(d) for d in decays]
        fields = {"r": (taus[-1] / np.float32(DT)), "v_leak": zero, "v_threshold": threshold, "v_reset": zero}
        if isinstance(op, ops.Synaptic):
            w_in = taus[0] / np.float32(DT)
            return "CubaLIF", {"tau_syn": taus[0], "tau_mem": taus[1], "w_in": w_in, **fields}
        return "LIF", {"tau": taus[0], **fields}

    def _check(self, node: Node, decays: list[np.ndarray], threshold: np.ndarray) -> None:
        for decay in decays:
            if not ((decay >= 0) & (decay < 1)).all():
                worst = decay[~((decay >= 0) & (decay < 1))].ravel()[0]
                message = f"a decay of {worst} a step has no time constant"
                self._fault(node, message, "NIR's leaky neurons need 0 <= beta < 1")
        if not (threshold > 0).all():
            self._fault(node, f"a threshold of {threshold.min()}", "NIR's neurons rest at 0: thresholds lie above it")

    def _fault(self, node: Node, message: str, help: str) -> None:
        self.faults.append(Diagnostic("T0003", message, node.location, help=help))

    def _array(self, node: Node, index: int, graph: Graph) -> np.ndarray | None:
        if index >= len(node.operands):
            return None
        value = node.operands[index]
        return self.constant(self.alias.get(value.name, value), graph)


def time_constant(decay: np.ndarray) -> np.ndarray:
    """tau in seconds (float32) whose way back, 1 - DT / tau, is nearest to `decay`: the same bits where there are such.

    decay, result: arrays of one shape.
    """
    dt = np.float32(DT)
    start = (DT / (1.0 - decay.astype(np.float64))).astype(np.float32)
    best, error = start, np.abs((1 - dt / start) - decay)
    for direction in (np.float32(0), np.float32(np.inf)):
        near = start
        for _ in range(4):
            near = np.nextafter(near, direction)
            found = np.abs((1 - dt / near) - decay)
            best, error = np.where(found < error, near, best), np.minimum(error, found)
    return best.astype(np.float32)
