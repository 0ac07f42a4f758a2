"""`rbonn.hw.line_schedule`: rows counted by hand. That the hardware keeps to it stands in test_sliding_window."""

import pytest
from rbonn.hw.line_schedule import LineSchedule, choose_rows

# 3 x 3, padding 1, stride 1 on four rows: the first output row needs two rows, the others one more each, up to four.
SAME = LineSchedule(height=4, needed=(2, 3, 4, 4), held=(0, 0, 1, 2), load_cycles=4, read_cycles=36)
# 2 x 2, stride 2, on four rows: as many cycles to load as to read.
HALVES = LineSchedule(height=4, needed=(2, 4), held=(0, 2), load_cycles=4, read_cycles=8)
# 1 x 1, stride 3, on seven rows: rows are freed before they are loaded.
SKIPS = LineSchedule(height=7, needed=(1, 4, 7), held=(0, 3, 6), load_cycles=6, read_cycles=2)


def test_rows_of_a_window_and_rows_freed_and_asked_after_it() -> None:
    assert SAME.window_rows == (2, 3, 3, 2)
    assert SAME.freed == (0, 1, 1, 2)
    assert SAME.asked == (1, 1, 0, 2)
    assert SKIPS.freed == (3, 3, 1)
    assert SKIPS.asked == (3, 3, 1)
    assert SAME.fewest_held == 0
    assert SKIPS.fewest_held == -2


@pytest.mark.parametrize("schedule", [SAME, HALVES, SKIPS], ids=["same", "halves", "skips"])
def test_a_frame_frees_and_asks_for_as_many_rows_as_it_has(schedule: LineSchedule) -> None:
    assert sum(schedule.freed) == schedule.height
    assert sum(schedule.asked) == schedule.height


def test_the_interval_is_ideal_with_rows_enough() -> None:
    assert SAME.ideal_cycles == SAME.interval_cycles(4) == 4 * 36
    assert HALVES.ideal_cycles == HALVES.interval_cycles(4) == 16
    assert SKIPS.ideal_cycles == SKIPS.interval_cycles(2) == 7 * 6


def test_too_few_rows_cost_what_waits_for_each_other() -> None:
    # Two rows are loaded, then read, then loaded: nothing overlaps.
    assert HALVES.interval_cycles(2) == 2 * (8 + 8)
    # With three, one of the two rows loads while the other two are read.
    assert HALVES.interval_cycles(3) == 2 * (4 + 8)
    # With three, row 3 waits for the second output row, and row 1 of the next frame for the last one.
    assert SAME.interval_cycles(3) == 4 * 36 + 4 + 4


def test_the_fewest_rows_that_cost_nothing_are_chosen() -> None:
    assert choose_rows(SAME, 8) == 4
    assert choose_rows(HALVES, 8) == 4
    assert choose_rows(SKIPS, 8) == 2


def test_where_no_number_suffices_the_closest_is_chosen() -> None:
    assert choose_rows(HALVES, 3) == 3
    assert choose_rows(SAME, 1) == 3  # never fewer than the highest window
