"""Simulates the Verilog of a streaming design and compares it, bit for bit, with expected arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..sw.errors import SimulationError
from .bench import BENCH, streaming_bench
from .plan import FULL_SPEED, RANDOM_STALLS, Limits, Pass, RunPlan
from .run import Progress, choose_simulator, compile_bench, fresh_folder, progress_lines, run_cocotb
from .scoreboard import Mismatch, split_fields
from .specification import OutputSpec, Probe, Stalls, StreamSpec

TIMING_FRAMES = 6
"""Frames of the pass at full speed, at least: the interval is measured from the third on."""

BYTES = StreamSpec(8)
DEFAULT_STALLS = Stalls()
DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class SimulationResult:
    """What a simulation found.

    Parameters
    ----------
    level : str - ``rtl``
    images : int - images compared, each at least once
    mismatches : int - elements that differ, in all passes
    first_mismatch : Mismatch or None - in data-flow order, of the first pass that has one
    boundaries_checked : int - graph edges compared: the probes and the edges that the output carries
    initiation_interval_cycles : int - cycles between results at full speed, from the third frame on (mean, rounded up)
    latency_cycles : int - from the first input of the first image accepted to its last output taken, at full speed
    cycles_simulated : int - of all passes
    wall_seconds : float - of the simulator process, without compilation
    simulator : str - ``verilator`` or ``icarus``
    elements_compared : int - in all passes
    """

    level: str
    images: int
    mismatches: int
    first_mismatch: Mismatch | None
    boundaries_checked: int
    initiation_interval_cycles: int
    latency_cycles: int
    cycles_simulated: int
    wall_seconds: float
    simulator: str
    elements_compared: int

    @property
    def cycles_per_second(self) -> float:
        return self.cycles_simulated / self.wall_seconds


def simulate(
    verilog: str,
    top: str,
    inputs: np.ndarray,
    output: OutputSpec,
    probes: Sequence[Probe],
    expected: Mapping[str, np.ndarray],
    expected_output: np.ndarray | Mapping[str, np.ndarray],
    *,
    folder: Path,
    stream: StreamSpec = BYTES,
    stalls: Stalls | None = DEFAULT_STALLS,
    simulator: str | None = None,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> SimulationResult:
    """Runs `top` in a simulator and compares every word at every probe and at the output.

    Two passes over one compiled simulation, each from reset: at full speed, which measures interval and latency, with at least
    `TIMING_FRAMES` frames (the images repeat if there are fewer, and only so many are used if there are more); and with random stalls
    on both sides, with every image. Without `stalls` the first pass has every image and is the only one.

    Parameters
    ----------
    verilog : str - holds module `top` with the ports clk, rst, i__payload, i__valid, i__ready, o__payload, o__valid, o__ready
    top : str
    inputs : unsigned array (images, transfers) - words of `stream.width` bits; for a stream of bytes uint8 (images, bytes)
    output : OutputSpec
    probes : sequence of Probe - in data-flow order
    expected : {edge: int array (images, H * W * C)} - one entry per probe; (images, H, W, C) serves too
    expected_output : int array (images, transfers) of payload words, or {field: int array (images, transfers)}
    folder : Path - emptied first; receives the files of the run and ``simulation.log``
    stream : StreamSpec
    stalls : Stalls or None
    simulator : "verilator", "icarus" or None (the first that is installed)
    limits : Limits
    progress : called with (what, done, of)

    Returns
    -------
    SimulationResult - differences are counted there and raise nothing

    Raises
    ------
    SimulationError - the design stops (the last edge that moved and the cycle are named), breaks the stream contract, carries unknown bits,
        leaves inputs, or nothing was compared
    ToolchainNotFoundError - a tool is missing
    BuildFailedError - the simulation does not compile
    UnknownNameError - there is no such simulator
    ValueError - arrays do not agree with each other or with the specification
    """
    plan = _plan(inputs, stream, output, probes, expected, expected_output, stalls, limits)
    simulator = choose_simulator(simulator)
    folder = fresh_folder(folder.absolute())
    log = folder / "simulation.log"
    plan.write(folder)
    if progress:
        progress("compile", 0, 1)
    bench = streaming_bench(top, stream, output, plan.probes)
    command = compile_bench(verilog, bench, BENCH, simulator, folder, log)
    if progress:
        progress("compile", 1, 1)
    data, passed, seconds = run_cocotb(
        command, BENCH, "rbonn.sim.cocotb_bench", folder, log, progress_lines(progress)
    )
    return _result(plan, data["passes"], passed, seconds, simulator, log)


def _plan(
    inputs: np.ndarray,
    stream: StreamSpec,
    output: OutputSpec,
    probes: Sequence[Probe],
    expected: Mapping[str, np.ndarray],
    expected_output: np.ndarray | Mapping[str, np.ndarray],
    stalls: Stalls | None,
    limits: Limits,
) -> RunPlan:
    """The checked plan of a simulation."""
    inputs = np.asarray(inputs)
    if inputs.ndim != 2 or not inputs.size:
        raise ValueError(f"Inputs must be an array (images, transfers), not {inputs.shape}")
    if inputs.min() < 0 or int(inputs.max()) >> stream.width:
        raise ValueError(
            f"Inputs must have {stream.width} bits, not {inputs.min()}..{inputs.max()}"
        )
    images = len(inputs)
    if set(expected) != {probe.edge for probe in probes} or len(expected) != len(probes):
        raise ValueError(
            f"Expected edges must be the probed ones: {sorted(expected)}, probes {[probe.edge for probe in probes]}"
        )
    arrays = {}
    for probe in probes:
        array = _integers(f"Expected values of {probe.edge}", expected[probe.edge])
        array = array.reshape(images, -1)
        if array.shape[1] != probe.elements:
            raise ValueError(
                f"Expected values of {probe.edge} must have {probe.elements} elements an image, not {array.shape[1]}"
            )
        arrays[probe.edge] = array
    if not isinstance(expected_output, Mapping):
        expected_output = split_fields(expected_output, output.fields)
    fields = {
        name: _integers(f"Expected output {name}", array) for name, array in expected_output.items()
    }
    for field in output.fields:
        if field.name not in fields or fields[field.name].shape != (
            images,
            output.transfers_per_image,
        ):
            raise ValueError(
                f"Expected output {field.name} must have shape {(images, output.transfers_per_image)}, not "
                f"{fields[field.name].shape if field.name in fields else 'absent'}"
            )
    passes = [Pass(FULL_SPEED, TIMING_FRAMES if stalls else max(images, TIMING_FRAMES), None)]
    if stalls:
        passes.append(Pass(RANDOM_STALLS, images, stalls))
    return RunPlan(
        stream,
        output,
        tuple(probes),
        tuple(passes),
        limits,
        inputs.astype(np.uint64),
        arrays,
        fields,
    )


def _integers(subject: str, array: np.ndarray) -> np.ndarray:
    array = np.asarray(array)
    if array.dtype.kind not in "iu":
        raise ValueError(f"{subject} must be integers, not {array.dtype}")
    return array.astype(np.int64)


def _result(
    plan: RunPlan,
    passes: list[dict[str, Any]],
    passed: bool,
    seconds: float,
    simulator: str,
    log: Path,
) -> SimulationResult:
    """The result of finished passes; raises SimulationError if the design failed otherwise than by differing."""
    first = next((item["first_mismatch"] for item in passes if item["first_mismatch"]), None)
    mismatch = Mismatch(**first) if first else None
    for item in passes:
        if item["failure"]:
            before = f"; first difference: {mismatch}" if mismatch else ""
            raise SimulationError(
                f"At {item['name']}: {item['failure']}{before}.", f"The whole log is {log}"
            )
    mismatches = sum(item["mismatches"] for item in passes)
    compared = sum(sum(item["compared"].values()) for item in passes)
    if passed != (mismatches == 0) or not compared:
        raise SimulationError(
            f"cocotb says {'passed' if passed else 'failed'} with {mismatches} mismatches of {compared} elements.",
            f"This is a defect of the bench; the whole log is {log}",
        )
    entered, left = passes[0]["first_input_cycles"], passes[0]["last_output_cycles"]
    return SimulationResult(
        level="rtl",
        images=len(plan.inputs),
        mismatches=mismatches,
        first_mismatch=mismatch,
        boundaries_checked=len(plan.probes) + len(plan.output.edges),
        initiation_interval_cycles=-(-(left[-1] - left[2]) // (len(left) - 3)),
        latency_cycles=left[0] - entered[0],
        cycles_simulated=sum(item["cycles"] for item in passes),
        wall_seconds=seconds,
        simulator=simulator,
        elements_compared=compared,
    )
