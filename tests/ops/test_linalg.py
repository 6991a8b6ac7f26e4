"""mg.linalg against NumPy, PyTorch and closed forms: values, gradients, second derivatives."""

from __future__ import annotations

import itertools
import math
import operator

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import ArgumentError, DtypeError, GraphError, MinigradError, ShapeError


def assert_close(actual, expected):
    expected = np.asarray(expected)
    scale = np.abs(expected).max(initial=1)
    np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-11 * scale)


def torch_gradients(out, ts, **how):
    """PyTorch's, with zeros where it cuts the graph because they are known to be 0."""
    torch = pytest.importorskip("torch")
    if not out.requires_grad:
        return [torch.zeros_like(t) for t in ts]
    grads = torch.autograd.grad(out, ts, allow_unused=True, **how)
    return [torch.zeros_like(t) if g is None else g for g, t in zip(grads, ts, strict=True)]


def check_against_torch(ours, theirs, *arrays):
    """Values, gradients, and (of the gradient along a direction) second derivatives, in float64."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    xs = [mg.tensor(a, requires_grad=True) for a in arrays]
    ts = [torch.tensor(a, requires_grad=True) for a in arrays]
    out, expected = ours(*xs), theirs(*ts)
    assert out.shape == tuple(expected.shape)
    assert_close(out.data, expected.numpy(force=True))
    # Squared, so that the second derivative sees the values as well.
    weight = rng.normal(size=out.shape)
    loss = (mg.tensor(weight) * out * out).sum()
    wanted_loss = (torch.tensor(weight) * expected * expected).sum()
    grads = mg.grad(loss, xs, create_graph=True)
    wanted = torch_gradients(wanted_loss, ts, create_graph=True)
    for g, w in zip(grads, wanted, strict=True):
        assert_close(g.data, w.numpy(force=True))
    directions = [rng.normal(size=a.shape) for a in arrays]
    along = sum((g * d).sum() for g, d in zip(grads, directions, strict=True))
    wanted_along = sum((w * torch.tensor(d)).sum() for w, d in zip(wanted, directions, strict=True))
    seconds = mg.grad(along, xs)
    wanted = torch_gradients(wanted_along, ts)
    for g, w in zip(seconds, wanted, strict=True):
        assert_close(g.data, w.numpy(force=True))


def slopes_by_differences(function, x, step=1e-6):
    """The gradient of a function of an array by central differences."""
    out = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        change = np.zeros_like(x)
        change[place] = step
        out[place] = (function(x + change) - function(x - change)) / (2 * step)
    return out


def gradient(function, x):
    """The gradient of a function of a tensor, as an array."""
    x = mg.tensor(x, requires_grad=True)
    return mg.grad(function(x), x)[0].data


def symmetric(x):
    return (x + x.mT) / 2


def positive(x):
    """A symmetric positive definite matrix made of any one."""
    eye = np.eye(x.shape[-1])
    return x @ x.mT + (mg.tensor(eye) if isinstance(x, mg.Tensor) else x.new_tensor(eye))


SQUARES = [(1, 1), (2, 2), (4, 4), (3, 2, 2), (2, 1, 3, 3), (0, 3, 3), (0, 0), (2, 0, 0)]
RECTANGLES = [(3, 3), (5, 3), (3, 5), (1, 4), (4, 1), (2, 4, 3), (2, 3, 4), (0, 4, 3)]


# -- equations and determinants ------------------------------------------------------------------


@pytest.mark.torch
@pytest.mark.parametrize("shape", SQUARES)
def test_of_square_matrices(shape, rng):
    torch = pytest.importorskip("torch")
    x = rng.normal(size=shape)
    check_against_torch(mg.linalg.inv, torch.linalg.inv, x)
    check_against_torch(mg.linalg.det, torch.linalg.det, x)
    check_against_torch(
        lambda x: mg.linalg.slogdet(x).logabsdet, lambda x: torch.linalg.slogdet(x)[1], x
    )
    assert_close(mg.linalg.slogdet(x).sign.data, np.linalg.slogdet(x).sign)
    check_against_torch(
        lambda x: mg.linalg.cholesky(positive(x)), lambda x: torch.linalg.cholesky(positive(x)), x
    )
    check_against_torch(
        lambda x: mg.linalg.cholesky(positive(x), upper=True),
        lambda x: torch.linalg.cholesky(positive(x), upper=True),
        x,
    )


@pytest.mark.torch
@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((3, 3), (3,)),
        ((3, 3), (3, 2)),
        ((3, 3), (3, 0)),
        ((2, 3, 3), (2, 3, 4)),
        ((2, 1, 3, 3), (4, 3, 2)),
        ((3, 3), (2, 3, 1)),
        ((0, 3, 3), (3, 2)),
        ((0, 0), (0, 2)),
    ],
)
def test_solve(a, b, rng):
    torch = pytest.importorskip("torch")
    check_against_torch(mg.linalg.solve, torch.linalg.solve, rng.normal(size=a), rng.normal(size=b))


def test_solve_takes_a_vector_only_where_b_has_one_axis(rng):
    a, b = rng.normal(size=(4, 2, 2)), rng.normal(size=2)
    assert_close(mg.linalg.solve(a, b).data, np.linalg.inv(a) @ b)
    with pytest.raises(ShapeError, match=r"needs b of shape .* n = 2, got \(4, 3\)"):
        mg.linalg.solve(a, rng.normal(size=(4, 3)))
    # As many vectors as rows is no batch of vectors either, but one matrix.
    b = rng.normal(size=(2, 2))
    assert_close(mg.linalg.solve(a, b).data, np.linalg.inv(a) @ b)


def cofactors(x):
    """By their definition: the signed determinant without row i and column j."""
    n = len(x)
    out = np.empty((n, n))
    for i, j in itertools.product(range(n), repeat=2):
        minor = np.delete(np.delete(x, i, 0), j, 1)
        out[i, j] = (-1) ** (i + j) * np.linalg.det(minor)
    return out


SINGULAR = {
    "rank 2 of 3": np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]),
    "rank 1 of 3": np.outer([1.0, 2.0, 3.0], [1.0, -1.0, 2.0]),
    "zero": np.zeros((3, 3)),
    "zero 2 x 2": np.zeros((2, 2)),
    "zero 1 x 1": np.zeros((1, 1)),
    "rank 1 of 2, up to rounding": np.array([[0.1, 0.2], [0.3, 0.6]]),
    "rank 2 of 4": np.diag([1.0, 2.0, 0.0, 0.0]),
    "regular, but almost not": np.array([[1.0, 1.0], [1.0, 1.0 + 1e-13]]),
}


@pytest.mark.parametrize("x", SINGULAR.values(), ids=SINGULAR.keys())
def test_det_at_singular_matrices(x, rng):
    """The gradient are the cofactors; the second derivative is the slope of those."""
    np.testing.assert_allclose(gradient(mg.linalg.det, x), cofactors(x), rtol=1e-9, atol=1e-12)
    w = rng.normal(size=x.shape)

    def slope(x):
        (g,) = mg.grad(mg.linalg.det(x), x, create_graph=True)
        return (g * mg.tensor(w)).sum()

    # Cofactors of up to 4 x 4 are cubic at most: central differences with a large step are
    # exact but for the cubic term, and for rounding.
    expected = slopes_by_differences(lambda x: (cofactors(x) * w).sum(), x, step=1e-4)
    np.testing.assert_allclose(gradient(slope, x), expected, rtol=1e-7, atol=1e-7)


def test_det_of_small_singular_matrices():
    """A singular value counts as 0 by what it is beside the largest one, not by its size."""
    x = SINGULAR["rank 2 of 3"]
    np.testing.assert_allclose(gradient(mg.linalg.det, 1e-20 * x) / 1e-40, cofactors(x), rtol=1e-9)


def test_third_derivative_of_det(rng):
    """Of a 3 x 3 matrix it does not depend on the matrix: along d it is 6 det(d)."""
    x, d = rng.normal(size=(2, 3, 3))
    t = mg.tensor(x, requires_grad=True)
    y = mg.linalg.det(t)
    for _ in range(3):
        y = (mg.grad(y, t, create_graph=True)[0] * mg.tensor(d)).sum()
    np.testing.assert_allclose(y.item(), 6 * np.linalg.det(d), rtol=1e-9)


def test_third_derivative_of_det_at_a_singular_matrix_is_refused():
    x = mg.tensor(np.ones((2, 2)), requires_grad=True)
    (g,) = mg.grad(mg.linalg.det(x), x, create_graph=True)
    with pytest.raises(GraphError, match=r"det: the matrix \(shape \(2, 2\)\) is singular; deriv"):
        mg.grad(g.sum(), x, create_graph=True)


def test_slogdet_of_a_singular_matrix_has_a_value_but_no_gradient():
    x = mg.ones(2, 2, requires_grad=True)
    sign, log = mg.linalg.slogdet(x)
    assert sign.item() == 0 and log.item() == -math.inf
    with pytest.raises(GraphError, match=r"slogdet: .* is singular; .* use det, or add"):
        log.backward()


def test_the_sign_of_a_determinant_has_slope_0(rng):
    assert not gradient(lambda x: mg.linalg.slogdet(x).sign, rng.normal(size=(3, 3))).any()


# -- factorizations ------------------------------------------------------------------------------


@pytest.mark.torch
@pytest.mark.parametrize("shape", RECTANGLES)
def test_qr(shape, rng):
    torch = pytest.importorskip("torch")
    x = rng.normal(size=shape)
    q, r = mg.linalg.qr(x)
    assert_close((q @ r).data, x)
    assert_close(r.data, np.triu(r.data))
    # Squares, as the signs of rows of R and columns of Q are arbitrary.
    check_against_torch(lambda x: mg.linalg.qr(x).Q ** 2, lambda x: torch.linalg.qr(x).Q ** 2, x)
    check_against_torch(lambda x: mg.linalg.qr(x).R ** 2, lambda x: torch.linalg.qr(x).R ** 2, x)

    def both(qr, exp):
        return lambda x: qr(x)[0] @ (exp(-(qr(x)[1] ** 2)) * qr(x)[1])

    check_against_torch(both(mg.linalg.qr, mg.exp), both(torch.linalg.qr, torch.exp), x)


@pytest.mark.torch
@pytest.mark.parametrize("shape", RECTANGLES)
def test_svd(shape, rng):
    torch = pytest.importorskip("torch")
    x = rng.normal(size=shape)
    # Squares, as the signs of vectors are arbitrary.
    for name in ("U", "S", "Vh"):
        part = operator.attrgetter(name)
        check_against_torch(
            lambda x, part=part: part(mg.linalg.svd(x, full_matrices=False)) ** 2,
            lambda x, part=part: part(torch.linalg.svd(x, full_matrices=False)) ** 2,
            x,
        )

    def both(svd, exp):
        """A function of the singular values, put back between the vectors."""

        def function(x):
            u, s, vh = svd(x, full_matrices=False)
            return (u * exp(-s)[..., None, :]) @ vh

        return function

    check_against_torch(both(mg.linalg.svd, mg.exp), both(torch.linalg.svd, torch.exp), x)
    check_against_torch(lambda x: mg.linalg.svd(x, compute_uv=False), torch.linalg.svdvals, x)


@pytest.mark.torch
@pytest.mark.parametrize("shape", SQUARES)
@pytest.mark.parametrize("UPLO", ["L", "U"])
def test_eigh(shape, UPLO, rng):
    torch = pytest.importorskip("torch")
    x = rng.normal(size=shape)
    for name in ("eigenvalues", "eigenvectors"):
        part = operator.attrgetter(name)
        check_against_torch(
            lambda x, part=part: part(mg.linalg.eigh(symmetric(x), UPLO)) ** 2,
            lambda x, part=part: part(torch.linalg.eigh(symmetric(x), UPLO)) ** 2,
            x,
        )

    def both(eigh, exp):
        def function(x):
            w, v = eigh(symmetric(x))
            return (v * exp(w)[..., None, :]) @ v.mT

        return function

    check_against_torch(both(mg.linalg.eigh, mg.exp), both(torch.linalg.eigh, torch.exp), x)


def test_gradients_of_symmetric_matrices_are_symmetric(rng):
    a = rng.normal(size=(3, 3))
    x = a @ a.T + np.eye(3)
    w = mg.tensor(rng.normal(size=(3, 3)))
    for function in (mg.linalg.cholesky, lambda x: mg.linalg.eigh(x).eigenvectors):
        g = gradient(lambda x: (function(x) * w).sum(), x)  # noqa: B023
        np.testing.assert_allclose(g, g.T, rtol=1e-12)


def test_results_have_numpys_names(rng):
    x = rng.normal(size=(4, 4))
    x = x + x.T
    for name in ("qr", "svd", "eigh", "slogdet"):
        ours, numpys = getattr(mg.linalg, name)(x), getattr(np.linalg, name)(x)
        assert ours._fields == numpys._fields
        for a, b in zip(ours, numpys, strict=True):
            assert_close(a.data, b)


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (3, 3), (2, 4, 3), (3, 0)])
def test_svd_with_full_matrices(shape, rng):
    x = rng.normal(size=shape)
    for ours, numpys in zip(mg.linalg.svd(x), np.linalg.svd(x), strict=True):
        assert_close(ours.data, numpys)
    # Its singular values have a gradient whatever the shape.
    thin = gradient(lambda x: mg.linalg.svd(x, compute_uv=False).sum(), x)
    assert_close(gradient(lambda x: mg.linalg.svd(x).S.sum(), x), thin)
    if shape[-1] != shape[-2]:
        with pytest.raises(
            GraphError, match=r"svd: with full_matrices=True .* full_matrices=False"
        ):
            gradient(lambda x: mg.linalg.svd(x).U.sum(), x)


def test_equal_eigenvalues():
    """Values alone have a gradient: that of their sum is the identity. Their vectors have none."""
    eye = np.eye(3)
    np.testing.assert_allclose(gradient(lambda x: mg.linalg.eigh(x).eigenvalues.sum(), eye), eye)
    np.testing.assert_allclose(
        gradient(lambda x: mg.linalg.svd(x, compute_uv=False).sum(), eye), eye
    )
    with pytest.raises(GraphError, match="eigh: two eigenvalues are equal"):
        gradient(lambda x: mg.linalg.eigh(x).eigenvectors.sum(), eye)
    with pytest.raises(GraphError, match="svd: two singular values are equal"):
        gradient(lambda x: mg.linalg.svd(x).Vh.sum(), eye)
    # Equal but for rounding.
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    almost = turn @ np.diag([1.0, 1.0, 2.0]) @ turn.T
    with pytest.raises(GraphError, match="eigh: two eigenvalues are equal"):
        gradient(lambda x: mg.linalg.eigh(symmetric(x)).eigenvectors.sum(), almost)


def test_rank_deficient_matrices():
    x = np.outer([1.0, 2.0, 3.0], [1.0, 2.0])
    with pytest.raises(GraphError, match=r"qr: the columns that Q .* linearly dependent"):
        gradient(lambda x: mg.linalg.qr(x).R.sum(), x)
    with pytest.raises(GraphError, match="svd: a singular value is 0"):
        gradient(lambda x: mg.linalg.svd(x, full_matrices=False).U.sum(), x)


# -- norms ---------------------------------------------------------------------------------------

VECTOR_ORDERS = [None, 2, 1, 3, 2.5, 0.5, 0, -1, -2, math.inf, -math.inf]
MATRIX_ORDERS = [None, "fro", "nuc", 2, -2, 1, -1, math.inf, -math.inf]
KEEPDIMS = [False, True]


@pytest.mark.torch
@pytest.mark.parametrize("ord", VECTOR_ORDERS)
def test_vector_norms(ord, rng):
    torch = pytest.importorskip("torch")
    for shape, axis in [((4,), 0), ((2, 3), 1), ((2, 3), (0,)), ((3, 2, 4), -2)]:
        x = rng.normal(size=shape)
        for keepdims in KEEPDIMS:
            expected = np.linalg.norm(x, ord, axis, keepdims)
            assert_close(mg.linalg.norm(x, ord, axis, keepdims).data, expected)
        if ord == 0:
            continue  # a step: its slope of 0 is tested below
        check_against_torch(
            lambda x, axis=axis: mg.linalg.norm(x, ord, axis),
            lambda x, axis=axis: torch.linalg.vector_norm(x, 2 if ord is None else ord, axis),
            x,
        )


@pytest.mark.torch
@pytest.mark.parametrize("ord", MATRIX_ORDERS)
def test_matrix_norms(ord, rng):
    torch = pytest.importorskip("torch")
    for shape, axis in [
        ((3, 4), None),
        ((3, 3), (1, 0)),
        ((2, 3, 4), (0, 2)),
        ((2, 3, 4), (-1, 1)),
    ]:
        x = rng.normal(size=shape)
        for keepdims in KEEPDIMS:
            expected = np.linalg.norm(x, ord, axis, keepdims)
            assert_close(mg.linalg.norm(x, ord, axis, keepdims).data, expected)
        check_against_torch(
            lambda x, axis=axis: mg.linalg.norm(x, ord, axis),
            lambda x, axis=axis: torch.linalg.matrix_norm(
                x, "fro" if ord is None else ord, (-2, -1) if axis is None else axis
            ),
            x,
        )


def test_norms_made_of_single_elements():
    """Where a norm is a sum of some |x|, its gradient are their signs."""
    x = np.array([[1.0, -5.0], [-2.0, 3.0]])
    for ord, expected in [
        (1, [[0, -1], [0, 1]]),
        (-1, [[1, 0], [-1, 0]]),
        (math.inf, [[1, -1], [0, 0]]),
        (-math.inf, [[0, 0], [-1, 1]]),
    ]:
        assert gradient(lambda x: mg.linalg.norm(x, ord), x).tolist() == expected  # noqa: B023
    vector = np.array([1.0, -5.0, 2.0])
    assert gradient(lambda x: mg.linalg.norm(x, math.inf), vector).tolist() == [0, -1, 0]
    assert gradient(lambda x: mg.linalg.norm(x, -math.inf), vector).tolist() == [1, 0, 0]
    assert gradient(lambda x: mg.linalg.norm(x, 0), vector).tolist() == [0, 0, 0]


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 3, 4), (0,), (0, 3)])
def test_norm_of_all_elements(shape, rng):
    x = rng.normal(size=shape)
    assert_close(mg.linalg.norm(x).data, np.linalg.norm(x))
    assert_close(mg.norm(x, keepdims=True).data, np.linalg.norm(x, keepdims=True))
    assert_close(mg.tensor(x).norm().data, np.linalg.norm(x))


def test_norm_takes_pytorchs_names(rng):
    x = rng.normal(size=(2, 3))
    expected = np.linalg.norm(x, axis=1, keepdims=True)
    assert_close(mg.linalg.norm(x, dim=1, keepdim=True).data, expected)


@pytest.mark.parametrize("ord", VECTOR_ORDERS)
def test_the_gradient_of_a_vector_norm_at_0_is_0(ord):
    x = mg.tensor(np.zeros(3), requires_grad=True)
    (g,) = mg.grad(mg.linalg.norm(x, ord), x, create_graph=True)
    assert g.tolist() == [0, 0, 0]
    if g.requires_grad:
        assert np.isfinite(mg.grad(g.sum(), x, allow_unused=True)[0].data).all()


@pytest.mark.parametrize("ord", MATRIX_ORDERS)
def test_the_gradient_of_a_matrix_norm_at_0_is_0(ord):
    assert not gradient(lambda x: mg.linalg.norm(x, ord), np.zeros((2, 3))).any()


@pytest.mark.parametrize(("ord", "curvature"), [(2, 1 / 3), (4, 0), (3, 0)])
def test_the_second_derivative_where_an_element_is_0(ord, curvature):
    """d2/dx2 (x^2 + 9)^(1/2) = 1/3 at x = 0; of higher norms it is 0."""

    def slope(x):
        return mg.grad(mg.linalg.norm(x, ord), x, create_graph=True)[0][0]

    np.testing.assert_allclose(gradient(slope, np.array([0.0, 3.0])), [curvature, 0], rtol=1e-12)


@pytest.mark.parametrize("ord", [3, 1.5, 0.5])
def test_a_zero_among_others_has_slope_0(ord):
    g = gradient(lambda x: mg.linalg.norm(x, ord), np.array([0.0, 2.0]))
    np.testing.assert_allclose(g, [0, 1], rtol=1e-12)


@pytest.mark.parametrize("size", [1e-30, 1e-37, 1e30])
@pytest.mark.parametrize("ord", [None, 3, -2])
def test_norms_of_tiny_and_huge_numbers_neither_underflow_nor_overflow(size, ord):
    x = np.full(4, size, np.float32)
    expected = np.linalg.norm(x.astype(np.float64), ord)
    out = mg.linalg.norm(x, ord)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out.item(), np.float32(expected), rtol=1e-6)
    expected = gradient(lambda x: mg.linalg.norm(x, ord), np.ones(4))
    np.testing.assert_allclose(gradient(lambda x: mg.linalg.norm(x, ord), x), expected, rtol=1e-6)


# -- dtypes and errors ---------------------------------------------------------------------------


def test_dtypes():
    x = np.array([[2, 1], [1, 3]])
    for name in ("inv", "det", "cholesky", "norm"):
        function = getattr(mg.linalg, name)
        assert function(x).dtype == np.float64
        assert function(x.astype(np.float32)).dtype == np.float32
    assert gradient(mg.linalg.det, x.astype(np.float32)).dtype == np.float32
    with pytest.raises(DtypeError, match=r"inv: float16 is not supported; convert first"):
        mg.linalg.inv(x.astype(np.float16))


SLOPE = np.array([[1.0, 2.0], [3.0, 4.0]])
NAN = np.full((2, 2), np.nan)


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (
            lambda: mg.linalg.inv(np.ones((2, 2))),
            ArgumentError,
            "inv: the matrix (shape (2, 2)) is singular: its rows are linearly dependent; look "
            "for repeated or zero rows, or add a small multiple of the identity, e.g. "
            "x + 1e-6 * mg.eye(n)",
        ),
        (
            lambda: mg.linalg.solve(np.ones((2, 2)), np.ones(2)),
            ArgumentError,
            "solve: the matrix (shape (2, 2)) is singular: its rows are linearly dependent",
        ),
        (lambda: mg.linalg.det(np.ones((2, 3))), ShapeError, "det: needs square matrices, got sha"),
        (
            lambda: mg.linalg.inv(np.ones(3)),
            ShapeError,
            "inv: needs a matrix (two axes or more), got shape (3,)",
        ),
        (
            lambda: mg.linalg.solve(np.eye(3), np.ones(2)),
            ShapeError,
            "solve: a of shape (3, 3) needs b of shape (n,) or (..., n, k) with n = 3, got (2,); "
            "give a batch of vectors as b[..., None]",
        ),
        (lambda: mg.linalg.solve(np.eye(3), 1.0), ShapeError, "solve: a of shape (3, 3) needs b"),
        (
            lambda: mg.linalg.cholesky(SLOPE),
            ArgumentError,
            "cholesky: the matrix (shape (2, 2)) is not symmetric, entries differ by up to 1; "
            "make it so, e.g. (x + x.mT) / 2",
        ),
        (lambda: mg.linalg.eigh(SLOPE), ArgumentError, "eigh: the matrix (shape (2, 2)) is not sy"),
        (
            lambda: mg.linalg.cholesky(-np.eye(2)),
            ArgumentError,
            "cholesky: the matrix (shape (2, 2)) is not positive definite: it has an eigenvalue "
            "of 0 or below; add a small multiple of the identity",
        ),
        (
            lambda: mg.linalg.svd(NAN),
            ArgumentError,
            "svd: the matrix (shape (2, 2)) holds NaN or infinity; look for where that came from",
        ),
        (
            lambda: mg.linalg.eigh(np.eye(2), "X"),
            ArgumentError,
            "eigh: unknown UPLO 'X'; valid: 'L', 'U'",
        ),
        (
            lambda: mg.linalg.qr(np.eye(2), "complete"),
            ArgumentError,
            "qr: unknown mode 'complete'; valid: 'reduced'",
        ),
        (
            lambda: mg.linalg.norm(np.ones(3), "fro"),
            ArgumentError,
            "norm: unknown ord 'fro' for vectors (axis (0,) of shape (3,)); valid: None, a number",
        ),
        (
            lambda: mg.linalg.norm(np.ones((2, 2)), 3),
            ArgumentError,
            "norm: unknown ord 3 for matrices (axes (0, 1) of shape (2, 2)); valid: None, 'fro', "
            "'nuc', 1, -1, 2, -2, inf, -inf; for the norms of vectors give one axis",
        ),
        (
            lambda: mg.linalg.norm(np.ones((2, 2, 2)), 2),
            ShapeError,
            "norm: works on vectors (one axis) or matrices (two axes), got axes (0, 1, 2) of "
            "shape (2, 2, 2); say which with axis=",
        ),
        (
            lambda: mg.linalg.norm(np.ones((2, 2)), axis=(1, -1)),
            ShapeError,
            "norm: works on vectors (one axis) or matrices (two axes), got axes (1, 1)",
        ),
    ],
)
def test_bad_input_is_told(call, kind, text):
    with pytest.raises(MinigradError) as error:
        call()
    assert type(error.value) is kind
    assert str(error.value).startswith(text)
