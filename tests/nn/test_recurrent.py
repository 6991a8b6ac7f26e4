"""Recurrent cells and layers: PyTorch's outputs and gradients, and what is known in closed form."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from nn.twin import CLOSE, check_twins, copy_state

import minigrad as mg
from minigrad import nn
from minigrad.errors import ArgumentError, DtypeError, ShapeError

KINDS = ("RNN", "LSTM", "GRU")
CELLS = {
    "RNNCell": {},
    "RNNCell, relu": {"nonlinearity": "relu"},
    "RNNCell, no bias": {"bias": False},
    "LSTMCell": {},
    "LSTMCell, no bias": {"bias": False},
    "GRUCell": {},
    "GRUCell, no bias": {"bias": False},
}
OPTIONS = [
    {},
    {"num_layers": 3},
    {"bias": False},
    {"batch_first": True},
    {"bidirectional": True},
    {"num_layers": 2, "bidirectional": True, "batch_first": True},
]
LAYERS = [(kind, options) for kind in KINDS for options in OPTIONS]
LAYERS += [("RNN", {"nonlinearity": "relu", "num_layers": 2})]


def pair(name: str, *sizes: int, **options: Any) -> tuple[Any, Any]:
    """A float64 module of both libraries, with the same weights."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    theirs = getattr(torch.nn, name)(*sizes, **options).double()
    mine = getattr(nn, name)(*sizes, **options).double()
    copy_state(theirs, mine)
    return mine, theirs


def flat(results: Any) -> list[Any]:
    """The tensors of (output, h) or (output, (h, c)), in order."""
    return [t for part in results for t in (part if isinstance(part, tuple) else (part,))]


@pytest.mark.torch
@pytest.mark.parametrize("shape", [(5, 3), (3,)], ids=["batch", "alone"])
@pytest.mark.parametrize("case", CELLS)
def test_a_cell_is_pytorchs(case, shape, rng):
    name = case.partition(",")[0]
    mine, theirs = pair(name, 3, 4, **CELLS[case])
    x, h, c = (rng.normal(size=(*shape[:-1], n)) for n in (3, 4, 4))
    if name != "LSTMCell":
        check_twins(mine, theirs, x, h)
        check_twins(lambda x: mine(x), lambda x: theirs(x), x)
        return
    for part in (0, 1):
        check_twins(
            lambda x, h, c, part=part: mine(x, (h, c))[part],
            lambda x, h, c, part=part: theirs(x, (h, c))[part],
            x, h, c,
        )  # fmt: skip
    check_twins(lambda x: mine(x)[0], lambda x: theirs(x)[0], x)


@pytest.mark.torch
@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize(("kind", "options"), LAYERS)
def test_a_layer_is_pytorchs(kind, options, alone, rng):
    """Outputs, last states and the gradients of everything, from all outputs at once."""
    torch = pytest.importorskip("torch")
    mine, theirs = pair(kind, 3, 4, **options)
    rows = options.get("num_layers", 1) * (1 + options.get("bidirectional", False))
    x = rng.normal(size=(6, 3) if alone else (6, 5, 3))
    many = 6 if options.get("batch_first") else 5
    states = [rng.normal(size=(rows, 4) if alone else (rows, many, 4)) for _ in range(2)]
    states = states[: 2 if kind == "LSTM" else 1]

    ours = [mg.tensor(a, requires_grad=True) for a in (x, *states)]
    others = [torch.tensor(a, requires_grad=True) for a in (x, *states)]
    found = flat(mine(ours[0], tuple(ours[1:]) if kind == "LSTM" else ours[1]))
    wanted = flat(theirs(others[0], tuple(others[1:]) if kind == "LSTM" else others[1]))
    loss, other_loss = 0, 0
    for out, expected in zip(found, wanted, strict=True):
        np.testing.assert_allclose(out.data, expected.detach().numpy(), **CLOSE)
        g = rng.normal(size=out.shape)
        loss, other_loss = loss + (out * g).sum(), other_loss + (expected * torch.tensor(g)).sum()
    loss.backward()
    other_loss.backward()
    for a, b in zip(ours, others, strict=True):
        np.testing.assert_allclose(a.grad.data, b.grad.numpy(), **CLOSE)
    expected_names = [name for name, _ in theirs.named_parameters()]
    assert [name for name, _ in mine.named_parameters()] == expected_names
    for (name, p), q in zip(mine.named_parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(p.grad.data, q.grad.numpy(), **CLOSE, err_msg=name)


@pytest.mark.torch
@pytest.mark.parametrize("kind", KINDS)
def test_the_state_starts_at_zero(kind, rng):
    torch = pytest.importorskip("torch")
    mine, theirs = pair(kind, 3, 4, num_layers=2)
    x = rng.normal(size=(6, 5, 3))
    for a, b in zip(flat(mine(mg.tensor(x))), flat(theirs(torch.tensor(x))), strict=True):
        np.testing.assert_allclose(a.data, b.detach().numpy(), **CLOSE)


@pytest.mark.torch
@pytest.mark.parametrize("kind", KINDS)
def test_second_derivatives(kind, rng):
    torch = pytest.importorskip("torch")
    mine, theirs = pair(kind, 2, 3)
    x = rng.normal(size=(3, 2, 2))
    found, wanted = [], []
    ours, other = mg.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    for grad, net, v, results in (
        (mg.grad, mine, ours, found),
        (torch.autograd.grad, theirs, other, wanted),
    ):
        (slope,) = grad((net(v)[0] ** 2).sum(), v, create_graph=True)
        results += grad((slope**2).sum(), [v, *net.parameters()])
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a.data, b.numpy(), rtol=1e-8, atol=1e-10)


@pytest.mark.torch
@pytest.mark.parametrize(
    ("name", "options"),
    [("RNNCell", {}), ("RNNCell", {"nonlinearity": "relu", "bias": False}), ("LSTMCell", {}),
     ("GRUCell", {"bias": False}), ("RNN", {}), ("GRU", {"bias": False, "batch_first": True}),
     ("LSTM", {"num_layers": 2, "dropout": 0.5, "bidirectional": True})],
)  # fmt: skip
def test_repr_is_pytorchs(name, options):
    mine, theirs = pair(name, 3, 4, **options)
    assert repr(mine) == repr(theirs)


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_is_its_cell_again_and_again(kind, rng):
    layer = getattr(nn, kind)(3, 4, dtype=mg.float64)
    cell = getattr(nn, f"{kind}Cell")(3, 4, dtype=mg.float64)
    cell.load_state_dict({k.removesuffix("_l0"): v for k, v in layer.state_dict().items()})
    x = mg.tensor(rng.normal(size=(6, 2, 3)))
    output, _ = layer(x)
    state = None
    for t in range(6):
        state = cell(x[t], state)
        h = state[0] if kind == "LSTM" else state
        np.testing.assert_array_equal(output[t].data, h.data)


@pytest.mark.parametrize("scale", [0.9, 1.0, 1.1])
def test_an_orthogonal_memory_scales_the_gradient_by_s_each_step(scale):
    # Closed form: at h = 0 tanh has slope 1, so dh_T/dh_0 = (sQ)^T, which scales norms by s^T.
    cell = nn.RNNCell(1, 6, bias=False, dtype=mg.float64)
    q, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))
    cell.weight_hh.data[:] = scale * q
    h0 = h = mg.zeros(1, 6, dtype=mg.float64, requires_grad=True)
    for _ in range(50):
        h = cell(mg.zeros(1, 1, dtype=mg.float64), h)
    g = np.random.default_rng(1).normal(size=(1, 6))
    h.backward(mg.tensor(g))
    ratio = np.linalg.norm(h0.grad.data) / np.linalg.norm(g)
    assert ratio == pytest.approx(scale**50, rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sequence_in_two_pieces_is_the_same_and_detach_truncates(kind, rng):
    layer = getattr(nn, kind)(3, 4, num_layers=2, dtype=mg.float64)
    x = mg.tensor(rng.normal(size=(8, 2, 3)), requires_grad=True)
    whole, _ = layer(x)
    first, state = layer(x[:5])
    second, _ = layer(x[5:], state)
    np.testing.assert_allclose(mg.concatenate([first, second]).data, whole.data, rtol=1e-12)
    second.sum().backward()
    assert (x.grad.data[:5] != 0).any()

    x.grad = None
    _, state = layer(x[:5])
    cut = tuple(s.detach() for s in state) if kind == "LSTM" else state.detach()
    layer(x[5:], cut)[0].sum().backward()
    assert (x.grad.data[:5] == 0).all() and (x.grad.data[5:] != 0).all()


def test_an_lstm_with_open_forget_gates_keeps_its_cell():
    # f = 1, i = 0: the cell stays as it is, however long.
    cell = nn.LSTMCell(1, 2, dtype=mg.float64)
    for p in cell.parameters():
        nn.init.zeros_(p)
    cell.bias_ih.data[:] = [-50.0, -50.0, 50.0, 50.0, 0, 0, 0, 0]
    state = (mg.zeros(1, 2, dtype=mg.float64), mg.tensor([[0.3, -0.7]], dtype=mg.float64))
    for _ in range(500):
        state = cell(mg.ones(1, 1, dtype=mg.float64), state)
    np.testing.assert_allclose(state[1].data, [[0.3, -0.7]], rtol=1e-12)


def test_dropout_lies_between_the_layers_and_in_training_only(rng):
    def build() -> nn.RNN:
        return nn.RNN(3, 50, num_layers=2, dropout=0.5, generator=mg.Generator(0))

    x = mg.tensor(rng.normal(size=(4, 2, 3)).astype(np.float32))
    first, second = build(), build()
    np.testing.assert_array_equal(first(x)[0].data, second(x)[0].data)  # the seed decides
    assert (first(x)[0].data != second.eval()(x)[0].data).any()
    plain = nn.RNN(3, 50, num_layers=2)
    plain.load_state_dict(second.state_dict())
    np.testing.assert_array_equal(second(x)[0].data, plain(x)[0].data)

    everything = nn.RNN(3, 5, num_layers=2, dropout=1.0)
    x = mg.tensor(x.data, requires_grad=True)
    everything(x)[0].sum().backward()
    assert (x.grad.data == 0).all()
    assert (everything.weight_ih_l1.grad.data == 0).all()
    assert (everything.weight_hh_l1.grad.data != 0).any()
    # What the first layer hands over is lost; what it reads, and its last state, are not.
    in_training = everything(x)[1].data[0]
    np.testing.assert_array_equal(in_training, everything.eval()(x)[1].data[0])


@pytest.mark.parametrize("kind", [*KINDS, "RNNCell", "LSTMCell", "GRUCell"])
def test_parameters_start_uniform_in_one_over_root_hidden(kind):
    layer = getattr(nn, kind)(10, 100, generator=mg.Generator(0))
    other = getattr(nn, kind)(10, 100, generator=mg.Generator(0))
    for p, q in zip(layer.parameters(), other.parameters(), strict=True):
        np.testing.assert_array_equal(p.data, q.data)
        assert abs(p.data).max() <= 0.1
        # A uniform variable in +-a has variance a^2 / 3.
        assert p.data.var() == pytest.approx(0.01 / 3, rel=0.2)


def test_a_copy_is_its_own():
    layer = nn.LSTM(2, 3)
    twin = copy.deepcopy(layer)
    nn.init.zeros_(twin.weight_hh_l0)
    assert (layer.weight_hh_l0.data != 0).all()


CASES = {
    "nonlinearity": (
        lambda: nn.RNN(3, 4, nonlinearity="sigmoid"),
        ArgumentError,
        "RNN: unknown nonlinearity 'sigmoid'; use one of tanh, relu",
    ),
    "no hidden units": (
        lambda: nn.GRUCell(3, 0),
        ArgumentError,
        "GRUCell: hidden_size must be a whole number of at least 1, got 0",
    ),
    "dropout above 1": (
        lambda: nn.LSTM(3, 4, num_layers=2, dropout=1.5),
        ArgumentError,
        "LSTM: p is the probability of leaving a number out, so it must lie between 0 and 1, "
        "got 1.5",
    ),
    "wrong feature count": (
        lambda: nn.RNN(3, 4)(mg.zeros(6, 5, 2)),
        ShapeError,
        "RNN: input has shape (6, 5, 2); it takes (time, input_size) or (time, n, input_size), "
        "with input_size 3 [in RNN(3, 4)]",
    ),
    "wrong state": (
        lambda: nn.GRU(3, 4)(mg.zeros(6, 5, 3), mg.zeros(1, 6, 4)),
        ShapeError,
        "GRU: the state has shape (1, 6, 4), but an input of shape (6, 5, 3) takes one of shape "
        "(1, 5, 4) [in GRU(3, 4)]",
    ),
    "half an LSTM state": (
        lambda: nn.LSTMCell(3, 4)(mg.zeros(5, 3), mg.zeros(5, 4)),
        DtypeError,
        "LSTMCell: the state must be (h, c) as the layer returns it, got Tensor "
        "[in LSTMCell(3, 4)]",
    ),
    "no steps": (
        lambda: nn.RNN(3, 4)(mg.zeros(0, 5, 3)),
        ShapeError,
        "RNN: input of shape (0, 5, 3) is a sequence of no steps [in RNN(3, 4)]",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_message(case):
    call, kind, message = CASES[case]
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value) == message


def test_dropout_of_a_single_layer_warns():
    with pytest.warns(UserWarning, match="dropout acts between layers"):
        nn.RNN(3, 4, dropout=0.5)
