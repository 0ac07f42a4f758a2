"""Builds a shipped network for every board, once: what docs/boards.md says of each comes from here.

    python benchmarks/boards.py                                  # goes on where it stopped
    python benchmarks/boards.py --boards icestick --again        # these anew
    python benchmarks/boards.py --networks mnist_cnn_1w1a

Each build is of the first of the networks that the planner finds room for, at the board's own clock. Builds come from the cache where it has them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rbonn.boards import BOARDS
from rbonn.sw.errors import DoesNotFitError
from rbonn.sw.files import written_whole
from rbonn.sw.project import Project, baud_at

RESULT = Path(__file__).parent / "results" / "boards.json"

NETWORKS = ("mnist_mlp_1w1a", "mnist_mlp_tiny_1w1a")
"""From the largest to the smallest."""


def first_that_fits(networks: Sequence[str], board: str) -> Project:
    """The first of `networks` with a plan for the board, or the error of the last."""
    *others, last = networks
    for network in others:
        with suppress(DoesNotFitError):
            return Project.find(network, board)
    return Project.find(last, board)


def measure(networks: Sequence[str], board: str, folder: Path) -> dict[str, Any]:
    """A build."""
    project = first_that_fits(networks, board)
    built = project.build(folder)
    return {
        "network": project.network.name,
        "board": board,
        "network_hash": project.network.hash(),
        "clock_asked_mhz": project.plan.clock_hz / 1e6,
        "clock_mhz": round(built.clock_hz / 1e6, 3),
        "fmax_mhz": round(built.fmax_hz / 1e6, 2),
        "timing_met": built.timing_met,
        "baud": baud_at(project.board, project.clock_hz),
        "interval_cycles": project.elaboration.config.interval_cycles,
        "resources": asdict(built.resources),
        "capacity": built.capacity,
        "seed": built.seed,
        "tools": built.tools,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS))
    parser.add_argument("--boards", nargs="+", choices=list(BOARDS), default=list(BOARDS))
    parser.add_argument("--again", action="store_true", help="also what has a result already")
    parser.add_argument("--builds", type=Path, default=Path("build/boards"), help="folder of the builds")  # fmt: skip
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    options = parser.parse_args()
    results = json.loads(options.output.read_text())["results"] if options.output.exists() else []
    for board in options.boards:
        known = {row["board"] for row in results if row["network"] in options.networks}
        if board in known and not options.again:
            continue
        try:
            row = measure(options.networks, board, options.builds / board)
        except DoesNotFitError as error:
            print(f"{board}: {error.message}", flush=True)
            continue
        print(json.dumps(row), flush=True)
        same = (row["network"], board)
        results = [old for old in results if (old["network"], old["board"]) != same]
        results = sorted([*results, row], key=lambda r: (list(BOARDS).index(r["board"]), r["network"]))  # fmt: skip
        contents = {"command": "python benchmarks/boards.py", "results": results}
        with written_whole(options.output) as temporary:
            temporary.write_text(json.dumps(contents, indent=1) + "\n")


if __name__ == "__main__":
    main()
