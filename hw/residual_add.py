"""The sum of two streams of integers, saturating: where a residual block's two ways meet.  ``o = saturate(i_0 + i_1)``

Transfer n of `i_0` meets transfer n of `i_1`, `lanes` elements of each, lane by lane. Both are accepted in the same cycle: the one that is
there first waits. Elements and sums are two's complement of `element_bits` bits; a sum beyond their range becomes its nearest end.

Latency is 1 cycle: a sum is offered in the cycle after the acceptance of its two transfers. Throughput is one transfer per cycle.
`ready` of an input depends combinationally on `valid` of the other one, and on nothing behind: sums wait in a FIFO of two places. A reset
drops what waits. Storage is two registers of a transfer.
"""

from __future__ import annotations

from dataclasses import dataclass

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .fifo import FifoConfig


@dataclass(frozen=True, slots=True)
class ResidualAddConfig:
    """Shape of a `ResidualAdd`.

    Parameters
    ----------
    element_bits : int - bits of an element, in and out, at least 2; two's complement
    lanes : int - elements per transfer, at least 1
    transfers_per_frame : int - transfers per image on each input, at least 1; only the interval depends on it
    """

    element_bits: int
    lanes: int
    transfers_per_frame: int = 1

    def __post_init__(self) -> None:
        for name, least in (("element_bits", 2), ("lanes", 1), ("transfers_per_frame", 1)):
            if getattr(self, name) < least:
                subject = name.replace("_", " ").capitalize()
                raise ValueError(f"{subject} must be at least {least}, not {getattr(self, name)!r}")

    @property
    def n_inputs(self) -> int:
        return 2

    @property
    def n_outputs(self) -> int:
        return 1

    @property
    def queue(self) -> FifoConfig:
        """Where sums wait."""
        return FifoConfig(self.output_width, 2, self.transfers_per_frame)

    @property
    def input_width(self) -> int:
        """Bits of each input."""
        return self.lanes * self.element_bits

    @property
    def output_width(self) -> int:
        return self.lanes * self.element_bits

    @property
    def inputs_per_frame(self) -> int:
        """On each input."""
        return self.transfers_per_frame

    @property
    def outputs_per_frame(self) -> int:
        return self.transfers_per_frame

    @property
    def interval_cycles(self) -> int:
        return self.transfers_per_frame

    @property
    def latency_cycles(self) -> int:
        """Cycles from the acceptance of two transfers to the offer of their sum."""
        return self.queue.latency_cycles

    def component(self) -> ResidualAdd:
        return ResidualAdd(self)


class ResidualAdd(wiring.Component):
    """See the module.

    Members
    -------
    i_0, i_1 : In(stream.Signature(unsigned(lanes * element_bits))) - lane 0 least significant
    o : Out(stream.Signature(unsigned(lanes * element_bits))) - lane 0 least significant
    """

    i_0: stream.Interface
    i_1: stream.Interface
    o: stream.Interface

    def __init__(self, config: ResidualAddConfig) -> None:
        self.config = config
        transfers = stream.Signature(unsigned(config.input_width))
        super().__init__({"i_0": In(transfers), "i_1": In(transfers), "o": Out(transfers)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        m.submodules.queue = queue = config.queue.component()
        wiring.connect(m, queue.o, wiring.flipped(self.o))
        m.d.comb += [
            queue.i.valid.eq(self.i_0.valid & self.i_1.valid),
            self.i_0.ready.eq(queue.i.ready & self.i_1.valid),
            self.i_1.ready.eq(queue.i.ready & self.i_0.valid),
        ]
        for lane in range(config.lanes):
            a, b, total = (
                port.payload.word_select(lane, config.element_bits).as_signed()
                for port in (self.i_0, self.i_1, queue.i)
            )
            m.d.comb += total.eq(_saturated(a + b))
        return m


def _saturated(total: Value) -> Value:
    """`total` in a bit less, or the end of that range on its side."""
    sign, end = total[-1], total[-2]
    return Mux(sign ^ end, Cat((~sign).replicate(len(total) - 2), sign), total[:-1])
