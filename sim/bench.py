"""Writes the bench around a streaming design: SystemVerilog that Verilator and Icarus Verilog both take."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from .specification import OutputSpec, Probe, StreamSpec

BENCH = "rbonn_bench"
"""Name of the bench's top module, which cocotb sees."""

PARTS = files("rbonn.sim").joinpath("bench.sv").read_text(encoding="utf-8")
"""Stalls, sources, sinks and captures, as SystemVerilog."""

_CONTROLS = {
    "go": 1,
    "input_seed": 32,
    "output_seed": 32,
    "input_probability": 16,
    "output_probability": 16,
    "burst_probability": 16,
    "burst_mask": 16,
    "input_total": 64,
    "input_words_per_image": 64,
    "output_total": 64,
    "output_words_per_image": 64,
    "idle_limit": 64,
    "starved_limit": 64,
    "settle_cycles": 64,
    "progress_shift": 6,
}


def streaming_bench(
    top: str, stream: StreamSpec, output: OutputSpec, probes: Sequence[Probe]
) -> str:
    """The bench of the module `top` with ports clk, rst, i__payload, i__valid, i__ready, o__payload, o__valid, o__ready.

    cocotb writes the controls, raises `go` and waits for a change of `events` (``images that left >> progress_shift, done``). A pass resets the
    design, opens the files, runs, closes the files and raises `done`; lowering `go` makes the bench ready for another pass. It ends
    `settle_cycles` after `output_total` words have left (words that come too many are captured meanwhile), or when nothing has moved for `idle_limit`
    cycles, or when nothing has left for `starved_limit` cycles (`timed_out`).

    Files: ``input.bin``; ``output.bin`` and ``probe_<edge>.bin``; ``first.bin`` and ``last.bin``, the cycle in which the first input of each image
    was accepted and its last output left; ``summary.txt``, a line "name words unknown_words last_cycle" per capture and at last "contract
    violations - first_cycle". Formats: `bench.sv`.
    """
    captures = {
        "input": (stream.width, "i_valid && i_ready", "i_payload"),
        **{
            f"probe_{probe.edge}": (
                probe.width,
                f"dut.probe_{probe.edge}_strobe",
                f"dut.probe_{probe.edge}_data",
            )
            for probe in probes
        },
        "output": (output.width, "o_valid && o_ready", "o_payload"),
    }
    return f"""{PARTS}
module {BENCH};
  reg clk = 0;
  always #1 clk = !clk;

  // Written and read by cocotb.
{_controls()}
  reg done /* verilator public_flat_rw */ = 0;
  reg timed_out /* verilator public_flat_rw */ = 0;
  reg [63:0] cycle /* verilator public_flat_rw */ = 0;
  wire [31:0] events /* verilator public_flat_rw */;

  // The design between a source and a sink.
  reg rst = 1;
  wire i_valid, i_ready, o_valid, i_stall, o_stall;
  wire o_ready = !o_stall && !rst;
  wire [{stream.width - 1}:0] i_payload;
  wire [{output.width - 1}:0] o_payload;
  {top} dut (
      .clk(clk), .rst(rst),
      .i__payload(i_payload), .i__valid(i_valid), .i__ready(i_ready),
      .o__payload(o_payload), .o__valid(o_valid), .o__ready(o_ready));
  rbonn_stalls input_stalls (
      .clk(clk), .rst(rst), .seed(input_seed), .probability(input_probability),
      .burst_probability(burst_probability), .burst_mask(burst_mask), .stall(i_stall));
  rbonn_stalls output_stalls (
      .clk(clk), .rst(rst), .seed(output_seed), .probability(output_probability),
      .burst_probability(burst_probability), .burst_mask(burst_mask), .stall(o_stall));
  integer stimulus = 0;
  rbonn_source #(.WIDTH({stream.width})) source (
      .clk(clk), .rst(rst), .stall(i_stall), .file(stimulus), .words(input_total),
      .valid(i_valid), .ready(i_ready), .payload(i_payload));
  wire [63:0] violations, violation_cycle;
  rbonn_contract #(.WIDTH({output.width})) contract (
      .clk(clk), .rst(rst), .cycle(cycle), .valid(o_valid), .ready(o_ready), .payload(o_payload),
      .violations(violations), .first_cycle(violation_cycle));

  // Captures.
{"".join(_capture(name, *what, keep=name != "input") for name, what in captures.items())}
  wire moved = {" || ".join(f"{name}_strobe" for name in captures)};

  // When images begin and end.
  integer first_file = 0, last_file = 0;
  wire [63:0] images_in, images_out;
  rbonn_frames #(.FIRST(1)) first (
      .clk(clk), .rst(rst), .cycle(cycle), .file(first_file), .words_per_image(input_words_per_image),
      .transfer(input_strobe), .images(images_in));
  rbonn_frames #(.FIRST(0)) last (
      .clk(clk), .rst(rst), .cycle(cycle), .file(last_file), .words_per_image(output_words_per_image),
      .transfer(output_strobe), .images(images_out));
  wire [63:0] images_shown = images_out >> progress_shift;
  assign events = {{images_shown[30:0], done}};

{_control(captures)}
endmodule
"""


def _controls() -> str:
    return "\n".join(
        f"  reg [{bits - 1}:0] {name} /* verilator public_flat_rw */ = 0;"
        for name, bits in _CONTROLS.items()
    )


def _capture(name: str, width: int, strobe: str, data: str, *, keep: bool) -> str:
    """Instance of a capture; without `keep` words are counted and not written."""
    return f"""  integer {name}_file = 0;
  wire {name}_strobe = !rst && ({strobe});
  wire [63:0] {name}_words, {name}_unknown, {name}_cycle;
  rbonn_capture #(.WIDTH({width}), .WRITE({int(keep)})) {name}_capture (
      .clk(clk), .rst(rst), .cycle(cycle), .file({name}_file), .strobe({name}_strobe), .data({data}),
      .words({name}_words), .unknown({name}_unknown), .last_cycle({name}_cycle));
"""


def _control(captures: dict[str, tuple[int, str, str]]) -> str:
    """The state machine of a pass: reset with files opening, run, close."""
    written = [name for name in captures if name != "input"]
    opens = "\n".join(f'        {name}_file = $fopen("{name}.bin", "wb");' for name in written)
    closes = "\n".join(f"      $fclose({name}_file);" for name in written)
    summary = "\n".join(
        f'      $fdisplay(summary, "{name} %0d %0d %0d", {name}_words, {name}_unknown, {name}_cycle);'
        for name in captures
    )
    return f"""  // A pass.
  integer summary = 0;
  reg [3:0] resetting = 15;
  reg running = 0, closing = 0;
  reg [63:0] idle = 0, starved = 0, settled = 0;
  always @(posedge clk) begin
    if (!go) begin
      resetting <= 15;
      done <= 0;
      timed_out <= 0;
      cycle <= 0;
      idle <= 0;
      starved <= 0;
      settled <= 0;
    end else if (resetting != 0) begin
      if (resetting == 15) begin
        stimulus = $fopen("input.bin", "rb");
        first_file = $fopen("first.bin", "wb");
        last_file = $fopen("last.bin", "wb");
{opens}
      end
      resetting <= resetting - 4'd1;
      rst <= resetting != 1;
      running <= resetting == 1;
    end else if (running) begin
      cycle <= cycle + 64'd1;
      idle <= moved ? 64'd0 : idle + 64'd1;
      starved <= output_strobe ? 64'd0 : starved + 64'd1;
      if (output_words >= output_total) settled <= settled + 64'd1;
      if (settled == settle_cycles || idle == idle_limit || starved == starved_limit) begin
        running <= 0;
        closing <= 1;
        rst <= 1;
        timed_out <= settled != settle_cycles;
      end
    end else if (closing) begin
      summary = $fopen("summary.txt", "w");
{summary}
      $fdisplay(summary, "contract %0d 0 %0d", violations, violation_cycle);
      $fclose(summary);
      $fclose(stimulus);
      $fclose(first_file);
      $fclose(last_file);
{closes}
      closing <= 0;
      done <= 1;
    end
  end"""
