"""The processing-element array: a matrix times a stream of vectors, folded by PE and SIMD. Both are binary, unless `operands` say otherwise."""

from dataclasses import dataclass
from functools import cached_property

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect

from .beat_tree import BeatTreeConfig
from .counter import step_counter
from .fifo import FifoConfig
from .operands import BITS, Operands
from .parity_popcount import ParityPopcountConfig
from .primitives.block_memory import read_signature
from .processing_element import ProcessingElementConfig
from .replay import beats_signature

BACK_PRESSURE = ("enable", "credit")
WEIGHT_SOURCES = ("memory", "absorbed", "stream")


@dataclass(frozen=True)
class MatrixVectorConfig:
    """Shape and folding of a matrix-vector unit, and how a device does it best.

    Parameters
    ----------
    mh, mw : int - rows and columns of the matrix
    pe : int - rows computed at once; divides `mh`
    simd : int - columns computed at once; divides `mw`
    accumulator_bits : int - bits of presets and results, two's complement; every row's must fit
    output : str - "bits": whether preset + matches is at least 0; "sums": preset + 2 matches; "matches": the matches, without preset.
        Other operands count products instead of matches, and their sums once.
    vectors_per_frame : int - pixels of the output, at least 1: vectors of a frame, of each group of rows
    form : str - how matches are counted, one of `primitives.COUNTING_FORMS`
    back_pressure : str - "enable": all registers wait while a result does; "credit": they never wait, and a row is finished only
        when its result has a place
    weights : str - "memory": a word for each beat; "absorbed": the memory counts the leaves; "stream": a second stream
    read_latency : int - cycles that memories take for a word, 1 or 2
    output_places : int - results that wait behind the array, 0 to 2: two cut the path from `o.ready` to everything that waits, and cost a
        LUT for each bit that leaves; credits ask for as many as they need
    operands : Operands - what a lane multiplies
    groups : int - groups of rows, each with vectors of its own, one after the other; divides `mh`, and `pe` divides a group's rows
    coded : bool - activations and weights come coded for `ParityPopcount`; only bits that all rows share
    depthwise : bool - every row has columns of its own: lane k of row p of a row group is element ``k * pe + p`` of a transfer
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
    output_places: int = 1
    operands: Operands = BITS
    groups: int = 1
    depthwise: bool = False
    coded: bool = False

    def __post_init__(self) -> None:
        for name in ("mh", "mw", "pe", "simd", "vectors_per_frame", "groups"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)!r}")
        rows = "rows" if self.groups == 1 else "rows of a group"
        for name, part, what, whole in (
            ("Groups", self.groups, "rows", self.mh),
            ("PE", self.pe, rows, self.mh // self.groups),
            ("SIMD", self.simd, "columns", self.mw),
        ):
            if whole % part:
                allowed = [n for n in range(1, whole + 1) if whole % n == 0]
                raise ValueError(
                    f"{name} must divide the {what}, not {part} into {whole}; it may be one of {allowed}"
                )
        for name, allowed in (("back_pressure", BACK_PRESSURE), ("weights", WEIGHT_SOURCES)):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {allowed}, not {getattr(self, name)!r}")
        if self.read_latency not in (1, 2):
            raise ValueError(f"Read latency must be 1 or 2, not {self.read_latency!r}")
        if self.output_places not in (0, 1, 2):
            raise ValueError(f"Output places must be 0, 1 or 2, not {self.output_places!r}")
        if self.weights == "absorbed" and not self.operands.can_absorb:
            raise ValueError(f"Absorbed leaves must count matches of bits, not {self.operands}")
        if self.depthwise and not self.operands.is_lane_by_lane:
            raise ValueError(f"Depthwise operands must be Bits or Products, not {self.operands}")
        if self.depthwise and (self.groups > 1 or self.weights == "absorbed"):
            raise ValueError(
                "A depthwise unit must have one group and weights that are not absorbed, "
                f"not {self.groups} and {self.weights!r}"
            )
        if self.coded and (self.operands != BITS or self.depthwise or self.weights == "absorbed"):
            raise ValueError(
                "Coded lanes must be bits that all rows share and that no memory absorbs, "
                f"not {self.operands}, depthwise {self.depthwise}, weights {self.weights!r}"
            )
        assert self.element  # its own conditions

    @property
    def beats_per_row(self) -> int:
        """Synapse fold: transfers of `simd` columns that make a vector."""
        return self.mw // self.simd

    @property
    def row_groups(self) -> int:
        """Neuron fold: groups of `pe` rows that are computed one after the other."""
        return self.mh // self.pe

    @property
    def uses(self) -> int:
        """How often a vector is used: row groups that share it."""
        return 1 if self.depthwise else self.row_groups // self.groups

    @property
    def transfers_per_vector(self) -> int:
        """Transfers of a vector, each plane of a beat one."""
        return self.beats_per_row * self.operands.planes

    @property
    def n_words(self) -> int:
        """Words of weights: one for each beat of all rows."""
        return self.row_groups * self.beats_per_row

    @cached_property
    def element(self) -> ProcessingElementConfig:
        tree: BeatTreeConfig = ParityPopcountConfig(self.simd, self.form)
        if not self.coded:
            tree = self.operands.tree(self.simd, self.form, self.weights == "absorbed")
        planes = self.operands.planes
        most = self.beats_per_row * tree.most * ((1 << planes) - 1)
        return ProcessingElementConfig(
            tree, self.accumulator_bits, most, self.output, planes, self.transfers_per_vector == 1
        )

    @property
    def weight_bits(self) -> int:
        """Bits of a beat's weights for all elements."""
        return self.pe * self.element.popcount.weight_bits

    @property
    def element_bits(self) -> int:
        return self.element.output_bits

    @property
    def input_width(self) -> int:
        return self.element.popcount.activation_bits * (self.pe if self.depthwise else 1)

    @property
    def output_width(self) -> int:
        return self.pe * self.element_bits

    @property
    def inputs_per_frame(self) -> int:
        return self.vectors_per_frame * self.transfers_per_vector * (self.row_groups // self.uses)

    @property
    def outputs_per_frame(self) -> int:
        return self.vectors_per_frame * self.row_groups

    @property
    def interval_cycles(self) -> int:
        """Cycles per frame at full rate: one beat, or one plane of it, per cycle."""
        return self.vectors_per_frame * self.row_groups * self.transfers_per_vector

    @property
    def count_cycles(self) -> int:
        """Cycles from taking a beat to the one that accumulates it."""
        memories = self.read_latency * (2 if self.weights == "absorbed" else 1)
        return memories + self.element.count_cycles

    @property
    def result_cycles(self) -> int:
        """Cycles from taking a row's last beat to the one in which its result is computed."""
        return self.count_cycles + (not self.element.is_cleared)

    @property
    def looks_ahead(self) -> bool:
        """Whether a flip-flop says that everything waits, not the output: one cycle is lost each time a result has had to wait."""
        return (
            self.back_pressure == "enable"
            and self.queue.depth == 1
            and self.transfers_per_vector > 1
        )

    @property
    def latency_cycles(self) -> int:
        """Cycles from taking a row's last beat to the one in which its result is offered."""
        return self.result_cycles + self.queue.latency_cycles

    @property
    def queue(self) -> FifoConfig:
        """Places for results: with credits as many as rows are under way at full rate, so that there is never a bubble."""
        places = self.output_places
        if self.back_pressure == "credit":
            # From giving a credit to having it back: the way of a row's last beat to the output, and two registers.
            for places in range(1, self.count_cycles + 6):
                way = self.result_cycles + FifoConfig(1, places).latency_cycles + 2
                if places * self.transfers_per_vector >= way:
                    break
        has_lut_ram = self.form == "ecp5"
        return FifoConfig(self.output_width, places, memory="lut_ram" if has_lut_ram else "logic")

    def component(self) -> "MatrixVector":
        return MatrixVector(self)


class MatrixVector(wiring.Component):
    """Matrix-vector product: per row, preset + number of columns where weight and input agree, or their products.

    A vector of ``mw // simd`` beats, beat k holding columns k * simd and up, is read `uses` times: once for each group of `pe`
    rows that it meets. Vectors, weights and presets come through ports, in that order:

        beat, weights -> XNOR and popcount -> accumulator -> sign of preset + matches, or sum

    With p matches among N columns the signed sum is 2p - N. For bits the preset is minus the number of matches that
    the threshold asks for, so the sign is the answer and no comparator is needed. For sums the matches count twice and the preset
    is bias - N, so the result is the sum itself. Other operands are counted as unsigned codes; the preset takes back what that adds
    (`bit_planes.code_offset`, `IntegerTreeConfig.offset`, `MultiplierTreeConfig.offset`), and the sum is preset + count.

    A grouped convolution has `groups` groups of rows, and a frame's vectors are in turn for one group after the other. In a depthwise one
    every transfer holds the lanes of `pe` rows, and each vector is for the next `pe` rows.

    A beat that is taken meets its weights `read_latency` cycles later. Bubbles move along, so the unit drains by itself.
    Throughput is one beat per cycle, or one bit plane of it; the latency is stated by the `Config`.

    Members
    -------
    beats : Out(beats_signature(transfers_per_vector, input_width)) - lane 0 least significant; 1 is +1
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
            "beats": Out(beats_signature(config.transfers_per_vector, config.input_width)),
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
        take, word, beat_ends, row_end = self._sequence(m)

        # What belongs to a beat travels beside it; stage s is s enabled cycles after it was taken. Only the flags are reset.
        depth = config.count_cycles
        counted = self._travel(m, "counted", take & beat_ends, depth, reset_less=False)
        row_ends = self._travel(m, "row_ends", take & row_end, depth + 1, reset_less=False)
        done = row_ends[config.result_cycles]
        m.submodules.queue = queue = config.queue.component()
        connect(m, queue.o, wiring.flipped(self.o))
        m.d.comb += self.enable.eq(self._moves(m, row_ends, queue))

        weights = self._weights(m, word, beat_ends)
        is_later = Signal()  # inverted: an ECP5's carry cells load while a pin is 0
        with m.If(self.enable & counted[depth]):
            m.d.sync += is_later.eq(~row_ends[depth])
        is_first_plane, weigh = Signal(init=1), C(0)
        if config.operands.planes > 1:
            weigh = self._travel(m, "weigh", take, depth - 1, reset_less=False)[-1]
            with m.If(self.enable & weigh):
                m.d.sync += is_first_plane.eq(counted[depth - 1])

        # Presets have the memories' latency too; theirs ends where they are looked at.
        looked_at = depth + config.element.is_preset_last
        m.d.comb += self.preset_next.eq(self.enable & row_ends[looked_at - config.read_latency])

        results = []
        for index in range(config.pe):
            element = config.element.component()
            m.submodules[f"element{index}"] = element
            m.d.comb += [
                element.enable.eq(self.enable),
                element.activations.eq(self._activations(index)),
                element.weights.eq(weights.word_select(index, len(element.weights))),
                element.accumulate.eq(counted[depth]),
                element.is_first.eq(~is_later),
                element.is_last.eq(row_ends[depth]),
                self.sums.word_select(index, config.accumulator_bits).eq(element.sum),
            ]
            if config.operands.planes > 1:
                m.d.comb += [element.weigh.eq(weigh), element.is_first_plane.eq(is_first_plane)]
            if config.element.preset_bits:
                m.d.comb += element.preset.eq(
                    self.preset.word_select(index, config.element.preset_bits)
                )
            results.append(element.o)
        m.d.comb += [
            queue.i.payload.eq(Cat(results)),
            queue.i.valid.eq(done & self.enable if config.looks_ahead else done),
            self.sums_strobe.eq(self.enable & done),
        ]
        return m

    def _moves(self, m: Module, row_ends: list[Value], queue: wiring.Component) -> Value:
        """Whether everything moves: always with credits, else unless a result waits for its place."""
        config = self.config
        if config.back_pressure == "credit":
            return C(1, 1)
        done, next_done = row_ends[config.result_cycles], row_ends[config.result_cycles - 1]
        if not config.looks_ahead:
            return ~done | queue.i.ready
        # Rows end at least two cycles apart, so a place that is taken now and not left is taken in the next cycle too.
        waits = Signal()
        m.d.sync += waits.eq(Mux(waits, done, next_done) & self.o.valid & ~self.o.ready)
        return ~waits

    def _activations(self, index: int) -> Value:
        """Lanes of the processing element `index`: all of a beat, or in a depthwise unit every `pe`-th."""
        config, data = self.config, self.beats.data
        if not config.depthwise:
            return data
        bits = len(data) // (config.pe * config.simd)
        return Cat(data.word_select(k * config.pe + index, bits) for k in range(config.simd))

    def _sequence(self, m: Module) -> tuple[Value, Signal, Signal, Signal]:
        """Counts transfers and words of weights.

        Returns whether a transfer is taken, the number of its word, and whether it is the last one of its beat and of its row.
        """
        config = self.config
        planes, n_transfers, n_uses = (
            config.operands.planes,
            config.transfers_per_vector,
            config.uses,
        )
        plane, beat_ends = Signal(range(planes)), Signal(init=planes == 1)
        beat, ends_row = Signal(range(n_transfers)), Signal(init=n_transfers == 1)
        use, is_last_use = Signal(range(n_uses)), Signal(init=n_uses == 1)
        word, is_last_word = Signal(range(config.n_words)), Signal(init=config.n_words == 1)
        # Where all row groups share a vector, the last word of weights tells its last use, and uses need no counter. The vector's end is a
        # register, or the one that tells the last use where each use, or each word, is one transfer.
        has_groups = n_uses < config.row_groups
        in_last_use = is_last_use if has_groups else is_last_word
        is_last = Signal()
        if n_transfers == 1 or (planes == 1 and not has_groups):
            m.d.comb += is_last.eq(in_last_use)
        take, go = Signal(), self.beats.available
        if config.weights == "stream":
            go = go & self.i_weights.valid
        if config.back_pressure == "credit":
            go = go & (self._has_credit(m, take & ends_row) | ~ends_row)
        m.d.comb += [
            take.eq(go & self.enable),
            self.beats.word.eq(beat),
            self.beats.take.eq(take),
            self.beats.last.eq(is_last),
            self.beats.enable.eq(self.enable),
        ]
        with m.If(take):
            step_counter(m, plane, beat_ends, planes)
            step_counter(m, beat, ends_row, n_transfers)
            with m.If(beat_ends):
                step_counter(m, word, is_last_word, config.n_words)
            if n_transfers > 1 and (planes > 1 or has_groups):
                m.d.sync += is_last.eq((beat == n_transfers - 2) & in_last_use)
            if has_groups:
                with m.If(ends_row):
                    step_counter(m, use, is_last_use, n_uses)
        return take, word, beat_ends, ends_row

    def _has_credit(self, m: Module, taken: Value) -> Signal:
        """Whether a result's place is free. A row takes it with its last beat and gives it back when its result leaves."""
        places = self.config.queue.depth
        has_credit, given_back = Signal(init=1), Signal()
        # A register ends the path from `o.ready`, which may come from far.
        m.d.sync += given_back.eq(self.o.valid & self.o.ready)
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

    def _weights(self, m: Module, word: Signal, beat_ends: Signal) -> Value:
        """The weights of the beat that is on `beats.data`, or one memory's latency later where leaves are absorbed."""
        config = self.config
        if config.weights == "stream":
            m.d.comb += self.i_weights.ready.eq(self.beats.take & beat_ends)
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
