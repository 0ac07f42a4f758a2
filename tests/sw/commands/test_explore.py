"""`rbonn explore`: what it prints, what it writes, and how it fails."""

import csv
import json
from pathlib import Path

import pytest
from rbonn.sw.explore import builds
from rbonn.sw.network import save_network

from ..explore.fake_build import FakeBuild
from ..explore.small_network import small_network
from ..program import fails


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    networks = [small_network(name="small"), small_network(channels=8, accuracy=0.95, seed=1, name="large")]  # fmt: skip
    for network in networks:
        save_network(network, tmp_path / f"{network.name}.safetensors")
    return [tmp_path / f"{network.name}.safetensors" for network in networks]


@pytest.fixture
def fake(monkeypatch) -> FakeBuild:
    fake = FakeBuild()
    monkeypatch.setattr(builds, "placed_and_routed", fake)
    return fake


def test_json_has_the_documented_fields_and_the_files_say_the_same(rbonn, files, tmp_path) -> None:
    status, out, err = rbonn(
        "explore", *files, "-b", "icebreaker,ulx3s-25f", "--fps", "1e4,1e9", "-j", 1, "--json", "-o", "out"
    )  # fmt: skip
    assert status == 0, err
    found = json.loads(out)
    assert set(found) == {"schema", "points", "unreached"}
    assert set(found["points"][0]) == {
        "network", "network_hash", "dataset", "accuracy", "board", "clock_hz", "asked_frames_per_second",
        "frames_per_second", "initiation_interval_cycles", "latency_cycles", "lut4", "ff", "block_rams", "dsp",
        "on_front", "plan", "builds",
    }  # fmt: skip
    assert set(found["unreached"][0]) == {"network", "board", "frames_per_second", "reason", "hint"}
    assert len(found["unreached"]) == 4
    assert json.loads((tmp_path / "out/points.json").read_text()) == found
    with (tmp_path / "out/points.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["lut4"]) for row in rows] == [point["lut4"] for point in found["points"]]
    assert "<svg" in (tmp_path / "out/front.svg").read_text()
    for name in ("points.json", "points.csv", "front.svg"):
        assert f"wrote out/{name}" in err


def test_the_plan_of_a_point_of_the_front_is_a_plan_file(rbonn, files, tmp_path) -> None:
    assert rbonn("explore", files[0], "-b", "icebreaker", "--fps", 1e4, "-j", 1, "--json")[0] == 0
    found = json.loads((tmp_path / "build/explore/points.json").read_text())["points"][0]
    plan = tmp_path / "build/explore" / found["plan"]
    status, _, err = rbonn("generate", files[0], "-b", "icebreaker", "--core", "--plan", plan)
    assert status == 0, err


def test_the_table_shows_the_front_and_what_seeds_gave(rbonn, files, fake) -> None:
    status, out, err = rbonn(
        "explore", files[0], "-b", "icebreaker", "--fps", "1e4", "-j", 1, "--build", "all", "--seeds", "1,2,3,9"
    )  # fmt: skip
    assert status == 0, err
    assert "Pareto front" in out
    row = next(line for line in out.splitlines() if "3 of 4" in line or "2 of 4" in line)
    cells = [cell.strip() for cell in row.strip("│ ").split("│")]
    assert cells[6:] == ["30.0", "41.0", "50.0", "36.0", "2 of 4"]
    assert "nextpnr: no route with seed 9" in out


def test_builds_stand_in_the_json_and_a_second_run_has_them_at_once(rbonn, files, fake) -> None:
    command = ("explore", *files, "-b", "icebreaker", "--fps", "1e3,2e5", "-j", 1, "--build", 2, "--json")  # fmt: skip
    first = json.loads(rbonn(*command)[1])
    n_built = len(fake.built)
    assert n_built == 6
    built = [point["builds"] for point in first["points"] if point["builds"]]
    assert len(built) == 2
    for seeds in built:
        assert seeds["fmax_hz"] == {"min": 30e6, "median": 41e6, "max": 50e6}
        assert seeds["timing_met"] == 2
        assert [seed["seed"] for seed in seeds["seeds"]] == [1, 2, 3]
    assert json.loads(rbonn(*command)[1]) == first
    assert len(fake.built) == n_built


def test_after_ctrl_c_the_files_are_whole_and_hold_what_was_finished(
    rbonn,
    files,
    fake,
    tmp_path,
) -> None:
    fake.interrupt_after = 2
    status, out, _ = rbonn(
        "explore", files[0], "-b", "icebreaker", "--fps", 1e4, "-j", 1, "--build", 1, "--json"
    )
    assert (status, out) == (130, "")
    (point,) = json.loads((tmp_path / "build/explore/points.json").read_text())["points"]
    assert [seed["seed"] for seed in point["builds"]["seeds"]] == [1, 2]
    assert not [path for path in tmp_path.rglob(".*") if path.is_file()]


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("-b", "icebraker"), ("icebraker", "icebreaker")),
        (("--fps", "many"), ("--fps many: not frame rates",)),
        (("--seeds", "1,x"), ("--seeds 1,x: not numbers",)),
        (("--build", "some"), ("--build some: not a number of points",)),
        (("--build", "0"), ("--build 0: not a number of points",)),
        (("--plot", "front.bmp"), ("front.bmp: a plot cannot be written as .bmp",)),
        (("-b", "icebreaker", "--fps", "1e9"), ("reaches at most",)),
        (("-o", "occupied"), ("occupied",)),
    ],
)
def test_what_cannot_be_explored_is_named_and_nothing_is_written(
    rbonn,
    files,
    tmp_path,
    arguments,
    parts,
) -> None:
    (tmp_path / "occupied").write_text("a file where a folder should be")
    before = sorted(tmp_path.iterdir())
    fails(rbonn("explore", files[0], "-j", 1, "-q", *arguments), *parts)
    assert sorted(tmp_path.iterdir()) == before


def test_a_missing_extra_for_processes_is_named(rbonn, files, monkeypatch) -> None:
    monkeypatch.setattr("rbonn.sw.explore.workers.find_spec", lambda name: None)
    fails(rbonn("explore", files[0], "-j", 2, "-q"), "distributed is not installed", "--jobs 1")


def test_without_a_plotting_library_everything_else_is_there(
    rbonn,
    files,
    monkeypatch,
    tmp_path,
) -> None:
    monkeypatch.setattr("rbonn.sw.commands.explore.find_spec", lambda name: None)
    status, _, err = rbonn("explore", files[0], "-b", "icebreaker", "--fps", 1e4)
    assert status == 0
    assert "no plot: matplotlib is not installed" in err
    assert "one after the other: Dask is not installed" in err
    assert (tmp_path / "build/explore/points.csv").exists()
    assert not (tmp_path / "build/explore/front.svg").exists()
