"""What comes between data and training: scaling features, and keeping some examples aside."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minigrad.data.batches import as_arrays
from minigrad.errors import ArgumentError, ShapeError
from minigrad.random import Generator, generator_or_default


def standardize(x: ArrayLike) -> NDArray[np.float32]:
    """Give every feature mean 0 and variance 1 over the whole set.

    Computes ``(x - mean) / std`` column by column, with the biased std (divided by n). A
    column that never changes, such as a corner pixel that is always blank, becomes 0.

    Arguments:
        x: real numbers of shape (n, features), n at least 1.

    Returns:
        float32 array of the same shape; the input is left as it was.

    Raises:
        ShapeError: x is not two-dimensional, or has no row.
        ArgumentError: x holds NaN or infinity.

    >>> from minigrad.data import standardize
    >>> standardize([[1.0, 5.0], [3.0, 5.0]]).tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    """
    values = np.asarray(x, dtype=np.float64)
    if values.ndim != 2 or len(values) == 0:
        raise ShapeError(
            f"standardize: x has shape {values.shape}, but one row per example is needed: "
            "(n, features) with n >= 1; reshape images with x.reshape(len(x), -1)"
        )
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise ArgumentError(
            f"standardize: x[{row}, {column}] is {values[row, column]}; "
            "drop or fill in such rows first, or the whole column would become NaN"
        )
    # Asking std == 0 would not do: rounding leaves the std of a constant column near 1e-17.
    constant = values.max(axis=0) == values.min(axis=0)
    centred = np.where(constant, 0.0, values - values.mean(axis=0))
    return (centred / np.where(constant, 1.0, values.std(axis=0))).astype(np.float32)


def train_test_split(
    *arrays: Any,
    test_size: float | int = 0.25,
    stratify: Any = None,
    generator: Generator | None = None,
) -> list[NDArray[Any]]:
    """Put examples aside at random, to test on what training has not seen.

    Arguments:
        arrays: any number, all with one row per example; or one `Dataset`.
        test_size: a fraction between 0 and 1, rounded up to whole examples, or their number.
        stratify: the class of each example, shape (n,): both parts then have every class in the
            same proportion, to one example.
        generator: where the choice comes from; by default the generator that `mg.manual_seed`
            seeds.

    Returns:
        Per array its training part and its test part, in scikit-learn's order: of x and y it is
        x_train, x_test, y_train, y_test. Each part is in random order.

    Raises:
        ShapeError: arrays of unequal length.
        ArgumentError: a part that would be empty, or a class too small to be in both.

    >>> import minigrad as mg
    >>> iris = mg.data.load_iris()
    >>> x_train, x_test, y_train, y_test = mg.data.train_test_split(
    ...     iris.x, iris.y, test_size=30, stratify=iris.y, generator=mg.Generator(0)
    ... )
    >>> x_train.shape, np.bincount(y_test).tolist()
    ((120, 4), [10, 10, 10])
    """
    source = arrays[0] if len(arrays) == 1 else arrays
    checked = as_arrays("train_test_split", source)
    n = len(checked[0])
    tests = _test_count(test_size, n)
    generator = generator_or_default(generator)
    order = generator.permutation(n)
    if stratify is None:
        chosen = np.arange(n) < tests
    else:
        chosen = _stratified(np.asarray(stratify), order, tests)
    train, test = order[~chosen], order[chosen]
    return [part for array in checked for part in (array[train], array[test])]


def _test_count(test_size: float | int, n: int) -> int:
    whole = isinstance(test_size, int | np.integer)
    tests = int(test_size) if whole else math.ceil(test_size * n)
    if not 0 < tests < n or (not whole and not 0 < test_size < 1):
        raise ArgumentError(
            f"train_test_split: test_size={test_size} of {n} examples leaves nothing to test or "
            f"nothing to train on; give a fraction between 0 and 1, or a number from 1 to {n - 1}"
        )
    return tests


def _stratified(labels: NDArray[Any], order: NDArray[np.int64], tests: int) -> NDArray[np.bool_]:
    """Which places of `order` are for testing."""
    if labels.shape != order.shape:
        raise ShapeError(
            f"train_test_split: stratify has shape {labels.shape}; it needs the class of each "
            f"example, shape {order.shape}"
        )
    classes, counts = np.unique(labels, return_counts=True)
    share = counts * (tests / len(labels))
    taken = np.floor(share).astype(int)
    # What rounding down left over goes to the classes that it took the most from.
    for k in np.argsort(taken - share, kind="stable")[: tests - taken.sum()]:
        taken[k] += 1
    shuffled = labels[order]
    chosen = np.zeros(len(labels), bool)
    for name, count, size in zip(classes, taken, counts, strict=True):
        if not 0 < count < size:
            raise ArgumentError(
                f"train_test_split: class {name} has {size} examples, of which {count} would be "
                "for testing; both parts need one of each class, so choose another test_size or "
                "leave out stratify"
            )
        chosen[np.flatnonzero(shuffled == name)[:count]] = True
    return chosen
