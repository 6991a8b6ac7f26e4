"""Initializations: moments and ranges against the papers' formulas, gains against PyTorch."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import ArgumentError, DtypeError, ShapeError
from minigrad.nn import init

OUT, IN = 300, 700
N = OUT * IN


def _fill(function: object, **kwargs: object) -> np.ndarray:
    w = nn.Parameter(mg.zeros(OUT, IN, dtype=mg.float64))
    assert function(w, generator=mg.Generator(0), **kwargs) is w
    assert w.requires_grad and w.is_leaf
    return w.data


# The variance that each formula promises, worked out here by hand.
VARIANCES = [
    (init.xavier_uniform_, {}, 2 / (IN + OUT)),
    (init.xavier_uniform_, {"gain": 5 / 3}, 25 / 9 * 2 / (IN + OUT)),
    (init.xavier_normal_, {}, 2 / (IN + OUT)),
    (init.xavier_normal_, {"gain": 2.0}, 8 / (IN + OUT)),
    (init.kaiming_uniform_, {}, 2 / IN),
    (init.kaiming_uniform_, {"mode": "fan_out", "nonlinearity": "relu"}, 2 / OUT),
    (init.kaiming_normal_, {}, 2 / IN),
    (init.kaiming_normal_, {"nonlinearity": "relu"}, 2 / IN),
    (init.kaiming_normal_, {"a": 0.5}, 2 / 1.25 / IN),
    (init.kaiming_normal_, {"nonlinearity": "linear", "mode": "fan_out"}, 1 / OUT),
    (init.kaiming_normal_, {"nonlinearity": "tanh"}, 25 / 9 / IN),
    (init.normal_, {"std": 0.3}, 0.09),
    (init.uniform_, {"a": -0.6, "b": 0.6}, 0.12),
]


@pytest.mark.parametrize(("function", "kwargs", "variance"), VARIANCES)
def test_moments(function: object, kwargs: dict, variance: float) -> None:
    w = _fill(function, **kwargs)
    std = math.sqrt(variance)
    # Five standard errors: of a mean, std/sqrt(n); of a variance, at most var sqrt(2/n).
    assert abs(w.mean()) < 5 * std / math.sqrt(N)
    assert abs(w.var() - variance) < 5 * variance * math.sqrt(2 / N)
    kurtosis = (w**4).mean() / w.var() ** 2
    if "uniform" in function.__name__:  # U(-b, b): kurtosis 9/5, and the edge is b = sqrt(3) std
        assert abs(kurtosis - 1.8) < 0.02
        assert 0.999 < abs(w).max() / (math.sqrt(3) * std) <= 1
    else:  # normal: 3
        assert abs(kurtosis - 3) < 0.06


def test_normal_and_uniform_have_their_place() -> None:
    assert abs(_fill(init.normal_, mean=4.0, std=0.1).mean() - 4) < 0.002
    w = _fill(init.uniform_, a=2.0, b=3.0)
    assert w.min() >= 2 and w.max() < 3 and abs(w.mean() - 2.5) < 0.005


def test_a_receptive_field_multiplies_both_fans() -> None:
    w = mg.zeros(20, 30, 4, 5, dtype=mg.float64)
    init.kaiming_normal_(w, nonlinearity="relu", generator=mg.Generator(0))
    assert abs(w.data.var() / (2 / (30 * 20)) - 1) < 0.07
    init.kaiming_normal_(w, mode="fan_out", nonlinearity="relu", generator=mg.Generator(0))
    assert abs(w.data.var() / (2 / (20 * 20)) - 1) < 0.07


def test_constants() -> None:
    p = nn.Parameter(mg.ones(2))
    assert init.zeros_(p) is p and p.tolist() == [0, 0]
    assert init.ones_(p).tolist() == [1, 1]
    assert init.constant_(p, 2.5).tolist() == [2.5, 2.5]
    assert p.requires_grad and p.is_leaf


def test_the_default_generator_is_the_seeded_one() -> None:
    draws = []
    for _ in range(2):
        mg.manual_seed(3)
        draws.append(init.normal_(mg.zeros(4)).data)
    np.testing.assert_array_equal(*draws)
    assert not np.array_equal(init.normal_(mg.zeros(4)).data, draws[0])


def test_writing_is_seen_by_a_pending_backward() -> None:
    p = nn.Parameter(mg.ones(2))
    loss = (p * p).sum()
    init.normal_(p)
    with pytest.raises(mg.errors.GraphError, match="changed in place"):
        loss.backward()


@pytest.mark.torch
@pytest.mark.parametrize("param", [None, 0.0, 0.3, -2.0])
@pytest.mark.parametrize("name", ["linear", "sigmoid", "tanh", "relu", "leaky_relu", "selu"])
def test_gains_are_pytorchs(name: str, param: float | None) -> None:
    torch = pytest.importorskip("torch")
    assert init.calculate_gain(name, param) == torch.nn.init.calculate_gain(name, param)


def test_bad_arguments() -> None:
    with pytest.raises(ArgumentError) as caught:
        init.calculate_gain("swish")
    assert str(caught.value) == (
        "calculate_gain: unknown nonlinearity 'swish'; valid: leaky_relu, linear, relu, selu, "
        "sigmoid, tanh"
    )
    with pytest.raises(ArgumentError) as caught:
        init.kaiming_normal_(mg.zeros(2, 2), mode="fan_avg")
    assert str(caught.value) == ("kaiming_normal_: unknown mode 'fan_avg'; valid: fan_in, fan_out")
    for function in (init.xavier_uniform_, init.xavier_normal_, init.kaiming_uniform_):
        with pytest.raises(ShapeError) as shape_error:
            function(mg.zeros(3))
        assert str(shape_error.value) == (
            f"{function.__name__}: a tensor of shape (3,) has no fan-in and fan-out; it needs two "
            "axes or more. For a bias use zeros_"
        )
    with pytest.raises(ArgumentError, match="normal_: std must not be negative, got -1"):
        init.normal_(mg.zeros(2), std=-1)
    with pytest.raises(DtypeError, match="uniform_: cannot fill a tensor of int64"):
        init.uniform_(mg.zeros(2, dtype=mg.int64))
