import numpy as np
import pytest
import torch
from rbonn.sw.errors import UnsupportedLayerError
from rbonn.sw.lower.head import head_nodes
from rbonn.sw.lower.products import stage_weights
from rbonn.sw.lower.stages import Stage
from rbonn.sw.lower.trace import Layer
from rbonn.sw.network import Bipolar, EdgeType, Int, Network
from rbonn.sw.network.golden import GoldenModel
from rbonn.sw.train.layers import BinaryHead


def lowered(layer, x):
    stage = Stage("head", Layer("layers.9", layer.eval()))
    return head_nodes(stage, stage_weights(stage, x), "image", x)


def test_scores_are_the_trained_ones_divided_by_the_scale_factor():
    torch.manual_seed(0)
    layer = BinaryHead(9, 4)
    layer.bias.data = torch.tensor([0.0, 5.0, -3.3, 0.26])
    x = EdgeType(Bipolar(), (1, 1, 9))
    nodes = lowered(layer, x)
    assert [node.name for node in nodes] == ["head", "scores", "label"]
    images = np.random.default_rng(0).choice(np.array([-1, 1]), (50, 1, 1, 9))
    model = GoldenModel(Network("t", x, nodes, 0, "scores", tuple("abcd")))
    with torch.no_grad():
        expected = layer(torch.from_numpy(images).float().flatten(1))
    scores, labels = model.run(images)
    assert torch.equal(scores * layer.alpha.detach(), expected)
    assert torch.equal(labels, expected.argmax(1))


def test_scores_have_the_narrowest_type_so_that_nothing_saturates():
    layer = BinaryHead(9, 3)
    layer.scale.data.fill_(0.5)
    for bias, expected in (
        ((0, 3, -4), Int(6)),
        ((0, 0, 0), Int(5)),
        ((0, 3.5, 0), Int(6)),
        ((0, 3, 0), Int(5)),
    ):
        layer.bias.data = torch.tensor(bias, dtype=torch.float32)  # 3 is 6 units: 9 + 6 fits 5 bits
        x = EdgeType(Bipolar(), (1, 1, 9))
        assert lowered(layer, x)[1].output_type == expected, bias


@pytest.mark.parametrize(("scale", "bias"), [(0.0, 0.0), (1e-20, 1.0)])
def test_a_collapsed_scale_factor_is_refused(scale, bias):
    layer = BinaryHead(9, 3)
    layer.scale.data.fill_(scale)
    layer.bias.data.fill_(bias)
    with pytest.raises(
        UnsupportedLayerError, match=r"layer layers.9 \(BinaryHead\): its scale factor"
    ):
        lowered(layer, EdgeType(Bipolar(), (1, 1, 9)))
