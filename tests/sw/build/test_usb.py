"""`rbonn.sw.build.usb`: devices as Linux lists them, in a folder made for the test."""

import os
from pathlib import Path

import pytest
from rbonn.sw.build.usb import UsbDevice, check_access, udev_hint, usb_devices
from rbonn.sw.errors import DeviceError

BRIDGE = (0x0403, 0x6010)


def plug_in(system: Path, ids: tuple[int, int], number: int, mode: int = 0o600) -> Path:
    """A device with the files that Linux has for it; returns the one that programs open."""
    entry = system / "sys/bus/usb/devices" / f"1-{number}"
    entry.mkdir(parents=True)
    texts = {"idVendor": f"{ids[0]:04x}", "idProduct": f"{ids[1]:04x}", "busnum": "1", "devnum": str(number)}  # fmt: skip
    for name, text in texts.items():
        (entry / name).write_text(text + "\n")
    path = system / f"dev/bus/usb/001/{number:03}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode)
    return path


def test_devices_are_listed_with_their_numbers_and_interfaces_are_none(tmp_path: Path):
    keyboard = plug_in(tmp_path, (0x046D, 0xC31C), 3)
    bridge = plug_in(tmp_path, BRIDGE, 12)
    (tmp_path / "sys/bus/usb/devices/1-12:1.0").mkdir()
    assert usb_devices(tmp_path) == [
        UsbDevice(BRIDGE, bridge),
        UsbDevice((0x046D, 0xC31C), keyboard),
    ]


def test_a_board_that_is_there_and_open_to_the_user_passes(tmp_path: Path):
    plug_in(tmp_path, BRIDGE, 1)
    check_access("iCEBreaker", [(0x1209, 0x5AF0), BRIDGE], system=tmp_path)


def test_a_board_that_is_not_there_is_named_with_what_it_takes(tmp_path: Path):
    plug_in(tmp_path, (0x046D, 0xC31C), 1)
    with pytest.raises(DeviceError, match=r"OrangeCrab: not on the USB .*1209:5af0") as caught:
        check_access("OrangeCrab", [(0x1209, 0x5AF0)], "hold the button", system=tmp_path)
    assert caught.value.hint == "Hold the button."
    with pytest.raises(DeviceError) as caught:
        check_access("iCEBreaker", [BRIDGE], system=tmp_path)
    assert caught.value.hint == "Plug it in."


def test_a_board_of_others_is_named_with_the_rule_that_opens_it(tmp_path: Path, monkeypatch):
    path = plug_in(tmp_path, BRIDGE, 7)
    # Whoever runs the tests may be root, whom no mode keeps out.
    monkeypatch.setattr(os, "access", lambda file, mode: file != path)
    with pytest.raises(DeviceError, match=f"iCEBreaker: no permission for {path}") as caught:
        check_access("iCEBreaker", [BRIDGE], system=tmp_path)
    assert caught.value.hint == udev_hint(BRIDGE)
    for part in ("0403", "6010", "uaccess", "udevadm control --reload", "/etc/udev/rules.d/"):
        assert part in caught.value.hint


def test_a_system_that_lists_no_devices_forbids_nothing(tmp_path: Path):
    assert usb_devices(tmp_path) is None
    check_access("iCEBreaker", [BRIDGE], system=tmp_path)
