"""The error function against the C library's."""

import math

import numpy as np

from minigrad.special import erf


def test_to_the_last_digits_everywhere():
    tiny = np.logspace(-300, 2, 3000)
    x = np.concatenate([np.linspace(-7, 7, 20001), tiny, -tiny])
    expected = [math.erf(v) for v in x]
    np.testing.assert_allclose(erf(x), expected, rtol=1e-15)


def test_limits_dtypes_and_nan():
    np.testing.assert_array_equal(erf(np.array([np.inf, -np.inf, 0.0])), [1, -1, 0])
    assert np.isnan(erf(np.array(np.nan)))
    assert math.copysign(1, float(erf(np.array(-0.0)))) == -1
    assert erf(np.ones(2, np.float32)).dtype == np.float32
    assert erf(np.array([1, 2])).dtype == np.float64
    assert erf(np.empty((0, 3))).shape == (0, 3)
