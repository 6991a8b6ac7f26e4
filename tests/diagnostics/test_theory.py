"""Mean-field theory against closed forms, another quadrature, published values and iteration."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.diagnostics import theory
from minigrad.diagnostics.theory import LayerScale
from minigrad.diagnostics.theory.activation import function_of
from minigrad.diagnostics.theory.hermite import CorrelationSeries
from minigrad.errors import ArgumentError
from minigrad.meanfield import averages, pair_averages
from minigrad.nn import functional as F


def average(function, variance: float) -> float:
    """E[f(sqrt(q) z)] by the trapezoidal rule."""
    z = np.linspace(-12.0, 12.0, 100_001)
    weight = np.exp(-z * z / 2)
    return float((function(np.sqrt(variance) * z) * weight).sum() / weight.sum())


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


# -- one input -----------------------------------------------------------------------------------


@pytest.mark.parametrize("q", [1e-6, 0.1, 1.0, 3.0])
def test_quadrature_agrees_with_another_rule(q):
    assert theory.variance_map(q, 1.7, 0.2, "tanh") == pytest.approx(
        1.7 * average(lambda z: np.tanh(z) ** 2, q) + 0.2, rel=1e-10
    )
    assert theory.chi(q, 1.7, "tanh") == pytest.approx(
        1.7 * average(lambda z: np.cosh(z) ** -4.0, q), rel=1e-10
    )
    assert theory.variance_map(q, 1.7, 0.2, "sigmoid") == pytest.approx(
        1.7 * average(lambda z: sigmoid(z) ** 2, q) + 0.2, rel=1e-10
    )
    assert theory.chi(q, 1.7, "sigmoid") == pytest.approx(
        1.7 * average(lambda z: (sigmoid(z) * sigmoid(-z)) ** 2, q), rel=1e-10
    )


@pytest.mark.parametrize("q", [1e-3, 1.0, 50.0])
def test_relu_and_identity_have_closed_forms(q):
    assert theory.variance_map(q, 1.5, 0.1, "relu") == pytest.approx(0.75 * q + 0.1, rel=1e-12)
    assert theory.chi(q, 1.5, "relu") == pytest.approx(0.75, rel=1e-12)
    assert theory.variance_map(q, 1.5, 0.1, "identity") == pytest.approx(1.5 * q + 0.1, rel=1e-12)
    assert theory.chi(q, 1.5, "identity") == pytest.approx(1.5, rel=1e-12)


def test_a_name_a_module_and_a_function_are_one():
    for activation in ("leaky_relu", nn.LeakyReLU(), F.leaky_relu, nn.LeakyReLU().forward):
        assert theory.chi(1.0, 2.0, activation) == pytest.approx(1.0001, rel=1e-12)
    slopes = nn.PReLU(7, init=0.5)
    assert theory.chi(1.0, 2.0, slopes) == pytest.approx(1.25, rel=1e-12)


def test_hooks_see_nothing_of_it():
    module, seen = nn.Tanh(), []
    module.register_forward_hook(lambda *args: seen.append(args))
    theory.chi(1.0, 1.0, module)
    assert not seen


@pytest.mark.parametrize(
    ("sigma_w2", "sigma_b2", "activation", "expected"),
    [
        (1.0, 0.05, "tanh", 0.759), (2.5, 0.05, "tanh", 1.1335), (1.0, 0.0, "sigmoid", 0.0557),
        (1.0, 0.0, "selu", 1.0716),  # Klambauer et al.'s initialization is not quite critical
    ],
)  # fmt: skip
def test_chi_at_the_fixed_point_has_its_known_values(sigma_w2, sigma_b2, activation, expected):
    q = theory.fixed_point(sigma_w2, sigma_b2, activation)
    assert theory.chi(q, sigma_w2, activation) == pytest.approx(expected, rel=1e-3)
    assert theory.chi_1(sigma_w2, sigma_b2, activation) == theory.chi(q, sigma_w2, activation)


@pytest.mark.parametrize(
    ("sigma_w2", "sigma_b2", "activation"),
    [
        (0.5, 0.1, "tanh"), (1.5, 0.0, "tanh"), (3.0, 0.3, "tanh"), (1.5, 0.0, "sigmoid"),
        (3.0, 0.3, "sigmoid"), (1.2, 0.4, "relu"), (1.0, 0.2, "gelu"), (1.3, 0.1, "hardtanh"),
        (0.8, 0.3, "selu"), (1.0, 0.5, "softplus"), (1.5, 0.1, "elu"),
    ],
)  # fmt: skip
def test_the_fixed_point_is_where_iteration_ends(sigma_w2, sigma_b2, activation):
    q = 1.0
    for _ in range(400):
        q = theory.variance_map(q, sigma_w2, sigma_b2, activation)
    found = theory.fixed_point(sigma_w2, sigma_b2, activation)
    assert found == pytest.approx(q, rel=1e-11)
    # ... and xi_q how fast it is approached.
    q, away = found * (1 + 1e-3), []
    for _ in range(3):
        away.append(q - found)
        q = theory.variance_map(q, sigma_w2, sigma_b2, activation)
    slope = math.exp(-1 / theory.xi_q(sigma_w2, sigma_b2, activation))
    assert away[1] / away[0] == pytest.approx(slope, rel=1e-3)


@pytest.mark.parametrize(
    ("sigma_w2", "activation"), [(0.9, "tanh"), (1.0, "tanh"), (1.9, "relu"), (2.0, "gelu")]
)
def test_signals_that_die_away(sigma_w2, activation):
    assert theory.fixed_point(sigma_w2, 0.0, activation) == 0.0


@pytest.mark.parametrize("sigma_w2", [1 + 1e-3, 1 + 1e-6, 1 + 1e-9])
def test_just_above_the_critical_point(sigma_w2):
    # E[tanh^2] = q - 2 q^2 + ..., so q* = (sigma_w2 - 1) / 2
    assert theory.fixed_point(sigma_w2) == pytest.approx((sigma_w2 - 1) / 2, rel=3e-3)


def test_where_nothing_settles():
    for sigma_w2, sigma_b2 in ((2.5, 0.0), (2.0, 0.1)):
        with pytest.raises(ArgumentError, match="grows without end, so there is no fixed point"):
            theory.fixed_point(sigma_w2, sigma_b2, "relu")
    with pytest.raises(ArgumentError, match="every variance stays as it is"):
        theory.fixed_point(2.0, 0.0, "relu")


def test_depth_scales():
    assert theory.xi_q(1.0, 0.3, "relu") == pytest.approx(1 / math.log(2), rel=1e-12)
    assert theory.xi_gradient(1.0, 0.3, "relu") == pytest.approx(1 / math.log(2), rel=1e-12)
    assert theory.xi_gradient(1.0, 0.0, "tanh") == math.inf
    in_order = theory.xi_c(1.0, 0.05)
    assert in_order == pytest.approx(-1 / math.log(theory.chi_1(1.0, 0.05)), rel=1e-12)
    assert theory.xi_gradient(1.0, 0.05) == pytest.approx(in_order, rel=1e-12)


# -- two inputs ----------------------------------------------------------------------------------


def test_the_correlation_map_of_relu_is_the_arc_cosine_kernel():
    for c in np.linspace(-1, 1, 21).tolist():
        wanted = (math.sqrt(1 - c * c) + (math.pi - math.acos(c)) * c) / math.pi
        found = theory.correlation_map(c, 1.7, 2.0, 0.0, "relu")
        assert found == pytest.approx(wanted, abs=1e-10)


@pytest.mark.parametrize("activation", ["tanh", "gelu", "sigmoid", "hardtanh"])
def test_the_slope_at_one_is_chi_1(activation):
    q = theory.fixed_point(1.5, 0.3, activation)
    h = 1e-5
    below = theory.correlation_map(1 - h, q, 1.5, 0.3, activation)
    assert (1 - below) / h == pytest.approx(theory.chi_1(1.5, 0.3, activation), rel=0.01)
    assert theory.correlation_map(1.0, q, 1.5, 0.3, activation) == pytest.approx(1, rel=1e-10)


@pytest.mark.parametrize(
    ("sigma_w2", "activation"), [(4.0, "tanh"), (1.9, "tanh"), (2.5, "hardtanh"), (5.0, "softsign")]
)
def test_chaos_has_a_correlation_of_its_own(sigma_w2, activation):
    found = theory.correlation_fixed_point(sigma_w2, 0.05, activation)
    q = theory.fixed_point(sigma_w2, 0.05, activation)
    assert 0 < found < 1
    assert theory.correlation_map(found, q, sigma_w2, 0.05, activation) == pytest.approx(
        found, abs=1e-10
    )
    # xi_c says how fast inputs come there.
    h = 1e-4
    slope = (theory.correlation_map(found + h, q, sigma_w2, 0.05, activation) - found) / h
    assert math.exp(-1 / theory.xi_c(sigma_w2, 0.05, activation)) == pytest.approx(slope, rel=1e-2)


@pytest.mark.parametrize(
    ("sigma_w2", "sigma_b2", "activation"),
    [(1.78, 0.05, "tanh"), (4.0, 0.3, "tanh"), (1.9, 0.05, "hardtanh"), (9.0, 0.0, "softsign")],
)
def test_both_roads_to_the_correlation_agree(sigma_w2, sigma_b2, activation):
    q = theory.fixed_point(sigma_w2, sigma_b2, activation)
    series = CorrelationSeries(function_of(activation), q)
    for c in (0.0, 0.3, theory.correlation_fixed_point(sigma_w2, sigma_b2, activation), 0.98):
        direct = pair_averages(function_of(activation), q, c)
        # Relative to the averages at c = 1, which is what either of them is exact to.
        at_one = averages(function_of(activation), q)
        product, slope_product = series.at(c)
        assert product == pytest.approx(direct.product, abs=1e-11 * at_one.square)
        assert slope_product == pytest.approx(direct.slope_product, abs=1e-10 * at_one.slope_square)


def test_the_series_of_relu_is_the_arc_cosine_kernel_and_knows_where_it_ends():
    series = CorrelationSeries(F.relu, 2.0)
    for c in (0.0, 0.5, 0.9, 0.99):
        angle = math.acos(c)
        product, slope_product = series.at(c)
        kernel = (math.sin(angle) + (math.pi - angle) * c) / math.pi
        assert product == pytest.approx(kernel, rel=1e-12)
        assert slope_product == pytest.approx((math.pi - angle) / math.tau, rel=1e-12)
    assert series.at(0.9999) is None


def test_close_to_the_critical_point_of_a_kinked_activation():
    critical = theory.critical_sigma_w(0.05**0.5, "hardtanh") ** 2
    # Where terms run out, xi_c goes on as (sigma_w2 - critical)^-1, as it does before.
    nearer, near = (theory.xi_c(critical * (1 + h), 0.05, "hardtanh") for h in (1e-3, 1e-2))
    assert nearer / near == pytest.approx(10, rel=0.01)


def test_order_makes_all_inputs_one():
    assert theory.correlation_fixed_point(1.0, 0.05) == 1.0
    # Odd, no biases: uncorrelated inputs stay so.
    assert theory.correlation_fixed_point(2.0, 0.0) == pytest.approx(0.0, abs=1e-12)


# -- the edge of chaos, and what changes it ------------------------------------------------------


@pytest.mark.parametrize(
    ("sigma_b2", "expected"),
    [(0.01, 1.42420529), (0.05, 1.76095464), (0.10, 1.98607264), (0.30, 2.50512719)],
)
def test_the_critical_line_of_tanh(sigma_b2, expected):
    found = theory.critical_sigma_w(math.sqrt(sigma_b2)) ** 2
    assert found == pytest.approx(expected, abs=1e-8)
    assert theory.chi_1(found, sigma_b2) == pytest.approx(1, rel=1e-9)
    # Closer to 1 than 1e-9 the depth scale is anything.
    assert theory.xi_gradient(found, sigma_b2) > 1e8


def test_the_whole_line():
    found = theory.critical_line(np.sqrt([0.0, 0.01, 0.05, 0.10, 0.30]))
    np.testing.assert_allclose(
        found**2, [1, 1.42420529, 1.76095464, 1.98607264, 2.50512719], atol=1e-8
    )
    assert np.isnan(theory.critical_line([0.0, 0.1, 1.0], nn.GELU())).tolist() == [
        True,
        True,
        False,
    ]


def test_gains():
    assert theory.critical_gain("relu") == pytest.approx(math.sqrt(2), rel=1e-12)
    assert theory.critical_gain(nn.LeakyReLU(0.2)) == pytest.approx(math.sqrt(2 / 1.04), rel=1e-12)
    assert theory.critical_gain("tanh") == pytest.approx(1, rel=1e-12)
    assert theory.critical_gain(lambda x: mg.tanh(3 * x)) == pytest.approx(1 / 3, rel=1e-10)
    with pytest.raises(ArgumentError, match="variance of this activation runs away"):
        theory.critical_gain("silu")


def test_normalizations():
    assert theory.batch_norm_factor("relu") == pytest.approx(math.pi / (math.pi - 1), rel=1e-12)
    assert theory.batch_norm_factor("identity") == pytest.approx(1, rel=1e-12)
    # By another quadrature, and without a mean the two agree.
    tanh = average(lambda z: np.cosh(z) ** -4.0, 1.0) / average(lambda z: np.tanh(z) ** 2, 1.0)
    assert theory.batch_norm_factor("tanh") == pytest.approx(tanh, rel=1e-10)
    assert theory.layer_norm_factor("tanh") == pytest.approx(tanh, rel=1e-10)
    assert theory.layer_norm_factor("relu") == pytest.approx(1, rel=1e-12)
    with pytest.raises(ArgumentError, match="this activation is constant"):
        theory.batch_norm_factor(lambda x: 0 * x + 3)


def test_residual_growth():
    assert theory.residual_variance(0) == theory.residual_variance(0, normalized=True) == 1
    assert theory.residual_variance(20) == 2**20
    assert theory.residual_variance(20, normalized=True) == 21
    assert theory.residual_variance(5000) == math.inf
    assert theory.residual_variance(9, 0.5) == pytest.approx(1.25**9)
    assert theory.residual_variance(9, 0.5, normalized=True) == pytest.approx(1 + 9 / 4)


# -- layer by layer ------------------------------------------------------------------------------


def test_a_layer_is_read_as_it_is():
    layer = nn.Linear(50, 20, generator=mg.Generator(0))
    scale = LayerScale.of(layer)
    assert (scale.fan_in, scale.fan_out) == (50, 20)
    weight, bias = layer.weight.data.astype(np.float64), layer.bias.data.astype(np.float64)
    assert scale.sigma_w2 == pytest.approx(50 * (weight**2).mean(), rel=1e-12)
    assert scale.bias_variance == pytest.approx((bias**2).mean(), rel=1e-12)
    assert LayerScale.of(nn.Linear(5, 2, bias=False)).bias_variance == 0.0


def test_reading_a_computed_weight_changes_nothing():
    layer = nn.utils.parametrizations.spectral_norm(nn.Linear(30, 30))
    before = {name: value.data.copy() for name, value in layer.state_dict().items()}
    first, second = LayerScale.of(layer), LayerScale.of(layer)
    assert first == second
    for name, value in layer.state_dict().items():
        np.testing.assert_array_equal(value.data, before[name])
    assert all(module.training for module in layer.modules())


def test_profiles_of_a_linear_network_are_products_of_variances():
    layers = [LayerScale(4, 6, 0.5, 0.1), LayerScale(6, 3, 0.2, 0.0), LayerScale(3, 2, 0.7, 0.3)]
    q1 = 4 * 0.5 * 2.0 + 0.1
    q2 = 6 * 0.2 * q1
    q3 = 3 * 0.7 * q2 + 0.3
    assert theory.variance_profile(layers, "identity", 2.0) == pytest.approx([q1, q2, q3])
    # A row of W3 has 2 entries that matter going back, one of W2 has 3.
    expected = [math.sqrt(0.7 * 2 * 0.2 * 3), math.sqrt(0.7 * 2), 1.0]
    assert theory.gradient_profile(layers, "identity", 2.0, 1.0) == pytest.approx(expected)


# -- messages ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: theory.chi(1.0, 1.0, "gelux"),
         "theory: unknown activation 'gelux'; use one of identity, relu, sigmoid"),
        (lambda: theory.chi(1.0, 1.0, nn.Tanh), "theory: Tanh is a class; make a layer of it"),
        (lambda: theory.chi(1.0, 1.0, nn.Softmax()), "theory: Softmax does not work element by"),
        (lambda: theory.chi(1.0, 1.0, nn.GLU()), "theory: GLU does not work element by element"),
        (lambda: theory.chi(1.0, 1.0, nn.Linear(3, 3)), "theory: Linear does not work element by"),
        (lambda: theory.chi(1.0, 1.0, nn.Dropout(0.1)), "theory: Dropout does not work element"),
        (lambda: theory.chi(1.0, 1.0, np.tanh), "theory: tanh does not work element by element"),
        (lambda: theory.chi(1.0, 1.0, 3), "theory: activation must be a name such as .*, got 3"),
        (lambda: theory.variance_map(-1.0, 1.0), "variance_map: q must be a number of at least 0"),
        (lambda: theory.fixed_point(math.nan), "fixed_point: sigma_w2 must be a number of at"),
        (lambda: theory.correlation_map(1.5, 1.0, 1.0), "c is a correlation, a number from"),
        (lambda: theory.correlation_map(0.5, 0.0, 1.0), "where every z is 0 there is no correlat"),
        (lambda: theory.critical_line([-1.0]), "critical_line: sigma_b must be a number of at"),
        (lambda: theory.critical_line([0.0], "foo"), "theory: unknown activation 'foo'"),
        (lambda: theory.residual_variance(-1), "residual_variance: blocks must be a whole number"),
        (lambda: theory.residual_variance(2.5), "blocks must be a whole number .* got 2.5"),
        (lambda: theory.residual_variance(True), "blocks must be a whole number .* got True"),
        (lambda: theory.gradient_profile([], "relu", 1.0, 1.0), "gradient_profile: no layers;"),
        (lambda: theory.variance_profile([], "relu", 1.0), "variance_profile: no layers; give a"),
        (lambda: theory.variance_profile([nn.Linear(2, 2)], "relu", 1.0),
         r"variance_profile: of each layer it takes the LayerScale, got Linear; make them with \["),
        (lambda: theory.variance_profile(LayerScale(2, 2, 0.1, 0.0), "relu", 1.0), "give a list"),
        (lambda: theory.variance_profile([LayerScale(2, 2, -0.1, 0.0)], "relu", 1.0),
         "variance_profile: weight_variance must be a number of at least 0, got -0.1"),
        (lambda: theory.variance_profile([LayerScale(2, 2, 0.1, 0.0)], "rely", 1.0),
         "theory: unknown activation 'rely'"),
        (lambda: theory.gradient_profile([LayerScale(2, 2, 0.1, 0.0)], "relu", 1.0, "a"),
         "gradient_profile: last_dz_rms must be a number of at least 0, got 'a'"),
        (lambda: theory.gradient_profile([LayerScale(2, 2, 0.1, 0.0)], "relu", 1.0, math.nan),
         "gradient_profile: last_dz_rms must be a number of at least 0, got nan"),
        (lambda: LayerScale.of(nn.Tanh()), "LayerScale.of: expected an nn.Linear, got Tanh"),
        (lambda: theory.chi_1("2"), "^chi_1: sigma_w2 must be a number of .*, got '2'; write it w"),
        (lambda: theory.chi_1(None), "^chi_1: sigma_w2 must be a number of at least 0, got None$"),
        (lambda: theory.chi_1(1.0, "relu"), "the activation goes by its name, activation='relu'"),
        (lambda: theory.xi_q(np.ones(2)), "^xi_q: sigma_w2 .* of several numbers, take one after"),
        (lambda: theory.xi_gradient([1.0]), "^xi_gradient: .* of several numbers, take one after"),
        (lambda: theory.xi_c("x"), "^xi_c: sigma_w2 must be a number of at least 0, got 'x'"),
        (lambda: theory.correlation_fixed_point(1j), "^correlation_fixed_point: sigma_w2 must"),
        (lambda: theory.correlation_map("a", 1.0, 1.0), "c is a correlation, a number from -1"),
        (lambda: theory.critical_sigma_w("relu"), "^critical_sigma_w: .*activation='relu'"),
        (lambda: theory.critical_line(0.1),
         r"^critical_line: sigma_b must be several numbers, such as \[0.0, 0.1, 0.3\], got 0.1; "
         "of one number, take critical_sigma_w"),
        (lambda: theory.critical_line("tanh"), "^critical_line: sigma_b must be several numbers"),
        (lambda: theory.critical_line([None]), "^critical_line: sigma_b must be a number of at"),
        (lambda: theory.chi(1.0, 1.0, mg.log),
         "theory: log gives NaN or infinity for some numbers from -3 to 3"),
    ],
)  # fmt: skip
def test_messages(call, message):
    with pytest.raises(ArgumentError, match=message):
        call()
