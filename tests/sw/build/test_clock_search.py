"""`rbonn.sw.build.clock_search`: which clocks are tried in which order, on places and routes made up."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise, takewhile
from pathlib import Path

import pytest
from rbonn.boards import ICEBREAKER, ICESUGAR, ULX3S_25F, Board
from rbonn.sw.build.clock_search import AIM, LEAST_BAUD, ClockSearch, clocks, highest_clock
from rbonn.sw.build.design import ClockError
from rbonn.sw.build.report import NoPlaceError, Resources
from rbonn.sw.build.result import BuildResult

NOTHING = Resources(0, 0, 0, 0, 0, 0, 0)


class PlaceAndRoute:
    """Reaches for each seed in turn what is listed of it, whatever is asked for; the last entry again and again."""

    def __init__(self, board: Board, reached_mhz: dict[int, list[float]]) -> None:
        self.board = board
        self.left = {seed: list(reached) for seed, reached in reached_mhz.items()}
        self.asked: list[tuple[float, int]] = []

    def __call__(self, clock_hz: int, seed: int) -> BuildResult:
        self.asked.append((clock_hz / 1e6, seed))
        left = self.left[seed]
        reached = (left.pop(0) if len(left) > 1 else left[0]) * 1e6
        made = float(self.board.pll(clock_hz).output_hz)
        return BuildResult(
            "n", "", self.board.name, Path("top.bin"), NOTHING, {}, reached, made, float(clock_hz),
            reached >= made, seed, 1.0, False, {},
        )  # fmt: skip


def search(board: Board, reached: dict[int, list[float]], **options) -> tuple[ClockSearch, list]:
    attempt = PlaceAndRoute(board, reached)
    return highest_clock(board, attempt, **options), attempt.asked


@pytest.mark.parametrize("board", [ICEBREAKER, ULX3S_25F], ids=lambda board: board.name)
def test_clocks_fall_from_the_limit_and_each_is_one_that_the_board_can_have(board):
    limit = round(1.1 * board.clock_hz)
    found = list(takewhile(lambda clock: clock >= board.clock_hz, clocks(board, limit)))
    assert len(found) > 1
    assert found[-1] == board.clock_hz
    assert all(high > low for high, low in pairwise(found))
    for clock in found:
        made = board.pll(clock).output_hz
        assert made <= limit
        baud = board.uart.baud(made)
        assert baud >= LEAST_BAUD
        assert abs(made / round(made / baud) - baud) <= Fraction(1, 200) * baud


def test_a_slow_bridge_does_not_keep_a_board_from_its_clocks():
    found = list(clocks(ICESUGAR, 40e6))
    assert found[0] == 39_750_000
    assert 36_750_000 in found
    assert 36_750_000 not in clocks(ICEBREAKER, 40e6)


def test_a_clock_that_is_met_at_once_is_the_limit_and_one_place_and_route_is_enough():
    found, asked = search(ICEBREAKER, {1: [60.0]}, limit_hz=48_000_000)
    assert asked == [(48.0, 1)]
    assert found.result.clock_hz == found.limit_hz == 48e6


def test_after_a_clock_that_is_missed_comes_the_highest_below_the_best_of_all_seeds():
    found, asked = search(ICEBREAKER, {1: [44.0], 2: [45.7], 3: [43.0]}, limit_hz=54_000_000)
    assert asked == [(54.0, 1), (54.0, 2), (54.0, 3), (45.0, 1), (45.0, 2)]
    assert found.result.clock_hz == 45e6
    assert found.result.seed == 2
    assert [tried.timing_met for tried in found.tried] == [False] * 4 + [True]


def test_a_place_and_route_that_comes_out_slower_lowers_the_clock_again():
    found, asked = search(ICEBREAKER, {1: [46.0, 44.0, 60.0]}, seeds=1)
    assert asked == [(54.0, 1), (45.0, 1), (43.5, 1)]
    assert found.result.clock_hz == 43.5e6
    assert found.limit_hz == AIM * ICEBREAKER.clock_hz


def test_without_a_limit_an_aim_that_is_met_is_raised_until_one_is_missed():
    # 67.5 is met, 84.375 and what was reached of it not, what was reached then is.
    found, asked = search(ICEBREAKER, {1: [60.0, 75.0, 80.0, 71.0, 72.0]}, seeds=1)
    assert asked == [(54.0, 1), (67.5, 1), (84.0, 1), (79.5, 1), (70.5, 1)]
    assert found.result.clock_hz == 70.5e6
    # Nothing is met above the first aim.
    found, asked = search(ICEBREAKER, {1: [60.0, 50.0]}, seeds=1)
    assert asked == [(54.0, 1), (67.5, 1)]
    assert found.result.clock_hz == 54e6
    assert found.result is found.tried[0]
    # A limit of the user is none to be raised.
    _, asked = search(ICEBREAKER, {1: [60.0]}, seeds=1, limit_hz=54_000_000)
    assert asked == [(54.0, 1)]


def test_seeds_begin_where_the_user_says():
    _, asked = search(ICEBREAKER, {7: [50.0], 8: [60.0]}, limit_hz=54_000_000, seeds=2, seed=7)
    assert asked == [(54.0, 7), (54.0, 8)]


def test_a_clock_missed_by_another_clock_of_the_design_is_not_asked_for_again():
    attempt = PlaceAndRoute(ICEBREAKER, {1: [60.0]})

    def missed(clock_hz: int, seed: int) -> BuildResult:
        return replace(attempt(clock_hz, seed), timing_met=clock_hz < 50_000_000)

    found = highest_clock(ICEBREAKER, missed, limit_hz=51_000_000, seeds=1)
    assert [clock for clock, _ in attempt.asked] == [51.0, 50.25, 49.5]
    assert found.result.clock_hz == 49.5e6


def test_a_seed_without_a_place_misses_and_none_with_a_place_is_said():
    attempt = PlaceAndRoute(ICEBREAKER, {2: [60.0]})

    def placed(clock_hz: int, seed: int) -> BuildResult:
        if seed == 1:
            raise NoPlaceError("no place", "")
        return attempt(clock_hz, seed)

    found = highest_clock(ICEBREAKER, placed, limit_hz=48_000_000)
    assert (found.result.clock_hz, found.result.seed, len(found.tried)) == (48e6, 2, 1)
    with pytest.raises(NoPlaceError):
        highest_clock(ICEBREAKER, placed, seeds=1)


def test_a_limit_below_all_clocks_and_a_design_that_meets_none_are_refused():
    with pytest.raises(ClockError, match="icebreaker: has no clock of at most 10 MHz"):
        search(ICEBREAKER, {1: [60.0]}, limit_hz=10_000_000)
    with pytest.raises(ClockError, match="meets none of its clocks of at most 54 MHz") as caught:
        search(ICEBREAKER, {1: [3.0]}, seeds=1)
    assert "Fold it more" in caught.value.hint
