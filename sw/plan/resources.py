"""What designs take from a device, and what memories take, by their form and shape."""

from __future__ import annotations

from dataclasses import dataclass, replace

BLOCK_RAM_SHAPES = {
    "ice40": ((16, 256), (8, 512), (4, 1024), (2, 2048)),
    "ecp5": ((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384)),
}
"""(width, depth) that one block RAM can take, by family."""


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
    """Block RAMs of a memory, in the best of the device's shapes."""
    return min(-(-width // w) * -(-depth // d) for w, d in BLOCK_RAM_SHAPES[family])


def memory_cost(form: str, width: int, depth: int, family: str, *, writable: bool) -> Resources:
    """Cost of a memory of `depth` words of `width` bits in the form "block", "lut_ram" or "logic"."""
    if form == "block":
        return Resources(block_rams=block_rams(width, depth, family))
    if writable and form == "logic":  # flip-flops, a write decoder and a read multiplexer
        return Resources(lut4=width * depth // 2 + depth, ff=width * (depth + 1))
    if form == "lut_ram":  # four bits of 16 words: two lookup tables, and their write logic
        return Resources(lut4=-(-width // 4) * -(-depth // 16) * (6 if writable else 4))
    # A table of constants: one LUT holds 16 words of a bit, and what is above is a multiplexer.
    per_bit = 0.5 if depth <= 4 else 0.8 if depth <= 16 else depth / 16 * 0.8
    return Resources(lut4=round(width * per_bit) if depth > 1 else 0, ff=width)


def counter_luts(length: int) -> int:
    """LUTs of a counter with a flag for its last value."""
    return 2 * (length - 1).bit_length() + 2
