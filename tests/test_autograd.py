"""The walk backward: sums over paths, order, memory, modes, hooks, and what it refuses."""

import gc
import threading
import weakref

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import ArgumentError, DtypeError, GraphError, ShapeError
from minigrad.ops.table import op
from minigrad.tape import mode


def leaf(*values):
    return mg.tensor(np.array(values), requires_grad=True)


# -- correctness of the walk -----------------------------------------------------------------------


def test_gradients_add_up_over_paths():
    x = leaf(3.0)
    (x * x + x).backward(mg.ones(1, dtype=mg.float64))
    assert x.grad.tolist() == [7]


def test_forty_diamonds():
    x = mg.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(40):
        y = y + y
    y.backward()
    assert x.grad.item() == 2.0**40


def test_a_million_operations():
    x = mg.tensor(np.array(1.0), requires_grad=True)
    y = x
    for _ in range(1_000_000):
        y = -y
    y.backward()
    assert x.grad.item() == 1.0
    for _ in range(1_000_000):
        y = -y
    del y  # freeing a deep graph that was never walked must not recurse either


def test_gradient_at_each_of_ten_thousand_layers():
    # A product of orthogonal matrices keeps the norm: every layer's gradient has the norm of
    # the last one's, and equals it turned back by the matrices in between.
    rng = np.random.default_rng(0)
    weights = [np.linalg.qr(rng.normal(size=(4, 4)))[0] for _ in range(20)]
    x = mg.tensor(rng.normal(size=(3, 4)))
    layers = [mg.tensor(weights[k % 20], requires_grad=True) for k in range(10_000)]
    outputs = [x]
    for w in layers:
        outputs.append(mg.linear(outputs[-1], w))
        outputs[-1].retain_grad()
    seed = rng.normal(size=(3, 4))
    outputs[-1].backward(mg.tensor(seed))
    expected = seed
    for k in range(9_999, -1, -1):
        np.testing.assert_allclose(outputs[k + 1].grad.data, expected, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(
            layers[k].grad.data, expected.T @ outputs[k].data, rtol=1e-9, atol=1e-12
        )
        expected = expected @ weights[k % 20]


def test_each_node_is_visited_once_and_only_wanted_rules_run():
    calls = []
    noisy = op(
        "noisy",
        lambda xp, a, b: a * b,
        a=lambda g, b: calls.append("a") or g * b,
        b=lambda g, a: calls.append("b") or g * a,
    )
    x, constant = leaf(2.0), mg.tensor(np.array([5.0]))
    y = noisy(x, constant)
    (y * y + y).sum().backward()
    assert calls == ["a"]
    assert x.grad.tolist() == [(2 * 10 + 1) * 5]


def test_only_what_a_rule_names_is_kept():
    a, b = leaf(1.0), leaf(2.0)
    big = mg.exp(a)
    seen = weakref.ref(big)
    total = big + b  # the rule of `add` names nothing
    del big
    assert seen() is None
    assert all(values in ((), None) for values in total.grad_fn.kept)
    product = a * mg.tensor(np.array([3.0]))
    assert [None if k is None else k[0].tolist() for k in product.grad_fn.kept] == [[3.0], None]


def test_gradients_keep_the_dtype_and_shape_of_their_tensor():
    a = mg.tensor(np.ones((3, 1), np.float32), requires_grad=True)
    b = mg.tensor(np.ones(4, np.float64), requires_grad=True)
    (a * b).sum().backward()
    assert (a.grad.dtype, a.grad.shape) == (np.float32, (3, 1))
    assert (b.grad.dtype, b.grad.shape) == (np.float64, (4,))


def test_backward_twice_accumulates_in_place():
    x = leaf(1.0, 2.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    first = x.grad
    y.backward()
    assert x.grad is first and x.grad.tolist() == [4, 8]


def test_a_gradient_that_was_used_and_then_added_to_is_caught():
    x, w = leaf(2.0), leaf(3.0)
    (x * x).sum().backward()
    used = (x.grad * w).sum()  # the gradient of w is x.grad
    (x * x).sum().backward()
    with pytest.raises(GraphError, match="changed in place"):
        used.backward()


def test_gradients_share_no_memory_with_each_other_or_with_the_seed():
    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    seed = mg.tensor(np.array([1.0, 1.0]))
    z = x + y
    z.retain_grad()
    w = z.reshape(2, 1).reshape(2)
    w.backward(seed)
    arrays = [x.grad.data, y.grad.data, z.grad.data, seed.data]
    for i, a in enumerate(arrays):
        assert a.flags.writeable
        for b in arrays[:i]:
            assert not np.shares_memory(a, b)


def test_sum_gives_a_gradient_that_can_be_written_to():
    x = mg.ones(3, requires_grad=True)
    x.sum().backward()
    x.grad *= 2  # a broadcast view would refuse, or change several elements at once
    assert x.grad.tolist() == [2, 2, 2]


# -- higher derivatives ----------------------------------------------------------------------------


def test_fourth_derivative_of_tanh():
    x = leaf(0.3)
    slopes = [mg.tanh(x)]
    for _ in range(4):
        slopes.append(mg.grad(slopes[-1], x, mg.ones(1, dtype=mg.float64), create_graph=True)[0])
    t = np.tanh(0.3)
    s = 1 - t * t
    expected = [t, s, -2 * t * s, -2 * s * (1 - 3 * t * t), 8 * t * s * (2 - 3 * t * t)]
    np.testing.assert_allclose([float(d.detach()) for d in slopes], expected, rtol=1e-12)


def test_backward_with_create_graph_leaves_gradients_that_can_be_differentiated():
    x = leaf(2.0)
    (x**3).sum().backward(create_graph=True)
    penalty = (x.grad**2).sum()
    x.grad = None
    penalty.backward()
    assert x.grad.tolist() == [2 * 3 * 2**2 * 6 * 2]


def test_grad_of_an_inner_tensor_and_of_several_outputs():
    x = leaf(2.0)
    y = x * x
    z, w = 3 * y, y + x
    gy, gx = mg.grad([z.sum(), w.sum()], [y, x])
    assert (gy.tolist(), gx.tolist()) == ([4], [17])
    assert x.grad is None and y.grad is None


def test_what_grad_returns_shares_no_memory():
    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    seed = mg.ones(2, dtype=mg.float64)
    gx, gy = mg.grad(x + y, [x, y], seed)
    gx += 1
    assert gy.tolist() == [1, 1] and seed.tolist() == [1, 1]


def test_grad_leaves_the_history_of_an_inner_tensor_usable():
    x = leaf(3.0)
    h = x * x
    mg.grad((h * 3).sum(), h)
    h.sum().backward()
    assert x.grad.tolist() == [6]


def test_a_recorded_backward_knows_of_later_writes():
    x = leaf(1.0)
    (slope,) = mg.grad((x**3).sum(), x, create_graph=True)
    with mg.no_grad():
        x += 1
    with pytest.raises(GraphError, match="changed in place"):
        slope.sum().backward()


def test_recorded_gradients_share_no_memory():
    a, b, seed = leaf(3.0, 3.0), leaf(1.0, 1.0), mg.ones(2, dtype=mg.float64)
    (a + b).backward(seed, create_graph=True)
    with mg.no_grad():
        a.grad *= 0.5
        seed *= 0
    assert b.grad.tolist() == [1, 1] and a.grad.tolist() == [0.5, 0.5]


def test_grad_stops_at_what_was_asked():
    calls = []
    watched = op("watched", lambda xp, x: x * 1, x=lambda g: calls.append(1) or g)
    x = leaf(1.0)
    y = watched(x)
    mg.grad((y * 2).sum(), y)
    assert calls == []


def test_grad_of_what_is_not_used():
    x, y = leaf(1.0), leaf(2.0)
    with pytest.raises(GraphError, match=r"no output depends on input 1 \(shape \(1,\)\)"):
        mg.grad((x * 2).sum(), [x, y])
    gx, gy = mg.grad((x * 2).sum(), [x, y], allow_unused=True)
    assert gx.tolist() == [2] and gy is None


# -- what is refused -------------------------------------------------------------------------------


def test_second_backward_through_a_freed_graph():
    x = leaf(1.0)
    hidden = mg.exp(x)
    (hidden * 2).sum().backward()
    with pytest.raises(GraphError, match=r"'exp' was already freed.*retain_graph=True"):
        (hidden * 3).sum().backward()
    assert x.grad.data == pytest.approx(2 * np.e)


def test_non_scalar_without_gradient():
    with pytest.raises(GraphError, match=r"shape \(2,\).*reduce it first.*sum\(\)\.backward\(\)"):
        (leaf(1.0, 2.0) * 2).backward()
    with pytest.raises(ShapeError, match=r"output has shape \(2,\), the gradient \(3,\)"):
        (leaf(1.0, 2.0) * 2).backward(mg.ones(3))


def test_nothing_to_differentiate():
    with pytest.raises(GraphError, match="does not require a gradient; make it with"):
        mg.ones(1).backward()
    with pytest.raises(GraphError, match="does not require a gradient"):
        mg.ones(1).register_hook(print)


def test_integer_results_carry_no_gradient():
    x = leaf(1.5)
    assert not x.astype(mg.int64).requires_grad
    assert not (x > 1).requires_grad
    with pytest.raises(DtypeError):
        mg.tensor([1]).requires_grad_()


def test_a_refused_backward_changes_nothing():
    x, w = leaf(2.0), leaf(3.0)
    hidden = x * w
    out = (mg.exp(x) + hidden * hidden).sum()
    with mg.no_grad():
        hidden += 1
    with pytest.raises(GraphError, match=r"'multiply'.*kept at version 0, now at version 1"):
        out.backward()
    assert x.grad is None and w.grad is None


def test_assigning_data_counts_as_a_change():
    x, w = leaf(2.0), leaf(3.0)
    out = (x * w).sum()
    w.data -= 1
    with pytest.raises(GraphError, match="changed in place"):
        out.backward()


def test_a_change_of_what_no_rule_needs_is_fine():
    x, w = leaf(2.0), mg.tensor(np.array([3.0]))
    out = (x * w).sum()  # the gradient of x needs w, not x
    with mg.no_grad():
        x += 1
    out.backward()
    assert x.grad.tolist() == [3]


# -- modes -----------------------------------------------------------------------------------------


def test_no_grad_makes_no_nodes():
    x = leaf(1.0)
    with mg.no_grad():
        assert (x * 2).grad_fn is None
        with mg.enable_grad():
            assert (x * 2).grad_fn is not None
        assert (x * 2).grad_fn is None
    assert (x * 2).grad_fn is not None
    with mg.inference_mode():
        assert not (x * 2).requires_grad


def test_no_grad_as_decorator_and_after_an_error():
    @mg.no_grad()
    def fails(depth):
        assert not mg.is_grad_enabled()
        if depth:
            fails(depth - 1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails(3)
    assert mg.is_grad_enabled()


def test_set_grad_enabled_works_at_once_and_as_a_context():
    mg.set_grad_enabled(False)
    assert not mg.is_grad_enabled()
    mg.set_grad_enabled(True)
    with mg.set_grad_enabled(False):
        assert not mg.is_grad_enabled()
    assert mg.is_grad_enabled()


def test_decorating_switches_nothing_by_itself():
    @mg.set_grad_enabled(False)
    def f():
        return mg.is_grad_enabled()

    assert mg.is_grad_enabled() and not f() and mg.is_grad_enabled()

    @mg.no_grad
    def g():
        return mg.is_grad_enabled()

    assert mg.is_grad_enabled() and not g() and mg.is_grad_enabled()


def test_one_context_object_in_two_threads():
    context, first_in, second_out = mg.no_grad(), threading.Event(), threading.Event()
    after = []

    def work():
        first_in.wait()
        with mg.enable_grad(), context:
            pass
        after.append(mg.is_grad_enabled())
        second_out.set()

    thread = threading.Thread(target=work)
    thread.start()
    with context:
        first_in.set()
        second_out.wait()
    thread.join()
    assert after == [True] and mg.is_grad_enabled()


def test_modes_belong_to_a_thread():
    seen = []
    with mg.no_grad():
        thread = threading.Thread(target=lambda: seen.append(mg.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_backward_in_two_threads_at_once():
    x = mg.tensor(np.linspace(-1, 1, 5), requires_grad=True)
    results = [None] * 8

    def work(i):
        for _ in range(50):
            (results[i],) = mg.grad((mg.tanh(x) * i).sum(), x)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for i, g in enumerate(results):
        np.testing.assert_allclose(g.data, i * (1 - np.tanh(x.data) ** 2), rtol=1e-12)


# -- hooks -----------------------------------------------------------------------------------------


def test_a_hook_sees_the_whole_gradient_once():
    x = leaf(2.0)
    y = x * 3
    seen = []
    handle = y.register_hook(lambda g: seen.append(g.tolist()))
    (y * y + y).sum().backward()
    assert seen == [[13]] and x.grad.tolist() == [39]
    handle.remove()
    handle.remove()
    mg.grad((x * 3).sum(), x)
    assert len(seen) == 1


def test_a_hook_may_replace_the_gradient():
    x = leaf(2.0)
    y = x * 3
    y.register_hook(lambda g: g * 10)
    x.register_hook(lambda g: g + 1)
    y.sum().backward()
    assert x.grad.tolist() == [31]


def test_a_hook_that_returns_nonsense_is_told_so():
    x = leaf(2.0)
    x.register_hook(lambda g: mg.ones(3))
    with pytest.raises(ShapeError, match=r"hook: must return None or a Tensor of shape \(1,\)"):
        (x * 2).sum().backward()
    assert x.grad is None


def test_a_hook_cannot_change_other_gradients_by_writing():
    x, y = leaf(2.0), leaf(3.0)
    x.register_hook(lambda g: g.mul_(10))  # the array is also the gradient of y
    with pytest.raises(ArgumentError, match="from a hook, return the new gradient"):
        ((x + y) * 2).sum().backward()


def test_hooks_are_part_of_the_graph_under_create_graph():
    x = leaf(2.0)
    y = x * x
    y.register_hook(lambda g: g * x)
    (slope,) = mg.grad(y.sum(), x, create_graph=True)  # 2 x * x
    assert mg.grad(slope.sum(), x)[0].tolist() == [8]


def test_retain_grad():
    x = leaf(2.0)
    y = x * 3
    y.retain_grad()
    (y * y).sum().backward()
    assert y.grad.tolist() == [12]


# -- rules that are wrong -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (lambda g: None, "the derivative rule of 'custom' failed"),
        (lambda g, x: g * x[:1].repeat(3), "the derivative rule of 'custom' failed"),
    ],
)
def test_a_rule_that_fails_is_named(rule, text):
    x = leaf(1.0, 2.0)
    y = op("custom", lambda xp, x: x * 2, x=rule)(x)
    for create_graph in (False, True):
        with pytest.raises(GraphError, match=text):
            y.sum().backward(create_graph=create_graph)
    assert x.grad is None


@pytest.mark.parametrize(
    ("declare", "text"),
    [
        (lambda: op("f", lambda xp, x: x, x=lambda g, y: g), r"a rule names \['y'\]; it may name"),
        (lambda: op("f", lambda xp, x: x, y=lambda g: g), r"rules for \['y'\], but the arguments"),
        (lambda: op("f", lambda x: x), "the first parameter of the forward must be xp"),
        (lambda: op("my op", lambda xp, x: x), "must be a Python identifier"),
        (lambda: op("f", lambda xp, device: device), r"names \['device'\] are taken"),
    ],
)
def test_a_declaration_that_cannot_work_is_refused_at_once(declare, text):
    with pytest.raises(TypeError, match=text):
        declare()


# -- memory ----------------------------------------------------------------------------------------


def test_no_reference_cycles():
    gc.collect()
    gc.disable()
    try:
        x = mg.randn(3, 3, requires_grad=True)
        y = mg.exp(mg.tanh(x @ x)).sum(axis=0)
        y.retain_grad()
        y.register_hook(lambda g: None)
        z = y.reshape(3, 1).clone()
        z[0] = x[0, 0]
        (first,) = mg.grad(z.sum(), x, create_graph=True)
        refs = [weakref.ref(t) for t in (x, y, z, first)]
        del x, y, z, first
        assert [r() for r in refs] == [None] * 4
    finally:
        gc.enable()
    assert gc.collect() == 0


def test_backward_frees_the_graph_as_it_goes():
    x = mg.ones(2, requires_grad=True)
    y = mg.exp(x)
    node = y.grad_fn
    z = y.sum()
    z.backward()
    assert node.kept == ("freed",) and node.parents == ()


# -- observers -------------------------------------------------------------------------------------


def test_an_observer_sees_the_gradient_before_hooks_and_may_keep_it():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    y = x + 0.0  # its rule passes the gradient's array on to x as it is
    seen = []
    y._node.watched().observers.append(seen.append)
    y.register_hook(lambda g: g * 10)
    (y * 3).sum().backward()
    np.testing.assert_array_equal(x.grad.data, [30.0, 30.0])
    z = x + 0.0
    z._node.watched().observers.append(seen.append)
    x.grad = None
    (z * 3).sum().backward()
    x.grad.data *= 100
    np.testing.assert_array_equal(seen, [[3.0, 3.0], [3.0, 3.0]])


def test_what_waits_for_the_end_of_a_backward_is_called_once_when_grad_is_filled():
    x = mg.tensor(2.0, requires_grad=True)
    seen = []

    def wait(g):
        mode.afterwards.append(lambda: seen.append(x.grad.item()))

    y = x * x
    y.register_hook(wait)
    y.backward()
    (x * 3).backward()
    assert seen == [4.0]


def test_a_backward_that_fails_calls_nobody_who_waits():
    def fail(g):
        mode.afterwards.append(lambda: pytest.fail("called"))
        raise KeyError("by the user")

    x = mg.tensor(2.0, requires_grad=True)
    y = x * x
    y.register_hook(fail)
    with pytest.raises(KeyError):
        y.backward()
    (x * 3).backward()


def test_a_backward_within_a_hook_has_its_own_end():
    order = []
    x, inner = mg.tensor(2.0, requires_grad=True), mg.tensor(1.0, requires_grad=True)

    def run_another(g):
        mode.afterwards.append(lambda: order.append("outer"))
        with mg.enable_grad():
            (inner * 2).backward()
        order.append("inner ended")

    y = x * x
    y.register_hook(run_another)
    y.backward()
    assert order == ["inner ended", "outer"]


def test_a_joint_rule_that_forgets_a_gradient_is_refused():
    forgetful = op("forgetful", lambda xp, a, b: a * b, lambda g, needs, b: [g * b])
    a, b = (mg.tensor(v, requires_grad=True) for v in (2.0, 3.0))
    with pytest.raises(GraphError, match="rule of 'forgetful' failed"):
        forgetful(a, b).backward()
    assert a.grad is None and b.grad is None
