"""Sequential and ModuleList."""

from __future__ import annotations

from collections import OrderedDict

import pytest

import minigrad as mg
from minigrad import nn


def test_sequential_runs_in_order_and_counts() -> None:
    layers = [nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)]
    net = nn.Sequential(*layers)
    x = mg.ones(4, 2)
    assert (net(x) == layers[2](layers[1](layers[0](x)))).all()
    assert list(net) == layers and len(net) == 3
    assert net[0] is layers[0] and net[-1] is layers[2]
    assert list(net[1:]) == layers[1:] and type(net[:0]) is nn.Sequential
    assert [n for n, _ in net[1:].named_parameters()] == ["2.weight", "2.bias"]
    assert nn.Sequential()(x) is x


def test_sequential_of_names() -> None:
    net = nn.Sequential(OrderedDict(first=nn.Tanh(), second=nn.ReLU()))
    assert net[1] is net.second and [n for n, _ in net.named_children()] == ["first", "second"]
    net.append(nn.Sigmoid())
    assert [n for n, _ in net.named_children()] == ["first", "second", "2"]


def test_sequential_can_be_changed() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Tanh())
    net[1] = nn.ReLU()
    assert net.append(nn.Identity()).extend([nn.Flatten()]) is net
    assert [type(m).__name__ for m in net] == ["Linear", "ReLU", "Identity", "Flatten"]
    net[-1] = nn.Sigmoid()
    assert type(net[3]) is nn.Sigmoid


def test_a_layer_may_stand_in_several_places() -> None:
    double = nn.Linear(1, 1, bias=False)
    nn.init.constant_(double.weight, 2.0)
    assert nn.Sequential(double, double, double)(mg.ones(1, 1)).item() == 8.0


def test_module_list() -> None:
    layers = nn.ModuleList([nn.Tanh()])
    layers.append(nn.ReLU()).extend([nn.Linear(1, 1)])
    assert [type(m).__name__ for m in layers] == ["Tanh", "ReLU", "Linear"]
    assert [n for n, _ in layers.named_parameters()] == ["2.weight", "2.bias"]
    assert type(layers[1:]) is nn.ModuleList and list(layers[1:]) == list(layers)[1:]
    assert [n for n, _ in layers[1:].named_children()] == ["0", "1"]
    layers[0] = nn.Sigmoid()
    assert type(layers[0]) is nn.Sigmoid and layers[-1] is layers[2]
    with pytest.raises(NotImplementedError, match="ModuleList"):
        layers(mg.ones(1, 1))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: nn.Sequential(nn.Linear(1, 1), nn.Tanh),
            "Sequential: item 1 is the class Tanh, not a Module; make a layer of it: Tanh()",
        ),
        (
            lambda: nn.Sequential([nn.Tanh()]),
            "Sequential: item 0 is a list, not a Module; unpack it: Sequential(*layers)",
        ),
        (
            lambda: nn.Sequential(mg.nn.functional.softmax),
            "Sequential: item 0 is function, not a Module; write a Module whose forward calls it",
        ),
        (
            lambda: nn.ModuleList([nn.Tanh(), 3]),
            "ModuleList: item 1 is int, not a Module; write a Module whose forward calls it",
        ),
    ],
)
def test_what_is_no_module_is_refused(make: object, message: str) -> None:
    with pytest.raises(mg.errors.DtypeError) as caught:
        make()
    assert str(caught.value) == message


def test_an_index_too_far() -> None:
    net = nn.Sequential(nn.Tanh())
    for use in (lambda: net[1], lambda: net.__setitem__(-2, nn.Tanh())):
        with pytest.raises(
            mg.errors.OutOfRangeError, match=r"^Sequential: index .* holds 1 modules$"
        ):
            use()
