"""`tests.accelerator_batch` and `tests.drawn_accelerators`: what is right is found right, and each fault in the accelerator that has it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from rbonn.sim.specification import Stalls
from rbonn.sw.build.elaborate import Elaboration, elaborate
from rbonn.sw.network import Conv, Dense, Network
from rbonn.sw.plan.folding import Folding

from .accelerator_batch import Outcome, run_batch
from .drawn_accelerators import DEVICES, MOST_COLUMNS, DrawnAccelerator, accelerators
from .random_networks import ConvShape, random_network
from .random_residual_networks import BlockShape, random_residual_network

STALLS = Stalls(5, 0.3, 0.6, 8)

CHAIN = random_network((3, 4, 1), [ConvShape(3, (2, 3), padding=1, pad_value=0)], seed=2)
RESIDUAL = random_residual_network((4, 4, 1), [BlockShape(2)], stem_channels=2, seed=1)


def plainly(network: Network, device: str) -> DrawnAccelerator:
    layers = [node for node in network.device_nodes if isinstance(node, Conv | Dense)]
    return DrawnAccelerator(
        network, device, {node.name: Folding(1, 1) for node in layers}, 3, STALLS
    )


@dataclass(frozen=True)
class WrongWeight(DrawnAccelerator):
    """The hardware has one weight of the other sign."""

    def elaborate(self) -> Elaboration:
        nodes = []
        for node in self.network.nodes:
            if node.name == "head":
                weights = node.weights.copy()
                weights[1, 0] *= -1
                node = replace(node, weights=weights)
            nodes.append(node)
        return elaborate(replace(self.network, nodes=tuple(nodes)), self.foldings)


@dataclass(frozen=True)
class TooShallow(DrawnAccelerator):
    """The FIFO beside a long branch has fewer places than what the branch holds back."""

    def elaborate(self) -> Elaboration:
        (skip,) = super().elaborate().skips
        return elaborate(self.network, self.foldings, skip_places={skip: 2})


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """Of five accelerators in one program, two of them with a fault."""
    chain = plainly(CHAIN, "portable")
    residual = plainly(RESIDUAL, "portable")
    cases = {
        "ice40": plainly(CHAIN, "ice40"),
        "wrong weight": WrongWeight(**vars(chain)),
        "ecp5": plainly(CHAIN, "ecp5"),
        "too shallow": TooShallow(**vars(residual)),
        "residual": residual,
    }
    folder = tmp_path_factory.mktemp("batch")
    return dict(zip(cases, run_batch(list(cases.values()), folder), strict=True))


@pytest.mark.cosim
@pytest.mark.parametrize("name", ["ice40", "ecp5", "residual"])
def test_right_accelerators_equal_the_golden_model_beside_wrong_ones(
    name: str, outcomes: dict[str, Outcome]
) -> None:
    network = RESIDUAL if name == "residual" else CHAIN
    assert (outcomes[name].failure, outcomes[name].first_mismatch) == (None, None)
    assert outcomes[name].is_right
    assert outcomes[name].edges == len(network.device_nodes) + 1


@pytest.mark.cosim
def test_a_wrong_weight_is_found_where_it_is(outcomes: dict[str, Outcome]) -> None:
    first = outcomes["wrong weight"].first_mismatch
    assert first is not None
    assert (first.layer, first.channel) == ("head", 1)
    assert not outcomes["wrong weight"].is_right


@pytest.mark.cosim
def test_an_accelerator_that_stops_is_found(outcomes: dict[str, Outcome]) -> None:
    assert "stops" in str(outcomes["too shallow"])
    assert not outcomes["too shallow"].is_right


def test_an_outcome_without_a_comparison_is_not_right() -> None:
    assert not Outcome(None, 0, 0, None, 0, 0).is_right


@settings(max_examples=60)
@given(accelerators())
def test_drawn_accelerators_can_be_elaborated(case: DrawnAccelerator) -> None:
    assert case.elaborate().config.interval_cycles > 0
    assert case.device in DEVICES
    layers = [node for node in case.network.device_nodes if isinstance(node, Conv | Dense)]
    assert max(node.matrix.shape[1] for node in layers) <= MOST_COLUMNS
    assert case.stalls.input_probability + case.stalls.output_probability > 0


@settings(max_examples=20)
@given(case=accelerators())
def test_a_saved_accelerator_is_the_same_again(
    case: DrawnAccelerator, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("case") / "case.safetensors"
    case.save(path)
    loaded = DrawnAccelerator.load(path)
    assert loaded.digest == case.digest
    assert loaded.network.hash() == case.network.hash()
    assert (loaded.foldings, loaded.stalls) == (case.foldings, case.stalls)
    assert (loaded.images == case.images).all()
    assert path.stat().st_size < 40_000
