"""The sum of each `size` x `size` square of pixels, squares side by side: an average but for the division, which is left to what follows.

A sum has log2(size ** 2) bits more than an element, rounded up, so none overflows. Order, edges, latency and throughput: `square_pool`; how
sums are made, with one input per cycle from a block RAM: `running_sums`.
"""

from __future__ import annotations

from dataclasses import dataclass

from amaranth import *

from .running_sums import MOST_RECENT, STEP_CYCLES, running_sums
from .square_pool import Place, SquarePool, SquarePoolConfig


@dataclass(frozen=True, slots=True)
class AvgPoolConfig(SquarePoolConfig):
    """Shape of an `AvgPool`: parameters as in `SquarePoolConfig`, but elements are signed unless said otherwise."""

    signed: bool = True

    @property
    def output_bits(self) -> int:
        return self.element_bits + (self.size**2 - 1).bit_length()

    @property
    def recent_words(self) -> int:
        return MOST_RECENT

    @property
    def output_delay_cycles(self) -> int:
        return STEP_CYCLES

    def component(self) -> AvgPool:
        return AvgPool(self)


class AvgPool(SquarePool):
    """See the module and `SquarePool`."""

    def fold(self, m: Module, place: Place) -> None:
        # A sum is needed again after the groups of a pixel, but in its square's first column after a row of squares.
        config = self.config
        running_sums(
            m,
            self,
            is_kept=place.is_kept,
            word=place.word,
            is_first=place.is_first,
            is_last=place.is_last,
            recent=config.groups if config.groups <= MOST_RECENT else 0,
            is_recent=Const(1) if config.out_width == 1 else ~place.is_left,
        )
