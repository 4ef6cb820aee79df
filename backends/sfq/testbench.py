"""Testbenches: one that checks itself, for people, and one that plays and records pulses, for qsc's own runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .verilog import Names

START = 1_000_000
"""When the first clock pulse comes, femtoseconds: after everything has settled."""


@dataclass(frozen=True)
class Schedule:
    """When pulses come; times in femtoseconds.

    window: when input pulses of a row may come, counted from the clock pulse with the row's number. depth: clock
    periods from a row to its outputs. arrivals: for every output the time after the clock pulse that releases it.
    """

    period: int
    window: tuple[int, int]
    depth: int
    arrivals: tuple[int, ...]

    @property
    def start(self) -> int:
        """The time of clock pulse 0: late enough for windows that open before it."""
        return START + max(0, -self.window[0])

    @property
    def middle(self) -> int:
        """The middle of the input window."""
        return sum(self.window) // 2

    def pulses(self, rows: int) -> int:
        """How many clock pulses bring this many rows to the outputs."""
        return rows + self.depth + 1


def self_checking(names: Names, schedule: Schedule, inputs: np.ndarray, outputs: np.ndarray) -> str:
    """`testbench.v`: streams the rows back to back, one a clock period, and compares the output pulses.

    inputs: bits (rows, inputs). outputs: the expected bits (rows, outputs).
    """
    rows = len(inputs)
    settle = max((*schedule.arrivals, 0)) + schedule.period
    lines = [
        f"// Streams {rows} input rows through {names.module}, one a clock period, and compares every output pulse.",
        f"// iverilog -o sim testbench.v {names.module}.v cells.v && vvp sim",
        "`timescale 1fs/1fs",
        "",
        "module testbench;",
        f"  parameter TB_ROWS = {rows}, TB_DEPTH = {schedule.depth};",
        f"  parameter TB_PERIOD = {schedule.period}, TB_START = {schedule.start};",
        "  // After the row's clock pulse: the middle of the input window.",
        f"  parameter TB_INPUT_TIME = {schedule.middle};",
        f"  reg {', '.join([names.clock + ' = 0', *(f'{p} = 0' for p in names.inputs)])};",
        f"  wire {', '.join(names.outputs)};",
        "  integer tb_row, tb_clocks, tb_errors;",
        f"  {names.module} tb_dut({', '.join(f'.{p}({p})' for p in (*names.inputs, names.clock, *names.outputs))});",
        "",
    ]
    lines += [f"  reg [0:TB_ROWS-1] tb_in_{k} = {_bits(inputs[:, k])};" for k in range(len(names.inputs))]
    lines += [f"  reg [0:TB_ROWS-1] tb_want_{k} = {_bits(outputs[:, k])};" for k in range(len(names.outputs))]
    lines += [f"  reg [0:TB_ROWS-1] tb_seen_{k} = 0;" for k in range(len(names.outputs))]
    lines += [
        "",
        "  initial begin",
        "    #TB_START;",
        f"    for (tb_clocks = 0; tb_clocks < {schedule.pulses(rows)}; tb_clocks = tb_clocks + 1) begin",
        f"      {names.clock} = ~{names.clock};",
        "      #TB_PERIOD;",
        "    end",
        "  end",
        "",
        "  initial begin",
        "    #(TB_START + TB_INPUT_TIME);",
        "    for (tb_row = 0; tb_row < TB_ROWS; tb_row = tb_row + 1) begin",
        *(f"      if (tb_in_{k}[tb_row]) {p} = ~{p};" for k, p in enumerate(names.inputs)),
        "      #TB_PERIOD;",
        "    end",
        "  end",
        "",
        "  // A pulse belongs to the row whose expected time is nearest.",
    ]
    for k, (port, arrival) in enumerate(zip(names.outputs, schedule.arrivals, strict=True)):
        row = f"($time - TB_START - {arrival} + TB_PERIOD / 2) / TB_PERIOD - TB_DEPTH"
        lines.append(f"  always @({port}) if ($time >= TB_START + {arrival} + TB_DEPTH * TB_PERIOD - TB_PERIOD / 2)")
        lines.append(f"    tb_seen_{k}[{row}] = 1;")
    compared = (f"(tb_seen_{k}[tb_row] !== tb_want_{k}[tb_row])" for k in range(len(names.outputs)))
    lines += [
        "",
        "  initial begin",
        "    tb_errors = 0;",
        f"    #(TB_START + TB_PERIOD * {schedule.pulses(rows)} + {settle});",
        "    for (tb_row = 0; tb_row < TB_ROWS; tb_row = tb_row + 1)",
        f"      if ({' || '.join(compared)}) begin",
        '        $display("row %0d is wrong", tb_row);',
        "        tb_errors = tb_errors + 1;",
        "      end",
        "    if (tb_errors == 0 && pulse_checks.violations == 0)",
        '      $display("PASS: %0d rows", TB_ROWS);',
        "    else",
        '      $display("FAIL: %0d wrong rows, %0d timing violations", tb_errors, pulse_checks.violations);',
        "    $finish;",
        "  end",
        "endmodule",
    ]
    return "\n".join(lines) + "\n"


def _bits(column: np.ndarray) -> str:
    return f"{len(column)}'b" + "".join("1" if bit else "0" for bit in column.tolist())


def recording(names: Names) -> str:
    """The testbench of a run: plays the file `pulses.txt` and prints every output pulse as `PULSE output time`.

    A line of the file is a time in femtoseconds and a mask in hexadecimal: bit 0 the clock, bit 1 + k input k.
    """
    width = len(names.inputs)
    lines = [
        "`timescale 1fs/1fs",
        "module driver;",
        f"  reg {', '.join([names.clock + ' = 0', *(f'{p} = 0' for p in names.inputs)])};",
        f"  wire {', '.join(names.outputs)};",
        f"  reg [{width}:0] tb_mask;",
        "  reg [63:0] tb_at;",
        "  integer tb_file, tb_count;",
        f"  {names.module} tb_dut({', '.join(f'.{p}({p})' for p in (*names.inputs, names.clock, *names.outputs))});",
        "  initial begin",
        '    tb_file = $fopen("pulses.txt", "r");',
        '    tb_count = $fscanf(tb_file, "%d %h\\n", tb_at, tb_mask);',
        "    while (tb_count == 2) begin",
        "      #(tb_at - $time);",
        f"      if (tb_mask[0]) {names.clock} = ~{names.clock};",
        *(f"      if (tb_mask[{k + 1}]) {p} = ~{p};" for k, p in enumerate(names.inputs)),
        '      tb_count = $fscanf(tb_file, "%d %h\\n", tb_at, tb_mask);',
        "    end",
        "    $fclose(tb_file);",
        "  end",
    ]
    for k, port in enumerate(names.outputs):
        lines.append(f'  always @({port}) if ($time > 0) $display("PULSE {k} %0d", $time);')
    return "\n".join([*lines, "endmodule"]) + "\n"
