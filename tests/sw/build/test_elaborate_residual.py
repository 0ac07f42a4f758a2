"""`rbonn.sw.build.elaborate`: whole residual accelerators against the golden model, in Amaranth's simulator."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rbonn.sw.build.device_forms import PORTABLE, DeviceForms
from rbonn.sw.build.elaborate import elaborate
from rbonn.sw.network import Conv, Network
from rbonn.sw.plan.folding import Folding, divisors
from rbonn.sw.plan.schedule import first_frame_latency

from ...hw.stream_driver import Stalls, StreamError
from ...random_accelerators import expected
from ...random_residual_networks import (
    BlockShape,
    random_images,
    random_residual_network,
    residual_networks,
)
from .test_elaborate import matrices, run

NETWORK = random_residual_network(
    (8, 8, 1), [BlockShape(4), BlockShape(8, 2), BlockShape(8)], stem="int8"
)


ECP5_LIKE = DeviceForms(back_pressure="credit", read_latency=2, ram_depth=512)
"""What simulates without models of an ECP5's cells."""


def widest(network: Network) -> dict[str, Folding]:
    """All columns at once, row by row."""
    return {node.name: Folding(1, node.matrix.shape[1]) for node in matrices(network)}


def whole_windows(network: Network) -> dict[str, Folding]:
    """As `widest`, with windows that come whole: every stage of the first group of blocks moves in every cycle."""
    return {
        node.name: Folding(
            1,
            node.matrix.shape[1],
            "logic",
            window="parallel" if isinstance(node, Conv) and node.kernel != (1, 1) else "sequential",
        )
        for node in matrices(network)
    }


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


@pytest.mark.parametrize("forms", [PORTABLE, ECP5_LIKE], ids=["enable", "credit"])
@pytest.mark.parametrize("fold", [widest, whole_windows, serial])
def test_interval_and_latency_are_those_of_the_plan(fold, forms: DeviceForms) -> None:
    images = random_images(NETWORK, 5)
    config, result, answers = run(NETWORK, fold(NETWORK), images, forms=forms)
    assert answers == expected(NETWORK, images)
    assert result.intervals(config.n_classes)[2:] == [config.interval_cycles] * 2
    assert result.latency(config.n_classes - 1, 0) == first_frame_latency(config)


@pytest.mark.parametrize("fold", [widest, whole_windows])
def test_a_skip_fifo_one_place_too_short_stops_the_network(fold) -> None:
    images, foldings = random_images(NETWORK, 2), fold(NETWORK)
    live = elaborate(NETWORK, foldings).skips["block1_add_skip"].live
    run(NETWORK, foldings, images, skip_places={"block1_add_skip": live})
    with pytest.raises(StreamError, match="nothing moved"):
        run(NETWORK, foldings, images, skip_places={"block1_add_skip": live - 1})


@pytest.mark.parametrize("forms", [PORTABLE, ECP5_LIKE], ids=["enable", "credit"])
def test_a_skip_fifo_one_place_short_of_the_full_rate_costs_cycles(forms: DeviceForms) -> None:
    images, foldings = random_images(NETWORK, 6), whole_windows(NETWORK)
    depth = elaborate(NETWORK, foldings, forms).skips["block1_add_skip"]
    assert depth.full_rate > depth.live
    for places, is_slower in ((depth.full_rate, False), (depth.full_rate - 1, True)):
        config, result, _ = run(
            NETWORK, foldings, images, forms=forms, skip_places={"block1_add_skip": places}
        )
        intervals = result.intervals(config.n_classes)[2:]
        assert (max(intervals) > config.interval_cycles) == is_slower
