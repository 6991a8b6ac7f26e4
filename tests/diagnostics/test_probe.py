"""The probe's numbers against ones computed by hand, and its manners in any loop."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.diagnostics import Probe
from minigrad.diagnostics.probe import LayerRecord, rms, together
from minigrad.errors import ArgumentError, GraphError


def plain_rms(array) -> float:
    return float(np.sqrt(np.mean(np.square(np.asarray(array, dtype=np.float64)))))


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
    assert probe.layers == ["0", "2"] and len(probe.records) == 1
    for name, values in expected.items():
        found = probe.records[0].layers[name]
        np.testing.assert_allclose([found.z_rms, found.dz_rms, found.dw_rms], values, rtol=1e-12)
        assert found.update_ratio is None


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
    assert [record.step for record in probe.records] == [0, 1, 2]


def test_plain_sgd_moves_by_lr_times_gradient(model, x):
    optimizer = mg.optim.SGD(model.parameters(), lr=0.5)
    size = plain_rms(model[0].weight.data)
    with Probe(model, optimizer) as probe:
        loss_of(model, x).backward()
        optimizer.step()
    found = probe.records[0].layers["0"]
    assert found.update_ratio == pytest.approx(0.5 * found.dw_rms / size, rel=1e-9)


@pytest.mark.parametrize("with_optimizer", [False, True])
def test_every_picks_the_steps(model, x, with_optimizer):
    optimizer = mg.optim.SGD(model.parameters(), lr=0.0)
    with Probe(model, optimizer if with_optimizer else None, every=3) as probe:
        for _ in range(7):
            optimizer.zero_grad()
            loss_of(model, x).backward()
            optimizer.step()
    assert [record.step for record in probe.records] == [0, 3, 6]
    expected = by_hand(model, x)["0"][:2]
    for record in probe.records:
        found = record.layers["0"]
        np.testing.assert_allclose([found.z_rms, found.dz_rms], expected, rtol=1e-12)


def test_accumulated_batches_make_one_step_with_the_sum_of_the_gradients(model, x):
    optimizer = mg.optim.SGD(model.parameters(), lr=0.1)
    one = by_hand(model, x)["0"]
    with Probe(model, optimizer) as probe:
        loss_of(model, x).backward()
        loss_of(model, x).backward()
        optimizer.step()
    found = probe.records[0].layers["0"]
    np.testing.assert_allclose(
        [found.z_rms, found.dz_rms, found.dw_rms], [one[0], one[1], 2 * one[2]], rtol=1e-12
    )


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
    found = probe.records[0].layers["0"]
    assert probe.layers == ["0"]
    assert found.z_rms == pytest.approx(plain_rms([z1, z2]), rel=1e-12)
    assert found.dz_rms == pytest.approx(plain_rms([dz1, dz2]), rel=1e-12)
    assert found.dw_rms == pytest.approx(plain_rms(dz1.T @ x.data + dz2.T @ z1), rel=1e-12)


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
    layers = probe.records[0].layers
    assert layers["unused"] == LayerRecord(None, None, None, None)
    assert layers["blind"].z_rms is not None and layers["blind"].dz_rms is None
    assert np.isnan(probe.series("dz_rms")[0]).tolist() == [False, True, True]
    lines = probe.table().splitlines()
    assert lines[-1].split() == ["unused", "-", "-", "-", "-"]


def test_a_frozen_layer_has_no_gradient_of_its_weights(model, x):
    model[0].requires_grad_(False)
    x.requires_grad_()
    with Probe(model) as probe:
        loss_of(model, x).backward()
    found = probe.records[0].layers["0"]
    assert found.dw_rms is None and found.dz_rms is not None


def test_forwards_under_no_grad_are_not_seen(model, x):
    with Probe(model) as probe, mg.no_grad():
        model(x)
    assert probe.records == []
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
    assert len(probe.records) == 1 and probe.records[0].layers["0"].dz_rms is None


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
    assert [record.step for record in probe.records] == [0, 1]
    with probe, pytest.raises(GraphError, match="already in use"):
        probe.__enter__()


def test_a_backward_after_the_block_leaves_no_trace_in_the_next(model, x):
    probe = Probe(model)
    with probe:
        late = loss_of(model, x)
    late.backward()
    with probe:
        loss_of(model, x).backward()
    assert [record.layers["0"].dz_rms for record in probe.records] == [
        None, pytest.approx(by_hand(model, x)["0"][1], rel=1e-12),
    ]  # fmt: skip


def test_a_bare_linear_is_named_by_its_class(x):
    layer = nn.Linear(4, 2, dtype=mg.float64)
    with Probe(layer) as probe:
        layer(x).sum().backward()
    assert probe.layers == ["Linear"] and probe.records[0].layers["Linear"].dz_rms == 1.0


def test_wrong_use_is_explained(model):
    with pytest.raises(ArgumentError, match=r"Probe: Tanh has no nn\.Linear to look at"):
        Probe(nn.Tanh())
    with pytest.raises(ArgumentError, match="every must be a whole number of at least 1, got 0"):
        Probe(model, every=0)
    with pytest.raises(ArgumentError, match="no series 'dz'; use one of z_rms, dz_rms, dw_rms"):
        Probe(model).series("dz")


def test_to_dict_holds_what_the_records_hold(model, x):
    with Probe(model) as probe:
        loss_of(model, x).backward()
    found = probe.to_dict()
    assert found["layers"] == ["0", "2"]
    assert found["records"][0]["step"] == 0
    assert found["records"][0]["layers"]["2"]["dz_rms"] == probe.records[0].layers["2"].dz_rms


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1e-30, 1.0, 1e30])
def test_rms_survives_squares_that_do_not(dtype, size):
    array = np.array([3.0, -4.0], dtype=dtype) * dtype(size)
    assert rms(array) == pytest.approx(math.sqrt(12.5) * size, rel=1e-6)


@pytest.mark.parametrize("size", [1e-300, 1e300])
def test_rms_and_together_reach_to_the_ends_of_float64(size):
    assert rms(np.array([size, -size])) == pytest.approx(size, rel=1e-12)
    assert together([(size, 10), (3 * size, 10)]) == pytest.approx(size * math.sqrt(5), rel=1e-12)


def test_rms_passes_nan_and_infinity_on():
    assert math.isnan(rms(np.array([1.0, np.nan]))) and math.isnan(rms(np.zeros((0, 3))))
    assert rms(np.array([1.0, -np.inf])) == math.inf
    assert rms(np.zeros(3)) == 0.0
