import pytest
import torch
from rbonn.sw.errors import CheckpointError, UnsupportedLayerError
from rbonn.sw.lower import lower
from rbonn.sw.lower.residual_stages import group_residual, is_residual
from rbonn.sw.lower.trace import trace
from rbonn.sw.train.activations import RPReLU
from rbonn.sw.train.layers import BinaryHead, InputBinarise
from rbonn.sw.train.networks.image import ImageShape
from rbonn.sw.train.networks.resnet18 import ResNet18, ResNet18Config
from rbonn.sw.train.networks.resnet20 import ResNet20, ResNet20Config
from torch import nn

from .residual_modules import Shape, build

BLOCKS, POOL, FLATTEN, HEAD = 3, 4, 5, 6
"""Places in the networks that `build` makes."""


def changed(place, layer, **shape):
    """A network with another layer at `place`, and its image type."""
    module, _ = build(Shape(**shape))
    module[place] = layer
    return module, Shape(**shape).image_type


def refused(module, image, message, hint=""):
    with pytest.raises(UnsupportedLayerError, match=message) as error:
        lower(module, "t", image)
    assert hint in error.value.hint


def test_the_layers_of_a_resnet20_have_their_roles():
    module = ResNet20(ResNet20Config(width=4, blocks=2), ImageShape(8, 8, 3), 10).eval()
    layers = trace(module, Shape().image_type)
    assert is_residual(layers)
    network = group_residual(layers)
    assert network.encoding is not None
    assert network.encoding.name == "layers.encode"
    assert network.stem.name == "layers.stem"
    assert [norm.name for norm in network.norms] == ["layers.norm"]
    assert [block.name for block in network.blocks] == [
        f"layers.group{group}.{block}" for group in (1, 2, 3) for block in (0, 1)
    ]
    assert network.head.name == "layers.head"


def test_layers_that_do_nothing_in_eval_may_stand_anywhere():
    module, images = build(Shape())
    idle = nn.Sequential(*module[:2], nn.Identity(), *module[2:5], nn.Dropout(), *module[5:])
    expected = lower(module, "t", Shape().image_type, calibration=images)
    assert lower(idle.eval(), "t", Shape().image_type, calibration=images).hash() == expected.hash()


def test_a_resnet18_is_refused_at_its_first_layer():
    with torch.random.fork_rng():
        module = ResNet18(ResNet18Config(), ImageShape(32, 32, 3), 10)
    image = Shape(image=(32, 32, 3)).image_type
    refused(module, image, r"layer layers\.normalise \(PixelNormalise\) cannot stand at the start of a residual network", "RBOConv2d or Int8Conv2d")  # fmt: skip


@pytest.mark.parametrize(
    ("place", "layer", "message"),
    [
        (2, nn.ReLU(), r"layer 2 \(ReLU\) cannot stand after 1 \(RBOConv2d\)"),
        (1, nn.Conv2d(12, 4, 3, padding=1), r"layer 1 \(Conv2d\) cannot stand after 0 \(InputThermometer\)"),
        (POOL, nn.Sequential(), r"layer 5 \(Flatten\) cannot stand after 3\.2 \(Block\)"),
        (POOL, nn.MaxPool2d(4), r"layer 4 \(MaxPool2d\) cannot stand after 3\.2 \(Block\)"),
        (HEAD, nn.Sequential(nn.Linear(8, 5), nn.Linear(5, 5)), r"layer 6\.1 \(Linear\) cannot stand after 6\.0 \(Linear\)"),
        (HEAD, BinaryHead(8, 5), r"layer 6 \(BinaryHead\) cannot stand after 5 \(Flatten\)"),
        (HEAD, nn.Identity(), r"the network ends with layer 5 \(Flatten\)"),
        (BLOCKS, nn.Sequential(nn.BatchNorm2d(4), build(Shape())[0][BLOCKS][0], nn.Sigmoid(), build(Shape())[0][BLOCKS][1:]), r"layer 3\.2 \(Sigmoid\) cannot stand after 3\.1 \(Block\)"),
    ],
)  # fmt: skip
def test_a_layer_in_another_place_is_refused_by_name(place, layer, message):
    module, image = changed(place, layer)
    if place == POOL:
        module[HEAD] = nn.LazyLinear(5)
        module(torch.zeros(1, 3, 8, 8))
    refused(module.eval(), image, message, "Order the layers as")


def test_an_average_that_leaves_several_pixels_is_refused():
    module, image = changed(POOL, nn.AdaptiveAvgPool2d(2))
    module[HEAD] = nn.Linear(32, 5)
    refused(module, image, r"layer 4 \(AdaptiveAvgPool2d\) gives 2 pixels, not one")


@pytest.mark.parametrize(
    ("member", "layer", "message"),
    [
        ("sign", nn.Hardtanh(), r"layer 3\.0\.sign \(Hardtanh\) cannot be lowered as the sign of a Block"),
        ("product", nn.Conv2d(4, 4, 3, padding=1), r"layer 3\.0\.product \(Conv2d\)"),
        ("norm", nn.GroupNorm(2, 4), r"layer 3\.0\.norm \(GroupNorm\)"),
        ("shortcut", nn.Conv2d(4, 4, 1), r"layer 3\.0\.shortcut \(Conv2d\)"),
        ("activation", nn.PReLU(), r"layer 3\.0\.activation \(PReLU\)"),
        ("activation", nn.Sequential(RPReLU(4)), r"layer 3\.0\.activation \(Sequential\)"),
    ],
)  # fmt: skip
def test_a_block_with_another_member_is_refused(member, layer, message):
    module, _ = build(Shape())
    setattr(module[BLOCKS][0], member, layer)
    refused(module, Shape().image_type, message, "Blocks as they are")


def conv1x1(*layers):
    module, _ = build(Shape(shortcut="conv1x1"))
    module[BLOCKS][1].shortcut = nn.Sequential(*layers)
    return module.eval()


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ((nn.AvgPool2d(2), nn.Conv2d(4, 8, 1)), r"layer 3\.1\.shortcut \(Sequential\) of AvgPool2d, Conv2d cannot be lowered as a shortcut"),
        ((nn.MaxPool2d(2), nn.Conv2d(4, 8, 1), nn.BatchNorm2d(8)), r"of MaxPool2d, Conv2d, BatchNorm2d"),
        ((nn.AvgPool2d(2), nn.Conv2d(4, 8, 3, padding=1), nn.BatchNorm2d(8)), r"layer 3\.1\.shortcut\.1 \(Conv2d\): 4, 8, kernel_size=\(3, 3\).* is not a convolution of single pixels"),
        ((nn.Identity(), nn.Conv2d(4, 8, 1, stride=2), nn.BatchNorm2d(8)), r"layer 3\.1\.shortcut\.1 .* is not a convolution of single pixels"),
        ((nn.AvgPool2d(2), nn.Conv2d(4, 8, 1, groups=2), nn.BatchNorm2d(8)), r"layer 3\.1\.shortcut\.1 .* is not a convolution of single pixels"),
        ((nn.AvgPool2d(3, 2, 1), nn.Conv2d(4, 8, 1), nn.BatchNorm2d(8)), r"layer 3\.1\.shortcut\.0 \(AvgPool2d\): .* is not an average over squares side by side"),
        ((nn.AvgPool2d(2, divisor_override=3), nn.Conv2d(4, 8, 1), nn.BatchNorm2d(8)), r"is not an average over squares side by side"),
        ((nn.AvgPool2d(2), nn.Conv2d(4, 8, 1), nn.BatchNorm2d(8, track_running_stats=False)), r"layer 3\.1\.shortcut\.2 \(BatchNorm2d\) has no running statistics"),
    ],
)  # fmt: skip
def test_a_shortcut_of_other_layers_is_refused(layers, message):
    refused(conv1x1(*layers), Shape().image_type, message)


@pytest.mark.parametrize("where", ["stem", "block"])
def test_a_batch_norm_without_statistics_is_refused(where):
    module, _ = build(Shape())
    bare = nn.BatchNorm2d(4, track_running_stats=False)
    if where == "stem":
        module[2] = bare
    else:
        module[BLOCKS][0].norm = bare
    name = "2" if where == "stem" else r"3\.0\.norm"
    refused(module, Shape().image_type, rf"layer {name} \(BatchNorm2d\) has no running statistics")


@pytest.mark.parametrize("where", ["stem", "block"])
def test_the_real_weights_of_stage_one_are_refused(where):
    module, _ = build(Shape())
    layer = module[1] if where == "stem" else module[BLOCKS][2].product
    layer.real_weights = True
    name = "1" if where == "stem" else r"3\.2\.product"
    refused(module, Shape().image_type, rf"layer {name} \(RBOConv2d\) has real weights", "start_binary")  # fmt: skip


def test_a_network_that_diverged_is_refused():
    module, _ = build(Shape())
    module[BLOCKS][1].activation.slope.data[0] = torch.nan
    with pytest.raises(CheckpointError, match=r"3\.1\.activation\.slope of Sequential has values"):
        lower(module, "t", Shape().image_type)


def test_a_chain_is_no_residual_network():
    layers = trace(nn.Sequential(InputBinarise(), nn.Flatten(), BinaryHead(192, 2)), Shape().image_type)  # fmt: skip
    assert not is_residual(layers)
