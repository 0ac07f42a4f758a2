"""A small streaming design with faults that certain bytes set off, and its reference."""

import numpy as np
from amaranth import Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from rbonn.sim import Field, OutputSpec, Probe

HEIGHT, WIDTH, CHANNELS = 3, 4, 8
FLIP = 0xA5

WRONG_BIT, STOP, REPEAT, LOSE, CHANGE, WRONG_SUM, SPIN = range(0xE0, 0xE7)
"""Bytes that set off a fault; no other byte from 0xE0 to 0xEF may occur in an image."""

PROBES = [
    Probe("flip", (HEIGHT, WIDTH, CHANNELS), lanes=8, element_bits=1, bipolar=True),
    Probe("count", (HEIGHT, WIDTH, 1), lanes=1, element_bits=4, signed=True),
]
OUTPUT = OutputSpec(8, HEIGHT, (Field("sum", 7, signed=True), Field("odd", 1)), edges=("sums",))
INTERVAL_CYCLES = HEIGHT * WIDTH
LATENCY_CYCLES = HEIGHT * WIDTH + 1


class RowSums(wiring.Component):
    """Bytes of 8 channels are inverted where `FLIP` has ones; a count of +1 and -1 follows, and the sum of each row."""

    i: In(stream.Signature(unsigned(8)))
    o: Out(stream.Signature(data.StructLayout({"sum": signed(7), "odd": 1})))

    def elaborate(self, platform) -> Module:
        m = Module()

        # Flip: a register.
        byte, full = Signal(8), Signal()
        raw = Signal(8)
        m.d.comb += self.i.ready.eq(~full | (self.o_free & (raw != SPIN)))
        with m.If(self.i.ready):
            m.d.sync += [
                full.eq(self.i.valid),
                raw.eq(self.i.payload),
                byte.eq(self.i.payload ^ FLIP ^ Mux(self.i.payload == WRONG_BIT, 0x20, 0)),
            ]
        take = Signal()
        m.d.comb += take.eq(full & self.o_free & (raw != STOP) & (raw != SPIN))
        with m.If(full & (raw == STOP)):
            m.d.comb += self.i.ready.eq(0)

        # Count and sum.
        count = Signal(signed(4))
        total, pixel = Signal(signed(7)), Signal(range(WIDTH))
        ones = sum(byte[k] for k in range(8))
        m.d.comb += count.eq(Mux(byte == 0xFF, 7, 2 * ones - 8))
        row = Signal(signed(7))
        m.d.comb += row.eq(total + count + (raw == WRONG_SUM))
        again, losing = Signal(), Signal()
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += [self.o.valid.eq(again), again.eq(0)]
        with m.If(losing & self.o.valid & ~self.o.ready):
            m.d.sync += self.o.payload.sum.eq(self.o.payload.sum + 1)
        with m.If(take):
            m.d.sync += [pixel.eq(pixel + 1), total.eq(total + count)]
            with m.If(pixel == WIDTH - 1):
                m.d.sync += [
                    pixel.eq(0),
                    total.eq(0),
                    self.o.valid.eq((raw != LOSE) | self.o.ready),
                    self.o.payload.sum.eq(row),
                    self.o.payload.odd.eq(row[0]),
                    again.eq(raw == REPEAT),
                    losing.eq(raw == CHANGE),
                ]

        for name, strobe, value in (
            ("flip", take | (full & (raw == SPIN)), byte),
            ("count", take, count),
        ):
            strobe_wire = Signal(name=f"probe_{name}_strobe")
            value_wire = Signal(len(value), name=f"probe_{name}_data")
            m.d.comb += [strobe_wire.eq(strobe), value_wire.eq(value)]
        return m

    @property
    def o_free(self) -> Value:
        return ~self.o.valid | self.o.ready


def images(n: int, seed: int = 1) -> np.ndarray:
    """Images (n, 12) uint8 that set off no fault."""
    values = np.random.default_rng(seed).integers(0, 256, (n, HEIGHT * WIDTH), dtype=np.uint8)
    return np.where((values & 0xF0) == 0xE0, values ^ 0x10, values)


def reference(values: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Values at the probes and at the output."""
    flipped = values ^ FLIP
    bits = np.unpackbits(flipped[..., None], axis=-1, bitorder="little").astype(np.int64)
    counts = np.minimum(2 * bits.sum(-1) - CHANNELS, 7)  # (images, pixels)
    sums = counts.reshape(-1, HEIGHT, WIDTH).sum(-1)
    return (
        {"flip": (2 * bits - 1).reshape(len(values), -1), "count": counts},
        {"sum": sums, "odd": sums & 1},
    )
