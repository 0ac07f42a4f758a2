"""Merging constants changes no number but by float64's rounding."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.sw.lower.merged_run import run_merged
from rbonn.sw.lower.residual_form import merge_constants
from rbonn.sw.lower.residual_stages import group_residual
from rbonn.sw.lower.trace import trace

from .residual_modules import Shape, build, shapes


def merged(shape, seed):
    module, images = build(shape, seed)
    layers = trace(module, shape.image_type)
    return merge_constants(group_residual(layers)), layers, images


def trained_edges(layers, x):
    """The layers by hand: the stream behind stem and blocks, what each block adds up, and the scores, in float64."""
    grouped = group_residual(layers)
    with torch.no_grad():
        if grouped.encoding is not None:
            x = grouped.encoding.module(x)
        x = grouped.norms[0].module(grouped.stem.module(x))
        streams, sums, lost = [x], [], []
        for layer in grouped.blocks:
            block = layer.module
            total = block.norm(block.product(block.sign(x))) + block.shortcut(x)
            sums.append(total + block.activation.shift_in[:, None, None])
            x = block.activation(total)
            streams.append(x)
            lost.append(block.activation.shift_out[:, None, None])
        return streams, sums, lost, grouped.head.module(x.mean(dim=(2, 3)))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(shape=shapes(), seed=st.integers(0, 999))
def test_the_merged_network_is_the_trained_one_without_the_shifts_behind_its_prelus(shape, seed):
    network, layers, images = merged(shape, seed)
    x = torch.from_numpy(images[:10]).permute(0, 3, 1, 2).double()
    edges = run_merged(network, x)
    streams, sums, lost, scores = trained_edges(layers, x)

    def close(a, b):
        return torch.allclose(a, b, rtol=0, atol=1e-12 * float(b.abs().max() + 1))

    assert close(edges["stem_norm"], streams[0])
    for number in range(1, len(shape.blocks) + 1):
        assert close(edges[f"block{number}_sum"], sums[number - 1])
        assert close(edges[f"block{number}"] + lost[number - 1], streams[number])
    assert close(edges["scores"], scores)


def test_every_shift_goes_where_it_is_read():
    network, layers, _ = merged(Shape(), 3)
    blocks = [layer.module for layer in group_residual(layers).blocks]
    first, second, third = network.blocks
    out = [block.activation.shift_out.detach().numpy() for block in blocks]
    assert np.array_equal(first.shift, blocks[0].sign.shift.detach().numpy())
    assert np.array_equal(second.shift, blocks[1].sign.shift.detach().numpy() + out[0])
    assert np.array_equal(third.shift, blocks[2].sign.shift.detach().numpy() + out[1])
    assert (second.shortcut.size, second.shortcut.copies) == (2, 2)
    assert first.shortcut.is_identity
    norm, activation = blocks[1].norm, blocks[1].activation
    deviation = (norm.running_var + norm.eps).sqrt()
    expected = norm.bias - norm.weight * norm.running_mean / deviation + activation.shift_in
    expected = expected + torch.from_numpy(np.tile(out[0], 2))  # both copies lack the shift
    assert np.allclose(second.line.offset, expected.detach().numpy(), rtol=1e-12, atol=0)
    head = layers[-1].module
    assert np.allclose(network.bias, (head.bias + head.weight @ torch.from_numpy(out[2])).detach())


def test_batch_norms_in_a_row_behind_the_stem_become_one_line():
    module, images = build(Shape(), 5)
    twice = torch.nn.Sequential(*module[:3], module[2], *module[3:])
    layers = trace(twice, Shape().image_type)
    network = merge_constants(group_residual(layers))
    x = torch.from_numpy(images[:4]).permute(0, 3, 1, 2).double()
    with torch.no_grad():
        expected = torch.nn.Sequential(*(layer.module for layer in layers[:4]))(x)
    assert torch.allclose(run_merged(network, x)["stem_norm"], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("affine", [True, False])
def test_a_batch_norm_without_weights_only_normalises(affine):
    module, images = build(Shape(), 6)
    if not affine:
        bare = torch.nn.BatchNorm2d(4, affine=False).eval()
        bare.running_mean, bare.running_var = module[2].running_mean, module[2].running_var
        module[2] = bare
    layers = trace(module, Shape().image_type)
    x = torch.from_numpy(images[:4]).permute(0, 3, 1, 2).double()
    with torch.no_grad():
        expected = module.double()(x)
    scores = run_merged(merge_constants(group_residual(layers)), x)["scores"]
    assert torch.allclose(scores, expected, rtol=0, atol=1e-10)
