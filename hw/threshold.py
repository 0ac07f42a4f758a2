"""One bit per channel: ``o[c] = (x[c] >= thresholds[c])``.

In and out in raster order, `lanes` channels per transfer, channels fastest; channel ``k`` of group ``g`` is ``g * lanes + k``. A bit of 1
means +1. Stands alone where no matrix-vector unit computes the integers: raw pixels to bits, sums after a pool.

Latency is 1 cycle; throughput is one transfer per cycle. A reset starts a frame. Two registers behind the comparisons cut the way of `ready`: bits are
few, what comes before them is wide.
Storage is none: one threshold for all channels is logic of about a third of a LUT per bit; different ones are a table of constants
in logic, addressed by the group, before a carry chain.
"""

from __future__ import annotations

from dataclasses import dataclass

from amaranth import *
from amaranth.lib import stream, wiring

from .comparison import is_at_least
from .counter import step_counter
from .fifo import FifoConfig
from .stage import stage_ports


@dataclass(frozen=True, slots=True)
class ThresholdConfig:
    """Shape of a `Threshold`.

    Parameters
    ----------
    input_bits : int - bits of an input element, at least 1
    thresholds : tuple of int - one for each channel; any integer, out of the input's range too (then the bit is constant)
    lanes : int - channels per transfer; divides their number
    pixels : int - pixels of an image, at least 1; only the number of transfers depends on it
    signed : bool - input elements are two's complement
    """

    input_bits: int
    thresholds: tuple[int, ...]
    lanes: int
    pixels: int = 1
    signed: bool = False

    def __post_init__(self) -> None:
        for name in ("input_bits", "lanes", "pixels"):
            if getattr(self, name) < 1:
                subject = name.replace("_", " ").capitalize()
                raise ValueError(f"{subject} must be at least 1, not {getattr(self, name)!r}")
        if not self.thresholds:
            raise ValueError("Thresholds must be at least one, not ()")
        if self.channels % self.lanes:
            raise ValueError(f"Lanes must divide channels={self.channels}, not {self.lanes!r}")

    @property
    def channels(self) -> int:
        return len(self.thresholds)

    @property
    def groups(self) -> int:
        """Transfers per pixel."""
        return self.channels // self.lanes

    @property
    def input_width(self) -> int:
        return self.lanes * self.input_bits

    @property
    def output_width(self) -> int:
        return self.lanes

    @property
    def inputs_per_frame(self) -> int:
        return self.pixels * self.groups

    @property
    def outputs_per_frame(self) -> int:
        return self.pixels * self.groups

    @property
    def interval_cycles(self) -> int:
        """Cycles per frame: every transfer takes one."""
        return self.inputs_per_frame

    @property
    def latency_cycles(self) -> int:
        """Cycles from the acceptance of a transfer to the offer of its bits."""
        return 1

    def component(self) -> Threshold:
        return Threshold(self)


class Threshold(wiring.Component):
    """See the module.

    Members
    -------
    i : In(stream.Signature(unsigned(lanes * input_bits))) - lane 0 least significant
    o : Out(stream.Signature(unsigned(lanes))) - one bit per lane
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: ThresholdConfig) -> None:
        self.config = config
        super().__init__(stage_ports(config.input_width, config.output_width))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config

        # The group of channels at hand; a single group needs no counter.
        group, is_last = Signal(range(config.groups)), Signal(init=config.groups == 1)
        with m.If(self.i.valid & self.i.ready):
            step_counter(m, group, is_last, config.groups)

        m.submodules.queue = queue = FifoConfig(config.output_width, 2).component()
        elements = [self.i.payload.word_select(k, config.input_bits) for k in range(config.lanes)]
        m.d.comb += [
            self.i.ready.eq(queue.i.ready),
            queue.i.valid.eq(self.i.valid),
            queue.i.payload.eq(Cat(self._bit(x, k, group) for k, x in enumerate(elements))),
        ]
        wiring.connect(m, queue.o, wiring.flipped(self.o))
        return m

    def _bit(self, element: Value, lane: int, group: Signal) -> Value:
        """Whether `element` reaches the threshold of channel ``group * lanes + lane``."""
        config = self.config
        bits = config.input_bits
        # Elements and limits are moved to start at 0; limits beyond 0 .. 2 ** bits mean the same as those two.
        lowest = -(1 << bits - 1) if config.signed else 0
        limits = [
            min(max(threshold - lowest, 0), 1 << bits)
            for threshold in config.thresholds[lane :: config.lanes]
        ]
        code = element ^ (1 << bits - 1) if config.signed else element
        if len(set(limits)) == 1:
            return is_at_least(code[:bits], limits[0])
        # code >= limit as the carry out of code + ~limit + 1 = code + (2 ** bits - limit).
        addend = Array(Const((1 << bits) - limit, bits + 1) for limit in limits)[group]
        return (code[:bits] + addend)[bits]
