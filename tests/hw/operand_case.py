"""A layer with random weights, presets and inputs of any type, and what NumPy says comes out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rbonn.hw.bit_planes import BitPlanesConfig, code_offset
from rbonn.hw.integer_tree import IntegerTreeConfig
from rbonn.hw.leaf_memory import LeafMemoryConfig
from rbonn.hw.matrix_vector import MatrixVectorConfig
from rbonn.hw.matrix_vector_layer import MatrixVectorLayerConfig
from rbonn.hw.multiplier_tree import MultiplierTreeConfig
from rbonn.hw.operands import BITS, Bits, Integers, Operands, Products
from rbonn.hw.pair_sums import PairSumsConfig
from rbonn.hw.preset_memory import PresetMemoryConfig
from rbonn.hw.stage import StageConfig
from rbonn.hw.weight_memory import WeightMemoryConfig

from .series import Series
from .stream_driver import Run, drive


def packed(values: np.ndarray, bits: int) -> int:
    """A word of the values' two's complement codes, the first least significant."""
    mask = (1 << bits) - 1
    return sum((int(value) & mask) << (k * bits) for k, value in enumerate(values.ravel()))


@dataclass
class OperandCase:
    """`kind` is "bipolar", "planes", "integers" or "products"; `element_bits` and `signed` are of the activations.

    `mh` are rows of all groups together; `unit` are further options of `MatrixVectorConfig`.
    """

    kind: str
    mh: int
    mw: int
    pe: int
    simd: int
    element_bits: int = 8
    signed: bool = False
    weight_bits: int = 8
    multipliers: str = "inferred"
    output: str = "bits"
    groups: int = 1
    depthwise: bool = False
    pixels: int = 2
    n_frames: int = 2
    seed: int = 0
    unit: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        self.weights = self._random_weights(rng)
        n_vectors = self.n_frames * self.pixels
        self.n_shares = self.mh // self.pe if self.depthwise else self.groups
        vectors = self._random_inputs(rng, n_vectors)
        shares = self.weights.reshape(self.n_shares, self.mh // self.n_shares, self.mw)
        if self.depthwise:  # (vector, share, column, row of the share)
            sums = np.einsum("spc,vscp->vsp", shares, vectors)
        else:
            sums = np.einsum("src,vsc->vsr", shares, vectors)
        sums = sums.reshape(n_vectors, self.mh)

        operands = self._operands()
        absorbed = self.unit.get("weights") == "absorbed"
        offset = self._offset(operands.tree(self.simd, "portable", absorbed))
        step = 2 if self.kind == "bipolar" else 1
        thresholds = sums[rng.integers(0, n_vectors, self.mh), np.arange(self.mh)]
        bias = rng.integers(-20, 20, self.mh)
        if self.output == "bits":  # asks for as many counts as give at least the threshold
            presets = (
                (-thresholds - self.mw) // 2 if self.kind == "bipolar" else -thresholds - offset
            )
            results = sums >= thresholds
        elif self.output == "sums":
            presets, results = bias - offset, sums + bias
        else:
            presets, results = np.zeros(self.mh, np.int64), (sums + offset) // step
        self._configure(operands, presets, step if self.output == "sums" else 1)
        self._fill(vectors, results)

    def _random_weights(self, rng: np.random.Generator) -> np.ndarray:
        if self.kind != "products":
            return rng.choice([-1, 1], (self.mh, self.mw)).astype(np.int64)
        half = 1 << (self.weight_bits - 1)
        return rng.integers(-half, half, (self.mh, self.mw))

    def _random_inputs(self, rng: np.random.Generator, n_vectors: int) -> np.ndarray:
        shape = (n_vectors, self.n_shares, self.mw, *((self.pe,) if self.depthwise else ()))
        if self.kind == "bipolar":
            return rng.choice([-1, 1], shape).astype(np.int64)
        lowest = -(1 << (self.element_bits - 1)) if self.signed else 0
        return rng.integers(lowest, lowest + (1 << self.element_bits), shape)

    def _operands(self) -> Operands:
        match self.kind:
            case "planes":
                return Bits(self.element_bits)
            case "integers":
                return Integers(self.element_bits)
            case "products":
                return Products(self.element_bits, self.signed, self.weight_bits, self.multipliers)
            case _:
                return BITS

    def _offset(self, tree: Any) -> np.ndarray | int:
        if isinstance(tree, MultiplierTreeConfig):
            return tree.offset(self.weights)
        if isinstance(tree, IntegerTreeConfig):
            return tree.offset(self.weights, self.signed)
        if self.kind == "bipolar":
            return self.mw
        return code_offset(self.weights, self.element_bits, self.signed)

    def _configure(self, operands: Operands, presets: np.ndarray, step: int) -> None:
        mh, mw, pe, simd = self.mh, self.mw, self.pe, self.simd
        has_presets = self.output != "matches"
        latency = self.unit.get("read_latency", 1)
        options = {"groups": self.groups, "depthwise": self.depthwise, "operands": operands}
        # an accumulator wide enough for anything tells the most that a row can count
        wide = MatrixVectorConfig(
            mh, mw, pe, simd, 62, self.output, self.pixels, **self.unit, **options
        )
        highest = int(presets.max()) + wide.element.most_matches * step
        bits = max(highest, ~int(presets.min())).bit_length() + has_presets
        beat = wide.element.beat_most.bit_length() + wide.element.is_doubled + has_presets
        bits = max(bits, beat)
        unit = MatrixVectorConfig(
            mh, mw, pe, simd, bits, self.output, self.pixels, **self.unit, **options
        )
        tiles = self.weights.reshape(mh // pe, pe, mw // simd, simd).transpose(0, 2, 1, 3)
        codes = tiles if self.kind == "products" else tiles > 0
        weight_bits = self.weight_bits if self.kind == "products" else 1
        self.words = tuple(packed(word, weight_bits) for word in codes.reshape(-1, pe * simd))
        memory: Any = None
        if unit.weights == "memory":
            memory = WeightMemoryConfig(unit.weight_bits, self.words, read_latency=latency)
        elif unit.weights == "absorbed":
            memory = LeafMemoryConfig(pe, unit.element.popcount, self.words, read_latency=latency)
        table = PresetMemoryConfig(
            pe * bits,
            tuple(packed(group, bits) for group in presets.reshape(-1, pe)),
            mh // pe,
            read_latency=latency,
        )
        self.layer = MatrixVectorLayerConfig(unit, memory, table if has_presets else None)

    @property
    def front(self) -> list[StageConfig]:
        """The stage that prepares the inputs, if these operands need one."""
        lanes = self.simd * (self.pe if self.depthwise else 1)
        transfers = self.pixels * self.n_shares * self.mw // self.simd
        if self.kind == "planes":
            return [BitPlanesConfig(self.element_bits, lanes, transfers, self.signed)]
        if self.kind == "integers":
            return [PairSumsConfig(self.element_bits, lanes, transfers, self.signed)]
        return []

    def _fill(self, vectors: np.ndarray, results: np.ndarray) -> None:
        lanes = self.simd * (self.pe if self.depthwise else 1)
        codes = vectors > 0 if self.kind == "bipolar" else vectors
        bits = 1 if self.kind == "bipolar" else self.element_bits
        self.inputs = [packed(beat, bits) for beat in codes.reshape(-1, lanes)]
        element_bits = self.layer.unit.element_bits
        self.outputs = [packed(group, element_bits) for group in results.reshape(-1, self.pe)]
        self.streams = {"i": self.inputs}
        if self.layer.unit.weights == "stream":
            self.streams["i_weights"] = list(self.words) * (self.n_frames * self.pixels)

    def run(self, **options: Any) -> Run:
        names = tuple(name for name in self.streams if name != "i")
        series = Series(*self.front, self.layer, streams=names)
        return drive(series, self.streams, n_outputs=len(self.outputs), **options)
