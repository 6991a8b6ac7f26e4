"""Module: registering, walking, running with hooks, and what it does to all its parameters."""

from __future__ import annotations

import copy
import gc
import weakref

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import ArgumentError, DtypeError
from minigrad.nn import functional as F


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(mg.ones(4))
        self.body = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2, bias=False))
        self.register_buffer("count", mg.tensor(0))

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        return self.body(x * self.scale)


# -- registering ---------------------------------------------------------------------------------


def test_what_is_assigned_is_registered_in_order() -> None:
    net = Net()
    assert [n for n, _ in net.named_parameters()] == [
        "scale", "body.0.weight", "body.0.bias", "body.2.weight",
    ]  # fmt: skip
    assert [n for n, _ in net.named_parameters("net", recurse=False)] == ["net.scale"]
    assert [n for n, _ in net.named_modules()] == ["", "body", "body.0", "body.1", "body.2"]
    assert [n for n, _ in net.named_children()] == ["body"]
    assert [n for n, _ in net.named_buffers()] == ["count"]
    assert [type(m).__name__ for m in net.modules()] == [
        "Net", "Sequential", "Linear", "Tanh", "Linear",
    ]  # fmt: skip
    assert list(net.children()) == [net.body]
    assert next(net.parameters()) is net.scale and list(net.buffers()) == [net.count]


def test_assigning_again_replaces_and_none_or_del_removes() -> None:
    net = Net()
    new = nn.Parameter(mg.zeros(4))
    net.scale = new
    assert next(net.parameters()) is new
    net.body = None
    assert [n for n, _ in net.named_parameters()] == ["scale"] and "(body)" not in repr(net)
    net.body = nn.Tanh()
    assert "(body): Tanh()" in repr(net)
    del net.scale
    assert list(net.parameters()) == [] and not hasattr(net, "scale")
    net.count = mg.tensor(7)  # a buffer stays one
    assert net.state_dict()["count"].item() == 7


def test_a_name_can_change_its_role() -> None:
    net = nn.Module()
    net.x = 3
    net.x = nn.Parameter(mg.ones(1))
    assert [n for n, _ in net.named_parameters()] == ["x"]
    net.x = nn.Tanh()
    assert list(net.parameters()) == [] and [n for n, _ in net.named_children()] == ["x"]


def test_a_plain_tensor_is_no_parameter() -> None:
    net = nn.Module()
    net.x = mg.ones(1, requires_grad=True)
    assert list(net.parameters()) == []


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "scale",
            mg.ones(4),
            "Net: 'scale' is a registered parameter, so it takes a Parameter (or None); wrap it "
            "as nn.Parameter(...), or write into scale.data; got Tensor",
        ),
        (
            "body",
            len,
            "Net: 'body' is a registered module, so it takes a Module (or None); got "
            "builtin_function_or_method",
        ),
        (
            "count",
            3,
            "Net: 'count' is a registered buffer, so it takes a Tensor (or None); got int",
        ),
    ],
)
def test_a_registered_name_takes_only_its_kind(name: str, value: object, message: str) -> None:
    net = Net()
    before = getattr(net, name)
    with pytest.raises(DtypeError) as caught:
        setattr(net, name, value)
    assert str(caught.value) == message
    assert getattr(net, name) is before


def test_forgetting_super_init_is_told() -> None:
    class Forgetful(nn.Module):
        def __init__(self) -> None:
            self.layer = nn.Tanh()

    with pytest.raises(ArgumentError) as caught:
        Forgetful()
    assert str(caught.value) == (
        "Forgetful: 'layer' was assigned before super().__init__(); call that first in __init__"
    )


@pytest.mark.parametrize("name", ["", "a.b", 3, "forward", "training"])
def test_bad_names_are_refused(name: object) -> None:
    net = nn.Module()
    for register, value in (
        (net.register_parameter, nn.Parameter(mg.ones(1))),
        (net.register_buffer, mg.ones(1)),
        (net.register_module, nn.Tanh()),
    ):
        with pytest.raises(ArgumentError, match="name"):
            register(name, value)
    assert net.state_dict() == {} and list(net.children()) == []


def test_register_takes_only_its_kind() -> None:
    net = nn.Module()
    with pytest.raises(DtypeError, match="registered parameter"):
        net.register_parameter("a", mg.ones(1))
    with pytest.raises(DtypeError, match="registered buffer"):
        net.register_buffer("a", np.ones(1))
    with pytest.raises(DtypeError, match="registered module"):
        net.add_module("a", mg.tanh)


def test_what_is_shared_counts_once() -> None:
    layer = nn.Linear(2, 2)
    net = nn.Sequential(layer, nn.Tanh(), layer)
    assert [n for n, _ in net.named_parameters()] == ["0.weight", "0.bias"]
    assert [n for n, _ in net.named_modules()] == ["", "0", "1"]
    assert [n for n, _ in net.named_children()] == ["0", "1"]
    assert len(net) == 3 and net[2] is layer
    tied = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    tied[1].weight = tied[0].weight
    assert [n for n, _ in tied.named_parameters()] == ["0.weight", "0.bias", "1.bias"]
    x = mg.ones(1, 2)
    tied(x).sum().backward()
    assert tied[0].weight.grad is tied[1].weight.grad is not None


def test_get_submodule_and_parameter() -> None:
    net = Net()
    assert net.get_submodule("") is net
    assert net.get_submodule("body.2") is net.body[2]
    assert net.get_parameter("scale") is net.scale
    assert net.get_parameter("body.0.bias") is net.body[0].bias
    with pytest.raises(ArgumentError) as caught:
        net.get_submodule("body.7")
    assert str(caught.value) == (
        "get_submodule: no module 'body.7': Sequential has no child '7'; it has 0, 1, 2"
    )
    with pytest.raises(ArgumentError) as caught:
        net.get_parameter("body.2.bias")
    assert str(caught.value) == (
        "get_parameter: no parameter 'body.2.bias': Linear has no 'bias'; it has weight"
    )


# -- running -------------------------------------------------------------------------------------


def test_a_module_without_forward_says_so() -> None:
    class Empty(nn.Module):
        pass

    with pytest.raises(NotImplementedError) as caught:
        Empty()(1)
    assert str(caught.value) == "Empty: write a method forward(self, x) that computes the output"


def test_forward_hooks_see_and_replace() -> None:
    layer, seen = nn.Tanh(), []
    x = mg.tensor([0.5])
    first = layer.register_forward_pre_hook(lambda m, args: seen.append((m, args)))
    second = layer.register_forward_pre_hook(lambda m, args: args[0] * 2)
    third = layer.register_forward_pre_hook(lambda m, args: (args[0] * 3,))
    fourth = layer.register_forward_hook(lambda m, args, out: seen.append((args, out)))
    fifth = layer.register_forward_hook(lambda m, args, out: out * 0)
    out = layer(x)
    np.testing.assert_array_equal(out.data, [0.0])
    assert seen[0][0] is layer and seen[0][1][0] is x
    np.testing.assert_allclose(seen[1][0][0].data, [3.0])
    np.testing.assert_allclose(seen[1][1].data, np.tanh([3.0]), rtol=1e-6)

    for handle in (first, second, third, fourth, fifth, fifth):  # removing twice does no harm
        handle.remove()
    assert layer(x).item() == np.tanh(np.float32(0.5)) and len(seen) == 2


def test_a_hook_may_remove_itself_and_a_handle_is_a_context() -> None:
    layer, calls = nn.Identity(), []

    def once(module: nn.Module, args: tuple, out: mg.Tensor) -> None:
        calls.append("once")
        handle.remove()

    handle = layer.register_forward_hook(once)
    with layer.register_forward_hook(lambda *_: calls.append("within")):
        layer(mg.ones(1))
        layer(mg.ones(1))
    layer(mg.ones(1))
    assert calls == ["once", "within", "within"]


def test_hooks_reach_gradients_of_activations() -> None:
    net, grads = Net(), {}
    for name, module in net.named_modules():
        if isinstance(module, nn.Linear):
            module.register_forward_hook(
                lambda m, args, out, name=name: (
                    out.register_hook(lambda g: grads.__setitem__(name, g)) and None
                )
            )
    net(mg.ones(3, 4)).sum().backward()
    assert {n: g.shape for n, g in grads.items()} == {"body.0": (3, 4), "body.2": (3, 2)}
    np.testing.assert_array_equal(grads["body.2"].data, np.ones((3, 2)))


# -- where an error happened ---------------------------------------------------------------------

WRONG_WIDTH = (
    "linear: the input has shape (8, 5), but a weight of shape (2, 4) takes 4 features on the "
    "input's last axis; reshape the input, or make in_features 5"
)
LAYER = "Linear(in_features=4, out_features=2, bias=True)"


class Wrapper(nn.Module):
    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(layers)  # never called itself, yet part of the path

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        for layer in self.blocks:
            x = layer(x)
        return x


@pytest.mark.parametrize(
    ("network", "where"),
    [
        (lambda bad: bad, LAYER),
        (lambda bad: nn.Sequential(nn.Tanh(), bad), f"layer '1' ({LAYER})"),
        (lambda bad: nn.Sequential({"in": nn.Identity(), "out": bad}), f"layer 'out' ({LAYER})"),
        (
            lambda bad: nn.Sequential(nn.Sequential(nn.Tanh(), nn.Sequential(bad)), nn.Tanh()),
            f"layer '0.1.0' ({LAYER})",
        ),
        (lambda bad: nn.Sequential(Wrapper(nn.ReLU(), bad)), f"layer '0.blocks.1' ({LAYER})"),
    ],
)
def test_an_error_names_the_path_of_the_layer(network: object, where: str) -> None:
    net = network(nn.Linear(4, 2))
    x = mg.ones(8, 5)
    for _ in range(2):
        with pytest.raises(mg.errors.ShapeError) as caught:
            net(x)
        assert str(caught.value) == f"{WRONG_WIDTH} [in {where}]"


def test_an_error_of_a_custom_forward_names_that_module() -> None:
    class Adds(nn.Module):
        def forward(self, x: mg.Tensor) -> mg.Tensor:
            return x + mg.ones(3)

    with pytest.raises(mg.errors.ShapeError, match=r"^add: .* \[in layer '1' \(Adds\(\)\)\]$"):
        nn.Sequential(nn.Tanh(), Adds())(mg.ones(2))


def test_an_error_within_a_hooked_layer_is_signed_too() -> None:
    net = nn.Sequential(nn.Linear(4, 2))
    net[0].register_forward_hook(lambda *_: None)
    with pytest.raises(mg.errors.ShapeError) as caught:
        net(mg.ones(8, 5))
    assert str(caught.value) == f"{WRONG_WIDTH} [in layer '0' ({LAYER})]"


def test_other_errors_pass_unchanged() -> None:
    class Broken(nn.Module):
        def forward(self, x: mg.Tensor) -> mg.Tensor:
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        nn.Sequential(Broken())(mg.ones(1))


# -- changing all of it --------------------------------------------------------------------------


def test_train_and_eval_reach_everything_below() -> None:
    net = Net()
    assert all(m.training for m in net.modules())
    assert net.eval() is net and not any(m.training for m in net.modules())
    assert net.train() is net and all(m.training for m in net.modules())


def test_zero_grad_forgets_or_zeroes() -> None:
    net = Net()
    F.cross_entropy(net(mg.ones(3, 4)), mg.tensor([0, 1, 1])).backward()
    grad = net.scale.grad
    assert (grad != 0).any()
    net.zero_grad(set_to_none=False)
    assert all((p.grad == 0).all() for p in net.parameters()) and (grad != 0).any()
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_freezing_stops_gradients() -> None:
    net = Net()
    assert net.body.requires_grad_(False) is net.body
    net(mg.ones(3, 4)).sum().backward()
    assert net.scale.grad is not None and all(p.grad is None for p in net.body.parameters())
    net.requires_grad_()
    net(mg.ones(3, 4)).sum().backward()
    assert all(p.grad is not None for p in net.parameters())


def test_apply_goes_from_the_leaves_up() -> None:
    seen = []
    net = Net()
    assert net.apply(lambda m: seen.append(type(m).__name__)) is net
    assert seen == ["Linear", "Tanh", "Linear", "Sequential", "Net"]


def test_to_converts_values_and_gradients_but_not_counters() -> None:
    net = Net()
    net(mg.ones(3, 4)).sum().backward()
    weight, before = net.body[0].weight, net.body[0].weight.data.copy()
    assert net.double() is net
    assert net.body[0].weight is weight and weight.dtype == mg.float64 == weight.grad.dtype
    assert net.count.dtype == mg.int64
    np.testing.assert_array_equal(weight.data, before)
    net.zero_grad()
    net(mg.ones(3, 4, dtype=mg.float64)).sum().backward()
    assert weight.grad.dtype == mg.float64
    assert net.to("cpu", mg.float32).scale.dtype == mg.float32
    assert net.double().float().scale.dtype == mg.float32


def test_to_refuses_integers_and_changes_nothing() -> None:
    net = Net()
    with pytest.raises(DtypeError) as caught:
        net.to(mg.int64)
    assert str(caught.value) == (
        "Module.to: parameters must stay floating point, got int64; use mg.float32 or mg.float64"
    )
    assert all(p.dtype == mg.float32 for p in net.parameters())


def test_to_the_same_dtype_keeps_a_graph_usable() -> None:
    net = Net()
    out = net(mg.ones(3, 4)).sum()
    net.float()
    out.backward()
    assert net.scale.grad is not None


# -- parameters ----------------------------------------------------------------------------------


def test_parameter_stays_one_through_in_place_updates_and_copies() -> None:
    p = nn.Parameter([1.0, 2.0])
    assert p.is_leaf and p.requires_grad and p.dtype == mg.float32
    alias = p
    with mg.no_grad():
        p -= 0.5
    assert p is alias and type(p) is nn.Parameter
    (p * p).sum().backward()
    np.testing.assert_array_equal(p.grad.data, [1.0, 3.0])
    q = copy.deepcopy(p)
    assert type(q) is nn.Parameter and q.grad is not p.grad
    np.testing.assert_array_equal(q.grad.data, p.grad.data)
    assert type(p * 1) is mg.Tensor
    assert repr(nn.Parameter([1.0], requires_grad=False)) == "Parameter containing:\ntensor([1.])"
    with pytest.raises(DtypeError, match="has no gradient"):
        nn.Parameter([1, 2])


def test_a_parameter_of_a_computed_tensor_is_a_leaf() -> None:
    x = mg.ones(2, requires_grad=True)
    p = nn.Parameter(x * 2)
    p.sum().backward()
    assert p.is_leaf and x.grad is None


def test_a_module_leaves_no_cycle_behind() -> None:
    gc.collect()
    gc.disable()
    try:
        net = Net()
        net(mg.ones(3, 4)).sum().backward()
        alive = [weakref.ref(net), weakref.ref(net.body[0].weight)]
        del net
        assert [ref() for ref in alive] == [None, None]
    finally:
        gc.enable()


def test_get_buffer() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    assert net.get_buffer("1.running_var") is net[1].running_var
    with pytest.raises(ArgumentError) as caught:
        net.get_buffer("1.weight")
    assert str(caught.value) == (
        "get_buffer: no buffer '1.weight': BatchNorm1d has no 'weight'; it has running_mean, "
        "running_var, num_batches_tracked"
    )
