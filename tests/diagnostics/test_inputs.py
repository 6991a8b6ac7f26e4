"""What a measurement may be fed, and what is said about the rest."""

from __future__ import annotations

import numpy as np
import pytest

from minigrad.diagnostics.inputs import load_inputs
from minigrad.errors import ArgumentError

X, Y = np.arange(8.0).reshape(4, 2), np.array([0, 1, 2, 0])


@pytest.mark.parametrize(
    ("name", "shape", "classes"), [("digits", (1797, 64), 10), ("iris", (150, 4), 3)]
)
def test_the_shipped_sets_come_by_name(name, shape, classes):
    data = load_inputs(name)
    assert data.x.shape == shape and len(data.classes) == classes


def test_random_is_the_same_each_time_and_standard_normal():
    first, second = load_inputs("random"), load_inputs("random")
    np.testing.assert_array_equal(first.x, second.x)
    assert set(first.y.tolist()) == set(range(10))
    # 131,072 draws: the mean is known to 0.003, the variance to 0.004.
    assert abs(first.x.mean()) < 0.012 and abs(first.x.var() - 1) < 0.016


def test_a_file_is_read_as_it_is(tmp_path):
    np.savez(tmp_path / "own.npz", x=X, y=Y.astype(np.uint8))
    data = load_inputs(str(tmp_path / "own.npz"))
    np.testing.assert_array_equal(data.x, X)
    np.testing.assert_array_equal(data.y, Y)
    assert (data.x.dtype, data.y.dtype) == (np.float32, np.int64)
    assert data.classes == ("0", "1", "2") and data.name == "own.npz"


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": X}, r"has no array y \(it has x\); write it with np\.savez"),
        ({"a": X}, r"has no array x and no array y \(it has a\)"),
        ({"x": X[:, 0], "y": Y}, r"x is float64 of shape \(4,\) and y of shape \(4,\); needed"),
        ({"x": X, "y": Y[:3]}, r"y of shape \(3,\); needed"),
        ({"x": X[:0], "y": Y[:0]}, r"x is float64 of shape \(0, 2\)"),
        ({"x": X.astype(str), "y": Y}, r"x is <U\d+ of shape"),
        ({"x": X, "y": Y + 0.5}, "y is float64; needed are classes as whole numbers from 0"),
        ({"x": X, "y": Y - 1}, "y is int64 with -1 as its smallest; needed"),
        ({"x": X, "y": Y * 1000}, "y has a class 2000, but there are only 4 examples"),
        ({"x": X * np.nan, "y": Y}, "x holds NaN, infinity or a number too large"),
        ({"x": X * 1e300, "y": Y}, "x holds NaN, infinity or a number too large"),
        ({"x": np.array([X], dtype=object), "y": Y}, "cannot read .* numbers only"),
    ],
)
def test_a_file_without_usable_arrays_is_explained(tmp_path, arrays, message):
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(ArgumentError, match=message):
        load_inputs(str(tmp_path / "bad.npz"))


def test_what_is_no_file_or_no_npz_is_explained(tmp_path):
    with pytest.raises(ArgumentError, match="there is no file"):
        load_inputs(str(tmp_path / "missing.npz"))
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(ArgumentError, match=r"cannot read .*text\.npz' as \.npz"):
        load_inputs(str(tmp_path / "text.npz"))
    with pytest.raises(ArgumentError, match=r"unknown 'mnist'; use one of digits, iris, random"):
        load_inputs("mnist")
