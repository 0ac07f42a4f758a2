"""Trains the same CIFAR-10 network in the four modes of recurrent bilinear optimisation, three seeds each, and compares what comes out.

    python benchmarks/rbonn_ablation.py --data DATA                     # trains what is missing
    python benchmarks/rbonn_ablation.py --data DATA --jobs 2 --threads 1
    python benchmarks/rbonn_ablation.py --collect                       # trains nothing: publishes what there is

Training writes result and plot beside the runs, ``--collect`` writes them where the documents have them (then: ``python benchmarks/tables.py``).
Each run is a training of its own, ``rbonn train`` in a process, with its folder under ``runs/ablation`` (MODE_SEED: experiment, checkpoints,
history, log). It may be stopped or killed at any time: started again, a finished run is not repeated and an unfinished one goes on where its last
checkpoint was, to the same bits. Runs go seed by seed through the modes, so that what there is can be compared early.

All runs have the experiment ``rbonn_ablation.toml``: the network of ``cifar10_cnn_1w1a`` in one stage. The learning rate was not searched for any mode.
Modes have their defaults, which the result states: form 2 of the bilinear term (``paper``) pulls A^2 times harder than form 1 (the official modes),
and has a smaller weight for that. A seed decides first weights, the share of images held out, their order and augmentation, so modes are
compared pair by pair as well. Accuracies: *held out* on 5 000 training images that choose nothing, *test* on the 1 000 test images in the repository's data.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ablation_result import MODES, collect
from ablation_run import EXPERIMENT, Run, check_same_experiment, experiment_of, toml
from rbonn.sw.files import written_whole
from rbonn.sw.train.checkpoint import CHECKPOINT, LAST, read_checkpoint

ROOT = Path(__file__).parents[1]
SEEDS = (1, 2, 3)
EPOCHS = 20
RESULT = ROOT / "benchmarks" / "results" / "rbonn_ablation.json"
PLOT = ROOT / "docs" / "images" / "rbonn_ablation.svg"


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


def train_all(runs: list[Run], trainer: Trainer, jobs: int, after_each: Callable[[], None]) -> None:
    """All runs, `jobs` at a time; `after_each` is called when one has ended. Stops them on Ctrl-C and SIGTERM."""

    def interrupt(*_: object) -> None:
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
    parser.add_argument("--collect", action="store_true", help="publish what there is")
    parser.add_argument("-o", "--output", type=Path, help="JSON file to write")
    parser.add_argument("--plot", type=Path, help=".svg or .png")
    arguments = parser.parse_args()
    runs = [
        Run(mode, seed, arguments.folder / f"{mode}_{seed}")
        for seed in arguments.seeds
        for mode in MODES
    ]

    check_same_experiment(runs, arguments.epochs)

    result, plot = (
        (RESULT, PLOT)
        if arguments.collect
        else (arguments.folder / RESULT.name, arguments.folder / PLOT.name)
    )

    def write() -> None:
        collect(runs, arguments.epochs, arguments.output or result, arguments.plot or plot)

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
