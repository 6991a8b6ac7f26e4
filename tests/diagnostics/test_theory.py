"""Mean-field theory against closed forms, another quadrature, published values and networks."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.diagnostics import Probe, theory
from minigrad.diagnostics.theory import LayerScale
from minigrad.errors import ArgumentError
from minigrad.models import deep_mlp


def average(function, variance: float) -> float:
    """E[f(sqrt(q) z)] by the trapezoidal rule, which knows nothing of Hermite's polynomials."""
    z = np.linspace(-12.0, 12.0, 100_001)
    weight = np.exp(-z * z / 2)
    return float((function(np.sqrt(variance) * z) * weight).sum() / weight.sum())


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


@pytest.mark.parametrize("q", [1e-6, 0.1, 1.0, 3.0])
def test_quadrature_agrees_with_another_rule(q):
    assert theory.variance_map(q, 1.7, 0.2, "tanh") == pytest.approx(
        1.7 * average(lambda z: np.tanh(z) ** 2, q) + 0.2, rel=1e-7
    )
    assert theory.chi(q, 1.7, "tanh") == pytest.approx(
        1.7 * average(lambda z: np.cosh(z) ** -4.0, q), rel=1e-7
    )
    assert theory.variance_map(q, 1.7, 0.2, "sigmoid") == pytest.approx(
        1.7 * average(lambda z: sigmoid(z) ** 2, q) + 0.2, rel=1e-9
    )
    assert theory.chi(q, 1.7, "sigmoid") == pytest.approx(
        1.7 * average(lambda z: (sigmoid(z) * sigmoid(-z)) ** 2, q), rel=1e-9
    )


@pytest.mark.parametrize("q", [1e-3, 1.0, 50.0])
def test_relu_and_identity_have_closed_forms(q):
    assert theory.variance_map(q, 1.5, 0.1, "relu") == pytest.approx(0.75 * q + 0.1, rel=1e-12)
    assert theory.chi(q, 1.5, "relu") == pytest.approx(0.75, rel=1e-12)
    assert theory.variance_map(q, 1.5, 0.1, "identity") == pytest.approx(1.5 * q + 0.1, rel=1e-12)
    assert theory.chi(q, 1.5, "identity") == pytest.approx(1.5, rel=1e-12)


@pytest.mark.parametrize(
    ("sigma_w2", "sigma_b2", "activation", "expected"),
    [(1.0, 0.05, "tanh", 0.759), (2.5, 0.05, "tanh", 1.133), (1.0, 0.0, "sigmoid", 0.0557)],
)
def test_chi_at_the_fixed_point_has_its_known_values(sigma_w2, sigma_b2, activation, expected):
    q = theory.fixed_point(sigma_w2, sigma_b2, activation)
    assert theory.chi(q, sigma_w2, activation) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    ("sigma_b2", "expected"),
    [(0.01, 1.42420529), (0.05, 1.76095464), (0.10, 1.98607264), (0.30, 2.50512719)],
)
def test_the_critical_line_of_tanh(sigma_b2, expected):
    def excess(sigma_w2: float) -> float:
        return theory.chi(theory.fixed_point(sigma_w2, sigma_b2), sigma_w2) - 1

    low, high = 1.0, 4.0
    assert excess(low) < 0 < excess(high)
    while high - low > 1e-11:
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) < 0 else (low, middle)
    assert low == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
@pytest.mark.parametrize(("sigma_w2", "sigma_b2"), [(0.5, 0.1), (1.5, 0.0), (3.0, 0.3)])
def test_the_fixed_point_is_where_iteration_ends(activation, sigma_w2, sigma_b2):
    q = 1.0
    for _ in range(2000):
        q = theory.variance_map(q, sigma_w2, sigma_b2, activation)
    assert theory.fixed_point(sigma_w2, sigma_b2, activation) == pytest.approx(q, rel=1e-12)


def test_below_the_critical_point_tanh_without_bias_falls_silent():
    assert theory.fixed_point(0.9, 0.0, "tanh") == 0.0


def test_a_layer_is_read_as_it_is():
    layer = nn.Linear(50, 20, generator=mg.Generator(0))
    scale = LayerScale.of(layer)
    assert (scale.fan_in, scale.fan_out) == (50, 20)
    weight, bias = layer.weight.data.astype(np.float64), layer.bias.data.astype(np.float64)
    assert scale.sigma_w2 == pytest.approx(50 * (weight**2).mean(), rel=1e-12)
    assert scale.bias_variance == pytest.approx((bias**2).mean(), rel=1e-12)
    assert LayerScale.of(nn.Linear(5, 2, bias=False)).bias_variance == 0.0


def test_profiles_of_a_linear_network_are_products_of_variances():
    layers = [LayerScale(4, 6, 0.5, 0.1), LayerScale(6, 3, 0.2, 0.0), LayerScale(3, 2, 0.7, 0.3)]
    q1 = 4 * 0.5 * 2.0 + 0.1
    q2 = 6 * 0.2 * q1
    q3 = 3 * 0.7 * q2 + 0.3
    assert theory.variance_profile(layers, "identity", 2.0) == pytest.approx([q1, q2, q3])
    # A row of W3 has 2 entries that matter going back, one of W2 has 3.
    expected = [math.sqrt(0.7 * 2 * 0.2 * 3), math.sqrt(0.7 * 2), 1.0]
    assert theory.gradient_profile(layers, "identity", 2.0, 1.0) == pytest.approx(expected)


@pytest.mark.parametrize("activation", ["identity", "relu", "sigmoid", "tanh"])
@pytest.mark.parametrize("init", ["default", "xavier", "he"])
def test_prediction_meets_measurement(activation, init):
    # Over the hidden layers of a wide network: the decay of the rms per layer, within 1 %
    # (2 % of its square), averaged over 10 seeds. Every example sends back a gradient of its
    # own: one direction alone scatters by 1.6 % a seed, as 256 numbers do.
    ratios = []
    for seed in range(10):
        generator = mg.Generator(seed)
        model = deep_mlp(
            10, 256, activation, init, out_features=256, generator=generator, dtype=mg.float64
        )
        x = generator.fork("x").normal((64, 64))
        with Probe(model) as probe:
            model(mg.tensor(x)).backward(mg.tensor(generator.fork("dz").normal((64, 256))))
        measured = probe.series("dz_rms")[0]
        scales = [LayerScale.of(m) for m in model.modules() if isinstance(m, nn.Linear)]
        predicted = theory.gradient_profile(scales, activation, (x**2).mean(), measured[-1])
        ratios.append(measured[0] / measured[-2] / (predicted[0] / predicted[-2]))
    assert np.mean(np.log(ratios)) / 8 == pytest.approx(0.0, abs=0.01)


def test_an_activation_without_theory_is_named_with_those_that_have_one():
    message = "theory: no mean-field prediction for activation 'gelu'; use one of identity, relu"
    with pytest.raises(ArgumentError, match=message):
        theory.chi(1.0, 1.0, "gelu")
    with pytest.raises(ArgumentError, match="needs a bounded activation, sigmoid or tanh"):
        theory.fixed_point(2.0, 0.0, "relu")
