"""What training leaves in the scale factors does not reach the hardware: only signs and thresholds do."""

import copy

import numpy as np
import pytest
import torch
from rbonn.sw.lower import lower
from rbonn.sw.network import EdgeType, Threshold, UInt
from rbonn.sw.train.layers import (
    BinaryActivation,
    BinaryHead,
    InputBinarise,
    RBOConv2d,
    RBOLayer,
    RBOLinear,
)
from torch import nn

IMAGE = EdgeType(UInt(8), (8, 8, 2))


def network(mode):
    return nn.Sequential(
        InputBinarise(100),
        RBOConv2d(2, 9, 3, padding=1, mode=mode), nn.BatchNorm2d(9), nn.MaxPool2d(2), BinaryActivation(),
        nn.Flatten(), RBOLinear(9 * 16, 12, mode=mode), nn.BatchNorm1d(12), BinaryActivation(),
        BinaryHead(12, 3),
    )  # fmt: skip


def lowered(module, images):
    """The integer network after the batch norms have seen `images`, in float64."""
    module = copy.deepcopy(module).double()
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
            norm.momentum = None
            norm.reset_running_stats()
    with torch.no_grad():
        module.train()(images.double())
    return lower(module.eval(), "t", IMAGE)


def thresholds(network):
    return {node.name: node.thresholds for node in network.nodes if isinstance(node, Threshold)}


@pytest.mark.parametrize("mode", ["paper", "official", "official_ranked", "off"])
def test_alpha_and_ten_alpha_fold_to_identical_integer_thresholds(mode):
    generator = np.random.default_rng(4)
    images = torch.from_numpy(generator.integers(0, 256, (100, 2, 8, 8))).float()
    for seed in range(5):
        torch.manual_seed(seed)
        module = network(mode)
        for norm in (module[2], module[7]):
            norm.weight.data.normal_()
            norm.bias.data.normal_()
        larger = copy.deepcopy(module)
        for layer in (module, larger):
            for product in layer.modules():
                if isinstance(product, RBOLayer):
                    # alpha is far above the norms' epsilon, which is all that tells the two apart
                    product.scale.data.fill_(500.0 if product.official else 0.1)
        for product in larger.modules():
            if isinstance(product, RBOLayer):
                product.scale.data.mul_(10.0 if product.official else 0.1)
        expected, actual = (thresholds(lowered(each, images)) for each in (module, larger))
        assert expected.keys() == actual.keys()
        assert len(expected) == 2
        for name, values in expected.items():
            assert np.array_equal(values, actual[name])
            assert len(set(values.tolist())) > 2
