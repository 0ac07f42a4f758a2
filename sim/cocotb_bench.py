"""The cocotb test of a streaming bench: runs the passes of a plan, compares every capture and gives the verdict.

Clock, stalls and captures are in HDL (`bench.sv`), so Python wakes only a few times per pass. Runs inside the simulator, in the folder that
has ``plan.json``; writes ``result.json``. Lines that begin with `PROGRESS` on standard output are for the parent process.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Any

import cocotb
import numpy as np
from cocotb.handle import SimHandleBase
from cocotb.triggers import Timer, ValueChange

from .plan import PROGRESS, Pass, RunPlan, stimulus_bytes
from .scoreboard import compare_output, compare_probe


@cocotb.test()
async def every_captured_word_is_as_expected(dut: SimHandleBase) -> None:
    """All passes of the plan; fails at any difference, and when the design stops."""
    folder = Path.cwd()
    plan = RunPlan.read(folder)
    results = []
    for item in plan.passes:
        result = await _run(dut, plan, item)
        results.append(result)
        if result["failure"]:
            break
    (folder / "result.json").write_text(json.dumps({"passes": results}), encoding="utf-8")
    failures = [result["failure"] for result in results if result["failure"]]
    mismatches = sum(result["mismatches"] for result in results)
    assert not failures, failures
    assert mismatches == 0, f"{mismatches} mismatches"
    assert all(result["compared"] for result in results), "nothing was compared"


async def _run(dut: Any, plan: RunPlan, item: Pass) -> dict[str, Any]:
    """One pass: control the bench, wait, compare."""
    order = np.arange(item.frames) % len(plan.inputs)
    Path("input.bin").write_bytes(stimulus_bytes(plan.inputs[order], plan.stream.width))
    stalls = item.stalls
    shift = max(0, (item.frames // 100).bit_length() - 1)
    controls = {
        "input_seed": _seed(stalls.seed if stalls else 1, 1),
        "output_seed": _seed(stalls.seed if stalls else 1, 2),
        "input_probability": int(65536 * stalls.input_probability) if stalls else 0,
        "output_probability": int(65536 * stalls.output_probability) if stalls else 0,
        "burst_probability": 32768 // stalls.burst_cycles if stalls and stalls.burst_cycles else 0,
        "burst_mask": stalls.burst_cycles - 1 if stalls and stalls.burst_cycles else 0,
        "input_total": item.frames * plan.inputs.shape[1],
        "input_words_per_image": plan.inputs.shape[1],
        "output_total": item.frames * plan.output.transfers_per_image,
        "output_words_per_image": plan.output.transfers_per_image,
        "idle_limit": plan.limits.idle_cycles,
        "starved_limit": plan.limits.starved_cycles,
        "settle_cycles": plan.limits.settle_cycles,
        "progress_shift": shift,
        "go": 1,
    }
    started = perf_counter()
    await Timer(4, "ns")
    for name, value in controls.items():
        getattr(dut, name).value = value
    while True:
        await ValueChange(dut.events)
        events = int(dut.events.value)
        print(
            f"{PROGRESS} {min((events >> 1) << shift, item.frames)} {item.frames} {item.name}",
            flush=True,
        )
        if events & 1:
            break
    wall_seconds = perf_counter() - started
    cycles, timed_out = int(dut.cycle.value), bool(dut.timed_out.value)
    dut.go.value = 0
    await Timer(4, "ns")  # two clock cycles
    return {
        "name": item.name,
        "frames": item.frames,
        "cycles": cycles,
        "wall_seconds": wall_seconds,
        **_judge(plan, item, order, timed_out=timed_out),
    }


def _seed(seed: int, side: int) -> int:
    """A 32-bit generator state that is not 0, different on each side."""
    return ((2 * seed + side) * 0x9E3779B1) % 0xFFFFFFFF + 1


def _judge(plan: RunPlan, item: Pass, order: np.ndarray, *, timed_out: bool) -> dict[str, Any]:
    """Compares the files of a finished pass."""
    lines = [line.split() for line in Path("summary.txt").read_text(encoding="utf-8").splitlines()]
    summary = {name: tuple(map(int, numbers)) for name, *numbers in lines}
    comparisons = [
        compare_probe(Path(f"probe_{probe.edge}.bin"), probe, plan.expected[probe.edge], order)
        for probe in plan.probes
    ]
    comparisons.append(compare_output(Path("output.bin"), plan.output, plan.expected_output, order))
    failure = _failure(item, summary, timed_out, plan.inputs.shape[1])
    differences = [item.first for item in comparisons if item.first]
    if failure:  # that words are missing then says nothing more
        differences = [difference for difference in differences if difference.got is not None]
    first = differences[0] if differences else None
    return {
        "failure": failure,
        "compared": {item.edge: item.compared for item in comparisons},
        "mismatches": sum(item.mismatches for item in comparisons),
        "first_mismatch": asdict(first) if first else None,
        "first_input_cycles": np.fromfile("first.bin", "<u8").tolist(),
        "last_output_cycles": np.fromfile("last.bin", "<u8").tolist(),
    }


def _failure(
    item: Pass, summary: dict[str, tuple[int, ...]], timed_out: bool, inputs_per_image: int
) -> str | None:
    """One line that says how the design broke its contract or stopped; None if it did not."""
    violations, _, cycle = summary.pop("contract")
    if violations:
        return f"the output drops `valid` or changes its payload before the word is taken, first in cycle {cycle}"
    for name, (_, unknown, _) in summary.items():
        if unknown:
            return f"{_label(name)} carries unknown bits in {unknown} words"
    if timed_out:
        words = {name: numbers[0] for name, numbers in summary.items()}
        moved = [(cycle, name) for name, (count, _, cycle) in summary.items() if count]
        if not moved:
            return "the design stops before it takes a word"
        cycle = max(moved)[0]
        name = [name for at, name in moved if at == cycle][-1]  # the furthest in data-flow order
        return f"the design stops: {_label(name)} moves last, in cycle {cycle}; " + ", ".join(
            f"{_label(name)} {count} words" for name, count in words.items()
        )
    n_inputs = item.frames * inputs_per_image
    if summary["input"][0] != n_inputs:
        return f"the design takes {summary['input'][0]} of {n_inputs} input words, but all its outputs have left"
    return None


def _label(name: str) -> str:
    return name.removeprefix("probe_")
