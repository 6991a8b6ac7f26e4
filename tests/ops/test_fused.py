"""Operations that are one node for speed equal what they stand for, to the second derivative."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.nn import functional as F

rng = np.random.default_rng(0)


def numbers(*shape):
    return mg.tensor(rng.normal(size=shape), requires_grad=True)


def classes(reduction):
    y = rng.integers(0, 5, 4)
    plain = {"none": lambda t: t, "sum": mg.sum, "mean": mg.mean}[reduction]
    return (
        lambda x: F.cross_entropy(x, mg.tensor(y), reduction=reduction),
        lambda x: plain(-mg.log_softmax(x, 1)[np.arange(4), y]),
        [numbers(4, 5)],
    )


CASES = {
    "linear": (mg.linear, lambda x, w, b: x @ w.T + b, [numbers(4, 3), numbers(2, 3), numbers(2)]),
    "linear, no bias": (mg.linear, lambda x, w: x @ w.T, [numbers(4, 3), numbers(2, 3)]),
    "linear, more axes": (
        mg.linear, lambda x, w, b: x @ w.T + b, [numbers(5, 4, 3), numbers(2, 3), numbers(2)]
    ),
    "linear, a vector": (
        mg.linear, lambda x, w, b: x @ w.T + b, [numbers(3), numbers(2, 3), numbers(2)]
    ),
    "column sums": (mg.ops.column_sums, lambda x: x.sum(axis=0), [numbers(4, 3)]),
    "cross-entropy, mean": classes("mean"),
    "cross-entropy, sum": classes("sum"),
    "cross-entropy, none": classes("none"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_it_equals_its_unfused_twin(name):
    fused, plain, inputs = CASES[name]
    seed = mg.tensor(rng.normal(size=plain(*inputs).shape))
    directions = [mg.tensor(rng.normal(size=x.shape)) for x in inputs]
    found = []
    for function in (fused, plain):
        out = function(*inputs)
        # Once with arrays, and once recorded: for a fused operation these are two ways.
        first = mg.grad(out, inputs, seed, retain_graph=True)
        recorded = mg.grad(out, inputs, seed, create_graph=True)
        # sin, so that the second derivative of what is linear does not vanish
        along = sum((mg.sin(g) * d).sum() for g, d in zip(recorded, directions, strict=True))
        second = mg.grad(along, inputs, allow_unused=True) if along.requires_grad else ()
        found.append([out, *first, *recorded, *(s for s in second if s is not None)])
    assert len(found[0]) == len(found[1]) >= 3
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a.data, b.data, rtol=1e-9, atol=1e-12)


def test_a_bias_of_another_shape_is_refused_in_any_dtype():
    for dtype in (np.float32, np.float64):
        with pytest.raises(mg.errors.ShapeError, match="bias"):
            mg.linear(mg.ones(2, 3), mg.ones(1, 3), mg.tensor(np.ones(5, dtype)))
