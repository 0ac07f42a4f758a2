"""One row of the array: counts the matches of each beat and accumulates them over a row."""

from dataclasses import dataclass

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .popcount import PopcountConfig
from .primitives import Lane

OUTPUTS = ("bits", "sums", "matches")


@dataclass(frozen=True)
class ProcessingElementConfig:
    """Shape of a processing element.

    Parameters
    ----------
    popcount : PopcountConfig
    accumulator_bits : int - bits of preset and result, two's complement; every result must fit
    most_matches : int - matches that a row can have, its number of columns
    output : str - "bits": whether preset + matches is at least 0; "sums": preset + 2 matches; "matches": the matches, without preset
    """

    popcount: PopcountConfig
    accumulator_bits: int
    most_matches: int
    output: str = "bits"

    def __post_init__(self) -> None:
        if self.output not in OUTPUTS:
            raise ValueError(f"Output must be one of {OUTPUTS}, not {self.output!r}")
        least = least_accumulator_bits(self.popcount.simd, self.output)
        if self.accumulator_bits < least:
            raise ValueError(
                f"Accumulator must have at least {least} bits for SIMD {self.popcount.simd}, "
                f"not {self.accumulator_bits}"
            )

    @property
    def preset_bits(self) -> int:
        return 0 if self.output == "matches" else self.accumulator_bits

    @property
    def is_preset_last(self) -> bool:
        """Whether the preset is added to the finished count, instead of being what the accumulator starts at."""
        return self.output != "matches" and self.popcount.counting.preset_last

    @property
    def register_bits(self) -> int:
        """Bits of the accumulator's register: it need not hold the preset's range where that comes last, nor the sums' lowest bit."""
        bits = self.accumulator_bits - (self.output == "sums")
        return min(bits, self.most_matches.bit_length()) if self.is_preset_last else bits

    @property
    def output_bits(self) -> int:
        return 1 if self.output == "bits" else self.accumulator_bits

    def component(self) -> "ProcessingElement":
        return ProcessingElement(self)


def least_accumulator_bits(simd: int, output: str) -> int:
    """Bits that an accumulator needs at least: those of one beat's count, counted twice for sums, and a sign where there is a preset."""
    return simd.bit_length() + (output == "sums") + (output != "matches")


class ProcessingElement(wiring.Component):
    """Counts and accumulates: ``sum = preset + step * matches of the row``, `step` being 2 for sums, else 1.

    A signed sum is preset + 2 matches, so its lowest bit is the preset's: the accumulator counts whole matches and the bit is
    appended.

    A beat is accumulated `config.popcount.latency_cycles` enabled cycles after it came; `accumulate` and `is_first` belong to the beat
    that is accumulated. The row's result is there in the cycle after its last beat was accumulated, until the next beat is.
    `preset` is looked at when a row's first beat is accumulated, or, where `is_preset_last`, while the result is there.

    Members
    -------
    enable : In(1)
    activations : In(simd)
    weights : In(popcount.weight_bits)
    accumulate, is_first : In(1)
    preset : In(preset_bits)
    o : Out(output_bits)
    sum : Out(accumulator_bits) - of which `o` is the whole or the sign
    """

    def __init__(self, config: ProcessingElementConfig) -> None:
        self.config = config
        super().__init__(
            {
                "enable": In(1),
                "activations": In(config.popcount.simd),
                "weights": In(config.popcount.weight_bits),
                "accumulate": In(1),
                "is_first": In(1),
                "preset": In(config.preset_bits),
                "o": Out(config.output_bits),
                "sum": Out(config.accumulator_bits),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        config = self.config
        counting = config.popcount.counting
        m.submodules.popcount = popcount = config.popcount.component()
        m.d.comb += [
            popcount.enable.eq(self.enable),
            popcount.activations.eq(self.activations),
            popcount.weights.eq(self.weights),
        ]

        doubled = config.output == "sums"
        preset = self.preset[doubled:] if config.preset_bits else C(0, config.accumulator_bits)
        starts_at_preset = config.preset_bits > 0 and not config.is_preset_last
        late = (
            Lane(popcount.late_activation, popcount.late_weight)
            if config.popcount.has_late_lane
            else None
        )
        accumulator = Signal(config.register_bits, reset_less=True)
        start = preset if starts_at_preset else C(0, len(accumulator))
        total = counting.accumulated(m, accumulator, popcount.o, late, start, self.is_first)
        step = self.enable & self.accumulate
        with m.If(step):
            m.d.sync += accumulator.eq(total)

        whole, lowest = accumulator, C(0, 0)
        if config.is_preset_last:
            padded = Cat(accumulator, C(0, len(preset) - len(accumulator)))
            whole, lowest = counting.result(m, padded, preset), self.preset[:doubled]
        elif doubled:
            lowest = Signal(1, name="lowest", reset_less=True)
            with m.If(step & self.is_first):
                m.d.sync += lowest.eq(self.preset[0])
        m.d.comb += [
            self.sum.eq(Cat(lowest, whole)),
            self.o.eq(~self.sum[-1] if config.output == "bits" else self.sum),
        ]
        return m
