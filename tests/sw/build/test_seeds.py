"""`rbonn.sw.build.synthesis`: which seed of place and route a build takes, on places and routes made up."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from rbonn.boards import ICEBREAKER
from rbonn.sw.build import synthesis
from rbonn.sw.build.cache import BuildCache
from rbonn.sw.build.design import TOP, Design
from rbonn.sw.build.flow import LOGS
from rbonn.sw.build.report import NoPlaceError
from rbonn.sw.build.result import REPORT, RESULTS, BuildResult
from rbonn.sw.build.routed import ROUTED

NO_PLACE = None
ASKED_MHZ = 36.0
COMMANDS = (("nextpnr-ice40", "--seed", "1"),)

Build = Callable[..., BuildResult]


@pytest.fixture
def asked() -> list[int]:
    """Seeds that were placed and routed, in their order."""
    return []


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[int]) -> Build:
    """Builds a design that each seed in turn places and routes at so many MHz, or finds no place for."""
    design = Design(ICEBREAKER, 36_000_000, ICEBREAKER.pll(36_000_000).output_hz, "", {}, COMMANDS)

    def build(
        reached_mhz: Sequence[float | None],
        attempts: int,
        seed: int = 1,
        cache: BuildCache | None = None,
    ) -> BuildResult:
        def run(flow: synthesis.Flow, number: int) -> None:
            asked.append(number)
            (flow.work / LOGS[1]).write_text(f"seed {number}")
            reached = reached_mhz[number - seed]
            if reached is NO_PLACE:
                raise NoPlaceError("board: no place found", "Try other seeds.")
            for name in (f"{TOP}.v", *LOGS, ROUTED, *RESULTS["ice40"]):
                (flow.work / name).write_text(f"seed {number}")
            clock = {"achieved": reached, "constraint": ASKED_MHZ}
            report = {"fmax": {"clk": clock}, "utilization": {"ICESTORM_LC": {"used": 1}}}
            (flow.work / "nextpnr.json").write_text(json.dumps(report))
            stat: dict[str, Any] = {"modules": {}, "design": {"num_cells_by_type": {}}}
            (flow.work / "stat.json").write_text(json.dumps(stat))

        monkeypatch.setattr(synthesis.Flow, "run", run)
        folder = tmp_path / "out"
        return synthesis.build_design(
            design, {}, "n", folder, seed=seed, attempts=attempts, cache=cache
        )

    return build


def contents(result: BuildResult) -> set[str]:
    """What the files beside a bitstream, and it itself, say they are of."""
    files = result.bitstream.parent.iterdir()
    return {path.read_text() for path in files if path.name != REPORT}


@pytest.mark.parametrize(
    ("reached_mhz", "tried", "seed"),
    [
        ([40.0], [1], 1),
        ([20.0, 40.0], [1], 1),  # missed by far: another seed does not help
        ([35.0, 40.0], [1, 2], 2),
        ([35.0, 34.0, 33.0], [1, 2, 3], 3),
        ([NO_PLACE, 40.0], [1, 2], 2),
        ([NO_PLACE, NO_PLACE, 20.0], [1, 2, 3], 3),
    ],
)
def test_the_next_seed_is_tried_where_one_finds_no_place_or_nearly_meets_the_clock(
    built: Build, asked: list[int], reached_mhz: list[float | None], tried: list[int], seed: int
) -> None:
    result = built(reached_mhz, attempts=3)
    assert (result.seed, result.seeds_tried) == (seed, tried)
    assert asked == tried
    assert result.timing_met == (reached_mhz[seed - 1] == 40.0)
    assert contents(result) == {f"seed {seed}"}


@pytest.mark.parametrize("cached", [False, True])
def test_a_clock_nearly_met_is_better_than_no_place(
    built: Build, tmp_path: Path, cached: bool
) -> None:
    cache = BuildCache(tmp_path / "cache") if cached else None
    result = built([35.0, NO_PLACE, NO_PLACE], attempts=3, cache=cache)
    assert (result.seed, result.seeds_tried) == (1, [1, 2, 3])
    assert contents(result) == {"seed 1"}


def test_a_single_seed_is_not_replaced(built: Build, asked: list[int], tmp_path: Path) -> None:
    assert built([35.0], attempts=1, seed=5).seed == 5
    with pytest.raises(NoPlaceError, match=r"no place found, with seed 5$"):
        built([NO_PLACE, 40.0], attempts=1, seed=5)
    with pytest.raises(NoPlaceError, match=r"no place found, with seeds 5 to 6$"):
        built([NO_PLACE, NO_PLACE], attempts=2, seed=5)
    assert asked == [5, 5, 5, 6]
    # Its log stays beside the build before.
    assert (tmp_path / "out" / LOGS[1]).read_text() == "seed 6"
    assert (tmp_path / "out" / f"{TOP}.bin").read_text() == "seed 5"


def test_each_seed_is_an_entry_of_the_cache_of_its_own(
    built: Build, asked: list[int], tmp_path: Path
) -> None:
    cache = BuildCache(tmp_path / "cache")
    assert not built([35.0, 40.0], attempts=3, cache=cache).cached
    again = built([35.0, 40.0], attempts=3, cache=cache)
    assert (again.cached, again.seed, again.seeds_tried) == (True, 2, [1, 2])
    assert built([35.0], attempts=1, cache=cache).seeds_tried == [1]
    assert asked == [1, 2]
