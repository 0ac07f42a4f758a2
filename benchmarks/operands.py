"""What the array costs with other operands than bits: cells, and the clock of three seeds, on an iCE40UP5K and an ECP5-25F.

A stem of 64 rows and 27 columns (3 x 3 taps of three channels of 8 bits), a depthwise layer of 64 channels and 3 x 3 taps, and groups of rows. Complete
stages with replay buffer, weights and thresholds; the stage in front that makes planes or pairs is a row of its own. Takes about ten
minutes; writes `results/operands.json`, of which rows that are not asked for stay as they are:

    python benchmarks/operands.py [NAME ...]
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pe_array_measure import DEVICES, Measurement
from rbonn.hw.bit_planes import BitPlanesConfig
from rbonn.hw.matrix_vector import MatrixVectorConfig
from rbonn.hw.matrix_vector_layer import MatrixVectorLayerConfig
from rbonn.hw.operands import BITS, Bits, Integers, Operands, Products
from rbonn.hw.pair_sums import PairSumsConfig
from rbonn.hw.preset_memory import PresetMemoryConfig
from rbonn.hw.stage import StageConfig
from rbonn.hw.weight_memory import WeightMemoryConfig
from rbonn.sw.build.packing import preset_words
from rbonn.sw.build.toolchain import find_tool, use_in_amaranth

SEEDS = (1, 2, 3)
RESULT = Path(__file__).parent / "results" / "operands.json"
FARTHEST_PRESET = 400
"""Presets are drawn up to that far from half of the most that a row can count."""


@dataclass(frozen=True)
class Product:
    """A matrix-vector layer on one device, with random weights and thresholds.

    Parameters
    ----------
    device : str - one of `DEVICES`
    operands : Operands
    mh, mw, pe, simd, groups : int
    depthwise : bool
    """

    device: str
    operands: Operands
    mh: int
    mw: int
    pe: int
    simd: int
    groups: int = 1
    depthwise: bool = False

    @property
    def config(self) -> MatrixVectorLayerConfig:
        is_ecp5 = self.device.startswith("ECP5")
        latency = 2 if is_ecp5 else 1
        unit = MatrixVectorConfig(
            self.mh, self.mw, self.pe, self.simd, 62,
            form="ecp5" if is_ecp5 else "ice40_carry_lanes",
            back_pressure="credit" if is_ecp5 else "enable",
            read_latency=latency,
            operands=self.operands,
            groups=self.groups,
            depthwise=self.depthwise,
        )  # fmt: skip
        most = unit.element.most_matches
        rng = np.random.default_rng(2)
        spread = min(FARTHEST_PRESET, most // 4)
        presets = -(most // 2) + rng.integers(-spread, spread + 1, self.mh)
        far = max(int(presets.max()) + most, -int(presets.min()) - 1, unit.element.beat_most)
        bits = far.bit_length() + 1
        unit = replace(unit, accumulator_bits=bits)
        weights = np.random.default_rng(1).integers(0, 2, (unit.n_words, unit.weight_bits))
        words = tuple(int("".join(map(str, word)), 2) for word in weights)
        memory = "ecp5" if is_ecp5 else "portable"
        return MatrixVectorLayerConfig(
            unit,
            WeightMemoryConfig(unit.weight_bits, words, read_latency=latency, form=memory),
            PresetMemoryConfig(
                self.pe * bits,
                preset_words(presets, self.pe, bits),
                unit.row_groups,
                memory="logic",
                read_latency=latency,
            ),
            replay_form=memory,
        )


UP5K, ECP5 = "iCE40UP5K", "ECP5-25F"
BYTES = Products(8, False, 8, "ice40_bytes")
LOGIC = Products(8, False, 8, "logic")
ROWS: dict[str, tuple[str, Product | StageConfig]] = {
    "bits 8 x 9": (UP5K, Product(UP5K, BITS, 64, 27, 8, 9)),
    "bit planes 8 x 9": (UP5K, Product(UP5K, Bits(8), 64, 27, 8, 9)),
    "integers 8 x 9": (UP5K, Product(UP5K, Integers(8), 64, 27, 8, 9)),
    "products 2 x 3": (UP5K, Product(UP5K, Products(8, False), 64, 27, 2, 3)),
    "products, two in a block, 2 x 3": (UP5K, Product(UP5K, BYTES, 64, 27, 2, 3)),
    "products in logic 2 x 3": (UP5K, Product(UP5K, LOGIC, 64, 27, 2, 3)),
    "depthwise 16 x 1": (UP5K, Product(UP5K, BITS, 64, 9, 16, 1, depthwise=True)),
    "depthwise 16 x 3": (UP5K, Product(UP5K, BITS, 64, 9, 16, 3, depthwise=True)),
    "bits 64 x 144, 8 x 16": (UP5K, Product(UP5K, BITS, 64, 144, 8, 16)),
    "bits 64 x 144, 8 x 16, 4 groups": (UP5K, Product(UP5K, BITS, 64, 144, 8, 16, groups=4)),
    "stage for bit planes, 9 lanes": (UP5K, BitPlanesConfig(8, 9, 3)),
    "stage for integers, 9 lanes": (UP5K, PairSumsConfig(8, 9, 3)),
    "bits 8 x 27": (ECP5, Product(ECP5, BITS, 64, 27, 8, 27)),
    "bit planes 8 x 27": (ECP5, Product(ECP5, Bits(8), 64, 27, 8, 27)),
    "integers 4 x 27": (ECP5, Product(ECP5, Integers(8), 64, 27, 4, 27)),
    "products 2 x 9": (ECP5, Product(ECP5, Products(8, False), 64, 27, 2, 9)),
    "products in logic 2 x 9": (ECP5, Product(ECP5, LOGIC, 64, 27, 2, 9)),
    "depthwise 32 x 3": (ECP5, Product(ECP5, BITS, 64, 9, 32, 3, depthwise=True)),
    "stage for bit planes, 27 lanes": (ECP5, BitPlanesConfig(8, 27)),
    "stage for integers, 27 lanes": (ECP5, PairSumsConfig(8, 27)),
}
"""Device and stage by name: PE x SIMD of 64 x 27 where no other matrix is named, of 64 x 9 where it is depthwise."""


def measure(device: str, row: Product | StageConfig, folder: Path) -> dict[str, Any]:
    """Cells and clocks of one row; a stage that multiplies says how many products it makes in a cycle."""
    tools = DEVICES[device]
    config = row.config if isinstance(row, Product) else row
    if isinstance(row, Product) and isinstance(row.operands, Products) and tools.family == "ice40":
        tools = replace(tools, synthesis=tools.synthesis + " -dsp")
    measurement = Measurement(tools, config.component, folder)
    result: dict[str, Any] = {"device": device} | measurement.cells()
    if isinstance(row, Product):
        result["products_per_cycle"] = row.pe * row.simd / row.operands.planes
    result |= {"interval_cycles": config.interval_cycles, "latency_cycles": config.latency_cycles}
    result |= measurement.clocks(SEEDS)
    routed = [clock for clock in result["mhz"] if clock is not None]
    return result | {"slowest_mhz": min(routed) if len(routed) == len(SEEDS) else None}


def main(names: list[str]) -> None:
    """Measures the rows with one of `names` in theirs, or all, and writes the result file."""
    use_in_amaranth()
    known = json.loads(RESULT.read_text())["rows"] if RESULT.exists() else {}
    rows = {name: known[name] for name in ROWS if name in known}
    for name, (device, row) in ROWS.items():
        if names and not any(part in name for part in names):
            continue
        with tempfile.TemporaryDirectory() as folder:
            rows[name] = measure(device, row, Path(folder))
        sys.stdout.write(f"{name}: {rows[name]}\n")
        sys.stdout.flush()
        tools = [str(find_tool(tool)) for tool in ("yosys", "nextpnr-ice40", "nextpnr-ecp5")]
        result = {"schema": 1, "seeds": SEEDS, "tools": tools, "rows": rows}
        RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
