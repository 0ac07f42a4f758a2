"""`rbonn.hw.parity_coder`: each coded lane is the parity of all lanes up to it, one enabled cycle later."""

import random
from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator
from rbonn.hw.parity_coder import ParityCoder
from rbonn.hw.parity_popcount import ParityPopcountConfig


@pytest.mark.parametrize("simd", [1, 2, 3, 4, 5, 8, 13, 16])
def test_coded_lanes_are_parities_and_the_others_pass(simd: int) -> None:
    config = ParityPopcountConfig(simd, "portable")
    coder, rng = ParityCoder(config), random.Random(simd)

    async def bench(ctx: Any) -> None:
        held = None
        for _ in range(60):
            word, enable = rng.getrandbits(simd), rng.random() < 0.7
            ctx.set(coder.i, word)
            ctx.set(coder.enable, enable)
            await ctx.tick()
            held = word if enable else held
            if held is not None:
                lanes = np.array([held >> k & 1 for k in range(simd)])
                coded = np.cumsum(lanes) % 2
                coded[config.coded_lanes :] = lanes[config.coded_lanes :]
                assert ctx.get(coder.o) == sum(int(bit) << k for k, bit in enumerate(coded))

    simulator = Simulator(coder)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
