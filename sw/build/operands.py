"""What the lanes of a layer's array multiply, from the types of its weights and inputs."""

from __future__ import annotations

from ...hw.bit_planes import code_offset
from ...hw.operands import BITS, Bits, Integers, Products
from ..network import Bipolar, Conv, DataType, Dense, Int
from ..plan.folding import Folding
from .device_forms import DeviceForms
from .presets import ProductCount

LayerOperands = Bits | Integers | Products

PRODUCT_BITS = range(2, 19)
"""Bits that an operand of a multiplier may have."""


def layer_operands(
    node: Conv | Dense, source: DataType, folding: Folding, forms: DeviceForms
) -> LayerOperands | None:
    """What an array of this node multiplies when it reads values of type `source`; None where there is no such array.

    Binary weights choose the sign of bits, or of integers: whole ones, or bit by bit where `folding.integers` says so. Integer weights times
    integers take multipliers.
    """
    if isinstance(node.weight_type, Bipolar):
        if isinstance(source, Bipolar):
            return BITS
        if folding.integers == "planes":
            return Bits(source.bits)
        return Integers(source.bits)
    bits, weight_bits = source.bits, node.weight_type.bits
    is_signed_weight = isinstance(node.weight_type, Int)
    if isinstance(source, Bipolar) or not is_signed_weight:
        return None
    if bits not in PRODUCT_BITS or weight_bits not in PRODUCT_BITS:
        return None
    return Products(
        bits, isinstance(source, Int), weight_bits, forms.multipliers(bits, weight_bits)
    )


def product_count(
    node: Conv | Dense, source: DataType, operands: LayerOperands, simd: int
) -> ProductCount | None:
    """What a row counts of its products, `simd` columns a beat; None for matches of bits."""
    matrix = node.matrix
    if operands == BITS:
        return None
    signed, n_beats = isinstance(source, Int), matrix.shape[1] // simd
    if isinstance(operands, Products):
        products = operands.tree(simd)
        return ProductCount(products.offset(matrix), n_beats * products.most)
    if isinstance(operands, Integers):
        integers = operands.tree(simd)
        return ProductCount(integers.offset(matrix, signed), n_beats * integers.most)
    most = matrix.shape[1] * ((1 << operands.planes) - 1)
    return ProductCount(code_offset(matrix, source.bits, signed), most)
