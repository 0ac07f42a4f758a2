"""Block RAM in the form that a device is best at."""

from amaranth.lib import wiring

from .block_memory_config import BlockMemoryConfig, read_signature, write_signature
from .ecp5.block_memory import Ecp5BlockMemory
from .portable.block_memory import PortableBlockMemory

__all__ = ["BlockMemoryConfig", "block_memory", "read_signature", "write_signature"]


def block_memory(config: BlockMemoryConfig) -> wiring.Component:
    """A memory in block RAM.

    A word is on ``read.data`` after `read_latency` cycles with ``read.enable``; in other cycles nothing moves. What is read
    from a word in the cycle in which it is written is undefined: the portable form reads the old word, devices may read anything.
    Reset leaves contents and data as they are.

    Members
    -------
    read : In(read_signature(depth, width))
    write : In(write_signature(depth, width)) - only where `writable`
    output_enable : In(1) - only with that option: the second of the two cycles is one with this, ``read.enable`` counts for the first
    """
    forms = {"portable": PortableBlockMemory, "ecp5": Ecp5BlockMemory}
    return forms[config.form](config)
