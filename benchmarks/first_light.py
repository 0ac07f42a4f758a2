"""Measures the whole way for the MNIST networks: generation, simulation, and builds for an iCE40 and an ECP5 board.

    python benchmarks/first_light.py                                  # prints
    python benchmarks/first_light.py -o benchmarks/results/first_light.json

Nothing comes from a cache, except Verilator's runtime. Times are of this machine and of whatever else it was doing; resources, cycles and
clocks do not depend on it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rbonn.sim.accelerator import simulate_accelerator
from rbonn.sw.project import Project

NETWORKS = ("mnist_cnn_1w1a", "mnist_mlp_1w1a")
BOARDS = ("icebreaker", "ulx3s-25f")


def measure(network: str, board: str, folder: Path) -> dict[str, Any]:
    """Plan, generation, simulation and build of one network on one board."""
    start = time.monotonic()
    project = Project.find(network, board)
    project.write_verilog(folder)
    generate_seconds = time.monotonic() - start
    start = time.monotonic()
    simulated = simulate_accelerator(
        project.network, project.elaboration, project.images(100), folder=folder / "simulation"
    )
    simulate_seconds = time.monotonic() - start
    built = project.build(folder, use_cache=False)
    summary = project.summary
    measured_fps = built.clock_hz / simulated.initiation_interval_cycles
    return {
        "network": network,
        "board": board,
        "generate_seconds": round(generate_seconds, 1),
        "simulation": {
            "images": simulated.images,
            "mismatches": simulated.mismatches,
            "values_compared": simulated.elements_compared,
            "boundaries_checked": simulated.boundaries_checked,
            "initiation_interval_cycles": simulated.initiation_interval_cycles,
            "latency_cycles": simulated.latency_cycles,
            "cycles_per_second": round(simulated.cycles_simulated / simulated.wall_seconds),
            "seconds_with_compilation": round(simulate_seconds, 1),
        },
        "plan": {
            "initiation_interval_cycles": summary.initiation_interval_cycles,
            "latency_cycles": summary.latency_cycles,
            "totals": asdict(summary.totals),
        },
        "build": {
            "resources": asdict(built.resources),
            "capacity": built.capacity,
            "fmax_mhz": round(built.fmax_hz / 1e6, 2),
            "clock_mhz": round(built.clock_hz / 1e6, 2),
            "timing_met": built.timing_met,
            "seconds": round(built.seconds, 1),
            "tools": built.tools,
        },
        "frames_per_second": round(measured_fps),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS))
    parser.add_argument("--boards", nargs="+", default=list(BOARDS))
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    results = []
    for network, board in itertools.product(options.networks, options.boards):
        with tempfile.TemporaryDirectory() as folder:
            os.environ["RBONN_CACHE"] = str(Path(folder) / "cache")
            results.append(measure(network, board, Path(folder) / "out"))
        print(json.dumps(results[-1], indent=2))
    if options.output:
        command = f"python benchmarks/first_light.py --networks {' '.join(options.networks)} --boards {' '.join(options.boards)}"
        machine = (
            f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
        )
        contents = {"command": command, "machine": machine, "results": results}
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(contents, indent=2) + "\n")


if __name__ == "__main__":
    main()
