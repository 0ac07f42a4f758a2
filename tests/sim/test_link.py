"""`rbonn.sim.link`: a top level is driven through its serial pins by the host library, and differences are named."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rbonn.hw.protocol import Info
from rbonn.hw.top import Top, TopConfig
from rbonn.sim.icarus import find_icarus
from rbonn.sim.link import LinkResult, simulate_link
from rbonn.sw.build.design import component_verilog
from rbonn.sw.errors import SimulationError, ToolchainNotFoundError

from ..hw.serial_bench import DIVISOR, INFO, FakeCore, scores_of

IMAGES = np.random.default_rng(1).integers(0, 256, (8, INFO.image_bytes), dtype=np.uint8)
SCORES = np.array([scores_of(bytes(image)) for image in IMAGES])
SILENT = "module top(input clk, input rst, input rx, output tx); assign tx = 1'b1; endmodule\n"


@pytest.fixture(scope="module")
def verilog() -> str:
    config = TopConfig(INFO, INFO.clock_hz // DIVISOR)
    return component_verilog(Top(config, FakeCore(pause=3)), "top")


def talk(
    verilog: str, folder: Path, *, info: Info = INFO, scores: np.ndarray = SCORES, **options
) -> LinkResult:
    options = {"bit_cycles": DIVISOR, "labels": scores.argmax(axis=1)} | options
    return simulate_link(
        verilog,
        "top",
        info,
        images=IMAGES,
        scores=scores,
        folder=folder,
        **options,
    )


@pytest.mark.cosim
@pytest.mark.parametrize("error", [-0.015, 0.015])
def test_a_host_with_another_clock_gets_every_answer(
    error: float, verilog: str, tmp_path: Path
) -> None:
    progress = []
    result = talk(
        verilog,
        tmp_path,
        bit_cycles=DIVISOR * (1 + error),
        progress=lambda *event: progress.append(event),
    )
    assert (result.images, result.mismatches, result.first_mismatch) == (8, 0, None)
    info_bytes = len(INFO.encode())
    # Through the library: INFO, retries, 4 images; then as frames: INFO and its length, an error, 4 images, one more after RESET, 3 counts.
    assert result.answers_compared == 2 + 4 * 4 + 1 + info_bytes + 2 + 4 * 4 + 4 + 3
    assert len(result.core_cycles) == 9
    assert progress[-1] == ("link", 8, 8)


@pytest.mark.cosim
def test_a_host_too_fast_is_not_understood(verilog: str, tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match=r"^On the serial line: .*\(cycle \d+\)"):
        talk(verilog, tmp_path, bit_cycles=0.9 * DIVISOR)


@pytest.mark.cosim
def test_a_wrong_score_is_named_with_image_and_class(verilog: str, tmp_path: Path) -> None:
    scores = SCORES.copy()
    scores[6, 1] ^= 1
    result = talk(verilog, tmp_path, scores=scores, labels=SCORES.argmax(axis=1))
    assert result.mismatches == 1
    assert str(result.first_mismatch) == (
        f"link.score: image 6, pixel (0, 0), channel 1: expected {scores[6, 1]}, got {SCORES[6, 1]}"
    )


@pytest.mark.cosim
def test_a_wrong_label_is_named(verilog: str, tmp_path: Path) -> None:
    labels = SCORES.argmax(axis=1)
    labels[2] = (labels[2] + 1) % 3
    result = talk(verilog, tmp_path, labels=labels)
    assert (result.mismatches, result.first_mismatch.layer) == (1, "link.label")
    assert result.first_mismatch.image == 2


@pytest.mark.cosim
def test_another_info_is_a_mismatch(verilog: str, tmp_path: Path) -> None:
    result = talk(verilog, tmp_path, info=replace(INFO, name="faky"))
    assert result.mismatches == 1 + 1  # the decoded INFO, and the letter
    assert result.first_mismatch.layer == "link.info"


@pytest.mark.cosim
def test_a_silent_design_is_reported_with_the_cycle(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match=r"no answer to INFO in 3 attempts \(cycle \d+\)\.$"):
        talk(SILENT, tmp_path, patience_cycles=1000)


@pytest.mark.cosim
def test_icarus_finds_the_same(verilog: str, tmp_path: Path) -> None:
    try:
        find_icarus()
    except ToolchainNotFoundError:
        pytest.skip("Icarus Verilog is not installed")
    ours, theirs = (
        talk(verilog, tmp_path / simulator, simulator=simulator)
        for simulator in ("verilator", "icarus")
    )
    assert theirs.simulator == "icarus"
    assert (ours.mismatches, ours.core_cycles) == (theirs.mismatches, theirs.core_cycles)


@pytest.mark.parametrize("name", ["images", "scores", "labels"])
def test_arrays_of_another_shape_are_refused(name: str, tmp_path: Path) -> None:
    arrays = {"images": IMAGES, "scores": SCORES, "labels": SCORES.argmax(axis=1)}
    arrays[name] = np.zeros((8, 5), int)
    with pytest.raises(ValueError, match=f"{name.capitalize()} must have shape"):
        simulate_link("", "top", INFO, DIVISOR, folder=tmp_path / "run", **arrays)
    assert not (tmp_path / "run").exists()
