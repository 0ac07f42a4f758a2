"""`rbonn.sim.levels`: a small network on an iCEBreaker, from its pins; and faults planted in netlist, logic and block RAM, each found at its level."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rbonn.sim.ice40_bitstream import find_icebox
from rbonn.sim.levels import ChipResult, check_bitstream, check_netlist
from rbonn.sim.verification import verify
from rbonn.sw.build import BuildResult
from rbonn.sw.build.process import run_tool
from rbonn.sw.build.routed import ROUTED
from rbonn.sw.build.toolchain import find_tool
from rbonn.sw.errors import SimulationError, ToolchainNotFoundError
from rbonn.sw.network import save_network
from rbonn.sw.project import Project

from ..random_networks import ConvShape, random_network

pytestmark = [pytest.mark.slow, pytest.mark.synth, pytest.mark.cosim]

IMAGES = np.random.default_rng(1).integers(0, 256, (1, 6, 6, 1), dtype=np.uint8)


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Project:
    path = tmp_path_factory.mktemp("network") / "tiny.safetensors"
    save_network(random_network((6, 6, 1), [ConvShape(4, padding=1, pool=2)], n_classes=3), path)
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


def score_ram(project: Project, built: BuildResult) -> tuple[str, str]:
    """Name and place (``column row``) of the block RAM that holds the last layer's weights, in the routed netlist."""
    with gzip.open(built.bitstream.parent / ROUTED, "rt") as file:
        cells = json.load(file)["modules"]["top"]["cells"]
    names = [name for name, cell in cells.items() if cell["type"] == "ICESTORM_RAM" and "head_product.weights" in name]  # fmt: skip
    assert names
    name = sorted(names)[0]
    column, row = re.findall(r"\d+", cells[name]["attributes"]["NEXTPNR_BEL"])[:2]
    return name, f"{column} {row}"


def test_the_netlist_answers_as_the_golden_model(project, built, tmp_path) -> None:
    result = check_netlist(project, built, IMAGES, folder=tmp_path / "simulation")
    assert (result.mismatches, result.images, result.boundaries_checked) == (0, 1, 1)
    assert result.parts["ICESTORM_LC"] == built.resources.logic_cells
    assert result.values_compared > 50


def test_a_changed_content_of_the_netlists_ram_is_found(project, built, tmp_path) -> None:
    faulty = copy(built, tmp_path / "build")
    path = faulty.bitstream.parent / ROUTED
    name, _ = score_ram(project, built)
    netlist = json.loads(gzip.decompress(path.read_bytes()))
    parameters = netlist["modules"]["top"]["cells"][name]["parameters"]
    for row in range(16):  # every bit of every word
        init = parameters[f"INIT_{row:X}"]
        parameters[f"INIT_{row:X}"] = init.translate(str.maketrans("01", "10"))
    path.write_bytes(gzip.compress(json.dumps(netlist).encode()))
    assert found(check_netlist, project, faulty, tmp_path / "simulation")


def repacked(built: BuildResult, folder: Path, change) -> BuildResult:
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


@pytest.mark.usefixtures("icebox")
def test_a_changed_content_of_the_bitstreams_ram_is_found(project, built, tmp_path) -> None:
    _, place = score_ram(project, built)

    def invert(text: str) -> str:
        start = text.index(f".ram_data {place}\n") + len(f".ram_data {place}\n")
        rows = text[start:].split("\n", 16)[:16]
        inverted = [f"{int(row, 16) ^ (1 << 256) - 1:064x}" for row in rows]
        return text[:start] + text[start:].replace("\n".join(rows), "\n".join(inverted), 1)

    faulty = repacked(built, tmp_path / "build", invert)
    assert found(check_bitstream, project, faulty, tmp_path / "simulation")


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
    assert not verification.signed_off
    assert verification.levels[0].boundaries_checked == len(project.elaboration.config.probes) + 1
