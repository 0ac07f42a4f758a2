"""The sum of each `size` x `size` square of pixels, squares side by side: an average but for the division, which is left to what follows.

The sum has log2(size ** 2) bits more than an element, rounded up, so none overflows. How squares are walked through, latency, throughput
and storage: `square_pool`.
"""

from __future__ import annotations

from dataclasses import dataclass

from amaranth import *

from .square_pool import SquarePool, SquarePoolConfig


@dataclass(frozen=True, slots=True)
class AvgPoolConfig(SquarePoolConfig):
    """Shape of an `AvgPool`: parameters as in `SquarePoolConfig`, but elements are signed unless said otherwise."""

    signed: bool = True

    @property
    def output_bits(self) -> int:
        return self.element_bits + (self.size**2 - 1).bit_length()

    def component(self) -> AvgPool:
        return AvgPool(self)


class AvgPool(SquarePool):
    """See the module."""

    def join(self, new: Value, old: Value) -> Value:
        return new + old
