"""First in, first out: cuts the paths between two stages and evens out their unequal pace.

`depth` is the exact number of transfers that the FIFO holds while its output is not taken, registers counted, so that a planned depth
can be proved to be enough.

* depth 0 is a wire: no cycle, no storage, and the stages' handshakes are joined combinationally.
* depth 1 is one register: it cuts the payload and `valid`, and takes a new transfer in the cycle in which it gives the old one
  away, so `i.ready` follows `o.ready` combinationally.
* depth 2 is two registers (a skid buffer): every output, `i.ready` included, comes from a register.
* depth 3 and more is a memory of depth - 1 words in front of an output register; with `read_latency` 2, from depth 4 on, one of
  depth - 2 words in front of two registers, each of which moves on by itself, so that all places fill.

Latency is 0 cycles for depth 0, 1 cycle for depths 1 and 2, 2 cycles for depth 3 and more, or 3 with `read_latency` 2; throughput is
one transfer per cycle. A reset empties it.

Storage is depth * width bits: registers up to depth 2, then block RAM, or LUT RAM or registers where asked for. Read latency 2 takes
the output register of a block RAM: of an ECP5 it answers in 1 ns instead of 6, and the cells are as few as those of
`Ecp5BlockMemory`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory

from .primitives.block_memory import BlockMemoryConfig, block_memory
from .stage import stage_ports

FIFO_MEMORIES = ("block", "lut_ram", "logic")


@dataclass(frozen=True, slots=True)
class FifoConfig:
    """Shape of a `Fifo`.

    Parameters
    ----------
    width : int - bits of the payload, at least 1
    depth : int - transfers it holds, at least 0
    transfers_per_frame : int - transfers per image, at least 1; only the interval depends on it
    memory : "block", "lut_ram" or "logic" - what the words of a FIFO deeper than 2 are made of
    read_latency : int - cycles that those words take, 1, or 2 in block RAM; a FIFO of depth 3 has 1 in any case
    form : str - what "block" is made of with read latency 2, see `primitives.block_memory`
    """

    width: int
    depth: int
    transfers_per_frame: int = 1
    memory: Literal["block", "lut_ram", "logic"] = "block"
    read_latency: int = 1
    form: str = "portable"

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"Width must be at least 1, not {self.width!r}")
        if self.depth < 0:
            raise ValueError(f"Depth must be at least 0, not {self.depth!r}")
        if self.transfers_per_frame < 1:
            raise ValueError(
                f"Transfers per frame must be at least 1, not {self.transfers_per_frame!r}"
            )
        if self.memory not in FIFO_MEMORIES:
            raise ValueError(f"Memory must be one of {FIFO_MEMORIES}, not {self.memory!r}")
        if self.read_latency not in (1, 2):
            raise ValueError(f"Read latency must be 1 or 2, not {self.read_latency!r}")
        if self.read_latency == 2 and self.memory != "block":
            raise ValueError(
                f"Read latency must be 1 outside of block RAM, not 2 in {self.memory!r}"
            )
        _ = self.block  # its own conditions

    @property
    def input_width(self) -> int:
        return self.width

    @property
    def output_width(self) -> int:
        return self.width

    @property
    def inputs_per_frame(self) -> int:
        return self.transfers_per_frame

    @property
    def outputs_per_frame(self) -> int:
        return self.transfers_per_frame

    @property
    def interval_cycles(self) -> int:
        """One transfer per cycle at any depth."""
        return self.transfers_per_frame

    @property
    def latency_cycles(self) -> int:
        """Cycles from the acceptance of a transfer by an empty FIFO to the cycle that offers it."""
        return min(self.depth, 1) if self.depth <= 2 else 1 + self.n_registers

    @property
    def n_registers(self) -> int:
        """Places that are not words of the memory, where there is one."""
        return 1 if self.depth == 3 else self.read_latency

    @property
    def block(self) -> BlockMemoryConfig | None:
        """The block RAM with its output register, where there is one: as many words as their counters count, which takes no more RAM."""
        if self.depth <= 2 or self.n_registers == 1:
            return None
        return BlockMemoryConfig(
            width=self.width,
            depth=1 << (self.depth - 3).bit_length(),
            read_latency=2,
            writable=True,
            form=self.form,
            output_enable=True,
        )

    def component(self) -> Fifo:
        return Fifo(self)


class Fifo(wiring.Component):
    """See the module.

    Members
    -------
    i : In(stream.Signature(unsigned(width)))
    o : Out(stream.Signature(unsigned(width))) - the same transfers in the same order
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: FifoConfig) -> None:
        self.config = config
        super().__init__(stage_ports(config.width, config.width))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        match self.config.depth:
            case 0:
                wiring.connect(m, wiring.flipped(self.i), wiring.flipped(self.o))
            case 1:
                self._one_register(m)
            case 2:
                self._two_registers(m)
            case _:
                self._memory(m)
        return m

    def _one_register(self, m: Module) -> None:
        payload = Signal(self.config.width, reset_less=True)
        m.d.comb += [
            self.i.ready.eq(~self.o.valid | self.o.ready),
            self.o.payload.eq(payload),
        ]
        m.d.sync += self.o.valid.eq(self.i.valid | ~self.i.ready)
        with m.If(self.i.ready):
            m.d.sync += payload.eq(self.i.payload)

    def _two_registers(self, m: Module) -> None:
        # The spare register catches the transfer that arrives in the cycle in which the output stalls; the producer
        # learns of the stall one cycle later, from a register. `i.ready` and a full spare are each other's inverse.
        payload = Signal(self.config.width, reset_less=True)
        spare = Signal(self.config.width, reset_less=True)
        is_spare_free = Signal(init=1)
        m.d.comb += [self.i.ready.eq(is_spare_free), self.o.payload.eq(payload)]
        with m.If(is_spare_free):
            m.d.sync += spare.eq(self.i.payload)
        moves = self.o.ready | ~self.o.valid
        with m.If(moves):
            m.d.sync += payload.eq(Mux(is_spare_free, self.i.payload, spare))
        # Gates, and not clock enables, which place and route would bind to those of the payload.
        m.d.sync += [
            self.o.valid.eq(self.i.valid | ~is_spare_free | ~moves),
            is_spare_free.eq(moves | (is_spare_free & ~self.i.valid)),
        ]

    def _memory(self, m: Module) -> None:
        # The registers behind the words are the last of the `depth` places. Read and write never meet on a word: it is
        # written only while free and read only while taken.
        n_words = self.config.depth - self.config.n_registers
        # Where that takes no more memory there are as many words as their numbers, which return to 0 by themselves.
        rounds_up = self.config.block is not None or self.config.memory == "lut_ram"
        n_slots = 1 << (n_words - 1).bit_length() if rounds_up else n_words
        write_index, read_index = Signal(range(n_slots)), Signal(range(n_slots))
        n_taken = Signal(range(n_words + 1))
        is_full, is_empty = Signal(), Signal(init=1)
        put, get = Signal(), Signal()
        m.d.comb += [self.i.ready.eq(~is_full), put.eq(self.i.valid & ~is_full)]
        if self.config.block is not None:
            m.d.comb += get.eq(~is_empty & self._block_words(m, put, write_index, get, read_index))
        else:
            m.d.comb += get.eq(~is_empty & self._words(m, put, write_index, get, read_index))
        for moved, index in ((put, write_index), (get, read_index)):
            wraps = index == n_slots - 1 if n_slots & (n_slots - 1) else 0
            with m.If(moved):
                m.d.sync += index.eq(Mux(wraps, 0, index + 1))
        with m.If(put & ~get):
            m.d.sync += [
                n_taken.eq(n_taken + 1),
                is_full.eq(n_taken == n_words - 1),
                is_empty.eq(0),
            ]
        with m.Elif(get & ~put):
            m.d.sync += [n_taken.eq(n_taken - 1), is_full.eq(0), is_empty.eq(n_taken == 1)]

    def _words(
        self, m: Module, put: Signal, write_index: Signal, get: Signal, read_index: Signal
    ) -> Value:
        """The words and the register that they are read into; answers whether that can take one."""
        is_lut_ram = self.config.memory == "lut_ram"
        m.submodules.words = words = Memory(
            shape=unsigned(self.config.width),
            depth=1 << len(write_index) if is_lut_ram else self.config.depth - 1,
            init=[],
            attrs={
                "ram_style": "distributed" if is_lut_ram else self.config.memory,
                "no_rw_check": 1,
            },
        )
        write, read = words.write_port(), words.read_port()
        m.d.comb += [
            write.en.eq(put),
            write.addr.eq(write_index),
            write.data.eq(self.i.payload),
            read.en.eq(get),
            read.addr.eq(read_index),
            self.o.payload.eq(read.data),
        ]
        m.d.sync += self.o.valid.eq(get | (self.o.valid & ~self.o.ready))
        return ~self.o.valid | self.o.ready

    def _block_words(
        self, m: Module, put: Signal, write_index: Signal, get: Signal, read_index: Signal
    ) -> Value:
        """The same with both registers of a block RAM; the first one may fill while the second one waits."""
        assert self.config.block is not None
        m.submodules.words = words = block_memory(self.config.block)
        is_read, moves = Signal(), Signal()
        m.d.comb += [
            words.write.enable.eq(put),
            words.write.address.eq(write_index),
            words.write.data.eq(self.i.payload),
            words.read.enable.eq(get),
            words.read.address.eq(read_index),
            moves.eq(~self.o.valid | self.o.ready),
            words.output_enable.eq(moves),
            self.o.payload.eq(words.read.data),
        ]
        m.d.sync += [self.o.valid.eq(is_read | ~moves), is_read.eq(get | (is_read & ~moves))]
        return ~is_read | moves
