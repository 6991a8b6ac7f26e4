"""hessian_top_eigenvalue against dense eigenvalues; sharpness; the 2 / lambda law."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.diagnostics.loss_surface.curvature import (
    NotConverged,
    hessian_top_eigenvalue,
    sharpness,
)
from minigrad.errors import ArgumentError, GraphError
from minigrad.nn import functional as F


def quadratic(eigenvalues, seed=0):
    """w and the loss w A w / 2, where A has these eigenvalues in random directions; and A."""
    rng = np.random.default_rng(seed)
    q, _ = np.linalg.qr(rng.normal(size=(len(eigenvalues), len(eigenvalues))))
    a = q @ np.diag(eigenvalues) @ q.T
    w = mg.tensor(rng.normal(size=len(eigenvalues)), requires_grad=True)
    matrix = mg.tensor(a)
    return w, (lambda: 0.5 * (w @ matrix @ w)), a


def small_network(seed, activation=nn.Tanh, dtype=mg.float64):
    g = mg.Generator(seed)
    model = nn.Sequential(
        nn.Linear(4, 6, generator=g), activation(), nn.Linear(6, 3, generator=g)
    ).to(dtype)
    x = mg.tensor(g.normal((20, 4)).astype(dtype))
    y = mg.tensor(g.integers((20,), 0, 3))
    return model, x, y


def dense_hessian(model, loss):
    """All second derivatives, by one backward for each entry of the gradient."""
    points = list(model.parameters())
    slopes = mg.grad(loss(), points, create_graph=True)
    flat = mg.concatenate([s.reshape(-1) for s in slopes])
    rows = []
    for entry in flat:
        found = mg.grad(entry, points, retain_graph=True, allow_unused=True)
        rows.append(
            np.concatenate(
                [
                    np.zeros(p.size) if f is None else f.data.ravel()
                    for f, p in zip(found, points, strict=True)
                ]
            )
        )
    return np.array(rows)


# -- the eigenvalue ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("eigenvalues", "largest"),
    [
        ([1.0, 4.0, 9.0, 10.0], 10.0),
        ([-1.0, 2.0, 5.0], 5.0),
        ([-10.0, 1.0, 3.0], 3.0),  # the largest magnitude is negative
        ([-7.0, 0.5, 7.0], 7.0),  # twins, between which plain power iteration swings for ever
        ([-3.0, -2.0, -1.0], -1.0),
        ([-3.0, -2.0, 0.0], 0.0),
        ([0.0, 0.0, 0.0], 0.0),
        ([5.0, 5.0, 1.0], 5.0),
    ],
)
def test_it_is_the_largest_not_that_of_largest_magnitude(eigenvalues, largest):
    w, loss, a = quadratic(eigenvalues)
    found = hessian_top_eigenvalue(loss, w, tol=1e-8)
    assert found.value == pytest.approx(largest, abs=1e-6)
    v = found.vector[0].data
    assert np.linalg.norm(v) == pytest.approx(1)
    np.testing.assert_allclose(a @ v, largest * v, atol=1e-6)


def test_random_symmetric_matrices():
    rng = np.random.default_rng(0)
    for n in (1, 2, 5, 30):
        a = rng.normal(size=(n, n))
        w, loss, a = quadratic(np.linalg.eigvalsh(a + a.T), seed=n)
        found = hessian_top_eigenvalue(loss, w, tol=1e-6, max_iterations=20_000)
        assert found.value == pytest.approx(np.linalg.eigvalsh(a)[-1], abs=1e-6)
        assert found.residual <= 1e-6 * max(abs(np.linalg.eigvalsh(a))) * 1.01


@pytest.mark.parametrize("seed", range(4))
def test_a_network_against_its_dense_hessian(seed):
    model, x, y = small_network(seed)

    def loss():
        return F.cross_entropy(model(x), y)

    hessian = dense_hessian(model, loss)
    np.testing.assert_allclose(hessian, hessian.T, atol=1e-12)
    expected = np.linalg.eigvalsh(hessian)[-1]
    found = hessian_top_eigenvalue(loss, model, tol=1e-6, max_iterations=20_000)
    assert found.value == pytest.approx(expected, rel=1e-6)
    assert [v.shape for v in found.vector] == [p.shape for p in model.parameters()]


@pytest.mark.parametrize("seed", range(4))
def test_float32_at_the_default_tolerance_is_well_within_the_five_percent_of_lesson_13(seed):
    model, x, y = small_network(seed)
    exact = np.linalg.eigvalsh(dense_hessian(model, lambda: F.cross_entropy(model(x), y)))
    small, x32 = small_network(seed, dtype=mg.float32)[0], x.astype(mg.float32)
    found = hessian_top_eigenvalue(lambda: F.cross_entropy(small(x32), y), small)
    assert found.value == pytest.approx(exact[-1], rel=1e-3)


@pytest.mark.torch
def test_pytorch_agrees():
    torch = pytest.importorskip("torch")
    model, x, y = small_network(7)
    found = hessian_top_eigenvalue(lambda: F.cross_entropy(model(x), y), model, tol=1e-6)
    shapes = [p.shape for p in model.parameters()]
    sizes = [p.size for p in model.parameters()]

    def loss(flat):
        w1, b1, w2, b2 = (
            part.reshape(shape)
            for part, shape in zip(torch.split(flat, sizes), shapes, strict=True)
        )
        z = torch.tanh(torch.tensor(x.data) @ w1.T + b1) @ w2.T + b2
        return torch.nn.functional.cross_entropy(z, torch.tensor(y.data))

    flat = torch.cat([torch.tensor(p.data).reshape(-1) for p in model.parameters()])
    hessian = torch.autograd.functional.hessian(loss, flat)
    assert found.value == pytest.approx(torch.linalg.eigvalsh(hessian)[-1].item(), rel=1e-6)


def test_frozen_parameters_are_constants():
    w = mg.tensor([1.0, 1.0], requires_grad=True)
    frozen = mg.tensor([1.0])
    found = hessian_top_eigenvalue(lambda: (3 * w * w).sum() * frozen.sum(), [frozen, w])
    assert found.value == pytest.approx(6)
    assert [v.shape for v in found.vector] == [(2,)]


def test_a_model_is_left_as_it_was():
    g = mg.Generator(0)
    model = nn.Sequential(
        nn.Linear(4, 6, generator=g), nn.BatchNorm1d(6), nn.Tanh(), nn.Dropout(0.5), nn.Linear(6, 3)
    )
    x, y = mg.tensor(g.normal((20, 4)).astype("f")), mg.tensor(g.integers((20,), 0, 3))
    F.cross_entropy(model(x), y).backward()
    before = {k: v.data.copy() for k, v in model.state_dict().items()}
    grads = [p.grad for p in model.parameters()]
    mg.manual_seed(3)
    hessian_top_eigenvalue(lambda: F.cross_entropy(model(x), y), model, tol=1e-2)
    drawn = mg.rand(3).data
    mg.manual_seed(3)
    np.testing.assert_array_equal(drawn, mg.rand(3).data)
    for key, value in model.state_dict().items():
        np.testing.assert_array_equal(value.data, before[key])
    assert all(p.grad is g for p, g in zip(model.parameters(), grads, strict=True))


# -- the law -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("factor", "converges"), [(1.9, True), (2.1, False)])
def test_gradient_descent_converges_below_two_over_lambda_and_diverges_above(factor, converges):
    w, loss, _ = quadratic([0.5, 1.0, 3.0, 20.0])
    top = hessian_top_eigenvalue(loss, w, tol=1e-8)
    assert top.largest_lr == pytest.approx(0.1, rel=1e-6)
    optimizer = mg.optim.SGD([w], lr=factor / top.value)
    first = loss().item()
    for _ in range(200):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    assert (loss().item() < 1e-4 * first) if converges else (loss().item() > 1e4 * first)


def test_a_flat_loss_sets_no_limit():
    w = mg.tensor([1.0], requires_grad=True)
    assert hessian_top_eigenvalue(lambda: 3 * w.sum(), w).largest_lr == math.inf


# -- over time -----------------------------------------------------------------------------------


def test_sharpness_of_a_quartic_falls_on_the_way_to_its_minimum():
    w = mg.tensor([2.0], requires_grad=True, dtype=mg.float64)  # w^4 has the curvature 12 w^2
    optimizer = mg.optim.SGD([w], lr=0.01)
    places = []
    with sharpness(lambda: (w**4).sum(), optimizer, every=3, tol=1e-8) as found:
        for _ in range(7):
            places.append(w.item())
            optimizer.zero_grad()
            (w**4).sum().backward()
            optimizer.step()
    assert found.steps == [0, 3, 6]
    np.testing.assert_allclose(found.values, [12 * places[k] ** 2 for k in found.steps], rtol=1e-7)
    assert found.limits == [200.0] * 3
    optimizer.step()
    assert found.steps == [0, 3, 6]  # the hook is gone


def test_training_goes_as_if_nobody_had_measured():
    ends = []
    for measured in (False, True):
        model, x, y = small_network(0)
        optimizer = mg.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

        def loss(model=model, x=x, y=y):
            return F.cross_entropy(model(x), y)

        context = sharpness(loss, optimizer, every=2, parameters=model)
        with context if measured else mg.enable_grad():
            for _ in range(5):
                optimizer.zero_grad()
                loss().backward()
                optimizer.step()
        ends.append([p.data.copy() for p in model.parameters()])
    for a, b in zip(*ends, strict=True):
        np.testing.assert_array_equal(a, b)


def test_sharpness_notes_a_nan_where_training_broke_and_lets_it_go_on():
    w = mg.tensor([1.0], requires_grad=True)
    optimizer = mg.optim.SGD([w], lr=0.1)
    with sharpness(lambda: (w * math.nan).sum(), optimizer) as found:
        w.grad = mg.ones(1)
        optimizer.step()
    assert math.isnan(found.values[0])


# -- odd input -----------------------------------------------------------------------------------


def test_odd_input_is_refused_with_the_cure():
    w = mg.tensor([1.0], requires_grad=True)
    with pytest.raises(ArgumentError, match="no parameters that require a gradient"):
        hessian_top_eigenvalue(lambda: w.sum(), [mg.ones(1)])
    with pytest.raises(ArgumentError, match="no parameters"):
        hessian_top_eigenvalue(lambda: w.sum(), nn.Tanh())
    with pytest.raises(ArgumentError, match="function without arguments, got Tanh"):
        hessian_top_eigenvalue(nn.Tanh(), w)
    with pytest.raises(ArgumentError, match="function without arguments, got Tensor"):
        hessian_top_eigenvalue(w.sum(), w)
    for tol in (0, "a", None, math.nan, True):
        with pytest.raises(ArgumentError, match="tol must be a number above 0"):
            hessian_top_eigenvalue(lambda: w.sum(), w, tol=tol)
    for parameters in (None, [5], "ab", {"w": w}, mg.optim.SGD([w], lr=1)):
        with pytest.raises(ArgumentError, match="parameters must be a model or its Tensors"):
            hessian_top_eigenvalue(lambda: w.sum(), parameters)
    with pytest.raises(ArgumentError, match="generator must be a Generator, got 5"):
        hessian_top_eigenvalue(lambda: w.sum(), w, generator=5)
    with pytest.raises(ArgumentError, match="max_iterations must be a whole number"):
        hessian_top_eigenvalue(lambda: w.sum(), w, max_iterations=0)
    with pytest.raises(GraphError, match=r"one number, got shape \(2,\)"):
        hessian_top_eigenvalue(lambda: mg.ones(2), w)
    with pytest.raises(GraphError, match="one number, got float"):
        hessian_top_eigenvalue(lambda: 1.0, w)
    with pytest.raises(GraphError, match="depends on none of the parameters"):
        hessian_top_eigenvalue(lambda: mg.ones(1), w)
    with pytest.raises(NotConverged, match="the loss is nan"):
        hessian_top_eigenvalue(lambda: (w * math.nan).sum(), w)
    twice = sharpness(lambda: w.sum(), mg.optim.SGD([w], lr=1))
    with twice, pytest.raises(GraphError, match="already in use"):
        twice.__enter__()


def test_sharpness_refuses_at_once_what_it_could_not_measure():
    w = mg.tensor([1.0], requires_grad=True)
    optimizer = mg.optim.SGD([w], lr=1)
    for arguments, message in (
        ((None, optimizer), "sharpness: loss must be a function without arguments, got NoneType"),
        ((optimizer, w.sum), "sharpness: loss must be a function without arguments, got SGD"),
        ((w.sum, None), "sharpness: optimizer must be the one whose steps to count"),
        ((w.sum, mg.optim.SGD), "sharpness: optimizer must be the one whose steps to count"),
    ):
        with pytest.raises(ArgumentError, match=message):
            sharpness(*arguments)
    for settings, message in (
        ({"tol": -1}, "sharpness: tol must be a number above 0"),
        ({"max_iterations": "a"}, "sharpness: max_iterations must be a whole number"),
        ({"parameters": "ab"}, "sharpness: parameters must be a model or its Tensors"),
    ):
        with pytest.raises(ArgumentError, match=message):
            sharpness(w.sum, optimizer, **settings)


def test_a_parameter_that_stands_twice_counts_once():
    w, loss, _ = quadratic([1.0, 3.0])
    assert hessian_top_eigenvalue(loss, [w, w]).value == pytest.approx(3.0, rel=1e-6)


def test_what_was_found_is_shown_in_a_line():
    w = mg.tensor([1.0, 1.0], requires_grad=True)

    def bowl():
        return 2 * w[0] ** 2 + 5 * w[1] ** 2

    shown = repr(hessian_top_eigenvalue(bowl, w))
    assert shown.startswith("<TopEigenvalue: 10, give or take ")
    assert shown.endswith("products with the Hessian; vector of 2 numbers>")
    optimizer = mg.optim.SGD([w], lr=0.1)
    with sharpness(bowl, optimizer) as found:
        assert repr(found) == "<sharpness: nothing measured yet; every 1 steps>"
        for _ in range(2):
            optimizer.zero_grad()
            bowl().backward()
            optimizer.step()
    assert repr(found) == ("<sharpness: 2 measured, steps 0 to 1; the last 10, where 2 / lr is 20>")


def test_one_that_does_not_settle_says_how_far_it_came():
    w, loss, _ = quadratic([9.999, 10.0])
    with pytest.raises(NotConverged, match="after 3 products") as caught:
        hessian_top_eigenvalue(loss, w, tol=1e-9, max_iterations=3)
    assert caught.value.value == pytest.approx(10, abs=0.01)
    assert caught.value.residual > 0
