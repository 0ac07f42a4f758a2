"""Accuracy and its interval, and recalibrated batch norms."""

import pytest
import torch
from rbonn.sw.train.evaluation import accuracy, pixels, recalibrate, wilson_interval
from rbonn.sw.train.layers import RBOLinear
from torch import nn


def test_recalibration_averages_the_statistics_of_the_batches(monkeypatch):
    monkeypatch.setattr("rbonn.sw.train.evaluation._BATCH", 5)
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4))
    images = torch.randint(0, 256, (15, 9, 9, 1), dtype=torch.uint8)
    with torch.no_grad():
        network(255 - pixels(images) / 2)  # statistics of before, which must not count
    recalibrate(network, images)
    with torch.no_grad():
        product = network[0](pixels(images))  # (15, 4, height, width)
    batches = product.unflatten(0, (3, 5)).transpose(1, 2).flatten(2)  # (3, 4, values)
    norm = network[1]
    torch.testing.assert_close(norm.running_mean, batches.mean(2).mean(0), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(norm.running_var, batches.var(2).mean(0), rtol=1e-4, atol=1e-4)
    assert norm.momentum == 0.1
    assert not any(module.training for module in network.modules())


@pytest.mark.parametrize(("n", "n_counted"), [(501, 500), (1499, 1000), (1000, 1000), (7, 7)])
def test_recalibration_leaves_out_what_fills_no_batch(n, n_counted):
    network = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(2))
    images = torch.randint(0, 256, (n, 1, 1, 2), dtype=torch.uint8)
    images[n_counted:] = 255
    recalibrate(network, images)
    batches = images[:n_counted, 0, 0].double().unflatten(0, (-1, min(n, 500)))  # (k, batch, 2)
    norm = network[1]
    torch.testing.assert_close(
        norm.running_mean.double(), batches.mean(1).mean(0), rtol=1e-5, atol=0
    )
    torch.testing.assert_close(norm.running_var.double(), batches.var(1).mean(0), rtol=1e-5, atol=0)


@pytest.mark.parametrize("mode", ["paper", "official", "official_ranked", "off"])
def test_recalibrated_statistics_are_those_of_the_weights_that_are_judged(mode):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), RBOLinear(6, 5, mode=mode), nn.BatchNorm1d(5)).train()
    if network[1].official:  # in training its bits are others than those judged
        network[1].previous_gradient.copy_(network[1].weight.detach().sign())
        assert not torch.equal(network[1].weight_ahead() >= 0, network[1].weight >= 0)
    images = torch.randint(0, 256, (40, 1, 6, 1), dtype=torch.uint8)
    recalibrate(network, images)
    network.eval()
    scores = network(pixels(images))  # (image, channel)
    torch.testing.assert_close(scores.mean(0), torch.zeros(5), rtol=0, atol=1e-4)
    torch.testing.assert_close(scores.std(0), torch.ones(5), rtol=1e-3, atol=0)


def test_a_network_is_judged_in_eval_mode_and_keeps_its_statistics():
    network = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(3), nn.Dropout(1.0)).train()
    images = torch.zeros(9, 1, 1, 3, dtype=torch.uint8)
    images[..., 2] = 50
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    assert accuracy(network, images, torch.full((9,), 2)) == 1
    assert not network.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_the_lowest_class_counts_on_a_tie():
    class Tie(torch.nn.Module):
        def forward(self, x):
            return torch.tensor([[1.0, 3, 3, 0]]).repeat(len(x), 1)

    images = torch.zeros(10, 28, 28, 1, dtype=torch.uint8)
    assert accuracy(Tie(), images, torch.full((10,), 1)) == 1
    assert accuracy(Tie(), images, torch.full((10,), 2)) == 0


@pytest.mark.parametrize(
    ("n_right", "n", "lowest", "highest"),
    [  # Newcombe, Statistics in Medicine 1998, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_interval_is_the_published_one(n_right, n, lowest, highest):
    assert wilson_interval(n_right / n, n) == pytest.approx((lowest, highest), abs=5e-5)
