"""Both forms of the bilinear term against autograd, finite differences written out, and each other."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rbonn.sw.train.bilinear import (
    bilinear_form1,
    bilinear_form2,
    channel_sum,
    form1_gradients,
    form1_minimiser,
    form2_gradients,
    form2_minimiser,
)

SHAPES = st.one_of(
    st.tuples(st.integers(1, 6), st.integers(1, 8)),
    st.tuples(st.integers(1, 5), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3)),
)
FORMS = {1: (bilinear_form1, form1_gradients), 2: (bilinear_form2, form2_gradients)}


def drawn(shape, seed, spread=1.0):
    """Latent weights and positive scale factors, float64."""
    generator = torch.Generator().manual_seed(seed)
    weight = spread * torch.randn(shape, generator=generator, dtype=torch.float64)
    factor = torch.rand(shape[0], generator=generator, dtype=torch.float64) * 3 + 0.1
    return weight, factor


@pytest.mark.parametrize("form", FORMS)
@given(shape=SHAPES, seed=st.integers(0, 2**32 - 1), spread=st.sampled_from([1e-3, 0.1, 1.0, 30.0]))
def test_the_gradients_of_both_forms_are_those_of_autograd_with_constant_bits(
    form, shape, seed, spread
):
    value, gradients = FORMS[form]
    weight, factor = (x.requires_grad_() for x in drawn(shape, seed, spread))
    value(weight, factor).backward()
    of_weight, of_factor = gradients(weight.detach(), factor.detach())
    assert of_weight.shape == weight.shape
    assert of_factor.shape == factor.shape
    torch.testing.assert_close(of_weight, weight.grad, rtol=1e-6, atol=1e-12)
    torch.testing.assert_close(of_factor, factor.grad, rtol=1e-6, atol=1e-9 * spread**2)


def test_the_forms_are_the_sums_of_squares_of_the_paper():
    w, alpha = np.array([[0.5, -2.0], [0.0, 3.0]]), np.array([0.25, 4.0])
    form1 = (0.5 - 0.25) ** 2 + (-2 + 0.25) ** 2 + (0 - 4) ** 2 + (3 - 4) ** 2  # sign(0) = +1
    form2 = (1 - 2) ** 2 + (-1 + 8) ** 2 + (1 - 0) ** 2 + (1 - 0.75) ** 2
    weight, scale = torch.from_numpy(w), torch.from_numpy(alpha)
    assert bilinear_form1(weight, scale).item() == pytest.approx(form1, rel=1e-14)
    assert bilinear_form2(weight, 1 / scale).item() == pytest.approx(form2, rel=1e-14)


@given(shape=SHAPES, seed=st.integers(0, 2**32 - 1))
def test_form_two_is_form_one_times_the_square_of_a_in_each_channel(shape, seed):
    weight, inverse_scale = drawn(shape, seed)
    rows = zip(weight.split(1), inverse_scale.split(1), strict=True)
    expected = sum(a.square() * bilinear_form1(w, 1 / a) for w, a in rows)
    torch.testing.assert_close(bilinear_form2(weight, inverse_scale)[None], expected)


@pytest.mark.parametrize("form", FORMS)
@given(shape=SHAPES, seed=st.integers(0, 2**32 - 1))
def test_the_minimisers_are_mean_magnitude_and_the_ratio_of_norms(form, shape, seed):
    weight, _ = drawn(shape, seed)
    rows = weight.reshape(shape[0], -1).numpy()
    if form == 1:
        best, expected = form1_minimiser(weight), np.abs(rows).mean(1)
    else:
        best, expected = form2_minimiser(weight), np.abs(rows).sum(1) / (rows**2).sum(1)
    np.testing.assert_allclose(best.numpy(), expected, rtol=1e-12)
    value, gradients = FORMS[form]
    of_factor = gradients(weight, best)[1]
    torch.testing.assert_close(
        of_factor, torch.zeros_like(of_factor), rtol=0, atol=1e-11 * max(1, rows.size)
    )
    for factor in (0.9, 1.1):
        assert value(weight, factor * best) > value(weight, best)


def test_the_two_forms_have_different_minimisers():
    weight = torch.tensor([[1.0, 3.0]])
    assert form1_minimiser(weight).item() == 2
    assert 1 / form2_minimiser(weight).item() == pytest.approx(2.5)  # 10 / 4


@given(shape=SHAPES, seed=st.integers(0, 2**32 - 1))
def test_the_total_derivative_with_a_bound_to_the_weights_has_the_chain_rules_second_term(
    shape, seed
):
    weight, _ = drawn(shape, seed)
    n_taps = weight[0].numel()
    weight.requires_grad_()
    bilinear_form2(weight, n_taps / channel_sum(weight.abs())).backward()

    w = weight.detach()
    norm = channel_sum(w.abs())
    of_weight, of_inverse_scale = form2_gradients(w, n_taps / norm)
    columns = (-1, *(1,) * (w.ndim - 1))
    # A_i = J / ||w_i||_1, so dA_i / dw_ij = -J sign(w_ij) / ||w_i||_1^2
    slope = -n_taps * torch.sign(w) / norm.square().reshape(columns)
    expected = of_weight + of_inverse_scale.reshape(columns) * slope
    scale = float(of_weight.abs().max() + (of_inverse_scale.abs().max() * slope.abs().max()))
    torch.testing.assert_close(weight.grad, expected, rtol=1e-9, atol=1e-13 * scale)


@pytest.mark.parametrize("form", FORMS)
def test_a_weight_of_zero_is_pulled_to_its_bit_plus_one(form):
    weight, factor = torch.zeros(1, 2).double(), torch.full((1,), 0.5).double()
    of_weight, of_factor = FORMS[form][1](weight, factor)
    assert of_weight.tolist() == [[-1.0, -1.0]]  # 2 (0 - 0.5), and 2 * 0.5 (0 - 1)
    assert of_factor.tolist() == [2 * 2 * 0.5 if form == 1 else 0.0]


def test_a_channel_whose_weights_are_all_zero_leaves_its_scale_factor_finite():
    assert form2_minimiser(torch.tensor([[0.0, 0.0], [1.0, 2.0]])).tolist() == [
        1,
        pytest.approx(0.6),
    ]
