"""What the processing-element array costs and how fast it is: complete units of a 64 x 576 matrix on iCE40 and ECP5.

Complete means input replay, weights, thresholds and back-pressure. Cells are those of the unit alone after synthesis; the clock is
the slowest of three seeds of place and route, all of which have to finish routing; cycles per vector come from a simulation
whose results are compared with NumPy's. Takes most of an hour; a row whose Verilog and tools have not changed is not measured again.

    python benchmarks/pe_array.py                     # all rows, into results/pe_array.json
    python benchmarks/pe_array.py UP5K "16x64"        # rows with one of these in their names
    python benchmarks/pe_array.py --list
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pe_array_measure import DEVICES, Measurement
from pe_array_rows import MH, MW, ROWS, Row
from rbonn.sw.build.toolchain import find_tools, use_in_amaranth, warm_up
from rbonn.sw.files import written_whole

RESULT = Path(__file__).parent / "results" / "pe_array.json"
SEEDS = (1, 2, 3)

REFERENCE = {
    "source": "github.com/asadalam/FINN_MatrixVector_RTL, public RTL of FINN's XNOR matrix-vector unit, measured with the same tools; "
    "576 x 64, 8 x 32, without weight memory and thresholds",
    "pe": 8,
    "simd": 32,
    "devices": {
        "iCE40UP5K": {"lut_equivalents": 915, "mhz": 29.9},
        "iCE40HX8K": {"lut_equivalents": 915, "mhz": 75.2},
        # 790 LUT4 and 67 CCU2C; its 16 LUT RAMs are not counted.
        "ECP5-25F": {"lut_equivalents": 924, "lut_rams": 16, "mhz": 86.0},
    },
}


class Results:
    """The result file: rows by name (`before` is kept as it is), written after each one so that nothing is lost when it is stopped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._values: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        self._values |= {
            "schema": 1,
            "matrix": [MH, MW],
            "seeds": SEEDS,
            "reference": REFERENCE,
            "tools": {
                family: [
                    str(tool) for name, tool in find_tools(family).items() if "pack" not in name
                ]
                for family in ("ice40", "ecp5")
            },
        }
        self._values.setdefault("rows", {})

    def is_current(self, name: str, key: str) -> bool:
        return self._values["rows"].get(name, {}).get("key") == key

    def row(self, name: str) -> dict[str, Any]:
        return self._values["rows"][name]

    def put(self, name: str, values: dict[str, Any]) -> None:
        with self._lock:
            self._values["rows"][name] = values
            ordered = {key: self._values["rows"].pop(key) for key in ROWS if key in self._values["rows"]}  # fmt: skip
            self._values["rows"] = ordered
            with written_whole(self.path) as temporary:
                temporary.write_text(json.dumps(self._values, indent=1) + "\n")


def rates(
    row: Row, cells: dict[str, int], slowest_mhz: float | None, cycles: int
) -> dict[str, Any]:
    """What a unit does in a second with a LUT, in lane-operations (an XNOR and its part of the sum), beside the reference."""
    if slowest_mhz is None:
        return {"lane_operations_per_second_and_lut": None, "times_reference": None}
    operations = row.mh * row.mw * slowest_mhz * 1e6 / cycles
    rate = operations / cells["lut_equivalents"]
    reference = REFERENCE["devices"][row.device]
    lanes = REFERENCE["pe"] * REFERENCE["simd"]
    reference_rate = lanes * reference["mhz"] * 1e6 / reference["lut_equivalents"]
    return {
        "lane_operations_per_second_and_lut": round(rate),
        "times_reference": round(rate / reference_rate, 2),
    }


def measure(row: Row, measurement: Measurement) -> dict[str, Any]:
    """All numbers of one row."""
    cells = measurement.cells()
    cycles = row.measured_cycles()
    placed = measurement.clocks(SEEDS)
    finished = [mhz for mhz in placed["mhz"] if mhz is not None]
    slowest = min(finished) if len(finished) == len(SEEDS) else None
    return {
        "key": measurement.key,
        "device": row.device,
        "pe": row.pe,
        "simd": row.simd,
        "matrix": [row.mh, row.mw],
        "weights": row.weights,
        "form": row.config.unit.form,
        "coded": row.coded,
        "back_pressure": row.config.unit.back_pressure,
        **cells,
        "lut_equivalents_per_lane": round(cells["lut_equivalents"] / (row.pe * row.simd), 3),
        **placed,
        "slowest_mhz": slowest,
        "cycles_per_vector": cycles,
        "ideal_cycles_per_vector": row.ideal_cycles,
        **rates(row, cells, slowest, cycles),
    }


def main() -> None:
    """Measures what is missing and writes the result file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", help="only rows with one of these in their names")
    parser.add_argument("--list", action="store_true", help="print the rows' names and end")
    parser.add_argument("--jobs", type=int, default=1, help="rows at a time")
    parser.add_argument("--again", action="store_true", help="measure what has not changed, too")
    parser.add_argument("--result", type=Path, default=RESULT, help="result file")
    arguments = parser.parse_args()

    rows = {
        name: row
        for name, row in ROWS.items()
        if not arguments.names or any(part in name for part in arguments.names)
    }
    if arguments.list:
        sys.stdout.write("".join(f"{name}\n" for name in rows))
        return
    use_in_amaranth()
    results = Results(arguments.result)
    for family in {DEVICES[row.device].family for row in rows.values()}:
        warm_up(*find_tools(family).values())

    def run(name: str) -> None:
        row = rows[name]
        with tempfile.TemporaryDirectory() as folder:
            measurement = Measurement(
                DEVICES[row.device], lambda: row.config.component(), Path(folder)
            )
            if arguments.again or not results.is_current(name, measurement.key):
                results.put(name, measure(row, measurement))
        found = results.row(name)
        sys.stdout.write(
            f"{name}: {found['lut_equivalents']} LUT, {found['logic_cells']} cells, "
            f"{found['flip_flops']} FF, {found['block_rams']} RAM, {found['mhz']} MHz, "
            f"{found['cycles_per_vector']} of {found['ideal_cycles_per_vector']} cycles, "
            f"{found['times_reference']} x reference\n"
        )
        sys.stdout.flush()

    with ThreadPoolExecutor(arguments.jobs) as pool:
        for future in [pool.submit(run, name) for name in rows]:
            future.result()


if __name__ == "__main__":
    main()
