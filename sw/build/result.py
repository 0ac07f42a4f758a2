"""What a build leaves: its files, and the report that says what they are."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..errors import BuildFailedError
from .cache import file_digest
from .design import TOP
from .report import Resources

SCHEMA = 1
REPORT = "report.json"

RESULTS = {
    "ice40": (f"{TOP}.json", f"{TOP}.asc", f"{TOP}.bin"),
    "ecp5": (f"{TOP}.json", f"{TOP}.config", f"{TOP}.bit"),
}
"""Netlist, placed and routed design, and bitstream, by family."""


@dataclass(frozen=True, slots=True)
class BuildResult:
    """What came out of a build.

    Parameters
    ----------
    name : str - what was built, e.g. the network's name
    source_hash : str - of what it was built from, e.g. the network's hash; empty where none was given
    board : str - the board's name
    bitstream : Path - file for the programmer; ``top.v``, ``top.json`` and the logs lie beside it
    resources : Resources - what the design uses
    capacity : dict[str, int] - what the device has: lut4, ff, block_rams, dsp, single_port_rams
    fmax_hz : float - the fastest clock after place and route
    clock_hz : float - clock that the PLL makes
    asked_hz : float - clock that was asked for, or the highest that was allowed
    timing_met : bool - whether every clock of the design reaches what it is asked for
    seed : int - seed of place and route
    seconds : float - time from elaboration to bitstream, also where it came from the cache
    cached : bool - whether it came from the cache
    tools : dict[str, str] - version and source of each tool
    clocks_tried : list of dict - where the highest clock was looked for, every place and route with its clock_hz, seed, fmax_hz and timing_met
    seeds_tried : list of int - all at this clock, in their order; with the others the placer found no place, or timing was nearly met
    """

    name: str
    source_hash: str
    board: str
    bitstream: Path
    resources: Resources
    capacity: dict[str, int]
    fmax_hz: float
    clock_hz: float
    asked_hz: float
    timing_met: bool
    seed: int
    seconds: float
    cached: bool
    tools: dict[str, str]
    clocks_tried: list[dict[str, Any]] = field(default_factory=list)
    seeds_tried: list[int] = field(default_factory=list)

    def description(self) -> dict[str, Any]:
        """As ``rbonn build --json`` prints it."""
        return {"schema": SCHEMA, **asdict(self), "bitstream": str(self.bitstream)}


def read_report(folder: Path) -> BuildResult:
    """The result of the build that was made into `folder`.

    Raises
    ------
    BuildFailedError - there is none, or its bitstream is not the one that the report describes
    """
    try:
        values = json.loads((folder / REPORT).read_text())
        result = result_of(values, folder)
        intact = file_digest(result.bitstream) == values["bitstream_sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BuildFailedError(
            f"{folder}: no finished build there ({type(error).__name__}: {error})",
            "Run 'rbonn build' first.",
        ) from error
    if not intact:
        raise BuildFailedError(
            f"{result.bitstream}: not the bitstream that {REPORT} beside it describes",
            "Run 'rbonn build' again.",
        )
    return result


def built_clock_hz(folder: Path, board: str, source_hash: str) -> int | None:
    """The clock of the build in `folder`, where there is one for that board from that source; else None."""
    try:
        built = read_report(folder)
    except BuildFailedError:
        return None
    if (built.board, built.source_hash) != (board, source_hash):
        return None
    return round(built.clock_hz)


def result_of(values: dict[str, Any], folder: Path) -> BuildResult:
    """The result of which a report has the `values`, in `folder`. Raises KeyError or TypeError where they are not those of a report."""
    # Reports of older versions lack these.
    added = {"asked_hz": values["clock_hz"], "clocks_tried": [], "seeds_tried": [values["seed"]]}
    values = added | values
    fields = {name: values[name] for name in BuildResult.__slots__}
    return BuildResult(
        **{
            **fields,
            "bitstream": folder / values["bitstream"],
            "resources": Resources(**values["resources"]),
        }
    )
