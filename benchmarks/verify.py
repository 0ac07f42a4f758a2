"""Speed of the simulations: of accelerators on every edge, and of a whole bitstream through its pins.

    python benchmarks/verify.py [--only NETWORK/FORMS or bitstream]

Writes ``benchmarks/results/verify.json``, which grows row by row. Cycles per second are of the simulator's processor time (it runs in one thread, so on a machine that does
nothing else that is the time on the clock), and of the time on the clock of the machine as it was; compilation is not in either, because compiled simulations are kept in the
cache. For the bitstream everything is counted: unpacking, compilation, simulation.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from rbonn.sim.accelerator import simulate_accelerator
from rbonn.sim.levels import check_bitstream
from rbonn.sw.models import samples_of
from rbonn.sw.project import Forms, Project

RESULT = Path(__file__).parent / "results" / "verify.json"

CORES = (
    # network, board, forms, images, times measured, cycles per second asked for
    ("mnist_cnn_1w1a", "icebreaker", "device", 400, 2, 300_000),
    ("cifar10_resnet20_1w1a", "ulx3s-85f", "portable", 100, 1, 20_000),
)
BITSTREAM = ("mnist_cnn_1w1a", "icebreaker", 5)
MINUTES = 15
"""Within which so many images shall have gone through the bitstream."""


def children_seconds() -> float:
    """Processor time of all finished child processes."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def core(
    network: str, board: str, forms: Forms, images: int, repetitions: int, asked: int
) -> dict[str, Any]:
    """The fastest of the repetitions: what else the machine does only adds to the time."""
    project = Project.find(network, board)
    _, elaboration = project.simulated(forms)
    samples = samples_of(project.network).images
    chosen = np.resize(samples, (images, *samples.shape[1:]))
    times = []
    with tempfile.TemporaryDirectory(prefix="rbonn-") as name:
        for _ in range(1 + repetitions):  # the first one compiles
            before, started = children_seconds(), perf_counter()
            result = simulate_accelerator(
                project.network, elaboration, chosen, folder=Path(name) / "simulation"
            )
            times.append((children_seconds() - before, perf_counter() - started))
            assert result.mismatches == 0
    seconds, wall = min(times[1:])
    return {
        "network": network,
        "board": board,
        "forms": forms,
        "simulator": result.simulator,
        "images": result.images,
        "repetitions": repetitions,
        "boundaries_checked": result.boundaries_checked,
        "values_compared": result.elements_compared,
        "cycles": result.cycles_simulated,
        "processor_seconds": round(seconds, 2),
        "wall_seconds": round(wall, 2),
        "cycles_per_processor_second": round(result.cycles_simulated / seconds),
        "cycles_per_wall_second": round(result.cycles_simulated / wall),
        "asked_cycles_per_second": asked,
    }


def bitstream(network: str, board: str, images: int) -> dict[str, Any]:
    project = Project.find(network, board)
    with tempfile.TemporaryDirectory(prefix="rbonn-") as name:
        built = project.build(Path(name) / "build")
        before, started = children_seconds(), perf_counter()
        result = check_bitstream(
            project, built, project.images(images), folder=Path(name) / "simulation"
        )
        seconds = children_seconds() - before
    return {
        "network": network,
        "board": board,
        "simulator": result.simulator,
        "images": result.images,
        "mismatches": result.mismatches,
        "values_compared": result.values_compared,
        "cycles": result.cycles_simulated,
        "parts": result.parts,
        "processor_seconds": round(seconds),
        "wall_seconds": round(perf_counter() - started),
        "asked_seconds": 60 * MINUTES,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    jobs = {f"{case[0]}/{case[2]}": partial(core, *case) for case in CORES}
    jobs["bitstream"] = partial(bitstream, *BITSTREAM)
    parser.add_argument("--only", choices=list(jobs))
    only = parser.parse_args().only
    for name in [only] if only else jobs:
        row = jobs[name]()
        rows = json.loads(RESULT.read_text()) if RESULT.exists() else {}
        rows[name] = row
        RESULT.write_text(
            json.dumps({name: rows[name] for name in jobs if name in rows}, indent=2) + "\n"
        )


if __name__ == "__main__":
    main()
