"""Residual: the sum of what goes in and of what the branch makes of it."""

from __future__ import annotations

import numpy as np
import pytest
from nn.twin import check_twins

import minigrad as mg
from minigrad import nn
from minigrad.errors import DtypeError, ShapeError


@pytest.mark.torch
@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_parity_with_the_formula_in_pytorch(scale, rng):
    torch = pytest.importorskip("torch")
    theirs = torch.nn.Linear(4, 4).double()
    branch = nn.Linear(4, 4, dtype=mg.float64)
    branch.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    block = nn.Residual(nn.Sequential(branch, nn.Tanh()), scale)
    check_twins(lambda x: block(x), lambda x: x + scale * torch.tanh(theirs(x)),
                rng.normal(size=(5, 4)))  # fmt: skip


def test_a_learned_scale_at_zero_is_the_identity_and_learns(rng):
    block = nn.Residual(nn.Linear(4, 4, dtype=mg.float64), nn.Parameter(np.zeros(())))
    assert next(name for name, _ in block.named_parameters()) == "scale"
    x = mg.tensor(rng.normal(size=(5, 4)))
    out = block(x)
    np.testing.assert_array_equal(out.data, x.data)
    out.backward(mg.ones(5, 4, dtype=mg.float64))
    # d/ds sum(x + s b(x)) = sum(b(x)); the branch itself waits for s to leave 0.
    assert block.scale.grad.item() == pytest.approx(block.branch(x).sum().item(), rel=1e-12)
    assert (block.branch.weight.grad.data == 0).all()


def test_at_initialization_the_variance_doubles_per_block_or_grows_by_s_squared():
    # De & Smith (2020): x_(l+1) = x_l + s W x_l, W of variance 1/n, gives (1 + s^2)^l.
    g, n = mg.Generator(0), 1000
    x = mg.randn(200, n, generator=g)
    for scale in (1.0, 0.3):
        out = x
        for _ in range(8):
            branch = nn.Linear(n, n, bias=False)
            nn.init.normal_(branch.weight, std=n**-0.5, generator=g)
            out = nn.Residual(branch, scale)(out)
        assert out.data.var() == pytest.approx((1 + scale**2) ** 8, rel=0.03)


def test_repr_says_the_scale():
    assert repr(nn.Residual(nn.Tanh())) == "Residual(\n  (branch): Tanh()\n)"
    assert "scale=0.5\n" in repr(nn.Residual(nn.Tanh(), 0.5))
    assert "scale=Parameter of shape (3,)\n" in repr(
        nn.Residual(nn.Tanh(), nn.Parameter([0.0] * 3))
    )


def test_a_branch_that_changes_the_shape_is_refused_even_where_it_would_broadcast():
    with pytest.raises(ShapeError) as caught:
        nn.Residual(nn.Linear(8, 1))(mg.ones(5, 8))
    assert str(caught.value) == (
        "Residual: the branch makes (5, 1) of an input of shape (5, 8); it must keep the shape: "
        "end it with as many features as it begins with [in Residual()]"
    )


@pytest.mark.parametrize(
    ("scale", "kind"), [("x", "str"), (mg.ones(2), "Tensor"), (None, "NoneType")]
)
def test_a_scale_that_would_not_be_learned_or_is_no_number_is_refused(scale, kind):
    with pytest.raises(DtypeError) as caught:
        nn.Residual(nn.Tanh(), scale)
    assert str(caught.value) == (
        f"Residual: scale must be a number, or an nn.Parameter to learn it, got {kind}; wrap a "
        "Tensor as nn.Parameter(...)"
    )


@pytest.mark.parametrize("shape", [(5, 2), (1, 2), (3,)])
def test_a_scale_of_another_shape_is_refused_even_where_it_would_broadcast(shape):
    block = nn.Residual(nn.Tanh(), nn.Parameter(mg.ones(*shape)))
    for x in (mg.ones(2), mg.ones(1, 1), mg.ones(5, 2)):
        with pytest.raises(ShapeError, match=r"Residual: the scale has shape .* takes one number"):
            block(x)


@pytest.mark.parametrize("shape", [(), (1,), (2,)])
def test_a_scale_is_one_number_or_one_per_feature(shape, rng):
    scale, x = rng.normal(size=shape), rng.normal(size=(5, 2))
    block = nn.Residual(nn.Tanh(), nn.Parameter(mg.tensor(scale)))
    np.testing.assert_allclose(block(mg.tensor(x)).data, x + scale * np.tanh(x), rtol=1e-12)
    assert list(block.state_dict()) == ["scale"]


def test_a_list_of_layers_is_refused():
    with pytest.raises(DtypeError, match=r"branch is list, not a Module; .* nn\.Sequential"):
        nn.Residual([nn.Tanh()])
