"""quantize-neurons: networks of neurons in the whole numbers of a chip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from ...bridges.networks import Layer, Network, RefusedError, make_network
from ...bridges.networks.building import Builder
from ...ir import Graph, GraphBuilder, Module, Node, TargetError, Value, ops
from ...ir.diagnostics import Diagnostic
from ...ir.ops import Launch
from ...ir.types import Type
from ..fixed_point.choice import Choice, InputCode, choose
from ..fixed_point.registers import Format
from .base import Context, Contract, Measured, Pass


@dataclass(frozen=True)
class QuantizeNeurons(Pass):
    """Put the networks of a chip with fixed-point neurons into its whole numbers, as close to the model as they allow.

    Scale, exponents and the end of the weights' range are chosen on the calibration data, population by population:
    those with which spikes and their counts differ least. It takes the launches of a target that runs `loihi_lif`.
    """

    name: ClassVar[str] = "quantize-neurons"
    contract: ClassVar[Contract] = Contract.APPROXIMATE
    serves: ClassVar[str] = "loihi_lif"
    ranges: ClassVar[Mapping[str, tuple[int, int]]] = {"weight_bits": (2, 8), "input_bits": (1, 16)}
    weight_bits: int = 8
    """2 to 8, the sign among them unless signs are split"""
    input_bits: int = 8
    """1 to 16: bits of the graded spikes that an input becomes which is not made of 0 and 1"""
    split_signs: bool = False
    """excitatory and inhibitory weights apart, each with a bit more: more connections for less rounding"""

    def run(self, module: Module, context: Context) -> Module:
        """The module with the bodies of its launches in whole numbers, and what makes whole numbers before them."""
        target = context.target
        if target is None or self.serves not in target.native_ops:
            return module
        for node in [n for n in module.graph.nodes if isinstance(n.op, Launch) and n.op.device == target.name]:
            module = self._launch(node, module, context)
        return module

    def _launch(self, node: Node, module: Module, context: Context) -> Module:
        assert isinstance(node.op, Launch)
        network = make_network(node.op.body, module, inputs=len(node.operands), outputs=len(node.results))
        given = _operands(node, module, context)
        form = Format(self.weight_bits, self.split_signs)
        try:
            choice = choose(network, given, form, self.input_bits, context.effort)
        except RefusedError as fault:
            raise TargetError([Diagnostic("T0003", str(fault), node.location)]) from None
        self._remark(choice, network, node, context)
        builder = Builder(choice.network, module.weights, f"{node.op.artifact}.", "f64")
        body = builder.graph()
        graph = GraphBuilder(module)
        for name in module.graph.names():
            graph.fresh(name)
        operands = [_coded(graph, v, choice.codes[i.name]) for v, i in zip(node.operands, network.inputs, strict=True)]
        units = [choice.units.get(name) for name in network.outputs]
        results, after = _in_units(graph, node, units)
        launch = Node(replace(node.op, body=body), tuple(operands), results, node.location)
        at = module.graph.nodes.index(node)
        nodes = (*module.graph.nodes[:at], *graph.nodes, launch, *after, *module.graph.nodes[at + 1 :])
        weights = dict(module.weights) | builder.weights
        return module.with_(graph=replace(module.graph, nodes=nodes), weights=weights).without_unused()

    def _remark(self, choice: Choice, network: Network, node: Node, context: Context) -> None:
        for name, made in choice.registers.items():
            shifts = ", ".join(str(w.shift) for w in made.weights) or "none"
            text = (
                f"{name}: {made.scale:.6g} units for one of the model, weights of {self.weight_bits} bits times 2 to "
            )
            text += f"the {shifts}, range up to {choice.kept[name]:.0%} of the largest weight"
            context.remark(self, text, network.parts[name].location)
            for rule in (w.rule for w in made.weights if w.rule is not None):
                rounded = "; ".join(map(str, rule.roundings)) or "every constant exact"
                text = f"{name}: its synapses learn by {rule.text}, {rule.weight_scale:.6g} units a unit of weight"
                text += f"; {rounded}"
                context.remark(self, text, network.parts[name].location)
        rows = min(64, len(context.inputs[0])) if context.inputs else 0
        text = f"{choice.error:.3%} of the spike bins differ from the model's on the calibration data"
        text += f", {choice.output_error:.3%} of the outputs' bins" if rows else ""
        if any(isinstance(part, Layer) and part.weight_bits < 32 for part in network.parts.values()):
            text += "; the model's weights were rounded before: --weight-bits alone rounds them once"
        context.remark(self, text, node.location)

    def measured(self, before: Module, after: Module) -> Measured:
        """The share of output bins that differ on random inputs; half of them would be no better than chance."""
        from ...ir.interpreter import evaluate, random_inputs

        inputs = random_inputs(before, batch=8)
        pairs = zip(evaluate(before, inputs), evaluate(after, inputs), before.graph.outputs, strict=True)
        shares = [float((a != b).double().mean()) for a, b, v in pairs if v.type.dtype == "spike"]
        return Measured("share of output bins that differ", max(shares, default=0.0), 0.5)


def _operands(node: Node, module: Module, context: Context) -> list[np.ndarray]:
    """What comes into a launch on the calibration data."""
    from ...ir.interpreter import evaluate_graph, random_inputs

    inputs: Sequence[np.ndarray] = context.inputs or random_inputs(module, batch=32)
    at = module.graph.nodes.index(node)
    before = Graph(module.graph.inputs, module.graph.nodes[:at], node.operands)
    return [v.numpy() for v in evaluate_graph(before, module, inputs)]


def _in_units(graph: GraphBuilder, node: Node, units: Sequence[float | None]) -> tuple[tuple[Value, ...], list[Node]]:
    """(what the launch gives, nodes behind it): learned weights come in the chip's units and go on in the model's.

    units: of the chip for one of the model, of every result; None where it is spikes.
    """
    results: list[Value] = []
    after: list[Node] = []
    for value, scale in zip(node.results, units, strict=True):
        if scale is None:
            results.append(value)
            continue
        whole = Value(graph.fresh(value.name), Type("f64", value.type.shape))
        exact = Value(graph.fresh(value.name), whole.type)
        after.append(Node(ops.Div(scale), (whole,), (exact,), node.location))
        after.append(Node(ops.Cast(value.type.dtype), (exact,), (value,), node.location))
        results.append(whole)
    return tuple(results), after


def _coded(graph: GraphBuilder, value: Value, code: InputCode) -> Value:
    """The whole numbers of an input; spikes are 0 or 1 whatever is given."""
    if code.unit != 1:
        (value,) = graph.add(ops.Div(code.unit), value, name="coded")
    (whole,) = graph.add(ops.Round(), value, name="coded")
    (held,) = graph.add(ops.Clamp(float(code.least), float(code.most)), whole, name="coded")
    return held
