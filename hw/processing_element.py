"""One row of the array: counts each beat and accumulates the counts over a row."""

from dataclasses import dataclass

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .beat_tree import BeatTreeConfig
from .primitives import Lane

OUTPUTS = ("bits", "sums", "matches")


@dataclass(frozen=True)
class ProcessingElementConfig:
    """Shape of a processing element.

    Parameters
    ----------
    popcount : BeatTreeConfig - what counts a beat: the matches of a `PopcountConfig`, or the products of another tree
    accumulator_bits : int - bits of preset and result, two's complement; every result must fit
    most_matches : int - the most that a row can count: for matches its number of columns
    output : str - "bits": whether preset + count is at least 0; "sums": preset + step * count; "matches": the count, without preset
    planes : int - bit planes of a beat, lowest first, at least 1
    is_unfolded : bool - whether every beat is a whole row, of one plane: its result then stands for one enabled cycle
    """

    popcount: BeatTreeConfig
    accumulator_bits: int
    most_matches: int
    output: str = "bits"
    planes: int = 1
    is_unfolded: bool = False

    def __post_init__(self) -> None:
        if self.output not in OUTPUTS:
            raise ValueError(f"Output must be one of {OUTPUTS}, not {self.output!r}")
        # Of matches nothing else says how far a row counts; of the others a layer compares the presets with the range.
        most = self.most_matches if self.output == "matches" else self.beat_most
        least = most.bit_length() + (self.output != "matches")
        if self.accumulator_bits < least:
            raise ValueError(
                f"Accumulator must have at least {least} bits for SIMD {self.popcount.simd}, "
                f"not {self.accumulator_bits}"
            )

    @property
    def beat_most(self) -> int:
        """The most that a beat can count, all its planes together."""
        return self.popcount.most * ((1 << self.planes) - 1)

    @property
    def is_doubled(self) -> bool:
        """Whether a count adds 2 to the result: matches do, to a sum of +1 and -1."""
        return self.output == "sums" and self.popcount.step == 2 and self.planes == 1

    @property
    def count_cycles(self) -> int:
        """Enabled cycles from a beat, or its last plane, to its count."""
        return self.popcount.latency_cycles + (self.planes > 1)

    @property
    def preset_bits(self) -> int:
        return 0 if self.output == "matches" else self.accumulator_bits

    @property
    def is_preset_last(self) -> bool:
        """Whether the accumulator starts at 0 and the preset is added to the row's count, instead of being what it starts at.

        Never for sums: there the adder would need all of its bits, as many as the choice of what to start at.
        """
        return self.popcount.counting.preset_last and self.output == "bits"

    @property
    def is_cleared(self) -> bool:
        """Whether a row's last beat leaves a cleared accumulator: where nothing is added to the sum, which can leave at once."""
        return self.popcount.counting.preset_last and self.output == "matches"

    @property
    def register_bits(self) -> int:
        """Bits of the accumulator's register: it need not hold the preset's range where that comes last, nor the sums' lowest bit."""
        bits = self.accumulator_bits - self.is_doubled
        starts_at_0 = self.is_preset_last or self.is_cleared
        return min(bits, self.most_matches.bit_length()) if starts_at_0 else bits

    @property
    def output_bits(self) -> int:
        return 1 if self.output == "bits" else self.accumulator_bits

    def component(self) -> "ProcessingElement":
        return ProcessingElement(self)


def least_accumulator_bits(simd: int, output: str) -> int:
    """Bits that an accumulator of matches needs at least: those of one beat's count, and where there is a preset one more.

    That one is the sign, or the bit that counting twice adds: the sum of any results that fit is right, whatever it passes on its way.
    """
    return simd.bit_length() + (output != "matches")


class ProcessingElement(wiring.Component):
    """Counts and accumulates: ``sum = preset + step * count of the row``, `step` being 2 for sums of matches, else 1.

    A signed sum is preset + 2 matches, so its lowest bit is the preset's: the accumulator counts whole matches and the bit is
    appended.

    Plane k of a beat counts 2 ** k times. The lowest comes first, and what has been counted is halved before each further plane: the bit that
    drops out is a bit of the beat's count, so the adder is no wider than two counts.

    A beat is accumulated `config.count_cycles` enabled cycles after it, or its last plane, came; `accumulate`, `is_first` and `is_last`
    belong to the beat that is accumulated.

    The preset may be where the accumulator starts: then it is looked at with a row's first beat, and the result is there after its
    last one, until the next beat is accumulated. Or, where `is_preset_last`, the accumulator starts at 0 and the preset is added behind it,
    then it is looked at while the result is there. A chain that adds the old accumulator even when a new one starts cannot add
    the late lane of a row's first beat: this is owed until the preset is added. Where `is_cleared`, the sum of a row's last beat is the
    result, in the same cycle, and the accumulator is cleared.

    Members
    -------
    enable : In(1)
    activations : In(popcount.activation_bits)
    weights : In(popcount.weight_bits)
    accumulate, is_first, is_last : In(1)
    weigh, is_first_plane : In(1) - of the plane that is counted one enabled cycle before its beat could be accumulated; only with planes
    preset : In(preset_bits)
    o : Out(output_bits)
    sum : Out(accumulator_bits) - of which `o` is the whole or the sign
    """

    def __init__(self, config: ProcessingElementConfig) -> None:
        self.config = config
        planes = {"weigh": In(1), "is_first_plane": In(1)} if config.planes > 1 else {}
        super().__init__(
            planes
            | {
                "enable": In(1),
                "activations": In(config.popcount.activation_bits),
                "weights": In(config.popcount.weight_bits),
                "accumulate": In(1),
                "is_first": In(1),
                "is_last": In(1),
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

        doubled = config.is_doubled
        preset = self.preset[doubled:] if config.preset_bits else C(0, config.accumulator_bits)
        late = (
            Lane(popcount.late_activation, popcount.late_weight)
            if config.popcount.has_late_lane
            else None
        )
        count = popcount.o
        if config.planes > 1:
            count, late = self._weighed(m, count, late), None
        accumulator = Signal(config.register_bits, reset_less=True)
        step = self.enable & self.accumulate
        if config.is_cleared:
            start, is_first = C(0, len(accumulator)), C(0, 1)
            total = counting.accumulated(m, accumulator, count, late, start, is_first)
            # Cleared in the first cycle after a reset too: a reset of its own would stand before the clearing, which then took a LUT for each bit.
            is_awake = Signal()
            m.d.sync += is_awake.eq(1)
            with m.If(step | ~is_awake):
                m.d.sync += accumulator.eq(Mux(self.is_last | ~is_awake, 0, total))
            whole, lowest = Cat(total, C(0, len(preset) - len(total))), C(0, 0)
        elif config.is_preset_last:
            total, owed = self._started_at_0(m, accumulator, count, late)
            with m.If(step):
                m.d.sync += accumulator.eq(total)
            padded = Cat(accumulator, C(0, len(preset) - len(accumulator)))
            whole, lowest = counting.result(m, padded, preset, owed), C(0, 0)
        else:
            start = preset[: len(accumulator)]
            is_first = self.is_first
            if config.is_unfolded:
                step, is_first = self.enable, C(1, 1)
            total = counting.accumulated(m, accumulator, count, late, start, is_first)
            with m.If(step):
                m.d.sync += accumulator.eq(total)
            whole, lowest = accumulator, Signal(int(doubled), name="lowest", reset_less=True)
            if doubled:
                with m.If(step & is_first):
                    m.d.sync += lowest.eq(self.preset[0])
        m.d.comb += [
            self.sum.eq(Cat(lowest, whole)),
            self.o.eq(~self.sum[-1] if config.output == "bits" else self.sum),
        ]
        return m

    def _started_at_0(
        self, m: Module, accumulator: Value, count: Value, late: Lane | None
    ) -> tuple[Value, Lane | None]:
        """What to accumulate, and what the result still has to add."""
        counting = self.config.popcount.counting
        if late is None:
            start = C(0, len(accumulator))
            return counting.accumulated(m, accumulator, count, None, start, self.is_first), None
        # `is_first` is high from one row's last beat to the next row's first: the last value held is that of the first beat.
        owed = Signal(reset_less=True)
        with m.If(self.enable & self.is_first):
            m.d.sync += owed.eq(late.match)
        return counting.accumulated_owing(m, accumulator, count, late, self.is_first), Lane(owed)

    def _weighed(self, m: Module, count: Value, late: Lane | None) -> Value:
        """Count of a beat from those of its planes, in the cycle after its last plane was counted."""
        config = self.config
        upper = Signal((2 * config.popcount.most - 1).bit_length(), reset_less=True)
        lower = Signal(config.planes - 1, reset_less=True)
        half, start = Cat(upper[1:], C(0, 1)), C(0, len(upper))
        total = config.popcount.counting.accumulated(
            m, half, count, late, start, self.is_first_plane
        )
        with m.If(self.enable & self.weigh):
            m.d.sync += [upper.eq(total), lower.eq(Cat(lower[1:], upper[0]))]
        return Cat(lower, upper)
