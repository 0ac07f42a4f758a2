"""The sum of all pixels of an image, channel by channel: a global average but for the division, which is left to what follows.

In: pixels in any order, `lanes` channels per transfer, channels fastest. Out: the sums, `lanes` channels per transfer. A sum has log2(pixels)
bits more than an element, rounded up, so none overflows. A reset starts a frame.

The sums so far are kept, a word for each group of channels (`running_sums`). Those of the last pixel leave as they are made, so the next
frame's first pixel, which starts new sums, may follow at once. A consumer that does not take one transfer per cycle holds up the last
pixel; a FIFO of `outputs_per_frame` transfers behind the pool takes them in its place.

Latency (first input of a frame accepted to its first output offered, inputs in every cycle) is `latency_cycles`: an output is
offered `output_delay_cycles` after the last pixel's input of its channels was accepted. Throughput is one input per cycle.
Storage is `memory_shape`, one memory with one write and one read port; none for one or two words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from amaranth import *
from amaranth.lib import stream, wiring

from .counter import step_counter
from .running_sums import MOST_RECENT, STEP_CYCLES, running_sums
from .square_pool import RAM_STYLES
from .stage import stage_ports


@dataclass(frozen=True, slots=True)
class GlobalAvgPoolConfig:
    """Shape of a `GlobalAvgPool`.

    Parameters
    ----------
    pixels, channels : int - shape of the image, each at least 1
    element_bits : int - bits of a channel, at least 1
    lanes : int - channels per transfer, in and out; divides `channels`
    signed : bool - elements are two's complement; for more than one bit
    memory : "block", "lut_ram" or "logic" - what the sums are kept in
    """

    pixels: int
    channels: int
    element_bits: int
    lanes: int
    signed: bool = True
    memory: Literal["block", "lut_ram", "logic"] = "block"

    def __post_init__(self) -> None:
        for name in ("pixels", "channels", "element_bits", "lanes"):
            if getattr(self, name) < 1:
                subject = name.replace("_", " ").capitalize()
                raise ValueError(f"{subject} must be at least 1, not {getattr(self, name)!r}")
        if self.channels % self.lanes:
            raise ValueError(f"Lanes must divide channels={self.channels}, not {self.lanes!r}")
        if self.signed and self.element_bits == 1:
            raise ValueError("Element bits must be at least 2 for signed elements, not 1")
        if self.memory not in RAM_STYLES:
            raise ValueError(f"Memory must be 'block', 'lut_ram' or 'logic', not {self.memory!r}")

    @property
    def groups(self) -> int:
        """Transfers per pixel."""
        return self.channels // self.lanes

    @property
    def output_bits(self) -> int:
        """Bits of a sum."""
        return self.element_bits + (self.pixels - 1).bit_length()

    @property
    def input_width(self) -> int:
        return self.lanes * self.element_bits

    @property
    def output_width(self) -> int:
        return self.lanes * self.output_bits

    @property
    def inputs_per_frame(self) -> int:
        return self.pixels * self.groups

    @property
    def outputs_per_frame(self) -> int:
        return self.groups

    @property
    def memory_shape(self) -> tuple[int, int]:
        """(depth, width) of the sums; depth 0 where registers are enough."""
        is_short = self.pixels == 1 or self.groups <= MOST_RECENT
        return (0 if is_short else self.groups), self.output_width

    @property
    def output_delay_cycles(self) -> int:
        """Cycles from the acceptance of the last pixel's input of some channels to the offer of their sums."""
        return STEP_CYCLES

    @property
    def interval_cycles(self) -> int:
        """Cycles per frame: every input takes one."""
        return self.inputs_per_frame

    @property
    def latency_cycles(self) -> int:
        """Cycles from the acceptance of a frame's first input to the offer of its first output, inputs in every cycle."""
        return (self.pixels - 1) * self.groups + self.output_delay_cycles

    def component(self) -> GlobalAvgPool:
        return GlobalAvgPool(self)


class GlobalAvgPool(wiring.Component):
    """See the module.

    Members
    -------
    i : In(stream.Signature(unsigned(lanes * element_bits))) - lane 0 least significant
    o : Out(stream.Signature(unsigned(lanes * output_bits))) - lane 0 least significant
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: GlobalAvgPoolConfig) -> None:
        self.config = config
        super().__init__(stage_ports(config.input_width, config.output_width))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        accept = Signal()
        m.d.comb += [
            self.i.ready.eq(~self.o.valid | self.o.ready),
            accept.eq(self.i.valid & self.i.ready),
        ]

        group, is_last_group = Signal(range(config.groups)), Signal(init=config.groups == 1)
        pixel, is_last_pixel = Signal(range(config.pixels)), Signal(init=config.pixels == 1)
        is_first_pixel = Signal(init=1)
        with m.If(accept):
            step_counter(m, group, is_last_group, config.groups)
            with m.If(is_last_group):
                step_counter(m, pixel, is_last_pixel, config.pixels)
                m.d.sync += is_first_pixel.eq(is_last_pixel)

        running_sums(
            m,
            self,
            is_kept=accept,
            word=group,
            is_first=is_first_pixel,
            is_last=is_last_pixel,
            recent=config.groups if config.groups <= MOST_RECENT else 0,
            is_recent=Const(1),
        )
        return m
