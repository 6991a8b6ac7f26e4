"""Where activations are flat, against the slopes on paper."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.models.names import ACTIVATIONS
from minigrad.nn.saturation import THRESHOLD, flat_parts

INF = math.inf
LOW = math.log(THRESHOLD)
TANH = math.atanh(math.sqrt(1 - THRESHOLD))  # 1 - tanh^2 = THRESHOLD
ON_PAPER = {
    "tanh": [(-INF, -TANH), (TANH, INF)],
    "sigmoid": [(-INF, -2 * TANH), (2 * TANH, INF)],  # sigmoid(z) = (1 + tanh(z / 2)) / 2
    "softsign": [(-INF, 1 - THRESHOLD**-0.5), (THRESHOLD**-0.5 - 1, INF)],
    "relu": [(-INF, 0)],
    "relu6": [(-INF, 0), (6, INF)],
    "hardtanh": [(-INF, -1), (1, INF)],
    "hardsigmoid": [(-INF, -3), (3, INF)],
    "leaky_relu": [(-INF, 0)],  # its slope below 0, 0.01, is less than a twentieth
    "elu": [(-INF, LOW)],
    "celu": [(-INF, LOW)],
    "selu": [(-INF, LOW)],
    "softplus": [(-INF, math.log(THRESHOLD / (1 - THRESHOLD)))],
    "logsigmoid": [(-math.log(THRESHOLD / (1 - THRESHOLD)), INF)],
    "tanhshrink": [(-math.atanh(THRESHOLD**0.5), math.atanh(THRESHOLD**0.5))],
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ON_PAPER)
def test_saturated_intervals_are_those_on_paper(name, dtype):
    found = flat_parts(ACTIVATIONS[name](), dtype).saturated
    np.testing.assert_allclose(found, ON_PAPER[name], rtol=1e-5 if dtype == np.float32 else 1e-13)


@pytest.mark.parametrize("name", [n for n in ACTIVATIONS if n not in ("identity", "prelu")])
def test_the_slope_is_small_within_and_not_beside(name):
    activation = ACTIVATIONS[name]()
    z = mg.tensor(np.linspace(-30, 30, 6001), requires_grad=True)
    (slope,) = mg.grad(activation(z).sum(), z)
    slope = abs(slope.data)
    small = slope <= THRESHOLD * slope.max()
    within = np.zeros(len(slope), bool)
    for low, high in flat_parts(activation, np.float64).saturated:
        within |= (z.data >= low) & (z.data <= high)
    np.testing.assert_array_equal(within, small)


def test_dead_is_where_the_slope_is_exactly_zero():
    assert flat_parts(nn.ReLU()).dead == ((-INF, 0.0),)
    assert flat_parts(nn.ELU()).dead == flat_parts(nn.LeakyReLU()).dead == ()
    (_, low), (high, _) = flat_parts(nn.Tanh(), np.float64).dead
    assert low == -high and np.tanh(high) == 1.0 and np.tanh(0.999 * high) < 1.0
    assert flat_parts(nn.Tanh(), np.float32).dead[1][0] < high


def test_settings_count():
    assert flat_parts(nn.Hardtanh(-2.0, 5.0)).dead == ((-INF, -2.0), (5.0, INF))
    assert flat_parts(nn.LeakyReLU(0.2)).saturated == ()
    assert flat_parts(nn.LeakyReLU(0.01)).saturated == ((-INF, 0.0),)


def test_ones_own_activation_is_measured_with_what_it_holds():
    class Stretched(nn.Activation):
        def __init__(self, function):
            super().__init__()
            self.function = function

        def forward(self, input):
            return self.function(input)

    for factor in (1.0, 4.0):
        activation = Stretched(lambda x, factor=factor: mg.tanh(x * factor))
        (_, low), _ = flat_parts(activation, np.float64).saturated
        assert low == pytest.approx(-TANH / factor, rel=1e-12)


def test_one_that_learns_its_slopes_has_no_fixed_flat_parts():
    assert flat_parts(nn.PReLU()) is None
