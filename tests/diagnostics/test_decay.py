"""measure_decay: published laws come out, PyTorch agrees, verdicts follow their thresholds."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.data import load_digits, standardize
from minigrad.diagnostics import DecayConfig, Probe, decay_table, measure_decay
from minigrad.diagnostics.decay import (
    TRAINABLE,
    Spread,
    underflow_layer,
    verdict,
)
from minigrad.diagnostics.probing.way import factor_per_layer
from minigrad.diagnostics.report import to_dict
from minigrad.errors import ArgumentError
from minigrad.models import deep_mlp

SMALL = DecayConfig(depth=6, width=16, batch_size=32)


# -- laws --------------------------------------------------------------------------------------


def test_at_the_classic_initialization_signal_and_gradient_shrink_but_not_that_of_the_weights():
    # Glorot & Bengio (2010): with U(+-1/sqrt(n)) and no bias both shrink by 1/sqrt(3) = 0.577 a
    # layer, and their product, which dL/dW is made of, does not (eq. 14).
    ratios = []
    for seed in range(5):
        generator = mg.Generator(seed)
        model = deep_mlp(
            30, 256, "tanh", "default", out_features=256, bias=False, generator=generator
        )
        x = generator.fork("x").normal((128, 64)).astype(np.float32)
        gradient = generator.fork("dz").normal((128, 256)).astype(np.float32)
        with Probe(model) as probe:
            model(mg.tensor(x)).backward(mg.tensor(gradient))
        # From layer 6 on tanh is as good as linear.
        z, dz, dw = (probe.series(name)[0, 6:-1] for name in ("z_rms", "dz_rms", "dw_rms"))
        steps = len(z) - 1
        ratios.append([(z[-1] / z[0]) ** (1 / steps), (dz[0] / dz[-1]) ** (1 / steps),
                       (dw[0] / dw[-1]) ** (1 / steps)])  # fmt: skip
    signal, gradient, weights = np.mean(ratios, axis=0)
    assert signal == pytest.approx(3**-0.5, abs=0.01)
    assert gradient == pytest.approx(3**-0.5, abs=0.01)
    assert weights == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize(
    ("activation", "init", "expected"),
    [("relu", "xavier", 0.5**0.5), ("relu", "he", 1.0), ("sigmoid", "xavier", 0.0557**0.5)],
)
def test_the_factor_per_layer_is_the_root_of_chi(activation, init, expected):
    found = measure_decay(DecayConfig(20, 256, activation, init, seeds=(0, 1, 2, 3)))
    assert found.factor_per_layer == pytest.approx(expected, rel=0.03)


def test_batch_norm_makes_a_relu_network_explode_as_yang_says():
    # Yang et al. (2019): the squared gradient grows by pi / (pi - 1) a layer.
    found = measure_decay(DecayConfig(30, 256, "relu", "he", "batch", seeds=(0, 1)))
    assert found.factor_per_layer**2 == pytest.approx(math.pi / (math.pi - 1), rel=0.05)
    assert found.verdict == "exploding"


@pytest.mark.torch
@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
def test_pytorch_measures_the_same(norm):
    torch = pytest.importorskip("torch")
    config = replace(SMALL, seeds=(4,), dtype="float64", norm=norm)
    generator = mg.Generator(4)
    digits = load_digits()
    chosen = generator.fork("batch").permutation(1797)[:32]
    x, y = standardize(digits.x)[chosen].astype(np.float64), digits.y[chosen]
    model = deep_mlp(6, 16, norm=norm, generator=generator, dtype=np.float64)

    z, activation, linears = [], torch.tensor(x), []
    for layer in (m for m in model.modules() if isinstance(m, nn.Linear)):
        linears.append(torch.nn.Linear(layer.in_features, layer.out_features).double())
        linears[-1].weight.data = torch.tensor(layer.weight.data)
        linears[-1].bias.data = torch.tensor(layer.bias.data)
        z.append(linears[-1](activation))
        z[-1].retain_grad()
        normed = z[-1]
        if norm == "batch":
            normed = torch.nn.functional.batch_norm(normed, None, None, training=True)
        elif norm == "layer":
            normed = torch.nn.functional.layer_norm(normed, normed.shape[1:])
        activation = torch.tanh(normed)
    torch.nn.functional.cross_entropy(z[-1], torch.tensor(y)).backward()

    found = measure_decay(config)
    for layer, z_l, linear in zip(found.layers, z, linears, strict=True):
        for spread, expected in ((layer.z_rms, z_l), (layer.dz_rms, z_l.grad),
                                 (layer.dw_rms, linear.weight.grad)):  # fmt: skip
            size = expected.detach().square().mean().sqrt().item()
            assert spread == Spread(spread.mean, spread.mean, spread.mean)
            assert spread.mean == pytest.approx(size, rel=1e-9)


# -- what is made of the numbers -----------------------------------------------------------------


def test_the_default_experiment_has_the_verdicts_that_theory_gives():
    verdicts = {
        (activation, init): measure_decay(DecayConfig(activation=activation, init=init, seeds=(0,)))
        for activation in ("sigmoid", "tanh", "relu")
        for init in ("default", "xavier", "he")
    }
    healthy = {key for key, found in verdicts.items() if found.verdict == "healthy"}
    assert healthy == {("tanh", "xavier"), ("tanh", "he"), ("relu", "he")}
    assert {found.verdict for found in verdicts.values()} == {"healthy", "vanishing"}
    below = {key for key, found in verdicts.items() if found.underflow_layer is not None}
    assert below == {("sigmoid", "default")}


def test_underflow_is_one_of_the_dtype_and_not_of_the_network():
    config = DecayConfig(60, 32, "sigmoid", "default", seeds=(0,))
    single, double = measure_decay(config), measure_decay(replace(config, dtype="float64"))
    assert double.underflow_layer is None and single.underflow_layer is not None
    edge = single.underflow_layer
    tiny = float(np.finfo(np.float32).tiny)
    assert double.layers[edge - 1].dz_rms.mean < tiny < double.layers[edge].dz_rms.mean
    assert single.layers[0].dz_rms.mean == 0.0
    # What underflowed is left out of the factor, which so is the same in both.
    assert single.factor_per_layer == pytest.approx(double.factor_per_layer, rel=0.01)


def test_overflow_is_called_exploding_and_written_as_null():
    found = measure_decay(DecayConfig(400, 16, "identity", "he", seeds=(0,), batch_size=16))
    assert found.verdict == "exploding" and math.isnan(found.factor_per_layer)
    assert "float32 overflows" in decay_table([found])
    plain = to_dict(found)
    assert plain["factor_per_layer"] is None
    assert plain["layers"][0]["dz_rms"] == {"mean": None, "min": None, "max": None}
    json.dumps(plain, allow_nan=False)


def test_spreads_are_over_the_seeds():
    singles = [measure_decay(replace(SMALL, seeds=(seed,))) for seed in (3, 8)]
    both = measure_decay(replace(SMALL, seeds=(3, 8)))
    for index, layer in enumerate(both.layers):
        values = [single.layers[index].dz_rms.mean for single in singles]
        assert layer.dz_rms == Spread(np.mean(values), min(values), max(values))
        theory = [single.layers[index].dz_rms_theory for single in singles]
        assert layer.dz_rms_theory == pytest.approx(np.mean(theory), rel=1e-12)
    assert [layer.index for layer in both.layers] == [1, 2, 3, 4, 5, 6]
    assert both.layers[2].name == "layer3.linear"


def test_a_nan_in_one_seed_is_not_lost():
    spread = Spread.of([1.0, math.nan, 2.0])
    assert all(map(math.isnan, (spread.mean, spread.min, spread.max)))


@pytest.mark.parametrize("norm", ["none", "batch", "layer", "weight"])
def test_theory_follows_every_network_from_its_last_layer_on(norm):
    config = DecayConfig(depth=10, width=256, activation="gelu", init="he", norm=norm, seeds=(0, 1))
    found = measure_decay(config)
    assert found.layers[-1].dz_rms_theory == pytest.approx(found.layers[-1].dz_rms.mean, rel=1e-12)
    theory = [layer.dz_rms_theory for layer in found.layers]
    assert factor_per_layer(theory, "float32") == pytest.approx(found.factor_per_layer, rel=0.04)


def test_theory_is_left_out_where_it_does_not_hold():
    found = measure_decay(replace(SMALL, init="constant:0.1", seeds=(0,)))
    assert {layer.dz_rms_theory for layer in found.layers} == {None}


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [(0.99 / TRAINABLE, "vanishing"), (1.01 / TRAINABLE, "healthy"), (1.0, "healthy"),
     (0.99 * TRAINABLE, "healthy"), (1.01 * TRAINABLE, "exploding"), (math.nan, "exploding"),
     (math.inf, "exploding"), (0.0, "vanishing")],
)  # fmt: skip
def test_the_verdict_turns_at_e_to_the_third(ratio, expected):
    # The output layer, 1e9 here, has no say.
    assert verdict([ratio, 1.0, 1e9]) == expected


def test_a_network_all_in_underflow_is_vanishing():
    assert verdict([0.0, 0.0, 1e-3]) == "vanishing"
    assert math.isnan(factor_per_layer([0.0, 0.0, 1e-3], "float32"))
    assert underflow_layer([0.0, 0.0, 1e-3], "float32") == 2


def test_the_factor_is_the_geometric_mean_over_hidden_layers_above_underflow():
    assert factor_per_layer([2.0, 16.0, 16.0, 5.0], "float32") == pytest.approx(8**-0.5)
    assert factor_per_layer([0.0, 1e-39, 1e-30, 1e-29, 1.0], "float32") == pytest.approx(0.1)
    assert factor_per_layer([1e-39, 1e-30, 1e-29, 1.0], "float64") == pytest.approx(1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"depth": 2}, "depth: must be a whole number of at least 3, got 2"),
        ({"batch_size": 1798}, "batch size: must be from 1 to 1797, the number of examples in "
                               "'digits', got 1798"),
        ({"dtype": "float16"}, "dtype: unknown 'float16'; use one of float32, float64"),
        ({"seeds": ()}, "seeds: a tuple of at least one"),
        ({"data": "mnist"}, "data: unknown 'mnist'; use one of digits, iris, random"),
        ({"init": "glorot"}, "unknown init 'glorot'; use one of default, xavier, he"),
    ],
)  # fmt: skip
def test_a_wrong_configuration_is_explained(change, message):
    with pytest.raises(ArgumentError, match=message):
        measure_decay(replace(SMALL, **change))


def test_odd_arguments_are_explained():
    result = measure_decay(SMALL)
    for call, message in (
        (lambda: measure_decay(None), "config must be a DecayConfig, .* got NoneType"),
        (lambda: measure_decay({"depth": 3}), "config must be a DecayConfig, .* got dict"),
        (lambda: measure_decay(SMALL, (1, 2)), "measure_decay: data must be a Dataset, .* got tup"),
        (lambda: measure_decay(replace(SMALL, data=None)), "data: unknown None; use one of digits"),
        (lambda: measure_decay(replace(SMALL, seeds=3)), "seeds: a tuple of at least one, .* 3"),
        (lambda: decay_table(result), r"takes a list of what measure_decay returned, such as \[fo"),
        (lambda: decay_table(None), "takes a list of what measure_decay returned, .* got NoneType"),
        (lambda: decay_table([None]), "takes what measure_decay returned, got NoneType"),
    ):
        with pytest.raises(ArgumentError, match=message):
            call()


# -- as text -------------------------------------------------------------------------------------


def test_the_table_shows_first_middle_and_last_layer_within_80_columns():
    found = measure_decay(DecayConfig(51, 16, "sigmoid", "default", batch_size=32))
    text = decay_table([found])
    lines = text.splitlines()
    assert lines[0] == "sigmoid, default init: vanishing"
    assert lines[1].split() == ["rms", "at", "layer", "1", "26", "51", "per", "layer"]
    shown = [f"{found.layers[i].dz_rms.mean:.1e}" for i in (0, 25, 50)]
    assert lines[2].split() == ["dL/dz", *shown, "x", f"{found.factor_per_layer:.3f}"]
    assert (
        lines[4].strip().startswith(f"float32 underflows in layers 1 to {found.underflow_layer}:")
    )
    assert max(map(len, lines)) <= 80


def test_headings_name_what_differs():
    found = [measure_decay(replace(SMALL, seeds=(0,), norm=norm)) for norm in ("none", "layer")]
    headings = [table.splitlines()[0] for table in decay_table(found).split("\n\n")]
    assert [h.partition(":")[0] for h in headings] == [
        "tanh, xavier init, norm none", "tanh, xavier init, norm layer",
    ]  # fmt: skip
