"""Weights of a matrix-vector unit, one word per beat."""

from dataclasses import dataclass, field

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

MEMORY_FORMS = ("block", "logic")


def read_signature(depth: int, width: int) -> wiring.Signature:
    """A synchronous read port seen from its reader: `data` is the word at the `address` of the last cycle with `enable`."""
    return wiring.Signature({"address": Out(range(depth)), "enable": Out(1), "data": In(width)})


@dataclass(frozen=True)
class WeightMemoryConfig:
    """Contents and form of a weight memory.

    Parameters
    ----------
    width : int - bits of a word, PE * SIMD: bit ``pe * SIMD + lane``
    contents : tuple of int - one word per beat: word ``row_group * (MW // SIMD) + beat``
    memory : str - "block" (block RAM) or "logic" (constants in LUTs)
    writable : bool - whether a loader stream can replace the contents; only for "block"
    """

    width: int
    contents: tuple[int, ...] = field(repr=False)
    memory: str = "block"
    writable: bool = False

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"Weight memory width must be at least 1, not {self.width!r}")
        if not self.contents:
            raise ValueError("Weight memory contents must have at least one word")
        if min(self.contents) < 0 or max(self.contents) >> self.width:
            raise ValueError(f"Weight memory words must have at most {self.width} bits")
        if self.memory not in MEMORY_FORMS:
            raise ValueError(f"Weight memory must be one of {MEMORY_FORMS}, not {self.memory!r}")
        if self.writable and self.memory != "block":
            raise ValueError(f"Writable weights must be in 'block' memory, not {self.memory!r}")

    @property
    def depth(self) -> int:
        return len(self.contents)

    def component(self) -> "WeightMemory":
        return WeightMemory(self)


class WeightMemory(wiring.Component):
    """The weights of one layer, initialised by the bitstream and, where `writable`, replaced through a stream.

    A read takes one cycle. The loader writes word 0, 1, ... and starts again after the last; it is always ready, and must
    not run while the weights are in use. Reset puts the loader back to word 0 and leaves the contents as they are.

    Members
    -------
    read : In(read_signature(depth, width))
    i_load : In(stream.Signature(width)) - only where `writable`
    """

    def __init__(self, config: WeightMemoryConfig) -> None:
        self.config = config
        members = {"read": In(read_signature(config.depth, config.width))}
        if config.writable:
            members["i_load"] = In(stream.Signature(unsigned(config.width)))
        super().__init__(members)

    def elaborate(self, platform) -> Module:
        m = Module()
        config = self.config
        # Left to itself the mapper turns shallow block RAM into LUTs and deep LUT tables into block RAM.
        m.submodules.weights = weights = Memory(
            shape=config.width,
            depth=config.depth,
            init=config.contents,
            attrs={"ram_style": config.memory, "rom_style": config.memory, "no_rw_check": 1},
        )
        port = weights.read_port()
        m.d.comb += [
            port.addr.eq(self.read.address),
            port.en.eq(self.read.enable),
            self.read.data.eq(port.data),
        ]
        if config.writable:
            write = weights.write_port()
            word = Signal(range(config.depth))
            m.d.comb += [
                self.i_load.ready.eq(1),
                write.addr.eq(word),
                write.data.eq(self.i_load.payload),
                write.en.eq(self.i_load.valid),
            ]
            with m.If(self.i_load.valid):
                m.d.sync += word.eq(Mux(word == config.depth - 1, 0, word + 1))
        return m
