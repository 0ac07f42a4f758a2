"""`Conv` and `Dense` against plain integers, in every dtype that their inputs come in, and the arithmetic that is chosen for them."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.sw.network import Bipolar, Conv, Dense, Int, UInt
from rbonn.sw.network.golden_products import conv, dense, product_dtype

from .drawn_nodes import SEEDS, nodes, values
from .step_check import check_step


@pytest.mark.parametrize(("kind", "make"), [(Conv, conv), (Dense, dense)])
def test_every_node_equals_its_reference_in_every_dtype(kind, make):
    chosen = set()

    @settings(max_examples=150)
    @given(drawn=nodes(kind), seed=SEEDS, n=st.integers(0, 3))
    def check(drawn, seed, n):
        x, node = drawn
        array = values(np.random.default_rng(seed), x.datatype, (n, *x.shape))
        check_step(lambda _: make(node, x), node, x, array)
        chosen.add(product_dtype(node.matrix, x.datatype))

    check()
    assert chosen == {torch.float32, torch.float64, torch.int64}


def test_the_arithmetic_is_chosen_by_its_bound():
    def chosen(n, weight, datatype):
        return product_dtype(np.full((1, n), weight, np.int64), datatype)

    assert chosen(2**18 - 1, 64, Bipolar()) == torch.float32
    assert chosen(2**18, 64, Bipolar()) == torch.float64
    assert chosen(2**15, -1, Int(9)) == torch.float32  # factors of 256
    assert chosen(1, 1, UInt(9)) == torch.float64  # 511 is not exact in bfloat16
    assert chosen(2**14, 127, Int(33)) == torch.float64
    assert chosen(2**15, -128, Int(32)) == torch.int64
