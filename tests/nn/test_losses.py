"""Losses against PyTorch's, against what makes them up, and where numbers are extreme."""

from __future__ import annotations

import numpy as np
import pytest
from nn.twin import check_twins

import minigrad as mg
from minigrad.gradcheck import gradcheck, gradgradcheck
from minigrad.nn import functional as F

REDUCTIONS = ["mean", "sum", "none"]
CLASS_SHAPES = [(5, 4), (4,), (1, 4), (3, 4, 2), (2, 4, 3, 2), (6, 1)]


def _labels(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    axis = min(1, len(shape) - 1)
    return rng.integers(0, shape[axis], np.delete(shape, axis))


@pytest.mark.torch
@pytest.mark.parametrize("name", ["cross_entropy", "nll_loss"])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", CLASS_SHAPES, ids=str)
def test_class_losses_agree_with_pytorch(
    name: str, reduction: str, shape: tuple, rng: np.random.Generator
) -> None:
    torch = pytest.importorskip("torch")
    x, labels = rng.normal(0, 3, shape), np.asarray(_labels(shape, rng))
    ours, theirs = getattr(F, name), getattr(torch.nn.functional, name)
    check_twins(
        lambda x, t: ours(x, t, reduction=reduction),
        lambda x, t: theirs(x, t, reduction=reduction),
        x,
        labels,
    )


@pytest.mark.torch
@pytest.mark.parametrize("name", ["mse_loss", "l1_loss"])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", [(5, 4), (), (3, 1)], ids=str)
def test_distances_agree_with_pytorch(
    name: str, reduction: str, shape: tuple, rng: np.random.Generator
) -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = getattr(F, name), getattr(torch.nn.functional, name)
    check_twins(
        lambda x, t: ours(x, t, reduction=reduction),
        lambda x, t: theirs(x, t, reduction=reduction),
        np.asarray(rng.normal(size=shape)),
        np.asarray(rng.normal(size=shape)),
    )


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_cross_entropy_equals_what_it_fuses(reduction: str, rng: np.random.Generator) -> None:
    x = mg.tensor(rng.normal(0, 3, (5, 4)), requires_grad=True)
    labels = mg.tensor(rng.integers(0, 4, 5))
    fused = F.cross_entropy(x, labels, reduction=reduction)
    plain = F.nll_loss(F.log_softmax(x, 1), labels, reduction=reduction)
    for order in range(3):  # the value, and the first and second derivatives
        np.testing.assert_allclose(fused.data, plain.data, rtol=1e-12, atol=1e-13)
        if order < 2:
            (fused,) = mg.grad((fused**2).sum(), x, create_graph=True)
            (plain,) = mg.grad((plain**2).sum(), x, create_graph=True)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_cross_entropy_is_differentiated_right_twice(
    reduction: str, rng: np.random.Generator
) -> None:
    x = mg.tensor(rng.normal(0, 2, (3, 4)), requires_grad=True)
    labels = mg.tensor(np.array([0, 3, 1]))

    def loss(x: mg.Tensor) -> mg.Tensor:
        return F.cross_entropy(x, labels, reduction=reduction)

    assert gradcheck(loss, (x,))
    assert gradgradcheck(loss, (x,))


def test_cross_entropy_is_one_node() -> None:
    x = mg.zeros(2, 3, requires_grad=True)
    loss = F.cross_entropy(x, mg.tensor([0, 1]))
    assert loss.grad_fn.parents[0] is x.requires_grad_()._node


@pytest.mark.parametrize(
    ("logits", "label", "loss", "slopes"),
    [
        ([1e4, 0.0, 0.0], 0, 0.0, [0.0, 0.0, 0.0]),
        ([1e4, 0.0, 0.0], 1, 1e4, [1.0, -1.0, 0.0]),
        ([1e30, -1e30], 1, 2e30, [1.0, -1.0]),
        ([-1e4, -1e4], 0, np.log(2), [-0.5, 0.5]),
        ([0.0, -np.inf], 0, 0.0, [0.0, 0.0]),  # a class that was masked out
        ([0.0, -np.inf], 1, np.inf, [1.0, -1.0]),
        ([30.0, 0.0], 0, 9.357622968839299e-14, [-9.36e-14, 9.36e-14]),
    ],
)
def test_cross_entropy_of_extreme_logits(
    logits: list[float], label: int, loss: float, slopes: list[float]
) -> None:
    x = mg.tensor([logits], dtype=mg.float64, requires_grad=True)
    out = F.cross_entropy(x, mg.tensor([label]))
    out.backward()
    np.testing.assert_allclose(out.item(), loss, rtol=1e-2 if 0 < loss < 1e-9 else 1e-12)
    np.testing.assert_allclose(x.grad.data, [slopes], rtol=2e-3, atol=1e-300)


def test_softmaxes_of_extreme_numbers() -> None:
    x = mg.tensor([[1e4, 0.0, -1e4], [-np.inf, 0.0, 0.0]])
    np.testing.assert_array_equal(F.softmax(x, 1).data, [[1, 0, 0], [0, 0.5, 0.5]])
    np.testing.assert_allclose(
        F.log_softmax(x, 1).data, [[0, -1e4, -2e4], [-np.inf, -np.log(2), -np.log(2)]], rtol=1e-6
    )


def test_a_target_changed_after_the_loss_is_noticed() -> None:
    labels = mg.tensor([0, 1])
    loss = F.cross_entropy(mg.zeros(2, 3, requires_grad=True), labels)
    labels += 1
    with pytest.raises(mg.errors.GraphError, match=r"'cross_entropy'.*changed in place"):
        loss.backward()


def test_losses_take_arrays_and_lists_as_targets() -> None:
    x = mg.tensor([[2.0, 1.0], [0.0, 3.0]])
    expected = F.cross_entropy(x, mg.tensor([0, 1])).item()
    assert F.cross_entropy(x, [0, 1]).item() == expected
    assert F.cross_entropy(x, np.array([0, 1], dtype=np.uint8)).item() == expected
    assert F.mse_loss(x, np.zeros((2, 2), np.float32)).item() == 3.5


def test_cross_entropy_of_nothing() -> None:
    assert F.cross_entropy(mg.zeros(0, 3), mg.zeros(0, dtype=mg.int64), reduction="sum").item() == 0
    with pytest.raises(mg.errors.ShapeError, match="an empty batch has no mean"):
        F.cross_entropy(mg.zeros(0, 3), mg.zeros(0, dtype=mg.int64))
