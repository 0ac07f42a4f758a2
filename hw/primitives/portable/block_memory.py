"""Block RAM as synthesis infers it."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.memory import Memory

from ..block_memory_config import BlockMemoryConfig


class PortableBlockMemory(wiring.Component):
    """See `block_memory`. The second cycle of latency is a register of the fabric."""

    def __init__(self, config: BlockMemoryConfig) -> None:
        self.config = config
        super().__init__(config.members)

    def elaborate(self, platform) -> Module:
        m = Module()
        config = self.config
        # Left to itself the mapper turns shallow block RAM into LUTs; and it surrounds RAM with logic for collisions.
        m.submodules.memory = memory = Memory(
            shape=config.width,
            depth=config.depth,
            init=config.contents,
            attrs={"ram_style": "block", "rom_style": "block", "no_rw_check": 1},
        )
        port = memory.read_port()
        m.d.comb += [port.addr.eq(self.read.address), port.en.eq(self.read.enable)]
        if config.read_latency == 1:
            m.d.comb += self.read.data.eq(port.data)
        else:
            with m.If(self.output_enable if config.output_enable else self.read.enable):
                m.d.sync += self.read.data.eq(port.data)
        if config.writable:
            write = memory.write_port()
            m.d.comb += [
                write.addr.eq(self.write.address),
                write.data.eq(self.write.data),
                write.en.eq(self.write.enable),
            ]
        return m
