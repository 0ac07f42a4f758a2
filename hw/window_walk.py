"""Where the taps of a sliding window lie in its line buffer, one after the other.

The address walks: along a kernel row, back and down to the next, on to the next group of channels, to the next window, down to the
next output row. Each is a constant step, and where a walk ends follows from the position itself, so no corner is remembered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from amaranth import *

from .comparison import is_at_least
from .counter import step_counter
from .walk import arrives, ring, walker

if TYPE_CHECKING:
    from .sliding_window import SlidingWindowConfig


def row_walker(config: SlidingWindowConfig) -> Signal:
    """The image row that the tap at hand looks at: a position of `walk`, at the first window's first row."""
    return walker(config.padding, config.height, _last_row(config) + 1)


def walk_windows(
    m: Module, config: SlidingWindowConfig, row: Signal, advance: Value, row_is_read: Signal
) -> tuple[Value, Value]:
    """Address of the tap at hand, and whether it lies in the padding; goes on to the next with `advance`.

    `row` is `row_walker`'s. `row_is_read` is driven: high when `advance` leaves the last tap of an output row.
    """
    groups, kernel_height = config.groups, config.kernel_height
    last_word = _last_word(config)
    word = walker(config.padding * groups, config.row_words, last_word + 1)
    slot = Signal(range(config.n_rows), init=-config.padding % config.n_rows)

    is_last_tap, along, n_taps, last_step = _along_kernel_row(m, config, advance)
    kernel_row, group = Signal(range(kernel_height)), Signal(range(config.outer_groups))
    is_last_kernel_row = Signal(init=kernel_height == 1)
    is_last_group = Signal(init=config.outer_groups == 1)
    is_last_window, is_last_row = Signal(), Signal()
    arrives(m, word, last_word, is_last_window, n_taps, advance, last_step)
    arrives(m, row, _last_row(config), is_last_row, kernel_height, advance & is_last_tap)
    is_window_read = is_last_tap & is_last_kernel_row
    if config.outer_groups > 1:
        is_window_read = is_window_read & is_last_group
    m.d.comb += row_is_read.eq(advance & is_window_read & is_last_window)

    back = -((config.kernel_width - 1) * groups + config.group_words - 1)
    with m.If(advance):
        with m.If(~is_last_tap):
            m.d.sync += word.eq(word + along)
        with m.Elif(~is_last_kernel_row):
            m.d.sync += word.eq(word + back)
        if config.outer_groups > 1:
            with m.Elif(~is_last_group):
                m.d.sync += word.eq(word + (back + config.group_words))
        with m.Elif(~is_last_window):
            m.d.sync += word.eq(word + (config.stride - config.kernel_width) * groups + 1)
        with m.Else():
            m.d.sync += word.eq(word.init)
    with m.If(advance & is_last_tap):
        step_counter(m, kernel_row, is_last_kernel_row, kernel_height)
        with m.If(is_last_kernel_row):
            step_counter(m, group, is_last_group, config.outer_groups)
        is_row_left = is_last_window & is_last_group if config.outer_groups > 1 else is_last_window
        _step_row(m, config, row, slot, is_last_kernel_row, is_row_left, is_last_row)

    pads = is_at_least(word, config.row_words) | is_at_least(row, config.height)
    address = Cat(word[: (config.row_pitch - 1).bit_length()], slot)
    return address, pads if config.padding else Const(0)


def _along_kernel_row(
    m: Module, config: SlidingWindowConfig, advance: Value
) -> tuple[Signal, int | Value, int, int]:
    """Whether the tap at hand ends a kernel row, the step to the next one, how many there are, and the last step's size.

    A kernel row of all channels lies in one piece; of a group of channels, each pixel's words are a piece of their own.
    """
    n_words, skip = config.group_words, config.groups - config.group_words + 1
    pieces = config.kernel_width
    if config.outer_groups == 1:
        n_words, pieces, skip = n_words * pieces, 1, 1
    part, is_last_part = Signal(range(n_words)), Signal(init=n_words == 1)
    piece, is_last_piece = Signal(range(pieces)), Signal(init=pieces == 1)
    with m.If(advance):
        step_counter(m, part, is_last_part, n_words)
        with m.If(is_last_part):
            step_counter(m, piece, is_last_piece, pieces)
    if pieces == 1:
        return is_last_part, 1, n_words, 1
    if n_words == 1:
        return is_last_piece, skip, pieces, skip
    is_last_tap = Signal()
    m.d.comb += is_last_tap.eq(is_last_part & is_last_piece)
    return is_last_tap, Mux(is_last_part, skip, 1), n_words * pieces, 1


def _step_row(
    m: Module, config: SlidingWindowConfig, row: Signal, slot: Signal,
    is_last_kernel_row: Value, is_row_left: Value, is_last_row: Value,
) -> None:  # fmt: skip
    """The end of a kernel row: down to the next, back up for the next window, or on to the next output row's first."""
    down = 1 - config.kernel_height
    from_last_row = config.height - config.padding - _last_row(config)
    with m.If(~is_last_kernel_row):
        m.d.sync += [row.eq(row + 1), slot.eq(ring(slot, 1, config.n_rows))]
    with m.Elif(~is_row_left):
        m.d.sync += [row.eq(row + down), slot.eq(ring(slot, down, config.n_rows))]
    with m.Elif(~is_last_row):
        m.d.sync += row.eq(row + (down + config.stride))
        m.d.sync += slot.eq(ring(slot, down + config.stride, config.n_rows))
    with m.Else():
        m.d.sync += row.eq(row.init)
        m.d.sync += slot.eq(ring(slot, from_last_row, config.n_rows))


def _last_row(config: SlidingWindowConfig) -> int:
    """The image row that the last kernel row of the last window looks at; beyond the image where it is padded."""
    return (config.out_height - 1) * config.stride - config.padding + config.kernel_height - 1


def _last_word(config: SlidingWindowConfig) -> int:
    """The word within its row that the last tap of the last window looks at."""
    first_column = (config.out_width - 1) * config.stride - config.padding
    return (first_column + config.kernel_width) * config.groups - 1
