"""The largest value of each `size` x `size` square of pixels, squares side by side; on bits the largest value is an OR.

How squares are walked through, latency, throughput and storage: `square_pool`.
"""

from __future__ import annotations

from dataclasses import dataclass

from amaranth import *

from .square_pool import SquarePool, SquarePoolConfig


@dataclass(frozen=True, slots=True)
class MaxPoolConfig(SquarePoolConfig):
    """Shape of a `MaxPool`: parameters as in `SquarePoolConfig`."""

    @property
    def output_bits(self) -> int:
        return self.element_bits

    def component(self) -> MaxPool:
        return MaxPool(self)


class MaxPool(SquarePool):
    """See the module."""

    def join(self, new: Value, old: Value) -> Value:
        if self.config.element_bits == 1:
            return new | old
        return Mux(new < old, old, new)
