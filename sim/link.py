"""Simulates a whole top level through the pins of its serial line and compares the answers with expected scores and labels; on a good line, or on a bad one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..hw.protocol import BENCHMARK_IMAGES, WARM_UP_IMAGES, Info
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


@dataclass(frozen=True, slots=True)
class FaultsResult:
    """What a conversation over a bad line found.

    Parameters
    ----------
    faults : int - requests that suffered
    overruns : int - requests that were refused because bytes were lost in the full receive buffer
    mismatches : int - of `answers_compared`
    first_mismatch : Mismatch or None - ``link.<fault>.<command>.<what>``
    answers_compared : int
    latest_cycles : int - by how much an answer was later behind a refused request, less what the board sent meanwhile
    cycles_simulated : int
    wall_seconds : float - of the simulator process, without compilation
    simulator : str
    """

    faults: int
    overruns: int
    mismatches: int
    first_mismatch: Mismatch | None
    answers_compared: int
    latest_cycles: int
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
    simulator, n_images = choose_simulator(simulator), len(images)
    request = Frame(0, Command.INFER, bytes(info.image_bytes))
    line_cycles = 10 * bit_cycles * (info.image_bytes + info.answer_bytes + 100)
    plan = {
        "bit_cycles": bit_cycles,
        "patience_cycles": patience_cycles or int(2 * line_cycles + 20 * info.interval_cycles),
        "power_on_cycles": power_on_cycles,
        "ahead": info.receive_buffer_bytes // len(encode_frame(request)),
    }
    arrays = {"images": images, "scores": scores, "labels": labels}
    result, seconds = _converse(
        verilog, top, info, "cocotb_link", plan, arrays, folder, simulator, progress
    )
    return LinkResult(
        level="link",
        images=n_images,
        mismatches=result["mismatches"],
        first_mismatch=_first(result),
        answers_compared=result["answers_compared"],
        core_cycles=tuple(result["core_cycles"]),
        cycles_simulated=result["cycles"],
        wall_seconds=seconds,
        simulator=simulator,
    )


def simulate_link_faults(
    verilog: str,
    top: str,
    info: Info,
    bit_cycles: float,
    images: np.ndarray,
    scores: np.ndarray,
    labels: np.ndarray,
    traces: np.ndarray | None = None,
    *,
    folder: Path,
    rounds: int = 1,
    seed: int = 1,
    simulator: str | None = None,
    power_on_cycles: int = 100,
    progress: Progress | None = None,
) -> FaultsResult:
    """Has requests of every command suffer every fault (`line_faults`), and compares all that comes back with what must.

    Parameters
    ----------
    verilog, top, info, bit_cycles, images, scores, labels : as for `simulate_link`; no two images alike
    traces : uint8 (images, info.trace_bytes) or None - what TRACE says behind each image, where the board has it
    folder : Path - emptied first; receives the files of the run and ``simulation.log``
    rounds : int - times that each command suffers each fault
    seed : int - of the faults' places
    simulator, power_on_cycles, progress : as for `simulate_link`

    Raises
    ------
    as `simulate_link`
    """
    simulator, n_images = choose_simulator(simulator), len(images)
    if traces is None:
        traces = np.zeros((n_images, 0), np.uint8)
    longest = max(info.batch_images, 1) * max(info.image_bytes, info.answer_bytes)
    line_cycles = 10 * bit_cycles * (longest + info.trace_bytes + 100)
    images_of_a_benchmark = WARM_UP_IMAGES + BENCHMARK_IMAGES
    plan = {
        "bit_cycles": bit_cycles,
        "patience_cycles": int(2 * line_cycles + 2 * images_of_a_benchmark * info.interval_cycles),
        "power_on_cycles": power_on_cycles,
        "rounds": rounds,
        "seed": seed,
    }
    arrays = {"images": images, "scores": scores, "labels": labels, "traces": traces}
    result, seconds = _converse(
        verilog, top, info, "cocotb_faults", plan, arrays, folder, simulator, progress
    )
    return FaultsResult(
        faults=result["faults"],
        overruns=result["overruns"],
        mismatches=result["mismatches"],
        first_mismatch=_first(result),
        answers_compared=result["answers_compared"],
        latest_cycles=result["latest_cycles"],
        cycles_simulated=result["cycles"],
        wall_seconds=seconds,
        simulator=simulator,
    )


def _converse(
    verilog: str,
    top: str,
    info: Info,
    test_module: str,
    plan: dict[str, float],
    arrays: dict[str, np.ndarray],
    folder: Path,
    simulator: str,
    progress: Progress | None,
) -> tuple[dict[str, Any], float]:
    """What the conversation in `test_module` found, and how many seconds it took."""
    n_images = len(arrays["images"])
    shapes = {
        "images": (n_images, info.image_bytes),
        "scores": (n_images, info.n_classes),
        "labels": (n_images,),
        "traces": (n_images, info.trace_bytes),
    }
    for name, array in arrays.items():
        if np.shape(array) != shapes[name] or not n_images:
            raise ValueError(
                f"{name.capitalize()} must have shape {shapes[name]}, not {np.shape(array)}"
            )
    folder = fresh_folder(folder.absolute())
    log = folder / "simulation.log"
    (folder / "link.json").write_text(json.dumps(plan), encoding="utf-8")
    types = {"images": np.uint8, "traces": np.uint8}
    stored: dict[str, Any] = {
        name: np.asarray(array, types.get(name, np.int64)) for name, array in arrays.items()
    }
    np.savez(folder / "link.npz", info=np.frombuffer(info.encode(), np.uint8), **stored)
    if progress:
        progress("compile", 0, 1)
    command = compile_bench(verilog, line_bench(top), LINE_BENCH, simulator, folder, log)
    if progress:
        progress("compile", 1, 1)
    result, passed, seconds = run_cocotb(
        command, LINE_BENCH, f"rbonn.sim.{test_module}", folder, log, progress_lines(progress)
    )
    first = _first(result)
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
    return result, seconds


def _first(result: dict[str, Any]) -> Mismatch | None:
    return Mismatch(**result["first_mismatch"]) if result["first_mismatch"] else None
