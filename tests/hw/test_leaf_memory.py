"""`rbonn.hw.leaf_memory`: shapes, limits; contents are tested with the layer and proved with the popcount."""

import pytest
from rbonn.hw.leaf_memory import LeafMemoryConfig
from rbonn.hw.popcount import PopcountConfig

POPCOUNT = PopcountConfig(8, "ice40", absorbed=True)


@pytest.mark.parametrize(("ram_depth", "most"), [(512, 64), (256, 32)])
def test_a_fold_may_have_an_eighth_of_the_words_of_a_block_ram(ram_depth: int, most: int) -> None:
    config = LeafMemoryConfig(2, POPCOUNT, (0,) * most, ram_depth)
    assert max(depth for depth, _ in config.memory_shapes) == ram_depth
    with pytest.raises(ValueError, match=f"at most {most} words .* {ram_depth}, not {most + 1}"):
        LeafMemoryConfig(2, POPCOUNT, (0,) * (most + 1), ram_depth)


def test_carry_lanes_share_memories_in_pairs() -> None:
    config = LeafMemoryConfig(4, PopcountConfig(16, "ecp5", absorbed=True), (0,) * 4)
    assert config.groups == ((0, 1, 2), (3, 4, 5), (6, 7, 8), (9, 10, 11), (12, 13), (14, 15))
    assert config.memory_shapes == ((32, 8),) * 4 + ((16, 8),) * 2
    assert config.width == 4 * (4 * 2 + 4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"popcount": PopcountConfig(8)}, "a popcount with absorbed leaves"),
        ({"pe": 0}, "at least one element and one word, not 0 and 1"),
        ({"contents": ()}, "at least one element and one word, not 2 and 0"),
        ({"contents": (1 << 16,)}, "at most 16 bits, not 17"),
        ({"read_latency": 3}, "must be 1 or 2, not 3"),
    ],
)
def test_it_rejects(changes: dict, message: str) -> None:
    arguments = {"pe": 2, "popcount": POPCOUNT, "contents": (1,)}
    with pytest.raises(ValueError, match=message):
        LeafMemoryConfig(**(arguments | changes))
