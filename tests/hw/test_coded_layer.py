"""`MatrixVectorLayer` with coded lanes: equal to NumPy, at the stated rate, whatever stalls it."""

from typing import Any

import numpy as np
import pytest
from rbonn.hw.matrix_vector import MatrixVectorConfig
from rbonn.hw.matrix_vector_layer import MatrixVectorLayerConfig
from rbonn.hw.operands import Bits
from rbonn.hw.preset_memory import PresetMemoryConfig
from rbonn.hw.weight_memory import WeightMemoryConfig
from rbonn.sw.build.packing import preset_words, weight_words, words

from .stream_driver import Stalls, drive

SHAPES = [
    # mh, mw, pe, simd
    (4, 12, 2, 4),
    (6, 10, 2, 5),
    (4, 9, 1, 9),  # one beat a row: it is read in the cycle after it came
    (2, 16, 2, 8),  # used once: nothing is buffered
    (4, 6, 4, 1),
    (4, 34, 2, 17),
    (8, 64, 2, 32),
]


def layer(
    shape: tuple[int, int, int, int], form: str, output: str = "bits", **unit: Any
) -> tuple[MatrixVectorLayerConfig, np.ndarray, np.ndarray]:
    """The layer, its matrix and its presets."""
    mh, mw, pe, simd = shape
    rng = np.random.default_rng(mh * mw)
    matrix = rng.choice([-1, 1], (mh, mw))
    presets = -rng.integers(0, mw + 1, mh)
    bits = mw.bit_length() + 2
    config = MatrixVectorConfig(mh, mw, pe, simd, bits, output, 3, form=form, coded=True, **unit)
    starts = PresetMemoryConfig(pe * bits, preset_words(presets, pe, bits), mh // pe)
    weights = WeightMemoryConfig(pe * simd, weight_words(matrix, pe, simd))
    return MatrixVectorLayerConfig(config, weights, starts), matrix, presets


def expected_outputs(config: MatrixVectorLayerConfig, results: np.ndarray) -> list[int]:
    unit = config.unit
    return [
        word
        for row in results.astype(np.int64)
        for word in words(row.reshape(-1, unit.pe), unit.element_bits)
    ]


def beats(vectors: np.ndarray, simd: int) -> list[int]:
    return list(words((vectors.reshape(-1, simd) > 0).astype(np.int64), 1))


@pytest.mark.parametrize("stalls", [None, Stalls(seed=1), Stalls(seed=2, names=("o",))], ids=str)
@pytest.mark.parametrize("form", ["portable", "ice40_no_twins", "ice40_carry_lanes"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_bits_equal_numpys(
    shape: tuple[int, int, int, int], form: str, stalls: Stalls | None
) -> None:
    config, matrix, presets = layer(shape, form)
    vectors = np.random.default_rng(5).choice([-1, 1], (6, shape[1]))
    matches = (vectors @ matrix.T + shape[1]) // 2
    expected = expected_outputs(config, matches + presets >= 0)
    inputs = beats(vectors, shape[3])
    run = drive(config.component(), inputs, n_outputs=len(expected), stalls=stalls)
    assert run.outputs == expected
    if stalls is None:
        assert run.latency(0, shape[1] // shape[3] - 1) == config.latency_cycles
    if stalls is None and shape[0] > shape[2]:
        assert run.intervals(config.outputs_per_frame) == [config.interval_cycles]


@pytest.mark.parametrize("output_places", [1, 2])
@pytest.mark.parametrize("form", ["portable", "ice40_carry_lanes"])
def test_sums_equal_numpys(form: str, output_places: int) -> None:
    shape = (4, 34, 2, 17)
    config, matrix, presets = layer(shape, form, "sums", output_places=output_places)
    vectors = np.random.default_rng(5).choice([-1, 1], (3, shape[1]))
    matches = (vectors @ matrix.T + shape[1]) // 2
    expected = expected_outputs(config, presets + 2 * matches)
    run = drive(
        config.component(), beats(vectors, 17), n_outputs=len(expected), stalls=Stalls(seed=4)
    )
    assert run.outputs == expected


@pytest.mark.parametrize("form", ["portable", "ice40", "ice40_carry_lanes"])
def test_streamed_weights_come_coded(form: str) -> None:
    unit = MatrixVectorConfig(4, 32, 2, 8, 6, "matches", 1, form=form, weights="stream", coded=True)
    config = MatrixVectorLayerConfig(unit, None, None)
    rng = np.random.default_rng(6)
    matrix, vectors = rng.choice([-1, 1], (4, 32)), rng.choice([-1, 1], (3, 32))
    code = unit.element.popcount.coded_weights
    streamed = [
        code(word & 255) | code(word >> 8) << 8 for word in weight_words(matrix, 2, 8)
    ] * len(vectors)
    expected = expected_outputs(config, (vectors @ matrix.T + 32) // 2)
    run = drive(
        config.component(),
        {"i": beats(vectors, 8), "i_weights": streamed},
        n_outputs=len(expected),
        stalls=Stalls(seed=7),
    )
    assert run.outputs == expected


@pytest.mark.parametrize("reset_after", [1, 3, 7])
def test_a_reset_starts_anew(reset_after: int) -> None:
    config, matrix, presets = layer((6, 10, 2, 5), "ice40_carry_lanes")
    vectors = np.random.default_rng(8).choice([-1, 1], (4, 10))
    expected = expected_outputs(config, (vectors @ matrix.T + 10) // 2 + presets >= 0)
    run = drive(
        config.component(), beats(vectors, 5), n_outputs=len(expected), reset_after=reset_after
    )
    assert run.outputs == expected


def test_it_rejects_lanes_that_rows_do_not_share() -> None:
    with pytest.raises(ValueError, match="Coded lanes must be bits that all rows share"):
        MatrixVectorConfig(4, 8, 2, 4, 8, coded=True, operands=Bits(2))
    with pytest.raises(ValueError, match=r"Coded lanes must be bits .*, not .*absorbed"):
        MatrixVectorConfig(4, 8, 2, 4, 8, coded=True, weights="absorbed")
