"""snntorch neurons (1.0), with explicit or hidden state: Leaky, Synaptic, both with recurrence, Lapicque and Alpha."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import MethodType
from typing import Any

import snntorch as snn
import torch
from torch import Tensor, nn

from ...ir import Op, ops
from ...ir.ops.spiking import SteppedNeuron
from .layers_neurons import Handler, States, is_step, neuron, overridden

_RESET_METHODS = {"subtract": "_base_sub", "zero": "_base_zero", "none": "_base_int"}


class _StandIn:
    """What stand-ins share: states beside the module, parameters limited as snntorch limits them."""

    _qsc_states: States
    _qsc_path: str
    _qsc_limited: frozenset[str]
    _qsc_graded: bool

    def _take_states(self, **given: Tensor | None) -> None:
        """States that are passed take the place of the kept ones."""
        layer: Any = self
        for name, state in given.items():
            if state is None:
                continue
            if layer.init_hidden:
                raise TypeError("a state is passed to a neuron with init_hidden=True, which keeps its own")
            self._qsc_states.tensors[name] = state

    def _step(self, inputs: list[Tensor], names: tuple[str, ...], *parameters: Tensor) -> Tensor:
        """One step; gives the spikes and keeps the states."""
        states = [self._qsc_states.get(name, inputs[0]) for name in names]
        spikes, *after = neuron(self._qsc_path, inputs, states, parameters)
        self._qsc_states.tensors.update(zip(names, after, strict=True))
        return spikes

    def _decay(self, name: str) -> Tensor:
        decay = getattr(self, name)
        return decay if name in self._qsc_limited else decay.clamp(0, 1)

    def _finish(self, spikes: Tensor, *names: str) -> Any:
        layer: Any = self
        if layer._qsc_graded:
            spikes = spikes * layer.graded_spikes_factor
        states = (self._qsc_states.tensors[name] for name in names)
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
        self._take_states(mem=mem)
        return self._finish(self._step([input_], ("mem",), self._decay("beta"), self.threshold), "mem")


class SynapticStandIn(_StandIn, snn.Synaptic):
    """Takes the place of a Synaptic during export."""

    syn = _state_property("syn")
    mem = _state_property("mem")

    def forward(self, input_: Tensor, syn: Tensor | None = None, mem: Tensor | None = None) -> Any:
        self._take_states(syn=syn, mem=mem)
        decays = self._decay("alpha"), self._decay("beta")
        return self._finish(self._step([input_], ("syn", "mem"), *decays, self.threshold), "syn", "mem")


class RLeakyStandIn(_StandIn, snn.RLeaky):
    """Takes the place of an RLeaky during export."""

    spk = _state_property("spk")
    mem = _state_property("mem")

    def forward(self, input_: Tensor, spk: Tensor | None = None, mem: Tensor | None = None) -> Any:
        self._take_states(spk=spk, mem=mem)
        back = self.recurrent(self._qsc_states.get("spk", input_))
        self.spk = self._step([input_, back], ("mem",), self._decay("beta"), self.threshold)
        return self._finish(self.spk, "mem")


class RSynapticStandIn(_StandIn, snn.RSynaptic):
    """Takes the place of an RSynaptic during export."""

    spk = _state_property("spk")
    syn = _state_property("syn")
    mem = _state_property("mem")

    def forward(
        self, input_: Tensor, spk: Tensor | None = None, syn: Tensor | None = None, mem: Tensor | None = None
    ) -> Any:
        self._take_states(spk=spk, syn=syn, mem=mem)
        back = self.recurrent(self._qsc_states.get("spk", input_))
        decays = self._decay("alpha"), self._decay("beta")
        self.spk = self._step([input_, back], ("syn", "mem"), *decays, self.threshold)
        return self._finish(self.spk, "syn", "mem")


class LapicqueStandIn(_StandIn, snn.Lapicque):
    """Takes the place of a Lapicque during export."""

    mem = _state_property("mem")
    R: Tensor
    C: Tensor
    time_step: Tensor

    def forward(self, input_: Tensor, mem: Tensor | None = None) -> Any:
        self._take_states(mem=mem)
        resets = (torch.zeros(()),) if self.reset_mechanism == "zero" else ()
        given = (self.R, self.C, self.time_step, self.threshold, *resets)
        return self._finish(self._step([input_], ("mem",), *given), "mem")


class AlphaStandIn(_StandIn, snn.Alpha):
    """Takes the place of an Alpha during export. Its arithmetic is exported as it is; it fires through `neuron`."""

    syn_exc = _state_property("syn_exc")
    syn_inh = _state_property("syn_inh")
    mem = _state_property("mem")
    reset = _state_property("reset")

    def fire(self, mem: Tensor) -> Tensor:
        """Spikes where the potential is above the threshold."""
        return neuron(self._qsc_path, [mem], [], [self.threshold])[0]

    mem_reset = fire


def _as_float(buffer: Tensor | None) -> Tensor | None:
    """`threshold=1` makes an integer buffer, which counts as a float in the arithmetic."""
    return buffer if buffer is None or buffer.is_floating_point() else buffer.to(torch.get_default_dtype())


def _within_unit(decay: Tensor) -> bool:
    return bool(((decay >= 0) & (decay <= 1)).all())


class Snntorch(Handler):
    """Handler of one class: its stand-in, its IR op, its states and decays in operand order."""

    def __init__(self, stand_in: type[Any], op: Callable[[Any], Op], states: str, decays: str = "") -> None:
        self._class, self._op = stand_in, op
        self._states, self._decays = tuple(states.split()), tuple(decays.split())

    def stand_in(self, layer: Any, path: str) -> nn.Module:
        """A neuron of the same parameters, whose states live as long as the export."""
        made: Any = object.__new__(self._class)
        made.__dict__.update(layer.__dict__)
        made.__dict__["_parameters"] = dict(layer._parameters)
        made.__dict__["_buffers"] = {k: _as_float(v) for k, v in layer._buffers.items() if k not in self._states}
        with torch.no_grad():
            limited = frozenset(name for name in self._decays if _within_unit(getattr(layer, name)))
            graded = not bool(torch.eq(made.graded_spikes_factor, 1).all())
        made.__dict__.update(_qsc_states=States(), _qsc_path=path, _qsc_limited=limited, _qsc_graded=graded)
        made.state_function = getattr(made, _RESET_METHODS[layer.reset_mechanism])
        return made

    def problem(self, layer: Any) -> str | None:
        """Quantised states, inhibition, and what was changed after it was made."""
        name = type(layer).__name__
        if problem := overridden(layer):
            return problem
        if layer.state_quant:
            return f"{name} with state_quant"
        if layer.inhibition:
            return f"{name} with inhibition"
        method = layer.state_function
        if not isinstance(method, MethodType) or method.__func__.__name__ != _RESET_METHODS[layer.reset_mechanism]:
            return f"{name} whose reset_mechanism was changed after it was made"
        if not is_step(layer.spike_grad, inclusive=False):
            return f"{name} whose spike_grad is not a step at zero in the forward direction"
        if isinstance(layer, snn.RSynaptic) and not layer.reset_delay:
            return f"{name} with reset_delay=False, whose reset snntorch 1.0 computes and drops,"
        return None

    def op(self, layer: Any) -> Op:
        """The op with the layer's reset."""
        return self._op(layer)

    def forget(self, layer: Any, model: nn.Module) -> None:
        """States of zero."""
        for name in self._states:
            layer._buffers[name] = torch.zeros(0)

    @contextmanager
    def exporting(self, stand_ins: Sequence[nn.Module], model: nn.Module) -> Iterator[None]:
        """snntorch.utils.reset reaches every neuron of the process through one list: only the stand-ins meanwhile."""
        registered = snn.SpikingNeuron.instances
        snn.SpikingNeuron.instances = [*(n for n in registered if isinstance(n, _StandIn)), *stand_ins]
        try:
            yield
        finally:
            snn.SpikingNeuron.instances = registered


def _stepped(op: type[SteppedNeuron]) -> Callable[[Any], Op]:
    return lambda layer: op(reset=layer.reset_mechanism, delayed=bool(layer.reset_delay))


def _lapicque(layer: Any) -> Op:
    reset = "value" if layer.reset_mechanism == "zero" else layer.reset_mechanism
    return ops.Lif("circuit", reset=reset, delayed=True)


LEAKY = Snntorch(LeakyStandIn, _stepped(ops.Leaky), "mem", "beta")
SYNAPTIC = Snntorch(SynapticStandIn, _stepped(ops.Synaptic), "syn mem", "alpha beta")
RLEAKY = Snntorch(RLeakyStandIn, _stepped(ops.RLeaky), "spk mem", "beta")
RSYNAPTIC = Snntorch(RSynapticStandIn, _stepped(ops.RSynaptic), "spk syn mem", "alpha beta")
LAPICQUE = Snntorch(LapicqueStandIn, _lapicque, "mem")
ALPHA = Snntorch(AlphaStandIn, lambda layer: ops.Fire(), "syn_exc syn_inh mem")
