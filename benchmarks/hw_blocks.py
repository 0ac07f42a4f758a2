"""What the stages cost on an iCE40UP5K: LUT4, flip-flops, block RAMs, and the clock they reach.

Each stage is synthesised alone; the clock is measured behind a shift register in front and one behind it, so that a wide stream needs no
pins, and is the slowest of three seeds. Takes about three minutes; writes `results/hw_blocks.json`, of which rows that are not asked for
stay as they are:

    python benchmarks/hw_blocks.py [NAME ...]
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from pathlib import Path

from amaranth.back import verilog
from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from rbonn.hw.accelerator import StageConfig
from rbonn.hw.argmax import ArgMaxConfig
from rbonn.hw.fifo import FifoConfig
from rbonn.hw.max_pool import MaxPoolConfig
from rbonn.hw.sliding_window import SlidingWindowConfig
from rbonn.hw.thermometer import ThermometerConfig
from rbonn.hw.threshold import ThresholdConfig
from rbonn.hw.width_converter import WidthConverterConfig
from rbonn.sw.build.process import run_tool
from rbonn.sw.build.toolchain import find_tools, use_in_amaranth

SEEDS = (1, 2, 3)

STAGES: dict[str, StageConfig] = {
    "fifo 16 bits, depth 2": FifoConfig(16, 2),
    "fifo 16 bits, depth 32": FifoConfig(16, 32),
    "width_converter 1 to 16 bits": WidthConverterConfig(1, 1, 16, 3136),
    "width_converter 8 to 1 bits": WidthConverterConfig(1, 8, 1, 784),
    "width_converter 8 to 28 bits": WidthConverterConfig(1, 8, 28, 784),
    "sliding_window 28 x 28 x 1, 3 x 3": SlidingWindowConfig(28, 28, 1, 1, 1, 3, 3, 1, 1),
    "sliding_window 14 x 14 x 16, 16 lanes, 3 x 3": SlidingWindowConfig(
        14, 14, 16, 1, 16, 3, 3, 1, 1
    ),
    "sliding_window 32 x 32 x 64, 16 lanes, 3 x 3": SlidingWindowConfig(
        32, 32, 64, 1, 16, 3, 3, 1, 1
    ),
    "sliding_window 14 x 14 x 16, 4 lanes, 3 x 3, 4 groups": SlidingWindowConfig(
        14, 14, 16, 1, 4, 3, 3, 1, 1, outer_groups=4
    ),
    "sliding_window 14 x 14 x 16, 4 lanes, 3 x 3, 2 groups": SlidingWindowConfig(
        14, 14, 16, 1, 4, 3, 3, 1, 1, outer_groups=2
    ),
    "sliding_window 14 x 14 x 16, 4 lanes, 3 x 3": SlidingWindowConfig(
        14, 14, 16, 1, 4, 3, 3, 1, 1
    ),
    "max_pool 28 x 28 x 16, 16 lanes, 2 x 2": MaxPoolConfig(28, 28, 16, 1, 16, 2),
    "max_pool 28 x 28 x 16, 4 lanes, 2 x 2": MaxPoolConfig(28, 28, 16, 1, 4, 2),
    "argmax 10 classes, 11 bits": ArgMaxConfig(10, 11),
    "threshold 8 bits, one constant": ThresholdConfig(8, (100,), 1, 784),
    "threshold 10 bits, 16 channels, 4 lanes": ThresholdConfig(
        10, tuple(37 * k % 1000 for k in range(16)), 4, 196
    ),
    "thermometer 8 bits, 8 levels": ThermometerConfig(8, tuple(range(28, 256, 28))[:8], 1, 3072),
}


class Harness(wiring.Component):
    """The stage with one pin for each wide stream: registers shift the payload in and out."""

    def __init__(self, config: StageConfig) -> None:
        self.config = config
        super().__init__(
            {
                **{name: In(1) for name in ("i_bit", "i_valid", "o_ready")},
                **{name: Out(1) for name in ("o_bit", "o_valid", "i_ready")},
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.stage = stage = self.config.component()
        shift_in = Signal(self.config.input_width)
        shift_out = Signal(self.config.output_width)
        m.d.comb += [stage.i.payload.eq(shift_in), self.o_bit.eq(shift_out[0])]
        m.d.sync += [
            shift_in.eq(shift_in << 1 | self.i_bit),
            shift_out.eq(shift_out >> 1),
            stage.i.valid.eq(self.i_valid),
            stage.o.ready.eq(self.o_ready),
            self.i_ready.eq(stage.i.ready),
            self.o_valid.eq(stage.o.valid),
        ]
        with m.If(stage.o.valid & stage.o.ready):
            m.d.sync += shift_out.eq(Value.cast(stage.o.payload))
        return m


def measure(config: StageConfig, folder: Path) -> dict[str, int | float]:
    """Cells of the stage alone and the clock of the stage in its harness."""
    tools = find_tools("ice40")
    cells = {}
    for name, component in (("stage", config.component()), ("harness", Harness(config))):
        (folder / f"{name}.v").write_text(verilog.convert(component, name="top"))
        script = (
            f"read_verilog {name}.v; synth_ice40 -device u -top top -json {name}_net.json; "
            f"tee -q -o {name}_stat.json stat -json"
        )
        log = folder / f"{name}.log"
        if run_tool([tools["yosys"].path, "-q", "-p", script], folder, log):
            raise RuntimeError(log.read_text()[-2000:])
        stat = json.loads((folder / f"{name}_stat.json").read_text())
        cells[name] = stat["design"]["num_cells_by_type"]
    clocks = []
    for seed in SEEDS:
        log = folder / f"place{seed}.log"
        command = [
            tools["nextpnr-ice40"].path, "--up5k", "--package", "sg48", "--json", "harness_net.json",
            "--seed", str(seed), "--freq", "48", "--pcf-allow-unconstrained",
        ]  # fmt: skip
        if run_tool(command, folder, log):
            raise RuntimeError(log.read_text()[-2000:])
        clocks.append(
            float(re.findall(r"Max frequency for clock .*?: ([\d.]+) MHz", log.read_text())[-1])
        )
    stage = cells["stage"]
    return {
        "lut4": stage.get("SB_LUT4", 0),
        "flip_flops": sum(n for kind, n in stage.items() if kind.startswith("SB_DFF")),
        "carries": stage.get("SB_CARRY", 0),
        "block_rams": stage.get("SB_RAM40_4K", 0),
        "slowest_mhz": min(clocks),
        "interval_cycles": config.interval_cycles,
        "latency_cycles": config.latency_cycles,
    }


def main(names: list[str]) -> None:
    """Measures the stages with one of `names` in theirs, or all, and writes the result file."""
    use_in_amaranth()
    path = Path(__file__).parent / "results" / "hw_blocks.json"
    known = json.loads(path.read_text())["stages"] if names and path.exists() else {}
    rows = {}
    for name, config in STAGES.items():
        if names and not any(part in name for part in names):
            rows |= {name: known[name]} if name in known else {}
            continue
        with tempfile.TemporaryDirectory() as folder:
            rows[name] = measure(config, Path(folder))
        sys.stdout.write(f"{name}: {rows[name]}\n")
        sys.stdout.flush()
    tools = {name: str(tool) for name, tool in find_tools("ice40").items() if name != "icepack"}
    result = {
        "schema": 1,
        "device": "iCE40UP5K SG48",
        "seeds": SEEDS,
        "tools": tools,
        "stages": rows,
    }
    path.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
