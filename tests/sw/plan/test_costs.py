"""`rbonn.sw.plan.costs`: estimates against what synthesis makes of stages alone."""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from rbonn.boards import ICEBREAKER, ULX3S_85F
from rbonn.hw.affine import AffineConfig
from rbonn.hw.fifo import FifoConfig
from rbonn.hw.fork import ForkConfig
from rbonn.hw.parallel_window import ParallelWindowConfig
from rbonn.hw.prelu import PReLUConfig
from rbonn.hw.residual_add import ResidualAddConfig
from rbonn.hw.stage import StageConfig
from rbonn.hw.threshold import ThresholdConfig
from rbonn.sw.build.device_forms import device_forms
from rbonn.sw.build.layer import layer_stages
from rbonn.sw.network import ArgMax, Bipolar, DataType, Dense, EdgeType, Int, Network, UInt
from rbonn.sw.plan.costs import LINK, Resources, stage_cost
from rbonn.sw.plan.folding import Folding
from rbonn.sw.plan.resources import inferred_blocks

from ...hw.netlists import netlist

RNG = np.random.default_rng(0)

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
RESULTS = BENCHMARKS / "results"


def integers(low: int, high: int, count: int) -> tuple[int, ...]:
    return tuple(int(value) for value in RNG.integers(low, high, count))


def affine(channels: int, lanes: int, **options) -> AffineConfig:
    scale, bias = integers(-3000, 3000, channels), integers(-90_000, 90_000, channels)
    return AffineConfig(10, scale, bias, 8, 16, lanes, 64, lowest=-200, highest=200, **options)


def product(source: DataType, weight_type: DataType, pe: int, simd: int, weights, board):
    """A dense layer of 16 rows and 96 columns."""
    matrix = RNG.choice([-1, 1], (16, 96))
    if not isinstance(weight_type, Bipolar):
        matrix = RNG.integers(-128, 128, (16, 96))
    node = Dense("product", ("image",), matrix.astype(np.int8), weight_type)
    nodes = (node, ArgMax("label", ("product",)))
    names = tuple(str(k) for k in range(16))
    network = Network("t", EdgeType(source, (1, 1, 96)), nodes, 0, "product", names)
    folding = Folding(pe, simd, weights)
    return layer_stages(network, node, None, folding, device_forms(board)).stages[-1][1]


ECP5_STAGES: dict[str, StageConfig] = {
    "affine": affine(16, 4, multiplier="ecp5"),
    "affine, deep tables": affine(64, 1, multiplier="ecp5"),
    "affine, block RAM": affine(64, 1, multiplier="ecp5", memory="block", form="ecp5", read_latency=2),
    "slopes, powers of two": PReLUConfig(16, tuple(1 << k % 5 for k in range(16)), 6, 4),
    "slopes, free": PReLUConfig(16, integers(1, 999, 16), 10, 4, multiplier="ecp5"),
    "join": ResidualAddConfig(16, 2, 256),
    "fork": ForkConfig(32, 3, 256),
    "window": ParallelWindowConfig(16, 16, 16, 1, 3, 3, 1, 1, 0),
    "window in block RAM": ParallelWindowConfig(8, 8, 16, 1, 3, 3, 1, 1, 0, memory="block"),
    "thresholds": ThresholdConfig(16, integers(-3000, 3000, 32), 2, 64),
    "FIFO in block RAM": FifoConfig(32, 300, 1024),
    "FIFO in LUT RAM": FifoConfig(32, 40, 1024, "lut_ram"),
    "bits, logic": product(Bipolar(), Bipolar(), 4, 48, "logic", ULX3S_85F),
    "bits, block RAM": product(Bipolar(), Bipolar(), 2, 32, "block", ULX3S_85F),
    "integers": product(UInt(8), Bipolar(), 2, 24, "block", ULX3S_85F),
    "products": product(Int(8), Int(8), 2, 6, "block", ULX3S_85F),
}  # fmt: skip
ICE40_STAGES: dict[str, StageConfig] = {
    "join": ResidualAddConfig(16, 2, 256),
    "bits, block RAM": product(Bipolar(), Bipolar(), 4, 32, "block", ICEBREAKER),
    "products": product(Int(8), Int(8), 2, 4, "block", ICEBREAKER),
}
CASES = [("ecp5", name) for name in ECP5_STAGES] + [("ice40", name) for name in ICE40_STAGES]


def synthesised(config: StageConfig, family: str) -> Resources:
    cells = Counter(re.findall(r"^  (\w+) (?:#\(|\S+ +\()", netlist(config.component(), family), re.MULTILINE))  # fmt: skip
    if family == "ecp5":
        luts = cells["LUT4"] + 2 * cells["CCU2C"] + 6 * cells["TRELLIS_DPR16X4"]
        return Resources(luts, cells["TRELLIS_FF"], cells["DP16KD"], cells["MULT18X18D"])
    rams = sum(count for name, count in cells.items() if name.startswith("SB_RAM40"))
    return Resources(cells["SB_LUT4"], 0, rams, cells["SB_MAC16"])


@pytest.mark.synth
@pytest.mark.slow
@pytest.mark.parametrize(("family", "name"), CASES)
def test_estimates_are_within_a_fifth_and_blocks_exact(family: str, name: str) -> None:
    config = {"ecp5": ECP5_STAGES, "ice40": ICE40_STAGES}[family][name]
    found, estimate = synthesised(config, family), stage_cost(config, family)
    assert (estimate.block_rams, estimate.dsp) == (found.block_rams, found.dsp)
    assert abs(estimate.lut4 - found.lut4) <= max(20, 0.2 * found.lut4), (estimate, found)
    if family == "ecp5":
        assert abs(estimate.ff - found.ff) <= max(30, 0.3 * found.ff), (estimate, found)


def test_cells_that_use_their_carry_alone_are_counted_on_an_ice40_only() -> None:
    assert stage_cost(ECP5_STAGES["bits, logic"], "ecp5").carries == 0
    assert stage_cost(ICE40_STAGES["bits, block RAM"], "ice40").carries > 0


def test_a_stage_without_an_estimate_is_refused() -> None:
    with pytest.raises(TypeError, match="No cost is known for object"):
        stage_cost(object(), "ecp5")  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def calibration() -> ModuleType:
    """`benchmarks/calibrate.py` and what it imports."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        return importlib.import_module("calibrate")


def cases_of(calibration: ModuleType, part: str, family: str, block: str) -> list[Any]:
    sample = sys.modules["calibrate_sample"]
    return list(sample._cases(part, family, block, set()))


@pytest.mark.parametrize("family", ["ecp5", "ice40"])
@pytest.mark.parametrize(
    "block", ["bits", "affine", "residual add", "fifo", "width converter", "avg pool", "fork"]
)
def test_costs_of_the_designed_sample_are_those_of_the_table(
    calibration: ModuleType, family: str, block: str
) -> None:
    table = calibration.known_rows()
    cases = [c for c in cases_of(calibration, "fit", family, block) if c.digest in table]
    assert cases, "the hardware has changed: python benchmarks/calibrate.py synthesise"
    for case in cases:
        found, cost = table[case.digest], stage_cost(case.config, family)
        assert (cost.block_rams, cost.dsp) == (found["block_rams"], found["dsp"]), case.name
        assert cost.lut4 == pytest.approx(found["lut4"], rel=0.17, abs=4), case.name
        assert cost.ff == pytest.approx(found["ff"], rel=0.17, abs=4), case.name


def test_no_configuration_is_in_both_samples() -> None:
    cases = json.loads((RESULTS / "calibration_sample.json").read_text())["cases"]
    digests = {part: [c["digest"] for c in cases if c["part"] == part] for part in ("fit", "held_out")}  # fmt: skip
    assert len(set(digests["fit"])) == len(digests["fit"]) == 204
    assert len(set(digests["held_out"])) == len(digests["held_out"]) == 117
    assert not set(digests["fit"]) & set(digests["held_out"])


def test_the_published_errors_are_of_every_row_and_hold_the_bars() -> None:
    table = json.loads((RESULTS / "calibration.json").read_text())["rows"].values()
    errors = json.loads((RESULTS / "calibration_errors.json").read_text())
    for part in ("fit", "held_out"):
        rows = [row for row in table if row["part"] == part]
        assert errors[part]["not_synthesised"] == 0
        assert errors[part]["all"]["rows"] == sum("failed" not in row for row in rows)
        assert len(errors[part]["failed"]) == sum("failed" in row for row in rows)
    bars = errors["held_out"]["all"]
    assert bars["rank_correlation"] >= 0.97
    assert bars["median"] <= 6
    assert bars["within_20"] >= 95
    assert bars["block_rams_wrong"] == bars["dsp_wrong"] == 0


@pytest.mark.slow
def test_coefficients_and_errors_are_those_of_the_table(calibration: ModuleType) -> None:
    table = calibration.known_rows()
    cases = {part: sys.modules["calibrate_sample"].sample(part) for part in ("fit", "held_out")}
    fit = sys.modules["calibrate_fit"]
    text = fit.coefficients_module(fit.rows_of(cases["fit"], table))
    assert text == calibration.COEFFICIENTS.read_text()
    errors = json.loads((RESULTS / "calibration_errors.json").read_text())
    for part, mine in cases.items():
        assert sys.modules["calibrate_errors"].judged(mine, table) == errors[part]


def test_the_link_is_that_of_the_table() -> None:
    link = json.loads((RESULTS / "calibration.json").read_text())["link"]
    for found in link.values():
        assert abs(found["lut4"] - LINK.lut4) <= 8
        assert abs(found["ff"] - LINK.ff) <= 3
        assert found["block_rams"] == LINK.block_rams


@pytest.mark.parametrize("family", ["ecp5", "ice40"])
def test_blank_weights_are_priced_as_random_ones(family: str) -> None:
    board = {"ecp5": ULX3S_85F, "ice40": ICEBREAKER}[family]
    for pe, simd, form in ((4, 48, "logic"), (2, 32, "block"), (8, 24, "block")):
        config = product(Bipolar(), Bipolar(), pe, simd, form, board)
        blank = replace(config, weights=replace(config.weights, contents=(0,) * config.weights.depth))  # fmt: skip
        cost, estimate = stage_cost(config, family), stage_cost(blank, family)
        assert abs(estimate.lut4 - cost.lut4) <= 3
        assert estimate.block_rams == cost.block_rams


@pytest.mark.parametrize(
    ("width", "depth", "family", "found"),
    [
        (24, 7313, "ice40", 45),
        (10, 600, "ice40", 2),
        (32, 3064, "ice40", 24),
        (7, 5301, "ice40", 10),
        (40, 710, "ice40", 8),
        (5, 1300, "ice40", 2),
        (32, 809, "ecp5", 2),
        (14, 1779, "ecp5", 2),
    ],
)
def test_block_rams_of_inferred_memories_are_those_of_synthesis(
    width: int, depth: int, family: str, found: int
) -> None:
    assert inferred_blocks(width, depth, family)[0] == found
