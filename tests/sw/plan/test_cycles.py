"""`rbonn.sw.plan.cycles`: exact where an accelerator is small enough to be played, and a bound where it is not."""

from rbonn.hw.accelerator import AcceleratorConfig
from rbonn.sw.plan.cycles import Cycles, cycles_of
from rbonn.sw.plan.play import play
from rbonn.sw.plan.schedule import first_frame_latency

from ...random_accelerators import random_accelerator


def held_up() -> AcceleratorConfig:
    """An accelerator whose first frame is held up on its way."""
    return random_accelerator(6, 23).elaborate().config


def test_cycles_are_those_of_a_play() -> None:
    config = held_up()
    played, cycles = play(config), cycles_of(config)
    assert (cycles.latency, cycles.interval) == (played.first_frame_latency, played.interval)
    assert cycles.is_exact
    assert cycles.latency > first_frame_latency(config)


def test_what_takes_too_long_to_play_is_bounded() -> None:
    config = held_up()
    bound = cycles_of(config, most_steps=0)
    assert bound == Cycles(first_frame_latency(config), bound.interval, False)
    assert bound.interval == config.interval_cycles <= cycles_of(config).interval
