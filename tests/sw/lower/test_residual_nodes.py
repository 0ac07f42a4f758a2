"""Quantise, then compare with the trained network in real numbers: every error is within a bound that follows from the roundings.

In units of the stream's last bit, with F integers per unit of the trained network:

* an Affine with shift s: its multiplier and its offset are wrong by at most 2^-(s + 1) each, its result by half a bit: ``1/2 + (|x| + 1) 2^-(s + 1)``
* a sum of bits of which some are turned round: F |scale| times the sums' difference
* an average of values that are wrong by E: the average of E, and half a bit
* a convolution of single pixels: ``|weights| E`` and half a weight's step per input
* an addition: both errors; a PReLU: the error, times the slope where that is steeper than 1, and where it is negative its own rounding
* a bit may be turned round only where the value under the sign is no larger than its error
"""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from rbonn.sw.errors import UnsupportedLayerError
from rbonn.sw.lower import FixedPoint, lower
from rbonn.sw.lower.residual_nodes import affine_node
from rbonn.sw.lower.trace import Layer, trace
from rbonn.sw.network import Int
from rbonn.sw.network.golden import GoldenModel

from ..network.integer_reference import reference
from . import integer_reference
from .residual_modules import build, shapes


def nhwc(x):
    return x.detach().permute(0, 2, 3, 1).numpy()


def affine_error(node, x):
    return 0.5 + (np.abs(x) + 1) * 2.0 ** -(node.shift + 1)


def batch_norm_scale(norm):
    return (norm.weight / (norm.running_var + norm.eps).sqrt()).detach().numpy()


def averaged(x, size):
    n, height, width, channels = x.shape
    return x.reshape(n, height // size, size, width // size, size, channels).mean(axis=(2, 4))


class Bounds:
    """Follows a trained network in float64, its integer network, and the bound between the two."""

    def __init__(self, module, network, edges):
        self.network, self.edges = network, edges
        self.nodes = {node.name: node for node in network.nodes}
        self.unit = 2.0 ** network.metadata["fixed_point"]["stream_fraction"]
        self.layers = [layer.module for layer in trace(module, network.input_type)]
        self.checked = 0

    def check(self, edge, trained, bound):
        error = np.abs(self.edges[edge] - trained * self.unit)
        assert np.all(error <= bound * (1 + 1e-9)), (edge, float((error - bound).max()))
        self.checked += 1

    def run(self, images):
        x = torch.from_numpy(images).permute(0, 3, 1, 2).double()
        with torch.no_grad():
            first_block = next(i for i, layer in enumerate(self.layers) if hasattr(layer, "add"))
            for layer in self.layers[:first_block]:
                x = layer(x)
            bound = affine_error(self.nodes["stem_norm"], self.edges["stem"])
            self.check("stem_norm", nhwc(x), bound)
            edge, lost = "stem_norm", torch.zeros(x.shape[1])
            blocks = [layer for layer in self.layers if hasattr(layer, "add")]
            for number, block in enumerate(blocks, start=1):
                x, bound = self.block(block, f"block{number}", edge, x, bound)
                edge, lost = f"block{number}", block.activation.shift_out
            self.head(self.layers[-1], edge, x.mean(dim=(2, 3)), bound, lost.numpy())

    def block(self, block, name, edge, x, bound):
        signs = block.sign(x)
        near = np.abs(nhwc(x + block.sign.shift[:, None, None])) * self.unit
        turned = nhwc(signs) != self.edges[f"{name}_bits"]
        assert np.all(near[turned] <= np.broadcast_to(bound, near.shape)[turned])

        sums, actual = nhwc(block.product.sums(signs)), self.edges[f"{name}_conv"]
        scale = batch_norm_scale(block.norm) * block.product.alpha.numpy() * self.unit
        main = affine_error(self.nodes[f"{name}_norm"], actual) + np.abs(scale * (actual - sums))
        total = bound_sum = main + self.shortcut(block.shortcut, name, edge, bound)

        trained = block.norm(block.product(signs)) + block.shortcut(x)
        activation = block.activation
        self.check(f"{name}_sum", nhwc(trained + activation.shift_in[:, None, None]), total)
        node = self.nodes[name]
        slope = np.abs(activation.used_slope.numpy())
        wrong = 0 if activation.slopes == "power_of_two" else 2.0 ** -(node.shift + 1)
        rounding = 0.5 + np.abs(self.edges[f"{name}_sum"]) * wrong
        bound = np.maximum(1, slope) * bound_sum + rounding * (self.edges[f"{name}_sum"] < 0)
        x = activation(trained)
        self.check(name, nhwc(x - activation.shift_out[:, None, None]), bound)
        return x, bound

    def shortcut(self, shortcut, name, edge, bound):
        if isinstance(shortcut, torch.nn.Identity):
            return bound
        bound = np.broadcast_to(bound, self.edges[edge].shape)
        pooled = self.edges.get(f"{name}_average", self.edges[edge])
        size = self.edges[edge].shape[1] // pooled.shape[1]
        if size > 1:
            bound = averaged(bound, size) + 0.5  # the multiplier is a quarter exactly
        if not isinstance(shortcut, torch.nn.Sequential):
            return np.concatenate([bound] * shortcut.copies, axis=3)
        weights = shortcut[1].weight[:, :, 0, 0].numpy()
        step = np.abs(weights).max(axis=1) / 127
        scale = np.abs(batch_norm_scale(shortcut[2]))
        wrong = bound @ np.abs(weights).T + np.abs(pooled).sum(axis=3, keepdims=True) * step / 2
        node = self.nodes[f"{name}_shortcut"]
        return scale * wrong + affine_error(node, self.edges[f"{name}_shortcut_conv"])

    def head(self, layer, edge, average, bound, lost):
        """Averages are wrong by half a step of their own scale; weights by half of theirs."""
        node, scores = self.nodes["average"], self.nodes["scores"]
        n_pixels = self.edges[edge].shape[1] * self.edges[edge].shape[2]
        step = 2.0**node.shift / (node.multipliers * n_pixels * self.unit)
        integers = self.edges["average"][:, 0, 0]
        actual = (integers * 2.0**node.shift - node.offsets) / node.multipliers / n_pixels / self.unit  # fmt: skip
        wrong = 0.5 * step + np.broadcast_to(bound, self.edges[edge].shape).mean(axis=(1, 2)) / self.unit  # fmt: skip
        assert np.all(np.abs(actual + lost - average.numpy()) <= wrong * (1 + 1e-9))

        weights = layer.weight.numpy()
        weight_step = np.abs(weights * step).max(axis=1) / 127
        unit = 2.0 ** self.network.metadata["fixed_point"]["score_fraction"]
        rounding = affine_error(scores, self.edges["head"][:, 0, 0]) / unit
        bound = wrong @ np.abs(weights).T + np.abs(integers).sum(axis=1, keepdims=True) * weight_step / 2 + rounding  # fmt: skip
        error = np.abs(self.edges["scores"][:, 0, 0] / unit - layer(average).numpy())
        assert np.all(error <= bound * (1 + 1e-9))
        self.checked += 1


def lowered(shape, seed, **numbers):
    module, images = build(shape, seed)
    network = lower(module, "t", shape.image_type, calibration=images, fixed_point=FixedPoint(**numbers))  # fmt: skip
    return module, images, network


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    shape=shapes(),
    seed=st.integers(0, 999),
    stream_bits=st.integers(6, 18),
    head_bits=st.integers(4, 10),
)
def test_every_error_of_the_stream_is_within_the_bound_of_its_roundings(
    shape, seed, stream_bits, head_bits
):
    module, images, network = lowered(shape, seed, stream_bits=stream_bits, head_bits=head_bits)
    edges = integer_reference.run(network, images)
    golden = GoldenModel(network)
    for name, edge in golden.edges(images).items():
        assert np.array_equal(edge.long().numpy(), edges[name]), name
    assume(not any(golden.saturations.values()))
    bounds = Bounds(module, network, edges)
    bounds.run(images)
    assert bounds.checked == 2 + 2 * len(shape.blocks)


@given(factor=st.floats(-200, 200), offset=st.floats(-1000, 1000), x=st.integers(-600, 600))
def test_an_affine_is_its_line_rounded_but_for_16_bits_of_multiplier(factor, offset, x):
    layer = Layer("norm", torch.nn.BatchNorm2d(1))
    node = affine_node(layer, "a", "x", np.array([factor]), np.array([offset]), Int(20))
    ((((actual,),),),), _ = reference(node, Int(20), np.array([x]).reshape(1, 1, 1, 1))
    assert abs(actual - (factor * x + offset)) <= affine_error(node, x) + 1e-9


def test_a_factor_that_no_multiplier_holds_is_refused_with_its_layer():
    layer = Layer("group1.0.product", torch.nn.BatchNorm2d(1))
    with pytest.raises(
        UnsupportedLayerError,
        match=r"layer group1\.0\.product \(BatchNorm2d\): a factor of 40000 does not fit a multiplier of 16 bits \(block1_norm\)",
    ):
        affine_node(layer, "block1_norm", "x", np.array([1.0, -40000.0]), np.zeros(2), Int(16))
