"""The probe's numbers against ones computed by hand, and its manners in any loop."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.diagnostics import Probe
from minigrad.diagnostics.probing.names import SERIES
from minigrad.diagnostics.probing.statistics import Statistics, histogram, signal_to_noise
from minigrad.errors import ArgumentError, DtypeError, GraphError
from minigrad.nn import functional as F


def plain_rms(array) -> float:
    return float(np.sqrt(np.mean(np.square(np.asarray(array, dtype=np.float64)))))


FOUR = ("z_rms", "dz_rms", "dw_rms", "update_ratio")


def numbers(probe, layer: str, record: int = 0, names=FOUR[:3]) -> list[float]:
    """What was recorded of one layer."""
    return [probe.series(name)[record, probe.layers.index(layer)] for name in names]


@pytest.fixture
def model() -> nn.Sequential:
    layers = [nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3)]
    for seed, layer in enumerate(layers[::2]):
        layer.reset_parameters(mg.Generator(seed))
    return nn.Sequential(*layers).double()


@pytest.fixture
def x(rng) -> mg.Tensor:
    return mg.tensor(rng.normal(size=(5, 4)))


def loss_of(model, x):
    return (model(x) ** 2).mean()


def by_hand(model, x) -> dict[str, tuple[float, float, float]]:
    """Per layer rms of z, dL/dz and dL/dW of the loss above, from the formulas on paper."""
    w1, b1 = model[0].weight.data, model[0].bias.data
    w2, b2 = model[2].weight.data, model[2].bias.data
    z1 = x.data @ w1.T + b1
    z2 = np.tanh(z1) @ w2.T + b2
    dz2 = 2 * z2 / z2.size
    dz1 = (dz2 @ w2) * (1 - np.tanh(z1) ** 2)
    return {
        "0": (plain_rms(z1), plain_rms(dz1), plain_rms(dz1.T @ x.data)),
        "2": (plain_rms(z2), plain_rms(dz2), plain_rms(dz2.T @ np.tanh(z1))),
    }


def test_three_series_equal_the_formulas(model, x):
    expected = by_hand(model, x)
    with Probe(model) as probe:
        loss_of(model, x).backward()
    assert probe.layers == ["0", "2"] and probe.steps == [0]
    for name, values in expected.items():
        np.testing.assert_allclose(numbers(probe, name), values, rtol=1e-12)
    assert np.isnan(probe.series("update_ratio")).all()


@pytest.mark.parametrize("make", [
    lambda parameters: mg.optim.SGD(parameters, lr=0.1, momentum=0.9, weight_decay=0.01),
    lambda parameters: mg.optim.Adam(parameters, lr=0.01),
])  # fmt: skip
def test_the_update_ratio_is_that_of_the_weights_before_and_after(model, x, make):
    optimizer = make(model.parameters())
    expected = []
    with Probe(model, optimizer) as probe:
        for _ in range(3):
            optimizer.zero_grad()
            loss_of(model, x).backward()
            before = [model[i].weight.data.copy() for i in (0, 2)]
            optimizer.step()
            after = [model[i].weight.data for i in (0, 2)]
            expected.append(
                [plain_rms(a - b) / plain_rms(b) for a, b in zip(after, before, strict=True)]
            )
    np.testing.assert_allclose(probe.series("update_ratio"), expected, rtol=1e-9)
    assert probe.steps == [0, 1, 2]


def test_plain_sgd_moves_by_lr_times_gradient(model, x):
    optimizer = mg.optim.SGD(model.parameters(), lr=0.5)
    size = plain_rms(model[0].weight.data)
    with Probe(model, optimizer) as probe:
        loss_of(model, x).backward()
        optimizer.step()
    dw_rms, update_ratio = numbers(probe, "0", names=("dw_rms", "update_ratio"))
    assert update_ratio == pytest.approx(0.5 * dw_rms / size, rel=1e-9)


@pytest.mark.parametrize("with_optimizer", [False, True])
def test_every_picks_the_steps(model, x, with_optimizer):
    optimizer = mg.optim.SGD(model.parameters(), lr=0.0)
    with Probe(model, optimizer if with_optimizer else None, every=3) as probe:
        for _ in range(7):
            optimizer.zero_grad()
            loss_of(model, x).backward()
            optimizer.step()
    assert probe.steps == [0, 3, 6]
    expected = by_hand(model, x)["0"][:2]
    for record in range(3):
        np.testing.assert_allclose(numbers(probe, "0", record)[:2], expected, rtol=1e-12)


def test_accumulated_batches_make_one_step_with_the_sum_of_the_gradients(model, x):
    optimizer = mg.optim.SGD(model.parameters(), lr=0.1)
    one = by_hand(model, x)["0"]
    with Probe(model, optimizer) as probe:
        loss_of(model, x).backward()
        loss_of(model, x).backward()
        optimizer.step()
    np.testing.assert_allclose(numbers(probe, "0"), [one[0], one[1], 2 * one[2]], rtol=1e-12)


def test_a_shared_layer_is_measured_over_all_its_calls(x):
    layer = nn.Linear(4, 4, dtype=mg.float64, generator=mg.Generator(0))
    model = nn.Sequential(layer, layer)
    w, b = layer.weight.data, layer.bias.data
    z1 = x.data @ w.T + b
    z2 = z1 @ w.T + b
    dz2 = np.ones_like(z2)
    dz1 = dz2 @ w
    with Probe(model) as probe:
        model(x).sum().backward()
    assert probe.layers == ["0"]
    expected = [[z1, z2], [dz1, dz2], dz1.T @ x.data + dz2.T @ z1]
    np.testing.assert_allclose(numbers(probe, "0"), list(map(plain_rms, expected)), rtol=1e-12)


def test_layers_that_nothing_reaches_are_reported(x):
    class Forgetful(nn.Module):
        def __init__(self):
            super().__init__()
            self.used = nn.Linear(4, 2, dtype=mg.float64)
            self.blind = nn.Linear(4, 2, dtype=mg.float64)
            self.unused = nn.Linear(4, 2, dtype=mg.float64)

        def forward(self, x):
            self.blind(x)
            return self.used(x)

    model = Forgetful()
    with Probe(model) as probe:
        model(x).sum().backward()
    assert np.isnan(numbers(probe, "unused", names=SERIES)).all()
    assert np.isfinite(numbers(probe, "blind")[0])
    assert np.isnan(probe.series("dz_rms")[0]).tolist() == [False, True, True]
    assert list(probe.skipped) == ["unused"] and "was not called" in probe.skipped["unused"]
    model.unused.requires_grad_(False)  # that it is frozen explains nothing
    with probe:
        model(x).sum().backward()
    assert "was not called" in probe.skipped["unused"]
    lines = probe.table().splitlines()
    assert lines[-1].split() == ["unused", "-", "-", "-", "-"]


def test_a_frozen_layer_has_no_gradient_of_its_weights(model, x):
    model[0].requires_grad_(False)
    x.requires_grad_()
    with Probe(model) as probe:
        loss_of(model, x).backward()
    assert np.isnan(numbers(probe, "0")).tolist() == [False, False, True]
    assert probe.skipped == {"0": "its weights require no gradient, so there is no dL/dW"}
    model[0].requires_grad_(True)
    with probe:
        loss_of(model, x).backward()
    assert probe.skipped == {} and np.isfinite(numbers(probe, "0", 1)).all()


def test_forwards_under_no_grad_are_not_seen(model, x):
    with Probe(model) as probe, mg.no_grad():
        model(x)
    assert len(probe) == 0
    with pytest.raises(GraphError, match="nothing was recorded; run forward and backward"):
        probe.table()
    assert probe.series("z_rms").shape == (0, 2)


@pytest.mark.parametrize("fails", [False, True])
def test_hooks_are_removed_at_the_end_also_after_an_exception(model, x, fails):
    optimizer = mg.optim.SGD(model.parameters(), lr=0.1)
    probe = Probe(model, optimizer)
    try:
        with probe:
            loss = loss_of(model, x)
            if fails:
                raise KeyError("by the user")
    except KeyError:
        assert fails
    recorded = probe.to_dict()
    loss_of(model, x).backward()
    loss.backward()
    optimizer.step()
    loss_of(model, x).backward()
    assert probe.to_dict() == recorded
    assert probe.steps == ([] if fails else [0])
    assert fails or np.isnan(numbers(probe, "0")[1])


def test_it_changes_no_gradient(model, x):
    loss_of(model, x).backward()
    bare = [p.grad.data.copy() for p in model.parameters()]
    model.zero_grad()
    with Probe(model):
        loss_of(model, x).backward()
    for p, expected in zip(model.parameters(), bare, strict=True):
        np.testing.assert_array_equal(p.grad.data, expected)


def test_it_can_be_used_again_but_not_twice_at_once(model, x):
    probe = Probe(model)
    for _ in range(2):
        with probe:
            loss_of(model, x).backward()
    assert probe.steps == [0, 1]
    with probe, pytest.raises(GraphError, match="already in use"):
        probe.__enter__()


def test_a_backward_after_the_block_leaves_no_trace_in_the_next(model, x):
    probe = Probe(model)
    with probe:
        late = loss_of(model, x)
    late.backward()
    with probe:
        loss_of(model, x).backward()
    expected = [np.nan, by_hand(model, x)["0"][1]]
    np.testing.assert_allclose(probe.series("dz_rms")[:, 0], expected, rtol=1e-12)


def test_a_backward_through_an_older_step_is_not_taken_for_one_of_this(model, x):
    probe = Probe(model)
    with probe:
        late = loss_of(model, x)
    with probe:
        loss = loss_of(model, x)
        (late * 1000.0).backward()
        loss.backward()
    assert probe.series("dz_rms")[1, 0] == pytest.approx(by_hand(model, x)["0"][1], rel=1e-12)


def test_a_bare_linear_is_named_by_its_class(x):
    layer = nn.Linear(4, 2, dtype=mg.float64)
    with Probe(layer) as probe:
        layer(x).sum().backward()
    assert probe.layers == ["Linear"] and numbers(probe, "Linear")[1] == 1.0


def test_wrong_use_is_explained(model):
    with pytest.raises(ArgumentError, match="Probe: Tanh has no layer with weights to look at"):
        Probe(nn.Tanh())
    with pytest.raises(ArgumentError, match="every must be a whole number of at least 1, got 0"):
        Probe(model, every=0)
    with pytest.raises(ArgumentError, match="series: no series 'dz'; use one of z_rms, z_mean"):
        Probe(model).series("dz")


# -- every statistic, against NumPy on the arrays themselves ---------------------------------------


def assert_signal(probe, layer: str, signal: str, array, record: int = 0) -> None:
    """All statistics of a signal, as `reference` computes them."""
    names = [f"{signal}_{s}" for s in Statistics._fields]
    found = Statistics(*numbers(probe, layer, record, names))
    x = np.concatenate([np.ravel(part) for part in array]).astype(np.float64)
    expected = Statistics(
        plain_rms(x), x.mean(), x.std(), abs(x).max(), np.sqrt(np.sum(x * x)), np.mean(x == 0), 0, 0
    )
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12 * expected.rms)


@pytest.mark.parametrize("dtype", [mg.float32, mg.float64])
@pytest.mark.parametrize("activation", [nn.Tanh, nn.ReLU])
def test_every_statistic_of_every_signal_equals_numpy_in_float64(rng, dtype, activation):
    first = nn.Linear(4, 6, dtype=dtype, generator=mg.Generator(0))
    act, last = activation(), nn.Linear(6, 3, dtype=dtype, generator=mg.Generator(1))
    x = mg.tensor(rng.normal(size=(5, 4)), dtype=dtype)
    with Probe(nn.Sequential(first, act, last)) as probe:
        z1 = first(x)
        a = act(z1)
        z2 = last(a)
        for t in (z1, a, z2):
            t.retain_grad()
        (z2 * z2).mean().backward()
    assert_signal(probe, "0", "z", [z1.data])
    assert_signal(probe, "0", "a", [a.data])
    assert_signal(probe, "0", "dz", [z1.grad.data])
    assert_signal(probe, "0", "dw", [first.weight.grad.data])
    assert_signal(probe, "2", "z", [z2.data])
    assert_signal(probe, "2", "dz", [z2.grad.data])
    assert np.isnan(numbers(probe, "2", names=["a_rms", "saturated", "dead"])).all()
    for signal, array in (("z", z1.data), ("a", a.data), ("dz", z1.grad.data)):
        np.testing.assert_array_equal(probe.histogram(signal)[0, 0], histogram(array))
    np.testing.assert_array_equal(probe.histogram("dw")[0, 0], histogram(first.weight.grad.data))


def test_of_light_records_only_the_dear_statistics_are_left_out(model, x):
    with Probe(model, full=3) as probe:
        for _ in range(7):
            loss_of(model, x).backward()
    assert probe.histogram_steps == [0, 3, 6]
    dear = np.isnan(probe.series("z_std")[:, 0]).tolist()
    assert dear == [False, True, True, False, True, True, False]
    for name in ("z_rms", "a_norm", "dz_rms", "dw_rms", "z_nans", "saturated", "dead"):
        assert np.isfinite(probe.series(name)[:, 0]).all(), name
    with Probe(model, full=0) as probe:
        loss_of(model, x).backward()
    assert probe.histogram_steps == [] and np.isnan(probe.series("z_max")).all()


def test_nan_in_a_network_is_told_layer_by_layer(model, x):
    model[2].weight.data[0, 0] = np.nan
    with Probe(model) as probe:
        loss_of(model, x).backward()
    assert numbers(probe, "0", names=["z_nans", "dz_nans"]) == [0, 1]
    assert numbers(probe, "2", names=["z_nans", "z_infs"]) == [pytest.approx(1 / 3), 0]
    assert np.isnan(numbers(probe, "0")[1]) and "nan" in probe.table()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["weight", "bias"])
def test_weights_that_are_broken_from_the_start_are_named(model, x, name, value):
    getattr(model[2], name).data[..., 1] = value
    optimizer = mg.optim.SGD(model.parameters(), lr=0.1)
    probe = Probe(model, optimizer)
    assert "broken_weights" not in probe.meta
    for _ in range(2):
        with probe, np.errstate(all="ignore"):
            loss_of(model, x).backward()
            optimizer.step()  # after which the first layer is broken, too
    assert probe.meta["broken_weights"] == ["2"]
    assert not np.isfinite(model[0].weight.data).all()


def test_weights_that_break_later_are_not_said_to_have_been_broken(model, x):
    optimizer = mg.optim.SGD(model.parameters(), lr=np.inf)
    probe = Probe(model, optimizer)
    for _ in range(2):
        with probe, np.errstate(all="ignore"):
            loss_of(model, x).backward()
            optimizer.step()
    assert not np.isfinite(model[0].weight.data).all() and "broken_weights" not in probe.meta


def test_of_nan_nothing_is_said_to_be_saturated_or_dead():
    for activation in (nn.ReLU(), nn.Tanh()):
        model = nn.Sequential(nn.Linear(3, 4), activation, nn.Linear(4, 4), activation)
        model[0].bias.data[...] = -1
        with Probe(model) as probe:
            model(mg.zeros(2, 3)).sum().backward()
            model[0].weight.data[...] = np.nan
            model(mg.zeros(2, 3)).sum().backward()
        for name in ("saturated", "dead", "revived"):
            series = probe.series(name)
            assert np.isfinite(series[0]).all() and np.isnan(series[1]).all(), name


# -- weights -------------------------------------------------------------------------------------


def test_the_update_ratio_has_schedule_momentum_decay_and_clipping_in_it(model, x):
    """One weight followed by hand, through everything that stands between gradient and step."""
    settings = dict(lr=0.5, momentum=0.9, weight_decay=0.1)
    optimizer = mg.optim.SGD(model.parameters(), **settings)
    scheduler = mg.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    weight, velocity = model[0].weight, 0.0
    ratios, before_clipping, after_clipping = [], [], []
    with Probe(model, optimizer) as probe:
        for step in range(4):
            optimizer.zero_grad()
            loss_of(model, x).backward()
            before_clipping.append(plain_rms(weight.grad.data))
            nn.utils.clip_grad_norm_(model.parameters(), 0.01)
            gradient, w = weight.grad.data.copy(), weight.data.copy()
            after_clipping.append(plain_rms(gradient))
            velocity = settings["momentum"] * velocity + gradient + settings["weight_decay"] * w
            optimizer.step()
            scheduler.step()
            ratios.append(plain_rms(settings["lr"] * 0.5**step * velocity) / plain_rms(w))
    np.testing.assert_allclose(probe.series("update_ratio")[:, 0], ratios, rtol=1e-9)
    np.testing.assert_allclose(probe.series("dw_rms")[:, 0], before_clipping, rtol=1e-12)
    np.testing.assert_allclose(probe.series("dw_clipped_rms")[:, 0], after_clipping, rtol=1e-12)
    assert after_clipping[0] < before_clipping[0] / 2


def test_clipping_by_hand_and_in_a_hook_is_seen(model, x):
    optimizer = mg.optim.SGD(model.parameters(), lr=0.1)
    with Probe(model, optimizer) as probe:
        loss_of(model, x).backward()
        for p in model.parameters():
            p.grad.data[...] *= 0.25
        optimizer.step()
        optimizer.zero_grad()
        optimizer.register_step_pre_hook(
            lambda *_: nn.utils.clip_grad_value_(model.parameters(), 1e-6)
        )
        loss_of(model, x).backward()
        optimizer.step()
    whole, clipped = probe.series("dw_rms")[:, 0], probe.series("dw_clipped_rms")[:, 0]
    assert clipped[0] == pytest.approx(whole[0] / 4, rel=1e-12)
    assert clipped[1] <= 1e-6 < whole[1]


@pytest.mark.parametrize("dtype", [mg.float32, mg.float64])
def test_the_cosine_is_that_of_the_gradient_of_the_record_before(model, rng, dtype):
    model.to(dtype)
    gradients = []
    with Probe(model, every=2) as probe:
        for step in range(7):
            model.zero_grad()
            loss_of(model, mg.tensor(rng.normal(size=(5, 4)), dtype=dtype)).backward()
            if step % 2 == 0:
                gradients.append(model[0].weight.grad.data.astype(np.float64))
            for p in model.parameters():  # as an optimizer that clips in place would do
                p.grad.data[...] = 7.0
    pairs = zip(gradients[1:], gradients, strict=False)
    expected = [np.sum(a * b) / np.sqrt(np.sum(a * a) * np.sum(b * b)) for a, b in pairs]
    found = probe.series("dw_cosine")[:, 0]
    assert np.isnan(found[0])
    np.testing.assert_allclose(found[1:], expected, rtol=1e-12)
    np.testing.assert_array_equal(
        probe.series("dw_snr"), signal_to_noise(probe.series("dw_norm"), probe.series("dw_cosine"))
    )


@pytest.mark.parametrize("size", [1e-200, 1e145])
def test_cosine_and_update_reach_where_squares_do_not(size):
    layer = nn.Linear(2, 2, bias=False, dtype=mg.float64, generator=mg.Generator(0))
    layer.weight.data *= size
    optimizer = mg.optim.SGD(layer.parameters(), lr=1.0)
    with Probe(layer, optimizer) as probe:
        for row in ([3.0, 4.0], [4.0, 3.0]):
            optimizer.zero_grad()
            before = layer.weight.data / size
            (layer(mg.tensor([row], dtype=mg.float64)) * size).sum().backward()
            optimizer.step()
    assert probe.series("dw_cosine")[1, 0] == pytest.approx(24 / 25, rel=1e-12)
    change = np.sqrt(12.5) / plain_rms(before)
    assert probe.series("update_ratio")[1, 0] == pytest.approx(change, rel=1e-12)


def test_weights_of_zero_have_no_update_ratio(model, x):
    nn.init.zeros_(model[0].weight)
    optimizer = mg.optim.SGD(model.parameters(), lr=0.0)
    with Probe(model, optimizer) as probe:
        loss_of(model, x).backward()
        optimizer.step()
    assert np.isnan(probe.series("update_ratio")[0, 0]) and probe.series("update_ratio")[0, 1] == 0


# -- saturated and dead ----------------------------------------------------------------------------


def one_layer(activation, weight) -> nn.Sequential:
    weight = np.asarray(weight)
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=False, dtype=mg.float64)
    linear.weight.data[...] = weight
    return nn.Sequential(linear, activation)


@pytest.mark.parametrize(
    ("activation", "z", "share"),
    [
        (nn.Tanh(), [0.0, 2.1, -2.1, 2.2, -2.2], 2 / 5),  # |tanh z| > 0.975
        (nn.Sigmoid(), [0.0, 4.3, -4.3, 4.4, -9.0], 2 / 5),
        (nn.ReLU(), [-1.0, 0.0, 1e-9, 5.0, -2.0], 3 / 5),
        (nn.ReLU6(), [-1.0, 0.5, 6.0, 5.9, 7.0], 3 / 5),
        (nn.Softsign(), [0.0, 3.4, -3.5, 3.5, 1.0], 2 / 5),
        (nn.ELU(), [-3.1, -2.9, 5.0, 50.0, 0.0], 1 / 5),
        (nn.LeakyReLU(0.2), [-9.0, -1.0, 0.0, 1.0, 9.0], 0.0),
    ],
)
def test_saturation_is_that_of_the_activation(activation, z, share):
    model = one_layer(activation, [[1.0]])
    with Probe(model) as probe:
        model(mg.tensor(np.array(z)[:, None])).sum().backward()
    assert numbers(probe, "0", names=["saturated"]) == [pytest.approx(share)]


def test_a_unit_is_dead_after_a_window_of_silence_and_may_revive():
    # Three units see one number each; the last record wakes the first of them again.
    model = one_layer(nn.ReLU(), np.eye(3))
    inputs = [[1, 1, 1], [-1, -1, 1], [-1, -1, 1], [-1, 1, 1], [2, -1, 1]]
    with Probe(model, window=2) as probe:
        for row in inputs:
            batch = np.array([row, [-5, -5, -5]], dtype=np.float64)
            model(mg.tensor(batch)).sum().backward()
    np.testing.assert_allclose(probe.series("dead")[:, 0], [0, 0, 2 / 3, 1 / 3, 0])
    np.testing.assert_allclose(probe.series("revived")[:, 0], [0, 0, 0, 1, 1])


@pytest.mark.parametrize(("every", "records"), [(1, 10), (4, 3), (2, 5), (100, 3)])
def test_the_window_is_ten_steps_but_three_records_at_least(every, records, model):
    assert Probe(model, every=every).meta["window"] == records
    assert Probe(model, every=every, window=7).meta["window"] == 7


def test_a_unit_that_was_silent_for_less_than_the_window_was_not_dead():
    model = one_layer(nn.ReLU(), [[1.0]])
    with Probe(model, window=2) as probe:
        for number in (1.0, 1.0, -1.0, 1.0):
            model(mg.tensor([[number]], dtype=mg.float64)).sum().backward()
    assert not probe.series("dead").any() and not probe.series("revived").any()


@pytest.mark.parametrize(
    ("batches", "dead"),
    [
        ([[-1.0, -1.0], [1.0, -1.0]], 0.5),
        ([[1.0, -1.0], [-1.0, -1.0]], 0.5),
        ([[1.0, 1.0], [-1.0, -1.0]], 0.0),
        ([[-1.0, -1.0], [-1.0, -1.0]], 1.0),
    ],
)
def test_a_unit_that_fires_in_one_of_several_batches_is_not_silent(batches, dead):
    model = one_layer(nn.ReLU(), np.eye(2))
    optimizer = mg.optim.SGD(model.parameters(), lr=0.0)
    with Probe(model, optimizer) as probe:
        for row in batches:
            model(mg.tensor([row], dtype=mg.float64)).sum().backward()
        optimizer.step()
    share = np.mean(np.array(batches) < 0)
    assert numbers(probe, "0", names=["dead", "saturated", "revived"]) == [dead, share, 0]


def test_tanh_units_die_too_where_float32_knows_no_slope():
    model = one_layer(nn.Tanh(), np.eye(2)).float()
    with Probe(model) as probe:
        model(mg.tensor([[30.0, 1.0], [-30.0, 30.0]])).sum().backward()
    assert numbers(probe, "0", names=["dead", "saturated"]) == [0.5, 0.75]


# -- which layers ----------------------------------------------------------------------------------


def test_the_activation_is_found_behind_normalization_and_dropout(rng):
    model = nn.Sequential(
        nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Dropout(0.5), nn.ReLU(), nn.Linear(6, 2)
    )
    with Probe(model) as probe:
        model(mg.tensor(rng.normal(size=(8, 4)), dtype=mg.float32)).sum().backward()
    assert probe.layers == ["0", "1", "4"]
    assert probe.activations == {"0": "ReLU", "1": "ReLU", "4": ""}
    assert probe.series("a_rms")[0, 0] == probe.series("a_rms")[0, 1] > 0
    with Probe(model, include=nn.Linear) as probe:
        model(mg.tensor(rng.normal(size=(8, 4)), dtype=mg.float32)).sum().backward()
    assert probe.layers == ["0", "4"] and probe.activations["0"] == "ReLU"


SCALE = nn.Parameter(np.linspace(1.0, 2.0, 6))


class Chain(nn.Module):
    """Two layers with a function of one's own between them."""

    def __init__(self, between):
        super().__init__()
        self.first = nn.Linear(4, 6, dtype=mg.float64, generator=mg.Generator(0))
        self.second = nn.Linear(6, 2, dtype=mg.float64, generator=mg.Generator(1))
        self.between = between

    def forward(self, x):
        return self.second(self.between(self.first(x)))


@pytest.mark.parametrize(
    ("function", "kind"),
    [(F.relu, nn.ReLU), (F.tanh, nn.Tanh), (F.sigmoid, nn.Sigmoid), (F.silu, nn.SiLU),
     (F.logsigmoid, nn.LogSigmoid), (F.softsign, nn.Softsign), (F.tanhshrink, nn.Tanhshrink)],
)  # fmt: skip
def test_an_activation_that_is_called_as_a_function_is_measured_like_its_module(function, kind, x):
    found, expected = Probe(Chain(function)), Probe(Chain(kind()))
    for probe in (found, expected):
        for _ in range(2):
            with probe:
                probe._model(3 * x).sum().backward()
    assert found.activations == {"first": kind.__name__, "second": ""} and not found.skipped
    for name in SERIES:
        np.testing.assert_array_equal(found.series(name), expected.series(name), err_msg=name)


@pytest.mark.parametrize("function", [F.relu, F.tanh, F.sigmoid, F.silu, F.softsign])
@pytest.mark.parametrize("after", [
    lambda a: 2 * a + 1, lambda a: F.dropout(a, 0.2), lambda a: a + 2 * a, lambda a: a.exp(),
])  # fmt: skip
def test_what_is_done_to_the_activation_hides_nothing(function, after, x):
    with Probe(Chain(lambda z: after(function(z)))) as probe:
        probe._model(3 * x).sum().backward()
    assert probe.activations["first"].lower() == function.__name__ and not probe.skipped
    assert np.isfinite(probe.series("saturated")[0, 0])
    assert_signal(probe, "first", "a", [function(probe._model.first(3 * x)).data])


def test_in_a_residual_block_by_hand_the_activation_is_measured(x):
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(4, 4, dtype=mg.float64, generator=mg.Generator(0))
            self.last = nn.Linear(4, 2, dtype=mg.float64, generator=mg.Generator(1))

        def forward(self, x):
            return self.last(x + F.relu(self.inner(x)))

    model = Block()
    with Probe(model) as probe:
        model(x).sum().backward()
    assert probe.activations == {"inner": "ReLU", "last": ""} and not probe.skipped
    assert_signal(probe, "inner", "a", [np.maximum(model.inner(x).data, 0)])


@pytest.mark.parametrize("residual", ["pre", "post"])
def test_of_a_branch_the_activation_behind_the_sum_is_not_missed(residual, x):
    model = mg.models.deep_mlp(8, 4, "relu", "he", in_features=4, residual=residual).double()
    with Probe(model) as probe:
        model(x).sum().backward()
    assert probe.skipped == {}


@pytest.mark.parametrize("function", [F.relu, F.sigmoid, F.tanh])
def test_a_function_on_the_output_is_seen(function, x):
    model = Chain(F.relu)
    model.forward = lambda x: {"out": [function(model.second(F.relu(model.first(x))))]}
    with Probe(model) as probe:
        out = model(3 * x)["out"][0]
        (out**2).sum().backward()
    assert probe.activations["second"].lower() == function.__name__ and not probe.skipped
    assert_signal(probe, "second", "a", [out.data])


@pytest.mark.parametrize(("function", "told"), [
    (lambda out: F.log_softmax(out, -1), ""),
    (lambda out: (out - 1.0).square().mean(), ""),  # the model returns its loss
    (lambda out: 2 * out, ""),
    (lambda out: F.relu(out + 1), "'relu' after 'add'"),
    (lambda out: mg.clip(out, 0, 1), "'clip'"),
])  # fmt: skip
def test_of_the_output_what_may_be_an_activation_is_told(function, told, x):
    model = Chain(F.relu)
    forward = model.forward
    model.forward = lambda x: function(forward(x))
    with Probe(model) as probe:
        model(x).sum().backward()
    assert list(probe.skipped) == (["second"] if told else [])
    assert f"its output went into {told};" in probe.skipped.get("second", "its output went into ;")


@pytest.mark.parametrize(
    ("between", "operation"),
    [(lambda z: F.leaky_relu(z, 0.2), "leaky_relu"), (lambda z: mg.clip(z, -1, 1), "clip"),
     (lambda z: z * F.sigmoid(z), "multiply' and 'sigmoid"),
     (lambda z: F.relu(z) - 0.2 * F.relu(-z), "relu' and 'relu' after 'negative"),
     (lambda z: F.relu(z + 1), "relu' after 'add"),
     (lambda z: -F.relu(-z), "relu' after 'negative"),
     (lambda z: 1.7159 * F.tanh(z * (2 / 3)), "tanh' after 'multiply"),
     (lambda z: F.hardsigmoid(z), "hardtanh' after 'add"),
     (lambda z: 1 / (z + 9), "divide' after 'add"), (lambda z: z * (z + 9), "multiply"),
     (lambda z: z * SCALE / SCALE, None),  # what is learned, but computed from nothing
     (lambda z: SCALE / (z + 9), "divide' after 'add"),
     (lambda z: F.relu(mg.concatenate([z, z])), "relu' after 'concatenate"),
     (lambda z: F.relu(z @ mg.eye(6, dtype=mg.float64)), None),  # has a layer of its own between
     (lambda z: z + 1, None), (lambda z: 2 * z, None), (lambda z: z, None)],
)  # fmt: skip
def test_a_function_that_is_not_known_is_told_of_and_not_guessed(between, operation, x):
    with Probe(Chain(between)) as probe:
        probe._model(x).sum().backward()
    assert probe.activations == {"first": "", "second": ""}
    assert np.isnan(probe.series("saturated")).all()
    notes = {} if operation is None else {"first": operation}
    assert list(probe.skipped) == list(notes)
    for layer, name in notes.items():
        assert probe.skipped[layer].startswith(
            f"its activation was not seen: its output went into '{name}'"
        )


def test_an_activation_after_something_unknown_is_listed(rng):
    class Doubled(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.act = nn.Linear(4, 4), nn.Tanh()

        def forward(self, x):
            return self.act(2 * self.fc(x))

    model = Doubled()
    with Probe(model) as probe:
        model(mg.ones(2, 4)).sum().backward()
    assert probe.skipped["act"] == "is the activation of no layer that is looked at"
    assert "its output went into 'tanh' after 'multiply'" in probe.skipped["fc"]
    assert probe.activations == {"fc": ""} and np.isnan(probe.series("a_rms")).all()


def test_an_activation_of_ones_own_is_listed_unless_it_says_that_it_is_one(x):
    class Swish(nn.Module):
        def forward(self, input):
            return input * mg.nn.functional.sigmoid(input)

    class Known(Swish, nn.Activation):
        pass

    for activation, name, listed in ((Swish(), "", ["1", "0"]), (Known(), "Known", [])):
        model = nn.Sequential(nn.Linear(4, 3, dtype=mg.float64), activation)
        with Probe(model) as probe:
            model(x).sum().backward()
        assert probe.activations["0"] == name and list(probe.skipped) == listed
        assert np.isfinite(probe.series("saturated")[0, 0]) == bool(name)


def test_residual_blocks_are_layers_whose_z_is_the_sum(x):
    branch = nn.Linear(4, 4, dtype=mg.float64, generator=mg.Generator(0))
    model = nn.Sequential(nn.Residual(branch), nn.Tanh())
    with Probe(model) as probe:
        model(x).sum().backward()
    assert probe.layers == ["0", "0.branch"]
    out = branch(x).data
    y = x.data + out
    assert_signal(probe, "0", "z", [y])
    assert_signal(probe, "0", "a", [np.tanh(y)])
    assert_signal(probe, "0", "dz", [1 - np.tanh(y) ** 2])
    assert_signal(probe, "0.branch", "dz", [1 - np.tanh(y) ** 2])
    assert probe.activations == {"0": "Tanh", "0.branch": ""}
    assert np.isnan(numbers(probe, "0", names=["dw_rms"])).all()


@pytest.mark.parametrize("kind", [nn.RNNCell, nn.LSTMCell, nn.GRUCell])
def test_a_cell_is_measured_over_all_its_steps(rng, kind):
    cell = kind(3, 5, dtype=mg.float64, generator=mg.Generator(0))
    x = mg.tensor(rng.normal(size=(4, 2, 3)))
    states = []
    with Probe(cell) as probe:
        state = None
        for step in x:
            state = cell(step, state)
            h = state[0] if isinstance(state, tuple) else state
            h.retain_grad()
            states.append(h)
        (h * h).sum().backward()
    name = kind.__name__
    assert_signal(probe, name, "z", [h.data for h in states])
    assert_signal(probe, name, "dz", [h.grad.data for h in states])
    assert_signal(probe, name, "dw", [cell.weight_ih.grad.data, cell.weight_hh.grad.data])


@pytest.mark.parametrize(("kind", "cell"), [(nn.RNN, nn.RNNCell), (nn.LSTM, nn.LSTMCell),
                                            (nn.GRU, nn.GRUCell)])  # fmt: skip
def test_a_recurrent_layer_shows_every_step_like_its_cell(rng, kind, cell):
    layer = kind(3, 5, dtype=mg.float64, generator=mg.Generator(0))
    cell = cell(3, 5, dtype=mg.float64)
    for theirs, ours in zip(cell.parameters(), layer.parameters(), strict=True):
        theirs.data[...] = ours.data
    x = mg.tensor(rng.normal(size=(4, 2, 3)))
    with Probe(layer) as probe:
        output, _ = layer(x)
        (output[-1] ** 2).sum().backward()
    with Probe(cell) as of_cell:
        state = None
        for step in x:
            state = cell(step, state)
        h = state[0] if isinstance(state, tuple) else state
        (h * h).sum().backward()
    assert "_step" not in vars(layer)
    for name in SERIES:
        np.testing.assert_allclose(
            probe.series(name), of_cell.series(name), rtol=1e-12, err_msg=name
        )


def test_of_a_parametrized_layer_w_is_what_it_learns(x):
    layer = nn.utils.parametrizations.weight_norm(nn.Linear(4, 3, dtype=mg.float64))
    with Probe(nn.Sequential(layer)) as probe:
        layer(x).sum().backward()
    assert probe.layers == ["0"]
    learned = [layer.get_parameter(f"parametrizations.weight.original{i}") for i in (0, 1)]
    assert_signal(probe, "0", "dw", [p.grad.data for p in learned])


def test_an_embedding_and_a_normalization_are_layers():
    model = nn.Sequential(nn.Embedding(10, 4), nn.LayerNorm(4), nn.Linear(4, 2))
    with Probe(model) as probe:
        model(mg.tensor([1, 2, 2])).sum().backward()
    assert probe.layers == ["0", "1", "2"]
    assert np.isfinite([numbers(probe, layer) for layer in probe.layers]).all()


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        ("*", (), ["body.0", "body.1", "head"]),
        ("body.*", (), ["body.0", "body.1"]),
        (["head", "body.[1]"], (), ["body.1", "head"]),
        (nn.Linear, (), ["body.0", "head"]),
        ("*", nn.LayerNorm, ["body.0", "head"]),
        ("*", ("body.0", nn.LayerNorm), ["head"]),
    ],
)
def test_layers_are_chosen_by_path_and_class(include, exclude, expected):
    body = nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2), nn.Tanh())
    model = nn.Sequential({"body": body, "head": nn.Linear(2, 1)})
    assert Probe(model, include=include, exclude=exclude).layers == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"include": "layer*"}, r"include='layer\*' matches no layer; there are 0, 2"),
        ({"include": nn.RNN}, "matches no layer"),
        ({"exclude": "nothing"}, "exclude='nothing' matches no layer"),
        ({"exclude": "*"}, "nothing is left to look at"),
        ({"every": 2.5}, "every must be a whole number of at least 1, got 2.5"),
        ({"full": -1}, "full must be a whole number of at least 0, got -1"),
        ({"include": 3}, "include takes paths such as 'layer1.*' and classes .*, got 3"),
        ({"exclude": [nn.Linear, 3]}, "exclude takes paths"),
        ({"include": []}, r"^Probe: include takes paths .* one or a list of them, got \[\]"),
        ({"include": ()}, r"^Probe: include takes paths .*, got \(\)"),
        ({"every": True}, "every must be a whole number of at least 1, got True"),
        ({"full": False}, "full must be a whole number of at least 0, got False"),
        ({"window": True}, "window must be a whole number of at least 1, got True"),
        ({"optimizer": mg.optim.SGD(nn.Linear(2, 2).parameters())}, "holds none of the model's"),
        ({"window": 0}, "window must be a whole number of at least 1, got 0"),
    ],
)
def test_a_choice_that_cannot_be_is_explained(model, options, message):
    with pytest.raises(ArgumentError, match=message):
        Probe(model, **options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((nn.Linear,), "model must be an nn.Module, got the class Linear"),
        ((3,), "model must be an nn.Module, got int"),
        ((nn.Linear(2, 2), mg.optim.SGD), "optimizer must be one of mg.optim.*, got the class SGD"),
        ((nn.Linear(2, 2), 10), "optimizer must be one of mg.optim.*, got int"),
    ],
)
def test_what_is_no_model_and_no_optimizer_is_refused(arguments, message):
    with pytest.raises(DtypeError, match=message):
        Probe(*arguments)


# -- its manners -----------------------------------------------------------------------------------


def hooks_on(model) -> int:
    return sum(len(m._hooks) + len(m._pre_hooks) for m in model.modules()) + sum(
        len(p._node.watched().hooks) + len(p._node.watched().observers) for p in model.parameters()
    )


@pytest.mark.parametrize("with_optimizer", [False, True])
def test_between_two_records_nothing_hangs_on_the_layers(model, x, with_optimizer):
    optimizer = mg.optim.SGD(model.parameters(), lr=0.1)
    seen = []
    with Probe(model, optimizer if with_optimizer else None, every=3) as probe:
        for _ in range(5):
            loss = loss_of(model, x)
            seen.append(hooks_on(model))
            loss.backward()
            optimizer.step()
    assert probe.steps == [0, 3]
    resting = 0 if with_optimizer else 1  # one hook, to count the steps by
    assert seen[0] == seen[3] > 2 and [seen[i] for i in (1, 2, 4)] == [resting] * 3
    assert hooks_on(model) == 0 and not optimizer._before and not optimizer._after


def test_two_probes_do_not_disturb_each_other(model, x):
    optimizer = mg.optim.SGD(model.parameters(), lr=0.1)
    with Probe(model, optimizer, every=2) as a, Probe(model, optimizer, every=3) as b:
        for _ in range(6):
            optimizer.zero_grad()
            loss_of(model, x).backward()
            optimizer.step()
    assert (a.steps, b.steps) == ([0, 2, 4], [0, 3])
    np.testing.assert_array_equal(a.series("dz_rms")[0], b.series("dz_rms")[0])
    assert hooks_on(model) == 0


def test_entered_again_it_goes_on(model, x):
    optimizer = mg.optim.SGD(model.parameters(), lr=0.1)
    probe = Probe(model, optimizer, every=2)
    for _ in range(3):
        with probe:
            for _ in range(3):
                optimizer.zero_grad()
                loss_of(model, x).backward()
                optimizer.step()
    assert probe.steps == [0, 2, 4, 6, 8]
    assert np.isfinite(probe.series("dw_cosine")[1:]).all()


def test_losses_are_noted_with_their_records(model, x):
    optimizer = mg.optim.SGD(model.parameters(), lr=0.1)
    for late in (False, True):
        losses = []
        with Probe(model, optimizer, every=2) as probe:
            for _ in range(5):
                optimizer.zero_grad()
                loss = loss_of(model, x)
                losses.append(loss.item())
                loss.backward()
                if not late:
                    probe.note(loss=loss)
                optimizer.step()
                if late:
                    probe.note(loss=loss.item())
        np.testing.assert_array_equal(probe.loss, losses[::2])


def test_without_a_note_the_loss_is_not_known(model, x):
    with Probe(model) as probe:
        loss_of(model, x).backward()
    assert np.isnan(probe.loss).all() and probe.loss.shape == (1,)


def test_it_sees_a_backward_that_makes_a_graph(model, x):
    with Probe(model) as probe:
        loss_of(model, x).backward(create_graph=True)
    np.testing.assert_allclose(numbers(probe, "0"), by_hand(model, x)["0"], rtol=1e-12)


def test_a_write_in_place_after_the_layer_changes_nothing_that_was_measured(model, x):
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = model[0]

        def forward(self, x):
            z = self.fc(x)
            z *= 3.0
            return z

    scaled = Scaled()
    with Probe(scaled) as probe:
        scaled(x).sum().backward()
    assert_signal(probe, "fc", "z", [model[0](x).data])
    assert_signal(probe, "fc", "dz", [np.full((5, 6), 3.0)])


def test_memory_does_not_grow_with_the_arrays_of_the_steps():
    model = nn.Sequential(*[nn.Linear(64, 64) for _ in range(6)])
    optimizer = mg.optim.SGD(model.parameters(), lr=0.0)
    x = mg.ones(256, 64)
    probe = Probe(model, optimizer, full=0)

    def steps(count: int) -> None:
        for _ in range(count):
            optimizer.zero_grad()
            model(x).sum().backward()
            optimizer.step()

    tracemalloc.start()
    try:
        with probe:
            steps(20)
            before = tracemalloc.get_traced_memory()[0]
            steps(200)
            grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    # A record of 6 layers is 6 * 38 numbers; the arrays of one step are 2.4 million bytes.
    assert grown < 200 * (6 * 38 * 8 + 1000)


class Branch(nn.Module):
    """A layer with F.relu behind it, and perhaps a parameter beside the layer."""

    def __init__(self, scaled=False):
        super().__init__()
        self.linear = nn.Linear(6, 6)
        if scaled:
            self.gamma = nn.Parameter(np.ones(6, "f"))

    def forward(self, x):
        a = mg.relu(self.linear(x))
        return a * self.gamma if hasattr(self, "gamma") else a


@pytest.mark.parametrize("block", [lambda: nn.Residual(Branch()), lambda: Branch(scaled=True)])
def test_a_function_within_a_module_that_is_recorded_itself_is_seen(block):
    model = nn.Sequential(block(), block(), nn.Linear(6, 3))
    with Probe(model) as probe:
        (model(mg.ones(4, 6)) ** 2).mean().backward()
    inner = [name for name in probe.layers if name.endswith("linear")]
    assert len(inner) == 2 and [probe.activations[name] for name in inner] == ["ReLU"] * 2
    assert np.isfinite(probe.series("a_rms")[0][[probe.layers.index(name) for name in inner]]).all()
    assert probe.skipped == {}
