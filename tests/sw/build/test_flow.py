"""`rbonn.sw.build.flow`: what is added to the commands of a design."""

from __future__ import annotations

import math

import pytest
from rbonn.boards import ICEBREAKER, ULX3S_25F
from rbonn.sw.build.flow import CROWDED, suited, with_seed

COMMAND = ("nextpnr-ecp5", "--seed", "1")
MANY = math.ceil(CROWDED * ULX3S_25F.capacity.lut4)
ADDED = ["--placer", "static", "--router", "router2"]


@pytest.mark.parametrize(
    ("cells", "added"),
    [
        ({}, []),
        ({"LUT4": MANY - 1, "TRELLIS_FF": MANY - 1}, []),
        ({"LUT4": MANY}, ADDED),
        ({"CCU2C": -(-MANY // 2)}, ADDED),
        ({"TRELLIS_FF": MANY}, ADDED),
    ],
)
def test_a_crowded_device_has_another_placer_and_router(
    cells: dict[str, int], added: list[str]
) -> None:
    assert suited(COMMAND, ULX3S_25F, cells) == [*COMMAND, *added]


def test_what_is_named_stays_and_an_ice40_has_one_placer_and_router() -> None:
    named = [*COMMAND, "--router", "router1"]
    assert suited(named, ULX3S_25F, {"LUT4": MANY}) == [*named, "--placer", "static"]
    assert suited(COMMAND, ICEBREAKER, {"SB_LUT4": 5000}) == list(COMMAND)


def test_a_seed_replaces_the_one_that_is_there() -> None:
    assert with_seed(COMMAND, 7) == ["nextpnr-ecp5", "--seed", "7"]
    assert with_seed(["ecppack"], 7) == ["ecppack"]
