"""Summaries: the counts that are published of the known shapes, and those of small networks done by hand."""

import pytest
import torch
from rbonn.sw.train.networks import (
    CnnConfig,
    CnvConfig,
    ConvConfig,
    FloatResNetConfig,
    ImageShape,
    MlpConfig,
    ResNet18Config,
    ResNet20Config,
    build_network,
)
from rbonn.sw.train.networks.summary import LayerSummary, summary
from torch import nn

CIFAR = ImageShape(32, 32, 3)


def summarised(config, image=CIFAR, n_classes=10):
    return summary(build_network(config, image, n_classes), image)


def test_resnet18_has_the_published_weights_macs_and_memory():
    layers = summarised(ResNet18Config(), ImageShape(224, 224, 3), 1000)
    total = layers.total
    assert total.binary_parameters == 10_985_472
    assert total.binary_macs == 1_676_279_808  # 1.676e9
    assert (
        total.real_macs == 118_013_952 + 19_267_584 + 512_000
    )  # stem, shortcuts, last layer: 1.378e8
    weights = [layer for layer in layers.layers if layer.kind in ("Conv2d", "Linear")]
    assert sum(layer.real_parameters for layer in weights) == 694_440  # 0.694 M
    assert round(total.memory_bits / 8e6, 1) == 4.2  # MB
    assert total.output_shape == (1000,)
    assert len([row for row in layers.blocks() if row.kind == "Block"]) == 16


def test_resnet20_has_the_published_weights_and_macs_without_its_stem():
    layers = summarised(ResNet20Config()).layers
    inner = [x for x in layers if x.kind == "RBOConv2d" and x.name != "layers.stem"]
    assert len(inner) == 18
    assert sum(layer.binary_parameters for layer in inner) == 267_264
    assert sum(layer.binary_macs for layer in inner) == 40_108_032  # 40.1 M


def test_cnv_has_the_published_weights_and_macs():
    total = summarised(CnvConfig(input_levels=None)).total
    assert total.binary_parameters == 1_542_848  # 1.54 M
    assert total.binary_macs == 59_461_376  # 59.5 M
    assert total.real_macs == 0


def test_every_number_of_a_small_network_is_right():
    layers = summarised(MlpConfig(hidden=(6,)), ImageShape(4, 5, 2), 3).layers
    assert layers == (
        LayerSummary(name="layers.0", kind="InputBinarise", output_shape=(4, 5, 2), block="layers.0"),
        LayerSummary(name="layers.1", kind="ChannelLastFlatten", output_shape=(40,), block="layers.1"),
        LayerSummary(
            name="layers.2", kind="RBOLinear", output_shape=(6,), binary_parameters=240, binary_macs=240,
            memory_bits=240, block="layers.2",
        ),
        LayerSummary(
            name="layers.3", kind="BatchNorm1d", output_shape=(6,), real_parameters=12, memory_bits=12 * 32, block="layers.3"
        ),
        LayerSummary(name="layers.4", kind="BinaryActivation", output_shape=(6,), block="layers.4"),
        LayerSummary(
            name="layers.5", kind="BinaryHead", output_shape=(3,), binary_parameters=18, real_parameters=3,
            binary_macs=18, memory_bits=18 + 3 * 32, block="layers.5",
        ),
    )  # fmt: skip


def test_an_8_bit_stem_is_no_binary_layer_and_takes_8_bits_a_weight():
    stem = summarised(ResNet20Config(stem="int8")).layers[0]
    assert (stem.kind, stem.real_parameters, stem.memory_bits) == ("Int8Conv2d", 432, 432 * 8)
    assert (stem.binary_macs, stem.real_macs) == (0, 432 * 1024)


def test_a_block_is_one_row_with_the_sums_of_its_layers():
    rows = summarised(ResNet20Config(blocks=1, shortcut="conv1x1"))
    block = next(row for row in rows.blocks() if row.name == "layers.group2.0")
    assert block == LayerSummary(
        name="layers.group2.0",
        kind="Block",
        output_shape=(16, 16, 32),
        binary_parameters=16 * 32 * 9,
        real_parameters=16 + 2 * 32 + 16 * 32 + 2 * 32 + 3 * 32,
        binary_macs=16 * 32 * 9 * 256,
        real_macs=16 * 32 * 256,
        memory_bits=16 * 32 * 9 + 32 * (16 + 2 * 32 + 16 * 32 + 2 * 32 + 3 * 32),
        block="layers.group2.0",
    )
    assert sum(row.memory_bits for row in rows.blocks()) == rows.total.memory_bits
    assert [row.name for row in rows.blocks()][:4] == [
        "layers.encode", "layers.stem", "layers.norm", "layers.group1.0",
    ]  # fmt: skip


def test_more_than_ten_blocks_of_a_group_have_a_row_each():
    image = ImageShape(8, 8, 3)
    rows = summarised(ResNet20Config(width=1, blocks=11, input_levels=2), image).blocks()
    blocks = [row.name for row in rows if row.kind == "Block"]
    assert blocks == [f"layers.group{group}.{n}" for group in (1, 2, 3) for n in range(11)]


def test_a_summary_leaves_the_network_and_the_random_state_alone():
    network = build_network(ResNet20Config(width=2, blocks=1), CIFAR, 10).train()
    network.layers.norm.eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    state = torch.get_rng_state()
    summary(network, CIFAR)
    assert network.training
    assert not network.layers.norm.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_network_of_another_precision_has_the_same_summary(dtype):
    network = build_network(MlpConfig(hidden=(6,)), CIFAR, 3)
    expected = summary(network, CIFAR)
    assert summary(network.to(dtype), CIFAR) == expected


def test_a_teacher_has_no_binary_layer():
    rows = summarised(FloatResNetConfig(depth=20, width=16))
    assert rows.total.binary_parameters == rows.total.binary_macs == 0
    convolutions = 432 + 6 * 2304 + 4608 + 5 * 9216 + 18432 + 5 * 36864 + 512 + 2048
    weights = [row for row in rows.layers if row.kind in ("Conv2d", "Linear")]
    assert sum(row.real_parameters for row in weights) == convolutions + 650
    assert len([row for row in rows.blocks() if row.kind == "Block"]) == 9


def test_layers_of_torch_are_real():
    network = nn.Sequential(nn.Conv2d(3, 4, 3, groups=1), nn.Flatten(), nn.Linear(4 * 900, 2))
    total = summary(network, CIFAR).total
    assert total.real_macs == 3 * 4 * 9 * 900 + 4 * 900 * 2
    assert total.real_parameters == 3 * 4 * 9 + 4 + 4 * 900 * 2 + 2
    assert total.binary_parameters == 0


def test_a_layer_with_a_codebook_counts_as_one_without():
    plain, limited = (
        CnnConfig(convolutions=(ConvConfig(channels=8, codewords=n),)) for n in (None, 32)
    )
    assert build_network(limited, CIFAR, 10).layers[1].codebook is not None
    assert summarised(limited) == summarised(plain)
