"""`rbonn.hw.preset_memory`: the order of the words, for border classes of every kind."""

import random

import pytest
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.hw.preset_memory import PresetMemoryConfig

WIDTH = 12


def config_of(
    rows: tuple[int, ...], columns: tuple[int, ...], groups: int, memory: str, read_latency: int
) -> PresetMemoryConfig:
    n_words = (max(rows) + 1) * (max(columns) + 1) * groups
    contents = tuple(random.Random(n_words).sample(range(1 << WIDTH), n_words))
    return PresetMemoryConfig(WIDTH, contents, groups, rows, columns, memory, read_latency)


def expected(config: PresetMemoryConfig, frames: int) -> list[int]:
    """The words in the order of their use, straight from the definition of `contents`."""
    return [
        config.contents[(row * config.n_column_classes + column) * config.row_groups + group]
        for row in config.row_classes
        for column in config.column_classes
        for group in range(config.row_groups)
    ] * frames


def delivered(config: PresetMemoryConfig, n_words: int, seed: int) -> list[int]:
    """The word of each of `n_words` steps, read as long after the step as the config says, enabled cycles counted."""
    memory = config.component()
    rng = random.Random(seed)
    due: list[int] = []  # enabled cycles that each asked word still takes
    words = []

    async def bench(ctx) -> None:
        asked = 0
        while len(words) < n_words:
            enable, ask = rng.random() < 0.7, rng.random() < 0.6
            ctx.set(memory.enable, enable)
            ctx.set(memory.next, enable and ask)
            await ctx.tick()
            if not enable:
                continue
            if ask:
                due.append(config.read_latency)
                asked += 1
            due[:] = [cycles - 1 for cycles in due]
            if due and due[0] == 0:
                due.pop(0)
                words.append(ctx.get(memory.data))

    simulator = Simulator(memory)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return words


classes = st.lists(st.integers(0, 3), min_size=1, max_size=5).map(
    lambda raw: tuple(sorted(set(raw)).index(value) for value in raw)
)


@settings(max_examples=40, deadline=None)
@given(
    classes,
    classes,
    st.integers(1, 5),
    st.sampled_from(["block", "logic"]),
    st.integers(1, 2),
    st.integers(0, 99),
)
def test_words_come_pixel_by_pixel_and_frame_after_frame(
    rows: tuple[int, ...],
    columns: tuple[int, ...],
    groups: int,
    memory: str,
    read_latency: int,
    seed: int,
) -> None:
    config = config_of(rows, columns, groups, memory, read_latency)
    words = expected(config, 2)
    assert delivered(config, len(words), seed) == words


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 0}, "Preset width must be at least 1, not 0"),
        ({"row_classes": (0, 2)}, "Preset row_classes must be numbered from 0 without gaps"),
        ({"column_classes": ()}, "Preset column_classes must be numbered from 0 without gaps"),
        ({"row_groups": 0, "contents": ()}, "Preset row groups must be at least 1, not 0"),
        ({"contents": (1, 2)}, "Preset contents must have 4 words, not 2"),
        ({"contents": (1, 2, 3, 16)}, "Preset words must have at most 4 bits"),
        ({"read_latency": 0}, "Preset read latency must be 1 or 2, not 0"),
        ({"memory": "tape"}, "Preset memory must be one of .*, not 'tape'"),
    ],
)
def test_it_rejects(changes: dict, message: str) -> None:
    arguments = {"width": 4, "contents": (1, 2, 3, 4), "row_groups": 2, "row_classes": (0, 1)}
    with pytest.raises(ValueError, match=message):
        PresetMemoryConfig(**(arguments | changes))
