"""Scale, offset and rounding, channel by channel.  ``o[c] = saturate((x[c] * multipliers[c] + offsets[c] + half) >> shift)``

`half` is ``1 << (shift - 1)``, 0 where the shift is 0: ties are rounded towards +infinity. In and out in raster order, `lanes` channels per
transfer, channels fastest; channel ``k`` of group ``g`` is ``g * lanes + k``. The constants are those of `affine_constants`: exactly the same results from
as few bits as the range of the inputs allows.

A lane has one multiplier, which its channels use in turn, and an adder behind it; multipliers and offsets come from small tables, in logic
or in block RAM, that are read ahead of the elements that need them. Where all multipliers are plus or minus powers of two, or 0, or differ from each other
by such factors only, there are adders and shifts instead (`shift_add`). Saturation costs logic only on the sides where the inputs' range lets
results exceed the output's.

Latency is `latency_cycles`, from the acceptance of a transfer to the offer of its result; throughput is one transfer per cycle. All
registers share one clock enable, so a result that waits holds back everything behind it; with ready high everything inside comes out.
With `output_places=2` two registers behind the pipeline cut the way of `ready`: `i.ready` and the enable are one gate behind
flip-flops. With 0, they follow `o.ready` combinationally. A reset starts a frame.
Storage is the tables: `multiplier_table` and `offset_table`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

from amaranth import *
from amaranth.lib import stream, wiring

from .affine_constants import AffineConstants, affine_constants
from .constant_table import ConstantTableConfig
from .counter import step_counter
from .fifo import FifoConfig
from .pipeline import output_queue, pipeline_enable
from .primitives.multiply_add import MULTIPLY_ADD_FORMS, MultiplyAddConfig, multiply_add
from .registers import delayed, registers
from .saturation import output_range, saturated, signed_bits
from .shift_add import ShiftAddConfig, odd_factors, signed_digits
from .stage import stage_ports

MOST_DIGITS = 3
"""Digits of a common factor that take less to add than a multiplier is worth: two adders for each lane."""

LUT_WORDS = 16
"""Constants that a LUT4 has a bit of; tables of more are on their way for a cycle of their own."""

_constants = lru_cache(maxsize=64)(affine_constants)
"""Constants do not depend on the lanes: for all widths of a stage they are folded once."""


@dataclass(frozen=True)
class AffineConfig:
    """Shape and constants of an `Affine`.

    Parameters
    ----------
    input_bits : int - bits of an input element, at least 1
    multipliers, offsets : tuple of int - one for each channel; multipliers of at most 18 bits of two's complement
    shift : int - 0 to 31
    output_bits : int - bits of an output element, at least 1; at least 2 where it is signed
    lanes : int - channels per transfer; divides their number
    pixels : int - pixels of an image, at least 1; only the number of transfers depends on it
    signed, output_signed : bool - elements are two's complement
    lowest, highest : int | None - range of the inputs; None: all that `input_bits` have. An input beyond it gives a wrong result
    multiplier : str - how products are made, one of `primitives.multiply_add.MULTIPLY_ADD_FORMS`: "inferred", "logic", "ecp5" (MULT18X18D) or
        "ice40" (SB_MAC16)
    memory : str - "logic" (tables of constants in LUTs) or "block" (block RAM)
    read_latency : int - cycles that a block RAM takes, 1 or 2
    form : str - what "block" is made of, see `primitives.block_memory`
    output_places : int - 2, or 0: whether registers behind the pipeline cut the way of `ready`
    """

    input_bits: int
    multipliers: tuple[int, ...]
    offsets: tuple[int, ...]
    shift: int
    output_bits: int
    lanes: int
    pixels: int = 1
    signed: bool = True
    output_signed: bool = True
    lowest: int | None = None
    highest: int | None = None
    multiplier: str = "inferred"
    memory: str = "logic"
    read_latency: int = 1
    form: str = "portable"
    output_places: int = 2

    def __post_init__(self) -> None:
        for name, least in (
            ("input_bits", 1 + self.signed),
            ("output_bits", 1 + self.output_signed),
            ("lanes", 1),
            ("pixels", 1),
        ):
            if getattr(self, name) < least:
                subject = name.replace("_", " ").capitalize()
                raise ValueError(f"{subject} must be at least {least}, not {getattr(self, name)!r}")
        if not self.multipliers:
            raise ValueError("Multipliers must be at least one, not ()")
        if len(self.offsets) != self.channels:
            raise ValueError(
                f"Offsets must be as many as the {self.channels} multipliers, not {len(self.offsets)}"
            )
        if self.channels % self.lanes:
            raise ValueError(f"Lanes must divide channels={self.channels}, not {self.lanes!r}")
        widest = max(self.multipliers, key=lambda value: signed_bits(value, value))
        if signed_bits(widest, widest) > 18:
            raise ValueError(f"Multipliers must have at most 18 bits, not {widest!r}")
        if not 0 <= self.shift <= 31:
            raise ValueError(f"Shift must be 0 to 31, not {self.shift!r}")
        first, last = self.input_range
        least, most = output_range(self.input_bits, self.signed)
        if not least <= first <= last <= most:
            raise ValueError(f"Input range must lie in {least} to {most}, not {first} to {last}")
        if self.multiplier not in MULTIPLY_ADD_FORMS:
            raise ValueError(
                f"Multiplier must be one of {MULTIPLY_ADD_FORMS}, not {self.multiplier!r}"
            )
        _ = (
            self.product,
            self.multiplier_table,
            self.offset_table,
            self.queue,
        )  # which check the rest

    @property
    def channels(self) -> int:
        return len(self.multipliers)

    @property
    def groups(self) -> int:
        """Transfers per pixel."""
        return self.channels // self.lanes

    @property
    def input_range(self) -> tuple[int, int]:
        """The lowest and the highest input."""
        least, most = output_range(self.input_bits, self.signed)
        return (
            least if self.lowest is None else self.lowest,
            most if self.highest is None else self.highest,
        )

    @property
    def is_multiplier_free(self) -> bool:
        """Whether shifts and adders do: the multipliers have one odd factor, of few digits if there are multipliers to spare."""
        factors = odd_factors(self.multipliers)
        if self.multiplier == "logic":
            return len(factors) <= 1
        return len(factors) == 0 or (
            len(factors) == 1 and len(signed_digits(factors[0])) <= MOST_DIGITS
        )

    @cached_property
    def constants(self) -> AffineConstants:
        """The constants as they are used."""
        return _constants(
            self.multipliers, self.offsets, self.shift, *self.input_range, complements=self.is_multiplier_free
        )  # fmt: skip

    @property
    def n_multipliers(self) -> int:
        """DSP blocks; of the form "inferred", as many as synthesis for ECP5 takes."""
        return 0 if isinstance(self.product, ShiftAddConfig) else self.lanes * self.product.n_blocks

    @property
    def saturates(self) -> bool:
        """Whether any input of the range has a result beyond the output's."""
        least, most = output_range(self.output_bits, self.output_signed)
        return self.constants.lowest < least or self.constants.highest > most

    @property
    def result_bits(self) -> int:
        """Bits of a result before saturation; where there is none, no more than the output's."""
        bits = signed_bits(self.constants.lowest, self.constants.highest)
        return bits if self.saturates else min(bits, self.output_bits)

    @cached_property
    def product(self) -> MultiplyAddConfig | ShiftAddConfig:
        """What multiplies and adds, in each lane."""
        constants, is_signed = self.constants, self.input_range[0] < 0
        x_bits = signed_bits(*self.input_range) - (not is_signed)
        sum_bits = self.result_bits + constants.shift - constants.dropped
        if self.is_multiplier_free:
            return ShiftAddConfig(
                max(x_bits, 1), is_signed, constants.multipliers, sum_bits, constants.dropped
            )
        bits = signed_bits(min(constants.multipliers), max(constants.multipliers))
        return MultiplyAddConfig(
            x_bits, is_signed, bits, sum_bits, constants.dropped, self.multiplier
        )

    @property
    def lead_cycles(self) -> int:
        """Cycles that an element waits for the first of its constants: for a table of several LUT4 a bit, or a block RAM."""
        constants = self.constants
        if len(set(zip(constants.multipliers, constants.offsets, strict=True))) == 1:
            return 0
        if self.groups == 1 or self.memory == "logic":
            return int(self.groups > LUT_WORDS)
        product = self.product
        at = product.addend_cycles if isinstance(product, ShiftAddConfig) else 0
        return max(self.read_latency - at, 0)

    @cached_property
    def multiplier_table(self) -> ConstantTableConfig:
        """Multipliers, or the codes that stand for them, of all lanes in a word; codes are few bits and always in logic."""
        product = self.product
        if isinstance(product, ShiftAddConfig):
            words = [product.code(value) for value in self.constants.multipliers]
            return self._table(words, product.code_bits, product.code_cycles, "logic")
        return self._table(self.constants.multipliers, product.multiplier_bits, 0, self.memory)

    @cached_property
    def offset_table(self) -> ConstantTableConfig:
        words = [value >> self.constants.dropped for value in self.constants.offsets]
        product = self.product
        return self._table(words, product.output_bits, product.addend_cycles, self.memory)

    def _table(
        self, values: list[int] | tuple[int, ...], bits: int, cycles: int, memory: str
    ) -> ConstantTableConfig:
        words = [
            sum((value & (1 << bits) - 1) << lane * bits for lane, value in enumerate(values[first : first + self.lanes]))
            for first in range(0, self.channels, self.lanes)
        ]  # fmt: skip
        return ConstantTableConfig(
            width=bits * self.lanes,
            words=tuple(words),
            latency_cycles=cycles + self.lead_cycles,
            memory=memory,
            read_latency=self.read_latency,
            form=self.form,
        )

    @property
    def input_width(self) -> int:
        return self.lanes * self.input_bits

    @property
    def output_width(self) -> int:
        return self.lanes * self.output_bits

    @property
    def inputs_per_frame(self) -> int:
        return self.pixels * self.groups

    @property
    def outputs_per_frame(self) -> int:
        return self.pixels * self.groups

    @property
    def interval_cycles(self) -> int:
        """Cycles per frame: every transfer takes one."""
        return self.inputs_per_frame

    @property
    def pipeline_cycles(self) -> int:
        """Enabled cycles from a transfer to its result."""
        return self.lead_cycles + self.product.latency_cycles + self.saturates

    @property
    def latency_cycles(self) -> int:
        """Cycles from the acceptance of a transfer to the offer of its result."""
        return self.pipeline_cycles + self.queue.latency_cycles

    @property
    def queue(self) -> FifoConfig:
        """What cuts the way of `ready`."""
        return output_queue(self.output_width, self.output_places)

    def component(self) -> Affine:
        return Affine(self)


class Affine(wiring.Component):
    """See the module.

    Members
    -------
    i : In(stream.Signature(unsigned(lanes * input_bits))) - lane 0 least significant
    o : Out(stream.Signature(unsigned(lanes * output_bits))) - lane 0 least significant
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: AffineConfig) -> None:
        self.config = config
        super().__init__(stage_ports(config.input_width, config.output_width))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        payload = Signal(config.output_width)
        enable = pipeline_enable(m, self, config.queue, config.pipeline_cycles, payload)

        # The channels at hand, and their constants when each is due.
        group, is_last = Signal(range(config.groups)), Signal(init=config.groups == 1)
        with m.If(self.i.valid & enable):
            step_counter(m, group, is_last, config.groups)
        tables = {"multipliers": config.multiplier_table, "offsets": config.offset_table}
        for name, table in tables.items():
            m.submodules[name] = component = table.component()
            m.d.comb += [component.enable.eq(enable), component.address.eq(group)]
        multipliers, offsets = (m.submodules[name].o for name in tables)

        # One multiplier and adder for each lane; what is below the results goes, what exceeds the output saturates.
        results = []
        for lane in range(config.lanes):
            total = self._sum(m, lane, enable, multipliers, offsets)
            result = total[config.constants.shift - config.constants.dropped :]
            results.append(self._saturated(result))
        if config.saturates:
            results = registers(m, enable, "result", results)
        m.d.comb += payload.eq(Cat(*results))
        return m

    def _sum(
        self, m: Module, lane: int, enable: Value, multipliers: Value, offsets: Value
    ) -> Value:
        """Product plus offset of a lane."""
        config, product = self.config, self.config.product
        x = self.i.payload.word_select(lane, config.input_bits)[: product.x_bits]
        x = delayed(m, enable, f"x{lane}_", x, config.lead_cycles)
        if isinstance(product, ShiftAddConfig):
            m.submodules[f"product{lane}"] = unit = product.component()
            m.d.comb += unit.code.eq(multipliers.word_select(lane, product.code_bits))
        else:
            m.submodules[f"product{lane}"] = unit = multiply_add(product)
            bits = product.multiplier_bits
            m.d.comb += unit.multiplier.eq(multipliers.word_select(lane, bits))
        m.d.comb += [
            unit.enable.eq(enable),
            unit.x.eq(x),
            unit.addend.eq(offsets.word_select(lane, product.output_bits)),
        ]
        return unit.o

    def _saturated(self, result: Value) -> Value:
        config = self.config
        return saturated(
            result,
            config.output_bits,
            is_signed=config.output_signed,
            lowest=config.constants.lowest,
            highest=config.constants.highest,
        )
