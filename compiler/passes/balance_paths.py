"""Every pulse of one computation in the same clock period: DFFs on the short paths."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from ...ir import InputError, Location, Module, Netlist, NetlistEditor
from ...ir.cells import CELL_CODES
from ...ir.stages import data_nets, ordered_rows, stage_faults
from .base import Context, Contract, Pass
from .stage_levels import Stages

SPLIT = CELL_CODES["SPLIT"]


@dataclass(frozen=True)
class BalancePaths(Pass):
    """Insert DFFs so that all inputs of a clocked cell come from one stage and all outputs are aligned.

    The depth is the least possible. Sinks of one net tap one chain of DFFs. Every output comes from a clocked cell.
    levels: `optimal` chooses the stages of the cells for the fewest DFFs; `earliest` takes every cell as early as its
    inputs allow, which is faster for logic of tens of thousands of cells. Splitters that are already in an unbalanced
    netlist are taken out: `insert-splitters` puts them back.
    """

    name: ClassVar[str] = "balance-paths"
    contract: ClassVar[Contract] = Contract.VALUES
    levels: str = "optimal"

    def run(self, module: Module, context: Context) -> Module:
        if self.levels not in ("optimal", "earliest"):
            raise InputError.of(
                "O0002", f"balance-paths: levels is {self.levels!r}", help="levels is optimal or earliest"
            )
        netlists = dict(module.netlists)
        for name, before in module.netlists.items():
            if before.clock < 0 or not stage_faults(before):
                continue
            bare = without_splitters(before)
            strange = next(_unbalanceable(bare), None)
            if strange is not None:
                context.remark(self, f"{name}: not balanced, {strange[1]}", bare.place_of(strange[0]))
                continue
            after, depth = balanced(bare, optimal=self.levels == "optimal")
            added = len(after) - len(bare)
            message = f"{name}: {added} balancing DFFs, {depth} stages"
            context.remark(self, message, before.place, cells=-added)
            netlists[name] = after
        return module.with_(netlists=netlists)


def without_splitters(netlist: Netlist) -> Netlist:
    """The netlist with every splitter replaced by fan-out."""
    origin: dict[int, int] = {}
    rows, order = netlist.rows(), ordered_rows(netlist)
    for k in order:
        if rows[k].opcode == SPLIT:
            origin.update((net, origin.get(rows[k].inputs[0], rows[k].inputs[0])) for net in rows[k].outputs)
    if not origin:
        return netlist
    kept = [
        rows[k]._replace(inputs=tuple(origin.get(n, n) for n in rows[k].inputs))
        for k in order
        if rows[k].opcode != SPLIT
    ]
    return Netlist.of(
        netlist.name,
        netlist.inputs,
        [(port, origin.get(net, net)) for port, net in netlist.outputs],
        kept,
        num_nets=netlist.num_nets,
        clock=netlist.clock,
        locations=netlist.locations,
        place=netlist.place,
    )


def _unbalanceable(netlist: Netlist) -> Iterator[tuple[int, str]]:
    """Cells that take part in no balancing, each with the reason."""
    for k, row in enumerate(netlist.rows()):
        if not row.cell.clocked:
            yield k, f"it holds {row.cell.name}, which is not a clocked cell"
        elif netlist.clock in data_nets(row):
            yield k, f"a {row.cell.name} takes the clock as data"


def balanced(netlist: Netlist, *, optimal: bool = True) -> tuple[Netlist, int]:
    """A netlist of clocked cells with its paths balanced, and its depth in stages."""
    return _Balancing(netlist, optimal).result()


class _Balancing:
    def __init__(self, source: Netlist, optimal: bool) -> None:
        self.source = source
        rows = source.rows()
        self.order = ordered_rows(source)
        self.rows = [rows[k] for k in self.order]
        self.problem = self._problem()
        self.stage = self.problem.cheapest() if optimal else self.problem.earliest()
        self.depth = self.problem.depth(self.stage)
        self.editor = NetlistEditor(source.name, [port for port, _ in source.inputs], source.place, clock=True)
        self.chains: dict[int, list[int]] = {}
        self.start: dict[int, int] = {}
        self.places: dict[int, Location] = {}

    def _problem(self) -> Stages:
        drivers = [-1] * self.source.num_nets
        sinks: list[list[int]] = [[] for _ in drivers]
        for k, row in enumerate(self.rows):
            drivers[row.outputs[0]] = k
            for net in dict.fromkeys(data_nets(row)):
                sinks[net].append(k)
        at_output = [False] * len(drivers)
        for _, net in self.source.outputs:
            at_output[net] = True
        return Stages(len(self.rows), drivers, sinks, at_output)

    def result(self) -> tuple[Netlist, int]:
        for (_, net), (_, own) in zip(self.source.inputs, self.editor.inputs, strict=True):
            self._define(net, own, 0, self.source.place)
        for k in sorted(range(len(self.rows)), key=lambda k: self.stage[k]):
            row, place = self.rows[k], self.source.place_of(self.order[k])
            inputs = [self._tap(net, self.stage[k] - 1) for net in data_nets(row)]
            (own,) = self.editor.add(row.cell.name, [*inputs, self.editor.clock], location=place)
            self._define(row.outputs[0], own, self.stage[k], place)
        outputs = [(port, self._tap(net, self.depth)) for port, net in self.source.outputs]
        return self.editor.netlist(outputs), self.depth

    def _define(self, net: int, own: int, stage: int, place: Location) -> None:
        self.chains[net], self.start[net], self.places[net] = [own], stage, place

    def _tap(self, net: int, stage: int) -> int:
        """The net delayed until `stage`; the chain of DFFs grows as far as needed."""
        chain, wanted = self.chains[net], stage - self.start[net]
        while len(chain) <= wanted:
            chain += self.editor.add("DFF", [chain[-1], self.editor.clock], location=self.places[net])
        return chain[wanted]
