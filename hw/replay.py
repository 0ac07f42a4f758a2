"""Repeats each vector of a stream, while the next one is loaded."""

from dataclasses import dataclass

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.memory import Memory

from .counter import step_counter
from .stage import stage_ports


@dataclass(frozen=True)
class ReplayConfig:
    """Shape of a replay buffer.

    Parameters
    ----------
    width : int - bits of a word, at least 1
    words : int - words of a vector, at least 1
    times : int - how often each vector is sent, at least 2
    vectors_per_frame : int - at least 1
    memory : str - "block" or "logic"; of one word a vector, registers serve whatever is asked for
    """

    width: int
    words: int
    times: int
    vectors_per_frame: int = 1
    memory: str = "block"

    def __post_init__(self) -> None:
        for name, lowest in (("width", 1), ("words", 1), ("times", 2), ("vectors_per_frame", 1)):
            if getattr(self, name) < lowest:
                raise ValueError(
                    f"Replay {name} must be at least {lowest}, not {getattr(self, name)!r}"
                )
        if self.memory not in ("block", "logic"):
            raise ValueError(f"Replay memory must be 'block' or 'logic', not {self.memory!r}")

    @property
    def input_width(self) -> int:
        return self.width

    @property
    def output_width(self) -> int:
        return self.width

    @property
    def inputs_per_frame(self) -> int:
        return self.words * self.vectors_per_frame

    @property
    def outputs_per_frame(self) -> int:
        return self.inputs_per_frame * self.times

    @property
    def interval_cycles(self) -> int:
        """Cycles per frame at full rate: the next vector loads while one is sent, so sending alone counts."""
        return self.outputs_per_frame

    latency_cycles = 2
    """Cycles from the transfer of a vector's last word to the one in which its first word can leave."""

    @property
    def memory_shape(self) -> tuple[int, int]:
        """(depth, width) of the buffer: two vectors, each rounded up to a power of two so that addresses need no adder."""
        return 2 << (self.words - 1).bit_length(), self.width

    def component(self) -> "Replay":
        return Replay(self)


class Replay(wiring.Component):
    """Sends each vector of `words` words `times` times: word 0, 1, ... words - 1, and again from word 0.

    Two banks: the next vector loads into one while the other is sent; a bank is free again as soon as its last word has been
    read for the last time. Nothing of a vector leaves before all of it has arrived.

    Throughput is one output per cycle without a gap, as long as vectors arrive in time; see `ReplayConfig` for the latency.
    `i.ready` depends on registers only: the buffer cuts the back-pressure path.

    Members
    -------
    i : In(stream.Signature(width))
    o : Out(stream.Signature(width))
    """

    def __init__(self, config: ReplayConfig) -> None:
        self.config = config
        super().__init__(stage_ports(config.width, config.width))

    def elaborate(self, platform) -> Module:
        m = Module()
        config = self.config
        depth, width = config.memory_shape

        # Writer and reader never touch the same bank, so what a collision would read does not matter.
        m.submodules.buffer = buffer = Memory(
            shape=width,
            depth=depth,
            init=[],
            attrs={"ram_style": config.memory, "no_rw_check": 1},
        )
        write, read = buffer.write_port(), buffer.read_port()
        full = Array(Signal(name=f"full{bank}") for bank in range(2))

        # Writing: fill one bank, then the other.
        write_bank = Signal()
        write_word = Signal(range(config.words))
        write_is_last = Signal(init=config.words == 1)
        m.d.comb += [
            self.i.ready.eq(~full[write_bank]),
            write.addr.eq(Cat(write_word, write_bank) if config.words > 1 else write_bank),
            write.data.eq(self.i.payload),
            write.en.eq(self.i.valid & self.i.ready),
        ]
        with m.If(write.en):
            step_counter(m, write_word, write_is_last, config.words)
            with m.If(write_is_last):
                m.d.sync += write_bank.eq(~write_bank)

        # Reading: a word may be fetched when the output register is free or is being emptied.
        read_bank = Signal()
        read_word = Signal(range(config.words))
        read_is_last = Signal(init=config.words == 1)
        turn = Signal(range(config.times))
        turn_is_last = Signal()
        fetch = Signal()
        m.d.comb += [
            fetch.eq(full[read_bank] & (~self.o.valid | self.o.ready)),
            read.addr.eq(Cat(read_word, read_bank) if config.words > 1 else read_bank),
            read.en.eq(fetch),
            self.o.payload.eq(read.data),
        ]
        with m.If(fetch):
            m.d.sync += self.o.valid.eq(1)
            step_counter(m, read_word, read_is_last, config.words)
            with m.If(read_is_last):
                step_counter(m, turn, turn_is_last, config.times)
                with m.If(turn_is_last):
                    m.d.sync += read_bank.eq(~read_bank)
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)

        # The banks belong to the reader while full, to the writer while not.
        for bank in range(2):
            with m.If(write.en & write_is_last & (write_bank == bank)):
                m.d.sync += full[bank].eq(1)
            with m.Elif(fetch & read_is_last & turn_is_last & (read_bank == bank)):
                m.d.sync += full[bank].eq(0)
        return m
