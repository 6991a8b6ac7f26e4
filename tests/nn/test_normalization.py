"""Normalizations against PyTorch's, against plain operations put together, and their own laws."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from nn.twin import check_twins, copy_state

import minigrad as mg
from minigrad import nn, ops
from minigrad.errors import ArgumentError, DtypeError, GraphError, ShapeError
from minigrad.gradcheck import gradgradcheck
from minigrad.nn import functional as F

# How to build the layer in either library, and shapes to run it on.
LAYERS = {
    "batch": (lambda n: n.BatchNorm1d(4), [(5, 4), (2, 4, 3), (1, 4, 3)]),
    "batch, momentum": (lambda n: n.BatchNorm1d(4, 0.1, 0.7), [(5, 4), (2, 4, 3)]),
    "batch, frozen": (lambda n: n.BatchNorm1d(4, momentum=0.0), [(5, 4)]),
    "batch, average": (lambda n: n.BatchNorm1d(4, momentum=None), [(5, 4), (2, 4, 3)]),
    "batch, plain": (lambda n: n.BatchNorm1d(4, affine=False), [(5, 4), (2, 4, 3)]),
    "batch, no bias": (lambda n: n.BatchNorm1d(4, bias=False), [(5, 4)]),
    "batch, untracked": (lambda n: n.BatchNorm1d(4, track_running_stats=False), [(2, 4, 3)]),
    "layer": (lambda n: n.LayerNorm(4), [(5, 4), (2, 5, 4), (4,), (0, 4)]),
    "layer, two axes": (lambda n: n.LayerNorm((3, 4), eps=0.1), [(5, 3, 4), (3, 4)]),
    "layer, no bias": (lambda n: n.LayerNorm(4, bias=False), [(5, 4)]),
    "layer, plain": (lambda n: n.LayerNorm(4, elementwise_affine=False), [(5, 4)]),
    "rms": (lambda n: n.RMSNorm(4), [(5, 4), (2, 5, 4), (4,)]),
    "rms, two axes": (lambda n: n.RMSNorm((3, 4), eps=0.1), [(5, 3, 4)]),
    "rms, plain": (lambda n: n.RMSNorm([4], elementwise_affine=False), [(5, 4)]),
    "group": (lambda n: n.GroupNorm(2, 6), [(5, 6), (2, 6, 3), (2, 6, 3, 2), (1, 6)]),
    "group, one": (lambda n: n.GroupNorm(1, 4, eps=0.1), [(5, 4), (2, 4, 3)]),
    "group, each": (lambda n: n.GroupNorm(4, 4), [(2, 4, 3)]),
    "group, plain": (lambda n: n.GroupNorm(2, 4, affine=False), [(5, 4)]),
    "group, no bias": (lambda n: n.GroupNorm(2, 4, bias=False), [(5, 4)]),
    "instance": (lambda n: n.InstanceNorm1d(4), [(2, 4, 3), (4, 3)]),
    "instance, affine": (lambda n: n.InstanceNorm1d(4, 0.1, affine=True), [(2, 4, 3), (4, 3)]),
    "instance, tracked": (
        lambda n: n.InstanceNorm1d(4, affine=True, track_running_stats=True),
        [(3, 4, 5), (4, 5)],
    ),
    "instance, no momentum": (
        lambda n: n.InstanceNorm1d(4, momentum=None, track_running_stats=True),
        [(3, 4, 5)],
    ),
}
CASES = [pytest.param(name, shape, id=f"{name} {shape}") for name in LAYERS
         for shape in LAYERS[name][1]]  # fmt: skip


def _pair(name: str) -> tuple:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    build = LAYERS[name][0]
    theirs, mine = build(torch.nn).double(), build(nn).double()
    with torch.no_grad():
        for p in theirs.parameters():  # ones and zeros would hide errors
            p.copy_(torch.randn(p.shape))
    copy_state(theirs, mine)
    return mine, theirs


@pytest.mark.torch
@pytest.mark.parametrize(("name", "shape"), CASES)
def test_layer_agrees_with_pytorch(name: str, shape: tuple, rng: np.random.Generator) -> None:
    mine, theirs = _pair(name)
    for _ in range(3):  # so that running statistics come from more than their start
        mine.zero_grad()
        theirs.zero_grad()
        check_twins(mine, theirs, rng.normal(1, 2, shape))
    mine.zero_grad()
    theirs.zero_grad()
    check_twins(mine.eval(), theirs.eval(), rng.normal(1, 2, shape))


@pytest.mark.torch
@pytest.mark.parametrize("name", LAYERS)
def test_repr_and_state_are_pytorchs(name: str) -> None:
    mine, theirs = _pair(name)
    assert repr(mine) == repr(theirs)
    assert list(mine.state_dict()) == list(theirs.state_dict())


# -- each is one node, equal to plain operations put together --------------------------------------


def _by_hand(x, weight, bias, axes, shape, eps, centred=True):
    if centred:
        x = x - ops.mean(x, axes, keepdims=True)
    y = x / ops.sqrt(ops.mean(ops.square(x), axes, keepdims=True) + eps) * weight.reshape(shape)
    return y if bias is None else y + bias.reshape(shape)


def _group_by_hand(x, w, b):
    grouped = x.reshape(2, 2, 3, 5)
    y = _by_hand(grouped, mg.ones(1), None, (2, 3), (1,), 0.01).reshape(x.shape)
    return y * w.reshape(6, 1) + b.reshape(6, 1)


# The shapes of the input, and of weight and bias; the fused form; and the composition.
FUSED = {
    "batch_norm": (
        (2, 6, 5), (6,),
        lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True, eps=0.01),
        lambda x, w, b: _by_hand(x, w, b, (0, 2), (6, 1), 0.01),
    ),
    "batch_norm of columns": (
        (7, 6), (6,),
        lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True, eps=0.01),
        lambda x, w, b: _by_hand(x, w, b, 0, (6,), 0.01),
    ),
    "instance_norm": (
        (2, 6, 5), (6,),
        lambda x, w, b: F.instance_norm(x, None, None, w, b, eps=0.01),
        lambda x, w, b: _by_hand(x, w, b, 2, (6, 1), 0.01),
    ),
    "group_norm": (
        (2, 6, 5), (6,),
        lambda x, w, b: F.group_norm(x, 2, w, b, 0.01),
        _group_by_hand,
    ),
    "layer_norm": (
        (2, 6, 5), (6, 5),
        lambda x, w, b: F.layer_norm(x, (6, 5), w, b, 0.01),
        lambda x, w, b: _by_hand(x, w, b, (1, 2), (6, 5), 0.01),
    ),
    "layer_norm of rows": (
        (7, 5), (5,),
        lambda x, w, b: F.layer_norm(x, 5, w, b, 0.01),
        lambda x, w, b: _by_hand(x, w, b, 1, (5,), 0.01),
    ),
    "layer_norm of long rows": (
        (2, 3, 130), (130,),
        lambda x, w, b: F.layer_norm(x, 130, w, b, 0.01),
        lambda x, w, b: _by_hand(x, w, b, 2, (130,), 0.01),
    ),
    "rms_norm": (
        (2, 6, 5), (6, 5),
        lambda x, w, b: F.rms_norm(x, (6, 5), w, 0.01) + b,
        lambda x, w, b: _by_hand(x, w, b, (1, 2), (6, 5), 0.01, centred=False),
    ),
    "rms_norm of rows": (
        (2, 6, 5), (5,),
        lambda x, w, b: F.rms_norm(x, 5, w, 0.01) + b,
        lambda x, w, b: _by_hand(x, w, b, 2, (5,), 0.01, centred=False),
    ),
}  # fmt: skip


def _leaves(name: str, rng: np.random.Generator) -> list:
    shape, per = FUSED[name][:2]
    arrays = rng.normal(1, 2, shape), rng.normal(size=per), rng.normal(size=per)
    return [mg.tensor(a, requires_grad=True) for a in arrays]


def _derivatives(function, leaves) -> list:
    """The output; its weighted gradient; the gradient of that one's square; and once more."""
    out = function(*leaves)
    slope = mg.tensor(np.random.default_rng(2).normal(size=out.shape))
    results, value = [out], (out * slope).sum()
    for _ in range(3):
        gradients = mg.grad(value, leaves, create_graph=True, allow_unused=True)
        gradients = [g for g in gradients if g is not None]
        results += gradients
        value = sum((g * g).sum() for g in gradients)
    return results


@pytest.mark.parametrize("name", FUSED)
def test_fused_equals_unfused_up_to_the_third_derivative(name, rng) -> None:
    fused, by_hand = FUSED[name][2:]
    leaves = _leaves(name, rng)
    # By numbers: one form may say "no dependence" where the other finds zeros.
    found, wanted = _derivatives(fused, leaves), _derivatives(by_hand, leaves)
    assert len(found) == len(wanted) >= 8
    for a, b in zip(found, wanted, strict=True):
        scale = abs(b.data).max()
        np.testing.assert_allclose(a.data, b.data, rtol=1e-9, atol=1e-11 * scale)


@pytest.mark.parametrize("name", FUSED)
def test_ordinary_backward_equals_the_recorded_one(name, rng) -> None:
    leaves = _leaves(name, rng)
    value = (FUSED[name][2](*leaves) ** 3).sum()
    fast = mg.grad(value, leaves, retain_graph=True)
    recorded = mg.grad(value, leaves, create_graph=True)
    for a, b in zip(fast, recorded, strict=True):
        np.testing.assert_allclose(a.data, b.data, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", [name for name in FUSED if "long" not in name])  # many numbers
def test_second_derivatives_are_the_numerical_ones(name, rng) -> None:
    assert gradgradcheck(FUSED[name][2], _leaves(name, rng))


@pytest.mark.parametrize("name", FUSED)
def test_it_is_one_node(name, rng) -> None:
    x, w, b = _leaves(name, rng)
    node = FUSED[name][2](x, w, b).grad_fn
    if "rms_norm" in name:
        node = node.parents[0]  # the test adds its bias
    assert node.op.name == name.split()[0]
    assert node.parents[:2] == (x._node, w._node)


@pytest.mark.parametrize("name", FUSED)
def test_only_what_is_asked_for_gets_a_gradient(name, rng) -> None:
    leaves = _leaves(name, rng)
    everything = mg.grad(FUSED[name][2](*leaves).sum(), leaves)
    for i, wanted in enumerate(everything):
        alone = [x if i == j else x.detach() for j, x in enumerate(leaves)]
        (g,) = mg.grad(FUSED[name][2](*alone).sum(), alone[i])
        np.testing.assert_array_equal(g.data, wanted.data)


def test_an_input_changed_in_place_is_noticed() -> None:
    x = mg.randn(4, 3, generator=mg.Generator(0))
    w = mg.ones(3, requires_grad=True)
    out = F.layer_norm(x, 3, w)
    x += 1
    with pytest.raises(GraphError, match=r"'layer_norm'.*changed in place"):
        out.sum().backward()


PLAIN = {
    "batch_norm": lambda x: F.batch_norm(x, None, None, training=True),
    "batch_norm of more axes": lambda x: F.batch_norm(
        x.reshape(4, 3, 2), None, None, training=True
    ),
    "instance_norm": lambda x: F.instance_norm(x.reshape(4, 3, 2)),
    "group_norm": lambda x: F.group_norm(x, 2),
    "layer_norm": lambda x: F.layer_norm(x, 6),
    "layer_norm of two axes": lambda x: F.layer_norm(x, (4, 6)),
    "rms_norm": lambda x: F.rms_norm(x, 6),
}


@pytest.mark.parametrize("name", PLAIN)
def test_an_output_changed_in_place_does_no_harm(name, rng) -> None:
    x = mg.tensor(rng.normal(1, 2, (4, 6)), requires_grad=True)
    out = PLAIN[name](x)
    slope = mg.tensor(rng.normal(size=out.shape))
    (expected,) = mg.grad(out, x, slope)
    out = PLAIN[name](x)
    out += 5
    (found,) = mg.grad(out, x, slope)
    np.testing.assert_array_equal(found.data, expected.data)


@pytest.mark.parametrize("name", FUSED)
def test_backward_leaves_the_gradient_and_what_it_needs_alone(name, rng) -> None:
    leaves = _leaves(name, rng)
    out = FUSED[name][2](*leaves)
    slope = mg.tensor(rng.normal(size=out.shape))
    before = slope.data.copy()
    once = mg.grad(out, leaves, slope, retain_graph=True)
    again = mg.grad(out, leaves, slope)
    np.testing.assert_array_equal(slope.data, before)
    for a, b in zip(once, again, strict=True):
        np.testing.assert_array_equal(a.data, b.data)


@pytest.mark.parametrize("name", FUSED)
def test_any_order_in_memory_will_do(name, rng) -> None:
    leaves = _leaves(name, rng)
    x, *others = leaves
    turned = mg.tensor(x.data.T.copy()).T.requires_grad_()
    assert not turned.data.flags.c_contiguous
    slope = mg.tensor(rng.normal(size=x.shape))
    results = []
    for inputs in (leaves, [turned, *others]):
        out = FUSED[name][2](*inputs)
        results.append([out, *mg.grad(out, inputs, slope)])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a.data, b.data, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", PLAIN)
def test_eps_and_dtype_are_those_of_the_call(name, rng) -> None:
    # What depends on the shape is kept from call to call, and must not hide what differs.
    x = rng.normal(1, 2, (4, 6))
    wanted = PLAIN[name](mg.tensor(x)).data
    for dtype, tolerance in ((np.float32, 1e-6), (np.float16, 1e-2), (np.float64, 0)):
        out = PLAIN[name](mg.tensor(x.astype(dtype)))
        assert out.dtype == dtype
        np.testing.assert_allclose(out.data, wanted, rtol=tolerance, atol=tolerance)
    sizes = [abs(F.layer_norm(mg.tensor(x), 6, eps=e).data).max() for e in (0.0, 1.0, 100.0)]
    assert sizes[0] > 1.05 * sizes[1] > 2 * sizes[2]


# -- laws ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["batch_norm", "instance_norm", "group_norm", "layer_norm", "rms_norm"]
)
def test_the_gradient_cannot_shift_or_stretch_the_input(name, rng) -> None:
    # The output stays the same when what is normalized together is scaled (and shifted), so the
    # gradient is orthogonal to x (and to 1).
    x = mg.tensor(rng.normal(1, 2, (8, 6)), requires_grad=True)
    out = {
        "batch_norm": lambda: F.batch_norm(x, None, None, training=True, eps=0.0),
        "instance_norm": lambda: F.instance_norm(x.reshape(8, 1, 6), eps=0.0),
        "group_norm": lambda: F.group_norm(x, 1, eps=0.0),
        "layer_norm": lambda: F.layer_norm(x, 6, eps=0.0),
        "rms_norm": lambda: F.rms_norm(x, 6, eps=0.0),
    }[name]()
    axis = 0 if name == "batch_norm" else 1
    (g,) = mg.grad((out**3).sum() + out.reshape(-1)[0], x)
    np.testing.assert_allclose((g * x).sum(axis).data, 0, atol=1e-12)
    np.testing.assert_allclose(ops.square(out).mean(-1 if axis else 0).data, 1, rtol=1e-12)
    if name != "rms_norm":
        np.testing.assert_allclose(g.sum(axis).data, 0, atol=1e-12)
        np.testing.assert_allclose(out.mean(-1 if axis else 0).data, 0, atol=1e-12)


def test_cumulative_statistics_are_plain_averages(rng) -> None:
    layer = nn.BatchNorm1d(3, momentum=None, dtype=mg.float64)
    batches = rng.normal(2, 3, (7, 5, 3))
    for batch in batches:
        layer(mg.tensor(batch))
    np.testing.assert_allclose(layer.running_mean.data, batches.mean((0, 1)), rtol=1e-12)
    np.testing.assert_allclose(layer.running_var.data, batches.var(1, ddof=1).mean(0), rtol=1e-12)
    assert layer.num_batches_tracked.item() == 7


def test_evaluation_leaves_the_statistics_alone(rng) -> None:
    layer = nn.BatchNorm1d(3)
    x = mg.tensor(rng.normal(2, 3, (5, 3)).astype(np.float32))
    layer(x)
    before = copy.deepcopy(layer.state_dict())
    layer.eval()
    one_by_one = [layer(x[i : i + 1]).data for i in range(5)]
    np.testing.assert_allclose(np.concatenate(one_by_one), layer(x).data, rtol=1e-6)
    for name, value in layer.state_dict().items():
        np.testing.assert_array_equal(value.data, before[name].data)


def test_statistics_far_from_zero_keep_their_digits() -> None:
    # The mean square less the squared mean would have no correct digit here.
    x = mg.tensor([[1e4 + 1], [1e4 - 1]])
    out = F.batch_norm(x, None, None, training=True)
    np.testing.assert_allclose(out.data, [[1], [-1]], rtol=1e-4)


@pytest.mark.parametrize(("function", "shape", "tolerance"), [
    (lambda x: F.batch_norm(x, None, None, training=True), (64, 8), 5e-3),
    (lambda x: F.batch_norm(x, None, None, training=True), (4096, 8), 5e-2),
    (lambda x: F.layer_norm(x, 64), (8, 64), 5e-3),
    (lambda x: F.layer_norm(x, 4096), (8, 4096), 2e-3),
])  # fmt: skip
def test_float32_far_from_zero(function, shape, tolerance, rng) -> None:
    # A unit in the last place of 1e4 is 1e-3.
    x = rng.normal(1e4, 1, shape).astype(np.float32)
    exact = function(mg.tensor(x.astype(np.float64)))
    np.testing.assert_allclose(function(mg.tensor(x)).data, exact.data, atol=tolerance)


def test_statistics_of_another_precision_than_the_input(rng) -> None:
    x = rng.normal(2, 3, (5, 3))
    for given, kept in ((np.float32, np.float64), (np.float64, np.float32)):
        layer = nn.BatchNorm1d(3, dtype=kept)
        out = layer(mg.tensor(x.astype(given)))
        assert out.dtype == np.float64 and layer.running_mean.dtype == kept
        np.testing.assert_allclose(out.data, (x - x.mean(0)) / x.std(0), rtol=1e-4)
        np.testing.assert_allclose(layer.running_mean.data, 0.1 * x.mean(0), rtol=1e-5)
        variance = 0.9 + 0.1 * x.var(0, ddof=1)
        np.testing.assert_allclose(layer.running_var.data, variance, rtol=1e-5)


@pytest.mark.parametrize("name", ["running_mean", "running_var", "num_batches_tracked"])
def test_a_graph_notices_that_the_statistics_have_moved(name) -> None:
    layer = nn.BatchNorm1d(3)
    w = mg.ones(3, requires_grad=True)
    out = (w * getattr(layer, name)).sum()
    layer(mg.randn(4, 3, generator=mg.Generator(0)))
    with pytest.raises(GraphError, match="changed in place"):
        out.backward()


def test_a_batch_of_one_is_refused_every_time() -> None:
    for _ in range(2):
        with pytest.raises(ShapeError, match="no variance"):
            F.batch_norm(mg.zeros(1, 4), None, None, training=True)


@pytest.mark.parametrize("build", [lambda: nn.BatchNorm1d(6), lambda: nn.LayerNorm(6),
                                   lambda: nn.RMSNorm(6), lambda: nn.GroupNorm(2, 6)])  # fmt: skip
def test_float32_stays_float32(build) -> None:
    layer = build()
    x = mg.randn(4, 6, generator=mg.Generator(0)).requires_grad_()
    for create_graph in (False, True):
        x.grad = None
        layer.zero_grad()
        out = layer(x)
        out.sum().backward(create_graph=create_graph)
        for t in (out, x.grad, *[p.grad for p in layer.parameters()], *layer.buffers()):
            assert t.dtype in (np.float32, np.int64)


# -- messages ------------------------------------------------------------------------------------

MESSAGES = {
    "batch of one": (
        lambda: nn.BatchNorm1d(4, track_running_stats=False)(mg.zeros(1, 4)),
        ShapeError,
        "in training, input of shape (1, 4) has 1 value per feature, which has no variance",
    ),
    "length of one": (
        lambda: nn.InstanceNorm1d(4)(mg.zeros(2, 4, 1)),
        ShapeError,
        "instance_norm: input of shape (2, 4, 1) has 1 value per channel, which has no variance; "
        "use a longer input, or layer_norm",
    ),
    "channels of an instance": (
        lambda: nn.InstanceNorm1d(4)(mg.zeros(2, 3, 5)),
        ShapeError,
        "InstanceNorm1d: input has shape (2, 3, 5); it takes (n, 4, length) or (4, length)",
    ),
    "rows for instance_norm": (
        lambda: F.instance_norm(mg.zeros(2, 3)),
        ShapeError,
        "instance_norm: input has shape (2, 3); it takes (n, channels, length), or more axes after",
    ),
    "no instance statistics": (
        lambda: F.instance_norm(mg.zeros(2, 3, 4), use_input_stats=False),
        ArgumentError,
        "instance_norm: outside of training it needs running_mean and running_var; give both, or "
        "use_input_stats=True to use the batch's own",
    ),
    "groups that do not divide": (
        lambda: nn.GroupNorm(4, 6),
        ArgumentError,
        "GroupNorm: 6 channels cannot be cut into 4 groups of equal size; choose num_groups among "
        "the divisors of num_channels",
    ),
    "groups of the function": (
        lambda: F.group_norm(mg.zeros(2, 6), 4),
        ShapeError,
        "group_norm: input has shape (2, 6); it takes (n, channels), or more axes after, with "
        "channels a multiple of num_groups=4",
    ),
    "channels of groups": (
        lambda: nn.GroupNorm(2, 6)(mg.zeros(2, 4)),
        ShapeError,
        "GroupNorm: input has shape (2, 4); it takes (n, 6), or more axes after",
    ),
    "a scale for other channels": (
        lambda: F.group_norm(mg.zeros(2, 4), 2, mg.ones(2)),
        ShapeError,
        "group_norm: input of shape (2, 4) has 4 features on axis 1, but weight has shape (2,)",
    ),
    "another size": (
        lambda: nn.RMSNorm(5)(mg.zeros(2, 4)),
        ShapeError,
        "rms_norm: input of shape (2, 4) does not end in normalized_shape (5,)",
    ),
    "negative eps": (
        lambda: nn.LayerNorm(4, eps=-1e-5),
        ArgumentError,
        "LayerNorm: eps must be a number of at least 0, got -1e-05",
    ),
    "momentum": (
        lambda: nn.BatchNorm1d(4, momentum=9),
        ArgumentError,
        "BatchNorm1d: momentum must lie in 0 to 1, or be None, got 9",
    ),
    "integers": (
        lambda: nn.LayerNorm(2)(mg.tensor([1, 2])),
        DtypeError,
        "layer_norm: input holds int64; convert it first, e.g. x.astype(mg.float32)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", MESSAGES)
def test_message(case: str) -> None:
    call, kind, message = MESSAGES[case]
    with pytest.raises(kind) as caught:
        call()
    assert message in str(caught.value)


@pytest.mark.torch
def test_tracking_switched_off_after_construction_freezes_the_statistics():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x = rng.normal(3.0, 2.0, size=(8, 4))
    ours, theirs = nn.BatchNorm1d(4, dtype=mg.float64), torch.nn.BatchNorm1d(4).double()
    ours(mg.tensor(x))
    theirs(torch.tensor(x))
    for layer in (ours, theirs):
        layer.track_running_stats = False
    for mode in ("train", "eval"):
        getattr(ours, mode)()
        getattr(theirs, mode)()
        expected = theirs(torch.tensor(2 * x)).detach().numpy()
        np.testing.assert_allclose(ours(mg.tensor(2 * x)).detach().numpy(), expected, rtol=1e-9)
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        kept = getattr(theirs, name).numpy()
        np.testing.assert_allclose(getattr(ours, name).numpy(), kept, rtol=1e-9)


# -- half precision ----------------------------------------------------------------------------


@pytest.mark.torch
@pytest.mark.parametrize(
    "name", ["batch_norm", "group_norm", "instance_norm", "layer_norm", "rms_norm"]
)
def test_half_precision_is_normalized_in_single(name):
    # 256 squares of numbers around 20 add up to more than float16 holds.
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    shape = (256, 4, 256) if name == "instance_norm" else (256, 256)
    x = (rng.normal(size=shape) * 20).astype("f2")
    g = rng.normal(size=x.shape).astype("f2")
    options = {
        "batch_norm": (None, None, None, None, True), "group_norm": (2,), "instance_norm": (),
        "layer_norm": ((256,),), "rms_norm": ((256,),),
    }[name]  # fmt: skip
    found, slopes = [], []
    for lib, tensor in ((F, mg.tensor), (torch.nn.functional, torch.tensor)):
        t = tensor(x, requires_grad=True)
        out = getattr(lib, name)(t, *options)
        out.backward(tensor(g))
        found.append(out.detach().numpy())
        slopes.append(t.grad.numpy())
    assert found[0].dtype == slopes[0].dtype == np.float16
    np.testing.assert_allclose(*found, rtol=2e-3, atol=2e-3)
    np.testing.assert_allclose(*slopes, rtol=1e-2, atol=2e-4)
