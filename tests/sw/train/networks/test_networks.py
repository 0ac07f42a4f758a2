"""What all networks have in common: built from their configuration, trained, saved and read back."""

import dataclasses

import pytest
import torch
from pydantic import TypeAdapter
from rbonn.sw.train.layers import BinaryActivation, RBOLayer, RPReLU
from rbonn.sw.train.networks import (
    CnnConfig,
    CnvConfig,
    ConvConfig,
    FloatResNetConfig,
    ImageShape,
    MlpConfig,
    NetworkConfig,
    RecurrentConfig,
    ResNet18Config,
    ResNet20Config,
    build_network,
)
from torch.nn import functional

IMAGE = ImageShape(32, 32, 3)
CONFIGS = [
    MlpConfig(hidden=(8,)),
    CnnConfig(convolutions=(ConvConfig(channels=8, pool=2), ConvConfig(channels=8, stride=2)), hidden=(16,)),
    CnvConfig(width=8),
    ResNet20Config(width=4, blocks=1),
    ResNet20Config(width=4, blocks=1, stem="int8", shortcut="conv1x1", slopes="free"),
    FloatResNetConfig(depth=8, width=4),
    ResNet18Config(),
]  # fmt: skip


def name(config):
    return f"{config.kind}-{getattr(config, 'stem', '')}"


def pixels():
    return torch.randint(0, 256, (4, 3, 32, 32)).float()


@pytest.mark.parametrize("config", CONFIGS, ids=name)
def test_every_network_learns_a_batch_by_heart(config):
    network = build_network(config, IMAGE, 3).to(memory_format=torch.channels_last)
    x, labels = pixels().contiguous(memory_format=torch.channels_last), torch.tensor([0, 1, 2, 1])
    large = config.kind == "resnet18"
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3 if large else 1e-2)
    losses = []
    for _ in range(12 if large else 30):
        loss = functional.cross_entropy(network(x), labels)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    without = [n for n, p in network.named_parameters() if p.requires_grad and p.grad is None]
    assert not without


@pytest.mark.parametrize("config", [c for c in CONFIGS if hasattr(c, "recurrent")], ids=name)
def test_the_settings_reach_every_layer(config):
    recurrent = RecurrentConfig(mode="official_ranked", lam=3e-4, tau=0.25, u0=0.5, eta_u=0.2)
    options = {"recurrent": recurrent, "estimator": "clip"}
    if hasattr(config, "slopes"):
        other = {"free": "power_of_two", "power_of_two": "free"}[config.slopes]
        options |= {"pad_value": 1, "slopes": other}
    network = build_network(dataclasses.replace(config, **options), IMAGE, 3)
    products = [module for module in network.modules() if isinstance(module, RBOLayer)]
    assert products
    assert {(p.mode, p.lam, p.tau, p.u0, p.eta_u) for p in products} == {
        ("official_ranked", 3e-4, 0.25, 0.5, 0.2)
    }
    signs = [module for module in network.modules() if isinstance(module, BinaryActivation)]
    assert {sign.estimator for sign in signs} == {"clip"}
    if hasattr(config, "slopes"):
        assert {p.pad_value for p in products} == {1}
        assert {m.slopes for m in network.modules() if isinstance(m, RPReLU)} == {other}


@pytest.mark.parametrize("config", CONFIGS[:-1], ids=name)
def test_a_network_is_what_its_state_says(config):
    network, other = (build_network(config, IMAGE, 3).eval() for _ in range(2))
    other.load_state_dict(network.state_dict())
    x = pixels()
    assert torch.equal(network(x), other(x))


@pytest.mark.parametrize("config", CONFIGS[:-1], ids=name)
def test_mixed_precision_gives_finite_scores_and_gradients(config):
    network = build_network(config, IMAGE, 3)
    with torch.autocast("cpu", torch.bfloat16):
        loss = functional.cross_entropy(network(pixels()), torch.tensor([0, 1, 2, 1]))
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)


@pytest.mark.filterwarnings(
    "ignore:.*should not be instantiated:DeprecationWarning"
)  # the compiler's own
@pytest.mark.parametrize(("kind", "mode"), [("cnn", "paper"), ("resnet20", "official")])
def test_a_training_step_compiles_into_one_graph(kind, mode):
    config = next(config for config in CONFIGS if config.kind == kind)
    config = dataclasses.replace(config, recurrent=RecurrentConfig(mode=mode))
    network, x = build_network(config, IMAGE, 3), pixels()
    compiled = torch.compile(network, backend="eager", fullgraph=True)
    gradients = []
    for module in (network, compiled):
        network.zero_grad()
        scores = module(x)
        scores.square().sum().backward()
        gradients.append({n: p.grad for n, p in network.named_parameters() if p.requires_grad})
    for parameter, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][parameter], gradient, rtol=1e-3, atol=1e-4)
    torch._dynamo.reset()


@pytest.mark.parametrize("config", CONFIGS, ids=name)
def test_a_configuration_survives_json_by_its_kind(config):
    adapter = TypeAdapter(NetworkConfig)
    values = TypeAdapter(dict).validate_json(
        TypeAdapter(dict).dump_json(dataclasses.asdict(config))
    )
    assert adapter.validate_python(values) == config
