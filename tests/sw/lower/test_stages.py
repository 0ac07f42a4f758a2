import pytest
from rbonn.sw.errors import UnsupportedLayerError
from rbonn.sw.lower.stages import group_stages, pool_size
from rbonn.sw.lower.trace import Layer
from rbonn.sw.train.layers import (
    BinaryActivation,
    BinaryHead,
    ChannelLastFlatten,
    InputBinarise,
    RBOConv2d,
    RBOLinear,
)
from torch import nn


def layers(*modules):
    return tuple(Layer(f"layers.{i}", module) for i, module in enumerate(modules))


def conv():
    return RBOConv2d(1, 2, 3)


def head():
    return BinaryHead(4, 3)


def test_layers_are_grouped_into_stages():
    chain = group_stages(
        layers(
            InputBinarise(), nn.MaxPool2d(2),
            conv(), nn.BatchNorm2d(2), nn.MaxPool2d(2), BinaryActivation(), nn.MaxPool2d(3),
            nn.Dropout(), conv(), nn.Identity(), BinaryActivation(),
            ChannelLastFlatten(),
            RBOLinear(4, 4), nn.BatchNorm1d(4), nn.BatchNorm1d(4), BinaryActivation(),
            head(),
        )
    )  # fmt: skip
    assert chain.encoding.name == "layers.0"
    assert [layer.name for layer in chain.input_pools] == ["layers.1"]
    assert [stage.name for stage in chain.stages] == ["conv1", "conv2", "dense1"]
    first, second, dense = chain.stages
    assert first.product.name == "layers.2"
    assert [layer.name for layer in first.between] == ["layers.3", "layers.4"]
    assert [layer.name for layer in first.after] == ["layers.6"]
    assert [pool_size(pool) for pool in first.pools] == [2, 3]
    assert (second.between, second.pools) == ((), ())
    assert len(dense.between) == 2
    assert chain.head.product.name == "layers.16"


def test_only_the_first_dense_layer_reads_the_flattened_image():
    dense = (RBOLinear(4, 4), BinaryActivation())
    chain = group_stages(layers(nn.Flatten(), *dense, *dense, head()))
    assert [stage.channel_first for stage in (*chain.stages, chain.head)] == [True, False, False]
    assert group_stages(layers(nn.Flatten(), head())).head.channel_first
    assert not group_stages(layers(ChannelLastFlatten(), head())).head.channel_first


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        ((InputBinarise(), nn.ReLU(), head()), r"layer layers.1 \(ReLU\) cannot be lowered"),
        ((nn.Conv2d(1, 2, 3), head()), r"layer layers.0 \(Conv2d\) cannot be lowered"),
        ((InputBinarise(), ChannelLastFlatten(), RBOLinear(4, 4), BinaryActivation()), "the network does not end with a BinaryHead"),
        ((InputBinarise(), ChannelLastFlatten(), RBOLinear(4, 3)), r"the network ends with layer layers.2 \(RBOLinear\), not with a BinaryHead"),
        ((), "the network does not end with a BinaryHead"),
        ((InputBinarise(), head(), nn.BatchNorm1d(3)), r"layer layers.2 \(BatchNorm1d\) cannot stand after layers.1 \(BinaryHead\)"),
        ((InputBinarise(), nn.BatchNorm2d(1), conv()), r"layer layers.1 \(BatchNorm2d\) cannot stand after layers.0 \(InputBinarise\)"),
        ((nn.BatchNorm2d(1), conv()), r"layer layers.0 \(BatchNorm2d\) cannot stand at the start"),
        ((InputBinarise(), conv(), conv()), r"layer layers.2 \(RBOConv2d\) cannot stand after layers.1 \(RBOConv2d\)"),
        ((conv(), nn.BatchNorm2d(2), head()), r"layer layers.2 \(BinaryHead\) cannot stand after layers.1 \(BatchNorm2d\)"),
        ((conv(), BinaryActivation(), BinaryActivation(), head()), r"layer layers.2 \(BinaryActivation\) cannot stand after layers.0 \(RBOConv2d\)"),
        ((nn.Flatten(), conv(), head()), r"layer layers.1 \(RBOConv2d\) cannot stand after layers.0 \(Flatten\)"),
        ((nn.Flatten(2), head()), r"layer layers.0 \(Flatten\) flattens axes 2 to -1"),
        ((conv(), nn.BatchNorm2d(2, track_running_stats=False), BinaryActivation()), r"layer layers.1 \(BatchNorm2d\) has no running statistics"),
    ],
)  # fmt: skip
def test_what_cannot_be_lowered_is_named_in_one_line_with_what_can(modules, message):
    with pytest.raises(UnsupportedLayerError, match=message) as error:
        group_stages(layers(*modules))
    assert "\n" not in error.value.message + error.value.hint


def test_the_hint_lists_the_supported_layers():
    with pytest.raises(UnsupportedLayerError) as error:
        group_stages(layers(nn.GELU()))
    assert error.value.hint.startswith(
        "Supported layers: InputBinarise, InputThermometer, RBOConv2d, RBOLinear"
    )


@pytest.mark.parametrize(
    "pool",
    [
        nn.MaxPool2d((2, 3)),
        nn.MaxPool2d(3, stride=2),
        nn.MaxPool2d(2, padding=1),
        nn.MaxPool2d(2, dilation=2),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.MaxPool2d(2, return_indices=True),
    ],
)
def test_only_pools_of_squares_side_by_side_are_supported(pool):
    with pytest.raises(UnsupportedLayerError, match="is not a pool of squares side by side"):
        pool_size(Layer("layers.3", pool))
    assert pool_size(Layer("layers.3", nn.MaxPool2d((2, 2)))) == 2
