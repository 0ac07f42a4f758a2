import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.sw.network import (
    Affine,
    ArgMax,
    Binarise,
    Bipolar,
    Conv,
    Dense,
    EdgeType,
    Int,
    MaxPool,
    Thermometer,
    Threshold,
    UInt,
)

PIXELS = EdgeType(UInt(8), (6, 5, 2))
BITS = EdgeType(Bipolar(), (6, 5, 2))
SCORES = EdgeType(Int(7), (1, 1, 10))


def signs(*shape):
    return np.ones(shape, np.int8)


def conv(stride=1, padding=1, pad_value=0, weights=None, weight_type=None):
    weights = signs(4, 3, 3, 2) if weights is None else weights
    return Conv("n", ("x",), weights, weight_type or Bipolar(), stride, padding, pad_value)


@pytest.mark.parametrize(
    ("node", "x", "expected"),
    [
        (Binarise("n", ("x",), 128), PIXELS, EdgeType(Bipolar(), (6, 5, 2))),
        (Thermometer("n", ("x",), np.array([10, 20, 30])), PIXELS, EdgeType(Bipolar(), (6, 5, 6))),
        (conv(), BITS, EdgeType(Int(6), (6, 5, 4))),  # 18 taps: -18..18
        (conv(padding=0, stride=2), BITS, EdgeType(Int(6), (2, 2, 4))),
        (conv(), PIXELS, EdgeType(Int(14), (6, 5, 4))),  # 0..4590
        (Dense("n", ("x",), signs(7, 60), Bipolar()), BITS, EdgeType(Int(7), (1, 1, 7))),
        (Dense("n", ("x",), np.full((7, 60), -128, np.int8), Int(8)), BITS, EdgeType(Int(14), (1, 1, 7))),
        (Threshold("n", ("x",), np.zeros(10, np.int64)), SCORES, EdgeType(Bipolar(), (1, 1, 10))),
        (Affine("n", ("x",), np.ones(10, int), np.zeros(10, int), 3, Int(8)), SCORES, EdgeType(Int(8), (1, 1, 10))),
        (MaxPool("n", ("x",), 2), BITS, EdgeType(Bipolar(), (3, 2, 2))),
        (ArgMax("n", ("x",)), SCORES, EdgeType(UInt(4), (1, 1, 1))),
        (ArgMax("n", ("x",)), EdgeType(Int(7), (1, 1, 1)), EdgeType(UInt(1), (1, 1, 1))),
        (ArgMax("n", ("x",)), EdgeType(Int(7), (1, 1, 17)), EdgeType(UInt(5), (1, 1, 1))),
    ],
)  # fmt: skip
def test_every_node_infers_its_type_and_shape(node, x, expected):
    assert node.output(x) == expected


@pytest.mark.parametrize(
    ("node", "x", "message"),
    [
        (Binarise("n", ("x",), 128), BITS, "input must be an integer edge, not bipolar"),
        (Thermometer("n", ("x",), np.array([1, 2])), BITS, "input must be an integer edge"),
        (Thermometer("n", ("x",), np.array([2, 2])), PIXELS, "thresholds must rise"),
        (conv(weights=signs(4, 3, 3, 3)), BITS, "weights are for 3 channels, the input has 2"),
        (conv(weights=signs(4, 18)), BITS, "weights must have 4 axes, not 2|not enough values"),
        (conv(stride=0), BITS, "stride must be at least 1, not 0"),
        (conv(padding=3), BITS, "padding must be 0 to kernel - 1, not 3 for 3 x 3"),
        (conv(pad_value=2), BITS, "pad_value 2 is not a value of bipolar"),
        (conv(pad_value=-1), PIXELS, "pad_value -1 is not a value of uint8"),
        (conv(padding=0, weights=signs(4, 7, 3, 2)), BITS, "a 7 x 3 kernel does not fit into 6 x 5"),
        (conv(weights=signs(4, 3, 3, 2) * 2), BITS, r"bipolar weights must be \+1 or -1"),
        (conv(weights=signs(4, 3, 3, 2) * 0), BITS, r"bipolar weights must be \+1 or -1"),
        (conv(weights=signs(4, 3, 3, 2) * 9, weight_type=Int(4)), BITS, "weights must lie in int4"),
        (Dense("n", ("x",), signs(7, 61), Bipolar()), BITS, "weights are for 61 inputs, the edge has 60"),
        (Dense("n", ("x",), signs(7, 6, 10), Bipolar()), BITS, "weights must have 2 axes, not 3"),
        (Threshold("n", ("x",), np.zeros(9, int)), SCORES, r"\(9,\) thresholds for 10 channels"),
        (Affine("n", ("x",), np.ones(9, int), np.zeros(10, int), 0, Int(8)), SCORES, r"\(9,\) multipliers for 10"),
        (Affine("n", ("x",), np.ones(10, int), np.zeros(9, int), 0, Int(8)), SCORES, r"\(9,\) offsets for 10"),
        (Affine("n", ("x",), np.ones(10, int), np.zeros(10, int), 32, Int(8)), SCORES, "shift must be 0 to 31, not 32"),
        (Affine("n", ("x",), np.full(10, 2**15), np.zeros(10, int), 0, Int(8)), SCORES, "multipliers must fit 16 bits"),
        (MaxPool("n", ("x",), 0), BITS, "size must be at least 1, not 0"),
        (MaxPool("n", ("x",), 6), BITS, "a 6 x 6 pool does not fit into 6 x 5"),
        (ArgMax("n", ("x",)), BITS, "input must be 1 x 1 pixels, not 6 x 5"),
    ],
)  # fmt: skip
def test_every_node_names_the_rule_that_is_broken(node, x, message):
    with pytest.raises(ValueError, match=message):
        node.output(x)


@settings(deadline=None)
@given(
    weights=st.lists(st.lists(st.integers(-8, 7), min_size=3, max_size=3), min_size=1, max_size=3),
    datatype=st.sampled_from([Bipolar(), UInt(2), Int(3)]),
)
def test_the_type_of_sums_is_the_narrowest_for_all_inputs_and_missing_taps(weights, datatype):
    matrix = np.array(weights, np.int8)
    node = Dense("n", ("x",), matrix, Int(4))
    values = {0, *range(datatype.minimum, datatype.maximum + 1)}
    sums = [
        int(row @ np.array(x))
        for row in matrix.astype(int)
        for x in itertools.product(values, repeat=3)
    ]
    assert node.output(EdgeType(datatype, (1, 1, 3))).datatype == Int.holding(min(sums), max(sums))
