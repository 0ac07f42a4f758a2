"""Measures what parts of a training step cost, as ratios of step times.

    python benchmarks/training_step.py                                  # both CIFAR-10 networks
    python benchmarks/training_step.py cifar10_cnn_1w1a --threads 2 --rounds 9
    python benchmarks/training_step.py -o benchmarks/results/training_step.json

Random images of the data set's shape and number, batches as the experiment has them, one process. *Plain* is float32, not compiled, channels
last, mode ``paper``; each other variant changes what its name says; ``shipped`` is the experiment as it is. In every round each variant
makes one step, after two that are not counted; a ratio is the median over rounds of the ratio within a round. Times are CPU seconds of the
process, all its threads together: with one thread those of a clock on a machine that does nothing else, and other work disturbs them
less. The recurrent step and the data have bounds in the project's plan; a ratio beyond its bound is marked.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import torch
from rbonn.sw.files import written_whole
from rbonn.sw.train.batches import Batch, Batches
from rbonn.sw.train.compilation import has_compiler
from rbonn.sw.train.distributed import Ranks
from rbonn.sw.train.experiment import Experiment, find_experiment, load_experiment
from rbonn.sw.train.labelled_images import LabelledImages
from rbonn.sw.train.layers import InputThermometer
from rbonn.sw.train.networks import build_network
from rbonn.sw.train.recurrent import RecurrentOptimisation
from rbonn.sw.train.stages import begin_stage, build_optimiser
from rbonn.sw.train.step import TrainingStep

NETWORKS = ("cifar10_cnn_1w1a", "cifar10_resnet20_1w1a")
N_IMAGES = 44_000
"""What a CIFAR-10 training learns from, after 5 000 held out and 1 000 for selection."""
_WARM_UP = 2
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to make a training step; None takes what the experiment has."""

    mode: str = "paper"
    precision: str | None = "float32"
    compiled: bool | None = False
    channels_last: bool = True


VARIANTS = {
    "plain": Variant(),
    "off": Variant(mode="off"),
    "official": Variant(mode="official"),
    "official_ranked": Variant(mode="official_ranked"),
    "contiguous": Variant(channels_last=False),
    "bfloat16": Variant(precision="bfloat16"),
    "compiled": Variant(compiled=True),
    "compiled_bfloat16": Variant(precision="bfloat16", compiled=True),
    "shipped": Variant(precision=None, compiled=None),
    "shipped_off": Variant(mode="off", precision=None, compiled=None),
}


@dataclass(frozen=True, slots=True)
class Ratio:
    """`numerator` over `denominator`, two names of measured times; `limit` is the largest that the plan allows."""

    numerator: str
    denominator: str
    limit: float | None = None


RATIOS = {
    "paper_over_off": Ratio("plain", "off", 1.10),
    "official_over_off": Ratio("official", "off"),
    "official_ranked_over_off": Ratio("official_ranked", "off"),
    "shipped_paper_over_off": Ratio("shipped", "shipped_off", 1.10),
    "data_over_shipped_step": Ratio("data", "shipped_with_data", 0.05),
    "channels_last_over_contiguous": Ratio("plain", "contiguous"),
    "bfloat16_over_plain": Ratio("bfloat16", "plain"),
    "compiled_over_plain": Ratio("compiled", "plain"),
    "compiled_bfloat16_over_plain": Ratio("compiled_bfloat16", "plain"),
    "shipped_over_plain": Ratio("shipped", "plain"),
}


def variant_of(experiment: Experiment, variant: Variant) -> Experiment:
    """The experiment with the mode, precision and compilation of a variant."""
    recurrent = dataclasses.replace(experiment.network.recurrent, mode=variant.mode)  # type: ignore[union-attr]
    changes = {"precision": variant.precision, "compile": variant.compiled}
    return dataclasses.replace(
        experiment,
        network=dataclasses.replace(experiment.network, recurrent=recurrent),  # type: ignore[arg-type]
        training=dataclasses.replace(
            experiment.training, **{k: v for k, v in changes.items() if v is not None}
        ),
    )


def step_of(experiment: Experiment, *, channels_last: bool) -> Callable[[Batch], Any]:
    """A function that makes one training step of the last stage on a batch."""
    torch.manual_seed(0)
    config = experiment.training
    network = build_network(experiment.network, experiment.image, experiment.n_classes)
    order = torch.channels_last if channels_last else torch.contiguous_format
    network.to(memory_format=order)  # type: ignore[call-overload] - not in PyTorch's stubs
    if not channels_last:
        for module in network.modules():
            if isinstance(module, InputThermometer):  # its output is channels last otherwise
                module.register_forward_hook(lambda _module, _inputs, code: code.contiguous())
    network.train()
    step = TrainingStep(network, config, Ranks(), None)
    begin_stage(network, config.stages, len(config.stages) - 1)
    step.begin_stage(some_unused=False)
    optimiser = build_optimiser(network, config.stages[-1], config)
    RecurrentOptimisation(optimiser, network)

    def make(batch: Batch) -> None:
        images, labels = batch
        step((images.contiguous(memory_format=order), labels), optimiser)

    return make


def batches_of(experiment: Experiment) -> Iterator[Batch]:
    """Augmented batches of random images, epoch after epoch."""
    image = experiment.image
    generator = torch.Generator().manual_seed(0)
    shape = (N_IMAGES, image.height, image.width, image.channels)
    images = LabelledImages(
        torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator),
        torch.randint(0, experiment.n_classes, (N_IMAGES,), generator=generator),
    )
    batches = Batches(
        images, experiment.augmentation, batch=experiment.training.batch, seed=0, ranks=Ranks()
    )
    for epoch in count():
        yield from batches.epoch(epoch)


def timed(run: Callable[[], _T]) -> tuple[float, _T]:
    """CPU seconds of a call, and what it gives."""
    start = time.process_time()
    result = run()
    return time.process_time() - start, result


def measure(name: str, rounds: int) -> dict[str, Any]:
    """Times and ratios of one experiment."""
    experiment = load_experiment(find_experiment(name))
    usable = {
        key: variant
        for key, variant in VARIANTS.items()
        if has_compiler() or not variant_of(experiment, variant).training.compile
    }
    steps = {
        key: step_of(variant_of(experiment, variant), channels_last=variant.channels_last)
        for key, variant in usable.items()
    }
    batches = batches_of(experiment)
    times: dict[str, list[float]] = {key: [] for key in ("data", *steps)}
    for number in range(_WARM_UP + rounds):
        # Each variant's batch is made just before its step, as in a training; the data's time is that of the round's batches.
        spent = []
        for key, step in steps.items():
            prepared, batch = timed(lambda: next(batches))
            spent.append(prepared)
            taken, _ = timed(lambda step=step, batch=batch: step(batch))
            if number >= _WARM_UP:
                times[key].append(taken)
        if number >= _WARM_UP:
            times["data"].append(statistics.median(spent))
        print(f"{name}: round {number + 1} of {_WARM_UP + rounds}", file=sys.stderr)
    if "shipped" in times:
        pairs = zip(times["data"], times["shipped"], strict=True)
        times["shipped_with_data"] = [data + step for data, step in pairs]
    return {
        "network": name,
        "batch": experiment.training.batch,
        "shipped_precision": experiment.training.precision,
        "shipped_compiled": experiment.training.compile,
        "cpu_seconds": {key: round(statistics.median(values), 5) for key, values in times.items()},
        "ratios": {
            key: {"median": round(value, 4), "limit": RATIOS[key].limit}
            for key, value in ratios(times).items()
        },
    }


def ratios(times: dict[str, list[float]]) -> dict[str, float]:
    """The median over rounds of each ratio whose two times were measured."""
    return {
        key: statistics.median(
            a / b for a, b in zip(times[ratio.numerator], times[ratio.denominator], strict=True)
        )
        for key, ratio in RATIOS.items()
        if ratio.numerator in times and ratio.denominator in times
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("experiments", nargs="*", help="names or files; both CIFAR-10 networks otherwise")  # fmt: skip
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, help="JSON file to write")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    names = arguments.experiments or NETWORKS
    result = {
        "schema": 1,
        "command": " ".join(["python benchmarks/training_step.py", *arguments.experiments, f"--threads {arguments.threads}"]),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "load_before": round(os.getloadavg()[0], 1),
        "torch": torch.__version__,
        "threads": arguments.threads,
        "processes": 1,
        "rounds": arguments.rounds,
        "results": [measure(name, arguments.rounds) for name in names],
    }  # fmt: skip
    text = json.dumps(result, indent=1)
    print(text)
    for network in result["results"]:
        for key, ratio in network["ratios"].items():
            over = ratio["limit"] is not None and ratio["median"] > ratio["limit"]
            mark = f"  ABOVE {ratio['limit']}" if over else ""
            print(f"{network['network']:24} {key:32} {ratio['median']:.3f}{mark}", file=sys.stderr)
    if arguments.output:
        with written_whole(arguments.output) as temporary:
            temporary.write_text(text + "\n")


if __name__ == "__main__":
    main()
