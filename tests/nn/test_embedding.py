"""Embedding: rows by number, in value and gradient."""

from __future__ import annotations

import numpy as np
import pytest
from nn.twin import check_twins, copy_state

import minigrad as mg
from minigrad import nn
from minigrad.errors import ArgumentError, DtypeError, OutOfRangeError, ShapeError
from minigrad.nn import functional as F


@pytest.mark.torch
@pytest.mark.parametrize("padding_idx", [None, 0, -2])
@pytest.mark.parametrize("shape", [(), (5,), (3, 4), (0,)])
def test_parity_with_repeated_rows(shape, padding_idx, rng):
    torch = pytest.importorskip("torch")
    theirs = torch.nn.Embedding(6, 3, padding_idx=padding_idx).double()
    mine = nn.Embedding(6, 3, padding_idx=padding_idx, dtype=mg.float64)
    copy_state(theirs, mine)
    assert repr(mine) == repr(theirs)
    check_twins(mine, theirs, rng.integers(0, 6, shape))


def test_it_is_the_product_with_one_hot_rows(rng):
    numbers = mg.tensor(rng.integers(0, 5, (4, 7)))
    table = mg.tensor(rng.normal(size=(5, 3)), requires_grad=True)
    product = mg.one_hot(numbers, 5, dtype=np.float64) @ table
    g = mg.tensor(rng.normal(size=product.shape))
    expected = mg.grad(product, table, g)[0].data
    found = F.embedding(numbers, table)
    np.testing.assert_array_equal(found.data, product.data)
    np.testing.assert_allclose(mg.grad(found, table, g)[0].data, expected, rtol=1e-12)


def test_the_padding_row_starts_at_zero_and_stays():
    layer = nn.Embedding(4, 3, padding_idx=1, generator=mg.Generator(0))
    assert (layer.weight.data[1] == 0).all() and (layer.weight.data[[0, 2, 3]] != 0).all()
    optimizer = mg.optim.SGD(layer.parameters(), lr=1.0)
    (layer(mg.tensor([0, 1, 1])) * 2.0).sum().backward()
    optimizer.step()
    assert (layer.weight.data[1] == 0).all()
    np.testing.assert_array_equal(layer.weight.grad.data[:2], [[2, 2, 2], [0, 0, 0]])


def test_a_table_that_exists_is_shared_and_frozen_unless_told_otherwise():
    table = np.arange(6.0).reshape(3, 2)
    layer = nn.Embedding.from_pretrained(table, padding_idx=2)
    assert not layer.weight.requires_grad and layer.padding_idx == 2
    assert np.shares_memory(layer.weight.data, table)
    np.testing.assert_array_equal(layer(mg.tensor([2, 0])).data, [[4, 5], [0, 1]])
    assert nn.Embedding.from_pretrained(table, freeze=False).weight.requires_grad


def test_rows_start_standard_normal_and_follow_the_generator():
    layer = nn.Embedding(300, 100, generator=mg.Generator(0))
    assert layer.weight.data.std() == pytest.approx(1, rel=0.02)
    again = nn.Embedding(300, 100, generator=mg.Generator(0))
    np.testing.assert_array_equal(layer.weight.data, again.weight.data)


CASES = {
    "number too large": (
        lambda: nn.Embedding(4, 2)(mg.tensor([1, 4])),
        OutOfRangeError,
        "embedding: input has row 4, but the table has 4 rows, 0 to 3; give it num_embeddings of "
        "at least the largest number + 1 [in Embedding(4, 2)]",
    ),
    "negative number": (
        lambda: F.embedding(mg.tensor(-1), mg.ones(4, 2)),
        OutOfRangeError,
        "embedding: input has row -1, but the table has 4 rows, 0 to 3; give it num_embeddings of "
        "at least the largest number + 1",
    ),
    "fractions": (
        lambda: F.embedding(mg.ones(2), mg.ones(4, 2)),
        DtypeError,
        "embedding: input holds float32, but it must hold row numbers, integers; convert it with "
        "input.astype(mg.int64)",
    ),
    "padding outside": (
        lambda: nn.Embedding(4, 2, padding_idx=4),
        ArgumentError,
        "embedding: padding_idx 4 is no row of a table with 4 rows",
    ),
    "no table": (
        lambda: nn.Embedding.from_pretrained([1.0, 2.0]),
        ShapeError,
        "Embedding.from_pretrained: the table has shape (2,); it must be (rows, features)",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_message(case):
    call, kind, message = CASES[case]
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value) == message
