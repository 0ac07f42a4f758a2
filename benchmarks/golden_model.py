"""Measures how many images per second the golden model computes, and how much processor time an image takes.

    python benchmarks/golden_model.py                                   # all shipped networks
    python benchmarks/golden_model.py mnist_cnn_1w1a random_resnet20 -o benchmarks/results/golden_model.json

`random_resnet20` has the shape of `cifar10_resnet20_1w1a` and random constants. Random images of the network's type, as many at a time as make
`MACS` products (at most 10 000); the median of `--rounds` runs after one that is not counted. ``scores`` is `run`, ``every_edge`` is `edges`, which
also keeps every intermediate value. Images per second are of this machine and of whatever else it was doing; processor time, of all threads
together, depends on that much less.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from random_resnet20 import random_resnet20
from rbonn.sw.files import written_whole
from rbonn.sw.models import find_network, model_names
from rbonn.sw.network.golden import GoldenModel

N_IMAGES = 10_000
MACS = 2 * 10**10


def timed(run: Callable[[], Any], n_images: int, rounds: int) -> dict[str, float]:
    """Medians over `rounds` runs of `n_images` images."""
    run()
    seconds, processor_seconds = [], []
    for _ in range(rounds):
        start, processor_start = time.perf_counter(), time.process_time()
        run()
        seconds.append(time.perf_counter() - start)
        processor_seconds.append(time.process_time() - processor_start)
    return {
        "images_per_second": round(n_images / statistics.median(seconds)),
        "processor_ms_per_image": round(1e3 * statistics.median(processor_seconds) / n_images, 4),
    }


def measure(name: str, rounds: int) -> dict[str, Any]:
    """Images per second and processor time of one network."""
    network = random_resnet20() if name == "random_resnet20" else find_network(name)
    low, high = network.input_type.datatype.minimum, network.input_type.datatype.maximum
    n_images = min(N_IMAGES, MACS // network.binary_macs)
    shape = (n_images, *network.input_type.shape)
    images = np.random.default_rng(0).integers(low, high, shape, np.uint8, endpoint=True)
    model = GoldenModel(network)
    scores = timed(lambda: model.run(images), n_images, rounds)
    every_edge = timed(lambda: model.edges(images), n_images, rounds)
    return {
        "network": network.name,
        "hash": network.hash(),
        "macs_per_image": network.binary_macs,
        "images": n_images,
        **{f"scores_{key}": value for key, value in scores.items()},
        **{f"every_edge_{key}": value for key, value in every_edge.items()},
        "saturations": sum(model.saturations.values()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("networks", nargs="*", help="names or files; all that ship otherwise")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of PyTorch")
    parser.add_argument("-o", "--output", type=Path, help="JSON file to write")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    names = arguments.networks or model_names()
    result = {
        "schema": 2,
        "command": f"python benchmarks/golden_model.py {' '.join(names)} --threads {arguments.threads}",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "load_before": round(os.getloadavg()[0], 1),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "results": [measure(name, arguments.rounds) for name in names],
    }
    text = json.dumps(result, indent=1)
    print(text)
    if arguments.output:
        with written_whole(arguments.output) as temporary:
            temporary.write_text(text + "\n")


if __name__ == "__main__":
    main()
