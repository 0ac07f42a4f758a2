"""Resources as numbers of the four kinds that a device has enough of or not: cells, block RAMs, multipliers and flip-flops, in this order."""

from __future__ import annotations

from collections.abc import Sequence

from .resources import Resources

Amounts = tuple[int, int, int, int]
"""Cells (lookup tables, and carries that lie alone), block RAMs, multipliers, flip-flops."""

Prices = tuple[int, int, int, int]
"""What one of each kind counts."""


def amounts(cost: Resources) -> Amounts:
    """How much of each kind."""
    return cost.lut4 + cost.carries, cost.block_rams, cost.dsp, cost.ff


def resources(numbers: Sequence[int]) -> Resources:
    """The resources of which `amounts` are `numbers`."""
    cells, block_rams, dsp, ff = numbers
    return Resources(lut4=cells, ff=ff, block_rams=block_rams, dsp=dsp)


def fits(cost: Resources, there: Resources) -> bool:
    """Whether there is enough of every kind."""
    return is_at_most(amounts(cost), amounts(there))


def is_at_most(numbers: Sequence[int], others: Sequence[int]) -> bool:
    """Whether none of the numbers is above the other of its place."""
    return all(a <= b for a, b in zip(numbers, others, strict=True))


def price(cost: Resources, prices: Prices) -> int:
    """What it counts altogether."""
    return sum(a * b for a, b in zip(amounts(cost), prices, strict=True))


def only(kind: int) -> Prices:
    """Prices by which nothing counts but one kind."""
    cells, block_rams, dsp, ff = (int(kind == k) for k in range(4))
    return cells, block_rams, dsp, ff
