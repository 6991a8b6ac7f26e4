"""jacobian_spectrum: closed forms, PyTorch, and examples that influence each other."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.diagnostics import theory
from minigrad.diagnostics.spectrum import jacobian_spectrum
from minigrad.errors import ArgumentError, ShapeError
from minigrad.models import deep_mlp


def linear_net(depth, width, init, seed=0, **kw):
    generator = mg.Generator(seed)
    return deep_mlp(depth, width, "identity", init, in_features=width, out_features=width,
                    generator=generator, dtype=np.float64, **kw)  # fmt: skip


def inputs(n, width, seed=1):
    return mg.tensor(mg.Generator(seed).normal((n, width)))


def weights(model):
    return [m.weight.data for m in model.modules() if isinstance(m, nn.Linear)]


# -- closed forms --------------------------------------------------------------------------------


def test_an_orthogonal_linear_net_is_an_isometry_however_deep():
    # Saxe et al. (2014).
    found = jacobian_spectrum(linear_net(60, 12, "orthogonal"), inputs(3, 12))
    for values in (found.end_to_end, *found.to_output.values(), *found.own.values()):
        np.testing.assert_allclose(values, 1, atol=1e-12)


def test_the_jacobian_of_a_linear_net_is_the_product_of_its_weights():
    model = linear_net(4, 7, "lecun")
    found = jacobian_spectrum(model, inputs(2, 7))
    w = weights(model)
    assert found.layers == [f"layer{i}.linear" for i in range(1, 5)]
    for k, name in enumerate(found.layers):
        np.testing.assert_allclose(found.own[name][0], np.linalg.svd(w[k])[1], rtol=1e-12)
        rest = np.linalg.multi_dot([*w[:k:-1], np.eye(7)]) if k < 3 else np.eye(7)
        np.testing.assert_allclose(found.to_output[name][1], np.linalg.svd(rest)[1], rtol=1e-10)
    whole = np.linalg.multi_dot(w[::-1])
    np.testing.assert_allclose(found.end_to_end[0], np.linalg.svd(whole)[1], rtol=1e-10)


def test_a_product_of_gaussian_matrices_keeps_its_mean_square_while_its_largest_value_grows():
    # E[sum of squared singular values] / width = 1 at any depth for variance 1 / width; the
    # squared maximum of one such matrix is 4 (Marchenko & Pastur 1967), and for a product of L it
    # is (L + 1)^(L + 1) / L^L (free probability; Pennington, Schoenholz & Ganguli 2017).
    width = 300
    for depth in (1, 3):
        largest, square = [], []
        for seed in range(4):
            model = linear_net(depth, width, "lecun", seed)
            values = jacobian_spectrum(model, inputs(1, width)).end_to_end[0]
            largest.append(values[0] ** 2)
            square.append(np.mean(values**2))
        assert np.mean(square) == pytest.approx(1, rel=0.05)
        expected = (depth + 1) ** (depth + 1) / depth**depth
        assert np.mean(largest) == pytest.approx(expected, rel=0.06)


def test_the_mean_square_of_a_deep_layer_is_chi():
    # z_(l-1) -> z_l of a wide tanh network at its fixed point; Schoenholz et al. (2017).
    sigma_w2, sigma_b2, width = 2.5, 0.05, 400
    rng = np.random.default_rng(0)
    parts = []
    for _ in range(6):
        linear = nn.Linear(width, width, dtype=np.float64)
        linear.weight.data[...] = rng.normal(0, (sigma_w2 / width) ** 0.5, (width, width))
        linear.bias.data[...] = rng.normal(0, sigma_b2**0.5, width)
        parts.append(nn.Sequential(nn.Tanh(), linear))
    q = theory.fixed_point(sigma_w2, sigma_b2)
    x = mg.tensor(rng.normal(0, q**0.5, (2, width)))
    found = jacobian_spectrum(nn.Sequential(*parts), x, include="[0-9]")
    squares = [np.mean(found.own[name] ** 2) for name in ("0", "1", "2", "3", "4", "5")]
    assert np.mean(squares) == pytest.approx(theory.chi_1(sigma_w2, sigma_b2), rel=0.02)


def test_a_residual_block_whose_branch_is_switched_off_is_the_identity():
    block = nn.Residual(nn.Linear(5, 5), nn.Parameter(0.0))
    found = jacobian_spectrum(nn.Sequential(block), inputs(2, 5).astype(mg.float32))
    np.testing.assert_array_equal(found.own["0"], 1)
    assert found.own["0.branch"].shape == (2, 5)


# -- an independent implementation ---------------------------------------------------------------


@pytest.mark.torch
@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid"])
def test_pytorch_agrees(activation):
    torch = pytest.importorskip("torch")
    model = deep_mlp(4, 6, activation, "xavier", in_features=5, out_features=3,
                     generator=mg.Generator(0), dtype=np.float64)  # fmt: skip
    x = inputs(4, 5)
    found = jacobian_spectrum(model, x)
    linears = [m for m in model.modules() if isinstance(m, nn.Linear)]
    w = [torch.tensor(m.weight.data) for m in linears]
    b = [torch.tensor(m.bias.data) for m in linears]
    phi = getattr(torch, activation)

    def after(z, layer):
        """The output, from z of this layer on."""
        for k in range(layer, len(w)):
            z = phi(z) @ w[k].T + b[k]
        return z

    for i, row in enumerate(x.data):
        z = w[0] @ torch.tensor(row) + b[0]
        whole = torch.autograd.functional.jacobian(
            lambda v: after(w[0] @ v + b[0], 1), torch.tensor(row)
        )
        expected = torch.linalg.svdvals(whole)
        np.testing.assert_allclose(found.end_to_end[i], expected, rtol=1e-8, atol=1e-14)
        for k, name in enumerate(found.layers, start=1):
            jacobian = torch.autograd.functional.jacobian(lambda v, k=k: after(v, k), z)
            expected = torch.linalg.svdvals(jacobian)
            np.testing.assert_allclose(found.to_output[name][i], expected, rtol=1e-8, atol=1e-14)
            if k < len(w):
                z = phi(z) @ w[k].T + b[k]


def test_where_examples_influence_each_other_each_is_differentiated_by_itself():
    g = mg.Generator(0)
    model = nn.Sequential(nn.Linear(4, 5, generator=g), nn.BatchNorm1d(5), nn.Tanh(),
                          nn.Linear(5, 2, generator=g)).to(mg.float64)  # fmt: skip
    x = inputs(6, 4)
    found = jacobian_spectrum(model, x)
    full = mg.jacobian(model, x).data  # (6, 2, 6, 4)
    for i in range(6):
        np.testing.assert_allclose(found.end_to_end[i], np.linalg.svd(full[i, :, i])[1], rtol=1e-9)
    assert np.abs(full[0, :, 1]).max() > 1e-6  # they do influence each other
    in_evaluation = jacobian_spectrum(model.eval(), x)
    assert np.abs(in_evaluation.end_to_end - found.end_to_end).max() > 0.01


def test_more_axes_than_one_are_laid_side_by_side():
    conv_like = nn.Sequential(nn.Flatten(), nn.Linear(6, 2, generator=mg.Generator(0)))
    x = mg.tensor(mg.Generator(1).normal((3, 2, 3)).astype("f"))
    found = jacobian_spectrum(conv_like, x)
    expected = np.linalg.svd(conv_like[1].weight.data)[1]
    np.testing.assert_allclose(found.end_to_end, [expected] * 3, rtol=1e-6)


def test_also_where_only_the_later_examples_depend_on_the_earlier():
    class Cumulative(nn.Module):
        def forward(self, x):
            return mg.cumsum(x, axis=0) * 3

    found = jacobian_spectrum(nn.Sequential(nn.Linear(2, 2), Cumulative()), mg.ones(3, 2),
                              include=Cumulative)  # fmt: skip
    np.testing.assert_allclose(found.own["1"], 3)


# -- what it gives back --------------------------------------------------------------------------


def test_averaging_takes_the_mean_over_the_examples_of_the_ordered_values():
    model = deep_mlp(3, 6, in_features=4, out_features=3, generator=mg.Generator(0))
    found = jacobian_spectrum(model, inputs(5, 4).astype(mg.float32))
    mean = found.averaged()
    assert mean.end_to_end.shape == (1, 3)
    np.testing.assert_allclose(mean.end_to_end[0], found.end_to_end.mean(axis=0))
    assert list(mean.own) == list(mean.to_output) == found.layers
    assert (np.diff(found.end_to_end, axis=1) <= 0).all()
    lines = str(found).splitlines()
    assert len(lines) == 1 + 1 + 2 * 3
    assert lines[1].split()[3] == f"{found.end_to_end.max():.3g}"


def test_a_module_that_is_called_several_times_has_an_entry_for_each_call():
    shared = nn.Linear(3, 3, generator=mg.Generator(0))
    model = nn.Sequential(nn.Sequential(shared, nn.Tanh()), nn.Sequential(shared), shared)
    found = jacobian_spectrum(model, inputs(2, 3).astype(mg.float32))
    assert found.layers == ["0.0", "0.0 (2)", "0.0 (3)"]
    np.testing.assert_allclose(found.to_output["0.0 (3)"], 1)


def test_nothing_is_changed():
    model = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Dropout(0.5), nn.Linear(5, 2))
    x = inputs(6, 4).astype(mg.float32)
    model(x).sum().backward()
    before = {k: v.data.copy() for k, v in model.state_dict().items()}
    grads = [p.grad for p in model.parameters()]
    mg.manual_seed(0)
    jacobian_spectrum(model, x)
    drawn = mg.rand(2).data
    mg.manual_seed(0)
    np.testing.assert_array_equal(drawn, mg.rand(2).data)
    for key, value in model.state_dict().items():
        np.testing.assert_array_equal(value.data, before[key])
    assert all(p.grad is g for p, g in zip(model.parameters(), grads, strict=True))
    assert not any(module._hooks for module in model.modules())
    assert not x.requires_grad


# -- odd input -----------------------------------------------------------------------------------


def test_a_jacobian_that_is_not_finite_gives_nan():
    model = nn.Sequential(nn.Linear(2, 2, bias=False))
    model[0].weight.data[...] = math.inf
    assert np.isnan(jacobian_spectrum(model, mg.ones(1, 2)).end_to_end).all()


def test_a_constant_output_gives_zeros():
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    model[0].bias.data[...] = -100
    assert not jacobian_spectrum(model, mg.ones(1, 2)).end_to_end.any()


def test_what_lies_on_no_way_from_x_is_named():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused, self.beside = nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2)

        def forward(self, x):
            return self.used(x) + self.beside(mg.ones(1, 2))

    found = jacobian_spectrum(Odd(), mg.ones(3, 2))
    assert found.layers == ["used"]
    assert found.skipped["unused"] == "was not called"
    assert "no way from x" in found.skipped["beside"]


def test_odd_input_is_refused_with_the_cure():
    model = nn.Sequential(nn.Linear(2, 2))
    for x, words in (
        (mg.ones(2), r"x\[None\]"),
        (mg.ones(0, 2), "at least one"),
        (mg.ones(1, 2, dtype=mg.int64), "holds int64"),
        (mg.tensor([[math.nan, 1.0]]), "NaN"),
    ):
        with pytest.raises(ArgumentError, match=words):
            jacobian_spectrum(model, x)
    with pytest.raises(ArgumentError, match=r"include='layer\*' matches no module; there are 0"):
        jacobian_spectrum(model, mg.ones(1, 2), include="layer*")
    with pytest.raises(ShapeError, match="for 3 examples the model returned shape"):
        jacobian_spectrum(nn.Sequential(model, Total()), mg.ones(3, 2))
    with pytest.raises(ArgumentError, match=r"got function; of a function, .* mg\.jacobian"):
        jacobian_spectrum(lambda x: x, mg.ones(3, 2))
    for empty in (nn.Tanh(), nn.Sequential()):
        with pytest.raises(ArgumentError, match=r"^jacobian_spectrum: .* has no layer with"):
            jacobian_spectrum(empty, mg.ones(3, 2))
    for include in (5, [5], [], [None]):
        with pytest.raises(ArgumentError, match=r"include takes paths such as 'layer1\.\*'"):
            jacobian_spectrum(model, mg.ones(3, 2), include=include)
    with pytest.raises(ArgumentError, match="x is a tuple; pass the inputs alone"):
        jacobian_spectrum(model, (mg.ones(3, 2), mg.ones(3)))


def test_what_is_found_is_shown_as_its_table():
    found = jacobian_spectrum(nn.Sequential(nn.Linear(2, 2)), mg.ones(1, 2))
    assert repr(found) == str(found) == found.table()


class Total(nn.Module):
    def forward(self, x):
        return x.sum()
