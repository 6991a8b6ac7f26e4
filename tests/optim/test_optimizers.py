"""Optimizers: many parameters at once, that come and go; steps, saving, what is refused."""

import copy
import pickle

import numpy as np
import pytest
from optim.cases import ALL

import minigrad as mg
from minigrad.errors import ArgumentError, DtypeError, GraphError, ShapeError
from minigrad.optim.flat import PIECE

every_optimizer = pytest.mark.parametrize("name", ALL)


def make(name, params, **settings):
    return getattr(mg.optim, name)(params, **(ALL[name] | settings))


def matrices(rng, count=3):
    return [mg.tensor(rng.normal(size=(3, 4)), requires_grad=True) for _ in range(count)]


def walk(optimizer, params, steps, seed=0):
    """Steps with gradients that depend on where the parameters are."""
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        for p in params:
            p.grad = mg.tensor((p.data + rng.normal(size=p.shape)).astype(p.dtype))
        optimizer.step()


# -- many parameters at once -------------------------------------------------------------------


@every_optimizer
def test_together_as_alone(name):
    """The pieces of the buffer and their order change nothing, to the last bit."""
    rng = np.random.default_rng(0)
    sides = [(3, 4), (150, 130), (1, 1), (PIECE // 8, 8), (5, 2)]
    start = [rng.normal(size=s) for s in sides]
    grads = [[rng.normal(size=s) for s in sides] for _ in range(5)]

    def run(groups):
        params = [mg.tensor(a.copy(), requires_grad=True) for a in start]
        opts = [make(name, [params[k] for k in group]) for group in groups]
        for drawn in grads:
            for p, g in zip(params, drawn, strict=True):
                p.grad = mg.tensor(g)
            for opt in opts:
                opt.step()
        return [p.data for p in params]

    together, alone = run([range(len(sides))]), run([[k] for k in range(len(sides))])
    for a, b in zip(together, alone, strict=True):
        np.testing.assert_array_equal(a, b)


@every_optimizer
def test_no_steps_are_promoted(name):
    a, b = matrices(np.random.default_rng(0), 2)
    b.data = b.data.astype(np.float32)
    opt = make(name, [a, b], lr=np.float64(0.1))
    seen = set()
    rule = opt.rule

    def watched(*arguments, **settings):
        new = rule(*arguments, **settings)
        seen.add((arguments[0].dtype, *(v.dtype for v in new if hasattr(v, "dtype"))))
        return new

    opt.rule = watched
    walk(opt, [a, b], 3)
    assert (a.dtype, b.dtype) == (np.float64, np.float32)
    assert all(len(set(dtypes)) == 1 for dtypes in seen) and len(seen) == 2


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


@every_optimizer
@pytest.mark.parametrize("how", ["assign", "set_item"])
def test_new_data_by_any_way_leads_to_the_same_path(name, how):
    def run(how):
        params = matrices(np.random.default_rng(0))
        opt = make(name, params)
        walk(opt, params, 3)
        value = np.arange(12.0).reshape(3, 4)
        if how == "assign":
            params[1].data = value
        elif how == "set_item":
            with mg.no_grad():
                params[1][:] = mg.tensor(value)
        else:
            params[1].data[...] = value
        walk(opt, params, 3)
        return params[1].data

    np.testing.assert_array_equal(run(how), run("write into the array"))


@every_optimizer
def test_freezing_keeps_value_and_state(name):
    """A parameter frozen for some steps ends where it would have without them."""
    rng = np.random.default_rng(0)
    grads = rng.normal(size=(6, 3, 4))

    def run(frozen_steps):
        a, b = matrices(np.random.default_rng(1), 2)
        opt = make(name, [a, b])
        for g in grads[:3]:
            a.grad = b.grad = mg.tensor(g)
            opt.step()
        a.requires_grad, a.grad = False, None
        for _ in range(frozen_steps):
            b.grad = mg.tensor(grads[0])
            opt.step()
        a.requires_grad = True
        for g in grads[3:]:
            a.grad = b.grad = mg.tensor(g)
            opt.step()
        assert opt.state[a]["step"] == 6 and opt.state[b]["step"] == 6 + frozen_steps
        return a.data

    np.testing.assert_array_equal(run(0), run(4))


@every_optimizer
def test_a_parameter_added_later_starts_from_its_own_first_step(name):
    a, b = matrices(np.random.default_rng(0), 2)
    opt = make(name, [a])
    walk(opt, [a], 5)
    opt.add_param_group({"params": [b], "lr": 0.05})
    b.grad = a.grad = mg.ones(3, 4, dtype=mg.float64)
    c = mg.tensor(b.data.copy(), requires_grad=True)
    c.grad = b.grad
    opt.step()
    make(name, [c], lr=0.05).step()
    np.testing.assert_array_equal(b.data, c.data)


def test_groups_with_their_own_rate():
    a, b = (mg.tensor(np.ones(2), requires_grad=True) for _ in range(2))
    opt = mg.optim.SGD([{"params": [a], "lr": 0.5}, {"params": b}], lr=0.1)
    a.grad, b.grad = mg.ones_like(a), mg.ones_like(b)
    opt.step()
    np.testing.assert_allclose((a.data, b.data), [[0.5, 0.5], [0.9, 0.9]])
    opt.param_groups[0]["lr"] = 2.0
    opt.step()
    np.testing.assert_allclose((a.data, b.data), [[-1.5, -1.5], [0.8, 0.8]])


def test_two_optimizers_take_turns_on_one_parameter():
    w = mg.tensor(np.zeros(2), requires_grad=True)
    a, b = mg.optim.SGD([w], lr=1.0), mg.optim.SGD([w], lr=10.0)
    w.grad = mg.ones_like(w)
    for opt in (a, b, b, a, b):
        opt.step()
    assert w.tolist() == [-32, -32]


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [("SGD", "momentum", 0.5), ("RMSprop", "centered", True), ("Adam", "amsgrad", True)],
)
def test_an_option_with_state_can_be_switched_on_between_steps(name, key, value):
    w = mg.tensor(np.ones(2), requires_grad=True)
    opt = getattr(mg.optim, name)([w], lr=0.1)
    w.grad = mg.ones_like(w)
    opt.step()
    before = set(opt.state[w])
    opt.param_groups[0][key] = value
    opt.step()
    opt.step()
    assert len(opt.state[w].keys() - before) == 1 and opt.state[w]["step"] == 3
    assert np.isfinite(w.data).all()


@every_optimizer
def test_state_survives_saving_and_loading(name):
    def run(again):
        params = matrices(np.random.default_rng(0))
        opt = make(name, params)
        walk(opt, params, 3)
        if again:
            saved = opt.state_dict()
            opt = make(name, params, lr=9.9)
            opt.load_state_dict(saved)
        walk(opt, params, 3, seed=1)
        return params

    for p, q in zip(run(False), run(True), strict=True):
        np.testing.assert_array_equal(p.data, q.data)


def test_loading_a_state_that_does_not_fit_changes_nothing():
    a, b = matrices(np.random.default_rng(0), 2)
    opt = mg.optim.Adam([a], lr=0.1)
    walk(opt, [a], 2)
    saved = opt.state_dict()
    saved["state"][0]["exp_avg_sq"] = np.zeros(5)
    other = mg.optim.Adam([b], lr=0.7)
    with pytest.raises(ArgumentError, match=r"exp_avg_sq of parameter 0 has shape \(5,\)"):
        other.load_state_dict(saved)
    assert other.param_groups[0]["lr"] == 0.7 and not other.state
    with pytest.raises(ArgumentError, match=r"saved groups have \[1\] parameters.* \[2\]"):
        mg.optim.Adam([a, b]).load_state_dict(saved)


def test_an_empty_parameter_does_no_harm():
    w = mg.zeros(0, requires_grad=True)
    w.grad = mg.zeros(0)
    for name in ("Adam", "LARS", "NAdam"):
        make(name, [w]).step()
    assert w.shape == (0,)


# -- a step ------------------------------------------------------------------------------------


def test_a_step_between_forward_and_backward_is_caught():
    x, w = mg.ones(2, requires_grad=True), mg.ones(2, requires_grad=True)
    opt = mg.optim.SGD([w], lr=0.1)
    out = (x * w).sum()
    out.backward(retain_graph=True)
    opt.step()
    with pytest.raises(GraphError, match="changed in place"):
        out.backward()


@every_optimizer
def test_a_closure_is_called_and_its_loss_returned(name):
    (w,) = matrices(np.random.default_rng(0), 1)
    opt = make(name, [w])
    losses = []

    def closure():
        opt.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        losses.append(loss.item())
        return loss

    with mg.no_grad():
        for _ in range(20):
            assert opt.step(closure).item() == losses[-1]
    assert losses[-1] < losses[0]


def test_hooks_around_a_step():
    w = mg.ones(1, requires_grad=True)
    opt = mg.optim.SGD([w], lr=0.5)
    seen = []
    before = opt.register_step_pre_hook(lambda *_: seen.append(w.item()))
    opt.register_step_post_hook(lambda *_: seen.append(w.item()))
    w.grad = mg.ones(1)
    opt.step()
    before.remove()
    opt.step()
    assert seen == [1.0, 0.5, 0.0]


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
        (lambda w: mg.optim.Adam([w], lr=float("nan")), ArgumentError, "lr must not be negative"),
        (lambda w: mg.optim.Adam([w], betas=(0.9, 1.0)), ArgumentError, "betas must be two"),
        (lambda w: mg.optim.Lion([w], betas=(0.9,)), ArgumentError, "Lion: betas must be two"),
        (lambda w: mg.optim.RMSprop([w], alpha=1.5), ArgumentError, r"alpha must lie in \[0, 1\]"),
        (lambda w: mg.optim.Adadelta([w], rho=-0.1), ArgumentError, r"rho must lie in \[0, 1\]"),
        (lambda w: mg.optim.Rprop([w], etas=(1.2, 0.5)), ArgumentError, "etas must be one number"),
        (
            lambda w: mg.optim.Rprop([w], step_sizes=(1, 0.1)),
            ArgumentError,
            "smallest and",
        ),
        (lambda w: mg.optim.SGD([w], nesterov=True), ArgumentError, "nesterov needs momentum"),
        (lambda w: mg.optim.Muon([w]), ArgumentError, r"shape \(2,\) is no matrix.*AdamW"),
        (
            lambda w: mg.optim.Muon([w], adjust_lr_fn="x"),
            ArgumentError,
            "unknown adjust_lr_fn 'x'; valid: 'original'",
        ),
        (
            lambda w: mg.optim.SGD([{"params": [w], "lr": -2}]),
            ArgumentError,
            "lr must not be negative, got -2",
        ),
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


@pytest.mark.parametrize("data", [np.ones(3, np.float32), np.ones(2, np.float64)])
def test_a_parameter_that_changed_its_kind_stops_the_whole_step(data):
    v, w = mg.ones(2, requires_grad=True), mg.ones(2, requires_grad=True)
    opt = mg.optim.SGD([{"params": [v]}, {"params": [w]}])
    v.grad, w.grad = mg.ones(2), mg.ones(2)
    opt.step()
    before = v.data.copy()
    w.data = data
    w.grad = mg.ones_like(w)
    with pytest.raises(ShapeError, match=r"from float32 of shape \(2,\).*make a new optimizer"):
        opt.step()
    np.testing.assert_array_equal(v.data, before)


# -- the memory of a parameter, and what goes wrong half-way -------------------------------------


@pytest.mark.parametrize("size", [4, 20_000], ids=["small", "larger than a piece"])
def test_a_step_writes_into_the_memory_that_a_parameter_has(size):
    w, b = (mg.tensor(np.ones(n), requires_grad=True) for n in (size, 3))
    array, detached, view = w.data, w.detach(), w.detach()[:2]
    opt = mg.optim.SGD([w, b], lr=1.0)
    for grads in ((w, b), (w,), (w, b)):  # `b` without a gradient changes who is updated
        w.grad = b.grad = None
        for p in grads:
            p.grad = mg.ones_like(p)
        opt.step()
    assert w.data is array and array[0] == detached.data[0] == view.data[0] == -2
    array[:] = 7
    w.grad = mg.ones_like(w)
    opt.step()
    assert (w.data == 6).all()


def test_data_in_another_memory_order_is_updated_too():
    w = mg.tensor(np.zeros((200, 100)), requires_grad=True)
    w.data = np.arange(20_000.0).reshape(100, 200).T
    expected = w.data - 1
    w.grad = mg.ones_like(w)
    mg.optim.SGD([w], lr=1.0).step()
    np.testing.assert_array_equal(w.data, expected)


def test_a_bad_setting_is_found_before_anything_is_updated():
    a, b = (mg.tensor(np.ones(2), requires_grad=True) for _ in range(2))
    opt = mg.optim.Adam([{"params": [a]}, {"params": [b]}], lr=1.0)
    a.grad, b.grad = mg.ones_like(a), mg.ones_like(b)
    opt.param_groups[1]["lr"] = None
    with pytest.raises(ArgumentError, match="Adam: lr must be a number, got None"):
        opt.step()
    assert a.tolist() == b.tolist() == [1, 1] and not opt.state
    opt.param_groups[1]["lr"] = 1.0
    opt.step()
    assert a.tolist() == b.tolist()


def test_state_of_another_optimizer_is_refused():
    a = mg.tensor(np.ones(2), requires_grad=True)
    sgd, adam = mg.optim.SGD([a], lr=0.1, momentum=0.9), mg.optim.Adam([a])
    a.grad = mg.ones_like(a)
    sgd.step()
    with pytest.raises(ArgumentError, match=r"holds \['momentum_buffer'\], which is not this"):
        adam.load_state_dict(sgd.state_dict())
    assert "momentum" not in adam.param_groups[0] and not adam.state


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_goes_on_where_the_original_was(clone):
    def step(w, opt):
        w.grad = 2 * w.detach()
        opt.step()

    w = mg.tensor(np.array([1.0, 2.0]), requires_grad=True)
    opt = mg.optim.Adam([w], lr=0.1)
    step(w, opt)
    other_w, other = clone((w, opt))
    step(w, opt)
    assert other_w.tolist() != w.tolist()
    step(other_w, other)
    assert other_w.tolist() == w.tolist()
    assert other.param_groups[0]["params"][0] is other_w


def test_integers_and_groups_without_parameters_are_refused():
    with pytest.raises(DtypeError, match="holds int64, which has no gradient"):
        mg.optim.SGD([mg.arange(3)])
    with pytest.raises(ArgumentError, match="a group needs the key 'params'"):
        mg.optim.SGD([{"param": []}])
    with pytest.raises(DtypeError, match=r"got Linear; pass model\.parameters\(\)"):
        mg.optim.SGD(mg.nn.Linear(1, 1))


# -- memory ------------------------------------------------------------------------------------


def test_an_error_within_a_step_leaves_a_graph_that_knows_of_the_change():
    a = mg.tensor(np.ones(4), requires_grad=True)
    b = mg.tensor(np.ones(9000), requires_grad=True)
    opt = mg.optim.Adam([a, b], lr=0.1)
    y = (a * a).sum()
    a.grad, b.grad = mg.tensor(np.ones(4)), mg.tensor(np.full(9000, 1e308))
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        opt.step()
    a.grad = None
    with pytest.raises(GraphError, match="changed in place"):
        y.backward()


def test_a_step_that_overflows_leaves_the_averages_as_they_were():
    w = mg.tensor(np.ones(4), requires_grad=True)
    opt = mg.optim.Adam([w], lr=0.1)
    w.grad = mg.tensor(np.ones(4))
    opt.step()
    before, values = opt.state[w]["exp_avg"], w.data.copy()
    w.grad = mg.tensor(np.full(4, 1e308))
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        opt.step()
    np.testing.assert_array_equal(opt.state[w]["exp_avg"], before)
    np.testing.assert_array_equal(w.data, values)


@pytest.mark.parametrize("nesterov", [False, True])
def test_a_gradient_in_the_memory_of_its_parameter(nesterov):
    # The gradient of |w|^2 / 2 is w: v <- 0.9 v + w, w <- w - 0.1 v (Nesterov: w + 0.9 v).
    w = mg.tensor(np.ones(3), requires_grad=True)
    w.grad = w.detach()
    opt = mg.optim.SGD([w], lr=0.1, momentum=0.9, nesterov=nesterov)
    expected, v = 1.0, 0.0
    for _ in range(3):
        opt.step()
        v = 0.9 * v + expected
        expected -= 0.1 * (expected + 0.9 * v if nesterov else v)
    np.testing.assert_allclose(w.data, expected, rtol=1e-12)


def test_parameters_in_the_same_memory_are_refused():
    memory = np.ones(6)
    a, b, c = (mg.Tensor(m, requires_grad=True) for m in (memory[:4], memory[3:], np.ones(2)))
    opt = mg.optim.SGD([a, c, b], lr=0.1)
    for p in (a, b, c):
        p.grad = mg.ones_like(p)
    with pytest.raises(ArgumentError, match="same memory"):
        opt.step()
    assert memory.tolist() == [1.0] * 6
    apart = [mg.Tensor(m, requires_grad=True) for m in (memory[::2], memory[1::2])]
    for p in apart:
        p.grad = mg.ones_like(p)
    mg.optim.SGD(apart, lr=0.1).step()
    np.testing.assert_allclose(memory, 0.9)


def test_a_large_parameter_whose_memory_is_not_in_order():
    rng = np.random.default_rng(0)
    start, g = rng.normal(size=(300, 400)), rng.normal(size=(300, 400))
    results = []
    for order in "CF":
        w = mg.Tensor(np.array(start, order=order), requires_grad=True)
        opt = mg.optim.Adam([w], lr=0.1)
        for k in range(2):
            w.grad = mg.Tensor(np.array((k + 1) * g, order="CF"[(order == "C") ^ k]))
            opt.step()
        results.append(w.data)
    assert results[1].flags.f_contiguous
    np.testing.assert_array_equal(*results)
