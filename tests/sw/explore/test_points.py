"""`rbonn.sw.explore.points` and `planning`: plans of several networks, boards and frame rates."""

from dataclasses import replace

import pytest
from rbonn.boards import ICEBREAKER
from rbonn.sw.explore.planning import labels_of, plan_all
from rbonn.sw.explore.points import Point, Request, Unreached, distinct, front, planned, spread
from rbonn.sw.explore.rates import Rates
from rbonn.sw.explore.workers import Here
from rbonn.sw.project import Project

from .small_network import small_network

NETWORK = small_network()


def point(**request) -> Point:
    answer = planned(Request(NETWORK, "small", **({"board": "icebreaker"} | request)))
    assert isinstance(answer, Point)
    return answer


@pytest.fixture(scope="module")
def found() -> tuple[list[Point], list[Unreached]]:
    networks = [NETWORK, small_network(channels=8, accuracy=0.95, seed=1, name="large")]
    return plan_all(networks, ["icebreaker", "ulx3s-25f"], Rates((2e4, 2e5, 1e6)), Here())


def test_a_point_is_what_a_project_says_of_its_plan() -> None:
    found = point(frames_per_second=5000.0)
    summary = Project(NETWORK, ICEBREAKER, found.plan).summary
    assert found.frames_per_second == summary.frames_per_second >= 5000
    assert found.lut4 == summary.totals.lut4
    assert found.block_rams == summary.totals.block_rams
    assert found.initiation_interval_cycles == summary.initiation_interval_cycles
    assert (found.dataset, found.accuracy, found.clock_hz) == ("squares", 0.9, 36_000_000)


def test_what_cannot_be_planned_is_an_answer_with_its_reason() -> None:
    answer = planned(Request(NETWORK, "small", "icebreaker", frames_per_second=1e9))
    assert isinstance(answer, Unreached)
    assert "reaches at most" in answer.reason
    assert answer.hint
    answer = planned(Request(NETWORK, "small", "icebreaker", clock_mhz=500))
    assert isinstance(answer, Unreached)
    assert "500" in answer.reason


def test_every_network_is_planned_on_every_board_and_what_is_out_of_reach_is_told(found) -> None:
    points, unreached = found
    pairs = {(p.request.label, p.request.board) for p in points}
    assert len(pairs) == 4
    assert unreached
    assert all(missing.request.frames_per_second >= 2e5 for missing in unreached)
    for p in points:
        assert p.frames_per_second >= p.request.frames_per_second


def test_points_have_different_names_and_rise_in_speed(found) -> None:
    points, _ = found
    assert len({p.name for p in points}) == len(points)
    of_one = [p.frames_per_second for p in points if (p.request.label, p.request.board) == ("large", "ulx3s-25f")]  # fmt: skip
    assert of_one == sorted(of_one)


def test_no_point_of_the_front_is_beaten_and_every_other_one_is(found) -> None:
    points, _ = found
    best = front(points)
    for p in points:
        beaten = [
            q
            for q in points
            if q is not p
            and q.frames_per_second >= p.frames_per_second
            and q.lut4 <= p.lut4
            and q.accuracy >= p.accuracy
        ]
        assert (p in best) == (not beaten)


def test_without_rates_the_fastest_plan_and_slower_ones_are_found() -> None:
    points, unreached = plan_all([NETWORK], ["icebreaker"], Rates(points=3), Here())
    assert not unreached
    fastest = points[-1]
    assert fastest.request.frames_per_second is None
    assert fastest.plan == point().plan
    asked = [p.request.frames_per_second for p in points[:-1]]
    assert set(asked) <= {fastest.frames_per_second / 2, fastest.frames_per_second / 4}


def test_of_points_with_the_same_interval_the_smallest_stays() -> None:
    small = point(frames_per_second=5000.0)
    large = replace(small, lut4=small.lut4 + 1)
    assert distinct([large, small, large]) == [small]


def test_networks_of_one_name_are_told_apart_by_their_hash() -> None:
    twin = small_network(seed=5)
    labels = labels_of([NETWORK, twin, small_network(name="other")])
    assert labels == [f"{NETWORK.name}@{NETWORK.hash()[:8]}", f"{twin.name}@{twin.hash()[:8]}", "other"]  # fmt: skip


def test_chosen_points_are_spread_with_both_ends() -> None:
    assert spread(list("abcdefg"), 3) == ["a", "d", "g"]
    assert spread(list("abcdefg"), 1) == ["g"]
    assert spread(list("abc"), 9) == ["a", "b", "c"]
