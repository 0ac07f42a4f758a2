"""Whether a parallel window is in time for the array that it feeds, with as few plays of its schedule as will do.

A window that is in time for an array is so for every slower one: let all that happens before window k is taken happen k cycles later, and nothing comes
before what it waits for. For the same reason a frame is late by no more for a slower array than for a faster one. So a play answers for all slower arrays, or for all faster ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from ...hw.parallel_window_schedule import ParallelWindowSchedule

FACTOR, MOST_CYCLES = 8, 1 << 10
"""Between the arrays for which windows are played before the one that is asked about, and the slowest of them."""


def is_in_time(schedule: ParallelWindowSchedule, output_cycles: int, early_cycles: int = 0) -> bool:
    """Whether a frame takes no longer than its windows are used, `output_cycles` each, pixels in every cycle. Parameters as in `ParallelWindowSchedule.play`."""
    return _pace(schedule, early_cycles).suffices(output_cycles)


def late_by(schedule: ParallelWindowSchedule, output_cycles: int, early_cycles: int = 0) -> int:
    """Cycles by which a frame takes longer than that at most; 0 where it does not. A bound: what was played for a faster array, if that is late."""
    return _pace(schedule, early_cycles).late_by(output_cycles)


@dataclass(slots=True)
class _Pace:
    """What plays have shown: up to `late` cycles a window is late, from `in_time` on (None: not known) it is not; `lateness` of each play."""

    schedule: ParallelWindowSchedule
    early_cycles: int
    late: int = 0
    in_time: int | None = None
    lateness: dict[int, int] = field(default_factory=dict)

    def suffices(self, output_cycles: int) -> bool:
        # Long enough for a row's first window, which is enough for most kernels: asked first, it answers most questions.
        probe = max(self.schedule.first_columns, self.schedule.next_columns) + self.early_cycles + 4
        while self.in_time is None and output_cycles > self.late:
            self._play(probe if self.late < probe < MOST_CYCLES else output_cycles)
            probe *= FACTOR
        while self.in_time is not None and self.late < output_cycles < self.in_time:
            self._play((self.late + self.in_time) // 2)
        return output_cycles > self.late

    def late_by(self, output_cycles: int) -> int:
        if self.suffices(output_cycles):
            return 0
        if min(self.lateness) > output_cycles:
            self._play(output_cycles)
        return min(cycles for played, cycles in self.lateness.items() if played <= output_cycles)

    def _play(self, output_cycles: int) -> None:
        schedule = self.schedule
        interval = schedule.paced_interval(1, output_cycles, self.early_cycles)
        late = interval - schedule.out_height * schedule.out_width * output_cycles
        self.lateness[output_cycles] = late
        if late > 0:
            self.late = max(self.late, output_cycles)
        elif self.in_time is None or output_cycles < self.in_time:
            self.in_time = output_cycles


_pace = lru_cache(maxsize=256)(_Pace)
