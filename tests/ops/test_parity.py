"""Every operation of the table against NumPy, PyTorch and numerical derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from ops.cases import CASES

import minigrad as mg
from minigrad import ops
from minigrad.gradcheck import gradcheck, gradgradcheck

RUNS = [
    pytest.param(case, shapes, id=f"{case.name}[{case.note}]{shapes}")
    for case in CASES
    for shapes in case.shapes
]
DIFFERENTIABLE = [run for run in RUNS if run.values[0].differentiable]


def several(result):
    return list(result) if isinstance(result, tuple | list) else [result]


def leaves(arrays):
    return [mg.as_tensor(x).requires_grad_() for x in arrays]


def gradients(case, tensors, gs, **options):
    """Per argument the gradient of the floating-point outputs, weighted by `gs`."""
    outs = [o for o in several(case.in_minigrad(ops, *tensors)) if o.requires_grad]
    return mg.grad(outs, tensors, [mg.as_tensor(g) for g in gs], **options)


def seeds(outs, seed=0):
    """A random gradient for each floating-point output."""
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.normal(size=tuple(o.shape))) for o in outs if "float" in str(o.dtype)]


@pytest.mark.parametrize(("case", "shapes"), RUNS)
def test_forward_is_that_of_numpy(case, shapes):
    arrays = case.arguments(shapes)
    ours = several(case.in_minigrad(ops, *[mg.as_tensor(x) for x in arrays]))
    theirs = several(case.in_numpy(*arrays))
    for a, b in zip(ours, theirs, strict=True):
        assert (a.shape, a.dtype) == (np.shape(b), np.asarray(b).dtype)
        np.testing.assert_allclose(a.data, b, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("case", "shapes"), RUNS)
def test_memory_layout_does_not_matter(case, shapes):
    plain = [mg.as_tensor(x) for x in case.arguments(shapes)]
    gaps = [mg.as_tensor(x) for x in case.arguments(shapes, strided=True)]
    a, b = (several(case.in_minigrad(ops, *xs)) for xs in (plain, gaps))
    for x, y in zip(a, b, strict=True):
        np.testing.assert_allclose(x.data, y.data, rtol=1e-13, atol=1e-15)


@pytest.mark.torch
@pytest.mark.parametrize("strided", [False, True], ids=["plain", "strided"])
@pytest.mark.parametrize(("case", "shapes"), RUNS)
def test_forward_and_backward_are_those_of_pytorch(case, shapes, strided):
    torch = pytest.importorskip("torch")
    arrays = case.arguments(shapes, strided)
    theirs = [torch.tensor(x, requires_grad=case.differentiable) for x in arrays]
    ours = leaves(arrays) if case.differentiable else [mg.as_tensor(x) for x in arrays]
    their_outs = several(case.in_torch(torch, *theirs))
    our_outs = several(case.in_minigrad(ops, *ours))
    for a, b in zip(our_outs, their_outs, strict=True):
        assert a.shape == tuple(b.shape)
        np.testing.assert_allclose(a.data, b.detach(), rtol=1e-9, atol=1e-12)
    if not case.differentiable:
        return
    gs = seeds(our_outs)
    pairs = zip([o for o in their_outs if o.is_floating_point()], gs, strict=True)
    torch.autograd.backward([o for o, _ in pairs], [torch.tensor(g) for g in gs])
    for a, b in zip(gradients(case, ours, gs), theirs, strict=True):
        assert a.shape == tuple(b.shape) and a.dtype == np.float64
        np.testing.assert_allclose(a.data, b.grad, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("case", "shapes"), DIFFERENTIABLE)
def test_first_and_second_derivative_are_the_numerical_ones(case, shapes):
    arguments = leaves(case.arguments(shapes))
    assert gradcheck(lambda *xs: case.in_minigrad(ops, *xs), arguments)
    assert gradgradcheck(lambda *xs: case.in_minigrad(ops, *xs), arguments)


@pytest.mark.parametrize(("case", "shapes"), DIFFERENTIABLE)
def test_rules_give_the_same_on_arrays_and_on_tensors(case, shapes):
    tensors = leaves(case.arguments(shapes))
    gs = seeds(several(case.in_minigrad(ops, *tensors)))
    ordinary = gradients(case, tensors, gs)
    recorded = gradients(case, tensors, gs, create_graph=True)
    for a, b in zip(ordinary, recorded, strict=True):
        np.testing.assert_allclose(a.data, b.data, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize(("case", "shapes"), DIFFERENTIABLE)
def test_gradient_has_the_dtype_and_shape_of_its_leaf(case, shapes, dtype):
    tensors = leaves([x.astype(dtype) for x in case.arguments(shapes)])
    outs = [o for o in several(case.in_minigrad(ops, *tensors)) if o.dtype.kind == "f"]
    gs = [np.ones(o.shape, o.dtype) for o in outs]
    for create_graph in (False, True):
        for x, g in zip(
            tensors, gradients(case, tensors, gs, create_graph=create_graph), strict=True
        ):
            assert (g.dtype, g.shape) == (x.dtype, x.shape)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("exp", -1, 1), ("tanh", -1, 1), ("log", 0.5, 2), ("sqrt", 0.5, 2), ("sinc", -2, 2),
     ("square", -1, 1), ("reciprocal", 0.5, 2), ("erf", -1, 1), ("arcsin", -0.7, 0.7)],
)  # fmt: skip
def test_third_derivative(name, low, high):
    x = mg.tensor(np.random.default_rng(3).uniform(low, high, 3), requires_grad=True)

    def slope(x):
        return mg.grad(getattr(ops, name)(x).sum(), x, create_graph=True)[0]

    assert gradgradcheck(slope, x)


def test_third_derivative_of_what_has_several_arguments():
    rng = np.random.default_rng(4)
    x, p = leaves([rng.uniform(0.5, 2, 3), rng.uniform(-2, 2, (2, 1))])

    def slopes(x, p):
        return mg.grad((x**p / (x + p * p)).sum(), [x, p], create_graph=True)

    assert gradgradcheck(slopes, [x, p])
