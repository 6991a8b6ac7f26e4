"""What holds for all shapes and numbers, tried on generated ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from ops.cases import BINARY, CASES

import minigrad as mg
from minigrad import ops

RUNS = [(case, shapes) for case in CASES if case.differentiable for shapes in case.shapes]
LINEAR = [(case, shapes) for case, shapes in RUNS if case.linear]
BINARY_CASES = [case for case in CASES if case.shapes is BINARY and case.differentiable]
seeds = st.integers(0, 2**32 - 1)


def several(result):
    return list(result) if isinstance(result, tuple | list) else [result]


def name_of(run):
    case, shapes = run
    return f"{case.name}[{case.note}]{shapes}"


def normal(rng, x):
    return np.asarray(rng.normal(size=x.shape))


def pull(case, arrays, *gs):
    """For each list of output gradients in `gs`, the gradients of the arguments."""
    xs = [mg.tensor(x, requires_grad=True) for x in arrays]
    outs = [o for o in several(case.in_minigrad(ops, *xs)) if o.requires_grad]
    tensors = [[mg.as_tensor(part) for part in g] for g in gs]
    return [[d.data for d in mg.grad(outs, xs, g, retain_graph=True)] for g in tensors]


@pytest.mark.parametrize("run", LINEAR, ids=name_of)
@given(seed=seeds)
def test_backward_is_the_adjoint_of_a_linear_operation(run, seed):
    # <J v, u> = <v, J^T u>, where J v = f(v) - f(0).
    case, shapes = run
    rng = np.random.default_rng(seed)
    v = [np.asarray(rng.normal(size=shape)) for shape in shapes]

    def f(arrays):
        return [o.data for o in several(case.in_minigrad(ops, *map(mg.as_tensor, arrays)))]

    jv = [a - b for a, b in zip(f(v), f([np.zeros_like(x) for x in v]), strict=True)]
    u = [normal(rng, part) for part in jv]
    (jtu,) = pull(case, v, u)
    left = sum(np.vdot(a, b) for a, b in zip(jv, u, strict=True))
    right = sum(np.vdot(a, b) for a, b in zip(v, jtu, strict=True))
    assert left == pytest.approx(right, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("run", RUNS, ids=name_of)
def test_backward_is_linear_in_what_arrives(run):
    case, shapes = run
    rng = np.random.default_rng(0)
    arrays = case.arguments(shapes)
    outs = several(case.in_minigrad(ops, *map(mg.as_tensor, arrays)))
    outs = [o for o in outs if o.dtype.kind == "f"]
    u, v = [normal(rng, o) for o in outs], [normal(rng, o) for o in outs]
    mixed = [2 * a - 3 * b for a, b in zip(u, v, strict=True)]
    for of_u, of_v, of_mixed in zip(*pull(case, arrays, u, v, mixed), strict=True):
        np.testing.assert_allclose(2 * of_u - 3 * of_v, of_mixed, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("case", BINARY_CASES, ids=lambda case: f"{case.name}[{case.note}]")
@given(
    shapes=hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, min_side=0, max_side=3),
    create_graph=st.booleans(),
)
def test_broadcasting_is_undone(case, shapes, create_graph):
    a, b = case.arguments(shapes.input_shapes)
    ta, tb = mg.tensor(a, requires_grad=True), mg.tensor(b, requires_grad=True)
    out = case.in_minigrad(ops, ta, tb)
    assert out.shape == shapes.result_shape
    g = np.random.default_rng(0).normal(size=out.shape)
    da, db = mg.grad(out, [ta, tb], mg.as_tensor(np.asarray(g)), create_graph=create_graph)
    assert (da.shape, db.shape) == (a.shape, b.shape)
    # With the repeats written out, the gradients of all copies of an element add up.
    full = [mg.tensor(np.broadcast_to(x, out.shape), requires_grad=True) for x in (a, b)]
    copies = mg.grad(case.in_minigrad(ops, *full), full, mg.as_tensor(np.asarray(g)))
    for ours, copy, shape in zip((da, db), copies, (a.shape, b.shape), strict=True):
        np.testing.assert_allclose(ours.data, folded(copy.data, shape), rtol=1e-9, atol=1e-12)


def folded(g, shape):
    """The elements of g added up at the places of `shape` that were repeated to make it."""
    out = np.zeros(shape)
    places = np.broadcast_to(np.arange(out.size).reshape(shape), g.shape)
    np.add.at(out.reshape(-1), places, g)
    return out


@given(
    shape=hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=3),
    data=st.data(),
    keepdims=st.booleans(),
)
def test_sum_over_any_axes(shape, data, keepdims):
    axes = st.lists(st.integers(-len(shape), len(shape) - 1), unique_by=lambda a: a % len(shape))
    axis = data.draw(st.none() | axes.map(tuple) | st.integers(-len(shape), len(shape) - 1))
    x = np.random.default_rng(0).normal(size=shape)
    t = mg.tensor(x, requires_grad=True)
    out = t.sum(axis=axis, keepdims=keepdims)
    np.testing.assert_allclose(
        out.data, x.sum(axis=axis, keepdims=keepdims), rtol=1e-12, atol=1e-12
    )
    (g,) = mg.grad(out.sum(), t)
    assert np.array_equal(g.data, np.ones(shape))


@given(shape=hnp.array_shapes(min_dims=0, max_dims=4, max_side=3), data=st.data())
def test_transpose_and_reshape_of_any_shape(shape, data):
    x = np.arange(float(np.prod(shape))).reshape(shape)
    order = data.draw(st.permutations(range(len(shape))))
    t = mg.tensor(x, requires_grad=True)
    out = t.transpose(order).reshape(-1)
    assert np.array_equal(out.data, x.transpose(order).reshape(-1))
    (g,) = mg.grad(out, t, mg.as_tensor(x.transpose(order).reshape(-1)))
    assert np.array_equal(g.data, x)
