"""`rbonn.hw.preset_memory`: the order of the words, for border classes of every kind."""

import random

import pytest
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.hw.preset_memory import PresetMemoryConfig

WIDTH = 12


def config_of(rows: tuple[int, ...], columns: tuple[int, ...], groups: int, memory: str = "logic"):
    n_words = (max(rows) + 1) * (max(columns) + 1) * groups
    contents = tuple(random.Random(n_words).sample(range(1 << WIDTH), n_words))
    return PresetMemoryConfig(WIDTH, contents, groups, rows, columns, memory)


def expected(config: PresetMemoryConfig, frames: int) -> list[int]:
    """The words in the order of their use, straight from the definition of `contents`."""
    return [
        config.contents[(row * config.n_column_classes + column) * config.row_groups + group]
        for row in config.row_classes
        for column in config.column_classes
        for group in range(config.row_groups)
    ] * frames


def delivered(config: PresetMemoryConfig, n_words: int, seed: int) -> list[int]:
    memory = config.component()
    rng = random.Random(seed)
    words = []

    async def bench(ctx) -> None:
        await ctx.tick().repeat(2)
        while len(words) < n_words:
            ctx.set(memory.next, 0)
            while rng.random() < 0.3:
                await ctx.tick()
            words.append(ctx.get(memory.data))
            ctx.set(memory.next, 1)
            await ctx.tick()

    simulator = Simulator(memory)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return words


classes = st.lists(st.integers(0, 3), min_size=1, max_size=5).map(
    lambda raw: tuple(sorted(set(raw)).index(value) for value in raw)
)


@settings(max_examples=40, deadline=None)
@given(classes, classes, st.integers(1, 5), st.sampled_from(["block", "logic"]), st.integers(0, 99))
def test_words_come_pixel_by_pixel_and_frame_after_frame(
    rows: tuple[int, ...], columns: tuple[int, ...], groups: int, memory: str, seed: int
) -> None:
    config = config_of(rows, columns, groups, memory)
    words = expected(config, 2)
    assert delivered(config, len(words), seed) == words


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 0}, "Preset width must be at least 1, not 0"),
        ({"row_classes": (0, 2)}, "Preset row_classes must be numbered from 0 without gaps"),
        ({"column_classes": ()}, "Preset column_classes must be numbered from 0 without gaps"),
        ({"contents": (1, 2)}, "Preset contents must have 4 words, not 2"),
        ({"contents": (1, 2, 3, 16)}, "Preset words must have at most 4 bits"),
        ({"memory": "tape"}, "Preset memory must be one of .*, not 'tape'"),
    ],
)
def test_it_rejects(changes: dict, message: str) -> None:
    arguments = {"width": 4, "contents": (1, 2, 3, 4), "row_groups": 2, "row_classes": (0, 1)}
    with pytest.raises(ValueError, match=message):
        PresetMemoryConfig(**(arguments | changes))
