"""A cost as a sum of terms: how much of everything a stage has, and what one of that takes.

Amounts mirror the structure of a block and are in lookup tables or flip-flops, as they follow from how synthesis maps that structure. Coefficients
(`coefficients`) say how many are found for each: near 1 where the structure says all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .coefficients import FLIP_FLOPS, LOOKUP_TABLES
from .resources import Resources

Amounts = dict[str, float]


@dataclass(slots=True)
class Terms:
    """Amounts by the names of their coefficients; block RAMs, multipliers and lone carries are counted."""

    lut4: Amounts = field(default_factory=dict)
    ff: Amounts = field(default_factory=dict)
    block_rams: int = 0
    dsp: int = 0
    carries: int = 0

    def lut(self, name: str, amount: float) -> Terms:
        """Adds lookup tables."""
        self.lut4[name] = self.lut4.get(name, 0) + amount
        return self

    def flip_flops(self, name: str, amount: float) -> Terms:
        """Adds flip-flops."""
        self.ff[name] = self.ff.get(name, 0) + amount
        return self

    def add(self, other: Terms, count: int = 1) -> Terms:
        """Adds `count` times another cost."""
        for name, amount in other.lut4.items():
            self.lut(name, count * amount)
        for name, amount in other.ff.items():
            self.flip_flops(name, count * amount)
        self.block_rams += count * other.block_rams
        self.dsp += count * other.dsp
        self.carries += count * other.carries
        return self

    def cost(self, family: str) -> Resources:
        """What that takes of a device of `family`."""
        return Resources(
            lut4=round(_total(self.lut4, LOOKUP_TABLES[family])),
            ff=round(_total(self.ff, FLIP_FLOPS[family])),
            block_rams=self.block_rams,
            dsp=self.dsp,
            carries=self.carries,
        )


def _total(amounts: Amounts, coefficients: Mapping[str, float]) -> float:
    return sum(amount * coefficients.get(name, 1) for name, amount in amounts.items())
