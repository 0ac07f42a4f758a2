"""What designs take from a device, and what memories take, by their form and shape."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from ...hw.primitives.block_memory_config import MOST_WORDS
from ...hw.primitives.ecp5.block_memory import block_width

BLOCK_RAM_SHAPES = {
    "ice40": ((16, 256), (8, 512), (4, 1024), (2, 2048)),
    "ecp5": ((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384)),
}
"""(width, depth) that one block RAM can take, by family."""


BLOCK_PRICE, MULTIPLEXER_PRICE = {"ice40": 64, "ecp5": 128}, 0.5
"""Of a block RAM and of choosing a bit from one block more, as yosys weighs them."""


@dataclass(frozen=True, slots=True)
class Resources:
    """Lookup tables, flip-flops, block RAMs, multipliers, and cells of an iCE40 that use their carry alone.

    On ECP5 `lut4` counts a carry cell (CCU2C) as two.
    """

    lut4: int = 0
    ff: int = 0
    block_rams: int = 0
    dsp: int = 0
    carries: int = 0

    def __add__(self, other: Resources) -> Resources:
        return Resources(
            self.lut4 + other.lut4,
            self.ff + other.ff,
            self.block_rams + other.block_rams,
            self.dsp + other.dsp,
            self.carries + other.carries,
        )

    def beyond(self, other: Resources) -> Resources:
        """How much more this is than `other`, of each at least 0."""
        return Resources(
            max(self.lut4 - other.lut4, 0),
            max(self.ff - other.ff, 0),
            max(self.block_rams - other.block_rams, 0),
            max(self.dsp - other.dsp, 0),
            max(self.carries - other.carries, 0),
        )

    def times(self, count: int) -> Resources:
        """`count` of the same."""
        return Resources(
            self.lut4 * count,
            self.ff * count,
            self.block_rams * count,
            self.dsp * count,
            self.carries * count,
        )


LONE_FLIP_FLOPS, LONE_CARRIES = 0.45, 0.3
"""Parts of an iCE40 design's flip-flops and carries for which place and route finds no LUT to share a logic cell with: of five builds, within 5 %."""


def placed(cost: Resources, family: str) -> Resources:
    """`cost` with the logic cells that flip-flops and carries take for themselves, as `carries`. An ECP5 places its flip-flops beside any LUT."""
    if family != "ice40":
        return cost
    cells = LONE_CARRIES * cost.carries + LONE_FLIP_FLOPS * cost.ff
    return replace(cost, carries=round(cells))


def block_rams(width: int, depth: int, family: str) -> int:
    """Block RAMs of a memory that the project places itself on an ECP5, or leaves to synthesis on an iCE40."""
    if family == "ecp5" and depth <= MOST_WORDS:
        return -(-width // block_width(depth))
    return inferred_blocks(width, depth, family)[0]


@cache
def inferred_blocks(width: int, depth: int, family: str) -> tuple[int, int]:
    """Block RAMs of a memory that is left to synthesis, and from how many parts a word is chosen: as yosys' `memory_libmap` weighs blocks against multiplexers."""
    found = []
    for wide, deep in BLOCK_RAM_SHAPES[family]:
        # Parts of the memory that are as deep as a block lie beside each other, without a gap.
        above = -(-depth // deep)
        count = -(-above * width // wide)
        price = count * BLOCK_PRICE[family] + (above - 1) * width * MULTIPLEXER_PRICE
        found.append((price, count, above))
    _, count, above = min(found)
    return count, above


def constants_cost(form: str, width: int, depth: int, family: str) -> Resources:
    """Cost of a table of `depth` constants of `width` bits in the form "block" or "logic", whatever they are."""
    if form == "block":
        return Resources(block_rams=block_rams(width, depth, family))
    # One LUT holds 16 words of a bit, and what is above is a multiplexer.
    per_bit = 0.5 if depth <= 4 else 0.8 if depth <= 16 else depth / 16 * 0.8
    return Resources(lut4=round(width * per_bit) if depth > 1 else 0, ff=width)


def counter_luts(length: int) -> int:
    """LUTs of a counter with a flag for its last value."""
    return 2 * (length - 1).bit_length() + 2
