"""Sequential, ModuleList and ModuleDict."""

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


def test_taking_out_counts_the_rest_anew() -> None:
    for build in (lambda *m: nn.Sequential(*m), lambda *m: nn.ModuleList(m)):
        tanh, linear, relu = nn.Tanh(), nn.Linear(1, 1), nn.ReLU()
        net = build(tanh, linear, relu)
        del net[0]
        assert list(net.named_children()) == [("0", linear), ("1", relu)]
        assert [n for n, _ in net.named_parameters()] == ["0.weight", "0.bias"]
        del net[-1]
        assert list(net) == [linear]
        net = build(tanh, linear, relu)
        del net[:2]
        assert list(net.named_children()) == [("0", relu)]


@pytest.mark.parametrize(("index", "places"), [(0, "nabc"), (1, "anbc"), (-1, "abnc"), (3, "abcn")])
def test_putting_in_counts_the_rest_anew(index: int, places: str) -> None:
    for build in (lambda *m: nn.Sequential(*m), lambda *m: nn.ModuleList(m)):
        layers = {"a": nn.Tanh(), "b": nn.Linear(1, 1), "c": nn.ReLU(), "n": nn.Sigmoid()}
        net = build(*[layers[c] for c in "abc"])
        assert net.insert(index, layers["n"]) is net
        assert list(net.named_children()) == [(str(i), layers[c]) for i, c in enumerate(places)]


def test_where_nothing_can_be_put_in() -> None:
    net = nn.Sequential(nn.Tanh(), nn.ReLU())
    for index in (3, -3):
        with pytest.raises(mg.errors.OutOfRangeError) as caught:
            net.insert(index, nn.Tanh())
        assert str(caught.value) == f"Sequential: insert at {index}, but it holds 2 modules"
    with pytest.raises(mg.errors.ArgumentError) as caught:
        nn.Sequential({"first": nn.Tanh()}).insert(0, nn.ReLU())
    assert str(caught.value) == (
        "Sequential: insert counts the modules anew, but these were named by hand; make a new "
        "Sequential of a dict in the order you want"
    )
    with pytest.raises(mg.errors.DtypeError, match=r"item 0 is the class Tanh, not a Module"):
        net.insert(0, nn.Tanh)


def test_taking_out_leaves_names_given_by_hand() -> None:
    net = nn.Sequential({"first": nn.Tanh(), "second": nn.ReLU()})
    del net[0]
    assert [n for n, _ in net.named_children()] == ["second"] and not hasattr(net, "first")


def test_appending_to_a_slice_replaces_nothing() -> None:
    net = nn.Sequential(nn.Tanh(), nn.ReLU(), nn.Linear(1, 1))[1:]
    net.append(nn.Sigmoid())
    assert [type(m).__name__ for m in net] == ["ReLU", "Linear", "Sigmoid"]


def test_module_dict() -> None:
    tanh, linear = nn.Tanh(), nn.Linear(1, 1)
    layers = nn.ModuleDict([("act", tanh), ("head", linear)])
    assert layers["head"] is linear and "act" in layers and "tail" not in layers
    assert len(layers) == 2 and list(layers) == layers.keys() == ["act", "head"]
    assert layers.values() == [tanh, linear] and layers.items()[0] == ("act", tanh)
    assert list(layers.state_dict()) == ["head.weight", "head.bias"]
    layers.update({"act": nn.ReLU(), "tail": nn.Sigmoid()})
    assert [type(m).__name__ for m in layers.values()] == ["ReLU", "Linear", "Sigmoid"]
    assert layers.pop("head") is linear and layers.keys() == ["act", "tail"]
    del layers["act"]
    layers.clear()
    assert len(layers) == 0 and repr(layers) == "ModuleDict()"


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (
            lambda layers: layers["tail"],
            "ModuleDict: no module 'tail'; it has head",
        ),
        (
            lambda layers: layers.update({"tail": 3}),
            "ModuleDict: item 'tail' is int, not a Module; write a Module whose forward calls it",
        ),
        (
            lambda layers: layers.update({"train": nn.Tanh()}),
            "ModuleDict: there is already an attribute 'train', which is no module; choose "
            "another name",
        ),
    ],
)
def test_what_a_module_dict_refuses(use: object, message: str) -> None:
    with pytest.raises(mg.errors.MinigradError) as caught:
        use(nn.ModuleDict({"head": nn.Tanh()}))
    assert str(caught.value) == message


@pytest.mark.torch
def test_repr_is_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    shown = []
    for n in (nn, torch.nn):
        blocks = n.ModuleList(n.Sequential(n.Linear(2, 2), n.Tanh()) for _ in range(3))
        blocks.append(n.ReLU())
        shown.append(repr(n.ModuleDict({"blocks": blocks, "none": n.ModuleList()})))
    assert shown[0] == shown[1]


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
