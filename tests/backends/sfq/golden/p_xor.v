// xor: RSFQ netlist, cells of the library rsfq (cells.v)
// 6 SPLIT, 2 AND2, 1 DFF, 1 NOT, 1 OR2
// clock period 18 ps; safe from 15.8 ps, limited by u6 (OR2) to u9 (DFF)
// input pulses of a row come once each, in any order, 15.6 to 23.6 ps after its clock pulse;
// the row's output pulses come 3 clock pulses later
`timescale 1fs/1fs

module p_xor(
  input a,
  input b,
  input clk,
  output y
);
  wire n0;
  wire n1;
  wire n2;
  wire n3;
  wire n4;
  wire n5;
  wire n6;
  wire n7;
  wire n8;
  wire n9;
  wire n10;
  wire n11;
  wire n12;
  wire n13;
  wire n14;
  wire n15;
  SPLIT u0 (.a(a), .q0(n0), .q1(n1));  // xor_sfq.qsc:1
  SPLIT u1 (.a(b), .q0(n2), .q1(n3));  // xor_sfq.qsc:1
  SPLIT u2 (.a(clk), .q0(n4), .q1(n5));  // xor_sfq.qsc:1
  SPLIT u3 (.a(n4), .q0(n6), .q1(n7));  // xor_sfq.qsc:1
  SPLIT u4 (.a(n5), .q0(n8), .q1(n9));  // xor_sfq.qsc:1
  SPLIT u5 (.a(n6), .q0(n10), .q1(n11));  // xor_sfq.qsc:1
  OR2 u6 (.a(n0), .b(n2), .clk(n10), .q(n12));  // xor_sfq.qsc:2:3
  AND2 u7 (.a(n1), .b(n3), .clk(n11), .q(n13));  // xor_sfq.qsc:3:3
  NOT u8 (.a(n13), .clk(n7), .q(n14));  // xor_sfq.qsc:3:3
  DFF u9 (.a(n12), .clk(n8), .q(n15));  // xor_sfq.qsc:2:3
  AND2 u10 (.a(n15), .b(n14), .clk(n9), .q(y));  // xor_sfq.qsc:4:3
endmodule
