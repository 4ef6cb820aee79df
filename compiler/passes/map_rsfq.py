"""Boolean logic to clocked RSFQ cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ...ir import Location, Module, Netlist, NetlistEditor, TargetError
from ...ir.cells import CELLS
from ...ir.netlist import CellRow
from ...ir.stages import ordered_rows
from .base import Context, Contract, Pass

CELL_OF = {
    "not": ("NOT",),
    "and": ("AND2",),
    "or": ("OR2",),
    "xor": ("XOR2",),
    "xnor": ("XNOR2",),
    "nand": ("AND2", "NOT"),
    "nor": ("OR2", "NOT"),
}
"""Logic cell -> the clocked cells that follow each other; all but the first take the one before them."""

CONSTANT_CELL = {"zero": "XOR2", "one": "XNOR2"}
"""A constant is a cell that takes the first input on both pins: no pulse, or a pulse, whatever the input is."""


@dataclass(frozen=True)
class MapRsfq(Pass):
    """Turn logic cells into clocked RSFQ cells: AND2, OR2, XOR2, XNOR2, NOT, with a clock port.

    Buffers become wires and SFQ cells stay as they are. Constants, which RSFQ logic has no source for, are made from
    the first input (`x ^ x`). The result still lacks path balancing and splitters. A netlist without inputs is refused.
    """

    name: ClassVar[str] = "map-rsfq"
    contract: ClassVar[Contract] = Contract.VALUES

    def run(self, module: Module, context: Context) -> Module:
        netlists = dict(module.netlists)
        for name, before in module.netlists.items():
            # Logic without a clock port and without cells (an output that is an input) needs the clock for its DFF.
            if before.clock >= 0 and not any(CELLS[code].logic for code in before.opcode.tolist()):
                continue
            after = mapped(before)
            counts = ", ".join(f"{count} {cell}" for cell, count in after.cell_counts().items())
            context.remark(self, f"{name}: {counts or 'no cells'}", before.place)
            netlists[name] = after
        return module.with_(netlists=netlists)


def mapped(netlist: Netlist) -> Netlist:
    """The netlist with every logic cell as clocked cells. TargetError where there is no input to clock data in by."""
    if not netlist.inputs:
        raise TargetError.of(
            "T0003",
            f"netlist {netlist.name} has no input: its outputs are constants",
            netlist.place,
            help="pulse logic computes from input pulses; put the constant into the host program",
        )
    return _Mapping(netlist).netlist()


class _Mapping:
    def __init__(self, source: Netlist) -> None:
        self.source = source
        self.editor = NetlistEditor(source.name, [port for port, _ in source.inputs], source.place, clock=True)
        self.net = {net: own for (_, net), (_, own) in zip(source.inputs, self.editor.inputs, strict=True)}
        self.net[source.clock] = self.editor.clock

    def netlist(self) -> Netlist:
        rows = self.source.rows()
        for k in ordered_rows(self.source):
            self._take(rows[k], self.source.place_of(k))
        return self.editor.netlist([(port, self.net[net]) for port, net in self.source.outputs])

    def _take(self, row: CellRow, place: Location) -> None:
        cell, inputs = row.cell, [self.net[n] for n in row.inputs]
        if not cell.logic:
            outputs = self.editor.add(cell.name, inputs, location=place)
        elif cell.name == "buf":
            outputs = tuple(inputs)
        elif cell.name in CONSTANT_CELL:
            first = self.editor.inputs[0][1]
            outputs = self._clocked(CONSTANT_CELL[cell.name], [first, first], place)
        else:
            outputs = tuple(inputs)
            for name in CELL_OF[cell.name]:
                outputs = self._clocked(name, outputs, place)
        self.net.update(zip(row.outputs, outputs, strict=True))

    def _clocked(self, name: str, inputs: list[int] | tuple[int, ...], place: Location) -> tuple[int, ...]:
        return self.editor.add(name, [*inputs, self.editor.clock], location=place)
