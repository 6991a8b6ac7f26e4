"""Operations that fold axes away, and running sums and products along one.

All take `axis=None` (all axes), an axis or several, and `keepdims=False`; PyTorch's `dim=` and
`keepdim=` mean the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from minigrad.errors import ShapeError
from minigrad.ops.creation import as_tensor
from minigrad.ops.elementwise import square
from minigrad.ops.indexing import sort
from minigrad.ops.piecewise import isnan, where
from minigrad.ops.shaping import move_to_end
from minigrad.ops.spelling import all_axes, one_axis, torch_names
from minigrad.ops.table import op
from minigrad.tensor import Tensor

Axis = int | Sequence[int] | None


def _spread(g: Any, xp: Any, x_shape: Any, axis: Any, keepdims: bool) -> Any:
    """A folded value back at every place that it was folded from."""
    if not keepdims:
        g = xp.expand_dims(g, axis)
    return xp.broadcast_to(g, x_shape)


def _count(shape: tuple[int, ...], axis: tuple[int, ...]) -> int:
    return math.prod(shape[a] for a in axis)


# Small arrays: as methods of the array these take half the time of NumPy's functions.
_sum = op("sum", lambda xp, x, *, axis, keepdims: x.sum(axis=axis, keepdims=keepdims), x=_spread)
_mean = op(
    "mean",
    lambda xp, x, *, axis, keepdims: x.mean(axis=axis, keepdims=keepdims),
    x=lambda g, xp, x_shape, axis, keepdims: _spread(
        g * (1 / _count(x_shape, axis)), xp, x_shape, axis, keepdims
    ),
)


def _share_among_hits(g: Any, xp: Any, x: Any, out: Any, axis: Any, keepdims: bool) -> Any:
    """The gradient of an extremum goes to the elements that attain it, in equal parts."""
    hit = x == _spread(out, xp, x.shape, axis, keepdims)
    hits = hit.sum(axis=axis, keepdims=True)
    if not keepdims:
        g = xp.expand_dims(g, axis)
    return (g / hits).astype(g.dtype) * hit  # float16 could not hold a large number of hits


_max = op(
    "max",
    lambda xp, x, *, axis, keepdims: x.max(axis=axis, keepdims=keepdims),
    x=_share_among_hits,
)
_min = op(
    "min",
    lambda xp, x, *, axis, keepdims: x.min(axis=axis, keepdims=keepdims),
    x=_share_among_hits,
)


def _logsumexp_forward(xp: Any, x: Any, *, axis: Any, keepdims: bool) -> Any:
    fold = xp.max if x.size else xp.sum  # the largest of nothing does not exist; 0 will do
    top = fold(x, axis=axis, keepdims=True)
    top = xp.where(xp.isfinite(top), top, 0)  # inf - inf would make a NaN of a clear case
    total = xp.exp(x - top).sum(axis=axis, keepdims=True)
    nothing = total == 0
    out = xp.where(nothing, -math.inf, xp.log(xp.where(nothing, 1, total)) + top)
    return out if keepdims else xp.squeeze(out, axis=axis)


def _softmax_times(g: Any, xp: Any, x: Any, out: Any, axis: Any, keepdims: bool) -> Any:
    out = xp.where(xp.isfinite(out), out, 0)
    weights = xp.exp(x - _spread(out, xp, x.shape, axis, keepdims))
    return weights * _spread(g, xp, x.shape, axis, keepdims)


_logsumexp = op("logsumexp", _logsumexp_forward, x=_softmax_times)
# For the derivative of a square root where its argument may be 0 (a norm, a standard deviation):
# the slope there is taken as 0, so that a zero vector gets no NaN.
sqrt_or_flat = op(
    "sqrt",
    lambda xp, x: xp.sqrt(x),
    x=lambda g, xp, out: xp.where(out == 0, 0, g / (2 * xp.where(out == 0, 1, out))),
)


# -- running sums and products, along the last axis ----------------------------------------------


def _others_before(xp: Any, x: Any) -> Any:
    """Per place the product of what stands before it on the last axis: 1, x0, x0 x1, ..."""
    return xp.cumprod(xp.concatenate([xp.ones_like(x[..., :1]), x[..., :-1]], axis=-1), axis=-1)


def _reversed(x: Any) -> Any:
    return x[..., ::-1]


def _cumprod_rule(g: Any, xp: Any, x: Any) -> Any:
    # dy_j/dx_k = (product before k) (product of k+1..j). Its sum over j, weighted by g, follows
    # the recursion r_k = g_k + x_(k+1) r_(k+1): no division, so zeros need no special case.
    n = x.shape[-1]
    if n == 0:
        return g
    r = [g[..., n - 1]]
    for k in range(n - 2, -1, -1):
        r.append(g[..., k] + x[..., k + 1] * r[-1])
    return _others_before(xp, x) * _reversed(xp.stack(r, axis=-1))


_prod = op(
    "prod",
    lambda xp, x: xp.prod(x, axis=-1),
    x=lambda g, xp, x: (
        g[..., None] * _others_before(xp, x) * _reversed(_others_before(xp, _reversed(x)))
    ),
)
_cumsum = op(
    "cumsum",
    lambda xp, x: xp.cumsum(x, axis=-1),
    x=lambda g, xp: _reversed(xp.cumsum(_reversed(g), axis=-1)),
)
_cumprod = op("cumprod", lambda xp, x: xp.cumprod(x, axis=-1), x=_cumprod_rule)


# -- what users call -----------------------------------------------------------------------------

_DOC = """{what}

    Arguments:
        x: any shape.
        axis: the axis or axes to fold, counted from the front or (negative) the back; None: all.
        keepdims: keep the folded axes, with size 1.

    Returns:
        A tensor without the folded axes.

    >>> import minigrad as mg
    >>> mg.{name}(mg.tensor([[1.0, 2.0], [3.0, 5.0]]), axis=0)
    {example}
    """


def _folding(
    name: str, operation: Callable[..., Tensor], what: str, example: str, of_nothing: bool = True
) -> Callable[..., Tensor]:
    """A public reduction: axes checked and counted from the front, whichever way they are named."""

    def reduce(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
        x = as_tensor(x)
        axes = all_axes(name, axis, x.ndim)
        if not of_nothing and _count(x.shape, axes) == 0:
            raise ShapeError(f"{name}: shape {x.shape} holds nothing along axis {axes}")
        return operation(x, axis=axes, keepdims=keepdims)

    reduce.__name__ = reduce.__qualname__ = name
    reduce.__doc__ = _DOC.format(name=name, what=what, example=example)
    return torch_names(reduce)


_all = op("all", lambda xp, x, *, axis, keepdims: x.all(axis=axis, keepdims=keepdims))
_any = op("any", lambda xp, x, *, axis, keepdims: x.any(axis=axis, keepdims=keepdims))

sum = _folding("sum", _sum, "The sum; of nothing, 0.", "tensor([4., 7.])")
mean = _folding("mean", _mean, "The arithmetic mean.", "tensor([2. , 3.5])", of_nothing=False)
max = _folding(
    "max", _max, "The largest element; ties share the gradient equally.", "tensor([3., 5.])",
    of_nothing=False,
)  # fmt: skip
min = _folding(
    "min", _min, "The smallest element; ties share the gradient equally.", "tensor([1., 2.])",
    of_nothing=False,
)  # fmt: skip
logsumexp = _folding(
    "logsumexp", _logsumexp, "log(sum(exp(x))), without overflow.", "tensor([3.1269, 5.0486])"
)
all = _folding("all", _all, "Whether every element is true (not zero).", "tensor([ True,  True])")
any = _folding("any", _any, "Whether some element is true (not zero).", "tensor([ True,  True])")


@torch_names
def prod(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The product; of nothing, 1. Its derivative is exact also where elements are 0.

    Arguments and result as for `sum`.

    >>> import minigrad as mg
    >>> x = mg.tensor([2.0, 0.0, 4.0], requires_grad=True)
    >>> mg.prod(x).backward()
    >>> x.grad
    tensor([0., 8., 0.])
    """
    x = as_tensor(x)
    axes = all_axes("prod", axis, x.ndim)
    out = _prod(move_to_end(x, axes))
    return out.expand_dims(axes) if keepdims else out


@torch_names
def var(x: Any, axis: Axis = None, ddof: int = 0, keepdims: bool = False) -> Tensor:
    """The variance, sum((x - mean)^2) / (n - ddof), over `axis`.

    As in NumPy `ddof` is 0 by default (the biased estimate); PyTorch's default is ddof=1.

    >>> import minigrad as mg
    >>> mg.var(mg.tensor([1.0, 3.0]))
    tensor(1.)
    """
    x = as_tensor(x)
    axes = all_axes("var", axis, x.ndim)
    n = _count(x.shape, axes)
    if n <= ddof:
        raise ShapeError(f"var: needs more than ddof = {ddof} elements, got {n} of shape {x.shape}")
    deviation = x - mean(x, axes, keepdims=True)
    return sum(square(deviation), axes, keepdims=keepdims) / (n - ddof)


@torch_names
def std(x: Any, axis: Axis = None, ddof: int = 0, keepdims: bool = False) -> Tensor:
    """The standard deviation, the root of `var`; where it is 0 its derivative is taken as 0.

    >>> import minigrad as mg
    >>> mg.std(mg.tensor([1.0, 3.0]))
    tensor(1.)
    """
    return sqrt_or_flat(var(x, axis, ddof, keepdims))


def _index_of(name: str, x: Any, axis: int | None, keepdims: bool) -> Tensor:
    x = as_tensor(x)
    if axis is None:
        flat, along = x.reshape(-1), 0
    else:
        flat, along = x, one_axis(name, axis, x.ndim)
    if flat.shape[along] == 0:
        raise ShapeError(f"{name}: shape {x.shape} holds nothing along axis {along}")
    pick = _argmax if name == "argmax" else _argmin
    out = pick(flat, axis=along, keepdims=keepdims)
    return out.reshape((1,) * x.ndim) if axis is None and keepdims else out


_argmax = op("argmax", lambda xp, x, *, axis, keepdims: xp.argmax(x, axis=axis, keepdims=keepdims))
_argmin = op("argmin", lambda xp, x, *, axis, keepdims: xp.argmin(x, axis=axis, keepdims=keepdims))


@torch_names
def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Where the largest element stands along `axis` (None: in the flattened tensor); int64.

    >>> import minigrad as mg
    >>> mg.argmax(mg.tensor([1.0, 9.0, 3.0])).item()
    1
    """
    return _index_of("argmax", x, axis, keepdims)


@torch_names
def argmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Where the smallest element stands along `axis` (None: in the flattened tensor); int64.

    >>> import minigrad as mg
    >>> mg.argmin(mg.tensor([3.0, 1.0, 2.0])).item()
    1
    """
    return _index_of("argmin", x, axis, keepdims)


def _running(operation: Callable[..., Tensor], name: str, x: Any, axis: int | None) -> Tensor:
    x = as_tensor(x)
    if axis is None:
        return operation(x.reshape(-1))
    axis = one_axis(name, axis, x.ndim)
    return operation(x.swapaxes(axis, -1)).swapaxes(axis, -1)


@torch_names
def cumsum(x: Any, axis: int | None = None) -> Tensor:
    """The running sum along `axis` (None: of the flattened tensor).

    >>> import minigrad as mg
    >>> mg.cumsum(mg.tensor([1.0, 2.0, 3.0]))
    tensor([1., 3., 6.])
    """
    return _running(_cumsum, "cumsum", x, axis)


@torch_names
def cumprod(x: Any, axis: int | None = None) -> Tensor:
    """The running product along `axis` (None: of the flattened tensor).

    >>> import minigrad as mg
    >>> mg.cumprod(mg.tensor([1.0, 2.0, 3.0]))
    tensor([1., 2., 6.])
    """
    return _running(_cumprod, "cumprod", x, axis)


@torch_names
def median(x: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The middle element along `axis`; of an even number, the mean of the middle two (NumPy's).

    >>> import minigrad as mg
    >>> mg.median(mg.tensor([4.0, 1.0, 3.0, 2.0]))
    tensor(2.5)
    """
    x = as_tensor(x)
    flat = x.reshape(-1) if axis is None else x
    along = 0 if axis is None else one_axis("median", axis, x.ndim)
    n = flat.shape[along]
    if n == 0:
        raise ShapeError(f"median: shape {x.shape} holds nothing along axis {along}")
    middle = (slice(None),) * along + (slice((n - 1) // 2, n // 2 + 1),)
    ordered = sort(flat, along)
    out = mean(ordered[middle], along, keepdims=keepdims)
    last = ordered[(slice(None),) * along + (slice(-1, None) if keepdims else -1,)]
    out = where(isnan(last), last, out)  # NaNs are sorted to the end, where they would be lost
    return out.reshape((1,) * x.ndim) if axis is None and keepdims else out
