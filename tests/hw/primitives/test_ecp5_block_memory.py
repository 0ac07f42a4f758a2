"""`rbonn.hw.primitives.ecp5.block_memory`: DP16KD, with the project's model of it, against an array of words."""

from __future__ import annotations

import random

import pytest
from rbonn.hw.primitives.block_memory import BlockMemoryConfig, block_memory
from rbonn.hw.primitives.ecp5.block_memory import Ecp5BlockMemory, block_width
from rbonn.sw.build.design import component_verilog

from .vectors import play

SHAPES = [
    (1, 1, 1, True),
    (36, 512, 2, False),
    (100, 40, 2, True),
    (37, 513, 1, True),
    (20, 1025, 2, True),
    (5, 2049, 1, False),
    (3, 4097, 2, True),
    (1, 8193, 2, True),
]


def expected_words(words: list[int], rows: list[dict[str, int]], latency: int) -> list[int | None]:
    """What `read__data` is while each row is applied, None after a collision and before the first read."""
    words, pipeline = list(words), [None] * latency
    seen: list[int | None] = []
    for row in rows:
        seen.append(pipeline[-1])
        if row["read__enable"]:
            collides = row["write__enable"] and row["write__address"] == row["read__address"]
            pipeline = [None if collides else words[row["read__address"]], *pipeline[:-1]]
        if row["write__enable"]:
            words[row["write__address"]] = row["write__data"]
    return seen


def random_rows(rng: random.Random, width: int, depth: int, writes: bool) -> list[dict[str, int]]:
    near = [rng.randrange(depth) for _ in range(8)]
    return [
        {
            "read__address": rng.choice(near) if cycle % 2 else rng.randrange(depth),
            "read__enable": int(rng.random() < 0.8),
            "write__address": rng.choice(near),
            "write__data": rng.getrandbits(width),
            "write__enable": int(writes and rng.random() < 0.5),
        }
        for cycle in range(400)
    ]


@pytest.mark.parametrize(("width", "depth", "latency", "writable"), SHAPES)
def test_words_are_read_after_the_latency_as_they_were_stated_or_written(
    width: int, depth: int, latency: int, writable: bool
) -> None:
    rng = random.Random(f"{width} {depth} {latency}")
    words = [rng.getrandbits(width) for _ in range(depth)]
    rows = random_rows(rng, width, depth, writable)
    config = BlockMemoryConfig(width, depth, tuple(words[:-1]), latency, writable, "ecp5")
    words[-1] = 0
    read = [row["read__data"] for row in play(component_verilog(block_memory(config)), rows, family="ecp5")]  # fmt: skip
    wanted = expected_words(words, rows, latency)
    assert [
        (cycle, got, want)
        for cycle, (got, want) in enumerate(zip(read, wanted, strict=True))
        if want is not None and got != want
    ] == []
    assert sum(want is not None for want in wanted) > 200


@pytest.mark.parametrize(("width", "depth", "blocks"), [(36, 512, 1), (37, 512, 2), (256, 144, 8), (18, 1024, 1), (19, 513, 2), (10, 2048, 2), (3, 16384, 3), (576, 64, 16)])  # fmt: skip
def test_it_is_made_of_as_few_cells_as_its_width_and_depth_allow(
    width: int, depth: int, blocks: int
) -> None:
    memory = Ecp5BlockMemory(BlockMemoryConfig(width, depth, form="ecp5"))
    assert memory.n_blocks == blocks
    assert component_verilog(memory).count("DP16KD #(") == blocks
    assert depth * block_width(depth) <= 18432
