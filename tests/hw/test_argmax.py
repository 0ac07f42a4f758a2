"""`rbonn.hw.argmax`: running label, ties, signs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.hw.argmax import ArgMaxConfig

from .stream_driver import Stalls, drive


def transfers(scores: np.ndarray, config: ArgMaxConfig) -> tuple[list[int], list[int]]:
    """Input and output transfers for scores (image, class)."""
    codes = (scores & ((1 << config.score_bits) - 1)).ravel()
    labels = np.array(
        [[np.argmax(row[: k + 1]) for k in range(config.n_classes)] for row in scores]
    )
    last = np.zeros_like(scores)
    last[:, -1] = 1
    outputs = codes | labels.ravel() << config.score_bits
    outputs |= last.ravel() << (config.score_bits + config.label_bits)
    return codes.tolist(), outputs.tolist()


ROWS = [
    (4, [[1, 2, 3], [3, 2, 1], [-1, -3, -1], [2, 5, 5], [-8, -8, -8], [-8, 7, -8]]),
    (4, [[-1, 0], [0, 0], [7, -8]]),
    (3, [[-4], [0], [3]]),
    (1, [[-1, 0], [-1, -1], [0, -1]]),
    (11, [[-1024, 1023, -1, 0, 5, 1023, 7, 8, 9, 10], list(range(10)), list(range(9, -1, -1))]),
]


@pytest.mark.parametrize(("score_bits", "rows"), ROWS)
def test_the_label_is_the_lowest_of_the_largest_so_far(score_bits: int, rows: list) -> None:
    scores = np.array(rows)
    config = ArgMaxConfig(scores.shape[1], score_bits)
    inputs, expected = transfers(scores, config)
    run = drive(config.component(), inputs, n_outputs=len(expected))
    assert run.outputs == expected
    assert {run.latency(k, k) for k in range(len(inputs))} == {config.latency_cycles}
    assert set(run.intervals(config.outputs_per_frame)) == {config.interval_cycles}
    for seed in range(3):
        run = drive(
            config.component(),
            inputs,
            n_outputs=len(expected),
            stalls=Stalls(seed),
            ready_after_valid=seed == 1,
        )
        assert run.outputs == expected


def test_a_reset_starts_an_image() -> None:
    scores = np.array([[1, 3, 2], [0, 1, -1]])
    config = ArgMaxConfig(3, 3)
    inputs, expected = transfers(scores, config)
    for reset_after in (1, 2, 4):
        run = drive(config.component(), inputs, n_outputs=len(expected), reset_after=reset_after)
        assert run.outputs == expected


@settings(max_examples=30, deadline=None)
@given(n_classes=st.integers(1, 12), score_bits=st.integers(1, 12), seed=st.integers(0, 1000))
def test_any_scores_agree_with_numpy_under_stalls(
    n_classes: int, score_bits: int, seed: int
) -> None:
    half = 1 << score_bits - 1
    scores = np.random.default_rng(seed).integers(-half, half, (4, n_classes))
    config = ArgMaxConfig(n_classes, score_bits)
    inputs, expected = transfers(scores, config)
    run = drive(config.component(), inputs, n_outputs=len(expected), stalls=Stalls(seed))
    assert run.outputs == expected


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ((0, 8), "Number of classes must be at least 1, not 0"),
        ((10, 0), "Score bits must be at least 1, not 0"),
    ],
)
def test_bad_parameters_are_refused(parameters: tuple[int, int], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        ArgMaxConfig(*parameters)
