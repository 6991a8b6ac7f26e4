"""Averages over Gaussian numbers: against closed forms, another quadrature, and kinks anywhere."""

from __future__ import annotations

import math

import numpy as np
import pytest

from minigrad.quadrature import bends_of, integrate, mean, means_around


def test_moments() -> None:
    for n in range(0, 12, 2):  # E[z^n] = (n - 1)!! = 1, 1, 3, 15, ...
        exact = math.prod(range(1, n, 2))
        np.testing.assert_allclose(mean(lambda x, n=n: x**n, 1.0), exact, rtol=1e-12)
        np.testing.assert_allclose(mean(lambda x, n=n: x ** (n + 1), 1.0), 0, atol=1e-10)


@pytest.mark.parametrize("q", [1e-20, 0.01, 1.0, 30.0, 1000.0, 1e20])
def test_averages_with_a_closed_form(q: float) -> None:
    root = math.sqrt(q)
    np.testing.assert_allclose(mean(lambda x: np.maximum(x, 0) ** 2, q), q / 2, rtol=1e-12)
    np.testing.assert_allclose(mean(lambda x: x > 0, q), 1 / 2, rtol=1e-12)
    np.testing.assert_allclose(mean(np.abs, q), root * math.sqrt(2 / math.pi), rtol=1e-12)
    if q <= 1000:
        exact = (1 + math.exp(-2 * q)) / 2
        np.testing.assert_allclose(mean(lambda x: np.cos(x) ** 2, q), exact, rtol=1e-12)
        # Williams (1998): E[erf(x)^2] = 2/pi arcsin(2q / (1 + 2q))
        erf = np.vectorize(math.erf)
        wanted = 2 / math.pi * math.asin(2 * q / (1 + 2 * q))
        np.testing.assert_allclose(mean(lambda x: erf(x) ** 2, q), wanted, rtol=1e-12)


@pytest.mark.parametrize("q", [0.3, 1.0, 7.0])
@pytest.mark.parametrize("place", [0.0, 0.5, -1.0, 1 / 3, math.pi / 2, -0.7001, 1e-3, 1e-9])
def test_a_jump_and_a_kink_anywhere(place: float, q: float) -> None:
    above = 0.5 * math.erfc(place / math.sqrt(2 * q))
    np.testing.assert_allclose(mean(lambda x: x > place, q), above, rtol=1e-12)
    density = math.exp(-(place**2) / (2 * q)) / math.sqrt(2 * math.pi * q)
    wanted = q * density - place * above  # E[max(x - place, 0)]
    np.testing.assert_allclose(mean(lambda x: np.maximum(x - place, 0), q), wanted, rtol=1e-11)


def test_no_kink_hides_at_the_end_of_a_panel() -> None:
    # A rule without points at the ends misses these: all its points lie on one side.
    for place in 1 + np.geomspace(1e-9, 1e-2, 300):
        above = 0.5 * math.erfc(place / math.sqrt(2))
        assert float(mean(lambda x, p=place: x > p, 1.0)) == pytest.approx(above, rel=1e-11)


def test_several_functions_and_no_spread() -> None:
    both = mean(lambda x: np.stack([x, np.exp(x)]), 1.0)
    np.testing.assert_allclose(both, [0, math.exp(0.5)], atol=1e-12)
    np.testing.assert_array_equal(mean(lambda x: np.stack([x + 2, np.exp(x)]), 0.0), [2, 1])


def test_nan_and_infinity_come_out_and_do_not_hang() -> None:
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        assert np.isnan(mean(lambda x: np.sqrt(x), 1.0))
        assert mean(lambda x: np.where(x > 1, np.inf, x), 1.0) == np.inf


def test_rounding_noise_ends_the_halving() -> None:
    noise, looked_at = np.random.default_rng(0), []

    def noisy(x: np.ndarray) -> np.ndarray:
        looked_at.append(x.size)
        return 1 + 1e-9 * noise.normal(size=x.shape)

    assert float(mean(noisy, 1.0)) == pytest.approx(1, abs=1e-9)
    assert sum(looked_at) < 100_000


@pytest.mark.parametrize("variance", [1e-8, 0.04, 1.0, 50.0])
def test_means_around_many_centres(variance: float) -> None:
    centres = np.linspace(-9, 9, 91)
    relu = means_around(lambda x: np.maximum(x, 0), centres, variance, bends=(0.0,))
    z = centres / math.sqrt(variance)
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    below = np.array([0.5 * math.erfc(-value / math.sqrt(2)) for value in z.tolist()])
    exact = centres * below + math.sqrt(variance) * density
    np.testing.assert_allclose(relu, exact, atol=1e-12 * (1 + math.sqrt(variance)))
    np.testing.assert_allclose(
        means_around(np.sin, centres, variance), np.sin(centres) * math.exp(-variance / 2),
        atol=1e-12,
    )  # fmt: skip


@pytest.mark.parametrize("q", [0.5, 1.0, 20.0])
def test_bends_are_found(q: float) -> None:
    def hardtanh(x: np.ndarray) -> np.ndarray:
        return np.stack([np.clip(x, -0.7, 1.3), (x > -0.7) & (x < 1.3)])

    np.testing.assert_allclose(bends_of(hardtanh, q), [-0.7, 1.3], rtol=1e-12)
    assert bends_of(np.tanh, q).size == 0


def test_lines_of_their_own() -> None:
    edges = np.array([[0.0, 1.0, 2.0], [-1.0, -1.0, 1.0]])
    found = integrate(lambda x, row: np.where(row[:, None] == 0, x, np.abs(x - 0.1)), edges)
    np.testing.assert_allclose(found, [2, 1.01], rtol=1e-12)
