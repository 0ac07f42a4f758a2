"""`rbonn.sim.levels`: a small network with multipliers on an iCEBreaker, from its pins; and faults planted in netlist, logic and block RAM, each found at its level."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rbonn.sim.ice40_bitstream import find_icebox
from rbonn.sim.levels import ChipResult, check_bitstream, check_netlist
from rbonn.sim.verification import verify
from rbonn.sw.build import BuildResult
from rbonn.sw.build.process import run_tool
from rbonn.sw.build.routed import ROUTED, read_routed
from rbonn.sw.build.toolchain import find_tool
from rbonn.sw.errors import SimulationError, ToolchainNotFoundError
from rbonn.sw.network import (
    Affine,
    ArgMax,
    Binarise,
    Bipolar,
    Dense,
    EdgeType,
    Int,
    Network,
    UInt,
    save_network,
)
from rbonn.sw.project import Project

pytestmark = [pytest.mark.slow, pytest.mark.synth, pytest.mark.cosim]

IMAGES = np.random.default_rng(1).integers(0, 256, (1, 6, 6, 1), dtype=np.uint8)


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Project:
    """A layer of bits, one of 8-bit integers behind it: three multipliers of two bytes, and one of 16 bits for the scaling between them."""
    rng = np.random.default_rng(0)
    bits = rng.choice(np.array([-1, 1], np.int8), (8, 36))
    integers = rng.integers(-128, 128, (3, 8)).astype(np.int8)
    nodes = (
        Binarise("binarise", ("image",), 128),
        Dense("sums", ("binarise",), bits, Bipolar()),
        Affine("features", ("sums",), rng.integers(-900, 900, 8), rng.integers(-999, 999, 8), 8, Int(8)),
        Dense("head", ("features",), integers, Int(8)),
        Affine("scores", ("head",), np.ones(3, np.int64), rng.integers(-99, 99, 3), 0, Int(20)),
        ArgMax("label", ("scores",)),
    )  # fmt: skip
    image = EdgeType(UInt(8), IMAGES.shape[1:])
    path = tmp_path_factory.mktemp("network") / "tiny.safetensors"
    save_network(Network("tiny", image, nodes, 1, "scores", ("0", "1", "2")), path)
    return Project.find(str(path), "icebreaker", fps=1000)


@pytest.fixture(scope="module")
def built(project: Project, tmp_path_factory) -> BuildResult:
    return project.build(tmp_path_factory.mktemp("build"))


@pytest.fixture
def icebox() -> None:
    try:
        find_icebox()
    except ToolchainNotFoundError as error:
        pytest.skip(error.message)


def copy(built: BuildResult, folder: Path) -> BuildResult:
    shutil.copytree(built.bitstream.parent, folder)
    return replace(built, bitstream=folder / built.bitstream.name)


def found(check, project: Project, built: BuildResult, folder: Path) -> str:
    """What the level says of a faulty chip: the first difference, or how it stopped."""
    try:
        result: ChipResult = check(project, built, IMAGES, folder=folder)
    except SimulationError as error:
        return error.message
    assert result.mismatches > 0
    assert result.first_mismatch is not None
    return result.first_mismatch


def cells_of(built: BuildResult) -> dict[str, dict[str, Any]]:
    return read_routed(built.bitstream.parent)["modules"]["top"]["cells"]


def cell_with(cells: dict[str, dict[str, Any]], kind: str, part: str) -> tuple[str, list[int]]:
    """Name and place (column, row and, of a logic cell, number) of the first cell of that type whose name has that part."""
    name = min(name for name, cell in cells.items() if cell["type"] == kind and part in name)
    return name, [int(number) for number in re.findall(r"\d+", cells[name]["attributes"]["NEXTPNR_BEL"])]  # fmt: skip


SCORE_RAM = "ICESTORM_RAM", "head_product.weights"
"""Block RAM with weights of the last layer."""

SCORE_BIT = "ICESTORM_LC", "core.label.o__payload_"
"""Flip-flop of a bit of a score, behind a lookup table that hands it on."""


def test_the_netlist_answers_as_the_golden_model(project, built, tmp_path) -> None:
    result = check_netlist(project, built, IMAGES, folder=tmp_path / "simulation")
    assert (result.mismatches, result.images, result.boundaries_checked) == (0, 1, 1)
    assert result.parts["ICESTORM_LC"] == built.resources.logic_cells
    assert result.parts["ICESTORM_DSP"] == built.resources.dsp == 4
    assert result.values_compared > 50


def rerouted(built: BuildResult, folder: Path, change: Callable[[Any], None]) -> BuildResult:
    """`built` with the cells of its routed netlist changed."""
    faulty = copy(built, folder)
    netlist = read_routed(folder)
    change(netlist["modules"]["top"]["cells"])
    (folder / ROUTED).write_bytes(gzip.compress(json.dumps(netlist).encode()))
    return faulty


def test_a_changed_content_of_the_netlists_ram_is_found(project, built, tmp_path) -> None:
    def invert(cells: dict[str, dict[str, Any]]) -> None:
        parameters = cells[cell_with(cells, *SCORE_RAM)[0]]["parameters"]
        for row in range(16):  # every bit of every word
            init = parameters[f"INIT_{row:X}"]
            parameters[f"INIT_{row:X}"] = init.translate(str.maketrans("01", "10"))

    faulty = rerouted(built, tmp_path / "build", invert)
    assert found(check_netlist, project, faulty, tmp_path / "simulation")


def test_a_flipped_bit_of_a_lookup_table_of_the_netlist_is_found(project, built, tmp_path) -> None:
    def flip(cells: dict[str, dict[str, Any]]) -> None:
        """What comes out where all inputs are 0."""
        parameters = cells[cell_with(cells, *SCORE_BIT)[0]]["parameters"]
        assert parameters["LUT_INIT"][-2:] == "10"
        parameters["LUT_INIT"] = parameters["LUT_INIT"][:-1] + "1"

    faulty = rerouted(built, tmp_path / "build", flip)
    assert "link.score" in found(check_netlist, project, faulty, tmp_path / "simulation")


def repacked(built: BuildResult, folder: Path, change: Callable[[str], str]) -> BuildResult:
    """`built` with its configuration changed and packed again."""
    faulty = copy(built, folder)
    text = (folder / "top.asc").read_text()
    changed = change(text)
    assert changed != text
    (folder / "top.asc").write_text(changed)
    pack = find_tool("icepack").path
    assert run_tool([pack, "top.asc", "top.bin"], folder, folder / "icepack.log") == 0
    return faulty


@pytest.mark.usefixtures("icebox")
def test_the_bitstream_answers_as_the_golden_model(project, built, tmp_path) -> None:
    result = check_bitstream(project, built, IMAGES, folder=tmp_path / "simulation")
    assert (result.mismatches, result.images, result.boundaries_checked) == (0, 1, 1)
    assert result.parts["SB_RAM40_4K"] == built.resources.block_rams
    assert result.parts["flip-flops"] == built.resources.ff
    assert result.parts["SB_MAC16"] == built.resources.dsp == 4


@pytest.mark.usefixtures("icebox")
def test_a_changed_content_of_the_bitstreams_ram_is_found(project, built, tmp_path) -> None:
    _, (column, row, *_) = cell_with(cells_of(built), *SCORE_RAM)

    def invert(text: str) -> str:
        head = f".ram_data {column} {row}\n"
        start = text.index(head) + len(head)
        rows = text[start:].split("\n", 16)[:16]
        inverted = [f"{int(row, 16) ^ (1 << 256) - 1:064x}" for row in rows]
        return text[:start] + text[start:].replace("\n".join(rows), "\n".join(inverted), 1)

    faulty = repacked(built, tmp_path / "build", invert)
    assert found(check_bitstream, project, faulty, tmp_path / "simulation")


@pytest.mark.usefixtures("icebox")
def test_a_flipped_bit_of_a_lookup_table_of_the_bitstream_is_found(
    project, built, tmp_path
) -> None:
    _, (column, row, number) = cell_with(cells_of(built), *SCORE_BIT)

    def flip(text: str) -> str:
        """What comes out where all inputs are 0: the fifth of a table's bits, which begin at column 36."""
        head = f".logic_tile {column} {row}\n"
        place = text.index(head) + len(head) + 2 * number * len(f"{'':54}\n") + 36 + 4
        assert text[place] == "0"
        return text[:place] + "1" + text[place + 1 :]

    faulty = repacked(built, tmp_path / "build", flip)
    assert "link.score" in found(check_bitstream, project, faulty, tmp_path / "simulation")


@pytest.mark.usefixtures("icebox")
def test_a_lost_flip_flop_of_the_bitstream_is_counted(project, built, tmp_path) -> None:
    """The bit that puts a flip-flop behind the first lookup table of a logic tile (row 0, column 45)."""

    def clear(text: str) -> str:
        for tile in re.finditer(r"^\.logic_tile .*\n((?:[01]+\n){16})", text, re.MULTILINE):
            rows = tile[1].splitlines()
            if rows[0][45] == "1":
                rows[0] = rows[0][:45] + "0" + rows[0][46:]
                return text[: tile.start(1)] + "\n".join(rows) + "\n" + text[tile.end(1) :]
        raise AssertionError("no flip-flop")

    faulty = repacked(built, tmp_path / "build", clear)
    with pytest.raises(SimulationError, match=r"has \d+ flip-flops, the design \d+"):
        check_bitstream(project, faulty, IMAGES, folder=tmp_path / "simulation")


def test_a_level_whose_tool_is_missing_is_not_run_and_not_counted(
    project, built, tmp_path, monkeypatch
) -> None:
    which = shutil.which
    monkeypatch.setattr(
        shutil, "which", lambda name, **more: None if name == "icebox_vlog" else which(name, **more)
    )
    folder = copy(built, tmp_path / "build").bitstream.parent
    verification = verify(
        project, replace(built, bitstream=folder / "top.bin"), IMAGES, IMAGES, folder=folder
    )
    assert [level.verdict for level in verification.levels] == ["equal", "equal", "not run"]
    assert "apt-get install fpga-icestorm" in (verification.levels[-1].reason or "")
    assert verification.tools["icebox_vlog"] == "not installed"
    assert not verification.signed_off
    assert verification.levels[0].boundaries_checked == len(project.elaboration.config.probes) + 1
