"""The arrays behind constants: weights, and what a program makes of weights alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...ir import Module, Node, Value, ops
from ...ir.ops.spiking import Neuron, SteppedNeuron
from .layers import RefusedError
from .scopes import Scope

_Check = tuple[Callable[[np.ndarray], np.ndarray], str]

_ANY: _Check = (lambda x: np.ones(x.shape, bool), "a finite one")
_DECAY: _Check = (lambda x: (x >= 0) & (x <= 1), "one from 0 to 1")
_TAU: _Check = (lambda x: x > 0, "one above 0")
_RANGES: dict[str, _Check] = {
    "alpha": (lambda x: (x >= 0) & (x < 1), "one from 0 to below 1"),
    "beta": _DECAY,
    "threshold": _ANY,
    "tau": _TAU,
    "tau_syn": _TAU,
    "w_in": _ANY,
    "r": _ANY,
    "v_leak": _ANY,
    "v_reset": _ANY,
    "du": _ANY,
    "dv": _ANY,
    "bias": _ANY,
    "steps": (lambda x: x >= 1, "one of 1 or more"),
    "share": _DECAY,
    "v_rest": _ANY,
    "tau_mem_inv": _TAU,
    "tau_syn_inv": _TAU,
    "resistance": _TAU,
    "capacitance": _TAU,
    "time_step": _TAU,
}
"""Parameter -> what it has to be."""


@dataclass(frozen=True)
class Arrays:
    """The constants of a module. known: whether their numbers matter; a network is checked without them too, and
    weights then are zeros."""

    module: Module
    known: bool

    def weight(self, scope: Scope, node: Node, index: int) -> np.ndarray | None:
        """The array of a node's operand, None where there is none. RefusedError where it is not finite."""
        if index >= len(node.operands):
            return None
        value = node.operands[index]
        if not self.known and value.type.is_float:
            return np.zeros(value.type.shape, np.float32)
        array = self.stored(scope, value)
        if array is None:
            raise RefusedError(f"{value.name} is computed while the model runs")
        if not np.isfinite(array).all():
            where = np.argwhere(~np.isfinite(array))[0].tolist()
            raise RefusedError(f"the weight {value.name.removeprefix('@')} is {array[tuple(where)]} at index {where}")
        return array

    def grid(self, scope: Scope, node: Node) -> tuple[int, np.ndarray | None]:
        """(bits of a number and its sign, what a unit is) of weights that are integers with a scale, 1 bit where all
        are 1 or -1; (32, None) for floats. The unit is None too where it differs along another dimension than the
        first."""
        maker = scope.graph.producers().get(node.operands[1].name)
        if not self.known or maker is None or not isinstance(maker.op, ops.Dequantize):
            return 32, None
        integers, scale = (self._constant(scope, value) for value in maker.operands)
        if integers is None:
            return 32, None
        magnitudes = np.abs(integers.astype(np.int64))
        bits = 1 if (magnitudes == 1).all() else int(magnitudes.max(initial=0)).bit_length() + 1
        return bits, scale if scale is not None and (maker.op.axis == 0 or not scale.shape) else None

    def stored(self, scope: Scope, value: Value) -> np.ndarray | None:
        """The array of a value; of a cast weight, the weight, so that what was read is written to the last bit."""
        maker = scope.graph.producers().get(value.name)
        if maker is not None and isinstance(maker.op, ops.Cast) and maker.operands[0].is_weight:
            return self._constant(scope, maker.operands[0])
        if value.name in scope.given:
            given, outer = scope.given[value.name]
            return self.stored(outer, given)
        return self._constant(scope, value)

    def _constant(self, scope: Scope, value: Value) -> np.ndarray | None:
        if value.is_weight:
            return self.module.weights.get(value.weight_name)
        if value.name in scope.given:
            given, outer = scope.given[value.name]
            return self._constant(outer, given)
        from ...ir.interpreter import constant_value

        return constant_value(value, scope.graph, self.module)

    def parameter(self, scope: Scope, op: Neuron, name: str, value: Value) -> np.ndarray:
        """A parameter of neurons, checked: files of networks take any number."""
        array = self.stored(scope, value)
        if array is None:
            raise RefusedError(f"its {name} is computed while the model runs")
        wrong = array[~(np.isfinite(array) & _RANGES[name][0](array))]
        if wrong.size:
            raise RefusedError(f"its {name} is {wrong.ravel()[0]:g}; a neuron of a network needs {_RANGES[name][1]}")
        if isinstance(op, SteppedNeuron):
            return np.asarray(array, np.float32)
        return array
