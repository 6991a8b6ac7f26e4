"""state_dict and load_state_dict: PyTorch's keys, all or nothing, and plain words when it fails."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import ArgumentError


def _net(lib: object) -> object:
    shared = lib.nn.Linear(3, 3)
    net = lib.nn.Sequential(
        lib.nn.Linear(2, 3), lib.nn.BatchNorm1d(3), shared, lib.nn.Tanh(), shared,
        lib.nn.ModuleList([lib.nn.LayerNorm(3), lib.nn.Linear(3, 1, bias=False)]),
    )  # fmt: skip
    net.register_buffer("scratch", lib.zeros(2), persistent=False)
    net.register_buffer("kept", lib.zeros(2))
    return net


@pytest.mark.torch
def test_keys_order_shapes_and_dtypes_are_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    mine, theirs = _net(mg).state_dict(), _net(torch).state_dict()
    assert list(mine) == list(theirs)
    for key, value in mine.items():
        assert value.shape == tuple(theirs[key].shape)
        assert str(value.dtype) == str(theirs[key].dtype).removeprefix("torch.")


@pytest.mark.torch
def test_values_cross_to_pytorch_and_back() -> None:
    torch = pytest.importorskip("torch")
    mine, theirs = _net(mg), _net(torch)
    theirs.load_state_dict({k: torch.tensor(v.data) for k, v in mine.state_dict().items()})
    for key, value in theirs.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), mine.state_dict()[key].data)
    other = _net(mg)
    assert other.load_state_dict(theirs.state_dict()) == ([], [])
    for key, value in other.state_dict().items():
        np.testing.assert_array_equal(value.data, mine.state_dict()[key].data)


def test_state_shares_memory_but_no_gradient() -> None:
    layer = nn.Linear(2, 1)
    state = layer.state_dict()
    assert not state["weight"].requires_grad
    snapshot = copy.deepcopy(state)
    with mg.no_grad():
        layer.weight += 1
    np.testing.assert_array_equal(state["weight"].data, layer.weight.data)
    np.testing.assert_allclose(state["weight"].data, snapshot["weight"].data + 1, rtol=1e-6)


def test_loading_writes_in_place_and_is_noticed_by_a_pending_backward() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    weight, array = net[1].weight, net[1].weight.data
    loss = net(mg.ones(1, 2)).sum()
    net.load_state_dict({k: v * 2 for k, v in net.state_dict().items()})
    assert net[1].weight is weight and weight.data is array and weight.requires_grad
    with pytest.raises(mg.errors.GraphError, match="changed in place"):
        loss.backward()


def test_values_are_rounded_to_the_modules_dtype() -> None:
    layer = nn.Linear(1, 1)
    layer.load_state_dict({"weight": np.array([[1 / 3]]), "bias": [0.0]})
    assert layer.weight.dtype == mg.float32 and layer.weight.item() == np.float32(1 / 3)


def test_strict_false_loads_what_fits_and_tells_the_rest() -> None:
    layer = nn.Linear(2, 1)
    before = layer.bias.item()
    misfits = layer.load_state_dict({"weight": np.ones((1, 2)), "wieght": 0}, strict=False)
    assert misfits.missing_keys == ["bias"] and misfits.unexpected_keys == ["wieght"]
    assert layer.weight.tolist() == [[1.0, 1.0]] and layer.bias.item() == before


WHOLE = "load_state_dict: the state does not fit this Linear, and nothing was loaded: "
CURE = ". Build the module with the sizes it was saved with"


@pytest.mark.parametrize(
    ("state", "strict", "message"),
    [
        (
            {"weight": np.ones((1, 2)), "wieght": np.ones(1)},
            True,
            f"{WHOLE}missing keys: bias; unexpected keys: wieght{CURE}, or pass strict=False to "
            "skip keys",
        ),
        (
            {"weight": np.ones((1, 3)), "bias": np.ones(2)},
            True,
            f"{WHOLE}weight has shape (1, 3), the module's (1, 2); bias has shape (2,), the "
            f"module's (1,){CURE}, or pass strict=False to skip keys",
        ),
        (
            {"bias": np.ones(1), "weight": np.ones((1, 3))},
            False,
            f"{WHOLE}weight has shape (1, 3), the module's (1, 2){CURE}",
        ),
    ],
)
def test_what_does_not_fit_is_told_and_nothing_is_loaded(
    state: dict, strict: bool, message: str
) -> None:
    layer = nn.Linear(2, 1)
    before = copy.deepcopy(layer.state_dict())
    with pytest.raises(ArgumentError) as caught:
        layer.load_state_dict(state, strict=strict)
    assert str(caught.value) == message
    for key, value in layer.state_dict().items():
        np.testing.assert_array_equal(value.data, before[key].data)


def test_fractions_do_not_go_into_a_counter() -> None:
    layer = nn.BatchNorm1d(1)
    state = dict(layer.state_dict()) | {"num_batches_tracked": 1.5}
    with pytest.raises(
        ArgumentError, match="num_batches_tracked holds float64, the module's int64"
    ):
        layer.load_state_dict(state)
