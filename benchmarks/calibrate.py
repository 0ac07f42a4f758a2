"""Calibrates the costs of `sw.plan`: synthesises the sample, fits, and says how far predictions are from what was not fitted.

    python benchmarks/calibrate.py synthesise --jobs 2     # resumable: rows that are there stay; about half an hour of one core
    python benchmarks/calibrate.py fit                     # coefficients from the designed sample
    python benchmarks/calibrate.py judge                   # errors on the held-out sample

`results/calibration_sample.json` is the sample (`calibrate_sample.py`), `results/calibration.json` the table of what synthesis made of it.
"""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from calibrate_sample import PATH as SAMPLE
from calibrate_sample import SEEDS, Case, described, sample
from calibrate_synthesis import synthesised
from rbonn.sw.build.toolchain import find_tool, use_in_amaranth, warm_up
from rbonn.sw.files import written_whole

TABLE = Path(__file__).parent / "results" / "calibration.json"


def check_sample() -> None:
    """Raises SystemExit where the sample that is drawn is not the committed one."""
    if json.loads(SAMPLE.read_text())["cases"] != described():
        raise SystemExit(
            f"The sample is not that of {SAMPLE}: python benchmarks/calibrate_sample.py says more"
        )


def known_rows() -> dict[str, dict[str, Any]]:
    """Rows of the table by the digest of their config."""
    return json.loads(TABLE.read_text())["rows"] if TABLE.exists() else {}


def synthesise(jobs: int, blocks: list[str]) -> None:
    """Synthesises what the table lacks, of blocks with one of these texts in their names, and writes the table after each row."""
    check_sample()
    use_in_amaranth()
    yosys = find_tool("yosys")
    warm_up(yosys)
    rows, cases = known_rows(), [case for part in SEEDS for case in sample(part)]
    wanted = [
        case
        for case in cases
        if case.digest not in rows and (not blocks or any(text in case.block for text in blocks))
    ]
    with ThreadPoolExecutor(jobs) as pool:
        running = {pool.submit(synthesised, case, yosys): case for case in wanted}
        try:
            for done, future in enumerate(as_completed(running), 1):
                case = running[future]
                rows[case.digest] = future.result()
                write_table(rows, cases, str(yosys))
                row = rows[case.digest]
                sys.stdout.write(
                    f"{done}/{len(wanted)} {case.part} {case.family} {case.block}, {case.name}: {row['lut4']} LUT4, {row['seconds']} s\n"
                )
                sys.stdout.flush()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def write_table(rows: dict[str, dict[str, Any]], cases: list[Case], yosys: str) -> None:
    """The rows in the order of the sample; those of other samples are dropped."""
    values = {
        "schema": 1,
        "tool": yosys,
        "rows": {case.digest: rows[case.digest] for case in cases if case.digest in rows},
    }
    with written_whole(TABLE) as temporary:
        temporary.write_text(json.dumps(values, indent=None).replace('}, "', '},\n"') + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("synthesise")
    command.add_argument("blocks", nargs="*", help="only blocks with one of these in their names")
    command.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.command == "synthesise":
        synthesise(arguments.jobs, arguments.blocks)


if __name__ == "__main__":
    main()
