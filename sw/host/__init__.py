"""The host's side of the link: frames, serial port, boards that answer, and images as boards take them."""

from .device import Benchmark, Device
from .images import polarity_hint, read_image
from .packing import device_values, pack
from .protocol import Answer, Info
from .transport import SerialTransport, Transport

__all__ = [
    "Answer",
    "Benchmark",
    "Device",
    "Info",
    "SerialTransport",
    "Transport",
    "device_values",
    "pack",
    "polarity_hint",
    "read_image",
]
