"""Weights of layers as small integers with a scale: w is about scale * q, with |w - scale * q| <= scale / 2."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from ...ir import Graph, Module, Node, Value
from ...ir.ops import Conv, Dequantize, Linear
from ...ir.types import Type, dtype_name
from .base import Context, Contract, Measured, Pass
from .rewrites import fresh_name, identifier, map_graphs, without_weights

_METRIC = "largest weight error in units of half its scale"
_BOUND = 1.0 + 1e-6
"""Rounding keeps to 1; the rest is the rounding of this quotient."""


@dataclass(frozen=True)
class QuantizeWeights(Pass):
    """Store the weights of linear and convolution layers as integers with a scale for every output channel."""

    name: ClassVar[str] = "quantize-weights"
    contract: ClassVar[Contract] = Contract.APPROXIMATE
    ranges: ClassVar[Mapping[str, tuple[int, int]]] = {"bits": (2, 16)}
    bits: int = 8
    """2 to 16; a weight is a whole number between -(2^(bits-1) - 1) and 2^(bits-1) - 1 times its scale"""
    per_channel: bool = True
    """one scale for every output channel; otherwise one for the whole weight"""

    def run(self, module: Module, context: Context) -> Module:
        """The module whose layers take `dequantize(q, scale)` in the place of a float weight."""
        quantizer = _Quantizer(self, module)
        graph = map_graphs(module.graph, quantizer.rewrite)
        if not quantizer.found:
            return module
        after = module.with_(graph=graph, weights=dict(module.weights) | quantizer.made)
        for name, (integers, scale, user) in quantizer.found.items():
            before = module.weights[name]
            error, bound = _error(before, integers, scale)
            bytes_after = integers.size * self.bits / 8 + scale.nbytes
            message = f"weight {name}: {before.nbytes} -> {bytes_after:g} bytes at {self.bits} bits, "
            message += f"largest error {error:.3g} (bound {bound:.3g})"
            context.remark(self, message, user.location, weight_bytes=before.nbytes - bytes_after)
        return without_weights(after, quantizer.found)

    def measured(self, before: Module, after: Module) -> Measured:
        """The largest |w - scale * q| in units of half its scale, over all weights; 1 is the bound of rounding."""
        found = _Quantizer(self, before)
        map_graphs(before.graph, found.rewrite)
        worst = 0.0
        for name in found.found:
            integers, scale = map(after.weights.get, found.names[name])
            if integers is None or scale is None:
                return Measured(_METRIC, np.inf, _BOUND)
            worst = max(worst, _in_half_scales(before.weights[name], integers, scale))
        return Measured(_METRIC, worst, _BOUND)


@dataclass
class _Quantizer:
    source: QuantizeWeights
    module: Module
    made: dict[str, np.ndarray] = field(default_factory=dict)
    found: dict[str, tuple[np.ndarray, np.ndarray, Node]] = field(default_factory=dict)
    """weight name -> (integers, scale, the first layer that uses it)"""
    names: dict[str, tuple[str, str]] = field(default_factory=dict)
    """weight name -> the names of its integers and its scale"""

    def rewrite(self, graph: Graph) -> Graph:
        """One graph: every layer's weight goes through one `dequantize`."""
        taken = graph.names()
        known: dict[str, Value] = {}
        nodes: list[Node] = []
        for node in graph.nodes:
            w = node.operands[1] if isinstance(node.op, Linear | Conv) else None
            if w is None or not w.is_weight or not w.type.is_float:
                nodes.append(node)
                continue
            if w.name not in known:
                known[w.name] = Value(fresh_name(f"{identifier(w.weight_name)}_dequantized", taken), w.type)
                taken.add(known[w.name].name)
                nodes.append(Node(Dequantize(), self._quantized(w, node), (known[w.name],), node.location))
            nodes.append(replace(node, operands=(node.operands[0], known[w.name], *node.operands[2:])))
        return replace(graph, nodes=tuple(nodes))

    def _quantized(self, w: Value, user: Node) -> tuple[Value, Value]:
        name = w.weight_name
        if name not in self.found:
            integers, scale = quantize(self.module.weights[name], self.source.bits, self.source.per_channel)
            self.found[name] = (integers, scale, user)
            taken = {*self.module.weights, *self.made}
            self.names[name] = (fresh_name(f"{name}.q{self.source.bits}", taken), fresh_name(f"{name}.scale", taken))
            self.made |= dict(zip(self.names[name], (integers, scale), strict=True))
        q, s = (Value("@" + n, _type_of(self.made[n])) for n in self.names[name])
        return q, s


def quantize(weight: np.ndarray, bits: int, per_channel: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """(integers, scale): uniform and symmetric about zero, the largest magnitude of a channel at the end of the range.

    weight: float (out, ...). scale: (out,) or scalar, of the weight's type; 1 for a channel of zeros. Integers are int8
    for at most 8 bits, else int16.
    """
    most = (1 << (bits - 1)) - 1
    axes = tuple(range(1, weight.ndim)) if per_channel else None
    size = np.abs(weight.astype(np.float64)).max(axis=axes, initial=0.0)
    # A scale that underflows to zero in the weight's own type counts as a channel of zeros.
    scale = np.asarray(size / most, weight.dtype)
    scale = np.where(scale > 0, scale, np.ones_like(scale))
    spread = scale.astype(np.float64).reshape(-1, *(1,) * (weight.ndim - 1)) if per_channel else np.float64(scale)
    integers = np.clip(np.rint(weight.astype(np.float64) / spread), -most, most)
    return integers.astype(np.int8 if bits <= 8 else np.int16), scale


def _restored(integers: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(scale * q, scale spread over q) in float64."""
    spread = scale.astype(np.float64).reshape(-1, *(1,) * (integers.ndim - 1)) if scale.ndim else np.float64(scale)
    return integers * spread, np.broadcast_to(spread, integers.shape)


def _error(weight: np.ndarray, integers: np.ndarray, scale: np.ndarray) -> tuple[float, float]:
    """(largest error, largest half scale of a channel that is not all zeros)."""
    restored, spread = _restored(integers, scale)
    return float(np.abs(weight - restored).max(initial=0.0)), float(spread[integers != 0].max(initial=0.0)) / 2


def _in_half_scales(weight: np.ndarray, integers: np.ndarray, scale: np.ndarray) -> float:
    restored, spread = _restored(integers, scale)
    return float((np.abs(weight - restored) / (spread / 2)).max(initial=0.0))


def _type_of(array: np.ndarray) -> Type:
    return Type(dtype_name(array.dtype), array.shape)
