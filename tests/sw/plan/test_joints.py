"""`rbonn.sw.plan.joints`: what options and converters cost is what an accelerator costs, but for what no choice changes and for FIFOs."""

from __future__ import annotations

import random

import pytest
from rbonn.boards import ULX3S_85F
from rbonn.sw.build.device_forms import device_forms
from rbonn.sw.build.elaborate import elaborate
from rbonn.sw.network import Network
from rbonn.sw.plan.amounts import amounts, fits
from rbonn.sw.plan.costs import stages_cost
from rbonn.sw.plan.joints import find_joints
from rbonn.sw.plan.options import Option
from rbonn.sw.plan.planner import all_options
from rbonn.sw.plan.resources import Resources
from rbonn.sw.plan.search import Search

from ...random_networks import ConvShape, random_network
from ...random_residual_networks import BlockShape, random_residual_network

BLOCKS = [BlockShape(8), BlockShape(16, 2, "conv1x1"), BlockShape(16), BlockShape(32, 2)]
NETWORKS = {
    "chain": random_network((12, 12, 1), [ConvShape(8, padding=1, pool=2), ConvShape(16)]),
    "thermometer": random_network((6, 6, 3), [], [16], entrance="thermometer"),
    "residual": random_residual_network((8, 8, 3), BLOCKS, stem_channels=8),
}


def beside(network: Network, chosen: dict[str, Option]) -> Resources:
    """What an accelerator takes beside its options, its converters and its FIFOs."""
    family = ULX3S_85F.family
    foldings = {name: option.folding for name, option in chosen.items()}
    built = elaborate(network, foldings, device_forms(ULX3S_85F))
    fifos = (stage.config for stage in built.config.stages if stage.name in built.skips)
    known = sum((option.cost for option in chosen.values()), start=stages_cost(fifos, family))
    for joint in find_joints(network):
        lanes = chosen[joint.source].folding.pe if joint.source else 1
        reader = chosen[joint.reader]
        reader_lanes = reader.folding.pe if joint.is_join else reader.input_lanes
        known += joint.cost(lanes * joint.source_lanes, reader_lanes, family)
    stages = (stage.config for stage in built.config.stages)
    return stages_cost(stages, family) + known.times(-1)


@pytest.mark.parametrize("name", NETWORKS)
def test_all_that_depends_on_a_choice_is_in_options_joints_and_fifos(name: str) -> None:
    network = NETWORKS[name]
    options = all_options(network, ULX3S_85F)
    rng = random.Random(1)
    found = {
        beside(network, {name: rng.choice(layer) for name, layer in options.items()})
        for _ in range(12)
    }
    assert len(found) == 1, found


def test_joints_of_a_residual_network_are_at_each_layer_but_the_first_and_at_each_add() -> None:
    joints = find_joints(NETWORKS["residual"])
    adds = [(joint.source, joint.reader) for joint in joints if joint.is_join]
    assert adds == [
        ("stem", "block1_conv"),
        ("block2_conv1x1", "block2_conv"),
        ("block2_conv", "block3_conv"),
        ("block3_conv", "block4_conv"),
    ]
    assert {joint.reader for joint in joints if not joint.is_join} == set(
        all_options(NETWORKS["residual"], ULX3S_85F)
    )


def test_what_fifos_take_at_least_is_no_more_than_they_take_and_not_nothing() -> None:
    search = Search(NETWORKS["residual"], ULX3S_85F, ULX3S_85F.clock_hz)
    rng, least_of_all = random.Random(2), 0
    for _ in range(6):
        chosen = {name: rng.choice(layer) for name, layer in search.options.items()}
        foldings = {name: option.folding for name, option in chosen.items()}
        built = elaborate(search.network, foldings, device_forms(ULX3S_85F))
        found = search._fifos(built)
        assert found.keys() == search.question.fifos.keys()
        for name, costs in search.question.fifos.items():
            least, taken = (c[chosen[name].folding.pe] for c in (costs, found[name]))
            assert fits(least, taken)
            least_of_all += amounts(least)[0]
    assert least_of_all > 0
