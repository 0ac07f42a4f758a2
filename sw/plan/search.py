"""The search for the plan of one network on one board: see `planner`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ...boards.board import Board
from ..build.device_forms import device_forms
from ..build.elaborate import Elaboration, elaborate
from ..build.skips import find_skips
from ..network import Binarise, Conv, Dense, Network, Thermometer
from .amounts import Prices, amounts, fits, price
from .budget import PLENTY, budget, lacking, less, shortage
from .choice import Choice, Chosen, Options, Question
from .costs import LINK, Resources, accelerator_cost
from .folding import Folding
from .joints import find_fifos, find_joints
from .least_held import least_cost, least_held
from .options import layer_options
from .plan import AcceleratorPlan
from .proof import Proof
from .resources import placed

WORTH_MORE = 1.5
"""How much faster a plan must be that takes a larger budget of lookup tables, which takes longer to place and route."""

ROUNDS = 8
"""Choices that are elaborated within a budget before it is given up."""

CELLS: Prices = (1, 0, 0, 0)
"""The prices of a plan for a frame rate: cells alone."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A plan, and how it was found.

    Members
    -------
    plan : AcceleratorPlan - with its proof
    interval_cycles, least_interval_cycles : int - of the plan, and what no plan within its budget comes below
    price, least_price : int - of the choice that it is, FIFOs as deep as in the choice before, and the least of any such choice that is as fast
    options : dict - of every layer, what was chosen from
    """

    plan: AcceleratorPlan
    interval_cycles: int
    least_interval_cycles: int
    price: int
    least_price: int
    options: Options = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class _Built:
    """A choice as an accelerator.

    Members
    -------
    choice : Choice
    beside : Resources - what it takes beside options, converters and FIFOs
    interval_cycles, cells : int - of the accelerator, link included
    least_interval_cycles, least_cells : int - what none of the options that were looked at comes below
    """

    choice: Choice
    beside: Resources
    interval_cycles: int
    cells: int
    least_interval_cycles: int
    least_cells: int


class Search:
    """Plans of one network on one board.

    Members
    -------
    options : dict - of every layer
    floor : int - cycles below which the entrance or some layer cannot be, whatever it takes
    floor_of : str - which, in words
    limits : list of int - intervals that are worth trying, rising
    """

    def __init__(self, network: Network, board: Board, clock_hz: int) -> None:
        self.network, self.board, self.clock_hz = network, board, clock_hz
        self.options = all_options(network, board)
        self.fifos = find_fifos(network)
        fastest = {
            name: min(option.least_interval for option in layer)
            for name, layer in self.options.items()
        }
        slowest = max(fastest, key=lambda name: fastest[name])
        self.floor, self.floor_of = fastest[slowest], f"layer {slowest}"
        entrance = entrance_cycles(network)
        if entrance > self.floor:
            self.floor, self.floor_of = entrance, "the entrance"
        joints, fifos = find_joints(network), self._least_fifos()
        self.question = Question(self.options, joints, board.family, fifos, entrance)
        shallow = {
            name: [option for option in layer if not option.is_deep_logic]
            for name, layer in self.options.items()
        }
        self.shallow = replace(self.question, options=shallow)
        every = {option.cycles for layer in self.options.values() for option in layer}
        self.limits = sorted({max(cycles, self.floor) for cycles in every})

    def found(self, limits: Sequence[int], prices: Prices) -> Finding | None:
        """The best plan within the first budget that is worth it."""
        if not self._may_fit(limits):
            return None
        best = None
        for lut4 in self.board.capacity.lut4_budgets:
            built = self._best(limits, prices, lut4)
            if built is not None:
                best = self._finding(built, prices, lut4)
                limits = [limit for limit in limits if limit * WORTH_MORE <= built.interval_cycles]
        return best

    def _may_fit(self, limits: Sequence[int]) -> bool:
        """Whether any choice fits the largest budget, for all that is proved."""
        there = budget(self.board, self.board.capacity.lut4_budgets[-1])
        left = less(there, placed(LINK, self.board.family))
        return self.question.fastest(limits[-1:], left).least is not None

    def _best(self, limits: Sequence[int], prices: Prices, lut4: int) -> _Built | None:
        """The best within a budget. Among the fastest ones deep weights in logic are for what is slower without them, or does not fit."""
        beside = placed(LINK, self.board.family)
        if prices == CELLS:
            return self._within(self.question, limits, prices, lut4, beside)[0]
        found, _ = self._within(self.shallow, limits, prices, lut4, beside)
        if found is not None and not self.fifos:
            beside = found.beside
        faster = [limit for limit in limits if found is None or limit < found.interval_cycles]
        better, least = self._within(self.question, faster, prices, lut4, beside)
        found = better or found
        if found is None:
            return None
        return replace(found, least_interval_cycles=least or found.interval_cycles)

    def _within(
        self, asked: Question, limits: Sequence[int], prices: Prices, lut4: int, beside: Resources
    ) -> tuple[_Built | None, int | None]:
        """The best choice of a question within a budget, the first that is found, or the one that is found when its FIFOs are known; and the least interval that is not
        proved impossible, None where all are. `beside` is what an accelerator takes at least beside its choice.
        """
        there, question = budget(self.board, lut4), asked
        refused: list[Chosen] = []
        found, found_price = None, 0
        least, least_price = None, 0
        for number in range(ROUNDS):
            left = less(there, beside)
            fastest = question.fastest(limits, left, refused)
            is_sound = number == 0 or not self.fifos
            if is_sound and found is None:
                least = fastest.least
                limits = [limit for limit in limits if limit >= (least or limit)]
            if fastest.limit is None:
                break
            choice = question.cheapest(fastest.limit, left, prices, refused)
            if choice is None:
                break
            least_price = choice.least_price if is_sound else least_price
            built = elaborate(self.network, _foldings(choice.options), device_forms(self.board))
            total = accelerator_cost(built.config, self.board.family)
            interval, cells = built.config.interval_cycles, amounts(total)[0]
            question = replace(asked, fifos=self._fifos(built))
            beside = total.beyond(question.cost(choice.options))
            if interval > fastest.limit or not fits(total, there):
                refused.append(choice.options)
                continue
            is_first, total_price = found is None, price(total, prices)
            if found is None or (interval, total_price) < (found.interval_cycles, found_price):
                least_cells = min(least_price + amounts(beside)[0], cells)
                found = _Built(choice, beside, interval, cells, min(least or 1, interval), least_cells)  # fmt: skip
                found_price = total_price
            if not is_first or not self.fifos:
                break
        return found, least

    def _finding(self, built: _Built, prices: Prices, lut4: int) -> Finding:
        """The plan, and what is proved of it."""
        is_largest = lut4 == self.board.capacity.lut4_budgets[-1]
        within, choice = None if is_largest else lut4, built.choice
        if prices == CELLS:
            goal = "logic cells" if self.board.family == "ice40" else "LUT4"
            proof = Proof(goal, built.cells, built.least_cells, within)
        else:
            proof = Proof("cycles", built.interval_cycles, built.least_interval_cycles, within)
        plan = AcceleratorPlan(
            self.network.name, self.network.hash(), self.board.name, self.clock_hz, _foldings(choice.options), proof
        )  # fmt: skip
        return Finding(
            plan, built.interval_cycles, built.least_interval_cycles, choice.price, choice.least_price, self.options
        )  # fmt: skip

    def _least_fifos(self) -> dict[str, dict[int, Resources]]:
        """What FIFOs take at least, whatever is chosen, by the layer whose results they hold and its PE."""
        skips = {f"{add}_skip": skip for add, skip in find_skips(self.network).items()}
        found: dict[str, dict[int, Resources]] = {}
        for fifo in self.fifos:
            costs = found.setdefault(fifo.source, {})
            for lanes in {option.folding.pe for option in self.options[fifo.source]}:
                held = least_held(self.network, skips[fifo.name], lanes)
                cost = least_cost(fifo, held, lanes, self.board)
                costs[lanes] = costs.get(lanes, Resources()) + cost
        return found

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

    def lacking(self, limit: int) -> str:
        """Which resources run short within `limit` cycles, in words."""
        words = lacking(self.question, limit, self.board)
        if words:
            return words
        choice = self.question.cheapest(limit, PLENTY, fair_prices(self.board))
        assert choice is not None, "each layer has an option within the limit"
        total = total_cost(self.network, _foldings(choice.options), self.board)
        return f"{shortage(total, self.board)} by the cheapest plan that was found"


def fair_prices(board: Board) -> Prices:
    """A block RAM and a multiplier count as many cells as the board has for each of them."""
    there = board.capacity
    return 1, there.lut4 // max(there.block_rams, 1), there.lut4 // max(there.dsp, 1), 0


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


def _foldings(chosen: Chosen) -> dict[str, Folding]:
    return {name: option.folding for name, option in chosen.items()}
