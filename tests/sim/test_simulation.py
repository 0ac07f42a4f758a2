"""`rbonn.sim.simulation`: a design is compared bit for bit, and each kind of fault is found and named."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
from rbonn.sim import Limits, SimulationResult, Stalls, simulate
from rbonn.sim.icarus import find_icarus
from rbonn.sw.build.design import component_verilog
from rbonn.sw.errors import (
    BuildFailedError,
    SimulationError,
    ToolchainNotFoundError,
    UnknownNameError,
)

from . import row_sums
from .row_sums import OUTPUT, PROBES, RowSums, images, reference

pytestmark = pytest.mark.cosim

LIMITS = Limits(idle_cycles=3000, starved_cycles=5000, settle_cycles=100)


@pytest.fixture(scope="module")
def verilog() -> str:
    return component_verilog(RowSums(), "core")


def run(verilog: str, folder: Path, values: np.ndarray, sent=None, **options) -> SimulationResult:
    """Simulates with `sent` (default: `values`) and compares with the reference of `values`."""
    expected, output = reference(values)
    return simulate(
        verilog,
        "core",
        values if sent is None else sent,
        OUTPUT,
        PROBES,
        expected,
        output,
        folder=folder,
        **{"limits": LIMITS} | options,
    )


def with_byte(values: np.ndarray, image: int, pixel: int, byte: int) -> np.ndarray:
    changed = values.copy()
    changed[image, pixel] = byte
    return changed


def test_a_correct_design_agrees_at_every_boundary_and_its_times_are_measured(
    verilog: str, tmp_path: Path
) -> None:
    progress = []
    result = run(
        verilog, tmp_path / "run", images(40), progress=lambda *event: progress.append(event)
    )
    assert (result.mismatches, result.first_mismatch, result.level) == (0, None, "rtl")
    assert (result.images, result.boundaries_checked) == (40, 3)
    assert result.initiation_interval_cycles == row_sums.INTERVAL_CYCLES
    assert result.latency_cycles == row_sums.LATENCY_CYCLES
    assert result.elements_compared == (6 + 40) * (12 * 8 + 12 + 3 * 2)
    assert result.simulator == "verilator"
    assert progress[:2] == [("compile", 0, 1), ("compile", 1, 1)]
    assert {("full speed", 6, 6), ("random stalls", 40, 40)} <= set(progress)


def test_a_few_images_are_repeated_to_measure_the_interval(verilog: str, tmp_path: Path) -> None:
    result = run(verilog, tmp_path, images(1), stalls=None)
    assert (result.images, result.initiation_interval_cycles) == (1, row_sums.INTERVAL_CYCLES)
    assert result.elements_compared == 6 * (12 * 8 + 12 + 3 * 2)


def test_a_compiled_simulation_is_used_again(verilog: str, tmp_path: Path) -> None:
    run(verilog, tmp_path, images(2), stalls=None)
    run(verilog, tmp_path, images(3), stalls=None)
    assert "g++" not in (tmp_path / "simulation.log").read_text()


def test_stalls_repeat_with_their_seed_and_slow_the_design_on_each_side(
    verilog: str, tmp_path: Path
) -> None:
    def cycles(**stalls) -> int:
        return run(
            verilog, tmp_path, images(50), stalls=Stalls(**{"burst_cycles": 0} | stalls)
        ).cycles_simulated

    none = cycles(input_probability=0, output_probability=0)
    first = cycles(seed=1)
    assert first == cycles(seed=1) != cycles(seed=2)
    assert first > 1.25 * none
    half_input = cycles(input_probability=0.5, output_probability=0)
    assert 1.8 * none < half_input + 200 < 2.2 * none + 400


def test_a_wrong_bit_is_named_with_edge_image_pixel_and_channel(
    verilog: str, tmp_path: Path
) -> None:
    values = with_byte(images(9), 7, 6, row_sums.WRONG_BIT)
    result = run(verilog, tmp_path, values)
    # Image 7 goes through the second pass only; the flipped bit changes the count and the sum as well.
    channel = 5
    expected = reference(values)[0]["flip"].reshape(9, 3, 4, 8)[7, 1, 2, channel]
    assert str(result.first_mismatch) == (
        f"flip: image 7, pixel (1, 2), channel 5: expected {expected}, got {-expected}"
    )
    assert result.mismatches >= 3


def test_a_wrong_output_field_is_named(verilog: str, tmp_path: Path) -> None:
    values = with_byte(images(3), 2, 11, row_sums.WRONG_SUM)
    result = run(verilog, tmp_path, values, stalls=None)
    expected = reference(values)[1]["sum"][2, 2]
    assert str(result.first_mismatch) == (
        f"output.sum: image 2, pixel (0, 0), channel 2: expected {expected}, got {expected + 1}"
    )
    assert result.mismatches == 2 * 2  # sum and parity; images repeat once


def test_a_word_too_many_at_the_end_is_a_mismatch(verilog: str, tmp_path: Path) -> None:
    values = with_byte(images(6), 5, 11, row_sums.REPEAT)
    result = run(verilog, tmp_path, values, stalls=None)
    assert re.fullmatch(
        r"output\.sum: image 6, pixel \(0, 0\), channel 0: expected nothing, got -?\d+",
        str(result.first_mismatch),
    )
    assert result.mismatches == 2


def test_a_word_lost_under_stalls_stops_the_run_and_the_place_is_named(
    verilog: str, tmp_path: Path
) -> None:
    values = images(200)
    values[:, 11] = row_sums.LOSE
    with pytest.raises(
        SimulationError,
        match=r"^At random stalls: the design stops: (count|output) moves last, in cycle \d+; input 2400 words, "
        r"flip 2400 words, count 2400 words, output \d+ words; first difference: output\.\w+: image \d+, ",
    ):
        run(verilog, tmp_path, values)


def test_a_design_that_stops_is_named_with_the_last_edge_that_moved(
    verilog: str, tmp_path: Path
) -> None:
    values = with_byte(images(6), 1, 2, row_sums.STOP)
    with pytest.raises(
        SimulationError,
        match=r"^At full speed: the design stops: count moves last, in cycle 15; input 15 words, flip 14 words, count 14 words, output 3 words\.$",
    ):
        run(verilog, tmp_path, values)


def test_a_design_that_moves_without_result_is_ended(verilog: str, tmp_path: Path) -> None:
    values = with_byte(images(6), 1, 2, row_sums.SPIN)
    with pytest.raises(
        SimulationError, match=r"the design stops: flip moves last, in cycle 5\d\d\d;"
    ):
        run(verilog, tmp_path, values)


def test_an_output_that_changes_while_it_waits_breaks_the_contract(
    verilog: str, tmp_path: Path
) -> None:
    values = images(50)
    values[:, 3] = row_sums.CHANGE
    with pytest.raises(SimulationError, match="changes its payload before the word is taken"):
        run(verilog, tmp_path, values)


def test_what_differs_before_a_stop_is_named_too(verilog: str, tmp_path: Path) -> None:
    values = with_byte(images(6), 1, 2, row_sums.STOP)
    values = with_byte(values, 0, 5, row_sums.WRONG_BIT)
    with pytest.raises(SimulationError, match=r"; first difference: flip: image 0, pixel \(1, 1\)"):
        run(verilog, tmp_path, values)


def test_verilog_that_does_not_compile_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(
        BuildFailedError, match=r"^Compiling the simulation failed: %Error.*core"
    ) as caught:
        run("module other; endmodule\n", tmp_path, images(1))
    assert caught.value.hint.endswith("simulation.log")


def test_an_unknown_simulator_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"There is no simulator 'modelsim'\."):
        run("", tmp_path, images(1), simulator="modelsim")


@pytest.mark.parametrize("tool", ["g++", "make", "perl"])
def test_a_missing_tool_is_named_with_its_package(
    tool: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    for name in {"g++", "make", "perl"} - {tool}:
        (bin_folder / name).write_text("#!/bin/sh\n")
        (bin_folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(bin_folder))
    with pytest.raises(
        ToolchainNotFoundError, match=re.escape(f"{tool} is not installed")
    ) as caught:
        run("", tmp_path / "run", images(1))
    assert f"apt-get install {tool}" in caught.value.hint


def test_no_program_called_python_is_needed(
    verilog: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin" / "python"
    python.write_text("#!/bin/sh\nexit 127\n")
    python.chmod(0o755)
    monkeypatch.setenv("PATH", f"{python.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("RBONN_CACHE", str(tmp_path / "cache"))  # so that it is compiled
    assert run(verilog, tmp_path / "run", images(2), simulator="verilator").mismatches == 0


def test_icarus_finds_the_same(verilog: str, tmp_path: Path) -> None:
    try:
        find_icarus()
    except ToolchainNotFoundError:
        pytest.skip("Icarus Verilog is not installed")
    values = with_byte(images(9), 7, 6, row_sums.WRONG_BIT)
    ours, theirs = (
        run(verilog, tmp_path / simulator, values, simulator=simulator)
        for simulator in ("verilator", "icarus")
    )
    assert theirs.simulator == "icarus"
    for name in ("mismatches", "first_mismatch", "cycles_simulated", "latency_cycles"):
        assert getattr(ours, name) == getattr(theirs, name)
