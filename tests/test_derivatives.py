"""Jacobian, Hessian and their products, against closed forms and each other."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import GraphError, ShapeError

A = np.random.default_rng(0).normal(size=(3, 4))
POINT = mg.tensor(np.random.default_rng(1).normal(size=4))


def bend(x):
    return mg.tanh(mg.tensor(A) @ x)


def closed_form_jacobian(x):
    return (1 - np.tanh(A @ x) ** 2)[:, None] * A


def test_jacobian_against_its_closed_form():
    np.testing.assert_allclose(
        mg.jacobian(bend, POINT).data, closed_form_jacobian(POINT.data), rtol=1e-12
    )
    assert POINT.grad is None and not POINT.requires_grad


def test_products_with_vectors():
    rng = np.random.default_rng(2)
    u, v = rng.normal(size=3), rng.normal(size=4)
    j = closed_form_jacobian(POINT.data)
    out, back = mg.vjp(bend, POINT, mg.tensor(u))
    np.testing.assert_allclose(out.data, bend(POINT).data)
    np.testing.assert_allclose(back.data, u @ j, rtol=1e-12)
    out, along = mg.jvp(bend, POINT, mg.tensor(v))
    np.testing.assert_allclose(along.data, j @ v, rtol=1e-12)
    assert not out.requires_grad and not along.requires_grad


def test_hessian_of_a_quadratic_form():
    q = np.random.default_rng(3).normal(size=(4, 4))
    h = mg.hessian(lambda x: x @ mg.tensor(q) @ x, POINT)
    np.testing.assert_allclose(h.data, q + q.T, rtol=1e-12)
    v = np.arange(4.0)
    _, product = mg.hvp(lambda x: x @ mg.tensor(q) @ x, POINT, mg.tensor(v))
    np.testing.assert_allclose(product.data, (q + q.T) @ v, rtol=1e-12)


def test_several_inputs():
    a, b = mg.tensor(np.array([2.0])), mg.tensor(np.array([3.0, 4.0]))
    ja, jb = mg.jacobian(lambda x, y: x * y, (a, b))
    assert ja.tolist() == [[3], [4]] and jb.tolist() == [[2, 0], [0, 2]]
    _, along = mg.jvp(lambda x, y: x * y, (a, b), (mg.ones_like(a), mg.ones_like(b)))
    assert along.tolist() == [5, 6]
    _, products = mg.hvp(lambda x, y: (x * y).sum(), (a, b), (mg.ones_like(a), mg.ones_like(b)))
    assert [p.tolist() for p in products] == [[2], [1, 1]]


def test_an_input_that_is_not_used_and_an_output_that_depends_on_nothing():
    a, b = mg.tensor(np.ones(2)), mg.tensor(np.ones(3))
    _, unused = mg.jacobian(lambda x, y: x * 2, (a, b))
    assert unused.shape == (2, 3) and not unused.any()
    assert not mg.jacobian(lambda x: mg.tensor(np.ones(2)), a).any()
    assert not mg.hessian(lambda x: x.sum(), a).any()


def test_a_jacobian_can_be_differentiated_where_asked():
    x = mg.tensor(np.array([1.0, 2.0]), requires_grad=True)
    j = mg.jacobian(lambda t: t**3, x, create_graph=True)
    j.sum().backward()
    assert x.grad.tolist() == [6, 12]


def test_what_is_refused():
    with pytest.raises(ShapeError, match=r"jvp: v has shape \[\(3,\)\], the input \[\(4,\)\]"):
        mg.jvp(bend, POINT, mg.ones(3))
    with pytest.raises(GraphError, match=r"hessian: the function must return one number"):
        mg.hessian(bend, POINT)
    with pytest.raises(GraphError, match="must return one Tensor, got tuple"):
        mg.jacobian(lambda x: (x, x), POINT)
