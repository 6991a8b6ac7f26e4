"""Weights that are computed: against PyTorch's, their formulas, and what ordinary layers can do."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from nn.twin import check_twins, copy_state

import minigrad as mg
from minigrad import nn, ops, optim
from minigrad.errors import ArgumentError, GraphError, ShapeError
from minigrad.gradcheck import gradcheck, gradgradcheck
from minigrad.nn.utils import parametrizations as P
from minigrad.nn.utils.parametrize import register_parametrization, remove_parametrizations

# How to parametrize a layer in either library.
LIKE_PYTORCH = {
    "weight_norm": lambda p, layer: p.weight_norm(layer),
    "weight_norm, inputs": lambda p, layer: p.weight_norm(layer, dim=1),
    "weight_norm, whole": lambda p, layer: p.weight_norm(layer, dim=None),
    "weight_norm, bias": lambda p, layer: p.weight_norm(layer, "bias", dim=None),
    "spectral_norm": lambda p, layer: p.spectral_norm(layer),
    "spectral_norm, inputs": lambda p, layer: p.spectral_norm(layer, dim=1),
    "spectral_norm, often": lambda p, layer: p.spectral_norm(layer, n_power_iterations=3),
}


def _pair(name: str) -> tuple:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    build = LIKE_PYTORCH[name]
    theirs = build(torch.nn.utils.parametrizations, torch.nn.Linear(4, 3)).double()
    mine = build(P, nn.Linear(4, 3)).double()
    copy_state(theirs, mine)
    return mine, theirs


@pytest.mark.torch
@pytest.mark.parametrize("name", LIKE_PYTORCH)
def test_layer_agrees_with_pytorch(name: str, rng: np.random.Generator) -> None:
    mine, theirs = _pair(name)
    assert repr(mine) == repr(theirs)
    for _ in range(2):  # the power method goes on from one to the next
        check_twins(mine, theirs, rng.normal(size=(5, 4)))
        mine.zero_grad()
        theirs.zero_grad()
    check_twins(mine.eval(), theirs.eval(), rng.normal(size=(5, 4)))


BUILDS = {
    **{name: lambda name=name: LIKE_PYTORCH[name](P, _linear()) for name in LIKE_PYTORCH},
    "weight_standardization": lambda: P.weight_standardization(_linear()),
}


def _linear() -> nn.Linear:
    return nn.Linear(4, 3, dtype=mg.float64, generator=mg.Generator(0))


@pytest.mark.parametrize("name", BUILDS)
def test_weight_has_the_numerical_derivatives(name: str, rng: np.random.Generator) -> None:
    layer = BUILDS[name]().eval()
    (computed,) = layer.parametrizations.keys()
    made = layer.parametrizations[computed]
    originals = [
        mg.tensor(rng.normal(1, 1, p.shape), requires_grad=True)
        for p in made.parameters(recurse=False)
    ]
    assert gradcheck(made.get_submodule("0"), originals)
    assert gradgradcheck(made.get_submodule("0"), originals)


@pytest.mark.parametrize("name", BUILDS)
def test_it_is_one_node(name: str) -> None:
    layer = BUILDS[name]()
    (computed,) = layer.parametrizations.keys()
    node = getattr(layer, computed).grad_fn
    assert node.op.name == name.split(",")[0]
    assert all(parent is None or parent.op is None for parent in node.parents)


@pytest.mark.parametrize("name", BUILDS)
def test_copies_and_pickles_stand_alone(name: str) -> None:
    layer = BUILDS[name]()
    x = mg.ones(2, 4, dtype=mg.float64)
    layer.eval()
    expected = layer(x).data
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert type(other) is type(layer) and isinstance(other, nn.Linear)
        np.testing.assert_array_equal(other(x).data, expected)
        for p in other.parameters():
            p.data += 1
    np.testing.assert_array_equal(layer(x).data, expected)


@pytest.mark.parametrize("name", BUILDS)
def test_an_optimizer_moves_the_computed_weight(name: str, rng: np.random.Generator) -> None:
    layer = BUILDS[name]()
    (computed,) = layer.parametrizations.keys()
    before = getattr(layer, computed).data.copy()
    adam = optim.Adam(layer.parameters(), lr=0.1)
    (layer(mg.tensor(rng.normal(size=(5, 4)))) ** 2).sum().backward()
    adam.step()
    assert not np.allclose(getattr(layer, computed).data, before)


def test_weight_norm_changes_nothing_at_first() -> None:
    plain = _linear()
    weight = plain.weight.data.copy()
    layer = P.weight_norm(plain)
    np.testing.assert_allclose(layer.weight.data, weight, rtol=1e-14)
    lengths = layer.parametrizations["weight"].original0.data
    np.testing.assert_allclose(lengths, np.linalg.norm(weight, axis=1, keepdims=True), rtol=1e-14)


def test_weight_norm_learns_directions_apart_from_lengths(rng: np.random.Generator) -> None:
    layer = P.weight_norm(_linear())
    learned = layer.parametrizations["weight"]
    learned.original0.data[...] = [[1.0], [2.0], [3.0]]
    np.testing.assert_allclose(np.linalg.norm(layer.weight.data, axis=1), [1, 2, 3], rtol=1e-14)
    (layer(mg.tensor(rng.normal(size=(5, 4)))) ** 2).sum().backward()
    v = learned.original1
    np.testing.assert_allclose((v.grad * v).sum(axis=1).data, 0, atol=1e-12)


def test_spectral_norm_makes_the_largest_singular_value_1() -> None:
    weight = _linear().weight.data.copy()
    layer = P.spectral_norm(_linear(), n_power_iterations=200, generator=mg.Generator(0))
    values = np.linalg.svd(weight, compute_uv=False)
    found = np.linalg.svd(layer.weight.data, compute_uv=False)
    np.testing.assert_allclose(found, values / values[0], rtol=1e-12)


def test_spectral_norm_of_more_axes() -> None:
    layer = nn.Module()
    layer.weight = nn.Parameter(mg.randn(3, 4, 2, dtype=mg.float64, generator=mg.Generator(0)))
    P.spectral_norm(layer, n_power_iterations=200, dim=1, generator=mg.Generator(1))
    assert layer.weight.shape == (3, 4, 2)
    matrix = np.moveaxis(layer.weight.data, 1, 0).reshape(4, 6)
    np.testing.assert_allclose(np.linalg.norm(matrix, 2), 1, rtol=1e-12)


def test_spectral_norm_stands_still_in_evaluation() -> None:
    layer = P.spectral_norm(nn.Linear(8, 8, generator=mg.Generator(0)), generator=mg.Generator(0))
    vectors = layer.parametrizations["weight"].get_submodule("0")
    start = vectors._u.data.copy()
    layer.eval()
    assert layer.weight is not None and (vectors._u.data == start).all()
    layer.train()
    assert layer.weight is not None and not (vectors._u.data == start).all()


def test_two_forwards_before_one_backward() -> None:
    # The power method moves u and v in place in between; the first graph must not notice.
    layer = P.spectral_norm(_linear(), generator=mg.Generator(0))
    x = mg.ones(2, 4, dtype=mg.float64)
    (layer(x).sum() - (layer(2 * x) ** 2).sum()).backward()
    assert np.isfinite(layer.parametrizations["weight"].original.grad.data).all()


def test_weight_standardization_is_its_formula() -> None:
    w = _linear().weight
    layer = P.weight_standardization(_linear(), eps=0.1)
    centred = w - w.mean(axis=1, keepdims=True)
    wanted = centred / ops.sqrt((centred**2).mean(axis=1, keepdims=True) + 0.1)
    np.testing.assert_allclose(layer.weight.data, wanted.data, rtol=1e-14)


@pytest.mark.parametrize("name", BUILDS)
def test_removing_leaves_an_ordinary_layer(name: str) -> None:
    layer = BUILDS[name]().eval()
    (computed,) = layer.parametrizations.keys()
    value = getattr(layer, computed).data.copy()
    assert remove_parametrizations(layer, computed) is layer
    assert type(layer) is nn.Linear and type(getattr(layer, computed)) is nn.Parameter
    np.testing.assert_array_equal(getattr(layer, computed).data, value)
    assert sorted(layer.state_dict()) == ["bias", "weight"]


def test_two_parameters_of_one_layer() -> None:
    layer = P.weight_norm(P.weight_norm(_linear()), "bias", dim=None)
    assert type(layer).__name__ == "ParametrizedLinear"
    x = mg.ones(2, 4, dtype=mg.float64)
    np.testing.assert_allclose(layer(x).data, _linear()(x).data, rtol=1e-14)
    remove_parametrizations(layer, "weight")
    np.testing.assert_allclose(layer(x).data, _linear()(x).data, rtol=1e-14)
    assert list(layer.parametrizations.keys()) == ["bias"]


def test_a_frozen_weight_stays_frozen() -> None:
    plain = _linear()
    plain.weight.requires_grad_(False)
    layer = P.weight_norm(plain)
    assert not layer.weight.requires_grad
    assert not remove_parametrizations(layer, "weight").weight.requires_grad


class _Double(nn.Module):
    def forward(self, original):
        return 2 * original


MESSAGES = {
    "no such parameter": (
        lambda: P.weight_norm(_linear(), "wieght"),
        ArgumentError,
        "get_parameter: no parameter 'wieght': Linear has no 'wieght'; it has weight, bias",
    ),
    "twice": (
        lambda: register_parametrization(P.weight_norm(_linear()), "weight", _Double()),
        ArgumentError,
        "parametrize: 'weight' of this ParametrizedLinear is parametrized already; "
        "remove_parametrizations first",
    ),
    "not there to remove": (
        lambda: remove_parametrizations(_linear(), "weight"),
        ArgumentError,
        "remove_parametrizations: 'weight' of this Linear is not parametrized; those that are: "
        "none",
    ),
    "assigned": (
        lambda: setattr(P.weight_norm(_linear()), "weight", nn.Parameter(mg.ones(3, 4))),
        ArgumentError,
        "ParametrizedLinear: 'weight' is computed from parametrizations.weight; write into what "
        "is learned there, or remove_parametrizations first",
    ),
    "initialized too late": (
        lambda: nn.init.xavier_normal_(P.weight_norm(_linear()).weight),
        GraphError,
        "normal_: 'weight_norm' computed this tensor from others, and writing into it would not "
        "change those; initialize before parametrizing a layer",
    ),
    "no direction": (
        lambda: P.weight_norm(nn.Linear(2, 2).apply(lambda m: nn.init.zeros_(m.weight))),
        ArgumentError,
        "weight_norm: a weight of shape (2, 2) has a part that is 0 throughout, which has no "
        "direction; initialize it otherwise first",
    ),
    "spectral_norm of a vector": (
        lambda: P.spectral_norm(_linear(), "bias"),
        ShapeError,
        "spectral_norm: needs a matrix, two axes or more, got shape (3,)",
    ),
    "no iterations": (
        lambda: P.spectral_norm(_linear(), n_power_iterations=0),
        ArgumentError,
        "spectral_norm: n_power_iterations must be a whole number of at least 1, got 0",
    ),
    "one weight per output": (
        lambda: P.weight_standardization(nn.Linear(1, 3)),
        ShapeError,
        "weight_standardization: 'weight' of shape (3, 1) has fewer than two weights per output, "
        "which have no variance",
    ),
}


@pytest.mark.parametrize("case", MESSAGES)
def test_message(case: str) -> None:
    call, kind, message = MESSAGES[case]
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value) == message


def test_what_is_refused_leaves_the_layer_alone() -> None:
    layer = nn.Linear(2, 2)
    nn.init.zeros_(layer.weight)
    with pytest.raises(ArgumentError):
        P.weight_norm(layer)
    assert type(layer) is nn.Linear and list(layer.state_dict()) == ["weight", "bias"]


def test_a_parameter_takes_one_parametrization() -> None:
    for again in (P.spectral_norm, P.weight_norm, P.weight_standardization):
        with pytest.raises(ArgumentError, match="is parametrized already"):
            again(P.weight_norm(_linear()))


def test_a_dim_that_two_libraries_read_differently_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"weight_norm: dim = -1 would mean .* say dim=None"):
        P.weight_norm(_linear(), dim=-1)
