"""Regroups a stream of elements: `i_lanes` elements per transfer come in, `o_lanes` go out, in the same order.

The first element of a frame is lane 0 of its first transfer. Where `i_lanes` does not divide the frame, the lanes after the frame's last
element are padding and are dropped: this is how bytes of packed bits become lanes. The output has no padding, so `o_lanes`
must divide the frame.

Three forms, chosen by what divides what:

* widening (`i_lanes` divides `o_lanes`): transfers are shifted into one word;
* narrowing (`o_lanes` divides `i_lanes`): one word is shifted out;
* neither: widening to the least common multiple, then narrowing. Where padding leaves the frame's last word incomplete, the
  missing transfers are shifted in as zeros, one cycle each.

A word of `WIDE` bits and more is shifted from a FIFO of two places in front of it: everything that the word's shift enable depends on lies
beside it, wherever the narrow stream comes from.

A reset starts a frame and drops what was held.

Latency (first input of a frame accepted to its first output offered, inputs in every cycle) is `latency_cycles`; throughput is
`interval_cycles` per frame, which is the larger one of inputs and outputs except where padding leaves a rest that divides badly.
Storage is `storage_bits` registers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from amaranth import *
from amaranth.lib import stream, wiring

from .fifo import FifoConfig
from .stage import stage_ports

WIDE = 32
"""Bits of a word from which its narrow source gets registers of its own."""


@dataclass(frozen=True, slots=True)
class WidthConverterConfig:
    """Shape of a `WidthConverter`.

    Parameters
    ----------
    element_bits : int - bits of an element, at least 1
    i_lanes : int - elements per input transfer, at least 1
    o_lanes : int - elements per output transfer, at least 1; divides `elements_per_frame`
    elements_per_frame : int - elements of an image, at least 1
    """

    element_bits: int
    i_lanes: int
    o_lanes: int
    elements_per_frame: int

    def __post_init__(self) -> None:
        for name in ("element_bits", "i_lanes", "o_lanes", "elements_per_frame"):
            if getattr(self, name) < 1:
                subject = name.replace("_", " ").capitalize()
                raise ValueError(f"{subject} must be at least 1, not {getattr(self, name)!r}")
        if self.elements_per_frame % self.o_lanes:
            raise ValueError(
                f"Elements per frame must be a multiple of o_lanes={self.o_lanes}, "
                f"not {self.elements_per_frame!r}"
            )

    @property
    def input_width(self) -> int:
        return self.i_lanes * self.element_bits

    @property
    def output_width(self) -> int:
        return self.o_lanes * self.element_bits

    @property
    def inputs_per_frame(self) -> int:
        return -(-self.elements_per_frame // self.i_lanes)

    @property
    def outputs_per_frame(self) -> int:
        return self.elements_per_frame // self.o_lanes

    @property
    def is_wire(self) -> bool:
        """Equal lanes on both sides: no logic at all."""
        return self.i_lanes == self.o_lanes

    @property
    def word_lanes(self) -> int:
        """Elements of the word that is shifted in, out, or both."""
        return math.lcm(self.i_lanes, self.o_lanes)

    @property
    def words_per_frame(self) -> int:
        return -(-self.elements_per_frame // self.word_lanes)

    @property
    def pieces_per_word(self) -> int:
        """Input transfers that make up a word."""
        return self.word_lanes // self.i_lanes

    @property
    def chunks_per_word(self) -> int:
        """Output transfers that a word makes."""
        return self.word_lanes // self.o_lanes

    @property
    def last_chunks(self) -> int:
        """Output transfers that the frame's last word makes: fewer where the frame does not fill it."""
        return self.outputs_per_frame - (self.words_per_frame - 1) * self.chunks_per_word

    @property
    def relay(self) -> FifoConfig:
        """What lies in front of the word that is shifted in: nothing, unless it is wide."""
        is_wide = self.pieces_per_word > 1 and self.word_lanes * self.element_bits >= WIDE
        return FifoConfig(self.input_width, 2 * is_wide, self.inputs_per_frame)

    @property
    def interval_cycles(self) -> int:
        """Each word takes the longer one of filling it and emptying it; the last word may be emptied sooner."""
        whole = max(self.pieces_per_word, self.chunks_per_word)
        return (self.words_per_frame - 1) * whole + max(self.pieces_per_word, self.last_chunks)

    @property
    def latency_cycles(self) -> int:
        """Cycles from the acceptance of a frame's first input to the offer of its first output, inputs in every cycle."""
        if self.is_wire:
            return 0
        narrowing = self.chunks_per_word > 1
        regroups_twice = narrowing and self.pieces_per_word > 1
        return self.relay.latency_cycles + self.pieces_per_word + regroups_twice

    @property
    def storage_bits(self) -> int:
        """Data registers: one word for each of widening and narrowing, and two transfers in front of a wide one."""
        n_words = (self.pieces_per_word > 1) + (self.chunks_per_word > 1)
        return n_words * self.word_lanes * self.element_bits + self.relay.depth * self.input_width

    def component(self) -> WidthConverter:
        return WidthConverter(self)


class WidthConverter(wiring.Component):
    """See the module.

    Members
    -------
    i : In(stream.Signature(unsigned(i_lanes * element_bits))) - lane 0 least significant
    o : Out(stream.Signature(unsigned(o_lanes * element_bits))) - lane 0 least significant
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: WidthConverterConfig) -> None:
        self.config = config
        super().__init__(stage_ports(config.input_width, config.output_width))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        source = wiring.flipped(self.i)
        if config.pieces_per_word > 1:
            m.submodules.relay = relay = config.relay.component()
            m.submodules.widen = widen = _Widen(config)
            wiring.connect(m, source, relay.i)
            wiring.connect(m, relay.o, widen.i)
            source = widen.o
        if config.chunks_per_word > 1:
            m.submodules.narrow = narrow = _Narrow(config)
            wiring.connect(m, source, narrow.i)
            source = narrow.o
        wiring.connect(m, source, wiring.flipped(self.o))
        return m


class _Widen(wiring.Component):
    """Shifts `pieces_per_word` transfers into a word; the register that is shifted is the one that is offered."""

    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: WidthConverterConfig) -> None:
        self.config = config
        self.word_bits = config.word_lanes * config.element_bits
        super().__init__(stage_ports(config.input_width, self.word_bits))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        free, shift, fill = Signal(), Signal(), Signal()
        m.d.comb += [
            free.eq(~self.o.valid | self.o.ready),
            self.i.ready.eq(free & ~fill),
            shift.eq(free & (self.i.valid | fill)),
        ]

        # The first piece ends up least significant. A word that is taken leaves in the cycle in which the next one's first
        # piece arrives, so one register is enough.
        word = Signal(self.word_bits, reset_less=True)
        m.d.comb += self.o.payload.eq(word)
        with m.If(shift):
            m.d.sync += word.eq(Cat(word[config.input_width :], self.i.payload))

        piece = Signal(range(config.pieces_per_word))
        is_last_piece = Signal()
        m.d.comb += is_last_piece.eq(piece == config.pieces_per_word - 1)
        with m.If(shift):
            m.d.sync += piece.eq(Mux(is_last_piece, 0, piece + 1))
        m.d.sync += self.o.valid.eq((shift & is_last_piece) | (self.o.valid & ~self.o.ready))

        # A frame that ends inside a word: the rest of the word is shifted in without asking for input.
        if config.inputs_per_frame % config.pieces_per_word:
            last_input = config.inputs_per_frame - 1
            n_inputs = Signal(range(last_input + 1))
            with m.If(self.i.valid & self.i.ready):
                m.d.sync += n_inputs.eq(Mux(n_inputs == last_input, 0, n_inputs + 1))
                m.d.sync += fill.eq(n_inputs == last_input)
            with m.If(fill & shift & is_last_piece):
                m.d.sync += fill.eq(0)
        return m


class _Narrow(wiring.Component):
    """Shifts a word out in `chunks_per_word` transfers, in `last_chunks` at the end of a frame."""

    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: WidthConverterConfig) -> None:
        self.config = config
        self.word_bits = config.word_lanes * config.element_bits
        super().__init__(stage_ports(self.word_bits, config.output_width))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        chunk = Signal(range(config.chunks_per_word))
        is_last_chunk = Signal()
        load, take = Signal(), Signal()
        word = Signal(self.word_bits, reset_less=True)
        m.d.comb += [
            take.eq(self.o.valid & self.o.ready),
            self.i.ready.eq(~self.o.valid | (is_last_chunk & self.o.ready)),
            load.eq(self.i.valid & self.i.ready),
            self.o.payload.eq(word),
        ]
        with m.If(load):
            m.d.sync += [word.eq(self.i.payload), chunk.eq(0)]
        with m.Elif(take):
            m.d.sync += [
                word.eq(word >> config.output_width),
                chunk.eq(chunk + 1),
            ]
        m.d.sync += self.o.valid.eq(load | (self.o.valid & ~(take & is_last_chunk)))

        # The frame's last word may have fewer chunks: its number is compared with what the word at hand has.
        m.d.comb += is_last_chunk.eq(chunk == config.chunks_per_word - 1)
        if config.last_chunks < config.chunks_per_word:
            last_word = config.words_per_frame - 1
            n_words = Signal(range(last_word + 1))
            is_last_word = Signal(init=last_word == 0)
            with m.If(take & is_last_chunk):
                m.d.sync += [
                    n_words.eq(Mux(is_last_word, 0, n_words + 1)),
                    is_last_word.eq(n_words == (last_word - 1) % (last_word + 1)),
                ]
            with m.If(is_last_word):
                m.d.comb += is_last_chunk.eq(chunk == config.last_chunks - 1)
        return m
