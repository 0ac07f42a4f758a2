"""Trains the same CIFAR-10 network in the four modes of recurrent bilinear optimisation, three seeds each, and compares what comes out.

    python benchmarks/rbonn_ablation.py --data DATA                     # trains what is missing, then writes the result and the plot
    python benchmarks/rbonn_ablation.py --data DATA --jobs 2 --threads 1
    python benchmarks/rbonn_ablation.py --collect                       # trains nothing: writes what there is

Each run is a training of its own, ``rbonn train`` in a process, with its folder under ``runs/ablation`` (MODE_SEED: experiment, checkpoints,
history, log). It may be stopped or killed at any time: started again, a finished run is not repeated and an unfinished one goes on where its last
checkpoint was, to the same bits. Runs go seed by seed through the modes, so that what there is can be compared early.

All runs have the experiment of ``cifar10_cnn_1w1a`` with fewer epochs. The learning rate is that of the shipped experiment and was not searched for any mode.
Modes have their defaults, which the result states: form 2 of the bilinear term (``paper``) pulls A^2 times harder than form 1 (the official modes),
and has a smaller weight for that. A seed decides first weights, the share of images held out, their order and augmentation, so modes are
compared pair by pair as well. Accuracies: *held out* on 5 000 training images that choose nothing, *test* on the 1 000 test images in the repository's data.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import platform
import signal
import statistics
import subprocess
import sys
import threading
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import torch
from rbonn.sw.files import written_whole
from rbonn.sw.report.training_plots import plot_comparison
from rbonn.sw.train.checkpoint import CHECKPOINT, LAST, new_network, read_checkpoint
from rbonn.sw.train.experiment import find_experiment, parse_experiment
from rbonn.sw.train.history import HISTORY, History
from rbonn.sw.train.layers import Mode, RBOLayer

ROOT = Path(__file__).parents[1]
EXPERIMENT = "cifar10_cnn_1w1a"
MODES: tuple[Mode, ...] = ("off", "paper", "official", "official_ranked")
assert set(MODES) == set(get_args(Mode))
SEEDS = (1, 2, 3)
EPOCHS = 20
RESULT = ROOT / "benchmarks" / "results" / "rbonn_ablation.json"
PLOT = ROOT / "docs" / "images" / "rbonn_ablation.svg"
_ACCURACIES = ("selection_accuracy", "held_out_accuracy", "test_accuracy")


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
    """The values of a run's experiment file: the shipped ones with the run's mode, seed and number of epochs."""
    values = tomllib.loads(find_experiment(EXPERIMENT).read_text(encoding="utf-8"))
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


class Trainer:
    """Runs `rbonn train` for one run after another, in processes that end with this one."""

    def __init__(self, data: Path | None, epochs: int, threads: int) -> None:
        self._data = data
        self._epochs = epochs
        self._threads = threads
        self._stopped = False
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()

    def train(self, run: Run) -> None:
        """Trains `run` to its end, from its last checkpoint if it has one."""
        if self._stopped or run.finished:
            return
        run.folder.mkdir(parents=True, exist_ok=True)
        path = run.folder / f"{EXPERIMENT}.toml"
        with written_whole(path) as temporary:
            temporary.write_text(toml(experiment_of(run, self._epochs, self._threads)))
        command = [sys.executable, "-m", "rbonn.sw", "train", str(path), "-o", str(run.folder)]
        command += ["--resume"] if (run.folder / LAST).exists() else []
        command += ["--data", str(self._data)] if self._data else []
        with (run.folder / "log.txt").open("ab") as log:
            with self._lock:
                if self._stopped:
                    return
                # Without a terminal of its own: Ctrl-C reaches it through `stop`.
                process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
                )  # fmt: skip
                self._processes.add(process)
            print(f"{run.name}: {'goes on' if '--resume' in command else 'starts'}", flush=True)
            code = process.wait()
            with self._lock:
                self._processes.discard(process)
        if not self._stopped:
            print(f"{run.name}: {_end(run, code)}", flush=True)

    def stop(self) -> None:
        """Has every training save its state and end."""
        with self._lock:
            self._stopped = True
            for process in self._processes:
                process.send_signal(signal.SIGTERM)
        for process in list(self._processes):
            process.wait()


def _end(run: Run, code: int) -> str:
    if code:
        return f"ended with code {code}, see {run.folder / 'log.txt'}"
    results = read_checkpoint(run.folder / CHECKPOINT).results
    return f"held out {100 * results['held_out_accuracy']:.2f} %"


def train_all(runs: list[Run], trainer: Trainer, jobs: int, after_each: Any) -> None:
    """All runs, `jobs` at a time; `after_each` is called when one has ended. Stops them on Ctrl-C and SIGTERM."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    with ThreadPoolExecutor(jobs) as pool:
        try:
            futures = [pool.submit(trainer.train, run) for run in runs]
            for future in futures:
                future.result()
                after_each()
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            trainer.stop()
            raise


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
    run = Run(mode, SEEDS[0], Path())
    network = new_network(parse_experiment(experiment_of(run, EPOCHS, 1), run.name))
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
    histories = {
        mode: [history for run in runs if run.mode == mode and len(history := run.history())]
        for mode in MODES
    }
    if any(histories.values()):
        plot.parent.mkdir(parents=True, exist_ok=True)
        state = "" if finished == len(runs) else f", incomplete: {finished} of {len(runs)} runs"
        plot_comparison(
            {mode: found for mode, found in histories.items() if found},
            plot,
            f"{EXPERIMENT}, {epochs} epochs, mean and deviation over seeds{state}",
        )
    print(f"{finished} of {len(runs)} runs finished; written to {result}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder of CIFAR-10, as for rbonn train")
    parser.add_argument("--folder", type=Path, default=Path("runs/ablation"), help="of the runs")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at the same time")
    parser.add_argument("--threads", type=int, default=1, help="of each training")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--collect", action="store_true", help="write what there is")
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    parser.add_argument("--plot", type=Path, default=PLOT, help=".svg or .png")
    arguments = parser.parse_args()
    runs = [
        Run(mode, seed, arguments.folder / f"{mode}_{seed}")
        for seed in arguments.seeds
        for mode in MODES
    ]

    check_same_experiment(runs, arguments.epochs)

    def write() -> None:
        collect(runs, arguments.epochs, arguments.output, arguments.plot)

    if not arguments.collect:
        trainer = Trainer(arguments.data, arguments.epochs, arguments.threads)
        try:
            train_all(runs, trainer, arguments.jobs, write)
        except KeyboardInterrupt:
            write()
            sys.exit(130)
    write()


if __name__ == "__main__":
    main()
