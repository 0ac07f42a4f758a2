"""Where the pixels of a `ParallelWindow` are written, and which columns it reads: two walks that follow each other."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth import *

from .comparison import is_at_least
from .counter import step_counter
from .parallel_window_schedule import ParallelWindowSchedule


@dataclass(frozen=True)
class WritePosition:
    """Where the pixel at hand belongs.

    Parameters
    ----------
    column : Signal - its column
    next_column : Signal - the column of the pixel after it
    rows_above : Signal - rows from its own to the lowest row of the windows that need it first, and so the memory it is written to; kernel
        height or more where no window needs any of its row
    is_dropped : Value - no window needs it
    is_lowest : Value - its row is the last one that those windows wait for
    completed : Value - output rows whose image rows are complete with this pixel
    """

    column: Signal
    next_column: Signal
    rows_above: Signal
    is_dropped: Value
    is_lowest: Value
    completed: Value


@dataclass(frozen=True)
class Step:
    """What the next step of the reader does, all from registers.

    Parameters
    ----------
    column : Signal - the column it reads; from the image's width on it is padding
    next_column : Signal - the column that the step after it reads
    is_first : Value - the first one of an output row
    completes : Value - a window is complete with it
    ends_row : Value - the last one of an output row
    moves_on : Value - rows move on to where the next output row looks for them
    pads : list of Value - for each kernel row, whether this column of it is padding
    """

    column: Signal
    next_column: Signal
    is_first: Signal
    completes: Signal
    ends_row: Signal
    moves_on: Signal
    pads: list[Signal]


def padded_rows(schedule: ParallelWindowSchedule) -> int:
    """Output rows at the lower edge that need no row of the image besides those of the output row before."""
    rows = range(1, schedule.out_height)
    return sum(schedule.reach(row - 1) >= schedule.height - 1 for row in rows)


def walk_input(m: Module, schedule: ParallelWindowSchedule, accept: Value) -> WritePosition:
    """Walks through the pixels of an image, one with each `accept`."""
    height, width, stride = schedule.height, schedule.width, schedule.stride
    reach = schedule.reach(schedule.out_height - 1)
    n_rest = max(0, height - 1 - reach)
    none_needed = schedule.kernel_height - 1 + n_rest
    column, is_last_column = Signal(range(width)), Signal(init=width == 1)
    next_column, is_next_last = Signal(range(width), init=width > 1), Signal(init=width <= 2)
    row, is_last_row = Signal(range(height)), Signal(init=height == 1)
    first = schedule.reach(0)
    above = Signal(range(max(first, stride - 1, none_needed if n_rest else 0) + 1), init=first)

    is_lowest = above == 0
    if not n_rest and schedule.reach(schedule.first_user(height - 1)) >= height:
        is_lowest |= is_last_row
    with m.If(accept):
        m.d.sync += [column.eq(next_column), is_last_column.eq(is_next_last)]
        step_counter(m, next_column, is_next_last, width)
    with m.If(accept & is_last_column):
        step_counter(m, row, is_last_row, height)
        with m.If(is_last_row):
            m.d.sync += above.eq(first)
        with m.Elif((row == reach) if n_rest else 0):
            m.d.sync += above.eq(none_needed)
        with m.Elif(above == 0):
            m.d.sync += above.eq(stride - 1)
        with m.Else():
            m.d.sync += above.eq(above - 1)

    # Output rows are complete with the last column that is read; those right of it are taken as they come.
    is_last_needed, is_dropped = is_last_column, above >= schedule.kernel_height
    if schedule.last_column < width - 1:
        is_rest = Signal()
        is_last_needed = column == schedule.last_column
        with m.If(accept):
            m.d.sync += is_rest.eq((is_rest | is_last_needed) & ~is_last_column)
        is_dropped |= is_rest
        is_lowest &= ~is_rest
    completed = Mux(is_last_row, 1 + padded_rows(schedule), 1)
    completed = Mux(accept & is_last_needed & is_lowest, completed, 0)
    # Windows wait for whole rows where rows move to memories that are still written.
    if schedule.waits_for_row:
        is_lowest = Const(0)
    return WritePosition(column, next_column, above, is_dropped, is_lowest, completed)


def walk_columns(m: Module, schedule: ParallelWindowSchedule, read: Value) -> Step:
    """Walks through the columns of all windows, one with each `read`; the walk is one step ahead of the step that it has got ready."""
    columns, n_rows = schedule.columns, schedule.out_height
    to_first, to_next = schedule.first_columns - 1, schedule.next_columns - 1
    # One step from the start: the first row's second column, or the second row where a row is one column.
    is_alone = len(columns) == 1
    start_row = int(is_alone and n_rows > 1)
    start_missing = to_first if is_alone else to_first - 1 if to_first else to_next
    column, is_first = (
        Signal(range(columns[-1] + 1), init=columns[not is_alone]),
        Signal(init=is_alone),
    )
    missing = Signal(range(max(to_first, to_next) + 1), init=start_missing)
    out_row = Signal(range(n_rows), init=start_row)
    is_last_row = Signal(init=start_row == n_rows - 1)
    completes, ends_row = missing == 0, column == columns[-1]
    with m.If(read):
        m.d.sync += is_first.eq(ends_row)
        with m.If(ends_row):
            m.d.sync += [column.eq(0), missing.eq(to_first)]
            step_counter(m, out_row, is_last_row, n_rows)
        with m.Elif(completes):
            m.d.sync += column.eq(column + (schedule.stride - to_next))
            m.d.sync += missing.eq(to_next)
        with m.Else():
            m.d.sync += [column.eq(column + 1), missing.eq(missing - 1)]

    is_right = is_at_least(column, schedule.width)
    padded = [_padded_rows(schedule, k) for k in range(schedule.kernel_height)]
    ready = Step(
        Signal(range(columns[-1] + 1)),
        column,
        Signal(init=1),
        Signal(init=to_first == 0),
        Signal(init=is_alone),
        Signal(init=n_rows > 1),
        [Signal(init=0 in rows, name=f"pads_{k}") for k, rows in enumerate(padded)],
    )
    with m.If(read):
        m.d.sync += [
            ready.column.eq(column),
            ready.is_first.eq(is_first),
            ready.completes.eq(completes),
            ready.ends_row.eq(ends_row),
            ready.moves_on.eq(~is_right & ~is_last_row),
        ]
        for pads, rows in zip(ready.pads, padded, strict=True):
            m.d.sync += pads.eq(is_right | (out_row.matches(*rows) if rows else 0))
    return ready


def _padded_rows(schedule: ParallelWindowSchedule, kernel_row: int) -> list[int]:
    """Output rows whose row `kernel_row` of the kernel lies above or below the image."""
    first = kernel_row - schedule.padding
    rows = range(schedule.out_height)
    return [row for row in rows if not 0 <= row * schedule.stride + first < schedule.height]


def follow(
    m: Module, schedule: ParallelWindowSchedule, write: WritePosition, accept: Value, step: Step, read: Value
) -> tuple[Value, Value]:  # fmt: skip
    """Whether writer and reader may go on.

    The writer is in the reader's row, in the next one, or further and has to wait. Whether each may go on is known in the cycle before, of its
    own position then and of the other's now: two comparisons less in the longest path.
    """
    ahead, then_ahead = (
        Signal(range(3 + padded_rows(schedule))),
        Signal(range(3 + padded_rows(schedule))),
    )
    may_write, may_read = Signal(init=1), Signal()

    # In the row before its own the writer has to stay behind the reader, and is never beyond it.
    is_read = Mux(accept, write.next_column != step.column, write.column != step.column)
    # In the writer's row the reader has to stay behind, and is never beyond it, but where it leaves out columns.
    columns = step.next_column, step.column
    leaves_out = schedule.stride > schedule.kernel_width
    is_written = [write.column > c if leaves_out else write.column != c for c in columns]

    m.d.comb += then_ahead.eq(ahead + write.completed)
    m.d.sync += [
        ahead.eq(then_ahead - (read & step.ends_row)),
        may_write.eq((then_ahead == 0) | ((then_ahead == 1) & is_read)),
        may_read.eq(
            (ahead > Mux(read, step.ends_row, 0)) | (write.is_lowest & Mux(read, *is_written))
        ),
    ]
    return may_write | write.is_dropped, may_read
