"""`rbonn.sw.host.ports`: the port of a board by its bridge's USB numbers."""

from types import SimpleNamespace

import pytest
from rbonn.sw.errors import DeviceError
from rbonn.sw.host.ports import find_port

FT2232H = (0x0403, 0x6010)


def port(device: str, usb: tuple[int, int] | None, location: str = "", serial: str | None = None):
    vid, pid = usb or (None, None)
    return SimpleNamespace(
        device=device, description="n/a", vid=vid, pid=pid, location=location, serial_number=serial
    )


BUILTIN = port("/dev/ttyS0", None)
FIRST = [port(f"/dev/ttyUSB{k}", FT2232H, f"1-2:1.{k}", "a") for k in (1, 0)]
SECOND = [port(f"/dev/ttyUSB{2 + k}", FT2232H, f"1-3:1.{k}", "b") for k in (0, 1)]


def connect(monkeypatch: pytest.MonkeyPatch, *ports) -> None:
    monkeypatch.setattr("rbonn.sw.host.ports.list_ports.comports", lambda: list(ports))


def test_the_only_board_is_found_on_the_second_port_of_its_bridge(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect(monkeypatch, BUILTIN, *FIRST)
    assert find_port("icebreaker", [FT2232H]) == "/dev/ttyUSB1"


def test_several_boards_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, *SECOND, *FIRST)
    with pytest.raises(DeviceError, match="/dev/ttyUSB1, /dev/ttyUSB3") as caught:
        find_port("icebreaker", [FT2232H])
    assert "--port" in caught.value.hint


def test_no_board_is_reported_with_the_ports_that_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect(monkeypatch, BUILTIN, port("/dev/ttyACM0", (1, 2)))
    with pytest.raises(DeviceError, match="No icebreaker is connected") as caught:
        find_port("icebreaker", [FT2232H])
    assert "/dev/ttyACM0, /dev/ttyS0" in caught.value.hint


def test_a_board_with_its_line_on_pins_is_not_looked_for() -> None:
    with pytest.raises(DeviceError, match="serial line of the orangecrab-25f is on pins") as caught:
        find_port("orangecrab-25f", [])
    assert "--port" in caught.value.hint
