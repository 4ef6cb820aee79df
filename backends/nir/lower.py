"""From a launch body to a NIR graph, or to every reason why NIR cannot hold it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...ir import Graph, Module, Node, TargetError, Value, ops
from ...ir.diagnostics import Diagnostic
from ...ir.ops import Launch, Scan
from ...ir.ops.spiking import Neuron
from ...ir.types import DYNAMIC, Type
from .plan import INPUT, OUTPUT, NirNode, Plan, cuba_lif, lif

Fields = tuple[str, dict[str, Any]]
"""(class name in the nir package, its arguments)."""


class RefusedError(Exception):
    """NIR cannot hold this; the message is the reason."""


class _KnownError(Exception):
    """NIR cannot hold what this depends on, which has been said."""


@dataclass(frozen=True)
class Signal:
    """What flows along NIR edges: the sum of the outputs of `sources`."""

    sources: tuple[str, ...]
    spikes: bool = False
    """Whether every term is 0 or 1, so that the order of a sum does not matter."""


@dataclass
class Scope:
    """What is known of the values of one graph. A value is a signal, a constant, a state, or refused."""

    graph: Graph
    signals: dict[str, Signal] = field(default_factory=dict)
    constants: set[str] = field(default_factory=set)
    """Made from weights alone."""
    fills: dict[str, float] = field(default_factory=dict)
    """Filled with one number."""
    given: dict[str, tuple[Value, Scope]] = field(default_factory=dict)
    """Inputs of a loop's body that are constants, and where they come from."""
    hidden: dict[str, str] = field(default_factory=dict)
    """Values that NIR keeps to itself -> the reason against their use."""
    states: dict[str, str | None] = field(default_factory=dict)
    """State that goes into a body -> the state that its neuron makes of it, None as long as none has."""


# What a caller asks


def make_plan(body: Graph, module: Module) -> Plan:
    """The NIR graph of a launch body. Raises TargetError T0003 with everything that NIR cannot hold."""
    lowering = Lowering(module, arrays=True)
    lowering.whole(body)
    if lowering.faults:
        raise TargetError(lowering.faults)
    return lowering.plan


def reason_against(node: Node, module: Module) -> str | None:
    """Why NIR cannot hold a node of the module's graph, None where it can. A launch is asked about as a whole."""
    lowering = Lowering(module, arrays=False)
    if isinstance(node.op, Launch):
        lowering.whole(node.op.body)
    else:
        lowering.alone(node)
    return "; ".join(dict.fromkeys(d.message for d in lowering.faults)) or None


class Lowering:
    """Walks a graph in order, adds NIR nodes to `plan` and what NIR cannot hold to `faults`.

    arrays: whether the weights of layers are looked up; without them the plan has the right shape only.
    """

    def __init__(self, module: Module, *, arrays: bool) -> None:
        self.module = module
        self.arrays = arrays
        self.plan = Plan()
        self.faults: list[Diagnostic] = []
        self.inside = False

    def whole(self, body: Graph) -> None:
        """Lower a region that is to be one NIR graph: one input, one output, at least one neuron."""
        scope = Scope(body, {v.name: Signal((INPUT,)) for v in body.inputs})
        self._walk(scope)
        if self.faults:
            return
        try:
            self._close(scope)
        except RefusedError as fault:
            place = next((n.location for n in body.nodes if isinstance(n.op, Scan)), body.nodes[0].location)
            self.faults.append(Diagnostic("T0003", str(fault), place))

    def alone(self, node: Node) -> None:
        """Lower one node of the module's graph, whatever its inputs come from."""
        makers = _constant_makers(node, self.module.graph)
        made = {v.name for maker in makers for v in maker.results}
        inputs = tuple(dict.fromkeys(v for v in node.operands if not v.is_weight and v.name not in made))
        signals = {v.name: Signal((f"{INPUT}{k}",)) for k, v in enumerate(inputs)}
        self._walk(Scope(Graph(inputs, (*makers, node), node.results), signals))

    def _close(self, scope: Scope) -> None:
        """Fix the graph's input and output."""
        body, plan = scope.graph, self.plan
        signals = [_signal(scope, output) for output in body.outputs]
        if len(body.inputs) != 1:
            raise RefusedError(f"it reads {len(body.inputs)} values from outside, a NIR graph has one input")
        if len(body.outputs) != 1:
            names = ", ".join(v.name for v in body.outputs)
            raise RefusedError(
                f"{len(body.outputs)} of its values are used outside ({names}), a NIR graph has one output"
            )
        (given,), (output,), (signal,) = body.inputs, body.outputs, signals
        if plan.neurons == 0:
            raise RefusedError("it holds no neuron")
        if len(signal.sources) != 1 or signal.sources[0] == INPUT:
            raise RefusedError("its output is a sum, and NIR puts out one node")
        if not _timed(output.type):
            raise RefusedError("its output does not depend on time")
        plan.sequence, plan.input_shape = _timed(given.type), _features(given.type)
        plan.edges.append((signal.sources[0], OUTPUT))

    def _walk(self, scope: Scope) -> None:
        for node in scope.graph.nodes:
            try:
                if not _note_constant(scope, node):
                    self._node(scope, node)
            except RefusedError as fault:
                place = f" at {node.location}" if node.location else ""
                message = f"{node.op.mnemonic} inside the loop: {fault}{place}" if self.inside else str(fault)
                self.faults.append(Diagnostic("T0003", message, node.location))
            except _KnownError:
                continue

    def _node(self, scope: Scope, node: Node) -> None:
        op = node.op
        if any(v.type.dtype == "f64" for v in (*node.operands, *node.results)):
            raise RefusedError("it computes in float64, readers of NIR in float32")
        if isinstance(op, Scan):
            self._scan(scope, node, op)
        elif isinstance(op, Neuron):
            self._neuron(scope, node, op)
        elif isinstance(op, ops.Add):
            scope.signals[node.results[0].name] = _sum(scope, node)
        elif type(op) in _RULES:
            self._layer(scope, node)
        else:
            raise RefusedError(f"NIR has no node for {op.mnemonic}" + _HINTS.get(op.mnemonic, ""))

    def _layer(self, scope: Scope, node: Node) -> None:
        data = [v for v in node.operands if not _is_constant(scope, v)]
        if not data:
            raise RefusedError("its input is a constant")
        signal = _signal(scope, data[0])
        if len(data) > 1:
            raise RefusedError(f"it multiplies by {data[1].name}, which is computed while the model runs")
        made = _RULES[type(node.op)](self, scope, node)
        if made is None:
            scope.signals[node.results[0].name] = signal
        else:
            scope.signals[node.results[0].name] = Signal((self._add(node, made, signal),))

    def _add(self, node: Node, made: Fields, signal: Signal) -> str:
        kind, fields = made
        hint = node.location.path or node.results[0].name
        shape = _features(node.results[0].type)
        return self.plan.add(hint, NirNode(kind, fields, shape, node.op.mnemonic, node.location), signal.sources)

    # Loops and neurons

    def _scan(self, scope: Scope, node: Node, op: Scan) -> None:
        inner = self._enter(scope, node, op)
        if self.plan.steps not in (0, op.steps):
            raise RefusedError(f"loops of {self.plan.steps} and of {op.steps} steps are connected")
        self.plan.steps = op.steps
        before = len(self.faults)
        self.inside = True
        self._walk(inner)
        self.inside = False
        if len(self.faults) > before:
            return
        for start, end in zip(op.body.inputs[: op.carried], op.body.outputs, strict=False):
            if inner.states[start.name] != end.name:
                raise RefusedError(f"it carries {start.name}, which is not the state of a neuron")
        for result in node.results[: op.carried]:
            scope.hidden[result.name] = "the last state of a neuron is used, and states stay inside NIR's nodes"
        for result, made in zip(node.results[op.carried :], op.body.outputs[op.carried :], strict=True):
            if made.name in inner.signals:
                scope.signals[result.name] = inner.signals[made.name]
            else:
                scope.hidden[result.name] = inner.hidden.get(made.name, "it does not depend on the input")

    def _enter(self, scope: Scope, node: Node, op: Scan) -> Scope:
        """The scope of a loop's body."""
        if self.inside:
            raise RefusedError("it is a loop inside a loop")
        inner, split = Scope(op.body), op.carried + op.sequences
        for k, (given, inside) in enumerate(zip(node.operands, op.body.inputs, strict=True)):
            if k < op.carried:
                if scope.fills.get(given.name) != 0.0:
                    raise RefusedError(f"the state {inside.name} does not start at zero")
                inner.states[inside.name] = None
                inner.hidden[inside.name] = f"it reads the state {inside.name}, and states stay inside NIR's nodes"
            elif k >= split and _is_constant(scope, given):
                inner.given[inside.name] = (given, scope)
                inner.constants.add(inside.name)
            elif k >= split and _timed(given.type):
                raise RefusedError(f"every step reads all of {given.name}")
            else:
                inner.signals[inside.name] = _signal(scope, given)
        return inner

    def _neuron(self, scope: Scope, node: Node, op: Neuron) -> None:
        if not self.inside:
            raise RefusedError("a single step of a neuron: NIR holds neurons inside a loop over time")
        states, after = node.operands[1 : 1 + op.states], node.results[1:]
        for start, end in zip(states, after, strict=True):
            if scope.states.get(start.name, "") is not None:
                raise RefusedError(f"its state {start.name} is not carried from step to step for it alone")
            scope.states[start.name] = end.name
            scope.hidden[end.name] = f"it reads the potential {end.name}, and NIR neurons put out spikes"
        if op.reset != "zero":
            what = "subtracts the threshold" if op.reset == "subtract" else "does nothing to the potential"
            raise RefusedError(f"a spike {what}; NIR's neurons are reset to v_reset (reset_mechanism='zero')")
        if isinstance(op, ops.Synaptic) and op.delayed:
            raise RefusedError(
                "a delayed reset also drops the input of the step after a spike; NIR's CubaLIF resets at once "
                "(reset_delay=False)"
            )
        signal = _signal(scope, node.operands[0])
        shape = _features(node.results[0].type)
        names = ("alpha", "beta", "threshold")[-(len(node.operands) - 1 - op.states) :]
        given = zip(names, node.operands[1 + op.states :], strict=True)
        numbers = [np.broadcast_to(self._parameter(scope, name, value), shape).copy() for name, value in given]
        made = ("CubaLIF", cuba_lif(*numbers)) if isinstance(op, ops.Synaptic) else ("LIF", lif(*numbers))
        scope.signals[node.results[0].name] = Signal((self._add(node, made, signal),), spikes=True)

    def _parameter(self, scope: Scope, name: str, value: Value) -> np.ndarray:
        """A decay or threshold, checked: nir itself takes any number."""
        array = self._constant(scope, value)
        if array is None:
            raise RefusedError(f"its {name} is computed while the model runs")
        array = np.asarray(array, np.float32)
        good = array > 0 if name == "threshold" else (array >= 0) & (array < 1)
        wrong = array[~(good & np.isfinite(array))]
        if wrong.size:
            limits = "above 0, where NIR's neurons rest" if name == "threshold" else "from 0 to below 1"
            raise RefusedError(f"its {name} is {wrong.ravel()[0]:g}; a NIR neuron needs one {limits}")
        return array

    # Constants

    def weight(self, scope: Scope, node: Node, index: int) -> np.ndarray | None:
        """The array of a layer's operand, None where there is none. RefusedError where it is not finite."""
        if index >= len(node.operands):
            return None
        value = node.operands[index]
        if not self.arrays:
            return np.zeros(value.type.shape, np.float32)
        array = self._constant(scope, value)
        if array is None:
            raise RefusedError(f"{value.name} is computed while the model runs")
        if not np.isfinite(array).all():
            where = np.argwhere(~np.isfinite(array))[0].tolist()
            raise RefusedError(f"the weight {value.name.removeprefix('@')} is {array[tuple(where)]} at index {where}")
        if index == 1:
            self.plan.weight_bits.append(self._bits(scope, value))
        return array

    def _bits(self, scope: Scope, value: Value) -> int:
        """Bits of a number and its sign, for weights that are integers with a scale; 32 for floats."""
        maker = scope.graph.producers().get(value.name)
        if maker is None or not isinstance(maker.op, ops.Dequantize):
            return 32
        integers = self._constant(scope, maker.operands[0])
        return 32 if integers is None else int(np.abs(integers.astype(np.int64)).max(initial=0)).bit_length() + 1

    def _constant(self, scope: Scope, value: Value) -> np.ndarray | None:
        if value.is_weight:
            return self.module.weights.get(value.weight_name)
        if value.name in scope.given:
            given, outer = scope.given[value.name]
            return self._constant(outer, given)
        from ...ir.interpreter import constant_value

        return constant_value(value, scope.graph, self.module)


# Values


def _features(t: Type) -> tuple[int, ...]:
    """The shape without batch and time."""
    if t.shape[:1] == (DYNAMIC,):
        features = t.shape[1:]
    elif _timed(t):
        features = t.shape[2:]
    else:
        raise RefusedError(f"{t} does not have the batch first, or time and then the batch")
    if not features:
        raise RefusedError(f"{t} has no dimension beside the batch")
    return features


def _timed(t: Type) -> bool:
    """Whether the first dimension is time."""
    return len(t.shape) > 1 and t.shape[0] != DYNAMIC and t.shape[1] == DYNAMIC


def _is_constant(scope: Scope, value: Value) -> bool:
    return value.is_weight or value.name in scope.constants


def _signal(scope: Scope, value: Value) -> Signal:
    """The signal of a value that a node reads."""
    if value.name in scope.signals:
        return scope.signals[value.name]
    if value.name in scope.hidden:
        raise RefusedError(scope.hidden[value.name])
    if _is_constant(scope, value) or value.name in scope.fills:
        raise RefusedError("its input is a constant")
    raise _KnownError


def _note_constant(scope: Scope, node: Node) -> bool:
    """Take note of a node that depends on weights alone; False for any other."""
    op, names = node.op, [v.name for v in node.results]
    if isinstance(op, ops.Constant):
        scope.fills[names[0]] = op.value
    elif isinstance(op, ops.Cast | ops.Expand | ops.Reshape) and node.operands[0].name in scope.fills:
        scope.fills[names[0]] = scope.fills[node.operands[0].name]
    elif op.bodies or not node.operands or not all(_is_constant(scope, v) for v in node.operands):
        return False
    if not node.results[0].type.batched:
        scope.constants.update(names)
    return True


def _constant_makers(node: Node, graph: Graph) -> tuple[Node, ...]:
    """The nodes that `node` needs and that are made of weights and constants alone, in order."""
    makers = graph.producers()
    scope = Scope(graph)
    found: list[Node] = []
    for maker in graph.nodes:
        if maker is node:
            break
        if _note_constant(scope, maker):
            found.append(maker)
    known = {v.name for maker in found for v in maker.results}
    needed: set[str] = set()
    waiting = [v.name for v in node.operands if v.name in known]
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += [v.name for v in makers[name].operands if v.name in known]
    return tuple(m for m in found if any(v.name in needed for v in m.results))


def _sum(scope: Scope, node: Node) -> Signal:
    if len(node.operands) != 2 or any(_is_constant(scope, v) or v.name in scope.fills for v in node.operands):
        raise RefusedError("it adds a constant; NIR adds the outputs of nodes")
    a, b = node.operands
    if _features(a.type) != _features(b.type):
        raise RefusedError(f"it adds {a.type} and {b.type}; NIR adds outputs of one shape")
    first, second = _signal(scope, a), _signal(scope, b)
    sources = first.sources + second.sources
    if len(set(sources)) != len(sources):
        raise RefusedError("it adds one value twice; NIR has one edge from a node to a node")
    spikes = first.spikes and second.spikes
    if len(sources) > 2 and not spikes:
        raise RefusedError("it adds more than two values; NIR does not say in which order they are rounded")
    return Signal(sources, spikes)


# Layers: (lowering, scope, node) -> a NIR node, or None where the node does nothing


def _linear(lowering: Lowering, scope: Scope, node: Node) -> Fields | None:
    if len(_features(node.operands[0].type)) != 1:
        raise RefusedError(f"its input {node.operands[0].type} is not one vector a sample")
    weight, bias = lowering.weight(scope, node, 1), lowering.weight(scope, node, 2)
    return ("Linear", {"weight": weight}) if bias is None else ("Affine", {"weight": weight, "bias": bias})


def _conv(lowering: Lowering, scope: Scope, node: Node) -> Fields | None:
    op, kernel = node.op, node.operands[1].type.shape
    assert isinstance(op, ops.Conv)
    if len(op.stride) > 2:
        raise RefusedError("NIR has convolutions over one and two dimensions only")
    if op.groups != 1:
        raise RefusedError("grouped convolutions do not survive a NIR file (nir 1.0.8 reads their shape wrongly)")
    if len(set(kernel[2:])) != 1:
        raise RefusedError(
            "a kernel that is not square does not survive a NIR file (nir 1.0.8 reads its shape wrongly)"
        )
    size = _features(node.operands[0].type)[1:]
    weight, bias = lowering.weight(scope, node, 1), lowering.weight(scope, node, 2)
    whole = {"input_shape": size, "stride": op.stride, "padding": op.padding, "dilation": op.dilation}
    if len(op.stride) == 1:
        whole = {key: value[0] for key, value in whole.items()}
    bias = np.zeros(kernel[0], np.float32) if bias is None else bias
    return f"Conv{len(op.stride)}d", {**whole, "weight": weight, "groups": 1, "bias": bias}


def _avg_pool(lowering: Lowering, scope: Scope, node: Node) -> Fields | None:
    op = node.op
    assert isinstance(op, ops.AvgPool)
    if len(op.kernel) != 2 or len(_features(node.operands[0].type)) != 3:
        raise RefusedError("NIR has average pooling over two dimensions of images with channels only")
    if op.ceil or (any(op.padding) and not op.count_padding):
        raise RefusedError("NIR's average pooling counts padding and rounds down")
    return "AvgPool2d", {key: np.array(getattr(op, field)) for key, field in _POOL_FIELDS.items()}


_POOL_FIELDS = {"kernel_size": "kernel", "stride": "stride", "padding": "padding"}


def _reshape(lowering: Lowering, scope: Scope, node: Node) -> Fields | None:
    """Flatten, where a run of dimensions becomes one."""
    given, wanted = _features(node.operands[0].type), _features(node.results[0].type)
    if _timed(node.operands[0].type) != _timed(node.results[0].type):
        raise RefusedError("it moves the time axis")
    if given == wanted:
        return None
    for start in range(len(wanted)):
        end = start + len(given) - len(wanted)
        merged = (*given[:start], int(np.prod(given[start : end + 1])), *given[end + 1 :])
        if end > start and merged == wanted:
            return "Flatten", {"input_type": {"input": np.array(given)}, "start_dim": start, "end_dim": end}
    raise RefusedError("NIR has no reshape but flatten")


def _mul(lowering: Lowering, scope: Scope, node: Node) -> Fields | None:
    op, shape = node.op, _features(node.results[0].type)
    assert isinstance(op, ops.Mul)
    factor: Any = op.scalar
    if factor is None:
        (value,) = (v for v in node.operands if _is_constant(scope, v))
        if len(value.type.shape) > len(shape):
            raise RefusedError(f"it multiplies by {value.type}, which has a batch or time dimension")
        factor = lowering.weight(scope, node, node.operands.index(value))
    if not np.isfinite(factor).all():
        raise RefusedError(f"it multiplies by {factor}")
    return "Scale", {"scale": np.broadcast_to(np.asarray(factor, np.float32), shape).copy()}


def _cast(lowering: Lowering, scope: Scope, node: Node) -> Fields | None:
    if not (node.operands[0].type.is_numeric and node.results[0].type.is_numeric):
        raise RefusedError(f"NIR has floats only, this casts {node.operands[0].type.dtype}")
    return None


_RULES: dict[type, Callable[[Lowering, Scope, Node], Fields | None]] = {
    ops.Linear: _linear,
    ops.Conv: _conv,
    ops.AvgPool: _avg_pool,
    ops.Reshape: _reshape,
    ops.Mul: _mul,
    ops.Cast: _cast,
}

_HINTS = {
    "batch_norm": " (fold-batchnorm removes it where a linear or conv layer comes before)",
    "max_pool": " (avg_pool has one)",
    "adaptive_avg_pool": " (avg_pool has one)",
}
