"""Batch normalisation with constant statistics becomes part of the layer before it, else a product and a sum.

bn(W x + b) = (s W) x + (s (b - mean) + beta) with s = gamma / sqrt(var + eps), computed in float64 and stored in the
weight's own type.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from ...ir import Graph, Module, Node, Value
from ...ir.diagnostics import join_locations
from ...ir.ops import Add, BatchNorm, Conv, DelayedLinear, Linear, Mul, Push
from ...ir.types import DTYPES, Type, dtype_name
from .base import Context, Contract, Pass
from .join_loops import joined_loops
from .rewrites import fresh_name, map_graphs, without_weights

Factors = tuple[np.ndarray, np.ndarray]
"""(scale, shift) of every channel."""


@dataclass(frozen=True)
class FoldBatchnorm(Pass):
    """Fold batch normalisation into the weights of the convolution, linear layer or synaptic delays before it."""

    name: ClassVar[str] = "fold-batchnorm"
    contract: ClassVar[Contract] = Contract.VALUES
    tolerance: ClassVar[float] = 1e-5
    """relative: the folded weights are rounded to the model's own type"""

    def run(self, module: Module, context: Context) -> Module:
        """The module without batch normalisation whose statistics are weights, in the main graph and all bodies."""
        folder = _Folder(self, module, context)
        graph = map_graphs(joined_loops(module.graph, BatchNorm), folder.fold)
        if not folder.used_up:
            return module
        weights = dict(module.weights) | folder.made
        return without_weights(module.with_(graph=graph, weights=weights), folder.used_up)


@dataclass
class _Folder:
    """Folds graph by graph and collects the new weights."""

    source: FoldBatchnorm
    module: Module
    context: Context
    made: dict[str, np.ndarray] = field(default_factory=dict)
    used_up: set[str] = field(default_factory=set)

    def fold(self, graph: Graph) -> Graph:
        """One graph; its bodies are folded already."""
        consumers = graph.consumers()
        kept = {v.name for v in graph.outputs}
        taken = graph.names()
        nodes: list[Node] = []
        makers: dict[str, int] = {}
        replaced: set[str] = set()
        pushes = {n.results[0].name: n.operands[0] for n in graph.nodes if isinstance(n.op, Push)}
        for node in graph.nodes:
            changed = [node]
            if isinstance(node.op, BatchNorm):
                x = node.operands[0]
                at = makers.get(x.name, -1)
                alone = consumers[x.name] == [node] and node.operands.count(x) == 1 and x.name not in kept
                if (factors := self._factors(node, node.op)) is None:
                    pass
                elif at >= 0 and alone and self._takes(nodes[at]):
                    nodes[at] = self._folded(nodes[at], node, *factors)
                    makers[node.results[0].name] = at
                    continue
                elif at >= 0 and alone and (newest := _newest(nodes[at], pushes)) is not None:
                    changed = self._delays(newest, nodes[at], node, factors, taken)
                    replaced.add(nodes[at].results[0].name)
                else:
                    changed = self._spelled_out(node, *factors, taken)
            for made in changed:
                makers |= {v.name: len(nodes) for v in made.results}
                nodes.append(made)
        return replace(graph, nodes=tuple(n for n in nodes if n.results[0].name not in replaced))

    def _array(self, value: Value) -> np.ndarray:
        """A weight in float64."""
        name = value.weight_name
        return (self.made[name] if name in self.made else self.module.weights[name]).astype(np.float64)

    def _factors(self, node: Node, op: BatchNorm) -> Factors | None:
        """(scale, shift) for every channel; None, with a remark, where the statistics are not finite constants."""
        statistics = node.operands[1:]
        if not all(v.is_weight for v in statistics):
            self.context.remark(self.source, "left a batch norm whose statistics are computed", node.location)
            return None
        mean, var, *affine = map(self._array, statistics)
        with np.errstate(divide="ignore", invalid="ignore"):
            scale = (affine[0] if affine else 1.0) / np.sqrt(var + op.eps)
            shift = (affine[1] if affine else 0.0) - mean * scale
        if not (np.isfinite(scale).all() and np.isfinite(shift).all()):
            self.context.remark(self.source, "left a batch norm with a variance that is not positive", node.location)
            return None
        return scale, shift

    def _takes(self, node: Node) -> bool:
        """Whether a layer has constant weights and its channels in dimension 1."""
        plain = isinstance(node.op, Conv) or (isinstance(node.op, Linear) and len(node.results[0].type.shape) == 2)
        return plain and all(v.is_weight for v in node.operands[1:])

    def _folded(self, layer: Node, norm: Node, scale: np.ndarray, shift: np.ndarray) -> Node:
        x, w, *rest = layer.operands
        weights = self._array(w)
        bias = self._array(rest[0]) if rest else np.zeros(len(scale))
        stem = w.weight_name.removesuffix(".weight").removesuffix(".folded")
        dtype = DTYPES[w.type.dtype]
        new_weights = (weights * scale.reshape(-1, *(1,) * (weights.ndim - 1))).astype(dtype)
        operands = (
            x,
            self._new_weight(f"{stem}.folded.weight", new_weights),
            self._new_weight(f"{stem}.folded.bias", (bias * scale + shift).astype(dtype)),
        )
        self._use_up(*layer.operands[1:], *norm.operands[1:])
        self.context.remark(self.source, f"folded a batch norm into {w}", norm.location, nodes=1)
        return Node(layer.op, operands, norm.results, join_locations([layer.location, norm.location]))

    def _delays(self, x: Value, layer: Node, norm: Node, factors: Factors, taken: set[str]) -> list[Node]:
        """Delays have no bias: the synapses of `x`, the newest on the line, become a linear layer, which has one."""
        (scale, shift), (line, w, steps) = factors, layer.operands
        result = norm.results[0]
        stem = w.weight_name.removesuffix(".taps").removesuffix(".weight")
        dtype = DTYPES[w.type.dtype]
        weights, places = self._array(w) * scale[:, None], self.module.weights[steps.weight_name]
        now = places == 1
        at_once = (
            x,
            self._new_weight(f"{stem}.at_once.weight", (weights * now).astype(dtype)),
            self._new_weight(f"{stem}.at_once.bias", shift.astype(dtype)),
        )
        self._use_up(w, steps, *norm.operands[1:])
        self.context.remark(self.source, f"folded a batch norm into {w}", norm.location, nodes=1)
        place = join_locations([layer.location, norm.location])
        if now.all():
            return [Node(Linear(), at_once, (result,), place)]
        later = (
            line,
            self._new_weight(f"{stem}.later.weight", (weights * ~now).astype(dtype)),
            self._new_weight(f"{stem}.later.steps", np.where(now, places[~now].min(), places)),
        )
        parts = [Value(fresh_name(f"{result.name}_{part}", taken), result.type) for part in ("at_once", "later")]
        taken.update(v.name for v in parts)
        return [
            Node(Linear(), at_once, (parts[0],), place),
            Node(DelayedLinear(), later, (parts[1],), place),
            Node(Add(), tuple(parts), (result,), place),
        ]

    def _spelled_out(self, norm: Node, scale: np.ndarray, shift: np.ndarray, taken: set[str]) -> list[Node]:
        """x * scale + shift, for a batch norm that follows no layer with weights of its own."""
        x, result = norm.operands[0], norm.results[0]
        stem = norm.operands[1].weight_name.removesuffix(".running_mean")
        shape = (-1, *(1,) * (len(result.type.shape) - 2))
        dtype = DTYPES[result.type.dtype]
        factor = self._new_weight(f"{stem}.scale", scale.reshape(shape).astype(dtype))
        offset = self._new_weight(f"{stem}.shift", shift.reshape(shape).astype(dtype))
        scaled = Value(fresh_name(f"{result.name}_scaled", taken), result.type)
        taken.add(scaled.name)
        self._use_up(*norm.operands[1:])
        self.context.remark(self.source, "wrote a batch norm as a multiplication and an addition", norm.location)
        return [
            Node(Mul(), (x, factor), (scaled,), norm.location),
            Node(Add(), (scaled, offset), (result,), norm.location),
        ]

    def _new_weight(self, hint: str, array: np.ndarray) -> Value:
        name = fresh_name(hint, {*self.module.weights, *self.made})
        self.made[name] = array
        return Value("@" + name, Type(dtype_name(array.dtype), array.shape))

    def _use_up(self, *values: Value) -> None:
        self.used_up.update(v.weight_name for v in values)


def _newest(node: Node, pushes: Mapping[str, Value]) -> Value | None:
    """What was last put on the delay line of constant synaptic delays; None for any other node."""
    if not isinstance(node.op, DelayedLinear) or not all(v.is_weight for v in node.operands[1:]):
        return None
    return pushes.get(node.operands[0].name)
