"""The edge of chaos: against closed forms, published numbers, and networks that are really run."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad.diagnostics import theory
from minigrad.errors import ArgumentError
from minigrad.meanfield import critical_point, gauss, mean_square
from minigrad.nn import functional as F


def test_moments_of_the_gaussian() -> None:
    points, weights = gauss()
    for n in range(0, 12, 2):  # E[z^n] = (n - 1)!! = 1, 1, 3, 15, ...
        exact = math.prod(range(1, n, 2))
        np.testing.assert_allclose(weights @ points**n, exact, rtol=1e-12)
        np.testing.assert_allclose(weights @ points ** (n + 1), 0, atol=1e-10)


def test_averages_with_a_closed_form() -> None:
    for q in (0.01, 1.0, 30.0, 1000.0):
        np.testing.assert_allclose(mean_square(np.cos, q), (1 + math.exp(-2 * q)) / 2, rtol=1e-12)
        np.testing.assert_allclose(mean_square(lambda x: np.maximum(x, 0), q), q / 2, rtol=1e-12)
        np.testing.assert_allclose(mean_square(lambda x: x > 0, q), 1 / 2, rtol=1e-12)
        # Williams (1998): E[erf(x)^2] = 2/pi arcsin(2q / (1 + 2q))
        erf = np.vectorize(math.erf)
        wanted = 2 / math.pi * math.asin(2 * q / (1 + 2 * q))
        np.testing.assert_allclose(mean_square(erf, q), wanted, rtol=1e-12)


@pytest.mark.parametrize(
    ("phi", "sigma_w"),
    [
        (lambda x: x, 1.0),
        (F.relu, math.sqrt(2)),  # He's
        (F.tanh, 1.0),
        (mg.erf, math.sqrt(math.pi) / 2),  # 1 / erf'(0)
        (lambda x: 3 * F.softsign(x), 1 / 3),
        (lambda x: F.leaky_relu(x, 0.5), math.sqrt(2 / 1.25)),
    ],
)
def test_without_biases(phi: object, sigma_w: float) -> None:
    point = critical_point(phi)
    np.testing.assert_allclose(point.sigma_w, sigma_w, rtol=1e-8)
    assert point.q == 0


def test_the_published_point_of_tanh() -> None:
    # Schoenholz et al. (2017): sigma_w^2 = 1.76 at sigma_b^2 = 0.05.
    assert abs(critical_point(F.tanh, math.sqrt(0.05)).sigma_w ** 2 - 1.76) < 0.005


@pytest.mark.parametrize("sigma_b", [0.05, 0.3, 1.0, 3.0])
@pytest.mark.parametrize("name", ["tanh", "sigmoid"])
def test_theory_finds_chi_1_there(name: str, sigma_b: float) -> None:
    sigma_w, q = critical_point(getattr(F, name), sigma_b)
    settled = theory.fixed_point(sigma_w**2, sigma_b**2, name)
    np.testing.assert_allclose(settled, q, rtol=1e-9)
    np.testing.assert_allclose(theory.chi(settled, sigma_w**2, name), 1, rtol=1e-9)


@pytest.mark.parametrize("phi", [F.elu, F.selu, F.gelu, F.silu, F.mish])
def test_the_network_settles_there_from_below_and_above(phi: object) -> None:
    sigma_b = 1.0
    sigma_w, fixed = critical_point(phi, sigma_b)
    for q in (0.5 * fixed, 2.0 * fixed):
        for _ in range(3000):
            out = phi(mg.tensor(math.sqrt(q) * gauss()[0])).data
            q = sigma_w**2 * float(gauss()[1] @ out**2) + sigma_b**2
        np.testing.assert_allclose(q, fixed, rtol=1e-3)


def test_where_there_is_none() -> None:
    with pytest.raises(ArgumentError) as caught:
        critical_point(F.relu, 0.1)
    assert str(caught.value) == (
        "critical_point: this activation has no critical point at sigma_b=0.1; ReLU and its like "
        "have theirs at sigma_b=0 alone"
    )
    with pytest.raises(ArgumentError, match="with sigma_b=0 the variance of this activation runs"):
        critical_point(F.gelu)
    with pytest.raises(ArgumentError, match="sigma_b must be at least 0, got -1"):
        critical_point(F.tanh, -1)
