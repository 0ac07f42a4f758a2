"""`rbonn.sw.host.transport`: a serial port, here a pseudo-terminal, and what can go wrong with it."""

import errno
import os
import tty
from collections.abc import Iterator

import pytest
import serial
from rbonn.sw.errors import DeviceError
from rbonn.sw.host.ports import port_names
from rbonn.sw.host.transport import SerialTransport


@pytest.fixture
def pseudo_terminal() -> Iterator[tuple[int, str]]:
    master, slave = os.openpty()
    tty.setraw(master)
    name = os.ttyname(slave)
    yield master, name
    for descriptor in (master, slave):
        try:
            os.close(descriptor)
        except OSError:
            assert descriptor == master


def test_bytes_go_both_ways(pseudo_terminal: tuple[int, str]) -> None:
    master, name = pseudo_terminal
    transport = SerialTransport(name, 115200)
    transport.write(bytes(range(256)))
    assert os.read(master, 1000) == bytes(range(256))
    assert transport.read(0.01) == b""
    os.write(master, b"\0\xff\n")
    received = b""
    while len(received) < 3:  # a read gives what has come, at least a byte in time
        part = transport.read(5)
        assert part
        received += part
    assert received == b"\0\xff\n"
    assert transport.bytes_per_second == 11520
    assert transport.patience_s > 10  # what is behind it may be a simulation
    transport.send_break()
    transport.close()
    transport.close()


def test_a_port_that_vanishes_is_reported(pseudo_terminal: tuple[int, str]) -> None:
    master, name = pseudo_terminal
    transport = SerialTransport(name, 115200)
    os.close(master)
    with pytest.raises(DeviceError, match="has vanished") as caught:
        transport.read(0.1)
    assert "unplugged" in caught.value.hint
    with pytest.raises(DeviceError, match="has vanished"):
        transport.write(b"x")
    transport.close()


def test_a_closed_transport_is_reported(pseudo_terminal: tuple[int, str]) -> None:
    transport = SerialTransport(pseudo_terminal[1], 115200)
    transport.close()
    with pytest.raises(DeviceError, match="has vanished"):
        transport.read(0.1)


def test_a_port_in_use_is_reported(pseudo_terminal: tuple[int, str]) -> None:
    first = SerialTransport(pseudo_terminal[1], 115200)
    with pytest.raises(DeviceError, match="in use by another program"):
        SerialTransport(pseudo_terminal[1], 115200)
    first.close()


def test_a_port_that_does_not_exist_is_reported_with_those_that_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "rbonn.sw.host.transport.port_names", lambda: ["/dev/ttyUSB1 (iCEBreaker)", "/dev/ttyS0"]
    )
    with pytest.raises(DeviceError, match="/dev/nonsense: no such port") as caught:
        SerialTransport("/dev/nonsense", 115200)
    assert "/dev/ttyUSB1 (iCEBreaker), /dev/ttyS0" in caught.value.hint
    assert isinstance(port_names(), list)


@pytest.mark.parametrize(
    ("number", "message", "hint"),
    [
        (errno.EACCES, "no permission", "dialout"),
        (errno.EBUSY, "in use", "Close that program"),
        (errno.EIO, "cannot be opened at 115200 baud", "serial port"),
    ],
)
def test_other_failures_to_open_are_reported(
    monkeypatch: pytest.MonkeyPatch, number: int, message: str, hint: str
) -> None:
    def fail(self: serial.Serial) -> None:
        raise serial.SerialException(number, os.strerror(number))

    monkeypatch.setattr(serial.Serial, "open", fail)
    with pytest.raises(DeviceError, match=message) as caught:
        SerialTransport("/dev/ttyUSB1", 115200)
    assert hint in caught.value.hint


def test_what_is_no_serial_port_is_reported(tmp_path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(DeviceError, match="cannot be opened"):
        SerialTransport(str(file), 115200)
