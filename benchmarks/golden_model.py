"""Measures how many images per second the golden model computes.

    python benchmarks/golden_model.py                                   # all shipped networks
    python benchmarks/golden_model.py mnist_cnn_1w1a -o benchmarks/results/golden_model.json

Random images of the network's type, 10 000 at a time; the median of `--rounds` runs after one that is not counted. ``scores`` is `run`,
``every_edge`` is `edges`, which also keeps every intermediate value. Times are of this machine and of whatever else it was doing.
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
from rbonn.sw.files import written_whole
from rbonn.sw.models import find_network, model_names
from rbonn.sw.network.golden import GoldenModel

N_IMAGES = 10_000


def images_per_second(run: Callable[[], Any], rounds: int) -> int:
    """Median over `rounds` runs of `N_IMAGES` images."""
    run()
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return round(N_IMAGES / statistics.median(seconds))


def measure(name: str, rounds: int) -> dict[str, Any]:
    """Images per second of one network."""
    network = find_network(name)
    low, high = network.input_type.datatype.minimum, network.input_type.datatype.maximum
    generator = np.random.default_rng(0)
    shape = (N_IMAGES, *network.input_type.shape)
    images = generator.integers(low, high, shape, np.uint8, endpoint=True)
    model = GoldenModel(network)
    return {
        "network": network.name,
        "hash": network.hash(),
        "macs_per_image": network.binary_macs,
        "scores_images_per_second": images_per_second(lambda: model.run(images), rounds),
        "every_edge_images_per_second": images_per_second(lambda: model.edges(images), rounds),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("networks", nargs="*", help="names or files; all that ship otherwise")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("-o", "--output", type=Path, help="JSON file to write")
    arguments = parser.parse_args()
    names = arguments.networks or model_names()
    result = {
        "schema": 1,
        "command": f"python benchmarks/golden_model.py {' '.join(names)}",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "load_before": round(os.getloadavg()[0], 1),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "images": N_IMAGES,
        "results": [measure(name, arguments.rounds) for name in names],
    }
    text = json.dumps(result, indent=1)
    print(text)
    if arguments.output:
        with written_whole(arguments.output) as temporary:
            temporary.write_text(text + "\n")


if __name__ == "__main__":
    main()
