"""The networks are what their arguments say, with the moments that their papers say."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import ArgumentError, MinigradError
from minigrad.models import ACTIVATIONS, INITS, NORMS, WEIGHT_NORMS, deep_mlp, deep_rnn


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
                                 "sigmoid, tanh, celu, elu, gelu, hardsigmoid, hardtanh, "
                                 "leaky_relu, logsigmoid, mish, prelu, relu6, selu, silu, "
                                 "softplus, softsign, tanhshrink"),
        ({"init": "glorot"}, "deep_mlp: unknown init 'glorot'; use one of default, xavier, he, "
                             "lecun, xavier_normal, xavier_uniform, he_normal, he_uniform, "
                             "lecun_normal, lecun_uniform, orthogonal, eye, zeros, "
                             "normal:STD, trunc_normal:STD, uniform:BOUND, sparse:SHARE, "
                             "constant:VALUE"),
        ({"init": "normal"}, "deep_mlp: init 'normal' needs a number after a colon, such as "
                             "'normal:0.01'"),
        ({"norm": None}, "deep_mlp: unknown norm None; use one of none, batch, layer, rms, group, "
                         "weight, standardized, spectral"),
        ({"norm": "group", "width": 6},
         "deep_mlp: norm='group' makes 4 groups, so width must be a multiple of 4, got 6; use 8, "
         "or norm='layer'"),
        ({"residual": "yes"}, "deep_mlp: unknown residual 'yes'; use one of none, pre, post"),
        ({"depth": 5, "residual": "pre"},
         "deep_mlp: depth 5 is not 2 + a multiple of block=2; with residual, the layers between "
         "first and last stand in blocks of 2, so use depth 4, or another block"),
        ({"depth": 4, "residual": "pre", "residual_scale": "learnt"},
         "deep_mlp: residual_scale must be a number or 'learned', got 'learnt'"),
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


# -- all that it can be made of ----------------------------------------------------------------


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_is_the_function_of_its_name(activation, rng):
    model = deep_mlp(2, 6, activation, in_features=4, dtype=mg.float64)
    x = mg.tensor(rng.normal(size=(7, 4)))
    first, last = linears(model)
    if activation == "identity":
        expected = last(first(x))
    else:
        weight = [0.25] if activation == "prelu" else []
        expected = last(getattr(nn.functional, activation)(first(x), *map(mg.tensor, weight)))
    np.testing.assert_allclose(model(x).data, expected.data, rtol=1e-12)
    assert {p.dtype for p in model.parameters()} == {np.dtype("float64")}


@pytest.mark.parametrize(
    ("init", "variance"),
    [
        ("xavier_normal", 2 / 600), ("xavier_uniform", 2 / 600), ("he_normal", 2 / 300),
        ("he_uniform", 2 / 300), ("lecun", 1 / 300), ("lecun_normal", 1 / 300),
        ("lecun_uniform", 1 / 300), ("orthogonal", 1 / 300), ("zeros", 0), ("normal:0.5", 0.25),
        ("uniform:0.3", 0.09 / 3), ("constant:0.25", 0), ("eye", 1 / 300 - 1 / 300**2),
        ("trunc_normal:0.5", 0.25 * 0.77374), ("sparse:0.75", 1e-4 / 4),
    ],
)  # fmt: skip
def test_every_initialization_has_its_variance(init, variance):
    for gain in (1.0, 3.0):
        model = deep_mlp(3, 300, init=init, generator=mg.Generator(0), gain=gain)
        weight = linears(model)[1].weight.data.astype(np.float64)
        assert weight.var() == pytest.approx(gain**2 * variance, rel=0.02, abs=1e-12)
        assert (linears(model)[1].bias.data == 0).all()
    if init == "constant:0.25":
        assert (weight == 0.75).all()


def test_every_name_of_the_table_of_initializations_is_tried():
    tried = {"default", "xavier", "he"} | {
        "xavier_normal", "xavier_uniform", "he_normal", "he_uniform", "lecun", "lecun_normal",
        "lecun_uniform", "orthogonal", "eye", "zeros",
    }  # fmt: skip
    assert set(INITS) == tried


@pytest.mark.parametrize("norm", NORMS)
def test_every_normalization_stands_between_linear_and_activation(norm, rng):
    model = deep_mlp(3, 8, "identity", norm=norm, dtype=mg.float64)
    x = mg.tensor(rng.normal(size=(16, 64)))
    z = model.layer1.linear(x).data
    a = model.layer1(x).data
    np.testing.assert_allclose(a, model.layer1.norm(mg.tensor(z)).data, rtol=1e-12)
    if norm == "rms":
        np.testing.assert_allclose((a**2).mean(axis=1), 1, rtol=1e-3)
    elif norm == "group":
        # Pairs of features with mean 0.
        np.testing.assert_allclose(a.reshape(16, 4, 2).mean(axis=2), 0, atol=1e-12)
    else:
        axis = 0 if norm == "batch" else 1
        np.testing.assert_allclose(a.mean(axis=axis), 0, atol=1e-12)
        np.testing.assert_allclose(a.var(axis=axis), 1, rtol=1e-3)


@pytest.mark.parametrize("norm", WEIGHT_NORMS)
def test_normalizations_of_the_weights(norm):
    plain = deep_mlp(3, 40, generator=mg.Generator(1), dtype=mg.float64)
    model = deep_mlp(3, 40, norm=norm, generator=mg.Generator(1), dtype=mg.float64)
    for name in ("layer1", "layer2", "layer3"):
        before = plain.get_submodule(f"{name}.linear").weight.data
        after = model.get_submodule(f"{name}.linear").weight.data
        if norm == "weight":  # at first the same function
            np.testing.assert_allclose(after, before, rtol=1e-12)
        elif norm == "standardized":  # what comes into each unit has mean 0 and variance 1
            np.testing.assert_allclose(after.mean(axis=1), 0, atol=1e-12)
            np.testing.assert_allclose(after.var(axis=1), 1, rtol=1e-3)
        else:  # divided by the largest singular value, found in a few rounds of power iteration
            assert np.linalg.norm(after, 2) == pytest.approx(1, abs=0.05)


# -- residual connections ----------------------------------------------------------------------


def plain_by_hand(model: nn.Module, x: np.ndarray) -> np.ndarray:
    for index, layer in enumerate(linears(model)):
        x = (np.tanh(x) if index else x) @ layer.weight.data.T + layer.bias.data
    return x


@pytest.mark.parametrize("block", [1, 2, 3])
@pytest.mark.parametrize("residual", ["pre", "post"])
def test_without_the_way_around_a_residual_network_is_the_plain_one(residual, block, rng):
    options = dict(init="default", in_features=4, dtype=mg.float64)
    model = deep_mlp(8, 6, residual=residual, block=block, generator=mg.Generator(2), **options)
    plain = deep_mlp(8, 6, generator=mg.Generator(2), **options)
    for a, b in zip(linears(model), linears(plain), strict=True):
        np.testing.assert_array_equal(a.weight.data, b.weight.data)
    for m in model.modules():
        if isinstance(m, nn.Residual):
            m.forward = m.branch
    x = rng.normal(size=(3, 4))
    np.testing.assert_allclose(model(mg.tensor(x)).data, plain_by_hand(plain, x), rtol=1e-12)


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_pre_and_post_are_their_formulas(scale, rng):
    x = rng.normal(size=(3, 4))
    for residual in ("pre", "post"):
        model = deep_mlp(4, 6, "tanh", "default", "layer", in_features=4, residual=residual,
                         residual_scale=scale, dtype=mg.float64)  # fmt: skip
        w = [(m.weight.data, m.bias.data) for m in linears(model)]

        def phi(z):
            return np.tanh((z - z.mean(1, keepdims=True)) / np.sqrt(z.var(1, keepdims=True) + 1e-5))

        def lin(i, a, w=w):
            return a @ w[i][0].T + w[i][1]

        if residual == "pre":
            z = lin(0, x)
            z = z + scale * lin(2, phi(lin(1, phi(z))))
            expected = lin(3, phi(z))
        else:
            a = phi(lin(0, x))
            a = phi(a + scale * lin(2, phi(lin(1, a))))
            expected = lin(3, a)
        np.testing.assert_allclose(model(mg.tensor(x)).data, expected, rtol=1e-12)


def test_a_learned_scale_starts_a_deep_stack_as_a_shallow_network(rng):
    # SkipInit: every block is the identity at first.
    deep = deep_mlp(42, 16, residual="pre", residual_scale="learned", dtype=mg.float64)
    x = mg.tensor(rng.normal(size=(3, 64)))
    expected = linears(deep)[-1](linears(deep)[0](x).tanh())
    np.testing.assert_allclose(deep(x).data, expected.data, rtol=1e-12)
    deep(x).sum().backward()
    scales = [m.scale for m in deep.modules() if isinstance(m, nn.Residual)]
    assert len(scales) == 20 and all(s.grad.item() != 0 for s in scales)


def test_residual_blocks_keep_the_gradient_where_the_plain_network_loses_it():
    # 100 sigmoid layers: the plain gradient is gone, the one through the skips is not.
    x = mg.randn(16, 64, generator=mg.Generator(0))
    size = {}
    for residual in ("none", "pre"):
        model = deep_mlp(102, 32, "sigmoid", residual=residual, generator=mg.Generator(1))
        nn.functional.cross_entropy(model(x), np.arange(16) % 10).backward()
        size[residual] = float(abs(linears(model)[0].weight.grad.data).max())
    assert size["none"] < 1e-30 and size["pre"] > 1e-3


def test_names_in_residual_networks():
    model = deep_mlp(4, 8, norm="layer", residual="pre")
    names = [n for n, m in model.named_modules() if isinstance(m, nn.Linear)]
    assert names == [
        "layer1.linear", "block1.branch.layer2.linear", "block1.branch.layer3.linear",
        "layer4.linear",
    ]  # fmt: skip
    post = deep_mlp(3, 8, residual="post", block=1)
    assert "block1.sum.branch.layer2.linear" in dict(post.named_modules())


# -- deep_rnn ----------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["tanh", "relu", "lstm", "gru"])
@pytest.mark.parametrize("each_step", [False, True])
def test_a_recurrent_network_reads_the_top_layer(cell, each_step, rng):
    net = deep_rnn(2, 5, cell, in_features=3, out_features=4, each_step=each_step, dtype=mg.float64)
    x = mg.tensor(rng.normal(size=(6, 7, 3)))
    top = net.rnn(x)[0].data
    expected = top @ net.readout.weight.data.T + net.readout.bias.data
    found = net(x).data
    assert found.shape == ((6, 7, 4) if each_step else (6, 4))
    np.testing.assert_allclose(found, expected if each_step else expected[:, -1], rtol=1e-12)


@pytest.mark.parametrize("cell", ["tanh", "lstm", "gru"])
def test_recurrent_matrices_are_orthogonal_gate_by_gate(cell):
    net = deep_rnn(2, 8, cell, "orthogonal", gain=0.9, dtype=mg.float64)
    for name in ("weight_hh_l0", "weight_hh_l1"):
        for gate in getattr(net.rnn, name).data.reshape(-1, 8, 8):
            np.testing.assert_allclose(np.linalg.svd(gate)[1], 0.9, rtol=1e-10)


def test_recurrent_matrices_of_other_names():
    eye = deep_rnn(1, 4, "relu", "identity", gain=2.0).rnn.weight_hh_l0.data
    np.testing.assert_array_equal(eye, 2 * np.eye(4))
    wide = deep_rnn(1, 200, init="normal:0.1", generator=mg.Generator(0)).rnn.weight_hh_l0.data
    assert wide.std() == pytest.approx(0.1, rel=0.02)


def test_the_forget_bias_is_the_sum_of_both_biases():
    net = deep_rnn(2, 3, "lstm", forget_bias=1.0)
    for layer in ("l0", "l1"):
        both = getattr(net.rnn, f"bias_ih_{layer}").data + getattr(net.rnn, f"bias_hh_{layer}").data
        np.testing.assert_array_equal(both[3:6], 1)
        assert (both[:3] != 1).all() and (both[6:] != 1).all()


@pytest.mark.parametrize("init", ["default", "orthogonal"])
def test_a_deeper_recurrent_network_begins_with_the_same_layers(init):
    shallow, deep = (deep_rnn(n, 6, init=init, generator=mg.Generator(3)) for n in (1, 3))
    shared = shallow.state_dict()
    assert shared.keys() <= deep.state_dict().keys()
    for name, value in shared.items():
        np.testing.assert_array_equal(deep.state_dict()[name].data, value.data)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cell": "rnn"}, "deep_rnn: unknown cell 'rnn'; use one of tanh, relu, lstm, gru"),
        ({"forget_bias": 1.0}, "deep_rnn: forget_bias is for cell='lstm'; 'tanh' has no forget "
                               "gates"),
        ({"init": "normal:x"}, "deep_rnn: init 'normal:x' needs a number after a colon, such as "
                               "'normal:0.01'"),
    ],
)  # fmt: skip
def test_a_wrong_argument_of_deep_rnn(arguments, message):
    with pytest.raises(ArgumentError) as caught:
        deep_rnn(**{"depth": 2, "width": 4} | arguments)
    assert str(caught.value) == message
