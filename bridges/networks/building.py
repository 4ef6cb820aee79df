"""From a network of neurons to a region of a program: one loop over time that computes what the network says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ...ir import DYNAMIC, Graph, GraphBuilder, Module, Type, Value, ops
from ...ir.graph import Op
from ...ir.plasticity import PRE_TRACES
from ...ir.types import dtype_name
from .network import Layer, Network, Neurons, Part, parameter_names
from .plastic import counts_steps, trace_names

STATES = {1: ("v",), 2: ("i", "v")}
"""Number of states -> their names, in the order of the op's results."""


class Builder:
    """Makes the graph of a network and the weights that it needs.

    weights: what exists already; new names avoid it. prefix: begins every weight's name. dtype: "f32", or "f64" for
    networks of whole numbers; arrays of another type are cast to it.
    """

    def __init__(
        self, network: Network, weights: Mapping[str, np.ndarray] | None = None, prefix: str = "", dtype: str = "f32"
    ) -> None:
        self.network = network
        self.weights: dict[str, np.ndarray] = {}
        self._taken = dict(weights or {})
        self._prefix, self._dtype = prefix, dtype
        self._body = GraphBuilder(Module(""))
        self._values: dict[str, Value] = {}
        self._states: dict[str, Value] = {}
        """`part.v` and the like -> the state after the step."""
        self._carried: list[tuple[Value, Value]] = []
        """What a step begins with, and what it ends with."""
        self._begun: dict[str, Value] = {}
        """Plastic part -> the weights that it begins with."""
        self._counts: dict[str, int] = {}
        """Carried number of steps -> the first."""

    def graph(self, record: Sequence[str] = ()) -> Graph:
        """The region: inputs of the network, then its outputs, then what is recorded, each with time first.

        record: names of parts (what they put out), or `part.v` and `part.i` (states after the step).
        """
        network, body = self.network, self._body
        delays: dict[str, int] = {}
        for edge in network.edges:
            delays[edge.source] = max(delays.get(edge.source, 0), edge.steps)
        given = sorted(network.inputs, key=lambda i: not i.sequence)
        for name in self._plastic():
            for side in ("pre", "post"):
                source, steps = self._layer_of(name).fields[side]
                delays[source] = max(delays.get(source, 0), steps)
        held = {name: [self._state(name, k) for k in range(steps)] for name, steps in delays.items() if steps}
        lines = {name: self._line(name, part) for name, part in network.parts.items() if _has_line(part)}
        states = {
            name: [self._carry_in(f"{name}_{s}", part.shape) for s in STATES[part.op.states]]
            for name, part in network.parts.items()
            if isinstance(part, Neurons)
        }
        plastic = {name: self._begin(name) for name in self._plastic()}
        starts = list(body.inputs)
        for source in given:
            self._values[source.name] = body.input(source.name, Type("f32", (DYNAMIC, *source.shape)))
        if self._dtype != "f32":
            for source in given:
                self._values[source.name] = self._cast(self._values[source.name])
        ends: dict[str, Value] = {}
        for name, part in network.parts.items():
            x = self._total([self._come(e.source, e.steps, held) for e in network.into(name)])
            if isinstance(part, Neurons):
                ends |= self._neurons(name, part, x, states[name])
            elif name in plastic:
                self._values[name] = self._brought(name, x, plastic[name][0])
            else:
                self._values[name] = self._layer(name, part, x, lines.get(name), ends)
        for name, carried in plastic.items():
            ends |= self._learned(name, carried, held)
        for name, chain in held.items():
            now = [self._as_number(self._values[name]), *chain[:-1]]
            ends |= {place.name: value for place, value in zip(chain, now, strict=True)}
        outputs = [self._values[name] for name in network.outputs if name not in plastic]
        recorded = [self._states.get(name) or self._values[name] for name in record]
        inner = body.graph(*(ends[v.name] for v in starts), *outputs, *recorded)
        begun = {carried[0].name: name for name, carried in plastic.items()}
        return self._around(inner, given, len(starts), begun)

    def _around(self, inner: Graph, given: list[Any], carried: int, begun: Mapping[str, str]) -> Graph:
        """The loop over time. begun: carried weights that learn -> their part."""
        outer = GraphBuilder(Module("", weights=self.weights))
        steps = self.network.steps
        values = {}
        for source in self.network.inputs:
            shape = (steps, DYNAMIC, *source.shape) if source.sequence else (DYNAMIC, *source.shape)
            values[source.name] = outer.input(source.name, Type("f32", shape))
        lender = next(iter(values.values()))
        first = [self._first(outer, v, lender, begun.get(v.name)) for v in inner.inputs[:carried]]
        loop = ops.Scan(steps, inner, carried, sum(source.sequence for source in given))
        results = outer.add(loop, *first, *(values[source.name] for source in given))
        learned = {begun[v.name]: r for v, r in zip(inner.inputs, results, strict=False) if v.name in begun}
        each_step = iter(results[carried:])
        outputs = [learned[name] if name in learned else next(each_step) for name in self.network.outputs]
        return outer.graph(*outputs, *each_step)

    def _first(self, outer: GraphBuilder, carried: Value, lender: Value, plastic: str | None) -> Value:
        """What a carried value is before the first step: zeros, or what learning begins with."""
        if plastic is not None:
            outer.module = Module("", weights=self.weights)
            return outer.add(ops.Expand(carried.type.shape), self._begun[plastic], lender, name=carried.name)[0]
        constant = ops.Constant(float(self._counts.get(carried.name, 0)), carried.type.shape, carried.type.dtype)
        size = (lender,) if carried.type.batched else ()
        return outer.add(constant, *size, name=carried.name)[0]

    # States

    def _carry_in(self, hint: str, shape: tuple[int, ...]) -> Value:
        return self._body.input(hint, Type(self._dtype, (DYNAMIC, *shape)))

    def _state(self, name: str, k: int) -> Value:
        return self._carry_in(f"{name}_before{k + 1}", self._shape(name))

    def _line(self, name: str, part: Part) -> Value:
        assert isinstance(part, Layer)
        source = self.network.into(name)[0].source
        length = int(part.array("steps").max()) + 1
        return self._body.input(f"{name}_line", Type(self._dtype, (length, DYNAMIC, *self._shape(source))))

    # Synapses that learn

    def _plastic(self) -> list[str]:
        return [n for n, p in self.network.parts.items() if isinstance(p, Layer) and p.kind == "plastic"]

    def _layer_of(self, name: str) -> Layer:
        part = self.network.parts[name]
        assert isinstance(part, Layer)
        return part

    def _begin(self, name: str) -> list[Value]:
        """Weights, traces and the number of steps that come into a step."""
        layer = self._layer_of(name)
        op, weight = layer.fields["rule"], layer.array("weight")
        self._begun[name] = self._outside(f"{name}.weight", weight)
        carried = [self._carry_in(f"{name}_w", weight.shape)]
        for trace in trace_names(op):
            size = weight.shape[1] if trace in PRE_TRACES else weight.shape[0]
            carried.append(self._carry_in(f"{name}_{trace}", (size,)))
        if counts_steps(op):
            count = self._body.input(f"{name}_steps", Type("i64"))
            self._counts[count.name] = layer.fields["count"]
            carried.append(count)
        return carried

    def _outside(self, name: str, array: np.ndarray) -> Value:
        """A weight of the type of the network, for the graph around the loop."""
        return self._weight(name, array.astype(np.float64 if self._dtype == "f64" else np.float32))

    def _brought(self, name: str, x: Value, weights: Value) -> Value:
        part = self._layer_of(name)
        outs, ins = part.array("weight").shape
        (column,) = self._add(ops.Reshape((DYNAMIC, ins, 1)), self._as_number(x), hint=f"{name}_in", part=part)
        (product,) = self._add(ops.Matmul(), weights, column, hint=name, part=part)
        return self._add(ops.Reshape((DYNAMIC, outs)), product, hint=name, part=part)[0]

    def _learned(self, name: str, carried: list[Value], held: Mapping[str, list[Value]]) -> dict[str, Value]:
        """State that comes in -> what the rule makes of it."""
        part = self._layer_of(name)
        ends: list[tuple[str, int]] = [part.fields["pre"], part.fields["post"]]
        pre, post = (self._as_number(self._come(source, steps, held)) for source, steps in ends)
        results = self._add(part.fields["rule"], pre, post, *carried, hint=name, part=part)
        return {start.name: end for start, end in zip(carried, results, strict=True)}

    def _shape(self, name: str) -> tuple[int, ...]:
        shapes = {i.name: i.shape for i in self.network.inputs}
        return shapes[name] if name in shapes else self.network.parts[name].shape

    # Values

    def _add(self, op: Op, *operands: Value, hint: str, part: Part | None = None) -> tuple[Value, ...]:
        self._body.module = Module("", weights=self.weights)
        return self._body.add(op, *operands, name=hint, **({"location": part.location} if part else {}))

    def _cast(self, value: Value) -> Value:
        return self._add(ops.Cast(self._dtype), value, hint=value.name.removeprefix("@"))[0]

    def _as_number(self, value: Value) -> Value:
        return value if value.type.dtype == self._dtype else self._cast(value)

    def _come(self, source: str, steps: int, held: Mapping[str, list[Value]]) -> Value:
        return held[source][steps - 1] if steps else self._values[source]

    def _total(self, terms: list[Value]) -> Value:
        total = self._as_number(terms[0]) if self._dtype != "f32" else terms[0]
        for term in terms[1:]:
            other = self._as_number(term) if self._dtype != "f32" else term
            (total,) = self._add(ops.Add(), total, other, hint="sum")
        return total

    def _weight(self, name: str, array: np.ndarray) -> Value:
        """The operand for a new weight, cast where it is of another type."""
        full, count = f"{self._prefix}{name}", 1
        while full in self._taken:
            count += 1
            full = f"{self._prefix}{name}_{count}"
        self._taken[full] = self.weights[full] = np.array(array, order="C")
        value = Value("@" + full, Type(dtype_name(array.dtype), array.shape))
        return value if array.dtype == np.int64 or value.type.dtype == self._dtype else self._cast(value)

    def _neurons(self, name: str, part: Neurons, x: Value, states: list[Value]) -> dict[str, Value]:
        """State that comes in -> what the step makes of it."""
        parameters = [self._weight(f"{name}.{p}", part.parameters[p]) for p in parameter_names(part.op)]
        results = self._add(part.op, self._as_number(x), *states, *parameters, hint=name, part=part)
        after = results[int(part.op.fires) :]
        self._values[name] = results[0] if part.op.fires else after[-1]
        self._states |= {f"{name}.{s}": v for s, v in zip(STATES[part.op.states], after, strict=True)}
        return {start.name: end for start, end in zip(states, after, strict=True)}

    def _layer(self, name: str, part: Layer, x: Value, line: Value | None, ends: dict[str, Value]) -> Value:
        if line is not None:
            (pushed,) = self._add(ops.Push(), self._as_number(x), line, hint=f"{name}_line", part=part)
            ends[line.name] = pushed
            steps = self._weight(f"{name}.steps", np.broadcast_to(part.array("steps"), _steps_shape(part)) + 1)
            if part.kind == "delay":
                return self._add(ops.Tap(), pushed, steps, hint=name, part=part)[0]
            weight = self._weight(f"{name}.weight", part.array("weight"))
            return self._add(ops.DelayedLinear(), pushed, weight, steps, hint=name, part=part)[0]
        op, arrays = _PLAIN[part.kind](part)
        operands = [self._weight(f"{name}.{field}", array) for field, array in arrays.items()]
        return self._add(op, x, *operands, hint=name, part=part)[0]


def _has_line(part: Part) -> bool:
    return isinstance(part, Layer) and "steps" in part.fields


def _steps_shape(part: Layer) -> tuple[int, ...]:
    return part.shape if part.kind == "delay" else part.array("weight").shape


def _weighted(part: Layer) -> dict[str, np.ndarray]:
    return {name: part.array(name) for name in ("weight", "bias") if name in part.fields}


Plain = tuple[Op, dict[str, np.ndarray]]
"""An op and the arrays that it takes after its input."""


def _conv(part: Layer) -> Plain:
    stride, padding, dilation, groups = (part.fields[name] for name in ("stride", "padding", "dilation", "groups"))
    return ops.Conv(stride, padding, dilation, groups), _weighted(part)


def _pool(part: Layer) -> Plain:
    kernel, stride, padding = (part.fields[name] for name in ("kernel", "stride", "padding"))
    return (ops.AvgPool if part.kind == "avg_pool" else ops.SumPool)(kernel, stride, padding), {}


_PLAIN: dict[str, Callable[[Layer], Plain]] = {
    "linear": lambda part: (ops.Linear(), _weighted(part)),
    "conv": _conv,
    "avg_pool": _pool,
    "sum_pool": _pool,
    "flatten": lambda part: (ops.Reshape((DYNAMIC, *part.shape)), {}),
    "scale": lambda part: (ops.Mul(), {"scale": part.array("scale")}),
    "shift": lambda part: (ops.Shift(part.fields["by"]), {}),
    "fire": lambda part: (ops.Fire(part.fields["inclusive"]), {"threshold": part.array("threshold")}),
}
"""Kind of a layer without memory -> its op."""
