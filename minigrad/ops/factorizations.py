"""Matrices taken apart: cholesky, qr, eigh, svd, with derivatives.

Vectors that belong to equal eigenvalues or singular values can turn freely and have no
derivative: a gradient that arrives at them raises a GraphError instead of dividing by zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from minigrad.backend import Array
from minigrad.errors import ArgumentError, GraphError
from minigrad.ops.arranging import concatenate
from minigrad.ops.matrices import (
    explained,
    identity_for,
    matrices,
    raw,
    rounding,
    symmetric_matrices,
    transposed,
)
from minigrad.ops.solving import solve_matrix
from minigrad.ops.table import op, op_with_parts, use
from minigrad.tape import is_grad_enabled
from minigrad.tensor import Tensor


def _symmetrized(g: Any) -> Any:
    """The part of a gradient that a symmetric matrix can follow."""
    return (g + transposed(g)) / 2


# -- cholesky ------------------------------------------------------------------------------------


def _cholesky_forward(xp: Any, x: Any) -> Any:
    cause = (
        "is not positive definite: it has an eigenvalue of 0 or below; add a small multiple of "
        "the identity, e.g. x + 1e-6 * mg.eye(n)"
    )
    with explained("cholesky", x, cause):
        return xp.linalg.cholesky(x)


def _cholesky_rule(g: Any, xp: Any, out: Any) -> Any:
    # L^-T P L^-1, P the lower triangle of L^T g with half its diagonal.
    p = xp.tril(transposed(out) @ g) * (1 - identity_for(out) / 2)
    upper = transposed(out)
    left = use(xp, solve_matrix, upper, p)
    return _symmetrized(transposed(use(xp, solve_matrix, upper, transposed(left))))


_cholesky = op("cholesky", _cholesky_forward, x=_cholesky_rule)


def cholesky(x: Any, *, upper: bool = False) -> Tensor:
    """The lower triangular L with L @ L.mT = x.

    Derivative: I. Murray, "Differentiation of the Cholesky decomposition", 2016, section 3. The
    gradient is symmetric, as `x` is.

    Arguments:
        x: shape (..., n, n), symmetric and positive definite, float32 or float64.
        upper: return U = L.mT instead, with U.mT @ U = x.

    Returns:
        Shape (..., n, n).

    Raises:
        ArgumentError: not symmetric, or not positive definite.
        ShapeError: not square.

    >>> import minigrad as mg
    >>> mg.linalg.cholesky(mg.tensor([[4.0, 2.0], [2.0, 2.0]]))
    tensor([[2., 0.],
            [1., 1.]])
    """
    lower = _cholesky(symmetric_matrices("cholesky", x))
    return lower.mT if upper else lower


# -- qr ------------------------------------------------------------------------------------------


class QRResult(NamedTuple):
    """What `qr` returns: x = Q @ R."""

    Q: Tensor
    R: Tensor


def _check_independent(r: Array, rows: int) -> None:
    """Raise where a pivot of R is 0, up to rounding, and so cannot be divided by."""
    size = abs(r)
    if size.size == 0:
        return
    allowed = rows * np.finfo(r.dtype).eps * size.max(axis=(-1, -2))[..., None]
    if bool((size.diagonal(0, -2, -1) <= allowed).any()):
        raise GraphError(
            f"qr: the columns that Q is made of (R has shape {r.shape}) are linearly dependent, so "
            "that Q and R have no gradient; leave the dependent columns out"
        )


def _qr_rule(g: Any, needs: Sequence[bool], xp: Any, out: Any) -> list[Any]:
    (of_q, of_r), (q, r) = g, out
    _check_independent(raw(r), q.shape[-2])
    m = 0
    if of_r is not None:
        m = m + r @ transposed(of_r)
    if of_q is not None:
        m = m - transposed(of_q) @ q
    change = q @ (xp.tril(m) + transposed(xp.tril(m, -1)))
    if of_q is not None:
        change = change + of_q
    return [transposed(use(xp, solve_matrix, r, transposed(change)))]


_qr = op_with_parts("qr", lambda xp, x: xp.linalg.qr(x), 2, _qr_rule)


def qr(x: Any, mode: str = "reduced") -> QRResult:
    """x = Q @ R, with orthonormal columns in Q and zeros below the diagonal of R.

    Derivative: S. Walter and L. Lehmann, "Algorithmic Differentiation of Linear Algebra
    Functions", 2010; of wide matrices through their first m columns, which determine Q.

    Arguments:
        x: shape (..., m, n), float32 or float64.
        mode: "reduced" is what there is a gradient for, and the only one.

    Returns:
        (Q, R) of shapes (..., m, k) and (..., k, n), k the smaller of m and n. A gradient needs
        the first k columns of x to be linearly independent, else it raises a GraphError.

    Raises:
        ArgumentError: another mode.

    >>> import minigrad as mg
    >>> Q, R = mg.linalg.qr(mg.tensor([[0.0, 2.0], [1.0, 5.0]]))
    >>> mg.abs(R)
    tensor([[1., 5.],
            [0., 2.]])
    """
    if mode != "reduced":
        raise ArgumentError(f"qr: unknown mode {mode!r}; valid: 'reduced'")
    x = matrices("qr", x)
    m, n = x.shape[-2:]
    if m >= n:
        return QRResult(*_qr(x))
    q, left = _qr(x[..., :m])
    return QRResult(q, concatenate([left, q.mT @ x[..., m:]], axis=-1))


# -- eigenvalues ---------------------------------------------------------------------------------


def _check_distinct(name: str, what: str, values: Array, n: int) -> None:
    """Raise where two neighbours among sorted `values` are equal, up to rounding."""
    gaps = abs(values[..., 1:] - values[..., :-1])
    if bool((gaps <= rounding(values, n)).any()):
        raise GraphError(
            f"{name}: two {what} are equal (shape {values.shape}), so that their vectors can turn "
            f"freely and have no gradient; use the {what} alone, or make them differ by adding a "
            "little noise to the matrix"
        )


def _pairs(values: Any) -> tuple[Any, Any]:
    """Per pair, the values v_i of the rows and v_j of the columns."""
    return values[..., :, None], values[..., None, :]


def _eigh_rule(g: Any, needs: Sequence[bool], xp: Any, out: Any) -> list[Any]:
    (of_values, of_vectors), (values, v) = g, out
    eye = identity_for(values)
    inside = 0
    if of_values is not None:
        inside = inside + of_values[..., None, :] * eye
    if of_vectors is not None:
        _check_distinct("eigh", "eigenvalues", raw(values), values.shape[-1])
        row, column = _pairs(values)
        inside = inside + (1 - eye) * (transposed(v) @ of_vectors) / (column - row + eye)
    return [_symmetrized(v @ inside @ transposed(v))]


def _eigh_forward(xp: Any, x: Any, *, UPLO: str) -> Any:
    with explained("eigh", x, "has no eigenvalues that LAPACK could find"):
        return xp.linalg.eigh(x, UPLO)


_eigh = op_with_parts("eigh", _eigh_forward, 2, _eigh_rule)


class EighResult(NamedTuple):
    """What `eigh` returns: x @ eigenvectors = eigenvectors * eigenvalues."""

    eigenvalues: Tensor
    eigenvectors: Tensor


def eigh(x: Any, UPLO: str = "L") -> EighResult:
    """The eigenvalues, ascending, and eigenvectors of symmetric matrices: x = V diag(w) V.mT.

    Derivative: M. Giles, "Collected Matrix Derivative Results for Forward and Reverse Mode
    Algorithmic Differentiation", 2008. The gradient is symmetric, as `x` is. The sign of a vector
    is arbitrary: a loss must not depend on it.

    Arguments:
        x: shape (..., n, n), symmetric, float32 or float64.
        UPLO: which triangle is read, "L" or "U"; for a symmetric matrix rounding apart the same.

    Returns:
        (eigenvalues, eigenvectors) of shapes (..., n) and (..., n, n), the vectors in columns.
        A gradient of eigenvectors whose eigenvalues are equal raises a GraphError; a gradient
        of eigenvalues alone has no such limit.

    Raises:
        ArgumentError: not symmetric, or UPLO is neither.
        ShapeError: not square.

    >>> import minigrad as mg
    >>> mg.linalg.eigh(mg.tensor([[2.0, 1.0], [1.0, 2.0]])).eigenvalues
    tensor([1., 3.])
    """
    if UPLO not in ("L", "U"):
        raise ArgumentError(f"eigh: unknown UPLO {UPLO!r}; valid: 'L', 'U'")
    return EighResult(*_eigh(symmetric_matrices("eigh", x), UPLO=UPLO))


# -- singular values -----------------------------------------------------------------------------


def _svd_rule(g: Any, needs: Sequence[bool], xp: Any, out: Any, full_matrices: bool) -> list[Any]:
    (of_u, of_s, of_vh), (u, s, vh) = g, out
    if full_matrices:
        k = s.shape[-1]
        if (of_u is not None or of_vh is not None) and u.shape[-1] != vh.shape[-1]:
            raise GraphError(
                f"svd: with full_matrices=True some columns of U (shape {u.shape}) or rows of Vh "
                f"(shape {vh.shape}) are arbitrary and have no gradient; use full_matrices=False"
            )
        u, vh = u[..., :k], vh[..., :k, :]
    change = 0
    if of_s is not None:
        change = change + (u * of_s[..., None, :]) @ vh
    if of_u is not None or of_vh is not None:
        _check_distinct("svd", "singular values", raw(s), max(u.shape[-2], vh.shape[-1]))
    if of_u is not None:
        change = change + _through_left(of_u, u, s, vh)
    if of_vh is not None:
        # The right vectors are the left ones of the transposed matrix.
        v, uh = transposed(vh), transposed(u)
        change = change + transposed(_through_left(transposed(of_vh), v, s, uh))
    return [change]


def _through_left(of_u: Any, u: Any, s: Any, vh: Any) -> Any:
    """What the gradient of the left vectors contributes to that of the matrix."""
    eye = identity_for(s)
    row, column = _pairs(s)
    within = transposed(u) @ of_u
    # Two divisions, as a product of small singular values might underflow.
    turn = (within - transposed(within)) / (column - row + eye) / (column + row + eye)
    change = u @ (turn * s[..., None, :])
    if u.shape[-2] > u.shape[-1]:
        values = raw(s)
        if bool((values <= rounding(values, u.shape[-2])).any()):
            raise GraphError(
                f"svd: a singular value is 0 (singular vectors of shape {u.shape}), so that the "
                "vector that belongs to it has no gradient; use the singular values alone, or a "
                "matrix of full rank"
            )
        change = change + (of_u - u @ within) / s[..., None, :]
    return change @ vh


def _svd_forward(xp: Any, x: Any, *, full_matrices: bool) -> Any:
    with explained("svd", x, "has no singular values that LAPACK could find"):
        return xp.linalg.svd(x, full_matrices=full_matrices)


def _singular_values_forward(xp: Any, x: Any) -> Any:
    with explained("svd", x, "has no singular values that LAPACK could find"):
        return xp.linalg.svd(x, compute_uv=False)


_svd = op_with_parts("svd", _svd_forward, 3, _svd_rule)
# Without the vectors it takes a third of the time, but the derivative needs them.
_singular_values = op("svd", _singular_values_forward)


class SVDResult(NamedTuple):
    """What `svd` returns: x = U @ diag(S) @ Vh."""

    U: Tensor
    S: Tensor
    Vh: Tensor


def svd(x: Any, full_matrices: bool = True, compute_uv: bool = True) -> SVDResult | Tensor:
    """The singular values, descending, and singular vectors: x = U @ diag(S) @ Vh.

    Derivative: J. Townsend, "Differentiating the Singular Value Decomposition", 2016. The signs
    of a pair of vectors are arbitrary: a loss must not depend on them.

    Arguments:
        x: shape (..., m, n), float32 or float64. Below, k is the smaller of m and n.
        full_matrices: U and Vh square, of m and n columns and rows, instead of k. Those beyond
            k are arbitrary: a gradient of U or Vh then raises a GraphError unless m = n.
        compute_uv: False returns S alone.

    Returns:
        (U, S, Vh) of shapes (..., m, k), (..., k) and (..., k, n). A gradient of U or Vh where
        two singular values are equal (for m != n: or one is 0) raises a GraphError; a gradient
        of S alone has no such limit.

    >>> import minigrad as mg
    >>> mg.linalg.svd(mg.tensor([[0.0, 3.0], [2.0, 0.0]]), compute_uv=False)
    tensor([3., 2.])
    """
    x = matrices("svd", x)
    if compute_uv:
        return SVDResult(*_svd(x, full_matrices=full_matrices))
    return singular_values(x)


def singular_values(x: Tensor) -> Tensor:
    """Of float matrices (..., m, n) the min(m, n) singular values, descending."""
    if x.requires_grad and is_grad_enabled():
        return _svd(x, full_matrices=False)[1]
    return _singular_values(x)
