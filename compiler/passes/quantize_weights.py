"""Weights of layers as small integers with a scale: w is about scale * q, q being the nearest of the levels."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import ClassVar

import numpy as np

from ...ir import Graph, InputError, Module, Node, Value
from ...ir.diagnostics import did_you_mean
from ...ir.ops import Conv, Dequantize, Linear
from ...ir.types import Type, dtype_name
from ..calibration import layer_grams
from .base import Context, Contract, Measured, Pass
from .quantizers import CLIPS, KINDS, ROUNDINGS, compensated, levels_of, quantize, stored_bits
from .rewrites import fresh_name, identifier, map_graphs, without_weights

_METRIC = "largest weight error over that of the nearest level"
_BOUND = 1.0 + 1e-6
"""The nearest level keeps to 1; the rest is the rounding of this quotient."""
_MOST_BITS = {"power-of-two": 5}
"""Levels -> most bits, where they are fewer: 2^14 is the largest power of two in 16 bits."""


@dataclass(frozen=True)
class QuantizeWeights(Pass):
    """Store the weights of linear and convolution layers as integers with a scale for every output channel."""

    name: ClassVar[str] = "quantize-weights"
    contract: ClassVar[Contract] = Contract.APPROXIMATE
    ranges: ClassVar[Mapping[str, tuple[int, int]]] = {"bits": (2, 16)}
    bits: int = 8
    """2 to 16; uniform: a weight is a whole number between -(2^(bits-1) - 1) and 2^(bits-1) - 1 times its scale"""
    per_channel: bool = True
    """one scale for every output channel; otherwise one for the whole weight"""
    quantizer: str = "uniform"
    """uniform, power-of-two (2 to 5 bits), ternary or binary (both without bits): the levels that a weight may have"""
    clip: str = "max"
    """where the levels end: max, at the largest weight, or error, where the squared error is least"""
    layer_bits: str = ""
    """bits of single layers, as in "fc1=4,fc2=2"; the others have `bits`"""
    rounding: str = "nearest"
    """nearest level, or compensated: what a weight loses, the next ones of its row make up for, on calibration data"""

    def __post_init__(self) -> None:
        """InputError O0002 for what an option does not take."""
        super().__post_init__()
        for option, value, known in (
            ("quantizer", self.quantizer, KINDS),
            ("clip", self.clip, CLIPS),
            ("rounding", self.rounding, ROUNDINGS),
        ):
            if value not in known:
                message = f"option {option} of pass {self.name} is {value!r}"
                raise InputError.of("O0002", message, help=did_you_mean(value, known))
        least, most = self.ranges["bits"][0], _MOST_BITS.get(self.quantizer, self.ranges["bits"][1])
        for option, bits in (("bits", self.bits), *(("layer-bits", bits) for bits in self.widths.values())):
            if not least <= bits <= most:
                message = f"option {option} of pass {self.name} is {bits}, with {self.quantizer} levels"
                raise InputError.of("O0002", message, help=f"it takes {least} to {most} there")

    @cached_property
    def widths(self) -> dict[str, int]:
        """Name of a layer -> its bits, those of `layer_bits`."""
        pairs = [part.partition("=") for part in filter(None, self.layer_bits.replace(" ", "").split(","))]
        if any(not name or not bits.isdecimal() for name, _, bits in pairs):
            message = f"option layer-bits of pass {self.name} is {self.layer_bits!r}"
            raise InputError.of("O0002", message, help='it takes names of layers and their bits, as in "fc1=4,fc2=2"')
        return {name: int(bits) for name, _, bits in pairs}

    def bits_of(self, weight: str) -> int:
        """Bits of the levels of a weight: those of its layer, which bears its name or that without `.weight`."""
        return self.widths.get(weight, self.widths.get(weight.removesuffix(".weight"), self.bits))

    def run(self, module: Module, context: Context) -> Module:
        """The module whose layers take `dequantize(q, scale)` in the place of a float weight."""
        grams = {}
        if self.rounding == "compensated":
            from ...ir.interpreter import random_inputs

            grams = layer_grams(module, context.inputs or random_inputs(module, batch=32))
        quantizer = _Quantizer(self, module, grams)
        graph = map_graphs(module.graph, quantizer.rewrite)
        self._check_names(quantizer.found)
        if not quantizer.found:
            return module
        after = module.with_(graph=graph, weights=dict(module.weights) | quantizer.made)
        for name, (integers, scale, user) in quantizer.found.items():
            before = module.weights[name]
            error, bound = _error(before, integers, scale)
            bits = stored_bits(self.quantizer, self.bits_of(name))
            bytes_after = integers.size * bits / 8 + scale.nbytes
            message = f"weight {name}: {before.nbytes} -> {bytes_after:g} bytes at {bits} bits, "
            message += f"largest error {error:.3g}" + (f" (bound {bound:.3g})" if self._rounds else "")
            context.remark(self, message, user.location, weight_bytes=before.nbytes - bytes_after)
        return without_weights(after, quantizer.found)

    def _check_names(self, found: Collection[str]) -> None:
        """InputError O0002 where `layer_bits` names a layer that is not there."""
        known = {name.removesuffix(".weight") for name in found}
        for name in self.widths:
            if name not in known and name not in found:
                message = f"option layer-bits of pass {self.name}: there is no layer {name!r}"
                raise InputError.of("O0002", message, help=did_you_mean(name, known))

    @property
    def _rounds(self) -> bool:
        """Whether no weight is farther than half a scale from its level."""
        return (self.quantizer, self.clip, self.rounding) == ("uniform", "max", "nearest")

    def measured(self, before: Module, after: Module) -> Measured:
        """The largest |w - scale * q| over that of the nearest level, over all weights, whose bound is 1; where errors
        are compensated, how many weights are none of the levels, whose bound is 0."""
        compensates = self.rounding == "compensated"
        metric, bound = ("weights that are none of the levels", 0.0) if compensates else (_METRIC, _BOUND)
        found = _Quantizer(self, before)
        map_graphs(before.graph, found.rewrite)
        worst = 0.0
        for name in found.found:
            levels = levels_of(self.quantizer, self.bits_of(name))
            integers, scale = map(after.weights.get, found.names[name])
            if integers is None or scale is None:
                return Measured(metric, np.inf, bound)
            if compensates:
                worst += float(np.isin(integers, levels, invert=True).sum())
            else:
                worst = max(worst, _in_least_errors(before.weights[name], integers, scale, levels))
        return Measured(metric, worst, bound)


@dataclass
class _Quantizer:
    source: QuantizeWeights
    module: Module
    grams: Mapping[str, np.ndarray] = field(default_factory=dict)
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
            how = self.source
            weight = self.module.weights[name]
            bits, kind = how.bits_of(name), how.quantizer
            integers, scale = quantize(weight, bits, how.per_channel, kind, how.clip)
            if name in self.grams:
                integers = compensated(weight, integers, scale, levels_of(kind, bits), self.grams[name])
            self.found[name] = (integers, scale, user)
            taken = {*self.module.weights, *self.made}
            self.names[name] = (
                fresh_name(f"{name}.q{stored_bits(kind, bits)}", taken),
                fresh_name(f"{name}.scale", taken),
            )
            self.made |= dict(zip(self.names[name], (integers, scale), strict=True))
        q, s = (Value("@" + n, _type_of(self.made[n])) for n in self.names[name])
        return q, s


def _restored(integers: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(scale * q, scale spread over q) in float64."""
    spread = scale.astype(np.float64).reshape(-1, *(1,) * (integers.ndim - 1)) if scale.ndim else np.float64(scale)
    return integers * spread, np.broadcast_to(spread, integers.shape)


def _error(weight: np.ndarray, integers: np.ndarray, scale: np.ndarray) -> tuple[float, float]:
    """(largest error, largest half scale of a channel that is not all zeros)."""
    restored, spread = _restored(integers, scale)
    return float(np.abs(weight - restored).max(initial=0.0)), float(spread[integers != 0].max(initial=0.0)) / 2


def _in_least_errors(weight: np.ndarray, integers: np.ndarray, scale: np.ndarray, levels: np.ndarray) -> float:
    """The largest error of a weight over the least that its scale and the levels allow."""
    restored, spread = _restored(integers, scale)
    whole = weight / np.where(spread > 0, spread, 1.0)
    above = np.clip(np.searchsorted(levels, whole), 1, len(levels) - 1)
    least = np.minimum(np.abs(whole - levels[above]), np.abs(whole - levels[above - 1])) * spread
    allowed = np.maximum(least, spread * 1e-6)
    return float((np.abs(weight - restored) / np.where(allowed > 0, allowed, 1.0)).max(initial=0.0))


def _type_of(array: np.ndarray) -> Type:
    return Type(dtype_name(array.dtype), array.shape)
