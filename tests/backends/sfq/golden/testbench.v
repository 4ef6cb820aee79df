// Streams 4 input rows through p_xor, one a clock period, and compares every output pulse.
// iverilog -o sim testbench.v p_xor.v cells.v && vvp sim
`timescale 1fs/1fs

module testbench;
  parameter TB_ROWS = 4, TB_DEPTH = 3;
  parameter TB_PERIOD = 18000, TB_START = 1000000;
  // After the row's clock pulse: the middle of the input window.
  parameter TB_INPUT_TIME = 19600;
  reg clk = 0, a = 0, b = 0;
  wire y;
  integer tb_row, tb_clocks, tb_errors;
  p_xor tb_dut(.a(a), .b(b), .clk(clk), .y(y));

  reg [0:TB_ROWS-1] tb_in_0 = 4'b0101;
  reg [0:TB_ROWS-1] tb_in_1 = 4'b0011;
  reg [0:TB_ROWS-1] tb_want_0 = 4'b0110;
  reg [0:TB_ROWS-1] tb_seen_0 = 0;

  initial begin
    #TB_START;
    for (tb_clocks = 0; tb_clocks < 8; tb_clocks = tb_clocks + 1) begin
      clk = ~clk;
      #TB_PERIOD;
    end
  end

  initial begin
    #(TB_START + TB_INPUT_TIME);
    for (tb_row = 0; tb_row < TB_ROWS; tb_row = tb_row + 1) begin
      if (tb_in_0[tb_row]) a = ~a;
      if (tb_in_1[tb_row]) b = ~b;
      #TB_PERIOD;
    end
  end

  // A pulse belongs to the row whose expected time is nearest.
  always @(y) if ($time >= TB_START + 17600 + TB_DEPTH * TB_PERIOD - TB_PERIOD / 2)
    tb_seen_0[($time - TB_START - 17600 + TB_PERIOD / 2) / TB_PERIOD - TB_DEPTH] = 1;

  initial begin
    tb_errors = 0;
    #(TB_START + TB_PERIOD * 8 + 35600);
    for (tb_row = 0; tb_row < TB_ROWS; tb_row = tb_row + 1)
      if ((tb_seen_0[tb_row] !== tb_want_0[tb_row])) begin
        $display("row %0d is wrong", tb_row);
        tb_errors = tb_errors + 1;
      end
    if (tb_errors == 0 && pulse_checks.violations == 0)
      $display("PASS: %0d rows", TB_ROWS);
    else
      $display("FAIL: %0d wrong rows, %0d timing violations", tb_errors, pulse_checks.violations);
    $finish;
  end
endmodule
