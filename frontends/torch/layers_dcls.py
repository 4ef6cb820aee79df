"""DCLS (0.1): Dcls1d over time, a convolution of which every synapse has one tap, which is a delay of its own.

Output step t of a kernel of K places is sum_i W[o, i] x[i, t + k[o, i]], k the place of the synapse's tap; on an input
that begins with K - 1 steps of padding that is a delay of K - 1 - k steps (Hammouamri, Khalfaoui-Hassani, Masquelier,
Learning Delays in Spiking Neural Networks using Dilated Convolutions with Learnable Spacings, arXiv:2306.17670).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from ...ir import Circuit, Value, ops
from .layers_neurons import overridden
from .raising import Call, Raiser, Unsupported

torch.library.define("qsc::synaptic_delays", "(Tensor x, int outputs, int places, str layer) -> Tensor")


@torch.library.register_fake("qsc::synaptic_delays")
def _shape(x: Tensor, outputs: int, places: int, layer: str) -> Tensor:
    return x.new_empty((x.shape[0], outputs, x.shape[2] - places + 1))


class StandIn(nn.Module):
    """Takes the place of a Dcls1d during export."""

    def __init__(self, layer: Any, path: str) -> None:
        super().__init__()
        self.__dict__["_parameters"] = dict(layer._parameters)
        self._inputs, self._outputs, self._path = layer.in_channels, layer.out_channels, path
        self._places, self._padding = layer.dilated_kernel_size[0], layer.padding[0]

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 3 or x.shape[1] != self._inputs:
            raise ValueError(f"Dcls1d takes (batch, {self._inputs}, steps), got a tensor of shape {tuple(x.shape)}")
        padded = nn.functional.pad(x, (self._padding, self._padding))
        return torch.ops.qsc.synaptic_delays(padded, self._outputs, self._places, self._path)


class Dcls1d:
    """Handler of Dcls1d: push and delayed_linear, step by step."""

    spiking = False

    def stand_in(self, layer: nn.Module, path: str) -> nn.Module:
        """A layer of delays."""
        return StandIn(layer, path)

    def problem(self, layer: Any) -> str | None:
        """Groups, strides, padding that is not zero, and synapses of more than one tap."""
        if problem := overridden(layer):
            return problem
        if layer.groups != 1 or layer.stride != (1,):
            return "Dcls1d with groups or a stride"
        if layer.padding_mode != "zeros":
            return f"Dcls1d with padding_mode={layer.padding_mode!r}"
        blurred = int((_kernel(layer) != 0).sum(2).gt(1).sum())
        if blurred:
            return (
                f"Dcls1d with {blurred} synapses of more than one tap (round P, and set version 'v0', "
                "or version 'max' with SIG at 0)"
            )
        return None

    def circuits(self, layer: nn.Module) -> Sequence[Circuit]:
        """None."""
        return ()

    def take(self, raiser: Raiser, call: Call, layer: Any) -> Value:
        """A delayed_linear for every step, on a delay line that starts empty."""
        kernel = _kernel(layer)
        places = kernel.shape[2]
        path = call["layer"]
        x = raiser.value(call["x"])
        floats = raiser.common_float(x)
        weight = raiser.as_float(raiser.weight(f"{path}.weight.taps", kernel.sum(2)), floats)
        steps = raiser.weight(f"{path}.steps", _steps(kernel))
        bias = None if layer.bias is None else raiser.as_float(raiser.weight(f"{path}.bias", layer.bias), floats)
        line = raiser.constant(0.0, (places, x.type.shape[0], x.type.shape[1]), floats)
        empty, name, found = line, raiser.hint(call), []
        for t in range(x.type.shape[2]):
            now = raiser.as_float(raiser.slice(x, 2, t, t + 1, squeeze=True), floats)
            if line is not empty or not _is_zero(raiser, now):
                (line,) = raiser.emit(ops.Push(), now, line, hints=(f"{name}_line",))
            if t < places - 1:
                continue
            current = raiser.emit(ops.DelayedLinear(), line, weight, steps, hints=(name,))[0]
            found.append(current if bias is None else raiser.one(ops.Add(), current, bias))
        if not found:
            raise Unsupported(f"Dcls1d on {x.type.shape[2]} steps, fewer than the {places} places of its kernel,")
        return raiser.one(ops.Permute((1, 2, 0)), raiser.one(ops.Stack(0), *found))

    def forget(self, layer: nn.Module, model: nn.Module) -> None:
        """A convolution keeps nothing between calls."""

    def exporting(self, stand_ins: Sequence[nn.Module], model: nn.Module) -> AbstractContextManager[None]:
        """Nothing outside the model refers to the layers."""
        return nullcontext()


def _kernel(layer: Any) -> Tensor:
    """The kernel that the layer convolves with, (out, in, places)."""
    with torch.no_grad():
        return layer.DCK(layer.weight, layer.P, layer.SIG).detach()


def _steps(kernel: Tensor) -> Tensor:
    """Which place of the line, from 1 for the newest, each synapse reads, i64 (out, in); 1 where it has no tap."""
    tapped = kernel != 0
    return torch.where(tapped.any(2), kernel.shape[2] - tapped.long().argmax(2), 1)


def _is_zero(raiser: Raiser, value: Value) -> bool:
    node = raiser.producer(value)
    return node is not None and isinstance(node.op, ops.Constant) and node.op.value == 0


DCLS_1D = Dcls1d()
