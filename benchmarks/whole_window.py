"""What the array costs and how fast it is where a whole window is one beat, as in the residual networks of an ECP5-85F.

Complete layers of 576 lanes, and the stem's 1728: sums of rows that meet each vector in one beat, presets of nine border classes, a vector held by
its producer, credits, results in LUT RAM. Cells are those of the layer alone after synthesis; the clock is the slowest of the seeds of place and
route; cycles per vector come from a simulation of the portable form, whose results are compared with NumPy's. A row whose Verilog and tools have not changed
is not measured again.

    python benchmarks/whole_window.py                 # all rows, into results/whole_window.json
    python benchmarks/whole_window.py "2 x 288" --seeds 1
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pe_array_measure import Device, Measurement
from pe_array_rows import simulated
from rbonn.hw.fifo import FifoConfig
from rbonn.hw.matrix_vector import MatrixVectorConfig
from rbonn.hw.matrix_vector_layer import MatrixVectorLayerConfig
from rbonn.hw.preset_memory import PresetMemoryConfig
from rbonn.hw.stage import StageConfig
from rbonn.hw.weight_memory import WeightMemoryConfig
from rbonn.sw.build.packing import preset_words, weight_words, words
from rbonn.sw.build.toolchain import find_tools, use_in_amaranth, warm_up
from rbonn.sw.files import written_whole

RESULT = Path(__file__).parent / "results" / "whole_window.json"

ECP5_85F = Device(
    "ecp5",
    "synth_ecp5 -nowidelut",
    ("--85k", "--package", "CABGA381", "--speed", "6", "--lpf-allow-unconstrained"),
    200,
)

CLASSES = 3
"""Border classes of a side of an image under a 3 x 3 kernel."""

ECP5 = {"read_latency": 2, "form": "ecp5"}
PORTABLE = {"read_latency": 2, "form": "portable"}


@dataclass(frozen=True)
class Row:
    """A layer of `mh` rows of `mw` columns, `pe` of them at once, for an image of side x side pixels.

    `weights` and `presets` say what their memories are made of: "block" or "logic".
    """

    mh: int
    mw: int
    pe: int
    side: int
    weights: str
    presets: str = "block"

    @property
    def matrix(self) -> np.ndarray:
        """(mh, mw) of +1 and -1."""
        return np.random.default_rng(1).choice([-1, 1], (self.mh, self.mw))

    @property
    def starts(self) -> np.ndarray:
        """(row classes, column classes, mh): minus the columns, and at the borders something like the sum of the padded taps' weights."""
        padded = np.random.default_rng(2).integers(-20, 21, (CLASSES, CLASSES, self.mh))
        padded[1, 1] = 0
        return padded - self.mw

    def config(self, memory: dict[str, Any]) -> MatrixVectorLayerConfig:
        """The layer; `memory` are the read latency and form of its memories, whose form the array has too."""
        bits, n_groups = self.mw.bit_length() + 1, self.mh // self.pe
        classes = (0, *[1] * (self.side - 2), 2)
        unit = MatrixVectorConfig(
            self.mh,
            self.mw,
            self.pe,
            self.mw,
            bits,
            "sums",
            self.side**2,
            form=memory["form"],
            back_pressure="credit",
            read_latency=memory["read_latency"],
        )
        contents = weight_words(self.matrix, self.pe, self.mw)
        weights = WeightMemoryConfig(unit.weight_bits, contents, self.weights, **memory)
        presets = PresetMemoryConfig(
            self.pe * bits,
            preset_words(self.starts, self.pe, bits),
            n_groups,
            classes,
            classes,
            self.presets,
            **memory,
        )
        return MatrixVectorLayerConfig(unit, weights, presets, "held", memory["form"])

    def measured_cycles(self) -> int:
        """Cycles per vector at full rate in simulation, once its results are seen to be those of NumPy."""
        vectors = np.random.default_rng(3).choice([-1, 1], (4, self.mw))
        # The first pixels of a frame: the corner and the uppermost row.
        starts = self.starts[0, [0, 1, 1, 1]]
        sums = vectors @ self.matrix.T + self.mw + starts
        config = self.config(PORTABLE)
        bits = config.unit.accumulator_bits
        expected = [w for row in sums for w in words(row.reshape(-1, self.pe), bits)]
        beats = list(words((vectors > 0).astype(np.int64), 1))
        outputs = simulated(config, beats, (), len(expected))
        if [word for _, word in outputs] != expected:
            raise RuntimeError("the simulated results are not those of NumPy")
        groups = self.mh // self.pe
        return outputs[4 * groups - 1][0] - outputs[3 * groups - 1][0]


LAYERS = {
    "4 x 144": Row(16, 144, 4, 32, "logic"),
    "4 x 144, presets in logic": Row(16, 144, 4, 32, "logic", "logic"),
    "2 x 288": Row(32, 288, 2, 16, "logic"),
    "2 x 288, weights in block RAM": Row(32, 288, 2, 16, "block"),
    "1 x 576": Row(64, 576, 1, 8, "block"),
    "4 x 432": Row(16, 432, 4, 32, "logic"),
}

FIFOS = {
    f"FIFO, {depth} x {width} bits": FifoConfig(width, depth, **ECP5)
    for width, depth in ((64, 128), (64, 400), (32, 400), (16, 700), (16, 1100), (64, 1100))
}
"""Skip paths."""


def measure(name: str, folder: Path, seeds: list[int]) -> dict[str, Any]:
    """All numbers of one row, without its key."""
    config: StageConfig = FIFOS[name] if name in FIFOS else LAYERS[name].config(ECP5)
    measurement = Measurement(ECP5_85F, lambda: config.component(), folder)
    cells, placed = measurement.cells(), measurement.clocks(seeds)
    finished = [mhz for mhz in placed["mhz"] if mhz is not None]
    values = {
        "key": measurement.key,
        **cells,
        **placed,
        "slowest_mhz": min(finished) if len(finished) == len(seeds) else None,
        "latency_cycles": config.latency_cycles,
    }
    if name in LAYERS:
        row = LAYERS[name]
        # A LUT RAM takes the place of six LUT4: four of them hold its words, two its write port.
        luts = cells["lut_equivalents"] + 6 * cells["lut_rams"]
        values |= {
            "luts_per_lane": round(luts / (row.pe * row.mw), 3),
            "queue_places": LAYERS[name].config(ECP5).unit.queue.depth,
            "cycles_per_vector": row.measured_cycles(),
            "ideal_cycles_per_vector": row.mh // row.pe,
        }
    return values


def main() -> None:
    """Measures what is missing and writes the result file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", help="only rows with one of these in their names")
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2, 3])
    parser.add_argument("--again", action="store_true", help="measure what has not changed, too")
    parser.add_argument("--result", type=Path, default=RESULT, help="result file")
    arguments = parser.parse_args()

    use_in_amaranth()
    warm_up(*find_tools("ecp5").values())
    found = json.loads(arguments.result.read_text()) if arguments.result.exists() else {}
    found |= {"schema": 1, "device": "ECP5-85F, speed grade 6"}
    rows = found.setdefault("rows", {})
    for name in [*LAYERS, *FIFOS]:
        if arguments.names and not any(part in name for part in arguments.names):
            continue
        config: StageConfig = FIFOS[name] if name in FIFOS else LAYERS[name].config(ECP5)
        with tempfile.TemporaryDirectory() as folder:
            key = Measurement(ECP5_85F, lambda c=config: c.component(), Path(folder)).key
            if (
                arguments.again
                or rows.get(name, {}).get("key") != key
                or len(rows[name]["mhz"]) < len(arguments.seeds)
            ):
                rows[name] = measure(name, Path(folder), arguments.seeds)
        found["rows"] = {key: rows[key] for key in [*LAYERS, *FIFOS] if key in rows}
        with written_whole(arguments.result) as temporary:
            temporary.write_text(json.dumps(found, indent=1) + "\n")
        row = rows[name]
        sys.stdout.write(
            f"{name}: {row['lut_equivalents']} LUT, {row['lut_rams']} LUT RAM, {row['flip_flops']} FF, "
            f"{row['block_rams']} RAM, {row['mhz']} MHz\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
