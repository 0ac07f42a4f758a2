"""`rbonn.sw.build.elaborate`: whole accelerators against the golden model, in Amaranth's simulator."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rbonn.sw.build.device_forms import PORTABLE, DeviceForms
from rbonn.sw.build.elaborate import elaborate
from rbonn.sw.errors import UnsupportedLayerError
from rbonn.sw.network import Affine, Conv, Dense, Int, MaxPool, Network, Threshold
from rbonn.sw.plan.folding import Folding, divisors
from rbonn.sw.plan.schedule import first_frame_latency

from ...hw.stream_driver import Stalls, drive
from ...random_accelerators import expected, packed
from ...random_networks import ConvShape, networks, random_images, random_network


def run(
    network: Network,
    foldings: dict[str, Folding],
    images: np.ndarray,
    *,
    forms: DeviceForms = PORTABLE,
    skip_places: dict[str, int] | None = None,
    **options,
):
    config = elaborate(network, foldings, forms, skip_places).config
    result = drive(
        config.component(),
        packed(network, images),
        n_outputs=len(images) * config.n_classes,
        idle_limit=max(2000, 2 * config.interval_cycles),
        **options,
    )
    bits = config.score_bits
    answers = []
    for word in result.outputs:
        score = word & ((1 << bits) - 1)
        score -= (score >> (bits - 1)) << bits
        label = word >> bits & ((1 << config.label_bits) - 1)
        answers.append((score, label, word >> bits + config.label_bits))
    return config, result, answers


def matrices(network: Network) -> list[Conv | Dense]:
    return [node for node in network.nodes if isinstance(node, Conv | Dense)]


def unfolded(network: Network) -> dict[str, Folding]:
    return {node.name: Folding(*node.matrix.shape) for node in matrices(network)}


def serial(network: Network) -> dict[str, Folding]:
    return {node.name: Folding(1, 1) for node in matrices(network)}


CHAIN = random_network(
    (6, 6, 2), [ConvShape(4, padding=1, pad_value=0, pool=2), ConvShape(6, padding=1)], [5]
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(networks(), st.data())
def test_any_network_with_any_folding_equals_the_golden_model(
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


@pytest.mark.parametrize(
    "fold", [unfolded, lambda n: {m.name: Folding(m.matrix.shape[0], 1) for m in matrices(n)}]
)
def test_interval_and_latency_are_those_of_the_plan(fold) -> None:
    images = random_images(CHAIN, 5)
    config, result, answers = run(CHAIN, fold(CHAIN), images)
    assert answers == expected(CHAIN, images)
    assert result.intervals(config.n_classes)[2:] == [config.interval_cycles] * 2
    assert result.latency(config.n_classes - 1, 0) == first_frame_latency(config)


SLOW_SOURCE = random_network(
    (7, 7, 1), [ConvShape(4, padding=1), ConvShape(2, padding=2), ConvShape(2, stride=3, padding=1)]
)


def test_a_source_no_faster_than_its_window_costs_no_cycle() -> None:
    foldings = {
        "conv1": Folding(2, 3),
        "conv2": Folding(2, 4),
        "conv3": Folding(1, 2),
        "head": Folding(1, 1),
    }
    images = random_images(SLOW_SOURCE, 8)
    config, result, answers = run(SLOW_SOURCE, foldings, images)
    assert answers == expected(SLOW_SOURCE, images)
    assert result.intervals(config.n_classes)[-2:] == [config.interval_cycles] * 2


@pytest.mark.parametrize(
    "network",
    [
        random_network((3, 3, 1), [], [4]),
        random_network((5, 4, 1), [ConvShape(3, stride=2, padding=1)], entrance="device"),
        random_network((4, 4, 1), [ConvShape(2)], entrance="thermometer"),
    ],
)
def test_the_latency_of_every_entrance_is_exact(network: Network) -> None:
    images = random_images(network, 3)
    config, result, _ = run(network, unfolded(network), images)
    assert result.latency(config.n_classes - 1, 0) == first_frame_latency(config)


@pytest.mark.parametrize("reset_after", [1, 4, 7])
def test_a_reset_in_the_middle_of_an_image_leaves_nothing_behind(reset_after: int) -> None:
    images = random_images(CHAIN, 2)
    answers = run(CHAIN, unfolded(CHAIN), images, reset_after=reset_after)[2]
    assert answers == expected(CHAIN, images)


def test_every_edge_of_the_device_is_observed_once() -> None:
    config = elaborate(CHAIN, unfolded(CHAIN)).config
    edges = [CHAIN.device_input, *(node.name for node in CHAIN.device_nodes[:-1])]
    assert [probe.edge for probe in config.probes] == edges


def test_the_layers_that_cannot_be_built_are_named() -> None:
    network = random_network((2, 2, 1), [], [3])
    *others, affine, label = network.nodes
    bits = replace(network, nodes=(*others, Threshold("scores", ("head",), affine.offsets), label))
    with pytest.raises(
        UnsupportedLayerError,
        match=r"Layer label \(ArgMax\) compares bipolar; it needs signed scores",
    ):
        elaborate(bits, unfolded(network))
    with pytest.raises(UnsupportedLayerError, match=r"Layer scores \(Affine\) is the last node"):
        elaborate(replace(network, nodes=(*others, affine)), unfolded(network))
    other = replace(label, inputs=("head",))
    with pytest.raises(UnsupportedLayerError, match="compares head, the scores are scores"):
        elaborate(replace(network, nodes=(*others, affine, other)), unfolded(network))

    raw = random_network((6, 6, 1), [ConvShape(4, pad_value=0)])
    idle = Threshold("idle", (raw.nodes[1].name,), np.zeros(4, np.int64))
    with pytest.raises(
        UnsupportedLayerError, match=r"Layer idle \(Threshold\) is read by no layer"
    ):
        elaborate(replace(raw, nodes=(*raw.nodes[:2], idle, *raw.nodes[2:])), unfolded(raw))
    twice = replace(raw.nodes[1], name="again")
    with pytest.raises(
        UnsupportedLayerError,
        match=r"Layer again \(Conv\) reads binarise, which another layer reads too",
    ):
        elaborate(
            replace(raw, nodes=(*raw.nodes[:2], twice, *raw.nodes[2:])),
            unfolded(raw) | {"again": Folding(1, 1)},
        )


@pytest.mark.parametrize(
    "scores",
    [
        Affine("scores", ("head",), np.array([2, -3, 1]), np.array([1, 0, -2]), 0, Int(8)),
        Affine("scores", ("head",), np.ones(3, np.int64), np.array([1, 0, -2]), 1, Int(8)),
        Affine("scores", ("head",), np.ones(3, np.int64), np.array([1, 0, -2]), 0, Int(2)),
        MaxPool("scores", ("head",), 1),
    ],
    ids=["multiplies", "shifts", "saturates", "pools"],
)
def test_what_no_accumulator_absorbs_has_a_stage_of_its_own(scores: Affine | MaxPool) -> None:
    network = random_network((2, 2, 1), [], [3])
    *others, _, label = network.nodes
    network = replace(network, nodes=(*others, scores, label))
    images = random_images(network, 4)
    assert run(network, unfolded(network), images)[2] == expected(network, images)
