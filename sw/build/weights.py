"""The contents of an accelerator's memories as a file of their own, beside the bitstream that initialises them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...hw.accelerator import AcceleratorConfig
from ...hw.leaf_memory import LeafMemoryConfig
from ...hw.matrix_vector_layer import MatrixVectorLayerConfig

WEIGHTS = "weights.bin"
"""Name of the file."""


def weight_file(config: AcceleratorConfig) -> bytes:
    """Weights, then presets, of every matrix-vector layer in the order of the stream.

    Each memory word by word from address 0, each word in as many whole bytes as its bits need, least significant byte first.
    """
    return b"".join(_memories(config))


def _memories(config: AcceleratorConfig) -> Iterator[bytes]:
    for stage in config.stages:
        if isinstance(stage.config, MatrixVectorLayerConfig):
            unit, weights, presets = stage.config.unit, stage.config.weights, stage.config.presets
            if isinstance(weights, LeafMemoryConfig):
                yield _words(weights.contents, unit.pe * unit.simd)
            elif weights is not None:
                yield _words(weights.contents, weights.width)
            if presets is not None:
                yield _words(presets.table, presets.width)


def _words(words: Iterable[int], width: int) -> bytes:
    return b"".join(word.to_bytes(-(-width // 8), "little") for word in words)
