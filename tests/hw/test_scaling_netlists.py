"""Affine and PReLU stages on devices: what is written with their cells, and what synthesis leaves of it, equal NumPy under random stalls.

Both run in Icarus with models of the cells, and do the same in every cycle. `test_affine` and `test_prelu` have the portable forms in Amaranth's
simulator.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.hw.affine import AffineConfig
from rbonn.hw.prelu import PReLUConfig
from rbonn.hw.residual_add import ResidualAddConfig
from rbonn.hw.stage import StageConfig
from rbonn.sw.build.design import component_verilog

from . import affine_case, test_prelu
from .netlists import cells_of, netlist
from .stream_driver import Stalls
from .test_residual_add import case
from .verilog_driver import drive_verilog

pytestmark = pytest.mark.synth

SUMS = {"lowest": -144, "highest": 144}
FREE = affine_case.random_constants(5, 8, 16, 22)
BLOCK = {"memory": "block", "read_latency": 2, "form": "ecp5"}

AFFINE: dict[str, tuple[str, AffineConfig, set[str]]] = {
    "ecp5": ("ecp5", AffineConfig(9, *FREE, 10, 16, 2, 3, **SUMS, multiplier="ecp5"), {"MULT18X18D"}),
    "ecp5, block RAM": ("ecp5", AffineConfig(9, *FREE, 10, 16, 1, 3, **SUMS, multiplier="ecp5", **BLOCK), {"MULT18X18D", "DP16KD"}),
    "ecp5, saturating": ("ecp5", AffineConfig(9, *FREE, 7, 12, 2, 3, multiplier="ecp5", output_places=0), {"MULT18X18D"}),
    "ecp5, two blocks a lane": ("ecp5", AffineConfig(22, *FREE, 20, 8, 1, 3, multiplier="ecp5"), {"MULT18X18D"}),
    "ecp5, shifts": ("ecp5", AffineConfig(18, (1, -2, 4, 8), FREE[1][:4], 2, 16, 2, 3), {"CCU2C"}),
    "ecp5, partial products": ("ecp5", AffineConfig(9, *FREE, 10, 16, 2, 3, **SUMS, multiplier="logic"), {"CCU2C"}),
    "ice40": ("ice40", AffineConfig(9, *FREE, 10, 16, 2, 3, **SUMS, multiplier="ice40"), {"SB_MAC16"}),
    "ice40, block RAM": ("ice40", AffineConfig(9, *FREE, 10, 16, 1, 3, **SUMS, multiplier="ice40", memory="block"), {"SB_MAC16", "SB_RAM40_4K"}),
    "ice40, saturating": ("ice40", AffineConfig(9, *FREE, 7, 12, 2, 3, multiplier="ice40", output_places=0), {"SB_MAC16"}),
    "ice40, unsigned": ("ice40", AffineConfig(15, *FREE, 18, 8, 1, 3, False, False, multiplier="ice40"), {"SB_MAC16"}),
    "ice40, partial products": ("ice40", AffineConfig(6, *FREE, 10, 16, 1, 3, multiplier="logic"), {"SB_LUT4"}),
}  # fmt: skip

PRELU: dict[str, tuple[str, PReLUConfig, set[str]]] = {
    "ecp5": ("ecp5", PReLUConfig(12, (300, -77, 5, 2000), 12, 2, 4, multiplier="ecp5"), {"MULT18X18D"}),
    "ecp5, powers": ("ecp5", PReLUConfig(12, (2, 4, 1, 2, 8, 1), 4, 2, 4), {"CCU2C"}),
    "ice40": ("ice40", PReLUConfig(12, (300, -77, 5, 2000), 12, 2, 4, multiplier="ice40"), {"SB_MAC16"}),
    "ice40, powers": ("ice40", PReLUConfig(9, (2, -4, 0, 2, 8, 1), 2, 2, 4, output_places=0), {"SB_LUT4"}),
}  # fmt: skip

QUICK = ("ecp5", "ice40")


def rows(table: dict[str, Any]) -> list[Any]:
    return [pytest.param(*table[name], id=name, marks=() if name in QUICK else pytest.mark.slow) for name in table]  # fmt: skip


def check(family: str, config: StageConfig, inputs: Any, expected: list[int], cells: set[str]) -> str:  # fmt: skip
    """Source and netlist against `expected`; answers the netlist."""
    source = component_verilog(config.component())
    mapped = netlist(source, family)
    assert cells <= cells_of(mapped)
    for stalls in (None, Stalls(1), Stalls(2)):
        runs = [
            drive_verilog(verilog, inputs, n_outputs=len(expected), cells=family, stalls=stalls)
            for verilog in (source, mapped)
        ]
        assert runs[0].outputs == expected
        assert runs[0] == runs[1]
        if stalls is None:
            (name, *_) = runs[0].input_cycles
            assert runs[0].latency(0, 0, name) == config.latency_cycles
            assert set(runs[0].intervals(config.outputs_per_frame)) == {config.interval_cycles}
    return mapped


@pytest.mark.parametrize(("family", "config", "cells"), rows(AFFINE))
def test_affine_equals_numpy(family: str, config: AffineConfig, cells: set[str]) -> None:
    mapped = check(family, config, *affine_case.streams(config), cells)
    assert len(re.findall(r"^  (?:MULT18X18D|SB_MAC16) ", mapped, re.MULTILINE)) == config.n_multipliers  # fmt: skip


@pytest.mark.parametrize(("family", "config", "cells"), rows(PRELU))
def test_prelu_equals_numpy(family: str, config: PReLUConfig, cells: set[str]) -> None:
    mapped = check(family, config, *test_prelu.random_streams(config), cells)
    assert len(re.findall(r"^  (?:MULT18X18D|SB_MAC16) ", mapped, re.MULTILINE)) == config.n_multipliers  # fmt: skip


@pytest.mark.parametrize("family", ["ecp5", "ice40"])
def test_residual_add_equals_numpy(family: str) -> None:
    config = ResidualAddConfig(5, 2, 4)
    values = affine_case.np.random.default_rng(1).integers(-16, 16, (2, 48))
    check(family, config, *case(config, *values), set())


@pytest.mark.parametrize("name", [pytest.param("ecp5, block RAM", marks=pytest.mark.slow), "ice40"])
def test_a_netlist_that_is_reset_anywhere_starts_afresh(name: str) -> None:
    family, config, _ = AFFINE[name]
    inputs, expected = affine_case.streams(config)
    mapped = netlist(config.component(), family)
    for reset_after in range(1, 10, 3):
        run = drive_verilog(
            mapped, inputs, n_outputs=len(expected), cells=family, stalls=Stalls(1), reset_after=reset_after
        )  # fmt: skip
        assert run.outputs == expected


def test_a_block_without_one_of_its_registers_is_seen() -> None:
    family, config, _ = AFFINE["ecp5"]
    inputs, expected = affine_case.streams(config)
    source = component_verilog(config.component())
    for place in ("PIPELINE", "OUTPUT"):
        faulty = source.replace(f'.REG_{place}_CLK("CLK0")', f'.REG_{place}_CLK("NONE")')
        assert faulty != source
        assert (
            drive_verilog(faulty, inputs, n_outputs=len(expected), cells=family).outputs != expected
        )


@pytest.mark.slow
@settings(max_examples=6)
@given(data=st.data())
def test_netlists_of_any_affine_layer_equal_numpy(data: st.DataObject) -> None:
    family = data.draw(st.sampled_from(["ecp5", "ice40"]))
    lanes, is_signed = data.draw(st.integers(1, 2)), data.draw(st.booleans())
    channels = lanes * data.draw(st.integers(1, 4))
    multipliers, offsets = affine_case.random_constants(data.draw(st.integers(0, 99)), channels, 14, 20)  # fmt: skip
    config = AffineConfig(
        data.draw(st.integers(4, 15)), multipliers, offsets, data.draw(st.integers(0, 12)), data.draw(st.integers(8, 16)),
        lanes, 3, is_signed, multiplier=data.draw(st.sampled_from([family, "logic"])),
        memory=data.draw(st.sampled_from(["logic", "block"])), read_latency=data.draw(st.integers(1, 2)),
        form="ecp5" if family == "ecp5" else "portable", output_places=data.draw(st.sampled_from([0, 2])),
    )  # fmt: skip
    check(family, config, *affine_case.streams(config), set())
