"""Results have the dtype that NumPy gives them, gradients the dtype of their leaf."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import DtypeError

DTYPES = [np.float16, np.float32, np.float64, np.int32, np.int64, np.bool_]
FLOATS = DTYPES[:3]

BINARY = [
    "add", "subtract", "multiply", "divide", "power", "arctan2", "logaddexp", "maximum", "minimum",
    "floor_divide", "remainder", "equal", "not_equal", "less", "less_equal", "greater",
    "greater_equal", "logical_and", "logical_or", "bitwise_and", "bitwise_or", "bitwise_xor",
    "isclose",
]  # fmt: skip
UNARY = [
    "negative", "positive", "exp", "exp2", "expm1", "log1p", "sqrt", "square", "sin", "cos", "tan",
    "arctan", "sinh", "cosh", "tanh", "arcsinh", "sinc", "abs", "sign", "floor", "ceil", "trunc",
    "round", "logical_not", "invert", "isnan", "isinf", "isfinite",
]  # fmt: skip
REDUCTIONS = [
    "sum", "mean", "var", "std", "max", "min", "prod", "median", "argmax", "argmin", "all", "any",
    "cumsum", "cumprod",
]  # fmt: skip


def name(dtype):
    return np.dtype(dtype).name


def sample(dtype):
    return np.array([1, 2, 3]).astype(dtype)


def in_numpy(op, a, b):
    # As an operator, which for the power of a bool gives another dtype than np.power.
    return a**b if op == "power" else getattr(np, op)(a, b)


def compare(ours, theirs):
    """Two calls that must give the same numbers of the same dtype, or both refuse."""
    try:
        expected = np.asarray(theirs())
    except TypeError:
        with pytest.raises(DtypeError):
            ours()
        return
    found = ours()
    assert found.dtype == expected.dtype
    rtol = 4 * np.finfo(expected.dtype).eps if expected.dtype.kind == "f" else 0
    np.testing.assert_allclose(found.data, expected, rtol=rtol)


@pytest.mark.parametrize("right", DTYPES, ids=name)
@pytest.mark.parametrize("left", DTYPES, ids=name)
@pytest.mark.parametrize("op", BINARY)
def test_two_tensors(op, left, right):
    a, b = sample(left), sample(right)
    compare(lambda: getattr(mg, op)(mg.tensor(a), mg.tensor(b)), lambda: in_numpy(op, a, b))


@pytest.mark.parametrize("number", [2, 2.5, True], ids=repr)
@pytest.mark.parametrize("dtype", DTYPES, ids=name)
@pytest.mark.parametrize("op", BINARY)
def test_tensor_and_python_number(op, dtype, number):
    x = sample(dtype)
    compare(lambda: getattr(mg, op)(mg.tensor(x), number), lambda: in_numpy(op, x, number))
    compare(lambda: getattr(mg, op)(number, mg.tensor(x)), lambda: in_numpy(op, number, x))


@pytest.mark.parametrize("dtype", DTYPES, ids=name)
@pytest.mark.parametrize("op", UNARY)
def test_one_tensor(op, dtype):
    x = sample(dtype)
    compare(lambda: getattr(mg, op)(mg.tensor(x)), lambda: getattr(np, op)(x))


@pytest.mark.parametrize("dtype", DTYPES, ids=name)
@pytest.mark.parametrize("op", REDUCTIONS)
def test_reduction(op, dtype):
    x = sample(dtype)
    compare(lambda: getattr(mg, op)(mg.tensor(x)), lambda: getattr(np, op)(x))


@pytest.mark.parametrize("dtype", DTYPES, ids=name)
def test_where_numpy_differs(dtype):
    # NumPy has no erf, and its 1/x of integers is 0; PyTorch's is a true division.
    x = mg.tensor([1, 4], dtype=dtype)
    assert mg.erf(x).dtype == (dtype if dtype in FLOATS else np.float64)
    assert mg.reciprocal(x).dtype == np.true_divide(x.data, x.data).dtype
    assert mg.reciprocal(x)[1].item() == (1 if dtype is np.bool_ else 0.25)


@pytest.mark.parametrize("right", FLOATS, ids=name)
@pytest.mark.parametrize("left", FLOATS, ids=name)
@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("op", ["add", "multiply", "divide", "power", "maximum", "matmul"])
def test_gradient_comes_back_in_the_dtype_of_each_leaf(op, left, right, create_graph):
    a = mg.tensor(np.ones((2, 2), left), requires_grad=True)
    b = mg.tensor(np.ones((2, 2), right) * 2, requires_grad=True)
    out = getattr(mg, op)(a, b).sum()
    da, db = mg.grad(out, [a, b], create_graph=create_graph)
    assert (da.dtype, db.dtype) == (left, right)


@pytest.mark.parametrize("dtype", FLOATS, ids=name)
def test_python_numbers_do_not_widen(dtype):
    x = mg.tensor(np.ones(2, dtype), requires_grad=True)
    out = mg.where(x > 0, 2.0 * x**2 / 3 - 1, 0.0).clip(-1, 5).mean()
    assert out.dtype == dtype
    out.backward()
    assert x.grad.dtype == dtype


def test_python_numbers_beside_an_array_are_not_rounded():
    # As float32 0.1 is 0.10000000149.
    for out in (mg.multiply(np.ones(1), 0.1), mg.multiply(0.1, np.ones(1))):
        assert (out.dtype, out.item()) == (np.float64, 0.1)


def test_gradient_through_astype():
    x = mg.ones(2, requires_grad=True)
    y = x.astype(mg.float64)
    (y * y).sum().backward()
    assert y.dtype == np.float64 and x.grad.dtype == np.float32 and x.grad.tolist() == [2, 2]


def test_integer_results_carry_no_gradient():
    x = mg.tensor([1.5, 2.5], requires_grad=True)
    for result in (x > 1, x.argmax(), x.astype(np.int64), mg.isnan(x)):
        assert not result.requires_grad


def test_integer_argument_beside_a_float_one():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    n = mg.tensor([3, 4])
    for op in (mg.add, mg.multiply, mg.divide, mg.power, mg.maximum):
        (g,) = mg.grad(op(x, n).sum(), x)
        assert g.dtype == np.float32
