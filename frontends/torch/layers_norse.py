"""norse neurons (1.1): cells and layers of LIFBox, LIF, LI, LIBox and IAF, feed-forward and recurrent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from norse.torch.functional.iaf import IAFFeedForwardState
from norse.torch.functional.leaky_integrator import LIState
from norse.torch.functional.leaky_integrator_box import LIBoxState
from norse.torch.functional.lif import LIFFeedForwardState, LIFState
from norse.torch.functional.lif_box import LIFBoxFeedForwardState
from norse.torch.functional.reset import reset_subtract, reset_value
from norse.torch.functional.threshold import threshold
from torch import Tensor, nn
from torch.nn import functional

from ...ir import Op, ops
from .layers_neurons import Handler, filled, is_step, neuron, overridden, uniform

_RESETS = {reset_value: "value", reset_subtract: "subtract"}


@dataclass(frozen=True)
class Kind:
    """One model of norse. state: what its steps give. form: of the IR op. parameters: fields of its `p` in operand
    order, without threshold and reset value. current: the synapse, "" where there is none."""

    state: type[Any]
    form: str
    parameters: tuple[str, ...]
    current: str = ""
    fires: bool = True
    recurrent: bool = False


class StandIn(nn.Module):
    """Takes the place of a cell (one step) or a layer (time first) during export."""

    input_weights: Tensor
    recurrent_weights: Tensor

    def __init__(self, layer: Any, path: str, kind: Kind, loops: bool) -> None:
        super().__init__()
        self.__dict__["_parameters"] = dict(layer._parameters)
        self._path, self._kind, self._loops = path, kind, loops
        resets = ("v_th", *(("v_reset",) if _reset(layer) == "value" else ())) if kind.fires else ()
        self._given = [torch.as_tensor(getattr(layer.p, name)) for name in (*kind.parameters, *resets)]
        rest = layer.p.v_leak if hasattr(layer.p, "v_leak") else layer.p.v_reset
        self._rest = uniform(torch.as_tensor(rest).detach())

    def forward(self, input_tensor: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        if not self._loops:
            return self._step(input_tensor, state)
        outputs = []
        for x in input_tensor:
            out, state = self._step(x, state)
            outputs.append(out)
        return torch.stack(outputs), state

    def _step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        """One step; the states of norse are tuples of z (where recurrent), v and i (where there is a synapse)."""
        kind, inputs = self._kind, [x]
        if kind.recurrent:
            inputs = [functional.linear(x, self.input_weights)]
        held = self._start(inputs[0]) if state is None else dict(state._asdict())
        if kind.recurrent:
            inputs.append(functional.linear(held["z"], self.recurrent_weights))
        names = ("i", "v") if kind.current else ("v",)
        states = [held[name].expand(inputs[0].shape) for name in names]
        results = neuron(self._path, inputs, states, self._given, kind.fires)
        made = dict(zip(("z", *names) if kind.fires else names, results, strict=True))
        out = made["z"] if kind.fires else made["v"]
        return out, kind.state(**{name: made[name] for name in kind.state._fields})

    def _start(self, like: Tensor) -> dict[str, Tensor]:
        zero = torch.zeros_like(like)
        return {"z": zero, "i": zero, "v": filled(like, self._rest)}


def _reset(layer: Any) -> str:
    return _RESETS.get(getattr(layer.p, "reset_method", reset_value), "value")


class Norse(Handler):
    """Handler of one class of norse."""

    def __init__(self, kind: Kind, loops: bool) -> None:
        self._kind, self._loops = kind, loops

    def stand_in(self, layer: nn.Module, path: str) -> nn.Module:
        """A cell or a layer."""
        return StandIn(layer, path, self._kind, self._loops)

    def problem(self, layer: Any) -> str | None:
        """Adjoint models, other resets, recorded states, and rates that are plain numbers."""
        name = type(layer).__name__
        if problem := overridden(layer):
            return problem
        if getattr(layer, "record_states", False):
            return f"{name} with record_states"
        wide = [n for n in self._kind.parameters if n.startswith("tau") and not _is_narrow(getattr(layer.p, n))]
        if wide:
            return f"{name} whose parameter {wide[0]} is no float32 tensor (norse multiplies it in float64 then)"
        if not self._kind.fires:
            return None
        if getattr(layer.p, "reset_method", reset_value) not in _RESETS:
            return f"{name} with a reset_method other than reset_value and reset_subtract"
        if layer.p.method == "adjoint":
            return f"{name} with method='adjoint'"
        if not is_step(lambda x: threshold(x, layer.p.method, layer.p.alpha), inclusive=False):
            return f"{name} with method={layer.p.method!r}, which is not a step at zero in the forward direction,"
        return None

    def op(self, layer: Any) -> Op:
        """Lif, CubaLif, Integrate or CubaIntegrate."""
        kind, dt = self._kind, float(layer.dt)
        if not kind.fires:
            return ops.CubaIntegrate(kind.form, dt, kind.current) if kind.current else ops.Integrate(kind.form, dt)
        reset = _reset(layer)
        if not kind.current:
            return ops.Lif(kind.form, dt, reset)
        return ops.CubaLif(kind.form, dt, reset, current=kind.current, recurrent=kind.recurrent)


def _is_narrow(value: Any) -> bool:
    return isinstance(value, Tensor) and value.dtype == torch.float32


_RATE = ("tau_mem_inv", "v_leak")
_LIF = Kind(LIFFeedForwardState, "rate", ("tau_syn_inv", *_RATE), "jump")
_LIF_RECURRENT = Kind(LIFState, "rate", ("tau_syn_inv", *_RATE), "jump", recurrent=True)
_LI = Kind(LIState, "rate", ("tau_syn_inv", *_RATE), "jump", fires=False)
_IAF = Kind(IAFFeedForwardState, "add", ())

LIF_BOX_CELL = Norse(Kind(LIFBoxFeedForwardState, "rate_box", _RATE), loops=False)
LI_BOX_CELL = Norse(Kind(LIBoxState, "rate", _RATE, fires=False), loops=False)
LIF_CELL, LIF = Norse(_LIF, loops=False), Norse(_LIF, loops=True)
LIF_RECURRENT_CELL, LIF_RECURRENT = Norse(_LIF_RECURRENT, loops=False), Norse(_LIF_RECURRENT, loops=True)
LI_CELL, LI = Norse(_LI, loops=False), Norse(_LI, loops=True)
IAF_CELL, IAF = Norse(_IAF, loops=False), Norse(_IAF, loops=True)
