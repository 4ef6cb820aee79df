"""The behavioural cell library `cells.v`: every cell on the level of pulses, with its timing checks.

A pulse is a toggle of a net. Icarus Verilog reads `$setup` and `$hold` and does not check them, so the checks are code.
"""

from __future__ import annotations

from collections.abc import Iterable

from ...ir.cells import CELL_CODES, CELLS, Cell
from .library import CellFigures, Library

RESULT = {
    "AND2": "has_a & has_b",
    "OR2": "has_a | has_b",
    "XOR2": "has_a ^ has_b",
    "XNOR2": "~(has_a ^ has_b)",
    "NOT": "~has_a",
    "DFF": "has_a",
}
"""Clocked cell -> whether a clock pulse gives an output pulse, from the pulses since the clock pulse before."""

HEADER = """\
// Behavioural RSFQ cells of the library {name}.
// A pulse is a toggle of a net, at any level. Times are in femtoseconds.
// A clocked cell keeps the pulses that came since its last clock pulse; a clock pulse empties it and, where the cell's
// function of them is true, sends one pulse DELAY later.
// Every cell checks what its figures demand and reports faults as `VIOLATION cell pin what time` on standard output:
//   separation  two pulses on one pin closer than SEPARATION
//   double      a second pulse on a data pin within one clock period
//   setup       a data pulse less than SETUP before a clock pulse
//   hold        a data pulse less than HOLD after a clock pulse
// The first settling of a net (x to 0 at time 0) is not a pulse: nothing counts at time 0.
`timescale 1fs/1fs

`define VIOLATION(pin, what) begin \\
  $display("VIOLATION %m %s %s %0d", pin, what, $time); \\
  pulse_checks.violations = pulse_checks.violations + 1; \\
end

// A second top module beside the testbench: it counts the faults of all cells.
module pulse_checks;
  integer violations = 0;
endmodule
"""


def cell_library(library: Library, kinds: Iterable[str]) -> str:
    """`cells.v`: the models of these cell kinds with the figures of the library."""
    parts = [HEADER.format(name=library.name)]
    parts += [_model(CELLS[CELL_CODES[kind]], library.cells[kind]) for kind in kinds]
    return "\n".join(parts)


def _model(cell: Cell, figures: CellFigures) -> str:
    return _clocked_model(cell, figures) if cell.clocked else _wire_model(cell, figures)


def _head(cell: Cell, figures: CellFigures) -> list[str]:
    ports = [*(f"input {p}" for p in cell.inputs), *(f"output reg {p}" for p in cell.outputs)]
    timing = {"DELAY": figures.delay, "SEPARATION": figures.separation}
    if cell.clocked:
        timing |= {"SETUP": figures.setup, "HOLD": figures.hold}
    lines = [f"module {cell.name}({', '.join(ports)});"]
    lines += [f"  parameter {name} = {value};" for name, value in timing.items()]
    lines += [f"  time last_{pin} = 0;" for pin in cell.inputs]
    lines += ["  reg level = 0;"]
    return lines


def _separation(pin: str) -> list[str]:
    return [
        f'    if ($time - last_{pin} < SEPARATION) `VIOLATION("{pin}", "separation")',
        f"    last_{pin} = $time;",
    ]


def _wire_model(cell: Cell, figures: CellFigures) -> str:
    lines = _head(cell, figures)
    lines += ["  initial begin", *(f"    {q} = 0;" for q in cell.outputs), "  end"]
    lines += ["  always @(a) if ($time > 0) begin", *_separation("a"), "    level = ~level;"]
    lines += [f"    {q} <= #DELAY level;" for q in cell.outputs]
    return "\n".join([*lines, "  end", "endmodule"]) + "\n"


def _clocked_model(cell: Cell, figures: CellFigures) -> str:
    lines = _head(cell, figures)
    pins = cell.data_inputs
    lines += [f"  reg has_{pin} = 0;" for pin in pins]
    lines += ["  initial q = 0;"]
    for pin in pins:
        lines += [
            f"  always @({pin}) if ($time > 0) begin",
            *_separation(pin),
            f'    if ($time - last_clk < HOLD) `VIOLATION("{pin}", "hold")',
            f'    if (has_{pin}) `VIOLATION("{pin}", "double")',
            f"    has_{pin} = 1;",
            "  end",
        ]
    lines += ["  always @(clk) if ($time > 0) begin", *_separation("clk")[:1]]
    lines += [f'    if ($time - last_{pin} < SETUP) `VIOLATION("{pin}", "setup")' for pin in pins]
    lines += [
        "    last_clk = $time;",
        f"    if ({RESULT[cell.name]}) begin",
        "      level = ~level;",
        "      q <= #DELAY level;",
        "    end",
        *(f"    has_{pin} = 0;" for pin in pins),
        "  end",
    ]
    return "\n".join([*lines, "endmodule"]) + "\n"
