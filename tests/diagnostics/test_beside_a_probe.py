"""Other diagnostics inside a `with Probe`: its record is that of the training alone."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.diagnostics import (
    Probe,
    diagnose,
    hessian_top_eigenvalue,
    jacobian_spectrum,
    loss_landscape,
    lr_range_test,
    sharpness,
)
from minigrad.diagnostics.probing.names import SERIES
from minigrad.diagnostics.undisturbed import undisturbed
from minigrad.nn import functional as F

DATA = mg.data.load_digits()
X, Y = mg.tensor(DATA.x[:32]), mg.tensor(DATA.y[:32])

BESIDE = {
    "hessian of a module": lambda net, opt, loss: hessian_top_eigenvalue(loss, net, tol=0.1),
    "hessian of tensors": lambda net, opt, loss: hessian_top_eigenvalue(
        loss, list(net.parameters()), tol=0.1
    ),
    "jacobian_spectrum": lambda net, opt, loss: jacobian_spectrum(net, X[:2]),
    "lr_range_test": lambda net, opt, loss: lr_range_test(net, opt, (X, Y), steps=5),
    "diagnose": lambda net, opt, loss: diagnose(net, (X, Y)),
    "diagnose, training": lambda net, opt, loss: diagnose(net, (X, Y), optimizer=opt, steps=3),
    "loss_landscape": lambda net, opt, loss: loss_landscape(net, loss, points=3),
}
PLACES = ("before the forward", "before the backward", "before the step")
CASES = [
    (name, place)
    for name in BESIDE
    for place in PLACES
    # What trains writes to the weights, and no graph from before outlives that.
    if place != PLACES[1] or name not in ("lr_range_test", "diagnose, training")
]


def recorded(
    beside=None, place: str = "", *, context=None, has_optimizer: bool = True, lstm: bool = False
) -> Probe:
    """Three steps of a small network, with something else done in each."""
    g = mg.Generator(0)
    if lstm:
        net = nn.Sequential(nn.LSTM(4, 6, generator=g), _Last(), nn.Linear(6, 10, generator=g))
        x = mg.tensor(DATA.x[:32].reshape(32, 16, 4).swapaxes(0, 1))
    else:
        net, x = mg.models.deep_mlp(4, 8, "tanh", "xavier", generator=g), X
    opt = mg.optim.SGD(net.parameters(), lr=0.1)

    def loss() -> mg.Tensor:
        return F.cross_entropy(net(x), Y)

    probe = Probe(net, opt if has_optimizer else None, full=1)
    with probe, context(loss, opt) if context else nullcontext():
        for _ in range(3):
            for here in PLACES:
                if beside is not None and here == place:
                    beside(net, opt, loss)
                if here == PLACES[0]:
                    opt.zero_grad()
                    value = loss()
                elif here == PLACES[1]:
                    value.backward()
            opt.step()
            probe.note(loss=value)
    return probe


class _Last(nn.Module):
    def forward(self, out):
        return out[0][-1]


def assert_same(probe: Probe, expected: Probe) -> None:
    assert probe.steps == expected.steps
    for name in SERIES:
        np.testing.assert_array_equal(probe.series(name), expected.series(name), err_msg=name)
    np.testing.assert_array_equal(probe.loss, expected.loss)
    assert (probe.activations, probe.skipped) == (expected.activations, expected.skipped)
    for layer in probe.layers:
        np.testing.assert_array_equal(probe.steps_of(layer), expected.steps_of(layer))


@pytest.mark.parametrize("has_optimizer", [True, False])
@pytest.mark.parametrize(("name", "place"), CASES)
def test_what_is_measured_beside_a_probe_is_not_recorded(name, place, has_optimizer):
    probe = recorded(BESIDE[name], place, has_optimizer=has_optimizer)
    assert_same(probe, recorded(has_optimizer=has_optimizer))


@pytest.mark.parametrize("order", ["outside", "inside"])
def test_sharpness_over_a_training_does_not_show_in_its_record(order):
    def context(loss, opt):
        return sharpness(loss, opt, tol=0.1)

    expected = recorded()
    if order == "inside":
        assert_same(recorded(context=context), expected)
        return
    g = mg.Generator(0)
    net = mg.models.deep_mlp(4, 8, "tanh", "xavier", generator=g)
    opt = mg.optim.SGD(net.parameters(), lr=0.1)
    with (
        sharpness(lambda: F.cross_entropy(net(X), Y), opt, tol=0.1) as found,
        Probe(net, opt, full=1) as probe,
    ):
        for _ in range(3):
            opt.zero_grad()
            value = F.cross_entropy(net(X), Y)
            value.backward()
            opt.step()
            probe.note(loss=value)
    assert found.steps == [0, 1, 2]
    assert_same(probe, expected)


def test_the_steps_of_a_recurrent_layer_are_not_recorded_either():
    beside = BESIDE["hessian of a module"]
    expected = recorded(lstm=True)
    assert expected.steps_of("0").shape == (1, 16)
    assert_same(recorded(beside, PLACES[1], lstm=True), expected)


def test_a_graph_of_the_training_that_something_else_goes_back_through_is_not_recorded():
    def through_the_same_graph(net, opt, loss):
        value = F.cross_entropy(net(X), Y)  # seen: it stands for the forward of the step
        with undisturbed(net):
            (value * 7.0).backward(retain_graph=True)
        value.backward()

    net = mg.models.deep_mlp(4, 8, "tanh", "xavier", generator=mg.Generator(0))
    with Probe(net) as probe:
        through_the_same_graph(net, None, None)
    with Probe(net) as expected:
        net.zero_grad()
        F.cross_entropy(net(X), Y).backward()
    assert_same(probe, expected)


def test_sharpness_does_not_count_the_steps_of_a_range_test_within():
    net = mg.models.deep_mlp(3, 8, "tanh", "xavier", generator=mg.Generator(0))
    opt = mg.optim.SGD(net.parameters(), lr=0.1)
    with sharpness(lambda: F.cross_entropy(net(X), Y), opt, tol=0.1) as found:
        lr_range_test(net, opt, (X, Y), steps=5)
        opt.zero_grad()
        F.cross_entropy(net(X), Y).backward()
        opt.step()
    assert found.steps == [0]
