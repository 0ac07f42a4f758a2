"""Chooses the folding of every layer: the fastest that fits the board, or the smallest that reaches a frame rate."""

from __future__ import annotations

from ...boards.board import Board
from ..build.device_forms import device_forms
from ..build.elaborate import elaborate
from ..errors import DoesNotFitError, PlanError
from ..network import Binarise, Conv, Dense, Network, Thermometer
from .costs import LINK, Resources, stages_cost
from .fitting import Options, cheapest, fitted
from .folding import Folding
from .options import layer_options
from .plan import AcceleratorPlan
from .resources import placed

PRICES = ((1, 1, 1), (2, 1, 1), (1, 2, 1), (4, 1, 1), (1, 4, 1), (12, 1, 1), (1, 12, 1), (1, 1, 4), (1, 1, 12))  # fmt: skip
"""What the whole of a board's lookup tables, block RAMs and multipliers is worth in comparisons, in the order of trial.

The first that leads to a plan that fits is taken: where one resource runs short, what saves it is worth more of the others.
"""

WORTH_MORE = 1.5
"""How much faster a plan must be that takes a larger budget of lookup tables, which takes longer to place and route."""


def make_plan(
    network: Network,
    board: Board,
    *,
    clock_hz: int | None = None,
    frames_per_second: float | None = None,
) -> AcceleratorPlan:
    """The plan with the shortest interval that fits `board`; with `frames_per_second`, the cheapest that is fast enough.

    All layers get the cheapest folding that is not slower than a common limit; the limit is lowered as far as the board allows.
    Cheap means a small sum of the shares of the board's lookup tables, block RAMs and multipliers, at one of `PRICES`. Where the board has several
    budgets of lookup tables, a larger one is for what the smaller ones do not reach, or at least `WORTH_MORE` times as fast.

    Raises
    ------
    DoesNotFitError - not even the slowest plan fits (the resource, how much it needs, how much there is)
    PlanError - the frame rate cannot be reached (the best that can)
    UnsupportedLayerError - see `elaborate`
    """
    clock_hz = board.clock_hz if clock_hz is None else clock_hz
    options = {
        node.name: layer_options(network, node, board)
        for node in network.device_nodes
        if isinstance(node, Conv | Dense)
    }
    limits = _limits(network, options)
    if frames_per_second is not None:
        fastest = limits[0]
        limits = [limit for limit in limits if clock_hz / limit >= frames_per_second]
        if not limits:
            raise PlanError(
                f"{network.name} reaches at most {clock_hz / fastest:.0f} frames per second at {clock_hz / 1e6:g} MHz, "
                f"not {frames_per_second:g}",
                "Ask for fewer frames per second or a higher clock.",
            )
        limits = limits[-1:]  # slower is cheaper
    best: dict[str, Folding] = {}
    for lut4 in board.capacity.lut4_budgets:
        found = _fastest(network, options, limits, board, lut4)
        if found is not None:
            best, cycles = found
            limits = [limit for limit in limits if limit * WORTH_MORE <= cycles]
    if best:
        return AcceleratorPlan(network.name, network.hash(), board.name, clock_hz, best)
    raise DoesNotFitError(
        f"{network.name} does not fit {board.name}: {_least_excess(network, options, limits, board)}",
        "Choose a larger board, a smaller network"
        + (", or fewer frames per second." if frames_per_second is not None else "."),
    )


def total_cost(network: Network, chosen: dict[str, Folding], board: Board) -> Resources:
    """Estimated cost of the whole design as it is placed, link included."""
    stages = elaborate(network, chosen, device_forms(board)).config.stages
    total = LINK + stages_cost((stage.config for stage in stages), board.family)
    return placed(total, board.family)


def _limits(network: Network, options: Options) -> list[int]:
    """Intervals that are worth trying, rising: those of options that are not faster than the fastest of any layer can be."""
    fastest = max(
        _entrance_cycles(network),
        *(min(option.cycles for option in layer) for layer in options.values()),
    )
    return sorted({max(option.cycles, fastest) for layer in options.values() for option in layer})


def _entrance_cycles(network: Network) -> int:
    """Cycles per frame of what takes pixels one by one before the first layer, 1 where nothing does."""
    takes_pixels = isinstance(network.device_nodes[0], Binarise | Thermometer)
    return network.edges[network.device_input].elements if takes_pixels else 1


def _fastest(
    network: Network, options: Options, limits: list[int], board: Board, lut4: int
) -> tuple[dict[str, Folding], int] | None:
    """The foldings with the lowest of `limits` that fit `lut4` lookup tables, and that limit; None where none fit.

    What lies between layers is known when they are joined; from then on it counts beforehand.
    """
    overhead, capacity = placed(LINK, board.family), _capacity(board, lut4)
    for limit in limits:
        tried: list[dict[str, Folding]] = []
        for prices in PRICES:
            chosen = fitted(options, limit, prices, overhead, capacity)
            if chosen is None:
                continue
            foldings = {name: option.folding for name, option in chosen.items()}
            if foldings in tried:
                continue
            tried.append(foldings)
            total = total_cost(network, foldings, board)
            if not _excess(total, board, lut4):
                return foldings, limit
            layers = sum((option.cost for option in chosen.values()), start=Resources())
            overhead += total.beyond(layers + overhead)
    return None


def _capacity(board: Board, lut4: int) -> Resources:
    """What a plan may take."""
    there = board.capacity
    return Resources(lut4=lut4, block_rams=there.block_rams, dsp=there.dsp)


def _least_excess(network: Network, options: Options, limits: list[int], board: Board) -> str:
    """What the slowest, and so smallest, plan needs beyond what there is."""
    budget = board.capacity.lut4_budgets[-1]
    chosen = cheapest(options, limits[-1], PRICES[0], _capacity(board, budget))
    foldings = {name: option.folding for name, option in chosen.items()}
    excess = _excess(total_cost(network, foldings, board), board, budget)
    assert excess, "else it would have been taken"
    return excess


def _excess(cost: Resources, board: Board, lut4: int) -> str:
    """Which resource is exceeded, in words; empty when all suffice, with `lut4` usable lookup tables."""
    capacity = board.capacity
    if cost.block_rams > capacity.block_rams:
        return f"block RAMs: {cost.block_rams} needed, {capacity.block_rams} available"
    if cost.dsp > capacity.dsp:
        return f"DSP blocks: {cost.dsp} needed, {capacity.dsp} available"
    cells = cost.lut4 + cost.carries
    if cells > lut4:
        name = "logic cells" if board.family == "ice40" else "LUT4"
        return f"{name}: about {cells} needed, {lut4} usable of {capacity.lut4}"
    return ""
