"""FTDI's USB bridges: what they are on the USB, and the baud rates that they make exactly."""

from .board import Uart

FT2232H = (0x0403, 0x6010)
FT232H = (0x0403, 0x6014)
FT231X = (0x0403, 0x6015)

# All divide 3 MHz (FT2232H: 12 MHz) by n or, above 2 Mbaud, by 1 only.
BAUDS = (3_000_000, 2_000_000, 1_500_000, 1_000_000, 500_000, 115_200)


def ftdi_uart(chip: str, usb_id: tuple[int, int]) -> Uart:
    """The serial port behind such a bridge."""
    return Uart(bauds=BAUDS, usb_ids=(usb_id,), via=chip)
