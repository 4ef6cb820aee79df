"""Trained weights become constants of a circuit's angle table.

A readout operand that is a weight, or made from weights alone, is bound into the angles of a copy of the circuit; the
operand and the angle input disappear. Passes after it see `ry(0.3)` where there was `ry(w[0])`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import ClassVar

import numpy as np

from ...ir import Circuit, Graph, Module, Node, Value
from ...ir.angles import AngleInterner, Row, make_row
from ...ir.ops import Cast, Launch, Readout
from .base import Context, Contract, Pass
from .rewrites import fresh_name, map_graphs, readouts, without_weights

_DENOMINATORS = 64
"""Largest k for which a float64 that is exactly the double of j * pi / k is written as that multiple of pi."""


@dataclass(frozen=True)
class BakeWeights(Pass):
    """Bind trained weights into the angles of circuits as constants."""

    name: ClassVar[str] = "bake-weights"
    contract: ClassVar[Contract] = Contract.VALUES

    def run(self, module: Module, context: Context) -> Module:
        """The module in which no readout has a constant operand. A circuit read with different weights is copied."""
        baker = _Baker(module)
        graph = map_graphs(module.graph, baker.bake)
        if not baker.made:
            return module
        for node, size in baker.done:
            assert isinstance(node.op, Readout)
            message = f"circuit {node.op.circuit}: bound {size} weights"
            context.remark(self, message, node.location, angle_variables=size)
        after = module.with_(graph=graph, circuits=dict(module.circuits) | baker.made)
        left = readouts(after)
        circuits = {k: v for k, v in after.circuits.items() if k in left or k not in baker.replaced}
        used_before = {v.weight_name for n in module.nodes() for v in n.operands if v.is_weight}
        return without_weights(after.with_(circuits=circuits), used_before)


Binding = tuple[tuple[int, bytes], ...]
"""(operand number, its float64 bytes) of every operand that is bound."""


@dataclass
class _Baker:
    module: Module
    made: dict[str, Circuit] = field(default_factory=dict)
    replaced: set[str] = field(default_factory=set)
    done: list[tuple[Node, int]] = field(default_factory=list)
    variants: dict[tuple[str, Binding], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.with_variables = self._circuits_read_as_they_are()

    def _circuits_read_as_they_are(self) -> set[str]:
        """Circuits that some readout reads with no constant operand: they keep their names."""
        found: set[str] = set()

        def look(graph: Graph) -> Graph:
            for node in graph.nodes:
                if isinstance(node.op, Readout) and not self._constants(node, graph):
                    found.add(node.op.circuit)
            return graph

        map_graphs(self.module.graph, look)
        return found

    def bake(self, graph: Graph) -> Graph:
        """One graph; its bodies are done already."""
        taken = graph.names()
        nodes: list[Node] = []
        for node in graph.nodes:
            constants = self._constants(node, graph) if isinstance(node.op, Readout) else {}
            nodes += (
                self._baked(node, node.op, constants, taken) if isinstance(node.op, Readout) and constants else [node]
            )
        return replace(graph, nodes=tuple(nodes)).without_dead_nodes() if nodes != list(graph.nodes) else graph

    def _constants(self, node: Node, graph: Graph) -> dict[int, np.ndarray]:
        """Operand number -> float64 value, for the operands that are made from weights alone."""
        found = {k: self._value(v, graph) for k, v in enumerate(node.operands) if not v.type.batched}
        return {k: v for k, v in found.items() if v is not None}

    def _value(self, value: Value, graph: Graph) -> np.ndarray | None:
        if value.is_weight:
            return self.module.weights[value.weight_name].astype(np.float64)
        nodes = _makers(value, graph)
        if nodes is None:
            return None
        from ...ir.interpreter import evaluate_graph

        return evaluate_graph(Graph((), nodes, (value,)), self.module, (), precision="f64")[0].detach().numpy()

    def _baked(self, node: Node, op: Readout, constants: Mapping[int, np.ndarray], taken: set[str]) -> list[Node]:
        name = self._variant(op.circuit, constants)
        operands = tuple(v for k, v in enumerate(node.operands) if k not in constants)
        changed = replace(node, op=replace(op, circuit=name), operands=operands)
        self.done.append((changed, sum(v.size for v in constants.values())))
        view = self.module.with_(circuits=dict(self.module.circuits) | self.made)
        result = node.results[0]
        (kind,) = changed.op.result_types(tuple(v.type for v in operands), view)
        if kind == result.type:
            return [changed]
        # Without operands a readout is f64: the result keeps the type that the rest of the graph expects.
        wide = Value(fresh_name(f"{result.name}_{kind.dtype}", taken), kind)
        taken.add(wide.name)
        cast = Node(Cast(result.type.dtype), (wide,), (result,), node.location)
        return [replace(changed, results=(wide,)), cast]

    def _variant(self, name: str, constants: Mapping[int, np.ndarray]) -> str:
        """The name of the circuit with these constants; the first one takes over the name where it is free."""
        key = (name, tuple((k, v.tobytes()) for k, v in sorted(constants.items())))
        if key not in self.variants:
            free = name not in self.with_variables and name not in self.made
            new_name = name if free else fresh_name(f"{name}_baked", {*self.module.circuits, *self.made})
            self.variants[key] = new_name
            self.replaced.add(name)
            self.made[new_name] = replace(bind_inputs(self.module.circuits[name], constants), name=new_name)
        return self.variants[key]


def _makers(value: Value, graph: Graph) -> tuple[Node, ...] | None:
    """The nodes that make a value from weights alone, in order; None where it depends on an input or on chance."""
    makers = graph.producers()
    needed: set[str] = set()
    waiting = [value]
    while waiting:
        v = waiting.pop()
        if v.is_weight or v.name in needed:
            continue
        node = makers.get(v.name)
        if node is None or v.type.batched or node.op.bodies or node.op.draws or isinstance(node.op, Launch | Readout):
            return None
        needed |= {r.name for r in node.results}
        waiting += node.operands
    return tuple(node for node in graph.nodes if any(r.name in needed for r in node.results))


def bind_inputs(circuit: Circuit, constants: Mapping[int, np.ndarray]) -> Circuit:
    """The circuit with some angle inputs, by number, bound to constants; the other variables move up."""
    values: list[float | None] = []
    for number, array in enumerate(circuit.inputs):
        given = constants.get(number)
        values += [None] * array.size if given is None else given.ravel().tolist()
    where = (np.cumsum([v is None for v in values]) - 1).tolist()
    multiples = [None if v is None else exact_pi(v) for v in values]
    rows = [_bound(row, values, multiples, where) for row in circuit.angles.rows()]
    interner = AngleInterner()
    numbers = np.array([interner.add(row) for row in rows], np.int32)
    return replace(
        circuit,
        inputs=tuple(a for k, a in enumerate(circuit.inputs) if k not in constants),
        angles=interner.table(),
        angle_rows=numbers[circuit.angle_rows] if len(numbers) else circuit.angle_rows,
        phase=int(numbers[circuit.phase]) if circuit.phase >= 0 else -1,
    )


def exact_pi(value: float) -> Fraction | None:
    """The multiple of pi whose double `value` is, None where it is not one; zero is none."""
    fraction = Fraction(value / math.pi).limit_denominator(_DENOMINATORS)
    exact = value != 0.0 and value == fraction.numerator / fraction.denominator * math.pi
    return fraction if exact else None


def _bound(row: Row, values: Sequence[float | None], multiples: Sequence[Fraction | None], where: Sequence[int]) -> Row:
    """One row: bound terms go into the constant part, a whole number of an exact multiple of pi exactly."""
    num, den, offset, terms = row
    if not terms:
        return row
    part, kept = Fraction(num, den), []
    for variable, coeff in terms:
        value, multiple = values[variable], multiples[variable]
        if value is None:
            kept.append((where[variable], coeff))
        elif multiple is not None and float(2 * coeff).is_integer():
            part += multiple * Fraction(coeff)
        else:
            offset += coeff * value
    return make_row(part, offset, kept)
