"""`rbonn.sw.build.flow`: what is added to the commands of a design."""

from __future__ import annotations

import math

import pytest
from rbonn.boards import ICESTICK, ULX3S_25F
from rbonn.sw.build.flow import CROWDED, suited, with_seed

COMMAND = ("nextpnr-ecp5", "--seed", "1")
MANY = math.ceil(CROWDED["ecp5"][0] * ULX3S_25F.capacity.lut4)
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


def test_a_crowded_ice40_has_another_placer() -> None:
    many = math.ceil(CROWDED["ice40"][0] * ICESTICK.capacity.lut4)
    assert suited(COMMAND, ICESTICK, {"SB_LUT4": many - 1}) == list(COMMAND)
    assert suited(COMMAND, ICESTICK, {"SB_DFFE": many}) == [*COMMAND, "--placer", "static"]
    # The shipped network for it, with which the default placer finds no place with most seeds.
    assert suited(COMMAND, ICESTICK, {"SB_LUT4": 834}) == [*COMMAND, "--placer", "static"]


def test_what_is_named_stays() -> None:
    named = [*COMMAND, "--router", "router1"]
    assert suited(named, ULX3S_25F, {"LUT4": MANY}) == [*named, "--placer", "static"]


def test_a_seed_replaces_the_one_that_is_there() -> None:
    assert with_seed(COMMAND, 7) == ["nextpnr-ecp5", "--seed", "7"]
    assert with_seed(["ecppack"], 7) == ["ecppack"]
