"""The sum of all pixels of an image, channel by channel: a global average but for the division, which is left to what follows.

In: pixels in any order, `lanes` channels per transfer, channels fastest. Out: the sums, `lanes` channels per transfer. A sum has log2(pixels)
bits more than an element, rounded up, so none overflows. A reset starts a frame.

The sums so far are kept, a word for each group of channels, read one input ahead and written back with each input. Those of the last pixel
leave as they are made, so the next frame's first pixel, which starts new sums, may follow at once. A consumer that does not take one
transfer per cycle holds up the last pixel; a FIFO of `outputs_per_frame` transfers behind the pool takes them in its place.

Latency (first input of a frame accepted to its first output offered, inputs in every cycle) is `latency_cycles`: an output is
offered in the cycle after the last pixel's input of its channels. Throughput is one input per cycle.
Storage is `memory_shape`, one memory with one write and one read port; none for one word.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory

from .counter import step_counter
from .stage import stage_ports

RAM_STYLES = {"lut_ram": "distributed", "block": "block", "logic": "logic"}


@dataclass(frozen=True, slots=True)
class GlobalAvgPoolConfig:
    """Shape of a `GlobalAvgPool`.

    Parameters
    ----------
    pixels, channels : int - shape of the image, each at least 1
    element_bits : int - bits of a channel, at least 1
    lanes : int - channels per transfer, in and out; divides `channels`
    signed : bool - elements are two's complement; for more than one bit
    memory : "lut_ram", "block" or "logic" - what the sums are kept in; an adder lies between its output and its input, so block RAM is slow
    """

    pixels: int
    channels: int
    element_bits: int
    lanes: int
    signed: bool = True
    memory: Literal["lut_ram", "block", "logic"] = "lut_ram"

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
            raise ValueError(f"Memory must be 'lut_ram', 'block' or 'logic', not {self.memory!r}")

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
        """(depth, width) of the sums; depth 0 where the output register is enough."""
        return (self.groups if self.groups > 1 and self.pixels > 1 else 0), self.output_width

    @property
    def interval_cycles(self) -> int:
        """Cycles per frame: every input takes one."""
        return self.inputs_per_frame

    @property
    def latency_cycles(self) -> int:
        """Cycles from the acceptance of a frame's first input to the offer of its first output, inputs in every cycle."""
        return (self.pixels - 1) * self.groups + 1

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

        # The output register holds the newest sum; one that is not finished is not offered.
        payload = Signal(config.output_width, reset_less=True)
        sums, newest = Signal(config.output_width), Signal(config.output_width)
        m.d.comb += [
            newest.eq(Mux(is_first_pixel, self._add(C(0, len(sums))), self._add(sums))),
            self.o.payload.eq(payload),
        ]
        with m.If(accept):
            m.d.sync += payload.eq(newest)
        with m.If(self.i.ready):
            m.d.sync += self.o.valid.eq(self.i.valid & is_last_pixel)

        depth, width = config.memory_shape
        if not depth:
            m.d.comb += sums.eq(payload)
            return m
        # Read one input ahead, and the same word again while the input waits. The word written in the same cycle is another one.
        m.submodules.sums = memory = Memory(
            shape=unsigned(width),
            depth=depth,
            init=[],
            attrs={"ram_style": RAM_STYLES[config.memory], "no_rw_check": 1},
        )
        write, read = memory.write_port(), memory.read_port()
        next_group = Mux(is_last_group, 0, group + 1)
        m.d.comb += [
            write.en.eq(accept),
            write.addr.eq(group),
            write.data.eq(newest),
            read.addr.eq(Mux(accept, next_group, group)),
            sums.eq(read.data),
        ]
        return m

    def _add(self, sums: Value) -> Value:
        """`sums` and the input, lane by lane."""
        config = self.config
        lanes = []
        for lane in range(config.lanes):
            new = self.i.payload.word_select(lane, config.element_bits)
            old = sums.word_select(lane, config.output_bits)
            total = new.as_signed() + old.as_signed() if config.signed else new + old
            lanes.append(total[: config.output_bits])
        return Cat(*lanes)
