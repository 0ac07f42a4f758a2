"""Counting and accumulating, proved equal to plain arithmetic for all inputs in every form, and each fault found."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from amaranth.hdl import C, Cat, Value
from rbonn.hw.leaf_memory import LeafMemoryConfig
from rbonn.hw.parity_popcount import ParityPopcountConfig
from rbonn.hw.popcount import Popcount, PopcountConfig
from rbonn.hw.primitives import COUNTING_FORMS, Adder, Lane
from rbonn.hw.primitives.ecp5 import carry_chain
from rbonn.hw.primitives.portable import PortableCounting

from .formal import prove
from .formal_counting import CountBench, LeafBench

pytestmark = [pytest.mark.formal]

FORMS = tuple(COUNTING_FORMS)
CELLS = {"ecp5": "ecp5"}
"""Families whose cells a form instantiates."""


def prove_counts(folder: Path, form: str, simd: Sequence[int]) -> str:
    bench = CountBench([PopcountConfig(n, form) for n in simd])
    cells = CELLS.get(form)
    return prove(bench, folder, depth=bench.depth, cells=cells, unknown=["count*"])


@pytest.mark.parametrize("form", FORMS)
def test_xnor_and_popcount_equal_arithmetic_for_all_inputs_up_to_16_lanes(
    form: str, tmp_path: Path
) -> None:
    """Unbounded: see `CountBench`; pauses, of which two are looked at, only hold registers."""
    assert prove_counts(tmp_path, form, range(1, 17)) == "PASS"


@pytest.mark.parametrize("form", FORMS)
def test_popcounts_of_coded_lanes_equal_arithmetic_for_all_inputs_up_to_16_lanes(
    form: str, tmp_path: Path
) -> None:
    """Unbounded, as above; lanes are coded by a chain of parities."""
    bench = CountBench([ParityPopcountConfig(n, form) for n in range(1, 17)])
    cells = CELLS.get(form)
    result = prove(bench, tmp_path, depth=bench.depth, cells=cells, unknown=["count*"])
    assert result == "PASS"


class Faulty(PortableCounting):
    """Counts with one fault."""

    carry_lanes = True

    def __init__(self, fault: str) -> None:
        self.fault = fault

    def leaves(self, m, leaves: Sequence[Sequence[Lane]]) -> list[Value]:
        if self.fault == "forgets the third lane of the last leaf":
            leaves = [*leaves[:-1], leaves[-1][:2]]
        return super().leaves(m, leaves)

    def sums(self, m, adders: Sequence[Adder], bits: Sequence[int]) -> list[Value]:
        if self.fault == "forgets a carry lane":
            adders = [adder._replace(lane=None) for adder in adders]
        results = super().sums(m, adders, bits)
        if self.fault == "cuts off a carry":
            results = [Cat(result[:-1], C(0, 1)) for result in results]
        return results


def test_pauses_of_any_length_hold_what_is_in_the_tree(tmp_path: Path) -> None:
    """Bounded: any three pauses, at widths with and without an odd leaf, waiting lanes and a late lane."""
    bench = CountBench([PopcountConfig(n, "ice40_carry_lanes") for n in (5, 8, 11)], pauses=3)
    assert prove(bench, tmp_path, depth=bench.depth, unknown=["count*"]) == "PASS"


def leaf_bench(form: str) -> LeafBench:
    """Two elements of 11 lanes, three leaves and two carry lanes, over five words."""
    words = tuple(random.Random(1).getrandbits(22) for _ in range(5))
    return LeafBench(LeafMemoryConfig(2, PopcountConfig(11, form, absorbed=True), words))


@pytest.mark.parametrize("form", FORMS)
def test_counts_from_leaf_memories_equal_arithmetic_for_all_activations(
    form: str, tmp_path: Path
) -> None:
    """Unbounded, as above, for five words of weights."""
    bench = leaf_bench(form)
    result = prove(
        bench, tmp_path, depth=bench.depth, cells=CELLS.get(form), unknown=["count*", "leaves*"]
    )
    assert result == "PASS"


def test_a_wrong_entry_of_a_leaf_memory_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = LeafMemoryConfig.table

    def wrong(self: LeafMemoryConfig, group: int) -> list[int]:
        entries = table(self, group)
        entries[13] ^= group == 2
        return entries

    monkeypatch.setattr(LeafMemoryConfig, "table", wrong)
    bench = leaf_bench("portable")
    assert prove(bench, tmp_path, depth=bench.depth, unknown=["count*", "leaves*"]) == "FAIL"


@pytest.mark.parametrize(
    "fault", ["forgets the third lane of the last leaf", "forgets a carry lane", "cuts off a carry"]
)
def test_a_fault_in_a_form_is_found(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(COUNTING_FORMS, "faulty", Faulty(fault))
    assert prove_counts(tmp_path, "faulty", (11, 16)) == "FAIL"


@pytest.mark.parametrize("bit", [3, 15])
def test_a_wrong_bit_in_the_tables_of_a_carry_chain_is_found(
    bit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bits of the half that adds two lanes: of its carry (3) and of its sum (15), where both match."""
    table = carry_chain._table

    def wrong(propagate, generate) -> int:
        right = table(propagate, generate)
        return right ^ (right in (0x6996, 0x9669)) << bit

    monkeypatch.setattr(carry_chain, "_table", wrong)
    assert prove_counts(tmp_path, "ecp5", (12,)) == "FAIL"


def test_a_lane_that_does_not_wait_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Popcount, "_waiting", lambda self, m, name, lanes: list(lanes))
    assert prove_counts(tmp_path, "ice40_carry_lanes", (8,)) == "FAIL"
