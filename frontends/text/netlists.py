"""Netlist blocks and logic blocks -> netlists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ...ir import Netlist, NetlistEditor
from ...ir.cells import CELL_CODES, CELLS
from ...ir.diagnostics import did_you_mean, nearest
from ...ir.locations import LocationTable
from ...ir.netlist import CellRow
from ...ir.verifier import netlist_faults
from .circuits import repeated
from .faults import Faults, Wrong
from .runs import CellsRun
from .syntax import CellLine, Chain, Expression, LogicBlock, Name, NetlistBlock, Number, Prefixed, Reference, Span

_OPERATORS = {"&": "and", "|": "or", "^": "xor"}

Line = tuple[tuple[str, ...], str, tuple[str, ...], int, int, CellLine | CellsRun, int]
"""Outputs, cell, inputs, line and column of one cell, and what it was read from: a line, or one of a run."""


def lower_netlist(block: NetlistBlock, faults: Faults, runs: Sequence[CellsRun]) -> Netlist:
    """The netlist of a block; where something is wrong in it, what is right of it."""
    before = faults.count
    nets: dict[str, int] = {}
    for name in (*block.inputs, *block.clocks):
        _define(name, nets, faults)
    for name in block.clocks[1:]:
        faults.add("P0003", "a netlist has one clock", name.span)
    lines = [*_lines(block, runs)]
    for line in lines:
        for k, net in enumerate(line[0]):
            if net in nets:
                _define(_source(line).outputs[k], nets, faults)
            else:
                nets[net] = len(nets)
    rows = [*_rows(lines, nets, faults)]
    for name in repeated([port for port, _ in block.outputs]):
        faults.add("P0003", f"output {name.text} is listed twice", name.span)
    outputs = [(port.text, _known(net, nets, faults)) for port, net in block.outputs]
    netlist = Netlist.of(
        block.name.text,
        [(name.text, nets[name.text]) for name in block.inputs],
        outputs,
        rows,
        num_nets=len(nets),
        clock=nets[block.clocks[0].text] if block.clocks else -1,
        locations=LocationTable.in_file(
            faults.file, np.array([line[3] for line in lines], int), np.array([line[4] for line in lines], int)
        ),
        place=faults.location(block.key.span),
    )
    if faults.count == before:
        check_netlist(netlist, faults)
    return netlist


def check_netlist(netlist: Netlist, faults: Faults) -> None:
    """Faults that only the whole shows: cycles, and nets that need a splitter."""
    for fault in netlist_faults(netlist):
        span = Span(fault.location.line, fault.location.column)
        faults.add(fault.code, fault.message, span, fault.help)


def _define(name: Name, nets: dict[str, int], faults: Faults) -> None:
    if name.text in nets:
        faults.add("P0003", f"net {name.text} is defined twice", name.span, "a net has one driver")
    nets.setdefault(name.text, len(nets))


def _known(name: Name, nets: Mapping[str, int], faults: Faults) -> int:
    if name.text not in nets:
        help = did_you_mean(name.text, nets) if nets else ""
        faults.add("P0002", f"there is no net {name.text}", name.span, help)
    return nets.get(name.text, 0)


def _lines(block: NetlistBlock, runs: Sequence[CellsRun]) -> Iterator[Line]:
    for item in block.cells:
        if isinstance(item, CellLine):
            yield _line(item)
            continue
        run = runs[item.number]
        for k, (indent, outputs, cell, inputs, _) in enumerate(run.fields):
            given = tuple(inputs.split(", ")) if inputs else ()
            yield tuple(outputs.split(", ")), cell, given, run.lines[k], len(indent) + 1, run, k


def _line(item: CellLine) -> Line:
    outputs, inputs = tuple(n.text for n in item.outputs), tuple(n.text for n in item.inputs)
    place = item.outputs[0].span
    return outputs, item.cell.text, inputs, place.line, place.column, item, 0


def _source(line: Line) -> CellLine:
    """The cell with the places of its parts."""
    return line[5] if isinstance(line[5], CellLine) else line[5].cell(line[6])


def _rows(lines: Sequence[Line], nets: Mapping[str, int], faults: Faults) -> Iterator[CellRow]:
    for k, line in enumerate(lines):
        outputs, cell, inputs = line[:3]
        code = CELL_CODES.get(cell)
        if code is None:
            name = _source(line).cell
            # Names that differ in case only are the likeliest slip: `and` is logic, AND2 a cell.
            close = [c for c in CELL_CODES if c.lower().startswith(cell.lower())] or nearest(cell, CELL_CODES)
            help = did_you_mean(cell, close or CELL_CODES)
            faults.add("P0002", f"there is no cell {cell}", name.span, help)
            continue
        kind = CELLS[code]
        if len(inputs) != len(kind.inputs) or len(outputs) != len(kind.outputs):
            pins = f"({', '.join(kind.outputs)}) = {cell}({', '.join(kind.inputs)})"
            message = f"{cell} has {len(kind.inputs)} inputs and {len(kind.outputs)} outputs"
            faults.add(
                "N0002", f"{message}, got {len(inputs)} and {len(outputs)}", _source(line).cell.span, f"pins: {pins}"
            )
            continue
        pins = [nets.get(net, -1) for net in inputs]
        if -1 in pins:
            for name in _source(line).inputs:
                _known(name, nets, faults)
        yield CellRow(code, tuple(pins), tuple(nets[net] for net in outputs), k)


# Logic


def lower_logic(block: LogicBlock, faults: Faults) -> Netlist:
    """The netlist of lower-case cells that a logic block describes; where it is wrong, what is right of it."""
    for name in repeated(block.inputs):
        faults.add("P0003", f"input {name.text} is named twice", name.span)
    for name in repeated(block.outputs):
        faults.add("P0003", f"output {name.text} is named twice", name.span)
    inputs = list(dict.fromkeys(name.text for name in block.inputs))
    logic = _Logic(NetlistEditor(block.name.text, inputs, faults.location(block.key.span)), block, faults)
    for name, expression in block.assignments:
        logic.assign(name, expression)
    return logic.netlist()


class _Logic:
    """One logic block while it is read. A net of None is one whose definition is wrong."""

    def __init__(self, editor: NetlistEditor, block: LogicBlock, faults: Faults) -> None:
        self.editor = editor
        self.block = block
        self.faults = faults
        self.nets: dict[str, int | None] = dict(editor.inputs)
        self.constants: dict[str, int] = {}

    def assign(self, name: Name, expression: Expression) -> None:
        if name.text in self.nets:
            self.faults.add("P0003", f"{name.text} is assigned twice", name.span, "give the new value another name")
            return
        try:
            self.nets[name.text] = self._net(expression)
        except _Unknown:
            self.nets[name.text] = None
        except Wrong as wrong:
            wrong.record(self.faults)
            self.nets[name.text] = None

    def netlist(self) -> Netlist:
        outputs: dict[str, int] = {}
        for name in self.block.outputs:
            if name.text not in self.nets:
                help = f"add a line: {name.text} = ...;"
                self.faults.add("P0002", f"output {name.text} is never assigned", name.span, help)
            elif (net := self.nets[name.text]) is not None:
                outputs[name.text] = net
        return self.editor.netlist(list(outputs.items()))

    def _net(self, expression: Expression) -> int:
        if isinstance(expression, Reference):
            return self._named(expression)
        if isinstance(expression, Number) and expression.text in ("0", "1"):
            cell = "one" if expression.text == "1" else "zero"
            if cell not in self.constants:
                self.constants[cell] = self._cell(cell, [], expression.span)
            return self.constants[cell]
        if isinstance(expression, Prefixed) and expression.operator != "-":
            return self._cell("not", [self._net(expression.operand)], expression.span)
        if isinstance(expression, Chain) and all(op in _OPERATORS for op, _ in expression.rest):
            net = self._net(expression.first)
            for operator, item in expression.rest:
                net = self._cell(_OPERATORS[operator], [net, self._net(item)], expression.span)
            return net
        raise Wrong("P0005", "this is not logic", expression.span, "logic is made of nets, 0, 1, & | ^ ~ and ( )")

    def _cell(self, cell: str, inputs: list[int], span: Span) -> int:
        (net,) = self.editor.add(cell, inputs, location=self.faults.location(span))
        return net

    def _named(self, reference: Reference) -> int:
        name = reference.name.text
        if reference.indices:
            raise Wrong("P0005", f"{name} is a single net, it has no index", reference.span)
        if name not in self.nets:
            if any(later.text == name for later, _ in self.block.assignments):
                help = f"{name} is assigned further down; a net is assigned before it is used"
            else:
                help = did_you_mean(name, self.nets) if self.nets else ""
            raise Wrong("P0002", f"there is no net {name}", reference.name.span, help)
        net = self.nets[name]
        if net is None:
            raise _Unknown
        return net


class _Unknown(Exception):  # noqa: N818 - not a fault of its own: what it depends on is reported
    """A net whose definition is wrong is used."""
