"""Tensors from nothing: from data, filled, counted, random."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad import backend
from minigrad.backend import Device
from minigrad.errors import ArgumentError
from minigrad.ops.spelling import new_sizes
from minigrad.ops.table import op
from minigrad.random import Generator, generator_or_default
from minigrad.tensor import Tensor, wrap


def tensor(
    data: Any, dtype: Any = None, device: str | Device = "cpu", requires_grad: bool = False
) -> Tensor:
    """A new tensor that holds a copy of `data`.

    Arguments:
        data: a number, a nested list, an array or a tensor. Python floats become float32,
            Python integers int64; arrays keep their dtype unless `dtype` says otherwise.
        dtype: floating point, integer or bool.
        device: `"cpu"`, `"cuda"` or `"cuda:N"`.
        requires_grad: record what is computed from it.

    Raises:
        DtypeError: complex numbers, strings or objects; or a gradient for integers.
        ArgumentError: nested lists of unequal length.

    >>> import minigrad as mg
    >>> mg.tensor([[1, 2], [3, 4]]).dtype
    dtype('int64')
    """
    if isinstance(data, Tensor):
        data = data.data
    place = backend.device(device)
    if dtype is None:
        dtype = backend.default_dtype_of(data)
    return Tensor(place.xp.array(place.upload(data), dtype=dtype), requires_grad=requires_grad)


def as_tensor(data: Any) -> Tensor:
    """`data` itself if it is a tensor; else a tensor, sharing the memory of an array.

    >>> import minigrad as mg
    >>> array = np.zeros(2)
    >>> t = mg.as_tensor(array)
    >>> array[0] = 5
    >>> t
    tensor([5., 0.], dtype=float64)
    """
    return data if isinstance(data, Tensor) else Tensor(data)


def zeros(
    *shape: Any, dtype: Any = np.float32, device: Any = "cpu", requires_grad: bool = False
) -> Tensor:
    """A tensor of zeros: `zeros(2, 3)` or `zeros((2, 3))`.

    >>> import minigrad as mg
    >>> mg.zeros(2, 2)
    tensor([[0., 0.],
           [0., 0.]])
    """
    return full(new_sizes(shape), 0, dtype, device, requires_grad)


def ones(
    *shape: Any, dtype: Any = np.float32, device: Any = "cpu", requires_grad: bool = False
) -> Tensor:
    """A tensor of ones: `ones(2, 3)` or `ones((2, 3))`.

    >>> import minigrad as mg
    >>> mg.ones(2)
    tensor([1., 1.])
    """
    return full(new_sizes(shape), 1, dtype, device, requires_grad)


def full(
    shape: Any,
    fill_value: Any,
    dtype: Any = np.float32,
    device: Any = "cpu",
    requires_grad: bool = False,
) -> Tensor:
    """A tensor of `shape` with `fill_value` everywhere.

    >>> import minigrad as mg
    >>> mg.full((2,), 7.0)
    tensor([7., 7.])
    """
    place = backend.device(device)
    shape = new_sizes((shape,))
    wanted = backend.check_dtype(dtype)
    backend.check_storable("full", fill_value, wanted)
    array = place.xp.full(shape, fill_value, wanted)
    return Tensor(array, requires_grad=requires_grad)


def eye(n: int, m: int | None = None, dtype: Any = np.float32, device: Any = "cpu") -> Tensor:
    """The n x m matrix (square by default) with ones on the diagonal.

    >>> import minigrad as mg
    >>> mg.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    place = backend.device(device)
    return wrap(place.xp.eye(n, m, dtype=backend.check_dtype(dtype)), place)


def arange(
    start: Any, stop: Any = None, step: Any = 1, dtype: Any = None, device: Any = "cpu"
) -> Tensor:
    """Numbers from `start` to before `stop`; with one argument, from 0 to before it.

    Integers give int64, a float among them gives float32.

    >>> import minigrad as mg
    >>> mg.arange(2, 8, 3)
    tensor([2, 5])
    """
    if stop is None:
        start, stop = 0, start
    if dtype is None:
        kinds = [np.asarray(x).dtype.kind for x in (start, stop, step)]
        dtype = np.float32 if "f" in kinds else np.int64
    if step == 0:
        raise ArgumentError("arange: step must not be 0")
    place = backend.device(device)
    return wrap(place.xp.arange(start, stop, step, dtype=backend.check_dtype(dtype)), place)


def linspace(
    start: float, stop: float, num: int = 50, dtype: Any = np.float32, device: Any = "cpu"
) -> Tensor:
    """`num` numbers at equal distances from `start` to `stop`, both included.

    >>> import minigrad as mg
    >>> mg.linspace(0, 1, 5)
    tensor([0.  , 0.25, 0.5 , 0.75, 1.  ])
    """
    place = backend.device(device)
    return wrap(place.xp.linspace(start, stop, num, dtype=backend.check_dtype(dtype)), place)


def zeros_like(x: Any, dtype: Any = None) -> Tensor:
    """Zeros of the shape, device and (unless given) dtype of `x`.

    >>> import minigrad as mg
    >>> mg.zeros_like(mg.ones(2))
    tensor([0., 0.])
    """
    x = as_tensor(x)
    return wrap(x.device.xp.zeros_like(x.data, dtype=dtype), x.device)


def ones_like(x: Any, dtype: Any = None) -> Tensor:
    """Ones of the shape, device and (unless given) dtype of `x`.

    >>> import minigrad as mg
    >>> mg.ones_like(mg.zeros(2))
    tensor([1., 1.])
    """
    x = as_tensor(x)
    return wrap(x.device.xp.ones_like(x.data, dtype=dtype), x.device)


def full_like(x: Any, fill_value: Any, dtype: Any = None) -> Tensor:
    """`fill_value` at the shape, device and (unless given) dtype of `x`.

    >>> import minigrad as mg
    >>> mg.full_like(mg.zeros(2), 7.0)
    tensor([7., 7.])
    """
    x = as_tensor(x)
    return full(x.shape, fill_value, x.dtype if dtype is None else dtype, x.device)


def _random(draw: np.ndarray, dtype: Any, device: Any, requires_grad: bool = False) -> Tensor:
    place = backend.device(device)
    array = place.upload(draw.astype(backend.check_dtype(dtype)))
    return Tensor(array, requires_grad=requires_grad)


def rand(
    *shape: Any, generator: Generator | None = None, dtype: Any = np.float32, device: Any = "cpu",
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Uniform numbers in [0, 1).

    >>> import minigrad as mg
    >>> mg.rand(2, generator=mg.Generator(0))
    tensor([0.637 , 0.2698])
    """
    draw = generator_or_default(generator).uniform(new_sizes(shape))
    # Rounding to fewer digits could reach 1.
    draw = np.minimum(draw, np.nextafter(np.ones((), dtype), 0, dtype=dtype))
    return _random(draw, dtype, device, requires_grad)


def randn(
    *shape: Any, generator: Generator | None = None, dtype: Any = np.float32, device: Any = "cpu",
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Normal numbers with mean 0 and standard deviation 1.

    >>> import minigrad as mg
    >>> mg.randn(2, generator=mg.Generator(0))
    tensor([ 0.1257, -0.1321])
    """
    draw = generator_or_default(generator).normal(new_sizes(shape))
    return _random(draw, dtype, device, requires_grad)


def randint(
    low: int, high: int, shape: Any, generator: Generator | None = None, device: Any = "cpu"
) -> Tensor:
    """Integers in [low, high), int64.

    >>> import minigrad as mg
    >>> mg.randint(0, 10, (3,), generator=mg.Generator(0))
    tensor([8, 6, 5])
    """
    if low >= high:
        raise ArgumentError(f"randint: low {low} must be less than high {high}")
    shape = new_sizes((shape,))
    return _random(generator_or_default(generator).integers(shape, low, high), np.int64, device)


def randperm(n: int, generator: Generator | None = None, device: Any = "cpu") -> Tensor:
    """The numbers 0 to n-1 in random order, int64.

    >>> import minigrad as mg
    >>> mg.randperm(4, generator=mg.Generator(0))
    tensor([2, 0, 1, 3])
    """
    return _random(generator_or_default(generator).permutation(n), np.int64, device)


def _moved_back(g: Any, source: Device, target: Device) -> Any:
    return move(g, source) if isinstance(g, Tensor) else source.upload(target.to_host(g))


_move = op(
    "to",
    lambda xp, x, *, source, target: target.upload(source.to_host(x)),
    x=_moved_back,
)


def move(x: Tensor, target: Device) -> Tensor:
    """`x` on another device (itself, if it is there); its gradient comes back to this one."""
    if x.device == target:
        return x
    out = _move(x, source=x.device, target=target)
    out.device = target
    return out
