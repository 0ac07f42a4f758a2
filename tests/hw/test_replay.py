"""`rbonn.hw.replay`: order, timing, reset."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.hw.replay import ReplayConfig

from .stream_driver import Stalls, drive


def frames(config: ReplayConfig, n: int) -> tuple[list[int], list[int]]:
    rng = random.Random(n)
    vectors = [
        [rng.getrandbits(config.width) for _ in range(config.words)]
        for _ in range(n * config.vectors_per_frame)
    ]
    return (
        [word for vector in vectors for word in vector],
        [word for vector in vectors for word in vector * config.times],
    )


CONFIGS = [
    ReplayConfig(width=5, words=1, times=2),
    ReplayConfig(width=1, words=3, times=2, vectors_per_frame=2),
    ReplayConfig(width=4, words=2, times=5, vectors_per_frame=3),
    ReplayConfig(width=8, words=4, times=3, memory="logic"),
]


@pytest.mark.parametrize("config", CONFIGS)
def test_every_vector_is_sent_as_often_as_asked_without_a_gap(config: ReplayConfig) -> None:
    inputs, expected = frames(config, 4)
    run = drive(config.component(), inputs, n_outputs=len(expected))
    assert run.outputs == expected
    assert set(run.intervals(config.outputs_per_frame)) == {config.interval_cycles}
    assert run.latency(0, config.words - 1) == config.latency_cycles


@settings(max_examples=15, deadline=None)
@given(
    st.integers(1, 6), st.integers(1, 6), st.integers(2, 5), st.integers(1, 2), st.integers(0, 99)
)
def test_stalls_do_not_change_what_is_sent(
    width: int, words: int, times: int, vectors: int, seed: int
) -> None:
    config = ReplayConfig(width=width, words=words, times=times, vectors_per_frame=vectors)
    inputs, expected = frames(config, 3)
    run = drive(config.component(), inputs, n_outputs=len(expected), stalls=Stalls(seed))
    assert run.outputs == expected


@pytest.mark.parametrize("config", CONFIGS)
def test_a_consumer_that_waits_for_valid_gets_everything(config: ReplayConfig) -> None:
    inputs, expected = frames(config, 3)
    run = drive(config.component(), inputs, n_outputs=len(expected), ready_after_valid=True)
    assert run.outputs == expected


@pytest.mark.parametrize("config", CONFIGS)
def test_two_vectors_a_power_of_two_apart_are_stored(config: ReplayConfig) -> None:
    depth, width = config.memory_shape
    assert width == config.width
    assert depth == 2 * 2 ** (config.words - 1).bit_length()


@pytest.mark.parametrize("config", CONFIGS)
def test_a_reset_at_any_time_starts_afresh(config: ReplayConfig) -> None:
    inputs, expected = frames(config, 3)
    for reset_after in range(1, min(3 * config.words + 1, len(inputs)) + 1):
        run = drive(config.component(), inputs, n_outputs=len(expected), reset_after=reset_after)
        assert run.outputs == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"times": 1}, "Replay times must be at least 2, not 1"),
        ({"words": 0}, "Replay words must be at least 1, not 0"),
        ({"width": 0}, "Replay width must be at least 1, not 0"),
        ({"memory": "tape"}, "Replay memory must be 'block' or 'logic', not 'tape'"),
    ],
)
def test_it_rejects(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ReplayConfig(**({"width": 2, "words": 2, "times": 2} | changes))
