"""Products, contractions and diagonals against NumPy and PyTorch; einsum also against its law."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad as mg
from minigrad.errors import MinigradError


def assert_close(actual, expected):
    expected = np.asarray(expected)
    scale = np.abs(expected).max(initial=0)
    np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-12 * scale)


def check_against_torch(ours, theirs, shapes, seed=0):
    """Values, gradients, and gradients of gradients, in float64."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    arrays = [rng.normal(size=shape) for shape in shapes]
    xs = [mg.tensor(a, requires_grad=True) for a in arrays]
    ts = [torch.tensor(a, requires_grad=True) for a in arrays]
    out, expected = ours(*xs), theirs(*ts)
    assert out.shape == tuple(expected.shape)
    assert_close(out.data, expected.detach())
    # Squared, so that the second derivative sees the values as well.
    weight = rng.normal(size=out.shape)
    grads = mg.grad((mg.tensor(weight) * out * out).sum(), xs, create_graph=True)
    wanted = torch.autograd.grad(
        (torch.tensor(weight) * expected * expected).sum(), ts, create_graph=True
    )
    for g, w in zip(grads, wanted, strict=True):
        assert_close(g.data, w.detach())
    seconds = mg.grad(sum((g * g).sum() for g in grads), xs)
    wanted = torch.autograd.grad(sum((w * w).sum() for w in wanted), ts)
    for g, w in zip(seconds, wanted, strict=True):
        assert_close(g.data, w)


# -- products ------------------------------------------------------------------------------------

SHAPES = {
    "dot": [((), (3,)), ((2, 2), ()), ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)),
            ((2, 3), (3, 4)), ((5, 2, 3), (3,)), ((5, 2, 3), (4, 3, 2)), ((2, 0), (0, 3))],
    "inner": [((), (3,)), ((3,), (3,)), ((2, 3), (3,)), ((2, 3), (4, 3)), ((2, 0), (4, 0)),
              ((5, 2, 3), (4, 3))],
    "outer": [((), (3,)), ((3,), (2,)), ((2, 2), (3,)), ((0,), (3,))],
    "kron": [((2,), (3,)), ((2, 3), (3, 2)), ((2,), (2, 3, 1)), ((2, 3, 2), (2, 2)), ((), (3,)),
             ((0,), (3,))],
    "matmul": [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)),
               ((5, 2, 3), (3, 4)), ((2, 3), (5, 3, 4)), ((5, 1, 2, 3), (4, 3, 2)),
               ((3,), (5, 3, 2)), ((2, 0), (0, 3)), ((0, 2, 3), (3, 2))],
}  # fmt: skip
CASES = [(name, *shapes) for name, pairs in SHAPES.items() for shapes in pairs]


@pytest.mark.parametrize(("name", "a", "b"), CASES)
def test_values_are_numpys(name, a, b, rng):
    a, b = rng.normal(size=a), rng.normal(size=b)
    expected = getattr(np, name)(a, b)
    out = getattr(mg, name)(mg.tensor(a), mg.tensor(b))
    assert out.shape == np.shape(expected)
    assert_close(out.data, expected)


def torch_of(name):
    """The product of `name`, spelled in operations that PyTorch differentiates."""
    import torch

    spelled = {
        "dot": lambda a, b: a * b if 0 in (a.ndim, b.ndim) else torch.tensordot(
            a, b, dims=([a.ndim - 1], [max(b.ndim - 2, 0)])
        ),
        "inner": lambda a, b: torch.inner(a, b),
        "outer": lambda a, b: a.reshape(-1)[:, None] * b.reshape(-1),
        "kron": torch.kron,
        "matmul": torch.matmul,
    }  # fmt: skip
    return spelled[name]


@pytest.mark.torch
@pytest.mark.parametrize(("name", "a", "b"), CASES)
def test_derivatives_are_torchs(name, a, b):
    pytest.importorskip("torch")
    check_against_torch(getattr(mg, name), torch_of(name), [a, b])


TENSORDOTS = [
    ((2, 3), (2, 3), 0), ((2, 3), (3, 4), 1), ((2, 3, 4), (3, 4, 5), 2),
    ((2, 3, 4), (4, 3, 5), ([1, 2], [1, 0])), ((2, 3), (5, 2), (0, 1)), ((2, 3), (5, 2), (-2, -1)),
    ((2, 0), (0, 3), 1), ((0, 2), (2, 3), 1), ((), (2,), 0),
]  # fmt: skip


@pytest.mark.torch
@pytest.mark.parametrize(("a", "b", "axes"), TENSORDOTS)
def test_tensordot(a, b, axes, rng):
    torch = pytest.importorskip("torch")
    x, y = rng.normal(size=a), rng.normal(size=b)
    assert_close(mg.tensordot(x, y, axes).data, np.tensordot(x, y, axes))
    dims = axes if isinstance(axes, int) else [[d] if isinstance(d, int) else d for d in axes]
    check_against_torch(
        lambda x, y: mg.tensordot(x, y, axes), lambda x, y: torch.tensordot(x, y, dims), [a, b]
    )


@pytest.mark.parametrize("shape", [(3, 3), (2, 4), (4, 2), (1, 1), (0, 3), (2, 3, 4), (3, 2, 3, 2)])
@pytest.mark.parametrize("offset", [0, 1, -1, 2, -3, 7])
def test_diagonals_are_numpys(shape, offset, rng):
    x = rng.normal(size=shape)
    for axes in [(0, 1), (1, 0), (-1, 0), (-2, -1)]:
        if axes[0] % len(shape) == axes[1] % len(shape):
            continue
        assert_close(mg.diagonal(x, offset, *axes).data, np.diagonal(x, offset, *axes))
        assert_close(mg.trace(x, offset, *axes).data, np.trace(x, offset, *axes))
    if len(shape) == 2:
        assert_close(mg.diag(x, offset).data, np.diag(x, offset))
    vector = x.reshape(-1)[:3]
    assert_close(mg.diag(vector, offset).data, np.diag(vector, offset))


@pytest.mark.torch
@pytest.mark.parametrize("offset", [0, 1, -2])
def test_derivatives_of_diagonals_are_torchs(offset):
    torch = pytest.importorskip("torch")
    for shape in [(3, 3), (2, 5), (5, 2)]:
        check_against_torch(lambda x: mg.diag(x, offset), lambda x: torch.diag(x, offset), [shape])
    check_against_torch(lambda x: mg.diag(x, offset), lambda x: torch.diag(x, offset), [(3,)])
    check_against_torch(
        lambda x: mg.diagonal(x, offset, 2, 0),
        lambda x: torch.diagonal(x, offset, 2, 0),
        [(3, 2, 4)],
    )
    check_against_torch(
        lambda x: mg.trace(x, offset), lambda x: torch.diagonal(x, offset).sum(-1), [(3, 3)]
    )


def test_a_diagonal_shows_the_memory_of_its_matrix():
    x = mg.zeros(2, 2)
    with mg.no_grad():
        mg.diagonal(x)[:] = 5.0
    assert x.tolist() == [[5.0, 0.0], [0.0, 5.0]]


def test_methods():
    x = mg.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert x.dot(mg.tensor([1.0, 1.0])).tolist() == [3.0, 7.0]
    assert x.trace().item() == 5.0
    assert x.diagonal(1).tolist() == [2.0]
    assert x.diag().tolist() == [1.0, 4.0]


# -- einsum --------------------------------------------------------------------------------------

SIZES = {"a": 2, "b": 3, "c": 1, "B": 4, "z": 0}
BEHIND_DOTS = (2, 3)


@st.composite
def calls(draw):
    """Subscripts with shapes that fit: letters repeat, stretch from 1, and stand behind dots."""
    letters = st.sampled_from("abcB" if draw(st.booleans()) else "abcBz")
    terms, shapes = [], []
    for _ in range(draw(st.integers(1, 3))):
        term = draw(st.lists(letters, max_size=3))
        # A letter stretches as a whole: within one operand its axes have one size.
        stretched = {c for c in set(term) if draw(st.integers(0, 4)) == 0}
        shape = [1 if c in stretched else SIZES[c] for c in term]
        if draw(st.booleans()):
            place = draw(st.integers(0, len(term)))
            behind = BEHIND_DOTS[draw(st.integers(0, 2)) :]
            shape[place:place] = [draw(st.sampled_from([1, n])) for n in behind]
            term.insert(place, "...")
        terms.append("".join(term))
        shapes.append(tuple(shape))
    subscripts = ",".join(terms)
    if draw(st.booleans()):
        used = sorted(set(subscripts) - set(".,"))
        output = draw(st.lists(st.sampled_from(used), unique=True)) if used else []
        if "..." in subscripts:
            output.insert(draw(st.integers(0, len(output))), "...")
        subscripts += "->" + "".join(output)
    return subscripts, shapes


@given(calls(), st.integers(0, 1000))
def test_einsum_is_numpys(call, seed):
    subscripts, shapes = call
    rng = np.random.default_rng(seed)
    xs = [rng.normal(size=shape) for shape in shapes]
    expected = np.einsum(subscripts, *xs)
    out = mg.einsum(subscripts, *xs)
    assert out.shape == expected.shape
    assert_close(out.data, expected)


@given(calls(), st.integers(0, 1000))
def test_the_derivative_of_einsum_is_its_adjoint(call, seed):
    """einsum is linear in each operand: <w, einsum(.., dx, ..)> = <gradient, dx> for all dx."""
    subscripts, shapes = call
    rng = np.random.default_rng(seed)
    arrays = [rng.normal(size=shape) for shape in shapes]
    xs = [mg.tensor(a, requires_grad=True) for a in arrays]
    out = mg.einsum(subscripts, *xs)
    w = rng.normal(size=out.shape)
    grads = mg.grad(out, xs, mg.tensor(w))
    for k, g in enumerate(grads):
        dx = rng.normal(size=shapes[k])
        moved = np.einsum(subscripts, *arrays[:k], dx, *arrays[k + 1 :])
        assert g.shape == shapes[k]
        np.testing.assert_allclose((g.data * dx).sum(), (w * moved).sum(), rtol=1e-9, atol=1e-9)


@pytest.mark.torch
@pytest.mark.parametrize(
    ("subscripts", "shapes"),
    [
        ("ij->ji", [(2, 3)]),
        ("ii", [(3, 3)]),
        ("iij->j", [(3, 3, 2)]),
        ("ij->", [(2, 3)]),
        ("ij,jk", [(2, 3), (3, 4)]),
        ("bij,bjk->bik", [(2, 3, 4), (2, 4, 3)]),
        ("...ij,...jk->...ik", [(2, 3, 4), (4, 2)]),
        ("ii,ij->j", [(3, 3), (3, 2)]),
        ("ij,kl->jk", [(2, 3), (4, 2)]),
        ("ij,jk,kl->il", [(2, 3), (3, 2), (2, 4)]),
        ("i,i,i->i", [(3,), (3,), (3,)]),
        ("bi,ijk,bk->bj", [(2, 3), (3, 2, 4), (2, 4)]),
        (",i->i", [(), (3,)]),
        ("ij,jk", [(2, 0), (0, 3)]),
    ],
)
def test_derivatives_of_einsum_are_torchs(subscripts, shapes):
    torch = pytest.importorskip("torch")
    check_against_torch(
        lambda *xs: mg.einsum(subscripts, *xs), lambda *xs: torch.einsum(subscripts, *xs), shapes
    )


def test_the_same_tensor_twice_in_einsum():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    mg.einsum("i,i", x, x).backward()
    assert x.grad.tolist() == [2.0, 4.0]


def test_third_derivative_of_einsum():
    x = mg.tensor(np.array([1.0, 2.0]), requires_grad=True)
    y = mg.einsum("i,i,i->", x, x, x)
    for _ in range(3):
        (y,) = mg.grad(y.sum(), x, create_graph=True)
    assert y.tolist() == [6.0, 6.0]


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int64, np.int8, bool])
def test_einsum_keeps_the_dtype_as_numpy_does(dtype):
    x = np.ones((2, 3), dtype)
    expected = np.einsum("ij->i", x)
    out = mg.einsum("ij->i", x)
    assert out.dtype == expected.dtype and out.tolist() == expected.tolist()
    assert mg.einsum("ij,j", x, np.ones(3)).dtype == np.float64


# -- errors --------------------------------------------------------------------------------------

ONES = np.ones


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: mg.einsum(ONES(2)), "einsum: give a string and at least one tensor"),
        (lambda: mg.einsum("i"), "einsum: give a string and at least one tensor"),
        (lambda: mg.einsum("i,j", ONES(2)), "einsum 'i,j': 2 terms for 1 operands"),
        (lambda: mg.einsum("i1", ONES((2, 2))), "einsum 'i1': '1' cannot stand in the term 'i1'"),
        (lambda: mg.einsum("i.", ONES(2)), "einsum 'i.': '.' cannot stand in the term 'i.'"),
        (
            lambda: mg.einsum("i->j", ONES(2)),
            "einsum 'i->j': the output names 'j', which no operand has",
        ),
        (lambda: mg.einsum("i->ii", ONES(2)), "einsum 'i->ii': the output names 'i' twice"),
        (
            lambda: mg.einsum("...i->i", ONES((2, 2))),
            "einsum '...i->i': the axes behind ... are missing from the output; put ... there",
        ),
        (
            lambda: mg.einsum("ij", ONES(2)),
            "einsum 'ij': the term 'ij' names 2 axes of shape (2,); given shapes (2,)",
        ),
        (
            lambda: mg.einsum("i,j", ONES(2), ONES((2, 3))),
            "einsum 'i,j': the term 'j' names 1 axes of shape (2, 3); put ... for the others; "
            "given shapes (2,), (2, 3)",
        ),
        (
            lambda: mg.einsum("ij,jk", ONES((2, 3)), ONES((2, 3))),
            "einsum 'ij,jk': 'j' stands for sizes 3 and 2; given shapes (2, 3), (2, 3)",
        ),
        (
            lambda: mg.einsum("...,...", ONES(3), ONES(2)),
            "einsum '...,...': ... stands for sizes 3 and 2; given shapes (3,), (2,)",
        ),
        (
            lambda: mg.einsum("ii", ONES((2, 3))),
            "einsum 'ii': 'i' stands for sizes 2 and 3 of one operand; given shapes (2, 3)",
        ),
        (
            lambda: mg.dot(ONES((2, 3)), ONES((2, 3))),
            "dot: shapes (2, 3) and (2, 3) do not fit: the last axis of the first (3) must equal "
            "the second-last axis of the second (2); transpose one of them?",
        ),
        (
            lambda: mg.inner(ONES((2, 3)), ONES((3, 2))),
            "inner: shapes (2, 3) and (3, 2): the last axes must be equal; for a matrix product "
            "use a @ b",
        ),
        (
            lambda: mg.tensordot(ONES((2, 3)), ONES((2, 3)), 1),
            "tensordot: axes [1] of shape (2, 3) and axes [0] of shape (2, 3) differ in size; "
            "pair axes of equal size",
        ),
        (
            lambda: mg.tensordot(ONES(2), ONES(2), 2),
            "tensordot: cannot sum over 2 axes of shapes (2,) and (2,)",
        ),
        (
            lambda: mg.tensordot(ONES((2, 2)), ONES((2, 2)), ([0, 0], [0, 0])),
            "tensordot: an axis occurs twice in ([0, 0], [0, 0])",
        ),
        (
            lambda: mg.tensordot(ONES(2), ONES(2), [0]),
            "tensordot: axes must be a number, or a pair (axes of a, axes of b), got [0]",
        ),
        (
            lambda: mg.diagonal(ONES(3)),
            "diagonal: needs two axes or more, got shape (3,); to make a matrix of a vector use "
            "diag",
        ),
        (
            lambda: mg.diagonal(ONES((3, 3)), 0, 1, -1),
            "diagonal: axis1 and axis2 are both axis 1 of shape (3, 3)",
        ),
        (
            lambda: mg.diag(ONES((2, 2, 2))),
            "diag: needs a vector or a matrix, got shape (2, 2, 2); for the diagonals of a batch "
            "of matrices use diagonal(x, axis1=-2, axis2=-1)",
        ),
    ],
)
def test_bad_input_is_told(call, text):
    with pytest.raises(MinigradError) as error:
        call()
    assert str(error.value).startswith(text)
