"""spikingjelly neurons (2.0): IFNode, LIFNode, ParametricLIFNode and CUBALIFNode, one step or many."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from spikingjelly.activation_based import functional, layer
from spikingjelly.activation_based.base import MemoryModule
from torch import Tensor, nn

from ...ir import Op, ops
from .layers_neurons import Handler, States, is_step, neuron, number, overridden


@dataclass(frozen=True)
class Kind:
    """One class of neurons. form: the membrane of a layer. given: its parameters before threshold and reset value.
    memories: names of the states in operand order. current: the synapse, "" where there is none."""

    form: Callable[[Any], str]
    given: Callable[[Any], tuple[float | Tensor, ...]]
    memories: tuple[str, ...] = ("v",)
    current: str = ""


def _rest(layer: Any) -> float:
    """What the membrane leaks to."""
    return 0.0 if layer.v_reset is None else layer.v_reset


class StandIn(nn.Module):
    """Takes the place of a node during export. Its state is that of the original where user code asks for it."""

    def __init__(self, node: Any, path: str, kind: Kind) -> None:
        super().__init__()
        self.__dict__["_parameters"] = dict(node._parameters)
        self._states, self._path, self._kind = States(), path, kind
        self.v_threshold, self.v_reset, self.step_mode = node.v_threshold, node.v_reset, node.step_mode
        self.tau, self.decay_input = getattr(node, "tau", None), getattr(node, "decay_input", None)
        self.c_decay, self.v_decay = getattr(node, "c_decay", None), getattr(node, "v_decay", None)

    @property
    def v(self) -> Tensor | float:
        """The potential, a plain number before the first step."""
        return self._states.tensors.get("v", _rest(self))

    def reset(self) -> None:
        """Start anew (functional.reset_net)."""
        self._states.tensors.clear()

    def forward(self, x: Tensor) -> Tensor:
        if self.step_mode == "s":
            return self._step(x)
        return torch.stack([self._step(part) for part in x])

    def _step(self, x: Tensor) -> Tensor:
        kind, starts = self._kind, {"v": _rest(self)}
        states = [self._states.get(name, x, starts.get(name, 0.0)) for name in kind.memories]
        resets = () if self.v_reset is None else (self.v_reset,)
        parameters = [number(value, x) for value in (*kind.given(self), self.v_threshold, *resets)]
        spikes, *after = neuron(self._path, [x], states, parameters)
        self._states.tensors.update(zip(kind.memories, after, strict=True))
        return spikes


class Node(Handler):
    """Handler of one class of spikingjelly's neurons."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind

    def stand_in(self, layer: nn.Module, path: str) -> nn.Module:
        """A node."""
        return StandIn(layer, path, self._kind)

    def problem(self, layer: Any) -> str | None:
        """Recorded potentials, reduced precision, and spike functions that are no step."""
        name = type(layer).__name__
        if problem := overridden(layer):
            return problem
        if layer.store_v_seq:
            return f"{name} with store_v_seq"
        if layer._neuron_precision is not None:
            return f"{name} with a precision of its own"
        if not is_step(layer.surrogate_function, inclusive=True):
            return f"{name} whose surrogate_function is not a step at zero in the forward direction"
        return None

    def op(self, layer: Any) -> Op:
        """Lif or CubaLif; a potential on the threshold fires."""
        kind, reset = self._kind, "subtract" if layer.v_reset is None else "value"
        if kind.current:
            return ops.CubaLif(kind.form(layer), reset=reset, inclusive=True, current=kind.current)
        return ops.Lif(kind.form(layer), reset=reset, inclusive=True)

    def forget(self, layer: Any, model: nn.Module) -> None:
        """Start anew, containers with a memory too."""
        for module in model.modules():
            if isinstance(module, MemoryModule):
                module.reset()

    @contextmanager
    def exporting(self, stand_ins: Sequence[nn.Module], model: nn.Module) -> Iterator[None]:
        """Layers of many steps flatten time and batch into one dimension, which no program can tell apart again: they
        run step by step meanwhile, which is the same."""
        self.forget(stand_ins[0], model)
        before = [(owner, name, getattr(owner, name)) for owner, name, _ in _STEP_BY_STEP]
        for owner, name, function in _STEP_BY_STEP:
            setattr(owner, name, function)
        try:
            yield
        finally:
            for owner, name, function in before:
                setattr(owner, name, function)


def _normalise(self: Any, x: Tensor) -> Tensor:
    return self.super_forward(x) if self.step_mode == "s" else functional.multi_step_forward(x, self.super_forward)


_STEP_BY_STEP: tuple[tuple[Any, str, Callable[..., Any]], ...] = (
    (functional, "seq_to_ann_forward", functional.multi_step_forward),
    (layer.BatchNorm2d, "forward", _normalise),
    (layer.BatchNorm3d, "forward", _normalise),
)
"""What flattens time and batch -> what is called in its place."""

IF = Node(Kind(lambda node: "add", lambda node: ()))
LIF = Node(Kind(lambda node: "charge" if node.decay_input else "drain", lambda node: (node.tau, _rest(node))))
PARAMETRIC_LIF = Node(
    Kind(
        lambda node: "charge_share" if node.decay_input else "drain_share",
        lambda node: (node.w.sigmoid(), _rest(node)),
    )
)
CUBA_LIF = Node(
    Kind(lambda node: "decay", lambda node: (node.c_decay, node.v_decay), memories=("c", "v"), current="decay")
)
