"""Writes the bench around a top level with a serial line: the host's side of the line, in SystemVerilog."""

from __future__ import annotations

LINE_BENCH = "rbonn_line_bench"
"""Name of the bench's top module, which cocotb sees."""

CHUNK_BYTES = 2048
"""Most bytes that cocotb hands over at a time."""

CYCLE = 1000
"""Time units of one clock cycle: the host's bit time is no multiple of it."""


def line_bench(top: str) -> str:
    """The bench of the module `top` with ports clk, rst, rx, tx.

    cocotb writes `chunk` (first byte in the least significant bits), `chunk_bytes` and `bit_time` (in time units, `CYCLE` to a clock cycle) and raises
    `send`; when the last stop bit is over, `sent` counts up; cocotb then lowers `send`. While `hold_low` is high, so is a break on the line. Each byte
    from the design is appended to ``received.bin`` as a uint32; at each delimiter (a zero byte) the file is flushed and `delimiters` counts up.
    `framing_errors` counts bytes without a stop bit. `events` changes with `sent` and `delimiters`.
    """
    return f"""`timescale 1ps / 1ps
module {LINE_BENCH};
  reg clk = 0;
  always #{CYCLE // 2} clk = !clk;
  reg rst = 1;
  initial begin
    repeat (16) @(posedge clk);
    rst <= 0;
  end
  reg [63:0] cycle /* verilator public_flat_rw */ = 0;
  always @(posedge clk) cycle <= cycle + 64'd1;

  // Written and read by cocotb.
  reg send /* verilator public_flat_rw */ = 0;
  reg hold_low /* verilator public_flat_rw */ = 0;
  reg [31:0] bit_time /* verilator public_flat_rw */ = {CYCLE};
  reg [{8 * CHUNK_BYTES - 1}:0] chunk /* verilator public_flat_rw */ = 0;
  reg [15:0] chunk_bytes /* verilator public_flat_rw */ = 0;
  reg [31:0] sent /* verilator public_flat_rw */ = 0;
  reg [31:0] delimiters /* verilator public_flat_rw */ = 0;
  reg [31:0] framing_errors /* verilator public_flat_rw */ = 0;
  wire [63:0] events /* verilator public_flat_rw */;
  assign events = {{sent, delimiters}};

  reg line = 1;
  wire tx;
  {top} dut (.clk(clk), .rst(rst), .rx(line && !hold_low), .tx(tx));

  // The host sends: start bit, eight bits from the least significant on, stop bit.
  integer index, place;
  reg [9:0] frame;
  always @(posedge send) begin
    for (index = 0; index < chunk_bytes; index = index + 1) begin
      frame = {{1'b1, chunk[8 * index +: 8], 1'b0}};
      for (place = 0; place < 10; place = place + 1) begin
        line = frame[place];
        #(bit_time);
      end
    end
    sent = sent + 1;
  end

  // The host receives: each bit is looked at in its middle.
  integer received, number;
  reg [7:0] bits;
  initial received = $fopen("received.bin", "wb");
  always @(negedge tx) if (!rst) begin
    #(bit_time / 2);
    if (!tx) begin
      for (number = 0; number < 8; number = number + 1) begin
        #(bit_time);
        bits[number] = tx;
      end
      #(bit_time);
      if (!tx) framing_errors = framing_errors + 1;
      $fwrite(received, "%u", {{24'd0, bits}});
      if (bits == 0) begin
        $fflush(received);
        delimiters = delimiters + 1;
      end
    end
  end
endmodule
"""
