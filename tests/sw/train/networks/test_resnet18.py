"""ResNet-18: the paper's layer list."""

import numpy as np
import pytest
import torch
from rbonn.sw.train.layers import RBOConv2d
from rbonn.sw.train.networks import Block, ImageShape, RecurrentConfig, ResNet18, ResNet18Config
from rbonn.sw.train.networks.resnet18 import PixelNormalise
from torch import nn

IMAGENET = ImageShape(224, 224, 3)


@pytest.fixture(scope="module")
def network():
    return ResNet18(ResNet18Config(), IMAGENET, 1000).eval()


def test_sixteen_binary_convolutions_have_10985472_weights(network):
    products = [module for module in network.modules() if isinstance(module, RBOConv2d)]
    assert len(products) == 16
    assert sum(product.weight.numel() for product in products) == 10_985_472
    assert {product.kernel_size for product in products} == {(3, 3)}


def test_the_layers_are_those_of_the_paper(network):
    assert [type(module).__name__ for module in network.layers] == [
        "PixelNormalise", "Conv2d", "BatchNorm2d", "MaxPool2d", *["Sequential"] * 4, "AdaptiveAvgPool2d", "Flatten", "Linear",
    ]  # fmt: skip
    stem, pool = network.layers.conv1, network.layers.maxpool
    assert (stem.kernel_size, stem.stride, stem.padding, stem.bias) == (
        (7, 7),
        (2, 2),
        (3, 3),
        None,
    )
    assert (pool.kernel_size, pool.stride, pool.padding) == (3, 2, 1)
    for number, channels in ((1, 64), (2, 128), (3, 256), (4, 512)):
        group = network.layers.get_submodule(f"layer{number}")
        assert [type(block) for block in group] == [Block] * 4
        assert {block.product.out_channels for block in group} == {channels}
        assert [block.product.stride for block in group] == [1 if number == 1 else 2, 1, 1, 1]
        beside = [type(block.shortcut) for block in group]
        assert beside == [nn.Identity if number == 1 else nn.Sequential, *[nn.Identity] * 3]
        if number > 1:
            kinds = [type(module) for module in group[0].shortcut]
            assert kinds == [nn.AvgPool2d, nn.Conv2d, nn.BatchNorm2d]
            assert group[0].shortcut[1].weight.shape == (channels, channels // 2, 1, 1)
    assert network.layers.fc.weight.shape == (1000, 512)


def test_small_images_and_few_classes_work_too():
    config = ResNet18Config(recurrent=RecurrentConfig(mode="off"))
    network = ResNet18(config, ImageShape(64, 32, 3), 7)
    assert network(torch.zeros(2, 3, 64, 32)).shape == (2, 7)


def test_pixels_are_normalised_as_the_first_layer_expects_and_the_state_has_nothing_of_it(network):
    layer = PixelNormalise((0.25, 0.5), (0.5, 0.125))
    x = torch.randint(0, 256, (2, 2, 3, 3)).float()
    expected = (x.numpy() / 255 - np.reshape([0.25, 0.5], (2, 1, 1))) / np.reshape(
        [0.5, 0.125], (2, 1, 1)
    )
    np.testing.assert_allclose(layer(x).numpy(), expected, rtol=1e-5, atol=1e-6)
    assert not any("normalise" in name for name in network.state_dict())
    with pytest.raises(ValueError, match="1 means, 2 deviations"):
        PixelNormalise((0.5,), (0.5, 0.5))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (ImageShape(224, 224, 1), "3 channels, not 1"),
        (ImageShape(200, 224, 3), "even height and width, not 25 x 28"),
    ],
)
def test_other_images_are_refused(image, message):
    with pytest.raises(ValueError, match=message):
        ResNet18(ResNet18Config(), image, 10)
