"""One option for each layer, chosen by CP-SAT: the shortest interval that fits a device, then the fewest resources.

The model. Every layer has exactly one of its options. Where streams of two layers meet (`joints`), a pair of widths costs a converter, and
pairs whose converter is slower than the interval are out. Cells, block RAMs, multipliers and flip-flops of options and converters
fit what a device has left beside everything else. An option whose window is late in every frame needs another stage that takes as long. The pairs of widths at a joint are a transport from producers of a width to readers of a
width, whose linear relaxation is tight.

Within an interval the price is least: of all resources, or of cells alone. Of equals cells, block RAMs, multipliers and flip-flops are, then the
sum of the layers' cycles, which stands for latency, then rows per cycle, so that whole windows are preferred: two at a time are a
question of their own to the solver, and its answer holds for the next.

What the cheapest options of all layers answer, and what their sums rule out, is not asked of the solver. They are also the answer where its time is up before it has one.

One worker, a fixed seed and limits in the solver's own deterministic time give equal questions equal answers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ortools.sat.python import cp_model

from .amounts import Prices, amounts, fits, is_at_most, price
from .choice_model import FOUND, Choice, ChoiceModel, Chosen, Options
from .joints import Joint
from .options import Option
from .resources import Resources

__all__ = ["Choice", "Chosen", "Fastest", "Options", "Question"]


@dataclass(frozen=True, slots=True)
class Fastest:
    """The answer to how fast the layers can be.

    Members
    -------
    limit : int or None - the shortest interval found, None where none is possible
    least : int or None - shorter intervals are proved impossible; None where all are
    """

    limit: int | None
    least: int | None


@dataclass(frozen=True, slots=True)
class Question:
    """Layers, what lies between them, and the device's family that both cost resources of.

    Parameters
    ----------
    options : dict - of each layer
    joints : list of Joint
    family : str
    fifos : dict - what FIFOs take that are as wide as a layer's results, by layer and PE
    floor : int - cycles of a frame that the accelerator takes in any case
    """

    options: Options
    joints: Sequence[Joint]
    family: str
    fifos: Mapping[str, Mapping[int, Resources]] = field(default_factory=dict)
    floor: int = 1

    def fastest(
        self, limits: Sequence[int], left: Resources, refused: Sequence[Chosen] = ()
    ) -> Fastest:
        """The lowest of the rising `limits` within which a choice that is not `refused` fits `left`."""
        low, high, least = 0, len(limits), 0
        at = 0  # the lowest is often possible
        while low < high:
            status = self._status(limits[at], left, refused)
            if status in FOUND:
                high = at
            else:
                low = at + 1
                least = low if status == cp_model.INFEASIBLE else least
            at = (low + high) // 2
        found = limits[high] if high < len(limits) else None
        return Fastest(found, limits[least] if least < len(limits) else None)

    def _status(
        self, limit: int, left: Resources, refused: Sequence[Chosen]
    ) -> cp_model.CpSolverStatus:
        """Whether there is a choice: `FEASIBLE`, `INFEASIBLE`, or `UNKNOWN` where the solver's time is up."""
        options = self._possible(limit, left)
        if options is None:
            return cp_model.INFEASIBLE
        if self._simple(options, limit, left, refused):
            return cp_model.FEASIBLE
        return ChoiceModel(self, options, limit, left, refused).solve()

    def cheapest(
        self, limit: int, left: Resources, prices: Prices, refused: Sequence[Chosen] = ()
    ) -> Choice | None:
        """The choice within `limit` cycles that fits `left`, is not `refused` and takes least; None where none is found."""
        options = self._possible(limit, left)
        if options is None:
            return None
        choice = ChoiceModel(self, options, limit, left, refused).cheapest(prices)
        simple = None if choice else self._simple(options, limit, left, refused)
        if simple is None:
            return choice
        cost = self.cost(simple)
        return Choice(simple, cost, price(cost, prices), _least_price(options, prices))

    def least(self, limit: int, left: Resources, prices: Prices) -> int | None:
        """What every choice within `limit` cycles that fits `left` takes at least; None where none fits."""
        options = self._possible(limit, left)
        if options is None:
            return None
        least = ChoiceModel(self, options, limit, left, ()).least(prices)
        return None if least is None else max(least, _least_price(options, prices))

    def cost(self, chosen: Chosen) -> Resources:
        """Of options, converters and FIFOs."""
        total = sum((option.cost for option in chosen.values()), start=Resources())
        for name, costs in self.fifos.items():
            total += costs[chosen[name].folding.pe]
        for joint in self.joints:
            total += joint.cost(*_widths(joint, chosen), self.family)
        return total

    def _possible(self, limit: int, left: Resources) -> Options | None:
        """The options of each layer that may be part of a choice; None where there is none, because their least amounts are too much already."""
        options = {name: _within(layer, limit, left) for name, layer in self.options.items()}
        late = [o.pace_cycles for layer in options.values() for o in layer if o.is_late]
        if late and max(late) > self.floor:  # slow options may be what they need
            options = {
                name: _within(layer, limit, left, min(late)) for name, layer in self.options.items()
            }
        if not all(options.values()):
            return None
        least = [
            sum(min(amounts(option.cost)[kind] for option in layer) for layer in options.values())
            for kind in range(4)
        ]
        return options if is_at_most(least, amounts(left)) else None

    def _simple(
        self, options: Options, limit: int, left: Resources, refused: Sequence[Chosen]
    ) -> Chosen | None:
        """The option of each layer that takes the least share of what is left, if they are a choice."""
        there = [max(amount, 1) for amount in amounts(left)]

        def share(option: Option) -> tuple[bool, float, int, int]:
            parts = zip(amounts(option.cost), there, strict=True)
            share = sum(a / b for a, b in parts)
            return option.is_late, share, option.cycles, option.folding.pe

        chosen = {name: min(layer, key=share) for name, layer in options.items()}
        if any(option.is_late for option in chosen.values()) or chosen in refused:
            return None
        for joint in self.joints:
            lanes, reader_lanes = _widths(joint, chosen)
            if lanes != reader_lanes and joint.converter(lanes, reader_lanes).interval_cycles > limit:  # fmt: skip
                return None
        return chosen if fits(self.cost(chosen), left) else None


def _widths(joint: Joint, chosen: Chosen) -> tuple[int, int]:
    """Lanes of a joint's stream, and of its reader."""
    lanes = chosen[joint.source].folding.pe if joint.source else joint.source_lanes
    reader = chosen[joint.reader]
    return lanes, reader.folding.pe if joint.is_join else reader.input_lanes


def _least_price(options: Options, prices: Prices) -> int:
    """What options take at least."""
    return sum(min(price(option.cost, prices) for option in layer) for layer in options.values())


def _within(
    layer: Sequence[Option], limit: int, left: Resources, slow_cycles: int | None = None
) -> list[Option]:
    """Options of at most so many cycles and no more than is left, of which no other one of the same widths beats in resources, nor in cycles with the same resources.

    What is late in every frame beats none. From `slow_cycles` on options are in whatever they take.
    """
    kept: list[Option] = []
    by_widths: dict[tuple[int, int], list[tuple[int, ...]]] = defaultdict(list)
    rising = sorted(layer, key=lambda o: (*amounts(o.cost), o.cycles, o.folding.pe))
    for option in rising:
        mine = amounts(option.cost)
        if option.least_interval > limit or not is_at_most(mine, amounts(left)):
            continue
        others = by_widths[option.folding.pe, option.input_lanes]
        is_slow = slow_cycles is not None and option.cycles >= slow_cycles
        if not is_slow and any(is_at_most(other, mine) for other in others):
            continue
        kept.append(option)
        if not option.is_late:
            others.append(mine)
    return kept
