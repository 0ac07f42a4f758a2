"""Comparisons, `Affine`, `PReLU` and `Add` against plain integers, in every dtype that their inputs come in."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rbonn.sw.errors import UnsupportedLayerError
from rbonn.sw.network import (
    Add,
    Affine,
    Binarise,
    Bipolar,
    EdgeType,
    Int,
    PReLU,
    Thermometer,
    Threshold,
    UInt,
)
from rbonn.sw.network.golden_elementwise import (
    add,
    affine,
    compare,
    integer_dtype,
    prelu,
    thermometer,
)

from .drawn_nodes import SEEDS, nodes, values
from .step_check import check_step


def function_of(node, x):
    """Takes what is told of saturations, gives the node's function."""
    match node:
        case Affine():
            return lambda count: affine(node, x, count)
        case PReLU():
            return lambda count: prelu(node, x, count)
        case Add():
            return lambda count: add(node, x, count)
        case Thermometer():
            return lambda _: thermometer(node, x)
        case Binarise():
            return lambda _: compare(np.full(x.shape[2], node.threshold), x)
        case Threshold():
            return lambda _: compare(node.thresholds, x)
    raise NotImplementedError(node.kind)


@pytest.mark.parametrize("kind", [Binarise, Thermometer, Threshold, Affine, PReLU, Add])
def test_every_node_equals_its_reference_in_every_dtype_and_counts_what_it_saturates(kind):
    saturated = []

    @given(drawn=nodes(kind), seed=SEEDS, n=st.integers(0, 3))
    def check(drawn, seed, n):
        x, node = drawn
        generator = np.random.default_rng(seed)
        arrays = [values(generator, x.datatype, (n, *x.shape)) for _ in node.inputs]
        saturated.append(check_step(function_of(node, x), node, x, *arrays))

    check()
    if kind in (Affine, PReLU, Add):
        assert any(saturated)
        assert not all(saturated)


def edge(datatype, n_channels):
    return EdgeType(datatype, (1, 1, n_channels))


def run(node, x, *columns):
    """The node's values for one image of one pixel, and its saturations, after comparison with the reference."""
    arrays = [np.array(column, np.int64).reshape(1, 1, 1, -1) for column in columns]
    saturated = check_step(function_of(node, x), node, x, *arrays)
    result = function_of(node, x)(lambda _: None)(*(torch.from_numpy(array) for array in arrays))
    return result.flatten().tolist(), saturated


def ones(n, factor=1):
    return np.full(n, factor, np.int64)


def test_affine_rounds_ties_upwards():
    xs = [-7, -6, -5, -3, -2, -1, 0, 1, 2, 3, 5, 6]
    n = len(xs)
    halves = Affine("n", ("x",), ones(n), ones(n, 0), 1, Int(8))
    assert run(halves, edge(Int(4), n), xs) == ([-3, -3, -2, -1, -1, 0, 0, 1, 1, 2, 3, 3], 0)
    quarters = Affine("n", ("x",), ones(n), ones(n, 0), 2, Int(8))
    assert run(quarters, edge(Int(4), n), xs) == ([-2, -1, -1, -1, 0, 0, 0, 0, 1, 1, 1, 2], 0)
    exact = Affine("n", ("x",), ones(n, 3), ones(n, -1), 0, Int(8))
    assert run(exact, edge(Int(4), n), xs) == ([3 * x - 1 for x in xs], 0)


@pytest.mark.parametrize(
    ("output", "expected", "saturated"),
    [
        (Int(8), [-128, -128, -128, 127, 127, 127], 4),
        (Int(9), [-200, -130, -128, 127, 130, 200], 0),
        (UInt(8), [0, 0, 0, 127, 130, 200], 3),
        (UInt(7), [0, 0, 0, 127, 127, 127], 5),
        (UInt(1), [0, 0, 0, 1, 1, 1], 6),
    ],
)
def test_affine_saturates_at_both_ends_of_signed_and_unsigned_types(output, expected, saturated):
    node = Affine("n", ("x",), ones(6), ones(6, 0), 0, output)
    xs = [-200, -130, -128, 127, 130, 200]
    assert run(node, edge(Int(16), 6), xs) == (expected, saturated)


def test_rounding_alone_may_saturate():
    node = Affine("n", ("x",), ones(4), ones(4, 0), 1, Int(4))
    assert run(node, edge(Int(6), 4), [14, 15, -17, -18]) == ([7, 7, -8, -8], 2)


def test_prelu_keeps_what_is_not_negative_and_scales_the_rest_rounding_ties_upwards():
    xs = [-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 7]
    n = len(xs)
    quarter = PReLU("n", ("x",), ones(n), 2)
    assert run(quarter, edge(Int(4), n), xs) == ([-2, -2, -1, -1, -1, -1, 0, 0, 0, 1, 7], 0)
    three_quarters = PReLU("n", ("x",), ones(n, 3), 2)
    assert run(three_quarters, edge(Int(4), n), xs) == (
        [-6, -5, -4, -4, -3, -2, -1, -1, 0, 1, 7],
        0,
    )


def test_prelu_with_negative_and_zero_slopes_gives_positive_values_and_zeros():
    xs = [-5, -3, -1, 0, 5]
    assert run(PReLU("n", ("x",), ones(5, -1), 1), edge(Int(4), 5), xs) == ([3, 2, 1, 0, 5], 0)
    assert run(PReLU("n", ("x",), ones(5, 0), 3), edge(Int(4), 5), xs) == ([0, 0, 0, 0, 5], 0)


def test_prelu_of_shift_0_multiplies_by_whole_numbers_and_saturates():
    xs = [-8, -5, -3, -1, 0, 7]
    assert run(PReLU("n", ("x",), ones(6), 0), edge(Int(4), 6), xs) == (xs, 0)
    tripled = [-8, -8, -8, -3, 0, 7]
    assert run(PReLU("n", ("x",), ones(6, 3), 0), edge(Int(4), 6), xs) == (tripled, 3)
    negated = [7, 5, 3, 1, 0, 7]
    assert run(PReLU("n", ("x",), ones(6, -1), 0), edge(Int(4), 6), xs) == (negated, 1)


def test_each_channel_has_its_own_slope():
    node = PReLU("n", ("x",), np.array([4, 2, 1, 0, -4]), 2)
    assert run(node, edge(Int(8), 5), [-100] * 5) == ([-100, -50, -25, 0, 100], 0)


def test_add_saturates_at_both_ends_and_one_step_before_does_not():
    a, b = [127, 64, 64, -128, -64, -64, 100, -100], [127, 63, 64, -128, -64, -65, -100, 100]
    expected = [127, 127, 127, -128, -128, -128, 0, 0]
    assert run(Add("n", ("a", "b")), edge(Int(8), 8), a, b) == (expected, 4)


@pytest.mark.parametrize("bits", [16, 31, 32, 62])
def test_add_of_the_ends_of_wide_types_saturates(bits):
    low, high = Int(bits).minimum, Int(bits).maximum
    node, x = Add("n", ("a", "b")), edge(Int(bits), 4)
    assert run(node, x, [low, high, low, high], [low, high, high, low]) == ([low, high, -1, -1], 2)


# ---- the dtype that is chosen


def test_int32_is_chosen_up_to_its_ends_and_not_beyond():
    low, high = -(2**31), 2**31 - 1
    assert integer_dtype(low, high) == torch.int32
    assert integer_dtype(low - 1, high) == integer_dtype(low, high + 1) == torch.int64


@pytest.mark.parametrize(
    ("datatype", "multiplier", "offset", "shift", "dtype"),
    [
        (Int(18), 2**14, 0, 0, torch.int32),  # products from -2^31
        (Int(18), 2**14, -1, 0, torch.int64),
        (Int(18), -(2**14), 0, 0, torch.int64),  # products to +2^31
        (UInt(17), 2**14, 2**14 - 1, 0, torch.int32),  # sums to 2^31 - 1
        (UInt(17), 2**14, 2**14, 0, torch.int64),
        (UInt(17), 2**14, 2**14 - 2, 1, torch.int32),  # half of a step is added too
        (UInt(17), 2**14, 2**14 - 1, 1, torch.int64),
        (Int(18), 2**14, -(2**10), 11, torch.int32),
        (Int(18), 2**14, -(2**10) - 1, 11, torch.int64),
        (UInt(31), 1, 0, 0, torch.int32),
        (UInt(32), 0, 0, 0, torch.int64),  # the value itself has no place
        (UInt(1), 0, 2**31 - 1, 0, torch.int32),
        (UInt(1), -1, 2**31, 0, torch.int64),  # the sum of 0
    ],
)
def test_affine_is_exact_on_both_sides_of_the_end_of_int32(
    datatype, multiplier, offset, shift, dtype
):
    node = Affine("n", ("x",), ones(1, multiplier), ones(1, offset), shift, Int(62))
    x = edge(datatype, 1)
    for value in (datatype.minimum, datatype.minimum + 1, datatype.maximum - 1, datatype.maximum):
        run(node, x, [value])
    assert affine(node, x, lambda _: None)(torch.zeros(1, 1, 1, 1)).dtype == dtype


@pytest.mark.parametrize(
    ("bits", "slope", "shift", "dtype"),
    [
        (18, 2**14, 0, torch.int32),  # products from -2^31
        (18, 2**14, 16, torch.int32),  # positive values are not multiplied
        (19, 2**14, 0, torch.int64),
        (18, -(2**14), 0, torch.int64),  # products to +2^31
        (18, -(2**14) + 1, 0, torch.int32),  # 2^31 - 2^17
        (18, -(2**14) + 1, 18, torch.int64),  # and half of 2^18
    ],
)
def test_prelu_is_exact_on_both_sides_of_the_end_of_int32(bits, slope, shift, dtype):
    node, x = PReLU("n", ("x",), ones(1, slope), shift), edge(Int(bits), 1)
    low, high = Int(bits).minimum, Int(bits).maximum
    for value in (low, low + 1, -1, 0, 1, high):
        run(node, x, [value])
    assert prelu(node, x, lambda _: None)(torch.zeros(1, 1, 1, 1)).dtype == dtype


def test_a_residual_stream_is_computed_in_int32():
    x = EdgeType(Int(16), (4, 4, 3))
    zeros = torch.zeros(2, 4, 4, 3)
    steps = (
        affine(Affine("n", ("x",), ones(3, 2**14), ones(3, 2**28), 14, Int(16)), x, lambda _: None),
        prelu(PReLU("n", ("x",), ones(3, 2**15 - 1), 15), x, lambda _: None),
    )
    assert {step(zeros).dtype for step in steps} == {torch.int32}
    assert add(Add("n", ("a", "b")), x, lambda _: None)(zeros, zeros).dtype == torch.int32


@pytest.mark.parametrize("node", [
    Affine("wide", ("x",), ones(1, 2**14), ones(1, 0), 0, Int(62)),
    PReLU("wide", ("x",), ones(1, 2**14), 3),
])  # fmt: skip
def test_products_beyond_63_bits_are_refused(node):
    with pytest.raises(
        UnsupportedLayerError, match=r"'wide': its products reach -4611686018427387904, beyond 63"
    ):
        function_of(node, edge(Int(49), 1))(lambda _: None)
    function_of(node, edge(Int(48), 1))(lambda _: None)


@pytest.mark.parametrize("datatype", [Bipolar(), UInt(8), Int(8), UInt(31), Int(31), UInt(61)])
def test_a_comparison_is_exact_at_the_threshold_and_at_thresholds_outside_the_type(datatype):
    low, high = datatype.minimum, datatype.maximum
    thresholds = np.array([low - 9, low - 1, low, low + 1, high, high + 1, high + 9])
    node = Threshold("n", ("x",), thresholds)
    for value in {low, high} | ({low + 1, high - 1} if high - low > 2 else set()):
        bits, _ = run(node, edge(datatype, 7), [value] * 7)
        assert bits == [1 if value >= t else -1 for t in thresholds.tolist()]
