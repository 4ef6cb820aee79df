"""snntorch neurons (1.0): Leaky and Synaptic, with explicit or hidden state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import MethodType
from typing import Any

import snntorch as snn
import torch
from torch import Tensor, nn

from ...ir import Circuit, Value, ops
from .raising import Call, Raiser

torch.library.define("qsc::leaky", "(Tensor x, Tensor v, Tensor beta, Tensor threshold, str layer) -> (Tensor, Tensor)")
torch.library.define(
    "qsc::synaptic",
    "(Tensor x, Tensor i, Tensor v, Tensor alpha, Tensor beta, Tensor threshold, str layer)"
    " -> (Tensor, Tensor, Tensor)",
)
_RESET_METHODS = {"subtract": "_base_sub", "zero": "_base_zero", "none": "_base_int"}
_PROBE = (-3e38, -1.0, -1e-3, -1e-30, 0.0, 1e-30, 1e-3, 1.0, 3e38)


@torch.library.register_fake("qsc::leaky")
def _leaky_shapes(x: Tensor, v: Tensor, beta: Tensor, threshold: Tensor, layer: str) -> tuple[Tensor, Tensor]:
    return torch.empty_like(x, dtype=torch.float32), torch.empty_like(x)


@torch.library.register_fake("qsc::synaptic")
def _synaptic_shapes(
    x: Tensor, i: Tensor, v: Tensor, alpha: Tensor, beta: Tensor, threshold: Tensor, layer: str
) -> tuple[Tensor, Tensor, Tensor]:
    return torch.empty_like(x, dtype=torch.float32), torch.empty_like(x), torch.empty_like(x)


class _States:
    """The states of a stand-in. Kept out of the module's attributes, whose changes torch.export refuses."""

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}


class _StandIn:
    """What stand-ins share: states beside the module, parameters limited as snntorch limits them."""

    _qsc_states: _States
    _qsc_path: str
    _qsc_limited: frozenset[str]
    _qsc_graded: bool

    def _state(self, name: str, like: Tensor) -> Tensor:
        state = self._qsc_states.tensors.get(name)
        return torch.zeros_like(like) if state is None or state.shape != like.shape else state

    def _decay(self, name: str) -> Tensor:
        decay = getattr(self, name)
        return decay if name in self._qsc_limited else decay.clamp(0, 1)

    def _finish(self, spikes: Tensor, *states: Tensor) -> Any:
        layer: Any = self
        if layer._qsc_graded:
            spikes = spikes * layer.graded_spikes_factor
        return (spikes, *states) if layer.output or not layer.init_hidden else spikes


def _state_property(name: str) -> property:
    def read(self: _StandIn) -> Tensor:
        state = self._qsc_states.tensors.get(name)
        return torch.zeros(0) if state is None else state

    def write(self: _StandIn, value: Tensor) -> None:
        self._qsc_states.tensors[name] = value

    return property(read, write)


class LeakyStandIn(_StandIn, snn.Leaky):
    """Takes the place of a Leaky during export."""

    mem = _state_property("mem")

    def forward(self, input_: Tensor, mem: Tensor | None = None) -> Any:
        if mem is not None:
            _refuse_state(self)
            self.mem = mem
        state = self._state("mem", input_)
        spikes, self.mem = torch.ops.qsc.leaky(input_, state, self._decay("beta"), self.threshold, self._qsc_path)
        return self._finish(spikes, self.mem)


class SynapticStandIn(_StandIn, snn.Synaptic):
    """Takes the place of a Synaptic during export."""

    syn = _state_property("syn")
    mem = _state_property("mem")

    def forward(self, input_: Tensor, syn: Tensor | None = None, mem: Tensor | None = None) -> Any:
        if syn is not None:
            _refuse_state(self)
            self.syn = syn
        if mem is not None:
            _refuse_state(self)
            self.mem = mem
        states = self._state("syn", input_), self._state("mem", input_)
        decays = self._decay("alpha"), self._decay("beta")
        spikes, self.syn, self.mem = torch.ops.qsc.synaptic(input_, *states, *decays, self.threshold, self._qsc_path)
        return self._finish(spikes, self.syn, self.mem)


def _refuse_state(layer: Any) -> None:
    if layer.init_hidden:
        raise TypeError("a state is passed to a neuron with init_hidden=True, which keeps its own")


def _as_float(buffer: Tensor | None) -> Tensor | None:
    """`threshold=1` makes an integer buffer, which counts as a float in the arithmetic."""
    return buffer if buffer is None or buffer.is_floating_point() else buffer.to(torch.get_default_dtype())


def _within_unit(decay: Tensor) -> bool:
    return bool(((decay >= 0) & (decay <= 1)).all())


class Neuron:
    """Handler of one neuron class: its stand-in, its IR op, its states and decays in operand order."""

    spiking = True

    def __init__(self, stand_in: type[Any], op: type[ops.Leaky] | type[ops.Synaptic], states: str, decays: str) -> None:
        self._class, self._op = stand_in, op
        self._states, self._decays = tuple(states.split()), tuple(decays.split())

    def stand_in(self, layer: nn.Module, path: str) -> nn.Module:
        made: Any = object.__new__(self._class)
        made.__dict__.update(layer.__dict__)
        made.__dict__["_parameters"] = dict(layer._parameters)
        made.__dict__["_buffers"] = {k: _as_float(v) for k, v in layer._buffers.items() if k not in self._states}
        with torch.no_grad():
            limited = frozenset(name for name in self._decays if _within_unit(getattr(layer, name)))
            graded = not bool(torch.eq(made.graded_spikes_factor, 1).all())
        made.__dict__.update(_qsc_states=_States(), _qsc_path=path, _qsc_limited=limited, _qsc_graded=graded)
        return made

    def problem(self, layer: Any) -> str | None:
        name = type(layer).__name__
        if layer.state_quant:
            return f"{name} with state_quant"
        if layer.inhibition:
            return f"{name} with inhibition"
        method = layer.state_function
        if not isinstance(method, MethodType) or method.__func__.__name__ != _RESET_METHODS[layer.reset_mechanism]:
            return f"{name} whose reset_mechanism was changed after it was made"
        probe = torch.tensor(_PROBE)
        with torch.no_grad():
            if not torch.equal(layer.spike_grad(probe), (probe > 0).float()):
                return f"{name} whose spike_grad is not a step at zero in the forward direction"
        return None

    def circuits(self, layer: nn.Module) -> Sequence[Circuit]:
        return ()

    def take(self, raiser: Raiser, call: Call, layer: Any) -> tuple[Value, ...]:
        op = self._op(reset=layer.reset_mechanism, delayed=bool(layer.reset_delay))
        arguments = [raiser.value(v) for v in list(call.arguments.values())[:-1]]
        floats = raiser.common_float(*arguments)
        name = raiser.hint(call)
        hints = (name, *(f"{name}_{'v' if s == 'mem' else 'i'}" for s in self._states))
        return raiser.emit(op, *(raiser.as_float(v, floats) for v in arguments), hints=hints)

    def forget(self, layer: Any) -> None:
        for name in self._states:
            layer._buffers[name] = torch.zeros(0)

    @contextmanager
    def exporting(self, stand_ins: Sequence[nn.Module]) -> Iterator[None]:
        """snntorch.utils.reset reaches every neuron of the process through one list: only the stand-ins meanwhile."""
        registered = snn.SpikingNeuron.instances
        snn.SpikingNeuron.instances = [*(n for n in registered if isinstance(n, _StandIn)), *stand_ins]
        try:
            yield
        finally:
            snn.SpikingNeuron.instances = registered


LEAKY = Neuron(LeakyStandIn, ops.Leaky, "mem", "beta")
SYNAPTIC = Neuron(SynapticStandIn, ops.Synaptic, "syn mem", "alpha beta")
