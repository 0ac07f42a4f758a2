"""Codes the activations for `ParityPopcount`, on their way into the replay buffer."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .parity_popcount import ParityPopcountConfig, prefix_parities


class ParityCoder(wiring.Component):
    """Replaces each of the lowest `config.coded_lanes` lanes by the parity of all lanes up to it.

    Parities up to every second lane are in registers, so that one LUT lies behind those and a few lie before. The work is done once for
    each transfer and shared by all rows.

    Members
    -------
    enable : In(1) - the register moves only while this is high
    i : In(simd) - lane 0 least significant
    o : Out(simd) - what `i` was one enabled cycle before, coded
    """

    def __init__(self, config: ParityPopcountConfig) -> None:
        self.config = config
        super().__init__({"enable": In(1), "i": In(config.simd), "o": Out(config.simd)})

    def elaborate(self, platform) -> Module:
        m = Module()
        n = self.config.coded_lanes
        lanes = Signal(self.config.simd, reset_less=True)
        pairs = Signal(n // 2, reset_less=True)
        with m.If(self.enable):
            differ = [self.i[k] ^ self.i[k + 1] for k in range(0, n - 1, 2)]
            m.d.sync += [lanes.eq(self.i), pairs.eq(Cat(prefix_parities(differ)))]

        coded = [pairs[k // 2] if k % 2 else lanes[k] for k in range(n)]
        for k in range(2, n, 2):
            coded[k] = coded[k] ^ coded[k - 1]
        m.d.comb += self.o.eq(Cat(*coded, lanes[n:]))
        return m
