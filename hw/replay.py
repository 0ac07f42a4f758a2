"""Keeps a vector while it is used: the array reads each one once for every group of rows."""

from dataclasses import dataclass
from typing import Any

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from .copies import copies, n_copies
from .counter import step_counter
from .parity_coder import ParityCoder
from .parity_popcount import ParityPopcountConfig
from .primitives.block_memory import (
    BlockMemoryConfig,
    block_memory,
    read_signature,
    write_signature,
)
from .registers import delayed

FLIP_FLOPS = 2
"""Flip-flops of a slice, which share a clock enable."""

REPLAY_MEMORIES = ("block", "lut_ram", "logic", "register")


def beats_signature(words: int, width: int) -> wiring.Signature:
    """Access to one vector after the other, seen from their reader.

    `available` says that word `word` of the current vector can be read; `take` reads it, and its `data` are there as many enabled
    cycles later as the buffer states. `last` marks the last read of a vector; the next one follows.
    """
    return wiring.Signature(
        {
            "available": In(1),
            "word": Out(range(words)),
            "take": Out(1),
            "last": Out(1),
            "enable": Out(1),
            "data": In(width),
        }
    )


@dataclass(frozen=True)
class ReplayConfig:
    """Shape of a replay buffer.

    Parameters
    ----------
    width : int - bits of a word, at least 1
    words : int - words of a vector, at least 1
    times : int - how often each vector is read, at least 1; once: nothing is buffered, a word is read while it is offered
    memory : str - two banks in "block", "lut_ram" or "logic"; of one word a vector, registers serve whatever is asked for. "register", for
        vectors of one word: no banks, a word is taken for its first use into the register that all its uses read
    read_latency : int - enabled cycles from `take` to `data`, 1 or 2
    form : str - what "block" is made of, see `primitives.block_memory`
    offer_latency : int - cycles from the offer of a word to its first use from a "register", 0 or 1: with 1 a register says that there is one, and
        `beats.available` does not depend on `i.valid`
    coding : ParityPopcountConfig or None - how words are coded before they are kept
    """

    width: int
    words: int
    times: int
    memory: str = "block"
    read_latency: int = 1
    form: str = "portable"
    offer_latency: int = 0
    coding: ParityPopcountConfig | None = None

    def __post_init__(self) -> None:
        for name in ("width", "words", "times"):
            if getattr(self, name) < 1:
                raise ValueError(f"Replay {name} must be at least 1, not {getattr(self, name)!r}")
        if self.memory not in REPLAY_MEMORIES:
            raise ValueError(f"Replay memory must be one of {REPLAY_MEMORIES}, not {self.memory!r}")
        if self.memory == "register" and self.words > 1:
            raise ValueError(f"Replay from a register must be of 1 word, not {self.words}")
        if self.read_latency not in (1, 2):
            raise ValueError(f"Replay read latency must be 1 or 2, not {self.read_latency!r}")
        if not 0 <= self.offer_latency <= self.has_register:
            raise ValueError(
                f"Replay offer latency must be 0, or 1 from a register, not {self.offer_latency!r}"
            )
        if self.coding is not None and self.coding.simd != self.width:
            raise ValueError(f"Replay coding must be of {self.width} lanes, not {self.coding.simd}")
        _ = self.block  # its own conditions

    @property
    def is_buffered(self) -> bool:
        return self.times > 1 and self.memory != "register"

    @property
    def has_register(self) -> bool:
        return self.times > 1 and self.memory == "register"

    @property
    def early_cycles(self) -> int:
        """Enabled cycles from the offer of a word that is used at once to its transfer: a register takes it when its data are due."""
        return self.offer_latency + self.read_latency - 1 if self.has_register else 0

    @property
    def due_readers(self) -> int:
        """Slices that the register of a word takes, each with a clock enable."""
        return -(-self.width // FLIP_FLOPS)

    @property
    def due_copies(self) -> int:
        """Copies of what lets a word into its register. A coder has one clock enable for all."""
        can_wait = self.has_register and self.read_latency == 2 and self.coding is None
        return n_copies(self.due_readers, self.form) if can_wait else 1

    @property
    def fill_cycles(self) -> int:
        """Cycles from the transfer of a vector's last word, or its offer where it is not buffered, to the one in which its first word can be taken."""
        if not self.is_buffered:
            return self.offer_latency
        codes_first_word = self.coding is not None and self.words == 1
        return 1 + codes_first_word

    @property
    def memory_shape(self) -> tuple[int, int]:
        """(depth, width) of the buffer: two vectors, each rounded up to a power of two so that addresses need no adder."""
        return (2 << (self.words - 1).bit_length() if self.is_buffered else 0), self.width

    @property
    def block(self) -> BlockMemoryConfig | None:
        """The memory in the form "block", if there is a buffer."""
        if not self.is_buffered:
            return None
        depth, width = self.memory_shape
        return BlockMemoryConfig(
            width=width,
            depth=depth,
            read_latency=self.read_latency,
            writable=True,
            form=self.form,
        )

    def component(self) -> "Replay":
        return Replay(self)


class Replay(wiring.Component):
    """Two banks: the next vector loads into one while the other is read; a bank is free again after its last read.

    Nothing of a vector is available before all of it has arrived. `i.ready` depends on registers only: the buffer cuts the
    back-pressure path. A vector that is read once is not buffered: `i` is taken as it is read. Of one that is kept in a register the first read
    is that of the offered word, which is taken then or a cycle later; without a gap if the next one is offered `offer_latency` cycles before it can be
    used.

    Members
    -------
    i : In(stream.Signature(width))
    beats : In(beats_signature(words, width))
    """

    def __init__(self, config: ReplayConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(unsigned(config.width))),
                "beats": In(beats_signature(config.words, config.width)),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        config, beats = self.config, self.beats
        if config.is_buffered:
            self._buffer(m)
        elif config.has_register:
            self._register(m)
        else:
            m.d.comb += [
                beats.available.eq(self.i.valid),
                self.i.ready.eq(beats.take),
                beats.data.eq(self._payload(m, beats.enable, config.read_latency)),
            ]
        return m

    def _register(self, m: Module) -> None:
        config, beats = self.config, self.beats
        is_first = Signal(init=1)
        with m.If(beats.take):
            m.d.sync += is_first.eq(beats.last)
        is_due = first_use = beats.take & is_first
        if config.read_latency == 2:
            # The first of its cycles passes before the word is taken, and not in a second register.
            is_due = Signal()
            with m.If(beats.enable):
                m.d.sync += is_due.eq(first_use)
        moves = beats.enable & is_due
        lets_in = [moves]
        if config.due_copies > 1:
            # They have no reset; what one lets in after a restart is not read.
            held = copies(
                m, beats.enable, "is_due_near", first_use, config.due_readers, config.form
            )
            lets_in = [beats.enable & copy for copy in held]
        is_offered = self.i.valid
        if config.offer_latency:
            # The word that is taken in this cycle has had its first use, and is no offer any more.
            is_offered = Signal()
            m.d.sync += is_offered.eq(self.i.valid & ~moves)
        m.d.comb += [
            beats.available.eq(is_offered | ~is_first),
            self.i.ready.eq(moves),
            beats.data.eq(self._let_in(m, lets_in)),
        ]

    def _let_in(self, m: Module, enables: list[Value]) -> Value:
        """The payload of the last enabled cycle: as many parts as there are enables."""
        if len(enables) == 1:
            return self._payload(m, enables[0], 1)
        bounds = [k * self.config.width // len(enables) for k in range(len(enables) + 1)]
        return Cat(
            delayed(m, enable, f"data_part{k}_", self.i.payload[bounds[k] : bounds[k + 1]], 1)
            for k, enable in enumerate(enables)
        )

    def _payload(self, m: Module, enable: Value, latency: int) -> Value:
        """The word that was offered `latency` enabled cycles ago, at least 1; coded if words are to be."""
        if self.config.coding is None:
            return delayed(m, enable, "data", self.i.payload, latency)
        return delayed(m, enable, "data", self._coded(m, enable), latency - 1)

    def _coded(self, m: Module, enable: Value) -> Value:
        """The payload of the last enabled cycle, coded."""
        m.submodules.coder = coder = ParityCoder(self.config.coding)
        m.d.comb += [coder.enable.eq(enable), coder.i.eq(self.i.payload)]
        return coder.o

    def _buffer(self, m: Module) -> None:
        config = self.config

        # Writer and reader never touch the same bank, so what a collision would read does not matter.
        write, read = self._memory(m)
        # Banks are filled and read in turn, so their number is enough: a register for one or two, another one for two.
        has_one, has_both = Signal(), Signal()

        # Writing: fill one bank, then the other.
        write_bank = Signal()
        write_word = Signal(range(config.words))
        write_is_last = Signal(init=config.words == 1)
        accept, address = Signal(), Cat(write_word, write_bank) if config.words > 1 else write_bank
        m.d.comb += [self.i.ready.eq(~has_both), accept.eq(self.i.valid & self.i.ready)]
        filled = accept & write_is_last
        if config.coding is None:
            m.d.comb += [
                write.address.eq(address),
                write.data.eq(self.i.payload),
                write.enable.eq(accept),
            ]
        else:
            m.d.sync += [write.address.eq(address), write.enable.eq(accept)]
            m.d.comb += write.data.eq(self._coded(m, C(1, 1)))
            if config.words == 1:
                # The only word is read in the next cycle, so it has to be there.
                m.d.comb += self.i.ready.eq(~has_both & ~write.enable)
                filled = write.enable
        with m.If(accept):
            step_counter(m, write_word, write_is_last, config.words)

        read_bank = Signal()
        m.d.comb += [
            self.beats.available.eq(has_one),
            read.address.eq(Cat(self.beats.word, read_bank) if config.words > 1 else read_bank),
            read.enable.eq(self.beats.enable),
            self.beats.data.eq(read.data),
        ]
        release = self.beats.take & self.beats.last

        # Gates and not conditions, which would become clock enables: those are reached later than a flip-flop's LUT. No bank is filled
        # while there are two, none is released while there is none.
        m.d.sync += [
            write_bank.eq(write_bank ^ (accept & write_is_last)),
            read_bank.eq(read_bank ^ release),
            has_one.eq(filled | has_both | (has_one & ~release)),
            has_both.eq((has_both | (has_one & filled)) & ~release),
        ]

    def _memory(self, m: Module) -> tuple[Any, Any]:
        """Write and read port of the buffer, of `block_memory`'s signatures."""
        config = self.config
        depth, width = config.memory_shape
        if config.memory == "block":
            assert config.block is not None
            m.submodules.buffer = buffer = block_memory(config.block)
            return buffer.write, buffer.read
        write = write_signature(depth, width).create()
        read = read_signature(depth, width).create()
        m.submodules.buffer = buffer = Memory(
            shape=width,
            depth=depth,
            init=[],
            attrs={"ram_style": {"lut_ram": "distributed", "logic": "logic"}[config.memory]},
        )
        write_port, read_port = buffer.write_port(), buffer.read_port(domain="comb")
        m.d.comb += [
            write_port.addr.eq(write.address),
            write_port.data.eq(write.data),
            write_port.en.eq(write.enable),
            read_port.addr.eq(read.address),
            read.data.eq(
                delayed(m, self.beats.enable, "data", read_port.data, config.read_latency)
            ),
        ]
        return write, read
