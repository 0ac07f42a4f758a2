"""Chooses the folding of every layer: the fastest that fits the board, or the smallest that reaches a frame rate.

Within a budget of the board's resources `choice` finds the best options of all layers, and what lies between them. How much FIFOs hold
follows from the schedule of a whole accelerator, so each choice is elaborated and its estimate is what must fit (`total_cost`). The next choice is made with FIFOs that
hold as much as in that accelerator, and leaves room for what else the accelerator takes (link, entrance, forks), until one fits; what did not fit is not chosen again.

Weights in logic of more words than a lookup table has are for networks that block RAM is too small for, or too slow: `search` looks for the fastest plan without them first.

What is proved (`proof`). The first choice leaves room for the link and for what FIFOs hold in any folding (`least_held`), so an interval or a price that it cannot have is impossible with any options that
`options` lists, by the estimates of `costs`, within the budget. Later choices leave room for more; what all of them take beside options, converters and FIFOs is the same for every choice, so without FIFOs they prove more.
"""

from __future__ import annotations

from ...boards.board import Board
from ..errors import DoesNotFitError, PlanError
from ..network import Network
from .plan import AcceleratorPlan
from .search import CELLS, WORTH_MORE, Finding, Search, all_options, fair_prices, total_cost

__all__ = [
    "CELLS", "WORTH_MORE", "Finding", "all_options", "cycles_for", "fair_prices", "find_plan", "make_plan", "total_cost",
]  # fmt: skip


def make_plan(
    network: Network,
    board: Board,
    *,
    clock_hz: int | None = None,
    frames_per_second: float | None = None,
) -> AcceleratorPlan:
    """The plan with the shortest interval that fits `board`; with `frames_per_second`, the one with the fewest lookup tables that is fast enough.

    Of plans with the shortest interval it is the one with the least price: a block RAM and a multiplier count as many cells as the board has for each of
    them. Where the board has several budgets of lookup tables, a larger one is for what the smaller ones do not reach, or at least `WORTH_MORE` times as
    fast.

    Raises
    ------
    DoesNotFitError - not even the smallest plan fits (the resource, how much it needs, how much there is)
    PlanError - the frame rate cannot be reached (the best that can, and what limits it)
    UnsupportedLayerError - see `elaborate`
    """
    return find_plan(network, board, clock_hz=clock_hz, frames_per_second=frames_per_second).plan


def find_plan(
    network: Network,
    board: Board,
    *,
    clock_hz: int | None = None,
    frames_per_second: float | None = None,
) -> Finding:
    """`make_plan` with what is proved of the plan."""
    clock_hz = board.clock_hz if clock_hz is None else clock_hz
    search = Search(network, board, clock_hz)
    if frames_per_second is None:
        found = search.found(search.limits, fair_prices(board))
        if found is None:
            raise _does_not_fit(search)
        return found
    if not frames_per_second >= 0:
        raise PlanError(
            f"Frames per second must be a number of at least 0, not {frames_per_second:g}",
            "Leave out --fps for as many as fit.",
        )
    limit = search.limits[-1]  # slower plans are no smaller
    if not frames_per_second * limit <= clock_hz:
        limit = cycles_for(frames_per_second, clock_hz)
    found = search.found([limit], CELLS) if limit >= search.floor else None
    if found is None:
        raise _out_of_reach(search, frames_per_second)
    return found


def cycles_for(frames_per_second: float, clock_hz: int) -> int:
    """The longest interval at which so many frames per second leave."""
    limit = int(clock_hz / frames_per_second) + 1
    while limit > 0 and clock_hz / limit < frames_per_second:
        limit -= 1
    return limit


def _does_not_fit(search: Search) -> DoesNotFitError:
    """What even the smallest plan needs beyond what there is."""
    return DoesNotFitError(
        f"{search.network.name} does not fit {search.board.name}: {search.lacking(search.limits[-1])}",
        "Choose a larger board or a smaller network.",
    )


def _out_of_reach(search: Search, frames_per_second: float) -> PlanError | DoesNotFitError:
    """The best frame rate, and what keeps from more."""
    best = search.found(search.limits, fair_prices(search.board))
    if best is None:
        return _does_not_fit(search)
    limit = cycles_for(frames_per_second, search.clock_hz)
    if limit < search.floor:
        why = f"{search.floor_of} takes {search.floor} cycles a frame"
    else:
        why = search.lacking(limit)
    return PlanError(
        f"{search.network.name} reaches at most {search.clock_hz // best.interval_cycles} frames per second at {search.clock_hz / 1e6:g} MHz "
        f"on {search.board.name}, not {frames_per_second:g}: {why}",
        "Ask for fewer frames per second, a higher clock or a larger board.",
    )
