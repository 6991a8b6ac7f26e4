"""Where arrays live. The only file that knows NumPy from CuPy.

A `Device` carries `xp`: the array library of that place, plus the few functions that the library
lacks or that differ between the two (`erf`, `scatter_add`, `check_index`, `column_sums`).
Operations are written once against `xp`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from minigrad.errors import ArgumentError, DtypeError, OutOfRangeError
from minigrad.special import erf

Array = Any  # numpy.ndarray or cupy.ndarray

# On Linux, freed arrays of more than 128 KiB go back to the system at once, and the next step
# pays for fresh pages, until a larger one has been freed: up to its size (32 MiB at most) memory is
# then kept and used again. A step of 50 layers of width 512 takes a quarter less time.
np.empty(31 * 2**20, np.uint8)


class Device:
    """A place for arrays.

    Attributes:
        name: `"cpu"` or `"cuda:0"`, `"cuda:1"`, ...
        xp: the array library that computes there.

    >>> import minigrad as mg
    >>> mg.tensor([1.0]).device
    device('cpu')
    """

    __slots__ = ("name", "to_host", "upload", "xp")

    def __init__(
        self,
        name: str,
        xp: Any,
        upload: Callable[[Any], Array],
        to_host: Callable[[Array], np.ndarray],
    ) -> None:
        self.name = name
        self.xp = xp
        self.upload = upload
        self.to_host = to_host

    def __repr__(self) -> str:
        return f"device({self.name!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)


def _namespace(library: ModuleType, **extra: Any) -> SimpleNamespace:
    return SimpleNamespace(**vars(library), **extra)


def _is_basic(index: Any) -> bool:
    """Whether an index selects a regular block, in which no element can occur twice."""
    items = index if isinstance(index, tuple) else (index,)
    return all(
        item is None or item is Ellipsis or isinstance(item, int | slice | np.integer)
        for item in items
    )


def _scatter_add(values: Array, index: Any, shape: tuple[int, ...]) -> Array:
    """Zeros of `shape` with `values` added at `index`; a repeated index adds up."""
    out = np.zeros(shape, values.dtype)
    if _is_basic(index):
        out[index] = values
    else:
        np.add.at(out, index, values)
    return out


@lru_cache(maxsize=64)
def _ones(n: int, dtype: np.dtype) -> np.ndarray:
    return np.ones(n, dtype)


def _column_sums(x: Array) -> Array:
    """The sum over axis 0 of a matrix: as a product with ones five times faster than `sum`."""
    return _ones(len(x), x.dtype).dot(x)


def _check_index(index: Any, shape: tuple[int, ...]) -> None:
    """NumPy checks every index itself; CuPy would wrap a wrong one around silently."""


CPU = Device(
    "cpu",
    _namespace(
        np,
        erf=erf,
        scatter_add=_scatter_add,
        check_index=_check_index,
        column_sums=_column_sums,
    ),
    upload=np.asarray,
    to_host=np.asarray,
)


@cache
def _cuda(number: int) -> Device:
    try:
        import cupy
        import cupyx
        import cupyx.scipy.special
    except ImportError:
        raise ArgumentError(
            "device: 'cuda' needs CuPy; install it with pip install 'minigrad[cuda12]' "
            "(or 'minigrad[cuda13]')"
        ) from None
    if not cupy.is_available() or number >= cupy.cuda.runtime.getDeviceCount():
        raise ArgumentError(f"device: CuPy finds no GPU number {number} on this machine")

    cupyx.seterr(linalg="raise")  # else a singular matrix would silently give NaN

    def upload(array: Any) -> Array:
        with cupy.cuda.Device(number):
            return cupy.asarray(array)

    def scatter_add(values: Array, index: Any, shape: tuple[int, ...]) -> Array:
        out = cupy.zeros(shape, values.dtype)
        cupyx.scatter_add(out, index, values)
        return out

    def check_index(index: Any, shape: tuple[int, ...]) -> None:
        items = index if isinstance(index, tuple) else (index,)
        for axis, item in enumerate(items):
            if isinstance(item, cupy.ndarray) and item.dtype.kind in "iu" and item.size:
                low, high = int(item.min()), int(item.max())
                if low < -shape[axis] or high >= shape[axis]:
                    raise OutOfRangeError(
                        f"index {low if low < -shape[axis] else high} is out of bounds "
                        f"for axis {axis} with size {shape[axis]}"
                    )

    xp = _namespace(
        cupy,
        erf=cupyx.scipy.special.erf,
        scatter_add=scatter_add,
        check_index=check_index,
        column_sums=lambda x: x.sum(axis=0),
    )
    return Device(f"cuda:{number}", xp, upload=upload, to_host=cupy.asnumpy)


def device(spec: str | Device) -> Device:
    """The device that `spec` names: `"cpu"`, `"cuda"` (the first GPU) or `"cuda:N"`.

    Raises:
        ArgumentError: the name is unknown, CuPy is missing, or there is no such GPU.

    >>> device("cpu")
    device('cpu')
    """
    if isinstance(spec, Device):
        return spec
    kind, _, number = spec.partition(":")
    if kind == "cpu" and not number:
        return CPU
    if kind == "cuda" and (number.isdigit() or not number):
        return _cuda(int(number or 0))
    raise ArgumentError(f"device: unknown {spec!r}; valid: 'cpu', 'cuda', 'cuda:N'")


_HOST = (np.ndarray, np.generic)


def device_of(array: Array) -> Device:
    """The device that an array lives on; what is no array (yet) counts as on the host."""
    if isinstance(array, _HOST) or not hasattr(array, "__cuda_array_interface__"):
        return CPU
    return _cuda(array.device.id)


def default_dtype_of(value: Any) -> np.dtype | None:
    """The dtype for a Python number or (nested) list: floats become float32; arrays keep theirs."""
    if hasattr(value, "dtype"):
        return None
    try:
        found = np.asarray(value).dtype
    except ValueError:
        raise ArgumentError(
            "tensor: the nested lists have rows of different lengths; make them equal"
        ) from None
    check_dtype(found)
    return np.dtype(np.float32) if found.kind == "f" else found


def check_dtype(dtype: Any) -> np.dtype:
    """`dtype` as a NumPy dtype, if tensors can hold it.

    Raises:
        DtypeError: for complex numbers, strings, objects and dates.
    """
    try:
        found = np.dtype(dtype)
    except TypeError:
        raise DtypeError(f"tensor: {dtype!r} names no dtype; valid: e.g. mg.float32") from None
    if found.kind not in "fiub":
        raise DtypeError(
            f"tensor: dtype {found} is not supported; valid: floating point, integers and bool"
        )
    return found  # type: ignore[no-any-return]


def check_storable(name: str, value: Any, dtype: np.dtype) -> None:
    """Raise unless an array of `dtype` can take `value`, an array or a number, undistorted.

    Rounding to fewer digits is allowed; losing the fraction, or what is not 0 or 1, is not.
    """
    if isinstance(value, int):  # NumPy itself checks that it fits
        return
    kind = value.dtype.kind if hasattr(value, "dtype") else "f"
    if "biuf".index(kind) > "biuf".index(dtype.kind) and (kind, dtype.kind) != ("u", "i"):
        raise DtypeError(
            f"{name}: the value is {getattr(value, 'dtype', 'float')}, which a tensor of {dtype} "
            "cannot take in place without losing something; convert the tensor first, e.g. "
            "t.astype(mg.float32)"
        )
