"""Random accelerators against Amaranth's simulation: every cycle of both ends, the interval, the latency, the answers, and how deep FIFOs must be.

    python benchmarks/random_cycles.py --jobs 2                    # 200 networks; goes on where it stopped
    python benchmarks/random_cycles.py --parts cycles --count 20 -o /dev/stdout

Half of the networks are chains, half are residual; half have the structure of an iCE40's accelerators, half of an ECP5's. Any folding that a plan file may
ask for is drawn, so windows wait for arrays, bursts meet slow layers, and the slowest stage does not always set the interval.

Cycles: from what `sw/plan/play.py` says before simulation, cycle by cycle. A network is equal when each transfer of bytes and scores happens in the cycle that was played, and the
simulated answers are the golden model's. The interval is that of the frames that repeat, without end.

Depths, of residual networks: at the depths of `least_depths` the simulated interval is that of FIFOs without limit; with one place less of one of
them it is longer, or nothing moves. Where one place less would do, the table says what the depth is for.

A row is kept in `--work` as soon as it is done, and done again when the hardware or what is said of it has changed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from rbonn.sw.files import written_whole  # noqa: E402
from rbonn.sw.plan.least_depths import least_depths  # noqa: E402
from rbonn.sw.plan.play import PlayedAccelerator, play  # noqa: E402
from rbonn.sw.plan.schedule import first_frame_latency  # noqa: E402
from rbonn.sw.plan.skip_depths import LEAST_DEPTH  # noqa: E402
from rows import Row, finished, source_digest  # noqa: E402

from tests.random_accelerators import (  # noqa: E402
    RandomAccelerator,
    Simulated,
    random_accelerator,
    simulated,
)

RESULT = Path(__file__).parent / "results" / "random_cycles.json"
SEED, COUNT = 6, 200
LEAST_FRAMES, MOST_FRAMES = 3, 12
PARTS = ("cycles", "depths")

HAS_NO_PART = (
    # Cells of devices: handshakes take the same cycles without them, and networks are simulated without.
    "rbonn.hw.primitives.ecp5",
    "rbonn.hw.primitives.ice40",
    # What writes Verilog and runs tools.
    *(
        f"rbonn.sw.build.{name}"
        for name in ("cache", "carry_cells", "design", "flow", "packing", "process", "report", "result", "routed", "synthesis", "target", "toolchain")
    ),
)  # fmt: skip
"""Modules that come with the others."""


def cycles_row(case: RandomAccelerator) -> Row:
    """Part "cycles" of a network."""
    start = time.process_time()
    elaboration = case.elaborate()
    config = elaboration.config
    played = play(config)
    frames = max(LEAST_FRAMES, min(len(played.ends), MOST_FRAMES))
    shown = simulated(case, elaboration, frames)
    ends = shown.given[config.n_classes - 1 :: config.n_classes]
    return {
        "network": "residual" if elaboration.skips else "chain",
        "board": case.board.name,
        "nodes": Counter(node.kind for node in case.network.device_nodes),
        "foldings": {name: list(asdict(f).values()) for name, f in case.foldings.items()},
        "stages": len(config.stages),
        "slowest_stage": config.interval_cycles,
        "interval": None if played.interval is None else str(played.interval),
        "latency": played.first_frame_latency,
        "scheduled_latency": first_frame_latency(config),
        "frames": frames,
        "simulated_intervals": [b - a for a, b in itertools.pairwise(ends)],
        "simulated_latency": ends[0] if ends else None,
        "worst_difference": difference(PlayedAccelerator(config), shown, frames),
        "is_stuck": shown.is_stuck,
        "answers_are_right": shown.is_right,
        "seconds": round(time.process_time() - start, 1),
    }


def difference(stages: PlayedAccelerator, shown: Simulated, frames: int) -> int | None:
    """The largest difference in cycles of any transfer at either end; None where one of both stands still and the other does not."""
    moves = all(stages.run_frame() for _ in range(frames))
    if moves == shown.is_stuck or len(stages.given) != len(shown.given):
        return None
    pairs = [
        *zip(stages.given, shown.given, strict=True),
        # What enters after the last score has left is not looked at.
        *zip(stages.accepted, shown.accepted, strict=False),
    ]
    return max(abs(a - b) for a, b in pairs)


def depths_row(case: RandomAccelerator) -> Row:
    """Part "depths" of a network."""
    start = time.process_time()
    elaboration = case.elaborate()
    interval = play(elaboration.config).interval
    least = least_depths(elaboration.config, elaboration.skips, case.skip_fifo)
    places = {name: depth.depth for name, depth in least.items()}
    fifos = []
    for name, depth in least.items():
        fewer = {**places, name: places[name] - 1}
        played = play(case.elaborate(fewer).config).interval
        is_slower = played is None or played > interval
        fifos.append(
            {
                "name": name,
                "computed": asdict(elaboration.skips[name]),
                "least": asdict(depth),
                "depth": places[name],
                # What is said to be slower is simulated; what a depth is for otherwise follows from what is said.
                "one_less_is_slower": is_slower and not _keeps(case, fewer, interval),
                "one_less_is_enough": not is_slower,
                "one_less_may_stand_still": depth.live == places[name],
            }
        )
    return {
        "interval": str(interval),
        "sufficient": _keeps(case, places, interval),
        "fifos": fifos,
        "seconds": round(time.process_time() - start, 1),
    }


def _keeps(case: RandomAccelerator, places: dict[str, int], interval: Fraction | None) -> bool:
    """Whether the simulated interval is `interval`; its frames have to come as they are played."""
    elaboration = case.elaborate(places)
    played = play(elaboration.config)
    frames = len(played.ends) + played.is_stuck
    shown = simulated(case, elaboration, frames)
    if difference(PlayedAccelerator(elaboration.config), shown, frames) != 0:
        raise AssertionError(f"{case.network.hash()[:12]} at {places} moves otherwise than played")
    if shown.is_stuck or played.interval is None:
        return False
    ends = shown.given[elaboration.config.n_classes - 1 :: elaboration.config.n_classes]
    before = len(played.ends) - 1 - played.period
    shown_interval = Fraction(ends[len(played.ends) - 1] - ends[before], played.period)
    return shown_interval == interval


def row_of(seed: int, number: int, part: str, key: str) -> Row:
    """A row, by its number and part."""
    case = random_accelerator(seed, number)
    row = cycles_row(case) if part == "cycles" else depths_row(case)
    return {"number": number, "part": part, "key": key, **row}


def source_key() -> str:
    """Of everything that decides about cycles: what has been imported for it, and the generators of networks."""
    packages = ("rbonn.hw.", "rbonn.sw.build.", "rbonn.sw.plan.")
    files = [
        Path(module.__file__)
        for name, module in sys.modules.items()
        if name.startswith(packages) and not name.startswith(HAS_NO_PART) and module.__file__
    ]
    files += (ROOT / "tests").glob("random_*.py")
    return source_digest(files)


def summary(rows: list[Row]) -> Row:
    """What the rows say together."""
    cycles = [row for row in rows if row["part"] == "cycles"]
    equal = [row for row in cycles if row["worst_difference"] == 0 and row["answers_are_right"]]
    differences = [row["worst_difference"] for row in cycles]
    slowed = [row for row in cycles if row["interval"] != str(row["slowest_stage"])]
    depths = [row for row in rows if row["part"] == "depths"]
    fifos = [fifo for row in depths for fifo in row["fifos"]]
    others = [fifo for fifo in fifos if not fifo["one_less_is_slower"]]
    live = [fifo for fifo in others if fifo["one_less_may_stand_still"]]
    floor = [fifo for fifo in others if fifo not in live and fifo["depth"] == LEAST_DEPTH]
    return {
        "networks": len(cycles),
        "equal": len(equal),
        "not_equal": [row["number"] for row in cycles if row not in equal],
        "worst_difference_cycles": None if None in differences else max(differences, default=0),
        "interval_is_the_slowest_stages": len(cycles) - len(slowed),
        "latency_is_the_schedules": sum(r["latency"] == r["scheduled_latency"] for r in cycles),
        "networks_with_fifos": len(depths),
        "sufficient": sum(row["sufficient"] for row in depths),
        "fifos": len(fifos),
        "one_less_is_slower_or_stands_still": len(fifos) - len(others),
        "one_less_may_stand_still_under_stalls": len(live),
        "no_fifo_is_shallower": len(floor),
        "one_less_would_do": len(others) - len(live) - len(floor),
        "computed_depth_is_the_least": sum(
            max(*f["computed"].values(), LEAST_DEPTH) == f["depth"] for f in fifos
        ),
        "nodes": dict(sum((Counter(row["nodes"]) for row in cycles), start=Counter())),
        "seconds": round(sum(row["seconds"] for row in rows)),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path("build/random_cycles.jsonl"))
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    options = parser.parse_args()
    key = f"{options.seed} {source_key()}"
    options.work.parent.mkdir(parents=True, exist_ok=True)
    rows = {(row["part"], row["number"]): row for row in finished(options.work, key)}
    left = [
        (part, number)
        for part in options.parts
        for number in range(options.count)
        # Odd numbers are residual networks.
        if (part, number) not in rows and (part == "cycles" or number % 2)
    ]
    with ProcessPoolExecutor(options.jobs) as pool, options.work.open("a") as work:
        futures = [pool.submit(row_of, options.seed, n, part, key) for part, n in left]
        for future in as_completed(futures):
            row = future.result()
            rows[row["part"], row["number"]] = row
            work.write(json.dumps(row) + "\n")
            work.flush()
            print(json.dumps(row), flush=True)
    kept = [rows[place] for place in sorted(rows) if place[1] < options.count]
    values = {
        "schema": 1,
        "command": f"python benchmarks/random_cycles.py --seed {options.seed} --count {options.count}",
        "sources": key,
        **summary(kept),
        "rows": kept,
    }
    with written_whole(options.output) as temporary:
        temporary.write_text(json.dumps(values) + "\n")


if __name__ == "__main__":
    main()
