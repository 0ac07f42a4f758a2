"""The processing-element array: a binary matrix times a stream of binary vectors, folded by PE and SIMD."""

from dataclasses import dataclass

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .counter import step_counter
from .popcount import Popcount, PopcountConfig
from .stage import stage_ports
from .weight_memory import read_signature


def least_accumulator_bits(simd: int, output: str) -> int:
    """Bits that an accumulator needs at least: those of one beat's count, counted twice for sums, and a sign."""
    return PopcountConfig(simd).output_bits + (output == "sums") + 1


@dataclass(frozen=True)
class MatrixVectorConfig:
    """Shape and folding of a binary matrix-vector unit.

    Parameters
    ----------
    mh, mw : int - rows and columns of the matrix
    pe : int - rows computed at once; divides `mh`
    simd : int - columns computed at once; divides `mw`
    accumulator_bits : int - width of the accumulators, two's complement; preset and result of every row must fit
    output : str - "bits": the accumulator's sign, inverted; "sums": the accumulator itself
    vectors_per_frame : int - at least 1
    """

    mh: int
    mw: int
    pe: int
    simd: int
    accumulator_bits: int
    output: str = "bits"
    vectors_per_frame: int = 1

    def __post_init__(self) -> None:
        for name in ("mh", "mw", "pe", "simd", "vectors_per_frame"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)!r}")
        if self.mh % self.pe:
            raise ValueError(f"PE must divide the rows, not {self.pe} into {self.mh}")
        if self.mw % self.simd:
            raise ValueError(f"SIMD must divide the columns, not {self.simd} into {self.mw}")
        if self.output not in ("bits", "sums"):
            raise ValueError(f"Output must be 'bits' or 'sums', not {self.output!r}")
        least = least_accumulator_bits(self.simd, self.output)
        if self.accumulator_bits < least:
            raise ValueError(
                f"Accumulator must have at least {least} bits for SIMD {self.simd}, not {self.accumulator_bits}"
            )

    @property
    def is_doubled(self) -> bool:
        """Whether the accumulator counts in halves of a match: a signed sum is twice the matches plus an odd or even constant."""
        return self.output == "sums"

    @property
    def beats_per_row(self) -> int:
        """Synapse fold: transfers of `simd` columns that make a vector."""
        return self.mw // self.simd

    @property
    def row_groups(self) -> int:
        """Neuron fold: how often a vector is sent."""
        return self.mh // self.pe

    @property
    def popcount(self) -> PopcountConfig:
        return PopcountConfig(self.simd)

    @property
    def element_bits(self) -> int:
        return 1 if self.output == "bits" else self.accumulator_bits

    @property
    def input_width(self) -> int:
        return self.simd

    @property
    def output_width(self) -> int:
        return self.pe * self.element_bits

    @property
    def inputs_per_frame(self) -> int:
        return self.vectors_per_frame * self.row_groups * self.beats_per_row

    @property
    def outputs_per_frame(self) -> int:
        return self.vectors_per_frame * self.row_groups

    @property
    def interval_cycles(self) -> int:
        """Cycles per frame at full rate: one beat per cycle."""
        return self.inputs_per_frame

    @property
    def latency_cycles(self) -> int:
        """Cycles from the transfer of a row group's last beat to the one in which its result can leave."""
        return 1 + self.popcount.latency_cycles + 1

    def component(self) -> "MatrixVector":
        return MatrixVector(self)


class MatrixVector(wiring.Component):
    """Binary matrix-vector product: per row, preset + number of columns where weight and input agree.

    A vector arrives as ``mw // simd`` beats, beat k holding columns k * simd and up, and the whole of it `row_groups` times: once for
    each group of `pe` rows. Weights and presets come from memories of their own, through ports, in that order:

        beat, weights -> XNOR -> popcount -> accumulator (starts at the preset) -> sign, or sum

    With p matches among N columns the signed sum is 2p - N. For bits the accumulator starts at minus the number of matches that
    the threshold asks for, so its sign is the answer and no comparator is needed. For sums it counts matches twice and starts at
    bias - N, so it ends at the sum itself.

    The pipeline moves as a whole when its output is empty or being taken; bubbles move along, so it drains by itself.
    Throughput is one beat per cycle; the latency is stated by the `Config`.

    Members
    -------
    i : In(stream.Signature(simd)) - lane 0 least significant; 1 is +1
    o : Out(stream.Signature(pe * element_bits)) - row group 0 first, its lowest row least significant
    weights : Out(read_signature) - word ``row_group * beats_per_row + beat``, of pe * simd bits
    preset : In(pe * accumulator_bits) - start values of the row group that begins next
    preset_next : Out(1) - high in the cycle in which `preset` is used
    sums : Out(pe * accumulator_bits) - the accumulators of the result on `o`, for observation
    """

    def __init__(self, config: MatrixVectorConfig) -> None:
        self.config = config
        accumulators = config.pe * config.accumulator_bits
        super().__init__(
            stage_ports(config.input_width, config.output_width)
            | {
                "weights": Out(
                    read_signature(
                        config.row_groups * config.beats_per_row, config.pe * config.simd
                    )
                ),
                "preset": In(accumulators),
                "preset_next": Out(1),
                "sums": Out(accumulators),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        config = self.config

        enable = Signal()
        take = Signal()
        m.d.comb += [
            enable.eq(~self.o.valid | self.o.ready),
            self.i.ready.eq(enable),
            take.eq(self.i.valid & enable),
        ]

        # Each beat meets its word of weights one cycle later: here the input waits for the memory.
        beat, beat_is_last = (
            Signal(range(config.beats_per_row)),
            Signal(init=config.beats_per_row == 1),
        )
        beat_is_first = Signal(init=1)
        n_words = config.row_groups * config.beats_per_row
        word, word_is_last = Signal(range(n_words)), Signal(init=n_words == 1)
        m.d.comb += [self.weights.address.eq(word), self.weights.enable.eq(take)]
        inputs = Signal(config.simd, reset_less=True)
        with m.If(take):
            step_counter(m, beat, beat_is_last, config.beats_per_row)
            step_counter(m, word, word_is_last, n_words)
            m.d.sync += [beat_is_first.eq(beat_is_last), inputs.eq(self.i.payload)]

        # First and last beat of a row travel beside the data. Only the valid flags are reset.
        depth = 1 + config.popcount.latency_cycles
        valid = [Signal(name=f"valid{k}") for k in range(depth)]
        is_first = [Signal(name=f"is_first{k}", reset_less=True) for k in range(depth)]
        is_last = [Signal(name=f"is_last{k}", reset_less=True) for k in range(depth)]
        with m.If(enable):
            for flags, flag in (
                (valid, self.i.valid),
                (is_first, beat_is_first),
                (is_last, beat_is_last),
            ):
                m.d.sync += Cat(flags).eq(Cat(flag, flags))

        # One processing element per row of the group.
        m.d.comb += self.preset_next.eq(enable & valid[-1] & is_first[-1])
        for pe in range(config.pe):
            popcount = Popcount(config.popcount)
            m.submodules[f"popcount{pe}"] = popcount
            weights = self.weights.data[pe * config.simd : (pe + 1) * config.simd]
            m.d.comb += [popcount.enable.eq(enable), popcount.i.eq(~(inputs ^ weights))]

            step = Cat(C(0, 1), popcount.o) if config.is_doubled else popcount.o
            preset = self.preset.word_select(pe, config.accumulator_bits)
            accumulator = Signal(config.accumulator_bits, name=f"accumulator{pe}", reset_less=True)
            with m.If(enable & valid[-1]):
                m.d.sync += accumulator.eq(Mux(is_first[-1], preset, accumulator) + step)

            m.d.comb += [
                self.sums.word_select(pe, config.accumulator_bits).eq(accumulator),
                self.o.payload.word_select(pe, config.element_bits).eq(
                    accumulator if config.output == "sums" else ~accumulator[-1]
                ),
            ]
        with m.If(enable):
            m.d.sync += self.o.valid.eq(valid[-1] & is_last[-1])
        return m
