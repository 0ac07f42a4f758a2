"""The label of the largest score: the lowest class wins a tie.

In: the scores of one image after the other, one per transfer, in class order. Out: each score again, with the label of the largest
score so far; with the last class, `last` is high and `label` is the answer. A reset starts an image.

Latency is 2 cycles; throughput is one score per cycle. The outputs wait in two registers, so that `i.ready` depends on registers only: what takes
the answers decides late whether it does.
"""

from __future__ import annotations

from dataclasses import dataclass

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .counter import step_counter
from .fifo import FifoConfig


@dataclass(frozen=True, slots=True)
class ArgMaxConfig:
    """Shape of an `ArgMax`.

    Parameters
    ----------
    n_classes : int - scores per image, at least 1
    score_bits : int - bits of a score, two's complement, at least 1
    """

    n_classes: int
    score_bits: int

    def __post_init__(self) -> None:
        if self.n_classes < 1:
            raise ValueError(f"Number of classes must be at least 1, not {self.n_classes!r}")
        if self.score_bits < 1:
            raise ValueError(f"Score bits must be at least 1, not {self.score_bits!r}")

    @property
    def label_bits(self) -> int:
        return max(1, (self.n_classes - 1).bit_length())

    @property
    def output_layout(self) -> data.StructLayout:
        """Score : signed(score_bits), label : unsigned(label_bits), last : 1, from the least significant bit up."""
        return data.StructLayout(
            {"score": signed(self.score_bits), "label": unsigned(self.label_bits), "last": 1}
        )

    @property
    def input_width(self) -> int:
        return self.score_bits

    @property
    def output_width(self) -> int:
        return self.score_bits + self.label_bits + 1

    @property
    def inputs_per_frame(self) -> int:
        return self.n_classes

    @property
    def outputs_per_frame(self) -> int:
        return self.n_classes

    @property
    def interval_cycles(self) -> int:
        """Cycles per image: every score takes one."""
        return self.n_classes

    @property
    def latency_cycles(self) -> int:
        """Cycles from the acceptance of a score to the offer of the same score."""
        return 2

    def component(self) -> ArgMax:
        return ArgMax(self)


class ArgMax(wiring.Component):
    """See the module.

    Members
    -------
    i : In(stream.Signature(signed(score_bits)))
    o : Out(stream.Signature(config.output_layout))
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: ArgMaxConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(signed(config.score_bits))),
                "o": Out(stream.Signature(config.output_layout)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        label, is_last = Signal(config.label_bits), Signal(init=config.n_classes == 1)
        is_first = Signal(init=1)
        # score > largest exactly where score + ~largest = score - largest - 1 is not negative: kept inverted, it costs no gate.
        inverted_largest = Signal(signed(config.score_bits), reset_less=True)
        difference = Signal(signed(config.score_bits + 1))
        m.d.comb += difference.eq(self.i.payload + inverted_largest)
        m.submodules.queue = queue = FifoConfig(config.output_width, 2).component()
        payload, valid = Signal(config.output_layout, reset_less=True), Signal()
        m.d.comb += [
            self.i.ready.eq(~valid | queue.i.ready),
            queue.i.payload.eq(payload),
            queue.i.valid.eq(valid),
            self.o.payload.eq(queue.o.payload),
            self.o.valid.eq(queue.o.valid),
            queue.o.ready.eq(self.o.ready),
        ]
        with m.If(self.i.ready):
            m.d.sync += valid.eq(self.i.valid)
        with m.If(self.i.valid & self.i.ready):
            step_counter(m, label, is_last, config.n_classes)
            m.d.sync += [
                is_first.eq(is_last),
                payload.score.eq(self.i.payload),
                payload.last.eq(is_last),
            ]
            # Only a greater score replaces the largest one: the lowest class keeps a tie.
            with m.If(is_first | ~difference[-1]):
                m.d.sync += [inverted_largest.eq(~self.i.payload), payload.label.eq(label)]
        return m
