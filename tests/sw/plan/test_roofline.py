"""`rbonn.sw.plan.roofline`: what a board could do at best, and where a plan stands."""

import json
from pathlib import Path

import pytest
from rbonn.boards import BOARDS, ICEBREAKER, ICESTICK, ULX3S_25F
from rbonn.sw.build.device_forms import device_forms
from rbonn.sw.build.elaborate import elaborate
from rbonn.sw.models import find_network
from rbonn.sw.plan.folding import Folding
from rbonn.sw.plan.roofline import LUTS_PER_LANE, Roofline, operations_per_frame, roofline
from rbonn.sw.project import Project
from rbonn.sw.report.tables import roofline_line

from ...random_networks import ConvShape, random_network

RESULTS = Path(__file__).parents[3] / "benchmarks" / "results" / "pe_array.json"
NETWORK = random_network((4, 4, 4), [], [16], n_classes=4)  # 16 x 64, then 4 x 16


def of(foldings: dict[str, Folding], board=ICEBREAKER, clock_hz: float = 36e6) -> Roofline:
    return roofline(NETWORK, board, elaborate(NETWORK, foldings, device_forms(board)), clock_hz)


def test_roof_and_slope_are_those_of_the_formula() -> None:
    found = of({"dense1": Folding(4, 8), "head": Folding(1, 4)})
    assert found.peak_operations_per_second == pytest.approx(2 * 3960 / 1.906 * 36e6)
    assert found.weight_bits_per_second == 30 * 16 * 36e6
    found = of({"dense1": Folding(4, 8), "head": Folding(1, 4)}, ULX3S_25F, 75e6)
    assert found.weight_bits_per_second == 56 * 36 * 75e6


def test_operations_are_two_for_each_product_of_bits() -> None:
    assert operations_per_frame(NETWORK) == 2 * (16 * 64 + 4 * 16)


def test_each_weight_bit_in_block_ram_is_read_once_for_each_vector() -> None:
    found = of({"dense1": Folding(4, 8), "head": Folding(1, 4)})
    assert found.weight_bits_per_frame == 16 * 64 + 4 * 16
    assert found.operations_per_weight_bit == 2
    assert found.attainable_operations_per_second == 2 * 30 * 16 * 36e6
    assert found.operations_per_second == pytest.approx(2 * 1088 * 36e6 / 32)
    assert found.roof == "block RAMs"
    assert found.share == found.operations_per_second / found.attainable_operations_per_second


def test_a_convolution_reads_its_weights_again_for_each_pixel() -> None:
    network = random_network((6, 5, 1), [ConvShape(8, padding=1)], n_classes=4)
    conv, head = (node for node in network.device_nodes if hasattr(node, "matrix"))
    foldings = {conv.name: Folding(2, 3), head.name: Folding(1, 4)}
    built = elaborate(network, foldings, device_forms(ICEBREAKER))
    found = roofline(network, ICEBREAKER, built, 36e6)
    assert found.weight_bits_per_frame == 6 * 5 * conv.matrix.size + head.matrix.size


def test_weights_in_logic_are_not_read_and_lookup_tables_are_the_roof() -> None:
    half = of({"dense1": Folding(16, 32, "logic"), "head": Folding(1, 4)})
    assert half.weight_bits_per_frame == 4 * 16
    none = of({"dense1": Folding(16, 32, "logic"), "head": Folding(4, 8, "logic")})
    assert none.operations_per_weight_bit is None
    assert none.attainable_operations_per_second == none.peak_operations_per_second
    assert none.roof == "lookup tables"
    assert "weights in logic" in roofline_line(none)


def test_pixels_of_eight_bits_are_eight_times_the_operations() -> None:
    resnet = find_network("cifar10_resnet20_1w1a")
    head = next(node for node in resnet.nodes if node.name == "head")
    bits = head.weight_type.bits * resnet.edges[head.inputs[0]].datatype.bits
    assert bits > 1
    binary = sum(
        2 * resnet.edges[n.name].elements * n.matrix.shape[1]
        for n in resnet.device_nodes
        if hasattr(n, "matrix") and n.name != "head"
    )
    assert operations_per_frame(resnet) == binary + 2 * 640 * bits


def test_lookup_tables_per_lane_are_the_least_that_was_measured() -> None:
    rows = json.loads(RESULTS.read_text())["rows"]
    for family, prefix in (("ice40", "iCE40"), ("ecp5", "ECP5")):
        measured = [
            row["lut_equivalents_per_lane"]
            for name, row in rows.items()
            if "complete" in name and row["device"].startswith(prefix)
        ]
        assert min(measured) == pytest.approx(LUTS_PER_LANE[family], abs=1e-3)


@pytest.mark.parametrize("network", ["mnist_cnn_1w1a", "mnist_mlp_1w1a"])
@pytest.mark.parametrize("board", sorted(BOARDS.keys() - {ICESTICK.name}))  # too small for both
def test_no_shipped_network_is_above_its_roof(network: str, board: str) -> None:
    project = Project.find(network, board)
    found = roofline(project.network, project.board, project.elaboration, project.clock_hz)
    assert 0 < found.share < 1
