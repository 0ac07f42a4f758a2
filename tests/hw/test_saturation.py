"""`rbonn.hw.saturation`: every number of a range, against NumPy's clip."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.hw.saturation import output_range, saturated, signed_bits


def limited(lowest: int, highest: int, bits: int, is_signed: bool) -> list[int]:
    """`saturated` of every number of the range, as codes."""
    m, o = Module(), Signal(bits)
    value = Signal(range(lowest, highest + 1))
    wide = Signal(signed_bits(lowest, highest)).as_signed()
    m.d.comb += o.eq(saturated(wide, bits, is_signed=is_signed, lowest=lowest, highest=highest))
    m.d.comb += wide.eq(value)
    got = []

    async def bench(ctx: Any) -> None:
        for number in range(lowest, highest + 1):
            ctx.set(value, number)
            got.append(ctx.get(o))

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
    return got


@settings(max_examples=60)
@given(
    st.tuples(st.integers(-80, 80), st.integers(-80, 80)).map(sorted), st.integers(2, 8), st.booleans()
)  # fmt: skip
def test_what_does_not_fit_becomes_the_nearest_end(
    ends: list[int], bits: int, is_signed: bool
) -> None:
    least, most = output_range(bits, is_signed)
    expected = np.clip(np.arange(ends[0], ends[1] + 1), least, most) & (1 << bits) - 1
    assert limited(ends[0], ends[1], bits, is_signed) == expected.tolist()


@pytest.mark.parametrize(
    ("lowest", "highest", "bits"), [(0, 0, 1), (-1, 0, 1), (0, 1, 2), (-2, 1, 2), (-3, 1, 3), (5, 8, 5), (-9, -8, 5)]
)  # fmt: skip
def test_twos_complement_has_room_for_both_ends(lowest: int, highest: int, bits: int) -> None:
    assert signed_bits(lowest, highest) == bits
