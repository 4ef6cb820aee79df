"""qsc.nn.Evolution: angles of the circuit that evolves by a matrix of data."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from ...ir import Circuit, Value, ops
from ...ir.unitaries import angle_count
from .raising import Call, Raiser

torch.library.define("qsc::evolution", "(Tensor x, Tensor t, int angles, str layer) -> Tensor")


@torch.library.register_fake("qsc::evolution")
def _evolution_shape(x: Tensor, t: Tensor, angles: int, layer: str) -> Tensor:
    return x.new_empty((*x.shape[:-2], t.shape[0], angles))


class EvolutionStandIn(nn.Module):
    """Takes the place of an Evolution during export."""

    def __init__(self, layer: nn.Module, path: str) -> None:
        super().__init__()
        self.__dict__["_parameters"] = dict(layer._parameters)
        self._angles = angle_count(int(layer.qubits))  # pyright: ignore[reportArgumentType]
        self._path = path

    def forward(self, x: Tensor) -> Tensor:
        return torch.ops.qsc.evolution(x, self.t, self._angles, self._path)


class Evolution:
    """Handler of qsc.nn.Evolution."""

    spiking = False

    def stand_in(self, layer: nn.Module, path: str) -> nn.Module:
        return EvolutionStandIn(layer, path)

    def problem(self, layer: nn.Module) -> str | None:
        return None

    def circuits(self, layer: nn.Module) -> Sequence[Circuit]:
        return ()

    def take(self, raiser: Raiser, call: Call, layer: nn.Module) -> Value:
        x, t = (raiser.value(call.arguments[name]) for name in ("x", "t"))
        floats = raiser.common_float(x, t)
        given = (raiser.as_float(v, floats) for v in (x, t))
        (parts,) = raiser.emit(ops.HermitianEvolution(), *given, hints=("evolution",))
        return raiser.emit(ops.UnitaryAngles(), parts, hints=(raiser.hint(call),))[0]

    def forget(self, layer: nn.Module, model: nn.Module) -> None:
        """It keeps nothing between calls."""

    def exporting(self, stand_ins: Sequence[nn.Module], model: nn.Module) -> AbstractContextManager[None]:
        return nullcontext()


EVOLUTION = Evolution()
