"""`rbonn.sw.plan.least_held`: no folding has shallower FIFOs, and whole windows have just these."""

from __future__ import annotations

import pytest
from rbonn.boards import ULX3S_25F, ULX3S_85F
from rbonn.sw.build.skips import find_skips
from rbonn.sw.network import Conv, Dense
from rbonn.sw.plan.folding import Folding
from rbonn.sw.plan.joints import find_fifos
from rbonn.sw.plan.least_held import least_cost, least_held

from ...random_accelerators import random_accelerator
from ...random_residual_networks import BlockShape, random_residual_network
from ..build.test_elaborate import elaborate

SEED = 3


@pytest.mark.parametrize(("seed", "number"), [*((SEED, n) for n in range(1, 60, 2)), (11, 689)])
def test_no_folding_holds_less(seed: int, number: int) -> None:
    case = random_accelerator(seed, number)
    elaboration = case.elaborate()
    widths = {stage.name: stage.config.input_width for stage in elaboration.config.stages}
    for add, skip in find_skips(case.network).items():
        bits = case.network.edges[skip.edge].datatype.bits
        lanes = widths[f"{add}_skip"] // bits
        held = elaboration.skips[f"{add}_skip"].live * lanes
        assert 0 <= least_held(case.network, skip, lanes) <= max(held, 0)


def test_whole_windows_hold_just_this() -> None:
    blocks = [BlockShape(8), BlockShape(8, kernel=5), BlockShape(16, 2), BlockShape(16)]
    network = random_residual_network((8, 6, 3), blocks, stem_channels=8, n_classes=4)
    foldings = {
        node.name: Folding(
            2,
            node.matrix.shape[1],
            "logic",
            window="parallel" if isinstance(node, Conv) and node.kernel != (1, 1) else "sequential",
        )
        for node in network.nodes
        if isinstance(node, Conv | Dense)
    }
    elaboration = elaborate(network, foldings)
    for add, skip in find_skips(network).items():
        live = elaboration.skips[f"{add}_skip"].live
        held = least_held(network, skip, 2)
        assert held == 2 * live if skip.reader == add else 0 <= held <= 2 * live
    first = find_skips(network)["block1_add"]
    assert least_held(network, first, 2) == (6 + 2) * 8 - 2


@pytest.mark.parametrize("board", [ULX3S_25F, ULX3S_85F])
def test_a_fifo_that_holds_more_takes_no_less_of_anything(board) -> None:
    network = random_residual_network((16, 16, 3), [BlockShape(8)] * 2, stem_channels=8)
    for fifo in find_fifos(network):
        for lanes in (1, 2, 4, 8):
            for held in (0, 31 * lanes, 32 * lanes, 33 * lanes, 600 * lanes):
                least = least_cost(fifo, held, lanes, board)
                for more in (held, held + lanes, 40 * lanes + held, 3 * held):
                    cost = fifo.cost(lanes, more, board)
                    assert cost.lut4 >= least.lut4
                    assert (cost.block_rams, cost.ff) >= (least.block_rams, 0)
                    assert cost.ff >= least.ff
