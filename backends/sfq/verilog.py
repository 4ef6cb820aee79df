"""Structural Verilog of a netlist: one instance a cell, one scalar wire a net."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath

from ...ir import Netlist
from ...ir.cells import CELLS
from ...ir.diagnostics import Location

_KEYWORDS = """
always and assign automatic begin buf bufif0 bufif1 case casex casez cell cmos config deassign default defparam design
disable edge else end endcase endconfig endfunction endgenerate endmodule endprimitive endspecify endtable endtask event
for force forever fork function generate genvar highz0 highz1 if ifnone incdir include initial inout input instance
integer join large liblist library localparam macromodule medium module nand negedge nmos nor noshowcancelled not notif0
notif1 or output parameter pmos posedge primitive pull0 pull1 pulldown pullup pulsestyle_onevent pulsestyle_ondetect
rcmos real realtime reg release repeat rnmos rpmos rtran rtranif0 rtranif1 scalared showcancelled signed small specify
specparam strong0 strong1 supply0 supply1 table task time tran tranif0 tranif1 tri tri0 tri1 triand trior trireg
unsigned use vectored wait wand weak0 weak1 while wire wor xnor xor
logic bit byte int
"""
KEYWORDS = frozenset(_KEYWORDS.split())

RESERVED = frozenset(c.name for c in CELLS) | {"testbench", "driver", "pulse_checks"}
"""Module names that are taken."""

INTERNAL = re.compile(r"[nu]\d+|tb_.*", re.IGNORECASE)
"""Names of internal nets, of instances and of the testbenches' own variables."""


@dataclass(frozen=True)
class Names:
    """Verilog names of one netlist: its module, its ports in order, its clock."""

    module: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    clock: str

    @classmethod
    def of(cls, netlist: Netlist) -> Names:
        """Names as in the netlist where Verilog allows them; others changed and numbered so that all differ."""
        module = _identifier(netlist.name, RESERVED)
        taken = {"clk"}
        ports = [_unique(port, taken) for port, _ in (*netlist.inputs, *netlist.outputs)]
        split = len(netlist.inputs)
        return cls(module, tuple(ports[:split]), tuple(ports[split:]), "clk")


def _identifier(name: str, taken: Iterable[str]) -> str:
    plain = re.sub(r"[^A-Za-z0-9_]", "_", name)
    plain = plain.rstrip("_") if plain != name else plain
    if not plain or not (plain[0].isalpha() or plain[0] == "_"):
        plain = "p" + plain
    lowered = {t.lower() for t in taken}
    # Names that differ in case alone would be one file, or one net in tools that do not tell case apart.
    while plain in KEYWORDS or plain.lower() in lowered or INTERNAL.fullmatch(plain):
        plain = f"p_{plain}"
    return plain


def _unique(name: str, taken: set[str]) -> str:
    base = _identifier(name, RESERVED)
    out, count = base, 0
    while out.lower() in {t.lower() for t in taken}:
        count += 1
        out = f"{base}_{count}"
    taken.add(out)
    return out


def structural(netlist: Netlist, names: Names, header: Iterable[str]) -> str:
    """The netlist as a Verilog module on the cells of `cells.v`; every instance names its place in the source."""
    net = {n: port for port, (_, n) in zip(names.inputs, netlist.inputs, strict=True)}
    net[netlist.clock] = names.clock
    net |= {n: port for port, (_, n) in zip(names.outputs, netlist.outputs, strict=True)}
    rows = netlist.rows()
    wires = [n for row in rows for n in row.outputs if n not in net]
    net |= {n: f"n{k}" for k, n in enumerate(wires)}
    ports = [*(f"input {p}" for p in (*names.inputs, names.clock)), *(f"output {p}" for p in names.outputs)]
    lines = [f"// {line}" for line in header]
    lines += ["`timescale 1fs/1fs", "", f"module {names.module}("]
    lines += [f"  {port}{',' if k + 1 < len(ports) else ''}" for k, port in enumerate(ports)]
    lines.append(");")
    lines += [f"  wire n{k};" for k in range(len(wires))]
    for k, row in enumerate(rows):
        pins = zip((*row.cell.inputs, *row.cell.outputs), (*row.inputs, *row.outputs), strict=True)
        place = _place(netlist.place_of(k))
        connections = ", ".join(f".{pin}({net[n]})" for pin, n in pins)
        lines.append(f"  {row.cell.name} u{k} ({connections});" + (f"  // {place}" if place else ""))
    return "\n".join([*lines, "endmodule"]) + "\n"


def _place(location: Location) -> str:
    """The place without the folder, which differs between machines, on one line."""
    name = PurePath(location.file).name if location.file else ""
    text = str(Location(name, location.line, location.column, location.path))
    return " ".join(text.split())
