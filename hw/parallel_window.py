"""Cuts an image stream into the windows of a convolution, a whole window at a time.

In: pixels in raster order, all channels of a pixel per transfer. Out: for each output pixel in raster order its window, the taps in the
order kernel row, kernel column, channel; lane 0 least significant. A padded tap holds `pad_code` in every channel.

A window is made as soon as the pixel at its lower right corner (within the image) has come. Each kernel row has a memory of one row of the
image; a step reads the same column of all of them into a shift register, and in the same step each row moves on to the memory in
which the next output row looks for it. So nothing is rotated: kernel row k is always read from the same memory. Rows that the next output
row needs for the first time are written where it looks for them, each pixel as soon as its place has been read. Padding is
what the shift register is reset to. A reset starts a frame.

A frame's last windows need nothing of the next frame, whose pixels are written meanwhile, and nothing is written for padding. Alone
(inputs always offered, outputs always taken) a frame takes `interval_cycles`. Between a source that offers a pixel every P cycles or later
and a consumer that takes each window Q cycles after the one before at the earliest it takes `schedule.paced_interval(P, Q)`: exactly
max(height * width * P, windows * Q) for 3 x 3 windows with padding 1 and stride 1 or 2 from P = 4 and Q = P * stride ** 2 on, as with
every kernel that looks at most one row beyond the image's lower edge and has no more new columns at a row's start than fit into Q. Where the
windows of the last two output rows lie partly below the image, the next frame waits for a row.

A window is offered by the shift register itself, so the next one is made when it has been taken: it is there `next_columns` + 1 cycles later,
at a row's end `first_columns` + 1 (of `schedule`); with "direct" back pressure one cycle earlier.

Latency (first input of a frame accepted to its first output offered, inputs in every cycle) is `latency_cycles`: an output is offered 5 cycles
after the pixel at its lower right corner, and one more for each column of padding to the right of the image; 4 where an output row is a single
step. `schedule.play` gives the cycle of every transfer.
Storage is `kernel_height` memories of `memory_shape`, with one write and one read port each: LUT RAM, block RAM or logic.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory

from .fifo import Fifo, FifoConfig
from .parallel_window_schedule import ParallelWindowSchedule
from .parallel_window_walk import WritePosition, follow, walk_columns, walk_input
from .registers import registers
from .stage import stage_ports

RAM_STYLES = {"lut_ram": "distributed", "block": "block", "logic": "logic"}


@dataclass(frozen=True)
class ParallelWindowConfig:
    """Shape of a `ParallelWindow`.

    Parameters
    ----------
    height, width, channels : int - shape of the image, each at least 1
    element_bits : int - bits of a channel, at least 1
    kernel_height, kernel_width : int - shape of the window, each at least 1
    stride : int - pixels from a window to the next, both ways, at least 1
    padding : int - pixels added on all four sides, 0 to kernel - 1 both ways
    pad_code : int - what each channel of a padded tap holds, as an unsigned code of `element_bits` bits
    memory : "lut_ram", "block" or "logic" - what rows are kept in
    back_pressure : "registered" or "direct" - whether columns move on in the cycle after a window has been taken, or in the same one
    """

    height: int
    width: int
    channels: int
    element_bits: int
    kernel_height: int
    kernel_width: int
    stride: int = 1
    padding: int = 0
    pad_code: int = 0
    memory: Literal["lut_ram", "block", "logic"] = "lut_ram"
    back_pressure: Literal["registered", "direct"] = "registered"

    def __post_init__(self) -> None:
        for name in (
            "height", "width", "channels", "element_bits", "kernel_height", "kernel_width", "stride",
        ):  # fmt: skip
            if getattr(self, name) < 1:
                subject = name.replace("_", " ").capitalize()
                raise ValueError(f"{subject} must be at least 1, not {getattr(self, name)!r}")
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
        if self.memory not in RAM_STYLES:
            raise ValueError(f"Memory must be 'lut_ram', 'block' or 'logic', not {self.memory!r}")
        if self.back_pressure not in ("registered", "direct"):
            raise ValueError(
                f"Back pressure must be 'registered' or 'direct', not {self.back_pressure!r}"
            )
        if self.out_height < 1 or self.out_width < 1:
            raise ValueError(
                f"Kernel must fit into the padded image, not {self.kernel_height} x {self.kernel_width} "
                f"into {self.height + 2 * self.padding} x {self.width + 2 * self.padding}"
            )

    @property
    def schedule(self) -> ParallelWindowSchedule:
        """Which rows and columns windows need, and the cycle of each transfer."""
        return ParallelWindowSchedule(
            self.height, self.width, self.kernel_height, self.kernel_width, self.stride, self.padding, self.read_latency,
            int(self.back_pressure == "registered"),
        )  # fmt: skip

    @property
    def out_height(self) -> int:
        return (self.height + 2 * self.padding - self.kernel_height) // self.stride + 1

    @property
    def out_width(self) -> int:
        return (self.width + 2 * self.padding - self.kernel_width) // self.stride + 1

    @property
    def read_latency(self) -> int:
        """Cycles from a column's address to its pixels: 0 where an output row is a single step, whose column is read again in the next cycle."""
        last = (self.out_width - 1) * self.stride - self.padding + self.kernel_width - 1
        return int(last > 0)

    @property
    def write_latency(self) -> int:
        """Cycles from a step to the write of what it moves on: 1, with the write ports' inputs in registers, where no column is read again before that."""
        return int(len(self.schedule.columns) >= 3)

    @property
    def pixel_bits(self) -> int:
        return self.channels * self.element_bits

    @property
    def input_width(self) -> int:
        return self.pixel_bits

    @property
    def output_width(self) -> int:
        return self.kernel_height * self.kernel_width * self.pixel_bits

    @property
    def inputs_per_frame(self) -> int:
        return self.height * self.width

    @property
    def outputs_per_frame(self) -> int:
        return self.out_height * self.out_width

    @property
    def memory_shape(self) -> tuple[int, int]:
        """(depth, width) of each of the `kernel_height` memories."""
        return self.width, self.pixel_bits

    @property
    def interval_cycles(self) -> int:
        """Cycles per frame, input always offered and output always taken."""
        return self.schedule.interval_cycles

    @property
    def latency_cycles(self) -> int:
        """Cycles from the acceptance of a frame's first input to the offer of its first output, inputs in every cycle."""
        return self.schedule.latency_cycles

    def component(self) -> ParallelWindow:
        return ParallelWindow(self)


class ParallelWindow(wiring.Component):
    """See the module.

    Members
    -------
    i : In(stream.Signature(unsigned(channels * element_bits))) - a pixel, channel 0 least significant
    o : Out(stream.Signature(unsigned(kernel_height * kernel_width * channels * element_bits))) - a window, its upper left tap least significant
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: ParallelWindowConfig) -> None:
        self.config = config
        super().__init__(stage_ports(config.input_width, config.output_width))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, schedule = self.config, self.config.schedule

        # A pixel waits in a register until its place is free: at the turn of a frame it is read a little late.
        m.submodules.pixel = pixel = Fifo(FifoConfig(config.input_width, 1))
        wiring.connect(m, wiring.flipped(self.i), pixel.i)
        accept, read, place = Signal(), Signal(), Signal()
        write, step = walk_input(m, schedule, accept), walk_columns(m, schedule, read)
        may_write, may_read = follow(m, schedule, write, accept, step, read)
        m.d.comb += [
            pixel.o.ready.eq(may_write),
            accept.eq(pixel.o.valid & may_write),
            read.eq(may_read & place),
        ]

        # A window that is complete stays in the shift register until it is taken. Columns move on in that same cycle only if that may
        # cost a path from `o.ready` to all that moves.
        shift, is_free = Signal(), Signal()
        is_direct = config.back_pressure == "direct"
        m.d.comb += is_free.eq(~self.o.valid | (self.o.ready & is_direct))
        lasting = [step.is_first, step.completes, step.moves_on, step.column, *step.pads]
        if config.read_latency:
            is_read = Signal()
            m.d.comb += [place.eq(~is_read | is_free), shift.eq(is_read & is_free)]
            m.d.sync += is_read.eq(may_read | ~place)
            lasting = registers(m, place, "step", lasting)
        else:
            m.d.comb += [place.eq(is_free), shift.eq(read)]
        is_first, completes, moves_on, column, *pads = lasting

        rows = self._rows(
            m, pixel.o.payload, write, accept, step.column, place, column, moves_on, shift
        )
        m.d.comb += self.o.payload.eq(Cat(self._shift(m, shift, is_first, pads, rows)))
        # Gates, and not conditions: a clock enable would tie this flag to the taps.
        m.d.sync += self.o.valid.eq((shift & completes) | (self.o.valid & ~self.o.ready))
        return m

    def _rows(
        self, m: Module, pixel: Value, write: WritePosition, accept: Value, read_column: Value, place: Value,
        moved_column: Value, moves_on: Value, shift: Value,
    ) -> list[Value]:  # fmt: skip
        """The column at hand of each memory: 0 holds the lowest kernel row. Memory j is written by the input or from memory j - stride."""
        config, schedule = self.config, self.config.schedule
        depth, width = config.memory_shape
        rows: list[Value] = []
        for j in range(config.kernel_height):
            memory = Memory(
                shape=unsigned(width),
                depth=depth,
                init=[],
                attrs={"ram_style": RAM_STYLES[config.memory], "no_rw_check": 1},
            )
            m.submodules[f"row_{j}"] = memory
            write_port = memory.write_port()
            if config.read_latency:
                read_port = memory.read_port()
                m.d.comb += read_port.en.eq(place)
            else:
                read_port = memory.read_port(domain="comb")
            m.d.comb += read_port.addr.eq(read_column)
            rows.append(read_port.data)

            is_input = accept & (write.rows_above == j)
            enable, address, data = is_input, write.column, pixel
            if j >= config.stride:
                moves = shift & moves_on
                # Both only in a frame's first rows, and never at once: then the last row is being read, of which nothing moves on.
                both = j <= schedule.reach(0)
                enable = moves | is_input if both else moves
                address = Mux(both & is_input, write.column, moved_column)
                data = Mux(both & is_input, pixel, rows[j - config.stride])
            if config.write_latency:
                # A pixel is read two cycles after it has left its register at the earliest, and so in time.
                late = Signal(name=f"enable_{j}")
                m.d.sync += late.eq(enable)
                address, data = registers(m, Const(1), f"write_{j}", [address, data])
                enable = late
            m.d.comb += [
                write_port.en.eq(enable),
                write_port.addr.eq(address),
                write_port.data.eq(data),
            ]
        return rows

    def _shift(
        self, m: Module, shift: Value, is_first: Value, pads: list[Value], rows: list[Value]
    ) -> Value:
        """The last `kernel_width` columns, as a window."""
        config = self.config
        pad = sum(config.pad_code << k * config.element_bits for k in range(config.channels))
        window = []
        for k in range(config.kernel_height):
            taps = [
                Signal(config.pixel_bits, name=f"tap_{k}_{x}", init=pad, reset_less=True)
                for x in range(config.kernel_width)
            ]
            # Resets of these registers, at no LUT. The image's first column finds padding to its left.
            with m.If(shift):
                m.d.sync += taps[-1].eq(Mux(pads[k], pad, rows[config.kernel_height - 1 - k]))
                m.d.sync += [left.eq(Mux(is_first, pad, right)) for left, right in pairwise(taps)]
            window += taps
        return Cat(window)
