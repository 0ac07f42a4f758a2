"""One matrix-vector layer: a replay buffer, the array, and the memories of its weights and presets."""

from dataclasses import dataclass, replace

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect

from .leaf_memory import LeafMemoryConfig
from .matrix_vector import MatrixVectorConfig
from .parity_popcount import ParityPopcountConfig
from .preset_memory import PresetMemoryConfig
from .replay import ReplayConfig
from .stage import stage_ports
from .weight_memory import WeightMemoryConfig


@dataclass(frozen=True)
class MatrixVectorLayerConfig:
    """The parts of a layer.

    Parameters
    ----------
    unit : MatrixVectorConfig
    weights : WeightMemoryConfig, LeafMemoryConfig or None - words of `unit.weight_bits` bits, one for each beat of all rows; leaf memories
        where leaves are absorbed; None where weights are streamed
    presets : PresetMemoryConfig or None - words of pe * accumulator_bits bits, for as many pixels as the frame has vectors; None for
        matches
    replay_memory, replay_form : str - what vectors are kept in: `memory` and `form` of `ReplayConfig`. "register", for vectors of one beat: in one
        register, and full rate asks that their producer offers the next one within the uses of the one before
    offer_latency : int - that of `ReplayConfig`: cycles from the offer of a vector to its first use from a register, 0 or 1
    """

    unit: MatrixVectorConfig
    weights: WeightMemoryConfig | LeafMemoryConfig | None
    presets: PresetMemoryConfig | None
    replay_memory: str = "block"
    replay_form: str = "portable"
    offer_latency: int = 0

    def __post_init__(self) -> None:
        self._check_weights()
        self._check_presets()
        if self.unit.form.startswith("ice40") and self.replay_memory == "lut_ram":
            raise ValueError(
                f"Replay memory on an iCE40 must be 'block' or 'logic', not 'lut_ram': {self.unit.form!r} has none"
            )
        for name, part in (
            ("Weights", self.weights),
            ("Presets", self.presets),
            ("Replay", self.replay),
        ):
            form = getattr(part, "form", "portable")
            if form == "ecp5" and self.unit.form.startswith("ice40"):
                raise ValueError(
                    f"{name} of a unit in the form {self.unit.form!r} must be in 'portable' block RAM, not {form!r}"
                )

    def _check_weights(self) -> None:
        unit, weights = self.unit, self.weights
        kinds = {"memory": WeightMemoryConfig, "absorbed": LeafMemoryConfig, "stream": type(None)}
        if not isinstance(weights, kinds[unit.weights]):
            raise TypeError(
                f"Weights of a unit with {unit.weights!r} weights must be {kinds[unit.weights].__name__}, not {type(weights).__name__}"
            )
        if weights is None:
            return
        if unit.form.startswith("ice40") and getattr(weights, "memory", "") == "lut_ram":
            raise ValueError(
                f"Weights on an iCE40 must be in 'block' or 'logic' memory, not 'lut_ram': {unit.form!r} has none"
            )
        if (weights.depth, weights.width) != (unit.n_words, unit.weight_bits):
            raise ValueError(
                f"Weights must be {unit.n_words} words of {unit.weight_bits} bits, not {weights.depth} of {weights.width}"
            )
        if weights.read_latency != unit.read_latency:
            raise ValueError(
                f"Weights must have the unit's read latency {unit.read_latency}, not {weights.read_latency}"
            )

    def _check_presets(self) -> None:
        unit, presets = self.unit, self.presets
        if unit.output == "matches" or presets is None:
            if (unit.output == "matches") != (presets is None):
                raise ValueError(
                    f"Presets must be given for bits and sums only, not {presets!r} for {unit.output}"
                )
            return
        width = unit.pe * unit.accumulator_bits
        if (presets.row_groups, presets.width) != (unit.row_groups, width):
            raise ValueError(
                f"Presets must have {unit.row_groups} row groups of {width} bits, "
                f"not {presets.row_groups} of {presets.width}"
            )
        if presets.read_latency != unit.read_latency:
            raise ValueError(
                f"Presets must have the unit's read latency {unit.read_latency}, not {presets.read_latency}"
            )
        pixels = len(presets.row_classes) * len(presets.column_classes)
        if presets.has_border_classes and pixels != unit.vectors_per_frame:
            raise ValueError(
                f"Border classes must cover {unit.vectors_per_frame} pixels, not {pixels}"
            )
        # Whatever is counted, 0 to the most, no row may leave the accumulator's range.
        element = unit.element
        most = (1 << unit.accumulator_bits - 1) - 1
        most -= element.most_matches * (1 + element.is_doubled)
        highest = max(presets.values(unit.accumulator_bits))
        if highest > most:
            raise ValueError(
                f"Presets must be at most {most} for {unit.mw} columns and accumulators of {unit.accumulator_bits} bits, not {highest}"
            )

    @property
    def stored_weights(self) -> WeightMemoryConfig | LeafMemoryConfig | None:
        """The weights as their memory has them: coded where the unit's are. A loader has to bring them so."""
        unit, weights = self.unit, self.weights
        tree = unit.element.popcount
        if not isinstance(tree, ParityPopcountConfig) or not isinstance(
            weights, WeightMemoryConfig
        ):
            return weights
        mask = (1 << unit.simd) - 1
        contents = tuple(
            sum(
                tree.coded_weights(word >> at & mask) << at
                for at in range(0, weights.width, unit.simd)
            )
            for word in weights.contents
        )
        return replace(weights, contents=contents)

    @property
    def replay(self) -> ReplayConfig:
        unit = self.unit
        tree = unit.element.popcount
        return ReplayConfig(
            unit.input_width,
            unit.transfers_per_vector,
            unit.uses,
            self.replay_memory,
            unit.read_latency,
            self.replay_form,
            self.offer_latency,
            tree if isinstance(tree, ParityPopcountConfig) else None,
        )

    @property
    def early_cycles(self) -> int:
        """Enabled cycles from the offer of a vector that is used at once to its transfer."""
        return self.replay.early_cycles

    @property
    def input_width(self) -> int:
        return self.unit.input_width

    @property
    def output_width(self) -> int:
        return self.unit.output_width

    @property
    def inputs_per_frame(self) -> int:
        return self.unit.inputs_per_frame

    @property
    def outputs_per_frame(self) -> int:
        return self.unit.outputs_per_frame

    @property
    def interval_cycles(self) -> int:
        return self.unit.interval_cycles

    @property
    def latency_cycles(self) -> int:
        """Cycles from the transfer of a vector's last beat to the one in which its first result is offered; `early_cycles` fewer.

        So from the offer of a vector that is kept in a register.
        """
        beats = self.unit.transfers_per_vector - 1 if self.replay.is_buffered else 0
        return self.replay.fill_cycles + beats + self.unit.latency_cycles

    def component(self) -> "MatrixVectorLayer":
        return MatrixVectorLayer(self)


class MatrixVectorLayer(wiring.Component):
    """Wires a `MatrixVector` to a `Replay` of its vectors, its weights and its `PresetMemory`: one stage of the accelerator.

    Each vector comes once, as ``mw // simd`` beats, and is kept while it is multiplied with one group of rows after the other. The next one
    loads meanwhile, or waits at the output of its producer, so at full rate there is no gap.

    Members
    -------
    i : In(stream.Signature(simd))
    o, sums, sums_strobe - those of `MatrixVector`
    i_load - that of `WeightMemory`, only where the weights are writable
    i_weights - that of `MatrixVector`, only where weights are streamed
    """

    def __init__(self, config: MatrixVectorLayerConfig) -> None:
        self.config = config
        unit = config.unit
        members = stage_ports(unit.input_width, unit.output_width) | {
            "sums": Out(unit.pe * unit.accumulator_bits),
            "sums_strobe": Out(1),
        }
        if isinstance(config.weights, WeightMemoryConfig) and config.weights.writable:
            members["i_load"] = In(stream.Signature(unsigned(config.weights.width)))
        if config.weights is None:
            members["i_weights"] = In(stream.Signature(unsigned(unit.weight_bits)))
        super().__init__(members)

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.unit = unit = self.config.unit.component()
        m.submodules.replay = replay = self.config.replay.component()
        connect(m, wiring.flipped(self.i), replay.i)
        connect(m, unit.beats, replay.beats)
        connect(m, unit.o, wiring.flipped(self.o))
        m.d.comb += [self.sums.eq(unit.sums), self.sums_strobe.eq(unit.sums_strobe)]

        stored = self.config.stored_weights
        if stored is None:
            connect(m, wiring.flipped(self.i_weights), unit.i_weights)
        else:
            m.submodules.weights = weights = stored.component()
            connect(m, unit.weights, weights.read)
            if isinstance(stored, LeafMemoryConfig):
                m.d.comb += weights.activations.eq(unit.activations)
            elif stored.writable:
                connect(m, wiring.flipped(self.i_load), weights.i_load)

        if self.config.presets is not None:
            m.submodules.presets = presets = self.config.presets.component()
            m.d.comb += [
                presets.enable.eq(unit.enable),
                presets.next.eq(unit.preset_next),
                unit.preset.eq(presets.data),
            ]
        return m
