"""Random networks through the generated Verilog, compared with the golden model on every edge.

    python benchmarks/fuzz.py --minutes 60 --jobs 2        # goes on where it stopped, until `--count` networks
    python benchmarks/fuzz.py --replay FILE                # one accelerator that failed, or any that `DrawnAccelerator.save` wrote

Hypothesis draws networks, foldings, forms of a device, images and stalls (`tests/drawn_accelerators.py`); `tests/accelerator_batch.py` compiles some
dozens into one Verilator program and runs each at full speed and with its stalls. An accelerator that differs is made smaller until nothing
smaller differs; both are saved as network files under `--failures`, and the exit status is 1.

The result is written when there are enough networks. A batch is a line of `--work`, kept for as long as all sources that decide about an accelerator and its answers are the same. Batches are numbered, and
what a number draws is the same everywhere; an accelerator that an earlier batch had is not counted again.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402
from hypothesis import HealthCheck, Phase, given, seed, settings  # noqa: E402
from rbonn.sw.errors import RbonnError  # noqa: E402
from rbonn.sw.files import written_whole  # noqa: E402
from rows import Row, finished, source_digest  # noqa: E402

from tests.accelerator_batch import Outcome, run_batch  # noqa: E402
from tests.drawn_accelerators import DrawnAccelerator, accelerators  # noqa: E402

RESULT = Path(__file__).parent / "results" / "fuzz.json"
COUNT, BATCH = 2000, 24
SHARES = {"padding": 0.25, "residual": 0.10, "columns no power of two": 0.10}
"""Of all networks, at least."""

DRAWS = {"database": None, "deadline": None, "suppress_health_check": list(HealthCheck)}


def drawn(number: int, size: int) -> list[DrawnAccelerator]:
    """The accelerators of batch `number`, each once. Hypothesis draws some again, so it draws more than are taken."""
    kept: dict[str, DrawnAccelerator] = {}

    @seed(number)
    @settings(max_examples=4 * size, phases=[Phase.generate], **DRAWS)
    @given(accelerators())
    def collect(case: DrawnAccelerator) -> None:
        if len(kept) < size:
            kept.setdefault(case.digest, case)

    collect()
    return list(kept.values())


def outcomes_of(cases: Sequence[DrawnAccelerator]) -> list[Outcome]:
    """In the order of `cases`. One that cannot be elaborated, though a plan may ask for it, has failed."""
    refused = {case.digest: error for case in cases if (error := _refusal(case))}
    left = [case for case in cases if case.digest not in refused]
    found = {}
    if left:
        with tempfile.TemporaryDirectory(prefix="rbonn-fuzz-") as folder:
            ran = run_batch(left, Path(folder))
        found = {case.digest: outcome for case, outcome in zip(left, ran, strict=True)}
    return [found.get(case.digest) or refused[case.digest] for case in cases]


def _refusal(case: DrawnAccelerator) -> Outcome | None:
    try:
        case.elaborate()
    except (ValueError, RbonnError) as error:
        return Outcome(f"cannot be elaborated: {error}", 0, 0, None, 0, 0)
    return None


def row_of(number: int, size: int, key: str, failures: Path) -> Row:
    """A batch, drawn and run; what fails is saved."""
    torch.set_num_threads(1)
    start = time.time()
    cases = drawn(number, size)
    outcomes = outcomes_of(cases)
    wrong = [
        (case, outcome)
        for case, outcome in zip(cases, outcomes, strict=True)
        if not outcome.is_right
    ]
    for case, _ in wrong:
        case.save(failures / f"{case.digest}.safetensors")
    for smaller in [shrunk(number, size, case) for case, _ in wrong[:1]]:
        smaller.save(failures / f"{smaller.digest}.smaller.safetensors")
    return {
        "batch": number,
        "key": key,
        "networks": {case.digest: case.traits for case in cases},
        "not_equal": {case.digest: str(outcome) for case, outcome in wrong},
        "edges": sum(outcome.edges for outcome in outcomes),
        "elements": sum(outcome.compared for outcome in outcomes),
        "cycles": sum(outcome.cycles for outcome in outcomes),
        "seconds": round(time.time() - start, 1),
    }


def shrunk(number: int, size: int, failing: DrawnAccelerator) -> DrawnAccelerator:
    """The smallest accelerator that Hypothesis finds to fail, starting from `failing` of that batch."""
    smallest = failing
    has_failed = False

    @seed(number)
    @settings(
        max_examples=4 * size,
        phases=[Phase.generate, Phase.shrink],
        report_multiple_bugs=False,
        **DRAWS,
    )
    @given(accelerators())
    def fails(case: DrawnAccelerator) -> None:
        nonlocal smallest, has_failed
        # Until the one that failed is drawn again, nothing is run.
        if not has_failed and case.digest != failing.digest:
            return
        if not outcomes_of([case])[0].is_right:
            smallest, has_failed = case, True
            raise AssertionError(case.digest)

    with contextlib.suppress(AssertionError):
        fails()
    return smallest


def sources() -> list[Path]:
    """All modules that the description of an accelerator, its hardware, the golden model and the draws consist of.

    The bench and the link decide about no accelerator.
    """
    starts = ["sw/build/elaborate.py", "sw/build/device_forms.py", "sw/network/golden.py"]
    starts += ["tests/drawn_accelerators.py", "tests/accelerator_batch.py"]
    left, seen = {ROOT / start for start in starts}, set()
    while left:
        path = left.pop()
        seen.add(path)
        left |= set(_imported(path)) - seen
    folders = ("hw", "sw", "tests")
    return sorted(path for path in seen if path.relative_to(ROOT).parts[0] in folders)


def source_key() -> str:
    return source_digest(sources())


def _imported(path: Path) -> Iterator[Path]:
    """Files of the project that the file at `path` imports by relative imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            candidates = [base, *(base / alias.name for alias in node.names)]
            for candidate in candidates:
                for file in (candidate.with_suffix(".py"), candidate / "__init__.py"):
                    if file.is_file():
                        yield file


def summary(rows: Sequence[Row]) -> Row:
    """What the batches say together."""
    networks: dict[str, list[str]] = {}
    for row in rows:
        networks |= row["networks"]
    not_equal = {digest: text for row in rows for digest, text in row["not_equal"].items()}
    traits = Counter(trait for names in networks.values() for trait in names)
    return {
        "networks": len(networks),
        "equal": len(networks) - len(not_equal),
        "not_equal": not_equal,
        "traits": dict(sorted(traits.items())),
        "least_shares_are_reached": all(
            traits[name] >= share * len(networks) for name, share in SHARES.items()
        ),
        **{name: sum(row[name] for row in rows) for name in ("edges", "elements", "cycles")},
        "batches": len(rows),
        "seconds": round(sum(row["seconds"] for row in rows)),
    }


def run(options: argparse.Namespace, key: str) -> list[Row]:
    """Batches until there are enough networks or the time is over, those of earlier runs included."""
    options.work.parent.mkdir(parents=True, exist_ok=True)
    options.failures.mkdir(parents=True, exist_ok=True)
    rows = {row["batch"]: row for row in finished(options.work, key)}
    end = time.monotonic() + 60 * options.minutes
    running: set[Future[Row]] = set()
    number = 0
    with ProcessPoolExecutor(options.jobs) as pool, options.work.open("a") as work:
        while True:
            enough = summary(list(rows.values()))["networks"] >= options.count
            while len(running) < options.jobs and not enough and time.monotonic() < end:
                while number in rows:
                    number += 1
                running.add(pool.submit(row_of, number, options.batch, key, options.failures))
                number += 1
            if not running:
                return [rows[number] for number in sorted(rows)]
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                row = future.result()
                rows[row["batch"]] = row
                work.write(json.dumps(row) + "\n")
                work.flush()
                found = summary(list(rows.values()))
                print(
                    f"batch {row['batch']}: {row['seconds']} s; {found['networks']} networks, "
                    f"{len(found['not_equal'])} not equal {row['not_equal'] or ''}",
                    flush=True,
                )


def replay(path: Path) -> int:
    outcome = outcomes_of([DrawnAccelerator.load(path)])[0]
    print("equal on every edge" if outcome.is_right else str(outcome))
    return 0 if outcome.is_right else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path("build/fuzz.jsonl"))
    parser.add_argument("--failures", type=Path, default=Path("build/fuzz_failures"))
    parser.add_argument("--replay", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    options = parser.parse_args()
    if options.replay is not None:
        try:
            return replay(options.replay)
        except (RbonnError, KeyError) as error:
            print(f"{options.replay}: no accelerator that was saved ({error})", file=sys.stderr)
            return 1
    key = source_key()
    rows = run(options, key)
    found = summary(rows)
    if found["networks"] < options.count:
        print(f"{found['networks']} of {options.count} networks: {options.output} stays as it is")
        return 1 if found["not_equal"] else 0
    command = f"python benchmarks/fuzz.py --count {options.count} --batch {options.batch}"
    with written_whole(options.output) as temporary:
        temporary.write_text(
            json.dumps({"schema": 1, "command": command, "sources": key, **found}, indent=1) + "\n"
        )
    return 1 if found["not_equal"] else 0


if __name__ == "__main__":
    sys.exit(main())
