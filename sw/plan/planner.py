"""Chooses the folding of every layer: the fastest that fits the board, or the smallest that reaches a frame rate.

Within a budget of the board's resources `choice` finds the best options of all layers, and what lies between them. How much FIFOs hold
follows from the schedule of a whole accelerator, so each choice is elaborated and its estimate is what must fit (`total_cost`). The next choice is made with FIFOs that
hold as much, and leaves room for what else the accelerator takes (link, entrance, forks), until one fits; what did not fit is not chosen again.

What is proved. An interval below `Finding.least_interval_cycles` is impossible with any options that `options` lists, by the estimates of `costs`, within the
budget: the solver shows it leaving room for the link alone. Where that is the plan's interval, no plan is faster. `Finding.least_price` is the solver's
bound for the price of options, converters and FIFOs within the plan's interval, `Finding.price` what the plan's take; where they are equal the plan is the cheapest of all whose FIFOs hold
as much as those of the choice before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...boards.board import Board
from ..build.device_forms import device_forms
from ..build.elaborate import Elaboration, elaborate
from ..errors import DoesNotFitError, PlanError
from ..network import Binarise, Conv, Dense, Network, Thermometer
from .budget import PLENTY, budget, fits, lacking, less, shortage
from .choice import Chosen, Options, Prices, Question
from .costs import LINK, Resources, accelerator_cost
from .folding import Folding
from .joints import find_fifos, find_joints
from .options import amounts, layer_options
from .plan import AcceleratorPlan
from .resources import placed

WORTH_MORE = 1.5
"""How much faster a plan must be that takes a larger budget of lookup tables, which takes longer to place and route."""

ROUNDS = 8
"""Choices that are elaborated within a budget before it is given up."""

CELLS: Prices = (1, 0, 0, 0)
"""The prices of a plan for a frame rate: cells alone."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A plan, and how good it is known to be.

    Members
    -------
    plan : AcceleratorPlan
    interval_cycles, least_interval_cycles : int - of the plan, and what no plan within its budget comes below
    price, least_price : int - of the plan's options and converters, and the least of any that are as fast and leave as much room
    """

    plan: AcceleratorPlan
    interval_cycles: int
    least_interval_cycles: int
    price: int
    least_price: int


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
    search = _Search(network, board, clock_hz)
    if frames_per_second is None:
        found = search.found(search.limits, fair_prices(board))
        if found is None:
            raise search.does_not_fit()
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
        raise search.out_of_reach(frames_per_second)
    return found


def fair_prices(board: Board) -> Prices:
    """A block RAM and a multiplier count as many cells as the board has for each of them."""
    there = board.capacity
    return 1, there.lut4 // max(there.block_rams, 1), there.lut4 // max(there.dsp, 1), 0


def cycles_for(frames_per_second: float, clock_hz: int) -> int:
    """The longest interval at which so many frames per second leave."""
    limit = int(clock_hz / frames_per_second) + 1
    while limit > 0 and clock_hz / limit < frames_per_second:
        limit -= 1
    return limit


def total_cost(network: Network, chosen: dict[str, Folding], board: Board) -> Resources:
    """Estimated cost of the whole design as it is placed, link included."""
    return accelerator_cost(elaborate(network, chosen, device_forms(board)).config, board.family)


def all_options(network: Network, board: Board) -> Options:
    """The options of every layer."""
    return {
        node.name: layer_options(network, node, board)
        for node in network.device_nodes
        if isinstance(node, Conv | Dense)
    }


def entrance_cycles(network: Network) -> int:
    """Cycles per frame of what takes pixels one by one before the first layer, 1 where nothing does."""
    takes_pixels = isinstance(network.device_nodes[0], Binarise | Thermometer)
    return network.edges[network.device_input].elements if takes_pixels else 1


class _Search:
    """Plans of one network on one board.

    Members
    -------
    floor : int - cycles below which the entrance or some layer cannot be, whatever it takes
    limits : list of int - intervals that are worth trying, rising
    """

    def __init__(self, network: Network, board: Board, clock_hz: int) -> None:
        self.network, self.board, self.clock_hz = network, board, clock_hz
        self.options = all_options(network, board)
        self.fifos = find_fifos(network)
        self.question = Question(self.options, find_joints(network), board.family)
        fastest = {name: layer[0].cycles for name, layer in self.options.items()}
        slowest = max(fastest, key=lambda name: fastest[name])
        self.floor, self.floor_of = fastest[slowest], f"layer {slowest}"
        if entrance_cycles(network) > self.floor:
            self.floor, self.floor_of = entrance_cycles(network), "the entrance"
        every = {option.cycles for layer in self.options.values() for option in layer}
        self.limits = sorted({max(cycles, self.floor) for cycles in every})

    def found(self, limits: Sequence[int], prices: Prices) -> Finding | None:
        """The best plan within the first budget that is worth it."""
        best = None
        for lut4 in self.board.capacity.lut4_budgets:
            found = self._within(limits, prices, budget(self.board, lut4))
            if found is not None:
                best = found
                limits = [limit for limit in limits if limit * WORTH_MORE <= found.interval_cycles]
        return best

    def _within(self, limits: Sequence[int], prices: Prices, there: Resources) -> Finding | None:
        """The best plan that fits `there`: the first that is found, or the one that is found when its FIFOs are known."""
        beside, question = placed(LINK, self.board.family), self.question
        refused: list[Chosen] = []
        best, best_price, least = None, 0, None
        for _ in range(ROUNDS):
            left = less(there, beside)
            fastest = question.fastest(limits, left, refused)
            least = fastest.least if least is None else least
            if fastest.limit is None or least is None:
                break
            choice = question.cheapest(fastest.limit, left, prices, refused)
            if choice is None:
                break
            foldings = {name: option.folding for name, option in choice.options.items()}
            built = elaborate(self.network, foldings, device_forms(self.board))
            total = accelerator_cost(built.config, self.board.family)
            interval = built.config.interval_cycles
            price = sum(a * b for a, b in zip(prices, amounts(total), strict=True))
            question = replace(self.question, fifos=self._fifos(built))
            beside = total.beyond(question.cost(choice.options))
            if interval > fastest.limit or not fits(total, there):
                refused.append(choice.options)
                continue
            known = best is not None
            if best is None or (interval, price) < (best.interval_cycles, best_price):
                plan = AcceleratorPlan(
                    self.network.name, self.network.hash(), self.board.name, self.clock_hz, foldings
                )
                best = Finding(plan, interval, min(least, interval), choice.price, choice.least_price)  # fmt: skip
                best_price = price
            if known or not self.fifos:
                break
        return best

    def _fifos(self, built: Elaboration) -> dict[str, dict[int, Resources]]:
        """What FIFOs take that hold as much as in an accelerator, by the layer whose results they hold and its PE."""
        widths = {stage.name: stage.config.input_width for stage in built.config.stages}
        found: dict[str, dict[int, Resources]] = {}
        for fifo in self.fifos:
            held = built.skips[fifo.name].planned * widths[fifo.name] // fifo.element_bits
            costs = found.setdefault(fifo.source, {})
            for lanes in {option.folding.pe for option in self.options[fifo.source]}:
                cost = fifo.cost(lanes, held, self.board)
                costs[lanes] = costs.get(lanes, Resources()) + cost
        return found

    def does_not_fit(self) -> DoesNotFitError:
        """What even the smallest plan needs beyond what there is."""
        lacking = self._lacking(self.limits[-1])
        return DoesNotFitError(
            f"{self.network.name} does not fit {self.board.name}: {lacking}",
            "Choose a larger board or a smaller network.",
        )

    def out_of_reach(self, frames_per_second: float) -> PlanError | DoesNotFitError:
        """The best frame rate, and what keeps from more."""
        best = self.found(self.limits, fair_prices(self.board))
        if best is None:
            return self.does_not_fit()
        limit = cycles_for(frames_per_second, self.clock_hz)
        if limit < self.floor:
            why = f"{self.floor_of} takes {self.floor} cycles a frame"
        else:
            why = self._lacking(limit)
        return PlanError(
            f"{self.network.name} reaches at most {self.clock_hz // best.interval_cycles} frames per second at {self.clock_hz / 1e6:g} MHz "
            f"on {self.board.name}, not {frames_per_second:g}: {why}",
            "Ask for fewer frames per second, a higher clock or a larger board.",
        )

    def _lacking(self, limit: int) -> str:
        """Which resource runs short within `limit` cycles."""
        words = lacking(self.question, limit, self.board)
        if words:
            return words
        choice = self.question.cheapest(limit, PLENTY, fair_prices(self.board))
        assert choice is not None, "each layer has an option within the limit"
        foldings = {name: option.folding for name, option in choice.options.items()}
        return shortage(total_cost(self.network, foldings, self.board), self.board)
