"""A network on a board: everything between the two, computed when it is first asked for.

project = Project.find("mnist_cnn_1w1a", "icebreaker")
project.summary.frames_per_second
project.write_verilog(Path("out"))
project.build(Path("out")).fmax_hz
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from ..boards import Board
from ..hw.protocol import HASH_BYTES, ElementKind, Info, batch_images
from ..hw.top import Top, TopConfig
from ..hw.trace import TraceConfig
from .build.cache import BuildCache
from .build.design import TOP, board_design, clock_error, component_verilog
from .build.device_forms import device_forms
from .build.elaborate import Elaboration, elaborate
from .build.flow import Progress
from .build.result import BuildResult
from .build.synthesis import build
from .build.target import find_board
from .build.weights import WEIGHTS, weight_file
from .errors import DoesNotFitError, InputFileError, PlanError, UnknownNameError
from .files import written_whole
from .models import find_network, load_images, samples_of
from .network import Bipolar, Int, Network
from .plan.choice import Options
from .plan.plan import AcceleratorPlan, load_plan
from .plan.planner import find_plan
from .plan.summary import PlanSummary, summarise

Forms = Literal["device", "portable"]

LARGE_LUT4 = 15_000
"""Estimated lookup tables from which a design is simulated in portable forms unless the user says otherwise."""

SEEDS = 3
"""Seeds of place and route that a build tries where the user names none."""


@dataclass(frozen=True)
class Project:
    """A network, a board and the plan that joins them.

    Parameters
    ----------
    network : Network
    board : Board
    plan : AcceleratorPlan - for exactly that network and board
    options : dict or None - what the planner chose from, by layer, where it did
    traced : tuple of str - edges that the board records for TRACE
    """

    network: Network
    board: Board
    plan: AcceleratorPlan
    options: Options | None = field(default=None, repr=False, compare=False)
    traced: tuple[str, ...] = ()

    @classmethod
    def find(
        cls,
        network: str,
        board: str,
        *,
        plan_file: Path | None = None,
        fps: float | None = None,
        clock_mhz: float | None = None,
        traced: Sequence[str] = (),
    ) -> Project:
        """A shipped network (or a network file) on a board, with the plan in `plan_file` or a new one.

        Parameters
        ----------
        fps : float or None - frames per second to reach with the fewest resources; None: as many as fit
        clock_mhz : float or None - None: the board's clock
        traced : sequence of str - edges that the board records for TRACE

        Raises
        ------
        UnknownNameError, InputFileError - no such network, board or edge
        PlanError, DoesNotFitError, UnsupportedLayerError, ClockError - see `find_plan`
        """
        found_network, found_board = find_network(network), find_board(board)
        if plan_file is not None:
            if fps is not None or clock_mhz is not None:
                raise PlanError(
                    f"{plan_file}: a plan fixes clock and folding already",
                    "Leave out --fps and --clock, or make a new plan with them.",
                )
            plan, options = load_plan(plan_file), None
            plan.check(found_network, found_board)
        else:
            clock_hz = round(clock_mhz * 1e6) if clock_mhz is not None else found_board.clock_hz
            found = find_plan(found_network, found_board, clock_hz=clock_hz, frames_per_second=fps)
            plan, options = found.plan, found.options
        project = cls(found_network, found_board, plan, options, tuple(traced))
        _ = project.info, baud_at(found_board, project.clock_hz)
        return project

    @property
    def folder(self) -> Path:
        """Where results go unless the user says otherwise."""
        return default_folder(self.network.name, self.board.name)

    @cached_property
    def clock_hz(self) -> int:
        """What the board's PLL makes of the planned clock, rounded to whole hertz. Raises ClockError where it cannot."""
        try:
            return round(self.board.pll(self.plan.clock_hz).output_hz)
        except ValueError as error:
            raise clock_error(self.board, error) from error

    @cached_property
    def elaboration(self) -> Elaboration:
        """The accelerator, stage by stage."""
        return elaborate(self.network, self.plan.foldings, device_forms(self.board))

    def simulated(self, forms: Forms | None = None) -> tuple[Forms, Elaboration]:
        """The accelerator as it is simulated: in the forms of the device, cell by cell, or in portable ones.

        Every cell of a carry chain is simulated for itself, so a large design takes half an hour to compile; None chooses portable forms from
        `LARGE_LUT4` on. That each device's form equals the portable one is proved for the parts (tests/hw/test_forms.py).
        """
        if forms is None:
            forms = "portable" if self.summary.totals.lut4 > LARGE_LUT4 else "device"
        if forms == "device":
            return forms, self.elaboration
        portable = device_forms(self.board).portable
        return forms, elaborate(self.network, self.plan.foldings, portable)

    @cached_property
    def traceable(self) -> dict[str, TraceConfig]:
        """The edges that the board can record, each with what there is to record of it."""
        config = self.elaboration.config
        stages = {stage.name: stage.config for stage in config.stages}
        return {
            probe.edge: TraceConfig(probe.edge, probe.width, stages[probe.stage].outputs_per_frame)
            for probe in config.probes
            if probe.port == "payload"
        }

    @cached_property
    def traces(self) -> tuple[TraceConfig, ...]:
        """What the board records of each edge in `traced`. Raises UnknownNameError where the accelerator has no such edge."""
        for edge in self.traced:
            if edge not in self.traceable:
                raise UnknownNameError(
                    f"{self.network.name} has no stage boundary {edge!r} that can be traced",
                    f"There are {', '.join(self.traceable)}.",
                )
        return tuple(self.traceable[edge] for edge in self.traced)

    @cached_property
    def summary(self) -> PlanSummary:
        """Cycles and costs."""
        return summarise(self.network, self.plan, self.board, self.elaboration)

    @cached_property
    def info(self) -> Info:
        """What the board will say about itself.

        The weights hash is the beginning of the network's hash; the design hash covers the network's structure, the plan, the clock as it is made, and what is recorded for TRACE.

        Raises
        ------
        DoesNotFitError - the link cannot carry the network's images or scores
        """
        edge = self.network.edges[self.network.device_input]
        plan = asdict(self.plan) | {"clock_hz": self.clock_hz}
        del plan["proof"], plan["network_hash"]
        structure = json.dumps([self.network.description(), plan, *self.traced], sort_keys=True)
        kind = (
            ElementKind.BIPOLAR
            if isinstance(edge.datatype, Bipolar)
            else ElementKind.SIGNED
            if isinstance(edge.datatype, Int)
            else ElementKind.UNSIGNED
        )
        config = self.elaboration.config
        try:
            info = Info(
                name=self.network.name,
                design_hash=hashlib.sha256(structure.encode()).digest()[:HASH_BYTES],
                weights_hash=bytes.fromhex(self.network.hash())[:HASH_BYTES],
                element_kind=kind,
                element_bits=edge.datatype.bits,
                shape=edge.shape,
                n_classes=config.n_classes,
                score_bits=config.score_bits,
                clock_hz=self.clock_hz,
                interval_cycles=config.interval_cycles,
                benchmark=True,
                trace_bytes=sum(trace.n_bytes for trace in self.traces),
            )
            return replace(info, batch_images=batch_images(info.image_bytes, info.answer_bytes))
        except ValueError as error:
            raise DoesNotFitError(
                f"{self.network.name} does not fit the serial link: {error}",
                "Use smaller images, or fewer classes.",
            ) from error

    def top(self) -> Top:
        """A fresh top level: the accelerator behind its serial link, with ports `rx` and `tx`."""
        baud = baud_at(self.board, self.clock_hz)
        config = TopConfig(self.info, baud, traces=self.traces)
        return config.component(self.elaboration.config.component())

    def write_verilog(self, folder: Path, *, core: bool = False) -> Path:
        """Writes ``top.v``, exactly what is synthesised for the board, or with `core` the accelerator alone, and ``weights.bin``; returns the path of ``top.v``."""
        if core:
            verilog = component_verilog(self.elaboration.config.component(), TOP)
        else:
            verilog = board_design(self.board, self.top(), self.plan.clock_hz).verilog
        path = folder / f"{TOP}.v"
        with written_whole(path) as temporary:
            temporary.write_text(verilog)
        self.write_weights(folder)
        return path

    def write_weights(self, folder: Path) -> Path:
        """Writes ``weights.bin``, the contents of all weight and preset memories; returns its path."""
        path = folder / WEIGHTS
        with written_whole(path) as temporary:
            temporary.write_bytes(weight_file(self.elaboration.config))
        return path

    def build(
        self,
        folder: Path,
        *,
        seed: int | None = None,
        use_cache: bool = True,
        progress: Progress | None = None,
    ) -> BuildResult:
        """Builds the bitstream into `folder`, and writes ``weights.bin`` beside it; see `rbonn.sw.build.build`.

        Parameters
        ----------
        seed : int or None - the only seed of place and route; None: 1, and up to `SEEDS` where that finds no place or nearly meets timing
        """
        result = build(
            self.board,
            self.top(),
            self.network.name,
            folder,
            self.plan.clock_hz,
            seed=1 if seed is None else seed,
            attempts=SEEDS if seed is None else 1,
            progress=progress,
            cache=BuildCache() if use_cache else None,
            source_hash=self.network.hash(),
        )
        self.write_weights(folder)
        return result

    def images(self, count: int, path: Path | None = None) -> np.ndarray:
        """The first `count` images of `path` (.npy), or of the shipped samples: uint8 (count, height, width, channels).

        Raises
        ------
        InputFileError - fewer are there, or they do not fit the network
        """
        images = load_images(path, self.network) if path else samples_of(self.network).images
        if len(images) < count:
            raise InputFileError(
                f"{count} images asked for, {len(images)} there", "Ask for fewer images."
            )
        return images[:count]


def baud_at(board: Board, clock_hz: int) -> int:
    """The fastest baud rate of a board at a clock. Raises ClockError where no baud rate divides the clock."""
    try:
        return board.uart.baud(clock_hz)
    except ValueError as error:
        raise clock_error(board, error) from error


def default_folder(network: str, board: str) -> Path:
    """``build/<network>-<board>`` below the current folder."""
    return Path("build") / f"{network}-{board}"
