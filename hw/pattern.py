"""The images with which a board feeds itself for BENCHMARK: bytes of a shift register, the same on every board and after every start."""

from collections.abc import Iterator

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

_TAPS = (7, 5, 4, 3)
"""Bits whose sum, inverted, is shifted in: x^8 + x^6 + x^5 + x^4 + 1, which is primitive, so all bytes but 255 come before the first one comes again."""


def pattern(n_bytes: int) -> bytes:
    """The first `n_bytes` bytes."""
    return bytes(byte for _, byte in zip(range(n_bytes), _bytes(), strict=False))


def _bytes() -> Iterator[int]:
    state = 0
    while True:
        yield state
        state = state << 1 & 0xFF | ~sum(state >> tap for tap in _TAPS) & 1


class Pattern(wiring.Component):
    """`byte` is the pattern's next byte; `step` makes it the one after.

    Members
    -------
    step : In(1)
    clear : In(1) - start again; `step` is ignored
    byte : Out(8)
    """

    def __init__(self) -> None:
        super().__init__({"step": In(1), "clear": In(1), "byte": Out(8)})

    def elaborate(self, platform) -> Module:
        m = Module()
        entering = ~Cat(self.byte[tap] for tap in _TAPS).xor()
        with m.If(self.step):
            m.d.sync += self.byte.eq(Cat(entering, self.byte[:7]))
        with m.If(self.clear):
            m.d.sync += self.byte.eq(0)
        return m
