// Parts of every bench: random stalls, a stream source, a stream sink and captures. Runs in Verilator and in Icarus Verilog.
//
// All data come from and go to binary files, one stream or probe each, so a compiled bench takes any number of images:
//   into the bench   big-endian, ceil(WIDTH / 8) bytes a word        ($fread)
//   out of the bench little-endian, ceil(WIDTH / 32) uint32 a word   ($fwrite "%u")
`timescale 1ns / 1ns

// Decides in each cycle whether a side of the design stalls, from a xorshift generator (Marsaglia 2003).
//
// Two kinds of stall: single cycles, with `probability` / 65536 in each cycle; and bursts, which begin with
// `burst_probability` / 65536 in each cycle and last from 1 to `burst_mask` + 1 cycles, so that FIFOs run full or dry.
module rbonn_stalls (
    input             clk,
    input             rst,
    input      [31:0] seed,  // not 0
    input      [15:0] probability,
    input      [15:0] burst_probability,
    input      [15:0] burst_mask,
    output reg        stall
);
  reg [31:0] state, a, b, next;
  reg [15:0] burst;
  always @(posedge clk) begin
    a = state ^ (state << 13);
    b = a ^ (a >> 17);
    next = b ^ (b << 5);
    if (rst) begin
      state <= seed;
      burst <= 0;
      stall <= 0;
    end else begin
      state <= next;
      stall <= burst != 0 || next[15:0] < probability;
      if (burst != 0) burst <= burst - 16'd1;
      else if (next[31:16] < burst_probability) burst <= (next[22:7] & burst_mask) + 16'd1;
    end
  end
endmodule

// Offers `words` words of `file` on a stream. A stall is a cycle without an offer; an offer, once made, holds until taken.
// While nothing is offered the payload is wrong on purpose, so that a design that looks at it without `valid` is found.
module rbonn_source #(
    parameter WIDTH = 8
) (
    input                  clk,
    input                  rst,
    input                  stall,
    input      [     31:0] file,
    input      [     63:0] words,
    output reg             valid,
    input                  ready,
    output reg [WIDTH-1:0] payload
);
  reg [WIDTH-1:0] word;
  reg [63:0] offered;
  integer code;
  always @(posedge clk) begin
    if (rst) begin
      valid   <= 0;
      payload <= {WIDTH{1'b1}};
      offered <= 0;
    end else if (!valid || ready) begin
      if (offered != words && !stall) begin
        code = $fread(word, file);
        valid   <= 1;
        payload <= word;
        offered <= offered + 64'd1;
      end else begin
        valid   <= 0;
        payload <= ~payload;
      end
    end
  end
endmodule

// Writes `data` to `file` in each cycle with `strobe`; counts the words and those with unknown bits (Icarus only), and
// remembers the cycle of the last one.
module rbonn_capture #(
    parameter WIDTH = 8,
    parameter WRITE = 1  // 0: count only
) (
    input                  clk,
    input                  rst,
    input      [     63:0] cycle,
    input      [     31:0] file,
    input                  strobe,
    input      [WIDTH-1:0] data,
    output reg [     63:0] words,
    output reg [     63:0] unknown,
    output reg [     63:0] last_cycle
);
  always @(posedge clk) begin
    if (rst) begin
      words <= 0;
      unknown <= 0;
      last_cycle <= 0;
    end else if (strobe !== 1'b0) begin
      if (WRITE != 0) $fwrite(file, "%u", data);
      words <= words + 64'd1;
      last_cycle <= cycle;
      if ((^{strobe, data}) === 1'bx) unknown <= unknown + 64'd1;
    end
  end
endmodule

// Counts cycles in which a stream breaks its contract: `valid` falls, or the payload changes, before the word was taken.
module rbonn_contract #(
    parameter WIDTH = 8
) (
    input                  clk,
    input                  rst,
    input      [     63:0] cycle,
    input                  valid,
    input                  ready,
    input      [WIDTH-1:0] payload,
    output reg [     63:0] violations,
    output reg [     63:0] first_cycle
);
  reg waiting;
  reg [WIDTH-1:0] offered;
  always @(posedge clk) begin
    waiting <= !rst && valid && !ready;
    offered <= payload;
    if (rst) begin
      violations  <= 0;
      first_cycle <= 0;
    end else if (waiting && (!valid || payload !== offered)) begin
      violations <= violations + 64'd1;
      if (violations == 0) first_cycle <= cycle;
    end
  end
endmodule

// Counts words of a stream and writes the cycle of the first word (FIRST = 1) or of the last one of each image to `file`.
module rbonn_frames #(
    parameter FIRST = 1
) (
    input             clk,
    input             rst,
    input      [63:0] cycle,
    input      [31:0] file,
    input      [63:0] words_per_image,
    input             transfer,
    output reg [63:0] images
);
  reg [63:0] word;
  wire last = word == words_per_image - 64'd1;
  always @(posedge clk) begin
    if (rst) begin
      word   <= 0;
      images <= 0;
    end else if (transfer) begin
      word <= last ? 64'd0 : word + 64'd1;
      if (last) images <= images + 64'd1;
      if (FIRST != 0 ? word == 0 : last) $fwrite(file, "%u", cycle);
    end
  end
endmodule
