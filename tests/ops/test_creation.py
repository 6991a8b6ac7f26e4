"""Tensors from nothing."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import ArgumentError, DtypeError

LIKE = mg.tensor(np.ones((2, 3), np.float16))

MADE = {
    "zeros": (lambda: mg.zeros(2, 3), np.zeros((2, 3), np.float32)),
    "zeros of a tuple": (lambda: mg.zeros((2, 3)), np.zeros((2, 3), np.float32)),
    "zeros, 0-d": (lambda: mg.zeros(), np.zeros((), np.float32)),
    "ones": (lambda: mg.ones(2, dtype=np.int32), np.ones(2, np.int32)),
    "empty": (lambda: mg.ones(0, 2), np.ones((0, 2), np.float32)),
    "full": (lambda: mg.full((2, 1), 7), np.full((2, 1), 7, np.float32)),
    "full of one size": (lambda: mg.full(3, 7.5), np.full(3, 7.5, np.float32)),
    "eye": (lambda: mg.eye(3), np.eye(3, dtype=np.float32)),
    "eye, not square": (lambda: mg.eye(2, 4), np.eye(2, 4, dtype=np.float32)),
    "arange": (lambda: mg.arange(3), np.array([0, 1, 2])),
    "arange with a step": (lambda: mg.arange(5, 0, -2), np.array([5, 3, 1])),
    "arange of floats": (lambda: mg.arange(0, 1, 0.25), np.arange(0, 1, 0.25, np.float32)),
    "linspace": (lambda: mg.linspace(0, 1, 5), np.linspace(0, 1, 5, dtype=np.float32)),
    "zeros_like": (lambda: mg.zeros_like(LIKE), np.zeros((2, 3), np.float16)),
    "ones_like": (lambda: mg.ones_like(LIKE, dtype=np.int64), np.ones((2, 3), np.int64)),
    "full_like": (lambda: mg.full_like(LIKE, 2), np.full((2, 3), 2, np.float16)),
    "tensor of floats": (lambda: mg.tensor([0.5, 1]), np.array([0.5, 1], np.float32)),
    "tensor of integers": (lambda: mg.tensor([[1], [2]]), np.array([[1], [2]])),
    "tensor of bools": (lambda: mg.tensor([True]), np.array([True])),
    "tensor of an array": (lambda: mg.tensor(np.ones(2)), np.ones(2)),
    "tensor of nothing": (lambda: mg.tensor([]), np.array([], np.float32)),
    "as_tensor": (lambda: mg.as_tensor([0.5]), np.array([0.5], np.float32)),
}


@pytest.mark.parametrize("how", MADE)
def test_values_shape_and_dtype(how):
    make, expected = MADE[how]
    made = make()
    assert (made.shape, made.dtype) == (expected.shape, expected.dtype)
    assert np.array_equal(made.data, expected) and not made.requires_grad


@pytest.mark.parametrize("make", [mg.zeros, mg.ones, mg.rand, mg.randn])
def test_requires_grad_from_the_start(make):
    x = make(2, 3, dtype=mg.float64, requires_grad=True)
    assert x.requires_grad and x.is_leaf and x.dtype == np.float64 and x.shape == (2, 3)


def test_tensor_copies_and_as_tensor_shares():
    array = np.zeros(2)
    copied, shared = mg.tensor(array), mg.as_tensor(array)
    array[0] = 1
    assert copied.tolist() == [0, 0] and shared.tolist() == [1, 0]
    assert mg.as_tensor(shared) is shared


def test_random_numbers_have_their_moments():
    # Means of n numbers lie within 5 standard errors, sd / sqrt(n).
    n, g = 10_000, mg.Generator(0)
    normal, uniform = mg.randn(n, generator=g).data, mg.rand(n, generator=g).data
    assert abs(normal.mean()) < 5 / np.sqrt(n)
    assert abs((normal**2).mean() - 1) < 5 * np.sqrt(2 / n)
    assert abs(uniform.mean() - 0.5) < 5 * np.sqrt(1 / 12 / n)
    assert uniform.min() >= 0 and uniform.max() < 1


def test_random_integers_and_permutations():
    g = mg.Generator(0)
    drawn = mg.randint(-1, 2, (200,), generator=g)
    assert set(drawn.tolist()) == {-1, 0, 1} and drawn.dtype == np.int64
    assert mg.randint(0, 2, 3, generator=g).shape == (3,)
    assert sorted(mg.randperm(5, generator=g).tolist()) == [0, 1, 2, 3, 4]


def test_seed_decides_the_numbers():
    def draw():
        return [mg.randn(2).tolist(), mg.rand(2).tolist(), mg.randperm(4).tolist()]

    mg.manual_seed(7)
    first = draw()
    mg.manual_seed(7)
    assert draw() == first
    mg.manual_seed(8)
    assert draw() != first
    assert mg.randn(2, generator=mg.Generator(7)).tolist() == first[0]


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: mg.zeros(-1), ArgumentError, "shape: (-1,) has a negative size; the least is 0"),
        (lambda: mg.randn(2, -3), ArgumentError, "shape: (2, -3) has a negative size"),
        (lambda: mg.ones(2.5), ArgumentError, "shape: sizes must be integers, got (2.5,)"),
        (
            lambda: mg.full([2, 0.5], 1),
            ArgumentError,
            "shape: sizes must be integers, got (2, 0.5)",
        ),
        (lambda: mg.arange(0, 5, 0), ArgumentError, "arange: step must not be 0"),
        (lambda: mg.randint(5, 2, 3), ArgumentError, "randint: low 5 must be less than high 2"),
        (lambda: mg.zeros(2, dtype="complex64"), DtypeError, "tensor: dtype complex64 is not"),
        (lambda: mg.zeros(2, dtype="flat"), DtypeError, "tensor: 'flat' names no dtype; valid"),
        (lambda: mg.tensor("a"), DtypeError, "tensor: dtype <U1 is not supported; valid: floating"),
        (lambda: mg.tensor([[1], [1, 2]]), ArgumentError, "tensor: the nested lists have rows of"),
        (lambda: mg.manual_seed(-1), ArgumentError, "seed: must be a non-negative integer, got -1"),
    ],
)
def test_errors(make, error, text):
    with pytest.raises(error) as caught:
        make()
    assert str(caught.value).startswith(text)
