"""When the rows of a line buffer are loaded, read and freed, to the cycle.

The model behind `SlidingWindowConfig.interval_cycles`: one writer loads rows of the image one after the other, as long as a row is free;
one reader works through the output rows, each as soon as the rows it needs are complete. The hardware does exactly this, with no
cycle in between, and the tests hold the two against each other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

PACES = 8
"""Steps between the fastest and the slowest source for which a line buffer is dimensioned."""


@dataclass(frozen=True)
class LineSchedule:
    """Rows that each output row needs and how long rows take.

    Parameters
    ----------
    height : int - rows of an image
    needed : tuple of int - for each output row, how many rows of its image must be complete before it starts; not falling
    held : tuple of int - for each output row, how many rows of its image, from the top, it and all later ones can do without; not
        falling
    load_cycles : int - cycles to load a row of the image
    read_cycles : int - cycles to read all windows of an output row
    """

    height: int
    needed: tuple[int, ...]
    held: tuple[int, ...]
    load_cycles: int
    read_cycles: int

    @property
    def window_rows(self) -> tuple[int, ...]:
        """For each output row, the loaded and not yet freed rows that make it complete."""
        return tuple(needed - held for needed, held in zip(self.needed, self.held, strict=True))

    @property
    def freed(self) -> tuple[int, ...]:
        """For each output row, the rows that are freed when it has been read; at the end of an image all that is left of it."""
        after = (*self.held[1:], self.held[0] + self.height)
        return tuple(end - start for start, end in zip(self.held, after, strict=True))

    @property
    def asked(self) -> tuple[int, ...]:
        """For each output row, the further rows that the one after it needs; at the end of an image those of the next image."""
        after = (*self.needed[1:], self.needed[0] + self.height)
        return tuple(end - start for start, end in zip(self.needed, after, strict=True))

    @property
    def fewest_held(self) -> int:
        """The lowest number of loaded minus freed rows: negative where rows are freed before they have come."""
        return min(
            0, *(rows - freed for rows, freed in zip(self.window_rows, self.freed, strict=True))
        )

    @property
    def ideal_cycles(self) -> int:
        """Cycles per frame of a buffer without limit: loading or reading, whichever is longer."""
        return max(self.height * self.load_cycles, len(self.needed) * self.read_cycles)

    def interval_cycles(self, n_rows: int) -> int:
        """Cycles per frame in the long run with `n_rows` rows; at least `max(window_rows)`."""
        return _interval(self, n_rows)


@lru_cache(maxsize=1024)
def choose_rows(schedule: LineSchedule, most: int) -> int:
    """The fewest rows that reach `ideal_cycles` however slowly rows come, as long as they come no slower than they are used.

    A slow source that is held up cannot catch up, so it may need more rows than one that delivers in every cycle. Where `most` rows do not
    reach it, the fewest of those that come closest. A few paces between the two ends are tried.
    """
    balanced = max(
        schedule.load_cycles, len(schedule.needed) * schedule.read_cycles // schedule.height
    )
    span = balanced - schedule.load_cycles
    paces = {schedule.load_cycles + span * step // PACES for step in range(PACES + 1)}
    return max(_fewest_rows(replace(schedule, load_cycles=pace), most) for pace in paces)


def _fewest_rows(schedule: LineSchedule, most: int) -> int:
    least = max(schedule.window_rows)
    intervals: dict[int, int] = {}
    for n_rows in range(least, max(least, most) + 1):
        intervals[n_rows] = schedule.interval_cycles(n_rows)
        if intervals[n_rows] <= schedule.ideal_cycles:
            return n_rows
    return min(intervals, key=lambda n_rows: intervals[n_rows])


@lru_cache(maxsize=4096)
def _interval(schedule: LineSchedule, n_rows: int, n_frames: int = 12) -> int:
    """Plays `n_frames` frames, row by row; the last two frames' ends give the interval."""
    n_out, freed = len(schedule.needed), schedule.freed
    loaded_at: list[int] = []  # cycle from which each row is complete
    freed_at: list[int] = []  # cycle from which each row's place is free
    end = 0
    frame_ends = []
    for frame in range(n_frames):
        for out_row in range(n_out):
            while len(loaded_at) < frame * schedule.height + schedule.needed[out_row]:
                row = len(loaded_at)
                start = max(
                    loaded_at[-1] if row else 0, freed_at[row - n_rows] if row >= n_rows else 0
                )
                loaded_at.append(start + schedule.load_cycles)
            end = max(end, loaded_at[-1]) + schedule.read_cycles
            freed_at += [end] * freed[out_row]
        frame_ends.append(end)
    return frame_ends[-1] - frame_ends[-2]
