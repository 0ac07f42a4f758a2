"""Integers as thermometer codes: ``o[c * levels + l] = (x[c] >= thresholds[l])``, the same rising thresholds for all channels.

In and out in raster order, `lanes` channels of ``levels`` bits each per transfer, channels fastest, the lowest level first. A bit of 1
means +1.

Latency is 1 cycle; throughput is one transfer per cycle. It has no state but its output register, and no storage.
"""

from __future__ import annotations

from dataclasses import dataclass

from amaranth import *
from amaranth.lib import stream, wiring

from .comparison import is_at_least
from .stage import stage_ports


@dataclass(frozen=True, slots=True)
class ThermometerConfig:
    """Shape of a `Thermometer`.

    Parameters
    ----------
    input_bits : int - bits of an input element, at least 1
    thresholds : tuple of int - one for each level, rising; any integers
    lanes : int - input elements per transfer, at least 1
    elements_per_frame : int - input elements of an image; a multiple of `lanes`
    signed : bool - input elements are two's complement
    """

    input_bits: int
    thresholds: tuple[int, ...]
    lanes: int
    elements_per_frame: int
    signed: bool = False

    def __post_init__(self) -> None:
        for name in ("input_bits", "lanes", "elements_per_frame"):
            if getattr(self, name) < 1:
                subject = name.replace("_", " ").capitalize()
                raise ValueError(f"{subject} must be at least 1, not {getattr(self, name)!r}")
        if not self.thresholds or list(self.thresholds) != sorted(set(self.thresholds)):
            raise ValueError(f"Thresholds must be rising, not {self.thresholds!r}")
        if self.elements_per_frame % self.lanes:
            raise ValueError(
                f"Lanes must divide elements_per_frame={self.elements_per_frame}, not {self.lanes!r}"
            )

    @property
    def levels(self) -> int:
        """Bits per input element."""
        return len(self.thresholds)

    @property
    def input_width(self) -> int:
        return self.lanes * self.input_bits

    @property
    def output_width(self) -> int:
        return self.lanes * self.levels

    @property
    def inputs_per_frame(self) -> int:
        return self.elements_per_frame // self.lanes

    @property
    def outputs_per_frame(self) -> int:
        return self.elements_per_frame // self.lanes

    @property
    def interval_cycles(self) -> int:
        """Cycles per frame: every transfer takes one."""
        return self.inputs_per_frame

    @property
    def latency_cycles(self) -> int:
        """Cycles from the acceptance of a transfer to the offer of its bits."""
        return 1

    def component(self) -> Thermometer:
        return Thermometer(self)


class Thermometer(wiring.Component):
    """See the module.

    Members
    -------
    i : In(stream.Signature(unsigned(lanes * input_bits))) - lane 0 least significant
    o : Out(stream.Signature(unsigned(lanes * levels))) - lane 0 least significant, its lowest level first
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: ThermometerConfig) -> None:
        self.config = config
        super().__init__(stage_ports(config.input_width, config.output_width))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        # Two's complement with its sign bit inverted counts from the lowest value up.
        lowest = -(1 << config.input_bits - 1) if config.signed else 0
        payload = Signal(config.output_width, reset_less=True)
        m.d.comb += [
            self.i.ready.eq(~self.o.valid | self.o.ready),
            self.o.payload.eq(payload),
        ]
        m.d.sync += self.o.valid.eq(self.i.valid | ~self.i.ready)
        with m.If(self.i.ready):
            for lane in range(config.lanes):
                element = self.i.payload.word_select(lane, config.input_bits)
                code = (element ^ -lowest)[: config.input_bits]
                bits = [is_at_least(code, threshold - lowest) for threshold in config.thresholds]
                m.d.sync += payload.word_select(lane, config.levels).eq(Cat(*bits))
        return m
