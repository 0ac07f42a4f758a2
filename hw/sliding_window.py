"""Cuts an image stream into the windows of a convolution: one window per output pixel, padded taps filled in.

In: pixels in raster order, `lanes` channels per transfer, channels fastest. Out: for each output pixel in raster order, the taps of its
window in the order kernel row, kernel column, channel group. A padded tap sends `pad_code` in every lane; padding costs
no cycle on the input, since it is made where a tap is read.

Rows are kept in a ring, the line buffer. A row of output pixels starts when all rows it looks at are complete; when its last tap
has been read, the rows that no later window needs are free to be overwritten, by the next image too, so there is no gap
between frames. A reset starts a frame and forgets all rows.

Latency (first input of a frame accepted to its first output offered, inputs in every cycle) is `latency_cycles`; throughput is
`interval_cycles` per frame: the larger one of inputs and outputs wherever `n_rows` rows can even out the two.
Storage is `memory_shape`, one memory with one write and one read port: block RAM unless `memory` is "logic".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory, ReadPort, WritePort
from amaranth.lib.wiring import In, Out

from .comparison import is_at_least
from .counter import step_counter
from .line_schedule import LineSchedule, choose_rows


@dataclass(frozen=True)
class SlidingWindowConfig:
    """Shape of a `SlidingWindow`.

    Parameters
    ----------
    height, width, channels : int - shape of the image, each at least 1
    element_bits : int - bits of a channel, at least 1
    lanes : int - channels per transfer, in and out; divides `channels`
    kernel_height, kernel_width : int - shape of the window, each at least 1
    stride : int - pixels from a window to the next, both ways, at least 1
    padding : int - pixels added on all four sides, 0 to kernel - 1 both ways
    pad_code : int - what each lane of a padded tap holds, as an unsigned code of `element_bits` bits
    memory : "block" or "logic" - what the line buffer is made of
    """

    height: int
    width: int
    channels: int
    element_bits: int
    lanes: int
    kernel_height: int
    kernel_width: int
    stride: int = 1
    padding: int = 0
    pad_code: int = 0
    memory: Literal["block", "logic"] = "block"

    def __post_init__(self) -> None:
        for name in (
            "height", "width", "channels", "element_bits", "lanes", "kernel_height", "kernel_width", "stride",
        ):  # fmt: skip
            if getattr(self, name) < 1:
                subject = name.replace("_", " ").capitalize()
                raise ValueError(f"{subject} must be at least 1, not {getattr(self, name)!r}")
        if self.channels % self.lanes:
            raise ValueError(f"Lanes must divide channels={self.channels}, not {self.lanes!r}")
        smallest = min(self.kernel_height, self.kernel_width)
        if not 0 <= self.padding < smallest:
            raise ValueError(
                f"Padding must be 0 to {smallest - 1} for a {self.kernel_height} x "
                f"{self.kernel_width} kernel, not {self.padding!r}"
            )
        if not 0 <= self.pad_code < 1 << self.element_bits:
            raise ValueError(
                f"Pad code must fit {self.element_bits} unsigned bits, not {self.pad_code!r}"
            )
        if self.memory not in ("block", "logic"):
            raise ValueError(f"Memory must be 'block' or 'logic', not {self.memory!r}")
        if self.out_height < 1 or self.out_width < 1:
            raise ValueError(
                f"Kernel must fit into the padded image, not {self.kernel_height} x {self.kernel_width} "
                f"into {self.height + 2 * self.padding} x {self.width + 2 * self.padding}"
            )

    @property
    def out_height(self) -> int:
        return (self.height + 2 * self.padding - self.kernel_height) // self.stride + 1

    @property
    def out_width(self) -> int:
        return (self.width + 2 * self.padding - self.kernel_width) // self.stride + 1

    @property
    def groups(self) -> int:
        """Transfers per pixel."""
        return self.channels // self.lanes

    @property
    def input_width(self) -> int:
        return self.lanes * self.element_bits

    @property
    def output_width(self) -> int:
        return self.lanes * self.element_bits

    @property
    def row_words(self) -> int:
        """Transfers per row of the image."""
        return self.width * self.groups

    @property
    def kernel_row_words(self) -> int:
        """Transfers per row of a window."""
        return self.kernel_width * self.groups

    @property
    def inputs_per_frame(self) -> int:
        return self.height * self.row_words

    @property
    def outputs_per_frame(self) -> int:
        return self.out_height * self.out_width * self.kernel_height * self.kernel_row_words

    @property
    def schedule(self) -> LineSchedule:
        """Which rows each output row needs and frees, and how long rows take to load and to read."""
        first = [row * self.stride - self.padding for row in range(self.out_height)]
        return LineSchedule(
            height=self.height,
            needed=tuple(min(self.height, row + self.kernel_height) for row in first),
            held=tuple(max(0, row) for row in first),
            load_cycles=self.row_words,
            read_cycles=self.out_width * self.kernel_height * self.kernel_row_words,
        )

    @property
    def n_rows(self) -> int:
        """Rows of the line buffer: the fewest that cost no cycle.

        With padding as in "same" convolutions these are kernel height + stride. Without, the last output row of an image holds a whole
        window while the next image's first window loads. Twice (kernel height + stride) are the most that are considered.
        """
        return choose_rows(self.schedule, 2 * (self.kernel_height + self.stride))

    @property
    def row_pitch(self) -> int:
        """Words from a row of the line buffer to the next, a power of two so that addresses need no adder."""
        return 1 << (self.row_words - 1).bit_length()

    @property
    def memory_shape(self) -> tuple[int, int]:
        """(depth, width) of the line buffer."""
        return self.n_rows * self.row_pitch, self.input_width

    @property
    def interval_cycles(self) -> int:
        """Cycles per frame, input always offered and output always taken."""
        return self.schedule.interval_cycles(self.n_rows)

    @property
    def latency_cycles(self) -> int:
        """Cycles from the acceptance of a frame's first input to the offer of its first output, inputs in every cycle."""
        return self.schedule.needed[0] * self.row_words + 2

    def component(self) -> SlidingWindow:
        return SlidingWindow(self)


class SlidingWindow(wiring.Component):
    """See the module.

    Two registers follow the addresses: the memory's own, and the output with the padding filled in. They move together.

    Members
    -------
    i : In(stream.Signature(unsigned(lanes * element_bits))) - lane 0 least significant
    o : Out(stream.Signature(unsigned(lanes * element_bits))) - lane 0 least significant
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: SlidingWindowConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(unsigned(config.input_width))),
                "o": Out(stream.Signature(unsigned(config.output_width))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        depth, width = config.memory_shape
        # A word is read only after its row is complete and before the row is freed: what a collision reads is padding.
        m.submodules.lines = lines = Memory(
            shape=unsigned(width),
            depth=depth,
            init=[],
            attrs={"ram_style": config.memory, "no_rw_check": 1},
        )
        row_is_loaded, row_is_read = Signal(), Signal()
        row = _position(config.padding, config.height, self._last_row + 1)
        is_free, is_complete = self._count_rows(m, row, row_is_loaded, row_is_read)
        self._load(m, lines.write_port(), is_free, row_is_loaded)
        self._read(m, lines.read_port(), row, is_complete, row_is_read)
        return m

    @property
    def _last_row(self) -> int:
        """The image row that the last kernel row of the last window looks at; beyond the image where it is padded."""
        config = self.config
        return (config.out_height - 1) * config.stride - config.padding + config.kernel_height - 1

    @property
    def _last_word(self) -> int:
        """The word within its row that the last tap of the last window looks at."""
        config = self.config
        first_column = (config.out_width - 1) * config.stride - config.padding
        return (first_column + config.kernel_width) * config.groups - 1

    def _count_rows(
        self, m: Module, row: Signal, row_is_loaded: Signal, row_is_read: Signal
    ) -> tuple[Signal, Signal]:
        """How many rows the buffer holds; answers whether one more may be loaded and whether `row`'s window is complete."""
        config = self.config
        schedule = config.schedule
        # Rows that are freed before they are loaded (stride above kernel) make the number negative: it is kept from `lowest` up.
        lowest = schedule.fewest_held
        n_held = Signal(range(config.n_rows - lowest + 1), init=-lowest)
        n_freed = Signal(range(max(schedule.freed) + 1))
        is_free, is_complete = Signal(), Signal()
        m.d.comb += is_free.eq(n_held != config.n_rows - lowest)

        # While the first kernel row is at its turn, `row` tells which output row is; while the last one is, which rows go.
        first = [row * config.stride - config.padding for row in range(config.out_height)]
        for n_needed in _by_value(m, row, first, schedule.window_rows):
            enough = range(n_needed - lowest, config.n_rows - lowest + 1)
            with m.Switch(n_held), m.Case(*enough):
                m.d.comb += is_complete.eq(1)
        last = [row + config.kernel_height - 1 for row in first]
        for n in _by_value(m, row, last, schedule.freed):
            m.d.comb += n_freed.eq(n)
        m.d.sync += n_held.eq(n_held + row_is_loaded - Mux(row_is_read, n_freed, 0))
        return is_free, is_complete

    def _load(self, m: Module, write: WritePort, is_free: Signal, row_is_loaded: Signal) -> None:
        config = self.config
        word = Signal(range(config.row_pitch))
        is_last_word = Signal(init=config.row_words == 1)
        slot = Signal(range(config.n_rows))
        m.d.comb += [
            self.i.ready.eq(is_free),
            write.en.eq(self.i.valid & is_free),
            write.addr.eq(Cat(word, slot)),
            write.data.eq(self.i.payload),
            row_is_loaded.eq(write.en & is_last_word),
        ]
        with m.If(write.en):
            step_counter(m, word, is_last_word, config.row_words)
            with m.If(is_last_word):
                m.d.sync += slot.eq(_ring(slot, 1, config.n_rows))

    def _read(
        self, m: Module, read: ReadPort, row: Signal, is_complete: Signal, row_is_read: Signal
    ) -> None:
        config = self.config
        kernel_height, stride, padding = config.kernel_height, config.stride, config.padding
        row_words, groups = config.row_words, config.groups

        # The address walks: along a kernel row, back and down to the next, on to the next window, down to the next output row.
        # Each is a constant step, and where a walk ends follows from the address itself, so no corner is remembered.
        word = _position(padding * groups, row_words, self._last_word + 1)
        slot = Signal(range(config.n_rows), init=-padding % config.n_rows)
        tap, kernel_row = Signal(range(config.kernel_row_words)), Signal(range(kernel_height))
        is_last_tap = Signal(init=config.kernel_row_words == 1)
        is_last_kernel_row = Signal(init=kernel_height == 1)
        is_last_window, is_last_row, is_row_start = Signal(), Signal(), Signal(init=1)
        move, is_valid, advance = Signal(), Signal(), Signal()
        m.d.comb += [
            is_last_window.eq(word == self._last_word % (1 << len(word))),
            is_last_row.eq(row == self._last_row % (1 << len(row))),
            move.eq(~self.o.valid | self.o.ready),
            is_valid.eq(~is_row_start | is_complete),
            advance.eq(move & is_valid),
            row_is_read.eq(advance & is_last_tap & is_last_kernel_row & is_last_window),
        ]
        back = 1 - config.kernel_row_words
        with m.If(advance):
            step_counter(m, tap, is_last_tap, config.kernel_row_words)
            m.d.sync += is_row_start.eq(is_last_tap & is_last_kernel_row & is_last_window)
            with m.If(~is_last_tap):
                m.d.sync += word.eq(word + 1)
            with m.Elif(~is_last_kernel_row):
                m.d.sync += word.eq(word + back)
            with m.Elif(~is_last_window):
                m.d.sync += word.eq(word + (back + stride * groups))
            with m.Else():
                m.d.sync += word.eq(word.init)
        with m.If(advance & is_last_tap):
            step_counter(m, kernel_row, is_last_kernel_row, kernel_height)
            down = 1 - kernel_height
            from_last_row = config.height - padding - self._last_row
            with m.If(~is_last_kernel_row):
                m.d.sync += [row.eq(row + 1), slot.eq(_ring(slot, 1, config.n_rows))]
            with m.Elif(~is_last_window):
                m.d.sync += [row.eq(row + down), slot.eq(_ring(slot, down, config.n_rows))]
            with m.Elif(~is_last_row):
                m.d.sync += row.eq(row + (down + stride))
                m.d.sync += slot.eq(_ring(slot, down + stride, config.n_rows))
            with m.Else():
                m.d.sync += row.eq(row.init)
                m.d.sync += slot.eq(_ring(slot, from_last_row, config.n_rows))

        # The memory's register and the output register move together, whenever the output is free or being taken.
        is_read, is_padded = Signal(), Signal()
        pads = is_at_least(word, row_words) | is_at_least(row, config.height)
        m.d.comb += [
            read.en.eq(move),
            read.addr.eq(Cat(word[: (config.row_pitch - 1).bit_length()], slot)),
        ]
        pad_word = sum(config.pad_code << k * config.element_bits for k in range(config.lanes))
        with m.If(move):
            m.d.sync += [
                is_read.eq(is_valid),
                is_padded.eq(pads if padding else 0),
                self.o.valid.eq(is_read),
                self.o.payload.eq(Mux(is_padded, pad_word, read.data)),
            ]


def _position(below: int, size: int, end: int) -> Signal:
    """A position from -below to end - 1, starting at -below, kept modulo a power of two: exactly 0 .. size - 1 lie below `size`."""
    bits = max(below + size - 1, end - 1, 1).bit_length()
    return Signal(bits, init=-below % (1 << bits))


def _ring(slot: Signal, step: int, n_slots: int) -> Value:
    """(slot + step) modulo `n_slots`, as a table: for a few slots cheaper than an adder."""
    if n_slots == 1:
        return Const(0)
    return Array(Const((k + step) % n_slots, len(slot)) for k in range(n_slots))[slot]


def _by_value(
    m: Module, position: Signal, positions: list[int], values: tuple[int, ...]
) -> Iterator[int]:
    """Each distinct value, under the condition that `position` (modulo its range) is one of those with that value.

    The most frequent value comes last and without a condition of its own.
    """
    *rare, frequent = sorted(set(values), key=values.count)
    with m.Switch(position):
        for value in rare:
            where = [at for at, here in zip(positions, values, strict=True) if here == value]
            with m.Case(*(at % (1 << len(position)) for at in where)):
                yield value
        with m.Default():
            yield frequent
