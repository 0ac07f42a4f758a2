"""CRC-32 of a stream of bytes, one bit per cycle."""

from amaranth import *
from amaranth.lib import crc, stream, wiring
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.wiring import In, Out


class Crc32(wiring.Component):
    """CRC-32 as zlib and Ethernet have it, over the bytes since `clear`, least significant bit first.

    A byte is offered for eight cycles and transferred in the last one. Whatever else takes the byte does so in the first of them,
    which `hold` delays. One bit per cycle takes 32 flip-flops and 14 exclusive-ors, where a byte per cycle takes some 200 LUT4.

    With `read_out` high the register does not absorb the byte but gives away its own next one: `crc[:8]` is the byte in the
    first cycle, and the register shifts by eight bits.

    Throughput is one byte per 8 cycles; `crc` and `match` count a byte from the cycle after its transfer.

    Members
    -------
    i : In(stream.Signature(8)) - bytes
    clear : In(1) - start again; not while a byte is offered
    hold : In(1) - stay in the byte's first cycle
    read_out : In(1) - shift a byte out; constant while a byte is offered
    first : Out(1) - the byte that is offered, if any, is in its first cycle
    crc : Out(32) - CRC of the bytes so far, as ``zlib.crc32`` returns it
    match : Out(1) - the last four bytes were the CRC of those before them
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "clear": In(1),
                "hold": In(1),
                "read_out": In(1),
                "first": Out(1),
                "crc": Out(32),
                "match": Out(1),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        # Cleared by its flip-flops' reset, which takes no logic; its own `start` would.
        register = crc.Processor(CRC32_ISO_HDLC(data_width=1))
        m.submodules.register = ResetInserter(self.clear)(register)
        bit = Signal(3)
        m.d.comb += [
            self.first.eq(bit == 0),
            self.i.ready.eq(bit == 7),
            register.valid.eq(self.i.valid & ~(self.first & self.hold)),
            # Fed with its own next bit (the output is inverted), the register gets a zero.
            register.data.eq(
                Mux(self.read_out, ~register.crc[0], self.i.payload.bit_select(bit, 1))
            ),
            self.crc.eq(register.crc),
            self.match.eq(register.match_detected),
        ]
        with m.If(register.valid):
            m.d.sync += bit.eq(bit + 1)
        return m
