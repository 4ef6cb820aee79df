"""Known layers: layers that are taken whole, by class, before torch sees what they are made of.

A known layer is swapped for a stand-in that calls a registered operation without an implementation, only a shape rule;
torch.export keeps the call, and the layer's handler turns it into IR nodes. A new known layer is one entry of `LAYERS`.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from torch import Tensor, nn

from ...ir import Value

if TYPE_CHECKING:
    from ...ir import Circuit
    from .raising import Call, Raiser

LAYERS: dict[str, str] = {
    "DCLS.construct.modules.Dcls1d": ".layers_dcls:DCLS_1D",
    "norse.torch.module.iaf.IAF": ".layers_norse:IAF",
    "norse.torch.module.iaf.IAFCell": ".layers_norse:IAF_CELL",
    "norse.torch.module.leaky_integrator.LI": ".layers_norse:LI",
    "norse.torch.module.leaky_integrator.LICell": ".layers_norse:LI_CELL",
    "norse.torch.module.leaky_integrator_box.LIBoxCell": ".layers_norse:LI_BOX_CELL",
    "norse.torch.module.lif.LIF": ".layers_norse:LIF",
    "norse.torch.module.lif.LIFCell": ".layers_norse:LIF_CELL",
    "norse.torch.module.lif.LIFRecurrent": ".layers_norse:LIF_RECURRENT",
    "norse.torch.module.lif.LIFRecurrentCell": ".layers_norse:LIF_RECURRENT_CELL",
    "norse.torch.module.lif_box.LIFBoxCell": ".layers_norse:LIF_BOX_CELL",
    "qsc.frontends.torch.nn.Evolution": ".layers_unitaries:EVOLUTION",
    "qsc.frontends.torch.nn.Quantum": ".layers_quantum:QUANTUM",
    "rockpool.nn.modules.torch.lif_torch.LIFTorch": ".layers_rockpool:LIF",
    "sinabs.layers.exp_leak.ExpLeak": ".layers_sinabs:LIF",
    "sinabs.layers.iaf.IAF": ".layers_sinabs:LIF",
    "sinabs.layers.iaf.IAFRecurrent": ".layers_sinabs:LIF",
    "sinabs.layers.lif.LIF": ".layers_sinabs:LIF",
    "sinabs.layers.lif.LIFRecurrent": ".layers_sinabs:LIF",
    "snntorch._neurons.alpha.Alpha": ".layers_snntorch:ALPHA",
    "snntorch._neurons.lapicque.Lapicque": ".layers_snntorch:LAPICQUE",
    "snntorch._neurons.leaky.Leaky": ".layers_snntorch:LEAKY",
    "snntorch._neurons.rleaky.RLeaky": ".layers_snntorch:RLEAKY",
    "snntorch._neurons.rsynaptic.RSynaptic": ".layers_snntorch:RSYNAPTIC",
    "snntorch._neurons.synaptic.Synaptic": ".layers_snntorch:SYNAPTIC",
    "spikingjelly.activation_based.neuron.integrate_and_fire.IFNode": ".layers_spikingjelly:IF",
    "spikingjelly.activation_based.neuron.lif.LIFNode": ".layers_spikingjelly:LIF",
    "spikingjelly.activation_based.neuron.lif_variants.CUBALIFNode": ".layers_spikingjelly:CUBA_LIF",
    "spikingjelly.activation_based.neuron.plif.ParametricLIFNode": ".layers_spikingjelly:PARAMETRIC_LIF",
}
"""Class path -> module:object of its handler, loaded when such a layer is met."""


class KnownLayer(Protocol):
    """How one class of layers is taken.

    The last argument of the operation that a stand-in calls is the layer's path.
    """

    spiking: bool
    """Whether the layer emits events, so that it has to be compared in its own precision."""

    def stand_in(self, layer: nn.Module, path: str) -> nn.Module:
        """The module that takes the layer's place during export. It shares the layer's parameters."""
        ...

    def problem(self, layer: nn.Module) -> str | None:
        """Why this layer cannot be taken as it is set up, or None."""
        ...

    def circuits(self, layer: nn.Module) -> Sequence[Circuit]:
        """The circuits that the layer brings along."""
        ...

    def take(self, raiser: Raiser, call: Call, layer: nn.Module) -> Value | tuple[Value, ...]:
        """The IR values of one call of the stand-in's operation."""
        ...

    def forget(self, layer: nn.Module, model: nn.Module) -> None:
        """Clear what a layer of the model, and what else of its framework, keeps from one call to the next."""
        ...

    def exporting(self, stand_ins: Sequence[nn.Module], model: nn.Module) -> AbstractContextManager[None]:
        """Wraps the export of `model`, a copy with the stand-ins: what outside it refers to such layers refers to the
        stand-ins meanwhile."""
        ...


@dataclass(frozen=True)
class Found:
    """A known layer of a model."""

    handler: KnownLayer
    layer: nn.Module
    path: str


def class_path(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def handler_of(layer: nn.Module) -> KnownLayer | None:
    """The handler of a layer's class, or of the base class whose forward it has unchanged; None for other layers."""
    for cls in type(layer).__mro__:
        entry = LAYERS.get(class_path(cls))
        if entry is None:
            continue
        if type(layer).forward is not cls.forward:
            return None
        module, _, name = entry.partition(":")
        return getattr(importlib.import_module(module, __package__), name)
    return None


def find_layers(model: nn.Module) -> dict[str, Found]:
    """Every known layer by its path; a layer inside a known layer is that layer's own business."""
    found: dict[str, Found] = {}
    for path, module in model.named_modules():
        if any(path.startswith(outer + ".") or outer == "" for outer in found):
            continue
        handler = handler_of(module)
        if handler is not None:
            found[path] = Found(handler, module, path)
    return found


def held_tensors(model: nn.Module) -> Iterator[Tensor]:
    """Every tensor that the model holds: parameters, buffers, plain attributes and what plain dicts hold."""
    for module in model.modules():
        for held in module.__dict__.values():
            for tensor in held.values() if isinstance(held, dict) else (held,):
                if isinstance(tensor, Tensor):
                    yield tensor


@contextmanager
def exporting(found: Mapping[str, Found], stand_ins: Mapping[str, nn.Module], model: nn.Module) -> Iterator[None]:
    """Enters every handler's `exporting` with its stand-ins."""
    by_handler: dict[int, tuple[KnownLayer, list[nn.Module]]] = {}
    for path, known in found.items():
        by_handler.setdefault(id(known.handler), (known.handler, []))[1].append(stand_ins[path])
    with ExitStack() as stack:
        for handler, modules in by_handler.values():
            stack.enter_context(handler.exporting(modules, model))
        yield
