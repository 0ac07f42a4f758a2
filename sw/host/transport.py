"""Bytes to a board and back: the interface, and the serial port that implements it."""

from __future__ import annotations

import errno
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import serial

from ..errors import DeviceError
from .ports import port_names

WRITE_TIMEOUT_S = 10.0
BREAK_S = 0.01
"""Length of a break: 10 bit times at 1 000 baud."""

PSEUDO_TERMINALS = Path("/dev/pts")
SIMULATION_PATIENCE_S = 60.0
"""At a pseudo-terminal there is a simulated board, which takes its time."""


class Transport(ABC):
    """A way to a board: bytes out, bytes in, in order, either of which may be damaged or lost."""

    name: str
    """What a user calls it, for example ``/dev/ttyUSB1``."""
    bytes_per_second: float
    patience_s: float = 0.5
    """How long the next byte of an answer may take, beyond what line and core need."""

    @abstractmethod
    def write(self, line_bytes: bytes) -> None:
        """Sends all bytes, or sees to it that they will be. Raises DeviceError if the way is gone."""

    @abstractmethod
    def read(self, timeout_s: float) -> bytes:
        """What has come, as soon as it is at least one byte; empty after `timeout_s`. Raises DeviceError if the way is gone."""

    @abstractmethod
    def send_break(self) -> None:
        """Holds the line low for longer than a byte, which resets the board's link and core."""

    @abstractmethod
    def close(self) -> None:
        """Ends the use of the way; a second time does nothing."""


class SerialTransport(Transport):
    """A serial port: 8 data bits, no parity, one stop bit, no flow control, for this program alone.

    Parameters
    ----------
    port : str - ``/dev/ttyUSB1``, ``COM3`` or a pyserial URL
    baud : int - bits per second, that of the bitstream

    Raises
    ------
    DeviceError - there is no such port, no permission, another program has it, or it cannot have this baud rate
    """

    def __init__(self, port: str, baud: int) -> None:
        self.name = port
        self.bytes_per_second = baud / 10
        if Path(port).resolve().is_relative_to(PSEUDO_TERMINALS):
            self.patience_s = SIMULATION_PATIENCE_S
        try:
            self._serial = serial.serial_for_url(
                port, baudrate=baud, write_timeout=WRITE_TIMEOUT_S, do_not_open=True
            )
            self._serial.exclusive = True
            self._serial.open()
        except (OSError, ValueError) as error:
            raise _open_error(port, baud, error) from error

    def write(self, line_bytes: bytes) -> None:
        with self._in_use():
            self._serial.write(line_bytes)

    def read(self, timeout_s: float) -> bytes:
        with self._in_use():
            self._serial.timeout = timeout_s
            return self._serial.read(max(1, self._serial.in_waiting))

    def send_break(self) -> None:
        with self._in_use():
            self._serial.send_break(BREAK_S)

    def close(self) -> None:
        self._serial.close()

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        try:
            yield
        except serial.SerialTimeoutException as error:
            raise DeviceError(
                f"{self.name} took no bytes for {WRITE_TIMEOUT_S:g} s",
                "Unplug the board and plug it in again.",
            ) from error
        # pyserial lets some errors of the operating system through, and a port closed while in use gives a TypeError.
        except (OSError, TypeError) as error:
            raise DeviceError(
                f"{self.name} has vanished ({error})",
                "Is the board unplugged, or the port opened by another program?",
            ) from error


def _open_error(port: str, baud: int, error: Exception) -> DeviceError:
    number = getattr(error, "errno", None)
    if number in (errno.EACCES, errno.EPERM):
        return DeviceError(
            f"{port}: no permission",
            "On Linux, join the group that owns it and log in again: sudo usermod -aG dialout $USER",
        )
    if number in (errno.EBUSY, errno.EAGAIN) or "exclusively lock" in str(error):
        return DeviceError(f"{port}: in use by another program", "Close that program.")
    if number in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        known = ", ".join(port_names()) or "none"
        return DeviceError(f"{port}: no such port", f"Ports of this computer: {known}.")
    return DeviceError(
        f"{port}: cannot be opened at {baud} baud ({error})",
        "Is it a serial port, and can it have this baud rate?",
    )
