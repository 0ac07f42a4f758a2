"""Several accelerators in one Verilator program, side by side, each with its own stalls, compared with the golden model on every edge.

Verilog of all comes from one run of yosys, the program from one run of g++: a small network takes seconds, of which its simulation is the least.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from rbonn.sim.accelerator import Comparison, comparison
from rbonn.sim.bench import PARTS
from rbonn.sim.cell_models import with_cell_models
from rbonn.sim.plan import stimulus_bytes
from rbonn.sim.process import reason, run_logged
from rbonn.sim.scoreboard import Mismatch, compare_output, compare_probe
from rbonn.sim.specification import Stalls
from rbonn.sim.verilator import find_verilator
from rbonn.sw.build.cache import BuildCache, cache_folder, key_of
from rbonn.sw.build.design import component_verilog

from .drawn_accelerators import DrawnAccelerator

PASSES = ("full speed", "random stalls")
PATIENCE_CYCLES = 4000
"""Beyond two frames without a transfer anywhere, an accelerator has stopped."""

_VERILATE = (
    *("--cc", "--exe", "-O1", "--x-assign", "fast", "--x-initial", "fast", "--noassert"),
    *("-Wno-lint", "-Wno-style", "-Wno-fatal", "--prefix", "Vbatch", "--top-module", "bench"),
    *("-Mdir", "build", "main.cpp", "bench.sv", "design.v"),
)
# What is compiled runs for a second: nothing is optimised.
_MAKE = (
    *("-f", "Vbatch.mk", "CXX=g++", "LINK=g++", "OPT_FAST=-O0", "OPT_SLOW=-O0", "OPT_GLOBAL=-O1"),
    *("CFG_CXXFLAGS_PCH_I=-include", f"PYTHON3={sys.executable}"),
)
_RUNTIME_BYTES = 50_000_000

# Time goes on for models of cells, which know by it what happens in one cycle.
_MAIN = """
#include "Vbatch.h"
int main() {
  VerilatedContext context;
  Vbatch bench{&context};
  while (!bench.done) {
    bench.clk = 0;
    bench.eval();
    context.timeInc(1);
    bench.clk = 1;
    bench.eval();
    context.timeInc(1);
  }
  bench.final();
}
"""


@dataclass(frozen=True)
class Outcome:
    """What both passes of one accelerator found.

    Parameters
    ----------
    failure : str or None - how it stopped, broke the stream contract or left inputs
    mismatches, compared : int - elements of all edges
    first_mismatch : Mismatch or None
    edges : int - compared
    cycles : int
    """

    failure: str | None
    mismatches: int
    compared: int
    first_mismatch: Mismatch | None
    edges: int
    cycles: int

    @property
    def is_right(self) -> bool:
        return self.failure is None and self.mismatches == 0 and self.compared > 0

    def __str__(self) -> str:
        return self.failure or str(self.first_mismatch or "nothing was compared")


def run_batch(cases: Sequence[DrawnAccelerator], folder: Path) -> list[Outcome]:
    """Compiles and runs all in the empty folder `folder`; answers in their order.

    Raises
    ------
    RuntimeError - a tool failed; the log is named
    """
    elaborations = [case.elaborate() for case in cases]
    wanted = [
        comparison(case.network, elaboration, case.images)
        for case, elaboration in zip(cases, elaborations, strict=True)
    ]
    cores = [elaboration.config.component() for elaboration in elaborations]
    program = _compile(
        with_cell_models(component_verilog(SideBySide(cores), "batch")), wanted, folder
    )
    outcomes = [Outcome(None, 0, 0, None, 0, 0)] * len(cases)
    for number, name in enumerate(PASSES):
        place = folder / f"pass{number}"
        place.mkdir()
        for k, (case, what) in enumerate(zip(cases, wanted, strict=True)):
            idle_cycles = 2 * elaborations[k].config.interval_cycles + PATIENCE_CYCLES
            (place / f"{k}.input.bin").write_bytes(stimulus_bytes(what.inputs, 8))
            settings = _settings(what, case.stalls if number else None, idle_cycles)
            (place / f"{k}.settings").write_text(" ".join(map(str, settings)))
        log = place / "simulation.log"
        if run_logged([str(program)], place, log):
            raise RuntimeError(f"The simulation ended: {reason(log)}; see {log}")
        outcomes = [
            _judged(outcome, name, place, k, what)
            for k, (outcome, what) in enumerate(zip(outcomes, wanted, strict=True))
        ]
    return outcomes


class SideBySide(wiring.Component):
    """Accelerators that share a clock and nothing else: core k has the streams `i<k>` and `o<k>`."""

    def __init__(self, cores: Sequence[Any]) -> None:
        self.cores = cores
        super().__init__(
            {f"i{k}": In(stream.Signature(8)) for k in range(len(cores))}
            | {f"o{k}": Out(core.o.signature) for k, core in enumerate(cores)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for k, core in enumerate(self.cores):
            m.submodules[f"core{k}"] = core
            connect(m, flipped(getattr(self, f"i{k}")), core.i)
            connect(m, core.o, flipped(getattr(self, f"o{k}")))
        return m


def _bench(wanted: Sequence[Comparison]) -> str:
    """The bench around module `batch`: see `_lane`."""
    ports = ", ".join(
        f".{port}{k}__{member}({port}{k}_{member})"
        for k in range(len(wanted))
        for port in "io"
        for member in ("payload", "valid", "ready")
    )
    return f"""{PARTS}
module bench(input clk, output done);
  reg rst = 1;
  reg [63:0] cycle = 0;
  reg [3:0] resetting = 15;
  always @(posedge clk) begin
    if (resetting != 0) resetting <= resetting - 4'd1;
    else cycle <= cycle + 64'd1;
    rst <= resetting != 0;
  end
{"".join(_lane(k, what) for k, what in enumerate(wanted))}
  batch dut (.clk(clk), .rst(rst), {ports});
  assign done = {" && ".join(f"done{k}" for k in range(len(wanted)))};
endmodule
"""


def _lane(k: int, what: Comparison) -> str:
    """Source, sink and captures of core `k`, in the formats of `rbonn.sim.bench`.

    Reads ``<k>.settings``, see `_settings`, and ``<k>.input.bin``; writes ``<k>.output.bin``, ``<k>.<edge>.bin`` and at last ``<k>.summary``: words that
    entered, cycles, whether it stopped, violations of the contract.
    """
    width = what.output.width
    captures = {
        probe.edge: (
            probe.width,
            f"dut.core{k}.probe_{probe.edge}_strobe",
            f"dut.core{k}.probe_{probe.edge}_data",
        )
        for probe in what.probes
    } | {"output": (width, f"o{k}_valid && o{k}_ready", f"o{k}_payload")}
    names = [f"settings{k}[{n}]" for n in range(8)]
    files = {edge: f"file{k}_{edge}" for edge in captures}
    return f"""
  // Core {k}.
  reg [63:0] settings{k} [0:7];
  integer file{k}, code{k}, input{k}, {", ".join(files.values())};
  initial begin
    file{k} = $fopen("{k}.settings", "r");
    code{k} = $fscanf(file{k}, "%d %d %d %d %d %d %d %d", {", ".join(names)});
    $fclose(file{k});
    input{k} = $fopen("{k}.input.bin", "rb");
    {" ".join(f'{file} = $fopen("{k}.{edge}.bin", "wb");' for edge, file in files.items())}
  end
  wire i{k}_valid, i{k}_ready, o{k}_valid, i{k}_stall, o{k}_stall;
  wire o{k}_ready = !o{k}_stall && !rst;
  wire [7:0] i{k}_payload;
  wire [{width - 1}:0] o{k}_payload;
  rbonn_stalls i{k}_stalls (
      .clk(clk), .rst(rst), .seed(settings{k}[0][31:0]), .probability(settings{k}[2][15:0]),
      .burst_probability(settings{k}[4][15:0]), .burst_mask(settings{k}[5][15:0]), .stall(i{k}_stall));
  rbonn_stalls o{k}_stalls (
      .clk(clk), .rst(rst), .seed(settings{k}[1][31:0]), .probability(settings{k}[3][15:0]),
      .burst_probability(settings{k}[4][15:0]), .burst_mask(settings{k}[5][15:0]), .stall(o{k}_stall));
  rbonn_source #(.WIDTH(8)) source{k} (
      .clk(clk), .rst(rst), .stall(i{k}_stall), .file(input{k}), .words({what.inputs.size}),
      .valid(i{k}_valid), .ready(i{k}_ready), .payload(i{k}_payload));
  wire [63:0] broken{k}, broken{k}_cycle;
  rbonn_contract #(.WIDTH({width})) contract{k} (
      .clk(clk), .rst(rst), .cycle(cycle), .valid(o{k}_valid), .ready(o{k}_ready), .payload(o{k}_payload),
      .violations(broken{k}), .first_cycle(broken{k}_cycle));
{"".join(_capture(k, edge, *at) for edge, at in captures.items())}
  reg done{k} = 0;
  reg [63:0] entered{k} = 0, idle{k} = 0, settled{k} = 0;
  wire moved{k} = i{k}_valid && i{k}_ready || {" || ".join(f"strobe{k}_{edge}" for edge in captures)};
  always @(posedge clk) if (!rst && !done{k}) begin
    if (i{k}_valid && i{k}_ready) entered{k} <= entered{k} + 64'd1;
    idle{k} <= moved{k} ? 64'd0 : idle{k} + 64'd1;
    if (words{k}_output >= {what.output.transfers_per_image * len(what.inputs)}) settled{k} <= settled{k} + 64'd1;
    if (settled{k} == settings{k}[6] || idle{k} == settings{k}[7]) begin
      done{k} <= 1;
      file{k} = $fopen("{k}.summary", "w");
      $fdisplay(file{k}, "%0d %0d %0d %0d", entered{k}, cycle, settled{k} != settings{k}[6], broken{k});
      $fclose(file{k});
      {" ".join(f"$fclose({file});" for file in files.values())}
    end
  end
"""


def _capture(k: int, edge: str, width: int, strobe: str, data: str) -> str:
    return f"""
  wire strobe{k}_{edge} = !rst && !done{k} && ({strobe});
  wire [63:0] words{k}_{edge}, unknown{k}_{edge}, last{k}_{edge};
  rbonn_capture #(.WIDTH({width})) capture{k}_{edge} (
      .clk(clk), .rst(rst), .cycle(cycle), .file(file{k}_{edge}), .strobe(strobe{k}_{edge}), .data({data}),
      .words(words{k}_{edge}), .unknown(unknown{k}_{edge}), .last_cycle(last{k}_{edge}));"""


def _settings(what: Comparison, stalls: Stalls | None, idle_cycles: int) -> list[int]:
    """Seeds and probabilities of stalls on both sides, of bursts and their longest, and when the lane ends."""
    if stalls is None:
        return [1, 1, 0, 0, 0, 0, what.limits.settle_cycles, idle_cycles]
    burst = stalls.burst_cycles
    return [
        2 * stalls.seed,
        2 * stalls.seed + 1,
        int(65536 * stalls.input_probability),
        int(65536 * stalls.output_probability),
        32768 // burst if burst else 0,
        burst - 1 if burst else 0,
        what.limits.settle_cycles,
        idle_cycles,
    ]


def _judged(before: Outcome, name: str, place: Path, k: int, what: Comparison) -> Outcome:
    """The outcome with what a finished pass has found."""
    order = np.arange(len(what.inputs))
    entered, cycles, has_stopped, broken = map(int, (place / f"{k}.summary").read_text().split())
    comparisons = [
        compare_probe(place / f"{k}.{probe.edge}.bin", probe, what.expected[probe.edge], order)
        for probe in what.probes
    ]
    output = place / f"{k}.output.bin"
    comparisons.append(compare_output(output, what.output, what.expected_output, order))
    failures = [before.failure]
    if broken:
        failures.append(f"at {name}: the output drops an offer or changes it, {broken} times")
    if has_stopped:
        failures.append(f"at {name}: it stops in cycle {cycles}")
    elif entered != what.inputs.size:
        failures.append(f"at {name}: it takes {entered} of {what.inputs.size} bytes")
    first = next((item.first for item in comparisons if item.first), None)
    return Outcome(
        next((failure for failure in failures if failure), None),
        before.mismatches + sum(item.mismatches for item in comparisons),
        before.compared + sum(item.compared for item in comparisons),
        before.first_mismatch or first,
        len(comparisons),
        before.cycles + cycles,
    )


def _compile(verilog: str, wanted: Sequence[Comparison], folder: Path) -> Path:
    """The program; objects of Verilator's runtime, the same for all, come from the cache."""
    verilator, environment = find_verilator()
    log, build = folder / "compile.log", folder / "build"
    (folder / "main.cpp").write_text(_MAIN)
    (folder / "bench.sv").write_text(_bench(wanted))
    (folder / "design.v").write_text(verilog)

    def checked(*command: str) -> None:
        if run_logged(command, folder, log, environment):
            raise RuntimeError(f"Compiling failed: {reason(log)}; see {log}")

    checked(str(verilator), *_VERILATE)
    runtimes = BuildCache(cache_folder() / "verilator-runtime", _RUNTIME_BYTES)
    key = key_of([str(verilator), *_VERILATE, *_MAKE])
    is_known = runtimes.fetch(key, build)
    checked("make", "-C", "build", *_MAKE)
    if not is_known:
        runtimes.store(key, build.glob("verilated*.o"))
    return build / "Vbatch"
