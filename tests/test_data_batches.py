"""Batches and splits: every example once, in the order that the seed says."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad.data import ArrayDataset, DataLoader, load_digits, load_iris, train_test_split
from minigrad.errors import ArgumentError, DtypeError, MinigradError, ShapeError

X, Y = np.arange(20.0).reshape(10, 2), np.arange(10)


def rows(loader: DataLoader) -> list[int]:
    return [int(label) for _, y in loader for label in y]


@pytest.mark.parametrize("data", [(X, Y), [mg.tensor(X), mg.tensor(Y)], ArrayDataset(X, Y)])
def test_in_order_without_shuffle(data):
    batches = list(DataLoader(data, batch_size=4))
    assert [x.shape for x, _ in batches] == [(4, 2), (4, 2), (2, 2)]
    np.testing.assert_array_equal(np.concatenate([x.data for x, _ in batches]), X)
    np.testing.assert_array_equal(np.concatenate([y.data for _, y in batches]), Y)
    assert batches[0][0].dtype == np.float64 and batches[0][1].dtype == np.int64


@pytest.mark.parametrize(("drop_last", "sizes"), [(False, [4, 4, 2]), (True, [4, 4])])
def test_the_last_batch(drop_last, sizes):
    loader = DataLoader((X, Y), batch_size=4, drop_last=drop_last)
    assert len(loader) == len(sizes)
    assert [len(y) for _, y in loader] == sizes
    assert len(DataLoader((X, Y), batch_size=5, drop_last=drop_last)) == 2


def test_shuffle_gives_every_example_once_and_each_epoch_another_order():
    loader = DataLoader((X, Y), batch_size=3, shuffle=True, generator=mg.Generator(0))
    first, second = rows(loader), rows(loader)
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second and first != list(range(10))
    again = DataLoader((X, Y), batch_size=3, shuffle=True, generator=mg.Generator(0))
    assert [rows(again), rows(again)] == [first, second]


def test_shuffle_keeps_rows_together():
    for x, y in DataLoader((X, Y), batch_size=3, shuffle=True, generator=mg.Generator(0)):
        np.testing.assert_array_equal(x.data, X[y.data])


def test_the_batch_size_does_not_change_the_order():
    orders = [
        rows(DataLoader((X, Y), batch_size=n, shuffle=True, generator=mg.Generator(1)))
        for n in (1, 3, 10, 99)
    ]
    assert orders[1:] == orders[:-1]


def test_without_a_generator_the_order_follows_manual_seed():
    mg.manual_seed(4)
    first = rows(DataLoader((X, Y), shuffle=True))
    mg.manual_seed(4)
    assert rows(DataLoader((X, Y), shuffle=True)) == first


def test_batches_are_copies():
    (x, _) = next(iter(DataLoader((X, Y), batch_size=10)))
    x.data[:] = -1
    assert X[0, 1] == 1 and ArrayDataset(X)[0][0].data.base is not X


def test_a_shipped_set_and_a_single_array_load_too():
    x, y = next(iter(DataLoader(load_digits(), batch_size=64)))
    assert x.shape == (64, 64) and y.shape == (64,) and x.dtype == np.float32
    assert [len(batch) for batch in DataLoader(X, batch_size=5)] == [1, 1]


@pytest.mark.torch
def test_an_epoch_has_the_batches_of_pytorch():
    torch = pytest.importorskip("torch")
    from torch.utils.data import DataLoader as TorchLoader
    from torch.utils.data import TensorDataset

    theirs = TorchLoader(TensorDataset(torch.tensor(X), torch.tensor(Y)), batch_size=4)
    for mine, batch in zip(DataLoader((X, Y), batch_size=4), theirs, strict=True):
        for a, b in zip(mine, batch, strict=True):
            np.testing.assert_array_equal(a.data, b.numpy())


@pytest.mark.parametrize(("test_size", "tests"), [(0.25, 3), (0.2, 2), (4, 4)])
def test_split_has_every_example_in_one_part(test_size, tests):
    x_train, x_test, y_train, y_test = train_test_split(
        X, Y, test_size=test_size, generator=mg.Generator(0)
    )
    assert len(y_test) == tests and len(y_train) == 10 - tests
    assert sorted([*y_train, *y_test]) == list(range(10))
    np.testing.assert_array_equal(x_train, X[y_train])
    np.testing.assert_array_equal(x_test, X[y_test])
    assert y_train.tolist() != sorted(y_train)


def test_split_sizes_are_scikit_learns():
    reference = pytest.importorskip("sklearn.model_selection").train_test_split
    for n in (7, 10, 33):
        for test_size in (0.1, 0.25, 0.5, 3):
            mine = train_test_split(np.arange(n), test_size=test_size, generator=mg.Generator(0))
            theirs = reference(np.arange(n), test_size=test_size, random_state=0)
            assert [len(part) for part in mine] == [len(part) for part in theirs]


def test_split_follows_the_generator_and_takes_a_dataset():
    iris = load_iris()
    splits = [train_test_split(iris, generator=mg.Generator(seed)) for seed in (0, 0, 1)]
    for a, b in zip(splits[0], splits[1], strict=True):
        np.testing.assert_array_equal(a, b)
    assert (splits[0][3] != splits[2][3]).any()


@pytest.mark.parametrize("test_size", [30, 31, 0.1, 0.5])
def test_stratified_parts_have_the_proportions_to_one_example(test_size):
    y = np.repeat([0, 1, 2], [70, 20, 10])
    _, part = train_test_split(y, test_size=test_size, stratify=y, generator=mg.Generator(0))
    share = len(part) / 100
    assert len(part) == (test_size if isinstance(test_size, int) else round(test_size * 100))
    assert (abs(np.bincount(part) - share * np.array([70, 20, 10])) < 1).all()


CASES = {
    "unequal lengths": (
        lambda: DataLoader((X, Y[:9])),
        ShapeError,
        "DataLoader: the arrays have shapes [(10, 2), (9,)]; each needs one row per example, all "
        "the same number, at least one",
    ),
    "no rows": (
        lambda: ArrayDataset(X[:0], Y[:0]),
        ShapeError,
        "ArrayDataset: the arrays have shapes [(0, 2), (0,)]; each needs one row per example, all "
        "the same number, at least one",
    ),
    "words": (
        lambda: ArrayDataset(np.array(["a", "b"])),
        DtypeError,
        "ArrayDataset: expected arrays of numbers, got dtype <U1",
    ),
    "no batch size": (
        lambda: DataLoader((X, Y), batch_size=0),
        ArgumentError,
        "DataLoader: batch_size must be a whole number of at least 1, got 0",
    ),
    "everything dropped": (
        lambda: DataLoader((X, Y), batch_size=11, drop_last=True),
        ArgumentError,
        "DataLoader: with drop_last, batch_size=11 makes no batch of 10 examples; use 1 to 10",
    ),
    "nothing to train on": (
        lambda: train_test_split(X, test_size=10),
        ArgumentError,
        "train_test_split: test_size=10 of 10 examples leaves nothing to test or nothing to "
        "train on; give a fraction between 0 and 1, or a number from 1 to 9",
    ),
    "a fraction above 1": (
        lambda: train_test_split(X, test_size=1.5),
        ArgumentError,
        "train_test_split: test_size=1.5 of 10 examples leaves nothing to test or nothing to "
        "train on; give a fraction between 0 and 1, or a number from 1 to 9",
    ),
    "classes of other examples": (
        lambda: train_test_split(X, stratify=[0, 1]),
        ShapeError,
        "train_test_split: stratify has shape (2,); it needs the class of each example, "
        "shape (10,)",
    ),
    "a class of one": (
        lambda: train_test_split(X, test_size=2, stratify=[0] * 9 + [1]),
        ArgumentError,
        "train_test_split: class 1 has 1 examples, of which 0 would be for testing; both parts "
        "need one of each class, so choose another test_size or leave out stratify",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_message(case):
    call, kind, message = CASES[case]
    with pytest.raises(kind) as caught:
        call()
    assert isinstance(caught.value, MinigradError) and str(caught.value) == message
