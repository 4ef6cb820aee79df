"""rockpool neurons (3.1): LIFTorch with at most one spike a step. Batch first, then time."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...ir import Op, ops
from .layers_neurons import Handler, States, neuron, overridden

_NAMES = ("isyn", "vmem")


class StandIn(nn.Module):
    """Takes the place of a LIFTorch during export. A rockpool module gives its output, its states and a record."""

    tau_mem: Tensor
    tau_syn: Tensor
    alpha: Tensor
    beta: Tensor
    dash_mem: Tensor
    dash_syn: Tensor
    bias: Tensor
    threshold: Tensor
    w_rec: Tensor

    def __init__(self, layer: Any, path: str) -> None:
        super().__init__()
        self.__dict__["_parameters"] = dict(layer._parameters)
        self._states, self._path = States(), path
        self._dt, self._mode, self._plain = float(layer.dt), str(layer.leak_mode), layer._has_torch_api
        self._recurrent, self._synapses = bool(layer._has_rec), int(layer.n_synapses)

    def forward(self, input_data: Tensor) -> Any:
        spikes: list[Tensor] = []
        if self._synapses > 1:
            # The handler refuses this; the shape has to be right until it is told.
            input_data = input_data.unflatten(-1, (-1, self._synapses)).sum(-1)
        for x in input_data.unbind(1):
            inputs = [x]
            if self._recurrent:
                before = spikes[-1] if spikes else torch.zeros_like(x)
                inputs.append(functional.linear(before, self.w_rec.T))
            states = [self._states.get(name, x) for name in _NAMES]
            out, *after = neuron(self._path, inputs, states, self._operands())
            self._states.tensors.update(zip(_NAMES, after, strict=True))
            spikes.append(out)
        out = torch.stack(spikes, 1)
        return out if self._plain else (out, dict(self._states.tensors), {})

    def _operands(self) -> list[Tensor]:
        membrane, synapse = self._decays()
        return [synapse[:, 0] if synapse.ndim else synapse, membrane, self.bias, self.threshold]

    def _decays(self) -> tuple[Tensor, Tensor]:
        """(alpha, beta): what is left of membrane and synapse after a step."""
        if self._mode == "taus":
            return torch.exp(-self._dt / self.tau_mem), torch.exp(-self._dt / self.tau_syn)
        if self._mode == "decays":
            return self.alpha, self.beta
        return 1 - 1 / 2**self.dash_mem, 1 - 1 / 2**self.dash_syn


class Layer(Handler):
    """Handler of LIFTorch."""

    def stand_in(self, layer: nn.Module, path: str) -> nn.Module:
        """A layer with the same parameters."""
        return StandIn(layer, path)

    def problem(self, layer: Any) -> str | None:
        """Several spikes in a step, several synapses a neuron, noise."""
        if problem := overridden(layer):
            return problem
        if float(layer.max_spikes_per_dt) != 1:
            limit = float(layer.max_spikes_per_dt)
            return f"LIFTorch with max_spikes_per_dt={limit:g}, which may emit several spikes in a step (1 emits one),"
        if layer.n_synapses != 1:
            return f"LIFTorch with {layer.n_synapses} synapses a neuron"
        if float(layer.noise_std) != 0:
            return "LIFTorch with noise_std, which draws random numbers,"
        return None

    def op(self, layer: Any) -> Op:
        """CubaLif; a potential on the threshold fires."""
        return ops.CubaLif(
            "decay_bias",
            float(layer.dt),
            "subtract",
            inclusive=True,
            current="damped",
            recurrent=bool(layer._has_rec),
        )

    def forget(self, layer: Any, model: nn.Module) -> None:
        """States of zero."""
        layer.reset_state()


LIF = Layer()
