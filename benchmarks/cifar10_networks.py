"""Takes the CIFAR-10 networks the whole way to an ULX3S and an iCEBreaker: plan, Verilog, simulation, and builds with several seeds.

    python benchmarks/cifar10_networks.py                                  # all cases; goes on where it stopped
    python benchmarks/cifar10_networks.py --cases resnet20-85f --parts plan simulation
    python benchmarks/cifar10_networks.py --collect -o benchmarks/results/cifar10_networks.json

A large device takes place and route half an hour a seed, so each part of each case (plan, generation, simulation, one build per seed) is kept in
`--work` as soon as it is done, with a log, and is done again only when the Verilog changes. Builds can run at once in several processes: each
names its cases and seeds. The slowest seed counts. Networks that are not shipped yet are taken from `--networks FOLDER`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rbonn.sim.accelerator import simulate_accelerator
from rbonn.sw.plan.plan import save_plan
from rbonn.sw.plan.schedule import first_frame_latency
from rbonn.sw.project import Project

PARTS = ("plan", "generation", "simulation", "build")
IMAGES = 20
SEEDS = (1, 2, 3)

log = logging.getLogger("cifar10_networks")


@dataclass(frozen=True)
class Case:
    """A network on a board at a clock in MHz (None: the board's); `frames_per_second` asks for the cheapest plan that is so fast."""

    network: str
    board: str
    clock_mhz: float | None = None
    frames_per_second: float | None = None


CASES = {
    "resnet20-85f": Case("cifar10_resnet20_1w1a", "ulx3s-85f", 95),
    "resnet20-45f": Case("cifar10_resnet20_1w1a", "ulx3s-45f", 100),
    "cnv-85f": Case("cifar10_cnv_1w1a", "ulx3s-85f", 100),
    "cnv-45f": Case("cifar10_cnv_1w1a", "ulx3s-45f"),
    "cnn-icebreaker": Case("cifar10_cnn_1w1a", "icebreaker"),
}


def main() -> None:
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    if options.generate:
        _generate(*options.generate)
        return
    if not options.collect:
        for name in options.cases:
            _run(name, options)
    results = [
        result for name in options.cases if (result := _collected(options.work / name)) is not None
    ]
    print(json.dumps(results, indent=2))
    if options.output:
        machine = (
            f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
        )
        command = f"python benchmarks/cifar10_networks.py --cases {' '.join(options.cases)}"
        contents = {"command": command, "machine": machine, "results": results}
        options.output.write_text(json.dumps(contents, indent=2) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    parser.add_argument("--networks", type=Path, help="folder of network files that do not ship")
    parser.add_argument("--work", type=Path, default=Path("build/cifar10_networks"))
    parser.add_argument("--collect", action="store_true", help="only put together what is there")
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--generate", nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args()


def _run(name: str, options: argparse.Namespace) -> None:
    case, folder = CASES[name], options.work / name
    folder.mkdir(parents=True, exist_ok=True)
    network = (
        str(options.networks / f"{case.network}.safetensors") if options.networks else case.network
    )
    log.info("%s: planning", name)
    project = Project.find(
        network, case.board, clock_mhz=case.clock_mhz, fps=case.frames_per_second
    )
    verilog = project.write_verilog(folder)
    key = hashlib.sha256(verilog.read_bytes()).hexdigest()
    steps: dict[str, Callable[[], dict[str, Any]]] = {
        "plan": lambda: _plan(project),
        "generation": lambda: _generation(network, project, folder),
        "simulation": lambda: _simulation(project, folder),
    }
    for seed in options.seeds:
        steps[f"build {seed}"] = lambda seed=seed: _build(project, folder, seed)
    for step, work in steps.items():
        path = folder / f"{step.replace(' ', '_')}.json"
        if step.split()[0] not in options.parts or (_read(path) or {}).get("verilog") == key:
            continue
        log.info("%s: %s", name, step)
        result = {"verilog": key, **work()}
        path.write_text(json.dumps(result, indent=2) + "\n")
        log.info("%s: %s done", name, step)


def _plan(project: Project) -> dict[str, Any]:
    summary = project.summary
    return {
        "network": project.network.name,
        "board": project.board.name,
        "clock_mhz": round(project.clock_hz / 1e6, 3),
        "foldings": {name: asdict(folding) for name, folding in project.plan.foldings.items()},
        "skip_depths": {name: asdict(depth) for name, depth in project.elaboration.skips.items()},
        "initiation_interval_cycles": summary.initiation_interval_cycles,
        "latency_cycles": summary.latency_cycles,
        "totals": asdict(summary.totals),
        "binary_macs": project.network.binary_macs,
        "weights": project.network.metadata.get("note", "as shipped"),
        "accuracy": {
            key: project.network.metadata.get(key)
            for key in ("accuracy_float", "accuracy_integer", "test_images")
        },
    }


def _generation(network: str, project: Project, folder: Path) -> dict[str, Any]:
    """Time and peak memory of a process of its own that plans and writes the Verilog."""
    plan = folder / "plan_file.json"
    save_plan(project.plan, plan)
    command = [sys.executable, __file__, "--generate", network, project.board.name, str(plan)]
    start = time.monotonic()
    subprocess.run(command, check=True)
    seconds = time.monotonic() - start
    peak_kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return {"seconds": round(seconds, 1), "peak_mib": round(peak_kib / 1024)}


def _generate(network: str, board: str, plan: str) -> None:
    Project.find(network, board, plan_file=Path(plan)).write_verilog(
        Path(plan).parent / "generated"
    )


def _simulation(project: Project, folder: Path) -> dict[str, Any]:
    start = time.monotonic()
    forms, elaboration = project.simulated()
    result = simulate_accelerator(
        project.network, elaboration, project.images(IMAGES), folder=folder / "simulation"
    )
    return {
        "forms": forms,
        "computed_interval_cycles": elaboration.config.interval_cycles,
        "computed_latency_cycles": first_frame_latency(elaboration.config),
        "images": result.images,
        "mismatches": result.mismatches,
        "values_compared": result.elements_compared,
        "boundaries_checked": result.boundaries_checked,
        "initiation_interval_cycles": result.initiation_interval_cycles,
        "latency_cycles": result.latency_cycles,
        "cycles": result.cycles_simulated,
        "seconds_with_compilation": round(time.monotonic() - start, 1),
    }


def _build(project: Project, folder: Path, seed: int) -> dict[str, Any]:
    steps: list[str] = []

    def tell(step: str, fraction: float) -> None:
        if step not in steps[-1:]:
            steps.append(step)
            log.info("%s", step)

    built = project.build(folder / f"seed{seed}", seed=seed, progress=tell)
    return {
        "seed": seed,
        "resources": asdict(built.resources),
        "capacity": built.capacity,
        "fmax_mhz": round(built.fmax_hz / 1e6, 2),
        "clock_mhz": round(built.clock_hz / 1e6, 2),
        "timing_met": built.timing_met,
        "seconds": round(built.seconds, 1),
        "tools": built.tools,
    }


def _collected(folder: Path) -> dict[str, Any] | None:
    """All finished parts of a case that belong to the Verilog of its plan."""
    plan = _read(folder / "plan.json")
    if plan is None:
        return None
    parts = {
        name: part
        for name in ("generation", "simulation")
        if (part := _read(folder / f"{name}.json")) and part["verilog"] == plan["verilog"]
    }
    builds = [_read(path) for path in sorted(folder.glob("build_*.json"))]
    builds = [build for build in builds if build and build["verilog"] == plan["verilog"]]
    result: dict[str, Any] = {"case": folder.name, "plan": plan, **parts, "builds": builds}
    if builds and "simulation" in parts:
        interval = parts["simulation"]["initiation_interval_cycles"]
        slowest = min(build["fmax_mhz"] for build in builds)
        # Where timing is missed, those of the clock that would do.
        clock_mhz = min(builds[0]["clock_mhz"], slowest)
        result["frames_per_second"] = round(clock_mhz * 1e6 / interval)
        result["slowest_fmax_mhz"] = slowest
        result["frames_per_second_at_slowest_fmax"] = round(slowest * 1e6 / interval)
    return result


def _read(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_text()) if path.is_file() else None


if __name__ == "__main__":
    main()
