"""Normalizing gradients and constraining weights: formulas, company with optimizers, edges."""

from __future__ import annotations

import numpy as np
import pytest
from nn.grads import flat, parameters

import minigrad as mg
from minigrad import nn
from minigrad.errors import ArgumentError, DtypeError, GraphError, ShapeError
from minigrad.nn import utils

ORDERS = {"l2": 2, "linf": np.inf}


def gradients(ps: list) -> list[np.ndarray]:
    return [p.grad.data.copy() for p in ps if p.grad is not None and p.size]


def norm(x: np.ndarray, order: float) -> float:
    return float(np.linalg.norm(np.ravel(x), order))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("eps", [0.0, 1e-5, 0.5])
def test_per_tensor(order: str, eps: float, rng: np.random.Generator):
    ps = parameters(rng, 1e-3)
    before = gradients(ps)
    utils.normalize_grad_(ps, order, eps=eps)
    for g, after in zip(before, gradients(ps), strict=True):
        np.testing.assert_allclose(after, g / (norm(g, ORDERS[order]) + eps), rtol=1e-12)


@pytest.mark.parametrize("order", ORDERS)
def test_global(order: str, rng: np.random.Generator):
    ps = parameters(rng)
    before = flat(ps)
    utils.normalize_grad_(ps, order, per="global")
    np.testing.assert_allclose(flat(ps), before / norm(before, ORDERS[order]), rtol=1e-12)


@pytest.mark.parametrize("order", ORDERS)
def test_per_unit(order: str, rng: np.random.Generator):
    # The article's row-wise x / (|x| along axis 1 + 1e-5), and the same for other shapes.
    ps = parameters(rng)
    weight, bias, _, deep, *_ = gradients(ps)
    p = ORDERS[order]
    utils.normalize_grad_(ps, order, per="unit", eps=1e-5)
    rows = weight / (np.linalg.norm(weight, p, axis=1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(ps[0].grad.data, rows, rtol=1e-12)
    np.testing.assert_allclose(ps[1].grad.data, bias / (norm(bias, p) + 1e-5), rtol=1e-12)
    for i in range(2):
        expected = deep[i] / (norm(deep[i], p) + 1e-5)
        np.testing.assert_allclose(ps[3].grad.data[i], expected, rtol=1e-12)


@pytest.mark.parametrize("per", ["tensor", "global", "unit"])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("size", "dtype"),
    [(1e-44, np.float32), (3e38, np.float32), (5e-324, np.float64), (5e307, np.float64)],
)
def test_any_size_gets_norm_one(per: str, order: str, size: float, dtype: type):
    w = mg.tensor(np.zeros((1, 4), dtype), requires_grad=True)
    w.grad = mg.tensor(np.full((1, 4), size, dtype))
    utils.normalize_grad_([w], order, per)
    np.testing.assert_allclose(w.grad.data, 0.5 if order == "l2" else 1.0, rtol=1e-6)


TRANSFORMS = {
    "normalize": utils.normalize_grad_,
    "normalize, global": lambda ps: utils.normalize_grad_(ps, "linf", "global"),
    "normalize, unit": lambda ps: utils.normalize_grad_(ps, per="unit"),
    "sqrt": utils.sqrt_normalize_grad_,
    "sign": utils.sign_grad_,
    "centralize": utils.centralize_grad_,
    "scale": lambda ps: utils.scale_grad_(ps, -3.0),
    "clip value": lambda ps: utils.clip_grad_value_(ps, 0.1),
    "clip norm": lambda ps: utils.clip_grad_norm_(ps, 0.1),
    "clip percentile": lambda ps: utils.clip_grad_percentile_(ps, 50, [0.1]),
    "adaptive": utils.adaptive_clip_grad_,
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_zero_stays_zero_and_nan_stays_nan(name: str, rng: np.random.Generator):
    ps = parameters(rng, scale=0.0)
    TRANSFORMS[name](ps)
    assert not flat(ps).any()
    ps[0].grad.data[0, 1] = np.nan
    TRANSFORMS[name](ps)
    assert np.isnan(ps[0].grad.data[0, 1])


@pytest.mark.parametrize("name", TRANSFORMS)
def test_the_gradient_stays_the_same_object_in_its_own_dtype(name: str, rng: np.random.Generator):
    ps = parameters(rng, dtype=np.float32)
    grads = [p.grad for p in ps]
    arrays = [None if g is None else g.data for g in grads]
    values = [p.data.copy() for p in ps]
    TRANSFORMS[name](ps)
    for p, grad, array, value in zip(ps, grads, arrays, values, strict=True):
        assert p.grad is grad and (grad is None or grad.data is array)
        np.testing.assert_array_equal(p.data, value)
    assert flat(ps).dtype == np.float32


@pytest.mark.parametrize("name", TRANSFORMS)
def test_between_backward_and_step_of_any_optimizer_with_groups(name: str):
    """The same as an optimizer that is handed the transformed gradients."""
    for make in (lambda ps: mg.optim.SGD(ps, lr=0.1, momentum=0.9), mg.optim.Adam):
        rng = np.random.default_rng(0)
        ours, twins = ([mg.tensor(rng.normal(size=s), requires_grad=True) for s in [(3, 2), (3,)]]
                       for rng in (np.random.default_rng(1), np.random.default_rng(1)))  # fmt: skip
        mine = make([{"params": [ours[0]]}, {"params": ours[1:], "lr": 0.01}])
        other = make([{"params": [twins[0]]}, {"params": twins[1:], "lr": 0.01}])
        for step in range(4):
            for p, q in zip(ours, twins, strict=True):
                absent = step == 2 and p.ndim == 1
                g = rng.normal(size=p.shape)
                p.grad = None if absent else mg.tensor(g)
                if absent:
                    q.grad = None
                    continue
                stand_in = mg.tensor(q.data, requires_grad=True)
                stand_in.grad = mg.tensor(g)
                TRANSFORMS[name](stand_in)
                q.grad = stand_in.grad
            for group in mine.param_groups:
                TRANSFORMS[name](group["params"])
            mine.step()
            other.step()
        for p, q in zip(ours, twins, strict=True):
            np.testing.assert_array_equal(p.data, q.data)


def test_transforms_one_after_the_other(rng: np.random.Generator):
    ps = parameters(rng)
    weight = ps[0].grad.data.copy()
    utils.centralize_grad_(ps)
    utils.sqrt_normalize_grad_(ps)
    utils.clip_grad_value_(ps, 0.5)
    utils.scale_grad_(ps, 2.0)
    centred = weight - weight.mean(axis=1, keepdims=True)
    expected = 2 * np.clip(np.sign(centred) * np.abs(centred) ** 0.5, -0.5, 0.5)
    np.testing.assert_allclose(ps[0].grad.data, expected, rtol=1e-12)


def test_centralizing_takes_the_mean_of_each_unit_and_leaves_biases(rng: np.random.Generator):
    ps = parameters(rng)
    bias, deep = ps[1].grad.data.copy(), ps[3].grad.data.copy()
    utils.centralize_grad_(ps)
    np.testing.assert_allclose(ps[0].grad.data.sum(axis=1), 0, atol=1e-15)
    np.testing.assert_array_equal(ps[1].grad.data, bias)
    np.testing.assert_allclose(ps[3].grad.data, deep - deep.mean((1, 2))[:, None, None])


def test_infinity_follows_the_formula():
    w = mg.tensor(np.zeros(3), requires_grad=True)
    w.grad = mg.tensor(np.array([1.0, np.inf, -2.0]))
    utils.normalize_grad_([w])
    np.testing.assert_array_equal(w.grad.data, [0, np.nan, 0])


def test_a_graph_that_kept_the_gradient_notices():
    x = mg.tensor(2.0, requires_grad=True)
    (x**3).backward(create_graph=True)
    square = x.grad * x.grad
    utils.scale_grad_([x], 2.0)
    with pytest.raises(GraphError, match="changed in place"):
        square.backward()


def test_weight_clipping_and_max_norm(rng: np.random.Generator):
    w = rng.normal(size=(5, 4))
    layer = nn.Linear(4, 5).double()
    layer.weight.data = w.copy()
    layer.bias.data = np.full(5, 9.0)
    utils.max_norm_(layer.parameters(), 1.5)
    rows = np.linalg.norm(w, axis=1, keepdims=True)
    assert (rows > 1.5).any() and (rows < 1.5).any()
    np.testing.assert_allclose(layer.weight.data, w * np.minimum(1, 1.5 / rows), rtol=1e-12)
    np.testing.assert_array_equal(layer.bias.data, 9.0)
    before = layer.weight.data.copy()
    utils.clip_weight_(layer.parameters(), 0.3)
    np.testing.assert_array_equal(layer.weight.data, np.clip(before, -0.3, 0.3))
    utils.max_norm_(layer.weight, 0.0)
    assert not layer.weight.data.any() and layer.weight.requires_grad


def test_constraints_after_each_step_hold_and_the_optimizer_goes_on_from_there():
    w = mg.tensor(np.zeros((1, 2)), requires_grad=True)
    opt = mg.optim.SGD([w], lr=1.0)
    for _ in range(3):
        w.grad = mg.tensor(np.array([[-3.0, -4.0]]))
        opt.step()
        utils.max_norm_([w], 1.0)
    np.testing.assert_allclose(w.data, [[0.6, 0.8]])
    w.grad = mg.tensor(np.array([[1.0, 0.0]]))
    opt.step()
    np.testing.assert_allclose(w.data, [[-0.4, 0.8]])


def test_a_pending_backward_notices_constrained_weights():
    layer = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    loss = layer(mg.ones(1, 2)).sum()
    utils.clip_weight_(layer.parameters(), 0.1)
    with pytest.raises(GraphError, match="changed in place"):
        loss.backward()


def test_vectors_there_and_back(rng: np.random.Generator):
    ps = parameters(rng)
    vector = utils.parameters_to_vector(ps)
    assert vector.shape == (sum(p.size for p in ps),)
    (vector**2).sum().backward()
    np.testing.assert_allclose(ps[-1].grad.data, 2 * ps[-1].data)
    arrays = [p.data for p in ps]
    utils.vector_to_parameters(vector * 2, ps)
    for p, array in zip(ps, arrays, strict=True):
        assert p.data is array and p.is_leaf
    np.testing.assert_allclose(utils.parameters_to_vector(ps).data, 2 * vector.data)


@pytest.mark.torch
def test_vectors_are_pytorchs(rng: np.random.Generator):
    torch = pytest.importorskip("torch")
    ps = parameters(rng)
    theirs = torch.nn.utils.parameters_to_vector([torch.tensor(p.data) for p in ps])
    np.testing.assert_array_equal(utils.parameters_to_vector(ps).data, theirs.numpy())


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: utils.normalize_grad_(mg.ones(1), "l1"), ArgumentError,
     "unknown norm 'l1'; valid: 'l2', 'linf'"),
    (lambda: utils.normalize_grad_(mg.ones(1), per="row"), ArgumentError,
     "unknown per='row'; valid: 'tensor', 'global', 'unit'"),
    (lambda: utils.normalize_grad_(mg.ones(1), eps=-1), ArgumentError, "eps must not be negative"),
    (lambda: utils.scale_grad_(mg.ones(1), float("inf")), ArgumentError, "finite number, got inf"),
    (lambda: utils.sign_grad_([]), ArgumentError, "sign_grad_: no parameters"),
    (lambda: utils.centralize_grad_(3), DtypeError, r"got int; pass model\.parameters"),
    (lambda: utils.clip_weight_(mg.ones(1), -1), ArgumentError, "clip_value must not be negative"),
    (lambda: utils.max_norm_(mg.ones(1), -1), ArgumentError, "max_norm must not be negative"),
    (lambda: utils.vector_to_parameters(mg.ones(3), [mg.ones(2)]), ShapeError,
     r"have 2 elements in all, the vector has shape \(3,\); make it \(2,\)"),
])  # fmt: skip
def test_messages(call: object, error: type, message: str):
    with pytest.raises(error, match=message):
        call()
