"""A shipped network for every board: the smallest one has a plan for each kind of device at each clock."""

import pytest
from rbonn.boards import BOARDS, Board
from rbonn.sw.models import find_network
from rbonn.sw.plan.planner import find_plan

ONE_OF_EACH = {(board.device, board.clock_hz): board for board in BOARDS.values()}.values()


@pytest.mark.parametrize("board", ONE_OF_EACH, ids=lambda board: board.name)
def test_the_smallest_shipped_network_has_a_plan_for_every_device(board: Board) -> None:
    network = find_network("mnist_mlp_tiny_1w1a")
    assert find_plan(network, board).plan.foldings.keys() == {"dense1", "head"}
