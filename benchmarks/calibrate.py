"""Calibrates the costs of `sw.plan`: synthesises the sample, fits, and says how far predictions are from what was not fitted.

    python benchmarks/calibrate.py synthesise --jobs 2     # resumable: rows that are there stay; about 25 minutes of one core
    python benchmarks/calibrate.py synthesise --again      # after a change of the hardware: rows whose Verilog is another now are made anew
    python benchmarks/calibrate.py fit                     # the designed sample's rows into sw/plan/coefficients.py
    python benchmarks/calibrate.py judge                   # errors on the held-out sample into results/calibration_errors.json
    python benchmarks/calibrate.py networks                # builds whole networks and compares, into the same file; resumable, minutes each

`results/calibration_sample.json` is the sample (`calibrate_sample.py`), `results/calibration.json` the table of what synthesis made of it.
"""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from calibrate_errors import judged
from calibrate_fit import coefficients_module, rows_of
from calibrate_networks import compared
from calibrate_sample import BOARD_OF, PATH, SEEDS, Case, described, sample
from calibrate_synthesis import link_cells, synthesised
from rbonn.sw.build.toolchain import find_tool, use_in_amaranth, warm_up
from rbonn.sw.files import written_whole

TABLE = Path(__file__).parent / "results" / "calibration.json"
ERRORS = Path(__file__).parent / "results" / "calibration_errors.json"
COEFFICIENTS = Path(__file__).parents[1] / "sw" / "plan" / "coefficients.py"


def check_sample() -> None:
    """Raises SystemExit where the sample that is drawn is not the committed one. (Where the hardware has changed since, its rows are missing.)"""
    committed = [_without_digest(case) for case in json.loads(PATH.read_text())["cases"]]
    if committed != [_without_digest(case) for case in described()]:
        raise SystemExit(f"The sample that is drawn is not that of {PATH}.")


def _without_digest(case: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in case.items() if name != "digest"}


def known_rows() -> dict[str, dict[str, Any]]:
    """Rows of the table by the digest of their config."""
    return json.loads(TABLE.read_text())["rows"] if TABLE.exists() else {}


def synthesise(jobs: int, blocks: list[str], again: bool = False) -> None:
    """Synthesises what the table lacks, of blocks with one of these texts in their names, and writes the table after each row; `again`: also what has other Verilog now."""
    check_sample()
    use_in_amaranth()
    yosys = find_tool("yosys")
    warm_up(yosys)
    rows, cases = known_rows(), [case for part in SEEDS for case in sample(part)]
    wanted = [
        case
        for case in cases
        if (again or case.digest not in rows)
        and (not blocks or any(text in case.block for text in blocks))
    ]
    link = {family: link_cells(board, yosys) for family, board in BOARD_OF.items()}
    write_table(rows, cases, link, str(yosys))
    with ThreadPoolExecutor(jobs) as pool:
        running = {
            pool.submit(synthesised, case, yosys, rows.get(case.digest)): case for case in wanted
        }
        try:
            for done, future in enumerate(as_completed(running), 1):
                case, row = running[future], future.result()
                if row == rows.get(case.digest):
                    continue
                rows[case.digest] = row
                write_table(rows, cases, link, str(yosys))
                what = f"{case.part}, {case.family}, {case.block}: {case.name}"
                cells = row.get("failed", f"{row.get('lut4')} LUT4")
                print(f"{done}/{len(wanted)} {what}: {cells}, {row['seconds']} s", flush=True)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def write_table(
    rows: dict[str, dict[str, Any]], cases: list[Case], link: dict[str, Any], yosys: str
) -> None:
    """A row a line, in the order of the sample; those of other samples are dropped."""
    kept = [
        f"  {json.dumps(case.digest)}: {json.dumps(rows[case.digest])}"
        for case in cases
        if case.digest in rows
    ]
    head = {"schema": 1, "command": "python benchmarks/calibrate.py synthesise", "tool": yosys, "link": link}  # fmt: skip
    text = json.dumps(head, indent=1)[:-2] + ',\n "rows": {\n' + ",\n".join(kept) + "\n }\n}\n"
    with written_whole(TABLE) as temporary:
        temporary.write_text(text)


def fit() -> None:
    """Writes the coefficients."""
    check_sample()
    text = coefficients_module(rows_of(sample("fit"), known_rows()))
    with written_whole(COEFFICIENTS) as temporary:
        temporary.write_text(text)


def judge() -> None:
    """Writes the errors of both samples; what the file says of networks stays."""
    check_sample()
    table, cases = known_rows(), {part: sample(part) for part in SEEDS}
    known = json.loads(ERRORS.read_text()) if ERRORS.exists() else {}
    found = {part: judged(cases[part], table) for part in SEEDS}
    write_errors({**found, "networks": known.get("networks", [])})
    for part, errors in found.items():
        print(part, json.dumps(errors["all"]))


def write_errors(values: dict[str, Any]) -> None:
    """Errors of blocks and of networks."""
    head = {"schema": 1, "command": "python benchmarks/calibrate.py judge; python benchmarks/calibrate.py networks"}  # fmt: skip
    with written_whole(ERRORS) as temporary:
        temporary.write_text(json.dumps(head | values, indent=1) + "\n")


def networks(again: bool) -> None:
    """Builds networks and writes their predictions beside what was placed."""
    values = json.loads(ERRORS.read_text())
    done = [] if again else values["networks"]
    for row in compared(done):
        done = [*done, row]
        values["networks"] = done
        write_errors({name: values[name] for name in (*SEEDS, "networks")})
        print(json.dumps(row), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("synthesise")
    command.add_argument("blocks", nargs="*", help="only blocks with one of these in their names")
    command.add_argument("--jobs", type=int, default=1)
    command.add_argument(
        "--again", action="store_true", help="also blocks whose Verilog has changed"
    )
    commands.add_parser("fit")
    commands.add_parser("judge")
    commands.add_parser("networks").add_argument("--again", action="store_true")
    arguments = parser.parse_args()
    match arguments.command:
        case "synthesise":
            synthesise(arguments.jobs, arguments.blocks, arguments.again)
        case "fit":
            fit()
        case "judge":
            judge()
        case _:
            networks(arguments.again)


if __name__ == "__main__":
    sys.exit(main())
