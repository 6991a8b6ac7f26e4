"""Layers against PyTorch's: outputs, gradients, state, what `repr` shows, and how they start."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from nn.twin import check_twins, copy_state

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch


def _mlp(lib: object) -> object:
    n = lib.nn
    return n.Sequential(
        n.Linear(5, 4), n.Tanh(), n.BatchNorm1d(4), n.Linear(4, 4, bias=False), n.ReLU(),
        n.Sequential(n.LayerNorm(4), n.Linear(4, 3)), n.Sigmoid(), n.Identity(), n.Flatten(),
    )  # fmt: skip


# How to build the module in either library, and shapes to run it on.
LAYERS = {
    "Linear": (lambda lib: lib.nn.Linear(4, 3), [(5, 4), (2, 5, 4), (4,), (0, 4)]),
    "Linear, no bias": (lambda lib: lib.nn.Linear(4, 3, bias=False), [(5, 4), (2, 5, 4)]),
    "Linear, one by one": (lambda lib: lib.nn.Linear(1, 1), [(1, 1), (3, 1)]),
    "Identity": (lambda lib: lib.nn.Identity(), [(5, 4)]),
    "Flatten": (lambda lib: lib.nn.Flatten(), [(2, 3, 4), (2, 3)]),
    "Flatten, some axes": (lambda lib: lib.nn.Flatten(0, 1), [(2, 3, 4)]),
    "Sigmoid": (lambda lib: lib.nn.Sigmoid(), [(3, 4), (), (0,)]),
    "Tanh": (lambda lib: lib.nn.Tanh(), [(3, 4), ()]),
    "ReLU": (lambda lib: lib.nn.ReLU(), [(3, 4), (), (0,)]),
    "Softmax": (lambda lib: lib.nn.Softmax(dim=1), [(3, 4), (2, 3, 4)]),
    "LogSoftmax": (lambda lib: lib.nn.LogSoftmax(dim=-1), [(3, 4), (4,)]),
    "BatchNorm1d": (lambda lib: lib.nn.BatchNorm1d(4), [(5, 4), (2, 4, 3), (1, 4, 3)]),
    "BatchNorm1d, momentum": (lambda lib: lib.nn.BatchNorm1d(4, eps=0.1, momentum=0.7), [(5, 4)]),
    "BatchNorm1d, average": (lambda lib: lib.nn.BatchNorm1d(4, momentum=None), [(5, 4)]),
    "BatchNorm1d, plain": (lambda lib: lib.nn.BatchNorm1d(4, affine=False), [(5, 4)]),
    "BatchNorm1d, no bias": (lambda lib: lib.nn.BatchNorm1d(4, bias=False), [(5, 4)]),
    "BatchNorm1d, untracked": (
        lambda lib: lib.nn.BatchNorm1d(4, track_running_stats=False),
        [(5, 4)],
    ),
    "LayerNorm": (lambda lib: lib.nn.LayerNorm(4), [(5, 4), (2, 5, 4), (4,), (0, 4)]),
    "LayerNorm, two axes": (lambda lib: lib.nn.LayerNorm((3, 4), eps=0.1), [(5, 3, 4)]),
    "LayerNorm, no bias": (lambda lib: lib.nn.LayerNorm(4, bias=False), [(5, 4)]),
    "LayerNorm, plain": (lambda lib: lib.nn.LayerNorm(4, elementwise_affine=False), [(5, 4)]),
    "a network": (_mlp, [(6, 5)]),
}
CASES = [pytest.param(name, shape, id=f"{name} {shape}") for name in LAYERS
         for shape in LAYERS[name][1]]  # fmt: skip


def _pair(name: str) -> tuple:
    torch.manual_seed(0)
    build = LAYERS[name][0]
    theirs, mine = build(torch).double(), build(mg).double()
    with torch.no_grad():
        for p in theirs.parameters():  # norms start with ones and zeros, which would hide errors
            p.copy_(torch.randn(p.shape))
    copy_state(theirs, mine)
    return mine, theirs


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_layer_agrees_with_pytorch(name: str, shape: tuple, rng: np.random.Generator) -> None:
    mine, theirs = _pair(name)
    for _ in range(2):  # twice, so that running statistics come from more than their start
        mine.zero_grad()
        theirs.zero_grad()
        check_twins(mine, theirs, rng.normal(1, 2, shape))
    mine.zero_grad()
    theirs.zero_grad()
    check_twins(mine.eval(), theirs.eval(), rng.normal(1, 2, shape))


@pytest.mark.parametrize("name", LAYERS)
def test_repr_is_pytorchs(name: str) -> None:
    build = LAYERS[name][0]
    assert repr(build(mg)) == repr(build(torch))


@pytest.mark.parametrize("name", LAYERS)
def test_second_derivatives(name: str, rng: np.random.Generator) -> None:
    mine, theirs = _pair(name)
    x = rng.normal(1, 2, LAYERS[name][1][0])
    ours = mg.tensor(x, requires_grad=True)
    other = torch.tensor(x, requires_grad=True)
    found, wanted = [], []
    for lib, net, v, results in ((mg, mine, ours, found), (torch, theirs, other, wanted)):
        grad = lib.grad if lib is mg else torch.autograd.grad
        (slope,) = grad((net(v) ** 3).sum(), v, create_graph=True)
        results += grad((slope**2).sum(), [v, *net.parameters()], allow_unused=True)
    for a, b in zip(found, wanted, strict=True):
        # One library may say "does not depend on it" where the other says zero.
        a = 0 if a is None else a.data
        b = 0 if b is None else b.numpy()
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("name", LAYERS)
def test_copies_and_pickles_give_the_same(name: str, rng: np.random.Generator) -> None:
    mine, _ = _pair(name)
    x = mg.tensor(rng.normal(size=LAYERS[name][1][0]))
    copies = [copy.deepcopy(mine), pickle.loads(pickle.dumps(mine))]
    expected = mine(x).data
    for other in copies:
        np.testing.assert_array_equal(other(x).data, expected)
        for p, q in zip(mine.parameters(), other.parameters(), strict=True):
            assert type(q) is nn.Parameter and q.requires_grad
            assert not np.may_share_memory(p.data, q.data)


@pytest.mark.parametrize("name", ["linear", "relu", "sigmoid", "tanh"])
def test_functional_agrees_with_pytorch(name: str, rng: np.random.Generator) -> None:
    arrays = [rng.normal(size=(3, 4))]
    if name == "linear":
        arrays += [rng.normal(size=(2, 4)), rng.normal(size=(2,))]
    check_twins(getattr(F, name), getattr(torch.nn.functional, name), *arrays)


def test_sigmoid_of_extreme_numbers() -> None:
    # Exact to the last bits also where it is tiny, and no overflow (warnings are errors here).
    x = mg.tensor([-1e4, -80.0, -20.0, 0.0, 20.0, 1e4, np.inf, -np.inf, np.nan])
    wanted = [0, np.exp(-80.0), np.exp(-20.0), 0.5, 1, 1, 1, 0, np.nan]
    np.testing.assert_allclose(F.sigmoid(x).data, wanted, rtol=3e-7)


def test_relu_at_its_kink_and_beyond_numbers() -> None:
    x = mg.tensor([-1.0, 0.0, 2.0, np.inf, np.nan], requires_grad=True)
    out = F.relu(x)
    out.backward(mg.ones(5))
    np.testing.assert_array_equal(out.data, [0, 0, 2, np.inf, np.nan])
    np.testing.assert_array_equal(x.grad.data[:4], [0, 0, 1, 1])


def test_linear_starts_as_in_pytorch() -> None:
    # One law for weights and biases, U(-1/sqrt(n), 1/sqrt(n)): compare quantiles of both samples.
    torch.manual_seed(0)
    n = 256
    mine, theirs = nn.Linear(n, 4096, generator=mg.Generator(0)), torch.nn.Linear(n, 4096)
    for ours, other in ((mine.weight, theirs.weight), (mine.bias, theirs.bias)):
        at = np.linspace(0.01, 0.99, 9)
        found, wanted = np.quantile(ours.data, at), np.quantile(other.detach().numpy(), at)
        np.testing.assert_allclose(found * np.sqrt(n), wanted * np.sqrt(n), atol=0.06)
        np.testing.assert_allclose(found * np.sqrt(n), 2 * at - 1, atol=0.04)
        assert abs(ours.data).max() <= 1 / np.sqrt(n)


def test_dtypes_follow_the_argument() -> None:
    assert nn.Linear(2, 2).weight.dtype == mg.float32
    assert nn.Linear(2, 2, dtype=mg.float64).bias.dtype == mg.float64
    assert nn.BatchNorm1d(2, dtype=mg.float64).running_var.dtype == mg.float64
    assert nn.LayerNorm(2, dtype=mg.float64).weight.dtype == mg.float64
    assert nn.BatchNorm1d(2, dtype=mg.float64).num_batches_tracked.dtype == mg.int64


def test_a_generator_decides_the_start() -> None:
    a, b, c = (nn.Linear(3, 3, generator=mg.Generator(seed)) for seed in (1, 1, 2))
    assert (a.weight == b.weight).all() and (a.bias == b.bias).all()
    assert not (a.weight == c.weight).any()
