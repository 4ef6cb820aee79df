"""qsc.nn.Quantum: a circuit, its trained angles and its readout."""

from __future__ import annotations

import copy
import operator
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from ...ir import Circuit, Module, Type, Value, ops
from .raising import Call, Raiser

torch.library.define("qsc::quantum", "(Tensor x, Tensor[] weights, int outputs, str layer) -> Tensor")


@torch.library.register_fake("qsc::quantum")
def _quantum_shape(x: Tensor, weights: Sequence[Tensor], outputs: int, layer: str) -> Tensor:
    return x.new_empty((*x.shape[:-1], outputs))


class QuantumStandIn(nn.Module):
    """Takes the place of a Quantum during export."""

    def __init__(self, layer: Any, path: str) -> None:
        super().__init__()
        self.__dict__["_parameters"] = dict(layer._parameters)
        shared: dict[int, Any] = {id(p): p for p in layer.parameters()}
        self.__dict__["_modules"] = copy.deepcopy(layer._modules, shared)
        names = {id(p): name for name, p in layer.named_parameters()}
        weights = (layer.parameters_by_name[a.name] for a in layer.circuit.inputs if a.role == "weight")
        self._names = tuple(names[id(w)] for w in weights)
        self._outputs = _result_size(layer)
        self._inputs = sum(a.size for a in layer.circuit.inputs if a.role != "weight")
        self._path = path

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim < 1 or x.shape[-1] != self._inputs:
            raise ValueError(f"the circuit takes {self._inputs} inputs, got a tensor of shape {tuple(x.shape)}")
        weights = [operator.attrgetter(name)(self) for name in self._names]
        return torch.ops.qsc.quantum(x, weights, self._outputs, self._path)


def _result_size(layer: Any) -> int:
    """The number of values that the readout gives for one sample."""
    circuit: Circuit = layer.circuit
    readout = replace(layer.readout, circuit=circuit.name)
    types = tuple(Type("f64", a.shape) for a in circuit.inputs)
    result = readout.result_types(types, Module("m", circuits={circuit.name: circuit}))[0]
    return result.shape[-1]


class Quantum:
    """Handler of qsc.nn.Quantum."""

    spiking = False

    def stand_in(self, layer: nn.Module, path: str) -> nn.Module:
        return QuantumStandIn(layer, path)

    def problem(self, layer: Any) -> str | None:
        if isinstance(layer.readout, ops.Samples):
            return "Quantum that draws samples inside a model (read expectations or probabilities instead)"
        return None

    def circuits(self, layer: Any) -> Sequence[Circuit]:
        return (layer.circuit,)

    def take(self, raiser: Raiser, call: Call, layer: Any) -> Value:
        x = raiser.value(call.arguments["x"])
        weights = iter(raiser.value(w) for w in call.arguments["weights"])
        operands: list[Value] = []
        start = 0
        for array in layer.circuit.inputs:
            if array.role == "weight":
                operands.append(next(weights))
                continue
            part = raiser.slice(x, len(x.type.shape) - 1, start, start + array.size)
            operands.append(raiser.reshape(part, (*x.type.shape[:-1], *array.shape)))
            start += array.size
        floats = raiser.common_float(*operands)
        readout = replace(layer.readout, circuit=raiser.circuit_name(layer.circuit))
        return raiser.emit(readout, *(raiser.as_float(v, floats) for v in operands), hints=(raiser.hint(call),))[0]

    def forget(self, layer: nn.Module, model: nn.Module) -> None:
        """A circuit keeps nothing between calls."""

    def exporting(self, stand_ins: Sequence[nn.Module], model: nn.Module) -> AbstractContextManager[None]:
        return nullcontext()


QUANTUM = Quantum()
