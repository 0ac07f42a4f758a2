// Behavioural models of cells of the ECP5, for the simulation of netlists and of forms that instantiate cells. They know no delays.
//
// References: Lattice, ECP5 and ECP5-5G Memory Usage Guide (FPGA-TN-02204); for the order of bits in INITVAL and on the pins, yosys' mapping of
// memories onto DP16KD (lattice/brams_map_16kd.v), with which tests compare them.

// Two bits of an adder. Each half has a lookup table of four inputs, whose four lowest entries are the carry where it is 0.
module CCU2C(
  input CIN, A0, B0, C0, D0, A1, B1, C1, D1,
  output S0, S1, COUT
);
  parameter [15:0] INIT0 = 16'h0000;
  parameter [15:0] INIT1 = 16'h0000;
  parameter INJECT1_0 = "YES";
  parameter INJECT1_1 = "YES";

  // With INJECT the half is a lookup table alone: it sees no carry and makes none of its own.
  localparam ALONE0 = INJECT1_0 == "YES", ALONE1 = INJECT1_1 == "YES";

`ifdef VERILATOR
  // Of two states only; by choices, as below, a large design is translated into twenty times as much code.
  wire propagate0 = INIT0[{D0, C0, B0, A0}], generate0 = INIT0[{2'b00, B0, A0}];
  wire propagate1 = INIT1[{D1, C1, B1, A1}], generate1 = INIT1[{2'b00, B1, A1}];
`else
  // By choices, which an unknown pin leaves known where both agree.
  function lookup(input [15:0] init, input [3:0] pins);
    reg [7:0] by_d;
    reg [3:0] by_c;
    reg [1:0] by_b;
    begin
      by_d = pins[3] ? init[15:8] : init[7:0];
      by_c = pins[2] ? by_d[7:4] : by_d[3:0];
      by_b = pins[1] ? by_c[3:2] : by_c[1:0];
      lookup = pins[0] ? by_b[1] : by_b[0];
    end
  endfunction

  wire propagate0 = lookup(INIT0, {D0, C0, B0, A0}), generate0 = lookup(INIT0, {2'b00, B0, A0});
  wire propagate1 = lookup(INIT1, {D1, C1, B1, A1}), generate1 = lookup(INIT1, {2'b00, B1, A1});
`endif
  wire middle = propagate0 ? CIN : generate0 & !ALONE0;
  assign COUT = propagate1 ? middle : generate1 & !ALONE1;
  assign S0 = propagate0 ^ (CIN & !ALONE0);
  assign S1 = propagate1 ^ (middle & !ALONE1);
endmodule

// A flip-flop with a clock enable, which is never reset.
module TRELLIS_FF(
  input CLK, LSR, CE, DI,
  output Q
);
  parameter GSR = "ENABLED";
  parameter CEMUX = "CE";
  parameter CLKMUX = "CLK";
  parameter LSRMUX = "LSR";
  parameter REGSET = "RESET";

  initial if (CEMUX != "CE" || CLKMUX != "CLK" || LSRMUX != "LSR") $fatal(1, "TRELLIS_FF: no model of these parameters");
  reg held = REGSET == "SET";
  always @(posedge CLK) begin
    if (CE) held <= DI;
    if (LSR !== 1'b0) $fatal(1, "TRELLIS_FF: no model of resets");
  end
  assign Q = held;
endmodule

// 16 words of four bits: written at the clock, read at once.
module TRELLIS_DPR16X4(
  input [3:0] DI, WAD, RAD,
  input WRE, WCK,
  output [3:0] DO
);
  parameter WCKMUX = "WCK";
  parameter WREMUX = "WRE";
  parameter [63:0] INITVAL = 64'h0;

  reg [63:0] words = INITVAL;
  wire clock = WCK ^ (WCKMUX == "INV");
  wire write = WREMUX == "1" ? 1'b1 : WREMUX == "0" ? 1'b0 : WRE ^ (WREMUX == "INV");
  always @(posedge clock) if (write) words[WAD * 4 +: 4] <= DI;
  assign DO = words[RAD * 4 +: 4];
endmodule

// 18 kbit of RAM: 1024 halves of 18 bits, in words of 1, 2, 4, 9, 18 or, over the pins of both ports, 36 bits.
//
// The address is that of a bit: wider words leave out its lowest pins, which from 18 bits on enable the bytes of 9 bits that are written.
// Words of 36 bits are written by port A and read by port B; their lower half has the data pins of port A. A word that one port reads
// while the other one writes it is unknown.
module DP16KD(
  input CLKA, CEA, OCEA, WEA, RSTA, CSA0, CSA1, CSA2,
  input ADA0, ADA1, ADA2, ADA3, ADA4, ADA5, ADA6, ADA7, ADA8, ADA9, ADA10, ADA11, ADA12, ADA13,
  input DIA0, DIA1, DIA2, DIA3, DIA4, DIA5, DIA6, DIA7, DIA8, DIA9, DIA10, DIA11, DIA12, DIA13, DIA14, DIA15, DIA16, DIA17,
  input CLKB, CEB, OCEB, WEB, RSTB, CSB0, CSB1, CSB2,
  input ADB0, ADB1, ADB2, ADB3, ADB4, ADB5, ADB6, ADB7, ADB8, ADB9, ADB10, ADB11, ADB12, ADB13,
  input DIB0, DIB1, DIB2, DIB3, DIB4, DIB5, DIB6, DIB7, DIB8, DIB9, DIB10, DIB11, DIB12, DIB13, DIB14, DIB15, DIB16, DIB17,
  output DOA0, DOA1, DOA2, DOA3, DOA4, DOA5, DOA6, DOA7, DOA8, DOA9, DOA10, DOA11, DOA12, DOA13, DOA14, DOA15, DOA16, DOA17,
  output DOB0, DOB1, DOB2, DOB3, DOB4, DOB5, DOB6, DOB7, DOB8, DOB9, DOB10, DOB11, DOB12, DOB13, DOB14, DOB15, DOB16, DOB17
);
  parameter DATA_WIDTH_A = 18;
  parameter DATA_WIDTH_B = 18;
  parameter REGMODE_A = "NOREG";
  parameter REGMODE_B = "NOREG";
  parameter RESETMODE = "SYNC";
  parameter ASYNC_RESET_RELEASE = "SYNC";
  parameter WRITEMODE_A = "NORMAL";
  parameter WRITEMODE_B = "NORMAL";
  parameter [39:0] CSDECODE_A = "0b000";
  parameter [39:0] CSDECODE_B = "0b000";
  parameter CLKAMUX = "CLKA";
  parameter CLKBMUX = "CLKB";
  parameter GSR = "DISABLED";
  parameter [319:0] INITVAL_00 = 320'h0, INITVAL_01 = 320'h0, INITVAL_02 = 320'h0, INITVAL_03 = 320'h0;
  parameter [319:0] INITVAL_04 = 320'h0, INITVAL_05 = 320'h0, INITVAL_06 = 320'h0, INITVAL_07 = 320'h0;
  parameter [319:0] INITVAL_08 = 320'h0, INITVAL_09 = 320'h0, INITVAL_0A = 320'h0, INITVAL_0B = 320'h0;
  parameter [319:0] INITVAL_0C = 320'h0, INITVAL_0D = 320'h0, INITVAL_0E = 320'h0, INITVAL_0F = 320'h0;
  parameter [319:0] INITVAL_10 = 320'h0, INITVAL_11 = 320'h0, INITVAL_12 = 320'h0, INITVAL_13 = 320'h0;
  parameter [319:0] INITVAL_14 = 320'h0, INITVAL_15 = 320'h0, INITVAL_16 = 320'h0, INITVAL_17 = 320'h0;
  parameter [319:0] INITVAL_18 = 320'h0, INITVAL_19 = 320'h0, INITVAL_1A = 320'h0, INITVAL_1B = 320'h0;
  parameter [319:0] INITVAL_1C = 320'h0, INITVAL_1D = 320'h0, INITVAL_1E = 320'h0, INITVAL_1F = 320'h0;
  parameter [319:0] INITVAL_20 = 320'h0, INITVAL_21 = 320'h0, INITVAL_22 = 320'h0, INITVAL_23 = 320'h0;
  parameter [319:0] INITVAL_24 = 320'h0, INITVAL_25 = 320'h0, INITVAL_26 = 320'h0, INITVAL_27 = 320'h0;
  parameter [319:0] INITVAL_28 = 320'h0, INITVAL_29 = 320'h0, INITVAL_2A = 320'h0, INITVAL_2B = 320'h0;
  parameter [319:0] INITVAL_2C = 320'h0, INITVAL_2D = 320'h0, INITVAL_2E = 320'h0, INITVAL_2F = 320'h0;
  parameter [319:0] INITVAL_30 = 320'h0, INITVAL_31 = 320'h0, INITVAL_32 = 320'h0, INITVAL_33 = 320'h0;
  parameter [319:0] INITVAL_34 = 320'h0, INITVAL_35 = 320'h0, INITVAL_36 = 320'h0, INITVAL_37 = 320'h0;
  parameter [319:0] INITVAL_38 = 320'h0, INITVAL_39 = 320'h0, INITVAL_3A = 320'h0, INITVAL_3B = 320'h0;
  parameter [319:0] INITVAL_3C = 320'h0, INITVAL_3D = 320'h0, INITVAL_3E = 320'h0, INITVAL_3F = 320'h0;

  localparam [64 * 320 - 1:0] INITIAL = {
    INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B, INITVAL_3A, INITVAL_39, INITVAL_38,
    INITVAL_37, INITVAL_36, INITVAL_35, INITVAL_34, INITVAL_33, INITVAL_32, INITVAL_31, INITVAL_30,
    INITVAL_2F, INITVAL_2E, INITVAL_2D, INITVAL_2C, INITVAL_2B, INITVAL_2A, INITVAL_29, INITVAL_28,
    INITVAL_27, INITVAL_26, INITVAL_25, INITVAL_24, INITVAL_23, INITVAL_22, INITVAL_21, INITVAL_20,
    INITVAL_1F, INITVAL_1E, INITVAL_1D, INITVAL_1C, INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18,
    INITVAL_17, INITVAL_16, INITVAL_15, INITVAL_14, INITVAL_13, INITVAL_12, INITVAL_11, INITVAL_10,
    INITVAL_0F, INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B, INITVAL_0A, INITVAL_09, INITVAL_08,
    INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04, INITVAL_03, INITVAL_02, INITVAL_01, INITVAL_00
  };


  // A row is what one address of 36 bits has. Where the word of an address starts in it: words of 1, 2 and 4 bits fill 8 of a byte's 9 bits.
  function integer offset(input integer width, input [13:0] address);
    offset = width == 36 ? 0 : 18 * address[4] + (width == 18 ? 0 : 9 * address[3] + (width == 9 ? 0 : address[2:0] / width * width));
  endfunction

  // Bits of the row that a write changes.
  function [35:0] changed(input integer width, input [13:0] address);
    reg [35:0] bytes;
    begin
      bytes = {{9{address[3]}}, {9{address[2]}}, {9{address[1]}}, {9{address[0]}}};
      changed = width == 36 ? bytes : ((width == 18 ? bytes[17:0] : (36'd1 << width) - 1) << offset(width, address));
    end
  endfunction

  // Whether two words have bits in common.
  function overlap(input integer width0, input [13:0] address0, input integer width1, input [13:0] address1);
    integer unused;
    begin
      unused = width0 > width1 ? width0 : width1;
      unused = unused == 36 ? 5 : unused == 18 ? 4 : unused == 9 ? 3 : unused / 2;
      overlap = address0 >> unused == address1 >> unused;
    end
  endfunction

  reg [35:0] rows[0:511];
  integer row;
  initial
    for (row = 0; row < 512; row = row + 1)
      rows[row] = {INITIAL[row * 40 + 20 +: 18], INITIAL[row * 40 +: 18]};

  // Port A.
  wire clock_a = CLKA ^ (CLKAMUX == "INV");
  wire [13:0] address_a = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0};
  wire [17:0] pins_a = {DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0};
  wire selected_a = CEA && {CSA2, CSA1, CSA0} == {CSDECODE_A[16], CSDECODE_A[8], CSDECODE_A[0]};
  wire [35:0] changed_a = changed(DATA_WIDTH_A, address_a);
  wire writes_a = selected_a && WEA && changed_a != 0;
  wire [35:0] written_a = rows[address_a[13:5]] & ~changed_a | (DATA_WIDTH_A == 36 ? {pins_b, pins_a} : pins_a << offset(DATA_WIDTH_A, address_a)) & changed_a;
  wire clears_a = RSTA && RESETMODE == "ASYNC";
  reg [35:0] latch_a = 0, register_a = 0;
  time write_time_a = -1, read_time_a = -1;
  reg [13:0] last_address_a;
  always @(posedge clock_a or posedge clears_a)
    if (RSTA) begin
      latch_a <= 0;
      register_a <= 0;
    end else begin
      if (OCEA) register_a <= latch_a;
      if (selected_a) last_address_a = address_a;
      if (writes_a) begin
        write_time_a = $time;
        rows[address_a[13:5]] <= written_a;
        if (read_time_b == $time && overlap(DATA_WIDTH_A, address_a, DATA_WIDTH_B, last_address_b)) latch_b <= 36'bx;
      end
      if (selected_a && !(writes_a && WRITEMODE_A == "NORMAL")) begin
        read_time_a = $time;
        latch_a <= (writes_a && WRITEMODE_A == "WRITETHROUGH" ? written_a : rows[address_a[13:5]]) >> offset(DATA_WIDTH_A, address_a);
        if (write_time_b == $time && overlap(DATA_WIDTH_A, address_a, DATA_WIDTH_B, last_address_b)) latch_a <= 36'bx;
      end
    end
  wire [35:0] o_a = REGMODE_A == "OUTREG" ? register_a : latch_a;

  // Port B.
  wire clock_b = CLKB ^ (CLKBMUX == "INV");
  wire [13:0] address_b = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0};
  wire [17:0] pins_b = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0};
  wire selected_b = CEB && {CSB2, CSB1, CSB0} == {CSDECODE_B[16], CSDECODE_B[8], CSDECODE_B[0]};
  wire [35:0] changed_b = changed(DATA_WIDTH_B, address_b);
  wire writes_b = selected_b && WEB && changed_b != 0;
  wire [35:0] written_b = rows[address_b[13:5]] & ~changed_b | (DATA_WIDTH_B == 36 ? {pins_b, pins_a} : pins_b << offset(DATA_WIDTH_B, address_b)) & changed_b;
  wire clears_b = RSTB && RESETMODE == "ASYNC";
  reg [35:0] latch_b = 0, register_b = 0;
  time write_time_b = -1, read_time_b = -1;
  reg [13:0] last_address_b;
  always @(posedge clock_b or posedge clears_b)
    if (RSTB) begin
      latch_b <= 0;
      register_b <= 0;
    end else begin
      if (OCEB) register_b <= latch_b;
      if (selected_b) last_address_b = address_b;
      if (writes_b) begin
        write_time_b = $time;
        rows[address_b[13:5]] <= written_b;
        if (read_time_a == $time && overlap(DATA_WIDTH_B, address_b, DATA_WIDTH_A, last_address_a)) latch_a <= 36'bx;
      end
      if (selected_b && !(writes_b && WRITEMODE_B == "NORMAL")) begin
        read_time_b = $time;
        latch_b <= (writes_b && WRITEMODE_B == "WRITETHROUGH" ? written_b : rows[address_b[13:5]]) >> offset(DATA_WIDTH_B, address_b);
        if (write_time_a == $time && overlap(DATA_WIDTH_B, address_b, DATA_WIDTH_A, last_address_a)) latch_b <= 36'bx;
      end
    end
  wire [35:0] o_b = REGMODE_B == "OUTREG" ? register_b : latch_b;

  localparam READS_36 = DATA_WIDTH_B == 36;
  assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0} = READS_36 ? o_b[17:0] : o_a[17:0];
  assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0} = READS_36 ? o_b[35:18] : o_b[17:0];
endmodule

// A multiplier of 18 x 18 bits, each operand signed or not, with registers for the operands, in its middle and for the product.
//
// In use are CLK0 and one of the enables for all registers (place and route moves it from CE0 where blocks side by side have others), registers
// that are all there or all away in each of the three places, and operands from pins A and B. Anything else ends the simulation, a reset
// too: no register needs one.
module MULT18X18D(
  input A0, A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13, A14, A15, A16, A17,
  input B0, B1, B2, B3, B4, B5, B6, B7, B8, B9, B10, B11, B12, B13, B14, B15, B16, B17,
  input C0, C1, C2, C3, C4, C5, C6, C7, C8, C9, C10, C11, C12, C13, C14, C15, C16, C17,
  input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB,
  input CLK0, CLK1, CLK2, CLK3, CE0, CE1, CE2, CE3, RST0, RST1, RST2, RST3,
  input SRIA0, SRIA1, SRIA2, SRIA3, SRIA4, SRIA5, SRIA6, SRIA7, SRIA8, SRIA9, SRIA10, SRIA11, SRIA12, SRIA13, SRIA14, SRIA15, SRIA16, SRIA17,
  input SRIB0, SRIB1, SRIB2, SRIB3, SRIB4, SRIB5, SRIB6, SRIB7, SRIB8, SRIB9, SRIB10, SRIB11, SRIB12, SRIB13, SRIB14, SRIB15, SRIB16, SRIB17,
  output SROA0, SROA1, SROA2, SROA3, SROA4, SROA5, SROA6, SROA7, SROA8, SROA9, SROA10, SROA11, SROA12, SROA13, SROA14, SROA15, SROA16, SROA17,
  output SROB0, SROB1, SROB2, SROB3, SROB4, SROB5, SROB6, SROB7, SROB8, SROB9, SROB10, SROB11, SROB12, SROB13, SROB14, SROB15, SROB16, SROB17,
  output ROA0, ROA1, ROA2, ROA3, ROA4, ROA5, ROA6, ROA7, ROA8, ROA9, ROA10, ROA11, ROA12, ROA13, ROA14, ROA15, ROA16, ROA17,
  output ROB0, ROB1, ROB2, ROB3, ROB4, ROB5, ROB6, ROB7, ROB8, ROB9, ROB10, ROB11, ROB12, ROB13, ROB14, ROB15, ROB16, ROB17,
  output ROC0, ROC1, ROC2, ROC3, ROC4, ROC5, ROC6, ROC7, ROC8, ROC9, ROC10, ROC11, ROC12, ROC13, ROC14, ROC15, ROC16, ROC17,
  output P0, P1, P2, P3, P4, P5, P6, P7, P8, P9, P10, P11, P12, P13, P14, P15, P16, P17,
  output P18, P19, P20, P21, P22, P23, P24, P25, P26, P27, P28, P29, P30, P31, P32, P33, P34, P35,
  output SIGNEDP
);
  parameter REG_INPUTA_CLK = "NONE", REG_INPUTA_CE = "CE0", REG_INPUTA_RST = "RST0";
  parameter REG_INPUTB_CLK = "NONE", REG_INPUTB_CE = "CE0", REG_INPUTB_RST = "RST0";
  parameter REG_INPUTC_CLK = "NONE", REG_INPUTC_CE = "CE0", REG_INPUTC_RST = "RST0";
  parameter REG_PIPELINE_CLK = "NONE", REG_PIPELINE_CE = "CE0", REG_PIPELINE_RST = "RST0";
  parameter REG_OUTPUT_CLK = "NONE", REG_OUTPUT_CE = "CE0", REG_OUTPUT_RST = "RST0";
  parameter CLK0_DIV = "ENABLED", CLK1_DIV = "ENABLED", CLK2_DIV = "ENABLED", CLK3_DIV = "ENABLED";
  parameter HIGHSPEED_CLK = "NONE";
  parameter GSR = "ENABLED";
  parameter CAS_MATCH_REG = "FALSE";
  parameter SOURCEB_MODE = "B_SHIFT";
  parameter MULT_BYPASS = "DISABLED";
  parameter RESETMODE = "SYNC";

  localparam HAS_INPUT = REG_INPUTA_CLK == "CLK0", HAS_MIDDLE = REG_PIPELINE_CLK == "CLK0", HAS_OUTPUT = REG_OUTPUT_CLK == "CLK0";
  localparam IS_KNOWN = (REG_INPUTA_CLK == "CLK0" || REG_INPUTA_CLK == "NONE") && REG_INPUTB_CLK == REG_INPUTA_CLK && REG_INPUTC_CLK == "NONE"
    && (REG_PIPELINE_CLK == "CLK0" || REG_PIPELINE_CLK == "NONE") && (REG_OUTPUT_CLK == "CLK0" || REG_OUTPUT_CLK == "NONE")
    && REG_INPUTB_CE == REG_INPUTA_CE && REG_PIPELINE_CE == REG_INPUTA_CE && REG_OUTPUT_CE == REG_INPUTA_CE
    && REG_INPUTA_RST == "RST0" && REG_INPUTB_RST == "RST0" && REG_PIPELINE_RST == "RST0" && REG_OUTPUT_RST == "RST0"
    && CLK0_DIV == "ENABLED" && HIGHSPEED_CLK == "NONE" && CAS_MATCH_REG == "FALSE" && SOURCEB_MODE == "B_SHIFT" && MULT_BYPASS == "DISABLED"
    && RESETMODE == "SYNC";
  initial if (!IS_KNOWN) $fatal(1, "MULT18X18D: no model of these parameters");
  always @(SOURCEA, SOURCEB, RST0)
    if (SOURCEA === 1'b1 || SOURCEB === 1'b1 || RST0 === 1'b1) $fatal(1, "MULT18X18D: no model of shifted operands and resets");

  wire [17:0] a = {A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0};
  wire [17:0] b = {B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0};
  wire enable = REG_INPUTA_CE == "CE0" ? CE0 : REG_INPUTA_CE == "CE1" ? CE1 : REG_INPUTA_CE == "CE2" ? CE2 : CE3;
  // The signs travel with their operands.
  reg [18:0] a_register = 0, b_register = 0;
  reg [35:0] middle_register = 0, output_register = 0;
  wire signed [18:0] a_operand = HAS_INPUT ? a_register : {SIGNEDA & A17, a};
  wire signed [18:0] b_operand = HAS_INPUT ? b_register : {SIGNEDB & B17, b};
  wire signed [37:0] exact = a_operand * b_operand;
  wire [35:0] middle = HAS_MIDDLE ? middle_register : exact[35:0];
  always @(posedge CLK0)
    if (enable) begin
      a_register <= {SIGNEDA & A17, a};
      b_register <= {SIGNEDB & B17, b};
      middle_register <= exact[35:0];
      output_register <= middle;
    end
  assign {P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18, P17, P16, P15, P14, P13, P12, P11, P10, P9, P8,
    P7, P6, P5, P4, P3, P2, P1, P0} = HAS_OUTPUT ? output_register : middle;
endmodule
