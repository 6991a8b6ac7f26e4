"""Operators of Tensor, also with a number, an array or a list on either side."""

from __future__ import annotations

import operator

import numpy as np
import pytest

import minigrad as mg

ARITHMETIC = [
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod,
    operator.pow,
]  # fmt: skip
COMPARISONS = [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]
X = np.array([0.5, 1.5, 2.0])


@pytest.mark.parametrize("apply", ARITHMETIC + COMPARISONS)
@pytest.mark.parametrize("other", [2, 1.5, np.array([1.0, 2.0, 3.0]), np.float64(2)], ids=repr)
def test_operator_with_anything_on_either_side(apply, other):
    t = mg.tensor(X, requires_grad=True)
    for ours, theirs in [(apply(t, other), apply(X, other)), (apply(other, t), apply(other, X))]:
        assert isinstance(ours, mg.Tensor)
        np.testing.assert_allclose(ours.data, theirs, rtol=1e-15)


@pytest.mark.parametrize("apply", ARITHMETIC)
def test_reflected_operator_has_the_gradient_of_its_argument(apply):
    # Against the same operation between two tensors.
    t, two = mg.tensor(X, requires_grad=True), mg.tensor(2.0, dtype=mg.float64)
    (a,) = mg.grad(apply(2, t).sum(), t)
    (b,) = mg.grad(apply(two, t).sum(), t)
    np.testing.assert_allclose(a.data, b.data, rtol=1e-15)


def test_unary_operators():
    t = mg.tensor([-1.0, 2.0])
    assert (-t).tolist() == [1, -2] and (+t).tolist() == [-1, 2] and abs(t).tolist() == [1, 2]
    assert (~mg.tensor([True, False])).tolist() == [False, True]


def test_logic_operators():
    a, b = mg.tensor([True, True, False]), mg.tensor([True, False, False])
    assert (a & b).tolist() == [True, False, False]
    assert (a | b).tolist() == [True, True, False]
    assert (a ^ b).tolist() == [False, True, False]
    assert (mg.tensor([6]) & 3).tolist() == [2]


def test_matmul_operator_with_an_array_on_either_side():
    a, t = np.arange(6.0).reshape(2, 3), mg.tensor(np.arange(6.0).reshape(3, 2))
    assert np.array_equal((a @ t).data, a @ t.data)
    assert np.array_equal((t @ a).data, t.data @ a)


def test_transposes():
    t = mg.tensor(np.arange(24).reshape(2, 3, 4))
    assert np.array_equal(t.T.data, t.data.T)
    assert np.array_equal(t.mT.data, t.data.swapaxes(-1, -2))


def test_list_counts_as_an_array():
    tens = [10.0, 20.0]
    assert (mg.tensor([1.0, 2.0]) + tens).tolist() == [11, 22]
    assert (tens - mg.tensor([1.0, 2.0])).tolist() == [9, 18]


@pytest.mark.parametrize("names", [{"axis": 1, "keepdims": True}, {"dim": 1, "keepdim": True}])
def test_both_spellings_of_the_axis(names):
    t = mg.tensor([[1.0, 2.0], [3.0, 5.0]])
    assert t.sum(**names).tolist() == [[3], [8]]
