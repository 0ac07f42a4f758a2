"""What a plan may take of a board, and which part of that runs short."""

from __future__ import annotations

from ...boards.board import Board
from .amounts import amounts, only, resources
from .choice import Question
from .costs import LINK
from .resources import Resources, placed

SCARCEST_FIRST = (1, 2, 0, 3)
"""Kinds of resources (`amounts`) in the order in which their shortage is told: those that are counted exactly come first."""

_MUCH = 1 << 40
PLENTY = resources([_MUCH] * 4)
"""More than any device has."""


def budget(board: Board, lut4: int) -> Resources:
    """What a plan may take: `lut4` cells, all block RAMs and multipliers, which are counted exactly, and of the flip-flops as large a part as is planned of lookup tables."""
    there = board.capacity
    return Resources(lut4, int(there.ff * there.PLAN_SHARE), there.block_rams, there.dsp)


def less(there: Resources, taken: Resources) -> Resources:
    """What is left, below 0 where too much is taken."""
    return there + taken.times(-1)


def lacking(question: Question, limit: int, board: Board) -> str:
    """Which resources keep layers from `limit` cycles, in words: all of which more would do, while all else is kept within the board; where none would do alone, all of
    which too little is there whatever else there is.

    Empty where each of them alone suffices. What is needed is what the solver proves, FIFOs as small as in any folding.
    """
    link = placed(LINK, board.family)
    there = budget(board, board.capacity.lut4_budgets[-1])
    for rest, word in ((less(there, link), "or"), (PLENTY, "and")):
        short = []
        for kind in SCARCEST_FIRST:
            left = [*amounts(rest)]
            left[kind] = _MUCH
            least = question.least(limit, resources(left), only(kind))
            if least is not None and least + amounts(link)[kind] > amounts(there)[kind]:
                short.append(_in_words(kind, least + amounts(link)[kind], board))
        if short:
            return f", {word} ".join(short)
    return ""


def shortage(total: Resources, board: Board) -> str:
    """Which resources are exceeded, in words."""
    there = amounts(budget(board, board.capacity.lut4_budgets[-1]))
    short = [
        _in_words(kind, amounts(total)[kind], board)
        for kind in SCARCEST_FIRST
        if amounts(total)[kind] > there[kind]
    ]
    return ", and ".join(short) or "nothing is exceeded"


def _in_words(kind: int, needed: int, board: Board) -> str:
    """How much of one kind is needed, and is there."""
    capacity = board.capacity
    if kind == 1:
        return f"block RAMs: {needed} needed, {capacity.block_rams} available"
    if kind == 2:
        return f"DSP blocks: {needed} needed, {capacity.dsp} available"
    lut4 = capacity.lut4_budgets[-1]
    name, usable, there = "LUT4", lut4, capacity.lut4
    if kind == 3:
        name, usable, there = "flip-flops", budget(board, lut4).ff, capacity.ff
    elif board.family == "ice40":
        name = "logic cells"
    return f"{name}: about {needed} needed, {usable} usable of {there}"
