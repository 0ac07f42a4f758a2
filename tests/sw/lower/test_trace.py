import pytest
import torch
from rbonn.sw.errors import CheckpointError, UnsupportedLayerError
from rbonn.sw.lower.trace import trace
from rbonn.sw.network import EdgeType, UInt
from torch import nn

IMAGE = EdgeType(UInt(8), (1, 1, 4))


class WithLayers(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.layers = layers

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class Residual(WithLayers):
    def forward(self, x):
        return x + super().forward(x)


def names(module):
    return [layer.name for layer in trace(module, IMAGE)]


def test_sequential_and_layers_are_walked_in_order_with_their_paths():
    flat = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.ReLU())
    assert names(flat) == ["0", "1", "2"]
    assert names(WithLayers(flat)) == ["layers.0", "layers.1", "layers.2"]
    assert names(WithLayers(nn.ModuleList(flat))) == ["layers.0", "layers.1", "layers.2"]
    nested = nn.Sequential(nn.Flatten(), WithLayers(nn.Sequential(nn.Linear(4, 3), nn.ReLU())))
    assert names(nested) == ["0", "1.layers.0", "1.layers.1"]


def test_the_module_itself_is_left_as_it_is():
    module = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.BatchNorm1d(3)).train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    layers = trace(module, IMAGE)
    assert layers[1].module.weight.dtype == torch.float64
    assert not layers[2].module.training
    assert module[1].weight.dtype == torch.float32
    assert module.training
    assert module[2].training
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name])


def test_a_module_without_layers_is_refused():
    with pytest.raises(UnsupportedLayerError, match="Linear has no ordered list of layers to walk"):
        trace(nn.Linear(4, 3), IMAGE)


def test_a_branch_is_refused():
    module = Residual(nn.Sequential(nn.Identity()))
    with pytest.raises(UnsupportedLayerError, match="Residual does not compute what its layers"):
        trace(module, IMAGE)


def test_another_image_size_is_refused_with_what_pytorch_says():
    module = nn.Sequential(nn.Flatten(), nn.Linear(5, 3))
    with pytest.raises(
        UnsupportedLayerError, match="Sequential does not take images of 1x1x4: "
    ) as error:
        trace(module, IMAGE)
    assert "\n" not in error.value.message


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_diverged_network_is_refused(value):
    module = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    module[1].bias.data[1] = value
    with pytest.raises(
        CheckpointError, match=r"1\.bias of Sequential has values that are not finite"
    ):
        trace(module, IMAGE)
