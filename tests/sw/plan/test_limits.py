"""`rbonn.sw.plan.limits`: what keeps a plan from being faster. Taking that limit away makes it faster; taking others away does not."""

from dataclasses import replace
from typing import Any

import pytest
from rbonn.boards import ICEBREAKER, ULX3S_25F, ULX3S_85F, Board
from rbonn.boards.board import Capacity
from rbonn.sw.build.device_forms import device_forms
from rbonn.sw.build.elaborate import elaborate
from rbonn.sw.models import find_network
from rbonn.sw.network import Network
from rbonn.sw.plan import limits as limits_module
from rbonn.sw.plan.amounts import amounts
from rbonn.sw.plan.folding import Folding
from rbonn.sw.plan.limits import Limits, limits_of
from rbonn.sw.plan.plan import AcceleratorPlan
from rbonn.sw.plan.planner import find_plan, make_plan, total_cost
from rbonn.sw.report.tables import limit_line

from ...random_networks import ConvShape, random_network

NETWORK = random_network(
    (12, 12, 1),
    [ConvShape(8, padding=1, pool=2), ConvShape(16, padding=1, pad_value=0, pool=2)],
    n_classes=10,
)
PLENTY = {"lut4": 10**6, "block_rams": 10**4, "dsp": 10**4}


def board_with(**parts: Any) -> Board:
    """An iCE40 that has plenty of all but `parts`."""
    capacity = Capacity(block_ram_bits=4096, **(PLENTY | parts))
    return replace(ICEBREAKER, capacity=capacity)


def limits(network: Network, board: Board, plan: AcceleratorPlan | None = None) -> Limits:
    plan = plan or make_plan(network, board)
    elaboration = elaborate(network, plan.foldings, device_forms(board))
    return limits_of(network, plan, board, elaboration)


def interval(network: Network, board: Board) -> int:
    return find_plan(network, board).interval_cycles


@pytest.mark.parametrize(
    ("parts", "kinds"),
    [({"lut4": 2010}, {"LUT4"}), ({"block_rams": 9}, {"block RAMs", "weight bandwidth"})],
)
def test_more_of_what_binds_makes_the_plan_faster(parts: dict[str, int], kinds) -> None:
    board = board_with(**parts)
    found = limits(NETWORK, board)
    assert found.kind == ("LUT4" if "LUT4" in kinds else "block RAMs")
    assert set(found.binds.values()) <= kinds
    assert set(found.binds) == set(found.interval_layers)
    assert found.needed > found.left >= 0
    assert interval(NETWORK, board_with()) < interval(NETWORK, board)


@pytest.mark.parametrize("lut4", [1480, 1520, 1640, 1900])
def test_with_what_is_missing_there_is_a_faster_plan(lut4: int) -> None:
    """Of some, enough cells are left for faster foldings, not for the converters between them."""
    board = board_with(plan_lut4=(lut4,))
    found = limits(NETWORK, board)
    assert found.kind == "LUT4"
    larger = board_with(plan_lut4=(lut4 + found.needed - found.left,))
    assert interval(NETWORK, larger) < interval(NETWORK, board)


def test_what_is_left_is_of_the_smallest_budget_that_the_plan_fits() -> None:
    one, two = board_with(plan_lut4=(1520,)), board_with(plan_lut4=(1520, 1600))
    plan = make_plan(NETWORK, one)
    cells = amounts(total_cost(NETWORK, plan.foldings, one))[0]
    found = limits(NETWORK, two, plan)
    assert (found.kind, found.left) == ("LUT4", 1520 - cells)


def test_options_that_are_known_are_not_listed_again(monkeypatch) -> None:
    finding = find_plan(NETWORK, ICEBREAKER)
    elaboration = elaborate(NETWORK, finding.plan.foldings, device_forms(ICEBREAKER))
    expected = limits_of(NETWORK, finding.plan, ICEBREAKER, elaboration)
    monkeypatch.setattr(limits_module, "layer_options", None)
    known = limits_of(NETWORK, finding.plan, ICEBREAKER, elaboration, finding.options)
    assert known == expected


def test_on_a_board_with_plenty_cycles_bind_and_no_board_is_faster() -> None:
    found = limits(NETWORK, board_with())
    assert found.kind == "cycles"
    assert set(found.binds.values()) == {"cycles"}
    assert (found.needed, found.left) == (None, None)
    assert interval(NETWORK, board_with(lut4=10**7)) == interval(NETWORK, board_with())


def test_an_entrance_that_takes_pixels_one_by_one_binds_by_its_cycles() -> None:
    network = random_network((28, 28, 1), [], [16], entrance="thermometer")
    found = limits(network, ULX3S_85F)
    assert (found.kind, found.binds) == ("cycles", {"thermometer": "cycles"})


def test_a_window_that_is_late_in_every_frame_is_no_faster_folding() -> None:
    """The first layer has foldings whose stages are faster, each for itself."""
    network = find_network("mnist_cnn_1w1a")
    found = limits(network, ULX3S_25F)
    assert (found.kind, found.binds) == ("cycles", {"conv1": "cycles"})


def test_of_a_plan_for_fewer_frames_nothing_on_the_board_binds() -> None:
    plan = make_plan(NETWORK, ICEBREAKER, frames_per_second=500)
    found = limits(NETWORK, ICEBREAKER, plan)
    assert (found.kind, found.binds) == (None, {})
    assert found.interval_layers


def test_weights_that_fit_few_block_rams_but_leave_them_too_slowly_bind_by_bandwidth() -> None:
    # 32 x 784 bits are seven block RAMs; a fold of 112 takes 224 bits per cycle, which are fourteen.
    network = random_network((28, 28, 1), [], [32])
    found = limits(network, board_with(block_rams=18, lut4=3000))
    assert found.kind == "block RAMs"
    assert found.binds == {"dense1": "weight bandwidth"}


def test_a_folding_that_the_planner_would_not_take_is_judged_by_one_of_the_same_numbers() -> None:
    plan = make_plan(NETWORK, ICEBREAKER)
    slow = replace(plan, foldings=dict.fromkeys(plan.foldings, Folding(1, 1)))
    found = limits(NETWORK, ICEBREAKER, slow)
    assert found.kind is None
    assert found.interval_layers


def test_limits_are_told_in_a_line() -> None:
    bound = Limits(("conv1", "conv2"), {"conv1": "LUT4", "conv2": "LUT4"}, "LUT4", 90, 12)
    assert limit_line(bound, 784) == "784 cycles set by conv1 and 1 more: faster foldings take 90 LUT4 more, 12 are left"  # fmt: skip
    fixed = Limits(("conv1", "conv2"), {"conv2": "cycles"}, "cycles")
    assert limit_line(fixed, 784) == "784 cycles set by conv2, which no folding makes faster"
    free = Limits(("conv1",), {}, None)
    assert limit_line(free, 784) == "784 cycles set by conv1, not by the board: faster foldings fit"
