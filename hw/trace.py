"""Records what crosses edges of the network while an image is computed, and gives it as bytes: the answer to TRACE."""

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from .counter import step_counter

TRACED = data.StructLayout({"byte": 8, "last": 1})
"""A byte of a trace, and whether it is the last one."""


@dataclass(frozen=True)
class TraceConfig:
    """An edge to record.

    Parameters
    ----------
    edge : str - name of the graph's edge, which the core has a probe for
    width : int - bits of a transfer
    transfers : int - of an image
    """

    edge: str
    width: int
    transfers: int

    def __post_init__(self) -> None:
        if self.width < 1 or self.transfers < 1:
            raise ValueError(
                f"Trace must be of at least 1 bit and 1 transfer, not {self.width} and {self.transfers}"
            )

    @property
    def transfer_bytes(self) -> int:
        """Bytes of a transfer: its bits, filled up with zeros."""
        return -(-self.width // 8)

    @property
    def n_bytes(self) -> int:
        return self.transfers * self.transfer_bytes


class Recorder(wiring.Component):
    """Keeps the last image's transfers of one edge.

    The transfers of an image take the places of those of the one before. Reading begins anew whenever `reading` has been low.

    Latency from `reading` to the first byte is 2 cycles; throughput is one byte per cycle, with 2 cycles more between transfers.
    Storage is `transfers` x 8 `transfer_bytes` bits of block RAM.

    Members
    -------
    strobe, data : In - a transfer crosses the edge
    forget : In(1) - the next transfer is the first of an image
    reading : In(1)
    o : Out(stream.Signature(TRACED))
    """

    def __init__(self, config: TraceConfig) -> None:
        self.config = config
        super().__init__(
            {
                "strobe": In(1),
                "data": In(config.width),
                "forget": In(1),
                "reading": In(1),
                "o": Out(stream.Signature(TRACED)),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        transfers, n_bytes = self.config.transfers, self.config.transfer_bytes
        m.submodules.memory = memory = Memory(
            shape=8 * n_bytes, depth=transfers, init=[], attrs={"ram_style": "block"}
        )
        write, read = memory.write_port(), memory.read_port()

        # Writing. The edge may be far away, and a cycle later is early enough.
        place = Signal(range(transfers))
        is_last_place = Signal(init=transfers == 1)
        m.d.sync += [write.en.eq(self.strobe), write.data.eq(self.data)]
        m.d.comb += write.addr.eq(place)
        with m.If(write.en):
            step_counter(m, place, is_last_place, transfers)
        with m.If(self.forget):
            m.d.sync += [place.eq(0), is_last_place.eq(transfers == 1), write.en.eq(0)]

        # Reading: a transfer is taken out of the memory and shifted out byte by byte.
        transfer = Signal(8 * n_bytes)
        left = Signal(range(n_bytes))
        m.d.comb += [
            self.o.payload.byte.eq(transfer[:8]),
            self.o.payload.last.eq((read.addr == transfers - 1) & (left == 0)),
        ]
        with m.FSM():
            with m.State("FETCH"), m.If(self.reading):
                m.next = "LOAD"
            with m.State("LOAD"):
                m.d.sync += [transfer.eq(read.data), left.eq(n_bytes - 1)]
                m.next = "GIVE"
                with m.If(~self.reading):
                    m.next = "FETCH"
            with m.State("GIVE"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.d.sync += [transfer.eq(transfer >> 8), left.eq(left - 1)]
                    with m.If(left == 0):
                        m.d.sync += read.addr.eq(read.addr + 1)
                        m.next = "FETCH"
                with m.If(~self.reading):
                    m.next = "FETCH"
        with m.If(~self.reading):
            m.d.sync += read.addr.eq(0)
        return m


class Trace(wiring.Component):
    """Recorders of several edges, read one after the other.

    Parameters
    ----------
    configs : sequence of TraceConfig - at least one

    Members
    -------
    recorders : list of Recorder - whose `strobe` and `data` are to be driven
    forget, reading : In(1) - as of each recorder
    o : Out(stream.Signature(TRACED)) - `last` with the last byte of all
    """

    def __init__(self, configs: Sequence[TraceConfig]) -> None:
        if not configs:
            raise ValueError("Trace must have at least one edge")
        self.recorders = [Recorder(config) for config in configs]
        super().__init__({"forget": In(1), "reading": In(1), "o": Out(stream.Signature(TRACED))})

    def elaborate(self, platform) -> Module:
        m = Module()
        turn = Signal(range(len(self.recorders)))
        for number, recorder in enumerate(self.recorders):
            m.submodules[f"recorder_{recorder.config.edge}"] = recorder
            m.d.comb += [
                recorder.forget.eq(self.forget),
                recorder.reading.eq(self.reading & (turn == number)),
            ]
            is_end = number == len(self.recorders) - 1
            with m.If(turn == number):
                m.d.comb += [
                    self.o.valid.eq(recorder.o.valid),
                    self.o.payload.byte.eq(recorder.o.payload.byte),
                    self.o.payload.last.eq(recorder.o.payload.last & is_end),
                    recorder.o.ready.eq(self.o.ready),
                ]
                if not is_end:
                    with m.If(recorder.o.valid & recorder.o.ready & recorder.o.payload.last):
                        m.d.sync += turn.eq(number + 1)
        with m.If(~self.reading):
            m.d.sync += turn.eq(0)
        return m
