"""Codes the activations for `ParityPopcount`, on their way into the replay buffer."""

from functools import reduce
from operator import xor

from amaranth import *
from amaranth.lib import wiring

from .parity_popcount import ParityPopcountConfig, prefix_parities
from .stage import stage_ports

GROUP = 4


class ParityCoder(wiring.Component):
    """Replaces each of the lowest `config.coded_lanes` lanes by the parity of all lanes up to it.

    Parities of whole groups of lanes are ready in the register that holds the lanes, so that only one LUT4 lies behind it and
    about log4 of the lanes before it. The work is shared by all rows: it is done once for each transfer.

    Latency is 1 cycle, throughput one transfer per cycle; `i.ready` follows `o.ready` combinationally.

    Members
    -------
    i, o : stream.Signature(simd) - lane 0 least significant
    """

    latency_cycles = 1

    def __init__(self, config: ParityPopcountConfig) -> None:
        self.config = config
        super().__init__(stage_ports(config.simd, config.simd))

    def elaborate(self, platform) -> Module:
        m = Module()
        n = self.config.coded_lanes
        lanes = Signal(self.config.simd, reset_less=True)
        groups = [range(k, min(k + GROUP, n)) for k in range(0, n, GROUP)]
        totals = Signal(len(groups) - 1, reset_less=True)
        m.d.comb += self.i.ready.eq(~self.o.valid | self.o.ready)
        with m.If(self.i.ready):
            payload = self.i.payload
            sums = [reduce(xor, [payload[k] for k in group]) for group in groups[:-1]]
            m.d.sync += [
                self.o.valid.eq(self.i.valid),
                lanes.eq(payload),
                totals.eq(Cat(prefix_parities(sums))),
            ]

        coded = []
        for index, group in enumerate(groups):
            before = [totals[index - 1]] if index else []
            for k in group:
                is_total = k == group[-1] and index < len(groups) - 1
                own = [lanes[lane] for lane in range(group[0], k + 1)]
                coded.append(totals[index] if is_total else reduce(xor, before + own))
        m.d.comb += self.o.payload.eq(Cat(*coded, lanes[n:]))
        return m
