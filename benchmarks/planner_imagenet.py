"""Plans of the paper's ResNet-18 for ImageNet (random weights): on a real board, which says what is missing, and on devices that could hold it.

    python benchmarks/planner_imagenet.py

11 Mbit of binary weights and 4 to 6 Mbit of those of 8 bits are more than any supported board holds. The devices are ECP5 of four or more LFE5U-85F's resources in one, with the 85F's
clock; they are for this benchmark only. `conv1x1` shortcuts are the paper's, `avgpool_duplicate` those of the networks that ship.

Seconds are processor time of everything that `rbonn plan` does for the answer: for a network that does not fit, the smallest changes too.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import ortools
from random_resnet18 import random_resnet18
from rbonn.boards import ULX3S_85F
from rbonn.boards.board import Board
from rbonn.sw.build.device_forms import device_forms
from rbonn.sw.build.elaborate import elaborate
from rbonn.sw.errors import DoesNotFitError
from rbonn.sw.files import written_whole
from rbonn.sw.network import Bipolar, Conv, Dense, Network
from rbonn.sw.plan.changes import smallest_changes
from rbonn.sw.plan.limits import limits_of
from rbonn.sw.plan.planner import find_plan
from rbonn.sw.plan.summary import summarise

RESULT = Path(__file__).parent / "results" / "planner_imagenet.json"

BINARY_WEIGHTS = 10_985_472
"""Of the paper's ResNet-18."""

CASES = (
    ("avgpool_duplicate", 1),
    ("conv1x1", 1),
    ("avgpool_duplicate", 4),
    ("avgpool_duplicate", 5),
    ("conv1x1", 6),
)
"""Shortcuts, and resources of how many 85F."""


def several_85f(count: int) -> Board:
    """An ULX3S-85F with the resources of `count` of its FPGA in one."""
    one = ULX3S_85F.capacity
    capacity = replace(
        one,
        lut4=count * one.lut4,
        block_rams=count * one.block_rams,
        dsp=count * one.dsp,
        plan_lut4=tuple(count * lut4 for lut4 in one.plan_lut4),
    )
    return ULX3S_85F if count == 1 else replace(ULX3S_85F, name=f"{count} x ulx3s-85f", capacity=capacity)  # fmt: skip


def planned(network: Network, board: Board) -> dict[str, Any]:
    """The plan, or what is missing and what would help."""
    start = time.process_time()
    try:
        found = find_plan(network, board)
    except DoesNotFitError as error:
        changes = [asdict(change) for change in smallest_changes(network, board)]
        answer = {"plan": None, "does_not_fit": error.message, "changes": changes}
    else:
        elaboration = elaborate(network, found.plan.foldings, device_forms(board))
        summary = summarise(network, found.plan, board, elaboration)
        limits = limits_of(network, found.plan, board, elaboration, found.options)
        assert summary.proof is not None
        answer = {
            "plan": {name: asdict(folding) for name, folding in found.plan.foldings.items()},
            "interval_cycles": summary.initiation_interval_cycles,
            "latency_cycles": summary.latency_cycles,
            "frames_per_second": round(summary.frames_per_second, 1),
            "totals": asdict(summary.totals),
            "proof": summary.proof.text(),
            "limits": asdict(limits),
        }
    return {"seconds": round(time.process_time() - start, 1), **answer}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    results = []
    for shortcut, count in CASES:
        network, board = random_resnet18(shortcut=shortcut), several_85f(count)
        products = [node for node in network.nodes if isinstance(node, Conv | Dense)]
        binary = sum(n.weights.size for n in products if isinstance(n.weight_type, Bipolar))
        assert binary == BINARY_WEIGHTS
        case = {"shortcut": shortcut, "board": board.name, "weight_bits": network.weight_bits}
        results.append(case | planned(network, board))
        print(json.dumps(results[-1]), flush=True)
    values = {
        "schema": 1,
        "command": "python benchmarks/planner_imagenet.py",
        "ortools": ortools.__version__,
        "machine": platform.machine(),
        "binary_weights": BINARY_WEIGHTS,
        "results": results,
    }
    with written_whole(arguments.output) as temporary:
        temporary.write_text(json.dumps(values, indent=1) + "\n")


if __name__ == "__main__":
    main()
