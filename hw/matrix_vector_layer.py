"""A matrix-vector unit with its weights and presets: one stage of the accelerator."""

from dataclasses import dataclass

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect

from .matrix_vector import MatrixVectorConfig
from .preset_memory import PresetMemoryConfig
from .stage import stage_ports
from .weight_memory import WeightMemoryConfig


@dataclass(frozen=True)
class MatrixVectorLayerConfig:
    """The three parts of a layer.

    Parameters
    ----------
    unit : MatrixVectorConfig
    weights : WeightMemoryConfig - row_groups * beats_per_row words of pe * simd bits
    presets : PresetMemoryConfig - words of pe * accumulator_bits bits, for as many pixels as the frame has vectors
    """

    unit: MatrixVectorConfig
    weights: WeightMemoryConfig
    presets: PresetMemoryConfig

    def __post_init__(self) -> None:
        unit = self.unit
        words, width = unit.row_groups * unit.beats_per_row, unit.pe * unit.simd
        if (self.weights.depth, self.weights.width) != (words, width):
            raise ValueError(
                f"Weights must be {words} words of {width} bits, not {self.weights.depth} of {self.weights.width}"
            )
        width = unit.pe * unit.accumulator_bits
        if (self.presets.row_groups, self.presets.width) != (unit.row_groups, width):
            raise ValueError(
                f"Presets must have {unit.row_groups} row groups of {width} bits, "
                f"not {self.presets.row_groups} of {self.presets.width}"
            )
        pixels = len(self.presets.row_classes) * len(self.presets.column_classes)
        if self.presets.has_border_classes and pixels != unit.vectors_per_frame:
            raise ValueError(
                f"Border classes must cover {unit.vectors_per_frame} pixels, not {pixels}"
            )

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
        return self.unit.latency_cycles

    def component(self) -> "MatrixVectorLayer":
        return MatrixVectorLayer(self)


class MatrixVectorLayer(wiring.Component):
    """Wires a `MatrixVector` to its `WeightMemory` and its `PresetMemory`. Timing is that of the unit.

    Members
    -------
    i, o, sums - those of `MatrixVector`
    i_load - that of `WeightMemory`, only where the weights are writable
    """

    def __init__(self, config: MatrixVectorLayerConfig) -> None:
        self.config = config
        unit = config.unit
        super().__init__(
            stage_ports(unit.input_width, unit.output_width)
            | {"sums": Out(unit.pe * unit.accumulator_bits)}
            | (
                {"i_load": In(stream.Signature(unsigned(config.weights.width)))}
                if config.weights.writable
                else {}
            )
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.unit = unit = self.config.unit.component()
        m.submodules.weights = weights = self.config.weights.component()
        m.submodules.presets = presets = self.config.presets.component()
        connect(m, wiring.flipped(self.i), unit.i)
        connect(m, unit.o, wiring.flipped(self.o))
        connect(m, unit.weights, weights.read)
        if self.config.weights.writable:
            connect(m, wiring.flipped(self.i_load), weights.i_load)
        m.d.comb += [
            presets.next.eq(unit.preset_next),
            unit.preset.eq(presets.data),
            self.sums.eq(unit.sums),
        ]
        return m
