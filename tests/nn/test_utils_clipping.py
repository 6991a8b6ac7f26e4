"""Clipping: PyTorch's numbers, the papers' formulas, and norms that do not overflow."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest
from nn.grads import flat, parameters

import minigrad as mg
from minigrad.errors import ArgumentError, DtypeError, GraphError
from minigrad.nn import utils


def torch_twins(ps: list) -> list:
    import torch

    twins = [torch.tensor(p.data, requires_grad=True) for p in ps]
    for p, q in zip(ps, twins, strict=True):
        q.grad = None if p.grad is None else torch.tensor(p.grad.data)
    return twins


def check_equal(ps: list, twins: list, rtol: float = 1e-12) -> None:
    for p, q in zip(ps, twins, strict=True):
        assert (p.grad is None) == (q.grad is None)
        if p.grad is not None:
            assert p.grad.dtype == q.grad.numpy().dtype
            np.testing.assert_allclose(p.grad.data, q.grad.numpy(), rtol=rtol)


NORMS = [2.0, 1.0, 3.0, 0.5, 2, float("inf"), "inf"]


@pytest.mark.torch
@pytest.mark.parametrize("norm_type", NORMS)
@pytest.mark.parametrize("scale", [1e-6, 0.1, 1.0, 1e6])
def test_clip_grad_norm_is_pytorchs(norm_type: object, scale: float, rng: np.random.Generator):
    torch = pytest.importorskip("torch")
    ps = [p for p in parameters(rng, scale) if p.size]  # PyTorch has no inf norm of nothing
    twins = torch_twins(ps)
    total = utils.clip_grad_norm_(iter(ps), 1.5, norm_type)
    wanted = torch.nn.utils.clip_grad_norm_(twins, 1.5, norm_type)
    np.testing.assert_allclose(total.item(), wanted.item(), rtol=1e-12)
    assert total.shape == () and total.dtype == np.float64 and not total.requires_grad
    check_equal(ps, twins)


@pytest.mark.torch
def test_the_two_halves_of_clip_grad_norm_are_pytorchs(rng: np.random.Generator):
    torch = pytest.importorskip("torch")
    ps = [p for p in parameters(rng) if p.size]
    twins = torch_twins(ps)
    grads = [p.grad for p in ps if p.grad is not None]
    total = utils.get_total_norm(grads, 3.0)
    wanted = torch.nn.utils.get_total_norm([q.grad for q in twins if q.grad is not None], 3.0)
    np.testing.assert_allclose(total.item(), wanted.item(), rtol=1e-12)
    utils.clip_grads_with_norm_(ps, 0.25, total)
    torch.nn.utils.clip_grads_with_norm_(twins, 0.25, wanted)
    check_equal(ps, twins)
    assert utils.get_total_norm([]).item() == torch.nn.utils.get_total_norm([]).item() == 0


@pytest.mark.torch
def test_clip_grad_value_is_pytorchs(rng: np.random.Generator):
    torch = pytest.importorskip("torch")
    ps = parameters(rng, 10.0, np.float32)
    ps[0].grad.data[0] = [np.inf, -np.inf, np.nan]
    twins = torch_twins(ps)
    utils.clip_grad_value_(ps, 0.5)
    torch.nn.utils.clip_grad_value_(twins, 0.5)
    check_equal(ps, twins)


@pytest.mark.torch
@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_what_is_not_finite_goes_where_pytorch_lets_it_go(bad: float, rng: np.random.Generator):
    torch = pytest.importorskip("torch")
    ps = parameters(rng)
    ps[0].grad.data[1, 2] = bad
    twins = torch_twins(ps)
    total = utils.clip_grad_norm_(ps, 1.0)
    torch.nn.utils.clip_grad_norm_(twins, 1.0)
    assert not np.isfinite(total.item())
    check_equal(ps, twins)
    assert np.isnan(ps[0].grad.data[1, 2])


def test_an_infinite_norm_can_be_an_error_and_then_nothing_changes(rng: np.random.Generator):
    ps = parameters(rng)
    ps[1].grad.data[2] = np.inf
    before = flat(ps)
    with pytest.raises(GraphError, match=r"norm is inf, .* tensor 1, of shape \(4,\), is the"):
        utils.clip_grad_norm_(ps, 1.0, error_if_nonfinite=True)
    np.testing.assert_array_equal(flat(ps), before)
    with pytest.raises(GraphError, match="get_total_norm: the total norm is inf"):
        utils.get_total_norm([p.grad for p in ps if p.grad is not None], 1.0, True)


@pytest.mark.parametrize("p", [2.0, 1.0, 3.0, float("inf")])
@pytest.mark.parametrize(("size", "dtype"), [
    (1e30, np.float32), (1e-30, np.float32), (1e-44, np.float32), (3e38, np.float32),
    (1e300, np.float64), (1e-300, np.float64), (6e4, np.float16),
])  # fmt: skip
def test_norms_neither_overflow_nor_underflow(p: float, size: float, dtype: type):
    w = mg.tensor(np.full((3, 3), size, dtype), requires_grad=True)
    w.grad = mg.tensor(np.full((3, 3), size, dtype))
    value = float(w.data[0, 0])
    total = utils.clip_grad_norm_([w], 1e-3, p)
    factor = 1.0 if p == float("inf") else 9 ** (1 / p)
    expected = value * factor
    with np.errstate(over="ignore"):  # nine times 3e38 is more than float32 has room for
        np.testing.assert_allclose(total.item(), dtype(expected), rtol=1e-6)
    clipped = value * min(1, 1e-3 / (expected + 1e-6))
    np.testing.assert_allclose(w.grad.data, clipped, rtol=2e-3 if dtype is np.float16 else 2e-6)


def test_sums_are_taken_in_float64(rng: np.random.Generator):
    x = rng.normal(size=100_000).astype(np.float32)
    for p in (1, 2, 3):
        wanted = (np.abs(x.astype(np.float64)) ** p).sum() ** (1 / p)
        assert utils.get_total_norm(mg.tensor(x), p).item() == np.float32(wanted)


def test_gradients_of_zero_stay_zero(rng: np.random.Generator):
    for transform in (
        lambda ps: utils.clip_grad_norm_(ps, 1.0),
        lambda ps: utils.clip_grad_norm_(ps, 0.0),
        lambda ps: utils.clip_grad_value_(ps, 1.0),
        lambda ps: utils.adaptive_clip_grad_(ps),
        lambda ps: utils.clip_grad_percentile_(ps, 10, []),
    ):
        ps = parameters(rng, scale=0.0)
        transform(ps)
        assert not flat(ps).any()


def test_clipping_keeps_the_direction_and_reaches_the_threshold(rng: np.random.Generator):
    # Pascanu et al. 2013, algorithm 1; the article's sign(g) c has norm c sqrt(n) instead.
    ps = parameters(rng)
    before = flat(ps)
    utils.clip_grad_norm_(ps, 0.01)
    after = flat(ps)
    assert np.linalg.norm(after) == pytest.approx(0.01, rel=1e-5)
    assert after @ before / np.linalg.norm(after) / np.linalg.norm(before) == pytest.approx(1)


def _adaptive_by_hand(w: np.ndarray, g: np.ndarray, factor: float, eps: float) -> np.ndarray:
    """Equation 3, row by row."""
    rows = range(len(w)) if w.ndim > 1 else [...]
    out = g.copy()
    for i in rows:
        limit = factor * max(np.sqrt((w[i] ** 2).sum()), eps)
        norm = np.sqrt((g[i] ** 2).sum())
        if norm > limit:
            out[i] = g[i] * limit / norm
    return out


@pytest.mark.parametrize("factor", [0.01, 1.0, 3.0])
def test_adaptive_clipping_is_equation_3(factor: float, rng: np.random.Generator):
    ps = parameters(rng)
    ps[0].data[1] = 0  # a unit whose weights are all zero can still learn: eps
    ps = [p for p in ps if p.grad is not None and p.size]
    wanted = [_adaptive_by_hand(p.data, p.grad.data, factor, 1e-3) for p in ps]
    utils.adaptive_clip_grad_(ps, factor)
    for p, expected in zip(ps, wanted, strict=True):
        np.testing.assert_allclose(p.grad.data, expected, rtol=1e-12)
    assert ps[0].grad.data[1].any()


def test_percentile_of_the_history(rng: np.random.Generator):
    history: list[float] = []
    norms = rng.lognormal(size=30)
    w = mg.ones(2, dtype=mg.float64, requires_grad=True)
    for k, norm in enumerate(norms):
        w.grad = mg.tensor(norm * np.array([0.6, 0.8]))
        assert utils.clip_grad_percentile_([w], 25, history).item() == pytest.approx(norm)
        threshold = np.percentile(norms[: k + 1], 25)
        after = np.linalg.norm(w.grad.data)
        assert after == pytest.approx(min(norm, threshold), rel=1e-5)
    np.testing.assert_allclose(history, norms)


def test_percentile_forgets_and_never_learns_infinity():
    history = deque([5.0, 7.0], maxlen=2)
    w = mg.ones(1, requires_grad=True)
    w.grad = mg.tensor([1.0])
    utils.clip_grad_percentile_([w], 100, history)
    assert list(history) == [7.0, 1.0]
    w.grad = mg.tensor([np.inf])
    assert utils.clip_grad_percentile_([w], 100, history).item() == np.inf
    w.grad = None
    assert utils.clip_grad_percentile_([w], 100, history).item() == 0
    assert list(history) == [7.0, 1.0]


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: utils.clip_grad_norm_([], 1.0), ArgumentError, "no parameters. A generator is used"),
    (lambda: utils.clip_grad_norm_(mg.nn.Linear(1, 1), 1.0), DtypeError,
     r"got Linear; pass model\.parameters"),
    (lambda: utils.clip_grad_norm_([{"params": []}], 1.0), DtypeError,
     r'got dict; pass group\["params"\]'),
    (lambda: utils.clip_grad_norm_(mg.ones(1), -1.0), ArgumentError,
     "clip_grad_norm_: max_norm must not be negative, got -1.0"),
    (lambda: utils.clip_grad_norm_(mg.ones(1), float("nan")), ArgumentError, "got nan"),
    (lambda: utils.clip_grad_norm_(mg.ones(1), 1.0, 0), ArgumentError,
     "norm_type must be positive, got 0"),
    (lambda: utils.clip_grads_with_norm_(mg.ones(1), -1.0, 1.0), ArgumentError, "max_norm"),
    (lambda: utils.clip_grad_value_(mg.ones(1), -1.0), ArgumentError, "clip_value must not"),
    (lambda: utils.adaptive_clip_grad_(mg.ones(1), 0.0), ArgumentError, "clip_factor must be"),
    (lambda: utils.adaptive_clip_grad_(mg.ones(1), eps=0.0), ArgumentError, "eps must be"),
    (lambda: utils.clip_grad_percentile_(mg.ones(1), 101, []), ArgumentError,
     r"percentile must lie in \[0, 100\], got 101"),
])  # fmt: skip
def test_messages(call: object, error: type, message: str):
    with pytest.raises(error, match=message):
        call()
