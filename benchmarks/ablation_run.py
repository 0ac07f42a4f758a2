"""One run of the ablation: its folder, its experiment, and what is known of it so far."""

from __future__ import annotations

import json
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rbonn.sw.train.checkpoint import CHECKPOINT, LAST, read_checkpoint
from rbonn.sw.train.experiment import parse_experiment
from rbonn.sw.train.history import HISTORY, History
from rbonn.sw.train.layers import Mode

EXPERIMENT = "cifar10_cnn_1w1a"
_COMMON = Path(__file__).with_name("rbonn_ablation.toml")


@dataclass(frozen=True, slots=True)
class Run:
    """One training: `mode`, `seed`, and the folder that it has."""

    mode: Mode
    seed: int
    folder: Path

    @property
    def name(self) -> str:
        return f"{self.mode}_{self.seed}"

    @property
    def finished(self) -> bool:
        """Whether the best epoch's network has been measured, which is the last thing a training does."""
        path = self.folder / CHECKPOINT
        return path.exists() and "held_out_accuracy" in read_checkpoint(path).results

    def history(self) -> History:
        """Of the epochs done so far; empty before the first."""
        path = self.folder / HISTORY
        return History.load(path) if path.exists() else History()


def experiment_of(run: Run, epochs: int, threads: int) -> dict[str, Any]:
    """The values of a run's experiment file: the common ones with the run's mode, seed and number of epochs."""
    values = tomllib.loads(_COMMON.read_text(encoding="utf-8"))
    values["title"] = f"{EXPERIMENT} for {epochs} epochs, mode {run.mode}, seed {run.seed}"
    values["network"]["recurrent"] = {"mode": run.mode}
    stages = values["training"]["stages"]
    assert len(stages) == 1, "the ablation shortens a training of one stage"
    stages[0]["epochs"] = epochs
    values["training"] |= {"seed": run.seed, "threads": threads}
    parse_experiment(values, run.name)
    return values


def check_same_experiment(runs: list[Run], epochs: int) -> None:
    """Exits where a run's folder holds a training of another experiment, with which the others cannot be compared."""
    for run in runs:
        for path in (run.folder / CHECKPOINT, run.folder / LAST):
            if not path.exists():
                continue
            there = read_checkpoint(path).experiment
            wanted = parse_experiment(
                experiment_of(run, epochs, there.training.threads), str(run.folder)
            )
            if there != wanted:
                sys.exit(f"{path}: of another experiment; remove {run.folder}, or name another --folder")  # fmt: skip


def toml(values: dict[str, Any], place: str = "") -> str:
    """`values` as TOML: numbers, strings, booleans and lists of them, tables, and lists of tables."""
    plain, tables = [], []
    for key, value in values.items():
        name = f"{place}.{key}".lstrip(".")
        if isinstance(value, dict):
            tables.append(f"\n[{name}]\n{toml(value, name)}")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            tables += [f"\n[[{name}]]\n{toml(item, name)}" for item in value]
        else:
            plain.append(f"{key} = {json.dumps(value)}\n")
    return "".join([*plain, *tables])
