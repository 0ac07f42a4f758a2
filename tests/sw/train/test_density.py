"""The density test and DReLU: ranks counted out, the worked example, and how many channels can be active."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rbonn.sw.train.density import active_channels, dense, density_threshold, drelu

ALPHA = torch.tensor([0.5, 0.1, 0.3, 0.2, 0.4])
NORMS = torch.tensor([1.2, 0.3, 0.6, 1.5, 0.9])
"""Worked example: scale factors and l1 norms of five channels."""


def rows_of_norm(norms, n_taps=3):
    """Weights of mixed signs whose rows have these l1 norms."""
    shares = torch.tensor([0.5, -0.3, 0.2])[:n_taps]
    return norms[:, None] * shares


def channels(mask):
    return mask.nonzero().flatten().tolist()


def test_the_worked_example_has_threshold_three_and_the_mask_of_channel_one_alone():
    threshold = density_threshold(5, 0.6)
    assert threshold == 3
    assert channels(dense(1 / ALPHA, threshold)) == [1, 3]
    assert channels(dense(NORMS, threshold)) == [0, 3]
    assert channels(active_channels(rows_of_norm(NORMS), 1 / ALPHA, 0.6)) == [1]


def test_drelu_keeps_the_weights_of_active_channels_and_is_zero_elsewhere():
    weight = rows_of_norm(NORMS)
    expected = torch.zeros(5, 3)
    expected[1] = weight[1]
    assert torch.equal(drelu(weight, 1 / ALPHA, 0.6), expected)


@given(
    values=st.lists(st.integers(-4, 4) | st.floats(-1e3, 1e3, width=32), min_size=1, max_size=12),
    threshold=st.integers(0, 12),
)
def test_an_entry_is_dense_where_at_least_threshold_others_come_before_it(values, threshold):
    x = np.array(values, dtype=np.float32)
    index = np.arange(len(x))
    # ascending rank from 1; of equal entries the one with the lower index is lower
    before = (x[None, :] < x[:, None]) | ((x[None, :] == x[:, None]) & (index < index[:, None]))
    expected = before.sum(1) + 1 > threshold
    assert dense(torch.from_numpy(x), threshold).tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("n_channels", "tau", "expected"),
    [(5, 0.6, 3), (64, 0.6, 38), (16, 0.6, 9), (10, 0.0, 0), (10, 1.0, 10), (1, 0.99, 0)],
)
def test_the_threshold_is_the_integer_part_of_channels_times_tau(n_channels, tau, expected):
    assert density_threshold(n_channels, tau) == expected


@given(
    shape=st.tuples(st.integers(1, 20), st.integers(1, 4), st.integers(1, 2), st.integers(1, 2)),
    tau=st.floats(0, 1),
    seed=st.integers(0, 2**32 - 1),
)
def test_active_channels_are_large_in_a_and_small_in_norm_and_not_too_many(shape, tau, seed):
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(shape, generator=generator)
    inverse_scale = torch.rand(shape[0], generator=generator) + 0.1
    n = shape[0]
    threshold = int(n * tau)
    mask = active_channels(weight, inverse_scale, tau)
    assert mask.dtype == torch.bool
    assert mask.sum() <= min(threshold, n - threshold)
    norms = weight.abs().sum((1, 2, 3)).double().tolist()
    largest_a = sorted(range(n), key=lambda c: (float(inverse_scale[c]), c))[threshold:]
    smallest_norm = sorted(range(n), key=lambda c: (norms[c], c))[:threshold]
    assert set(channels(mask)) == set(largest_a) & set(smallest_norm)
    assert torch.equal(drelu(weight, inverse_scale, tau), weight * mask[:, None, None, None])


@pytest.mark.parametrize("tau", [0.0, 1.0])
@given(n_channels=st.integers(1, 9), seed=st.integers(0, 999))
def test_a_tau_of_zero_or_one_leaves_no_channel_active(tau, n_channels, seed):
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(n_channels, 4, generator=generator)
    mask = active_channels(weight, torch.rand(n_channels, generator=generator), tau)
    assert not mask.any()
