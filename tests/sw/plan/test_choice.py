"""`rbonn.sw.plan.choice` against every combination of a few options."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import product

import pytest
from rbonn.sw.plan import choice_model
from rbonn.sw.plan.amounts import amounts, fits, price
from rbonn.sw.plan.choice import Chosen, Options, Question
from rbonn.sw.plan.folding import Folding
from rbonn.sw.plan.joints import Joint
from rbonn.sw.plan.options import Option
from rbonn.sw.plan.resources import Resources

JOINTS = [
    Joint(None, 6, "a", False, 1, 48),
    Joint("a", 1, "b", False, 2, 48),
    Joint("a", 1, "c", True, 8, 48),
    Joint("b", 1, "c", False, 1, 48),
]
PRICES = (1, 20, 30, 0)


def drawn(rng: random.Random) -> Options:
    def option() -> Option:
        folding = Folding(rng.choice([1, 2, 4, 8]), rng.choice([1, 3]))
        kinds = Resources(rng.randrange(40), rng.randrange(40), rng.randrange(4), rng.randrange(3))
        cycles = rng.choice([24, 48, 96, 192])
        pace = rng.choice([0, 0, 0, cycles + 1, cycles + 30])
        return Option(folding, rng.choice([1, 2, 4]), cycles, kinds, pace)

    return {name: [option() for _ in range(5)] for name in "abc"}


def width(joint: Joint, chosen: Chosen) -> tuple[int, int]:
    reader = chosen[joint.reader]
    lanes = chosen[joint.source].folding.pe if joint.source else joint.source_lanes
    return lanes, reader.folding.pe if joint.is_join else reader.input_lanes


def combinations(
    options: Options, left: Resources, floor: int
) -> Iterator[tuple[int, Resources, Chosen]]:
    """Interval, cost and options of all combinations that fit, no layer later than the slowest or `floor`."""
    for layers in product(*options.values()):
        chosen = dict(zip(options, layers, strict=True))
        cycles, cost = 0, Resources()
        for option in layers:
            cycles, cost = max(cycles, option.cycles), cost + option.cost
        for joint in JOINTS:
            lanes, reader_lanes = width(joint, chosen)
            if lanes != reader_lanes:
                cycles = max(cycles, joint.converter(lanes, reader_lanes).interval_cycles)
            cost += joint.cost(lanes, reader_lanes, "ecp5")
        pace = max(floor, *(option.cycles for option in layers))
        in_time = all(option.pace_cycles <= pace for option in layers)
        if in_time and fits(cost, left):
            yield max(cycles, *(option.pace_cycles for option in layers)), cost, chosen


@pytest.mark.parametrize("seed", range(40))
def test_the_fastest_choice_that_fits_and_the_cheapest_of_an_interval_are_found(seed: int) -> None:
    rng = random.Random(seed)
    options = drawn(rng)
    left = Resources(rng.randrange(40, 220), rng.randrange(60, 220), rng.randrange(2, 8), 5)
    floor = rng.choice([1, 1, 50, 100])
    question = Question(options, JOINTS, "ecp5", floor=floor)
    limits = sorted({option.cycles for layer in options.values() for option in layer} | {floor})
    every = list(combinations(options, left, floor))
    found = question.fastest(limits, left)
    assert found.limit == found.least
    if not every:
        assert found.limit is None
        assert question.cheapest(limits[-1], left, PRICES) is None
        return
    fastest = min(cycles for cycles, *_ in every)
    assert found.limit == next(limit for limit in limits if limit >= fastest)
    for limit in (found.limit, limits[-1]):
        choice = question.cheapest(limit, left, PRICES)
        assert choice is not None
        mine = [
            (price(cost, PRICES), *amounts(cost), sum(o.cycles for o in chosen.values()))
            for cycles, cost, chosen in every
            if cycles <= limit
        ]
        least = min(mine)
        assert (choice.price, choice.least_price) == (least[0], least[0])
        assert question.least(limit, left, PRICES) == least[0]
        assert (*amounts(choice.cost), sum(o.cycles for o in choice.options.values())) == least[1:]


def test_what_is_refused_is_not_chosen_again_and_equal_questions_have_equal_answers() -> None:
    options = drawn(random.Random(3))
    left = Resources(1000, 1000, 100, 100)
    question = Question(options, JOINTS, "ecp5")
    refused: list[Chosen] = []
    for _ in range(5):
        choice = question.cheapest(96, left, PRICES, refused)
        assert choice == Question(options, JOINTS, "ecp5").cheapest(96, left, PRICES, refused)
        assert choice is not None
        assert choice.options not in refused
        refused.append(choice.options)


def test_of_equals_the_one_with_fewer_rows_and_wider_windows_is_chosen() -> None:
    cost = Resources(10, 10)
    options = {
        "a": [Option(Folding(pe, 16 // pe), 4, 96, cost) for pe in (8, 2, 4)],
    }
    choice = Question(options, [], "ecp5").cheapest(96, Resources(99, 99), PRICES)
    assert choice is not None
    assert choice.options["a"].folding == Folding(2, 8)


def test_an_option_that_is_late_by_itself_is_chosen_beside_one_that_takes_as_long() -> None:
    late = Option(Folding(1, 4), 4, 90, Resources(10, 10), 93)
    dear = Option(Folding(1, 8), 4, 45, Resources(50, 50))
    for slow, expected in ((92, dear), (93, late), (120, late)):
        options = {"a": [late, dear], "b": [Option(Folding(1, 2), 4, slow, Resources(5, 5))]}
        choice = Question(options, [], "ecp5").cheapest(120, Resources(99, 99), PRICES)
        assert choice is not None
        assert choice.options["a"] == expected
    options = {"a": [late, dear], "b": [Option(Folding(1, 2), 4, 20, Resources(5, 5))]}
    choice = Question(options, [], "ecp5", floor=93).cheapest(120, Resources(99, 99), PRICES)
    assert choice is not None
    assert choice.options["a"] == late


def test_a_slow_option_that_takes_more_is_chosen_where_another_layer_needs_it() -> None:
    late = Option(Folding(1, 4), 4, 90, Resources(10, 10), 93)
    fast, slow = (
        Option(Folding(1, k), 4, cycles, Resources(cost, cost))
        for k, cycles, cost in ((1, 20, 5), (2, 100, 6))
    )
    options = {"a": [late], "b": [fast, slow]}
    choice = Question(options, [], "ecp5").cheapest(120, Resources(99, 99), PRICES)
    assert choice is not None
    assert choice.options["b"] == slow


def test_without_time_the_cheapest_options_are_the_answer_and_little_is_proved(monkeypatch) -> None:
    options = drawn(random.Random(3))
    left = Resources(1000, 1000, 100, 100)
    question = Question(options, JOINTS, "ecp5", floor=300)
    best = question.cheapest(400, left, PRICES)
    monkeypatch.setattr(choice_model, "SOLVER_TIME", 1e-9)
    choice = question.cheapest(400, left, PRICES)
    assert best is not None
    assert choice is not None
    assert choice.price == price(question.cost(choice.options), PRICES)
    assert choice.least_price <= best.price <= choice.price
