"""The processing-element array: a binary matrix times a stream of binary vectors, folded by PE and SIMD."""

from dataclasses import dataclass

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect

from .counter import step_counter
from .fifo import FifoConfig
from .popcount import PopcountConfig
from .primitives.block_memory import read_signature
from .processing_element import ProcessingElementConfig
from .replay import beats_signature

BACK_PRESSURE = ("enable", "credit")
WEIGHT_SOURCES = ("memory", "absorbed", "stream")


@dataclass(frozen=True)
class MatrixVectorConfig:
    """Shape and folding of a binary matrix-vector unit, and how a device does it best.

    Parameters
    ----------
    mh, mw : int - rows and columns of the matrix
    pe : int - rows computed at once; divides `mh`
    simd : int - columns computed at once; divides `mw`
    accumulator_bits : int - bits of presets and results, two's complement; every row's must fit
    output : str - "bits": whether preset + matches is at least 0; "sums": preset + 2 matches; "matches": the matches, without preset
    vectors_per_frame : int - at least 1
    form : str - how matches are counted, one of `primitives.COUNTING_FORMS`
    back_pressure : str - "enable": all registers wait while a result does; "credit": they never wait, and a row is finished only
        when its result has a place
    weights : str - "memory": a word for each beat; "absorbed": the memory counts the leaves; "stream": a second stream
    read_latency : int - cycles that memories take for a word, 1 or 2
    """

    mh: int
    mw: int
    pe: int
    simd: int
    accumulator_bits: int
    output: str = "bits"
    vectors_per_frame: int = 1
    form: str = "portable"
    back_pressure: str = "enable"
    weights: str = "memory"
    read_latency: int = 1

    def __post_init__(self) -> None:
        for name in ("mh", "mw", "pe", "simd", "vectors_per_frame"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)!r}")
        for name, part, whole in (("PE", self.pe, self.mh), ("SIMD", self.simd, self.mw)):
            if whole % part:
                allowed = [n for n in range(1, whole + 1) if whole % n == 0]
                what = "rows" if name == "PE" else "columns"
                raise ValueError(
                    f"{name} must divide the {what}, not {part} into {whole}; it may be one of {allowed}"
                )
        for name, allowed in (("back_pressure", BACK_PRESSURE), ("weights", WEIGHT_SOURCES)):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {allowed}, not {getattr(self, name)!r}")
        if self.read_latency not in (1, 2):
            raise ValueError(f"Read latency must be 1 or 2, not {self.read_latency!r}")
        assert self.element  # its own conditions

    @property
    def beats_per_row(self) -> int:
        """Synapse fold: transfers of `simd` columns that make a vector."""
        return self.mw // self.simd

    @property
    def row_groups(self) -> int:
        """Neuron fold: how often a vector is used."""
        return self.mh // self.pe

    @property
    def n_words(self) -> int:
        """Words of weights: one for each beat of all rows."""
        return self.row_groups * self.beats_per_row

    @property
    def element(self) -> ProcessingElementConfig:
        popcount = PopcountConfig(self.simd, self.form, self.weights == "absorbed")
        return ProcessingElementConfig(popcount, self.accumulator_bits, self.mw, self.output)

    @property
    def weight_bits(self) -> int:
        """Bits of a beat's weights for all elements."""
        return self.pe * self.element.popcount.weight_bits

    @property
    def element_bits(self) -> int:
        return self.element.output_bits

    @property
    def input_width(self) -> int:
        return self.simd

    @property
    def output_width(self) -> int:
        return self.pe * self.element_bits

    @property
    def inputs_per_frame(self) -> int:
        return self.vectors_per_frame * self.beats_per_row

    @property
    def outputs_per_frame(self) -> int:
        return self.vectors_per_frame * self.row_groups

    @property
    def interval_cycles(self) -> int:
        """Cycles per frame at full rate: one beat per cycle."""
        return self.vectors_per_frame * self.n_words

    @property
    def count_cycles(self) -> int:
        """Cycles from taking a beat to the one that accumulates it."""
        memories = self.read_latency * (2 if self.weights == "absorbed" else 1)
        return memories + self.element.popcount.latency_cycles

    @property
    def has_output_register(self) -> bool:
        """Whether results leave from registers of their own, not from the accumulators."""
        return self.back_pressure == "credit" or self.element.is_preset_last

    @property
    def latency_cycles(self) -> int:
        """Cycles from taking a row's last beat to the one in which its result is offered."""
        return self.count_cycles + 1 + self.has_output_register * self.queue.latency_cycles

    @property
    def queue(self) -> FifoConfig:
        """Places for results: with credits as many as rows are under way at full rate, so that there is never a bubble."""
        places = 1
        if self.back_pressure == "credit":
            # From giving a credit to having it back: the way of a row's last beat to the output, and a register.
            for places in range(1, self.count_cycles + 6):
                way = self.count_cycles + 1 + FifoConfig(1, places).latency_cycles + 1
                if places * self.beats_per_row >= way:
                    break
        return FifoConfig(self.output_width, places, memory="logic")

    def component(self) -> "MatrixVector":
        return MatrixVector(self)


class MatrixVector(wiring.Component):
    """Binary matrix-vector product: per row, preset + number of columns where weight and input agree.

    A vector of ``mw // simd`` beats, beat k holding columns k * simd and up, is read `row_groups` times: once for each group of `pe`
    rows. Vectors, weights and presets come through ports, in that order:

        beat, weights -> XNOR and popcount -> accumulator -> sign of preset + matches, or sum

    With p matches among N columns the signed sum is 2p - N. For bits the preset is minus the number of matches that
    the threshold asks for, so the sign is the answer and no comparator is needed. For sums the matches count twice and the preset
    is bias - N, so the result is the sum itself.

    A beat that is taken meets its weights `read_latency` cycles later. Bubbles move along, so the unit drains by itself.
    Throughput is one beat per cycle; the latency is stated by the `Config`.

    Members
    -------
    beats : Out(beats_signature(beats_per_row, simd)) - lane 0 least significant; 1 is +1
    o : Out(stream.Signature(pe * element_bits)) - row group 0 first, its lowest row least significant
    weights : Out(read_signature) - word ``row_group * beats_per_row + beat`` of `weight_bits` bits; only from a memory
    activations : Out(simd) - the beat that `weights.address` belongs to; only where leaves are absorbed
    i_weights : In(stream.Signature(weight_bits)) - the same words, one after the other; only where they are streamed
    enable : Out(1) - cycles in which the memories' data move on
    preset : In(pe * accumulator_bits) - of the rows of one result, row groups in turn; not for matches
    preset_next : Out(1) - moves on to the presets of the next result; `preset` follows `read_latency` enabled cycles later
    sums : Out(pe * accumulator_bits) - sums of a result, also where only their signs leave; for observation
    sums_strobe : Out(1) - high for one cycle with each result on `sums`
    """

    def __init__(self, config: MatrixVectorConfig) -> None:
        self.config = config
        members = {
            "beats": Out(beats_signature(config.beats_per_row, config.simd)),
            "o": Out(stream.Signature(unsigned(config.output_width))),
            "enable": Out(1),
            "preset": In(config.pe * config.element.preset_bits),
            "preset_next": Out(1),
            "sums": Out(config.pe * config.accumulator_bits),
            "sums_strobe": Out(1),
        }
        if config.weights == "stream":
            members["i_weights"] = In(stream.Signature(unsigned(config.weight_bits)))
        else:
            members["weights"] = Out(read_signature(config.n_words, config.weight_bits))
        if config.weights == "absorbed":
            members["activations"] = Out(config.simd)
        super().__init__(members)

    def elaborate(self, platform) -> Module:
        m = Module()
        config = self.config
        take, word, beat_is_last = self._sequence(m)

        # What belongs to a beat travels beside it; stage s is s enabled cycles after it was taken. Only the flags are reset.
        depth = config.count_cycles
        valid = self._travel(m, "valid", take, depth, reset_less=False)
        row_ends = self._travel(m, "row_ends", take & beat_is_last, depth + 1, reset_less=False)

        weights = self._weights(m, word)
        is_first = Signal(init=1)
        with m.If(self.enable & valid[depth]):
            m.d.sync += is_first.eq(row_ends[depth])

        # Presets have the memories' latency too; theirs ends where they are looked at.
        looked_at = depth + config.element.is_preset_last
        m.d.comb += self.preset_next.eq(self.enable & row_ends[looked_at - config.read_latency])

        results = []
        for index in range(config.pe):
            element = config.element.component()
            m.submodules[f"element{index}"] = element
            m.d.comb += [
                element.enable.eq(self.enable),
                element.activations.eq(self.beats.data),
                element.weights.eq(weights.word_select(index, len(element.weights))),
                element.accumulate.eq(valid[depth]),
                element.is_first.eq(is_first),
                self.sums.word_select(index, config.accumulator_bits).eq(element.sum),
            ]
            if config.element.preset_bits:
                m.d.comb += element.preset.eq(
                    self.preset.word_select(index, config.element.preset_bits)
                )
            results.append(element.o)
        m.d.comb += self.sums_strobe.eq(self.enable & row_ends[depth + 1])
        self._send(m, Cat(results), row_ends[depth + 1])
        return m

    def _sequence(self, m: Module) -> tuple[Value, Signal, Signal]:
        """Counts beats and words. Returns whether a beat is taken, the number of its word of weights, and whether it ends a row."""
        config = self.config
        beat, ends_row = Signal(range(config.beats_per_row)), Signal(init=config.beats_per_row == 1)
        word, is_last = Signal(range(config.n_words)), Signal(init=config.n_words == 1)
        take, go = Signal(), self.beats.available
        if config.weights == "stream":
            go = go & self.i_weights.valid
        if config.back_pressure == "credit":
            go = go & (self._has_credit(m, take & ends_row) | ~ends_row)
            m.d.comb += self.enable.eq(1)
        else:
            m.d.comb += self.enable.eq(~self.o.valid | self.o.ready)
        m.d.comb += [
            take.eq(go & self.enable),
            self.beats.word.eq(beat),
            self.beats.take.eq(take),
            self.beats.last.eq(is_last),
            self.beats.enable.eq(self.enable),
        ]
        with m.If(take):
            step_counter(m, beat, ends_row, config.beats_per_row)
            step_counter(m, word, is_last, config.n_words)
        return take, word, ends_row

    def _has_credit(self, m: Module, taken: Value) -> Signal:
        """Whether a result's place is free. A row takes it with its last beat and gives it back when its result leaves."""
        places = self.config.queue.depth
        has_credit, given_back = Signal(init=1), self.o.valid & self.o.ready
        if places == 1:
            with m.If(taken | given_back):
                m.d.sync += has_credit.eq(given_back)
            return has_credit
        free = Signal(range(places + 1), init=places)
        with m.If(taken & ~given_back):
            m.d.sync += [free.eq(free - 1), has_credit.eq(free != 1)]
        with m.Elif(given_back & ~taken):
            m.d.sync += [free.eq(free + 1), has_credit.eq(1)]
        return has_credit

    def _weights(self, m: Module, word: Signal) -> Value:
        """The weights of the beat that is on `beats.data`, or one memory's latency later where leaves are absorbed."""
        config = self.config
        if config.weights == "stream":
            m.d.comb += self.i_weights.ready.eq(self.beats.take)
            return self._travel(m, "weights", self.i_weights.payload, config.read_latency)[-1]
        at = config.read_latency if config.weights == "absorbed" else 0
        m.d.comb += [
            self.weights.address.eq(self._travel(m, "word", word, at)[-1]),
            self.weights.enable.eq(self.enable),
        ]
        if config.weights == "absorbed":
            m.d.comb += self.activations.eq(self.beats.data)
        return self.weights.data

    def _travel(
        self, m: Module, name: str, value: Value, stages: int, *, reset_less: bool = True
    ) -> list[Value]:
        """`value` and what it was 1, 2, ... `stages` enabled cycles before."""
        values = [value]
        for stage in range(1, stages + 1):
            register = Signal(len(value), name=f"{name}{stage}", reset_less=reset_less)
            with m.If(self.enable):
                m.d.sync += register.eq(values[-1])
            values.append(register)
        return values

    def _send(self, m: Module, results: Value, done: Value) -> None:
        """Offers `results` on the output, `done` being high while they are there."""
        config = self.config
        if not config.has_output_register:
            m.d.comb += [self.o.payload.eq(results), self.o.valid.eq(done)]
            return
        m.submodules.queue = queue = config.queue.component()
        m.d.comb += [queue.i.payload.eq(results), queue.i.valid.eq(done)]
        connect(m, queue.o, wiring.flipped(self.o))
