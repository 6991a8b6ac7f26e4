"""Linear equations and determinants of square matrices, with derivatives.

Rules: M. Giles, "Collected Matrix Derivative Results for Forward and Reverse Mode Algorithmic
Differentiation", 2008.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from minigrad.errors import GraphError, ShapeError
from minigrad.ops.creation import as_tensor
from minigrad.ops.matrices import (
    explained,
    identity_for,
    matrices,
    raw,
    rounding,
    square_matrices,
    transposed,
)
from minigrad.ops.table import op, op_with_parts, use
from minigrad.tensor import Tensor

_SINGULAR = (
    "is singular: its rows are linearly dependent; look for repeated or zero rows, or add a small "
    "multiple of the identity, e.g. x + 1e-6 * mg.eye(n)"
)


def _inv_forward(xp: Any, x: Any) -> Any:
    with explained("inv", x, _SINGULAR):
        return xp.linalg.inv(x)


_inv = op("inv", _inv_forward, x=lambda g, out: -(transposed(out) @ g @ transposed(out)))


def inv(x: Any) -> Tensor:
    """The inverse: inv(x) @ x is the identity. To solve equations, `solve` is better.

    Its derivative is d(inv x) = -inv(x) dx inv(x) (Giles 2008).

    Arguments:
        x: shape (..., n, n), float32 or float64.

    Returns:
        Shape (..., n, n).

    Raises:
        ArgumentError: a singular matrix.
        ShapeError: not square.

    >>> import minigrad as mg
    >>> mg.linalg.inv(mg.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor([[0.5 , 0.  ],
            [0.  , 0.25]])
    """
    return _inv(square_matrices("inv", x))


def _solve_forward(xp: Any, a: Any, b: Any) -> Any:
    with explained("solve", a, _SINGULAR):
        return xp.linalg.solve(a, b)


def _solve_rule(g: Any, needs: Sequence[bool], xp: Any, a: Any, out: Any) -> tuple[Any, Any]:
    of_b = use(xp, solve_matrix, transposed(a), g)
    return -of_b @ transposed(out) if needs[0] else None, of_b


# x of a x = b, with b a matrix.
solve_matrix = op("solve", _solve_forward, _solve_rule)


def solve(a: Any, b: Any) -> Tensor:
    """The x with a @ x = b.

    Backward solves one more system, with the transpose of `a` (Giles 2008).

    Arguments:
        a: shape (..., n, n), float32 or float64.
        b: a vector (n,), or matrices (..., n, k); their batches broadcast. A batch of vectors
            is given as `b[..., None]`.

    Returns:
        Shape (..., n) for a vector `b`, else (..., n, k).

    Raises:
        ArgumentError: `a` is singular.
        ShapeError: `a` is not square, or `b` has another number of rows.

    >>> import minigrad as mg
    >>> mg.linalg.solve(mg.tensor([[2.0, 0.0], [0.0, 4.0]]), mg.tensor([2.0, 2.0]))
    tensor([1. , 0.5])
    """
    a, b = square_matrices("solve", a), as_tensor(b)
    rows = 0 if b.ndim == 0 else b.shape[-2] if b.ndim > 1 else b.shape[0]
    if b.ndim == 0 or rows != a.shape[-1]:
        raise ShapeError(
            f"solve: a of shape {a.shape} needs b of shape (n,) or (..., n, k) with n = "
            f"{a.shape[-1]}, got {b.shape}; give a batch of vectors as b[..., None]"
        )
    if b.ndim == 1:
        return solve_matrix(a, matrices("solve", b[:, None])).squeeze(-1)
    return solve_matrix(a, matrices("solve", b))


# -- determinants --------------------------------------------------------------------------------


def _rotated(xp: Any, x: Any) -> tuple[Any, Any, Any, Any]:
    """x = u diag(s) vh by singular values, and the sign det(u) det(vh).

    Singular values are known up to rounding. Raised to that where they are smaller, they stay as
    true as they were, and products without some of them can be had by division.
    """
    with explained("det", x, "has no singular value decomposition"):
        u, s, vh = xp.linalg.svd(x)
    floor = rounding(s, s.shape[-1])
    s = xp.maximum(s, xp.where(floor > 0, floor, xp.finfo(s.dtype).eps))
    return u, s, vh, (xp.linalg.det(u) * xp.linalg.det(vh))[..., None, None]


def _cofactors_forward(xp: Any, x: Any) -> Any:
    u, s, vh, sign = _rotated(xp, x)
    others = s.prod(axis=-1, keepdims=True) / s
    return sign * ((u * others[..., None, :]) @ vh)


def _cofactors_rule(g: Any, xp: Any, x: Any) -> Any:
    if isinstance(g, Tensor):
        return _cofactors_rule_of_inverse(g, xp, x)
    # In the frame of the singular vectors x is diagonal, and a minor without rows i, j and
    # columns i, j is a product: p_ij. There d(cofactor_ii) = sum_j p_ij dx_jj, and
    # d(cofactor_ij) = -p_ij dx_ji. No inverse occurs, so singular matrices are no exception.
    u, s, vh, sign = _rotated(xp, x)
    off = 1 - identity_for(x)
    p = off * s.prod(axis=-1)[..., None, None] / (s[..., :, None] * s[..., None, :])
    g = sign * (transposed(u) @ g @ transposed(vh))
    along = (p @ xp.diagonal(g, axis1=-2, axis2=-1)[..., None]) * identity_for(x)
    return u @ (along - transposed(p * g)) @ vh


def _cofactors_rule_of_inverse(g: Tensor, xp: Any, x: Tensor) -> Any:
    """The same from cofactors = det(x) inv(x)^T: differentiable, but x must be invertible."""
    s = xp.linalg.svd(x.detach(), compute_uv=False).data
    if bool((s <= rounding(s, s.shape[-1])).any()):
        raise GraphError(
            f"det: the matrix (shape {x.shape}) is singular; derivatives there are computed up to "
            "the second, so leave out create_graph in the second backward"
        )
    inverse = transposed(_inv(x))
    cofactors = _det(x)[..., None, None] * inverse
    return (
        cofactors * (g * inverse).sum(axis=(-1, -2), keepdims=True)
        - cofactors @ transposed(g) @ inverse
    )


_cofactors = op("cofactors", _cofactors_forward, x=_cofactors_rule)
_det = op(
    "det",
    lambda xp, x: xp.linalg.det(x),
    x=lambda g, xp, x: g[..., None, None] * use(xp, _cofactors, x),
)


def det(x: Any) -> Tensor:
    """The determinant. For large matrices, where it overflows, use `slogdet`.

    d(det)/dx are the cofactors, det(x) inv(x)^T for an invertible x (Jacobi's formula; Giles
    2008). They are computed from singular values and hold at singular matrices too, as
    does the second derivative; the third and on need an invertible x.

    Arguments:
        x: shape (..., n, n), float32 or float64.

    Returns:
        Shape (...).

    Raises:
        ShapeError: not square.

    >>> import minigrad as mg
    >>> x = mg.tensor([[1.0, 2.0], [2.0, 4.0]], requires_grad=True)
    >>> mg.linalg.det(x).backward()
    >>> x.grad
    tensor([[ 4., -2.],
            [-2.,  1.]])
    """
    return _det(square_matrices("det", x))


class SlogdetResult(NamedTuple):
    """What `slogdet` returns: det = sign * exp(logabsdet)."""

    sign: Tensor
    logabsdet: Tensor


def _slogdet_rule(g: Any, needs: Sequence[bool], xp: Any, x: Any, out: Any) -> list[Any]:
    _, of_log = g
    if of_log is None:  # only the sign was used, which is a step
        return [xp.zeros_like(x)]
    if bool((raw(out[0]) == 0).any()):
        raise GraphError(
            f"slogdet: the matrix (shape {x.shape}) is singular; log|det| is -inf there and has "
            "no gradient; use det, or add a small multiple of the identity"
        )
    return [of_log[..., None, None] * transposed(use(xp, _inv, x))]


_slogdet = op_with_parts("slogdet", lambda xp, x: xp.linalg.slogdet(x), 2, _slogdet_rule)


def slogdet(x: Any) -> SlogdetResult:
    """The sign of the determinant and the logarithm of its absolute value.

    d(log|det|)/dx = inv(x)^T (Giles 2008); the sign has derivative 0.

    Arguments:
        x: shape (..., n, n), float32 or float64.

    Returns:
        (sign, logabsdet), each of shape (...). For a singular matrix (0, -inf); a gradient of
        that logarithm raises a GraphError.

    Raises:
        ShapeError: not square.

    >>> import minigrad as mg
    >>> mg.linalg.slogdet(-100.0 * mg.eye(3)).logabsdet
    tensor(13.8155)
    """
    return SlogdetResult(*_slogdet(square_matrices("slogdet", x)))
