"""`rbonn.sim.ecp5_bitstream`: a bitstream is compared setting by setting with what was routed."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from rbonn.boards import ULX3S_25F
from rbonn.sim.ecp5_bitstream import compare_bitstream, is_logic, settings_of
from rbonn.sw.build import BuildResult, build
from rbonn.sw.errors import BuildFailedError

from ..sw.build.echo import Echo

TEXT = """.device LFE5U-25F

.comment Part: LFE5U-25F-6CABGA381

.tile R16C3:PLC2
arc: F0 F0_SLICE
arc: A1 V02N0101
word: SLICEA.K0.INIT 1111000011110000
enum: SLICEA.MODE LOGIC

.bram_init 3
001 002
003 004
"""


def test_settings_have_tile_name_and_value() -> None:
    settings = settings_of(TEXT)
    tile = ".tile R16C3:PLC2"
    assert settings == {
        (".device LFE5U-25F", ""): "",
        (tile, "arc: F0"): "F0_SLICE",
        (tile, "arc: A1"): "V02N0101",
        (tile, "word: SLICEA.K0.INIT"): "1111000011110000",
        (tile, "enum: SLICEA.MODE"): "LOGIC",
        (".bram_init 3", ""): "001 002\n003 004\n",
    }
    assert [name for _, name in filter(is_logic, settings)] == ["arc: A1", "word: SLICEA.K0.INIT", ""]  # fmt: skip


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> BuildResult:
    return build(ULX3S_25F, Echo(), "echo", tmp_path_factory.mktemp("echo"))


@pytest.mark.slow
@pytest.mark.synth
def test_what_is_flashed_is_what_was_routed(built: BuildResult) -> None:
    found = compare_bitstream(built)
    assert found.differences == ()
    assert found.settings > 100


@pytest.mark.slow
@pytest.mark.synth
def test_a_changed_lookup_table_is_named_with_its_tile(built: BuildResult, tmp_path: Path) -> None:
    text = built.bitstream.with_suffix(".config").read_text()
    table = re.search(r"word: SLICE\w\.K\d\.INIT (\d+)", text)
    assert table is not None
    flipped = ("0" if table[1][5] == "1" else "1").join((table[1][:5], table[1][6:]))
    changed = table[0].replace(table[1], flipped)
    bitstream = tmp_path / "top.bit"
    bitstream.write_bytes(built.bitstream.read_bytes())
    (tmp_path / "top.config").write_text(text.replace(table[0], changed, 1))
    found = compare_bitstream(replace(built, bitstream=bitstream))
    assert found.differences
    assert all(
        re.fullmatch(rf"\.tile \S+ {table[0].rpartition(' ')[0]}: routed .*, in the bitstream .*", line)
        for line in found.differences
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.synth
def test_a_flipped_bit_in_the_file_is_a_wrong_checksum(built: BuildResult, tmp_path: Path) -> None:
    data = bytearray(built.bitstream.read_bytes())
    data[len(data) // 2] ^= 4
    (tmp_path / "top.bit").write_bytes(data)
    (tmp_path / "top.config").write_text(built.bitstream.with_suffix(".config").read_text())
    with pytest.raises(BuildFailedError, match="the bitstream or its configuration is damaged"):
        compare_bitstream(replace(built, bitstream=tmp_path / "top.bit"))
