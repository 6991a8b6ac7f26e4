"""Several backwards through one forward: their gradients add up, in z as in the weights."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.diagnostics import Probe
from minigrad.diagnostics.probing.names import SERIES


def network() -> nn.Sequential:
    g = mg.Generator(0)
    return nn.Sequential(
        nn.Linear(4, 6, generator=g), nn.Tanh(), nn.Linear(6, 3, generator=g)
    ).double()


def assert_same(probe: Probe, expected: Probe) -> None:
    assert len(probe) == len(expected) == 1
    for name in SERIES:
        np.testing.assert_allclose(
            probe.series(name), expected.series(name), rtol=1e-12, atol=0, err_msg=name
        )


@pytest.fixture
def x(rng) -> mg.Tensor:
    return mg.tensor(rng.normal(size=(5, 4)))


@pytest.mark.parametrize("full", [0, 1])
@pytest.mark.parametrize("how", [
    {"retain_graph": True}, {"create_graph": True},
])  # fmt: skip
@pytest.mark.parametrize("last_one_retains", [False, True])
def test_the_gradient_of_z_is_the_sum_over_all_backwards(x, full, how, last_one_retains):
    def losses(out):
        return (out**2).mean(), out.sum(), (out - 1.0).abs().mean() * 0.3

    net = network()
    with Probe(net, full=full) as probe:
        *first, last = losses(net(x))
        for each in first:
            each.backward(**how)
        last.backward(retain_graph=last_one_retains)
    net.zero_grad()
    with Probe(net, full=full) as expected:
        a, b, c = losses(net(x))
        (a + b + c).backward()
    assert_same(probe, expected)
    if full:
        np.testing.assert_array_equal(probe.histogram("dz"), expected.histogram("dz"))


def test_a_layer_that_one_of_the_losses_does_not_reach_keeps_what_it_got(x):
    net = network()
    with Probe(net) as probe:
        hidden = net[1](net[0](x))
        (hidden**2).mean().backward(retain_graph=True)
        net[2](hidden).sum().backward()
    with Probe(net, full=0) as expected:
        net.zero_grad()
        hidden = net[1](net[0](x))
        ((hidden**2).mean() + net[2](hidden).sum()).backward()
    for name in ("dz_rms", "dw_rms"):
        np.testing.assert_allclose(probe.series(name), expected.series(name), rtol=1e-12)


def test_calls_of_one_step_are_not_added_to_each_other(x):
    """The gradient of each call is its own, also where a later batch has a forward of its own."""
    net = network()
    optimizer = mg.optim.SGD(net.parameters(), lr=0.1)
    with Probe(net, optimizer) as probe:
        for scale in (1.0, 3.0):
            (net(x * scale) ** 2).mean().backward(retain_graph=True)
        optimizer.step()
    parts = []
    for scale in (1.0, 3.0):
        z = network()[0](x * scale).detach().requires_grad_()
        (network()[2](mg.tanh(z)) ** 2).mean().backward()
        parts.append(z.grad.data)
    np.testing.assert_allclose(
        probe.series("dz_rms")[0, 0], np.sqrt(np.mean(np.square(parts))), rtol=1e-12
    )


def test_what_grad_computes_on_the_way_to_a_loss_is_not_added(x):
    """A penalty on the slope: its own derivative is in the loss, and comes back with that."""
    net = network()

    def loss():
        points = mg.tensor(x.data, requires_grad=True)
        out = net(points)
        (slope,) = mg.grad(out.sum(), points, create_graph=True)
        return out, (out**2).mean() + (slope**2).mean()

    with Probe(net) as probe:
        loss()[1].backward()

    seen = {}
    handle = net[2].register_forward_hook(lambda module, args, out: seen.update(z=out))
    value = loss()[1]
    handle.remove()
    (expected,) = mg.grad(value, seen["z"])
    assert probe.series("dz_rms")[0, 1] == pytest.approx(
        float(np.sqrt(np.mean(expected.data**2))), rel=1e-12
    )


def test_without_a_retained_graph_no_gradient_is_kept(x):
    net = network()
    with Probe(net) as probe:
        (net(x) ** 2).mean().backward()
        assert not probe._signals._held


@pytest.mark.parametrize("inner", ["grad", "backward"])
def test_a_backward_inside_of_another_does_not_change_how_that_counts(x, inner):
    """A hook between the layers runs one of its own; the layer behind it still gets the sum."""
    w = mg.tensor([2.0], requires_grad=True)

    def hook(gradient):
        with mg.enable_grad():
            loss = (w**2).sum()
        if inner == "grad":
            mg.grad(loss, w)
        else:
            loss.backward()

    net = network()
    with Probe(net) as probe:
        hidden = net[1](net[0](x))
        hidden.register_hook(hook)
        out = net[2](hidden)
        (out**2).mean().backward(retain_graph=True)
        out.sum().backward()
    net.zero_grad()
    with Probe(net) as expected:
        out = net(x)
        ((out**2).mean() + out.sum()).backward()
    assert_same(probe, expected)
