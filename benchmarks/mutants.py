"""Single faults planted in the hardware's sources, one at a time, and which test finds each.

    python benchmarks/mutants.py                     # goes on where it stopped
    python benchmarks/mutants.py --list              # the faults alone

A fault swaps an operator, negates a condition or changes an integer by one. Sites are drawn by a seed, one of each file in turn. Every fault lives in a
copy of the committed tree: first the tests that mirror the file are run, then, where they pass, the plain tests of the hardware, the nearest to
the file first, then the whole plain run. Tests run until the first failure; a process that takes more than `CPU_SECONDS` stands still, which is one too.

What survives is either a test that is missing or changes nothing; that it changes nothing is said only with a proof, in `EQUIVALENT`. Such a fault is
run against the mirrored tests alone.
"""

from __future__ import annotations

import argparse
import ast
import copy
import json
import os
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rbonn.sw.files import written_whole
from rows import finished, source_digest

ROOT = Path(__file__).parents[1]
RESULT = Path(__file__).parent / "results" / "mutants.json"
PACKAGES = ("hw", "sw", "sim", "boards", "models")
SEED, COUNT = 7, 60
CPU_SECONDS = {"mirrored": 600, "hardware": 1200, "plain": 2400}
"""Of one process of each kind of run: several times what the tests take."""

EQUIVALENT: dict[tuple[str, str, str], str] = {
    ("hw/registers.py", "True", "False"): (
        "A register without a reset gets one. What `delayed` and `registers` hold are words and addresses under way, never a flag of the handshake: those have resets "
        "of their own, so after a reset nothing is offered that passed a register before it. test_layer_formal and test_elementwise_formal say for "
        "resets in any cycle what every output is, and hold of both."
    ),
    ("hw/max_pool.py", "True", "False"): (
        "The output register gets a reset. It is read where `o.valid` is high, which is after an input since the reset has loaded it, and as "
        "the maximum so far, which the first pixel of a square, also the first one after a reset, does not look at. test_frames_formal says for resets in any cycle "
        "what every output is, and holds of both."
    ),
    (
        "hw/width_converter.py",
        "config.last_chunks < config.chunks_per_word",
        "(config.last_chunks <= config.chunks_per_word)",
    ): (
        "Differs only where last_chunks equals chunks_per_word. What is then added compares `chunk` with last_chunks - 1 in the last word, which "
        "is chunks_per_word - 1, with which it is compared in every word."
    ),
}
"""Faults that change nothing, by path, `before` and `after`: how that is proved."""

SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


@dataclass(frozen=True)
class Fault:
    """`before` becomes `after` where the file at `path` has it from `offset` on; `line` counts from 1."""

    path: str
    line: int
    offset: int
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {' '.join(self.before.split())} -> {self.after}"

    def planted(self, source: str) -> str:
        assert source.startswith(self.before, self.offset)
        return source[: self.offset] + self.after + source[self.offset + len(self.before) :]


def faults(path: Path) -> list[Fault]:
    """All faults of one file."""
    source = path.read_bytes()  # `ast` counts columns in bytes
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = []
    for node in _code(ast.parse(source)):
        first = starts[node.lineno - 1] + node.col_offset
        end = starts[node.end_lineno - 1] + node.end_col_offset
        for other in _changed(node):
            after = ast.unparse(other)
            found.append(
                Fault(
                    str(path.relative_to(ROOT)),
                    node.lineno,
                    len(source[:first].decode()),
                    source[first:end].decode(),
                    after if isinstance(node, ast.Constant) else f"({after})",
                )
            )
    return found


def _code(tree: ast.AST) -> Iterator[Any]:
    """Expressions that compute something: no annotations, decorators, or texts of errors."""
    for field, value in ast.iter_fields(tree):
        if field in ("annotation", "returns", "decorator_list"):
            continue
        for node in value if isinstance(value, list) else [value]:
            if isinstance(node, ast.AST) and not isinstance(node, ast.JoinedStr):
                if isinstance(node, ast.expr):
                    yield node
                yield from _code(node)


def _changed(node: ast.expr) -> Iterator[ast.expr]:
    """Expressions with one fault each, at the top of `node`."""
    other: Any = copy.copy(node)
    match other:
        case ast.BinOp() | ast.BoolOp() if type(other.op) in SWAPS:
            other.op = SWAPS[type(other.op)]()
            yield other
        case ast.Compare() if type(other.ops[0]) in SWAPS:
            other.ops = [SWAPS[type(other.ops[0])](), *other.ops[1:]]
            yield other
        case ast.UnaryOp(op=ast.Invert() | ast.Not()):
            yield other.operand
        case ast.Constant(value=bool()):
            yield ast.Constant(not other.value)
        case ast.Constant(value=int()):
            yield ast.Constant(other.value + 1)
            if other.value > 0:
                yield ast.Constant(other.value - 1)
        case ast.Call(func=ast.Attribute(attr="If" | "Elif"), args=[condition]):
            other.args = [ast.UnaryOp(ast.Invert(), condition)]
            yield other


def drawn(count: int, seed: int) -> list[Fault]:
    """So many faults, one of each file in turn."""
    rng = random.Random(seed)
    files = [path for path in sorted((ROOT / "hw").rglob("*.py")) if path.name != "__init__.py"]
    by_file = [found for path in files if (found := faults(path))]
    for found in [by_file, *by_file]:
        rng.shuffle(found)
    chosen: list[Fault] = []
    while len(chosen) < count and any(by_file):
        chosen += [found.pop() for found in by_file if found]
    return chosen[:count]


def mirrored(fault: Fault) -> list[str]:
    """Tests that bear the name of the file."""
    path = Path(fault.path)
    stems = {path.stem, f"{path.parent.name}_{path.stem}"}
    files = sorted((ROOT / "tests" / "hw").rglob("test_*.py"))
    return [
        str(file.relative_to(ROOT))
        for file in files
        if file.stem.removeprefix("test_").removesuffix("_formal") in stems
    ]


def of_hardware(fault: Fault) -> list[str]:
    """All tests of the hardware, the nearest first: those that import the file, then those that import what imports it, and so on."""
    sources = {path: imported(path) for path in sorted((ROOT / "hw").rglob("*.py"))}
    steps, reached = 0, {ROOT / fault.path}
    distance: dict[Path, int] = {}
    while reached - distance.keys():
        distance |= dict.fromkeys(reached - distance.keys(), steps)
        reached = {path for path, others in sources.items() if others & distance.keys()}
        steps += 1
    files = sorted((ROOT / "tests" / "hw").rglob("test_*.py"))
    files.sort(
        key=lambda file: min((distance.get(p, steps) for p in imported(file)), default=steps)
    )
    return [str(file.relative_to(ROOT)) for file in files]


def imported(path: Path) -> set[Path]:
    """Files of the hardware that a file of the hardware, or a test of it, imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if not isinstance(node, ast.ImportFrom):
            continue
        folder = path.parents[node.level - 1] if node.level else ROOT
        parts = (node.module or "").removeprefix("rbonn.").split(".")
        module = folder.joinpath(*filter(None, parts))
        found |= {module.with_suffix(".py"), module / "__init__.py"}
        found |= {module / f"{alias.name}.py" for alias in node.names}
    return {file for file in found if file.is_relative_to(ROOT / "hw") and file.exists()}


RUNS = {"mirrored": mirrored, "hardware": of_hardware, "plain": lambda fault: ["tests"]}
"""Kinds of runs, in their order, and the tests of each."""


class Copy:
    """The committed tree in a folder of its own, whose packages come before those that are installed."""

    def __init__(self, folder: Path) -> None:
        self.tree, self.packages = folder / "tree", folder / "path"
        subprocess.run(["git", "clone", "-q", "--shared", str(ROOT), str(self.tree)], check=True)
        (self.packages / "rbonn").mkdir(parents=True)
        for package in PACKAGES:
            (self.packages / "rbonn" / package).symlink_to(self.tree / package)
        shown = self._run(["-c", "import rbonn.hw.fifo; print(rbonn.hw.fifo.__file__)"])[1]
        assert Path(shown.strip()).resolve() == self.tree / "hw" / "fifo.py", shown

    def first_failure(self, tests: Sequence[str], cpu_seconds: int) -> str | None:
        """The first test of these that fails; None if all pass."""
        options = ["-x", "-q", "-m", "not slow", "-p", "no:cacheprovider", "--tb=no", "-rfE"]
        status, shown = self._run(["-m", "pytest", *options, *tests], cpu_seconds)
        if status in (0, 5):  # 5: there are none
            return None
        if status in (-signal.SIGXCPU, -signal.SIGKILL):
            return f"more than {cpu_seconds} s"
        failed = re.search(r"^(?:FAILED|ERROR) (\S+)", shown, re.MULTILINE)
        return failed[1] if failed else f"exit status {status}: {shown.strip()[-200:]}"

    def _run(self, arguments: Sequence[str], cpu_seconds: int = 60) -> tuple[int, str]:
        limit = (resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
        run = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.tree,
            env=os.environ | {"PYTHONPATH": str(self.packages), "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            preexec_fn=lambda: resource.setrlimit(*limit),
        )
        return run.returncode, run.stdout


def outcome(fault: Fault, tree: Copy, runs: Sequence[str]) -> dict[str, Any]:
    """Plants the fault, does the runs until one fails, and takes it out again."""
    start, path = time.time(), tree.tree / fault.path
    source = path.read_text()
    path.write_text(fault.planted(source))
    row: dict[str, Any] = {**asdict(fault), "outcome": "survived", "runs": []}
    try:
        for name in runs:
            tests = RUNS[name](fault)
            failed = tree.first_failure(tests, CPU_SECONDS[name]) if tests else None
            row["runs"].append(name)
            if failed:
                row |= {"outcome": "caught", "by": failed}
                break
    finally:
        path.write_text(source)
    return {**row, "seconds": round(time.time() - start)}


def source_key() -> str:
    """Of the hardware and its tests."""
    folders = ("hw", "tests/hw")
    return source_digest(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--runs", nargs="+", choices=RUNS, default=list(RUNS))
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--work", type=Path, default=Path("build/mutants.jsonl"))
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    options = parser.parse_args()
    wanted = drawn(options.count, options.seed)
    if options.list:
        for fault in wanted:
            print(fault)
        return 0
    if _git("status", "--porcelain", "hw", "tests"):
        print(
            "hw or tests differ from what is committed.\n  Commit first: faults are planted in a copy of the commit.",
            file=sys.stderr,
        )
        return 1
    key = source_key()
    options.work.parent.mkdir(parents=True, exist_ok=True)
    rows = {_place(row): row for row in finished(options.work, key)}
    with tempfile.TemporaryDirectory(prefix="rbonn-mutants-") as folder, options.work.open("a") as work:  # fmt: skip
        tree = Copy(Path(folder))
        for fault in wanted:
            before = rows.get(_place(asdict(fault)), {"outcome": "survived", "runs": []})
            runs = ["mirrored"] if _change(asdict(fault)) in EQUIVALENT else options.runs
            left = [name for name in runs if name not in before["runs"]]
            if before["outcome"] == "caught" or not left:
                continue
            row = {"key": key, **outcome(fault, tree, left)}
            row["runs"] = before["runs"] + row["runs"]
            rows[_place(row)] = row
            work.write(json.dumps(row) + "\n")
            work.flush()
            print(f"{fault}: {row['outcome']} {row.get('by', '')}, {row['seconds']} s", flush=True)
    kept = [rows[_place(asdict(fault))] for fault in wanted if _place(asdict(fault)) in rows]
    for row in kept:
        del row["key"]
        if row["outcome"] == "survived" and (proof := EQUIVALENT.get(_change(row))):
            row |= {"outcome": "equivalent", "proof": proof}
    outcomes = Counter(row["outcome"] for row in kept)
    command = f"python benchmarks/mutants.py --seed {options.seed} --count {options.count}"
    values = {"schema": 1, "command": command, "commit": _git("rev-parse", "HEAD"), "sources": key}
    with written_whole(options.output) as temporary:
        temporary.write_text(json.dumps({**values, **outcomes, "faults": kept}, indent=1) + "\n")
    return 1 if outcomes["survived"] else 0


def _change(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["path"], row["before"], row["after"]


def _place(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["path"], row["offset"], row["after"]


def _git(*arguments: str) -> str:
    run = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return run.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
