"""What operations say to bad input: the operation, the shapes, and mostly the cure."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad.backend import CPU, Device
from minigrad.errors import ArgumentError, DtypeError, MinigradError, OutOfRangeError, ShapeError
from minigrad.ops import table
from minigrad.tensor import wrap

one, two, pair, grid = mg.ones(()), mg.ones(2), mg.ones(3), mg.ones(2, 3)
index = mg.tensor([[0], [1]])

BROADCAST = (
    "do not broadcast: counted from the last axis, sizes must be equal, or one of them 1; "
    "add axes of size 1 with reshape or expand_dims"
)

# A call, the error, and how its message starts.
BAD = [
    # elementwise
    (lambda: grid + two, ShapeError, f"add: shapes (2, 3), (2,) {BROADCAST}"),
    (lambda: mg.maximum(grid, two), ShapeError, f"maximum: shapes (2, 3), (2,) {BROADCAST}"),
    (lambda: mg.where(two > 0, pair, 0), ShapeError, f"where: shapes (2,), (3,), 0 {BROADCAST}"),
    (lambda: mg.clip(grid, two), ShapeError, f"clip: shapes (2, 3), (2,) {BROADCAST}"),
    (lambda: two + "a", DtypeError, "tensor: dtype <U1 is not supported; valid: floating point"),
    (lambda: two * 1j, DtypeError, "tensor: dtype complex128 is not supported"),
    (lambda: two & two, DtypeError, "bitwise_and: "),
    (lambda: -mg.tensor([True]), DtypeError, "negative: "),
    (lambda: mg.tensor([1, 2]) ** -1, MinigradError, "power: Integers to negative integer powers"),
    # reductions
    (lambda: grid.sum(2), ShapeError, "sum: a tensor with 2 axes has no axis 2; valid: -2 to 1"),
    (lambda: one.sum(0), ShapeError, "sum: a tensor with 0 axes has no axis 0; it has none"),
    (lambda: grid.sum((0, -2)), ShapeError, "sum: an axis occurs twice in (0, -2)"),
    (lambda: grid.mean(1.5), ArgumentError, "mean: axis must be an integer, got 1.5"),
    (lambda: grid.sum(axis=0, dim=0), ArgumentError, "sum: give axis= or dim=, not both"),
    (lambda: mg.zeros(2, 0).max(1), ShapeError, "max: shape (2, 0) holds nothing along axis (1,)"),
    (lambda: mg.zeros(0).mean(), ShapeError, "mean: shape (0,) holds nothing along axis (0,)"),
    (lambda: mg.zeros(0).argmin(), ShapeError, "argmin: shape (0,) holds nothing along axis 0"),
    (lambda: mg.zeros(0).median(), ShapeError, "median: shape (0,) holds nothing along axis 0"),
    (lambda: mg.ones(1).var(ddof=1), ShapeError, "var: needs more than ddof = 1 elements, got 1"),
    (lambda: two.cumsum(1), ShapeError, "cumsum: a tensor with 1 axes has no axis 1"),
    # shaping
    (lambda: grid.reshape(4), ShapeError, "reshape: cannot reshape array of size 6 into shape"),
    (lambda: grid.reshape(-1, -1), ShapeError, "reshape: can only specify one unknown dimension"),
    (lambda: grid.reshape(2.0, 3), ArgumentError, "shape: sizes must be integers, got (2.0, 3)"),
    (lambda: grid.transpose(0), ShapeError, "transpose: (0,) must name each of the 2 axes of"),
    (lambda: two.swapaxes(0, 1), ShapeError, "swapaxes: a tensor with 1 axes has no axis 1"),
    (lambda: mg.moveaxis(grid, (0, 1), 0), ShapeError, "moveaxis: 2 axes to move but 1"),
    (lambda: grid.flatten(1, 0), ShapeError, "flatten: start_dim 1 comes after end_dim 0"),
    (lambda: grid.squeeze(0), ShapeError, "squeeze: axis 0 of shape (2, 3) has size 2, not 1"),
    (lambda: two.expand_dims(4), ShapeError, "expand_dims: a tensor with 2 axes has no axis 4"),
    (lambda: two.broadcast_to(3), ShapeError, "broadcast_to: shape (2,) does not fit (3,):"),
    (lambda: grid.expand(3), ShapeError, "broadcast_to: shape (2, 3) does not fit (3,): counted"),
    (lambda: mg.concatenate([grid, mg.ones(2, 2)]), ShapeError, "concatenate: all the input array"),
    (lambda: mg.concatenate([]), ArgumentError, "concatenate: nothing to join; give at least one"),
    (lambda: mg.concatenate([one, one]), ShapeError, "concatenate: a tensor with 0 axes has no"),
    (lambda: mg.stack([two, pair]), ShapeError, "stack: shapes differ: [(2,), (3,)]; to join them"),
    (lambda: mg.stack([]), ArgumentError, "stack: nothing to join; give at least one tensor"),
    (lambda: mg.split(pair, 2), ShapeError, "split: axis 0 of size 3 cannot be cut into 2 equal"),
    (lambda: mg.split(pair, 0), ShapeError, "split: axis 0 of size 3 cannot be cut into 0 equal"),
    (lambda: mg.repeat(pair, [1, 2]), ArgumentError, "repeat: repeats must be one number, or 3"),
    (lambda: mg.repeat(pair, -1), ArgumentError, "repeat: repeats must be one number, or 3 for"),
    (lambda: mg.tile(pair, -1), ArgumentError, "shape: (-1,) has a negative size"),
    (lambda: mg.roll(grid, (1, 2, 3), (0, 1)), ArgumentError, "roll: 3 shifts for 2 axes; give"),
    (lambda: mg.rot90(grid, 1, (0, -2)), ArgumentError, "rot90: a plane has two different axes"),
    (lambda: mg.flip(two, 1), ShapeError, "flip: a tensor with 1 axes has no axis 1"),
    (lambda: mg.pad(two, 1, mode="foo"), ArgumentError, "pad: unknown mode 'foo'; valid: constant"),
    (lambda: mg.pad(two, (1, 2, 3)), ArgumentError, "pad: pad_width must be a number, a pair"),
    (lambda: mg.pad(two, -1), ArgumentError, "pad: widths must be integers from 0, got -1"),
    (lambda: mg.pad(two, 0.5), ArgumentError, "pad: widths must be integers from 0, got 0.5"),
    (lambda: mg.pad(mg.ones(0), 1, mode="edge"), ShapeError, "pad: axis 0 of shape (0,) holds"),
    (lambda: two.astype("complex64"), DtypeError, "tensor: dtype complex64 is not supported"),
    # indexing
    (lambda: pair[3], OutOfRangeError, "getitem: index 3 is out of bounds for axis 0 with size 3"),
    (lambda: pair[0, 0], OutOfRangeError, "getitem: too many indices for array"),
    (lambda: pair[[0, 5]], OutOfRangeError, "getitem: index 5 is out of bounds for axis 0"),
    (lambda: pair[two > 0], OutOfRangeError, "getitem: boolean index did not match"),
    (lambda: grid[[0, 1], [0, 1, 2]], OutOfRangeError, "getitem: shape mismatch: indexing arrays"),
    (lambda: pair[1.0], DtypeError, "index: 1.0 is no index; use integers, slices, None, ..., int"),
    (lambda: pair[two], DtypeError, "index: an array of float32 is no index; use integers"),
    (lambda: pair["a"], DtypeError, "index: 'a' is no index; use integers, slices, None"),
    (lambda: mg.gather(grid, 0, two.long()), ShapeError, "gather: the index must have as many"),
    (lambda: mg.gather(grid, 0, grid), DtypeError, "gather: the index must hold integers, got"),
    (lambda: mg.gather(grid, 1, index + 3), OutOfRangeError, "getitem: index 3 is out of bounds"),
    (lambda: mg.take_along_axis(grid, mg.tensor([[0]] * 3), 1), ShapeError, "take_along_axis:"),
    (lambda: mg.scatter_add(grid, 1, index, grid), ShapeError, "scatter_add: index (2, 1) and src"),
    (lambda: mg.scatter_add(grid, 1, index + 9, index), OutOfRangeError, "add_at: index 9 is out"),
    (lambda: mg.index_add(grid, 0, [0], grid), ShapeError, "index_add: source must have shape"),
    (lambda: mg.take(pair, mg.tensor([4])), OutOfRangeError, "getitem: index 4 is out of bounds"),
    (lambda: mg.topk(pair, 4), ShapeError, "topk: k = 4, but axis 0 of shape (3,) has 3"),
    (lambda: mg.one_hot(mg.tensor([3]), 3), OutOfRangeError, "one_hot: label 3 is outside of 0"),
    (lambda: mg.one_hot(mg.tensor([-1])), OutOfRangeError, "one_hot: label -1 is negative;"),
    (lambda: mg.one_hot(two), DtypeError, "one_hot: labels must be integers, got float32"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "text"), BAD, ids=[text[:30] for _, _, text in BAD])
def test_message(call, error, text):
    with pytest.raises(MinigradError) as caught:
        call()
    assert str(caught.value).startswith(text)
    assert isinstance(caught.value, error)


def test_error_is_also_the_one_that_numpy_raises():
    # So that `except ValueError:` around NumPy code keeps working.
    for call, kind in [(BAD[0][0], ValueError), (lambda: pair[3], IndexError)]:
        with pytest.raises(kind):
            call()


def test_what_numpy_said_is_kept_as_the_cause():
    with pytest.raises(ShapeError) as caught:
        grid + two
    assert isinstance(caught.value.__cause__, ValueError)


def test_failed_operation_leaves_nothing_behind():
    x = mg.ones(2, requires_grad=True)
    with pytest.raises(ShapeError):
        x + mg.ones(3)
    x.sum().backward()
    assert np.array_equal(x.grad.data, [1, 1])


def test_tensors_on_different_devices_are_named(monkeypatch):
    """A stand-in for an array on a GPU: it refuses NumPy's arrays, as CuPy's do."""

    class FarAway:
        shape = (2,)
        dtype = np.dtype(np.float32)

        def __radd__(self, other):
            raise TypeError("Unsupported type <class 'numpy.ndarray'>")

        __array_ufunc__ = None

    gpu = Device("cuda:0", np, np.asarray, np.asarray)
    monkeypatch.setattr(table, "device_of", lambda x: gpu if isinstance(x, FarAway) else CPU)
    text = (
        "add: the tensors are on different devices, cpu and cuda:0; move one, e.g. t.to('cuda:0')"
    )
    with pytest.raises(ArgumentError) as caught:
        mg.ones(2) + wrap(FarAway(), gpu)
    assert str(caught.value) == text
