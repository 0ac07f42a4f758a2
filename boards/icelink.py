"""MuseLab's iCELink, a DAPLink on a microcontroller: its serial port."""

from .board import Uart

ICELINK_USB = (0x1D50, 0x602B)
DAPLINK_USB = (0x0D28, 0x0204)


def icelink_uart(usb_id: tuple[int, int] = ICELINK_USB) -> Uart:
    """The serial port behind it; nothing is documented about baud rates above this one."""
    return Uart(bauds=(115_200,), usb_ids=(usb_id,), via="iCELink")
