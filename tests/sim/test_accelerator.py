"""`rbonn.sim.accelerator` and `rbonn.sim.top_level`: Verilog of whole networks against the golden model."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rbonn.hw.protocol import ElementKind, Info
from rbonn.hw.top import Top, TopConfig
from rbonn.sim.accelerator import simulate_accelerator
from rbonn.sim.plan import Limits
from rbonn.sim.top_level import simulate_top_level
from rbonn.sw.build.device_forms import device_forms
from rbonn.sw.build.elaborate import Elaboration, elaborate
from rbonn.sw.build.target import find_board
from rbonn.sw.network import Conv, Dense, Network
from rbonn.sw.plan.folding import Folding
from rbonn.sw.plan.schedule import first_frame_latency

from ..random_networks import ConvShape, random_images, random_network
from ..random_residual_networks import BlockShape, random_residual_network
from ..random_residual_networks import random_images as random_residual_images

pytestmark = pytest.mark.cosim

NETWORK = random_network(
    (8, 6, 2), [ConvShape(4, padding=1, pad_value=0, pool=2), ConvShape(6, padding=1)], [5], seed=3
)
FOLDINGS = {
    "conv1": Folding(2, 6),
    "conv2": Folding(3, 12),
    "dense1": Folding(1, 8),
    "head": Folding(1, 5),
}


def with_weight_changed(network: Network, layer: str, row: int) -> Network:
    """The network with one weight of the other sign."""
    nodes = []
    for node in network.nodes:
        if node.name == layer:
            weights = node.weights.copy()
            weights[row].flat[0] *= -1
            node = replace(node, weights=weights)
        nodes.append(node)
    return replace(network, nodes=tuple(nodes))


def test_an_accelerator_equals_the_golden_model_on_every_edge(tmp_path: Path) -> None:
    elaboration = elaborate(NETWORK, FOLDINGS)
    result = simulate_accelerator(NETWORK, elaboration, random_images(NETWORK, 12), folder=tmp_path)
    assert (result.mismatches, result.first_mismatch) == (0, None)
    assert result.images == 12
    assert result.boundaries_checked == len(NETWORK.device_nodes) + 1
    assert result.initiation_interval_cycles == elaboration.config.interval_cycles


def test_rows_that_a_pool_drops_are_waited_for(tmp_path: Path) -> None:
    network = random_network((7, 7, 4), [ConvShape(16, pool=2)], seed=1)
    elaboration = elaborate(network, {"conv1": Folding(1, 1), "head": Folding(1, 1)})
    # The fifth row of the convolution takes so long, and no score waits for it.
    assert elaboration.config.interval_cycles // 5 > Limits().settle_cycles
    result = simulate_accelerator(network, elaboration, random_images(network, 6), folder=tmp_path)
    assert (result.mismatches, result.first_mismatch) == (0, None)


def test_scores_of_a_type_wider_than_their_accumulators_are_compared(tmp_path: Path) -> None:
    network = random_network((1, 1, 3), seed=3)
    elaboration = elaborate(network, {"head": Folding(3, 3)})
    bits = elaboration.layers["head"].unit.accumulator_bits
    assert bits < network.edges["scores"].datatype.bits
    images = random_images(network, 6)
    result = simulate_accelerator(network, elaboration, images, folder=tmp_path)
    assert (result.mismatches, result.first_mismatch) == (0, None)


RESIDUAL = random_residual_network(
    (8, 8, 3), [BlockShape(4), BlockShape(8, 2), BlockShape(16, 2, "conv1x1")], seed=4
)


@pytest.mark.parametrize("board", ["icebreaker", "ulx3s-85f"])
def test_a_residual_accelerator_in_its_devices_forms_equals_the_golden_model(
    board: str, tmp_path: Path
) -> None:
    foldings = {
        node.name: Folding(
            1,
            node.matrix.shape[1],
            "logic",
            window="parallel" if isinstance(node, Conv) and node.kernel != (1, 1) else "sequential",
        )
        for node in RESIDUAL.nodes
        if isinstance(node, Conv | Dense)
    }
    elaboration = elaborate(RESIDUAL, foldings, device_forms(find_board(board)))
    images = random_residual_images(RESIDUAL, 8)
    result = simulate_accelerator(RESIDUAL, elaboration, images, folder=tmp_path)
    assert (result.mismatches, result.first_mismatch) == (0, None)
    assert result.boundaries_checked == len(RESIDUAL.device_nodes) + 1
    assert result.initiation_interval_cycles == elaboration.config.interval_cycles
    assert result.latency_cycles == first_frame_latency(elaboration.config)


def test_a_wrong_weight_is_found_where_it_is(tmp_path: Path) -> None:
    elaboration = elaborate(NETWORK, FOLDINGS)
    other = with_weight_changed(NETWORK, "conv2", row=4)
    # The edges before it are right, and of its own channels only the changed one is wrong.
    result = simulate_accelerator(other, elaboration, random_images(NETWORK, 12), folder=tmp_path)
    assert result.mismatches > 0
    assert (result.first_mismatch.layer, result.first_mismatch.channel) == ("conv2", 4)
    assert abs(result.first_mismatch.expected - result.first_mismatch.got) == 1  # one match


def top_level(network: Network, elaboration: Elaboration) -> Top:
    config = elaboration.config
    edge = network.edges[network.device_input]
    info = Info(
        name=network.name,
        design_hash=bytes(8),
        weights_hash=bytes.fromhex(network.hash())[:8],
        element_kind=ElementKind.UNSIGNED,
        element_bits=edge.datatype.bits,
        shape=edge.shape,
        n_classes=config.n_classes,
        score_bits=config.score_bits,
        clock_hz=12_000_000,
        interval_cycles=config.interval_cycles,
    )
    return TopConfig(info, 1_000_000).component(config.component())


def test_a_top_level_answers_on_its_serial_line_as_the_golden_model(tmp_path: Path) -> None:
    network = random_network((4, 4, 1), [ConvShape(4)], [6], entrance="thermometer", seed=4)
    foldings = {"conv1": Folding(2, 3), "dense1": Folding(2, 4), "head": Folding(1, 6)}
    elaboration = elaborate(network, foldings)
    images = random_images(network, 6)
    result = simulate_top_level(
        network, top_level(network, elaboration), images, folder=tmp_path, clock_error=-0.01
    )
    assert (result.images, result.mismatches, result.first_mismatch) == (6, 0, None)
    assert len(set(result.core_cycles[:3])) == 1  # one by one, every image takes the same
    assert np.all(np.array(result.core_cycles) > 0)
