"""What the functions of matrices share: checks of what they are given, and a few small helpers.

Each works on the last two axes; the axes before them count batches. LAPACK, which does the work,
knows float32 and float64.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from minigrad.backend import Array, device_of
from minigrad.errors import ArgumentError, DtypeError, ShapeError
from minigrad.ops.creation import as_tensor
from minigrad.tensor import Tensor


def matrices(name: str, x: Any) -> Tensor:
    """`x` as float32 or float64 matrices (integers as float64, which is what NumPy does).

    Raises:
        ShapeError: fewer than two axes.
        DtypeError: float16 or longdouble.
    """
    given = as_tensor(x)
    if given.ndim < 2:
        raise ShapeError(f"{name}: needs a matrix (two axes or more), got shape {given.shape}")
    if given.dtype.kind != "f":
        return given.astype(np.float64)
    if given.dtype not in (np.float32, np.float64):
        raise DtypeError(
            f"{name}: {given.dtype} is not supported; convert first, e.g. x.astype(mg.float32)"
        )
    return given


def square_matrices(name: str, x: Any) -> Tensor:
    """As `matrices`; a ShapeError too where rows and columns differ in number."""
    given = matrices(name, x)
    if given.shape[-1] != given.shape[-2]:
        raise ShapeError(f"{name}: needs square matrices, got shape {given.shape}")
    return given


def symmetric_matrices(name: str, x: Any) -> Tensor:
    """As `square_matrices`; an ArgumentError too where they are not symmetric.

    LAPACK reads one triangle and would silently give the answer for another matrix. What
    rounding leaves of symmetry passes: half the digits must agree.
    """
    given = square_matrices(name, x)
    if given.size == 0:
        return given
    array = given.data
    difference = abs(array - transposed(array))
    allowed = np.finfo(array.dtype).eps ** 0.5 * abs(array).max(axis=(-1, -2), keepdims=True)
    if bool((difference > allowed).any()):
        raise ArgumentError(
            f"{name}: the matrix (shape {given.shape}) is not symmetric, entries differ by up to "
            f"{float(difference.max()):.3g}; make it so, e.g. (x + x.mT) / 2"
        )
    return given


@contextmanager
def explained(name: str, x: Array, cause: str) -> Iterator[None]:
    """LAPACK's error, told with the operation, the shape, what it means and what to do."""
    try:
        yield
    except np.linalg.LinAlgError as error:
        if not bool(device_of(x).xp.isfinite(x).all()):
            cause = "holds NaN or infinity; look for where that came from"
        raise ArgumentError(f"{name}: the matrix (shape {x.shape}) {cause}") from error


def transposed(x: Any) -> Any:
    """Each matrix transposed; of arrays and of Tensors."""
    return x.swapaxes(-1, -2)


def raw(x: Any) -> Array:
    """The array itself, for decisions that a rule takes by value."""
    return x.data if isinstance(x, Tensor) else x


def identity_for(x: Any) -> Array:
    """The identity matrix of the size of the last axis of `x`, in its dtype, where it lives."""
    array = raw(x)
    eye: Array = device_of(array).xp.eye(array.shape[-1], dtype=array.dtype)
    return eye


def rounding(values: Array, n: int) -> Any:
    """The error that LAPACK leaves in sorted singular values or eigenvalues: n eps max|value|.

    `n` is the larger size of the matrix that they belong to.
    """
    xp = device_of(values).xp
    largest = xp.maximum(abs(values[..., :1]), abs(values[..., -1:]))
    return n * np.finfo(values.dtype).eps * largest
