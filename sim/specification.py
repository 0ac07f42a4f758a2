"""What a simulation compares: the ports of the design, its probes and the stalls."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..sw.network.datatypes import Bipolar, DataType, Int
from ..sw.network.nodes import EdgeType


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """Stream port `i` of the design.

    Parameters
    ----------
    width : int - bits of the payload, 1 to 62
    """

    width: int = 8

    def __post_init__(self) -> None:
        if not 1 <= self.width <= 62:
            raise ValueError(f"Stream width must be 1 to 62, not {self.width!r}")


@dataclass(frozen=True, slots=True)
class Field:
    """Named bits of the output payload.

    Parameters
    ----------
    name : str
    bits : int - 1 to 62
    signed : bool - two's complement
    """

    name: str
    bits: int
    signed: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 62:
            raise ValueError(f"Field bits must be 1 to 62, not {self.bits!r}")


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """Stream port `o` of the design.

    Parameters
    ----------
    width : int - bits of the payload
    transfers_per_image : int
    fields : tuple of Field - the payload from its least significant bit on; together `width` bits; by default one unsigned field `payload`
    edges : tuple of str - the graph edges that the output carries, which are checked with it; at least one
    """

    width: int
    transfers_per_image: int
    fields: tuple[Field, ...] = ()
    edges: tuple[str, ...] = ("output",)

    def __post_init__(self) -> None:
        if not self.fields:
            object.__setattr__(self, "fields", (Field("payload", self.width),))
        if sum(field.bits for field in self.fields) != self.width:
            raise ValueError(
                f"Output fields must fill the payload: {sum(field.bits for field in self.fields)} bits of {self.width}"
            )
        if self.transfers_per_image < 1:
            raise ValueError(
                f"Output transfers_per_image must be at least 1, not {self.transfers_per_image!r}"
            )
        if not self.edges:
            raise ValueError("Output edges must be at least one, not ()")


@dataclass(frozen=True, slots=True)
class Probe:
    """A graph edge that is compared inside the design.

    The top module of the design has a wire ``probe_<edge>_strobe`` (1 bit) and a wire ``probe_<edge>_data``; at each rising clock edge
    with strobe high one word is captured. Element k of word t of an image is number ``t * lanes + k`` in (row, column, channel) order,
    lane 0 least significant.

    Parameters
    ----------
    edge : str - name of the graph edge: letters, digits and _
    shape : (H, W, C)
    lanes : int - elements in a word; divides H * W * C
    element_bits : int - 1 to 62
    signed : bool - two's complement elements
    bipolar : bool - 1-bit elements that mean +1 (bit 1) and -1 (bit 0)
    """

    edge: str
    shape: tuple[int, int, int]
    lanes: int
    element_bits: int
    signed: bool = False
    bipolar: bool = False

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", self.edge):
            raise ValueError(f"Probe edge must be letters, digits and _, not {self.edge!r}")
        if not 1 <= self.element_bits <= 62:
            raise ValueError(f"Probe element_bits must be 1 to 62, not {self.element_bits!r}")
        if self.bipolar and (self.element_bits != 1 or self.signed):
            raise ValueError(
                f"Probe of bipolar elements must have 1 unsigned bit each, not {self.element_bits!r}"
            )
        if self.lanes < 1 or self.elements % self.lanes:
            raise ValueError(
                f"Probe lanes must divide the elements of an image: {self.elements} elements, lanes={self.lanes}"
            )

    @classmethod
    def of_edge(cls, edge: str, edge_type: EdgeType, lanes: int) -> Probe:
        """The probe of an edge of the integer network."""
        datatype: DataType = edge_type.datatype
        return cls(
            edge,
            edge_type.shape,
            lanes,
            datatype.bits,
            signed=isinstance(datatype, Int),
            bipolar=isinstance(datatype, Bipolar),
        )

    @property
    def elements(self) -> int:
        """Elements of an image."""
        height, width, channels = self.shape
        return height * width * channels

    @property
    def width(self) -> int:
        """Bits of a word."""
        return self.lanes * self.element_bits

    @property
    def transfers_per_image(self) -> int:
        return self.elements // self.lanes


@dataclass(frozen=True, slots=True)
class Stalls:
    """Random stalls on both sides of the design.

    Parameters
    ----------
    seed : int - decides every stall
    input_probability, output_probability : float - of a stalled cycle, 0 to 0.95
    burst_cycles : int - longest burst, a power of two up to 4096; 0: no bursts. A burst of random length begins about every
        ``2 * burst_cycles`` cycles, on each side by itself, so FIFOs are seen full and empty
    """

    seed: int = 1
    input_probability: float = 0.25
    output_probability: float = 0.25
    burst_cycles: int = 256

    def __post_init__(self) -> None:
        for name in ("input_probability", "output_probability"):
            if not 0 <= getattr(self, name) <= 0.95:
                raise ValueError(f"Stalls {name} must be 0 to 0.95, not {getattr(self, name)!r}")
        if self.burst_cycles not in {0, *(1 << n for n in range(13))}:
            raise ValueError(
                f"Stalls burst_cycles must be 0 or a power of two up to 4096, not {self.burst_cycles!r}"
            )
