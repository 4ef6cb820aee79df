"""Boolean logic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..graph import Op, TypeFault
from ..types import Type
from .rules import need_size

if TYPE_CHECKING:
    from ..module import Module


@dataclass(frozen=True)
class Logic(Op):
    """The netlist's outputs for its inputs, ports in order: bit (batch, inputs) -> bit (batch, outputs)."""

    mnemonic = "logic"
    netlist: str

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        if self.netlist not in module.netlists:
            raise TypeFault(f"there is no netlist {self.netlist!r}", code="I0004")
        netlist = module.netlists[self.netlist]
        x = operands[0]
        if x.dtype != "bit" or not x.shape:
            raise TypeFault(f"needs bits, got {x}")
        need_size(x.shape[-1], len(netlist.inputs), "the number of inputs")
        return (x.with_shape((*x.shape[:-1], len(netlist.outputs))),)
