"""`rbonn.sw.plan.changes`: the smallest change with which a network fits."""

from dataclasses import replace

import pytest
from rbonn.boards import BOARDS, ECPIX5_45, ICEBREAKER, ULX3S_25F, ULX3S_85F
from rbonn.sw.errors import DoesNotFitError, PlanError
from rbonn.sw.models import find_network
from rbonn.sw.plan import changes
from rbonn.sw.plan.changes import Change, may_hold, smallest_changes
from rbonn.sw.plan.planner import make_plan

from ...random_networks import random_network

CNN = find_network("mnist_cnn_1w1a")


def test_a_frame_rate_out_of_reach_has_three_ways_out_and_each_is_one() -> None:
    rate, board, network = smallest_changes(CNN, ICEBREAKER, frames_per_second=5000)
    assert (rate.kind, board.kind, network.kind) == ("frame_rate", "board", "network")
    make_plan(CNN, ICEBREAKER, frames_per_second=float(rate.value))
    with pytest.raises(PlanError):
        make_plan(CNN, ICEBREAKER, frames_per_second=float(rate.value) + 2)
    make_plan(CNN, BOARDS[board.value], frames_per_second=5000)
    assert (network.value, network.accuracy) == ("mnist_mlp_1w1a", 0.957)
    make_plan(find_network(network.value), ICEBREAKER, frames_per_second=5000)
    for change in (board, network):
        assert change.frames_per_second >= 5000
    assert network.text(CNN) == "the network mnist_mlp_1w1a (95.70 % right instead of 98.98 %)"


def test_a_rate_that_nothing_reaches_leaves_fewer_frames_alone(monkeypatch) -> None:
    few = {board.name: board for board in (ICEBREAKER, ULX3S_25F)}  # each takes its time
    monkeypatch.setattr(changes, "BOARDS", few)
    (change,) = smallest_changes(CNN, ICEBREAKER, frames_per_second=1e6)
    assert change.kind == "frame_rate"
    assert change.frames_per_second < 1e6


def test_what_does_not_fit_at_any_rate_gets_the_smallest_board_that_takes_it() -> None:
    network = random_network((28, 28, 1), [], [1024])
    with pytest.raises(DoesNotFitError):
        make_plan(network, ICEBREAKER)
    (change,) = smallest_changes(network, ICEBREAKER)
    assert change.kind == "board"
    sizes = {name: board.capacity.lut4 for name, board in BOARDS.items()}
    for name, size in sizes.items():
        if size < sizes[change.value]:
            with pytest.raises((DoesNotFitError, PlanError)):
                make_plan(network, BOARDS[name])


def test_no_way_out_is_an_empty_answer(monkeypatch) -> None:
    tiny = replace(ICEBREAKER, capacity=replace(ICEBREAKER.capacity, lut4=300))
    monkeypatch.setattr(changes, "BOARDS", {"icebreaker": tiny})
    assert smallest_changes(CNN, tiny) == []


def test_a_board_that_has_no_more_is_not_tried(monkeypatch) -> None:
    tried = []

    def remember(network, board, clock_mhz, frames_per_second) -> None:
        tried.append(board.name)

    monkeypatch.setattr(changes, "_reached", remember)
    assert smallest_changes(replace(CNN, metadata={}), ULX3S_85F) == []
    # Another family may do with less, and another board have a higher clock; of equal boards one is enough.
    assert tried == ["icestick", "icebreaker", "ice40-hx8k-evn", "orangecrab-25f", "ecpix5-45", "ecpix5-85"]  # fmt: skip
    tried.clear()
    smallest_changes(replace(CNN, metadata={}), ECPIX5_45)
    assert tried == ["icestick", "icebreaker", "ice40-hx8k-evn", "ecpix5-85"]


def test_a_board_with_fewer_bits_than_the_weights_is_not_planned_for(monkeypatch) -> None:
    def never(*_, **__) -> None:
        raise AssertionError("planned")

    bits = CNN.weight_bits
    for block_rams, lut4, may in ((bits // 10, 0, True), (bits // 10 - 1, 0, False), (0, bits // 16, False), (0, bits // 16 + 1, True)):  # fmt: skip
        capacity = replace(ICEBREAKER.capacity, block_rams=block_rams, lut4=lut4, block_ram_bits=10)
        assert may_hold(CNN, replace(ICEBREAKER, capacity=capacity)) == may
    monkeypatch.setattr(changes, "find_plan", never)
    capacity = replace(ICEBREAKER.capacity, block_rams=1, lut4=100)
    tiny = replace(ICEBREAKER, name="tiny", device="tiny", capacity=capacity)
    monkeypatch.setattr(changes, "BOARDS", {"tiny": tiny})
    assert smallest_changes(replace(CNN, metadata={}), ULX3S_85F) == []


def test_a_clock_that_another_board_cannot_have_rules_it_out() -> None:
    found = smallest_changes(CNN, ICEBREAKER, clock_mhz=1000, frames_per_second=5000)
    assert found == []


def test_a_change_is_told_as_part_of_an_enumeration() -> None:
    other = Change("network", "small", 10.0, None)
    assert other.text(CNN) == "the network small"
    assert Change("board", "large", 10.0).text(CNN) == "the board large"
    assert Change("frame_rate", "99", 99.5).text(CNN) == "at most 99 frames per second"
