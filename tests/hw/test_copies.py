"""`rbonn.hw.copies`: how many there are, what they hold, that synthesis leaves them, and who reads which."""

from __future__ import annotations

import random
import re

import pytest
from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from rbonn.hw.copies import MOST_READERS, copies, n_copies, nearest
from rbonn.sw.build.design import component_verilog

from .netlists import netlist
from .primitives.vectors import play

N_READERS = 3 * MOST_READERS - 5


class Readers(wiring.Component):
    """A bit and-ed with each bit of `mask`, from the copy that is nearest to it."""

    def __init__(self, form: str) -> None:
        self.form = form
        super().__init__({"enable": In(1), "i": In(1), "mask": In(N_READERS), "o": Out(N_READERS)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        held = copies(m, self.enable, "held", self.i, N_READERS, self.form)
        read = [nearest(held, k, N_READERS) for k in range(N_READERS)]
        m.d.comb += self.o.eq(Cat(read) & self.mask)
        return m


@pytest.mark.parametrize(
    ("n_readers", "form", "expected"),
    [(0, "ecp5", 1), (MOST_READERS, "ecp5", 1), (MOST_READERS + 1, "ecp5", 2), (9999, "portable", 1)],
)  # fmt: skip
def test_a_copy_has_as_many_readers_as_it_may(n_readers: int, form: str, expected: int) -> None:
    assert n_copies(n_readers, form) == expected


def test_neighbours_share_a_copy_and_none_has_too_many() -> None:
    held = [f"copy {k}" for k in range(n_copies(N_READERS, "ecp5"))]
    read = [nearest(held, k, N_READERS) for k in range(N_READERS)]  # pyright: ignore[reportArgumentType]
    assert read == sorted(read)
    assert set(read) == set(held)
    assert max(read.count(copy) for copy in held) <= MOST_READERS


@pytest.mark.synth
@pytest.mark.parametrize(("form", "n_cells"), [("ecp5", 3), ("portable", 1)])
def test_synthesis_leaves_the_copies_which_hold_what_there_was_at_the_last_enable(
    form: str, n_cells: int
) -> None:
    rng = random.Random(1)
    rows = [
        {"enable": rng.getrandbits(1), "i": rng.getrandbits(1), "mask": rng.getrandbits(N_READERS)}
        for _ in range(200)
    ]
    held, expected = 0, []
    for row in rows:
        expected.append(row["mask"] if held else 0)
        held = row["i"] if row["enable"] else held
    source = component_verilog(Readers(form))
    cells = netlist(source, "ecp5")
    assert len(re.findall(r"^\s*TRELLIS_FF #\(", cells, re.MULTILINE)) == n_cells
    for verilog in (source, cells):
        assert [row["o"] for row in play(verilog, rows, family="ecp5")] == expected
