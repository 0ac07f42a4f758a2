"""`rbonn.hw.width_converter`: order, padding, latency, throughput."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.hw.width_converter import WidthConverterConfig

from .stream_driver import Stalls, drive

N_FRAMES = 4

CONFIGS = [
    WidthConverterConfig(*row)
    for row in (
        (1, 4, 4, 8),  # a wire
        (1, 1, 8, 24),  # widening
        (3, 2, 6, 12),
        (1, 5, 10, 10),
        (1, 8, 1, 16),  # narrowing
        (1, 8, 1, 21),  # the last byte has 5 bits
        (2, 4, 2, 10),
        (1, 8, 8, 8),
        (1, 16, 2, 6),  # less than one transfer a frame
        (1, 8, 4, 4),
        (1, 8, 8, 16),
        (1, 2, 3, 12),  # neither divides
        (1, 3, 2, 12),
        (4, 4, 6, 24),
        (1, 8, 3, 30),  # neither divides, and the frame ends inside a word
        (1, 8, 28, 28),
        (1, 2, 32, 96),  # a wide word
        (1, 2, 30, 60),  # one that is not quite
        (1, 24, 64, 128),  # a wide word that frames leave incomplete, shifted out again
        (1, 8, 12, 36),
        (1, 3, 7, 7),
        (1, 8, 5, 5),
    )
]


def frames(config: WidthConverterConfig, seed: int = 0) -> tuple[list[int], list[int]]:
    """Inputs, padding filled with ones and zeros at random, and the outputs they must give, for N_FRAMES frames."""
    rng = np.random.default_rng(seed)
    shape = (N_FRAMES, config.inputs_per_frame * config.i_lanes)
    elements = rng.integers(0, 1 << config.element_bits, shape)
    kept = elements[:, : config.elements_per_frame]
    return _pack(elements, config.i_lanes, config), _pack(kept, config.o_lanes, config)


def _pack(elements: np.ndarray, lanes: int, config: WidthConverterConfig) -> list[int]:
    return [
        sum(int(value) << (lane * config.element_bits) for lane, value in enumerate(group))
        for group in elements.reshape(-1, lanes)
    ]


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_elements_keep_their_order_at_the_documented_rate(config: WidthConverterConfig) -> None:
    inputs, expected = frames(config)
    run = drive(config.component(), inputs, n_outputs=len(expected))
    assert run.outputs == expected
    assert run.latency(0, 0) == config.latency_cycles
    intervals = run.intervals(config.outputs_per_frame)
    assert intervals[1:] == [config.interval_cycles] * (N_FRAMES - 2)


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_stalls_change_nothing(config: WidthConverterConfig) -> None:
    for seed in range(2):
        inputs, expected = frames(config, seed)
        run = drive(
            config.component(),
            inputs,
            n_outputs=len(expected),
            stalls=Stalls(seed),
            ready_after_valid=seed == 1,
        )
        assert run.outputs == expected


@pytest.mark.parametrize("config", CONFIGS[1:], ids=str)
def test_a_reset_starts_a_frame(config: WidthConverterConfig) -> None:
    inputs, expected = frames(config)
    for reset_after in (1, config.inputs_per_frame + 1):
        run = drive(config.component(), inputs, n_outputs=len(expected), reset_after=reset_after)
        assert run.outputs == expected


@settings(max_examples=40, deadline=None)
@given(
    element_bits=st.integers(1, 3),
    i_lanes=st.integers(1, 12),
    o_lanes=st.integers(1, 12),
    groups=st.integers(1, 4),
    seed=st.integers(0, 1000),
)
def test_any_lanes_convert_at_the_documented_rate_and_under_stalls(
    element_bits: int, i_lanes: int, o_lanes: int, groups: int, seed: int
) -> None:
    config = WidthConverterConfig(element_bits, i_lanes, o_lanes, o_lanes * groups)
    inputs, expected = frames(config, seed)
    run = drive(config.component(), inputs, n_outputs=len(expected))
    assert run.outputs == expected
    assert run.latency(0, 0) == config.latency_cycles
    assert run.intervals(config.outputs_per_frame)[1:] == [config.interval_cycles] * 2
    stalled = drive(config.component(), inputs, n_outputs=len(expected), stalls=Stalls(seed))
    assert stalled.outputs == expected


def test_without_a_rest_the_interval_is_the_larger_number_of_transfers() -> None:
    for config in CONFIGS:
        if config.elements_per_frame % config.i_lanes == 0:
            assert config.interval_cycles == max(config.inputs_per_frame, config.outputs_per_frame)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ((0, 1, 1, 1), "Element bits must be at least 1, not 0"),
        ((1, 0, 1, 1), "I lanes must be at least 1, not 0"),
        ((1, 1, -1, 1), "O lanes must be at least 1, not -1"),
        ((1, 1, 1, 0), "Elements per frame must be at least 1, not 0"),
        ((1, 1, 4, 10), "Elements per frame must be a multiple of o_lanes=4, not 10"),
    ],
)
def test_bad_parameters_are_refused(parameters: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        WidthConverterConfig(*parameters)
