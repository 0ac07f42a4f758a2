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

// A multiplier with accumulators: yosys' SB_MAC16 with its ports bit by bit.
module ICESTORM_DSP(
  input CLK, CE,
  input AHOLD, BHOLD, CHOLD, DHOLD, IRSTTOP, IRSTBOT, ORSTTOP, ORSTBOT, OLOADTOP, OLOADBOT, ADDSUBTOP, ADDSUBBOT, OHOLDTOP, OHOLDBOT, CI, ACCUMCI, SIGNEXTIN,
  input A_0, A_1, A_2, A_3, A_4, A_5, A_6, A_7, A_8, A_9, A_10, A_11, A_12, A_13, A_14, A_15,
  input B_0, B_1, B_2, B_3, B_4, B_5, B_6, B_7, B_8, B_9, B_10, B_11, B_12, B_13, B_14, B_15,
  input C_0, C_1, C_2, C_3, C_4, C_5, C_6, C_7, C_8, C_9, C_10, C_11, C_12, C_13, C_14, C_15,
  input D_0, D_1, D_2, D_3, D_4, D_5, D_6, D_7, D_8, D_9, D_10, D_11, D_12, D_13, D_14, D_15,
  output O_0, O_1, O_2, O_3, O_4, O_5, O_6, O_7, O_8, O_9, O_10, O_11, O_12, O_13, O_14, O_15,
  output O_16, O_17, O_18, O_19, O_20, O_21, O_22, O_23, O_24, O_25, O_26, O_27, O_28, O_29, O_30, O_31,
  output CO, ACCUMCO, SIGNEXTOUT
);
  parameter [0:0] NEG_TRIGGER = 0, C_REG = 0, A_REG = 0, B_REG = 0, D_REG = 0;
  parameter [0:0] TOP_8x8_MULT_REG = 0, BOT_8x8_MULT_REG = 0, PIPELINE_16x16_MULT_REG1 = 0, PIPELINE_16x16_MULT_REG2 = 0;
  parameter [0:0] TOPADDSUB_UPPERINPUT = 0, BOTADDSUB_UPPERINPUT = 0, MODE_8x8 = 0, A_SIGNED = 0, B_SIGNED = 0;
  parameter [1:0] TOPOUTPUT_SELECT = 0, TOPADDSUB_LOWERINPUT = 0, TOPADDSUB_CARRYSELECT = 0;
  parameter [1:0] BOTOUTPUT_SELECT = 0, BOTADDSUB_LOWERINPUT = 0, BOTADDSUB_CARRYSELECT = 0;

  SB_MAC16 #(
    .NEG_TRIGGER(NEG_TRIGGER), .C_REG(C_REG), .A_REG(A_REG), .B_REG(B_REG),
    .D_REG(D_REG), .TOP_8x8_MULT_REG(TOP_8x8_MULT_REG), .BOT_8x8_MULT_REG(BOT_8x8_MULT_REG), .PIPELINE_16x16_MULT_REG1(PIPELINE_16x16_MULT_REG1),
    .PIPELINE_16x16_MULT_REG2(PIPELINE_16x16_MULT_REG2), .TOPADDSUB_UPPERINPUT(TOPADDSUB_UPPERINPUT), .BOTADDSUB_UPPERINPUT(BOTADDSUB_UPPERINPUT), .MODE_8x8(MODE_8x8),
    .A_SIGNED(A_SIGNED), .B_SIGNED(B_SIGNED), .TOPOUTPUT_SELECT(TOPOUTPUT_SELECT), .TOPADDSUB_LOWERINPUT(TOPADDSUB_LOWERINPUT),
    .TOPADDSUB_CARRYSELECT(TOPADDSUB_CARRYSELECT), .BOTOUTPUT_SELECT(BOTOUTPUT_SELECT), .BOTADDSUB_LOWERINPUT(BOTADDSUB_LOWERINPUT), .BOTADDSUB_CARRYSELECT(BOTADDSUB_CARRYSELECT)
  ) block (
    .CLK(CLK), .CE(CE), .AHOLD(AHOLD), .BHOLD(BHOLD), .CHOLD(CHOLD), .DHOLD(DHOLD),
    .IRSTTOP(IRSTTOP), .IRSTBOT(IRSTBOT), .ORSTTOP(ORSTTOP), .ORSTBOT(ORSTBOT), .OLOADTOP(OLOADTOP), .OLOADBOT(OLOADBOT),
    .ADDSUBTOP(ADDSUBTOP), .ADDSUBBOT(ADDSUBBOT), .OHOLDTOP(OHOLDTOP), .OHOLDBOT(OHOLDBOT), .CI(CI), .ACCUMCI(ACCUMCI),
    .SIGNEXTIN(SIGNEXTIN), .CO(CO), .ACCUMCO(ACCUMCO), .SIGNEXTOUT(SIGNEXTOUT),
    .A({A_15, A_14, A_13, A_12, A_11, A_10, A_9, A_8, A_7, A_6, A_5, A_4, A_3, A_2, A_1, A_0}),
    .B({B_15, B_14, B_13, B_12, B_11, B_10, B_9, B_8, B_7, B_6, B_5, B_4, B_3, B_2, B_1, B_0}),
    .C({C_15, C_14, C_13, C_12, C_11, C_10, C_9, C_8, C_7, C_6, C_5, C_4, C_3, C_2, C_1, C_0}),
    .D({D_15, D_14, D_13, D_12, D_11, D_10, D_9, D_8, D_7, D_6, D_5, D_4, D_3, D_2, D_1, D_0}),
    .O({O_31, O_30, O_29, O_28, O_27, O_26, O_25, O_24, O_23, O_22, O_21, O_20, O_19, O_18, O_17, O_16, O_15, O_14, O_13, O_12, O_11, O_10, O_9, O_8, O_7, O_6, O_5, O_4, O_3, O_2, O_1, O_0})
  );
endmodule
