"""The highest clock that a shipped network meets on a board, and all that is placed and routed to find it: `rbonn build --clock max`, kept.

    python benchmarks/highest_clock.py                                  # goes on where it stopped
    python benchmarks/highest_clock.py mnist_mlp_1w1a ulx3s-25f         # this pair anew

Each place and route takes minutes; those that the cache has are taken from there.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from rbonn.sw.fastest import build_fastest
from rbonn.sw.files import written_whole
from rbonn.sw.project import Project, baud_at

RESULT = Path(__file__).parent / "results" / "highest_clock.json"

PAIRS = (("mnist_mlp_1w1a", "icebreaker"), ("mnist_mlp_1w1a", "ulx3s-25f"))


def measure(network: str, board: str, folder: Path) -> dict[str, Any]:
    """A search."""
    project = Project.find(network, board)
    built = build_fastest(project, folder, say=lambda text: print(text, flush=True))
    return {
        "network": network,
        "board": board,
        "network_hash": project.network.hash(),
        "own_mhz": project.clock_hz / 1e6,
        "clock_mhz": round(built.clock_hz / 1e6, 3),
        "fmax_mhz": round(built.fmax_hz / 1e6, 2),
        "baud": baud_at(project.board, round(built.clock_hz)),
        "seed": built.seed,
        "tried": [
            {
                "clock_mhz": round(tried["clock_hz"] / 1e6, 3),
                "seed": tried["seed"],
                "fmax_mhz": round(tried["fmax_hz"] / 1e6, 2),
            }
            for tried in built.clocks_tried
        ],
        "tools": built.tools,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("pair", nargs="*", metavar="NETWORK BOARD")
    parser.add_argument("--builds", type=Path, default=Path("build/highest_clock"), help="folder of the builds")  # fmt: skip
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    options = parser.parse_args()
    if len(options.pair) not in (0, 2):
        parser.error("name a network and a board, or neither")
    results = json.loads(options.output.read_text())["results"] if options.output.exists() else []
    known = {(row["network"], row["board"]) for row in results}
    for pair in [tuple(options.pair)] if options.pair else PAIRS:
        if pair in known and not options.pair:
            continue
        row = measure(*pair, options.builds / "-".join(pair))
        results = [old for old in results if (old["network"], old["board"]) != pair]
        results = sorted([*results, row], key=lambda r: (r["network"], r["board"]))
        contents = {"command": "python benchmarks/highest_clock.py", "results": results}
        with written_whole(options.output) as temporary:
            temporary.write_text(json.dumps(contents, indent=1) + "\n")


if __name__ == "__main__":
    main()
