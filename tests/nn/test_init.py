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
    (init.lecun_uniform_, {}, 1 / IN),
    (init.lecun_normal_, {}, 1 / IN),
    (init.critical_, {"activation": "relu"}, 2 / IN),
    (init.critical_, {"activation": "tanh"}, 1 / IN),
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


@pytest.mark.parametrize("shape", [(5, 5), (7, 4), (4, 7), (4, 2, 3), (1, 5), (5, 1)])
def test_orthogonal_is_orthogonal(shape: tuple) -> None:
    w = mg.zeros(*shape, dtype=mg.float64)
    assert init.orthogonal_(w, gain=3.0, generator=mg.Generator(0)) is w
    matrix = w.data.reshape(len(w), -1)
    np.testing.assert_allclose(
        np.linalg.svd(matrix, compute_uv=False), np.full(min(matrix.shape), 3.0), atol=1e-10
    )
    product = matrix @ matrix.T if len(matrix) <= matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(product, 9 * np.eye(len(product)), atol=1e-10)


def test_orthogonal_prefers_no_rotation() -> None:
    # Under Haar's measure each element of an n x n matrix has mean 0 and variance 1/n, and so
    # has its trace mean 0 and variance 1.
    g = mg.Generator(0)
    draws = np.stack(
        [init.orthogonal_(mg.zeros(4, 4, dtype=mg.float64), generator=g).data for _ in range(3000)]
    )
    assert (abs(draws.mean(0)) < 5 * math.sqrt(1 / 4 / 3000)).all()
    assert (abs(draws.var(0) - 1 / 4) < 0.03).all()
    traces = np.trace(draws, axis1=1, axis2=2)
    assert abs(traces.mean()) < 5 / math.sqrt(3000) and abs(traces.var() - 1) < 0.15


def _normal_density(z: float) -> float:
    return math.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def _normal_upper(z: float) -> float:
    return math.erfc(z / math.sqrt(2)) / 2


@pytest.mark.parametrize(
    ("mean", "std", "a", "b"),
    [
        (0.0, 1.0, -2.0, 2.0),  # the default
        (0.0, 0.02, -2.0, 2.0),  # bounds that hardly ever bind
        (1.0, 2.0, 0.0, 9.0),
        (0.0, 1.0, 4.0, 6.0),  # far out in a tail
        (0.0, 1.0, -9.0, -3.0),
        (0.0, 1.0, -0.01, 0.02),  # nearly uniform
    ],
)
def test_truncated_moments(mean: float, std: float, a: float, b: float) -> None:
    n = 200_000
    w = init.trunc_normal_(mg.zeros(n, dtype=mg.float64), mean, std, a, b, mg.Generator(0)).data
    low, high = (a - mean) / std, (b - mean) / std
    mass = _normal_upper(low) - _normal_upper(high)
    if high < 0:
        mass = _normal_upper(-high) - _normal_upper(-low)  # the other difference cancels
    at_low, at_high = _normal_density(low), _normal_density(high)
    shift = (at_low - at_high) / mass
    variance = std**2 * (1 + (low * at_low - high * at_high) / mass - shift**2)
    assert w.min() >= a and w.max() <= b
    assert abs(w.mean() - (mean + std * shift)) < 5 * math.sqrt(variance / n)
    assert abs(w.var() / variance - 1) < 0.03


def test_truncated_in_float32_keeps_its_bounds() -> None:
    w = init.trunc_normal_(mg.zeros(10_000), std=10.0, a=-0.1, b=0.1, generator=mg.Generator(0))
    assert abs(w.data).max() <= np.float32(0.1)


def test_eye() -> None:
    for shape in ((3, 3), (2, 4), (4, 2)):
        np.testing.assert_array_equal(init.eye_(mg.ones(shape)).data, np.eye(*shape))


@pytest.mark.parametrize(("sparsity", "zeros"), [(0.0, 0), (0.1, 10), (0.333, 34), (1.0, 100)])
def test_sparse_columns(sparsity: float, zeros: int) -> None:
    w = mg.zeros(100, 50, dtype=mg.float64)
    init.sparse_(w, sparsity, std=0.5, generator=mg.Generator(0))
    assert ((w.data == 0).sum(axis=0) == zeros).all()
    if zeros < 100:
        filled = w.data[w.data != 0]
        assert abs(filled.std() - 0.5) < 0.02 and abs(filled.mean()) < 0.04
    if 0 < zeros < 100:  # the places differ from column to column
        assert len({tuple(column) for column in (w.data == 0).T}) == 50


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
@pytest.mark.parametrize(
    "name",
    ["linear", "sigmoid", "tanh", "relu", "leaky_relu", "selu", "conv2d", "conv_transpose1d"],
)
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
    for wrong, message in (
        (lambda: init.uniform_(mg.zeros(2), 1.0, 0.0), "a must not be above b, got a=1.0, b=0.0"),
        (lambda: init.trunc_normal_(mg.zeros(2), std=0.0), "std must be above 0 and a below b"),
        (lambda: init.trunc_normal_(mg.zeros(2), a=3.0), "got std=1.0, a=3.0, b=2.0"),
        (lambda: init.sparse_(mg.zeros(2, 2), 1.5), "sparsity must lie in 0 to 1, got 1.5"),
        (lambda: init.sparse_(mg.zeros(2, 2), 0.5, std=-1), "std must not be negative, got -1"),
        (lambda: init.eye_(mg.zeros(2)), "eye_: needs a matrix, two axes, got shape \\(2,\\)"),
        (
            lambda: init.orthogonal_(mg.zeros(2)),
            "orthogonal_: a tensor of shape",
        ),
        (
            lambda: init.lecun_normal_(mg.zeros(2)),
            "lecun_normal_: a tensor of shape",
        ),
        (lambda: init.constant_(mg.tensor([1]), 0.5), "a tensor of int64 cannot hold 0.5"),
    ):
        with pytest.raises((ArgumentError, ShapeError, DtypeError), match=message):
            wrong()
    with pytest.raises(ArgumentError, match="normal_: std must not be negative, got -1"):
        init.normal_(mg.zeros(2), std=-1)
    with pytest.raises(DtypeError, match="uniform_: cannot fill a tensor of int64"):
        init.uniform_(mg.zeros(2, dtype=mg.int64))


@pytest.mark.parametrize("name", [n for n in init.__all__ if n.endswith(("normal_", "uniform_"))])
@pytest.mark.parametrize("shape", [(0, 0), (3, 0), (0, 3)])
def test_a_tensor_without_elements_is_given_back(name: str, shape: tuple[int, int]) -> None:
    w = mg.zeros(*shape)
    assert getattr(init, name)(w) is w and w.shape == shape
    assert init.orthogonal_(w) is w and init.critical_(w, "relu") is w
