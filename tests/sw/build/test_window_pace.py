"""`rbonn.sw.build.window_pace`: few plays of a schedule answer what a play of each would."""

from __future__ import annotations

import random

import pytest
from rbonn.hw.parallel_window_schedule import ParallelWindowSchedule
from rbonn.sw.build import window_pace
from rbonn.sw.build.window_pace import is_in_time, late_by


def drawn(rng: random.Random) -> ParallelWindowSchedule:
    kernel = rng.choice([2, 3, 5, 7])
    height, width = rng.randint(kernel, 12), rng.randint(kernel, 12)
    return ParallelWindowSchedule(
        height, width, kernel, kernel, rng.choice([1, 1, 2]), rng.randrange(kernel), 1, rng.choice([0, 1])
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(12))
def test_answers_are_those_of_a_play_in_whatever_order_they_are_asked_for(seed: int) -> None:
    rng = random.Random(seed)
    schedule, early = drawn(rng), rng.choice([0, 1])
    windows = schedule.out_height * schedule.out_width
    late = {
        cycles: schedule.paced_interval(1, cycles, early) - windows * cycles
        for cycles in (*range(1, 24), 40, 90, 200)
    }
    for cycles in rng.sample(sorted(late), len(late)):
        assert is_in_time(schedule, cycles, early) == (late[cycles] <= 0)
        bound = late_by(schedule, cycles, early)
        assert bound >= late[cycles]
        assert (bound == 0) == (late[cycles] <= 0)
        assert bound <= max(late.values())


def test_lateness_falls_as_arrays_get_slower() -> None:
    schedule = ParallelWindowSchedule(10, 10, 7, 7, 2, 3, 1, 1)
    bounds = [late_by(schedule, cycles) for cycles in range(1, 30)]
    assert bounds[0] > 0
    assert bounds == sorted(bounds, reverse=True)


def test_a_stem_of_a_large_image_is_played_a_few_times_only(monkeypatch) -> None:
    schedule = ParallelWindowSchedule(32, 32, 7, 7, 2, 3, 1, 1)
    played = []
    paced = ParallelWindowSchedule.paced_interval

    def counted(self, input_cycles: int, output_cycles: int, early_cycles: int = 0) -> int:
        played.append(output_cycles)
        return paced(self, input_cycles, output_cycles, early_cycles)

    monkeypatch.setattr(ParallelWindowSchedule, "paced_interval", counted)
    window_pace._pace.cache_clear()
    for cycles in range(600, 0, -1):
        is_in_time(schedule, cycles)
        late_by(schedule, cycles)
    assert len(set(played)) == len(played) < 20
