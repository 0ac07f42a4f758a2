"""A slope for negative integers, channel by channel.  ``o[c] = x if x >= 0 else saturate((x * slopes[c] + half) >> shift)``

`half` is ``1 << (shift - 1)``, 0 where the shift is 0: ties are rounded towards +infinity. The output has the input's type. In and out in
raster order, `lanes` channels per transfer, channels fastest; channel ``k`` of group ``g`` is ``g * lanes + k``.

Where all slopes are plus or minus powers of two, or 0, there is no multiplier but a choice of shifts, in each lane of those that its own channels
need (`rounded_shift`). Other slopes have one multiplier for each lane; there a positive x meets ``2 ** shift``, so that rounding gives it
back. The slope of the channels that come next waits in a register. Saturation costs logic only where a slope is above 1, or -1 and below.

Latency is `latency_cycles`, from the acceptance of a transfer to the offer of its result; throughput is one transfer per cycle. All registers
share one clock enable, so a result that waits holds back everything behind it; with ready high everything inside comes out.
With `output_places=2` two registers behind the pipeline cut the way of `ready`: `i.ready` and the enable are one gate behind
flip-flops. With 0, they follow `o.ready` combinationally. A reset starts a frame.
Storage is none: slopes are a table of constants in logic, addressed by the group.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from amaranth import *
from amaranth.lib import stream, wiring

from .affine_constants import trailing_zeros
from .counter import step_counter
from .fifo import FifoConfig
from .pipeline import output_queue, pipeline_enable
from .primitives.multiply_add import MULTIPLY_ADD_FORMS, MultiplyAddConfig, multiply_add
from .registers import registers
from .rounded_shift import RoundedShiftConfig
from .saturation import output_range, saturated, signed_bits
from .stage import stage_ports
from .table import table_lookup


@dataclass(frozen=True)
class PReLUConfig:
    """Shape and slopes of a `PReLU`.

    Parameters
    ----------
    element_bits : int - bits of an element, in and out, two's complement, at least 2
    slopes : tuple of int - one for each channel, of at most 16 bits of two's complement; negative ones are allowed
    shift : int - 0 to 31
    lanes : int - channels per transfer; divides their number
    pixels : int - pixels of an image, at least 1; only the number of transfers depends on it
    multiplier : str - how products are made, where they are needed: one of `primitives.multiply_add.MULTIPLY_ADD_FORMS`. Its second operand
        has to hold ``2 ** shift``, without the powers of two that all slopes have: up to 16 in "ecp5", 14 in "ice40"
    output_places : int - 2, or 0: whether registers behind the pipeline cut the way of `ready`
    """

    element_bits: int
    slopes: tuple[int, ...]
    shift: int
    lanes: int
    pixels: int = 1
    multiplier: str = "inferred"
    output_places: int = 2

    def __post_init__(self) -> None:
        for name, least in (("element_bits", 2), ("lanes", 1), ("pixels", 1)):
            if getattr(self, name) < least:
                subject = name.replace("_", " ").capitalize()
                raise ValueError(f"{subject} must be at least {least}, not {getattr(self, name)!r}")
        if not self.slopes:
            raise ValueError("Slopes must be at least one, not ()")
        if self.channels % self.lanes:
            raise ValueError(f"Lanes must divide channels={self.channels}, not {self.lanes!r}")
        widest = max(self.slopes, key=lambda value: signed_bits(value, value))
        if signed_bits(widest, widest) > 16:
            raise ValueError(f"Slopes must have at most 16 bits, not {widest!r}")
        if not 0 <= self.shift <= 31:
            raise ValueError(f"Shift must be 0 to 31, not {self.shift!r}")
        if self.multiplier not in MULTIPLY_ADD_FORMS:
            raise ValueError(
                f"Multiplier must be one of {MULTIPLY_ADD_FORMS}, not {self.multiplier!r}"
            )
        _ = self.queue, None if self.is_multiplier_free else self.product  # which check the rest

    @property
    def channels(self) -> int:
        return len(self.slopes)

    @property
    def groups(self) -> int:
        """Transfers per pixel."""
        return self.channels // self.lanes

    @property
    def is_multiplier_free(self) -> bool:
        """Whether all slopes are 0, or plus or minus powers of two."""
        return all(abs(slope) & abs(slope) - 1 == 0 for slope in self.slopes)

    @property
    def n_multipliers(self) -> int:
        """DSP blocks; of the form "inferred", as many as synthesis for ECP5 takes."""
        return 0 if self.is_multiplier_free else self.lanes * self.product.n_blocks

    @cached_property
    def shifts(self) -> tuple[RoundedShiftConfig, ...]:
        """What shifts and rounds in each lane, where there is no multiplier."""
        return tuple(
            RoundedShiftConfig(self.element_bits, self.slopes[lane :: self.lanes], self.shift)
            for lane in range(self.lanes)
        )

    @cached_property
    def common_zeros(self) -> int:
        """Powers of two that all slopes have, as far as the shift has them too: products are made without."""
        return min([self.shift, *(trailing_zeros(slope) for slope in self.slopes if slope)])

    @property
    def result_range(self) -> tuple[int, int]:
        """The lowest and the highest result before saturation."""
        least, most = output_range(self.element_bits, True)
        half = 1 << self.shift >> 1
        ends = [x * slope + half >> self.shift for slope in self.slopes for x in (least, -1)]
        return min(0, *ends), max(most, *ends)

    @property
    def saturates(self) -> bool:
        """Whether any input has a result beyond the range."""
        lowest, highest = self.result_range
        least, most = output_range(self.element_bits, True)
        return lowest < least or highest > most

    @cached_property
    def product(self) -> MultiplyAddConfig:
        """What multiplies and rounds in each lane, where there is a multiplier: of a product only what is at least a half is looked at."""
        shift = self.shift - self.common_zeros
        operands = [slope >> self.common_zeros for slope in self.slopes] + [1 << shift]
        dropped = max(shift - 1, 0)
        least, most = self.result_range
        sum_bits = signed_bits(least, most) + shift - dropped
        return MultiplyAddConfig(
            self.element_bits,
            True,
            signed_bits(min(operands), max(operands)),
            sum_bits,
            dropped,
            self.multiplier,
        )

    @property
    def input_width(self) -> int:
        return self.lanes * self.element_bits

    @property
    def output_width(self) -> int:
        return self.lanes * self.element_bits

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
        if self.is_multiplier_free:
            return self.shifts[0].latency_cycles
        return self.product.latency_cycles + self.saturates

    @property
    def latency_cycles(self) -> int:
        """Cycles from the acceptance of a transfer to the offer of its result."""
        return self.pipeline_cycles + self.queue.latency_cycles

    @property
    def queue(self) -> FifoConfig:
        """What cuts the way of `ready`."""
        return output_queue(self.output_width, self.output_places)

    def component(self) -> PReLU:
        return PReLU(self)


class PReLU(wiring.Component):
    """See the module.

    Members
    -------
    i : In(stream.Signature(unsigned(lanes * element_bits))) - lane 0 least significant
    o : Out(stream.Signature(unsigned(lanes * element_bits))) - lane 0 least significant
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: PReLUConfig) -> None:
        self.config = config
        super().__init__(stage_ports(config.input_width, config.output_width))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        payload = Signal(config.output_width)
        enable = pipeline_enable(m, self, config.queue, config.pipeline_cycles, payload)
        make = self._shifted if config.is_multiplier_free else self._multiplied
        results = []
        next_group = self._next_group(m, enable)
        for lane in range(config.lanes):
            x = self.i.payload.word_select(lane, config.element_bits)
            results.append(make(m, lane, enable, x, next_group))
        m.d.comb += payload.eq(Cat(*results))
        return m

    def _next_group(self, m: Module, enable: Value) -> Signal:
        """The group of channels behind the one at hand."""
        groups = self.config.groups
        group = Signal(range(groups), init=1 % groups)
        is_last = Signal(init=groups == 2)
        with m.If(self.i.valid & enable):
            step_counter(m, group, is_last, groups)
        return group

    def _constant(
        self, m: Module, name: str, enable: Value, words: list[int], bits: int, next_group: Signal
    ) -> Value:
        """The word of the group at hand, from a register."""
        word = Signal(bits, name=name, init=words[0])
        if len(set(words)) > 1:
            with m.If(self.i.valid & enable):
                m.d.sync += word.eq(table_lookup(words, bits, next_group))
        return word

    def _shifted(self, m: Module, lane: int, enable: Value, x: Value, next_group: Signal) -> Value:
        config = self.config
        unit_config = config.shifts[lane]
        m.submodules[f"shift{lane}"] = unit = unit_config.component()
        words = [unit_config.code(slope) for slope in config.slopes[lane :: config.lanes]]
        code = self._constant(m, f"code{lane}", enable, words, unit_config.code_bits, next_group)
        m.d.comb += [unit.enable.eq(enable), unit.x.eq(x), unit.code.eq(code)]
        return unit.o

    def _multiplied(
        self, m: Module, lane: int, enable: Value, x: Value, next_group: Signal
    ) -> Value:
        config, product = self.config, self.config.product
        m.submodules[f"product{lane}"] = unit = multiply_add(product)
        shift, bits = config.shift - config.common_zeros, product.multiplier_bits
        words = [
            slope >> config.common_zeros & (1 << bits) - 1
            for slope in config.slopes[lane :: config.lanes]
        ]
        slope = self._constant(m, f"slope{lane}", enable, words, bits, next_group)
        m.d.comb += [
            unit.enable.eq(enable),
            unit.x.eq(x),
            unit.multiplier.eq(Mux(x[-1], slope, 1 << shift)),
            unit.addend.eq(int(shift > 0)),
        ]
        result = unit.o[shift - product.dropped :]
        least, most = config.result_range
        result = saturated(result, config.element_bits, is_signed=True, lowest=least, highest=most)
        return registers(m, enable, f"result{lane}", [result])[0] if config.saturates else result
