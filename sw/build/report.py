"""Reads what yosys and nextpnr report: cells, utilisation, the fastest clock, and whether a design does not fit."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...boards import Board, Family
from ..errors import BuildFailedError, DoesNotFitError

FINISHED = "Info: Program finished normally."

_NO_PLACE = ("Unable to find legal placement", "failed to place chain")
"""What nextpnr's placers say where they give up with the seed that they have."""

_RESOURCE_NAMES = {
    "ICESTORM_LC": "logic cells",
    "ICESTORM_RAM": "block RAMs",
    "ICESTORM_DSP": "DSPs",
    "ICESTORM_SPRAM": "single-port RAMs",
    "ICESTORM_PLL": "PLLs",
    "SB_IO": "pins",
    "SB_GB": "global buffers",
    "TRELLIS_COMB": "LUT4s",
    "TRELLIS_FF": "flip-flops",
    "TRELLIS_RAMW": "LUT RAMs",
    "DP16KD": "block RAMs",
    "MULT18X18D": "DSPs",
    "EHXPLLL": "PLLs",
    "TRELLIS_IO": "pins",
}


class NoPlaceError(DoesNotFitError):
    """The cells of a design are no more than the device has, but the placer found no place for all of them: with another seed it may."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What a design uses of a device.

    Parameters
    ----------
    lut4 : int - lookup tables after synthesis; ECP5: LUT4 cells plus two for each CCU2C, which takes the place of two
    carry : int - carry cells after synthesis: SB_CARRY (each beside a lookup table), CCU2C (two bits each)
    ff : int - flip-flops after synthesis
    block_rams, dsp : int - block RAMs and multipliers
    single_port_rams : int - SB_SPRAM256KA
    logic_cells : int - lookup tables that are occupied after packing: by logic, by a carry or a flip-flop without logic, by LUT RAM
    """

    lut4: int
    carry: int
    ff: int
    block_rams: int
    dsp: int
    single_port_rams: int
    logic_cells: int


def cells_of(stat: Path) -> dict[str, int]:
    """Number of cells by type in the JSON that yosys' ``stat`` wrote."""
    modules: dict[str, Any] = json.loads(stat.read_text())
    return dict(modules["design"]["num_cells_by_type"])


def resources_of(family: Family, cells: dict[str, int], used: dict[str, int]) -> Resources:
    """Resources from yosys' cells and nextpnr's utilisation (see `utilisation_of`)."""

    def count(pattern: str) -> int:
        return sum(n for kind, n in cells.items() if re.fullmatch(pattern, kind))

    if family == "ice40":
        return Resources(
            lut4=count("SB_LUT4"),
            carry=count("SB_CARRY"),
            ff=count("SB_DFF.*"),
            block_rams=count("SB_RAM40_4K.*"),
            dsp=count("SB_MAC16"),
            single_port_rams=count("SB_SPRAM256KA"),
            logic_cells=used["ICESTORM_LC"],
        )
    return Resources(
        lut4=count("LUT4") + 2 * count("CCU2C"),
        carry=count("CCU2C"),
        ff=count("TRELLIS_FF"),
        block_rams=count("DP16KD|PDPW16KD"),
        dsp=count("MULT18X18D"),
        single_port_rams=0,
        logic_cells=used["TRELLIS_COMB"],
    )


def utilisation_of(report: dict[str, Any]) -> dict[str, int]:
    """Used number by kind of resource in nextpnr's report."""
    return {kind: entry["used"] for kind, entry in report["utilization"].items()}


def clocks_of(report: dict[str, Any]) -> dict[str, tuple[float, float]]:
    """Achieved and asked-for frequency in Hz of each clock in nextpnr's report."""
    return {
        name: (entry["achieved"] * 1e6, entry["constraint"] * 1e6)
        for name, entry in report["fmax"].items()
    }


def check_finished(log: Path) -> None:
    """Checks that the place and route of that log ran to its end.

    Raises
    ------
    BuildFailedError - it did not, so its frequency means nothing
    """
    if FINISHED not in log.read_text(errors="replace"):
        raise BuildFailedError(
            f"nextpnr: place and route did not finish ({log})", "Look at the end of that log."
        )


def check_fits(board: Board, log: Path) -> None:
    """Looks in the log of a failed place and route for a resource that the device has too few of.

    Raises
    ------
    DoesNotFitError - there is one: it is named with what is needed and available
    NoPlaceError - there is none, but the placer did not find a place for all cells
    """
    if not log.is_file():
        return
    text = log.read_text(errors="replace")
    pattern = re.compile(r"^Info:\s+(\w+):\s*(\d+)/\s*(\d+)\s+\d+%", re.MULTILINE)
    over = [
        (int(used) / max(int(available), 1), kind, int(used), int(available))
        for kind, used, available in pattern.findall(text)
        if int(used) > int(available)
    ]
    if over:
        _, kind, used, available = max(over)
        raise does_not_fit(board, _RESOURCE_NAMES.get(str(kind), str(kind)), used, available)
    numbers = {kind: (int(used), int(there)) for kind, used, there in pattern.findall(text)}
    used, there = numbers.get("ICESTORM_LC") or numbers.get("TRELLIS_COMB") or (0, 0)
    if "no BELs remaining" in text:
        raise does_not_fit(board, "LUT4s", used, there)
    if any(message in text for message in _NO_PLACE):
        raise NoPlaceError(
            f"{board.title}: no place found for all of the design's {used} cells, of {there} on the {board.device}",
            "Try other seeds (--seed), fold it more (smaller PE and SIMD), take a smaller network, or a larger board.",
        )


def does_not_fit(board: Board, resource: str, needed: int, available: int) -> DoesNotFitError:
    """The error of a design that needs more of a resource than the board has."""
    return DoesNotFitError(
        f"{board.title}: the design needs {needed} {resource}, the {board.device} has {available}",
        "Fold it more (smaller PE and SIMD), take a smaller network, or a larger board.",
    )
