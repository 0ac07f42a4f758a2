"""Pools and `ConcatChannels` against plain integers, in every dtype that their inputs come in."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rbonn.sw.network import (
    AvgPool,
    ConcatChannels,
    EdgeType,
    GlobalAvgPool,
    Int,
    MaxPool,
    UInt,
)
from rbonn.sw.network.golden_pools import avg_pool, concat_channels, global_avg_pool, max_pool

from .drawn_nodes import SEEDS, nodes, values
from .step_check import carriers, check_step


def function_of(node, x):
    match node:
        case MaxPool():
            return max_pool(node)
        case AvgPool():
            return avg_pool(node, x)
        case GlobalAvgPool():
            return global_avg_pool(node, x)
        case ConcatChannels():
            return concat_channels(node)
    raise NotImplementedError(node.kind)


@pytest.mark.parametrize("kind", [MaxPool, AvgPool, GlobalAvgPool, ConcatChannels])
def test_every_node_equals_its_reference_in_every_dtype(kind):
    @given(drawn=nodes(kind), seed=SEEDS, n=st.integers(0, 3))
    def check(drawn, seed, n):
        x, node = drawn
        array = values(np.random.default_rng(seed), x.datatype, (n, *x.shape))
        assert check_step(lambda _: function_of(node, x), node, x, array) == 0

    check()


@pytest.mark.parametrize("node", [AvgPool("n", ("x",), 4), GlobalAvgPool("n", ("x",))])
@pytest.mark.parametrize(
    "datatype", [UInt(8), Int(8), Int(16), UInt(24), Int(28), Int(29), UInt(40)]
)
def test_sums_of_the_ends_of_a_type_are_exact(node, datatype):
    x = EdgeType(datatype, (4, 4, 2))
    for end in (datatype.minimum, datatype.maximum):
        for dtype in carriers(datatype):
            total = function_of(node, x)(torch.full((1, 4, 4, 2), end).to(dtype))
            assert total.to(torch.int64).flatten().tolist() == [16 * end] * 2, dtype
            assert total.dtype == (torch.int32 if datatype.bits <= 27 or datatype == Int(28) else torch.int64)  # fmt: skip


def test_average_pools_add_pixels_and_leave_the_division_to_the_node_after_them():
    image = torch.arange(2 * 4 * 1).reshape(1, 2, 4, 1)
    x = EdgeType(UInt(8), (2, 4, 1))
    squares = avg_pool(AvgPool("n", ("x",), 2), x)(image)
    assert squares.reshape(1, 2).tolist() == [[0 + 1 + 4 + 5, 2 + 3 + 6 + 7]]
    assert global_avg_pool(GlobalAvgPool("n", ("x",)), x)(image).tolist() == [[[[28]]]]


def test_copies_of_channels_follow_each_other_as_a_whole():
    pixels = torch.tensor([[1, 2, 3], [4, 5, 6]]).reshape(1, 1, 2, 3)
    copies = concat_channels(ConcatChannels("n", ("x",), 2))(pixels)
    assert copies.reshape(2, 6).tolist() == [[1, 2, 3, 1, 2, 3], [4, 5, 6, 4, 5, 6]]
