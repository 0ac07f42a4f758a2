"""`rbonn.sw.fastest`: a build whose clock was looked for, on places and routes made up."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from rbonn.boards import ICEBREAKER, Board
from rbonn.sw.build.cache import file_digest
from rbonn.sw.build.design import ClockError
from rbonn.sw.build.result import BuildResult, read_report, result_of
from rbonn.sw.fastest import build_fastest


@dataclass(frozen=True)
class Plan:
    clock_hz: int


@dataclass(frozen=True)
class MadeUp:
    """A project that reaches the same clock whatever is asked for."""

    reached_mhz: float
    board: Board = ICEBREAKER
    plan: Plan = Plan(36_000_000)
    built: list[tuple[int, int, bool]] = field(default_factory=list)

    def build(self, folder: Path, *, seed: int, use_cache: bool, progress) -> BuildResult:
        self.built.append((self.plan.clock_hz, seed, use_cache))
        bitstream = folder / "top.bin"
        bitstream.write_text(f"{self.plan.clock_hz} {seed}")
        values = {
            "name": "n", "source_hash": "", "board": self.board.name, "bitstream": bitstream.name,
            "bitstream_sha256": file_digest(bitstream), "resources": dict.fromkeys(
                ("lut4", "carry", "ff", "block_rams", "dsp", "single_port_rams", "logic_cells"), 1
            ),
            "capacity": {}, "fmax_hz": self.reached_mhz * 1e6, "clock_hz": float(self.plan.clock_hz),
            "asked_hz": float(self.plan.clock_hz), "timing_met": self.reached_mhz * 1e6 >= self.plan.clock_hz,
            "seed": seed, "seconds": 1.0, "cached": False, "tools": {},
        }  # fmt: skip
        (folder / "report.json").write_text(json.dumps(values))
        return result_of(values, folder)


def test_the_build_that_meets_its_clock_is_what_stays_with_all_that_was_tried(tmp_path: Path):
    project, said = MadeUp(45.7), []
    folder = tmp_path / "out"
    result = build_fastest(project, folder, seeds=2, use_cache=False, say=said.append)
    assert project.built == [(54_000_000, 1, False), (54_000_000, 2, False), (45_000_000, 1, False)]
    assert (result.asked_hz, result.clock_hz, result.fmax_hz) == (54e6, 45e6, 45.7e6)
    assert result.timing_met
    assert result.bitstream.read_text() == "45000000 1"
    assert read_report(folder) == result
    assert [tried["clock_hz"] for tried in result.clocks_tried] == [54e6, 54e6, 45e6]
    assert [tried["timing_met"] for tried in result.clocks_tried] == [False, False, True]
    assert {path.name for path in folder.iterdir()} == {"top.bin", "report.json"}
    assert said == [
        "54 MHz, seed 1: missed, 45.70 reached",
        "54 MHz, seed 2: missed, 45.70 reached",
        "45 MHz, seed 1: met",
    ]
    assert json.dumps(result.description())


def test_what_was_met_stays_where_a_higher_clock_is_missed(tmp_path: Path):
    result = build_fastest(MadeUp(54.1), tmp_path, seeds=1)
    assert [tried["clock_hz"] for tried in result.clocks_tried] == [54e6, 67.5e6]
    assert result.clock_hz == 54e6
    assert result.bitstream.read_text() == "54000000 1"
    assert {path.name for path in tmp_path.iterdir()} == {"top.bin", "report.json"}


def test_a_limit_of_the_user_is_what_was_asked_for(tmp_path: Path):
    result = build_fastest(MadeUp(60.0), tmp_path, limit_hz=48_000_000)
    assert (result.asked_hz, result.clock_hz) == (48e6, 48e6)
    assert len(result.clocks_tried) == 1


def test_where_no_clock_is_met_the_folder_keeps_what_it_had(tmp_path: Path):
    (tmp_path / "top.bin").write_text("before")
    with pytest.raises(ClockError):
        build_fastest(MadeUp(1.0), tmp_path, seeds=1)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"top.bin": "before"}


def test_reports_of_older_versions_have_asked_for_the_clock_that_they_made(tmp_path: Path):
    MadeUp(60.0).build(tmp_path, seed=1, use_cache=True, progress=None)
    values = json.loads((tmp_path / "report.json").read_text())
    del values["asked_hz"]
    assert result_of(values, tmp_path).asked_hz == 36e6
    assert replace(result_of(values, tmp_path)).clocks_tried == []
