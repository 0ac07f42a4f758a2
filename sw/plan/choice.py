"""One option for each layer, chosen by CP-SAT: the shortest interval that fits a device, then the fewest resources.

The model. Every layer has exactly one of its options. Where streams of two layers meet (`joints`), a pair of widths costs a converter, and
pairs whose converter is slower than the interval are out. Cells, block RAMs, multipliers and flip-flops of options and converters
fit what a device has left beside everything else. The pairs of widths at a joint are a transport from producers of a width to readers of a
width, whose linear relaxation is tight.

Within an interval the price is least: of all resources, or of cells alone. Of equals cells, block RAMs, multipliers and flip-flops are, then the
sum of the layers' cycles, which stands for latency, then rows per cycle, so that whole windows are preferred: each is a question of its own to
the solver, and its answer holds for the next.

One worker, a fixed seed and limits in the solver's own deterministic time give equal questions equal answers.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ortools.sat.python import cp_model

from .joints import Joint
from .options import Option, amounts
from .resources import Resources

Options = Mapping[str, Sequence[Option]]
Prices = tuple[int, int, int, int]
"""What a cell, a block RAM, a multiplier and a flip-flop count."""
Chosen = dict[str, Option]

SOLVER_TIME = 4.0
"""Deterministic time of a question to the solver, about seconds."""


_FOUND = (cp_model.OPTIMAL, cp_model.FEASIBLE)


@dataclass(frozen=True, slots=True)
class Choice:
    """An option for each layer.

    Members
    -------
    options : dict - by layer
    cost : Resources - of options, converters and FIFOs
    price, least_price : int - what they take, and what no choice that fits and is as fast takes less than: proved
    """

    options: Chosen
    cost: Resources
    price: int
    least_price: int


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
    """

    options: Options
    joints: Sequence[Joint]
    family: str
    fifos: Mapping[str, Mapping[int, Resources]] = field(default_factory=dict)

    def fastest(
        self, limits: Sequence[int], left: Resources, refused: Sequence[Chosen] = ()
    ) -> Fastest:
        """The lowest of the rising `limits` within which a choice that is not `refused` fits `left`."""
        low, high, least = 0, len(limits), 0
        at = 0  # the lowest is often possible
        while low < high:
            model = self._model(limits[at], left, refused)
            status = model.solve() if model is not None else cp_model.INFEASIBLE
            if status in _FOUND:
                high = at
            else:
                low = at + 1
                least = low if status == cp_model.INFEASIBLE else least
            at = (low + high) // 2
        found = limits[high] if high < len(limits) else None
        return Fastest(found, limits[least] if least < len(limits) else None)

    def cheapest(
        self, limit: int, left: Resources, prices: Prices, refused: Sequence[Chosen] = ()
    ) -> Choice | None:
        """The choice within `limit` cycles that fits `left`, is not `refused` and takes least; None where none is found."""
        model = self._model(limit, left, refused)
        return model.cheapest(prices) if model is not None else None

    def least(self, limit: int, left: Resources, prices: Prices) -> int | None:
        """What every choice within `limit` cycles that fits `left` takes at least; None where none fits."""
        model = self._model(limit, left, ())
        return model.least(prices) if model is not None else None

    def cost(self, chosen: Chosen) -> Resources:
        """Of options, converters and FIFOs."""
        total = sum((option.cost for option in chosen.values()), start=Resources())
        for name, costs in self.fifos.items():
            total += costs[chosen[name].folding.pe]
        for joint in self.joints:
            lanes = chosen[joint.source].folding.pe if joint.source else joint.source_lanes
            reader = chosen[joint.reader]
            reader_lanes = reader.folding.pe if joint.is_join else reader.input_lanes
            total += joint.cost(lanes, reader_lanes, self.family)
        return total

    def _model(self, limit: int, left: Resources, refused: Sequence[Chosen]) -> _Model | None:
        options = {name: _within(layer, limit) for name, layer in self.options.items()}
        if not all(options.values()):
            return None
        return _Model(self, options, limit, left, refused)


def _within(layer: Sequence[Option], limit: int) -> list[Option]:
    """Options of at most so many cycles that no other one of the same widths beats in resources, nor in cycles with the same resources."""
    kept: list[Option] = []
    by_widths: dict[tuple[int, int], list[tuple[int, ...]]] = defaultdict(list)
    rising = sorted(layer, key=lambda o: (*amounts(o.cost), o.cycles, o.folding.pe))
    for option in rising:
        if option.cycles > limit:
            continue
        mine = amounts(option.cost)
        others = by_widths[option.folding.pe, option.input_lanes]
        if not any(all(a <= b for a, b in zip(other, mine, strict=True)) for other in others):
            others.append(mine)
            kept.append(option)
    return kept


class _Model:
    """The CP-SAT model of one interval."""

    def __init__(
        self, question: Question, options: Options, limit: int, left: Resources, refused: Sequence[Chosen]
    ) -> None:  # fmt: skip
        self.model = model = cp_model.CpModel()
        self.options = options
        self.takes = {
            name: [model.new_bool_var(f"{name}:{k}") for k in range(len(layer))]
            for name, layer in options.items()
        }
        for takes in self.takes.values():
            model.add_exactly_one(takes)
        self.terms: list[tuple[Resources, cp_model.IntVar]] = [
            (option.cost + question.fifos.get(name, {}).get(option.folding.pe, Resources()), taken)
            for name, layer in options.items()
            for option, taken in zip(layer, self.takes[name], strict=True)
        ]
        for joint in question.joints:
            self._join(joint, question.family, limit)
        self.used = [
            sum(amounts(cost)[kind] * taken for cost, taken in self.terms) for kind in range(4)
        ]
        for used, there in zip(self.used, amounts(left), strict=True):
            model.add(used <= there)
        for chosen in refused:
            self._refuse(chosen)

    def _join(self, joint: Joint, family: str, limit: int) -> None:
        """Which widths meet at a joint."""
        sources = self._by_width(joint.source, joint.source_lanes, is_output=True)
        readers = self._by_width(joint.reader, 0, is_output=joint.is_join)
        pairs: dict[int, list[cp_model.IntVar]] = defaultdict(list)
        sent: dict[int, list[cp_model.IntVar]] = defaultdict(list)
        for lanes in sources:
            for reader_lanes in readers:
                if lanes != reader_lanes and joint.converter(lanes, reader_lanes).interval_cycles > limit:  # fmt: skip
                    continue
                met = self.model.new_bool_var("")
                sent[lanes].append(met)
                pairs[reader_lanes].append(met)
                self.terms.append((joint.cost(lanes, reader_lanes, family), met))
        for lanes, taken in sources.items():
            self.model.add(sum(sent[lanes]) == sum(taken))
        for lanes, taken in readers.items():
            self.model.add(sum(pairs[lanes]) == sum(taken))

    def _by_width(self, name: str | None, lanes: int, *, is_output: bool) -> dict[int, list]:
        """What says that a stream has a width, by the width."""
        if name is None:
            return {lanes: [1]}
        found = defaultdict(list)
        for option, taken in zip(self.options[name], self.takes[name], strict=True):
            found[option.folding.pe if is_output else option.input_lanes].append(taken)
        return found

    def _refuse(self, chosen: Chosen) -> None:
        """Never all of these options together."""
        taken = [
            self.takes[name][layer.index(chosen[name])]
            for name, layer in self.options.items()
            if chosen[name] in layer
        ]
        if len(taken) == len(self.options):
            self.model.add(sum(taken) < len(taken))

    def solve(self) -> cp_model.CpSolverStatus:
        self.solver = solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.random_seed = 0
        solver.parameters.max_deterministic_time = SOLVER_TIME
        solver.parameters.linearization_level = 2  # the joints' relaxation is tight
        solver.parameters.cp_model_probing_level = 0  # which takes longer than it saves
        return solver.solve(self.model)

    def least(self, prices: Prices) -> int | None:
        """What all that fit take at least at `prices`."""
        self.model.minimize(self._price(prices))
        if self.solve() == cp_model.INFEASIBLE:
            return None
        return math.ceil(self.solver.best_objective_bound)

    def _price(self, prices: Prices) -> cp_model.LinearExprT:
        return sum(count * used for count, used in zip(prices, self.used, strict=True))

    def cheapest(self, prices: Prices) -> Choice | None:
        """Of all that fit the one that takes least at `prices`."""
        price = self._price(prices)
        cycles = self._sum(lambda option: option.cycles)
        rows = self._sum(lambda option: option.folding.pe)
        choice = None
        for goal in (price, *self.used, cycles, rows):
            self.model.minimize(goal)
            if self.solve() not in _FOUND:
                break
            value, bound = self.solver.value(goal), math.ceil(self.solver.best_objective_bound)
            if choice is None:
                choice = Choice(self._chosen(), self._cost(), value, bound)
            else:
                choice = Choice(self._chosen(), self._cost(), choice.price, choice.least_price)
            self.model.add(goal <= value)
            self.model.clear_hints()
            for taken in (t for takes in self.takes.values() for t in takes):
                self.model.add_hint(taken, self.solver.boolean_value(taken))
        return choice

    def _sum(self, number: Callable[[Option], int]) -> cp_model.LinearExprT:
        """A number of each option, of those that are taken together."""
        return sum(
            number(option) * taken
            for name, layer in self.options.items()
            for option, taken in zip(layer, self.takes[name], strict=True)
        )

    def _chosen(self) -> Chosen:
        """The options that the solver took."""
        return {
            name: next(
                option
                for option, taken in zip(layer, self.takes[name], strict=True)
                if self.solver.boolean_value(taken)
            )
            for name, layer in self.options.items()
        }

    def _cost(self) -> Resources:
        """Of these and of the converters between them."""
        taken = (cost for cost, taken in self.terms if self.solver.boolean_value(taken))
        return sum(taken, start=Resources())
