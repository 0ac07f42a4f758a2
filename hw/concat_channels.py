"""Every pixel's channels several times, one copy after the other:  ``o[.., k * channels + c] = i[.., c]`` for each copy k.

In and out in raster order, `lanes` channels per transfer, channels fastest. A shortcut that doubles its channels is made of this.

The first copy leaves while the pixel arrives; the others come out of memory, in which the next pixel already gathers: two pixels fit. So
outputs come in every cycle as long as the input keeps ahead, and the stage before is not held up by the copies of one pixel.

Latency is 2 cycles, from the acceptance of a transfer to its offer in the first copy; throughput is one output per cycle. What an input
brings is offered `copies` times; with ready high everything comes out without further inputs. No output depends combinationally on an
input: `i.ready` and `o.valid` come from flip-flops. A reset starts a frame.
Storage is two pixels of ``channels * element_bits`` bits, in LUT RAM unless `memory` says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory

from .counter import step_counter
from .stage import stage_ports

CONCAT_MEMORIES = {"lut_ram": "distributed", "block": "block", "logic": "logic"}
"""What the pixels are kept in, as synthesis calls it; devices without LUT RAM need one of the others."""


@dataclass(frozen=True, slots=True)
class ConcatChannelsConfig:
    """Shape of a `ConcatChannels`.

    Parameters
    ----------
    channels : int - channels of an input pixel
    element_bits : int - bits of a channel
    lanes : int - channels per transfer, in and out; divides `channels`
    copies : int - how often each pixel's channels come
    pixels : int - pixels of an image; only the number of transfers depends on it
    memory : "lut_ram", "block" or "logic" - what the pixels are kept in

    All numbers are at least 1.
    """

    channels: int
    element_bits: int
    lanes: int
    copies: int
    pixels: int = 1
    memory: Literal["lut_ram", "block", "logic"] = "lut_ram"

    def __post_init__(self) -> None:
        for name in ("channels", "element_bits", "lanes", "copies", "pixels"):
            if getattr(self, name) < 1:
                subject = name.replace("_", " ").capitalize()
                raise ValueError(f"{subject} must be at least 1, not {getattr(self, name)!r}")
        if self.channels % self.lanes:
            raise ValueError(f"Lanes must divide channels={self.channels}, not {self.lanes!r}")
        if self.memory not in CONCAT_MEMORIES:
            raise ValueError(f"Memory must be one of {tuple(CONCAT_MEMORIES)}, not {self.memory!r}")

    @property
    def groups(self) -> int:
        """Transfers per input pixel."""
        return self.channels // self.lanes

    @property
    def memory_shape(self) -> tuple[int, int]:
        """(depth, width): two pixels, each from a power of two on."""
        return 2 << (self.groups - 1).bit_length(), self.input_width

    @property
    def capacity(self) -> int:
        """Inputs that it takes while no output is taken; of a single copy, the register behind the memory has one more."""
        return 2 * self.groups + (self.copies == 1)

    @property
    def input_width(self) -> int:
        return self.lanes * self.element_bits

    @property
    def output_width(self) -> int:
        return self.lanes * self.element_bits

    @property
    def inputs_per_frame(self) -> int:
        return self.pixels * self.groups

    @property
    def outputs_per_frame(self) -> int:
        return self.pixels * self.groups * self.copies

    @property
    def interval_cycles(self) -> int:
        """Cycles per frame: every output takes one."""
        return self.outputs_per_frame

    @property
    def latency_cycles(self) -> int:
        """Cycles from the acceptance of a transfer to its offer in the first copy."""
        return 2

    def component(self) -> ConcatChannels:
        return ConcatChannels(self)


class ConcatChannels(wiring.Component):
    """See the module.

    Members
    -------
    i : In(stream.Signature(unsigned(lanes * element_bits))) - lane 0 least significant
    o : Out(stream.Signature(unsigned(lanes * element_bits))) - lane 0 least significant
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: ConcatChannelsConfig) -> None:
        self.config = config
        super().__init__(stage_ports(config.input_width, config.output_width))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        depth, width = config.memory_shape
        # A word is written only while its place is free, and read only from the cycle after on: they never meet.
        m.submodules.pixels = pixels = Memory(
            shape=unsigned(width),
            depth=depth,
            init=[],
            attrs={"ram_style": CONCAT_MEMORIES[config.memory], "no_rw_check": 1},
        )
        write, read = pixels.write_port(), pixels.read_port()
        put, get = Signal(), Signal()

        # Where the next word goes to and comes from: a group of one of the two pixels.
        group_in, ends_pixel = Signal(range(config.groups)), Signal(init=config.groups == 1)
        group_out, ends_copy = Signal(range(config.groups)), Signal(init=config.groups == 1)
        copy, is_last_copy = Signal(range(config.copies)), Signal(init=config.copies == 1)
        bank_in, bank_out = Signal(), Signal()
        with m.If(put):
            step_counter(m, group_in, ends_pixel, config.groups)
            m.d.sync += bank_in.eq(bank_in ^ ends_pixel)
        with m.If(get):
            step_counter(m, group_out, ends_copy, config.groups)
            with m.If(ends_copy):
                step_counter(m, copy, is_last_copy, config.copies)
                m.d.sync += bank_out.eq(bank_out ^ is_last_copy)

        # Words that nobody has read yet, and places that the last copy has left.
        n_places = 2 * config.groups
        is_new = _counted(m, "new", put, get & (copy == 0), 0, n_places)
        is_free = _counted(m, "free", get & is_last_copy, put, n_places, n_places)
        m.d.comb += [
            self.i.ready.eq(is_free),
            put.eq(self.i.valid & is_free),
            get.eq((is_new | (copy != 0)) & (~self.o.valid | self.o.ready)),
            write.en.eq(put),
            write.addr.eq(Cat(group_in, bank_in)),
            write.data.eq(self.i.payload),
            read.en.eq(get),
            read.addr.eq(Cat(group_out, bank_out)),
            self.o.payload.eq(read.data),
        ]
        m.d.sync += self.o.valid.eq(get | (self.o.valid & ~self.o.ready))
        return m


def _counted(m: Module, name: str, more: Value, less: Value, at_start: int, most: int) -> Signal:
    """Whether something is left of what `more` adds and `less` takes away one of, in a register; never more than `most`."""
    count = Signal(range(most + 1), name=f"n_{name}", init=at_start)
    is_some = Signal(name=f"has_{name}", init=at_start > 0)
    with m.If(more & ~less):
        m.d.sync += [count.eq(count + 1), is_some.eq(1)]
    with m.Elif(less & ~more):
        m.d.sync += [count.eq(count - 1), is_some.eq(count != 1)]
    return is_some
