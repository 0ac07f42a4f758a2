"""MuseLab's iCELink, a DAPLink on a microcontroller (STM32F103): its serial port.

References
----------
USB numbers: github.com/wuxx/icesugar, tools/src/icesprog.c and 60-icesugar.rules, for the iCESugar; openFPGALoader's cable ``cmsisdap``, by which it knows the Colorlight i5 and i9.
Serial port: github.com/ARMmbed/DAPLink, source/hic_hal/stm32/stm32f103xb/uart.c.
"""

from .board import Uart

ICELINK_USB = (0x1D50, 0x602B)
DAPLINK_USB = (0x0D28, 0x0204)


def icelink_uart(usb_id: tuple[int, int] = ICELINK_USB) -> Uart:
    """The serial port behind it.

    DAPLink takes any baud rate, but without flow control and with an interrupt for each byte: what comes from the FPGA while its 512 bytes are full is dropped. Its makers
    document none; this one is what their examples use.
    """
    return Uart(bauds=(115_200,), usb_ids=(usb_id,), via="iCELink")
