"""Start values of a matrix-vector unit's accumulators: thresholds, biases, and what zero padding needs."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .counter import step_counter
from .primitives.block_memory import BlockMemoryConfig, block_memory
from .table import table_lookup

PRESET_FORMS = ("block", "logic")


@dataclass(frozen=True)
class PresetMemoryConfig:
    """Contents and form of a preset memory.

    A product of an H x W image has `len(row_classes)` rows of `len(column_classes)` pixels, and every pixel belongs to the border
    class (row class, column class): pixels of one class have the same padded taps. A layer without border classes
    has all classes 0; a dense layer is one pixel.

    Parameters
    ----------
    width : int - bits of a word, PE * accumulator bits, PE 0 least significant
    contents : tuple of int - word ``(row_class * n_column_classes + column_class) * row_groups + row_group``
    row_groups : int - words per pixel, MH // PE
    row_classes, column_classes : tuple of int - the class of each output row and of each output column, numbered from 0
    memory : str - "block" (block RAM) or "logic" (constants in LUTs)
    read_latency : int - enabled cycles from the current word to `data`, 1 or 2
    form : str - what "block" is made of, see `primitives.block_memory`
    """

    width: int
    contents: tuple[int, ...] = field(repr=False)
    row_groups: int
    row_classes: tuple[int, ...] = field(default=(0,), repr=False)
    column_classes: tuple[int, ...] = field(default=(0,), repr=False)
    memory: str = "logic"
    read_latency: int = 1
    form: str = "portable"

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"Preset width must be at least 1, not {self.width!r}")
        for name in ("row_classes", "column_classes"):
            classes = getattr(self, name)
            if set(classes) != set(range(max(classes, default=-1) + 1)) or not classes:
                raise ValueError(
                    f"Preset {name} must be numbered from 0 without gaps, not {classes!r}"
                )
        if self.row_groups < 1:
            raise ValueError(f"Preset row groups must be at least 1, not {self.row_groups!r}")
        words = self.n_row_classes * self.n_column_classes * self.row_groups
        if len(self.contents) != words:
            raise ValueError(f"Preset contents must have {words} words, not {len(self.contents)}")
        if min(self.contents) < 0 or max(self.contents) >> self.width:
            raise ValueError(
                f"Preset words must have at most {self.width} bits, not {max(self.contents).bit_length()}"
            )
        if self.memory not in PRESET_FORMS:
            raise ValueError(f"Preset memory must be one of {PRESET_FORMS}, not {self.memory!r}")
        if self.read_latency not in (1, 2):
            raise ValueError(f"Preset read latency must be 1 or 2, not {self.read_latency!r}")

    @property
    def block(self) -> BlockMemoryConfig:
        """The memory in the form "block"."""
        table = self.table
        return BlockMemoryConfig(
            width=self.width,
            depth=len(table),
            contents=tuple(table),
            read_latency=self.read_latency,
            form=self.form,
        )

    @property
    def n_row_classes(self) -> int:
        return max(self.row_classes) + 1

    @property
    def n_column_classes(self) -> int:
        return max(self.column_classes) + 1

    @property
    def has_border_classes(self) -> bool:
        """Whether pixels differ, so that they have to be counted."""
        return self.n_row_classes * self.n_column_classes > 1

    @property
    def depth(self) -> int:
        """Words of `table`."""
        class_bits = (self.n_column_classes - 1).bit_length()
        return self.n_row_classes << class_bits + (self.row_groups - 1).bit_length()

    @property
    def table(self) -> list[int]:
        """Contents at their addresses: row group, column class and row class side by side, each a whole number of bits."""
        group_bits = (self.row_groups - 1).bit_length()
        column_bits = (self.n_column_classes - 1).bit_length()
        table, n_column_classes = [0] * self.depth, self.n_column_classes
        for index, word in enumerate(self.contents):
            pixel_class, group = divmod(index, self.row_groups)
            row_class, column_class = divmod(pixel_class, n_column_classes)
            table[(row_class << column_bits | column_class) << group_bits | group] = word
        return table

    @property
    def first_address(self) -> int:
        """Where the first word is in `table`."""
        group_bits = (self.row_groups - 1).bit_length()
        column_bits = (self.n_column_classes - 1).bit_length()
        return (self.row_classes[0] << column_bits | self.column_classes[0]) << group_bits

    def values(self, bits: int) -> list[int]:
        """All presets, as the two's complement of `bits` bits that they are."""
        half, mask = 1 << bits - 1, (1 << bits) - 1
        return [
            ((word >> at & mask) ^ half) - half
            for word in self.contents
            for at in range(0, self.width, bits)
        ]

    def component(self) -> "PresetMemory":
        return PresetMemory(self)


class PresetMemory(wiring.Component):
    """Delivers the presets in the order in which they are used: pixel by pixel, row group by row group, frame after frame.

    `data` is the word that was the current one as many enabled cycles before as the `Config` states; `next` makes the following
    word the current one.

    Members
    -------
    enable : In(1) - data move only while this is high
    next : In(1)
    data : Out(width)
    """

    def __init__(self, config: PresetMemoryConfig) -> None:
        self.config = config
        super().__init__({"enable": In(1), "next": In(1), "data": Out(config.width)})

    def elaborate(self, platform) -> Module:
        m = Module()
        config = self.config
        table = config.table
        address = Signal(range(len(table)), init=config.first_address)
        if config.memory == "block":
            m.submodules.presets = presets = block_memory(config.block)
            m.d.comb += [
                presets.read.address.eq(address),
                presets.read.enable.eq(self.enable),
                self.data.eq(presets.read.data),
            ]
        else:
            # The constants stand before the last register: what adds a preset has its whole cycle for that.
            at = address
            for stage in range(config.read_latency - 1):
                earlier, at = at, Signal(range(len(table)), name=f"address{stage}")
                with m.If(self.enable):
                    m.d.sync += at.eq(earlier)
            with m.If(self.enable):
                m.d.sync += self.data.eq(table_lookup(table, config.width, at))

        # Words of border classes are counted one ahead, so that finding a class has a cycle of its own.
        n_groups, n_rows, n_columns = (
            config.row_groups,
            len(config.row_classes),
            len(config.column_classes),
        )
        starts = _digits(int(config.has_border_classes), (n_groups, n_columns, n_rows))
        (group_init, group_ends), (column_init, column_ends), (row_init, row_ends) = starts
        group, group_is_last = Signal(range(n_groups), init=group_init), Signal(init=group_ends)
        column, column_is_last = (
            Signal(range(n_columns), init=column_init),
            Signal(init=column_ends),
        )
        row, row_is_last = Signal(range(n_rows), init=row_init), Signal(init=row_ends)
        with m.If(self.next):
            step_counter(m, group, group_is_last, config.row_groups)
            if config.has_border_classes:
                with m.If(group_is_last):
                    step_counter(m, column, column_is_last, n_columns)
                    with m.If(column_is_last):
                        step_counter(m, row, row_is_last, n_rows)

        row_class = _class_of(m, "row_class", row, config.row_classes)
        column_class = _class_of(m, "column_class", column, config.column_classes)
        parts = [
            part
            for part, length in (
                (group, config.row_groups),
                (column_class, config.n_column_classes),
                (row_class, config.n_row_classes),
            )
            if length > 1
        ]
        if config.has_border_classes:
            with m.If(self.next):
                m.d.sync += address.eq(Cat(*parts))
        else:
            m.d.comb += address.eq(Cat(*parts))
        return m


def _digits(number: int, lengths: Sequence[int]) -> list[tuple[int, bool]]:
    """The digits of `number` to these bases, lowest first, each with whether it is its base's last."""
    digits = []
    for length in lengths:
        number, digit = divmod(number, length)
        digits.append((digit, digit == length - 1))
    return digits


def _class_of(m: Module, name: str, position: Signal, classes: tuple[int, ...]) -> Signal:
    """A signal that holds ``classes[position]``; the most frequent class is the default, so that only the borders cost logic."""
    result = Signal(range(max(classes) + 1), name=name)
    default = max(set(classes), key=classes.count)
    with m.Switch(position):
        for value in sorted(set(classes) - {default}):
            with m.Case(*(index for index, own in enumerate(classes) if own == value)):
                m.d.comb += result.eq(value)
        with m.Default():
            m.d.comb += result.eq(default)
    return result
