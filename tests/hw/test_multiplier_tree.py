"""`rbonn.hw.multiplier_tree`: products against NumPy, and which blocks of a device they take."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from amaranth.back import verilog
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.hw.multiplier_tree import MultiplierTreeConfig
from rbonn.sw.build.toolchain import find_tool, use_in_amaranth

from .tree_bench import sums_of

CONFIGS = [
    MultiplierTreeConfig(1),
    MultiplierTreeConfig(4),
    MultiplierTreeConfig(3, signed=False),
    MultiplierTreeConfig(2, 4, True, 2),
    MultiplierTreeConfig(1, multipliers="logic"),
    MultiplierTreeConfig(3, multipliers="logic"),
    MultiplierTreeConfig(2, 8, False, 5, multipliers="logic"),
    MultiplierTreeConfig(2, 5, True, 2, multipliers="logic"),
]


def codes(values: np.ndarray, bits: int) -> int:
    return sum((int(v) % (1 << bits)) << (k * bits) for k, v in enumerate(values))


def check(config: MultiplierTreeConfig, seed: int, stalls: int | None) -> None:
    lowest = -(1 << config.element_bits - 1) if config.signed else 0
    highest = lowest + (1 << config.element_bits) - 1
    half = 1 << config.weight_element_bits - 1
    rng = np.random.default_rng(seed)
    x = rng.integers(lowest, highest + 1, (12, config.simd))
    w = rng.integers(-half, half, (12, config.simd))
    for beat, corner in enumerate(((lowest, -half), (highest, -half), (lowest, half - 1))):
        x[beat], w[beat] = corner
    beats = [
        (codes(a, config.element_bits), codes(b, config.weight_element_bits))
        for a, b in zip(x, w, strict=True)
    ]
    sums = sums_of(config.component(), beats, config.latency_cycles, stalls)
    assert np.array_equal(np.array(sums) - config.offset(w), (x * w).sum(axis=1))


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_it_adds_what_numpy_adds_after_the_documented_latency(config: MultiplierTreeConfig) -> None:
    check(config, seed=1, stalls=None)


@settings(max_examples=30, deadline=None)
@given(
    config=st.builds(
        MultiplierTreeConfig,
        st.integers(1, 6),
        st.integers(2, 9),
        st.booleans(),
        st.integers(2, 9),
        st.sampled_from(["inferred", "logic"]),
    ),
    seed=st.integers(0, 1000),
)
def test_any_shape_adds_what_numpy_adds_whatever_the_enable_does(
    config: MultiplierTreeConfig, seed: int
) -> None:
    check(config, seed, stalls=seed)


def cells(config: MultiplierTreeConfig, command: str, folder: Path) -> dict[str, int]:
    """Cells of the tree by type, after yosys' `command`."""
    use_in_amaranth()
    (folder / "tree.v").write_text(verilog.convert(config.component(), name="top"))
    script = f"read_verilog tree.v; {command} -top top; tee -q -o stat.json stat -json"
    subprocess.run(
        [find_tool("yosys").path, "-q", "-p", script], cwd=folder, check=True, timeout=200
    )
    return json.loads((folder / "stat.json").read_text())["design"]["num_cells_by_type"]


@pytest.mark.synth
@pytest.mark.parametrize("signed", [False, True])
def test_ecp5_takes_a_dsp_block_for_each_lane(signed: bool, tmp_path: Path) -> None:
    found = cells(MultiplierTreeConfig(4, signed=signed), "synth_ecp5", tmp_path)
    assert found["MULT18X18D"] == 4


@pytest.mark.synth
def test_ice40_takes_a_dsp_block_for_each_lane_with_its_registers(tmp_path: Path) -> None:
    found = cells(MultiplierTreeConfig(4), "synth_ice40 -device u -dsp", tmp_path)
    assert found["SB_MAC16"] == 4
    # what is left are the two levels of adders: two sums of 17 bits and one of 18
    flip_flops = sum(n for kind, n in found.items() if kind.startswith("SB_DFF"))
    assert flip_flops == 17 + 17 + 18


@pytest.mark.synth
@pytest.mark.parametrize(("simd", "blocks"), [(1, 1), (4, 2), (5, 3)])
def test_ice40_puts_two_products_of_bytes_into_a_block(
    simd: int, blocks: int, tmp_path: Path
) -> None:
    config = MultiplierTreeConfig(simd, multipliers="ice40_bytes")
    assert cells(config, "synth_ice40 -device u", tmp_path)["SB_MAC16"] == blocks


@pytest.mark.synth
@pytest.mark.parametrize("command", ["synth_ecp5", "synth_ice40 -device u -dsp"])
def test_products_in_logic_take_no_dsp_block(command: str, tmp_path: Path) -> None:
    found = cells(MultiplierTreeConfig(2, multipliers="logic"), command, tmp_path)
    assert not {"MULT18X18D", "SB_MAC16"} & set(found)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"simd": 0}, "SIMD must be at least 1, not 0"),
        ({"simd": 1, "element_bits": 1}, "Element bits must be 2 to 18, not 1"),
        ({"simd": 1, "element_bits": 19}, "Element bits must be 2 to 18, not 19"),
        ({"simd": 1, "weight_element_bits": 1}, "Weight element bits must be 2 to 18, not 1"),
        (
            {"simd": 1, "multipliers": "abacus"},
            r"Multipliers must be one of \('inferred', 'ice40_bytes', 'logic'\), not 'abacus'",
        ),
        (
            {"simd": 1, "element_bits": 9, "multipliers": "ice40_bytes"},
            "Operands of 'ice40_bytes' must have at most 8 bits, not 9 and 8",
        ),
        ({"simd": 1, "form": "abacus"}, r"Form must be one of \('portable', .*\), not 'abacus'"),
    ],
)
def test_bad_parameters_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        MultiplierTreeConfig(**arguments)
