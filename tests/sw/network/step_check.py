"""Runs the function of a golden model's node on inputs of every dtype that can carry them, and compares with the reference."""

import numpy as np
import torch

from .integer_reference import reference

FLOATS = {torch.float32: 24, torch.float64: 53}
"""Bits of the integers that a floating dtype holds without a gap."""


def carriers(datatype):
    """The dtypes that hold all values of a type of edge."""
    integers = [
        dtype
        for dtype in (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
        if torch.iinfo(dtype).min <= datatype.minimum and datatype.maximum <= torch.iinfo(dtype).max
    ]
    return integers + [dtype for dtype, bits in FLOATS.items() if -datatype.minimum <= 1 << bits and datatype.maximum <= 1 << bits]  # fmt: skip


def check_step(make, node, x, *arrays):
    """`make(count)` gives the node's function; its result for `arrays` (int64, of the type of `x`) is the reference in every dtype.

    Neither does it change its inputs. Returns how many values it saturated.
    """
    output = node.output(*(x for _ in arrays)).datatype
    expected, saturated = reference(node, output, *arrays)
    for dtype in carriers(x.datatype):
        counts = []
        step = make(counts.append)
        inputs = [torch.from_numpy(array).to(dtype) for array in arrays]
        result = step(*inputs)
        np.testing.assert_array_equal(result.to(torch.int64).numpy(), expected, err_msg=str(dtype))
        np.testing.assert_array_equal(result.to(torch.float64).numpy(), expected)
        assert sum(counts) == saturated, dtype
        for tensor, array in zip(inputs, arrays, strict=True):
            np.testing.assert_array_equal(tensor.to(torch.int64).numpy(), array)
    return saturated
