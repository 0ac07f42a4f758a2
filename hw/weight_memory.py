"""Weights of a matrix-vector unit, one word per beat."""

from dataclasses import dataclass, field

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from .table import table_lookup

MEMORY_FORMS = ("block", "lut_ram", "logic")
_STYLES = {"block": "block", "lut_ram": "distributed"}


def read_signature(depth: int, width: int) -> wiring.Signature:
    """A read port seen from its reader: `data` is the word at the `address` some enabled cycles before, as many as the memory states."""
    return wiring.Signature({"address": Out(range(depth)), "enable": Out(1), "data": In(width)})


@dataclass(frozen=True)
class WeightMemoryConfig:
    """Contents and form of a weight memory.

    "block" is block RAM. "logic" is constants beside the XNOR: with a fold of 8 or less a lane's weight and its comparison share a
    LUT4 or two. "lut_ram" is LUT RAM, for shallow memories that are written.

    Parameters
    ----------
    width : int - bits of a word, PE * SIMD: bit ``pe * SIMD + lane``
    contents : tuple of int - one word per beat: word ``row_group * (MW // SIMD) + beat``
    memory : str - one of `MEMORY_FORMS`
    writable : bool - whether a loader stream can replace the contents; not for "logic"
    read_latency : int - enabled cycles from address to data, 1 or 2
    """

    width: int
    contents: tuple[int, ...] = field(repr=False)
    memory: str = "block"
    writable: bool = False
    read_latency: int = 1

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"Weight memory width must be at least 1, not {self.width!r}")
        if not self.contents:
            raise ValueError("Weight memory contents must have at least one word")
        if min(self.contents) < 0 or max(self.contents) >> self.width:
            raise ValueError(f"Weight memory words must have at most {self.width} bits")
        if self.memory not in MEMORY_FORMS:
            raise ValueError(f"Weight memory must be one of {MEMORY_FORMS}, not {self.memory!r}")
        if self.writable and self.memory == "logic":
            raise ValueError(
                f"Writable weights must be in 'block' or 'lut_ram' memory, not {self.memory!r}"
            )
        if self.read_latency not in (1, 2):
            raise ValueError(f"Weight read latency must be 1 or 2, not {self.read_latency!r}")

    @property
    def depth(self) -> int:
        return len(self.contents)

    def component(self) -> "WeightMemory":
        return WeightMemory(self)


class WeightMemory(wiring.Component):
    """The weights of one layer, initialised by the bitstream and, where `writable`, replaced through a stream.

    The loader writes word 0, 1, ... and starts again after the last; it is always ready, and must not run while the weights are in
    use. Reset puts the loader back to word 0 and leaves the contents as they are.

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
        if config.memory == "logic":
            address = self._delayed(m, self.read.address, config.read_latency)
            m.d.comb += self.read.data.eq(table_lookup(config.contents, config.width, address))
            return m

        # Left to itself the mapper turns shallow block RAM into LUTs and deep LUT tables into block RAM.
        style = _STYLES[config.memory]
        m.submodules.weights = weights = Memory(
            shape=config.width,
            depth=config.depth,
            init=config.contents,
            attrs={"ram_style": style, "rom_style": style, "no_rw_check": 1},
        )
        port = weights.read_port()
        m.d.comb += [
            port.addr.eq(self.read.address),
            port.en.eq(self.read.enable),
            self.read.data.eq(self._delayed(m, port.data, config.read_latency - 1)),
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

    def _delayed(self, m: Module, value: Value, cycles: int) -> Value:
        for stage in range(cycles):
            register = Signal(len(value), name=f"stage{stage}", reset_less=True)
            with m.If(self.read.enable):
                m.d.sync += register.eq(value)
            value = register
        return value
