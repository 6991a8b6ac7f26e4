"""lr_range_test: the rates, what it suggests, and that nothing is left behind; `undisturbed`."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.diagnostics.loss_surface.lr_range import lr_range_test
from minigrad.diagnostics.undisturbed import undisturbed
from minigrad.errors import ArgumentError
from minigrad.nn import functional as F


class Point(nn.Module):
    """Its parameter w is its output: the loss (w - target)^2 is a plain quadratic."""

    def __init__(self, *start):
        super().__init__()
        self.w = nn.Parameter(np.array(start))

    def forward(self, x):
        return self.w.reshape(1, -1) + 0 * x


def quadratic(curvature):
    """A model and loss of that curvature, so that SGD diverges above lr = 2 / curvature."""
    model = Point(1.0, 1.0)
    data = mg.zeros(1, 2, dtype=mg.float64), mg.zeros(1, 2, dtype=mg.float64)
    return model, data, lambda out, y: 0.5 * curvature * ((out - y) ** 2).sum()


def training(seed=0, optimizer=mg.optim.SGD, **kw):
    g = mg.Generator(seed)
    mg.manual_seed(seed)  # one of the two dropouts draws from there
    model = nn.Sequential(
        nn.Linear(64, 16, generator=g), nn.BatchNorm1d(16), nn.ReLU(),
        nn.Dropout(0.2, generator=mg.Generator(5)), nn.Dropout(0.1),
        nn.Linear(16, 10, generator=g),
    )  # fmt: skip
    digits = mg.data.load_digits()
    loader = mg.data.DataLoader(digits, 128, shuffle=True, generator=mg.Generator(seed))
    return model, optimizer(model.parameters(), **kw), loader


# -- what it measures ----------------------------------------------------------------------------


def test_the_rates_grow_by_the_same_factor_and_the_losses_are_those_of_sgd():
    model, data, loss = quadratic(1.0)
    optimizer = mg.optim.SGD(model.parameters(), lr=123.0)
    found = lr_range_test(model, optimizer, data, loss, lr_min=1e-3, lr_max=1.0, steps=31)
    np.testing.assert_allclose(found.lrs, 10 ** np.linspace(-3, 0, 31))
    w, losses = 1.0, []
    for lr in found.lrs:
        losses.append(w * w)  # two coordinates
        w *= 1 - lr
    np.testing.assert_allclose(found.losses, losses, rtol=1e-12)
    assert not found.diverged
    # Bias-corrected as in Adam: every average is a weighted mean of the losses so far.
    weights = 0.1 * 0.9 ** np.arange(5)[::-1]
    expected = np.dot(weights, losses[:5]) / weights.sum()
    assert found.smoothed[4] == pytest.approx(expected, rel=1e-12)
    assert found.smoothed[0] == losses[0]


@pytest.mark.parametrize("curvature", [1.0, 100.0])
def test_it_ends_soon_after_two_over_lambda(curvature):
    model, data, loss = quadratic(curvature)
    optimizer = mg.optim.SGD(model.parameters(), lr=1.0)
    found = lr_range_test(model, optimizer, data, loss, lr_min=1e-6, lr_max=1e4, steps=1000,
                          smoothing=0.0)  # fmt: skip
    assert found.diverged
    smallest = found.lrs[found.losses.argmin()]
    assert smallest == pytest.approx(2 / curvature, rel=0.05)  # from there on the loss grows
    assert found.lrs[-1] < 4 / curvature
    assert found.suggestion < 2 / curvature


@pytest.mark.parametrize("kind", [mg.optim.SGD, mg.optim.Adam])
def test_the_suggested_rate_trains_better_than_a_tenth_of_it_and_far_better_than_the_last(kind):
    def loss_in_the_second_epoch(lr):
        model, optimizer, loader = training(0, kind, lr=lr)
        losses = []
        with np.errstate(all="ignore"):
            for x, y in [*loader, *loader]:
                optimizer.zero_grad()
                loss = F.cross_entropy(model(x), y)
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
        return np.mean(losses[len(loader) :])

    found = lr_range_test(*training(0, kind, lr=0.1), lr_max=1000.0)
    assert found.diverged
    suggested = loss_in_the_second_epoch(found.suggestion)
    assert suggested < 1.2
    assert suggested < 0.7 * loss_in_the_second_epoch(found.suggestion / 10)
    assert not loss_in_the_second_epoch(found.lrs[-1]) < 2.3  # ln 10: no better than chance


def test_groups_keep_the_ratio_of_their_rates():
    seen = []
    model, data, loss = quadratic(1.0)
    other = mg.zeros(1, requires_grad=True)
    optimizer = mg.optim.SGD([{"params": model.parameters(), "lr": 0.1},
                              {"params": [other], "lr": 0.02}], lr=1.0)  # fmt: skip
    optimizer.register_step_pre_hook(
        lambda o, args, kw: seen.append([g["lr"] for g in o.param_groups])
    )
    lr_range_test(model, optimizer, data, loss, lr_min=1e-3, lr_max=0.1, steps=3)
    np.testing.assert_allclose(seen, [[1e-3, 2e-4], [1e-2, 2e-3], [1e-1, 2e-2]])
    assert [g["lr"] for g in optimizer.param_groups] == [0.1, 0.02]


def test_a_loss_that_never_falls_gives_no_suggestion():
    model, data, loss = quadratic(1.0)
    optimizer = mg.optim.SGD(model.parameters(), lr=1.0)
    found = lr_range_test(model, optimizer, data, lambda out, y: -loss(out, y), lr_max=1.0)
    assert found.suggestion is None
    assert str(found).endswith("steepest descent at: none")


def test_infinity_ends_it():
    model, data, _ = quadratic(1.0)
    optimizer = mg.optim.SGD(model.parameters(), lr=1.0)
    found = lr_range_test(model, optimizer, data, lambda out, y: mg.exp(1e9 * out).sum())
    assert found.diverged
    assert len(found.lrs) == len(found.losses) == len(found.smoothed) == 1


# -- what it leaves behind -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (mg.optim.SGD, dict(lr=0.01, momentum=0.9)),
        (mg.optim.Adam, dict(lr=1e-3)),
        (mg.optim.Adam, dict(lr=1e-3, amsgrad=True, weight_decay=0.1)),
        (mg.optim.RMSprop, dict(lr=1e-3, momentum=0.5)),
    ],
)
def test_training_goes_on_as_if_there_had_been_no_test(kind, settings):
    ends = []
    for tested in (False, True):
        model, optimizer, loader = training(0, kind, **settings)
        scheduler = mg.optim.lr_scheduler.StepLR(optimizer, 3)
        optimizer.register_step_post_hook(lambda *_, s=scheduler: s.step())
        for epoch in range(2):
            for x, y in loader:
                optimizer.zero_grad()
                F.cross_entropy(model(x), y).backward()
                optimizer.step()
            if tested and epoch == 0:
                model.eval()
                model[3].train()
                grads = [p.grad for p in model.parameters()]
                steps, rate = optimizer.steps_taken, optimizer.param_groups[0]["lr"]
                lr_range_test(model, optimizer, loader, steps=20)
                assert all(p.grad is g for p, g in zip(model.parameters(), grads, strict=True))
                assert [m.training for m in model] == [False] * 3 + [True] + [False] * 2
                assert (optimizer.steps_taken, optimizer.param_groups[0]["lr"]) == (steps, rate)
                assert scheduler.last_epoch == steps
                model.train()
        ends.append({k: v.data for k, v in model.state_dict().items()} | {"lr": rate_of(optimizer)})
    for key, value in ends[0].items():
        np.testing.assert_array_equal(value, ends[1][key], err_msg=key)


def rate_of(optimizer):
    return optimizer.param_groups[0]["lr"]


def test_also_after_an_error():
    model, optimizer, loader = training(lr=0.1)
    before = {k: v.data.copy() for k, v in model.state_dict().items()}
    calls = []

    def breaks(out, y):
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return F.cross_entropy(out, y)

    with pytest.raises(KeyboardInterrupt):
        lr_range_test(model, optimizer, loader, breaks)
    for key, value in model.state_dict().items():
        np.testing.assert_array_equal(value.data, before[key])
    assert optimizer.state == {}
    assert rate_of(optimizer) == 0.1


def test_memory_that_others_look_at_is_written_back_in_place():
    layer = nn.Linear(2, 1)
    view, tied = layer.weight.data, layer.weight.detach()
    before = view.copy()
    with undisturbed(layer):
        layer.weight.data += 1
    assert layer.weight.data is view
    np.testing.assert_array_equal(tied.data, before)


def test_a_graph_made_before_is_not_spoiled_where_nothing_changed():
    layer = nn.Linear(2, 1)
    loss = (layer(mg.ones(3, 2)) ** 2).sum()
    with undisturbed(layer):
        (layer(mg.ones(3, 2)) ** 2).sum().backward()
    assert layer.weight.grad is None
    loss.backward()
    assert layer.weight.grad is not None


# -- odd input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (dict(lr_min=0.0), "above 0"),
        (dict(lr_min=1.0, lr_max=0.1), "rates must grow"),
        (dict(lr_max=math.inf), "rates must grow"),
        (dict(steps=1), "at least 2"),
        (dict(steps=2.5), "whole number"),
        (dict(smoothing=1.0), r"\[0, 1\)"),
        (dict(stop=1.0), "above 1"),
    ],
)
def test_settings_out_of_their_range_are_refused(settings, words):
    with pytest.raises(ArgumentError, match=words):
        lr_range_test(*training(lr=0.1), **settings)


def test_odd_input_is_refused_with_the_cure():
    model, optimizer, _ = training(lr=0.1)
    x, y = mg.ones(4, 64), mg.zeros(4, dtype=mg.int64)
    for data, words in (
        (x, r"must be a batch \(x, y\)"),
        (None, r"must be a batch \(x, y\)"),
        ([], "gave no batch"),
        ([x, y, x], "gave a Tensor"),
        ((mg.ones(0, 64), mg.zeros(0)), "no examples"),
        ((x * math.nan, y), "row 0 of x holds NaN"),
        ((x, y > 1), "no usual loss"),
        (iter([(x, y)]), "gave no batch"),
    ):
        with pytest.raises(ArgumentError, match=words):
            lr_range_test(model, optimizer, data)
    with pytest.raises(ArgumentError, match=r"one number, the mean over the batch, got shape \(4"):
        lr_range_test(model, optimizer, (x, y), lambda out, y: out)
    with pytest.raises(ArgumentError, match="depends on nothing that requires a gradient"):
        lr_range_test(model, optimizer, (x, y), lambda out, y: mg.ones(1))
    with pytest.raises(ArgumentError, match="a model and its optimizer, got SGD and Sequential"):
        lr_range_test(optimizer, model, (x, y))
    with pytest.raises(ArgumentError, match="holds none of the model's parameters"):
        lr_range_test(model, mg.optim.SGD(nn.Linear(1, 1).parameters(), lr=1), (x, y))
    for loss_fn in ("mse", nn.CrossEntropyLoss):
        with pytest.raises(ArgumentError, match="lr_range_test: loss_fn must be a function of"):
            lr_range_test(model, optimizer, (x, y), loss_fn)
    for name in ("lr_min", "lr_max", "smoothing", "stop"):
        for value in ("a", None):
            with pytest.raises(ArgumentError, match=f"lr_range_test: {name} must be a number, got"):
                lr_range_test(model, optimizer, (x, y), **{name: value})


def test_what_was_found_is_shown_in_a_line():
    found = lr_range_test(*training(lr=0.1), steps=3)
    assert repr(found) == f"<LRRange: {found}>"
