"""Stages in a row, as one stage: what a layer is made of, for tests of the whole."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import connect, flipped
from rbonn.hw.stage import StageConfig, stage_ports


class Series(wiring.Component):
    """The stages of `configs`, the output of each on the input of the next; further streams of the last stage by their names."""

    def __init__(self, *configs: StageConfig, streams: tuple[str, ...] = ()) -> None:
        self.stages: list[Any] = [config.component() for config in configs]
        self.streams = streams
        last = self.stages[-1]
        further = {name: last.signature.members[name] for name in streams}
        super().__init__(stage_ports(configs[0].input_width, configs[-1].output_width) | further)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules += self.stages
        ports = [flipped(self.i), *(port for stage in self.stages for port in (stage.i, stage.o))]
        ports.append(flipped(self.o))
        for giver, taker in zip(ports[0::2], ports[1::2], strict=True):
            connect(m, giver, taker)
        for name in self.streams:
            connect(m, flipped(getattr(self, name)), getattr(self.stages[-1], name))
        return m
