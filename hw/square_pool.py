"""What `MaxPool` and `AvgPool` have in common: the walk through squares of `size` x `size` pixels, side by side.

In and out in raster order, `lanes` channels per transfer, channels fastest. Rows and columns that fill no square, at the far edges,
are taken and dropped. One row of partial results is kept, a word for each square of the row and group of channels. A reset starts a frame.

Latency (first input of a frame accepted to its first output offered, inputs in every cycle) is `latency_cycles`: an output is
offered `output_delay_cycles` after the last pixel of its square was accepted. Throughput is one input per cycle.
Storage is `memory_shape`, one memory with one write and one read port, of the form that `memory` says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from amaranth import *
from amaranth.lib import stream, wiring

from .counter import step_counter
from .stage import stage_ports

RAM_STYLES = {"block": "block", "lut_ram": "distributed", "logic": "logic"}
"""What yosys calls the forms of a memory."""


@dataclass(frozen=True, slots=True)
class SquarePoolConfig:
    """Shape of a pool.

    Parameters
    ----------
    height, width, channels : int - shape of the image, each at least 1
    element_bits : int - bits of a channel of the input, at least 1
    lanes : int - channels per transfer, in and out; divides `channels`
    size : int - pixels on a side of a square, 1 to the shorter side of the image
    signed : bool - elements are two's complement; for more than one bit
    memory : "block", "lut_ram" or "logic" - what the row of partial results is made of
    """

    height: int
    width: int
    channels: int
    element_bits: int
    lanes: int
    size: int
    signed: bool = False
    memory: Literal["block", "lut_ram", "logic"] = "block"

    def __post_init__(self) -> None:
        for name in ("height", "width", "channels", "element_bits", "lanes"):
            if getattr(self, name) < 1:
                subject = name.replace("_", " ").capitalize()
                raise ValueError(f"{subject} must be at least 1, not {getattr(self, name)!r}")
        if self.channels % self.lanes:
            raise ValueError(f"Lanes must divide channels={self.channels}, not {self.lanes!r}")
        if not 1 <= self.size <= min(self.height, self.width):
            raise ValueError(
                f"Size must be 1 to {min(self.height, self.width)} for a {self.height} x {self.width} "
                f"image, not {self.size!r}"
            )
        if self.signed and self.element_bits == 1:
            raise ValueError("Element bits must be at least 2 for signed elements, not 1")
        if self.memory not in RAM_STYLES:
            raise ValueError(f"Memory must be 'block', 'lut_ram' or 'logic', not {self.memory!r}")

    @property
    def out_height(self) -> int:
        return self.height // self.size

    @property
    def out_width(self) -> int:
        return self.width // self.size

    @property
    def groups(self) -> int:
        """Transfers per pixel."""
        return self.channels // self.lanes

    @property
    def input_width(self) -> int:
        return self.lanes * self.element_bits

    @property
    def output_bits(self) -> int:
        """Bits of a channel of the output, and of a partial result."""
        raise NotImplementedError

    @property
    def output_width(self) -> int:
        return self.lanes * self.output_bits

    @property
    def inputs_per_frame(self) -> int:
        return self.height * self.width * self.groups

    @property
    def outputs_per_frame(self) -> int:
        return self.out_height * self.out_width * self.groups

    @property
    def row_words(self) -> int:
        """Partial results of a row of squares."""
        return self.out_width * self.groups

    @property
    def memory_shape(self) -> tuple[int, int]:
        """(depth, width) of the row of partial results; depth 0 where registers are enough."""
        is_recent = self.out_width == 1 and self.groups <= self.recent_words
        return (0 if self.size == 1 or is_recent else self.row_words), self.output_width

    @property
    def recent_words(self) -> int:
        """Inputs after which a result is not read back from the memory: it is still in a register."""
        return 1

    @property
    def output_delay_cycles(self) -> int:
        """Cycles from the acceptance of the last input of a square's channels to the offer of its output."""
        return 1

    @property
    def interval_cycles(self) -> int:
        """Cycles per frame: every input takes one."""
        return self.inputs_per_frame

    @property
    def latency_cycles(self) -> int:
        """Cycles from the acceptance of a frame's first input to the offer of its first output, inputs in every cycle."""
        return (self.size - 1) * (self.width + 1) * self.groups + self.output_delay_cycles


@dataclass(frozen=True)
class Place:
    """Where an input lies in its square.

    Parameters
    ----------
    is_kept : Value - an input is accepted, not right of all squares
    word : Value - which one of the row's partial results it belongs to
    next_word : Value - which one the next input belongs to; the same one while this one waits
    is_left : Value - in the square's first column
    is_first, is_last : Value - the square's first pixel, its last one; never the last one in the rows and columns that fill no square
    """

    is_kept: Value
    word: Value
    next_word: Value
    is_left: Value
    is_first: Value
    is_last: Value


class SquarePool(wiring.Component):
    """Walks through the squares; what becomes of their pixels is `fold`.

    Members
    -------
    i : In(stream.Signature(unsigned(lanes * element_bits))) - lane 0 least significant
    o : Out(stream.Signature(unsigned(lanes * output_bits))) - lane 0 least significant
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: SquarePoolConfig) -> None:
        self.config = config
        super().__init__(stage_ports(config.input_width, config.output_width))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        accept, is_kept = Signal(), Signal()
        m.d.comb += [
            self.i.ready.eq(~self.o.valid | self.o.ready),
            accept.eq(self.i.valid & self.i.ready),
        ]

        # Where the input lies in its square. The word walks through the groups of a pixel `size` times, then on to the next
        # square; the columns and rows that fill no square come after all others.
        group, is_last_group = Signal(range(config.groups)), Signal(init=config.groups == 1)
        x, is_last_x = Signal(range(config.size)), Signal(init=config.size == 1)
        y, is_last_y = Signal(range(config.size)), Signal(init=config.size == 1)
        word, next_word = Signal(range(config.row_words)), Signal(range(config.row_words))
        is_last_word, is_row_end = Signal(), Signal()
        m.d.comb += is_last_word.eq(word == config.row_words - 1)
        is_rest_column = self._rest_columns(
            m, accept, is_last_group & is_last_x & is_last_word, is_row_end
        )
        is_rest_row = self._rest_rows(m, is_row_end)
        m.d.comb += is_kept.eq(accept & ~is_rest_column)
        with m.If(~is_kept):
            m.d.comb += next_word.eq(word)
        with m.Elif(is_last_group & ~is_last_x):
            m.d.comb += next_word.eq(word - (config.groups - 1))
        with m.Elif(~is_last_word):
            m.d.comb += next_word.eq(word + 1)
        m.d.sync += word.eq(next_word)
        with m.If(is_kept):
            step_counter(m, group, is_last_group, config.groups)
            with m.If(is_last_group):
                step_counter(m, x, is_last_x, config.size)
        with m.If(is_row_end & ~is_rest_row):
            step_counter(m, y, is_last_y, config.size)

        # In the columns and rows that fill no square, x and y wait at the next square's first.
        is_left = x == 0
        is_first, is_last = is_left & (y == 0), is_last_x & is_last_y
        self.fold(m, Place(is_kept, word, next_word, is_left, is_first, is_last))
        return m

    def _rest_columns(
        self, m: Module, accept: Signal, is_last_square: Value, is_row_end: Signal
    ) -> Value:
        """Whether the input lies in a column that fills no square; raises `is_row_end` with a row's last input."""
        config = self.config
        n_rest = config.width % config.size * config.groups
        if not n_rest:
            m.d.comb += is_row_end.eq(accept & is_last_square)
            return Const(0)
        is_rest = Signal()
        rest, is_last_rest = Signal(range(n_rest)), Signal(init=n_rest == 1)
        m.d.comb += is_row_end.eq(accept & is_rest & is_last_rest)
        with m.If(accept & is_rest):
            step_counter(m, rest, is_last_rest, n_rest)
            m.d.sync += is_rest.eq(~is_last_rest)
        with m.Elif(accept):
            m.d.sync += is_rest.eq(is_last_square)
        return is_rest

    def _rest_rows(self, m: Module, is_row_end: Signal) -> Value:
        """Whether the input lies in a row that fills no square."""
        config = self.config
        if config.height % config.size == 0:
            return Const(0)
        is_rest = Signal()
        row, is_last_row = Signal(range(config.height)), Signal(init=config.height == 1)
        with m.If(is_row_end):
            step_counter(m, row, is_last_row, config.height)
            with m.If(is_last_row):
                m.d.sync += is_rest.eq(0)
            with m.Elif(row == config.out_height * config.size - 1):
                m.d.sync += is_rest.eq(1)
        return is_rest

    def fold(self, m: Module, place: Place) -> None:
        """Adds to `m` what becomes of the input at `place`, up to the stream `o`."""
        raise NotImplementedError
