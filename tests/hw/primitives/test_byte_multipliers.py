"""`rbonn.hw.primitives.ice40.byte_multipliers`: every product equals NumPy's, for elements of a byte and narrower ones."""

from __future__ import annotations

import random

import numpy as np
import pytest
from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from rbonn.hw.primitives.ice40.byte_multipliers import byte_products
from rbonn.sw.build.design import component_verilog

from .vectors import play

LANES, LATENCY = 3, 2


class Products(wiring.Component):
    """An odd number of products: a pair in one block, and one alone."""

    def __init__(self, bits: int, is_signed: bool) -> None:
        self.bits = bits
        self.is_signed = is_signed
        operands = {"x": In(LANES * bits), "w": In(LANES * bits), "enable": In(1)}
        super().__init__(operands | {"o": Out(LANES * 16)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        x, w = ([port.word_select(k, self.bits) for k in range(LANES)] for port in (self.x, self.w))
        products = byte_products(m, x, w, x_signed=self.is_signed, enable=self.enable)
        m.d.comb += self.o.eq(Cat(products))
        return m


def integers(word: int, bits: int, is_signed: bool) -> np.ndarray:
    codes = np.array([word >> k * bits & (1 << bits) - 1 for k in range(LANES)])
    return codes - (codes >> bits - 1 << bits) * is_signed


@pytest.mark.parametrize("is_signed", [True, False])
@pytest.mark.parametrize("bits", [2, 5, 8])
def test_products_are_there_after_two_enabled_cycles(bits: int, is_signed: bool) -> None:
    rng, word_bits = random.Random(bits), LANES * bits
    rows = [
        {"x": rng.getrandbits(word_bits), "w": rng.getrandbits(word_bits), "enable": int(rng.random() < 0.8)}
        for _ in range(200)
    ]  # fmt: skip
    results = play(component_verilog(Products(bits, is_signed)), rows, family="ice40")
    # What each row's outputs are of: the operands of two enabled cycles before.
    taken: list[tuple[int, int]] = []
    for row, result in zip(rows, results, strict=True):
        if len(taken) >= LATENCY:
            x, w = taken[-LATENCY]
            expected = integers(x, bits, is_signed) * integers(w, bits, True)
            got = [result["o"] >> 16 * k & 0xFFFF for k in range(LANES)]
            assert got == [int(value) & 0xFFFF for value in expected]
        if row["enable"]:
            taken.append((row["x"], row["w"]))
    assert len(taken) > 100
