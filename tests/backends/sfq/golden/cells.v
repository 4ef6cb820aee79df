// Behavioural RSFQ cells of the library rsfq.
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

`define VIOLATION(pin, what) begin \
  $display("VIOLATION %m %s %s %0d", pin, what, $time); \
  pulse_checks.violations = pulse_checks.violations + 1; \
end

// A second top module beside the testbench: it counts the faults of all cells.
module pulse_checks;
  integer violations = 0;
endmodule

module AND2(input a, input b, input clk, output reg q);
  parameter DELAY = 5000;
  parameter SEPARATION = 10000;
  parameter SETUP = 4000;
  parameter HOLD = 3000;
  time last_a = 0;
  time last_b = 0;
  time last_clk = 0;
  reg level = 0;
  reg has_a = 0;
  reg has_b = 0;
  initial q = 0;
  always @(a) if ($time > 0) begin
    if ($time - last_a < SEPARATION) `VIOLATION("a", "separation")
    last_a = $time;
    if ($time - last_clk < HOLD) `VIOLATION("a", "hold")
    if (has_a) `VIOLATION("a", "double")
    has_a = 1;
  end
  always @(b) if ($time > 0) begin
    if ($time - last_b < SEPARATION) `VIOLATION("b", "separation")
    last_b = $time;
    if ($time - last_clk < HOLD) `VIOLATION("b", "hold")
    if (has_b) `VIOLATION("b", "double")
    has_b = 1;
  end
  always @(clk) if ($time > 0) begin
    if ($time - last_clk < SEPARATION) `VIOLATION("clk", "separation")
    if ($time - last_a < SETUP) `VIOLATION("a", "setup")
    if ($time - last_b < SETUP) `VIOLATION("b", "setup")
    last_clk = $time;
    if (has_a & has_b) begin
      level = ~level;
      q <= #DELAY level;
    end
    has_a = 0;
    has_b = 0;
  end
endmodule

module OR2(input a, input b, input clk, output reg q);
  parameter DELAY = 5500;
  parameter SEPARATION = 10000;
  parameter SETUP = 4000;
  parameter HOLD = 3000;
  time last_a = 0;
  time last_b = 0;
  time last_clk = 0;
  reg level = 0;
  reg has_a = 0;
  reg has_b = 0;
  initial q = 0;
  always @(a) if ($time > 0) begin
    if ($time - last_a < SEPARATION) `VIOLATION("a", "separation")
    last_a = $time;
    if ($time - last_clk < HOLD) `VIOLATION("a", "hold")
    if (has_a) `VIOLATION("a", "double")
    has_a = 1;
  end
  always @(b) if ($time > 0) begin
    if ($time - last_b < SEPARATION) `VIOLATION("b", "separation")
    last_b = $time;
    if ($time - last_clk < HOLD) `VIOLATION("b", "hold")
    if (has_b) `VIOLATION("b", "double")
    has_b = 1;
  end
  always @(clk) if ($time > 0) begin
    if ($time - last_clk < SEPARATION) `VIOLATION("clk", "separation")
    if ($time - last_a < SETUP) `VIOLATION("a", "setup")
    if ($time - last_b < SETUP) `VIOLATION("b", "setup")
    last_clk = $time;
    if (has_a | has_b) begin
      level = ~level;
      q <= #DELAY level;
    end
    has_a = 0;
    has_b = 0;
  end
endmodule

module NOT(input a, input clk, output reg q);
  parameter DELAY = 5500;
  parameter SEPARATION = 10000;
  parameter SETUP = 4000;
  parameter HOLD = 3000;
  time last_a = 0;
  time last_clk = 0;
  reg level = 0;
  reg has_a = 0;
  initial q = 0;
  always @(a) if ($time > 0) begin
    if ($time - last_a < SEPARATION) `VIOLATION("a", "separation")
    last_a = $time;
    if ($time - last_clk < HOLD) `VIOLATION("a", "hold")
    if (has_a) `VIOLATION("a", "double")
    has_a = 1;
  end
  always @(clk) if ($time > 0) begin
    if ($time - last_clk < SEPARATION) `VIOLATION("clk", "separation")
    if ($time - last_a < SETUP) `VIOLATION("a", "setup")
    last_clk = $time;
    if (~has_a) begin
      level = ~level;
      q <= #DELAY level;
    end
    has_a = 0;
  end
endmodule

module DFF(input a, input clk, output reg q);
  parameter DELAY = 6300;
  parameter SEPARATION = 10000;
  parameter SETUP = 4000;
  parameter HOLD = 3000;
  time last_a = 0;
  time last_clk = 0;
  reg level = 0;
  reg has_a = 0;
  initial q = 0;
  always @(a) if ($time > 0) begin
    if ($time - last_a < SEPARATION) `VIOLATION("a", "separation")
    last_a = $time;
    if ($time - last_clk < HOLD) `VIOLATION("a", "hold")
    if (has_a) `VIOLATION("a", "double")
    has_a = 1;
  end
  always @(clk) if ($time > 0) begin
    if ($time - last_clk < SEPARATION) `VIOLATION("clk", "separation")
    if ($time - last_a < SETUP) `VIOLATION("a", "setup")
    last_clk = $time;
    if (has_a) begin
      level = ~level;
      q <= #DELAY level;
    end
    has_a = 0;
  end
endmodule

module SPLIT(input a, output reg q0, output reg q1);
  parameter DELAY = 6300;
  parameter SEPARATION = 10000;
  time last_a = 0;
  reg level = 0;
  initial begin
    q0 = 0;
    q1 = 0;
  end
  always @(a) if ($time > 0) begin
    if ($time - last_a < SEPARATION) `VIOLATION("a", "separation")
    last_a = $time;
    level = ~level;
    q0 <= #DELAY level;
    q1 <= #DELAY level;
  end
endmodule
