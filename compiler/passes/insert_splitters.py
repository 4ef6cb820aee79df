"""One driver, one sink: a tree of splitters for every net with more sinks, the clock net included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ...ir import Location, Module, Netlist
from ...ir.cells import CELL_CODES, CELLS
from ...ir.diagnostics import UNKNOWN
from ...ir.locations import LocationTable
from ...ir.netlist import CellRow
from ...ir.stages import net_stages, ordered_rows
from .base import Context, Contract, Pass

SPLIT = CELL_CODES["SPLIT"]

Sink = tuple[int, int]
"""(cell, pin) of the cell's inputs, or (-1, position) of an output port."""


@dataclass(frozen=True)
class InsertSplitters(Pass):
    """Add the splitters that fan-out needs: k - 1 in a balanced tree for k sinks, on data nets and on the clock.

    Where a clock tree cannot be even, early stages get the longer branches: a cell is then never clocked later than a
    cell that it feeds by more than its own delay covers, so no pulse races through two stages in one period.
    """

    name: ClassVar[str] = "insert-splitters"
    contract: ClassVar[Contract] = Contract.VALUES

    def run(self, module: Module, context: Context) -> Module:
        netlists = dict(module.netlists)
        for name, before in module.netlists.items():
            after = split(before)
            if after is before:
                continue
            on_clock = max(0, len(sinks_of(before)[before.clock]) - 1) if before.clock >= 0 else 0
            added = len(after) - len(before)
            message = f"{name}: {added - on_clock} splitters on data nets, {on_clock} in the clock tree"
            context.remark(self, message, before.place, cells=-added)
            netlists[name] = after
        return module.with_(netlists=netlists)


def sinks_of(netlist: Netlist) -> list[list[Sink]]:
    """For every net its sinks, cells in order, then output ports."""
    sinks: list[list[Sink]] = [[] for _ in range(netlist.num_nets)]
    for k, row in enumerate(netlist.rows()):
        for pin, net in enumerate(row.inputs):
            sinks[net].append((k, pin))
    for position, (_, net) in enumerate(netlist.outputs):
        sinks[net].append((-1, position))
    return sinks


def split(netlist: Netlist) -> Netlist:
    """The netlist with one sink a net; itself where that holds already, or where it is not made of SFQ cells."""
    sinks = sinks_of(netlist)
    is_mapped = netlist.clock >= 0 and not any(CELLS[code].logic for code in set(netlist.opcode.tolist()))
    if not is_mapped or all(len(s) <= 1 for s in sinks):
        return netlist
    return _Splitting(netlist, sinks).netlist()


class _Splitting:
    def __init__(self, source: Netlist, sinks: list[list[Sink]]) -> None:
        self.source, self.sinks = source, sinks
        self.num_nets = source.num_nets
        self.stage = net_stages(source)
        self.source_rows = source.rows()
        self.rows: list[CellRow] = []
        self.branch: dict[Sink, int] = {}
        self.places: dict[Location, int] = {}

    def netlist(self) -> Netlist:
        source = self.source
        for net in (*(net for _, net in source.inputs), source.clock):
            self._tree(net, source.place)
        for k in ordered_rows(source):
            row, place = self.source_rows[k], source.place_of(k)
            inputs = tuple(self.branch[k, pin] for pin in range(len(row.inputs)))
            self.rows.append(CellRow(row.opcode, inputs, row.outputs, self._location(place)))
            for net in row.outputs:
                self._tree(net, place)
        outputs = [(port, self.branch[-1, position]) for position, (port, _) in enumerate(source.outputs)]
        return Netlist.of(
            source.name,
            source.inputs,
            outputs,
            self.rows,
            num_nets=self.num_nets,
            clock=source.clock,
            locations=LocationTable.of(self.places),
            place=source.place,
        )

    def _tree(self, net: int, place: Location) -> None:
        """Give every sink of the net a branch of its own, the longest ones to the sinks that `_order` puts first."""
        sinks = self._order(net)
        count = len(sinks)
        level = [net]
        while 2 * len(level) <= count:
            level = [branch for n in level for branch in self._split(n, place)]
        long = count - len(level)
        if long > 0:
            level = [b for n in level[:long] for b in self._split(n, place)] + level[long:]
        self.branch.update(zip(sinks, level, strict=False))

    def _order(self, net: int) -> Sequence[Sink]:
        if net != self.source.clock:
            return self.sinks[net]
        return sorted(self.sinks[net], key=lambda sink: self._stage_of(sink[0]))

    def _stage_of(self, cell: int) -> int:
        return self.stage[self.source_rows[cell].outputs[0]] if cell >= 0 else 0

    def _split(self, net: int, place: Location) -> tuple[int, int]:
        a, b = self.num_nets, self.num_nets + 1
        self.num_nets += 2
        self.rows.append(CellRow(SPLIT, (net,), (a, b), self._location(place)))
        return a, b

    def _location(self, place: Location) -> int:
        return self.places.setdefault(place, len(self.places)) if place != UNKNOWN else -1
