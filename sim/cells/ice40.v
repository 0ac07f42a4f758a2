// Behavioural models of cells of the iCE40, for the simulation of forms that instantiate cells. They know no delays.
//
// Reference: Lattice, iCE40 UltraPlus DSP Function Usage Guide (FPGA-TN-02007); a test compares them with yosys' models.

// A multiplier with an accumulator, in the two ways in which it is used: {C, D} + A * B from a register behind registers of all four, and two products of
// bytes from registers behind those of A and B. Everything else is refused.
module SB_MAC16(
  input CLK, CE,
  input [15:0] C, A, B, D,
  input AHOLD, BHOLD, CHOLD, DHOLD, IRSTTOP, IRSTBOT, ORSTTOP, ORSTBOT, OLOADTOP, OLOADBOT,
  input ADDSUBTOP, ADDSUBBOT, OHOLDTOP, OHOLDBOT, CI, ACCUMCI, SIGNEXTIN,
  output [31:0] O,
  output CO, ACCUMCO, SIGNEXTOUT
);
  parameter [0:0] NEG_TRIGGER = 0, C_REG = 0, A_REG = 0, B_REG = 0, D_REG = 0;
  parameter [0:0] TOP_8x8_MULT_REG = 0, BOT_8x8_MULT_REG = 0, PIPELINE_16x16_MULT_REG1 = 0, PIPELINE_16x16_MULT_REG2 = 0;
  parameter [1:0] TOPOUTPUT_SELECT = 0, TOPADDSUB_LOWERINPUT = 0, TOPADDSUB_CARRYSELECT = 0;
  parameter [0:0] TOPADDSUB_UPPERINPUT = 0, BOTADDSUB_UPPERINPUT = 0, MODE_8x8 = 0, A_SIGNED = 0, B_SIGNED = 0;
  parameter [1:0] BOTOUTPUT_SELECT = 0, BOTADDSUB_LOWERINPUT = 0, BOTADDSUB_CARRYSELECT = 0;

  localparam ADDS = !MODE_8x8 && A_REG && B_REG && C_REG && D_REG && TOPOUTPUT_SELECT == 1 && BOTOUTPUT_SELECT == 1
    && TOPADDSUB_LOWERINPUT == 2 && BOTADDSUB_LOWERINPUT == 2 && TOPADDSUB_UPPERINPUT && BOTADDSUB_UPPERINPUT
    && TOPADDSUB_CARRYSELECT == 2 && BOTADDSUB_CARRYSELECT == 0 && !PIPELINE_16x16_MULT_REG1 && !PIPELINE_16x16_MULT_REG2;
  localparam BYTES = MODE_8x8 && A_REG && B_REG && TOP_8x8_MULT_REG && BOT_8x8_MULT_REG && TOPOUTPUT_SELECT == 2 && BOTOUTPUT_SELECT == 2;

  reg [15:0] a = 0, b = 0, c = 0, d = 0;
  reg [31:0] o = 0;
  wire signed [31:0] product = $signed({A_SIGNED & a[15], a}) * $signed({B_SIGNED & b[15], b});
  wire signed [15:0] upper = $signed({A_SIGNED & a[15], a[15:8]}) * $signed({B_SIGNED & b[15], b[15:8]});
  wire signed [15:0] lower = $signed({A_SIGNED & a[7], a[7:0]}) * $signed({B_SIGNED & b[7], b[7:0]});

  always @(posedge CLK) if (CE) begin
    {a, b, c, d} <= {A, B, C, D};
    o <= MODE_8x8 ? {upper, lower} : {c, d} + product;
  end
  assign O = o;
  assign {CO, ACCUMCO, SIGNEXTOUT} = 0;

  wire is_free = !{AHOLD, BHOLD, CHOLD, DHOLD, IRSTTOP, IRSTBOT, ORSTTOP, ORSTBOT, OLOADTOP, OLOADBOT, ADDSUBTOP, ADDSUBBOT, OHOLDTOP, OHOLDBOT, CI};
  initial if (NEG_TRIGGER || !(ADDS || BYTES)) $fatal(1, "SB_MAC16 is modelled in two modes only");
  always @(posedge CLK) if (is_free === 1'b0) $fatal(1, "SB_MAC16 is modelled without holds, resets, loads and subtractions");
endmodule
