"""The result of the ablation: every run as it stands, and each mode's mean and deviation over the runs that are finished."""

from __future__ import annotations

import dataclasses
import json
import platform
import statistics
from pathlib import Path
from typing import Any

import torch
from ablation_run import EXPERIMENT, Run, experiment_of
from rbonn.sw.files import written_whole
from rbonn.sw.report.training_plots import plot_comparison
from rbonn.sw.train.checkpoint import CHECKPOINT, new_network, read_checkpoint
from rbonn.sw.train.experiment import parse_experiment
from rbonn.sw.train.history import History
from rbonn.sw.train.layers import Mode, RBOLayer

MODES: tuple[Mode, ...] = ("off", "paper", "official", "official_ranked")
_ACCURACIES = ("selection_accuracy", "held_out_accuracy", "test_accuracy")


def _shown(runs: list[Run]) -> list[History]:
    """Histories of the finished runs of a mode; as long as there is none, of those that have done an epoch."""
    finished = [run.history() for run in runs if run.finished]
    return finished or [history for run in runs if len(history := run.history())]


def described(run: Run) -> dict[str, Any]:
    """What a run has come to: its accuracies if it is finished, and the course of the epochs that it has done."""
    history = run.history()
    values: dict[str, Any] = {
        "mode": run.mode,
        "seed": run.seed,
        "finished": run.finished,
        "epochs_done": len(history),
        "loss": _rounded(history, "loss"),
        "selection_accuracy_by_epoch": _rounded(history, "selection_accuracy"),
        "sign_flip_ratio": _rounded(history, "sign_flip_ratio"),
        "active_channel_ratio": _rounded(history, "active_channel_ratio"),
    }
    if run.finished:
        results = read_checkpoint(run.folder / CHECKPOINT).results
        values |= {key: results[key] for key in _ACCURACIES}
        values |= {"best_epoch": results["epoch"], "minutes": round(results["seconds"] / 60, 1)}
    return values


def _rounded(history: History, column: str) -> list[float]:
    return [round(value, 6) for value in history.column(column)]


def summary(runs: list[dict[str, Any]], mode: Mode, n_seeds: int) -> dict[str, Any]:
    """Mean and deviation (n - 1) of the finished runs of a mode, and of their differences from mode ``off`` with the same seed."""
    done = {run["seed"]: run for run in runs if run["mode"] == mode and run["finished"]}
    base = {run["seed"]: run for run in runs if run["mode"] == "off" and run["finished"]}
    values: dict[str, Any] = {"mode": mode, "finished": len(done), "runs": n_seeds}
    for key in _ACCURACIES:
        values[key] = _spread([run[key] for run in done.values()])
    values["held_out_over_off"] = _spread(
        [
            run["held_out_accuracy"] - base[seed]["held_out_accuracy"]
            for seed, run in done.items()
            if seed in base
        ]
    )
    last = [run for run in done.values() if run["sign_flip_ratio"]]
    for key in ("sign_flip_ratio", "active_channel_ratio"):
        values[f"{key}_last_epoch"] = _spread([run[key][-1] for run in last])
    return values


def _spread(numbers: list[float]) -> dict[str, float | int | None]:
    """Number, mean and sample deviation; None for what so few numbers do not have."""
    return {
        "n": len(numbers),
        "mean": round(statistics.mean(numbers), 6) if numbers else None,
        "deviation": round(statistics.stdev(numbers), 6) if len(numbers) > 1 else None,
    }


def hyper_parameters(mode: Mode) -> dict[str, Any]:
    """What the binary layers of a mode are trained with."""
    run = Run(mode, 1, Path())
    network = new_network(parse_experiment(experiment_of(run, 1, 1), run.name))
    layer = next(module for module in network.modules() if isinstance(module, RBOLayer))
    form = {"paper": "form 2", "off": None}.get(mode, "half of form 1")
    return {
        "mode": mode,
        "bilinear_term": form,
        "lam": layer.lam,
        "tau": layer.tau if mode != "off" else None,
        "u0": layer.u0,
        "eta_u": layer.eta_u if mode != "off" else None,
        "weight_limit": layer.weight_limit,
    }


def collect(runs: list[Run], epochs: int, result: Path, plot: Path) -> None:
    """Writes the result file and, as soon as an epoch is done, the plot."""
    values = [described(run) for run in runs]
    seeds = {run.seed for run in runs}
    finished = sum(value["finished"] for value in values)
    training = parse_experiment(experiment_of(runs[0], epochs, 1), EXPERIMENT).training
    contents = {
        "schema": 1,
        "command": "python benchmarks/rbonn_ablation.py",
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "torch": torch.__version__,
        "experiment": EXPERIMENT,
        "epochs": epochs,
        "complete": finished == len(runs),
        "finished": finished,
        "runs": len(runs),
        "training": {
            "batch": training.batch,
            "precision": training.precision,
            "stages": [dataclasses.asdict(stage) for stage in training.stages],
        },
        "modes": [hyper_parameters(mode) for mode in MODES],
        "summary": [summary(values, mode, len(seeds)) for mode in MODES],
        "results": values,
    }
    result.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(result) as temporary:
        temporary.write_text(json.dumps(contents, indent=1) + "\n")
    histories = {mode: _shown([run for run in runs if run.mode == mode]) for mode in MODES}
    if any(histories.values()):
        plot.parent.mkdir(parents=True, exist_ok=True)
        state = "" if finished == len(runs) else f", incomplete: {finished} of {len(runs)} runs"
        plot_comparison(
            {mode: found for mode, found in histories.items() if found},
            plot,
            f"{EXPERIMENT}, {epochs} epochs, mean and deviation over seeds{state}",
        )
    print(f"{finished} of {len(runs)} runs finished; written to {result}", flush=True)
