"""Losses between probabilities, against PyTorch's, at certainty, and their errors."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from nn.twin import check_twins

import minigrad as mg
from minigrad.errors import ArgumentError, ShapeError
from minigrad.gradcheck import gradcheck, gradgradcheck
from minigrad.nn import functional as F

REDUCTIONS = ["mean", "sum", "none"]
SHAPES = [(5, 3), (), (4,), (2, 3, 2)]


@pytest.mark.torch
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_binary_cross_entropies(shape: tuple, reduction: str, rng: np.random.Generator) -> None:
    torch = pytest.importorskip("torch")
    theirs = torch.nn.functional
    t = np.asarray(rng.uniform(0, 1, shape))
    x, p = np.asarray(rng.normal(0, 3, shape)), np.asarray(rng.uniform(0.01, 0.99, shape))
    some = np.asarray(rng.uniform(0.5, 2, shape[-1:]))
    for weight, pos_weight in product([None, some], [None, some]):
        v, w = (None if a is None else torch.tensor(a) for a in (weight, pos_weight))
        check_twins(
            lambda x, t, a=weight, b=pos_weight: F.binary_cross_entropy_with_logits(
                x, t, a, reduction=reduction, pos_weight=b
            ),
            lambda x, t, a=v, b=w: theirs.binary_cross_entropy_with_logits(
                x, t, a, reduction=reduction, pos_weight=b
            ),
            x,
            t,
        )
        check_twins(
            lambda p, t, a=weight: F.binary_cross_entropy(p, t, a, reduction=reduction),
            lambda p, t, a=v: theirs.binary_cross_entropy(p, t, a, reduction=reduction),
            p,
            t,
        )


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")  # theirs
@pytest.mark.parametrize("log_target", [False, True])
@pytest.mark.parametrize("reduction", [*REDUCTIONS, "batchmean"])
@pytest.mark.parametrize("shape", [(5, 3), (4,), (2, 3, 2)], ids=str)
def test_kl_div(shape: tuple, reduction: str, log_target: bool, rng: np.random.Generator) -> None:
    torch = pytest.importorskip("torch")
    q = np.asarray(rng.uniform(0.01, 0.99, shape))
    check_twins(
        lambda x, t: F.kl_div(x, t, reduction=reduction, log_target=log_target),
        lambda x, t: torch.nn.functional.kl_div(x, t, reduction=reduction, log_target=log_target),
        np.asarray(rng.normal(0, 2, shape)),
        np.log(q) if log_target else q,
    )


def test_first_and_second_derivatives_are_the_numerical_ones(rng: np.random.Generator) -> None:
    p, t = (mg.tensor(rng.uniform(0.1, 0.9, (2, 3)), requires_grad=True) for _ in range(2))
    weight = rng.uniform(0.5, 2, 3)
    for loss in (
        lambda p, t: F.binary_cross_entropy(p, t, weight),
        lambda x, t: F.binary_cross_entropy_with_logits(x, t, weight, pos_weight=weight),
        lambda x, t: F.kl_div(x, t, reduction="batchmean"),
        lambda x, t: F.kl_div(x, t, reduction="sum", log_target=True),
    ):
        assert gradcheck(loss, [p, t])
        assert gradgradcheck(loss, [p, t])


@pytest.mark.parametrize("dtype", [mg.float32, mg.float64])
def test_scores_far_out(dtype: type) -> None:
    # Wrong by z costs z, with slope -1 or 1; right by z costs exp(-z), with that slope.
    x = mg.tensor([-1e4, 1e4, -1e4, 1e4, -40.0, 40.0], dtype=dtype, requires_grad=True)
    t = mg.tensor([1.0, 0.0, 0.0, 1.0, 0.0, 1.0], dtype=dtype)
    loss = F.binary_cross_entropy_with_logits(x, t, reduction="none")
    loss.sum().backward()
    e = np.exp(-40.0)
    np.testing.assert_allclose(loss.data, [1e4, 1e4, 0, 0, e, e], rtol=1e-6)
    np.testing.assert_allclose(x.grad.data, [-1, 1, 0, 0, e, -e], rtol=1e-6)


@pytest.mark.torch
def test_certain_probabilities_are_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    p = np.array([0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1e-60, 1e-20, 1e-20, 1 - 1e-16])
    t = np.array([0.0, 1.0, 0.0, 1.0, 0.5, 0.5, 1.0, 1.0, 0.0, 0.0])
    ours, theirs = mg.tensor(p, requires_grad=True), torch.tensor(p, requires_grad=True)
    loss = F.binary_cross_entropy(ours, t, reduction="none")
    other = torch.nn.functional.binary_cross_entropy(theirs, torch.tensor(t), reduction="none")
    np.testing.assert_allclose(loss.data, other.detach(), rtol=1e-12, atol=1e-300)
    loss.sum().backward()
    other.sum().backward()
    # Their 1e-12 is one of float32.
    np.testing.assert_allclose(ours.grad.data, theirs.grad, rtol=1e-8, atol=1e-300)
    np.testing.assert_allclose(ours.grad.data, (p - t) / 1e-12, rtol=1e-14, atol=1e-300)


def test_what_never_happens_adds_nothing_to_the_divergence() -> None:
    # KL([1, 0] || [1/2, 1/2]) = log 2; also where the model rules it out, too.
    for x in ([np.log(0.5), np.log(0.5)], [np.log(0.5), -np.inf]):
        x = mg.tensor(x, requires_grad=True)
        loss = F.kl_div(x, mg.tensor([1.0, 0.0]), reduction="sum")
        loss.backward()
        assert loss.item() == pytest.approx(np.log(2))
        np.testing.assert_array_equal(x.grad.data, [-1, 0])


def test_answers_may_be_integers_or_bools() -> None:
    x = mg.tensor([0.25, 0.75])
    for answers in ([0, 1], np.array([False, True]), mg.tensor([0, 1])):
        for loss in (F.binary_cross_entropy, F.binary_cross_entropy_with_logits):
            out = loss(x, answers)
            assert out.dtype == np.float32
            assert out.item() == loss(x, mg.tensor([0.0, 1.0])).item()


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (
            lambda: F.binary_cross_entropy(mg.tensor([0.5, 1.5]), mg.ones(2)),
            ArgumentError,
            "binary_cross_entropy: input must hold probabilities, 0 to 1, but it has 1.5; put a "
            "sigmoid before it, or use binary_cross_entropy_with_logits",
        ),
        (
            lambda: F.binary_cross_entropy(mg.tensor([0.5, np.nan]), mg.ones(2)),
            ArgumentError,
            "binary_cross_entropy: input must hold probabilities, 0 to 1, but it has nan; put a "
            "sigmoid before it, or use binary_cross_entropy_with_logits",
        ),
        (
            lambda: F.binary_cross_entropy_with_logits(mg.ones(2), [1, -1]),
            ArgumentError,
            "binary_cross_entropy_with_logits: target must hold probabilities, 0 to 1, but it "
            "has -1",
        ),
        (
            lambda: F.binary_cross_entropy_with_logits(mg.ones(2, 1), mg.ones(2)),
            ShapeError,
            "binary_cross_entropy_with_logits: input has shape (2, 1), target (2,); they must be "
            "equal. Reshape one, e.g. target.reshape(2, 1)",
        ),
        (
            lambda: F.binary_cross_entropy_with_logits(
                mg.ones(2), mg.ones(2), pos_weight=mg.ones(2, 2)
            ),
            ShapeError,
            "binary_cross_entropy_with_logits: pos_weight of shape (2, 2) does not broadcast to "
            "the input's shape (2,)",
        ),
        (
            lambda: F.binary_cross_entropy(mg.ones(2), mg.ones(2), mg.ones(3)),
            ShapeError,
            "binary_cross_entropy: weight of shape (3,) does not broadcast to the input's shape "
            "(2,)",
        ),
        (
            lambda: F.kl_div(mg.zeros(2), mg.tensor([-0.7, -0.7])),
            ArgumentError,
            "kl_div: target must hold probabilities, 0 to 1, but it has -0.7; for logarithms say "
            "log_target=True",
        ),
        (
            lambda: F.kl_div(mg.zeros(2), mg.ones(2), reduction="average"),
            ArgumentError,
            "kl_div: unknown reduction 'average'; valid: mean, sum, none, batchmean",
        ),
        (
            lambda: F.kl_div(mg.zeros(0, 2), mg.zeros(0, 2), reduction="batchmean"),
            ShapeError,
            "kl_div: an empty batch has no mean; skip it, or use reduction='sum'",
        ),
    ],
)
def test_bad_arguments(call: object, kind: type, message: str) -> None:
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value) == message
