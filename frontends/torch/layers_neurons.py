"""What the handlers of neurons share: the operation that stand-ins call, and states beside the module.

A stand-in calls `neuron(layer, inputs, states, parameters)` for every step; the handler says which IR op that is.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from ...ir import Circuit, Op, Value
from ...ir.ops.spiking import Neuron
from .layers import LAYERS, class_path
from .raising import Call, Raiser

torch.library.define(
    "qsc::neuron", "(Tensor[] inputs, Tensor[] states, Tensor[] parameters, bool fires, str layer) -> Tensor[]"
)
PROBE = (-3e38, -1.0, -1e-3, -1e-30, 0.0, 1e-30, 1e-3, 1.0, 3e38)
"""Where a spike function is asked whether it is a step at zero."""


@torch.library.register_fake("qsc::neuron")
def _neuron_shapes(
    inputs: Sequence[Tensor], states: Sequence[Tensor], parameters: Sequence[Tensor], fires: bool, layer: str
) -> list[Tensor]:
    spikes = [torch.empty_like(inputs[0], dtype=torch.float32)] if fires else []
    return [*spikes, *(torch.empty_like(s) for s in states)]


class States:
    """The states of a stand-in. Kept out of the module's attributes, whose changes torch.export refuses."""

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}

    def get(self, name: str, like: Tensor, start: float = 0.0) -> Tensor:
        """A state in the shape of `like`; `start` everywhere before the first step."""
        state = self.tensors.get(name)
        return filled(like, start) if state is None or state.shape != like.shape else state


def uniform(values: Tensor) -> float | Tensor:
    """The number that all values are, or the values."""
    flat = values.reshape(-1)
    return float(flat[0]) if bool((flat == flat[0]).all()) else values


def filled(like: Tensor, value: float | Tensor) -> Tensor:
    """A value in the shape and type of another tensor."""
    return value.to(like.dtype).expand(like.shape) if isinstance(value, Tensor) else torch.full_like(like, value)


def neuron(
    path: str, inputs: Sequence[Tensor], states: Sequence[Tensor], parameters: Sequence[Tensor], fires: bool = True
) -> list[Tensor]:
    """One step of the neurons of the known layer at `path`: spikes where they fire, then the states."""
    return torch.ops.qsc.neuron([*inputs], [*states], [*parameters], fires, path)


def number(value: float | Tensor, like: Tensor) -> Tensor:
    """A parameter as a tensor; a plain number becomes a constant of the type that is computed in."""
    return value if isinstance(value, Tensor) else torch.full((), value, dtype=like.dtype)


def is_step(function: Any, inclusive: bool) -> bool:
    """Whether a spike function is 0 below zero and 1 above, and at zero 1 where it is inclusive."""
    probe = torch.tensor(PROBE)
    with torch.no_grad():
        return torch.equal(function(probe), ((probe >= 0) if inclusive else (probe > 0)).float())


def overridden(layer: nn.Module) -> str | None:
    """What a class that is derived from a known one computes in its own way, told as a problem; None for nothing."""
    for cls in type(layer).__mro__:
        if class_path(cls) in LAYERS:
            return None
        for name, value in vars(cls).items():
            if name not in ("__init__", "extra_repr") and (callable(value) or isinstance(value, property)):
                return f"{type(layer).__name__}, which has a {name} of its own,"
    return None


class Handler:
    """A handler whose stand-in calls `neuron`. Subclasses say what the op is and what stands in."""

    spiking = True

    def op(self, layer: Any) -> Op:
        """The IR op of a layer that has no problem."""
        raise NotImplementedError

    def stand_in(self, layer: nn.Module, path: str) -> nn.Module:
        """The module that takes the layer's place during export."""
        raise NotImplementedError

    def problem(self, layer: Any) -> str | None:
        """Why the layer cannot be taken, or None."""
        raise NotImplementedError

    def forget(self, layer: Any, model: nn.Module) -> None:
        """Nothing is kept from call to call, unless a subclass says so."""

    def circuits(self, layer: nn.Module) -> Sequence[Circuit]:
        """None."""
        return ()

    def take(self, raiser: Raiser, call: Call, layer: nn.Module) -> tuple[Value, ...]:
        """One node."""
        given = [raiser.value(v) for name in ("inputs", "states", "parameters") for v in call[name]]
        floats = raiser.common_float(*given)
        op = self.op(layer)
        name = raiser.hint(call)
        return raiser.emit(op, *(raiser.as_float(v, floats) for v in given), hints=_hints(op, name))

    def exporting(self, stand_ins: Sequence[nn.Module], model: nn.Module) -> AbstractContextManager[None]:
        """Nothing outside the model refers to the layers."""
        return nullcontext()


def _hints(op: Op, name: str) -> tuple[str, ...]:
    """What the results are called."""
    if not isinstance(op, Neuron):
        return (name,)
    states = (f"{name}_i", f"{name}_v")[-op.states :]
    return (name, *states) if op.fires else (*states[:-1], name)
