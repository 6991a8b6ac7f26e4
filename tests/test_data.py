"""The shipped data sets are what they say, bit for bit."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

import minigrad
from minigrad.data import load_digits, load_iris, standardize
from minigrad.errors import ArgumentError, ShapeError


def sha256(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def test_digits_have_their_documented_shapes_and_range():
    digits = load_digits()
    assert digits.x.shape == (1797, 64) and digits.x.dtype == np.float32
    assert digits.y.shape == (1797,) and digits.y.dtype == np.int64
    assert digits.x.min() == 0.0 and digits.x.max() == 1.0
    assert digits.classes == tuple("0123456789")


def test_digits_have_the_class_counts_that_uci_publishes():
    # UCI's description of the test part, classes 0 to 9.
    published = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert np.bincount(load_digits().y).tolist() == published


def test_digits_are_unchanged():
    digits = load_digits()
    pixels = (digits.x * 16).astype(np.uint8)
    assert np.array_equal(pixels / np.float32(16), digits.x)
    assert sha256(pixels) == "8f26b2bd9d135c256808f68f14fdabddde6d9c7f869ae419704b051f0f14b3b3"
    labels = digits.y.astype(np.uint8)
    assert sha256(labels) == "8ba4f891220f5e4c9c819638d1602d74b83618f167043c6da52a2a247841ddf0"


def test_digits_equal_scikit_learns():
    reference = pytest.importorskip("sklearn.datasets").load_digits()
    digits = load_digits()
    np.testing.assert_array_equal(digits.x, reference.data / 16)
    np.testing.assert_array_equal(digits.y, reference.target)


def test_iris_has_its_documented_shapes_and_counts():
    iris = load_iris()
    assert iris.x.shape == (150, 4) and iris.x.dtype == np.float32
    assert iris.y.dtype == np.int64 and np.bincount(iris.y).tolist() == [50, 50, 50]
    assert iris.classes == ("setosa", "versicolor", "virginica")


def test_iris_has_fishers_values_where_the_uci_file_errs():
    # The 35th and 38th flower of Fisher's table I.
    iris = load_iris()
    np.testing.assert_array_equal(iris.x[34], np.float32([4.9, 3.1, 1.5, 0.2]))
    np.testing.assert_array_equal(iris.x[37], np.float32([4.9, 3.6, 1.4, 0.1]))


def test_iris_is_unchanged():
    iris = load_iris()
    assert sha256(iris.x) == "2374923a3acd29a63001946c3c216e2a5581864f01041c86c4b5211ec93885c2"
    assert iris.y.tolist() == [0] * 50 + [1] * 50 + [2] * 50


def test_iris_equals_scikit_learns():
    reference = pytest.importorskip("sklearn.datasets").load_iris()
    iris = load_iris()
    np.testing.assert_array_equal(iris.x, reference.data.astype(np.float32))
    np.testing.assert_array_equal(iris.y, reference.target)
    assert list(iris.classes) == list(reference.target_names)


@pytest.mark.parametrize("load", [load_digits, load_iris])
def test_writing_into_a_loaded_set_leaves_the_next_load_alone(load):
    first = load()
    before = first.x.copy()
    first.x[:] = -1.0
    np.testing.assert_array_equal(load().x, before)


@pytest.mark.parametrize("load", [load_digits, load_iris])
def test_source_and_licence_are_named_on_the_set_and_beside_the_file(load):
    data = load()
    beside = (Path(minigrad.__file__).parent / "_data" / "SOURCES.txt").read_text("utf-8")
    doi = data.source.rpartition("https://doi.org/")[2]
    assert doi and doi in beside
    assert data.licence.startswith("CC BY 4.0") and "CC BY 4.0" in beside


def test_standardize_gives_mean_0_and_variance_1():
    digits = load_digits()
    x = standardize(digits.x)
    varies = np.ptp(digits.x, axis=0) > 0
    assert x.dtype == np.float32 and x.shape == digits.x.shape
    np.testing.assert_allclose(x.mean(axis=0, dtype=np.float64), 0.0, atol=1e-6)
    np.testing.assert_allclose(x.var(axis=0, dtype=np.float64)[varies], 1.0, atol=1e-6)


def test_standardize_equals_scikit_learns():
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    x = load_digits().x.astype(np.float64)
    expected = preprocessing.StandardScaler().fit_transform(x)
    np.testing.assert_allclose(standardize(x), expected, rtol=1e-6, atol=1e-7)


def test_standardize_sets_constant_columns_to_0():
    # The mean of many 0.1 is not exactly 0.1, so a std of about 1e-17 must not divide.
    x = np.full((1000, 2), 0.1)
    x[:, 1] = np.arange(1000)
    assert (standardize(x)[:, 0] == 0).all()
    # Three corner pixels of the digits are blank in all images.
    blank = np.ptp(load_digits().x, axis=0) == 0
    assert blank.sum() == 3 and (standardize(load_digits().x)[:, blank] == 0).all()


def test_standardize_leaves_its_input_alone():
    x = np.arange(6.0).reshape(3, 2)
    standardize(x)
    np.testing.assert_array_equal(x, np.arange(6.0).reshape(3, 2))


@pytest.mark.parametrize("shape", [(), (4,), (2, 8, 8), (0, 4)])
def test_standardize_names_a_wrong_shape_and_the_cure(shape):
    with pytest.raises(ShapeError, match=r"standardize: x has shape .*\(n, features\).*reshape"):
        standardize(np.zeros(shape))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_standardize_says_where_a_value_is_not_finite(bad):
    x = np.zeros((3, 2))
    x[2, 1] = bad
    with pytest.raises(ArgumentError, match=rf"x\[2, 1\] is {bad}"):
        standardize(x)
