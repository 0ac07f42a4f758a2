"""Weights in block RAM that count the leaves of the popcount trees themselves."""

from dataclasses import dataclass, field

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from .popcount import PopcountConfig
from .primitives.block_memory import BlockMemoryConfig, block_memory, read_signature

CARRY_GROUP = 2
"""Carry lanes that share a memory: two bits per processing element, as many as a leaf's count."""


@dataclass(frozen=True)
class LeafMemoryConfig:
    """Contents and shape of leaf memories (distributed arithmetic).

    A leaf's three activations are the lowest bits of its memory's address, the beat's word number the others: the memory holds, for every
    processing element, how many of the three match. Carry lanes share memories in pairs, which hold their two matches. Each
    memory needs 2 * PE bits in width.

    Parameters
    ----------
    pe : int - processing elements
    popcount : PopcountConfig - of one element, with absorbed leaves
    contents : tuple of int - plain words as in `WeightMemoryConfig`, bit ``pe * SIMD + lane``
    ram_depth : int - words of the device's block RAM at its greatest width (ECP5: 512 of 36 bits, iCE40: 256 of 16)
    read_latency : int - enabled cycles from address to data, 1 or 2
    form : str - see `primitives.block_memory`
    """

    pe: int
    popcount: PopcountConfig
    contents: tuple[int, ...] = field(repr=False)
    ram_depth: int = 512
    read_latency: int = 1
    form: str = "portable"

    def __post_init__(self) -> None:
        if not self.popcount.absorbed:
            raise ValueError("Leaf memories must serve a popcount with absorbed leaves")
        if self.pe < 1 or not self.contents:
            raise ValueError(
                f"Leaf memories must have at least one element and one word, not {self.pe} and {len(self.contents)}"
            )
        width = self.pe * self.popcount.simd
        if min(self.contents) < 0 or max(self.contents) >> width:
            raise ValueError(
                f"Weight words must have at most {width} bits, not {max(self.contents).bit_length()}"
            )
        if self.read_latency not in (1, 2):
            raise ValueError(f"Weight read latency must be 1 or 2, not {self.read_latency!r}")
        most = self.ram_depth >> 3
        if self.depth > most:
            raise ValueError(
                f"Absorbed leaves must have a fold of at most {most} words in block RAM of {self.ram_depth}, not {self.depth}"
            )

    @property
    def depth(self) -> int:
        return len(self.contents)

    @property
    def width(self) -> int:
        """Bits of counts and matches for one beat."""
        return self.pe * self.popcount.weight_bits

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """Lanes of each memory: one for each leaf, then pairs of carry lanes."""
        carry = self.popcount.carry_lanes
        pairs = tuple(carry[k : k + CARRY_GROUP] for k in range(0, len(carry), CARRY_GROUP))
        return self.popcount.leaves + pairs

    @property
    def memory_shapes(self) -> tuple[tuple[int, int], ...]:
        """(depth, width) of each memory."""
        word_bits = (self.depth - 1).bit_length()
        return tuple((1 << word_bits + len(lanes), self.pe * bits) for lanes, bits in self._groups)

    @property
    def _groups(self) -> list[tuple[tuple[int, ...], int]]:
        """Lanes of each memory, and its bits per element."""
        n_leaves = len(self.popcount.leaves)
        bits = self.popcount.leaf_bits
        return [
            (lanes, bits[k] if k < n_leaves else len(lanes)) for k, lanes in enumerate(self.groups)
        ]

    def table(self, group: int) -> list[int]:
        """Contents of one memory; address ``word * 2**lanes + activations``, element 0 least significant."""
        lanes, bits = self._groups[group]
        is_leaf = group < len(self.popcount.leaves)
        table = []
        for word in self.contents:
            weights = [
                [word >> pe * self.popcount.simd + lane & 1 for lane in lanes]
                for pe in range(self.pe)
            ]
            for activations in range(1 << len(lanes)):
                value = 0
                for pe in range(self.pe):
                    matches = [
                        (activations >> k & 1) == weight for k, weight in enumerate(weights[pe])
                    ]
                    entry = (
                        sum(matches)
                        if is_leaf
                        else sum(match << k for k, match in enumerate(matches))
                    )
                    value |= entry << pe * bits
                table.append(value)
        return table

    def component(self) -> "LeafMemory":
        return LeafMemory(self)


class LeafMemory(wiring.Component):
    """Counts of all leaves and matches of all carry lanes, for the word and the activations of `read_latency` enabled cycles before.

    Members
    -------
    read : In(read_signature(depth, width)) - data as `Popcount` takes them where leaves are absorbed, element after element
    activations : In(simd) - of the word at `read.address`
    """

    def __init__(self, config: LeafMemoryConfig) -> None:
        self.config = config
        super().__init__(
            {
                "read": In(read_signature(config.depth, config.width)),
                "activations": In(config.popcount.simd),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        config = self.config
        elements: list[list[Value]] = [[] for _ in range(config.pe)]
        for index, (lanes, bits) in enumerate(config._groups):
            depth, width = config.memory_shapes[index]
            memory = block_memory(
                BlockMemoryConfig(
                    width=width,
                    depth=depth,
                    contents=tuple(config.table(index)),
                    read_latency=config.read_latency,
                    form=config.form,
                )
            )
            m.submodules[f"group{index}"] = memory
            m.d.comb += [
                memory.read.address.eq(
                    Cat(*(self.activations[k] for k in lanes), self.read.address)
                ),
                memory.read.enable.eq(self.read.enable),
            ]
            data = memory.read.data
            for pe in range(config.pe):
                elements[pe].append(data[pe * bits : (pe + 1) * bits])
        m.d.comb += self.read.data.eq(Cat(*(Cat(*parts) for parts in elements)))
        return m
