"""Writing into tensors: NumPy's values, the right gradients, or a clear refusal."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import ArgumentError, DtypeError, GraphError, ShapeError


def leaf(*values):
    return mg.tensor(np.array(values), requires_grad=True)


def test_a_leaf_that_requires_a_gradient_refuses():
    w = mg.ones(2, requires_grad=True)
    view = w.reshape(2, 1)
    for write in (lambda: w.__iadd__(1), lambda: w.__setitem__(0, 1), lambda: w.zero_()):
        with pytest.raises(GraphError, match=r"leaf that requires a gradient.*mg\.no_grad\(\)"):
            write()
    with pytest.raises(GraphError, match="a tensor on the same memory is a leaf"):
        view += 1
    assert w.tolist() == [1, 1]


def test_under_no_grad_a_leaf_is_written_to_in_its_memory():
    w = mg.ones(2, requires_grad=True)
    memory = w.data
    with mg.no_grad():
        w -= 0.5
        w[0] = 3
        w.mul_(2)
    assert w.data is memory and memory.tolist() == [6, 1]
    assert w.is_leaf and w.requires_grad


def test_a_write_to_what_backward_needs_is_caught_with_its_versions():
    x = leaf(1.0, 2.0)
    y = mg.exp(x)
    z = y.sum()
    y += 1
    y *= 2
    with pytest.raises(
        GraphError,
        match=r"'exp' \(output shape \(2,\)\) needs .* kept at version 0, now at version 2",
    ):
        z.backward()
    assert x.grad is None


def test_a_write_through_a_view_is_caught_too():
    x = leaf(1.0, 2.0)
    y = x * 1
    out = (y * y).sum()
    with mg.no_grad():
        y[:1].zero_()
    with pytest.raises(GraphError, match="changed in place"):
        out.backward()


def test_the_shape_and_dtype_of_the_target_stay():
    x = mg.ones(2)
    with pytest.raises(ShapeError, match=r"add.*shape \(3, 2\).*shape \(2,\) cannot take"):
        x += mg.ones(3, 2)
    n = mg.tensor([1, 2])
    with pytest.raises(DtypeError, match="int64 cannot take in place"):
        n *= 0.5
    assert x.tolist() == [1, 1] and n.tolist() == [1, 2]
    x += np.ones(2)
    assert x.dtype == np.float32


def test_reading_changing_and_writing_back():
    t, v = mg.zeros(3, dtype=mg.float64), leaf(5.0)
    t[1] += v[0] * v[0]
    t[1:] *= 2
    t.sum().backward()
    assert t.tolist() == [0, 50, 0]
    assert v.grad.tolist() == [20]


def test_of_values_written_to_one_place_only_the_last_gets_a_gradient():
    t, v = mg.zeros(3, dtype=mg.float64), leaf(1.0, 2.0, 3.0)
    t[mg.tensor([2, 0, 2])] = v
    (t * mg.tensor(np.array([10.0, 100.0, 1000.0]))).sum().backward()
    assert t.tolist() == [2, 0, 3]
    assert v.grad.tolist() == [0, 10, 1000]


def test_writing_by_mask():
    x = leaf(-1.0, 2.0, -3.0)
    y = x * 2
    y[y < 0] = 0
    y.sum().backward()
    assert y.tolist() == [0, 4, 0] and x.grad.tolist() == [0, 2, 0]


def test_a_view_made_before_a_write_sees_its_value_and_its_gradient():
    x, v = leaf(1.0, 2.0, 3.0), leaf(4.0)
    y = x * 1
    tail = y[1:]
    y += v * v
    tail.sum().backward()
    assert tail.tolist() == [18, 19]
    assert x.grad.tolist() == [0, 1, 1] and v.grad.tolist() == [16]


def test_a_constant_becomes_part_of_the_graph_with_all_its_views():
    t, v = mg.zeros(4, dtype=mg.float64), leaf(2.0)
    square = t.reshape(2, 2)
    square[0] = v * v
    t.sum().backward()
    assert t.tolist() == [4, 4, 0, 0] and v.grad.tolist() == [8]


def test_a_detached_tensor_shares_memory_and_the_version():
    x = leaf(2.0)
    y = x * 1
    out = (y * y).sum()
    y.detach().zero_()
    assert y.tolist() == [0]
    with pytest.raises(GraphError, match="changed in place"):
        out.backward()


def test_retained_gradient_follows_the_tensor():
    x = leaf(2.0)
    y = x * 3
    y.retain_grad()
    y *= x.detach() * 5
    (y * 1).sum().backward()
    assert y.grad.tolist() == [1] and x.grad.tolist() == [30]


def test_fill_zero_copy():
    x = leaf(1.0, 2.0)
    y = x * 2
    y.zero_()
    assert y.tolist() == [0, 0] and not y.requires_grad
    z = mg.zeros(2, 2, dtype=mg.float64)
    z.copy_(x)
    z.sum().backward()
    assert x.grad.tolist() == [2, 2]


def test_an_index_that_is_changed_later_reads_what_it_read():
    x = leaf(1.0, 2.0, 3.0)
    index, mask = mg.tensor([0, 1]), np.array([True, False, False])
    y, z, w = x[index], x[mask], mg.gather(x, 0, index)
    index += 1
    mask[:] = True
    (y.sum() + z.sum() + w.sum()).backward()
    assert x.grad.tolist() == [3, 2, 0]


def test_a_numpy_operand_that_is_changed_later():
    x, b = leaf(2.0), np.array([3.0])
    y = (x * b).sum()
    b[:] = 7
    y.backward()
    assert x.grad.tolist() == [3]


def test_writes_through_a_detached_tensor_do_not_touch_the_history():
    x = mg.ones(3, requires_grad=True)
    y = x * 2
    view, detached = y[:2], y.detach()
    detached *= 3.0
    (y.sum() + view.sum()).backward()
    assert x.grad.tolist() == [4, 4, 2] and y.tolist() == [6, 6, 6]


def test_a_write_does_not_leak_a_gradient_into_a_detached_view():
    x = mg.ones(3, requires_grad=True)
    y = x * 2
    view = y.detach()[:2]
    y *= 3.0
    (y.sum() + view.sum()).backward()
    assert x.grad.tolist() == [6, 6, 6] and view.tolist() == [6, 6]


def test_a_view_that_is_itself_a_leaf_refuses():
    base = mg.zeros(3)
    view = base[:2].requires_grad_()
    for t in (view, base):
        with pytest.raises(GraphError, match="leaf that requires a gradient"):
            t += 1
    assert view.is_leaf and view.requires_grad and base.tolist() == [0, 0, 0]


def test_a_second_tensor_on_the_same_memory_shares_the_version():
    x = leaf(2.0)
    y = mg.exp(x)
    out = y.sum()
    other = mg.Tensor(y)
    other += 1
    with pytest.raises(GraphError, match="changed in place"):
        out.backward()


def test_data_of_another_shape():
    x = mg.ones(3, requires_grad=True)
    y = (x * 2).sum()
    x.data = np.ones(1, np.float32)
    y.backward()
    assert x.grad is None  # what the old graph computed belongs to the old shape
    (x * 5).sum().backward()
    assert x.grad.tolist() == [5]
    with pytest.raises(ShapeError, match=r"'multiply' computed this tensor .* cannot become"):
        (x * 2).data = np.ones((2, 2), np.float32)


def test_a_view_with_new_data_leaves_the_family():
    x = leaf(1.0, 2.0, 3.0)
    y = x * 1
    view = y[:2]
    view.data = np.zeros(2)
    y += 1
    y.sum().backward()
    assert view.tolist() == [0, 0] and x.grad.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    "write",
    [
        lambda t: t.__setitem__(0, 2.7),
        lambda t: t.__setitem__(0, mg.ones(1)),
        lambda t: t.fill_(2.7),
        lambda t: t.copy_(mg.ones(3)),
    ],
)
def test_integers_do_not_swallow_fractions(write):
    t = mg.arange(3)
    with pytest.raises(DtypeError, match="without losing something"):
        write(t)
    assert t.tolist() == [0, 1, 2]


def test_a_broadcast_view_refuses():
    with pytest.raises(ArgumentError, match=r"is read-only.*a broadcast view"):
        mg.ones(3).broadcast_to(2, 3).zero_()


def test_new_data_leaves_what_was_computed_from_the_old_intact():
    x, w = leaf(2.0), leaf(3.0)
    out = (x * w).sum()
    w.data = np.array([100.0])
    out.backward()
    assert x.grad.tolist() == [3]
    y = x * 1
    view = y[:1]
    y.data = np.array([5.0])
    with pytest.raises(GraphError, match=r"a view .* of one that was given other data"):
        view += 1


VIEWS = [
    lambda t: t[1:],
    lambda t: t[::-1],
    lambda t: t[..., 0],
    lambda t: t.reshape(-1),
    lambda t: t.mT if t.ndim > 1 else t[:, None],
    lambda t: t[None],
    lambda t: t.swapaxes(0, -1),
]
# PyTorch has no negative steps; flip copies there, so that view is left out of the comparison.
TORCH_VIEWS = [v for i, v in enumerate(VIEWS) if i != 1]


def random_program(rng, x, w, views):
    """Views of a product, written to in random order; returns all tensors that came up."""
    tensors = [x * w]
    for _ in range(8):
        t = tensors[rng.integers(len(tensors))]
        choice = rng.integers(6)
        if choice < 3 and t.ndim > 0 and t.shape[0] > 1:
            t = views[rng.integers(len(views))](t)
            if 0 not in t.shape:
                tensors.append(t)
        elif choice == 3:
            t += w.sum() * 2
        elif choice == 4 and t.ndim > 0:
            t[0] = w.sum() + 1
        elif choice == 5:
            t *= 0.5
    return tensors


@pytest.mark.torch
@pytest.mark.parametrize("seed", range(150))
def test_random_writes_through_views_against_torch(seed):
    torch = pytest.importorskip("torch")
    start = np.random.default_rng(1).normal(size=(3, 4))
    scale = np.random.default_rng(2).normal(size=(4,))
    ours = [mg.tensor(a, requires_grad=True) for a in (start, scale)]
    theirs = [torch.tensor(a, requires_grad=True) for a in (start, scale)]
    mine = random_program(np.random.default_rng(seed), *ours, TORCH_VIEWS)
    yours = random_program(np.random.default_rng(seed), *theirs, TORCH_VIEWS)
    sum((t * (i + 1)).sum() for i, t in enumerate(mine)).backward()
    sum((t * (i + 1)).sum() for i, t in enumerate(yours)).backward()
    for t, u in zip(mine, yours, strict=True):
        np.testing.assert_allclose(t.data, u.detach().numpy(), rtol=1e-12)
    for t, u in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(t.grad.data, u.grad.numpy(), rtol=1e-9)


@pytest.mark.parametrize("seed", range(50))
def test_random_writes_through_views_against_central_differences(seed):
    start = np.random.default_rng(1).normal(size=(3, 4))
    scale = np.random.default_rng(2).normal(size=(4,))

    def loss(a, b):
        tensors = random_program(np.random.default_rng(seed), a, b, VIEWS)
        return sum(((t + 0.1 * i) ** 2).sum() for i, t in enumerate(tensors))

    x, w = (mg.tensor(a, requires_grad=True) for a in (start, scale))
    loss(x, w).backward()
    h = 1e-5
    for k in range(4):
        step = np.eye(4)[k] * h
        with mg.no_grad():
            rise = loss(mg.tensor(start), mg.tensor(scale + step)).item()
            fall = loss(mg.tensor(start), mg.tensor(scale - step)).item()
        np.testing.assert_allclose(w.grad.data[k], (rise - fall) / (2 * h), rtol=1e-5, atol=1e-6)
