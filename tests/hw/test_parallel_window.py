"""`rbonn.hw.parallel_window` and the schedule behind its cycles: windows, padding, rate."""

import dataclasses

import numpy as np
import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.hw.parallel_window import ParallelWindowConfig

from .stream_driver import Run, Stalls, drive

CONFIGS = [
    ParallelWindowConfig(*row)
    for row in (
        (4, 5, 2, 1, 3, 3, 1, 1),
        (5, 4, 1, 2, 3, 3, 1, 1, 3),
        (6, 6, 2, 1, 3, 3, 2, 1),
        (5, 5, 2, 1, 3, 3, 2, 1),  # the last window's lowest row is padding
        (5, 6, 1, 1, 3, 3, 1, 0),  # no padding
        (6, 6, 1, 1, 2, 2, 2, 0),
        (5, 7, 2, 1, 2, 3, 2, 1),  # not square
        (7, 3, 2, 1, 3, 1, 1, 0),
        (5, 5, 2, 1, 1, 1, 1, 0),
        (5, 5, 2, 1, 1, 1, 2, 0),
        (7, 6, 2, 1, 1, 1, 3, 0),  # rows and columns are skipped, a rest at the right
        (8, 7, 1, 1, 2, 2, 3, 0),  # stride above kernel, rest on both sides
        (5, 5, 1, 1, 5, 5, 1, 2),
        (2, 2, 2, 1, 3, 3, 1, 1),  # the image is smaller than the kernel
        (2, 3, 1, 2, 5, 5, 1, 2, 1),  # much smaller: windows wait for rows
        (1, 1, 2, 1, 3, 3, 1, 1),
        (1, 1, 1, 1, 1, 1, 1, 0),
        (2, 1, 1, 1, 4, 4, 1, 3),
        (1, 4, 1, 1, 1, 3, 1, 0),
        (4, 3, 3, 4, 3, 3, 3, 2, 9),
        (6, 2, 1, 1, 3, 1, 2, 0),  # one step per output row
        (7, 5, 1, 1, 4, 2, 2, 1),
    )
]
CONFIGS += [dataclasses.replace(config, back_pressure="direct") for config in CONFIGS]
CONFIGS += [dataclasses.replace(CONFIGS[0], memory=memory) for memory in ("block", "logic")]


def frames(
    config: ParallelWindowConfig, n_frames: int, seed: int = 0
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
    windows = windows[:, :: config.stride, :: config.stride].transpose(0, 1, 2, 4, 5, 3)
    taps = config.kernel_height * config.kernel_width
    return (
        _pack(images, config.channels, config.element_bits),
        _pack(windows, taps * config.channels, config.element_bits),
    )


def _pack(elements: np.ndarray, lanes: int, bits: int) -> list[int]:
    return [
        sum(int(value) << (lane * bits) for lane, value in enumerate(group))
        for group in elements.reshape(-1, lanes)
    ]


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_windows_come_in_order_at_the_documented_rate(config: ParallelWindowConfig) -> None:
    inputs, expected = frames(config, n_frames=5)
    run = drive(config.component(), inputs, n_outputs=len(expected))
    assert run.outputs == expected
    assert run.latency(0, 0) == config.latency_cycles
    assert run.intervals(config.outputs_per_frame)[-1] == config.interval_cycles


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_every_cycle_is_the_scheduled_one(config: ParallelWindowConfig) -> None:
    inputs, expected = frames(config, n_frames=4)
    run = drive(config.component(), inputs, n_outputs=len(expected))
    played = config.schedule.play([0] * len(inputs))
    assert run.input_cycles["i"] == played.accepted
    assert run.output_cycles == played.taken


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_stalls_change_nothing(config: ParallelWindowConfig) -> None:
    for seed, names in enumerate((None, ("o",), ("i",))):
        inputs, expected = frames(config, n_frames=3, seed=seed)
        run = drive(
            config.component(),
            inputs,
            n_outputs=len(expected),
            stalls=Stalls(seed, names=names),
            ready_after_valid=seed == 1,
        )
        assert run.outputs == expected


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_a_reset_starts_a_frame(config: ParallelWindowConfig) -> None:
    inputs, expected = frames(config, n_frames=1)
    for part in (2, 3):
        reset_after = -(-config.inputs_per_frame * (part - 1) // part)
        run = drive(config.component(), inputs, n_outputs=len(expected), reset_after=reset_after)
        assert run.outputs == expected


@st.composite
def configs(draw: st.DrawFn) -> ParallelWindowConfig:
    kernel = (draw(st.integers(1, 5)), draw(st.integers(1, 5)))
    padding = draw(st.integers(0, min(kernel) - 1))
    height, width = (draw(st.integers(max(1, k - 2 * padding), 8)) for k in kernel)
    bits = draw(st.integers(1, 2))
    return ParallelWindowConfig(
        height,
        width,
        draw(st.integers(1, 2)),
        bits,
        *kernel,
        draw(st.integers(1, 4)),
        padding,
        draw(st.integers(0, (1 << bits) - 1)),
        draw(st.sampled_from(("lut_ram", "block", "logic"))),
        draw(st.sampled_from(("registered", "direct"))),
    )


@settings(max_examples=80, deadline=None)
@given(config=configs(), seed=st.integers(0, 1000), stalled=st.sampled_from((None, "i", "o")))
def test_any_window_comes_in_order_and_on_schedule(
    config: ParallelWindowConfig, seed: int, stalled: str | None
) -> None:
    inputs, expected = frames(config, n_frames=4, seed=seed)
    stalls = Stalls(seed, names=(stalled,)) if stalled else None
    run = drive(config.component(), inputs, n_outputs=len(expected), stalls=stalls)
    assert run.outputs == expected
    if stalled != "o":
        # Inputs that were offered late were accepted as soon as they could be, or later.
        played = config.schedule.play(run.input_cycles["i"])
        assert (played.accepted, played.taken) == (run.input_cycles["i"], run.output_cycles)


class Paced(wiring.Component):
    """A stage between neighbours that take their time: so many cycles from a pixel to the next, and from a window to the next."""

    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: ParallelWindowConfig, input_cycles: int, output_cycles: int) -> None:
        self.stage = config.component()
        self.cycles = input_cycles, output_cycles
        super().__init__(self.stage.signature)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.stage = stage = self.stage
        waits = [Signal(range(cycles)) for cycles in self.cycles]
        offers, takes = (wait == 0 for wait in waits)
        m.d.comb += [
            stage.i.payload.eq(self.i.payload),
            stage.i.valid.eq(self.i.valid & offers),
            self.i.ready.eq(stage.i.ready & offers),
            self.o.payload.eq(stage.o.payload),
            self.o.valid.eq(stage.o.valid & takes),
            stage.o.ready.eq(self.o.ready & takes),
        ]
        for port, wait, cycles in zip((self.i, self.o), waits, self.cycles, strict=True):
            with m.If(port.valid & port.ready):
                m.d.sync += wait.eq(cycles - 1)
            with m.Elif(wait != 0):
                m.d.sync += wait.eq(wait - 1)
        return m


def paced(
    config: ParallelWindowConfig, n_frames: int, input_cycles: int, output_cycles: int
) -> Run:
    inputs, expected = frames(config, n_frames)
    run = drive(Paced(config, input_cycles, output_cycles), inputs, n_outputs=len(expected))
    assert run.outputs == expected
    return run


SAME = ParallelWindowConfig(5, 6, 1, 1, 3, 3, 1, 1)


@pytest.mark.parametrize("pace", [4, 5, 7])
@pytest.mark.parametrize("stride", [1, 2])
def test_between_paced_neighbours_no_cycle_is_lost(stride: int, pace: int) -> None:
    config = dataclasses.replace(SAME, height=6, stride=stride)
    run = paced(config, 4, pace, pace * stride**2)
    assert run.intervals(config.outputs_per_frame)[1:] == [config.inputs_per_frame * pace] * 2


@pytest.mark.parametrize(("source", "consumer"), [(1, 4), (4, 6), (6, 4), (1, 3)])
def test_the_slower_neighbour_sets_the_interval(source: int, consumer: int) -> None:
    run = paced(SAME, 4, source, consumer)
    assert run.intervals(SAME.outputs_per_frame)[1:] == [5 * 6 * max(source, consumer)] * 2


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_paced_cycles_are_the_scheduled_ones(config: ParallelWindowConfig) -> None:
    for source, consumer in ((3, 5), (1, 2), (1, 9)):
        run = paced(config, 5, source, consumer)
        played = config.schedule.play(
            [0] * (5 * config.inputs_per_frame), input_cycles=source, output_cycles=consumer
        )
        assert (run.input_cycles["i"], run.output_cycles) == (played.accepted, played.taken)
        interval = config.schedule.paced_interval(source, consumer)
        assert run.intervals(config.outputs_per_frame)[-1] == interval


@pytest.mark.parametrize("height", [8, 16, 32])
@pytest.mark.parametrize("stride", [1, 2])
def test_residual_networks_lose_no_cycle(height: int, stride: int) -> None:
    schedule = ParallelWindowConfig(height, height, 16, 1, 3, 3, stride, 1).schedule
    for pace in (4, 8, 16, 64):
        assert schedule.paced_interval(pace, pace * stride**2) == height * height * pace


def test_a_window_needs_no_pixel_after_its_lower_right_one() -> None:
    inputs, expected = frames(SAME, 1)
    for row in range(SAME.out_height):
        for column in range(SAME.out_width):
            n_inputs = 30 if row == 4 else (row + 1) * 6 + min(column + 1, 5) + 1
            n_outputs = row * 6 + column + 1
            run = drive(SAME.component(), inputs[:n_inputs], n_outputs=n_outputs, settle_cycles=0)
            assert run.outputs == expected[:n_outputs]


GOOD = ParallelWindowConfig(4, 4, 4, 1, 3, 3, stride=1, padding=1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"height": 0}, "Height must be at least 1, not 0"),
        ({"channels": 0}, "Channels must be at least 1, not 0"),
        ({"element_bits": -1}, "Element bits must be at least 1, not -1"),
        ({"kernel_width": 0}, "Kernel width must be at least 1, not 0"),
        ({"stride": 0}, "Stride must be at least 1, not 0"),
        ({"padding": 3}, "Padding must be 0 to 2 for a 3 x 3 kernel, not 3"),
        ({"padding": -1}, "Padding must be 0 to 2 for a 3 x 3 kernel, not -1"),
        ({"pad_code": 2}, "Pad code must fit 1 unsigned bits, not 2"),
        (
            {"back_pressure": "credit"},
            "Back pressure must be 'registered' or 'direct', not 'credit'",
        ),
        ({"memory": "lut"}, "Memory must be 'lut_ram', 'block' or 'logic', not 'lut'"),
        (
            {"height": 2, "padding": 0},
            "Kernel must fit into the padded image, not 3 x 3 into 2 x 4",
        ),
    ],
)
def test_bad_parameters_are_refused(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        dataclasses.replace(GOOD, **change)
