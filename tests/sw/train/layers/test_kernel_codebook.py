"""Kernels from a codebook: which codewords are chosen, which is nearest, and that index memory and table give the weights of the hardware."""

import collections
import itertools
from fractions import Fraction

import numpy as np
import pytest
import torch
from rbonn.sw.lower import lower
from rbonn.sw.network import EdgeType, UInt
from rbonn.sw.network.golden import GoldenModel
from rbonn.sw.train.layers import (
    BinaryActivation,
    BinaryHead,
    ChannelLastFlatten,
    InputBinarise,
    KernelCodebook,
    RBOConv2d,
)
from torch import nn

from .integer_products import bits, convolution, integers


def random_weights(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 0.1


def kernels_in_order(height, width):
    """All kernels of +1 and -1, the first tap changing fastest."""
    taps = itertools.product((-1, 1), repeat=height * width)
    return [tuple(reversed(kernel)) for kernel in taps]


def rows(codewords):
    return [tuple(kernel) for kernel in codewords.flatten(1).tolist()]


def signs(weight):
    """The kernels of sign(w) as tuples, in the order of (out, in)."""
    return [tuple(row) for row in np.where(weight.flatten(0, 1).flatten(1) >= 0, 1, -1).tolist()]


# Which codewords.


@pytest.mark.parametrize("n", [2, 7, 32, 100, 511, 512])
def test_the_codewords_are_the_most_frequent_kernels_of_the_signs_filled_up_in_numeric_order(n):
    # Skewed, so that frequencies differ; far fewer than 512 kernels occur.
    weight = random_weights(16, 20, 3, 3) + torch.linspace(-0.2, 0.2, 9).reshape(3, 3)
    codebook = KernelCodebook(n, (3, 3))
    codebook.choose(weight)
    count = collections.Counter(signs(weight))
    order = kernels_in_order(3, 3)
    by_frequency = sorted(range(512), key=lambda number: (-count[order[number]], number))
    expected = [order[number] for number in sorted(by_frequency[:n])]
    assert rows(codebook.codewords) == expected
    assert len(set(expected)) == n


def test_codewords_are_bits_of_their_number_first_tap_first():
    codebook = KernelCodebook(6, (1, 3))
    expected = [(-1, -1, -1), (1, -1, -1), (-1, 1, -1), (1, 1, -1), (-1, -1, 1), (1, -1, 1)]
    assert rows(codebook.codewords) == expected


# Which is nearest.


@pytest.mark.parametrize(("n", "kernel"), [(2, (3, 3)), (32, (3, 3)), (300, (3, 3)), (5, (2, 3)), (3, (1, 2))])  # fmt: skip
def test_each_kernel_gets_the_codeword_at_the_least_distance(n, kernel):
    weight = random_weights(8, 9, *kernel)
    codebook = KernelCodebook(n, kernel)
    codebook.choose(random_weights(8, 9, *kernel, seed=1))
    indices = codebook.nearest(weight)
    assert indices.shape == (8, 9)
    words = codebook.codewords.numpy()
    for out, channel in np.ndindex(8, 9):
        w = weight[out, channel].double().numpy()
        distances = ((words - w) ** 2).sum((1, 2))
        assert indices[out, channel] == distances.argmin()


def test_of_several_nearest_codewords_the_one_of_the_greatest_number_is_taken():
    codebook = KernelCodebook(7, (1, 3))  # all but (+1, +1, +1)
    weight = torch.tensor([[[[1.5, 1.5, 1.5]]], [[[0.0, 0, 0]]], [[[-1.0, 0, 0]]], [[[0, 1, 1]]]])
    # One +1 fewer in any place; any; (-1, +1, +1); the signs are not in the codebook, but as near a codeword is.
    assert codebook.nearest(weight)[:, 0].tolist() == [6, 6, 6, 6]
    assert codebook.decode(torch.tensor([[6]])).flatten().tolist() == [-1, 1, 1]


def test_many_weights_at_their_limit_make_ties_and_these_are_broken_as_rational_arithmetic_has_it():
    generator = torch.Generator().manual_seed(2)
    values = torch.tensor([1.5, -1.5, 0.1, -0.1, 0.3, 1e-9, -3.3e-10, 0.0])
    weight = values[torch.randint(len(values), (20, 20, 3, 3), generator=generator)]
    codebook = KernelCodebook(24, (3, 3))
    codebook.choose(random_weights(20, 20, 3, 3))
    words = rows(codebook.codewords)
    indices = codebook.nearest(weight).flatten().tolist()
    n_ties = 0
    for kernel, index in zip(weight.flatten(0, 1).flatten(1).tolist(), indices, strict=True):
        w = [Fraction(round(value * 2**40)) for value in kernel]
        scores = [sum(a * b for a, b in zip(u, w, strict=True)) for u in words]
        best = [i for i, score in enumerate(scores) if score == max(scores)]
        n_ties += len(best) > 1
        assert index == best[-1]
    assert n_ties > 20


@pytest.mark.parametrize("small_tap", [0, 1, 2])
def test_a_tie_does_not_hang_on_the_order_in_which_a_product_is_summed(small_tap):
    """In float64, s + 1 loses a bit of s that s - 1 keeps, so that s + 1 - 1 and s - 1 + 1 differ where only rounding parts them."""
    words = torch.tensor([[1.0, 1, -1], [1, -1, 1]]).roll(small_tap, -1)
    small = random_weights(64, seed=3).abs() * 1e-8
    weight = torch.stack([small, torch.ones(64), torch.ones(64)], -1).roll(small_tap, -1)
    codebook = KernelCodebook(2, (1, 3))
    codebook.choose(words.reshape(2, 1, 1, 3))
    assert set(rows(codebook.codewords)) == {tuple(word) for word in words.tolist()}
    assert codebook.nearest(weight.reshape(64, 1, 1, 3)).eq(1).all()


def test_signs_that_a_part_of_all_kernels_has_are_taken_however_small_the_weights():
    weight = random_weights(4, 5, 3, 3) * 1e-30
    weight[:, :, 1, 1] = 0
    codebook = KernelCodebook(100, (3, 3))
    codebook.choose(weight)  # at most 20 kernels: all of them
    decoded = codebook.decode(codebook.nearest(weight))
    assert np.array_equal(decoded.numpy(), np.where(weight.numpy() >= 0, 1, -1))


def test_precision_and_mixed_precision_change_no_index():
    weight = random_weights(32, 32, 3, 3).clamp(-0.1, 0.1)
    codebook = KernelCodebook(32, (3, 3))
    codebook.choose(weight)
    indices = codebook.nearest(weight)
    assert torch.equal(codebook.nearest(weight.double()), indices)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(codebook.nearest(weight), indices)
    ordered = weight.to(memory_format=torch.channels_last)
    assert torch.equal(codebook.nearest(ordered), indices)


@pytest.mark.parametrize(("kernel", "n"), [((3, 3), 512), ((2, 2), 16), ((1, 1), 2), ((1, 3), 8)])
def test_the_full_codebook_gives_the_signs_with_plus_one_at_zero_also_of_the_smallest_weights(
    kernel, n
):
    weight = random_weights(12, 10, *kernel)
    weight[::3][weight[::3] < 0.03] = 0
    weight[1::3] *= 1e-30
    weight[2::3, :, 0, 0] = 1e6  # beside which the others round away
    assert (weight == 0).any()
    layer, plain = (RBOConv2d(10, 12, kernel, n_codewords=option) for option in (n, None))
    for each in (layer, plain):
        each.weight.data = weight
    expected = np.where(weight.numpy() >= 0, 1, -1)
    assert np.array_equal(layer.binary_weight.detach().numpy(), expected)
    layer.scale.data = plain.scale.data
    x = bits(2, 10, 5, 5)
    for training in (True, False):
        assert torch.equal(layer.train(training)(x), plain.train(training)(x))


# The layer.


def test_each_kernel_of_the_layer_is_one_of_n_different_codewords_and_its_index_decodes_to_it():
    layer = RBOConv2d(24, 20, 3, padding=1, n_codewords=32)
    layer.weight.data = random_weights(20, 24, 3, 3, seed=5)
    words = rows(layer.codebook.codewords)
    assert len(set(words)) == 32
    assert {value for word in words for value in word} == {-1, 1}
    weight = layer.binary_weight.detach()
    used = set(rows(weight.flatten(0, 1)))
    assert used <= set(words)
    assert len(used) > 16
    indices = layer.codebook.nearest(layer.weight)
    assert indices.min() >= 0
    assert indices.max() < 1 << layer.codebook.index_bits
    table = np.array(words).reshape(-1, 3, 3)
    assert np.array_equal(table[indices.numpy()], weight.numpy())
    assert torch.equal(layer.codebook.decode(indices).float(), weight)


@pytest.mark.parametrize("mode", ["paper", "off"])
def test_its_products_are_those_of_the_codewords_in_training_and_eval(mode):
    layer = RBOConv2d(6, 5, 3, padding=1, pad_value=-1, mode=mode, n_codewords=4)
    x = bits(2, 6, 5, 5)
    weight = integers(layer.binary_weight)
    assert not np.array_equal(weight, np.where(layer.weight.detach().numpy() >= 0, 1, -1))
    sums = torch.from_numpy(convolution(integers(x), weight, 1, 1, -1)).float()
    assert torch.equal(layer.sums(x), sums)
    expected = sums * layer.alpha[:, None, None]
    assert torch.equal(layer.eval()(x), expected)
    torch.testing.assert_close(layer.train()(x), expected)


def test_the_gradient_passes_the_codewords_unchanged():
    layer = RBOConv2d(3, 4, 3, n_codewords=8)
    g = torch.randn(4, 3, 3, 3)
    (layer.binary_weight * g).sum().backward()
    assert torch.equal(layer.weight.grad, g)


def test_new_weights_and_the_end_of_stage_one_choose_the_codewords_anew():
    layer = RBOConv2d(8, 8, 3, n_codewords=16)
    for start in (layer.reset_parameters, layer.start_binary):
        before = layer.codebook.codewords.clone()
        layer.real_weights = True
        if start == layer.start_binary:
            layer.weight.data = random_weights(8, 8, 3, 3, seed=9)
        start()
        assert not torch.equal(layer.codebook.codewords, before)
        expected = KernelCodebook(16, (3, 3))
        expected.choose(layer.weight)
        assert torch.equal(layer.codebook.codewords, expected.codewords)
    assert not layer.real_weights


def test_the_first_codewords_are_those_of_the_first_weights():
    layer = RBOConv2d(8, 8, 3, n_codewords=16)
    count = collections.Counter(signs(layer.weight.detach()))
    words = rows(layer.codebook.codewords)
    assert sum(count[word] for word in words) == sum(n for _, n in count.most_common(16))


def test_while_training_runs_the_codewords_stay_and_kernels_move_between_them():
    torch.manual_seed(0)
    layer = RBOConv2d(4, 4, 3, n_codewords=8)
    words, before = layer.codebook.codewords.clone(), layer.binary_weight.detach()
    optimiser = torch.optim.SGD([layer.weight], 1.0)
    layer(bits(4, 4, 5, 5)).square().mean().backward()
    optimiser.step()
    assert torch.equal(layer.codebook.codewords, words)
    assert not torch.equal(layer.binary_weight, before)


def test_a_layer_loads_the_codewords_it_saved_and_one_without_codebook_saves_none():
    layer, other = (RBOConv2d(4, 5, 3, n_codewords=8) for _ in range(2))
    assert list(layer.state_dict()) == ["weight", "scale", "gain", "codebook.codewords"]
    assert not torch.equal(layer.codebook.codewords, other.codebook.codewords)
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other.binary_weight, layer.binary_weight)
    assert list(RBOConv2d(4, 5, 3).state_dict()) == ["weight", "scale", "gain"]


# Lowering.


@pytest.mark.parametrize("n", [3, 8])
def test_lowering_gives_the_decoded_weights_and_the_scores_of_the_module(n):
    torch.manual_seed(4)
    network = nn.Sequential(
        InputBinarise(), RBOConv2d(2, 6, 3, padding=1, pad_value=-1, n_codewords=n), nn.BatchNorm2d(6), BinaryActivation(),
        RBOConv2d(6, 5, (2, 3), n_codewords=n), nn.BatchNorm2d(5), BinaryActivation(), ChannelLastFlatten(), BinaryHead(50, 3),
    ).eval()  # fmt: skip
    # Batch norms that rise: lowering negates the kernels of channels where they fall.
    lowered = lower(network, "codebook", EdgeType(UInt(8), (6, 4, 2)))
    nodes = {node.name: node for node in lowered.nodes}
    for name, layer in (("conv1", network[1]), ("conv2", network[4])):
        indices = layer.codebook.nearest(layer.weight)
        weights = layer.codebook.decode(indices).permute(0, 2, 3, 1).numpy()
        assert np.array_equal(nodes[name].weights, weights)
        assert not np.array_equal(weights > 0, layer.weight.detach().permute(0, 2, 3, 1) >= 0)
    images = torch.randint(256, (8, 6, 4, 2))
    scores, _ = GoldenModel(lowered).run(images)
    expected = network(images.permute(0, 3, 1, 2).float())
    torch.testing.assert_close(scores * network[-1].alpha, expected)


# Memory, and parameters out of range.


@pytest.mark.parametrize(
    ("n", "index_bits", "memory"),
    [(2, 1, 1018), (16, 4, 4144), (17, 5, 5153), (32, 5, 5288), (64, 6, 6576), (512, 9, 13608)],
)
def test_a_thousand_kernels_take_their_indices_and_the_table(n, index_bits, memory):
    codebook = KernelCodebook(n, (3, 3))
    assert codebook.index_bits == index_bits
    assert codebook.rom_bits(1000) == memory


@pytest.mark.parametrize(
    ("kernel", "options", "message"),
    [
        (3, {"n_codewords": 1}, "Codewords must be 2 to 512, not 1"),
        (3, {"n_codewords": 513}, "Codewords must be 2 to 512, not 513"),
        ((1, 2), {"n_codewords": 5}, "Codewords must be 2 to 4, not 5"),
        ((2, 5), {"n_codewords": 4}, "Taps of a kernel must be 1 to 9 for a codebook, not 10"),
        (3, {"n_codewords": 8, "mode": "official"}, "Codewords must be None in mode 'official', not 8"),
        (3, {"n_codewords": 8, "mode": "official_ranked"}, "Codewords must be None in mode 'official_ranked', not 8"),
    ],
)  # fmt: skip
def test_codebooks_out_of_range_are_rejected(kernel, options, message):
    with pytest.raises(ValueError, match=message):
        RBOConv2d(2, 2, kernel, **options)
