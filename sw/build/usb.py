"""Whether a board is on the USB of this computer, and whether this user may write to it, as Linux lists its devices."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from ..errors import DeviceError

SYSTEM = Path("/")


@dataclass(frozen=True, slots=True)
class UsbDevice:
    """A device on the USB.

    Parameters
    ----------
    ids : tuple of int - vendor and product number
    path : Path - the file through which programs reach it
    """

    ids: tuple[int, int]
    path: Path


def usb_devices(system: Path = SYSTEM) -> list[UsbDevice] | None:
    """All devices that are plugged in, or None where the system does not list them (not Linux, or a container without them)."""
    folder = system / "sys/bus/usb/devices"
    if not folder.is_dir():
        return None
    found = []
    for entry in sorted(folder.iterdir()):
        try:
            vendor, product, bus, number = (
                (entry / name).read_text().strip()
                for name in ("idVendor", "idProduct", "busnum", "devnum")
            )
        except OSError:
            continue  # an interface of a device, or it was unplugged meanwhile
        path = system / f"dev/bus/usb/{int(bus):03}/{int(number):03}"
        found.append(UsbDevice((int(vendor, 16), int(product, 16)), path))
    return found


def check_access(
    title: str, ids: Collection[tuple[int, int]], to_do: str = "", system: Path = SYSTEM
) -> None:
    """Checks that one of the devices `ids` is there and may be written to, as far as the system says.

    Parameters
    ----------
    title : str - what a user calls it
    to_do : str - what it takes for it to appear, beside plugging it in

    Raises
    ------
    DeviceError - it is not there, or belongs to others; the hint has the udev rule that changes that
    """
    devices = usb_devices(system)
    if devices is None:
        return
    there = [device for device in devices if device.ids in ids]
    if not there:
        numbers = " or ".join(f"{vendor:04x}:{product:04x}" for vendor, product in ids)
        raise DeviceError(
            f"{title}: not on the USB (nothing there is {numbers})",
            f"{to_do[:1].upper()}{to_do[1:]}." if to_do else "Plug it in.",
        )
    if not any(os.access(device.path, os.R_OK | os.W_OK) for device in there):
        raise DeviceError(f"{title}: no permission for {there[0].path}", udev_hint(there[0].ids))


def udev_hint(ids: tuple[int, int]) -> str:
    """How a user gets access to the devices with these numbers."""
    vendor, product = ids
    rule = f'SUBSYSTEM=="usb", ATTR{{idVendor}}=="{vendor:04x}", ATTR{{idProduct}}=="{product:04x}", TAG+="uaccess"'
    return f"Write the udev rule {rule} to /etc/udev/rules.d/60-rbonn.rules, run 'sudo udevadm control --reload' and plug it in again."
