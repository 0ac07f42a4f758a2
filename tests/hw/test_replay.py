"""`rbonn.hw.replay`: what is read, when, and after a reset."""

import random

import pytest
from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.hw.replay import ReplayConfig
from rbonn.hw.stage import stage_ports

from .stream_driver import Stalls, drive


class Reader(wiring.Component):
    """Reads each vector as often as asked and sends what it reads, as fast as its output allows."""

    def __init__(self, config: ReplayConfig) -> None:
        self.config = config
        super().__init__(stage_ports(config.width, config.width))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.replay = replay = self.config.component()
        wiring.connect(m, wiring.flipped(self.i), replay.i)
        beats = replay.beats
        enable, word, turn = Signal(), Signal(8), Signal(8)
        pipeline = [Signal(name=f"valid{k}") for k in range(self.config.read_latency)]
        last_word = word == self.config.words - 1
        last_turn = turn == self.config.times - 1
        m.d.comb += [
            enable.eq(~self.o.valid | self.o.ready),
            beats.enable.eq(enable),
            beats.take.eq(beats.available & enable),
            beats.word.eq(word),
            beats.last.eq(last_word & last_turn),
            self.o.valid.eq(pipeline[-1]),
            self.o.payload.eq(beats.data),
        ]
        with m.If(enable):
            m.d.sync += Cat(pipeline).eq(Cat(beats.take, pipeline))
        with m.If(beats.take):
            m.d.sync += word.eq(Mux(last_word, 0, word + 1))
            with m.If(last_word):
                m.d.sync += turn.eq(Mux(last_turn, 0, turn + 1))
        return m


def vectors(config: ReplayConfig, n: int) -> tuple[list[int], list[int]]:
    rng = random.Random(n)
    sent = [[rng.getrandbits(config.width) for _ in range(config.words)] for _ in range(n)]
    return (
        [word for vector in sent for word in vector],
        [word for vector in sent for word in vector * config.times],
    )


CONFIGS = [
    ReplayConfig(width=5, words=1, times=2),
    ReplayConfig(width=1, words=3, times=2),
    ReplayConfig(width=4, words=2, times=5, read_latency=2),
    ReplayConfig(width=8, words=4, times=3, memory="logic"),
    ReplayConfig(width=8, words=5, times=2, memory="lut_ram"),
    ReplayConfig(width=6, words=3, times=1),
    ReplayConfig(width=6, words=1, times=1, read_latency=2),
    ReplayConfig(width=6, words=1, times=1, memory="register"),
    ReplayConfig(width=6, words=1, times=4, memory="register"),
    ReplayConfig(width=3, words=1, times=2, memory="register", read_latency=2),
    ReplayConfig(width=6, words=1, times=2, memory="register", offer_latency=1),
    ReplayConfig(width=3, words=1, times=3, memory="register", read_latency=2, offer_latency=1),
]


@pytest.mark.parametrize("config", CONFIGS)
def test_every_vector_is_read_as_often_as_asked_without_a_gap(config: ReplayConfig) -> None:
    inputs, expected = vectors(config, 6)
    run = drive(Reader(config), inputs, n_outputs=len(expected))
    assert run.outputs == expected
    assert set(run.intervals(config.words * config.times)) == {config.words * config.times}
    first_taken = run.latency(0, (config.words - 1) * config.is_buffered) - config.read_latency
    assert first_taken == config.fill_cycles - config.early_cycles


@pytest.mark.parametrize("offer_latency", [0, 1])
@pytest.mark.parametrize("read_latency", [1, 2])
def test_a_register_takes_a_word_for_its_first_use(read_latency: int, offer_latency: int) -> None:
    config = ReplayConfig(6, 1, 4, "register", read_latency, offer_latency=offer_latency)
    inputs, expected = vectors(config, 3)
    run = drive(Reader(config), inputs, n_outputs=len(expected))
    early = offer_latency + read_latency - 1
    assert run.input_cycles["i"] == [early, 4 + early, 8 + early]
    assert config.early_cycles == early


@settings(max_examples=20, deadline=None)
@given(
    st.integers(1, 6), st.integers(1, 6), st.integers(1, 5), st.integers(1, 2), st.integers(0, 99)
)
def test_stalls_do_not_change_what_is_read(
    width: int, words: int, times: int, read_latency: int, seed: int
) -> None:
    kinds = [("block", 0)]
    if words == 1:
        kinds += [("register", 0)] + [("register", 1)] * (times > 1)
    for memory, offer_latency in kinds:
        config = ReplayConfig(
            width, words, times, memory, read_latency, offer_latency=offer_latency
        )
        inputs, expected = vectors(config, 5)
        run = drive(Reader(config), inputs, n_outputs=len(expected), stalls=Stalls(seed))
        assert run.outputs == expected


@pytest.mark.parametrize("config", CONFIGS)
def test_a_consumer_that_waits_for_valid_gets_everything(config: ReplayConfig) -> None:
    inputs, expected = vectors(config, 5)
    run = drive(Reader(config), inputs, n_outputs=len(expected), ready_after_valid=True)
    assert run.outputs == expected


@pytest.mark.parametrize("config", CONFIGS)
def test_two_vectors_a_power_of_two_apart_are_stored(config: ReplayConfig) -> None:
    depth, width = config.memory_shape
    assert width == config.width
    is_kept = config.times > 1 and config.memory != "register"
    assert depth == (2 * 2 ** (config.words - 1).bit_length() if is_kept else 0)


@pytest.mark.parametrize("config", CONFIGS)
def test_a_reset_at_any_time_starts_afresh(config: ReplayConfig) -> None:
    inputs, expected = vectors(config, 5)
    for reset_after in range(1, min(3 * config.words + 1, len(inputs)) + 1):
        run = drive(Reader(config), inputs, n_outputs=len(expected), reset_after=reset_after)
        assert run.outputs == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"times": 0}, "Replay times must be at least 1, not 0"),
        ({"read_latency": 3}, "Replay read latency must be 1 or 2, not 3"),
        ({"words": 0}, "Replay words must be at least 1, not 0"),
        ({"width": 0}, "Replay width must be at least 1, not 0"),
        ({"memory": "tape"}, "Replay memory must be one of .*, not 'tape'"),
        ({"memory": "register"}, "Replay from a register must be of 1 word, not 2"),
        ({"offer_latency": 1}, "Replay offer latency must be 0, or 1 from a register, not 1"),
    ],
)
def test_it_rejects(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ReplayConfig(**({"width": 2, "words": 2, "times": 2} | changes))
