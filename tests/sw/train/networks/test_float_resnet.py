"""The real-valued teacher: its shape, that it learns, and that hardware refuses it."""

import pytest
import torch
from rbonn.sw.errors import UnsupportedLayerError
from rbonn.sw.lower import lower
from rbonn.sw.network import EdgeType, UInt
from rbonn.sw.train.experiment import load_experiment, shipped_experiments
from rbonn.sw.train.networks import FloatResNet, FloatResNetConfig, ImageShape, build_network
from rbonn.sw.train.networks.float_resnet import FloatBlock
from torch import nn
from torch.nn import functional

CIFAR = ImageShape(32, 32, 3)
MNIST = ImageShape(28, 28, 1)


def pixels(n, image):
    return torch.randint(0, 256, (n, image.channels, image.height, image.width)).float()


def test_resnet20_has_the_layers_and_weights_of_the_paper():
    network = FloatResNet(FloatResNetConfig(), CIFAR, 10)
    threes = [m for m in network.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]
    assert len(threes) + 1 == 20
    # He et al.: 0.27 million. 3x3 convolutions by hand, then shortcuts, head and 21 batch norms.
    weights = 9 * (3 * 16 + 6 * 16**2 + (16 * 32 + 5 * 32**2) + (32 * 64 + 5 * 64**2))
    assert sum(m.weight.numel() for m in threes) == weights == 267_696
    norms = 2 * (7 * 16 + 6 * 32 + 6 * 64) + 2 * (32 + 64)
    shortcuts = 16 * 32 + 32 * 64
    total = weights + norms + shortcuts + 64 * 10 + 10
    assert sum(p.numel() for p in network.parameters()) == total


@pytest.mark.parametrize(("depth", "width", "image"), [(8, 16, MNIST), (20, 16, CIFAR), (14, 3, MNIST)])  # fmt: skip
def test_groups_halve_the_image_and_double_the_channels(depth, width, image):
    network = FloatResNet(FloatResNetConfig(depth=depth, width=width), image, 7).eval()
    shapes = {}
    for name, module in network.layers.named_children():
        module.register_forward_hook(
            lambda _, __, output, name=name: shapes.update({name: tuple(output.shape[1:])})
        )
    assert network(pixels(2, image)).shape == (2, 7)
    size = image.height
    assert shapes["group1"] == (width, size, size)
    assert shapes["group2"] == (2 * width, size // 2, size // 2)
    assert shapes["group3"] == (4 * width, size // 4, size // 4)


def test_a_block_begins_as_its_shortcut():
    block = FloatBlock(4, halve=False).train()
    x = torch.randn(3, 4, 8, 8)
    torch.testing.assert_close(block(x), functional.relu(x))
    halving = FloatBlock(4, halve=True).train()
    torch.testing.assert_close(halving(x), functional.relu(halving.shortcut(x)))


def test_the_scale_and_offset_of_the_pixels_do_not_matter_in_training():
    network = FloatResNet(FloatResNetConfig(depth=8, width=4), MNIST, 10).train()
    x = pixels(16, MNIST)
    torch.testing.assert_close(network(x), network(3 * x - 100), rtol=1e-3, atol=1e-3)


def test_it_learns_bars_in_a_few_steps():
    network = FloatResNet(FloatResNetConfig(depth=8, width=4), ImageShape(16, 16, 1), 4)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    labels = torch.arange(4).repeat(16)
    images = torch.randint(0, 100, (64, 1, 16, 16)).float()
    for image, label in zip(images, labels.tolist(), strict=True):
        strip = image[0] if label % 2 else image[0].T
        strip[:, 2 : 4 + label] += 120
    losses = []
    for _ in range(40):
        optimiser.zero_grad()
        loss = functional.cross_entropy(network(images), labels)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[0] > 1.2  # chance is log 4 = 1.39
    assert losses[-1] < 0.1


@pytest.mark.parametrize(
    ("config", "image", "message"),
    [
        (FloatResNetConfig(depth=18), CIFAR, r"6 n \+ 2, not 18"),
        (FloatResNetConfig(depth=2), CIFAR, r"6 n \+ 2, not 2"),
        (FloatResNetConfig(depth=-4), CIFAR, r"6 n \+ 2, not -4"),
        (FloatResNetConfig(width=0), CIFAR, "Width must be at least 1, not 0"),
        (FloatResNetConfig(), ImageShape(30, 32, 3), "even height and width, not 15 x 16"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(config, image, message):
    with pytest.raises(ValueError, match=message):
        FloatResNet(config, image, 10)


@pytest.mark.parametrize(
    ("name", "image"), [("mnist_float_resnet", MNIST), ("cifar10_float_resnet20", CIFAR)]
)
def test_the_shipped_teachers_are_experiments(name, image):
    experiment = load_experiment(shipped_experiments()[name])
    assert experiment.name == name
    assert experiment.training.label_smoothing == 0
    assert experiment.distillation is None
    assert isinstance(build_network(experiment.network, image, 10), FloatResNet)


def test_lowering_refuses_it_in_one_line():
    network = FloatResNet(FloatResNetConfig(depth=8, width=4), MNIST, 10).eval()
    with pytest.raises(UnsupportedLayerError) as caught:
        lower(network, "teacher", EdgeType(UInt(8), (28, 28, 1)))
    assert "\n" not in caught.value.message + caught.value.hint
    assert "Conv2d" in caught.value.message
