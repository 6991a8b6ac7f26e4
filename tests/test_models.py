"""deep_mlp builds the network that its arguments say, with the moments that its papers say."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import ArgumentError, MinigradError
from minigrad.models import deep_mlp


def linears(model: nn.Module) -> list[nn.Linear]:
    return [m for m in model.modules() if isinstance(m, nn.Linear)]


def test_the_parts_are_named_by_layer_and_role():
    model = deep_mlp(3, 8, "relu", norm="batch", generator=mg.Generator(0))
    names = [name for name, m in model.named_modules() if not list(m.children())]
    assert names == [
        "layer1.linear", "layer1.norm", "layer1.act",
        "layer2.linear", "layer2.norm", "layer2.act",
        "layer3.linear",
    ]  # fmt: skip


def test_depth_counts_the_linear_layers_and_the_last_gives_the_classes():
    model = deep_mlp(4, 8, in_features=5, out_features=3)
    assert [m.weight.shape for m in linears(model)] == [(8, 5), (8, 8), (8, 8), (3, 8)]
    assert model(mg.ones(2, 5)).shape == (2, 3)
    assert [m.weight.shape for m in linears(deep_mlp(1, 8))] == [(10, 64)]


@pytest.mark.parametrize(
    ("activation", "function"),
    [
        ("identity", lambda z: z),
        ("relu", lambda z: np.maximum(z, 0)),
        ("sigmoid", lambda z: 1 / (1 + np.exp(-z))),
        ("tanh", np.tanh),
    ],
)
def test_the_output_is_what_the_formula_gives(activation, function, rng):
    model = deep_mlp(3, 6, activation, "default", in_features=4, dtype=mg.float64)
    x = rng.normal(size=(7, 4))
    expected = x
    for index, layer in enumerate(linears(model)):
        expected = (function(expected) if index else expected) @ layer.weight.data.T
        expected = expected + layer.bias.data
    np.testing.assert_allclose(model(mg.tensor(x)).data, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("init", "variance", "bias_variance"),
    [("default", 1 / (3 * 300), 1 / (3 * 300)), ("xavier", 2 / (300 + 300), 0), ("he", 2 / 300, 0)],
)
def test_weights_have_the_variance_of_their_initialization(init, variance, bias_variance):
    model = deep_mlp(3, 300, init=init, generator=mg.Generator(0), dtype=mg.float64)
    weight, bias = linears(model)[1].weight.data, linears(model)[1].bias.data
    # The variance of 90,000 draws is known to sqrt(2/90000) = 0.5 %; of 300, to 8 %.
    assert abs(weight.mean()) < 4 * np.sqrt(variance / weight.size)
    assert weight.var() == pytest.approx(variance, rel=0.02)
    assert (bias**2).mean() == pytest.approx(bias_variance, rel=0.3)


def test_xavier_looks_at_both_ends_and_he_at_the_input_only():
    for init, variance in (("xavier", 2 / (64 + 2000)), ("he", 2 / 64)):
        first = linears(deep_mlp(2, 2000, init=init, generator=mg.Generator(0)))[0]
        assert first.weight.data.var() == pytest.approx(variance, rel=0.03)


def test_a_deeper_network_begins_with_the_same_layers():
    shallow = linears(deep_mlp(3, 8, generator=mg.Generator(5)))
    deep = linears(deep_mlp(9, 8, generator=mg.Generator(5)))
    for a, b in zip(shallow[:2], deep, strict=False):
        np.testing.assert_array_equal(a.weight.data, b.weight.data)
    assert not np.array_equal(deep[1].weight.data, deep[2].weight.data)


def test_a_layer_draws_the_same_whatever_the_layers_before_it_draw():
    narrow = linears(deep_mlp(3, 8, in_features=5, generator=mg.Generator(5)))
    wide = linears(deep_mlp(3, 8, in_features=50, generator=mg.Generator(5)))
    np.testing.assert_array_equal(narrow[1].weight.data, wide[1].weight.data)


def test_without_a_generator_networks_differ_but_follow_manual_seed():
    def two() -> list[np.ndarray]:
        mg.manual_seed(3)
        return [linears(deep_mlp(2, 8))[0].weight.data for _ in range(2)]

    first, second = two()
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(two(), [first, second])


def test_dtype_and_bias_reach_every_layer():
    model = deep_mlp(3, 8, norm="layer", bias=False, dtype=mg.float64)
    assert {p.dtype for p in model.parameters()} == {np.dtype("float64")}
    assert [m.bias for m in linears(model)] == [None] * 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"activation": "tahn"}, "deep_mlp: unknown activation 'tahn'; use one of identity, relu, "
                                 "sigmoid, tanh"),
        ({"init": "glorot"}, "deep_mlp: unknown init 'glorot'; use one of default, xavier, he"),
        ({"norm": None}, "deep_mlp: unknown norm None; use one of none, batch, layer"),
        ({"depth": 0}, "deep_mlp: depth must be a whole number of at least 1, got 0"),
        ({"width": 2.5}, "deep_mlp: width must be a whole number of at least 1, got 2.5"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_one_line_with_the_valid_ones(arguments, message):
    with pytest.raises(ArgumentError) as caught:
        deep_mlp(**{"depth": 3, "width": 8} | arguments)
    assert str(caught.value) == message


def test_an_error_inside_names_the_layer():
    with pytest.raises(MinigradError, match=r"layer 'layer1\.linear'"):
        deep_mlp(3, 8)(mg.ones(2, 63))
