"""Initial values for one tensor, written in place."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigrad.errors import ArgumentError, DtypeError, GraphError, ShapeError
from minigrad.random import Generator, generator_or_default
from minigrad.tape import no_grad
from minigrad.tensor import Tensor


def fans(name: str, tensor: Tensor) -> tuple[int, int]:
    """(fan_in, fan_out)."""
    if tensor.ndim < 2:
        raise ShapeError(
            f"{name}: a tensor of shape {tensor.shape} has no fan-in and fan-out; it needs two "
            "axes or more. For a bias use zeros_"
        )
    field = math.prod(tensor.shape[2:])
    # Not 0, to be divided by: into a tensor without elements nothing is written anyway.
    return max(1, tensor.shape[1] * field), max(1, tensor.shape[0] * field)


def _draw(name: str, tensor: Tensor, values: Any) -> Tensor:
    if tensor.dtype.kind != "f":
        raise DtypeError(f"{name}: cannot fill a tensor of {tensor.dtype} with random fractions")
    return _write(name, tensor, values)


def _write(name: str, tensor: Tensor, values: Any) -> Tensor:
    if not tensor.is_leaf and tensor._base is None:
        # The weight of a parametrized layer is made anew at each look; these would be lost.
        raise GraphError(
            f"{name}: '{tensor.grad_fn.op.name}' computed this tensor from others, and writing "  # type: ignore[union-attr]
            "into it would not change those; initialize before parametrizing a layer"
        )
    with no_grad():
        return tensor.copy_(values)


def uniform_(
    tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fill with uniform numbers in [a, b); variance (b - a)^2 / 12. Returns the tensor.

    Raises:
        ArgumentError: a above b.

    >>> import minigrad as mg
    >>> w = uniform_(mg.zeros(1000), -0.1, 0.1, generator=mg.Generator(0))
    >>> bool(0.099 < abs(w).max() <= 0.1)
    True
    """
    if not a <= b:
        raise ArgumentError(f"uniform_: a must not be above b, got a={a}, b={b}")
    return _draw("uniform_", tensor, generator_or_default(generator).uniform(tensor.shape, a, b))


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fill with normal numbers. Returns the tensor.

    Raises:
        ArgumentError: a negative std.

    >>> import minigrad as mg
    >>> normal_(mg.zeros(2), std=0.1, generator=mg.Generator(0))
    tensor([ 0.0126, -0.0132])
    """
    if std < 0:
        raise ArgumentError(f"normal_: std must not be negative, got {std}")
    draw = generator_or_default(generator).normal(tensor.shape, mean, std)
    return _draw("normal_", tensor, draw)


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Fill with normal numbers, of which those outside of [a, b] are drawn again.

    As in PyTorch `a` and `b` are values, not multiples of `std`. Cutting makes the variance
    smaller than std^2: within 2 std on both sides, 0.77 of it.

    Returns:
        The tensor.

    Raises:
        ArgumentError: std not above 0, or a not below b.

    >>> import minigrad as mg
    >>> w = trunc_normal_(mg.zeros(1000), std=0.5, a=-1, b=1, generator=mg.Generator(0))
    >>> bool(abs(w).max() <= 1)
    True
    """
    if not (std > 0 and a < b):
        raise ArgumentError(
            f"trunc_normal_: std must be above 0 and a below b, got std={std}, a={a}, b={b}"
        )
    draws = _truncated((a - mean) / std, (b - mean) / std, tensor.size, generator)
    # Rounding, also that to the dtype of the tensor, may step over a bound by a little.
    values = np.clip((mean + std * draws).astype(tensor.dtype), a, b)
    return _draw("trunc_normal_", tensor, values.reshape(tensor.shape))


def _truncated(low: float, high: float, count: int, generator: Generator | None) -> Any:
    """Standard normal numbers within [low, high], by rejection from uniform ones.

    That is as good far out in a tail, where plain redrawing would never end.
    """
    source = generator_or_default(generator)
    peak = min(max(low, 0.0), high)  # the place in [low, high] with the largest density
    # What lies beyond has a density below e^-37 times that of the peak.
    reach = math.sqrt(peak * peak + 74)
    low, high = max(low, -reach), min(high, reach)
    found = np.empty(0)
    while found.size < count:
        z = source.uniform((2 * (count - found.size) + 16,), low, high)
        height = source.uniform(z.shape)
        found = np.concatenate([found, z[height < np.exp((peak * peak - z * z) / 2)]])
    return found[:count]


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with one number. Returns the tensor.

    Raises:
        DtypeError: a fraction for a tensor of integers.

    >>> import minigrad as mg
    >>> constant_(mg.zeros(2), 0.5)
    tensor([0.5, 0.5])
    """
    if tensor.dtype.kind != "f" and val != int(val):
        raise DtypeError(f"constant_: a tensor of {tensor.dtype} cannot hold {val}")
    return _write("constant_", tensor, val)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with zeros. Returns the tensor.

    >>> import minigrad as mg
    >>> zeros_(mg.ones(2))
    tensor([0., 0.])
    """
    return constant_(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    """Fill with ones. Returns the tensor.

    >>> import minigrad as mg
    >>> ones_(mg.zeros(2))
    tensor([1., 1.])
    """
    return constant_(tensor, 1.0)


def orthogonal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """A random orthogonal matrix, times `gain`: W W^T = gain^2 I, or W^T W if W is taller.

    A linear network of such layers keeps every length, at any depth. The distribution is uniform
    (Haar's): all rotations are equally likely.

    Arguments:
        tensor: at least two axes; those after the first count as columns.
        gain: factor on all singular values.
        generator: where the numbers come from.

    Returns:
        The tensor.

    Raises:
        ShapeError: fewer than two axes.

    Sources: Saxe, McClelland & Ganguli (2014); Mezzadri (2007) for the signs.

    >>> import minigrad as mg
    >>> w = orthogonal_(mg.zeros(2, 3, dtype=mg.float64), generator=mg.Generator(0))
    >>> bool(abs(w @ w.T - mg.eye(2)).max() < 1e-12)
    True
    """
    fans("orthogonal_", tensor)
    rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])
    draw = generator_or_default(generator).normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(draw)
    # The signs that QR happens to choose are not random; those of R's diagonal make up for it.
    q = q * np.sign(np.diag(r))
    q = q if rows >= columns else q.T
    return _draw("orthogonal_", tensor, gain * q.reshape(tensor.shape))


def eye_(tensor: Tensor) -> Tensor:
    """Ones on the main diagonal, zeros elsewhere. Returns the tensor.

    Raises:
        ShapeError: not a matrix.

    >>> import minigrad as mg
    >>> eye_(mg.zeros(2, 3))
    tensor([[1., 0., 0.],
            [0., 1., 0.]])
    """
    _check_matrix("eye_", tensor)
    return _write("eye_", tensor, np.eye(tensor.shape[0], tensor.shape[1]))


def sparse_(
    tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None
) -> Tensor:
    """Normal numbers, of which the share `sparsity` in each column, rounded up, is set to 0.

    Arguments:
        tensor: a matrix.
        sparsity: 0 to 1.
        std: standard deviation of the others.
        generator: where the numbers come from.

    Returns:
        The tensor.

    Raises:
        ShapeError: not a matrix.
        ArgumentError: a sparsity outside of 0 to 1, or a negative std.

    Source: Martens (2010), Deep learning via Hessian-free optimization, section 5.

    >>> import minigrad as mg
    >>> (sparse_(mg.zeros(8, 2), 0.75, generator=mg.Generator(0)) == 0).sum(axis=0)
    tensor([6, 6])
    """
    _check_matrix("sparse_", tensor)
    if not 0 <= sparsity <= 1:
        raise ArgumentError(f"sparse_: sparsity must lie in 0 to 1, got {sparsity}")
    if std < 0:
        raise ArgumentError(f"sparse_: std must not be negative, got {std}")
    source = generator_or_default(generator)
    values = source.normal(tensor.shape, 0.0, std)
    # Per column, the places of its smallest random numbers: that many of them, at random.
    order = np.argsort(source.uniform(tensor.shape), axis=0)
    empty = order[: math.ceil(sparsity * tensor.shape[0])]
    np.put_along_axis(values, empty, 0.0, axis=0)
    return _draw("sparse_", tensor, values)


def _check_matrix(name: str, tensor: Tensor) -> None:
    if tensor.ndim != 2:
        raise ShapeError(f"{name}: needs a matrix, two axes, got shape {tensor.shape}")
