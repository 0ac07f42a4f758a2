"""Drives a pipelined tree that has no stream: one beat per enabled cycle, the enable stalled at random."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from amaranth.sim import Simulator

PERIOD_S = 1e-6


def sums_of(
    tree: Any, beats: Sequence[tuple[int, int]], latency_cycles: int, seed: int | None = None
) -> list[int]:
    """The tree's output for each (activations, weights) of `beats`, `latency_cycles` enabled cycles after it.

    With a `seed`, the enable is low in cycles drawn at random, with other beats offered.
    """
    rng = random.Random(seed)
    results = []

    async def bench(ctx: Any) -> None:
        pending = [*beats, *[(0, 0)] * latency_cycles]
        enabled = 0
        while enabled < len(pending):
            go = seed is None or rng.random() < 0.6
            # What is offered while the enable is low must not matter.
            activations, weights = pending[enabled] if go else rng.choice(pending)
            ctx.set(tree.activations, activations)
            ctx.set(tree.weights, weights)
            ctx.set(tree.enable, go)
            if go and enabled >= latency_cycles:
                results.append(ctx.get(tree.o))
            await ctx.tick()
            enabled += go

    simulator = Simulator(tree)
    simulator.add_clock(PERIOD_S)
    simulator.add_testbench(bench)
    simulator.run()
    return results
