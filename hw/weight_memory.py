"""Weights of a matrix-vector unit, one word per beat."""

from dataclasses import dataclass, field

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, connect

from .copies import copies, nearest
from .primitives.block_memory import BlockMemoryConfig, block_memory, read_signature
from .registers import delayed
from .table import column_lookup, table_columns, table_lookup

MEMORY_FORMS = ("block", "lut_ram", "logic")


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
    form : str - what "block" is made of, see `primitives.block_memory`; in the form "ecp5" constants stand in front of the last register, because
        what compares there is no LUT that could take them in
    rows : int - rows of a word, PE; divides `width`
    """

    width: int
    contents: tuple[int, ...] = field(repr=False)
    memory: str = "block"
    writable: bool = False
    read_latency: int = 1
    form: str = "portable"
    rows: int = 1

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"Weight memory width must be at least 1, not {self.width!r}")
        if self.rows < 1 or self.width % self.rows:
            raise ValueError(
                f"Weight memory rows must divide its width {self.width}, not {self.rows!r}"
            )
        if not self.contents:
            raise ValueError("Weight memory contents must have at least one word")
        if min(self.contents) < 0 or max(self.contents) >> self.width:
            raise ValueError(
                f"Weight memory words must have at most {self.width} bits, not {max(self.contents).bit_length()}"
            )
        if self.memory not in MEMORY_FORMS:
            raise ValueError(f"Weight memory must be one of {MEMORY_FORMS}, not {self.memory!r}")
        if self.writable and self.memory == "logic":
            raise ValueError(
                f"Writable weights must be in 'block' or 'lut_ram' memory, not {self.memory!r}"
            )
        if self.read_latency not in (1, 2):
            raise ValueError(f"Weight read latency must be 1 or 2, not {self.read_latency!r}")
        assert self.block  # its own conditions

    @property
    def block(self) -> BlockMemoryConfig:
        """The memory in the form "block"."""
        return BlockMemoryConfig(
            width=self.width,
            depth=self.depth,
            contents=self.contents,
            read_latency=self.read_latency,
            writable=self.writable,
            form=self.form,
        )

    @property
    def depth(self) -> int:
        return len(self.contents)

    @property
    def lanes(self) -> int:
        """Bits of each row of a word."""
        return self.width // self.rows

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
        if config.memory == "block":
            write = self._block(m)
        elif config.memory == "lut_ram":
            write = self._lut_ram(m)
        else:
            self._logic(m)
            write = None

        if write is not None and config.writable:
            write_enable, write_address, write_data = write
            word = Signal(range(config.depth))
            m.d.comb += [
                self.i_load.ready.eq(1),
                write_address.eq(word),
                write_data.eq(self.i_load.payload),
                write_enable.eq(self.i_load.valid),
            ]
            with m.If(self.i_load.valid):
                m.d.sync += word.eq(Mux(word == config.depth - 1, 0, word + 1))
        return m

    def _logic(self, m: Module) -> None:
        config, enable = self.config, self.read.enable
        is_registered = config.form == "ecp5"
        address = delayed(
            m, enable, "stage", self.read.address, config.read_latency - is_registered
        )
        if not is_registered:
            m.d.comb += self.read.data.eq(table_lookup(config.contents, config.width, address))
            return
        # Lanes with the same weights in all words share a register or a few, and one whose weight never changes has none. Each looks its weight
        # up for itself: of a table that were cut into lanes, every lane would be a copy.
        lanes = table_columns(config.contents, config.width)
        one = (1 << config.depth) - 1
        data: list[Value] = [C(column & 1, 1) for column in lanes]
        for index, column in enumerate(sorted(set(lanes) - {0, one})):
            # Rows compare the same lane of a vector, so those of a lane are near to each other.
            readers = [k for k, other in enumerate(lanes) if other == column]
            readers.sort(key=lambda k: k % config.lanes)
            weight = column_lookup(column, config.depth, address)
            held = copies(m, enable, f"weight_{index}", weight, len(readers), config.form)
            for place, k in enumerate(readers):
                data[k] = nearest(held, place, len(readers))
        m.d.comb += self.read.data.eq(Cat(data))

    def _block(self, m: Module) -> tuple[Value, Value, Value] | None:
        """Connects the read port and returns the write port, if there is one: enable, address, data."""
        m.submodules.block = block = block_memory(self.config.block)
        connect(m, wiring.flipped(self.read), block.read)
        if not self.config.writable:
            return None
        return block.write.enable, block.write.address, block.write.data

    def _lut_ram(self, m: Module) -> tuple[Value, Value, Value] | None:
        """The same of a memory that is read combinationally; its address waits, so that no register is wider than need be."""
        config = self.config
        m.submodules.words = words = Memory(
            shape=config.width,
            depth=config.depth,
            init=config.contents,
            attrs={"ram_style": "distributed", "rom_style": "distributed", "no_rw_check": 1},
        )
        port = words.read_port(domain="comb")
        address = delayed(m, self.read.enable, "stage", self.read.address, config.read_latency)
        m.d.comb += [port.addr.eq(address), self.read.data.eq(port.data)]
        if not config.writable:
            return None
        write = words.write_port()
        return write.en, write.addr, write.data
