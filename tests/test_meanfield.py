"""What activations do to Gaussian signals, and the edge of chaos: closed forms, SciPy, networks."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.diagnostics import theory
from minigrad.errors import ArgumentError
from minigrad.meanfield import averages, critical_point, pair_averages, value_and_slope
from minigrad.models.names import ACTIVATIONS
from minigrad.nn import functional as F

MODULES = {name: make() for name, make in ACTIVATIONS.items()} | {
    "gelu tanh": nn.GELU("tanh"), "leaky 0.3": nn.LeakyReLU(0.3), "elu 2.3": nn.ELU(2.3),
    "celu 0.5": nn.CELU(0.5), "hardtanh -0.7 1.3": nn.Hardtanh(-0.7, 1.3),
    "softplus 5": nn.Softplus(5.0),
}  # fmt: skip

# Where their slopes, or the slopes of these, jump.
KINKS = (-3.0, -1.0, -0.7, 0.0, 1.0, 1.3, 3.0, 6.0)


# -- averages over one number --------------------------------------------------------------------


@pytest.mark.parametrize("name", MODULES)
def test_against_scipy(name: str) -> None:
    quad = pytest.importorskip("scipy.integrate").quad
    phi = MODULES[name].forward
    for q in (0.2, 1.7):
        root = math.sqrt(q)
        kinks = [k / root for k in KINKS if abs(k) < 12 * root]

        def average(which: int, power: int, root: float = root, kinks: list = kinks) -> float:
            """Of phi (0) or phi' (1)."""

            def weighted(z: float) -> float:
                value = float(value_and_slope(phi, np.array([root * z]))[which][0])
                return value**power * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)

            return quad(weighted, -12, 12, points=kinks, epsabs=1e-13, epsrel=1e-12, limit=500)[0]

        found = averages(phi, q)
        assert found.mean == pytest.approx(average(0, 1), rel=1e-10, abs=1e-11)
        assert found.square == pytest.approx(average(0, 2), rel=1e-10)
        assert found.slope_square == pytest.approx(average(1, 2), rel=1e-10)


@pytest.mark.parametrize("name", MODULES)
def test_growth_is_the_derivative_of_the_mean_square(name: str) -> None:
    phi, q, h = MODULES[name].forward, 0.9, 1e-4
    difference = (averages(phi, q + h).square - averages(phi, q - h).square) / (2 * h)
    assert averages(phi, q).growth == pytest.approx(difference, rel=1e-6)


def test_without_a_signal() -> None:
    assert averages(F.sigmoid, 0.0)[:2] == (0.5, 0.25)
    assert averages(F.relu, 0.0).square == 0
    # At a kink, a faint signal sees both sides.
    assert averages(F.relu, 0.0).slope_square == pytest.approx(0.5)
    assert averages(F.tanh, 0.0).growth == pytest.approx(1)


# -- averages over two ---------------------------------------------------------------------------

CORRELATIONS = (-1.0, -0.9, -0.3, 0.0, 0.2, 0.9, 0.999, 0.9999999, 1.0)


@pytest.mark.parametrize("q", [0.01, 1.0, 50.0])
@pytest.mark.parametrize("c", CORRELATIONS)
def test_pairs_with_a_closed_form(q: float, c: float) -> None:
    # Cho & Saul (2009) for ReLU, Williams (1998) for erf; the slopes by differentiating by c.
    found = pair_averages(F.relu, q, c)
    angle = math.acos(c)
    wanted = q * (math.sqrt(1 - c * c) + (math.pi - angle) * c) / (2 * math.pi)
    assert found.product == pytest.approx(wanted, rel=1e-10, abs=1e-10 * q)
    assert found.slope_product == pytest.approx((math.pi - angle) / (2 * math.pi), abs=1e-10)

    found = pair_averages(mg.erf, q, c)
    wanted = 2 / math.pi * math.asin(2 * q * c / (1 + 2 * q))
    assert found.product == pytest.approx(wanted, rel=1e-10, abs=1e-10)
    wanted = 4 / math.pi / math.sqrt((1 + 2 * q) ** 2 - (2 * q * c) ** 2)
    assert found.slope_product == pytest.approx(wanted, rel=1e-10)


@pytest.mark.parametrize("name", MODULES)
def test_the_slope_by_correlation_is_the_product_of_slopes(name: str) -> None:
    # d/dc E[phi(x) phi(y)] = q E[phi'(x) phi'(y)] (Price 1958), for every activation, kinks too.
    phi, q, c, h = MODULES[name].forward, 1.3, 0.4, 1e-4
    difference = (pair_averages(phi, q, c + h).product - pair_averages(phi, q, c - h).product) / h
    assert pair_averages(phi, q, c).slope_product == pytest.approx(difference / 2 / q, rel=1e-6)


@pytest.mark.parametrize("name", ["tanh", "hardtanh -0.7 1.3", "gelu", "elu 2.3", "hardsigmoid"])
def test_pairs_at_the_ends(name: str) -> None:
    phi, q = MODULES[name].forward, 0.8
    alone = averages(phi, q)
    assert pair_averages(phi, q, 0.0).product == pytest.approx(alone.mean**2, abs=1e-12)
    assert pair_averages(phi, q, 1.0).product == pytest.approx(alone.square, rel=1e-10)
    assert pair_averages(phi, q, 1 - 1e-12).product == pytest.approx(alone.square, rel=1e-10)
    assert pair_averages(phi, q, 1.0).slope_product == pytest.approx(alone.slope_square, rel=1e-10)


# -- the edge of chaos ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phi", "sigma_w"),
    [
        (lambda x: x, 1.0),
        (F.relu, math.sqrt(2)),  # He's
        (F.tanh, 1.0),
        (mg.erf, math.sqrt(math.pi) / 2),  # 1 / erf'(0)
        (lambda x: 3 * F.softsign(x), 1 / 3),
        (lambda x: F.leaky_relu(x, 0.5), math.sqrt(2 / 1.25)),
        (F.hardtanh, 1.0),
        (F.elu, 1.0),
    ],
)
def test_without_biases(phi: object, sigma_w: float) -> None:
    point = critical_point(phi)
    np.testing.assert_allclose(point.sigma_w, sigma_w, rtol=1e-10)
    assert point.q == 0


@pytest.mark.parametrize(
    ("sigma_b2", "sigma_w2"),
    [(0.01, 1.42420529), (0.05, 1.76095464), (0.10, 1.98607264), (0.30, 2.50512719)],
)
def test_the_published_points_of_tanh(sigma_b2: float, sigma_w2: float) -> None:
    # Schoenholz et al. (2017) print 1.76 at 0.05.
    assert critical_point(F.tanh, math.sqrt(sigma_b2)).sigma_w ** 2 == pytest.approx(
        sigma_w2, abs=1e-8
    )


@pytest.mark.parametrize("sigma_b", [0.05, 0.3, 1.0, 3.0])
@pytest.mark.parametrize("name", ["tanh", "sigmoid", "hardtanh", "softsign", "relu6"])
def test_theory_finds_chi_1_there(name: str, sigma_b: float) -> None:
    sigma_w, q = critical_point(MODULES[name].forward, sigma_b)
    settled = theory.fixed_point(sigma_w**2, sigma_b**2, name)
    np.testing.assert_allclose(settled, q, rtol=1e-9)
    np.testing.assert_allclose(theory.chi(settled, sigma_w**2, name), 1, rtol=1e-9)


@pytest.mark.parametrize("phi", [F.elu, F.selu, F.gelu, F.silu, F.mish])
def test_the_network_settles_there_from_below_and_above(phi: object) -> None:
    sigma_b = 1.0
    sigma_w, fixed = critical_point(phi, sigma_b)
    for start in (0.5 * fixed, 2.0 * fixed):
        q = start
        for _ in range(300):
            q = sigma_w**2 * averages(phi, q).square + sigma_b**2
        assert abs(math.log(q / fixed)) < 0.7 * abs(math.log(start / fixed))


def test_where_there_is_none() -> None:
    with pytest.raises(ArgumentError) as caught:
        critical_point(F.relu, 0.1)
    assert str(caught.value) == (
        "critical_point: this activation has no critical point at sigma_b=0.1; ReLU and its like "
        "have theirs at sigma_b=0 alone"
    )
    with pytest.raises(ArgumentError, match="with sigma_b=0 the variance of this activation runs"):
        critical_point(F.gelu)
    with pytest.raises(ArgumentError, match="is flat at 0, so without biases no weights keep a"):
        critical_point(F.tanhshrink)
    with pytest.raises(ArgumentError, match="sigma_b must be a number of at least 0, got -1"):
        critical_point(F.tanh, -1)
    for odd in ("0.1", None, True, [0.1], math.nan):
        with pytest.raises(ArgumentError, match="critical_point: sigma_b must be a number of at"):
            critical_point(F.tanh, odd)
    assert critical_point(F.tanh, np.float32(0.5)) == critical_point(F.tanh, 0.5)
