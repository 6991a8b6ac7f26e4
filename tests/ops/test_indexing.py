"""Reading and writing by index against NumPy, on generated indices of every kind."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minigrad as mg
from minigrad.errors import DtypeError, MinigradError, OutOfRangeError
from minigrad.gradcheck import gradcheck, gradgradcheck
from minigrad.ops.indexing import set_at


@st.composite
def integer_arrays(draw, n, shape):
    """Indices into an axis of size n, of a shape that broadcasts to `shape`, in any layout."""
    kept = tuple(size if draw(st.booleans()) else 1 for size in shape)
    array = draw(hnp.arrays(np.int64, kept, elements=st.integers(-n, n - 1)))
    return np.asfortranarray(array) if draw(st.booleans()) else array


@st.composite
def shapes_and_indices(draw):
    """A shape, and what may stand between the brackets for it: as NumPy has it, and as a user may.

    The two differ where an integer array is a list or a tensor.
    """
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4))
    together = draw(hnp.array_shapes(min_dims=1, max_dims=2, min_side=1, max_side=3))
    items, axis = [], 0
    stop = draw(st.integers(0, len(shape)))
    dots_at = draw(st.none() | st.integers(0, stop))
    while axis < stop:
        if axis == dots_at:
            items.append(Ellipsis)
            dots_at = None
        n = shape[axis]
        kinds = ["slice", "none", "mask"] + (["int", "array", "array", "array"] if n else [])
        kind = draw(st.sampled_from(kinds))
        if kind == "none":
            items.append(None)
            continue
        if kind == "mask":
            covered = draw(st.integers(1, stop - axis))
            items.append(draw(hnp.arrays(np.bool_, shape[axis : axis + covered])))
            axis += covered
            if dots_at is not None and dots_at < axis:
                dots_at = None
            continue
        if kind == "slice":
            items.append(draw(st.slices(n)))
        elif kind == "int":
            items.append(draw(st.integers(-n, n - 1)))
        else:
            items.append(draw(integer_arrays(n, together)))
        axis += 1
    index = items[0] if len(items) == 1 and draw(st.booleans()) else tuple(items)
    as_user = draw(st.sampled_from([lambda a: a, lambda a: a.tolist(), mg.as_tensor]))

    def spelled(item):
        # A list of nothing has lost its shape; NumPy's own reading of it differs from the array's.
        return as_user(item) if isinstance(item, np.ndarray) and item.size else item

    theirs = tuple(map(spelled, index)) if isinstance(index, tuple) else spelled(index)
    return shape, index, theirs


def values(shape):
    return np.random.default_rng(0).normal(size=shape)


def read(x, index):
    """x[index], or None where NumPy refuses the index."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return np.asarray(x[index])
    except IndexError:
        return None
    except DeprecationWarning:  # NumPy 2.0 lets a wrong index into an empty array pass
        assume(False)


@settings(max_examples=400)
@given(drawn=shapes_and_indices())
def test_reading_and_its_gradient(drawn):
    shape, index, as_user = drawn
    x = values(shape)
    t = mg.tensor(x, requires_grad=True)
    expected = read(x, index)
    if expected is None:
        with pytest.raises(OutOfRangeError, match="getitem"):
            t[as_user]
        return
    out = t[as_user]
    assert out.shape == expected.shape and np.array_equal(out.data, expected)
    g = np.asarray(np.random.default_rng(1).normal(size=expected.shape))
    scattered = np.zeros(shape)
    np.add.at(scattered, index, g)
    for create_graph in (False, True):
        (ours,) = mg.grad(out, t, mg.as_tensor(g), retain_graph=True, create_graph=create_graph)
        np.testing.assert_allclose(ours.data, scattered, rtol=1e-12, atol=1e-12)


@settings(max_examples=400)
@given(drawn=shapes_and_indices(), narrow=st.booleans())
def test_writing_and_its_gradients(drawn, narrow):
    shape, index, as_user = drawn
    x = values(shape)
    taken = read(x, index)
    if taken is None:
        with pytest.raises(OutOfRangeError, match="setitem"):
            mg.tensor(x)[as_user] = 0.0
        return
    # Either a value for every place, or one along the last axis that is repeated.
    v = np.asarray(
        np.random.default_rng(1).normal(size=taken.shape[-1:] if narrow else taken.shape)
    )
    t, tv = mg.tensor(x, requires_grad=True), mg.tensor(v, requires_grad=True)
    out = t.clone()
    out[as_user] = tv
    written = x.copy()
    written[index] = v
    assert np.array_equal(out.data, written)

    g = np.random.default_rng(2).normal(size=shape)
    dx, dv = mg.grad(out, [t, tv], mg.as_tensor(g))
    # Which value survived where: write their numbers instead of them.
    numbers = np.broadcast_to(np.arange(float(v.size)).reshape(v.shape), taken.shape)
    survivor = np.full(shape, -1.0)
    survivor[index] = numbers
    assert np.array_equal(dx.data, np.where(survivor < 0, g, 0))
    expected = np.zeros(v.size)
    np.add.at(expected, survivor[survivor >= 0].astype(int), g[survivor >= 0])
    np.testing.assert_allclose(dv.data, expected.reshape(v.shape), rtol=1e-12, atol=1e-12)


@settings(max_examples=60)
@given(drawn=shapes_and_indices())
def test_second_derivatives_of_reading_and_writing(drawn):
    shape, index, _ = drawn
    assume(np.prod(shape) <= 8)
    x = values(shape)
    v = read(x, index)
    assume(v is not None and v.size <= 8)
    t, tv = mg.tensor(x, requires_grad=True), mg.tensor(v + 1, requires_grad=True)
    assert gradgradcheck(lambda t: t[index] ** 2, t)
    assert gradcheck(lambda t, v: set_at(t, v, index=index) ** 2, [t, tv])
    assert gradgradcheck(lambda t, v: set_at(t, v, index=index) ** 2, [t, tv])


def test_last_of_several_writes_to_one_place_wins():
    v = mg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    out = mg.zeros(2)
    out[[0, 0, 1]] = v
    assert out.tolist() == [2, 3]
    (g,) = mg.grad(out, v, mg.tensor([10.0, 20.0]))
    assert g.tolist() == [0, 10, 20]


def test_writing_a_tensor_into_itself():
    x = mg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x * 1
    y[1:] = y[:-1]
    assert y.tolist() == [1, 1, 2]
    (g,) = mg.grad(y, x, mg.tensor([1.0, 10.0, 100.0]))
    assert g.tolist() == [11, 100, 0]


def test_mask_and_its_gradient():
    x = mg.tensor([[1.0, -2.0], [-3.0, 4.0]], requires_grad=True)
    (g,) = mg.grad(x[x > 0].sum(), x)
    assert g.tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize("k", [0, 1, 4])
def test_topk_and_its_indices(k):
    x = mg.tensor([2.0, 9.0, 4.0, 7.0], requires_grad=True)
    top, where = mg.topk(x, k)
    assert top.tolist() == [9, 7, 4, 2][:k] and where.tolist() == [1, 3, 2, 0][:k]
    assert where.dtype == np.int64 and not where.requires_grad


def test_integer_tensor_of_any_width_is_an_index():
    x = mg.tensor([1.0, 2.0, 3.0])
    for dtype in (np.int8, np.uint8, np.int32, np.int64):
        assert x[mg.tensor([2, 0], dtype=dtype)].tolist() == [3, 1]
    assert x[mg.tensor(1)].item() == 2


@pytest.mark.parametrize("index", [1.0, "a", [0.5], mg.tensor([1.0]), (0, np.array([1.5]))])
def test_what_is_no_index(index):
    with pytest.raises(DtypeError, match="no index; use integers, slices"):
        mg.ones(3, 3)[index]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int32, np.bool_])
def test_written_values_take_the_dtype_of_the_tensor(dtype):
    t = mg.zeros(3, dtype=dtype)
    t[1] = 1
    assert t.dtype == dtype and t.tolist() == [0, 1, 0]


def test_float_into_integers_is_refused():
    t = mg.zeros(3, dtype=np.int64)
    with pytest.raises(MinigradError):
        t[0] = mg.tensor([1.5])
