"""`rbonn.hw.sliding_window` and the schedule behind its interval: windows, padding, rate."""

import dataclasses

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from rbonn.hw.sliding_window import SlidingWindowConfig

from .stream_driver import Run, Stalls, drive


def config(
    height: int, width: int, channels: int, lanes: int, kernel: tuple[int, int], stride: int, padding: int,
    element_bits: int = 1, pad_code: int = 0, memory: str = "block", outer_groups: int = 1,
) -> SlidingWindowConfig:  # fmt: skip
    return SlidingWindowConfig(
        height,
        width,
        channels,
        element_bits,
        lanes,
        *kernel,
        stride,
        padding,
        pad_code,
        memory,
        outer_groups,
    )


CONFIGS = [
    config(4, 4, 2, 2, (3, 3), 1, 1),
    config(4, 5, 4, 2, (3, 3), 1, 1),  # groups of lanes
    config(5, 4, 3, 1, (3, 3), 1, 1, element_bits=2, pad_code=3),
    config(5, 5, 1, 1, (3, 3), 1, 0),  # no padding
    config(5, 6, 2, 2, (3, 3), 2, 1),  # stride, with a rest on one side
    config(6, 6, 1, 1, (2, 2), 2, 0),  # as much to read as to load
    config(5, 7, 2, 2, (2, 3), 2, 1),  # not square
    config(7, 3, 2, 2, (3, 1), 1, 0),
    config(5, 5, 2, 2, (1, 1), 1, 0),
    config(5, 5, 2, 2, (1, 1), 2, 0),  # more to load than to read
    config(7, 6, 2, 2, (1, 1), 3, 0),  # rows are skipped
    config(8, 7, 1, 1, (2, 2), 3, 0),  # stride above kernel, rest on both sides
    config(4, 5, 2, 1, (5, 5), 1, 2),
    config(2, 2, 2, 2, (3, 3), 1, 1),  # the image is smaller than the kernel
    config(1, 1, 2, 1, (3, 3), 1, 1),  # one pixel
    config(1, 1, 1, 1, (1, 1), 1, 0),
    config(2, 1, 1, 1, (4, 4), 1, 3),
    config(1, 4, 1, 1, (1, 3), 1, 0),
    config(4, 3, 3, 3, (3, 3), 3, 2, element_bits=4, pad_code=9),
    config(4, 4, 2, 2, (3, 3), 1, 1, memory="logic"),
    config(4, 5, 4, 1, (3, 3), 1, 1, outer_groups=2),  # two words of each pixel in each group
    config(4, 5, 4, 2, (3, 3), 1, 1, outer_groups=2),  # one
    config(5, 4, 6, 1, (3, 2), 2, 1, element_bits=2, pad_code=3, outer_groups=3),
    config(4, 4, 6, 1, (3, 1), 1, 0, outer_groups=3),  # kernel rows of one pixel
    config(4, 3, 3, 1, (1, 1), 1, 0, outer_groups=3),
    config(3, 3, 2, 1, (1, 3), 2, 0, outer_groups=2),
    config(1, 1, 4, 1, (3, 3), 1, 1, outer_groups=4),
    config(5, 5, 4, 2, (2, 2), 3, 0, outer_groups=2),
]


def frames(
    config: SlidingWindowConfig, n_frames: int, seed: int = 0
) -> tuple[list[int], list[int]]:
    """Random input transfers of `n_frames` frames and the output transfers they must give."""
    rng = np.random.default_rng(seed)
    shape = (n_frames, config.height, config.width, config.channels)
    images = rng.integers(0, 1 << config.element_bits, shape)
    pad = config.padding
    padded = np.pad(
        images, ((0, 0), (pad, pad), (pad, pad), (0, 0)), constant_values=config.pad_code
    )
    windows = np.lib.stride_tricks.sliding_window_view(
        padded, (config.kernel_height, config.kernel_width), axis=(1, 2)
    )  # (frame, row, column, channel, kernel row, kernel column)
    windows = windows[:, :: config.stride, :: config.stride]
    windows = windows.reshape(*windows.shape[:3], config.outer_groups, -1, *windows.shape[4:])
    windows = windows.transpose(
        0, 1, 2, 3, 5, 6, 4
    )  # (..., outer group, kernel row, kernel column, channel)
    return _pack(images, config), _pack(windows, config)


def _pack(elements: np.ndarray, config: SlidingWindowConfig) -> list[int]:
    return [
        sum(int(value) << (lane * config.element_bits) for lane, value in enumerate(group))
        for group in elements.reshape(-1, config.lanes)
    ]


def check_rate(config: SlidingWindowConfig, run: Run) -> None:
    assert run.latency(0, 0) == config.latency_cycles
    assert run.intervals(config.outputs_per_frame)[-1] == config.interval_cycles


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_windows_come_in_order_at_the_documented_rate(config: SlidingWindowConfig) -> None:
    inputs, expected = frames(config, n_frames=5)
    run = drive(config.component(), inputs, n_outputs=len(expected))
    assert run.outputs == expected
    check_rate(config, run)


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_stalls_change_nothing(config: SlidingWindowConfig) -> None:
    for seed, names in enumerate((None, ("o",), ("i",))):
        inputs, expected = frames(config, n_frames=2, seed=seed)
        run = drive(
            config.component(),
            inputs,
            n_outputs=len(expected),
            stalls=Stalls(seed, names=names),
            ready_after_valid=seed == 1,
        )
        assert run.outputs == expected


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_a_reset_starts_a_frame(config: SlidingWindowConfig) -> None:
    inputs, expected = frames(config, n_frames=1)
    reset_after = config.inputs_per_frame // 2 + 1
    run = drive(config.component(), inputs, n_outputs=len(expected), reset_after=reset_after)
    assert run.outputs == expected


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_the_interval_is_the_larger_number_of_transfers(config: SlidingWindowConfig) -> None:
    assert config.interval_cycles == max(config.inputs_per_frame, config.outputs_per_frame)


def test_a_binary_3_x_3_layer_keeps_four_rows_of_a_power_of_two() -> None:
    layer = SlidingWindowConfig(14, 14, 16, 1, 16, 3, 3, stride=1, padding=1)
    assert layer.memory_shape == (4 * 16, 16)
    assert layer.interval_cycles == 14 * 14 * 9
    assert layer.latency_cycles == 2 * 14 + 2


def test_fewer_rows_cost_the_cycles_that_the_schedule_says() -> None:
    layer = SlidingWindowConfig(6, 6, 1, 1, 1, 3, 3, stride=1, padding=1)
    schedule = layer.schedule
    assert schedule.interval_cycles(layer.n_rows) == schedule.ideal_cycles == 6 * 6 * 9
    # With three rows, loading waits for reading and the other way round, but for two rows of the border.
    assert schedule.interval_cycles(3) == 6 * 6 * 9 + 4 * 6


configs = st.builds(
    lambda height, width, outer_groups, groups, lanes, kernel, stride, padding, bits, pad: config(
        height, width, outer_groups * groups * lanes, lanes, kernel, stride, min(padding, min(kernel) - 1), bits,
        pad % (1 << bits), outer_groups=outer_groups,
    )
    if min(height, width) + 2 * min(padding, min(kernel) - 1) >= max(kernel)
    else None,
    height=st.integers(1, 7),
    width=st.integers(1, 7),
    outer_groups=st.integers(1, 3),
    groups=st.integers(1, 2),
    lanes=st.integers(1, 2),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.integers(1, 4),
    padding=st.integers(0, 3),
    bits=st.integers(1, 2),
    pad=st.integers(0, 3),
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(config=configs, seed=st.integers(0, 1000))
def test_any_window_comes_in_order_at_the_documented_rate(
    config: SlidingWindowConfig | None, seed: int
) -> None:
    assume(config is not None and config.outputs_per_frame <= 400)
    inputs, expected = frames(config, n_frames=5, seed=seed)
    run = drive(config.component(), inputs, n_outputs=len(expected))
    assert run.outputs == expected
    check_rate(config, run)


@settings(max_examples=30, deadline=None)
@given(config=configs, seed=st.integers(0, 1000))
def test_any_window_survives_stalls(config: SlidingWindowConfig | None, seed: int) -> None:
    assume(config is not None and config.outputs_per_frame <= 300)
    inputs, expected = frames(config, n_frames=2, seed=seed)
    run = drive(config.component(), inputs, n_outputs=len(expected), stalls=Stalls(seed))
    assert run.outputs == expected


GOOD = SlidingWindowConfig(4, 4, 4, 1, 2, 3, 3, stride=1, padding=1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"height": 0}, "Height must be at least 1, not 0"),
        ({"kernel_width": 0}, "Kernel width must be at least 1, not 0"),
        ({"stride": 0}, "Stride must be at least 1, not 0"),
        ({"outer_groups": 0}, "Outer groups must be at least 1, not 0"),
        ({"outer_groups": 3}, "Outer groups must divide channels / lanes = 2, not 3"),
        ({"lanes": 3}, "Lanes must divide channels=4, not 3"),
        ({"padding": 3}, "Padding must be 0 to 2 for a 3 x 3 kernel, not 3"),
        ({"padding": -1}, "Padding must be 0 to 2 for a 3 x 3 kernel, not -1"),
        ({"pad_code": 2}, "Pad code must fit 1 unsigned bits, not 2"),
        ({"memory": "lut"}, "Memory must be 'block' or 'logic', not 'lut'"),
        (
            {"height": 2, "padding": 0},
            "Kernel must fit into the padded image, not 3 x 3 into 2 x 4",
        ),
    ],
)
def test_bad_parameters_are_refused(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        dataclasses.replace(GOOD, **change)
