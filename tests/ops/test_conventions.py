"""What was decided about derivatives where calculus leaves a choice: ties, kinks, x**0."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad.ops.activations import sigmoid
from minigrad.ops.rectifiers import relu


def slopes(func, *values):
    """The gradient of the sum of func(*values) for each argument."""
    xs = [mg.tensor(np.asarray(v, float), requires_grad=True) for v in values]
    return [g.tolist() for g in mg.grad(func(*xs).sum(), xs)]


def curvature(func, value):
    """The second derivative of func, by a recorded backward, per element."""
    x = mg.tensor(np.asarray(value, float), requires_grad=True)
    (slope,) = mg.grad(func(x).sum(), x, create_graph=True)
    if not slope.requires_grad:
        return np.zeros(x.shape).tolist()
    (curve,) = mg.grad(slope.sum(), x, allow_unused=True)
    return (np.zeros(x.shape) if curve is None else curve.data).tolist()


# -- ties share equally --------------------------------------------------------------------------


def test_maximum_and_minimum_share_a_tie():
    assert slopes(mg.maximum, [1, 2, 3], [3, 2, 1]) == [[0, 0.5, 1], [1, 0.5, 0]]
    assert slopes(mg.minimum, [1, 2, 3], [3, 2, 1]) == [[1, 0.5, 0], [0, 0.5, 1]]


def test_max_and_min_share_a_tie_among_all_that_attain_it():
    x = [[4, 1, 4], [4, 2, 2], [0, 0, 0]]
    third = 1 / 3
    assert slopes(lambda x: mg.max(x, axis=1), x) == [
        [[0.5, 0, 0.5], [1, 0, 0], [third, third, third]]
    ]
    assert slopes(mg.max, x) == [[[third, 0, third], [third, 0, 0], [0, 0, 0]]]
    assert slopes(lambda x: mg.min(x, axis=(0, 1)), x) == [[[0, 0, 0], [0, 0, 0], [third] * 3]]


def test_max_of_a_tie_has_flat_second_derivative():
    assert curvature(lambda x: mg.max(x) * 3, [2, 2, 1]) == [0, 0, 0]


def test_sort_keeps_equal_elements_in_order():
    weights = mg.tensor([1.0, 2.0, 3.0], dtype=mg.float64)
    assert slopes(lambda x: mg.sort(x) * weights, [5, 5, 1]) == [[2, 3, 1]]
    assert slopes(lambda x: mg.sort(x, descending=True) * weights, [5, 5, 1]) == [[1, 2, 3]]


def test_arg_of_a_tie_is_the_first():
    x = mg.tensor([3.0, 1.0, 3.0, 1.0])
    assert (mg.argmax(x).item(), mg.argmin(x).item()) == (0, 1)
    assert mg.argsort(x, descending=True).tolist() == [0, 2, 1, 3]


@pytest.mark.torch
def test_ties_are_shared_as_in_pytorch():
    torch = pytest.importorskip("torch")
    x = np.array([[4.0, 1.0, 4.0], [4.0, 2.0, 2.0]])
    theirs = torch.tensor(x, requires_grad=True)
    (theirs.amax(1).sum() + theirs.amin().sum()).backward()
    ours = mg.tensor(x, requires_grad=True)
    (ours.max(1).sum() + ours.min()).backward()
    assert np.array_equal(ours.grad.data, theirs.grad)


# -- kinks and steps -----------------------------------------------------------------------------


def test_abs_and_relu_are_flat_at_0():
    assert slopes(mg.abs, [-2, 0, 3]) == [[-1, 0, 1]]
    assert slopes(relu, [-2, 0, 3]) == [[0, 0, 1]]
    assert curvature(mg.abs, [-2, 0, 3]) == [0, 0, 0]
    assert curvature(relu, [-2, 0, 3]) == [0, 0, 0]


def test_clip_passes_at_its_bounds():
    assert slopes(lambda x: mg.clip(x, -1, 2), [-3, -1, 0, 2, 5]) == [[0, 1, 1, 1, 0]]
    assert slopes(lambda x: mg.clip(x, min=0), [-1, 0, 1]) == [[0, 1, 1]]
    assert slopes(lambda x: mg.clip(x, max=0), [-1, 0, 1]) == [[1, 1, 0]]


def test_clip_hands_the_gradient_to_the_bound_that_decides():
    x, low, high = slopes(mg.clip, [-3, 0, 5], [-1, -1, -1], [2, 2, 2])
    assert (x, low, high) == ([0, 1, 0], [1, 0, 0], [0, 0, 1])
    # Bounds that meet: exactly one of them gets it. Bounds that cross: NumPy takes the upper.
    assert slopes(mg.clip, [-3, 5], [1, 1], [1, 1]) == [[0, 0], [1, 0], [0, 1]]
    assert slopes(mg.clip, [-3, 1, 5], [2, 2, 2], [0, 0, 0]) == [[0] * 3, [0] * 3, [1] * 3]


@pytest.mark.parametrize("step", [mg.sign, mg.floor, mg.ceil, mg.trunc, mg.round])
def test_steps_are_flat(step):
    assert slopes(step, [-1.5, 0, 1, 2.5]) == [[0, 0, 0, 0]]


def test_where_stops_what_it_does_not_choose():
    assert slopes(lambda a, b: mg.where(a > 0, a, b), [1, -1], [np.inf, 3]) == [[1, 0], [0, 1]]
    assert slopes(lambda a, b: mg.where([True, False], a, b), [1, 2], [3, 4]) == [[1, 0], [0, 1]]


def test_remainder_steps_down_with_its_divisor():
    assert slopes(lambda a, b: a % b, [7, -7], [3, 3]) == [[1, 1], [-2, 3]]


# -- x**0 and powers of 0 ------------------------------------------------------------------------


@pytest.mark.parametrize("zero", [0, 0.0, mg.tensor(0.0, dtype=mg.float64)], ids=repr)
def test_x_to_the_0_is_flat_everywhere(zero):
    assert slopes(lambda x: x**zero, [-2, 0, 3]) == [[0, 0, 0]]
    assert curvature(lambda x: x**zero, [-2, 0, 3]) == [0, 0, 0]
    assert curvature(lambda x: x**zero + x**3, [-2, 0, 3]) == [-12, 0, 18]


@pytest.mark.parametrize("kind", [int, float, lambda p: mg.tensor(float(p), dtype=mg.float64)])
def test_small_powers_at_0_and_below(kind):
    x = [-2, 0, 3]
    assert slopes(lambda x: x ** kind(1), x) == [[1, 1, 1]]
    assert slopes(lambda x: x ** kind(2), x) == [[-4, 0, 6]]
    assert curvature(lambda x: x ** kind(1), x) == [0, 0, 0]
    assert curvature(lambda x: x ** kind(2), x) == [2, 2, 2]
    assert curvature(lambda x: x ** kind(3), x) == [-12, 0, 18]


def test_third_derivative_of_the_square_at_0():
    x = mg.tensor([0.0, 2.0], dtype=mg.float64, requires_grad=True)
    (slope,) = mg.grad((x**2).sum(), x, create_graph=True)
    assert np.array_equal(slope.data, [0, 4])
    assert curvature(lambda x: mg.grad((x**2).sum(), x, create_graph=True)[0], [0, 2]) == [0, 0]


def test_0_to_a_power_does_not_move_with_the_power():
    assert slopes(lambda x, p: x**p, [0, 0, 2], [2, 0, 1])[1] == pytest.approx(
        [0, 0, 2 * np.log(2)]
    )
    assert slopes(lambda p: 0.0**p, [2, 0]) == [[0, 0]]


def test_exponents_of_mixed_kinds_in_one_tensor():
    p = np.array([3, 0, 1, 0.5])
    assert slopes(lambda x: x**p, [-2, 0, 0, 4]) == [[12, 0, 1, 0.25]]


# -- roots and running products at 0 -------------------------------------------------------------


def test_std_of_equal_numbers_is_flat():
    assert slopes(mg.std, [2, 2, 2]) == [[0, 0, 0]]
    assert slopes(lambda x: mg.std(x, axis=1), [[2, 2], [1, 3]]) == [[[0, 0], [-0.5, 0.5]]]
    assert curvature(mg.std, [2, 2, 2]) == [0, 0, 0]


def test_products_through_zeros():
    assert slopes(mg.prod, [2, 0, 4]) == [[0, 8, 0]]
    assert slopes(mg.prod, [0, 0, 4]) == [[0, 0, 0]]
    assert slopes(mg.cumprod, [2, 0, 4]) == [[1, 10, 0]]

    def mixed(x):  # d/dx of the gradient of x0 x1 x2 along (1, 1, 1): sums of single elements
        return mg.grad(mg.prod(x), x, create_graph=True)[0]

    assert slopes(mixed, [2, 0, 4]) == [[4, 6, 2]]
    assert slopes(mixed, [0, 0, 4]) == [[4, 4, 0]]


@pytest.mark.torch
def test_products_through_zeros_as_in_pytorch():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x = rng.integers(-1, 3, (20, 4)).astype(float)  # rows with none, one and several zeros
    g = rng.normal(size=(20, 4))
    ours, theirs = mg.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    ((mg.cumprod(ours, 1) * g).sum() + mg.prod(ours, 1).sum()).backward()
    ((theirs.cumprod(1) * torch.tensor(g)).sum() + theirs.prod(1).sum()).backward()
    np.testing.assert_allclose(ours.grad.data, theirs.grad, rtol=1e-12, atol=1e-12)


def test_logsumexp_at_infinity():
    low = -np.inf
    x = [[low, low], [0, low], [1000, 1000], [-1000, -1000]]
    out = mg.logsumexp(mg.tensor(np.array(x)), axis=1)
    np.testing.assert_allclose(out.data, [low, 0, 1000 + np.log(2), -1000 + np.log(2)])
    (g,) = slopes(lambda x: mg.logsumexp(x, axis=1), x)
    np.testing.assert_allclose(g, [[0, 0], [1, 0], [0.5, 0.5], [0.5, 0.5]])
    assert mg.logsumexp(mg.zeros(0)).item() == low


def test_nan_is_not_lost_in_an_order():
    nan, x = np.nan, np.array([[1.0, np.nan, 3.0], [1.0, 2.0, 3.0]])
    for name in ("median", "max", "min", "sort"):
        ours = getattr(mg, name)(mg.tensor(x), axis=1)
        np.testing.assert_array_equal(ours.data, getattr(np, name)(x, axis=1))
    assert np.isnan(mg.median(mg.tensor([nan, 1.0]), keepdims=True).data)


def test_sinc_is_smooth_at_0():
    # sin(u)/u = 1 - u^2/6 + u^4/120 - ..., u = pi x
    assert slopes(mg.sinc, [0]) == [[0]]
    assert curvature(mg.sinc, [0]) == pytest.approx([-(np.pi**2) / 3])


def test_saturated_functions_stay_finite():
    for func in (mg.tanh, mg.erf, sigmoid):
        assert slopes(func, [-1000, 1000]) == [[0, 0]]
        assert np.isfinite(curvature(func, [-1000, 1000])).all()
    shares = slopes(mg.logaddexp, [1000, -1000], [-1000, -1000])
    np.testing.assert_allclose(shares, [[1, 0.5], [0, 0.5]])


def test_variance_takes_the_divisor_in_three_spellings():
    x = np.array([1.0, 2.0, 4.0])
    expected = np.var(x, ddof=1)
    for spelling in ({"ddof": 1}, {"correction": 1}, {"unbiased": True}):
        assert mg.var(x, **spelling).item() == pytest.approx(expected, rel=1e-15)
        assert mg.std(x, **spelling).item() == pytest.approx(expected**0.5, rel=1e-15)
    assert mg.var(x, unbiased=False).item() == pytest.approx(np.var(x), rel=1e-15)
