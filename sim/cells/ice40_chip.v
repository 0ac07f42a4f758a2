// Behavioural models of cells of the iCE40 that exist after packing, or around a design. They know no delays.
//
// The dividers of a PLL are parameters, which are compared with the board's before a simulation; here they do nothing: the bench's clock, at the pin of
// the oscillator, is already the one that the PLL makes. Modelled are the conditions on which it makes one, and that it takes a while to lock.
//
// Reference: Lattice, iCE40 sysCLOCK PLL Design and Usage Guide (FPGA-TN-02052), table 2: RESETB is active low, BYPASS passes the reference on.

module rbonn_pll40(input REFERENCE, RESETB, BYPASS, output CLOCK, LOCK);
  reg [4:0] cycles = 0;
  always @(posedge REFERENCE or negedge RESETB)
    if (!RESETB) cycles <= 0;
    else if (!cycles[4]) cycles <= cycles + 5'd1;
  always @(posedge REFERENCE)
    if (BYPASS !== 1'b0) $fatal(1, "error: no model of a PLL that is bypassed");
  assign LOCK = cycles[4];
  assign CLOCK = RESETB ? REFERENCE : 1'b0;
endmodule

// As in Verilog before synthesis, and as icebox_vlog writes them: beside its pin, and with a clock from the fabric.
module SB_PLL40_PAD(
  input PACKAGEPIN, EXTFEEDBACK, BYPASS, RESETB, LATCHINPUTVALUE, SDI, SCLK,
  input [7:0] DYNAMICDELAY,
  output PLLOUTCORE, PLLOUTGLOBAL, LOCK, SDO
);
  parameter FEEDBACK_PATH = "SIMPLE", DELAY_ADJUSTMENT_MODE_FEEDBACK = "FIXED", DELAY_ADJUSTMENT_MODE_RELATIVE = "FIXED", PLLOUT_SELECT = "GENCLK";
  parameter [1:0] SHIFTREG_DIV_MODE = 0;
  parameter [3:0] FDA_FEEDBACK = 0, FDA_RELATIVE = 0, DIVR = 0;
  parameter [6:0] DIVF = 0;
  parameter [2:0] DIVQ = 0, FILTER_RANGE = 0;
  parameter [0:0] ENABLE_ICEGATE = 0, TEST_MODE = 0;

  rbonn_pll40 pll(.REFERENCE(PACKAGEPIN), .RESETB(RESETB), .BYPASS(BYPASS), .CLOCK(PLLOUTGLOBAL), .LOCK(LOCK));
  assign PLLOUTCORE = PLLOUTGLOBAL;
  assign SDO = 1'b0;
endmodule

module SB_PLL40_CORE(
  input REFERENCECLK, EXTFEEDBACK, BYPASS, RESETB, LATCHINPUTVALUE, SDI, SCLK,
  input [7:0] DYNAMICDELAY,
  output PLLOUTCORE, PLLOUTGLOBAL, LOCK, SDO
);
  parameter FEEDBACK_PATH = "SIMPLE", DELAY_ADJUSTMENT_MODE_FEEDBACK = "FIXED", DELAY_ADJUSTMENT_MODE_RELATIVE = "FIXED", PLLOUT_SELECT = "GENCLK";
  parameter [1:0] SHIFTREG_DIV_MODE = 0;
  parameter [3:0] FDA_FEEDBACK = 0, FDA_RELATIVE = 0, DIVR = 0;
  parameter [6:0] DIVF = 0;
  parameter [2:0] DIVQ = 0, FILTER_RANGE = 0;
  parameter [0:0] ENABLE_ICEGATE = 0, TEST_MODE = 0;

  rbonn_pll40 pll(.REFERENCE(REFERENCECLK), .RESETB(RESETB), .BYPASS(BYPASS), .CLOCK(PLLOUTGLOBAL), .LOCK(LOCK));
  assign PLLOUTCORE = PLLOUTGLOBAL;
  assign SDO = 1'b0;
endmodule

// Both after packing; which of them it is stands in PLLTYPE.
module ICESTORM_PLL(
  input REFERENCECLK, EXTFEEDBACK, BYPASS, RESETB, LATCHINPUTVALUE, SDI, SCLK,
  input DYNAMICDELAY_0, DYNAMICDELAY_1, DYNAMICDELAY_2, DYNAMICDELAY_3, DYNAMICDELAY_4, DYNAMICDELAY_5, DYNAMICDELAY_6, DYNAMICDELAY_7,
  output PLLOUT_A, PLLOUT_A_GLOBAL, LOCK, SDO
);
  parameter [2:0] FEEDBACK_PATH = 0, DIVQ = 0, FILTER_RANGE = 0, PLLTYPE = 0;
  parameter [0:0] DELAY_ADJMODE_FB = 0, DELAY_ADJMODE_REL = 0, ENABLE_ICEGATE_PORTA = 0, ENABLE_ICEGATE_PORTB = 0, TEST_MODE = 0;
  parameter [1:0] PLLOUT_SELECT_A = 0, PLLOUT_SELECT_B = 0, SHIFTREG_DIVMODE = 0;
  parameter [3:0] FDA_FEEDBACK = 0, FDA_RELATIVE = 0, DIVR = 0;
  parameter [6:0] DIVF = 0;

  rbonn_pll40 pll(.REFERENCE(REFERENCECLK), .RESETB(RESETB), .BYPASS(BYPASS), .CLOCK(PLLOUT_A_GLOBAL), .LOCK(LOCK));
  assign PLLOUT_A = PLLOUT_A_GLOBAL;
  assign SDO = 1'b0;
endmodule

// A logic cell: carry, lookup table, flip-flop. Yosys has a model too, with which a test compares this one; with its choices level by level, which only
// simulators of four states need, a whole chip takes minutes to compile.
module ICESTORM_LC(
  input I0, I1, I2, I3, CIN, CLK, CEN, SR,
  output LO, O, COUT
);
  parameter [15:0] LUT_INIT = 0;
  parameter [0:0] NEG_CLK = 0, CARRY_ENABLE = 0, DFF_ENABLE = 0, SET_NORESET = 0, ASYNC_SR = 0, CIN_CONST = 0, CIN_SET = 0;

  wire carry = CIN_CONST ? CIN_SET : CIN;
  assign COUT = CARRY_ENABLE & (I1 & I2 | (I1 | I2) & carry);
  assign LO = LUT_INIT[{I3, I2, I1, I0}];
  generate
    if (!DFF_ENABLE) assign O = LO;
    else begin : flip_flop
      wire clock = CLK ^ NEG_CLK;
      reg held = 0;
      if (ASYNC_SR) begin
        always @(posedge clock, posedge SR)
          if (SR) held <= SET_NORESET;
          else if (CEN) held <= LO;
      end else begin
        always @(posedge clock) if (CEN) held <= SR ? SET_NORESET : LO;
      end
      assign O = held;
    end
  endgenerate
endmodule
