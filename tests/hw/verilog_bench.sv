// Parts of the bench of `verilog_driver.py`, which writes the module that puts them around a design.
`timescale 1ns / 1ns

// One input stream. The file <NAME>.txt has the number of words, the stalls (bit c: may begin to offer in cycle c) and the words.
module feeder #(
    parameter NAME = "i",
    parameter WIDTH = 1,
    parameter PATTERN_CYCLES = 1
) (
    output reg             valid,
    output reg [WIDTH-1:0] payload,
    input                  ready
);
  reg [PATTERN_CYCLES-1:0] may_go;
  reg [WIDTH-1:0] word;
  integer file, code, n_words, n_accepted;
  wire is_done = n_accepted == n_words;
  wire moves = valid && ready === 1'b1;
  reg moved;

  task start(input integer limit);
    begin
      file = $fopen({NAME, ".txt"}, "r");
      code = $fscanf(file, "%d %h", n_words, may_go);
      if (limit >= 0 && limit < n_words) n_words = limit;
      n_accepted = 0;
      moved = 0;
      valid = 0;
      payload = 0;
    end
  endtask

  // Before the clock's edge. An offer holds until it is accepted; without one the payload is wrong on purpose.
  task drive(input integer cycle);
    begin
      if (moved) valid = 0;
      if (!valid) begin
        if (!is_done && may_go[cycle%PATTERN_CYCLES]) begin
          code = $fscanf(file, "%h", word);
          valid = 1;
          payload = word;
        end else payload = ~payload;
      end
    end
  endtask

  task account;
    begin
      moved = moves;
      if (moved) n_accepted = n_accepted + 1;
    end
  endtask
endmodule
