"""`rbonn.sw.build.flow`: what is added to the commands of a design."""

from __future__ import annotations

import pytest
from rbonn.boards import ICEBREAKER, ULX3S_25F
from rbonn.sw.build.flow import CROWDED, with_router, with_seed

COMMAND = ("nextpnr-ecp5", "--seed", "1", "--placer", "static")
HALF = int(CROWDED * ULX3S_25F.capacity.lut4)


@pytest.mark.parametrize(
    ("cells", "router"),
    [
        ({}, "router1"),
        ({"LUT4": HALF - 1, "TRELLIS_FF": HALF - 1}, "router1"),
        ({"LUT4": HALF}, "router2"),
        ({"CCU2C": HALF // 2}, "router2"),
        ({"TRELLIS_FF": HALF}, "router2"),
    ],
)
def test_a_crowded_device_has_another_router(cells: dict[str, int], router: str) -> None:
    assert with_router(COMMAND, ULX3S_25F, cells) == [*COMMAND, "--router", router]


def test_a_router_that_is_named_stays_and_an_ice40_has_one_only() -> None:
    named = [*COMMAND, "--router", "router1"]
    assert with_router(named, ULX3S_25F, {"LUT4": 2 * HALF}) == named
    assert with_router(COMMAND, ICEBREAKER, {"SB_LUT4": 5000}) == list(COMMAND)


def test_a_seed_replaces_the_one_that_is_there() -> None:
    assert with_seed(COMMAND, 7) == ["nextpnr-ecp5", "--seed", "7", "--placer", "static"]
    assert with_seed(["ecppack"], 7) == ["ecppack"]
