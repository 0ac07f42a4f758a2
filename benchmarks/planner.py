"""Plans of every shipped network on every board: the planner against a greedy rule, frames per second and lookup tables, in one run.

    python benchmarks/planner.py                                        # all pairs
    python benchmarks/planner.py mnist_cnn_1w1a -o /dev/stdout          # those whose names contain a text

The greedy rule starts with the cheapest option of each layer, at the planner's prices or by lookup tables alone, and takes the slowest layer to its next faster option, the cheapest
of as many cycles, while the whole fits: the same options, costs and budgets, and the same rule when a larger budget of lookup tables is worth it. Converters and FIFOs count for it
too: it fits when `total_cost` does.

Three plans are compared: the greedy one, the planner's fastest, and the planner's smallest that is as fast as the greedy one. Frames per second are
those of the board's clock, lookup tables (on iCE40 logic cells) estimates. Seconds are processor time, and depend little on what else the machine was doing.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ortools
from rbonn.boards import BOARDS
from rbonn.boards.board import Board
from rbonn.sw.build.device_forms import device_forms
from rbonn.sw.build.elaborate import elaborate
from rbonn.sw.errors import DoesNotFitError
from rbonn.sw.files import written_whole
from rbonn.sw.models import find_network, model_names
from rbonn.sw.network import Network
from rbonn.sw.plan.amounts import Prices, amounts, fits, price
from rbonn.sw.plan.budget import budget
from rbonn.sw.plan.choice import Chosen, Options
from rbonn.sw.plan.costs import LINK
from rbonn.sw.plan.folding import Folding
from rbonn.sw.plan.joints import Joint, find_joints
from rbonn.sw.plan.options import Option
from rbonn.sw.plan.planner import (
    CELLS,
    WORTH_MORE,
    all_options,
    fair_prices,
    find_plan,
    total_cost,
)
from rbonn.sw.plan.resources import Resources, placed

RESULT = Path(__file__).parent / "results" / "planner.json"

Foldings = dict[str, Folding]


def greedy(network: Network, board: Board, prices: Prices) -> Foldings | None:
    """The greedy rule's plan; None where not even its first one fits."""
    joints = find_joints(network)
    options = {
        name: [option for option in layer if not option.is_late]
        for name, layer in all_options(network, board).items()
    }
    best, interval = None, 0
    for lut4 in board.capacity.lut4_budgets:
        found = _raised(network, board, options, joints, budget(board, lut4), prices)
        if found is None:
            continue
        cycles = interval_of(network, found, board)
        if best is None or cycles * WORTH_MORE <= interval:
            best, interval = found, cycles
    return best


def _raised(
    network: Network,
    board: Board,
    options: Options,
    joints: list[Joint],
    there: Resources,
    prices: Prices,
) -> Foldings | None:
    """The slowest layer is raised until it cannot be or the whole would not fit `there`."""

    def worth(option: Option) -> tuple[int, int]:
        return price(option.cost, prices), option.cycles

    chosen = {name: min(layer, key=worth) for name, layer in options.items()}
    beside = total_cost(network, _foldings(chosen), board).beyond(_cost(chosen, joints, board))
    steps: list[Chosen] = []
    while fits(_cost(chosen, joints, board) + beside, there):
        steps.append(chosen)
        slowest = max(chosen, key=lambda name: chosen[name].cycles)
        faster = [o for o in options[slowest] if o.cycles < chosen[slowest].cycles]
        if not faster:
            break
        next_cycles = max(option.cycles for option in faster)
        candidates = [option for option in faster if option.cycles == next_cycles]
        chosen = chosen | {slowest: min(candidates, key=worth)}
    while steps:  # FIFOs depend on the whole
        foldings = _foldings(steps.pop())
        if fits(total_cost(network, foldings, board), there):
            return foldings
    return None


def _cost(chosen: Chosen, joints: list[Joint], board: Board) -> Resources:
    """Link, options and converters."""
    cost = sum((option.cost for option in chosen.values()), start=placed(LINK, board.family))
    for joint in joints:
        lanes = chosen[joint.source].folding.pe if joint.source else joint.source_lanes
        reader = chosen[joint.reader]
        reader_lanes = reader.folding.pe if joint.is_join else reader.input_lanes
        cost += joint.cost(lanes, reader_lanes, board.family)
    return cost


def _foldings(chosen: Chosen) -> Foldings:
    return {name: option.folding for name, option in chosen.items()}


def interval_of(network: Network, foldings: Foldings, board: Board) -> int:
    return elaborate(network, foldings, device_forms(board)).config.interval_cycles


def described(network: Network, foldings: Foldings, board: Board) -> dict[str, Any]:
    """Speed and cost of a plan."""
    interval, cost = interval_of(network, foldings, board), total_cost(network, foldings, board)
    return {
        "interval_cycles": interval,
        "frames_per_second": round(board.clock_hz / interval, 1),
        "luts": amounts(cost)[0],
        "block_rams": cost.block_rams,
        "dsp": cost.dsp,
    }


def timed(run: Callable[[], Any]) -> tuple[Any, float]:
    """A result and the seconds of processor time that it took; None where nothing fits."""
    start = time.process_time()
    try:
        found = run()
    except DoesNotFitError as error:
        found = error
    return found, round(time.process_time() - start, 1)


def compared(network: Network, board: Board) -> dict[str, Any]:
    """One pair."""
    result: dict[str, Any] = {"network": network.name, "board": board.name}
    found, result["seconds"] = timed(lambda: find_plan(network, board))
    if isinstance(found, DoesNotFitError):
        result |= {"fastest": None, "does_not_fit": str(found)}
    else:
        result["fastest"] = described(network, found.plan.foldings, board) | {
            "least_interval_cycles": found.least_interval_cycles,
            "price": found.price,
            "least_price": found.least_price,
            "proof": found.plan.proof.text() if found.plan.proof else None,
        }
    for name, prices in (("greedy", fair_prices(board)), ("greedy_luts", CELLS)):
        result[name] = _against(network, board, prices)
    return result


def _against(network: Network, board: Board, prices: Prices) -> dict[str, Any]:
    """A greedy plan, and the planner's smallest that is as fast."""
    foldings, seconds = timed(lambda: greedy(network, board, prices))
    if foldings is None:
        return {"plan": None, "seconds": seconds}
    plan = described(network, foldings, board)
    rate = board.clock_hz / plan["interval_cycles"]
    found, smallest_seconds = timed(lambda: find_plan(network, board, frames_per_second=rate))
    return {
        "plan": plan,
        "seconds": seconds,
        "smallest": described(network, found.plan.foldings, board),
        "smallest_seconds": smallest_seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("texts", nargs="*")
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    results = []
    for name in model_names():
        if arguments.texts and not any(text in name for text in arguments.texts):
            continue
        for board in BOARDS.values():
            results.append(compared(find_network(name), board))
            print(json.dumps(results[-1]), flush=True)
    values = {
        "schema": 1,
        "command": "python benchmarks/planner.py",
        "ortools": ortools.__version__,
        "machine": platform.machine(),
        "results": results,
    }
    with written_whole(arguments.output) as temporary:
        temporary.write_text(json.dumps(values, indent=1) + "\n")


if __name__ == "__main__":
    main()
