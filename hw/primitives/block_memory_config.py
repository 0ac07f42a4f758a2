"""What a block memory is asked for, and the ports through which it is used."""

from dataclasses import dataclass, field

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

BLOCK_MEMORY_FORMS = ("portable", "ecp5")

READ_LATENCIES = (1, 2)

MOST_WORDS = 16384
"""Words of the deepest block RAM of an ECP5, one bit wide."""


def read_signature(depth: int, width: int) -> wiring.Signature:
    """A synchronous read port seen from its reader; `enable` moves all of its registers, those behind the memory too."""
    return wiring.Signature({"address": Out(range(depth)), "enable": Out(1), "data": In(width)})


def write_signature(depth: int, width: int) -> wiring.Signature:
    """A write port seen from its writer: `data` is in the memory after a cycle with `enable`."""
    return wiring.Signature({"address": Out(range(depth)), "enable": Out(1), "data": Out(width)})


@dataclass(frozen=True)
class BlockMemoryConfig:
    """Shape, contents and timing of a memory in block RAM.

    Parameters
    ----------
    width : int - bits of a word, at least 1
    depth : int - words, at least 1; at most 16384 in the form "ecp5"
    contents : tuple of int - the first words at the start, unsigned; the others are 0
    read_latency : int - cycles with `enable` from an address to its word: 1, or 2 with a register behind the memory
    writable : bool - whether there is a write port
    form : str - "portable" (any device, left to synthesis) or "ecp5" (DP16KD, with its own output register)
    output_enable : bool - whether the register behind the memory has an enable of its own, so that the memory can be read while it waits;
        only with read latency 2
    """

    width: int
    depth: int
    contents: tuple[int, ...] = field(default=(), repr=False)
    read_latency: int = 1
    writable: bool = False
    form: str = "portable"
    output_enable: bool = False

    def __post_init__(self) -> None:
        for name in ("width", "depth"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"Block memory {name} must be at least 1, not {getattr(self, name)!r}"
                )
        if len(self.contents) > self.depth:
            raise ValueError(
                f"Block memory contents must have at most {self.depth} words, not {len(self.contents)}"
            )
        if self.contents and (min(self.contents) < 0 or max(self.contents) >> self.width):
            raise ValueError(
                f"Block memory words must have at most {self.width} bits, not {max(self.contents).bit_length()}"
            )
        if self.read_latency not in READ_LATENCIES:
            raise ValueError(
                f"Block memory read latency must be one of {READ_LATENCIES}, not {self.read_latency!r}"
            )
        if self.output_enable and self.read_latency != 2:
            raise ValueError(
                f"Block memory read latency must be 2 with an output enable, not {self.read_latency!r}"
            )
        if self.form not in BLOCK_MEMORY_FORMS:
            raise ValueError(
                f"Block memory form must be one of {BLOCK_MEMORY_FORMS}, not {self.form!r}"
            )
        if self.form == "ecp5" and self.depth > MOST_WORDS:
            raise ValueError(
                f"Block memory depth must be at most {MOST_WORDS} on ECP5, not {self.depth}"
            )

    @property
    def members(self) -> dict[str, wiring.Member]:
        """Ports of the component, whatever its form."""
        ports = {"read": In(read_signature(self.depth, self.width))}
        if self.writable:
            ports["write"] = In(write_signature(self.depth, self.width))
        if self.output_enable:
            ports["output_enable"] = In(1)
        return ports
