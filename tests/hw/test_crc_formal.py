"""`rbonn.hw.crc`: a bit's step proved equal to the definition for every register and byte, and what a CRC of that definition never accepts.

Together: a frame that differs from one that was sent by up to three bits, or by any bits within 32 in a row, has no `match`, whatever is in it. The register
is linear in what has come, so a difference alone decides, and it shifts through the register in the same way from wherever it begins.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from amaranth.asserts import AnyConst
from amaranth.hdl import Assert, Assume, Const, Elaboratable, Module, Mux, Signal
from rbonn.hw import crc
from rbonn.hw.crc import Crc32

from .formal import prove
from .planted import Fault, each_fault

POLYNOMIAL = 0xEDB88320
"""Of CRC-32, the highest power least significant (ISO/IEC 8802-3, 3.2.9)."""
RESIDUE = 0x2144DF1C
"""CRC of anything with its own CRC behind it."""
LONGEST_BITS = 91_607
"""Of a message with its CRC, for which three wrong bits are always found (Koopman, 32-bit cyclic redundancy codes for internet applications, DSN 2002)."""


class StepBench(Elaboratable):
    """The eight bits of a byte, from any value of the register on, each against one shift; and in every cycle what `match` says."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.crc = stage = crc.Crc32()
        cycle, before, byte = Signal(4), Signal(32), AnyConst(8)
        m.d.sync += [cycle.eq(cycle + 1), before.eq(~stage.crc)]
        m.d.comb += [stage.i.valid.eq(1), stage.i.payload.eq(byte)]
        with m.If(cycle == 0):
            m.d.comb += Assume(stage.first)
        with m.Else():
            bit = before[0] ^ byte.bit_select((cycle - 1)[:3], 1)
            m.d.comb += Assert(~stage.crc == (before >> 1) ^ Mux(bit, Const(POLYNOMIAL, 32), 0))
        m.d.comb += [
            Assert(stage.first == (cycle % 8 == 0)),
            Assert(stage.i.ready == (cycle % 8 == 7)),
            Assert(stage.match == (stage.crc == RESIDUE)),
        ]
        return m


def prove_step(folder: Path) -> str:
    return prove(StepBench(), folder, depth=9, unknown=["crc*"], resets=False)


@pytest.mark.formal
def test_a_byte_is_one_step_of_the_definition(tmp_path: Path) -> None:
    """For any register and any byte."""
    assert prove_step(tmp_path) == "PASS"


@pytest.mark.formal
@each_fault(
    Fault("a bit too few", Crc32, "self.i.ready.eq(bit == 7)", "self.i.ready.eq(bit == 6)"),
    Fault("the wrong end first", Crc32, "self.i.payload.bit_select(bit, 1)", "self.i.payload.bit_select(bit ^ 7, 1)"),
    Fault("a match without the highest bit", Crc32, "self.match.eq(register.match_detected)", "self.match.eq(register.crc[:31] == 0x2144DF1C)"),
)  # fmt: skip
def test_a_planted_fault_is_found(
    fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault.plant(monkeypatch)
    assert prove_step(tmp_path) == "FAIL"


def differences(polynomial: int, bits: int) -> np.ndarray:
    """What is left in the register of one wrong bit, at every distance from the end: uint32 (bits)."""
    left = np.empty(bits, np.uint32)
    state = polynomial
    for k in range(bits):
        left[k] = state
        state = state >> 1 ^ (polynomial if state & 1 else 0)
    return left


def finds_three_bits(polynomial: int, bits: int) -> bool:
    """Whether no one, two or three wrong bits cancel. Shifted to the end, the last one leaves `differences[0]`."""
    left = differences(polynomial, bits)
    others = left[1:]
    is_found = bool(np.all(left)) and not np.any(others == left[0])
    return is_found and not np.any(np.isin(others ^ left[0], others))


def finds_bursts(polynomial: int) -> bool:
    """Whether no wrong bits within 32 cancel: whether what 32 bits leave is independent."""
    rows = [int(left) for left in differences(polynomial, 32)]
    for bit in range(32):
        pivot = next((row for row in rows if row >> bit & 1), None)
        if pivot is None:
            return False
        rows.remove(pivot)
        rows = [row ^ pivot if row >> bit & 1 else row for row in rows]
    return True


def test_up_to_three_wrong_bits_are_always_found() -> None:
    assert finds_three_bits(POLYNOMIAL, LONGEST_BITS)


def test_any_wrong_bits_within_32_are_always_found() -> None:
    assert finds_bursts(POLYNOMIAL)


def test_polynomials_that_find_less_are_told_apart() -> None:
    """x^32 + 1 misses two bits 32 apart; without its constant term a polynomial misses a burst."""
    assert not finds_three_bits(0x80000000, 64)
    assert not finds_bursts(0x40000000)
