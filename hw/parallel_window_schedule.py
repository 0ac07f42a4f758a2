"""When a `ParallelWindow` takes each pixel and offers each window, to the cycle.

The image's rows are written one after the other; a row belongs to the first output row that needs it, and the rows of an output row lie in
memories of their own. What the hardware does, and what is played here:

* a pixel waits in a register, at least one cycle, until it is written; the next one may come in the cycle in which it leaves;
* a pixel may be written once the column that it replaces has been read for the output row before its own;
* a column may be read once the lowest image row that its output row needs has been written there;
* a window is offered until it is taken; the next one's first column has been read then, and its shifts come after.

Columns in the padding are steps too, at the right; at the left they cost none.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

FRAMES = 6
"""Frames that are played until the interval counts as settled."""


@dataclass(frozen=True)
class Played:
    """Cycles, counted like those of the inputs that were played."""

    accepted: list[int]
    """In which each pixel is accepted."""
    offered: list[int]
    """In which each window is offered first."""
    taken: list[int]
    """In which each window is taken."""


@dataclass(frozen=True)
class ParallelWindowSchedule:
    """Rows and columns that windows need. Parameters as in `ParallelWindowConfig`.

    Parameters
    ----------
    read_latency : int - cycles from a column's address to its pixels, 0 or 1
    move_latency : int - cycles from the transfer of a window to the next shift, 0 or 1
    """

    height: int
    width: int
    kernel_height: int
    kernel_width: int
    stride: int
    padding: int
    read_latency: int = 0
    move_latency: int = 0

    @property
    def out_height(self) -> int:
        return (self.height + 2 * self.padding - self.kernel_height) // self.stride + 1

    @property
    def out_width(self) -> int:
        return (self.width + 2 * self.padding - self.kernel_width) // self.stride + 1

    def reach(self, out_row: int) -> int:
        """The image row that the last kernel row of output row `out_row` looks at; beyond the image where it is padded."""
        return out_row * self.stride - self.padding + self.kernel_height - 1

    def lowest_row(self, out_row: int) -> int:
        """The last image row that output row `out_row` needs."""
        return min(self.reach(out_row), self.height - 1)

    def first_user(self, row: int) -> int:
        """The first output row that needs image row `row`, or comes after it; the number of output rows where none does."""
        return min(max(0, -(-(row - self.reach(0)) // self.stride)), self.out_height)

    def is_dropped(self, row: int) -> bool:
        """Whether no window looks at image row `row`."""
        user = self.first_user(row)
        return user == self.out_height or self.reach(user) - row >= self.kernel_height

    @property
    def first_columns(self) -> int:
        """Steps to the first window of a row: what lies left of the image costs none."""
        return self.kernel_width - self.padding

    @property
    def next_columns(self) -> int:
        """Steps from a window to the next one of its row."""
        return min(self.stride, self.kernel_width)

    @cached_property
    def columns(self) -> tuple[int, ...]:
        """Columns that each output row reads, one per step; those from `width` on are padding."""
        first = range(self.first_columns)
        ends = (self.first_columns + x * self.stride for x in range(1, self.out_width))
        return (*first, *(column for end in ends for column in range(end - self.next_columns, end)))

    @cached_property
    def last_column(self) -> int:
        """The last column of the image that is read."""
        return min(self.columns[-1], self.width - 1)

    @property
    def waits_for_row(self) -> bool:
        """Whether the first windows wait for whole rows: images so much lower than the kernel that rows change memories below the last one."""
        return self.out_height > 1 and self.reach(0) - (self.height - 1) >= self.stride

    @property
    def latency_cycles(self) -> int:
        """Cycles from the acceptance of a frame's first pixel to the offer of its first window, pixels in every cycle."""
        return self.play(range(self.height * self.width)).offered[0]

    @property
    def interval_cycles(self) -> int:
        """Cycles per frame, pixels always offered and windows always taken."""
        return self.paced_interval(1, 1)

    def paced_interval(self, input_cycles: int, output_cycles: int, early_cycles: int = 0) -> int:
        """Cycles per frame in the long run between stages that take their time and make none up. Parameters as in `play`."""
        return _interval(self, input_cycles, output_cycles, early_cycles)

    def play(
        self,
        inputs: Sequence[int],
        *,
        input_cycles: int = 1,
        output_cycles: int = 1,
        early_cycles: int = 0,
    ) -> Played:
        """Plays whole frames.

        Parameters
        ----------
        inputs : sequence of int - cycle in which each pixel is offered, at the earliest; whole frames
        input_cycles : int - cycles from the acceptance of a pixel to the offer of the next one, at the least, at least 1
        output_cycles : int - cycles from the transfer of a window to that of the next one, at the least, at least 1
        early_cycles : int - cycles for which each window is offered before its transfer, at the least
        """
        pixels = self.height * self.width
        if not inputs or len(inputs) % pixels:
            raise ValueError(f"Inputs must be whole frames of {pixels} pixels, not {len(inputs)!r}")
        return _Play(self, inputs, input_cycles, output_cycles, early_cycles).run()


class _Play:
    def __init__(
        self,
        schedule: ParallelWindowSchedule,
        inputs: Sequence[int],
        input_cycles: int,
        output_cycles: int,
        early_cycles: int,
    ) -> None:
        self.schedule = schedule
        self.inputs = inputs
        self.input_cycles = input_cycles
        self.output_cycles = output_cycles
        self.early_cycles = early_cycles
        self.columns = schedule.columns
        self.replaces = [bisect_right(self.columns, x) - 1 for x in range(schedule.width)]
        self.users = [schedule.first_user(row) for row in range(schedule.height)]
        self.drops = [schedule.is_dropped(row) for row in range(schedule.height)]
        self.reads: list[int] = []  # cycle of each step's read in the last output row
        self.written: list[int] = []  # cycle in which each pixel leaves its register
        self.next_offer = 0
        self.next_read = 0
        self.shifted = -1  # cycle of the last step's shift
        self.taken = -1  # cycle in which the last window was taken
        self.played = Played([], [], [])

    def run(self) -> Played:
        schedule = self.schedule
        for start in range(0, len(self.inputs), schedule.height * schedule.width):
            row = 0
            for out_row in range(schedule.out_height):
                while row <= schedule.lowest_row(out_row):
                    self._write(start, row)
                    row += 1
                self._read(start, out_row)
            for rest in range(row, schedule.height):
                self._write(start, rest)
        return self.played

    def _write(self, start: int, row: int) -> None:
        """A row of the image; `reads` are those of the output row before the one that it belongs to."""
        width = self.schedule.width
        reads, replaces, written = self.reads, self.replaces, self.written
        n_replacing = self.schedule.last_column + 1 if reads and not self.drops[row] else 0
        offered = self.inputs[start + row * width : start + (row + 1) * width]
        last, next_offer = written[-1] if written else 0, self.next_offer
        for column, offer in enumerate(offered):
            accepted = max(next_offer, offer, last)
            next_offer = accepted + self.input_cycles
            self.played.accepted.append(accepted)
            last = accepted + 1
            if column < n_replacing:
                last = max(last, reads[replaces[column]] + 2)
            written.append(last)
        self.next_offer = next_offer

    def _read(self, start: int, out_row: int) -> None:
        schedule, written = self.schedule, self.written
        lowest = start + schedule.lowest_row(out_row) * schedule.width
        left, next_columns = schedule.first_columns, schedule.next_columns
        last, waits_for_row = schedule.last_column, schedule.waits_for_row
        read_latency, move_latency = schedule.read_latency, schedule.move_latency
        self.reads = []
        for column in self.columns:
            needed = lowest + (last if waits_for_row or column > last else column)
            read = max(self.next_read, written[needed] + 2)
            shift = max(read + read_latency, self.shifted + 1, self.taken + move_latency)
            if read_latency == 0:
                read = shift
            self.reads.append(read)
            self.next_read = max(read + 1, shift if read_latency else 0)
            self.shifted = shift
            left -= 1
            if left == 0:
                left = next_columns
                self._offer(shift)

    def _offer(self, shift: int) -> None:
        """A window is complete with the step of cycle `shift`."""
        earliest = self.taken + self.output_cycles if self.played.taken else 0
        self.taken = max(shift + 1 + self.early_cycles, earliest)
        self.played.offered.append(shift + 1)
        self.played.taken.append(self.taken)


@lru_cache(maxsize=1024)
def _interval(
    schedule: ParallelWindowSchedule, input_cycles: int, output_cycles: int, early_cycles: int
) -> int:
    inputs = [0] * (FRAMES * schedule.height * schedule.width)
    taken = schedule.play(
        inputs, input_cycles=input_cycles, output_cycles=output_cycles, early_cycles=early_cycles
    ).taken
    return taken[-1] - taken[-1 - schedule.out_height * schedule.out_width]
