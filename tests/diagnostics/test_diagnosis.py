"""diagnose: precision and recall on labelled networks, each rule at its threshold, its cures."""

from __future__ import annotations

import itertools
import math
import re

import numpy as np
import pytest
from diagnostics.labelled import ALL, cases

import minigrad as mg
from minigrad import diagnostics, nn
from minigrad.diagnostics import DecayConfig, Probe, measure_decay
from minigrad.diagnostics.judging.cures import CLIP, CRITICAL
from minigrad.diagnostics.judging.diagnosis import diagnose
from minigrad.diagnostics.judging.verdicts import ORDER
from minigrad.diagnostics.probing.recording import Recording
from minigrad.errors import ArgumentError, GraphError, ShapeError
from minigrad.models import deep_mlp
from minigrad.nn import functional as F

E3 = math.exp(3)


def digits(examples=64):
    data = mg.data.load_digits()
    x = mg.data.standardize(data.x)[:examples].astype(np.float32)
    return mg.tensor(x), mg.tensor(data.y[:examples])


def net(depth, activation, init="xavier", width=64, **kw):
    return deep_mlp(depth, width, activation, init, generator=mg.Generator(0), **kw)


def recording(*records, layers=4, activation="", kinds=None, dtype="float32", losses=None):
    """Of records that say what differs from a healthy one."""
    names = [f"layer{i}" for i in range(1, layers + 1)]
    meta = {"dtype": dtype, "kinds": dict(zip(names, kinds or ["Linear"] * layers, strict=True))}
    rec = Recording(names, dict.fromkeys(names[:-1], activation), meta)
    for step, record in enumerate(records):
        values = {f"{s}_{what}": np.zeros(layers) for s in ("z", "dz", "dw")
                  for what in ("nans", "infs")}  # fmt: skip
        values |= {name: np.ones(layers) for name in ("z_rms", "dz_rms", "dw_rms")}
        rec.add(step, values | record, loss=losses[step] if losses else math.nan)
    return rec


# -- the labelled set ----------------------------------------------------------------------------


def test_precision_and_recall_on_networks_built_to_be_ill():
    found = {verdict: {"right": 0, "false": 0, "missed": 0} for verdict in (*ORDER, "healthy")}
    count = first_cause = 0
    for case in cases(seed=2025, each=2):
        diagnosis = case.run()
        got = set(diagnosis.verdicts)
        for verdict in ALL:
            found[verdict]["right"] += verdict in got and verdict in case.has
            found[verdict]["false"] += verdict in got - case.has - case.may
            found[verdict]["missed"] += verdict in case.has - got
        found["healthy"]["right"] += not got and not case.has
        found["healthy"]["false"] += not got and bool(case.has)
        found["healthy"]["missed"] += bool(got) and not case.has
        first_cause += diagnosis.verdict in (case.has or {"healthy"})
        count += 1
    print(f"\n{count} networks; the verdict is one that was built in: {first_cause / count:.3f}")
    for verdict, n in found.items():
        precision = n["right"] / (n["right"] + n["false"])
        recall = n["right"] / (n["right"] + n["missed"])
        print(f"{verdict:<10} {n['right']:>3} right, {n['false']} false, {n['missed']} missed: "
              f"precision {precision:.3f}, recall {recall:.3f}")  # fmt: skip
    assert count >= 60
    assert first_cause / count > 0.95
    for verdict, n in found.items():
        assert n["right"] >= 6, verdict
        assert n["right"] / (n["right"] + n["false"]) >= 0.95, verdict
        assert n["right"] / (n["right"] + n["missed"]) >= 0.95, verdict


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
@pytest.mark.parametrize("init", ["default", "xavier", "he"])
@pytest.mark.parametrize("depth", [10, 50])
def test_it_agrees_with_the_verdict_of_measure_decay(activation, init, depth):
    config = DecayConfig(depth, 64, activation, init, seeds=(3,))
    model = deep_mlp(depth, 64, activation, init, generator=mg.Generator(3))
    data = mg.data.load_digits()
    chosen = mg.Generator(3).fork("batch").permutation(1797)[:128]
    x = mg.data.standardize(data.x)[chosen].astype(np.float32)
    found = diagnose(model, (x, data.y[chosen]))
    decay = measure_decay(config)
    depths = [v for v in found.verdicts if v in ("vanishing", "exploding")] or ["healthy"]
    assert depths == [decay.verdict]
    assert found.factor_per_layer == pytest.approx(decay.factor_per_layer, rel=1e-6)


# -- where it is ---------------------------------------------------------------------------------


def test_the_layers_that_are_ill_are_named():
    model = net(5, "relu", "he")
    model.layer3.linear.bias.data[...] = -100
    model.layer4.linear.bias.data[...] = 0.1  # at 0 this layer, too, would pass nothing
    found = diagnose(model, digits())
    # Nothing passes layer 3, so no gradient gets to the layers before it.
    expected = ["dead", "dead", "dead", "healthy", "healthy"]
    assert [layer.verdict for layer in found.layers] == expected
    assert found.findings[0].layers == tuple(f"layer{i}.linear" for i in (1, 2, 3))
    assert "layer3.linear 100% of the units" in found.findings[0].evidence
    assert "no gradient reaches layer1.linear to layer2.linear" in found.findings[0].evidence
    assert found.findings[0].numbers["share"] == 1

    x, y = digits()
    found = diagnose(net(4, "tanh", "lecun"), (100 * x, y))
    assert [layer.verdict for layer in found.layers][1:] == ["healthy"] * 3
    assert found.findings[0].layers == ("layer1.linear",)
    assert "standardize" in found.findings[0].cure


def test_what_broke_first_is_named():
    model = net(5, "tanh")
    model.layer3.linear.weight.data[0, 0] = math.nan
    found = diagnose(model, digits())
    assert found.verdict == "unstable"
    assert found.findings[0].layers == ("layer3.linear",)
    assert "z in layer3.linear are NaN" in found.findings[0].evidence
    assert found.layers[1].verdict == "unknown"  # its gradient is lost


def test_nan_that_was_in_the_weights_is_no_fault_of_the_learning_rate():
    def judged_by_probe(model, x, y):
        with Probe(model) as probe:
            F.cross_entropy(model(x), y).backward()
            model.layer3.linear.weight.data[0, 0] = math.nan  # by hand: no step is recorded
            F.cross_entropy(model(x), y).backward()
        return diagnose(probe)

    x, y = digits()
    later = judged_by_probe(net(5, "tanh"), x, y)
    assert later.findings[0].since == 1
    model = net(5, "relu", gain=20.0)  # its z grow as well, which is not why they are NaN
    model.layer3.linear.weight.data[0, 0] = math.nan
    optimizer = mg.optim.SGD(model.parameters(), lr=0.1)
    for found in (later, diagnose(model, (x, y)), diagnose(model, (x, y), optimizer=optimizer)):
        assert found.verdict == "unstable"
        assert found.findings[0].layers == ("layer3.linear",)
        assert "in the weights of layer3.linear" in found.findings[0].evidence
        assert found.findings[0].cure.startswith(
            "layer3.linear holds NaN or infinity in its weights: make the model anew"
        )
        assert "checkpoint" in found.findings[0].cure

    # NaN that comes from elsewhere is looked for elsewhere.
    found = diagnose(net(3, "tanh"), (x, y), loss_fn=lambda out, y: (out * math.nan).sum())
    assert "detect_anomaly" in found.findings[0].cure


def test_a_network_without_activation_modules_that_passes_no_gradient_is_dead():
    class Functional(nn.Module):
        def __init__(self, act):
            super().__init__()
            g = mg.Generator(0)
            self.l = nn.ModuleList([nn.Linear(64, 64, generator=g) for _ in range(6)])
            self.o, self.act = nn.Linear(64, 10, generator=g), act

        def forward(self, x):
            for layer in self.l:
                x = self.act(layer(x))
            return self.o(x)

    assert diagnose(Functional(F.relu), digits()).verdict != "dead"
    for clipped, bias in ((F.relu, -5), (lambda z: mg.clip(z, -1, 1), 50)):
        model = Functional(clipped)
        for layer in model.l:
            layer.bias.data[...] = bias
        found = diagnose(model, digits())
        assert found.verdict == "dead"
        assert found.findings[0].layers == tuple(f"l.{i}" for i in range(6))
        assert [layer.verdict for layer in found.layers] == ["dead"] * 6 + ["healthy"]
        if clipped is F.relu:
            assert "l.0 100% of the units pass nothing" in found.findings[0].evidence
            continue
        assert "exactly 0 in every hidden layer" in found.findings[0].evidence
        assert "activation was not seen" in found.findings[0].evidence

    # Output weights of 0 get a gradient, and after a step all others do, whatever the biases.
    model = Functional(F.relu)
    nn.init.zeros_(model.o.weight)
    found = diagnose(model, digits())
    assert (found.layers[5].numbers["dz_rms"], found.verdict) == (0, "healthy")


def test_numbers_are_those_of_the_probe():
    model, (x, y) = net(4, "relu", "he"), digits()
    with Probe(model) as probe:
        F.cross_entropy(model(x), y).backward()
    found = diagnose(probe)
    assert str(found) == str(diagnose(model, (x, y)))
    for k, layer in enumerate(found.layers):
        assert (layer.index, layer.name) == (k + 1, probe.layers[k])
        assert layer.activation == ("ReLU" if k < 3 else "")
        for name, value in layer.numbers.items():
            np.testing.assert_equal(value, probe.series(name)[0, k])


# -- each rule at its threshold ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "verdict"),
    [(1.01 / E3, "healthy"), (0.99 / E3, "vanishing"), (0.99 * E3, "healthy"),
     (1.01 * E3, "exploding"), (0.0, "vanishing")],
)  # fmt: skip
def test_e_to_the_third_over_the_hidden_layers(first, verdict):
    found = diagnose(recording({"dz_rms": [first, 1.0, 1.0, 1.0]}))
    assert found.verdict == verdict
    assert found.layers[1].verdict == "healthy"


def test_the_output_layer_is_compared_with_none():
    for output in (1e-6, 1e6):
        assert diagnose(recording({"dz_rms": [1.0, 1.0, 1.0, output]})).verdict == "healthy"
    # One hidden layer has nothing to be compared with.
    assert diagnose(recording({"dz_rms": [1e-9, 1.0]}, layers=2)).verdict == "healthy"


def test_the_gradient_of_the_weights_is_no_decay_of_the_signal():
    assert diagnose(recording({"dw_rms": [1e-9, 1e-6, 1e-3, 1.0]})).verdict == "healthy"


def test_between_layers_of_different_width_the_milder_of_rms_and_norm_counts():
    rms = [1e-3, 1.0, 1.0, 1.0]
    assert diagnose(recording({"dz_rms": rms, "dz_norm": [0.9, 1.0, 1.0, 1.0]})).verdict == (
        "healthy"
    )
    assert diagnose(recording({"dz_rms": rms, "dz_norm": [0.01, 1.0, 1.0, 1.0]})).verdict == (
        "vanishing"
    )


def test_normalizations_are_compared_with_each_other_and_branches_with_none():
    kinds = ["Linear", "LayerNorm", "Linear", "LayerNorm", "Linear"]
    assert diagnose(recording({"dz_rms": [100.0, 1.0, 100.0, 1.0, 1.0]}, layers=5,
                              kinds=kinds)).verdict == "healthy"  # fmt: skip
    found = diagnose(recording({"dz_rms": [1.0, 0.01, 1.0, 1.0, 1.0]}, layers=5, kinds=kinds))
    assert found.findings[0].layers == ("layer2",)

    rec = Recording(["first", "block", "block.branch", "block2", "last"])
    rec.add(0, {"dz_rms": [1.0, 1.0, 0.0, 1.0, 1.0], "z_rms": np.ones(5)})
    assert diagnose(rec).verdict == "healthy"  # SkipInit: the branch is switched off
    rec = Recording(["first", "block", "block.branch", "block2", "last"])
    rec.add(0, {"dz_rms": [1.0, 1e-9, 1.0, 1.0, 1.0], "z_rms": np.ones(5)})
    assert diagnose(rec).verdict == "vanishing"


@pytest.mark.parametrize(
    ("activation", "share", "verdict"),
    [("Tanh", 0.51, "healthy"), ("Tanh", 0.52, "saturated"), ("Sigmoid", 0.49, "healthy"),
     ("Sigmoid", 0.51, "saturated"), ("Hardtanh", 0.65, "healthy"), ("Hardtanh", 0.67, "saturated"),
     ("LeakyReLU", 0.9, "healthy"), ("ReLU", 0.9, "healthy"),
     ("MyOwn", 0.51, "saturated")],
)  # fmt: skip
def test_half_of_what_is_live_among_normal_numbers(activation, share, verdict):
    found = diagnose(recording({"saturated": [share, 0, 0, math.nan]}, activation=activation))
    assert found.verdict == verdict


@pytest.mark.parametrize(
    ("dead", "off", "verdict"),
    [(0.5, 0.8, "dead"), (0.49, 0.9, "healthy"), (0.6, 0.79, "healthy"), (0.0, 1.0, "dead")],
)
def test_half_of_the_units_off_and_hardly_any_ever_on(dead, off, verdict):
    rec = recording({"dead": [dead, 0, 0, math.nan], "saturated": [off, 0.5, 0.5, math.nan]},
                    activation="ReLU")  # fmt: skip
    assert diagnose(rec).verdict == verdict


@pytest.mark.parametrize("name", ["z_rms", "dz_rms", "dw_rms"])
def test_the_smallest_normal_number_of_the_dtype(name):
    for value, dtype, ill in ((1.1e-38, "float32", True), (1.3e-38, "float32", False),
                              (1.1e-38, "float64", False), (5e-5, "float16", True)):  # fmt: skip
        found = diagnose(recording({name: np.full(4, value)}, dtype=dtype))
        assert found.verdicts == (("underflow",) if ill else ())


def test_a_gradient_that_got_too_small_is_told_from_one_that_is_cut_off():
    small = diagnose(recording({"dz_rms": [0.0, 1e-30, 1.0, 1.0]}))
    assert small.verdicts == ("vanishing", "underflow")
    assert small.findings[1].layers == ("layer1",)
    assert "cure what makes the gradient vanish" in small.findings[1].cure
    assert diagnose(recording({"dz_rms": [0.0, 1.0, 1.0, 1.0]})).verdicts == ("vanishing",)


def test_a_signal_that_got_too_small_is_no_dead_unit():
    off = [0.5, 0.5, 1.0, math.nan]
    faded = recording({"z_rms": [1e-20, 1e-30, 0.0, 0.0], "dz_rms": [0.0, 0.0, 0.0, 1.0],
                       "dead": off, "saturated": off}, activation="ReLU")  # fmt: skip
    assert diagnose(faded).verdicts == ("underflow",)
    dead = recording({"z_rms": [1.0, 1.0, 0.0, 1.0], "dz_rms": [0.0, 0.0, 0.0, 1.0],
                      "dead": off, "saturated": off}, activation="ReLU")  # fmt: skip
    assert diagnose(dead).verdicts == ("dead",)


def test_what_dead_units_cut_off_is_no_underflow_however_small_the_gradient_after_them():
    rec = recording({"dz_rms": [0.0, 0.0, 1e-25, 1.0, 1.0], "dead": [0, 1, 0, 0, math.nan],
                     "saturated": [0.5, 1, 0.5, 0.5, math.nan]}, layers=5,
                    activation="ReLU")  # fmt: skip
    found = diagnose(rec)
    assert found.verdicts == ("dead", "vanishing")
    assert [f.layers for f in found.findings] == [("layer1", "layer2"), ("layer3",)]


def test_an_output_layer_that_begins_at_zero_is_no_illness():
    model = net(6, "tanh", "lecun")
    model.layer6.linear.weight.data[...] = 0
    found = diagnose(model, digits())
    assert (found.layers[4].numbers["dz_rms"], found.verdict) == (0, "healthy")


def test_no_gradient_from_the_loss():
    found = diagnose(net(3, "tanh"), digits(), loss_fn=lambda out, y: (out * 0).sum())
    assert found.verdict == "underflow"
    assert "at its minimum" in found.findings[0].evidence


# -- the course ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("ratio", "verdict"), [(0.09, "healthy"), (0.11, "unstable")])
def test_the_median_update_ratio(ratio, verdict):
    rows = [{"update_ratio": [r, 1e-3, 1e-3, 1e-3]} for r in (ratio, ratio, 9.0, 0.0, ratio)]
    assert diagnose(recording(*rows)).verdict == verdict
    # A scale that begins at 0, or what learns one number per feature, may change by much.
    assert diagnose(recording(*rows, kinds=["Residual"] * 4)).verdict == "healthy"


STEP = {"update_ratio": np.full(4, 0.05)}


@pytest.mark.parametrize(
    ("losses", "verdict"),
    [
        ([2, 1.5, 1.2, 1.0, 0.8, 0.7], "healthy"),
        ([2, 1.0, 2.1, 2.6, 3.3, 4.0], "unstable"),  # climbs, and stays there
        ([2, 1.0, 2.1, 1.5, 0.9, 0.7], "healthy"),  # climbs, but comes down
        ([2, 2.3, 2.0, 2.3, 2.0, 2.3, 2.0, 2.3], "unstable"),  # swings, and leads nowhere
        ([2, 1.8, 1.9, 1.7, 1.8, 1.6, 1.7, 1.5], "healthy"),  # a little
        ([2, 1.1, 1.25, 1.4, 1.55, 1.7, 1.85, 2.0, 2.15, 2.25, 2.3], "unstable"),  # by 1.2 / 2
        ([2, 1.4, 1.55, 1.7, 1.85, 2.0, 2.15, 2.25, 2.3, 2.3, 2.3], "healthy"),  # by 0.9 / 2
        ([2, math.nan, 9, math.nan, 99, math.nan], "unstable"),  # known now and then
        ([2, 9], "healthy"),  # two say nothing
        ([0, 9, 99, 999], "healthy"),  # there is nothing to compare with
    ],
)
def test_a_restless_loss(losses, verdict):
    assert diagnose(recording(*[STEP] * len(losses), losses=losses)).verdict == verdict


def test_steps_that_are_short_are_not_to_blame_and_long_ones_are():
    climbing, calm = [0.01, 0.02, 0.05, 0.03, 0.06, 0.04], [2.0, 9.0, 2.1, 1.9, 1.9, 1.9]
    short, long = {"update_ratio": np.full(4, 0.009)}, {"update_ratio": [2.0, 0.0, 0.0, 0.0]}
    still = {"update_ratio": np.zeros(4)}
    assert diagnose(recording(*[STEP] * 6, losses=climbing)).verdict == "unstable"
    assert diagnose(recording(*[short] * 6, losses=climbing)).verdict == "healthy"
    assert diagnose(recording(*[STEP] * 6, losses=calm)).verdict == "healthy"
    assert diagnose(recording(long, *[still] * 5, losses=calm)).verdict == "unstable"


def test_the_first_cause_is_what_showed_first():
    fine, long = {}, {"update_ratio": np.full(4, 0.5)}
    dead = {"dead": [1, 0, 0, math.nan], "saturated": [1, 0.5, 0.5, math.nan],
            "dz_rms": [0.0, 1, 1, 1]}  # fmt: skip
    died_of_it = diagnose(recording(long, long | dead, long | dead, activation="ReLU"))
    assert died_of_it.verdicts == ("unstable", "dead")
    assert [f.since for f in died_of_it.findings] == [0, 1]
    assert died_of_it.findings[1].cure == "cure the unstable steps first, which it came of"
    from_the_start = diagnose(recording(long | dead, long | dead, activation="ReLU"))
    assert from_the_start.verdicts == ("dead", "unstable")  # in one step the order decides
    recovered = diagnose(recording(dead, fine, activation="ReLU"))
    assert recovered.verdicts == ()


def test_numbers_that_break_later_are_judged_by_the_last_record_that_is_whole():
    bad = {"z_nans": [0, 1, 1, 1], "dz_nans": np.ones(4), "dz_rms": np.full(4, math.nan)}
    found = diagnose(recording({}, {"dz_rms": [0.5, 1, 1, 1]}, bad))
    assert (found.verdict, found.step, found.layers[0].numbers["dz_rms"]) == ("unstable", 1, 0.5)
    assert found.findings[0].layers == ("layer2",)
    assert found.findings[0].since == 2
    ill_before = diagnose(recording({"dz_rms": [1e3, 1, 1, 1]}, bad))
    assert ill_before.verdicts == ("exploding", "unstable")


def test_growth_until_overflow_is_exploding():
    found = diagnose(net(60, "relu", "he", gain=8.0), digits())
    assert found.verdicts == ("exploding",)
    # He's weights times 8: z grows by 8 a layer.
    assert found.findings[0].numbers["factor"] == pytest.approx(8, rel=0.15)


# -- with an optimizer ---------------------------------------------------------------------------


def test_a_rate_above_two_over_lambda_is_unstable_and_one_below_is_not():
    x, _ = digits()
    for factor, verdict in ((1.9, "healthy"), (2.3, "unstable")):
        model = nn.Linear(64, 2, generator=mg.Generator(0))
        y = mg.tensor(mg.Generator(1).normal((64, 2)).astype("f"))
        top = diagnostics.hessian_top_eigenvalue(lambda m=model, y=y: F.mse_loss(m(x), y), model)
        optimizer = mg.optim.SGD(model.parameters(), lr=factor / top.value)
        assert diagnose(model, (x, y), optimizer=optimizer, steps=60).verdict == verdict


def test_model_and_optimizer_are_left_as_they_were():
    ends = []
    for looked in (False, True):
        mg.manual_seed(0)
        g = mg.Generator(0)
        model = nn.Sequential(
            nn.Linear(64, 16, generator=g), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3),
            nn.Linear(16, 16, generator=g), nn.ReLU(), nn.Linear(16, 10, generator=g),
        )  # fmt: skip
        optimizer = mg.optim.Adam(model.parameters(), lr=0.01)
        loader = mg.data.DataLoader(digits(), 16, shuffle=True, generator=mg.Generator(4))
        for x, y in itertools.chain(loader, loader):
            if looked:
                model[3].eval()
                before = [p.grad for p in model.parameters()]
                diagnose(model, loader)
                diagnose(model, loader, optimizer=optimizer, steps=5)
                assert all(p.grad is g for p, g in zip(model.parameters(), before, strict=True))
                assert [m.training for m in model] == [True] * 3 + [False] + [True] * 3
                assert not any(m._hooks for m in model.modules())
                model[3].train()
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
        ends.append({k: v.data for k, v in model.state_dict().items()})
    for key, value in ends[0].items():
        np.testing.assert_array_equal(value, ends[1][key], err_msg=key)


def test_a_large_batch_is_thinned_evenly_and_a_loader_is_taken_as_it_is():
    seen = []

    class Looks(nn.Linear):
        def forward(self, x):
            seen.append(x.data[:, 0].copy())
            return super().forward(x)

    x = mg.tensor(np.arange(2000.0, dtype=np.float32)[:, None])
    diagnose(Looks(1, 1), (x, x))
    assert len(seen[-1]) == 512
    assert (seen[-1][0], seen[-1][-1]) == (0, 1999)
    assert {3, 4} == set(np.diff(seen[-1]))
    diagnose(Looks(1, 1), mg.data.DataLoader((x, x), 100))
    np.testing.assert_array_equal(seen[-1], np.arange(100))


# -- cures ---------------------------------------------------------------------------------------


def names_in(text):
    return re.findall(r"\b(?:nn|optim|data|diagnostics|model)\.[A-Za-z_.0-9]*[A-Za-z0-9_]", text)


def test_every_name_in_a_cure_exists():
    cures = [f.cure for case in cases(seed=7, each=1) for f in case.run().findings]
    names = {name for cure in [*cures, CLIP] for name in names_in(cure)}
    assert len(names) > 12
    for name in names - {"model.rnn.weight_hh_l0", "model.rnn"}:
        root, _, rest = name.partition(".")
        found = nn.Module if root == "model" else getattr(mg, root)
        for part in rest.split("."):
            assert hasattr(found, part), name
            found = getattr(found, part)
    for activation, name in CRITICAL.items():
        assert nn.init.critical_(mg.zeros(8, 8), name) is not None, activation


def cured(model, how, data=None, before=None, **settings):
    data = digits() if data is None else data
    found = diagnose(model, data, **settings)
    assert found.verdict == before
    return found.findings[0].cure, lambda: diagnose(how(model), data, **settings).verdict


def drawn_anew(model, draw):
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            draw(layer.weight)
            nn.init.zeros_(layer.bias)
    return model


def test_the_cures_cure():
    g = mg.Generator(1)
    he = lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu", generator=g)  # noqa: E731

    cure, now = cured(net(30, "relu", "xavier"), lambda m: drawn_anew(m, he), before="vanishing")
    assert "kaiming_normal_" in cure
    assert now() == "healthy"
    gain = float(re.search(r"a gain of ([\d.]+)", cure).group(1))
    assert gain == pytest.approx(2**0.5, rel=0.02)  # from Xavier's to He's
    healthy = net(30, "relu", "xavier", gain=gain)
    assert diagnose(healthy, digits()).verdict == "healthy"

    cure, now = cured(net(20, "sigmoid"), lambda m: net(20, "tanh", "lecun"), before="vanishing")
    assert "nn.ReLU() with nn.init.kaiming_normal_" in cure
    assert "in place of nn.Sigmoid()" in cure
    assert now() == "healthy"

    cure, now = cured(net(8, "tanh", gain=20.0), lambda m: nn.init.critical_(m, "tanh"),
                      before="saturated")  # fmt: skip
    assert "nn.init.critical_(model, 'tanh')" in cure
    assert now() == "healthy"

    normalized = net(40, "relu", "he", norm="layer")
    cure, now = cured(net(40, "relu", "he", norm="batch"), lambda m: normalized, before="exploding")
    assert "nn.LayerNorm in place of nn.BatchNorm1d" in cure
    assert now() == "healthy"

    cure, now = cured(net(42, "relu", "he", residual="pre"),
                      lambda m: net(42, "relu", "he", residual="pre", residual_scale=20**-0.5),
                      before="exploding")  # fmt: skip
    assert "scale=0.22" in cure
    assert now() == "healthy"

    shifted = net(4, "relu", "he")
    shifted.layer2.linear.bias.data[...] = -100
    cure, now = cured(shifted, lambda m: drawn_anew(m, he), before="dead")
    assert "nn.init.zeros_(layer.bias)" in cure
    assert now() == "healthy"

    model = net(4, "relu", "he")
    optimizer = mg.optim.SGD(model.parameters(), lr=20.0)

    def slower(model):
        by = float(re.search(r"lr / (\d+)", cure).group(1))
        optimizer.param_groups[0]["lr"] /= by
        return model

    cure, now = cured(model, slower, before="unstable", optimizer=optimizer)
    assert now() == "healthy"

    tiny = 1e-40
    found = diagnose(net(4, "relu", "he"), digits(),
                     loss_fn=lambda out, y: F.cross_entropy(out, y) * tiny)  # fmt: skip
    scale = float(re.search(r"multiply the loss by (\S+)", found.findings[0].cure).group(1))
    assert found.verdict == "underflow"
    found = diagnose(net(4, "relu", "he"), digits(),
                     loss_fn=lambda out, y: F.cross_entropy(out, y) * (tiny * scale))  # fmt: skip
    assert found.verdict == "healthy"


class Called(nn.Module):
    """A deep network whose activation is a function and no module."""

    def __init__(self, activation, depth=20, gain=1.0):
        super().__init__()
        g = mg.Generator(0)
        self.l = nn.ModuleList([nn.Linear(64, 64, generator=g) for _ in range(depth)])
        for layer in self.l:
            layer.weight.data *= gain
        self.o, self.activation = nn.Linear(64, 10, generator=g), activation

    def forward(self, x):
        for layer in self.l:
            x = self.activation(layer(x))
        return self.o(x)


@pytest.mark.parametrize(
    ("activation", "cure"),
    [
        (F.relu, "kaiming_normal_(layer.weight, nonlinearity='relu') for every layer (a gain of"),
        (F.tanh, "critical_(model, 'tanh')"),
        (lambda z: F.leaky_relu(z, 0.3), "if the activation, which was not seen, is relu"),
        (lambda z: 2 * z, "critical_(model, 'identity')"),
    ],
)
def test_the_cure_is_for_the_function_that_was_called_and_open_where_it_is_not_known(
    activation, cure
):
    found = diagnose(Called(activation, gain=0.5), digits())
    assert found.verdict == "vanishing" and cure in found.findings[0].cure


def trained(activation, init, lr, every, steps=61):
    """A recording of so many steps with Adam, on other digits in each."""
    model = net(8, activation, init)
    optimizer, rng = mg.optim.Adam(model.parameters(), lr=lr), np.random.default_rng(0)
    data = mg.data.load_digits()
    x = mg.data.standardize(data.x).astype(np.float32)
    with Probe(model, optimizer, every=every) as probe:
        for _ in range(steps):
            rows = rng.integers(0, len(x), 64)
            optimizer.zero_grad()
            F.cross_entropy(model(mg.tensor(x[rows])), mg.tensor(data.y[rows])).backward()
            optimizer.step()
    return diagnose(probe)


@pytest.mark.parametrize("every", [1, 5, 10])
def test_what_the_steps_have_made_ill_is_cured_by_shorter_steps_however_rarely_one_looks(every):
    found = trained("tanh", "lecun", lr=0.1, every=every)
    assert found.verdict == "saturated" and found.findings[0].since > 0
    by = re.match(r"lr / (\d+), for the network was healthy at step 0", found.findings[0].cure)
    assert trained("tanh", "lecun", lr=0.1 / int(by.group(1)), every=every).verdict == "healthy"

    found = trained("relu", "he", lr=0.1, every=every)
    assert found.verdict == "dead" and found.findings[0].cure.startswith("lr / 10, for a step")
    records = 10 if every == 1 else 3
    assert f"for any example of the last {records} records" in str(found.findings[0].evidence)


def test_what_was_ill_from_the_start_is_no_fault_of_the_steps():
    small, ill = {"dz_rms": [1, 1, 1, 1]}, {"dz_rms": [1e-3, 0.1, 1, 1]}
    assert "lr /" not in diagnose(recording(ill, ill)).findings[0].cure
    assert diagnose(recording(small, ill)).findings[0].cure.startswith("lr / 10, for the network")
    small["update_ratio"] = [0.01, 0.9, 0.01, 0.01]  # a step of 1 % needs a rate 90 times smaller
    calm = ill | {"update_ratio": [0.01] * 4}
    found = diagnose(recording(small, calm, calm))
    assert found.findings[0].cure.startswith("lr / 100, for the network")
    saturated = {"dz_rms": [1e-3, 0.1, 1, 1], "saturated": [0.9, 0.9, 0.9, 0]}
    found = diagnose(recording(ill, saturated, activation="Tanh"))
    assert found.verdicts == ("vanishing", "saturated")
    assert not any("lr /" in finding.cure for finding in found.findings)


# -- how it is shown -----------------------------------------------------------------------------


def test_the_table():
    found = diagnose(recording({"dz_rms": [1e-3, 0.1, 1.0, 1.0], "saturated": [0.1, 0, 0, 0]}))
    assert str(found) == found.table()
    lines = found.table().splitlines()
    assert lines[0] == (
        "verdict: vanishing (dL/dz is multiplied by 0.0316 per layer towards the input)"
    )
    assert lines[1].startswith("  vanishing: dL/dz shrinks from 1.0e+00 in layer3 to 1.0e-03 in")
    assert lines[-8] == "step 0:"
    assert lines[-2].startswith("healthy: of the layers nearest the output, as dL/dz")
    rows = [line.split() for line in lines[-7:-2]]
    assert rows[0] == ["layer", "verdict", "dL/dz", "dL/dW", "z", "saturated", "dead", "update/W"]
    assert rows[1] == ["layer1", "vanishing", "1.0e-03", "1.0e+00", "1.0e+00", "10%", "-", "-"]
    assert rows[4][1] == "healthy"
    assert max(map(len, lines)) <= 92


def test_a_beginner_is_told_what_is_normal_and_over_which_batches_a_number_is():
    model = net(4, "relu", "he")
    model.layer2.linear.bias.data[...] = -100
    found = diagnose(model, digits())
    assert "in layer2.linear 100% of the units pass nothing for any example of its batch" in (
        found.findings[0].evidence
    )
    lines = found.table().splitlines()
    assert lines[-8] == "step 0:" and "off" in lines[-6].split() and "off 100%" in lines[-5]
    assert lines[-2:] == [
        "off: of the numbers in this batch; about half is normal for a rectifier",
        "dead: units that passed nothing in this record",
    ]
    assert "about half is normal" in found._repr_html_() and "step 0" in found._repr_html_()

    # Off in this one batch, but not in the records before it: both are told apart.
    on = {"dz_rms": np.ones(4), "saturated": [0.5] * 4, "dead": [0.0] * 4}
    off = {"dz_rms": np.ones(4), "saturated": [0.5, 1, 0.5, 0.5], "dead": [0, 0.02, 0, 0]}
    rec = recording(on, off, activation="ReLU")
    rec.meta["window"] = 10
    found = diagnose(rec)
    assert "100% of the units pass nothing for any example of its batch" in str(found.findings[0])
    assert "dead: units that passed nothing in the last 2 records" in found.table()

    tanh = diagnose(net(4, "tanh"), digits()).table()
    assert "off" not in tanh and "rectifier" not in tanh


def test_in_a_notebook():
    rec = Recording(["<b>", "b", "c"])
    rec.add(0, {"dz_rms": [1e-9, 1.0, 1.0], "z_rms": np.ones(3)})
    shown = diagnose(rec)._repr_html_()
    assert "&lt;b&gt;" in shown
    assert "<b>:" not in shown
    assert shown.count("<tr>") == 4
    assert "vanishing" in shown


# -- odd input -----------------------------------------------------------------------------------


def test_odd_input_is_refused_with_the_cure():
    model, (x, y) = net(3, "relu"), digits()
    rec = recording({})
    for args, settings, words in (
        ((model,), {}, r"must be a batch \(x, y\)"),
        ((model, x), {}, "targets y are needed"),
        ((model, (x * math.nan, y)), {}, "row 0 of x holds NaN"),
        ((model, (mg.tensor(1.0), mg.tensor(1))), {}, "holds no examples"),
        (("model",), {}, "there is no file 'model'"),
        ((3,), {}, "expected a model or a Recording, got int"),
        ((nn.Linear,), {}, "expected a model or a Recording, got type"),
        ((rec, (x, y)), {}, "needs no data"),
        ((rec,), {"loss_fn": F.mse_loss}, "needs no data"),
        ((nn.Tanh(), (x, y)), {}, "no layer with weights"),
        ((model, (x, y)), {"steps": 0}, "steps must be a whole number"),
        ((model, (x, y)), {"loss_fn": lambda out, y: out}, "one number"),
        ((net(3, "relu").requires_grad_(False), (x, y)), {}, "requires_grad_"),
    ):
        with pytest.raises(ArgumentError, match=words):
            diagnose(*args, **settings)
    with pytest.raises(GraphError, match="nothing was recorded"):
        diagnose(Recording(["a", "b"]))
    rec = Recording(["a", "b"])
    rec.add(0, {"z_rms": [1.0, 1.0]})
    with pytest.raises(GraphError, match="no gradients"):
        diagnose(rec)
    with pytest.raises(ShapeError, match=r"\[in layer 'layer1.linear'"):
        diagnose(model, (x[:, :5], y))


def test_what_was_not_used_is_unknown():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = nn.Linear(64, 8), nn.Linear(8, 8), nn.Linear(8, 10)

        def forward(self, x):
            return self.c(mg.tanh(self.a(x)))

    found = diagnose(Odd(), digits())
    assert [layer.verdict for layer in found.layers] == ["healthy", "unknown", "healthy"]
    assert found.verdict == "healthy"


@pytest.mark.parametrize("place", ["first", "before the output", "last"])
def test_a_layer_that_is_never_called_changes_no_verdict(place):
    class Spare(nn.Module):
        def __init__(self, where):
            super().__init__()
            g = mg.Generator(0)
            if where == "first":
                self.spare = nn.Linear(64, 64)
            self.l = nn.Sequential(
                *[m for _ in range(20) for m in (nn.Linear(64, 64, generator=g), nn.Sigmoid())]
            )
            if where == "before the output":
                self.spare = nn.Linear(64, 64)
            self.o = nn.Linear(64, 10, generator=g)
            if where == "last":
                self.spare = nn.Linear(64, 64)

        def forward(self, x):
            return self.o(self.l(x))

    without, found = diagnose(Spare(None), digits()), diagnose(Spare(place), digits())
    assert found.verdict == without.verdict == "vanishing"
    assert found.findings[0].layers == without.findings[0].layers
    assert found.factor_per_layer == without.factor_per_layer
    assert {a.name: a.verdict for a in found.layers} == {
        **{a.name: a.verdict for a in without.layers}, "spare": "unknown",
    }  # fmt: skip


def test_a_head_that_is_in_no_loss_is_not_compared_with():
    decay = {"dz_rms": [1e-3, 0.1, 1.0, math.nan, 1.0]}
    found = diagnose(recording(decay, layers=5))
    assert found.findings[0].layers == ("layer1",)


def test_under_no_grad_inside_a_probe_and_from_a_file(tmp_path):
    model, (x, y) = net(10, "sigmoid"), digits()
    with mg.no_grad():
        assert diagnose(model, (x, y)).verdict == "vanishing"
    with Probe(model) as probe:
        assert diagnose(model, (x, y)).verdict == "vanishing"
        F.cross_entropy(model(x), y).backward()
    for name in ("run.jsonl", "run.csv"):
        (probe.to_jsonl if name.endswith("l") else probe.to_csv)(tmp_path / name)
        found = diagnose(Recording.load(tmp_path / name))
        assert found.verdicts == diagnose(probe).verdicts == ("vanishing",)


@pytest.mark.parametrize("options", [{"norm": "batch"}, {"residual": "pre"}])
def test_a_table_does_not_change_the_verdict(tmp_path, options):
    model, (x, y) = net(20, "relu", "he", **options), digits()
    with Probe(model) as probe:
        F.cross_entropy(model(x), y).backward()
    probe.to_csv(tmp_path / "run.csv")
    found, expected = diagnose(Recording.load(tmp_path / "run.csv")), diagnose(probe)
    assert found.verdicts == expected.verdicts
    assert found.factor_per_layer == expected.factor_per_layer
    assert "the dtype is not recorded: float32 was assumed" in found.table()
    assert expected.notes == () == expected.not_judged


def test_of_a_table_it_says_what_could_not_be_judged(tmp_path):
    class Last(nn.Module):
        def __init__(self):
            super().__init__()
            self.r = nn.RNN(3, 16, generator=mg.Generator(0))

        def forward(self, x):
            return self.r(x)[1]

    with Probe(Last()) as probe:
        probe._model(mg.randn(40, 2, 3)).sum().backward()
    probe.to_csv(tmp_path / "run.csv")
    assert diagnose(probe).verdict == "vanishing"
    found = diagnose(Recording.load(tmp_path / "run.csv"))
    assert found.verdict == "unknown"
    assert "not judged: vanishing and exploding over the time steps of r" in found.table()
    assert "not judged" in found._repr_html_()
    bare = Recording(["a", "b"])
    bare.add(0, {"dz_rms": [1.0, 1.0]})
    assert "the kinds of the layers are not recorded" in diagnose(bare).table()


def test_what_is_printed_is_the_table():
    found = diagnose(net(4, "tanh"), digits())
    assert repr(found) == str(found) == found.table()


def test_a_model_without_layers_is_refused_in_the_name_of_diagnose():
    with pytest.raises(ArgumentError, match=r"^diagnose: Tanh has no layer with weights"):
        diagnose(nn.Tanh(), digits())
    optimizer = mg.optim.SGD(net(3, "tanh").parameters(), lr=0.1)
    with pytest.raises(ArgumentError, match=r"^diagnose: the optimizer holds none of the model's"):
        diagnose(net(3, "tanh"), digits(), optimizer=optimizer)
