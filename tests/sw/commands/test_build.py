"""`rbonn build`: which seeds it asks for, and what it says of them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rbonn.sw.build.report import Resources
from rbonn.sw.build.result import BuildResult
from rbonn.sw.network.file import save_network

from ...random_networks import random_network

BUILT = BuildResult(
    name="n", source_hash="", board="icebreaker", bitstream=Path("top.bin"), resources=Resources(1, 1, 1, 1, 0, 0, 1),
    capacity=dict.fromkeys(("lut4", "ff", "block_rams", "dsp"), 10), fmax_hz=40e6, clock_hz=36e6, asked_hz=36e6,
    timing_met=True, seed=1, seconds=1.0, cached=False, tools={}, seeds_tried=[1],
)  # fmt: skip


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """Options of the last build of the network in the file ``net``, which comes out as `result`."""
    asked: dict[str, Any] = {"result": BUILT}

    def build(*arguments: object, **options: Any) -> BuildResult:
        asked.update(options)
        return asked["result"]

    monkeypatch.setattr("rbonn.sw.project.build", build)
    monkeypatch.setattr("rbonn.sw.project.Project.top", lambda self: None)
    save_network(random_network((4, 4, 1), [], [4]), tmp_path / "net")
    return asked


def test_three_seeds_are_allowed_unless_one_is_named(rbonn, asked: dict[str, Any]) -> None:
    build = ("build", "net", "--board", "icebreaker", "-q")
    status, out, _ = rbonn(*build)
    assert (status, asked["seed"], asked["attempts"]) == (0, 1, 3)
    assert "seed" not in out
    asked["result"] = replace(BUILT, seed=3, seeds_tried=[1, 2, 3])
    _, out, _ = rbonn(*build)
    assert "seed 3 of place and route; with 1, 2 it found no place or missed the clock" in out
    rbonn(*build, "--seed", 5)
    assert (asked["seed"], asked["attempts"]) == (5, 1)


def test_a_clock_that_is_missed_is_a_failure(rbonn, asked: dict[str, Any]) -> None:
    asked["result"] = replace(BUILT, timing_met=False)
    status, out, _ = rbonn("build", "net", "--board", "icebreaker", "-q")
    assert status == 1
    assert "TIMING NOT MET: 40.0 MHz reached" in out
