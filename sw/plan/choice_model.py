"""The CP-SAT model of `choice`: one option for each layer, within an interval and what a device has left."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ortools.sat.python import cp_model

from .amounts import Prices, amounts
from .joints import Joint
from .options import Option
from .resources import Resources

if TYPE_CHECKING:
    from .choice import Question

Options = Mapping[str, Sequence[Option]]
Chosen = dict[str, Option]

SOLVER_TIME = 4.0
"""Deterministic time of a question to the solver, about seconds."""


FOUND = (cp_model.OPTIMAL, cp_model.FEASIBLE)


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


class ChoiceModel:
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
        self._set_pace(question.floor)
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

    def _set_pace(self, floor: int) -> None:
        """An option that is late in every frame is beside one that takes as long."""
        every = [
            (option, taken)
            for name, layer in self.options.items()
            for option, taken in zip(layer, self.takes[name], strict=True)
        ]
        for option, taken in every:
            if option.is_late and option.pace_cycles > floor:
                slow = (t for other, t in every if other.cycles >= option.pace_cycles)
                self.model.add(sum(slow) >= taken)

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
        rows = [max(option.folding.pe for option in layer) for layer in self.options.values()]
        latency = self._sum(lambda o: o.cycles), self._sum(lambda o: o.folding.pe)
        most = [sum(amounts(cost)[kind] for cost, _ in self.terms) for kind in range(4)]
        cells, block_rams, dsp, ff = self.used
        goals = (
            self._price(prices),
            _in_order(cells, block_rams, most[1]),
            _in_order(dsp, ff, most[3]),
            _in_order(*latency, sum(rows)),
        )
        choice = None
        for goal in goals:
            self.model.minimize(goal)
            if self.solve() not in FOUND:
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


def _in_order(first: Any, second: Any, most: int) -> cp_model.LinearExprT:
    """Two goals as one, so that the solver is asked once: the first one before the second, which is at most so much."""
    return (most + 1) * first + second
