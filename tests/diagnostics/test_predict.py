"""Predictions of whole networks: against the formulas of theory, and against measured networks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from diagnostics.pairs import OTHERS, PLAIN, factors

import minigrad as mg
from minigrad import nn
from minigrad.diagnostics import Probe, predict, theory
from minigrad.diagnostics.predicting import chance
from minigrad.diagnostics.predicting.walk import Walk
from minigrad.diagnostics.theory import LayerScale
from minigrad.errors import ArgumentError
from minigrad.meanfield import averages
from minigrad.models import ACTIVATIONS, deep_mlp

WIDTH = 256


def linears(net: nn.Module) -> list[nn.Module]:
    return [module for module in net.modules() if isinstance(module, nn.Linear)]


def stack(*middle: nn.Module) -> nn.Sequential:
    """Linear, what is given, Linear; He's initialization, no biases."""
    first, last = (nn.Linear(fan_in, WIDTH, dtype=np.float64) for fan_in in (64, WIDTH))
    for i, layer in enumerate((first, last)):
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=mg.Generator(100 + i))
        nn.init.zeros_(layer.bias)
    return nn.Sequential(first, *middle, last)


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


# -- against the formulas ------------------------------------------------------------------------


@pytest.mark.parametrize("activation", [name for name in ACTIVATIONS if name != "tanhshrink"])
@pytest.mark.parametrize("init", ["default", "he"])
def test_plain_networks_follow_the_formulas(activation, init):
    net = deep_mlp(12, 64, activation, init, generator=mg.Generator(1))
    scales = [LayerScale.of(layer) for layer in linears(net)]
    x = 2 * normal(50, 64)
    found = predict(net, x)
    variances = theory.variance_profile(scales, activation, float((x**2).mean()))
    gradients = theory.gradient_profile(scales, activation, float((x**2).mean()), 1.0)
    # The share of units between two kinks is off by up to one of 16384 members, per layer.
    np.testing.assert_allclose(found.z_rms, np.sqrt(variances), rtol=5e-4)
    np.testing.assert_allclose(found.dz_rms, gradients, rtol=5e-4)
    assert found.layers == tuple(f"layer{i}.linear" for i in range(1, 13))
    hidden = np.array(gradients[:-1])
    assert found.factor_per_layer == pytest.approx((hidden[0] / hidden[-1]) ** (1 / 10), rel=1e-4)


@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu"])
def test_correlations_follow_the_map(activation):
    net = deep_mlp(8, 100, activation, "default", generator=mg.Generator(1), gain=2.0)
    x = 0.8 * normal(200, 64) + normal(1, 64, seed=1)
    found = predict(net, x)
    c, q = found.correlation[0], found.z_rms[0] ** 2
    assert c == pytest.approx(0.6, abs=0.1)
    for layer, measured in zip(linears(net)[1:], found.correlation[1:], strict=True):
        scale = LayerScale.of(layer)
        numbers = (scale.sigma_w2, scale.bias_variance, activation)
        c, q = theory.correlation_map(c, q, *numbers), theory.variance_map(q, *numbers)
        assert measured == pytest.approx(c, abs=0.01)


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu", "sigmoid", "selu"])
@pytest.mark.parametrize("init", ["default", "he"])
def test_batch_norm_has_its_factor_whatever_the_weights(activation, init):
    net = deep_mlp(6, 400, activation, init, norm="batch", generator=mg.Generator(0))
    # Against eps the variance of z must be large.
    for layer in linears(net):
        layer.weight.data *= 30
        nn.init.zeros_(layer.bias)
    found = predict(net)
    scales = [LayerScale.of(layer).sigma_w2 for layer in linears(net)]
    # Towards the input the weights' own variance drops out, save where they differ by chance.
    squares = (found.dz_rms[1:-2] / found.dz_rms[2:-1]) ** 2
    by_chance = np.array(scales[2:-1]) / np.array(scales[1:-2])
    factor = theory.batch_norm_factor(activation)
    np.testing.assert_allclose(squares / by_chance, factor, rtol=1e-3)


def test_layer_and_rms_norm_have_theirs():
    for norm in ("layer", "rms"):
        net = deep_mlp(6, 400, "tanh", "he", norm=norm, bias=False, generator=mg.Generator(0))
        found = predict(net)
        scales = np.array([LayerScale.of(layer).sigma_w2 for layer in linears(net)])
        squares = (found.dz_rms[1:-2] / found.dz_rms[2:-1]) ** 2 / (scales[2:-1] / scales[1:-2])
        np.testing.assert_allclose(squares, theory.layer_norm_factor("tanh"), rtol=1e-3)


def test_residual_growth_is_2_to_the_l_and_l_plus_1():
    def exactly_he(net: nn.Module) -> nn.Module:
        for layer in linears(net):
            layer.weight.data *= math.sqrt(2 / LayerScale.of(layer).sigma_w2)
        return net

    net = exactly_he(deep_mlp(22, 64, "relu", "he", residual="pre", block=1,
                              generator=mg.Generator(0)))  # fmt: skip
    blocks = predict(net)
    growth = blocks.z_rms[~np.array(blocks.linear)] ** 2 / blocks.z_rms[0] ** 2
    wanted = [theory.residual_variance(count) for count in range(1, 21)]
    np.testing.assert_allclose(growth, wanted, rtol=0.01)

    net = exactly_he(deep_mlp(22, 64, "relu", "he", residual="pre", norm="layer", block=1,
                              generator=mg.Generator(0)))  # fmt: skip
    blocks = predict(net, normal(500, 64))
    squares = blocks.z_rms[~np.array(blocks.linear)] ** 2
    # The first layer brings 2, each branch adds 1.
    np.testing.assert_allclose(np.diff(squares), 1, rtol=0.02)


def test_residual_networks_follow_the_formulas():
    scale = 0.7
    net = deep_mlp(26, 64, "tanh", "he", residual="pre", residual_scale=scale, block=1,
                   generator=mg.Generator(2))  # fmt: skip
    found = predict(net)
    layers = {path: LayerScale.of(m) for path, m in net.named_modules() if isinstance(m, nn.Linear)}
    z = dict(zip(found.layers, found.z_rms, strict=True))
    dz = dict(zip(found.layers, found.dz_rms, strict=True))
    q, slopes = layers["layer1.linear"].sigma_w2, []
    for k in range(1, 25):
        layer = layers[f"block{k}.branch.layer{k + 1}.linear"]
        slopes.append(1 + scale**2 * theory.chi(q, layer.sigma_w2, "tanh"))
        q += scale**2 * theory.variance_map(q, layer.sigma_w2, 0.0, "tanh")
        assert z[f"block{k}"] == pytest.approx(math.sqrt(q), rel=3e-4)
        # Within the branch, it is the block's gradient times the scale.
        inside = dz[f"block{k}.branch.layer{k + 1}.linear"]
        assert inside == pytest.approx(scale * dz[f"block{k}"], rel=1e-9)
    growth = (dz["layer1.linear"] / dz["block24"]) ** 2
    assert growth == pytest.approx(math.prod(slopes), rel=3e-3)


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9])
def test_dropout_multiplies_both_by_1_over_1_minus_p(p):
    plain = predict(stack(nn.Tanh()))
    dropped = predict(stack(nn.Tanh(), nn.Dropout(p)))
    assert dropped.z_rms[1] == pytest.approx(plain.z_rms[1] / math.sqrt(1 - p), rel=0.03)
    assert dropped.dz_rms[0] == pytest.approx(plain.dz_rms[0] / math.sqrt(1 - p), rel=0.03)
    evaluated = predict(stack(nn.Tanh(), nn.Dropout(p)).eval())
    np.testing.assert_array_equal(evaluated.z_rms, plain.z_rms)


def test_an_average_network_has_the_prediction_in_the_mean():
    # Not only per layer: the size of z, too, first to last.
    ratios = []
    for seed in range(10):
        net = deep_mlp(6, WIDTH, "gelu", "he", generator=mg.Generator(seed), dtype=np.float64)
        x = normal(64, 64, seed=seed)
        with Probe(net, include=nn.Linear) as probe:
            net(mg.tensor(x)).sum().backward()
        ratios.append(probe.series("z_rms")[0] / predict(net, x).z_rms)
    np.testing.assert_allclose(np.mean(ratios, axis=0)[:-1], 1, rtol=0.02)


# -- against networks ----------------------------------------------------------------------------

QUICK = [
    "tanh, default", "tanh, he", "tanh, critical at 0.3", "sigmoid, default", "relu, xavier",
    "relu, he", "identity, xavier", "gelu, he", "selu, lecun", "elu, xavier", "softplus, lecun",
    "hardtanh, he", "hardsigmoid, xavier", "softsign, he",
]  # fmt: skip


@pytest.mark.parametrize("name", QUICK)
def test_plain_networks_do_as_predicted(name):
    # `python tests/diagnostics/pairs.py` prints the whole table.
    measured, predicted = factors(PLAIN[name])
    assert measured == pytest.approx(predicted, rel=0.02)


@pytest.mark.parametrize("name", OTHERS)
def test_the_others_do_as_predicted(name):
    measured, predicted = factors(OTHERS[name], seeds=4, examples=128)
    assert measured == pytest.approx(predicted, rel=0.02)


def _per_feature_scale() -> nn.Module:
    return nn.Residual(
        nn.Sequential(nn.Tanh(), nn.Linear(WIDTH, WIDTH)), nn.Parameter(np.abs(normal(WIDTH)))
    )


def _evaluated_batch_norm() -> nn.Module:
    layer = nn.BatchNorm1d(WIDTH, dtype=np.float64)
    layer.running_mean.data[...] = 0.3 * normal(WIDTH, seed=1)
    layer.running_var.data[...] = np.exp(normal(WIDTH, seed=2) / 2)
    layer.weight.data[...] = 1 + normal(WIDTH, seed=3) / 3
    layer.bias.data[...] = normal(WIDTH, seed=4) / 3
    return layer.eval()


def _trained_layer_norm() -> nn.Module:
    layer = nn.LayerNorm(WIDTH)
    layer.weight.data[...] = 1 + normal(WIDTH, seed=3) / 2
    layer.bias.data[...] = normal(WIDTH, seed=4) / 2
    return layer


def _linear() -> nn.Module:
    return nn.Linear(WIDTH, WIDTH)


UNUSUAL = {
    "batch norm after the activation": lambda: [nn.ReLU(), nn.BatchNorm1d(WIDTH), _linear()],
    "batch norm, dropout, ReLU": lambda: [
        nn.BatchNorm1d(WIDTH), nn.Dropout(0.3), nn.ReLU(), _linear(),
    ],
    "dropout before the activation": lambda: [nn.Dropout(0.3), nn.Tanh(), _linear()],
    "layer norm after the activation": lambda: [nn.ReLU(), nn.LayerNorm(WIDTH), _linear()],
    "and an activation after that": lambda: [
        nn.ReLU(), nn.LayerNorm(WIDTH), nn.Tanh(), _linear(),
    ],
    "two activations": lambda: [nn.Tanh(), nn.Softplus(), _linear()],
    "alpha dropout": lambda: [nn.SELU(), nn.AlphaDropout(0.2), _linear()],
    "a branch that ends in tanh": lambda: [nn.Residual(nn.Sequential(_linear(), nn.Tanh()))],
    "and ReLU around it": lambda: [
        nn.Residual(nn.Sequential(_linear(), nn.Tanh())), nn.ReLU(),
    ],
    "as in the first transformers": lambda: [
        nn.Residual(nn.Sequential(_linear(), nn.ReLU(), _linear())), nn.LayerNorm(WIDTH),
    ],
    "a scale per feature": lambda: [_per_feature_scale()],
    "batch norm in evaluation": lambda: [_evaluated_batch_norm(), nn.Tanh(), _linear()],
    "layer norm as trained": lambda: [_trained_layer_norm(), nn.Tanh(), _linear()],
}  # fmt: skip


@pytest.mark.parametrize("name", UNUSUAL)
def test_unusual_networks_do_as_predicted(name):
    def build(generator: mg.Generator) -> nn.Module:
        parts = [part for _ in range(6) for part in UNUSUAL[name]()]
        net = stack(*parts).double()
        for path, layer in net.named_modules():
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight, generator=generator.fork(path))
            if isinstance(layer, nn.Dropout | nn.AlphaDropout):
                layer.generator = generator.fork(path)
        return net

    measured, predicted = factors(build, seeds=4, examples=128)
    assert measured == pytest.approx(predicted, rel=0.02)


@pytest.mark.parametrize(
    "first",
    [nn.Flatten(), nn.LayerNorm(64), nn.BatchNorm1d(64), nn.Tanh(), nn.Identity(),
     nn.RMSNorm(64), nn.Dropout(0.3, generator=mg.Generator(3))],
    ids=lambda module: type(module).__name__,
)  # fmt: skip
def test_what_comes_before_the_first_layer_acts_on_the_batch_itself(first):
    net = nn.Sequential(first.double(), *stack(nn.Tanh()))
    x = 3 * normal(512, 64) ** 3
    predicted = predict(net, x)
    assert predicted.z_rms[0] == pytest.approx(_measure(net, x)[0], rel=0.05)


def _measure(net: nn.Module, x: np.ndarray) -> np.ndarray:
    with Probe(net, include=nn.Linear) as probe:
        net(mg.tensor(x)).sum().backward()
    return probe.series("z_rms")[0]


def test_a_residual_block_may_come_first():
    block = nn.Residual(nn.Linear(64, 64, dtype=np.float64))
    net = nn.Sequential(block, nn.Tanh(), nn.Linear(64, 8, dtype=np.float64))
    x = normal(256, 64) + 0.5
    found = predict(net, x)
    assert found.layers == ("0.branch", "0", "2")
    np.testing.assert_allclose(found.z_rms[[0, 2]], _measure(net, x), rtol=0.15)


# -- what is left as it was ----------------------------------------------------------------------


def test_the_network_is_not_touched():
    net = nn.Sequential(
        nn.BatchNorm1d(64), nn.Dropout(0.5, generator=mg.Generator(0)),
        nn.utils.parametrizations.spectral_norm(nn.Linear(64, 64)), nn.BatchNorm1d(64), nn.Tanh(),
        nn.Dropout(0.5, generator=mg.Generator(1)), nn.Linear(64, 2),
    )  # fmt: skip
    seen = []
    for module in net:
        module.register_forward_hook(lambda *args: seen.append(args))
    before = {name: value.data.copy() for name, value in net.state_dict().items()}
    first, second = predict(net, normal(200, 64)), predict(net, normal(200, 64))
    np.testing.assert_array_equal(first.z_rms, second.z_rms)
    for name, value in net.state_dict().items():
        np.testing.assert_array_equal(value.data, before[name])
    assert not seen
    assert all(module.training for module in net.modules())
    assert net[1].generator.uniform((1,)) == mg.Generator(0).uniform((1,))


def test_a_gradient_that_underflows_is_still_predicted():
    net = deep_mlp(400, 32, "sigmoid", "default", generator=mg.Generator(0))
    found = predict(net)
    assert found.log10_dz_rms[0] == pytest.approx(399 * math.log10(0.141), rel=0.02)
    assert found.log10_dz_rms[0] < -308
    assert "e-3" in found.table().splitlines()[1]


def test_weights_of_zero_stop_everything():
    net = deep_mlp(5, 64, "tanh", "zeros", generator=mg.Generator(0))
    found = predict(net)
    assert not found.z_rms.any()
    assert found.log10_dz_rms.tolist() == [-math.inf] * 4 + [0.0]
    assert found.dz_rms.tolist() == [0, 0, 0, 0, 1]
    assert "nan" in found.table()


def test_numbers_beyond_all_floats_are_said_to_be():
    found = predict(deep_mlp(120, 64, "identity", "normal:10", generator=mg.Generator(0)))
    assert np.isinf(found.z_rms[-1])
    assert "on, z is beyond all floats" in found.notes[0]
    silent = nn.Sequential(nn.Linear(3, 9), nn.LayerNorm(9, eps=0.0), nn.Linear(9, 2))
    nn.init.zeros_(silent[0].weight)
    nn.init.zeros_(silent[0].bias)
    assert np.isnan(predict(silent).z_rms[1]) and np.isnan(predict(silent).dz_rms[0])


def test_skipinit_starts_as_the_identity():
    net = deep_mlp(6, 64, "relu", "he", residual="pre", residual_scale="learned",
                   generator=mg.Generator(0))  # fmt: skip
    found = dict(zip(predict(net).layers, predict(net).dz_rms, strict=True))
    assert found["block1.branch.layer2.linear"] == 0
    assert found["layer1.linear"] == pytest.approx(found["block2"], rel=1e-12)


def test_what_follows_the_last_layer_belongs_to_the_loss():
    net = stack(nn.Tanh())
    with_more = nn.Sequential(*net, nn.Softmax())
    np.testing.assert_array_equal(predict(net).dz_rms, predict(with_more).dz_rms)


# -- laid over a measurement ---------------------------------------------------------------------


def test_over_a_probe():
    net = deep_mlp(10, WIDTH, "tanh", "xavier", generator=mg.Generator(0), dtype=np.float64,
                   residual="pre")  # fmt: skip
    x = normal(100, 64)
    with Probe(net) as probe:
        nn.functional.cross_entropy(net(mg.tensor(x)), mg.tensor(np.arange(100) % 10)).backward()
    prediction = predict(net, x)
    over = prediction.over(probe)
    assert over.layers == prediction.layers and over.only_predicted == ()
    place = probe.layers.index("layer10.linear")
    last = probe.series("dz_rms")[0, place]
    assert over.dz_rms[-1] == over.dz_rms_predicted[-1] == last
    np.testing.assert_allclose(over.dz_rms_predicted, last * prediction.dz_rms)
    np.testing.assert_allclose(over.z_rms_predicted, over.z_rms, rtol=0.1)
    # The first layer and the blocks: what lies inside of a block is not on the way.
    blocks = np.flatnonzero(~np.array(over.linear))
    hidden = over.dz_rms[[over.layers.index("layer1.linear"), *blocks]]
    expected = (hidden[0] / hidden[-1]) ** (1 / (len(hidden) - 1))
    assert over.factor_per_layer == pytest.approx(expected)
    assert over.factor_per_layer_predicted == pytest.approx(prediction.factor_per_layer)
    lines = over.table().splitlines()
    assert len(lines) == 2 + len(over.layers) + 1
    assert lines[-1].startswith(f"dL/dz per block: measured x {over.factor_per_layer:.3f}, predict")


def test_layers_that_only_one_side_knows_are_named():
    net = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.Tanh(), nn.Linear(8, 3))
    with Probe(net, exclude="0") as probe:
        net(mg.ones(5, 4)).sum().backward()
    over = predict(net).over(probe)
    assert (over.layers, over.only_predicted, over.only_measured) == (("3",), ("0",), ("1",))
    assert math.isnan(over.factor_per_layer)
    assert over.table().splitlines()[-2:] == ["not measured: 0", "not predicted: 1"]


def test_over_nothing():
    net = stack(nn.Tanh())
    with Probe(net) as probe:
        pass
    with pytest.raises(ArgumentError, match="no record 0: 0 were made; run forward and backward"):
        predict(net).over(probe)
    with Probe(net) as probe:
        net(mg.tensor(normal(3, 64)))
    with pytest.raises(ArgumentError, match="no finite dL/dz above 0 at '2', from where"):
        predict(net).over(probe)
    other = nn.Sequential(nn.Identity(), *stack(nn.Tanh()))
    with pytest.raises(ArgumentError, match=r"no Linear layer is in both\. Is it the same network"):
        predict(deep_mlp(3, 8)).over(probe)
    assert predict(other).layers == ("1", "3")


def errors_per_layer(activation, init, depth, seeds=8):
    """Per seed, how far the log of the measured factor per layer lies from the predicted one."""
    for seed in range(seeds):
        g = mg.Generator(seed)
        net = deep_mlp(depth, WIDTH, activation, init, in_features=64, generator=g)
        x = mg.randn(64, 64, generator=g)
        with Probe(net, full=0) as probe:
            nn.functional.cross_entropy(net(x), mg.tensor(np.arange(64) % 10)).backward()
        over = predict(net, x).over(probe)
        yield math.log(over.factor_per_layer / over.factor_per_layer_predicted)


def test_where_chance_at_this_width_leads_far_off_it_is_said():
    net = deep_mlp(20, 256, "gelu", "he", generator=mg.Generator(0))
    (note,) = predict(net).notes
    assert note.startswith("chance moves the mean square of z at these widths, and such a deviat")
    assert note in predict(net).table() and note in repr(predict(net))
    with Probe(net) as probe:
        net(mg.tensor(normal(20, 64).astype(np.float32))).sum().backward()
    assert predict(net).over(probe).table().endswith(f"note: {note}")


@pytest.mark.parametrize(
    ("activation", "init", "depth"),
    [("tanh", "xavier", 20), ("relu", "he", 20), ("tanh", "he", 20), ("sigmoid", "xavier", 20),
     ("selu", "lecun", 20), ("gelu", "xavier", 20), ("gelu", "he", 6)],
)  # fmt: skip
def test_where_it_does_not_nothing_is(activation, init, depth):
    assert predict(deep_mlp(depth, 256, activation, init, generator=mg.Generator(0))).notes == ()


@pytest.mark.parametrize("norm", ["layer", "rms", "batch"])
def test_a_normalization_keeps_chance_small(norm):
    net = deep_mlp(20, 256, "gelu", "he", norm, generator=mg.Generator(0))
    assert predict(net).notes == ()


@pytest.mark.parametrize(
    ("activation", "init", "depth"),
    [("gelu", "he", 20), ("silu", "he", 10), ("tanh", "xavier", 20)],
)
def test_how_far_off_is_as_far_as_networks_lie(activation, init, depth):
    told = []
    for seed in range(4):
        net = deep_mlp(depth, WIDTH, activation, init, in_features=64, generator=mg.Generator(seed))
        x = normal(64, 64)
        walk, nudged = Walk(net, x), Walk(net, x, chance.NUDGE)
        walk.there_and_back()
        nudged.there_and_back()
        told.append(chance.of_width(walk.rows, nudged.rows).per_layer)
    measured = np.sqrt(np.mean(np.square([*errors_per_layer(activation, init, depth)])))
    # Of eight numbers the rms scatters by a quarter, and the slopes differ from net to net.
    assert 0.5 < measured / np.mean(told) < 2


@pytest.mark.parametrize("activation", ["gelu", "tanh", "relu", "sigmoid"])
def test_chance_is_that_of_the_product_of_slopes(activation):
    net = deep_mlp(7, 128, activation, "he", in_features=64, generator=mg.Generator(0))
    x = normal(100, 64)
    walk, nudged = Walk(net, x), Walk(net, x, chance.NUDGE)
    walk.there_and_back()
    nudged.there_and_back()
    found = chance.of_width(walk.rows, nudged.rows)

    scales = [LayerScale.of(layer) for layer in linears(net)]
    phi = ACTIVATIONS[activation]().forward
    q = theory.variance_profile(scales, activation, float((x**2).mean()))[:-1]

    def log_chi(size):
        return math.log(averages(phi, size).slope_square)

    # d log q' / d log q, d log chi / d log q, and the variance of the mean of phi^2, per layer.
    on = [averages(phi, a).growth * s.sigma_w2 * a / b
          for a, b, s in zip(q, q[1:], scales[1:], strict=False)]  # fmt: skip
    of_chi = [(log_chi(a * 1.001) - log_chi(a * 0.999)) / 0.002 for a in q[:-1]]
    begun = [(averages(lambda z: phi(z) ** 2, a).square / averages(phi, a).square ** 2 - 1)
             / s.fan_in for a, s in zip(q, scales[1:], strict=False)]  # fmt: skip
    total = 0.0
    for first in range(1, len(q) - 1):
        reach = sum(of_chi[k] * math.prod(on[first:k]) for k in range(first, len(q) - 1))
        total += begun[first - 1] * (reach / 2) ** 2
    assert found.per_layer == pytest.approx(math.sqrt(total) / (len(q) - 1), rel=0.01, abs=1e-6)
    assert found.growth == pytest.approx(abs(math.prod(on)) ** (1 / (len(q) - 1)), rel=1e-3)


def test_chance_falls_with_the_root_of_the_width():
    told = []
    for width in (64, 1024):
        rows = []
        for nudge in (0.0, chance.NUDGE):
            net = deep_mlp(6, width, "gelu", "he", in_features=64, generator=mg.Generator(0))
            rows.append(Walk(net, normal(64, 64), nudge))
            rows[-1].there_and_back()
        told.append(chance.of_width(*(walk.rows for walk in rows)).per_layer)
    assert told[0] / told[1] == pytest.approx(4, rel=0.3)


def test_many_layers_are_not_all_listed():
    net = deep_mlp(12, 32, "tanh", norm="layer", generator=mg.Generator(0))
    with Probe(net) as probe:
        net(mg.ones(5, 64)).sum().backward()
    lines = predict(net).over(probe).table().splitlines()
    (line,) = [line for line in lines if line.startswith("not predicted: ")]
    assert line == "not predicted: layer1.norm, layer2.norm, layer3.norm, ... (11 layers)"


@pytest.mark.parametrize("given", [None, "a.jsonl", 3])
def test_over_takes_a_recording(given):
    with pytest.raises(ArgumentError, match=r"Prediction\.over: takes a Probe or a Recording, got"):
        predict(stack(nn.Tanh())).over(given)
    with pytest.raises(ArgumentError, match="predict: x is a tuple; pass the inputs of the batch"):
        predict(stack(nn.Tanh()), (normal(4, 4), given))


def test_notes():
    assert predict(deep_mlp(10, WIDTH, norm="batch"), normal(300, 64)).notes == ()
    small = predict(deep_mlp(10, WIDTH, norm="batch"), normal(16, 64))
    assert small.notes[0].startswith("batch norm over 16 examples: the theory is that of large")
    narrow = predict(deep_mlp(50, 32))
    assert narrow.notes[0].startswith("49 layers of down to 32 units are narrow for their depth")
    assert narrow.table().splitlines()[-1].startswith("note: 49 layers")


def test_trained_weights_are_noticed():
    net = deep_mlp(4, 100, "tanh", "xavier", generator=mg.Generator(0))
    assert predict(net).notes == ()
    for init in ("he_uniform", "orthogonal", "sparse:0.9", "default"):
        assert predict(deep_mlp(6, 100, "tanh", init, generator=mg.Generator(0))).notes == ()
    weight = linears(net)[2].weight
    weight.data += 0.04 * np.outer(np.sign(normal(100)), np.sign(normal(100, seed=1)))
    (note,) = predict(net).notes
    assert note.startswith("the weights of 'layer3.linear' stretch one direction more than")


# -- what it refuses -----------------------------------------------------------------------------


class _Own(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        return self.layer(x) + x


class _OtherLinear(nn.Linear):
    def forward(self, x: mg.Tensor) -> mg.Tensor:
        return 2 * super().forward(x)


def _shared() -> nn.Module:
    layer = nn.Linear(4, 4)
    return nn.Sequential(layer, nn.Tanh(), layer)


def _tied() -> nn.Module:
    one, two = nn.Linear(4, 4), nn.Linear(4, 4)
    two.weight = one.weight
    return nn.Sequential(one, nn.Tanh(), two)


def _with_nan() -> nn.Module:
    layer = nn.Linear(4, 4)
    layer.weight.data[0, 0] = np.nan
    return layer


L = nn.Linear(4, 4)
REFUSED = {
    "a recurrent layer": (
        nn.Sequential(nn.RNN(4, 4), nn.Linear(4, 4)), None,
        "predict: layer '0' (RNN): theory has no rule for this module; it knows nn.Sequential",
    ),
    "a module of one's own": (
        nn.Sequential(nn.Linear(4, 4), _Own()), None, "predict: layer '1' (_Own): theory has no",
    ),
    "a layer that does something else": (
        nn.Sequential(nn.Linear(4, 4), _OtherLinear(4, 4), nn.Linear(4, 4)), None,
        "predict: layer '1' (_OtherLinear): theory has no rule",
    ),
    "softmax in between": (
        nn.Sequential(nn.Linear(4, 4), nn.Softmax(), nn.Linear(4, 4)), None,
        "predict: layer '1' (Softmax): theory: Softmax does not work element by element",
    ),
    "instance norm": (
        nn.Sequential(nn.Linear(4, 4), nn.InstanceNorm1d(4), nn.Linear(4, 4)), None,
        "predict: layer '1' (InstanceNorm1d): theory",
    ),
    "shared layers": (_shared(), None, "predict: layer '2' (Linear): it has the weights of '0'"),
    "tied weights": (_tied(), None, "predict: layer '2' (Linear): it has the weights of '0'"),
    "constant weights": (
        deep_mlp(3, 16, init="constant:0.1"), None,
        "predict: layer 'layer1.linear' (Linear): the mean of its weights lies 32.0 standard",
    ),
    "the identity": (deep_mlp(3, 64, init="eye"), None, "(Linear): the mean of its weights lies"),
    "weights of NaN": (_with_nan(), None, "predict: Linear: its weights hold NaN or infinity"),
    "small groups": (
        nn.Sequential(nn.Linear(4, 8), nn.GroupNorm(4, 8), nn.Linear(8, 4)), None,
        "predict: layer '1' (GroupNorm): its groups are of 2 units",
    ),
    "batch norm over one example": (
        stack(nn.BatchNorm1d(WIDTH), nn.ReLU()), normal(1, 64),
        "predict: layer '1' (BatchNorm1d): one example has no variance over the batch",
    ),
    "batch norm after an activation of inputs that are alike": (
        stack(nn.ReLU(), nn.BatchNorm1d(WIDTH)), normal(100, 64) + normal(1, 64, seed=1),
        "predict: layer '2' (BatchNorm1d): it stands after an activation",
    ),
    "a branch without weights": (
        stack(nn.Residual(nn.Tanh())), None,
        "predict: layer '1' (Residual): no Linear layer stands between its input and a part",
    ),
    "a block within a block's branch": (
        stack(nn.Residual(nn.Residual(nn.Linear(WIDTH, WIDTH)))), None,
        "predict: layer '1' (Residual): no Linear layer stands between its input and a part",
    ),
    "slopes that differ": (
        nn.Sequential(nn.Linear(4, 2), _prelu := nn.PReLU(2), nn.Linear(2, 4)), None,
        "predict: layer '1' (PReLU): theory: PReLU does not work element by element",
    ),
    "no layer": (nn.Sequential(nn.Tanh()), None, "predict: Sequential has no nn.Linear"),
    "another number of features": (
        stack(nn.Tanh()), normal(10, 63),
        "predict: layer '0' (Linear): x brings 63 features here, but this layer takes 64",
    ),
    "no network": (None, None, "predict: model is NoneType, not an nn.Module"),
    "a single example without a batch": (
        stack(nn.Tanh()), normal(64), "predict: x is float64 of shape (64,); it takes a batch of",
    ),
    "NaN in the batch": (
        stack(nn.Tanh()), np.full((3, 64), np.nan), "predict: x holds NaN or infinity",
    ),
}  # fmt: skip
_prelu.weight.data[...] = [0.1, 0.5]


@pytest.mark.parametrize("name", REFUSED)
def test_it_says_what_it_cannot_predict_and_why(name):
    net, x, message = REFUSED[name]
    with pytest.raises(ArgumentError) as caught:
        predict(net, x)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("recorded", "predicted", "told"),
    [
        (30, 4, r"of the Linear layers recorded, layer5\.linear, .* \(26 layers\) are not predict"),
        (4, 5, r"of the Linear layers predicted, layer5\.linear is not in the network that was"),
    ],
)
def test_a_prediction_of_another_network_is_refused(tmp_path, recorded, predicted, told):
    from minigrad.diagnostics import Recording, plots

    net = deep_mlp(recorded, 8, generator=mg.Generator(0))
    with Probe(net) as probe:
        net(mg.ones(5, 64)).sum().backward()
    probe.to_jsonl(tmp_path / "p.jsonl")
    other = predict(deep_mlp(predicted, 8, generator=mg.Generator(0)))
    for one in (probe, Recording.load(tmp_path / "p.jsonl")):
        with pytest.raises(ArgumentError, match=r"Prediction\.over: .* another network: " + told):
            other.over(one)
        with pytest.raises(ArgumentError, match=r"plots\.decay: .* another network: " + told):
            plots.decay(one, prediction=other)


def test_a_part_of_the_layers_may_be_recorded():
    from matplotlib.figure import Figure

    from minigrad.diagnostics import plots

    net = deep_mlp(6, 8, generator=mg.Generator(0))
    with Probe(net, exclude=["layer2.*", "layer6.linear"]) as probe:
        net(mg.ones(5, 64)).sum().backward()
    assert predict(net).over(probe).only_predicted == ("layer2.linear", "layer6.linear")
    plots.decay(probe, prediction=predict(net), ax=Figure().subplots())


def test_a_bare_linear_is_laid_over():
    net = nn.Linear(4, 3, generator=mg.Generator(0))
    with Probe(net) as probe:
        net(mg.ones(5, 4)).sum().backward()
    assert predict(net).over(probe).layers == ("Linear",)
