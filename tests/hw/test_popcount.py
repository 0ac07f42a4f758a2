"""`rbonn.hw.popcount`: the count at every width and in every form, the latency, standing still, and what the tree is made of."""

import math
import random
from collections.abc import Sequence

import pytest
from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from rbonn.hw.popcount import PopcountConfig
from rbonn.hw.primitives import COUNTING_FORMS
from rbonn.hw.stage import stage_ports

from .stream_driver import Stalls
from .verilog_driver import drive_verilog

MOST_LANES = 80
COUNT_BITS = 8


class Counts(wiring.Component):
    """Popcounts of several widths, each on the lowest lanes of the input; each word's counts leave together.

    Every count is delayed to the longest latency by what the configs say of theirs, so one that lies shows beside another word's
    counts. While the output waits, all trees stand still.
    """

    def __init__(self, form: str, widths: Sequence[int]) -> None:
        self.configs = [PopcountConfig(n, form) for n in widths]
        super().__init__(stage_ports(2 * MOST_LANES, COUNT_BITS * len(widths)))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        latency = max(config.latency_cycles for config in self.configs)
        enable, valid = Signal(), Signal(latency)
        m.d.comb += [
            self.o.valid.eq(valid[-1]),
            enable.eq(~self.o.valid | self.o.ready),
            self.i.ready.eq(enable),
        ]
        counts = []
        for config in self.configs:
            m.submodules[f"count{config.simd}"] = tree = config.component()
            m.d.comb += [
                tree.enable.eq(enable),
                tree.activations.eq(self.i.payload[: config.simd]),
                tree.weights.eq(self.i.payload[MOST_LANES:]),
            ]
            count = Signal(COUNT_BITS, name=f"count{config.simd}_0")
            m.d.comb += count.eq(tree.o + (tree.late_activation == tree.late_weight))
            for stage in range(latency - config.latency_cycles):
                register = Signal(COUNT_BITS, name=f"count{config.simd}_{stage + 1}")
                with m.If(enable):
                    m.d.sync += register.eq(count)
                count = register
            counts.append(count)
        m.d.comb += self.o.payload.eq(Cat(counts))
        with m.If(enable):
            m.d.sync += valid.eq(Cat(self.i.valid, valid))
        return m


def check_counts(form: str, widths: Sequence[int], n_random: int) -> None:
    rng = random.Random(1)
    ones = (1 << MOST_LANES) - 1
    pairs = [(0, 0), (0, ones), (ones, 0), (ones, ones), (ones // 3, ones // 3)]
    pairs += [(rng.getrandbits(MOST_LANES), rng.getrandbits(MOST_LANES)) for _ in range(n_random)]
    expected = []
    for activations, weights in pairs:
        matches = ~(activations ^ weights)
        counts = [(matches & (1 << n) - 1).bit_count() for n in widths]
        expected.append(sum(count << k * COUNT_BITS for k, count in enumerate(counts)))
    run = drive_verilog(
        Counts(form, widths),
        [activations | weights << MOST_LANES for activations, weights in pairs],
        n_outputs=len(pairs),
        stalls=Stalls(1),
        cells="ecp5" if form == "ecp5" else None,
    )
    assert run.outputs == expected


@pytest.mark.parametrize("form", COUNTING_FORMS)
def test_it_counts_matches_after_its_latency_and_stands_still_when_disabled(form: str) -> None:
    """Up to 16 lanes that is proved in `test_counting_formal`."""
    check_counts(form, (1, 2, 3, 4, 5, 8, 13, 17, 31, 32, 33, 36, 64), n_random=25)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["ice40_carry_lanes", "ecp5"])
def test_it_counts_matches_of_many_widths(form: str) -> None:
    """Every third width: all numbers of lanes in the last leaf, beside all numbers of leaves."""
    check_counts(form, range(17, MOST_LANES + 1, 3), n_random=10)


@pytest.mark.parametrize("form", COUNTING_FORMS)
def test_every_lane_enters_once_and_the_latency_is_one_cycle_for_each_level(form: str) -> None:
    most_per_leaf = 4 if COUNTING_FORMS[form].carry_lanes else 3
    for n in range(1, 300):
        config = PopcountConfig(n, form)
        lanes = [lane for leaf in config.leaves for lane in leaf]
        assert sorted([*lanes, *config.carry_lanes]) == list(range(n))
        assert all(1 <= len(leaf) <= 3 for leaf in config.leaves)
        n_leaves = math.ceil(n / most_per_leaf)
        assert len(config.leaves) == n_leaves
        assert config.latency_cycles == 1 + math.ceil(math.log2(n_leaves))
        assert config.has_late_lane == (most_per_leaf == 4 and n % 4 == 0)
        assert 2**config.output_bits > n - config.has_late_lane >= 2 ** (config.output_bits - 1)
        absorbed = PopcountConfig(n, form, absorbed=True)
        assert absorbed.latency_cycles == config.latency_cycles - 1
        assert absorbed.leaves == config.leaves


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"simd": 0}, "SIMD must be at least 1, not 0"),
        ({"form": "asic"}, r"Form must be one of \('portable', .*'ecp5'\), not 'asic'"),
    ],
)
def test_it_rejects(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PopcountConfig(**({"simd": 4} | changes))
