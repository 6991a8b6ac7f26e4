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


@pytest.mark.torch
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("size", [0.3, 1.0, 2.5])
def test_bounded_distances_agree_with_pytorch(
    size: float, reduction: str, rng: np.random.Generator
) -> None:
    torch = pytest.importorskip("torch")
    theirs = torch.nn.functional
    x, y = rng.normal(0, 2, (6, 4)), rng.normal(0, 2, (6, 4))
    x[0] = y[0]  # no distance at all
    x[1], y[1] = size, 0.0  # where the parabola ends
    check_twins(
        lambda x, y: F.huber_loss(x, y, reduction, size),
        lambda x, y: theirs.huber_loss(x, y, reduction, size),
        x,
        y,
    )
    check_twins(
        lambda x, y: F.smooth_l1_loss(x, y, reduction=reduction, beta=size),
        lambda x, y: theirs.smooth_l1_loss(x, y, reduction=reduction, beta=size),
        x,
        y,
    )


@pytest.mark.torch
@pytest.mark.parametrize("margin", [1.0, 0.3])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_hinge_embedding_agrees_with_pytorch(
    reduction: str, margin: float, rng: np.random.Generator
) -> None:
    torch = pytest.importorskip("torch")
    x, signs = rng.normal(size=(6, 4)), rng.choice([-1, 1], (6, 4))
    x[0], signs[0] = margin, -1  # at the kink
    check_twins(
        lambda x, t: F.hinge_embedding_loss(x, t, margin, reduction=reduction),
        lambda x, t: torch.nn.functional.hinge_embedding_loss(x, t, margin, reduction=reduction),
        x,
        signs,
    )


def test_smooth_l1_of_beta_0_is_l1(rng: np.random.Generator) -> None:
    x = mg.tensor(np.array([-2.0, 0.0, 3.0]), requires_grad=True)
    smooth = F.smooth_l1_loss(x, np.zeros(3), beta=0.0)
    assert smooth.item() == F.l1_loss(x, np.zeros(3)).item()
    assert mg.grad(smooth, x)[0].tolist() == [-1 / 3, 0, 1 / 3]


@pytest.mark.parametrize("loss", [F.huber_loss, F.smooth_l1_loss, F.mse_loss])
def test_distances_are_differentiated_right_twice(loss: object) -> None:
    x = mg.tensor(np.array([-3.0, -0.4, 0.0, 0.2, 2.0]), requires_grad=True)
    y = mg.tensor(np.zeros(5), requires_grad=True)
    assert gradcheck(loss, (x, y))
    assert gradgradcheck(loss, (x, y))


def test_a_huge_distance_does_not_overflow() -> None:
    # Its square would.
    x = mg.tensor([1e30], requires_grad=True)
    loss = F.huber_loss(x, mg.zeros(1), delta=2.0)
    loss.backward()
    assert loss.item() == pytest.approx(2e30) and x.grad.item() == 2


@pytest.mark.parametrize(
    "loss", [lambda x, y: F.huber_loss(x, y, delta=0.1), F.huber_loss, F.smooth_l1_loss]
)
def test_a_distance_that_overflows_has_its_slope_still(loss: object) -> None:
    x = mg.tensor([3e38, -3e38], requires_grad=True)
    with np.errstate(over="ignore"):
        out = loss(x, -x.detach())
        slope = mg.grad(out, x)[0]
    delta = 0.1 if "lambda" in loss.__name__ else 1.0
    assert out.item() == np.inf
    np.testing.assert_allclose(slope.data, [delta / 2, -delta / 2], rtol=1e-6)


def test_penalties(rng: np.random.Generator) -> None:
    a, b = (mg.tensor(rng.normal(size=s), requires_grad=True) for s in [(3, 2), ()])
    flat = np.append(a.data.ravel(), b.data)
    for penalty, value, slope in (
        (F.l1_penalty, abs(flat).sum(), np.sign),
        (F.l2_penalty, (flat**2).sum(), lambda p: 2 * p),
    ):
        out = penalty(p for p in (a, b))
        assert out.item() == pytest.approx(value, rel=1e-14)
        for p, g in zip((a, b), mg.grad(out, [a, b]), strict=True):
            np.testing.assert_allclose(g.data, slope(p.data))
        assert penalty(a).item() == pytest.approx(penalty([a]).item())


def test_half_the_l2_penalty_is_weight_decay() -> None:
    def step(decay: float, penalty: float) -> np.ndarray:
        net = mg.nn.Linear(3, 2, generator=mg.Generator(0))
        optimizer = mg.optim.SGD(net.parameters(), lr=0.1, weight_decay=decay)
        loss = net(mg.ones(4, 3)).sum() + penalty / 2 * F.l2_penalty(net.parameters())
        loss.backward()
        optimizer.step()
        return net.weight.data.copy()

    np.testing.assert_allclose(step(0.3, 0.0), step(0.0, 0.3), rtol=1e-6)
    assert abs(step(0.3, 0.0) - step(0.0, 0.0)).max() > 1e-3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: F.l2_penalty([]),
            "l2_penalty: no parameters. A generator is used up after one pass: call "
            "model.parameters() anew, or keep list(model.parameters())",
        ),
        (
            lambda: F.hinge_embedding_loss(mg.ones(2), [0, 1]),
            "hinge_embedding_loss: targets must be 1 (alike) or -1 (not alike); from labels 0 and "
            "1 make them with 2 * target - 1",
        ),
        (
            lambda: F.huber_loss(mg.ones(2), mg.ones(2), delta=-1),
            "huber_loss: delta must be above 0, got -1",
        ),
    ],
)
def test_bad_arguments(call: object, message: str) -> None:
    with pytest.raises(mg.errors.ArgumentError) as caught:
        call()
    assert str(caught.value) == message


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
