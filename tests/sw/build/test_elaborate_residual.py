"""`rbonn.sw.build.elaborate`: whole residual accelerators against the golden model, in Amaranth's simulator."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rbonn.sw.build.elaborate import elaborate
from rbonn.sw.network import Network
from rbonn.sw.plan.folding import Folding, divisors
from rbonn.sw.plan.schedule import first_frame_latency

from ...hw.stream_driver import Stalls, StreamError
from ...random_residual_networks import (
    BlockShape,
    random_images,
    random_residual_network,
    residual_networks,
)
from .test_elaborate import expected, matrices, run

NETWORK = random_residual_network(
    (8, 8, 1), [BlockShape(4), BlockShape(8, 2), BlockShape(8)], stem="int8"
)


def widest(network: Network) -> dict[str, Folding]:
    """All columns at once, and as many rows as keep every stage at the pace of the first one."""
    return {node.name: Folding(1, node.matrix.shape[1]) for node in matrices(network)}


def serial(network: Network) -> dict[str, Folding]:
    return {node.name: Folding(1, 1) for node in matrices(network)}


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(residual_networks(), st.data())
def test_any_residual_network_with_any_folding_equals_the_golden_model(
    network: Network, data: st.DataObject
) -> None:
    foldings = {
        node.name: Folding(
            *(data.draw(st.sampled_from(divisors(length))) for length in node.matrix.shape),
            data.draw(st.sampled_from(["block", "logic"])),
            data.draw(st.sampled_from(["block", "logic"])),
        )
        for node in matrices(network)
    }
    images = random_images(network, 3)
    stalls = Stalls(data.draw(st.integers(0, 999)))
    assert run(network, foldings, images, stalls=stalls)[2] == expected(network, images)


@pytest.mark.parametrize("fold", [widest, serial])
def test_interval_and_latency_are_those_of_the_plan(fold) -> None:
    images = random_images(NETWORK, 5)
    config, result, answers = run(NETWORK, fold(NETWORK), images)
    assert answers == expected(NETWORK, images)
    assert result.intervals(config.n_classes)[2:] == [config.interval_cycles] * 2
    assert result.latency(config.n_classes - 1, 0) == first_frame_latency(config)


def test_a_skip_fifo_one_place_too_short_stops_the_network() -> None:
    images = random_images(NETWORK, 2)
    live = elaborate(NETWORK, widest(NETWORK)).skips["block1_add_skip"].live
    run(NETWORK, widest(NETWORK), images, skip_places={"block1_add_skip": live})
    with pytest.raises(StreamError, match="nothing moved"):
        run(NETWORK, widest(NETWORK), images, skip_places={"block1_add_skip": live - 1})
