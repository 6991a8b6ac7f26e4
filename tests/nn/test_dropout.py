"""Dropout: what stays, how often, and what it does to mean and variance."""

from __future__ import annotations

import inspect
import math
import pickle

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import ArgumentError, DtypeError
from minigrad.nn import functional as F

LAYERS = (nn.Dropout, nn.AlphaDropout)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_a_number_is_left_out_with_probability_p_and_else_scaled(p):
    out = F.dropout(mg.ones(400, 500), p, generator=mg.Generator(0)).data
    np.testing.assert_allclose(np.unique(out), [0, 1 / (1 - p)], rtol=1e-6)
    # Of n choices a share p, with a standard deviation of sqrt(p (1 - p) / n).
    assert abs((out == 0).mean() - p) < 4 * math.sqrt(p * (1 - p) / out.size)


@pytest.mark.parametrize("function", [F.dropout, F.alpha_dropout])
def test_the_gradient_goes_where_the_value_went(function, rng):
    x = mg.tensor(rng.normal(size=1000), requires_grad=True)
    out = function(x, 0.3, training=True, generator=mg.Generator(0))
    out.backward(mg.ones(1000, dtype=mg.float64))
    # Both are a x + b where a number stays: a from two of them.
    slope = x.grad.data
    stays = slope != 0
    a = np.diff(out.data[stays][:2]) / np.diff(x.data[stays][:2])
    np.testing.assert_allclose(slope[stays], a[0], rtol=1e-9)
    assert np.unique(out.data[~stays]).size == 1


@pytest.mark.parametrize("p", [0.05, 0.2, 0.5])
def test_alpha_dropout_keeps_mean_0_and_variance_1(p, rng):
    x = rng.normal(size=(1000, 1000))
    out = F.alpha_dropout(mg.tensor(x), p, True, mg.Generator(0)).data
    # Over a million numbers: mean to 0.001, variance to sqrt(kurtosis / n), a few 0.001.
    assert abs(out.mean()) < 0.005 and abs(out.var() - 1) < 0.01


@pytest.mark.torch
@pytest.mark.parametrize("p", [0.2, 0.7])
def test_alpha_dropout_takes_the_same_two_values_as_pytorch(p):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    x = np.full(200, 0.7)
    wanted = torch.nn.functional.alpha_dropout(torch.tensor(x), p, training=True).numpy()
    found = F.alpha_dropout(mg.tensor(x), p, True, mg.Generator(0)).data
    np.testing.assert_allclose(np.unique(found), np.unique(wanted), rtol=1e-12)


@pytest.mark.parametrize("layer", LAYERS)
def test_after_eval_the_input_comes_back(layer, rng):
    x = mg.tensor(rng.normal(size=(4, 5)))
    assert layer(0.5).eval()(x) is x
    assert layer(0.0)(x) is x


@pytest.mark.parametrize("layer", LAYERS)
def test_leaving_out_everything_gives_zeros(layer):
    x = mg.ones(5, requires_grad=True)
    out = layer(1.0)(x)
    out.sum().backward()
    assert (out.data == 0).all() and (x.grad.data == 0).all()


@pytest.mark.parametrize("layer", LAYERS)
def test_choices_follow_the_generator_and_change_from_call_to_call(layer):
    x = mg.ones(100)
    a, b = layer(0.5, generator=mg.Generator(1)), layer(0.5, generator=mg.Generator(1))
    first = a(x).data
    np.testing.assert_array_equal(first, b(x).data)
    assert (first != a(x).data).any()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(a))(x).data, a(x).data)

    mg.manual_seed(3)
    third = layer(0.5)(x).data
    mg.manual_seed(3)
    np.testing.assert_array_equal(layer(0.5)(x).data, third)


@pytest.mark.parametrize("function", [F.dropout, F.alpha_dropout])
def test_the_dtype_stays(function):
    assert function(mg.ones(3), training=True).dtype == np.float32
    assert function(mg.ones(3, dtype=mg.float64), training=True).dtype == np.float64


@pytest.mark.torch
@pytest.mark.parametrize("name", ["Dropout", "AlphaDropout"])
def test_repr_is_pytorchs(name):
    torch = pytest.importorskip("torch")
    assert repr(getattr(nn, name)(0.2)) == repr(getattr(torch.nn, name)(0.2))


@pytest.mark.parametrize("p", [-0.1, 1.5, math.nan])
@pytest.mark.parametrize("layer", LAYERS)
def test_a_p_that_is_no_probability_is_refused(layer, p):
    with pytest.raises(ArgumentError) as caught:
        layer(p)
    assert str(caught.value) == (
        f"{layer.__name__}: p is the probability of leaving a number out, so it must lie between "
        f"0 and 1, got {p}"
    )


@pytest.mark.torch
@pytest.mark.parametrize("name", ["dropout", "alpha_dropout"])
def test_the_defaults_of_the_functions_are_pytorchs(name):
    theirs = getattr(pytest.importorskip("torch").nn.functional, name)
    for option in ("p", "training"):
        wanted = inspect.signature(theirs).parameters[option].default
        assert inspect.signature(getattr(F, name)).parameters[option].default == wanted


@pytest.mark.parametrize("name", ["dropout", "alpha_dropout"])
@pytest.mark.parametrize("training", [True, False])
def test_pytorchs_inplace_is_not_taken_for_a_generator(name, training):
    with pytest.raises(DtypeError) as caught:
        getattr(F, name)(mg.ones(3), 0.5, training, False)
    assert str(caught.value) == (
        f"{name}: generator must be a Generator, got False; PyTorch's `inplace` is not taken here, "
        "since the input is never overwritten, so leave it out"
    )
