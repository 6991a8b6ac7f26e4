"""Activations against PyTorch's, at kinks and far out, against closed forms, and their errors."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from nn.twin import check_twins, copy_state

import minigrad as mg
from minigrad import nn
from minigrad.errors import ArgumentError, ShapeError
from minigrad.gradcheck import gradgradcheck
from minigrad.nn import functional as F

# Per row: the module in either library, and the function with the same options.
ACTIVATIONS = {
    "Sigmoid": (lambda n: n.Sigmoid(), lambda f, x: f.sigmoid(x)),
    "LogSigmoid": (lambda n: n.LogSigmoid(), lambda f, x: f.logsigmoid(x)),
    "Tanh": (lambda n: n.Tanh(), lambda f, x: f.tanh(x)),
    "Tanhshrink": (lambda n: n.Tanhshrink(), lambda f, x: f.tanhshrink(x)),
    "Softsign": (lambda n: n.Softsign(), lambda f, x: f.softsign(x)),
    "Softplus": (lambda n: n.Softplus(), lambda f, x: f.softplus(x)),
    "Softplus, sharp": (lambda n: n.Softplus(3.0, 2.0), lambda f, x: f.softplus(x, 3.0, 2.0)),
    "SiLU": (lambda n: n.SiLU(), lambda f, x: f.silu(x)),
    "Mish": (lambda n: n.Mish(), lambda f, x: f.mish(x)),
    "GELU": (lambda n: n.GELU(), lambda f, x: f.gelu(x)),
    "GELU, tanh": (lambda n: n.GELU("tanh"), lambda f, x: f.gelu(x, approximate="tanh")),
    "ReLU": (lambda n: n.ReLU(), lambda f, x: f.relu(x)),
    "ReLU6": (lambda n: n.ReLU6(), lambda f, x: f.relu6(x)),
    "Hardsigmoid": (lambda n: n.Hardsigmoid(), lambda f, x: f.hardsigmoid(x)),
    "Hardtanh": (lambda n: n.Hardtanh(), lambda f, x: f.hardtanh(x)),
    "Hardtanh, wide": (lambda n: n.Hardtanh(-3.0, 0.5), lambda f, x: f.hardtanh(x, -3.0, 0.5)),
    "LeakyReLU": (lambda n: n.LeakyReLU(), lambda f, x: f.leaky_relu(x)),
    "LeakyReLU, rising": (lambda n: n.LeakyReLU(-0.5), lambda f, x: f.leaky_relu(x, -0.5)),
    "ELU": (lambda n: n.ELU(), lambda f, x: f.elu(x)),
    "ELU, alpha": (lambda n: n.ELU(2.5), lambda f, x: f.elu(x, 2.5)),
    "CELU": (lambda n: n.CELU(), lambda f, x: f.celu(x)),
    "CELU, alpha": (lambda n: n.CELU(alpha=0.5), lambda f, x: f.celu(x, alpha=0.5)),
    "SELU": (lambda n: n.SELU(), lambda f, x: f.selu(x)),
}
ALONG_AN_AXIS = {
    "Softmax": (lambda n: n.Softmax(0), lambda f, x: f.softmax(x, dim=0)),
    "LogSoftmax": (lambda n: n.LogSoftmax(dim=-2), lambda f, x: f.log_softmax(x, -2)),
    "GLU": (lambda n: n.GLU(), lambda f, x: f.glu(x)),
    "GLU, dim": (lambda n: n.GLU(0), lambda f, x: f.glu(x, dim=0)),
}
IN_PLACE = [
    "ReLU", "ReLU6", "SELU", "SiLU", "Mish", "Hardsigmoid", "Hardtanh", "LeakyReLU", "ELU", "CELU",
]  # fmt: skip
FUNCTIONS = [
    "relu6", "hardtanh", "hardsigmoid", "leaky_relu", "elu", "celu", "selu", "gelu", "silu",
    "mish", "softplus", "softsign", "logsigmoid", "tanhshrink",
]  # fmt: skip
# Corners and kinks of all of them.
KINKS = np.array([0.0, -0.0, 1.0, -1.0, 3.0, -3.0, 6.0, 0.5, 1e-300])


def _theirs(torch: object, name: str) -> object:
    if name == "Hardsigmoid":
        # PyTorch's own backward takes 1/6 in float32, and cannot be differentiated again.
        return lambda x: torch.nn.functional.relu6(x + 3) / 6
    return (ACTIVATIONS | ALONG_AN_AXIS)[name][0](torch.nn)


def _slopes(lib: object, function: object, x: object, orders: int) -> list[np.ndarray]:
    """The value and the derivatives up to `orders` of an elementwise function."""
    grad = lib.grad if lib is mg else lib.autograd.grad
    found, value = [], function(x)
    for _ in range(orders):
        found.append(value)
        if not value.requires_grad:  # a constant slope: the rest is 0
            break
        (value,) = grad(value.sum(), x, create_graph=True, allow_unused=True)
        if value is None:
            break
    else:
        found.append(value)
    arrays = [v.data if lib is mg else v.detach().numpy() for v in found]
    return arrays + [np.zeros_like(arrays[0])] * (orders + 1 - len(arrays))


@pytest.mark.torch
@pytest.mark.parametrize("name", [*ACTIVATIONS, *ALONG_AN_AXIS])
def test_module_and_function_are_pytorchs(name: str, rng: np.random.Generator) -> None:
    torch = pytest.importorskip("torch")
    build, call = (ACTIVATIONS | ALONG_AN_AXIS)[name]
    assert repr(build(nn)) == repr(build(torch.nn))
    shapes = [(4, 6), (2, 3, 4)] + ([(), (0,), (5,)] if name in ACTIVATIONS else [])
    for shape in shapes:
        x = np.asarray(rng.normal(0, 3, shape))
        check_twins(build(nn).forward, _theirs(torch, name), x)
        expected = call(torch.nn.functional, torch.tensor(x, requires_grad=True)).detach()
        np.testing.assert_allclose(call(F, x).data, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.torch
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_derivatives_at_kinks_and_elsewhere_are_pytorchs(name: str) -> None:
    torch = pytest.importorskip("torch")
    build = ACTIVATIONS[name][0]
    x = np.concatenate([KINKS, np.linspace(-9, 9, 38)])
    ours = _slopes(mg, build(nn), mg.tensor(x, requires_grad=True), 2)
    theirs = _slopes(torch, _theirs(torch, name), torch.tensor(x, requires_grad=True), 2)
    for order, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12, err_msg=f"derivative {order}")


@pytest.mark.parametrize("name", [*ACTIVATIONS, "GLU", "Softmax", "LogSoftmax"])
def test_third_derivative(name: str) -> None:
    build = (ACTIVATIONS | ALONG_AN_AXIS)[name][0]
    x = mg.tensor(np.array([[-2.3, -0.7, 0.2, 0.4], [1.2, 2.1, -1.6, 0.9]]), requires_grad=True)

    def slope(x: mg.Tensor) -> mg.Tensor:
        weights = mg.tensor(np.linspace(1, 2, 8).reshape(2, 4))
        out = build(nn)(x * x * x)  # so that a flat slope still has a derivative
        return mg.grad((out * weights[:, : out.shape[1]]).sum(), x, create_graph=True)[0]

    assert gradgradcheck(slope, x)


@pytest.mark.parametrize("dtype", [mg.float32, mg.float64])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_far_out_all_derivatives_stay_finite(name: str, dtype: type) -> None:
    # An overflow would also warn, and a warning is an error here.
    build = ACTIVATIONS[name][0]
    x = np.array([-1e4, -800, -100, 100, 800, 1e4], dtype)
    for values in _slopes(mg, build(nn), mg.tensor(x, requires_grad=True), 3):
        assert values.dtype == dtype and np.isfinite(values).all()


FAR_OUT = {  # the value at -1e4 and 1e4, the slope at -1e4 and 1e4
    "Sigmoid": (0, 1, 0, 0),
    "LogSigmoid": (-1e4, 0, 1, 0),
    "Tanh": (-1, 1, 0, 0),
    "Tanhshrink": (1 - 1e4, 1e4 - 1, 1, 1),
    "Softsign": (-1e4 / 10001, 1e4 / 10001, 10001**-2, 10001**-2),
    "Softplus": (0, 1e4, 0, 1),
    "SiLU": (0, 1e4, 0, 1),
    "Mish": (0, 1e4, 0, 1),
    "GELU": (0, 1e4, 0, 1),
    "GELU, tanh": (0, 1e4, 0, 1),
    "ReLU": (0, 1e4, 0, 1),
    "ReLU6": (0, 6, 0, 0),
    "Hardsigmoid": (0, 1, 0, 0),
    "Hardtanh": (-1, 1, 0, 0),
    "LeakyReLU": (-100, 1e4, 0.01, 1),
    "ELU": (-1, 1e4, 0, 1),
    "CELU, alpha": (-0.5, 1e4, 0, 1),
    "SELU": (-1.7580993408473766, 10507.009873554805, 0, 1.0507009873554805),
}


@pytest.mark.parametrize("name", FAR_OUT)
def test_limits(name: str) -> None:
    x = mg.tensor(np.array([-1e4, 1e4]), requires_grad=True)
    value, slope = _slopes(mg, ACTIVATIONS[name][0](nn), x, 1)
    np.testing.assert_allclose([*value, *slope], FAR_OUT[name], rtol=1e-12)


@pytest.mark.parametrize("dtype", [mg.float32, mg.float64])
@pytest.mark.parametrize("name", ["logsigmoid", "softplus", "silu", "mish", "elu", "selu"])
def test_tails_are_not_rounded_to_0(name: str, dtype: type) -> None:
    # At -50 all of these are e = exp(-50) times something simple, where 1 + e is 1.
    e = np.exp(-50.0)
    scale = 1.0507009873554805 * 1.6732632423543772
    value, slope = {
        "logsigmoid": (-50 - e, 1),
        "softplus": (e, e),
        "silu": (-50 * e, -49 * e),
        "mish": (-50 * e, -49 * e),
        "elu": (e - 1, e),
        "selu": (scale * (e - 1), scale * e),
    }[name]
    x = mg.tensor([-50.0], dtype=dtype, requires_grad=True)
    found = _slopes(mg, getattr(F, name), x, 1)
    np.testing.assert_allclose(np.concatenate(found), [value, slope], rtol=1e-5)


@pytest.mark.parametrize(
    ("dtype", "far"), [(mg.float32, [1e15, 1e30, 3e38]), (mg.float64, [1e60, 1e160, 1e308])]
)
def test_gelu_by_tanh_where_a_cube_would_overflow(dtype: type, far: list[float]) -> None:
    for x in far:
        found = _slopes(
            mg, nn.GELU("tanh"), mg.tensor(np.array([-x, x], dtype), requires_grad=True), 2
        )
        np.testing.assert_allclose(found, [[0, dtype(x)], [0, 1], [0, 0]], rtol=1e-6)


def test_gelu_is_x_times_the_normal_distribution() -> None:
    # Phi(1), Phi(2), Phi(3) from tables of the normal distribution.
    phi = np.array([0.8413447460685429, 0.9772498680518208, 0.9986501019683699])
    x = np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(F.gelu(x).data, x * phi, rtol=1e-14)
    np.testing.assert_allclose(F.gelu(-x).data, -x * (1 - phi), rtol=1e-11)
    assert 1e-5 < abs(F.gelu(x, "tanh").data - x * phi).max() < 1e-3


def test_selu_keeps_mean_0_and_variance_1() -> None:
    # E f(z) for z ~ N(0, 1), by trapezoids on both sides of the kink.
    z = np.linspace(0, 12, 20001)
    z = np.stack([-z[::-1], z])
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    f = F.selu(z).data
    assert abs(np.trapezoid(f * density, z).sum()) < 1e-7
    assert abs(np.trapezoid(f**2 * density, z).sum() - 1) < 1e-7


@pytest.mark.torch
@pytest.mark.parametrize(
    ("slopes", "shape"), [(1, (4, 3)), (1, ()), (3, (4, 3)), (3, (2, 3, 5)), (3, (0, 3)), (1, (5,))]
)
def test_prelu_is_pytorchs(slopes: int, shape: tuple, rng: np.random.Generator) -> None:
    torch = pytest.importorskip("torch")
    theirs, mine = torch.nn.PReLU(slopes).double(), nn.PReLU(slopes, dtype=mg.float64)
    assert repr(mine) == repr(theirs)
    np.testing.assert_array_equal(mine.weight.data, theirs.weight.detach().numpy())
    with torch.no_grad():
        theirs.weight.copy_(torch.tensor(rng.normal(size=slopes)))
    copy_state(theirs, mine)
    x = np.asarray(rng.normal(size=shape))
    if x.size:
        x.flat[0] = 0.0
    check_twins(mine, theirs, x)
    check_twins(F.prelu, torch.nn.functional.prelu, x, rng.normal(size=slopes))


def test_prelu_learns_its_slope_like_any_parameter() -> None:
    net = nn.Sequential(nn.PReLU(2, init=0.1))
    assert [name for name, _ in net.named_parameters()] == ["0.weight"]
    net(mg.tensor([[-1.0, 5.0], [-2.0, -3.0]])).sum().backward()
    np.testing.assert_array_equal(net[0].weight.grad.data, [-3, -3])


@pytest.mark.torch
def test_inplace_is_shown_but_leaves_the_input_alone() -> None:
    torch = pytest.importorskip("torch")
    for name in IN_PLACE:
        layer = getattr(nn, name)(inplace=True)
        assert repr(layer) == repr(getattr(torch.nn, name)(inplace=True))
        x = mg.tensor([-1.0, 2.0])
        layer(x)
        assert x.tolist() == [-1, 2]


def test_functions_take_numbers_lists_and_integers() -> None:
    for name in FUNCTIONS:
        function = getattr(F, name)
        expected = function(mg.tensor([-2.0, 1.0], dtype=mg.float64)).data
        assert abs(function(-2.0).item() - expected[0]) < 1e-6
        np.testing.assert_allclose(function([-2.0, 1.0]).data, expected, rtol=1e-6)
        np.testing.assert_allclose(function(mg.tensor([-2, 1])).data, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: nn.ELU(-1.0), ArgumentError, "elu: alpha must not be negative, got -1.0"),
        (lambda: nn.CELU(0.0), ArgumentError, "celu: alpha must be above 0, got 0.0"),
        (lambda: nn.Softplus(beta=0), ArgumentError, "softplus: beta must be above 0, got 0"),
        (
            lambda: nn.GELU("erf"),
            ArgumentError,
            "gelu: unknown approximate 'erf'; valid: 'none', 'tanh'",
        ),
        (
            lambda: nn.Hardtanh(1.0, 1.0),
            ArgumentError,
            "hardtanh: min_val must be below max_val, got 1.0 and 1.0",
        ),
        (
            lambda: nn.PReLU(0),
            ArgumentError,
            "PReLU: num_parameters must be a whole number of at least 1, got 0",
        ),
        (
            lambda: nn.PReLU(3)(mg.zeros(5, 4)),
            ShapeError,
            "prelu: weight has shape (3,), but input of shape (5, 4) has 4 channels; give one "
            "slope, or one per channel on axis 1 (num_parameters=4) [in PReLU(num_parameters=3)]",
        ),
        (
            lambda: nn.GLU()(mg.zeros(2, 3)),
            ShapeError,
            "glu: axis 1 of shape (2, 3) has no two halves; it needs an even size [in GLU(dim=-1)]",
        ),
    ],
)
def test_bad_arguments(make: object, kind: type, message: str) -> None:
    with pytest.raises(kind) as caught:
        make()
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "name", ["logsigmoid", "relu", "sigmoid", "silu", "softsign", "tanhshrink"]
)
def test_examples_of_rows_of_the_table(name: str) -> None:
    # Their functions are generated, so pytest does not find these examples by itself.
    text = getattr(F, name).__doc__
    example = doctest.DocTestParser().get_doctest(text, {}, name, None, None)
    found = doctest.DocTestRunner(verbose=False).run(example)
    assert found.attempted == 3 and found.failed == 0
