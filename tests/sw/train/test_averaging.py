"""The exponential average of a network's parameters."""

import numpy as np
import pytest
import torch
from rbonn.sw.train.averaging import Averaging
from rbonn.sw.train.layers import RBOLinear
from torch import nn

DECAY = 0.8


def network():
    return nn.Sequential(RBOLinear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def drifting(source, averaging, n_steps):
    """Sets the first layer's weights anew before each update; all of them."""
    steps = []
    for step in range(n_steps):
        source[0].weight.data = torch.randn(4, 3) + step
        steps.append(source[0].weight.detach().double().numpy())
        averaging.update()
    return steps


def test_the_average_begins_with_the_first_step_and_forgets_at_its_decay():
    source = network()
    averaging = Averaging(source, DECAY)
    steps = drifting(source, averaging, 6)
    expected = steps[0]
    for weights in steps[1:]:
        expected = DECAY * expected + (1 - DECAY) * weights
    found = averaging.network[0].weight.detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert not np.allclose(expected, np.mean(steps, axis=0), rtol=1e-2)


def test_without_decay_the_average_is_the_latest_step_and_what_never_changes_stays_to_the_bit():
    source = network()
    averaging = Averaging(source, 0.0)
    steps = drifting(source, averaging, 3)
    np.testing.assert_array_equal(averaging.network[0].weight.detach().numpy(), steps[-1])
    held = Averaging(source, DECAY)
    for _ in range(5):
        held.update()
    assert torch.equal(held.network[2].weight, source[2].weight)


def test_the_sign_of_a_weight_that_turns_is_the_one_it_has_most_of_the_time():
    source = nn.Sequential(RBOLinear(1, 1))
    averaging = Averaging(source, 0.9)
    for step in range(60):
        source[0].weight.data.fill_(-1e-4 if step % 3 == 2 else 1e-4)
        averaging.update()
    assert source[0].binary_weight.item() == -1
    assert averaging.network[0].binary_weight.item() == 1


def test_the_average_is_a_network_of_its_own_in_the_form_of_its_stage():
    source = network()
    source[0].real_weights = True
    averaging = Averaging(source, DECAY)
    averaging.update()
    source[0].real_weights = False
    with torch.no_grad():
        source[0].weight.zero_()
    assert averaging.network[0].real_weights
    assert averaging.network[0].weight.abs().min() > 0
    assert not any(parameter.requires_grad for parameter in averaging.network.parameters())
    assert all(parameter.requires_grad for parameter in source[2].parameters())


def test_memory_stays_channels_last():
    source = nn.Sequential(nn.Conv2d(4, 4, 3)).to(memory_format=torch.channels_last)
    averaging = Averaging(source, DECAY)
    averaging.update()
    averaging.load_state_dict(
        {k: v.clone().contiguous() for k, v in averaging.state_dict().items()}
    )
    averaging.update()
    assert averaging.network[0].weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("done", [0, 1, 4])
def test_a_state_that_was_taken_up_goes_on_to_the_same_bits(done):
    source = network()
    whole = Averaging(source, DECAY)
    drifting(source, whole, done)
    state = {name: value.clone() for name, value in whole.state_dict().items()}
    part = Averaging(network(), DECAY)
    part.load_state_dict(state)
    part._source = source
    for _ in range(3):
        source[0].weight.data = torch.randn(4, 3)
        whole.update()
        part.update()
    for name, value in whole.state_dict().items():
        assert torch.equal(value, part.state_dict()[name]), name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("0.weight"), "no average of parameter '0.weight'"),
        (lambda state: state.pop("n_averaged"), "no average of parameter 'n_averaged'"),
        (lambda state: state.update(x=torch.ones(1)), "average of an unknown parameter 'x'"),
        (
            lambda state: state.update({"0.weight": torch.ones(3, 4)}),
            r"average '0.weight' is \(3, 4\), not \(4, 3\)",
        ),
    ],
)
def test_the_state_of_another_network_is_refused(change, message):
    averaging = Averaging(network(), DECAY)
    state = averaging.state_dict()
    change(state)
    with pytest.raises(ValueError, match=message):
        averaging.load_state_dict(state)
