"""Which layers every signal passes, and one factor per step for all who tell it."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.diagnostics import DecayConfig, Probe, compare, decay_table, measure_decay, predict
from minigrad.diagnostics.decay import network_and_batch
from minigrad.diagnostics.judging.diagnosis import diagnose
from minigrad.diagnostics.probing.way import factor_per_layer, way_of
from minigrad.models import deep_mlp
from minigrad.nn import functional as F


def batch():
    data = mg.data.load_digits()
    x = mg.data.standardize(data.x)[:64].astype(np.float32)
    return mg.tensor(x), mg.tensor(data.y[:64])


class Scaled(nn.Module):
    """A deep network in a module that learns a factor on what comes in."""

    def __init__(self, scaled, activation="sigmoid", init="xavier", depth=30):
        super().__init__()
        if scaled:
            self.scale = nn.Parameter(np.ones((1, 64), np.float32))
        self.body = deep_mlp(depth, 64, activation, init, generator=mg.Generator(0))

    def forward(self, x):
        return self.body(x * self.scale if hasattr(self, "scale") else x)


class Outer(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x)


class Block(nn.Module):
    """Learns a factor beside its layer."""

    def __init__(self, generator):
        super().__init__()
        self.gamma = nn.Parameter(np.ones(1, np.float32))
        self.linear, self.act = nn.Linear(64, 64, generator=generator), nn.Sigmoid()
        nn.init.xavier_normal_(self.linear.weight, generator=generator)

    def forward(self, x):
        return self.act(self.linear(x)) * self.gamma


def probed(model):
    x, y = batch()
    with Probe(model) as probe:
        F.cross_entropy(model(x), y).backward()
    return probe


# -- modules that hold others --------------------------------------------------------------------


@pytest.mark.parametrize("wrapped", [lambda net: net, Outer])  # it is the network, or inside of it
def test_a_parameter_on_a_container_hides_no_dying_network(wrapped):
    plain, scaled = (diagnose(wrapped(Scaled(flag)), batch()) for flag in (False, True))
    assert plain.verdict == scaled.verdict == "vanishing"
    # The factor of ones changes no gradient.
    assert scaled.factor_per_layer == pytest.approx(plain.factor_per_layer, rel=1e-6)
    assert [layer.verdict for layer in scaled.layers[1:]] == [one.verdict for one in plain.layers]


@pytest.mark.parametrize("wrapped", [lambda net: net, Outer])
def test_a_container_is_no_step_on_the_way(wrapped):
    probes = [probed(wrapped(Scaled(flag, "tanh", "default"))) for flag in (False, True)]
    assert len(probes[1].layers) == len(probes[0].layers) + 1
    plain, scaled = (compare(probe).to_dict()["run 1"] for probe in probes)
    for key in ("dz_first", "dz_factor"):
        assert scaled[key] == pytest.approx(plain[key], rel=1e-6)
    assert scaled["dz_first"] < 1e-8
    found = diagnose(probes[1])
    assert found.factor_per_layer == pytest.approx(diagnose(probes[0]).factor_per_layer, rel=1e-6)
    assert found.layers[0].numbers["dw_rms"] > 0  # of its own parameter it is still told
    assert f"not compared: {probes[1].layers[0]}, which holds other layers" in found.table()


def test_blocks_with_a_factor_of_their_own_are_judged_by_the_layers_in_them():
    g = mg.Generator(0)
    model = nn.Sequential(*[Block(g) for _ in range(20)], nn.Linear(64, 10, generator=g))
    found = diagnose(model, batch())
    assert found.verdict == "vanishing" and 0.15 < found.factor_per_layer < 0.35
    assert found.layers[1].verdict == "vanishing"


def test_nan_in_the_parameter_of_a_container_is_found():
    model = Outer(Scaled(True))
    model.net.scale.data[...] = math.nan
    found = diagnose(model, batch())
    assert found.findings[0].layers == ("net",)
    assert found.findings[0].cure.startswith("net holds NaN or infinity in its weights")


def steps(layers, kinds, **changes):
    return [
        layers[k] for k in way_of(layers, dict(zip(layers, kinds, strict=True)), **changes).steps
    ]


def test_what_is_on_the_way():
    names = ["net", "net.a", "net.norm", "net.block", "net.block.branch.0", "head"]
    kinds = ["Own", "Linear", "LayerNorm", "Residual", "Linear", "Linear"]
    assert steps(names, kinds) == ["net.a", "net.block", "head"]
    # What holds nothing that was called, or only a normalization, does the work itself.
    called = [name not in ("net.a", "net.block") for name in names]
    assert steps(names, kinds, called=called) == ["net", "head"]
    assert steps(["0", "0.norm", "1"], ["Own", "LayerNorm", "Linear"]) == ["0", "1"]
    # The network itself goes by the name of its class; a layer may happen to be called so, too.
    assert steps(["Own", "a", "b"], ["Own", "Linear", "Linear"]) == ["a", "b"]
    assert steps(["Residual", "branch.0", "branch.2"], ["Residual", "Linear", "Linear"]) == [
        "Residual"
    ]
    assert steps(["Linear", "head"], ["Linear", "Linear"]) == ["Linear", "head"]
    # A computed weight is part of its layer, also where what computes it learns.
    names = ["a", "a.parametrizations.weight.0", "b"]
    assert steps(names, ["ParametrizedLinear", "Own", "Linear"]) == ["a", "b"]


def test_a_network_of_which_nothing_could_be_compared_is_not_called_healthy():
    g = mg.Generator(0)
    inner = [nn.Linear(64, 64, generator=g), nn.Sigmoid()] * 4
    found = diagnose(nn.Residual(nn.Sequential(*inner, nn.Linear(64, 64, generator=g))), batch())
    assert found.verdict == "unknown"
    assert "not judged: vanishing and exploding, for no two hidden layers" in found.table()


# -- one factor ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options", [{}, {"norm": "batch"}, {"residual": "pre"}, {"residual": "post"},
                {"residual": "pre", "norm": "layer"}]
)  # fmt: skip
def test_all_tell_the_same_factor(options):
    config = DecayConfig(30, 64, "relu", "he", seeds=(0,), **options)
    decay = measure_decay(config)
    data = mg.data.load_digits()
    x = mg.data.standardize(data.x).astype(np.float32)
    model, x, y = network_and_batch(config, 0, x, data.y)
    with Probe(model) as probe:
        F.cross_entropy(model(mg.tensor(x)), mg.tensor(y)).backward()
    diagnosis, summary = diagnose(probe), compare(probe).to_dict()["run 1"]
    over = predict(model, x).over(probe)

    if options.get("residual"):
        blocks = [n for n, module in model.named_modules() if isinstance(module, nn.Residual)]
        on_the_way = ["layer1.linear", *blocks]
    else:
        on_the_way = [name for name in probe.layers if name.endswith("linear")][:-1]
    dz = dict(zip(probe.layers, probe.series("dz_rms")[0], strict=True))
    expected = (dz[on_the_way[0]] / dz[on_the_way[-1]]) ** (1 / (len(on_the_way) - 1))
    for told in (decay.factor_per_layer, diagnosis.factor_per_layer, summary["dz_factor"],
                 over.factor_per_layer):  # fmt: skip
        assert told == pytest.approx(expected, rel=1e-5)

    unit = "block" if options.get("residual") else "layer"
    assert decay.unit == diagnosis.unit == summary["unit"] == unit
    assert f"per {unit}" in decay_table([decay]).splitlines()[1]
    assert f" per {unit} towards the input" in diagnosis.table()
    assert f"dL/dz per {unit}: measured x" in over.table()
    assert f"dL/dz per {unit}: x" in predict(model, x).table()
    assert f"per {unit}" in compare(probe).table()
    assert len(decay.layers) == 30  # a line for each Linear layer, also of those in branches


def test_runs_of_layers_and_of_blocks_are_told_apart_in_one_table():
    nets = [
        deep_mlp(6, 16, "relu", "he", residual=kind, generator=mg.Generator(0))
        for kind in ("none", "pre")
    ]
    lines = compare(*map(probed, nets)).table().splitlines()
    assert "per layer or block" in lines[0]
    assert "(layer)" in lines[1] and "(block)" in lines[2]


def test_the_factor():
    assert factor_per_layer([1.0, 2.0, 4.0, 100.0]) == pytest.approx(0.5)
    assert math.isnan(factor_per_layer([1.0, 1.0]))
