"""Optimizers: PyTorch's trajectories, the paper's first step, and parameters that come and go."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import ArgumentError, DtypeError, GraphError, ShapeError
from minigrad.optim.adam import adam
from minigrad.optim.sgd import sgd

SHAPES = [(3, 4), (150, 130), (5,), ()]  # the second is larger than one piece of the buffer

SETTINGS = [
    ("SGD", dict(lr=0.1)),
    ("SGD", dict(lr=0.1, weight_decay=0.01)),
    ("SGD", dict(lr=0.1, momentum=0.9)),
    ("SGD", dict(lr=0.1, momentum=0.9, dampening=0.3)),
    ("SGD", dict(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01)),
    ("SGD", dict(lr=0.1, momentum=0.9, maximize=True)),
    ("Adam", dict(lr=0.01)),
    ("Adam", dict(lr=0.01, betas=(0.8, 0.9), eps=1e-3)),
    ("Adam", dict(lr=0.01, weight_decay=0.1)),
    ("Adam", dict(lr=0.01, maximize=True)),
]


def parameters(rng, dtype=np.float64):
    return [mg.tensor(rng.normal(size=s).astype(dtype), requires_grad=True) for s in SHAPES]


@pytest.mark.torch
@pytest.mark.parametrize(("name", "settings"), SETTINGS)
def test_a_hundred_steps_against_torch(name, settings):
    """Gradients are drawn, and missing for some parameters in some steps."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    ours = parameters(rng)
    theirs = [torch.tensor(p.data.copy(), requires_grad=True) for p in ours]
    mine, yours = (
        getattr(mg.optim, name)(ours, **settings),
        getattr(torch.optim, name)(theirs, **settings),
    )
    for step in range(100):
        for k, (p, q) in enumerate(zip(ours, theirs, strict=True)):
            g = rng.normal(size=p.shape)
            absent = (k == 0 and step < 10) or (k == 2 and step % 7 == 3)
            p.grad = None if absent else mg.tensor(g)
            q.grad = None if absent else torch.tensor(g)
        mine.step()
        yours.step()
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=1e-10, atol=1e-13)


@pytest.mark.torch
@pytest.mark.parametrize(("name", "settings"), SETTINGS)
def test_state_dict_has_torchs_layout(name, settings):
    torch = pytest.importorskip("torch")
    ours = parameters(np.random.default_rng(0))
    theirs = [torch.tensor(p.data.copy(), requires_grad=True) for p in ours]
    mine, yours = (
        getattr(mg.optim, name)(ours, **settings),
        getattr(torch.optim, name)(theirs, **settings),
    )
    for p, q in zip(ours, theirs, strict=True):
        p.grad, q.grad = mg.ones_like(p), torch.ones_like(q)
    mine.step()
    yours.step()
    saved, reference = mine.state_dict(), yours.state_dict()
    assert saved["param_groups"][0]["params"] == reference["param_groups"][0]["params"]
    for k, entry in reference["state"].items():
        for key, value in entry.items():
            if value is not None:
                np.testing.assert_allclose(saved["state"][k][key], value, rtol=1e-6)


def test_the_first_step_of_adam_is_the_learning_rate_whatever_the_gradient():
    # Kingma & Ba 2015, section 2.1: |step| <= lr, with equality at the first.
    w = mg.tensor(np.zeros(3), requires_grad=True)
    opt = mg.optim.Adam([w], lr=0.1, eps=0.0)
    w.grad = mg.tensor(np.array([1e-6, -1.0, 1e6]))
    opt.step()
    np.testing.assert_allclose(w.data, [-0.1, 0.1, -0.1], rtol=1e-12)


def test_heavy_ball_reaches_its_rate_on_a_quadratic():
    # Polyak 1964: with the best step and momentum for eigenvalues in [1, 100], the error falls
    # per step by (sqrt(100) - 1) / (sqrt(100) + 1).
    rate = 9 / 11
    w = mg.tensor(np.ones(2), requires_grad=True)
    opt = mg.optim.SGD([w], lr=4 / 11**2, momentum=rate**2)
    eigenvalues = mg.tensor(np.array([1.0, 100.0]))
    sizes = []
    for _ in range(400):
        opt.zero_grad()
        (0.5 * eigenvalues * w * w).sum().backward()
        opt.step()
        sizes.append(np.linalg.norm(w.data))
    measured = (sizes[399] / sizes[199]) ** (1 / 200)
    assert measured == pytest.approx(rate, rel=0.01)


def test_the_rules_stand_alone():
    p, g = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    new, buffer = sgd(p, g, None, 1, lr=0.1, momentum=0.9)
    np.testing.assert_allclose(new, [0.7, 1.6])
    np.testing.assert_allclose(buffer, g)
    new, m, v = adam(p, g, np.zeros(2), np.zeros(2), 1, lr=0.1)
    np.testing.assert_allclose(new, p - 0.1, rtol=1e-7)
    np.testing.assert_allclose((m, v), (0.1 * g, 0.001 * g * g))
    assert p.tolist() == [1, 2]


def test_assigned_data_and_grad_are_what_the_next_step_uses():
    w = mg.tensor(np.array([1.0, 2.0]), requires_grad=True)
    opt = mg.optim.SGD([w], lr=1.0)
    w.grad = mg.ones_like(w)
    opt.step()
    w.data = np.array([10.0, 20.0])
    opt.step()
    assert w.tolist() == [9, 19]
    w.data -= 1
    w.grad = 2 * w.grad
    opt.step()
    assert w.tolist() == [6, 16]
    with mg.no_grad():
        w[0] = 0
    opt.step()
    assert w.tolist() == [-2, 14]


def test_freezing_keeps_value_and_state_and_thawing_goes_on():
    rng = np.random.default_rng(0)
    a, b = (mg.tensor(rng.normal(size=2), requires_grad=True) for _ in range(2))
    opt = mg.optim.SGD([a, b], lr=1.0, momentum=0.5)
    start = a.data.copy()
    a.grad, b.grad = mg.ones_like(a), mg.ones_like(b)
    opt.step()
    a.requires_grad, a.grad = False, None
    opt.step()
    np.testing.assert_allclose(a.data, start - 1)
    a.requires_grad, a.grad = True, mg.ones_like(a)
    opt.step()  # the buffer is now 0.5 * 1 + 1
    np.testing.assert_allclose(a.data, start - 1 - 1.5)
    assert opt.state[a]["step"] == 2 and opt.state[b]["step"] == 3


def test_parameters_added_later_and_groups_with_their_own_rate():
    a, b = (mg.tensor(np.ones(2), requires_grad=True) for _ in range(2))
    opt = mg.optim.SGD([{"params": [a], "lr": 0.5}], lr=0.1)
    a.grad = mg.ones_like(a)
    opt.step()
    opt.add_param_group({"params": [b]})
    b.grad = mg.ones_like(b)
    opt.step()
    np.testing.assert_allclose((a.data, b.data), [[0, 0], [0.9, 0.9]])
    opt.param_groups[0]["lr"] = 2.0
    opt.step()
    np.testing.assert_allclose(a.data, [-2, -2])


def test_two_dtypes_in_one_optimizer():
    a = mg.tensor(np.ones(2, np.float32), requires_grad=True)
    b = mg.tensor(np.ones(2, np.float64), requires_grad=True)
    opt = mg.optim.Adam([a, b], lr=0.1)
    a.grad, b.grad = mg.ones_like(a), mg.ones_like(b)
    opt.step()
    assert (a.dtype, b.dtype) == (np.float32, np.float64)
    np.testing.assert_allclose(a.data, b.data, rtol=1e-6)


def test_state_survives_saving_and_loading():
    def run(steps, saved=None):
        rng = np.random.default_rng(0)
        params = parameters(rng)
        opt = mg.optim.Adam(params, lr=0.1)
        for step in range(steps):
            if saved is not None and step == 3:
                saved.append(opt.state_dict())
                opt = mg.optim.Adam(params, lr=9.9)
                opt.load_state_dict(saved[0])
            for p in params:
                p.grad = mg.tensor(rng.normal(size=p.shape))
            opt.step()
        return params

    for p, q in zip(run(6), run(6, []), strict=True):
        np.testing.assert_array_equal(p.data, q.data)


def test_a_step_between_forward_and_backward_is_caught():
    x, w = mg.ones(2, requires_grad=True), mg.ones(2, requires_grad=True)
    opt = mg.optim.SGD([w], lr=0.1)
    out = (x * w).sum()
    out.backward(retain_graph=True)
    opt.step()
    with pytest.raises(GraphError, match="changed in place"):
        out.backward()


def test_hooks_around_a_step_and_closure():
    w = mg.ones(1, requires_grad=True)
    opt = mg.optim.SGD([w], lr=0.5)
    seen = []
    before = opt.register_step_pre_hook(lambda *_: seen.append(w.item()))
    opt.register_step_post_hook(lambda *_: seen.append(w.item()))

    def closure():
        opt.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    assert opt.step(closure).item() == 1.0
    before.remove()
    opt.step(closure)
    assert seen == [1.0, 0.0, 0.0]


def test_zero_grad():
    w = mg.ones(2, requires_grad=True)
    opt = mg.optim.SGD([w])
    w.grad = mg.ones(2)
    opt.zero_grad(set_to_none=False)
    assert w.grad.tolist() == [0, 0]
    opt.zero_grad()
    assert w.grad is None
    opt.step()
    assert w.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda w: mg.optim.SGD([]), ArgumentError, r"SGD: no parameters; pass model\.parameters"),
        (lambda w: mg.optim.SGD(w), DtypeError, "must be a list of Tensors, got one Tensor"),
        (lambda w: mg.optim.SGD([w, w]), ArgumentError, r"shape \(2,\) occurs twice"),
        (lambda w: mg.optim.SGD([w * 2]), ArgumentError, "was computed from others; pass leaves"),
        (lambda w: mg.optim.Adam([1.0]), DtypeError, "expected Tensors, got float"),
        (lambda w: mg.optim.Adam([w], lr=-1), ArgumentError, "Adam: lr must not be negative"),
        (lambda w: mg.optim.Adam([w], betas=(0.9, 1.0)), ArgumentError, "betas must be two"),
        (lambda w: mg.optim.SGD([w], nesterov=True), ArgumentError, "nesterov needs momentum"),
        (
            lambda w: mg.optim.SGD([{"params": [w], "rate": 1}]),
            ArgumentError,
            r"unknown setting \['rate'\]; valid: .*'lr'",
        ),
    ],
)
def test_what_is_refused(make, error, text):
    with pytest.raises(error, match=text):
        make(mg.ones(2, requires_grad=True))


def test_a_parameter_that_changed_its_shape_is_refused():
    w = mg.ones(2, requires_grad=True)
    opt = mg.optim.SGD([w])
    w.grad = mg.ones(2)
    opt.step()
    w.data = np.ones(3, np.float32)
    w.grad = mg.ones(3)
    with pytest.raises(ShapeError, match=r"changed its shape from \(2,\) to \(3,\)"):
        opt.step()
