"""The link between serial line and accelerator as a component of its own, for `calibrate.py`: a board's top level with ports in the place of the accelerator."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from rbonn.boards import Board
from rbonn.hw.argmax import ArgMaxConfig
from rbonn.hw.protocol import HASH_BYTES, ElementKind, Info
from rbonn.hw.top import TopConfig

INFO = {
    "name": "calibration",
    "design_hash": bytes(HASH_BYTES),
    "weights_hash": bytes(HASH_BYTES),
    "element_kind": ElementKind.UNSIGNED,
    "element_bits": 8,
    "shape": (28, 28, 1),
    "n_classes": 10,
    "score_bits": 12,
    "interval_cycles": 1000,
    "batch_images": 8,
    "benchmark": True,
}
"""What such a board would say about itself."""


class _Core(wiring.Component):
    """An accelerator's ports."""

    def __init__(self) -> None:
        scores = ArgMaxConfig(INFO["n_classes"], INFO["score_bits"]).output_layout
        members = {"i": In(stream.Signature(8)), "o": Out(stream.Signature(scores)), "restart": In(1)}  # fmt: skip
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        return Module()


class Link(wiring.Component):
    """See the module.

    Members
    -------
    rx, tx : the serial line
    o_image : Out(stream.Signature(8)) - what the accelerator would read
    i_scores : In(stream) - what it would answer
    restart : Out(1)
    """

    def __init__(self, board: Board) -> None:
        self.board, self.core = board, _Core()
        super().__init__(
            {
                "rx": In(1, init=1),
                "tx": Out(1),
                "restart": Out(1),
                "o_image": Out(stream.Signature(8)),
                "i_scores": In(stream.Signature(self.core.o.payload.shape())),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        clock_hz, core = self.board.clock_hz, self.core
        config = TopConfig(Info(**INFO, clock_hz=clock_hz), self.board.uart.baud(clock_hz))
        m.submodules.top = top = config.component(core)
        m.d.comb += [
            top.rx.eq(self.rx),
            self.tx.eq(top.tx),
            self.restart.eq(core.restart),
            self.o_image.payload.eq(core.i.payload),
            self.o_image.valid.eq(core.i.valid),
            core.i.ready.eq(self.o_image.ready),
            core.o.payload.eq(self.i_scores.payload),
            core.o.valid.eq(self.i_scores.valid),
            self.i_scores.ready.eq(core.o.ready),
        ]
        return m
