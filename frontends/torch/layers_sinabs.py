"""sinabs neurons (3.1): LIF, IAF and ExpLeak. Batch first, then time."""

from __future__ import annotations

from typing import Any

import torch
from sinabs import layers as sl  # pyright: ignore[reportMissingImports]
from sinabs.activation import (  # pyright: ignore[reportMissingImports]
    MembraneReset,
    MembraneSubtract,
    SingleSpike,
)
from torch import Tensor, nn

from ...ir import Op, ops
from .layers_neurons import Handler, States, neuron, overridden


class StandIn(sl.LIF):
    """Takes the place of a layer during export. Its states live as long as the export."""

    _states: States
    _path: str
    _form: str

    def forward(self, input_data: Tensor) -> Tensor:
        return torch.stack([self._step(x) for x in input_data.unbind(1)], 1)

    def _step(self, x: Tensor) -> Tensor:
        fires = self.spike_fn is not None
        names = ("i_syn", "v_mem") if self.alpha_syn_calculated is not None else ("v_mem",)
        results = neuron(self._path, [x], [self._states.get(n, x) for n in names], self._operands(fires), fires)
        out = results[0] if fires else results[-1]
        if self.min_v_mem is not None:
            results[-1] = torch.relu(results[-1] - self.min_v_mem) + self.min_v_mem
        self._states.tensors.update(zip(names, results[int(fires) :], strict=True))
        return out

    def _operands(self, fires: bool) -> list[Tensor]:
        given = [self.alpha_syn_calculated]
        if self._form != "add":
            given.append(self.alpha_mem_calculated)
        if fires:
            given.append(self.spike_threshold)
        if isinstance(self.reset_fn, MembraneReset):
            given.append(torch.zeros(()))
        return [p for p in given if p is not None]


class Layer(Handler):
    """Handler of LIF and of what is derived from it."""

    def stand_in(self, layer: nn.Module, path: str) -> nn.Module:
        """A layer with the same parameters."""
        made: Any = object.__new__(StandIn)
        made.__dict__.update(layer.__dict__)
        made.__dict__.update(_parameters=dict(layer._parameters), _modules=dict(layer._modules), _buffers={})
        made.__dict__.update(_states=States(), _path=path, _form=_form(layer))
        return made

    def problem(self, layer: Any) -> str | None:
        """Several spikes in a step, resets that are no reset, recorded states."""
        name = type(layer).__name__
        if problem := overridden(layer):
            return problem
        if isinstance(layer, sl.LIFRecurrent):
            return f"{name} (sinabs 3.1 fails to copy one, so that it cannot be compared)"
        if layer.record_states:
            return f"{name} with record_states"
        if layer.spike_fn is None:
            return None
        if layer.spike_fn is not SingleSpike:
            called = getattr(layer.spike_fn, "__name__", type(layer.spike_fn).__name__)
            return f"{name} with spike_fn={called}, which may emit several spikes in a step (SingleSpike emits one),"
        if isinstance(layer.reset_fn, MembraneReset) and layer.reset_fn.reset_value:
            return f"{name} with a reset_value, which sinabs 3.1 adds to every potential, spike or not,"
        if not isinstance(layer.reset_fn, MembraneReset | MembraneSubtract):
            return f"{name} with a reset_fn other than MembraneReset and MembraneSubtract"
        if isinstance(layer.reset_fn, MembraneSubtract) and layer.reset_fn.subtract_value is not None:
            return f"{name} with a subtract_value of its own (a soft reset takes the threshold off)"
        return None

    def op(self, layer: Any) -> Op:
        """Lif, CubaLif, Integrate or CubaIntegrate; a potential on the threshold fires."""
        form, synapse = _form(layer), layer.alpha_syn_calculated is not None
        if layer.spike_fn is None:
            return ops.CubaIntegrate(form, current="damped") if synapse else ops.Integrate(form)
        reset = "value" if isinstance(layer.reset_fn, MembraneReset) else "subtract"
        if synapse:
            return ops.CubaLif(form, reset=reset, inclusive=True, current="damped")
        return ops.Lif(form, reset=reset, inclusive=True)

    def forget(self, layer: Any, model: nn.Module) -> None:
        """States of zero."""
        layer.reset_states()


def _form(layer: Any) -> str:
    if isinstance(layer, sl.IAF):
        return "add"
    return "average" if layer.norm_input else "decay"


LIF = Layer()
