"""Losses of classifiers in all their options, against PyTorch's and against their formulas."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from nn.twin import check_twins

import minigrad as mg
from minigrad.errors import ArgumentError, DtypeError, OutOfRangeError, ShapeError
from minigrad.gradcheck import gradcheck, gradgradcheck
from minigrad.nn import functional as F

REDUCTIONS = ["mean", "sum", "none"]
SHAPES = [(6, 4), (4,), (3, 4, 2), (2, 4, 3, 2)]


def _labels(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    axis = min(1, len(shape) - 1)
    return np.asarray(rng.integers(0, shape[axis], np.delete(shape, axis)))


def _distributions(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    axis = min(1, len(shape) - 1)
    q = rng.uniform(0, 1, shape)
    return q / q.sum(axis=axis, keepdims=True)


def _weights(weighted: bool, rng: np.random.Generator) -> np.ndarray | None:
    return rng.uniform(0.5, 2, 4) if weighted else None


def _torch_options(torch: object, options: dict) -> dict:
    return {k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}


@pytest.mark.torch
@pytest.mark.parametrize("ignore_index", [-100, 2, -1])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_cross_entropy_of_class_numbers(
    shape: tuple, label_smoothing: float, ignore_index: int, rng: np.random.Generator
) -> None:
    torch = pytest.importorskip("torch")
    labels = _labels(shape, rng)
    if labels.ndim:
        labels.flat[0], labels.flat[1] = ignore_index, 1  # one to ignore and one to keep
    x = rng.normal(0, 3, shape)
    if labels.ndim == 0:
        labels = np.asarray(1)
    for reduction, weighted in product(REDUCTIONS, [False, True]):
        options = {
            "weight": _weights(weighted, rng),
            "ignore_index": ignore_index,
            "label_smoothing": label_smoothing,
            "reduction": reduction,
        }
        theirs = _torch_options(torch, options)
        check_twins(
            lambda x, t, o=options: F.cross_entropy(x, t, **o),
            lambda x, t, o=theirs: torch.nn.functional.cross_entropy(x, t, **o),
            x,
            labels,
        )


@pytest.mark.torch
@pytest.mark.parametrize("label_smoothing", [0.0, 0.3])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_cross_entropy_of_probabilities(
    shape: tuple, label_smoothing: float, rng: np.random.Generator
) -> None:
    torch = pytest.importorskip("torch")
    for reduction, weighted in product(REDUCTIONS, [False, True]):
        options = {
            "weight": _weights(weighted, rng),
            "label_smoothing": label_smoothing,
            "reduction": reduction,
        }
        theirs = _torch_options(torch, options)
        check_twins(  # the gradient of the probabilities as well
            lambda x, q, o=options: F.cross_entropy(x, q, **o),
            lambda x, q, o=theirs: torch.nn.functional.cross_entropy(x, q, **o),
            rng.normal(0, 3, shape),
            _distributions(shape, rng),
        )


@pytest.mark.torch
@pytest.mark.parametrize("ignore_index", [-100, 2])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_nll_loss(shape: tuple, ignore_index: int, rng: np.random.Generator) -> None:
    torch = pytest.importorskip("torch")
    labels = _labels(shape, rng)
    if labels.ndim:
        labels.flat[0], labels.flat[1] = ignore_index, 1
    else:
        labels = np.asarray(1)
    for reduction, weighted in product(REDUCTIONS, [False, True]):
        options = {
            "weight": _weights(weighted, rng),
            "ignore_index": ignore_index,
            "reduction": reduction,
        }
        theirs = _torch_options(torch, options)
        check_twins(
            lambda x, t, o=options: F.nll_loss(x, t, **o),
            lambda x, t, o=theirs: torch.nn.functional.nll_loss(x, t, **o),
            rng.normal(0, 3, shape),
            labels,
        )


@pytest.mark.torch
@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("margin", [1.0, 0.3, -0.5])
@pytest.mark.parametrize("shape", [(6, 4), (4,), (1, 4)], ids=str)
def test_multi_margin_loss(shape: tuple, margin: float, p: int, rng: np.random.Generator) -> None:
    torch = pytest.importorskip("torch")
    for reduction, weighted in product(REDUCTIONS, [False, True]):
        options = {"weight": _weights(weighted, rng), "reduction": reduction}
        theirs = _torch_options(torch, options)
        check_twins(
            lambda x, t, o=options: F.multi_margin_loss(x, t, p, margin, **o),
            lambda x, t, o=theirs: torch.nn.functional.multi_margin_loss(x, t, p, margin, **o),
            rng.normal(0, 1, shape),
            _labels(shape, rng),
        )


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_first_and_second_derivatives_are_the_numerical_ones(
    reduction: str, rng: np.random.Generator
) -> None:
    x = mg.tensor(rng.normal(0, 2, (3, 4)), requires_grad=True)
    q = mg.tensor(_distributions((3, 4), rng), requires_grad=True)
    labels, weight = mg.tensor([0, 3, 1]), _weights(True, rng)
    options = {"weight": weight, "label_smoothing": 0.2, "reduction": reduction}
    for loss, arguments in [
        (lambda x: F.cross_entropy(x, labels, ignore_index=3, **options), [x]),
        (lambda x, q: F.cross_entropy(x, q, **options), [x, q]),
        (lambda x: F.nll_loss(x**2, labels, weight, reduction=reduction), [x]),
        (lambda x: F.multi_margin_loss(x, labels, 2, 0.7, weight, reduction=reduction), [x]),
    ]:
        assert gradcheck(loss, arguments)
        assert gradgradcheck(loss, arguments)


def test_one_hot_rows_are_class_numbers(rng: np.random.Generator) -> None:
    x, labels = mg.tensor(rng.normal(size=(5, 3))), mg.tensor([0, 2, 1, 1, 0])
    rows = mg.one_hot(labels, 3, dtype=mg.float64)
    for options in ({}, {"label_smoothing": 0.2}, {"reduction": "sum"}):
        numbers = F.cross_entropy(x, labels, **options).item()
        assert F.cross_entropy(x, rows, **options).item() == pytest.approx(numbers, rel=1e-14)


def test_what_is_ignored_does_not_count(rng: np.random.Generator) -> None:
    x = mg.tensor(rng.normal(size=(4, 3)), requires_grad=True)
    for loss in (F.cross_entropy, F.nll_loss):
        short = loss(x[:2], [0, 2]).item()
        assert loss(x, [0, 2, -100, -100]).item() == pytest.approx(short, rel=1e-14)
        (slope,) = mg.grad(loss(x, [0, 2, -100, -100]), x)
        assert (slope.data[2:] == 0).all() and (slope.data[:2] != 0).any()


def test_an_ignored_item_may_be_infinitely_wrong() -> None:
    x = mg.tensor([[-np.inf, 0.0], [0.0, 0.0]], requires_grad=True)
    loss = F.cross_entropy(x, [1, 0], ignore_index=1)
    loss.backward()
    assert loss.item() == pytest.approx(np.log(2))
    np.testing.assert_allclose(x.grad.data, [[0, 0], [-0.5, 0.5]], atol=1e-7)


def test_the_plain_case_keeps_its_one_node() -> None:
    x = mg.zeros(2, 3, requires_grad=True)
    for options in ({}, {"ignore_index": 1}, {"label_smoothing": 0.0}):
        loss = F.cross_entropy(x, mg.tensor([0, 2]), **options)
        assert loss.grad_fn.parents[0] is x._node


def test_weights_do_not_change_the_dtype() -> None:
    x = mg.zeros(2, 3)
    for weight in ([1.0, 2.0, 3.0], np.ones(3), [1, 2, 3]):
        assert F.cross_entropy(x, [0, 1], weight).dtype == np.float32
        assert F.multi_margin_loss(x, [0, 1], weight=weight).dtype == np.float32


X = mg.zeros(3, 4)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (
            lambda: F.cross_entropy(X, [0, 1, 2], label_smoothing=1.5),
            ArgumentError,
            "cross_entropy: label_smoothing must lie in [0, 1], got 1.5",
        ),
        (
            lambda: F.cross_entropy(X, [0, 1, 2], weight=[1.0, 2.0]),
            ShapeError,
            "cross_entropy: weight has shape (2,), but there are 4 classes; give one weight for "
            "each class, shape (4,)",
        ),
        (
            lambda: F.cross_entropy(X, [-1, -1, -1], ignore_index=-1),
            ArgumentError,
            "cross_entropy: no item is left to take the mean of: each target is ignore_index, or "
            "its class has weight 0; skip this batch, or use reduction='sum'",
        ),
        (
            lambda: F.nll_loss(X, [0, 0, 0], [0.0, 1.0, 1.0, 1.0]),
            ArgumentError,
            "nll_loss: no item is left to take the mean of: each target is ignore_index, or its "
            "class has weight 0; skip this batch, or use reduction='sum'",
        ),
        (
            lambda: F.cross_entropy(X, X, ignore_index=0),
            ArgumentError,
            "cross_entropy: ignore_index=0 needs class numbers as target, got probabilities; "
            "leave it out",
        ),
        (
            lambda: F.cross_entropy(X, X + 3),
            ArgumentError,
            "cross_entropy: target must hold probabilities, 0 to 1, but it has 3",
        ),
        (
            lambda: F.cross_entropy(X, [0, -1, -2], ignore_index=-1),
            OutOfRangeError,
            "cross_entropy: target has class -2, but the input has 4 classes, 0 to 3; count "
            "classes from 0, or give the last layer one output per class",
        ),
        (
            lambda: F.multi_margin_loss(X, [0, 1, 2], p=3),
            ArgumentError,
            "multi_margin_loss: p must be 1 or 2, got 3",
        ),
        (
            lambda: F.multi_margin_loss(X, [0.0, 1.0, 2.0]),
            DtypeError,
            "multi_margin_loss: target holds float32, but it must hold class numbers, integers 0 "
            "to 3; convert it with target.astype(mg.int64)",
        ),
    ],
)
def test_bad_arguments(call: object, kind: type, message: str) -> None:
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value) == message
