"""`rbonn.sw.explore.builds`: seeds of points, kept when they are finished."""

import json
from pathlib import Path

import pytest
from rbonn.boards import ICEBREAKER
from rbonn.sw.build.design import Design
from rbonn.sw.build.synthesis import build_key
from rbonn.sw.build.toolchain import find_tools
from rbonn.sw.errors import BuildFailedError, OutputError
from rbonn.sw.explore import builds
from rbonn.sw.explore.builds import (
    BuildStore,
    Finished,
    SeedBuild,
    build_points,
    generated,
    keys_of,
    placed_and_routed,
)
from rbonn.sw.explore.planning import plan_all
from rbonn.sw.explore.points import Point
from rbonn.sw.explore.rates import Rates
from rbonn.sw.explore.workers import Here
from rbonn.sw.plan.plan import AcceleratorPlan
from rbonn.sw.project import Project

from .fake_build import FakeBuild
from .small_network import small_network

NETWORK = small_network(channels=8)


@pytest.fixture(scope="module")
def points() -> list[Point]:
    found, _ = plan_all([NETWORK], ["icebreaker"], Rates((1e3, 2.4e5)), Here())
    assert len(found) == 2
    return found


DESIGNS: dict[str, Design] = {}


def design_of(plan: AcceleratorPlan) -> Design:
    """`generated`, once for each plan."""
    if str(plan) not in DESIGNS:
        DESIGNS[str(plan)] = generated(NETWORK, "icebreaker", plan)
    return DESIGNS[str(plan)]


@pytest.fixture
def fake(monkeypatch) -> FakeBuild:
    fake = FakeBuild()
    monkeypatch.setattr(builds, "placed_and_routed", fake)
    monkeypatch.setattr(builds, "generated", lambda *about: design_of(about[-1]))
    return fake


def built(points, seeds, folder: Path) -> list[SeedBuild]:
    return list(build_points(points, seeds, Here(), BuildStore(folder)))


def test_every_seed_of_every_point_is_built_and_kept(points, fake, tmp_path: Path) -> None:
    found = built(points, [1, 2], tmp_path)
    assert {(b.point, b.seed) for b in found} == {(p.name, s) for p in points for s in (1, 2)}
    for b in found:
        assert b.result is not None
        assert b.result.bitstream.read_bytes() == bytes([b.seed])
        assert not b.result.cached
    keys = {key for key, _ in fake.built}
    assert {path.name for path in (tmp_path / "builds").iterdir()} == keys
    assert len(keys) == 4


def test_what_is_kept_is_not_built_again(points, fake, tmp_path: Path) -> None:
    first = built(points, [1, 2], tmp_path)
    again = built(points, [1, 2, 3], tmp_path)
    assert [seed for _, seed in fake.built[4:]] == [3, 3]
    known = {(b.point, b.seed): b.result for b in again}
    for b in first:
        kept = known[b.point, b.seed]
        assert kept.cached
        assert (kept.fmax_hz, kept.bitstream) == (b.result.fmax_hz, b.result.bitstream)


def test_after_an_interruption_only_what_is_missing_is_built(points, fake, tmp_path) -> None:
    fake.interrupt_after = 3
    with pytest.raises(KeyboardInterrupt):
        built(points, [1, 2], tmp_path)
    assert len(list((tmp_path / "builds").iterdir())) == 3
    fake.interrupt_after = None
    assert len(built(points, [1, 2], tmp_path)) == 4
    assert len(fake.built) == len(set(fake.built)) == 4


def test_a_damaged_build_is_built_again(points, fake, tmp_path: Path) -> None:
    (b,) = built(points[:1], [1], tmp_path)
    b.result.bitstream.write_bytes(b"half")
    (again,) = built(points[:1], [1], tmp_path)
    assert again.result.bitstream.read_bytes() == bytes([1])
    assert len(fake.built) == 2


def test_a_seed_that_fails_is_an_answer_and_is_tried_again(points, fake, tmp_path: Path) -> None:
    for _ in range(2):
        found = {b.seed: b for b in built(points[:1], [1, 7], tmp_path)}
        assert found[1].result is not None
        assert found[7].result is None
        assert found[7].failure == "nextpnr: no route with seed 7"
    assert [seed for _, seed in fake.built] == [1, 7, 7]


def test_a_design_without_verilog_is_an_answer(points, fake, tmp_path: Path, monkeypatch) -> None:
    def fails(*_: object) -> None:
        raise BuildFailedError("yosys: no Verilog", "Report it.")

    monkeypatch.setattr(builds, "generated", fails)
    found = built(points[:1], [1, 2], tmp_path)
    assert [(b.seed, b.failure) for b in found] == [(1, "yosys: no Verilog"), (2, "yosys: no Verilog")]  # fmt: skip
    assert not fake.built


def test_verilog_and_key_are_those_of_rbonn_build(points, tmp_path: Path) -> None:
    point = points[0]
    design = generated(NETWORK, "icebreaker", point.plan)
    keys = keys_of(design, [1, 2])
    assert keys == [build_key(design, find_tools("ice40"), seed) for seed in (1, 2)]
    assert keys[0] != keys[1]
    assert (
        Project(NETWORK, ICEBREAKER, point.plan).write_verilog(tmp_path).read_text()
        == design.verilog
    )


def test_a_worker_with_other_tools_says_so(points) -> None:
    design = generated(NETWORK, "icebreaker", points[0].plan)
    with pytest.raises(BuildFailedError, match="different versions of yosys, nextpnr-ice40"):
        placed_and_routed(design, 1, "another key", "small", "", False)


def test_a_full_disk_is_no_finished_build(tmp_path: Path, monkeypatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    store = BuildStore(tmp_path)
    monkeypatch.setattr("rbonn.sw.build.cache.shutil.copyfile", full)
    with pytest.raises(OutputError, match="cannot be written"):
        store.keep("key", Finished({}, {"report.json": json.dumps({}).encode()}))
    assert store.read("key") is None


@pytest.mark.slow
@pytest.mark.synth
def test_a_real_build_of_a_point_is_kept_and_equals_that_of_rbonn_build(
    points, tmp_path: Path
) -> None:
    (b,) = build_points(points[:1], [2], Here(), BuildStore(tmp_path), use_cache=False)
    assert b.result is not None
    design = generated(NETWORK, "icebreaker", points[0].plan)
    (key,) = keys_of(design, [2])
    assert b.result.bitstream.parent.name == key
    project = Project(NETWORK, ICEBREAKER, points[0].plan)
    same = project.build(tmp_path / "alone", seed=2, use_cache=False)
    assert same.bitstream.read_bytes() == b.result.bitstream.read_bytes()
    assert same.fmax_hz == b.result.fmax_hz
