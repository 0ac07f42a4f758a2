// Behavioural models of cells of the ECP5 that exist after packing, or around a design. They know no delays.
//
// The dividers of the PLL do nothing here: the bench's clock, at the pin of the oscillator, is already the one that the PLL makes. The global reset (GSR) returns flip-flops to
// the values with which they begin; they begin with them here too, and it does nothing.
//
// References: Project Trellis, github.com/YosysHQ/prjtrellis (order of address and data on the pins of a slice that is a RAM); yosys' models LUT4, CCU2C,
// TRELLIS_DPR16X4 and TRELLIS_FF, with which tests compare. Yosys' own TRELLIS_COMB has no carry: its output FCO is hidden by a wire of that name.

// Half of a slice: a lookup table alone, half of an adder, or a bit of 16 words of RAM.
module TRELLIS_COMB(
  input A, B, C, D, M, FCI, F1, FXA, FXB, DI0, DI1, WD, WAD0, WAD1, WAD2, WAD3, WRE, WCK,
  output F, FCO, OFX
);
  parameter MODE = "LOGIC", CCU2_INJECT1 = "NO", WREMUX = "WRE", WCKMUX = "WCK";
  parameter [15:0] INITVAL = 0;
  parameter [0:0] IS_Z1 = 0;

  initial if (MODE != "LOGIC" && MODE != "CCU2" && MODE != "DPRAM" && MODE != "RAMW_BLOCK")
    $fatal(1, "error: TRELLIS_COMB: no model of this mode");
  initial if (MODE == "DPRAM" && WREMUX != "WRE" && WREMUX != "INV") $fatal(1, "error: TRELLIS_COMB: no model of this write enable");

  generate
    if (MODE == "CCU2") begin : adder
      wire propagate = INITVAL[{D, C, B, A}], generates = INITVAL[{2'b00, B, A}];
      localparam ALONE = CCU2_INJECT1 == "YES";
      assign F = propagate ^ (FCI & !ALONE);
      assign FCO = propagate ? FCI : generates & !ALONE;
    end else if (MODE == "DPRAM") begin : memory
      reg [15:0] words = INITVAL;
      wire clock = WCK ^ (WCKMUX == "INV");
      always @(posedge clock) if (WRE ^ (WREMUX == "INV")) words[{WAD3, WAD2, WAD1, WAD0}] <= WD;
      assign F = words[{A, C, B, D}];
      assign FCO = 1'b0;
    end else begin : lookup
      assign F = INITVAL[{D, C, B, A}];
      assign FCO = 1'b0;
    end
  endgenerate
  assign OFX = IS_Z1 ? (M ? FXB : FXA) : (M ? F1 : F);
endmodule

// What a slice hands to its two neighbours when they are RAM: the address and the data to be written, from its lookup tables' pins.
module TRELLIS_RAMW(
  input A0, B0, C0, D0, A1, B1, C1, D1,
  output WDO0, WDO1, WDO2, WDO3, WADO0, WADO1, WADO2, WADO3
);
  assign {WADO3, WADO2, WADO1, WADO0} = {A0, C0, B0, D0};
  assign {WDO3, WDO2, WDO1, WDO0} = {B1, D1, A1, C1};
endmodule

// A flip-flop, which takes what the lookup table before it gives (DI), or a wire (M).
module TRELLIS_FF(
  input CLK, LSR, CE, DI, M,
  output Q
);
  parameter GSR = "ENABLED", CEMUX = "1", CLKMUX = "CLK", LSRMUX = "LSR", SRMODE = "LSR_OVER_CE", REGSET = "RESET", LSRMODE = "LSR", SD = "1";

  initial if (LSRMODE != "LSR" || SRMODE != "LSR_OVER_CE" && SRMODE != "CE_OVER_LSR" && SRMODE != "ASYNC")
    $fatal(1, "error: TRELLIS_FF: no model of these parameters");
  reg held = REGSET == "SET";
  wire clock = CLK ^ (CLKMUX == "INV");
  wire reset = LSR ^ (LSRMUX == "INV");
  wire enable = CEMUX == "1" || (CEMUX != "0" && (CE ^ (CEMUX == "INV")));
  wire data = SD == "1" ? DI : M;
  generate
    if (SRMODE == "ASYNC") begin
      always @(posedge clock, posedge reset)
        if (reset) held <= REGSET == "SET";
        else if (enable) held <= data;
    end else begin
      always @(posedge clock)
        if (reset && (enable || SRMODE == "LSR_OVER_CE")) held <= REGSET == "SET";
        else if (enable) held <= data;
    end
  endgenerate
  assign Q = held;
endmodule

// The gate of a clock network.
module DCCA(input CLKI, CE, output CLKO);
  assign CLKO = CLKI;
  always @(posedge CLKI) if (CE === 1'b0) $fatal(1, "error: DCCA: no model of a gated clock");
endmodule

module GSR(input GSR, CLK);
  parameter MODE = "ACTIVE_LOW", SYNCMODE = "SYNC";
endmodule

module EHXPLLL(
  input CLKI, CLKFB, PHASESEL1, PHASESEL0, PHASEDIR, PHASESTEP, PHASELOADREG, STDBY, PLLWAKESYNC, RST, ENCLKOP, ENCLKOS, ENCLKOS2, ENCLKOS3,
  output CLKOP, CLKOS, CLKOS2, CLKOS3, LOCK, INTLOCK, REFCLK, CLKINTFB
);
  parameter CLKI_DIV = 1, CLKFB_DIV = 1, CLKOP_DIV = 8, CLKOS_DIV = 8, CLKOS2_DIV = 8, CLKOS3_DIV = 8;
  parameter CLKOP_ENABLE = "ENABLED", CLKOS_ENABLE = "DISABLED", CLKOS2_ENABLE = "DISABLED", CLKOS3_ENABLE = "DISABLED";
  parameter CLKOP_CPHASE = 0, CLKOS_CPHASE = 0, CLKOP_FPHASE = 0, CLKOS_FPHASE = 0;
  parameter FEEDBK_PATH = "CLKOP", STDBY_ENABLE = "DISABLED", DPHASE_SOURCE = "DISABLED", PLLRST_ENA = "DISABLED", INTFB_WAKE = "DISABLED";
  parameter OUTDIVIDER_MUXA = "DIVA", OUTDIVIDER_MUXB = "DIVB", OUTDIVIDER_MUXC = "DIVC", OUTDIVIDER_MUXD = "DIVD";

  reg [4:0] cycles = 0;
  always @(posedge CLKI) begin
    if (!cycles[4]) cycles <= cycles + 5'd1;
    if (RST !== 1'b0 || STDBY !== 1'b0) $fatal(1, "error: EHXPLLL: no model of reset and standby");
  end
  assign LOCK = cycles[4];
  assign CLKOP = CLKI, CLKOS = CLKOS_ENABLE == "ENABLED" ? CLKI : 1'b0;
  assign {CLKOS2, CLKOS3, INTLOCK, REFCLK, CLKINTFB} = 0;
endmodule
