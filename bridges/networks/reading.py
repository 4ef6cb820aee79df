"""From a region of a program to a network of neurons, or to every reason why it is none."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...ir import Graph, Module, Node, TargetError, Value, ops
from ...ir.diagnostics import Diagnostic
from ...ir.ops import Launch, Scan
from ...ir.ops.neurons import EulerFiring, EulerNeuron
from ...ir.ops.spiking import Neuron
from ...ir.types import Type
from .constants import Arrays
from .layers import LAYERS, RefusedError, features, is_timed
from .network import INPUT, Edge, Input, Layer, Network, Neurons, fresh_name, parameter_names
from .plastic import RULES, is_column, is_matrix, trace_operands
from .scopes import (
    KnownError,
    Line,
    Scope,
    Signal,
    Term,
    added,
    carried_name,
    constant_makers,
    is_constant,
    note_constant,
    signal_of,
    sum_of,
)

HINTS = {
    "batch_norm": " (fold-batchnorm removes it where a linear or conv layer comes before)",
    "max_pool": " (avg_pool has one)",
    "adaptive_avg_pool": " (avg_pool has one)",
}
"""What to say beside an op that no network has."""


SIDES = {"pre": "before", "post": "after"}


def make_network(body: Graph, module: Module, outputs: int = 1, wide: bool = False, inputs: int = 1) -> Network:
    """The network of a launch body. Raises TargetError T0003 with everything that no network holds.

    inputs, outputs: how many values it may read and give at most, learned weights not counted. wide: whether float64 is
    taken, as whole numbers are held in.
    """
    reading = Reading(module, arrays=True, outputs=outputs, wide=wide, inputs=inputs)
    reading.whole(body)
    if reading.faults:
        raise TargetError(reading.faults)
    return reading.network


def read_node(
    node: Node, module: Module, outputs: int = 1, wide: bool = False, inputs: int = 1
) -> tuple[Network, list[str]]:
    """(network, reasons against it) of a node of the module's graph; a launch is read as a whole.

    The arrays of layers are zeros of the right shape, those of neurons are there. inputs, outputs: how many values a
    launch may read and give at most. wide: whether float64 is taken.
    """
    reading = Reading(module, arrays=False, outputs=outputs, wide=wide, inputs=inputs)
    if isinstance(node.op, Launch):
        reading.whole(node.op.body)
    else:
        reading.alone(node)
    return reading.network, list(dict.fromkeys(d.message for d in reading.faults))


class Reading:
    """Walks a graph in order, adds parts to `network` and what no network holds to `faults`.

    arrays: whether the weights of layers are looked up; without them the network has the right shape only. wide:
    whether float64 is taken, as whole numbers are held in.
    """

    def __init__(self, module: Module, *, arrays: bool, outputs: int = 1, wide: bool = False, inputs: int = 1) -> None:
        self.module = module
        self._wide = wide
        self.arrays = Arrays(module, arrays)
        self.network = Network()
        self.faults: list[Diagnostic] = []
        self.inside = False
        self._outputs, self._inputs = outputs, inputs
        self._aliases: dict[str, Signal] = {}
        """What a loop carries -> the signal that it is, one step later."""

    def whole(self, body: Graph) -> None:
        """Read a region that is to be one network: its inputs, its outputs, at least one neuron."""
        names = [INPUT if k == 0 else f"{INPUT}{k}" for k in range(len(body.inputs))]
        scope = Scope(body, {v.name: Signal((Term(name),)) for v, name in zip(body.inputs, names, strict=True)})
        self._walk(scope)
        if self.faults:
            return
        try:
            self._close(scope, names)
        except RefusedError as fault:
            place = next((n.location for n in body.nodes if isinstance(n.op, Scan)), body.nodes[0].location)
            self.faults.append(Diagnostic("T0003", str(fault), place))

    def alone(self, node: Node) -> None:
        """Read one node of the module's graph, whatever its inputs come from."""
        makers = constant_makers(node, self.module.graph)
        made = {v.name for maker in makers for v in maker.results}
        inputs = tuple(dict.fromkeys(v for v in node.operands if not v.is_weight and v.name not in made))
        signals = {v.name: Signal((Term(f"{INPUT}{k}"),)) for k, v in enumerate(inputs)}
        self._walk(Scope(Graph(inputs, (*makers, node), node.results), signals))

    def _close(self, scope: Scope, names: list[str]) -> None:
        """Fix inputs, outputs, and what the edges from carried values mean."""
        body, network = scope.graph, self.network
        spiking = [v for v in body.outputs if v.name not in scope.last]
        signals = {v.name: signal_of(scope, v) for v in spiking}
        if not 1 <= len(body.inputs) <= self._inputs:
            raise RefusedError(
                f"it reads {len(body.inputs)} values from outside, a network has {_number(self._inputs)} input"
            )
        if len(spiking) > self._outputs:
            shown = ", ".join(v.name for v in spiking)
            raise RefusedError(f"{len(spiking)} of its values are used outside ({shown}), a network has one output")
        if network.neurons == 0:
            raise RefusedError("it holds no neuron")
        network.inputs = [
            Input(name, features(v.type), is_timed(v.type)) for name, v in zip(names, body.inputs, strict=True)
        ]
        network.edges = [edge for e in network.edges for edge in self._resolved(e)]
        for part in network.parts.values():
            if isinstance(part, Layer) and part.kind == "plastic":
                part.fields.update({side: self._one(part.fields[side], side) for side in SIDES})
        for output in body.outputs:
            if output.name in scope.last:
                network.outputs.append(scope.last[output.name])
                continue
            terms = [t for term in signals[output.name].terms for t in self._sources(term)]
            if len(terms) != 1 or terms[0].source in names:
                raise RefusedError("its output is a sum, and a network puts out one part")
            if terms[0].steps:
                raise RefusedError("its output is of an earlier step")
            if not is_timed(output.type):
                raise RefusedError("its output does not depend on time")
            network.outputs.append(terms[0].source)

    def _one(self, signal: Signal, side: str) -> tuple[str, int]:
        """(source, steps) of the spikes that a learning rule sees."""
        terms = [t for term in signal.terms for t in self._sources(term)]
        if len(terms) != 1:
            raise RefusedError(
                f"its learning rule sees a sum of {len(terms)} signals as spikes {SIDES[side]} the synapse"
            )
        return terms[0].source, terms[0].steps

    def _sources(self, term: Term) -> list[Term]:
        """The parts behind a term, through the values that loops carry."""
        if term.source not in self._aliases:
            return [term]
        later = (Term(t.source, t.steps + term.steps + 1) for t in self._aliases[term.source].terms)
        return [part for t in later for part in self._sources(t)]

    def _resolved(self, edge: Edge) -> list[Edge]:
        return [Edge(t.source, edge.target, t.steps) for t in self._sources(Term(edge.source, edge.steps))]

    def _walk(self, scope: Scope) -> None:
        for node in scope.graph.nodes:
            try:
                if not note_constant(scope, node):
                    self._node(scope, node)
            except RefusedError as fault:
                place = f" at {node.location}" if node.location else ""
                message = f"{node.op.mnemonic} inside the loop: {fault}{place}" if self.inside else str(fault)
                self.faults.append(Diagnostic("T0003", message, node.location))
            except KnownError:
                continue

    def _node(self, scope: Scope, node: Node) -> None:
        op = node.op
        if not self._wide and any(v.type.dtype == "f64" for v in (*node.operands, *node.results)):
            raise RefusedError("it computes in float64, networks of neurons in float32")
        if isinstance(op, Scan):
            self._scan(scope, node, op)
        elif isinstance(op, Neuron):
            self._neurons(scope, node, op)
        elif isinstance(op, ops.Add):
            scope.signals[node.results[0].name] = sum_of(scope, node)
        elif isinstance(op, ops.Push):
            self._push(scope, node)
        elif isinstance(op, ops.Tap | ops.DelayedLinear):
            self._tap(scope, node)
        elif isinstance(op, RULES):
            self._learning(scope, node)
        elif isinstance(op, ops.Matmul) and node.operands[1].name in scope.plastic.columns:
            self._matmul(scope, node)
        elif isinstance(op, ops.Reshape) and self._column(scope, node):
            return
        elif type(op) in LAYERS:
            self._layer(scope, node)
        else:
            raise RefusedError(f"networks of neurons have no {op.mnemonic}" + HINTS.get(op.mnemonic, ""))

    def _layer(self, scope: Scope, node: Node) -> None:
        data = [v for v in node.operands if not is_constant(scope, v)]
        if not data:
            raise RefusedError("its input is a constant")
        signal = signal_of(scope, data[0])
        if len(data) > 1:
            raise RefusedError(f"it multiplies by {data[1].name}, which is computed while the model runs")
        made = LAYERS[type(node.op)](node, lambda k: self.arrays.weight(scope, node, k))
        if made is None:
            scope.signals[node.results[0].name] = signal
            return
        bits, scale = self.arrays.grid(scope, node) if "weight" in made[1] else (32, None)
        name = self._add(node, *made, signal, bits, scale)
        scope.signals[node.results[0].name] = Signal((Term(name),), spikes=isinstance(node.op, ops.Fire))

    def _add(
        self,
        node: Node,
        kind: str,
        fields: dict[str, Any],
        signal: Signal,
        bits: int = 32,
        scale: np.ndarray | None = None,
    ) -> str:
        shape = features(node.results[0].type)
        return self._insert(node, Layer(kind, shape, fields, node.op.mnemonic, node.location, bits, scale), signal)

    def _insert(self, node: Node, part: Layer | Neurons, signal: Signal) -> str:
        """Add a part that is fed a signal; its name is made from where it came from."""
        # What a pass has made has one place for several parts, and names of its own.
        hint = node.results[0].name if self._wide else node.location.path or node.results[0].name
        name = fresh_name(hint, self.network.parts)
        self.network.parts[name] = part
        self.network.edges += [Edge(term.source, name, term.steps) for term in signal.terms]
        return name

    # Loops, states and delay lines

    def _scan(self, scope: Scope, node: Node, op: Scan) -> None:
        inner = self._enter(scope, node, op)
        if self.network.steps not in (0, op.steps):
            raise RefusedError(f"loops of {self.network.steps} and of {op.steps} steps are connected")
        self.network.steps = op.steps
        before = len(self.faults)
        self.inside = True
        self._walk(inner)
        self.inside = False
        if len(self.faults) > before:
            return
        inner.plastic.check()
        for start, end in zip(op.body.inputs[: op.carried], op.body.outputs, strict=False):
            self._carry(inner, start, end)
        for start in op.body.inputs[: op.carried]:
            if self._adds_up(carried_name(start.name, inner), frozenset()):
                raise RefusedError(f"it reads the state {start.name}, which adds up over time without a neuron")
        for start, result in zip(op.body.inputs, node.results[: op.carried], strict=False):
            scope.hidden[result.name] = "the last state of a neuron is used, and states stay inside neurons"
            if start.name in inner.plastic.learned:
                self._closed(inner, start.name)
                scope.last[result.name] = inner.plastic.learned[start.name].layer
                scope.hidden[result.name] = f"it reads the learned weights {result.name}, which are there after the run"
        for result, made in zip(node.results[op.carried :], op.body.outputs[op.carried :], strict=True):
            if made.name in inner.signals:
                scope.signals[result.name] = inner.signals[made.name]
            else:
                scope.hidden[result.name] = inner.hidden.get(made.name, "it does not depend on the input")

    def _carry(self, inner: Scope, start: Value, end: Value) -> None:
        """What a loop carries is a neuron's state, a delay line, or a signal that is read a step later."""
        alias = carried_name(start.name, inner)
        if inner.states[start.name] == end.name:
            if start.name in inner.pushed:
                self._aliases[alias] = inner.pushed[start.name]
            elif end.name in inner.signals:
                self._aliases[alias] = inner.signals[end.name]
            return
        if inner.states[start.name] is not None or end.name not in inner.signals:
            raise RefusedError(f"it carries {start.name}, which is neither the state of a neuron nor a signal")
        self._aliases[alias] = inner.signals[end.name]

    def _adds_up(self, source: str, seen: frozenset[str]) -> bool:
        """Whether what a loop carries is made of itself, through sums alone."""
        if source in seen:
            return True
        terms = self._aliases[source].terms if source in self._aliases else ()
        return any(self._adds_up(t.source, seen | {source}) for t in terms)

    def _enter(self, scope: Scope, node: Node, op: Scan) -> Scope:
        """The scope of a loop's body."""
        if self.inside:
            raise RefusedError("it is a loop inside a loop")
        inner, split = Scope(op.body, outer=scope), op.carried + op.sequences
        for k, (given, inside) in enumerate(zip(node.operands, op.body.inputs, strict=True)):
            if k < op.carried:
                if is_matrix(given.type) and (given.name in scope.spread or given.name in scope.fills):
                    inner.plastic.begun[inside.name] = given
                elif given.type == Type("i64") and given.name in scope.fills:
                    inner.plastic.counts[inside.name] = int(scope.fills[given.name])
                elif scope.fills.get(given.name) != 0.0:
                    raise RefusedError(f"the state {inside.name} does not start at zero")
                inner.states[inside.name] = None
                inner.lines[inside.name] = Line(inside.name, False)
                inner.signals[inside.name] = Signal((Term(carried_name(inside.name, inner)),))
            elif k >= split and is_constant(scope, given):
                inner.given[inside.name] = (given, scope)
                inner.constants.add(inside.name)
            elif k >= split and is_timed(given.type):
                raise RefusedError(f"every step reads all of {given.name}")
            else:
                inner.signals[inside.name] = signal_of(scope, given)
        return inner

    # Synapses that learn

    def _column(self, scope: Scope, node: Node) -> bool:
        """Whether a reshape makes a signal a matrix of one column, or the other way round; it is noted then."""
        (given,), (made,) = node.operands[:1], node.results
        columns = scope.plastic.columns
        if given.name in columns and is_column(made.type, given.type):
            scope.signals[made.name] = columns[given.name]
            return True
        if not self.inside or not is_column(given.type, made.type):
            return False
        columns[made.name] = signal_of(scope, given)
        return True

    def _matmul(self, scope: Scope, node: Node) -> None:
        """The part that brings spikes over learned weights, as they are before the step."""
        w, column = node.operands
        start = scope.plastic.begun.get(w.name)
        if start is None:
            raise RefusedError(scope.hidden.get(w.name, f"it multiplies by {w.name}, which is computed meanwhile"))
        learned = scope.plastic.of(w.name)
        if learned.layer:
            raise RefusedError(f"the learned weights {w.name} are read twice")
        fields: dict[str, Any] = {"weight": self._begun(scope, start)}
        layer = Layer("plastic", w.type.shape[1:2], fields, node.op.mnemonic, node.location)
        learned.layer = self._insert(node, layer, scope.plastic.columns[column.name])
        scope.plastic.columns[node.results[0].name] = Signal((Term(learned.layer),))

    def _begun(self, scope: Scope, start: Value) -> np.ndarray:
        """The weights (out, in) that a value spreads over the batch; zeros where arrays are not looked up."""
        outer = scope.outer
        assert outer is not None
        shape = start.type.shape[1:]
        if start.name in outer.fills:
            return np.full(shape, outer.fills[start.name], np.float32)
        if not self.arrays.known:
            return np.zeros(shape, np.float32)
        array = self.arrays.stored(outer, outer.spread[start.name])
        if array is None or not np.isfinite(array).all():
            raise RefusedError(f"the weights {start.name} that learning begins with are not there, or not finite")
        return np.broadcast_to(array, (1, *shape))[0]

    def _learning(self, scope: Scope, node: Node) -> None:
        """Take note of what moves learned weights."""
        op, (pre, post, w) = node.op, node.operands[:3]
        assert isinstance(op, RULES)
        states = [w, *trace_operands(node)]
        if w.name not in scope.plastic.begun:
            raise RefusedError(f"its weights {w.name} are not carried from step to step, from weights of the model on")
        learned = scope.plastic.of(w.name)
        learned.op, learned.pre, learned.post = op, signal_of(scope, pre), signal_of(scope, post)
        for start, end in zip(states, node.results, strict=True):
            if scope.states.get(start.name, "") is not None:
                raise RefusedError(f"its state {start.name} is not carried from step to step for it alone")
            scope.states[start.name] = end.name
            scope.signals.pop(start.name, None)
            learned.count = scope.plastic.counts.get(start.name, learned.count)
            what = "the learned weights" if start is w else "the trace"
            scope.hidden[end.name] = f"it reads {what} {end.name} in the step that makes them"
            if start is not w:
                scope.hidden[start.name] = f"it reads the trace {start.name}, and traces stay inside synapses"

    def _closed(self, inner: Scope, name: str) -> None:
        """The layer of learned weights, with its rule."""
        learned = inner.plastic.learned[name]
        part = self.network.parts[learned.layer]
        assert isinstance(part, Layer)
        part.fields.update(rule=learned.op, pre=learned.pre, post=learned.post, count=learned.count)

    def _push(self, scope: Scope, node: Node) -> None:
        x, line = node.operands
        if scope.states.get(line.name, "") is not None:
            raise RefusedError(f"its line {line.name} is not carried from step to step for it alone")
        scope.pushed[line.name] = signal_of(scope, x)
        scope.states[line.name] = node.results[0].name
        scope.lines[node.results[0].name] = Line(line.name, True)

    def _tap(self, scope: Scope, node: Node) -> None:
        """A part that delays."""
        line = scope.lines.get(node.operands[0].name)
        if line is None:
            signal_of(scope, node.operands[0])
            raise RefusedError(f"{node.operands[0].name} is not a delay line")
        steps = self.arrays.weight(scope, node, len(node.operands) - 1)
        if steps is None:
            raise RefusedError("its delays are computed while the model runs")
        # The newest place of a line that is carried in is a step old, which its edge says.
        fields: dict[str, Any] = {"steps": np.asarray(steps, np.int64) - 1}
        if isinstance(node.op, ops.DelayedLinear):
            fields["weight"] = self.arrays.weight(scope, node, 1)
        signal = scope.pushed[line.carried] if line.pushed else Signal((Term(carried_name(line.carried, scope)),))
        kind = "delayed_linear" if "weight" in fields else "delay"
        name = self._add(node, kind, fields, signal)
        scope.signals[node.results[0].name] = Signal((Term(name),))

    def _neurons(self, scope: Scope, node: Node, op: Neuron) -> None:
        if not self.inside:
            raise RefusedError("a single step of a neuron: networks hold neurons inside a loop over time")
        spikes, after = node.results[: int(op.fires)], node.results[int(op.fires) :]
        inputs, rest = node.operands[: op.inputs], node.operands[op.inputs :]
        op = _of_one_input(op)
        for start, end in zip(rest[: op.states], after, strict=True):
            if scope.states.get(start.name, "") is not None:
                raise RefusedError(f"its state {start.name} is not carried from step to step for it alone")
            scope.states[start.name] = end.name
            scope.hidden[end.name] = f"it reads the potential {end.name}, and neurons put out spikes"
            del scope.signals[start.name]
            scope.hidden[start.name] = f"it reads the state {start.name}, and states stay inside neurons"
        signal = added(scope, inputs)
        shape = features(node.results[0].type)
        parameters: dict[str, np.ndarray] = {}
        for name, value in zip(parameter_names(op), rest[op.states :], strict=True):
            parameters[name] = self.arrays.parameter(scope, op, name, value)
        if isinstance(op, EulerNeuron):
            if self.network.dt not in (None, op.dt):
                raise RefusedError(f"neurons with steps of {self.network.dt:g} s and of {op.dt:g} s are connected")
            self.network.dt = op.dt
        name = self._insert(node, Neurons(op, shape, parameters, node.location), signal)
        made = Signal((Term(name),), spikes=op.fires)
        if spikes:
            scope.signals[spikes[0].name] = made
        else:
            scope.signals[after[-1].name] = made
            del scope.hidden[after[-1].name]


def _number(count: int) -> str:
    return "one" if count == 1 else f"at most {count}"


def _of_one_input(op: Neuron) -> Neuron:
    """The neuron behind a sum of its inputs. RefusedError where a delayed reset drops what comes in meanwhile."""
    dropped = (
        "a delayed reset also drops the input of the step after a spike; neurons of networks keep it "
        "(reset_delay=False)"
    )
    if isinstance(op, EulerFiring) and op.delayed and op.reset == "value":
        raise RefusedError(dropped)
    try:
        return op.merged()
    except ValueError:
        raise RefusedError(dropped) from None
