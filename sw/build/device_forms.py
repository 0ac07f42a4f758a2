"""Which forms of the hardware a device is best at; measured in docs/results.md."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ...boards import Board
from ...hw.primitives.block_memory_config import MOST_WORDS
from ...hw.primitives.ice40.byte_multipliers import BYTE

LEAST_CODED_ROWS = 4
"""On iCE40 coding lanes costs about a LUT4 for each, once, and saves some four tenths in every row: measured, 4 rows of 16 lanes lose 6, 4 rows of 8 lanes gain 40."""

ICE40_MULTIPLIER_BITS = 16
"""Of an operand of SB_MAC16."""


@dataclass(frozen=True, slots=True)
class DeviceForms:
    """Forms of a matrix-vector layer's parts, named as its configs name them.

    Parameters
    ----------
    counting : str - one of `hw.primitives.COUNTING_FORMS`
    block_memory : str - one of `hw.primitives.block_memory_config.BLOCK_MEMORY_FORMS`
    back_pressure : str - "enable" or "credit"
    read_latency : int - cycles that memories take, 1 or 2
    ram_depth : int - words of a block RAM at its greatest width
    output_places : int - results that wait behind an array with a clock enable
    multiply_add : str - what scales integers, one of `hw.primitives.multiply_add.MULTIPLY_ADD_FORMS`
    coded_rows : int - rows per cycle from which coded lanes (`hw.parity_popcount`) cost less than plain ones; 0: never
    """

    counting: str = "portable"
    block_memory: str = "portable"
    back_pressure: str = "enable"
    read_latency: int = 1
    ram_depth: int = 256
    output_places: int = 1
    coded_rows: int = 0
    multiply_add: str = "inferred"

    @property
    def portable(self) -> DeviceForms:
        """The same structure without cells of the device: registers and handshakes stay, carry chains, memories and multipliers become arithmetic."""
        return replace(
            self,
            counting="portable",
            block_memory="portable",
            multiply_add="inferred",
            coded_rows=0,
        )

    @property
    def unit(self) -> dict[str, Any]:
        """Keywords of `MatrixVectorConfig`."""
        return {
            "form": self.counting,
            "back_pressure": self.back_pressure,
            "read_latency": self.read_latency,
            "output_places": self.output_places,
        }

    @property
    def has_lut_ram(self) -> bool:
        return not self.counting.startswith("ice40")

    def multipliers(self, *operand_bits: int) -> str:
        """What multiplies integers of so many bits each: `multipliers` of `hw.operands.Products`."""
        fits = max(operand_bits) <= BYTE
        return "ice40_bytes" if fits and self.counting.startswith("ice40") else "inferred"

    def multiplier(self, operand_bits: int) -> str:
        """What scales integers of so many bits: `multiplier` of `hw.affine` and `hw.prelu`."""
        fits = self.multiply_add != "ice40" or operand_bits <= ICE40_MULTIPLIER_BITS
        return self.multiply_add if fits else "logic"

    def memory(self, depth: int) -> dict[str, Any]:
        """Keywords of the configs of memories of that depth; what is deeper than a device's block RAM is left to synthesis."""
        form = self.block_memory if depth <= MOST_WORDS else "portable"
        return {"read_latency": self.read_latency, "form": form}


PORTABLE = DeviceForms()
"""For any device: what the others are compared with."""


def device_forms(board: Board) -> DeviceForms:
    """The forms for a board's device.

    A clock enable for everything costs an iCE40 nothing and saves the copy of the results; an ECP5 loses a tenth of its clock to it. A
    DP16KD takes 6 ns to its pins, 1 ns with its output register. Cells that have a net at two inputs are
    what the router of an iCE40 now and then does not finish with, so there are none.
    """
    if board.family == "ecp5":
        return DeviceForms("ecp5", "ecp5", "credit", 2, 512, multiply_add="ecp5")
    return DeviceForms(
        "ice40_no_twins",
        output_places=1,
        coded_rows=LEAST_CODED_ROWS,
        multiply_add="ice40" if board.capacity.dsp else "logic",
    )
