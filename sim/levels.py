"""The levels of proof below the Verilog: the netlist after place and route, and the bitstream, each against the golden model or the level above it.

A chip is simulated whole, through its pins, by the host library: requests come in bit by bit, answers go out, and scores and labels are compared. What is inside
has lost its names, so no other edge of the graph is observed there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from ..hw.uart import UartConfig
from ..sw.build.design import TOP
from ..sw.build.result import BuildResult
from ..sw.host.packing import device_values, pack
from ..sw.network.golden import GoldenModel
from ..sw.project import Project, baud_at
from .chip import around_chip, power_on_cycles
from .ecp5_bitstream import compare_bitstream
from .ice40_bitstream import bitstream_verilog
from .link import simulate_link
from .routed_netlist import routed_verilog
from .run import Progress
from .top_level import CLOCK_ERROR

LEVELS = ("rtl", "netlist", "bitstream")
"""From the generated Verilog to what is flashed."""

OUTPUT_EDGES = 1
"""Edges of the graph seen through the pins: the scores, with the labels that follow from them."""


@dataclass(frozen=True, slots=True)
class ChipResult:
    """What a level found.

    Parameters
    ----------
    level : str - one of `LEVELS`
    method : str - ``simulation``, or ``comparison`` of the bitstream's settings with the routed configuration
    images : int - images sent and answered; 0 where nothing is simulated
    mismatches : int - of `values_compared`
    first_mismatch : str or None
    boundaries_checked : int - edges of the graph compared
    values_compared : int - scores, labels, bytes of INFO and error codes; or settings of the bitstream
    cycles_simulated : int
    wall_seconds : float - all of it, with compilation
    simulator : str or None
    parts : dict[str, int] - what the chip consists of: cells of the netlist, or what was found in the bitstream
    """

    level: str
    method: str
    images: int
    mismatches: int
    first_mismatch: str | None
    boundaries_checked: int
    values_compared: int
    cycles_simulated: int
    wall_seconds: float
    simulator: str | None
    parts: dict[str, int]


def check_netlist(
    project: Project,
    built: BuildResult,
    images: np.ndarray,
    *,
    folder: Path,
    simulator: str | None = None,
    progress: Progress | None = None,
) -> ChipResult:
    """Simulates the netlist after place and route of `built`, with models of its cells, against the golden model.

    Raises
    ------
    see `routed_verilog`, `around_chip` and `simulate_link`
    """
    return _simulated(
        "netlist",
        lambda: routed_verilog(built.bitstream.parent, project.board.family),
        project,
        images,
        folder,
        simulator,
        progress,
    )


def check_bitstream(
    project: Project,
    built: BuildResult,
    images: np.ndarray,
    *,
    folder: Path,
    simulator: str | None = None,
    progress: Progress | None = None,
) -> ChipResult:
    """Simulates the bitstream of `built` against the golden model, or, of an ECP5, compares it with the routed configuration.

    Raises
    ------
    see `bitstream_verilog`, `around_chip` and `simulate_link`, or `compare_bitstream`
    """
    if project.board.family == "ice40":
        return _simulated(
            "bitstream",
            lambda: bitstream_verilog(built, project.board, project.plan.clock_hz),
            project,
            images,
            folder,
            simulator,
            progress,
        )
    started = perf_counter()
    if progress:
        progress("unpack and compare", 0, 1)
    found = compare_bitstream(built)
    return ChipResult(
        level="bitstream",
        method="comparison",
        images=0,
        mismatches=len(found.differences),
        first_mismatch=next(iter(found.differences), None),
        boundaries_checked=0,
        values_compared=found.settings,
        cycles_simulated=0,
        wall_seconds=perf_counter() - started,
        simulator=None,
        parts={},
    )


def _simulated(
    level: str,
    make_verilog: Callable[[], tuple[str, Counter[str]]],
    project: Project,
    images: np.ndarray,
    folder: Path,
    simulator: str | None,
    progress: Progress | None,
) -> ChipResult:
    """The conversation over the serial line of a chip."""
    started = perf_counter()
    if progress:
        progress(f"{level} to Verilog", 0, 1)
    verilog, parts = make_verilog()
    network, clock_hz = project.network, project.clock_hz
    answers = GoldenModel(network).run(images)
    entry = network.edges[network.device_input]
    uart = UartConfig(clock_hz=clock_hz, baud=baud_at(project.board, clock_hz))
    result = simulate_link(
        around_chip(verilog, project.board),
        TOP,
        project.info,
        uart.divisor * (1 + CLOCK_ERROR),
        np.stack([pack(device_values(image, network), entry) for image in images]),
        answers.scores.numpy(),
        answers.labels.numpy(),
        folder=folder,
        simulator=simulator,
        power_on_cycles=power_on_cycles(clock_hz),
        progress=progress,
    )
    return ChipResult(
        level=level,
        method="simulation",
        images=result.images,
        mismatches=result.mismatches,
        first_mismatch=str(result.first_mismatch) if result.first_mismatch else None,
        boundaries_checked=OUTPUT_EDGES,
        values_compared=result.answers_compared,
        cycles_simulated=result.cycles_simulated,
        wall_seconds=perf_counter() - started,
        simulator=result.simulator,
        parts=dict(sorted(parts.items())),
    )
