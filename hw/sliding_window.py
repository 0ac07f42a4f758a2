"""Cuts an image stream into the windows of a convolution: one window per output pixel, padded taps filled in.

In: pixels in raster order, `lanes` channels per transfer, channels fastest. Out: for each output pixel in raster order, the taps of its
window in the order kernel row, kernel column, channels. With `outer_groups` the channels are cut into that many groups and each has
a window of its own: all taps of group 0, then all of group 1, as grouped and depthwise convolutions need them. A padded tap
sends `pad_code` in every lane; padding costs no cycle on the input, since it is made where a tap is read.

Rows are kept in a ring, the line buffer. A row of output pixels starts when all rows it looks at are complete; when its last tap
has been read, the rows that no later window needs are free to be overwritten, by the next image too, so there is no gap
between frames. A reset starts a frame and forgets all rows.

Latency (first input of a frame accepted to its first output offered, inputs in every cycle) is `latency_cycles`; throughput is
`interval_cycles` per frame: the larger one of inputs and outputs wherever `n_rows` rows can even out the two.
Storage is `memory_shape`, one memory with one write and one read port: block RAM unless `memory` is "logic".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory, WritePort

from .counter import step_counter
from .line_schedule import LineSchedule, choose_rows
from .stage import stage_ports
from .walk import by_value, ring
from .window_walk import row_walker, walk_windows


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
    outer_groups : int - groups of channels with windows of their own; `lanes` divides the channels of a group
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
    outer_groups: int = 1

    def __post_init__(self) -> None:
        for name in (
            "height", "width", "channels", "element_bits", "lanes", "kernel_height", "kernel_width", "stride",
            "outer_groups",
        ):  # fmt: skip
            if getattr(self, name) < 1:
                subject = name.replace("_", " ").capitalize()
                raise ValueError(f"{subject} must be at least 1, not {getattr(self, name)!r}")
        if self.channels % self.lanes:
            raise ValueError(f"Lanes must divide channels={self.channels}, not {self.lanes!r}")
        if self.groups % self.outer_groups:
            raise ValueError(
                f"Outer groups must divide channels / lanes = {self.groups}, not {self.outer_groups!r}"
            )
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
    def group_words(self) -> int:
        """Transfers per tap: those of a pixel that belong to one outer group."""
        return self.groups // self.outer_groups

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
    def window_words(self) -> int:
        """Transfers per output pixel, the windows of all outer groups together."""
        return self.kernel_height * self.kernel_width * self.groups

    @property
    def inputs_per_frame(self) -> int:
        return self.height * self.row_words

    @property
    def outputs_per_frame(self) -> int:
        return self.out_height * self.out_width * self.window_words

    @property
    def schedule(self) -> LineSchedule:
        """Which rows each output row needs and frees, and how long rows take to load and to read."""
        first = [row * self.stride - self.padding for row in range(self.out_height)]
        return LineSchedule(
            height=self.height,
            needed=tuple(min(self.height, row + self.kernel_height) for row in first),
            held=tuple(max(0, row) for row in first),
            load_cycles=self.row_words,
            read_cycles=self.out_width * self.window_words,
        )

    @property
    def n_rows(self) -> int:
        """Rows of the line buffer: the fewest that cost no cycle, whether rows come at once or only as fast as they are used.

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
        super().__init__(stage_ports(config.input_width, config.output_width))

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
        row = row_walker(config)
        is_free, is_complete = self._count_rows(m, row, row_is_loaded, row_is_read)
        self._load(m, lines.write_port(), is_free, row_is_loaded)

        # The memory's register and the output register move together, whenever the output is free or being taken.
        read = lines.read_port()
        move, is_read, is_padded = Signal(), Signal(), Signal()
        payload = Signal(config.output_width, reset_less=True)
        address, pads = walk_windows(m, config, row, move & is_complete, row_is_read)
        pad_word = sum(config.pad_code << k * config.element_bits for k in range(config.lanes))
        m.d.comb += [
            move.eq(~self.o.valid | self.o.ready),
            read.en.eq(move),
            read.addr.eq(address),
            self.o.payload.eq(payload),
        ]
        with m.If(move):
            m.d.sync += [
                is_read.eq(is_complete),
                is_padded.eq(pads),
                self.o.valid.eq(is_read),
                payload.eq(Mux(is_padded, pad_word, read.data)),
            ]
        return m

    def _count_rows(
        self, m: Module, row: Signal, row_is_loaded: Signal, row_is_read: Signal
    ) -> tuple[Signal, Signal]:
        """How many rows the buffer holds; answers whether one more may be loaded and whether `row`'s window is complete."""
        config = self.config
        schedule = config.schedule
        # Two counters whose signs are the answers: rows that may be loaded, less one, and rows that are loaded beyond those needed.
        n_free = Signal(range(-1, config.n_rows - schedule.fewest_held), init=config.n_rows - 1)
        most_beyond = config.n_rows - min(schedule.window_rows)
        n_beyond = Signal(
            range(-max(*schedule.asked, schedule.needed[0]), most_beyond + 1),
            init=-schedule.needed[0],
        )
        is_free, is_complete = Signal(), Signal()
        m.d.comb += [is_free.eq(~n_free[-1]), is_complete.eq(~n_beyond[-1])]

        # While the last kernel row is at its turn, `row` tells which output row is.
        last = [
            k * config.stride + config.kernel_height - 1 - config.padding
            for k in range(config.out_height)
        ]
        n_freed = Signal(range(max(schedule.freed) + 1))
        n_asked = Signal(range(max(schedule.asked) + 1))
        for n in by_value(m, row, last, schedule.freed):
            m.d.comb += n_freed.eq(n)
        for n in by_value(m, row, last, schedule.asked):
            m.d.comb += n_asked.eq(n)
        m.d.sync += [
            n_free.eq(n_free - row_is_loaded + Mux(row_is_read, n_freed, 0)),
            n_beyond.eq(n_beyond + row_is_loaded - Mux(row_is_read, n_asked, 0)),
        ]
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
                m.d.sync += slot.eq(ring(slot, 1, config.n_rows))
