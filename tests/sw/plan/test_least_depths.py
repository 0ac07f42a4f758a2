"""`rbonn.sw.plan.least_depths`: least depths are enough, also under stalls, and with one place less a network is slower or may stand still."""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import cache

import pytest
from rbonn.hw.accelerator import AcceleratorConfig
from rbonn.sw.plan import least_depths as module
from rbonn.sw.plan.least_depths import LeastDepth, is_live, least_depths
from rbonn.sw.plan.play import PlayedAccelerator, play
from rbonn.sw.plan.skip_depths import LEAST_DEPTH, way_of

from ...random_accelerators import RandomAccelerator, random_accelerator, simulated

SEED = 2
CASES = range(1, 24, 2)
"""Residual networks."""

SLOWER = 9
"""One that is slower with a place less."""


@cache
def found(number: int) -> tuple[RandomAccelerator, Mapping[str, LeastDepth]]:
    case = random_accelerator(SEED, number)
    elaboration = case.elaborate()
    return case, least_depths(elaboration.config, elaboration.skips, case.skip_fifo)


def moves_under_stalls(config: AcceleratorConfig, seed: int) -> bool:
    """Whether three frames come out of an accelerator that is stalled on both sides in long and short bursts."""
    rng = random.Random(seed)
    stages, idle = PlayedAccelerator(config), 0
    goes = {"i": True, "o": True}
    left = {"i": 0, "o": 0}
    while len(stages.given) < 3 * config.n_classes and idle < 4 * stages.patience:
        for name in goes:
            if not left[name]:
                goes[name] = not goes[name]
                left[name] = rng.randint(1, rng.choice([2, 30, config.interval_cycles]))
            left[name] -= 1
        # What is offered stays so until it is taken.
        waits = stages.entrance.valid and not stages.entrance.ready
        stages.entrance.valid = goes["i"] or waits
        stages.exit.ready = goes["o"]
        idle = 0 if stages.step() else idle + 1
    return len(stages.given) >= 3 * config.n_classes


@pytest.mark.parametrize("number", CASES)
def test_least_depths_keep_the_interval_and_one_place_less_has_a_reason(number: int) -> None:
    case, least = found(number)
    interval = play(case.elaborate().config).interval
    places = {name: depth.depth for name, depth in least.items()}
    assert play(case.elaborate(places).config).interval == interval
    for name, depth in least.items():
        fewer = play(case.elaborate({**places, name: places[name] - 1}).config)
        is_slower = fewer.interval is None or fewer.interval > interval
        assert is_slower or places[name] in (depth.live, LEAST_DEPTH)


@pytest.mark.parametrize("number", CASES)
def test_no_stalls_stop_a_network_of_live_depths(number: int) -> None:
    case, least = found(number)
    live = {name: depth.live for name, depth in least.items()}
    config = case.elaborate(live).config
    assert all(moves_under_stalls(config, seed) for seed in range(5))


def test_fewer_places_than_the_live_depths_stop_a_network() -> None:
    stops = 0
    for number in CASES:
        case, least = found(number)
        for name, depth in least.items():
            if depth.live:
                config = case.elaborate({name: depth.live - 1}).config
                assert not is_live(way_of(list(config.connections), name))
                stops += play(config).is_stuck
    assert stops > 4  # others need stalls to stop


def test_live_and_full_rate_depths_are_those_of_the_simulation() -> None:
    case, least = found(SLOWER)
    name, depth = next(iter(least.items()))
    assert depth.full_rate > max(depth.live, LEAST_DEPTH)
    interval = play(case.elaborate().config).interval
    for places, is_enough in ((depth.full_rate, True), (depth.full_rate - 1, False)):
        elaboration = case.elaborate({name: places})
        shown = simulated(case, elaboration, 3)
        n = elaboration.config.n_classes
        assert (shown.given[-1] - shown.given[-1 - n] == interval) == is_enough


def test_an_accelerator_that_stands_still_has_no_least_depths() -> None:
    case, least = found(SLOWER)
    name, depth = next(iter(least.items()))
    elaboration = case.elaborate({name: 0})
    assert depth.live > 0
    with pytest.raises(ValueError, match="must move at the computed depths"):
        module.least_depths(elaboration.config, elaboration.skips, case.skip_fifo)
