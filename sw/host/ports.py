"""Which serial port a board is on, by the USB numbers of its bridge."""

from __future__ import annotations

from collections.abc import Collection
from itertools import groupby
from typing import TYPE_CHECKING

from serial.tools import list_ports

from ..errors import DeviceError

if TYPE_CHECKING:
    from serial.tools.list_ports_common import ListPortInfo


def find_port(board: str, usb_ids: Collection[tuple[int, int]]) -> str:
    """The serial port of the only board that is connected.

    A bridge with two ports, such as the FT2232H, has the link on the second.

    Parameters
    ----------
    board : str - its name, for messages
    usb_ids : vendor and product numbers that its bridge may have

    Raises
    ------
    DeviceError - there is none, or several, each of which is named
    """
    ports = [port for port in list_ports.comports() if (port.vid, port.pid) in usb_ids]
    found = [list(same)[-1].device for _, same in groupby(sorted(ports, key=_place), key=_bridge)]
    if len(found) == 1:
        return found[0]
    if found:
        raise DeviceError(
            f"Several boards could be the {board}: {', '.join(found)}", "Choose one with --port."
        )
    known = ", ".join(port_names()) or "none"
    if not usb_ids:
        raise DeviceError(
            f"The serial line of the {board} is on pins, so its port cannot be found by itself",
            f"Name the port of your adapter with --port ('rbonn board' simulates a board). Ports of this computer: {known}.",
        )
    raise DeviceError(
        f"No {board} is connected by USB",
        f"Plug it in, or name its port with --port ('rbonn board' simulates a board). Ports of this computer: {known}.",
    )


def port_names() -> list[str]:
    """The serial ports of this computer, each with what it says it is."""
    return [
        f"{port.device} ({port.description})" if port.description != "n/a" else port.device
        for port in sorted(list_ports.comports(), key=lambda port: port.device)
    ]


def _bridge(port: ListPortInfo) -> tuple[str, str]:
    """What the ports of one bridge have in common: its place on the bus, without the interface, and its serial number."""
    return ((port.location or "").split(":")[0], port.serial_number or "")


def _place(port: ListPortInfo) -> tuple[tuple[str, str], str, str]:
    return (_bridge(port), port.location or "", port.device)
