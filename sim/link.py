"""Simulates a whole top level through the pins of its serial line and compares the answers with expected scores and labels."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..hw.protocol import Info
from ..sw.errors import SimulationError
from ..sw.host.protocol import Command, Frame, encode_frame
from .line_bench import LINE_BENCH, line_bench
from .run import Progress, choose_simulator, compile_bench, fresh_folder, progress_lines, run_cocotb
from .scoreboard import Mismatch


@dataclass(frozen=True, slots=True)
class LinkResult:
    """What a conversation over the simulated line found.

    Parameters
    ----------
    level : str - ``link``
    images : int - images sent and answered
    mismatches : int - of `answers_compared`
    first_mismatch : Mismatch or None - ``link.<what>``; `channel` is the class, or the byte of INFO
    answers_compared : int - scores, labels, bytes of INFO and error codes compared
    core_cycles : tuple of int - what the board said that each image took, see docs/protocol.md
    cycles_simulated : int
    wall_seconds : float - of the simulator process, without compilation
    simulator : str
    """

    level: str
    images: int
    mismatches: int
    first_mismatch: Mismatch | None
    answers_compared: int
    core_cycles: tuple[int, ...]
    cycles_simulated: int
    wall_seconds: float
    simulator: str


def simulate_link(
    verilog: str,
    top: str,
    info: Info,
    bit_cycles: float,
    images: np.ndarray,
    scores: np.ndarray,
    labels: np.ndarray,
    *,
    folder: Path,
    simulator: str | None = None,
    patience_cycles: int | None = None,
    power_on_cycles: int = 100,
    progress: Progress | None = None,
) -> LinkResult:
    """Asks INFO and sends images as a host does: bits on `rx`, answers from `tx`, encoded and decoded by the host library.

    Half of the images wait for the answer to the one before, half are sent ahead, as many as the receive buffer holds besides the one that the
    core has; between them goes a damaged request, after them RESET and one image more.

    Parameters
    ----------
    verilog : str - holds module `top` with the ports clk, rst, rx, tx
    top : str
    info : Info - what INFO must say
    bit_cycles : float - clock cycles per bit on the host's side; a little off the design's divisor is what real hosts are
    images : uint8 (images, info.image_bytes) - packed as INFER carries them
    scores : int (images, info.n_classes)
    labels : int (images,)
    folder : Path - emptied first; receives the files of the run and ``simulation.log``
    simulator : "verilator", "icarus" or None (the first that is installed)
    patience_cycles : int or None - how long an answer may take after its request; None: line, interval and as much again
    power_on_cycles : int - how long the host waits before its first byte
    progress : called with (what, done, of)

    Raises
    ------
    SimulationError - a request is not answered, or with another frame (named, with the cycle)
    ToolchainNotFoundError, BuildFailedError, UnknownNameError - as `simulate`
    ValueError - arrays that do not agree with `info`
    """
    images, scores, labels = np.asarray(images), np.asarray(scores), np.asarray(labels)
    n_images = len(images)
    for name, array, shape in (
        ("Images", images, (n_images, info.image_bytes)),
        ("Scores", scores, (n_images, info.n_classes)),
        ("Labels", labels, (n_images,)),
    ):
        if array.shape != shape or not n_images:
            raise ValueError(f"{name} must have shape {shape}, not {array.shape}")
    simulator = choose_simulator(simulator)
    folder = fresh_folder(folder.absolute())
    log = folder / "simulation.log"
    if patience_cycles is None:
        line_cycles = 10 * bit_cycles * (info.image_bytes + info.answer_bytes + 100)
        patience_cycles = int(2 * line_cycles + 20 * info.interval_cycles)
    request = Frame(0, Command.INFER, bytes(info.image_bytes))
    plan = {
        "bit_cycles": bit_cycles,
        "patience_cycles": patience_cycles,
        "power_on_cycles": power_on_cycles,
        "ahead": info.receive_buffer_bytes // len(encode_frame(request)),
    }
    (folder / "link.json").write_text(json.dumps(plan), encoding="utf-8")
    np.savez(
        folder / "link.npz",
        images=images.astype(np.uint8),
        scores=scores.astype(np.int64),
        labels=labels.astype(np.int64),
        info=np.frombuffer(info.encode(), np.uint8),
    )
    if progress:
        progress("compile", 0, 1)
    command = compile_bench(verilog, line_bench(top), LINE_BENCH, simulator, folder, log)
    if progress:
        progress("compile", 1, 1)
    on_line: Callable[[str], None] | None = progress_lines(progress)
    result, passed, seconds = run_cocotb(
        command, LINE_BENCH, "rbonn.sim.cocotb_link", folder, log, on_line
    )
    first = Mismatch(**result["first_mismatch"]) if result["first_mismatch"] else None
    if result["failure"]:
        before = f"; first difference: {first}" if first else ""
        raise SimulationError(
            f"On the serial line: {result['failure']}{before}.", f"The whole log is {log}"
        )
    if passed != (result["mismatches"] == 0) or not result["answers_compared"]:
        raise SimulationError(
            f"cocotb says {'passed' if passed else 'failed'} with {result['mismatches']} mismatches of "
            f"{result['answers_compared']} comparisons.",
            f"This is a defect of the bench; the whole log is {log}",
        )
    return LinkResult(
        level="link",
        images=n_images,
        mismatches=result["mismatches"],
        first_mismatch=first,
        answers_compared=result["answers_compared"],
        core_cycles=tuple(result["core_cycles"]),
        cycles_simulated=result["cycles"],
        wall_seconds=seconds,
        simulator=simulator,
    )
