"""Every statistic against NumPy in float64, and the fast gauge against the slow description."""

from __future__ import annotations

import math

import numpy as np
import pytest

from minigrad.diagnostics.probing.gauge import CHUNK, RMS, Found, Gauge, fetched, merged
from minigrad.diagnostics.probing.statistics import (
    BIN_EDGES,
    BINS,
    NOTHING,
    Statistics,
    cosine,
    describe,
    histogram,
    relative_change,
    signal_to_noise,
)


def reference(array) -> Statistics:
    """The definitions, written out in float64; for numbers whose squares float64 can hold."""
    x = np.asarray(array, dtype=np.float64).ravel()
    return Statistics(
        rms=np.sqrt(np.mean(x**2)), mean=np.mean(x), std=np.std(x), max=np.max(np.abs(x)),
        norm=np.sqrt(np.sum(x**2)), zeros=np.mean(x == 0), nans=np.mean(np.isnan(x)),
        infs=np.mean(np.isinf(x)),
    )  # fmt: skip


def assert_equal(found: Statistics, expected: Statistics) -> None:
    # The mean of numbers that cancel, and the spread of numbers that are all alike, are exact to
    # rounding in proportion to the numbers, not to what is left.
    size = expected.rms if math.isfinite(expected.rms) else 0.0
    for name, a, b in zip(Statistics._fields, found, expected, strict=True):
        slack = 1e-12 * size if name in ("mean", "std") else 0.0
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=slack, err_msg=name)


def gauged(arrays, full=True) -> list[Statistics]:
    gauge = Gauge()
    gauge.full = full
    for owner, array in enumerate(arrays):
        gauge.take(owner, array)
    found = gauge.collect(fetched(gauge.away()))
    order = np.argsort(found.owners)
    return [Statistics(*row) for row in found.values[order]]


def ordinary(rng) -> dict[str, np.ndarray]:
    normal = rng.normal(size=(64, 32))
    return {
        "normal": normal,
        "shifted": normal + 1000,
        "nearly constant": 0.5 + 1e-4 * normal,
        "relu": np.maximum(normal, 0),
        "tiny": 1e-30 * normal,
        "huge": 1e30 * normal,
        "ten elements": rng.normal(size=10),
        "one": np.array(-3.0),
        "zeros": np.zeros((3, 4)),
        "longer than a chunk": rng.normal(size=CHUNK + 17) + 3,
        "transposed": rng.normal(size=(7, 5)).T,
        "every other": rng.normal(size=(8, 6))[::2, ::3],
    }


NAMES = list(ordinary(np.random.default_rng(0)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", NAMES)
def test_ordinary_arrays_agree_with_numpy_in_float64(rng, name, dtype):
    array = ordinary(rng)[name].astype(dtype)
    assert_equal(describe(array), reference(array))
    (found,) = gauged([array])
    assert_equal(found, reference(array))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_light_measurement_gives_the_same_size_and_no_more(rng, dtype):
    arrays = [array.astype(dtype) for array in ordinary(rng).values()]
    for found, array in zip(gauged(arrays, full=False), arrays, strict=True):
        expected = reference(array)
        np.testing.assert_allclose(found[RMS], expected.rms, rtol=1e-12)
        np.testing.assert_allclose(found.norm, expected.norm, rtol=1e-12)
        assert (found.nans, found.infs) == (0, 0)
        assert expected.rms == 0 or all(map(math.isnan, (found.mean, found.std, found.max)))


def test_float16_and_integers_count_as_the_numbers_they_are():
    half = np.array([1.0, -2.0, 6e-8, 0.0], dtype=np.float16)
    assert_equal(gauged([half])[0], reference(half))
    assert_equal(describe(np.array([3, -4])), reference([3, -4]))


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("size", [5e-324, 1e-310, 1e-200, 1e200, 1.7e308])
def test_float64_to_its_ends(size, full):
    array = size * np.array([1.0, -1.0, 1.0, 1.0])
    for found in (describe(array), *gauged([array], full)):
        # Of a number with a single bit left, only that bit can be right.
        np.testing.assert_allclose(found.rms, size, rtol=1e-12)
        np.testing.assert_allclose(found.max, size, rtol=1e-12)
        np.testing.assert_allclose(found.norm, 2 * size if size < 1e308 else np.inf, rtol=1e-12)
        if size > 1e-300:
            np.testing.assert_allclose(found.mean, size / 2, rtol=1e-12)
            np.testing.assert_allclose(found.std, size * math.sqrt(0.75), rtol=1e-12)


@pytest.mark.parametrize("size", [1e-45, 1e-40, 3e38])
def test_float32_to_its_ends(size):
    array = np.array([size, -size, 0, size], dtype=np.float32)
    assert array[0] > 0
    for found in (describe(array), *gauged([array])):
        assert_equal(found, reference(array))


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_and_infinity_are_counted_apart(dtype, full):
    array = np.array([1, 0, np.nan, np.inf, -np.inf, np.nan, 0, 3], dtype=dtype)
    for found in (describe(array), *gauged([array], full)):
        assert (found.zeros, found.nans, found.infs) == (0.25, 0.25, 0.25)
        assert all(map(math.isnan, found[:5]))
    with_infinity = np.array([1, -np.inf], dtype=dtype)
    for found in (describe(with_infinity), *gauged([with_infinity], full)):
        assert (found.rms, found.max, found.norm) == (math.inf,) * 3
        assert (found.nans, found.infs) == (0, 0.5)


@pytest.mark.parametrize("full", [False, True])
def test_nothing_is_said_of_an_empty_array(full):
    for found in (describe(np.zeros((0, 3))), *gauged([np.zeros((0, 3), np.float32)], full)):
        np.testing.assert_array_equal(found, NOTHING)


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_together_arrays_are_measured_as_one(rng, scale):
    parts = [scale * rng.normal(size=n) + scale * m for n, m in ((5, 0), (40, 3), (1, 0), (0, 0))]
    parts[0][2] = 0.0
    values = np.array([describe(part) for part in parts])
    sizes = np.array([part.size for part in parts], dtype=float)
    found = merged(Found(values, sizes, np.array([1, 1, 1, 0])), 2)
    np.testing.assert_array_equal(found[0], NOTHING)
    assert_equal(Statistics(*found[1]), describe(np.concatenate(parts)))


# -- histograms ----------------------------------------------------------------------------------


def counted_by_numpy(array) -> np.ndarray:
    """Magnitudes by `np.histogram`, so that the edge nearer to 0 belongs to the bin."""
    x = np.asarray(array, dtype=np.float64).ravel()
    x = x[np.isfinite(x)]
    half = BIN_EDGES[BIN_EDGES > 0]
    edges = np.concatenate([[0.0], half[:-1], [np.inf]])
    positive, negative = (np.histogram(m, edges)[0] for m in (x[x >= 0], -x[x < 0]))
    return np.concatenate([negative[:0:-1], [positive[0] + negative[0]], positive[1:]])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_histograms_count_every_finite_number_once(rng, dtype):
    array = (rng.normal(size=3000) * 10.0 ** rng.uniform(-45, 45, 3000)).astype(np.float64)
    array[:12] = [0.0, -0.0, np.nan, np.inf, -np.inf, 1, -1, 2, -2, 2.0**-126, -(2.0**-127), 1e-45]
    with np.errstate(over="ignore", under="ignore"):
        array = array.astype(dtype)
    expected = counted_by_numpy(array)
    assert expected.shape == (BINS,) and expected.sum() == np.isfinite(array).sum()
    np.testing.assert_array_equal(histogram(array), expected)
    gauge = Gauge()
    gauge.full = True
    gauge.take(0, array)
    gauge.take(0, array.reshape(50, 60).T)
    gauge.collect(fetched(gauge.away()))
    np.testing.assert_array_equal(gauge.histograms(1)[0], 2 * expected)


def test_bins_are_symmetric_octaves():
    np.testing.assert_array_equal(BIN_EDGES, -BIN_EDGES[::-1])
    positive = BIN_EDGES[BIN_EDGES > 0]
    np.testing.assert_array_equal(positive[1:] / positive[:-1], 2.0)
    assert positive[0] == np.finfo(np.float32).tiny


# -- of two arrays -------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1e-200, 1e-30, 1.0, 1e30, 1e200])
def test_change_and_cosine_do_not_depend_on_the_scale(rng, size):
    a, b = rng.normal(size=(2, 6, 5))
    change = np.sqrt(np.mean((b - a) ** 2)) / np.sqrt(np.mean(a**2))
    angle = np.sum(a * b) / np.sqrt(np.sum(a**2) * np.sum(b**2))
    np.testing.assert_allclose(relative_change(size * a, size * b), change, rtol=1e-12)
    np.testing.assert_allclose(cosine(size * a, size * b), angle, rtol=1e-12)


def test_change_and_cosine_are_nan_where_there_is_nothing_to_compare_with():
    zeros, ones = np.zeros(3), np.ones(3)
    assert math.isnan(relative_change(zeros, ones)) and math.isnan(cosine(zeros, ones))
    assert math.isnan(relative_change(zeros[:0], zeros[:0])) and math.isnan(cosine(ones, 0 * ones))


def test_the_signal_to_noise_ratio_is_that_of_noisy_gradients(rng):
    # Independent noise around a fixed mean gradient: the ratio |m| / sqrt(E|e|^2) is known.
    mean, noise, records = np.array([3.0, 4.0]), 2.5, 20_000
    gradients = mean + rng.normal(scale=noise, size=(records, 2))
    norms = np.linalg.norm(gradients, axis=1)
    cosines = np.full(records, np.nan)
    cosines[1:] = np.sum(gradients[1:] * gradients[:-1], axis=1) / (norms[1:] * norms[:-1])
    found = signal_to_noise(norms[:, None], cosines[:, None], window=records)[-1, 0]
    assert found == pytest.approx(5 / math.sqrt(2 * noise**2), rel=0.02)


def test_the_signal_to_noise_ratio_looks_back_over_the_window_alone():
    norms = np.ones((6, 1))
    cosines = np.array([[np.nan], [-1.0], [-1.0], [0.5], [0.5], [0.5]])
    found = signal_to_noise(norms, cosines, window=2).ravel()
    assert math.isnan(found[0]) and found[1] == found[2] == 0
    assert found[-1] == pytest.approx(1.0, rel=1e-12)
    tiny = signal_to_noise(1e-200 * norms, cosines, window=2).ravel()
    np.testing.assert_allclose(tiny, found, rtol=1e-12)
