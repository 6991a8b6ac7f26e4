"""Initializations of whole networks: what their papers promise, in networks that are really run."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.errors import ArgumentError, GraphError
from minigrad.meanfield import critical_point
from minigrad.nn import functional as F
from minigrad.nn import init
from minigrad.nn.residual import Residual


def _plain(depth: int, width: int, act: type[nn.Module] = nn.ReLU, bias: bool = True) -> nn.Module:
    parts: list[nn.Module] = []
    for _ in range(depth):
        parts += [nn.Linear(width, width, bias=bias, dtype=mg.float64), act()]
    return nn.Sequential(*parts[:-1])


def _stack(
    depth: int, width: int = 16, layers: int = 2, scale: object = None, bias: bool = True
) -> nn.Module:
    """`depth` Residual blocks of so many Linear layers each, and a classifier."""
    blocks = []
    for _ in range(depth):
        learned = None if scale is None else nn.Parameter(mg.tensor(scale, dtype=mg.float64))
        blocks.append(
            Residual(_plain(layers, width, bias=bias), 1.0 if learned is None else learned)
        )
    return nn.Sequential(*blocks, nn.Linear(width, 3, dtype=mg.float64))


def _linears(net: nn.Module) -> list[nn.Linear]:
    return [m for m in net.modules() if isinstance(m, nn.Linear)]


def _outputs(net: nn.Module, x: mg.Tensor) -> list[np.ndarray]:
    """What each Linear layer puts out."""
    found: list[np.ndarray] = []
    handles = [
        m.register_forward_hook(lambda module, args, out: found.append(out.data))
        for m in _linears(net)
    ]
    with mg.no_grad():
        net(x)
    for handle in handles:
        handle.remove()
    return found


# -- LSUV ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", [nn.ReLU, nn.Tanh, nn.Sigmoid, nn.Identity])
def test_lsuv_gives_every_layer_unit_variance(act: type, rng: np.random.Generator) -> None:
    net = _plain(30, 20, act)
    x = mg.tensor(rng.normal(2, 5, (64, 20)))
    assert init.lsuv_(net, x, generator=mg.Generator(0)) is net
    for out in _outputs(net, x):
        np.testing.assert_allclose(out.var(), 1, rtol=1e-10)


def test_lsuv_only_scales_orthonormal_weights(rng: np.random.Generator) -> None:
    net = init.lsuv_(_plain(3, 8), mg.tensor(rng.normal(size=(32, 8))), generator=mg.Generator(0))
    for layer in _linears(net):
        values = np.linalg.svd(layer.weight.data, compute_uv=False)
        np.testing.assert_allclose(values, values[0], rtol=1e-10)
        assert not layer.bias.data.any()


def test_lsuv_goes_by_the_order_of_the_calls(rng: np.random.Generator) -> None:
    class Backwards(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = nn.Linear(6, 4, dtype=mg.float64)
            self.shared = nn.Linear(6, 6, dtype=mg.float64)

        def forward(self, x: mg.Tensor) -> mg.Tensor:
            return self.last(F.relu(self.shared(F.relu(self.shared(x)))))

    x = mg.tensor(rng.normal(size=(50, 6)))
    first, _, last = _outputs(init.lsuv_(Backwards(), x, generator=mg.Generator(0)), x)
    np.testing.assert_allclose([first.var(), last.var()], 1, rtol=1e-10)


def test_lsuv_refused_changes_no_weight() -> None:
    net = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
    before = [p.data.copy() for p in net.parameters()]
    for x, message in (
        (mg.ones(8, 4) * math.nan, "the output of layer '0' has standard deviation nan"),
        (mg.zeros(8, 4), "the output of layer '0' has standard deviation 0 on this batch"),
    ):
        with pytest.raises(ArgumentError, match=message):
            init.lsuv_(net, x)
    with pytest.raises(mg.errors.ShapeError):
        init.lsuv_(net, mg.ones(8, 5))
    branching = _Branching()
    before += [p.data.copy() for p in branching.parameters()]
    with pytest.raises(ArgumentError, match="does not reach layer 'spare'"):
        init.lsuv_(branching, mg.randn(8, 3))
    after = [*net.parameters(), *branching.parameters()]
    for p, values in zip(after, before, strict=True):
        np.testing.assert_array_equal(p.data, values)
    assert len(_outputs(net, mg.ones(8, 4))) == 2  # no hook was left behind that would divide


# -- the edge of chaos ---------------------------------------------------------------------------


def _gradient_ratio(net: nn.Module, x: mg.Tensor) -> float:
    """The gradient of the first layer's biases over that of the last hidden layer's, by norm."""
    out = net(x)
    g = mg.tensor(np.random.default_rng(5).normal(size=out.shape))
    out.backward(g)
    first, last = _linears(net)[0], _linears(net)[-2]
    return float(np.linalg.norm(first.bias.grad.data) / np.linalg.norm(last.bias.grad.data))


@pytest.mark.parametrize(
    ("act", "name", "sigma_b"),
    [(nn.Tanh, "tanh", 0.2), (nn.ReLU, "relu", 0.0), (nn.SELU, "selu", 0.2)],
)
def test_critical_networks_keep_their_gradient(act: type, name: str, sigma_b: float) -> None:
    x = mg.tensor(np.random.default_rng(4).normal(size=(8, 200)))
    ratios = {}
    for factor in (0.8, 1.0, 1.25):
        net = init.critical_(_plain(40, 200, act), name, sigma_b, mg.Generator(0))
        for layer in _linears(net):
            layer.weight.data *= factor
        ratios[factor] = _gradient_ratio(net, x)
    assert 0.3 < ratios[1.0] < 3
    assert ratios[0.8] < 0.05
    assert ratios[1.25] > 10


def test_critical_weights_and_biases_have_their_moments() -> None:
    net = init.critical_(_plain(3, 400, nn.Tanh), "tanh", 0.5, mg.Generator(0))
    sigma_w, _ = critical_point(F.tanh, 0.5)
    for layer in _linears(net):
        assert abs(layer.weight.data.std() * 20 / sigma_w - 1) < 0.01
        assert abs(layer.bias.data.std() / 0.5 - 1) < 0.15


def test_critical_takes_any_function() -> None:
    w = mg.zeros(300, 300, dtype=mg.float64)
    init.critical_(w, lambda x: 2 * mg.tanh(x), generator=mg.Generator(0))
    assert abs(w.data.std() - 0.5 / math.sqrt(300)) < 0.0005


# -- Fixup and SkipInit --------------------------------------------------------------------------


@pytest.mark.parametrize(("depth", "layers"), [(7, 2), (5, 3), (4, 1)])
def test_fixup_is_its_formula(depth: int, layers: int) -> None:
    net = init.fixup_(_stack(depth, 100, layers), mg.Generator(0))
    for block in list(net)[:-1]:
        *others, last = _linears(block)
        assert not last.weight.data.any()
        for layer in others:
            wanted = math.sqrt(2 / 100) * depth ** (-1 / (2 * layers - 2))
            assert abs(layer.weight.data.std() / wanted - 1) < 0.04
    assert not net[-1].weight.data.any()
    assert all(not layer.bias.data.any() for layer in _linears(net))


def test_fixup_leaves_layers_around_the_blocks_to_he_and_sets_multipliers() -> None:
    net = nn.Sequential(nn.Linear(50, 400), *_stack(2, 400, scale=0.3))
    init.fixup_(net, mg.Generator(0))
    assert abs(net[0].weight.data.std() / math.sqrt(2 / 50) - 1) < 0.04
    assert [net[1].scale.item(), net[2].scale.item()] == [1, 1]


def _change_of_one_step(depth: int, prepare: object) -> float:
    """How far one step of gradient descent moves the output: the mean square over examples."""
    rng = np.random.default_rng(6)
    x, target = mg.tensor(rng.normal(size=(32, 16))), mg.tensor(rng.integers(0, 3, 32))
    net = prepare(_stack(depth, bias=False))
    # The classifier starts at 0 and lets no gradient through; look at a step with one that does.
    init.xavier_normal_(net[-1].weight, generator=mg.Generator(9))
    before = net(x)
    F.cross_entropy(before, target).backward()
    optim.SGD(net.parameters(), lr=0.01).step()
    return float(((net(x).data - before.data) ** 2).mean())


def test_a_step_of_fixup_does_as_much_at_any_depth() -> None:
    def fixup(net: nn.Module) -> nn.Module:
        return init.fixup_(net, mg.Generator(1))

    def without_factor(net: nn.Module) -> nn.Module:
        fixup(net)
        for block in list(net)[:-1]:
            init.kaiming_normal_(block.branch[0].weight, nonlinearity="relu")
        return net

    mg.manual_seed(0)
    shallow, deep = _change_of_one_step(4, fixup), _change_of_one_step(64, fixup)
    assert 0.5 < deep / shallow < 2
    shallow, deep = (_change_of_one_step(depth, without_factor) for depth in (4, 64))
    assert deep / shallow > 30


def test_fixup_trains_where_he_explodes() -> None:
    rng = np.random.default_rng(7)
    x, target = mg.tensor(rng.normal(size=(48, 16))), mg.tensor(rng.integers(0, 3, 48))

    net = _stack(50)
    for i, layer in enumerate(_linears(net)):
        init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=mg.Generator(i))
    assert F.cross_entropy(net(x), target).item() > 1e6  # the variance doubles with every block

    init.fixup_(net, mg.Generator(1))
    sgd = optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    losses = []
    for _ in range(60):
        sgd.zero_grad()
        loss = F.cross_entropy(net(x), target)
        loss.backward()
        sgd.step()
        losses.append(loss.item())
    np.testing.assert_allclose(losses[0], math.log(3), rtol=1e-12)  # no idea at all
    assert losses[-1] < 0.2


def test_skipinit_makes_every_block_the_identity(rng: np.random.Generator) -> None:
    net = init.skipinit_(_stack(20, scale=1.0))
    x = mg.tensor(rng.normal(size=(4, 16)))
    np.testing.assert_array_equal(net(x).data, net[-1](x).data)
    net(x).sum().backward()
    assert all(block.scale.grad.item() != 0 for block in list(net)[:-1])  # it can leave 0


# -- all of them ---------------------------------------------------------------------------------

NETWORKS = {
    "critical_": lambda net, g: init.critical_(net, "tanh", generator=g),
    "fixup_": lambda net, g: init.fixup_(net, g),
    "lsuv_": lambda net, g: init.lsuv_(net, mg.tensor(_BATCH), generator=g),
}
_BATCH = np.random.default_rng(8).normal(size=(32, 16))


@pytest.mark.parametrize("name", NETWORKS)
def test_seeds(name: str) -> None:
    nets = [NETWORKS[name](_stack(3), mg.Generator(seed)) for seed in (1, 1, 2)]
    a, b, c = ([p.data for p in net.parameters()] for net in nets)
    assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
    assert not all(np.array_equal(x, y) for x, y in zip(a, c, strict=True))
    mg.manual_seed(3)
    a, b = ([p.data for p in NETWORKS[name](_stack(3), None).parameters()] for _ in range(2))
    assert not all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("name", ["critical_", "lsuv_"])
def test_a_deeper_network_begins_alike(name: str) -> None:
    short, long = (NETWORKS[name](_plain(n, 16), mg.Generator(0)) for n in (3, 6))
    for layer, other in zip(_linears(short), _linears(long), strict=False):
        np.testing.assert_array_equal(layer.weight.data, other.weight.data)


class _Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.used, self.spare = nn.Linear(3, 3), nn.Linear(3, 3)

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        return self.used(x)


def _tied() -> nn.Module:
    net = _plain(3, 4)
    net[4].weight = net[0].weight
    return net


MESSAGES = {
    "tied weights": (
        lambda: init.lsuv_(_tied(), mg.randn(8, 4)),
        ArgumentError,
        "lsuv_: layers '0' and '4' share one weight, which cannot be scaled for both; tie them "
        "afterwards, or take another initialization",
    ),
    "a layer that is not run": (
        lambda: init.lsuv_(_Branching(), mg.randn(8, 3)),
        ArgumentError,
        "lsuv_: the batch does not reach layer 'spare', so its scale stays unknown; give inputs "
        "that the model passes through all of its layers",
    ),
    "no layers": (
        lambda: init.lsuv_(nn.Sequential(nn.Tanh()), mg.ones(2, 2)),
        ArgumentError,
        "lsuv_: this Sequential has no Linear layers",
    ),
    "no blocks": (
        lambda: init.fixup_(_plain(2, 3)),
        ArgumentError,
        "fixup_: this Sequential has no Residual blocks; build them as nn.Residual(branch)",
    ),
    "a scale that cannot learn": (
        lambda: init.skipinit_(_stack(2)),
        ArgumentError,
        "skipinit_: the scale of a Residual block is a number, and would stay 0 for ever; build it "
        "as nn.Residual(branch, nn.Parameter(0.0))",
    ),
    "a computed weight": (
        lambda: init.critical_(nn.Sequential(nn.utils.weight_norm(nn.Linear(2, 2))), "tanh"),
        GraphError,
        "critical_: the weight of layer '0' is computed from other parameters; initialize before "
        "parametrizing a layer",
    ),
    "an unknown activation": (
        lambda: init.critical_(mg.zeros(2, 2), "softmax"),
        ArgumentError,
        "critical_: unknown activation 'softmax'; valid: celu, elu, gelu, hardsigmoid, hardtanh, "
        "identity, leaky_relu, linear, mish, relu, relu6, selu, sigmoid, silu, softsign, tanh, or "
        "a function of Tensors",
    ),
    "no biases": (
        lambda: init.critical_(_plain(2, 3, bias=False), "tanh", sigma_b=0.3),
        ArgumentError,
        "critical_: sigma_b=0.3 needs biases, and layer '0' has none; use sigma_b=0, or bias=True",
    ),
}


@pytest.mark.parametrize("case", MESSAGES)
def test_message(case: str) -> None:
    call, kind, message = MESSAGES[case]
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value) == message
