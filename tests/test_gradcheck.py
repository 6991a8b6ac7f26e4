"""gradcheck must catch wrong rules, pass right ones, and say no at a kink."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import ArgumentError, DtypeError, GradcheckError, MinigradError
from minigrad.gradcheck import gradcheck, gradgradcheck
from minigrad.ops.table import op, op_with_parts


def leaf(*shape, seed=0):
    values = np.random.default_rng(seed).normal(size=shape)
    return mg.tensor(np.asarray(values), requires_grad=True)


def is_array(g):
    return not isinstance(g, mg.Tensor)


# -- wrong rules, each a slip that one makes by hand ---------------------------------------------

square_no_factor = op("square", lambda xp, x: x * x, x=lambda g, x: g * x)
cos_wrong_sign = op("cos", lambda xp, x: xp.cos(x), x=lambda g, xp, x: g * xp.sin(x))
exp_ignores_g = op("exp", lambda xp, x: xp.exp(x), x=lambda g, out: out)
add_with_constant = op("add", lambda xp, x: x + 1, x=lambda g: g + 1e-3)
abs_of_g = op("positive", lambda xp, x: +x, x=lambda g, xp: xp.abs(g))
mean_as_sum = op(
    "mean",
    lambda xp, x: xp.mean(x, axis=0),
    x=lambda g, xp, x_shape: xp.broadcast_to(g, x_shape),
)
sum_wrong_axis = op(
    "sum",
    lambda xp, x: xp.sum(x, axis=0),
    x=lambda g, xp, x_shape: xp.broadcast_to(g[:, None], x_shape),
)
matmul_no_transpose = op(
    "matmul", lambda xp, a, b: a @ b, a=lambda g, b: g @ b, b=lambda g, a: a.swapaxes(-1, -2) @ g
)
cumsum_not_reversed = op(
    "cumsum", lambda xp, x: xp.cumsum(x, axis=-1), x=lambda g, xp: xp.cumsum(g, axis=-1)
)
softmax_no_coupling = op(
    "softmax",
    lambda xp, x: xp.exp(x) / xp.exp(x).sum(axis=-1, keepdims=True),
    x=lambda g, out: g * out * (1 - out),
)
multiply_one_rule = op("multiply", lambda xp, a, b: a * b, a=lambda g, b: g * b)
gives_nan = op("log", lambda xp, x: xp.exp(x), x=lambda g: g * np.nan)


def reads_repeated_once(x):
    """Indexing whose gradient writes where it ought to add."""

    def rule(g, xp, x_shape):
        out = np.zeros(x_shape)
        out[[0, 0, 1]] = g
        return out

    return op("getitem", lambda xp, x: x[[0, 0, 1]], x=rule)(x)


WRONG = {
    "missing factor": (square_no_factor, [leaf(3)]),
    "wrong sign": (cos_wrong_sign, [leaf(2, 2)]),
    "g ignored": (exp_ignores_g, [leaf(2)]),
    "constant added": (add_with_constant, [leaf(2)]),
    "mean without 1/n": (mean_as_sum, [leaf(3, 2)]),
    "sum over the wrong axis": (sum_wrong_axis, [leaf(2, 2)]),
    "matmul without transpose": (matmul_no_transpose, [leaf(2, 2), leaf(2, 2, seed=1)]),
    "cumsum not reversed": (cumsum_not_reversed, [leaf(4)]),
    "softmax without coupling": (softmax_no_coupling, [leaf(3)]),
    "second argument forgotten": (multiply_one_rule, [leaf(2), leaf(2, seed=1)]),
    "repeated index written": (reads_repeated_once, [leaf(3)]),
    "part detached": (lambda x: x.detach() * x, [leaf(3)]),
    "all detached": (lambda x: x.detach() * 2, [leaf(3)]),
    "NaN from backward": (gives_nan, [leaf(2)]),
    "one output of two": (lambda x: (x * 2, mg.exp(x.detach())), [leaf(2)]),
}


@pytest.mark.parametrize("slip", WRONG)
def test_catches_wrong_rule(slip):
    func, inputs = WRONG[slip]
    with pytest.raises(GradcheckError, match="backward gives"):
        gradcheck(func, inputs)


def test_catches_broadcast_summed_over_the_wrong_axis():
    # Both axes of the (2, 2) gradient fit the (2,) argument, so only the numbers tell.
    def rule(g, x_shape):
        return g.sum(axis=1)

    repeat_rows = op("broadcast", lambda xp, x: x + xp.zeros((2, 2)), x=rule)
    with pytest.raises(GradcheckError, match="backward gives"):
        gradcheck(lambda x: repeat_rows(x) * mg.tensor([[1.0, 2.0], [3.0, 4.0]]), leaf(2))


def test_catches_backward_that_is_not_linear():
    # Right for every unit vector, of which the Jacobian is made; wrong where g is negative.
    with pytest.raises(GradcheckError, match="not linear in the gradient g"):
        gradcheck(abs_of_g, leaf(3))


def test_catches_joint_rule_that_mixes_up_what_is_wanted():
    def joint(g, needs, a, b):
        return (g * b if needs[1] else 2 * g * b, g * a)

    product = op("multiply", lambda xp, a, b: a * b, joint)
    with pytest.raises(GradcheckError, match="input 0 differs when it is the only one asked for"):
        gradcheck(product, [leaf(2), leaf(2, seed=1)])


def test_catches_wrong_second_derivative_behind_a_right_first():
    # The cosine is computed on the raw array, so the second derivative does not see it.
    def rule(g, x):
        return g * np.cos(x if is_array(x) else x.data)

    sine = op("sin", lambda xp, x: xp.sin(x), x=rule)
    x = leaf(3)
    assert gradcheck(sine, x)
    with pytest.raises(GradcheckError, match="backward gives 0,"):
        gradgradcheck(sine, x)


def test_catches_rule_that_computes_something_else_on_tensors():
    double = op("double", lambda xp, x: 2 * x, x=lambda g: g * (2 if is_array(g) else 3))
    assert gradcheck(double, leaf(3))
    with pytest.raises(GradcheckError, match="gradient 0 is another one under create_graph=True"):
        gradgradcheck(double, leaf(3))


def test_catches_rule_that_loses_g_in_the_second_derivative():
    def rule(g, out):
        return (g if is_array(g) else g.detach()) * out

    exponential = op("exp", lambda xp, x: xp.exp(x), x=rule)
    x = leaf(3)
    assert gradcheck(exponential, x)
    with pytest.raises(GradcheckError, match="input 1 at"):
        gradgradcheck(exponential, x)


# -- right ones ----------------------------------------------------------------------------------


def test_passes_right_rules():
    x, w, b = leaf(4, 3), leaf(3, 2, seed=1), leaf(2, seed=2)

    def layer(x, w, b):
        return mg.tanh(x @ w + b)

    def loss(x, w, b):
        return mg.logsumexp(layer(x, w, b), axis=1).mean()

    for func, inputs in [(mg.exp, [x]), (layer, [x, w, b]), (loss, [x, w, b])]:
        assert gradcheck(func, inputs) is True
        assert gradgradcheck(func, inputs) is True


def test_several_outputs_of_one_operation():
    def joint(g, needs, x, out):
        g_sin, g_cos = g
        total = 0 * x
        if g_sin is not None:
            total = total + g_sin * out[1]
        if g_cos is not None:
            total = total - g_cos * out[0]
        return [total]

    sincos = op_with_parts("sincos", lambda xp, x: (xp.sin(x), xp.cos(x)), 2, joint)
    assert gradcheck(sincos, leaf(3)) and gradgradcheck(sincos, leaf(3))


def test_same_tensor_twice_counts_as_two_inputs():
    x = leaf(2)
    assert gradcheck(lambda a, b: a * a * b, [x, x])


def test_inputs_of_any_layout_and_history():
    wide = np.random.default_rng(0).normal(size=(3, 4))
    strided = mg.as_tensor(wide[:, ::2]).requires_grad_()
    computed = leaf(2, 3) * 2
    assert gradcheck(lambda a, b: a @ b, [strided, computed])


def test_leaves_inputs_as_they_were():
    x = leaf(3)
    before = x.data.copy()
    gradcheck(mg.sin, x)
    gradgradcheck(mg.sin, x)
    assert np.array_equal(x.data, before) and x.grad is None


def test_other_arguments_pass_through():
    index = mg.tensor([1, 0, 1])
    scale = mg.tensor(3.0)  # float32, but nothing asks for its gradient
    assert gradcheck(lambda x, i, s, n: x[i] * s**n, [leaf(2), index, scale, 2])


def test_integer_outputs_are_left_out():
    assert gradcheck(lambda x: (x.argmax(), x * 2), leaf(3))


def test_works_inside_no_grad():
    with mg.no_grad():
        assert gradcheck(mg.exp, leaf(2)) and gradgradcheck(mg.exp, leaf(2))


@pytest.mark.parametrize("shape", [(), (0,), (2, 0)])
def test_0d_and_empty(shape):
    assert gradcheck(mg.exp, leaf(*shape)) and gradgradcheck(mg.exp, leaf(*shape))


def test_strong_curvature_is_no_kink():
    # f'' = 2e6: the two one-sided slopes differ by 2, yet the function is smooth.
    assert gradcheck(lambda x: 1e6 * x * x, leaf(2), atol=1e-4)


# -- kinks and edges -----------------------------------------------------------------------------

tie = mg.tensor([1.0, 2.0, 2.0], dtype=mg.float64, requires_grad=True)
zero = mg.tensor([1.0, 0.0], dtype=mg.float64, requires_grad=True)

KINKS = {
    "abs at 0": (mg.abs, zero, r"input 0 at \(1,\) is a kink.*-1 on the left and 1 on the"),
    "relu at 0": (lambda x: mg.maximum(x, 0), zero, r"is 0 on the left and 1 on the right"),
    "max at a tie": (mg.max, tie, r"input 0 at \(1,\) is a kink.*0 on the left and 1 on the"),
    "clip at its bound": (lambda x: mg.clip(x, 0, 2), zero, "0 on the left and 1 on the right"),
    "sort at a tie": (mg.sort, tie, "is a kink"),
    "step of floor": (mg.floor, tie, "is a kink"),
    "infinite slope": (lambda x: mg.sqrt(mg.abs(x)), zero, "is a kink"),
    "kink within the step": (lambda x: mg.abs(x - 1e-7), zero, "is a kink"),
}  # fmt: skip


@pytest.mark.parametrize("kink", KINKS)
def test_detects_kink(kink):
    func, x, message = KINKS[kink]
    with np.errstate(all="ignore"), pytest.raises(GradcheckError, match=message):
        gradcheck(func, x)


def test_detects_kink_of_the_first_derivative():
    def smooth_once(x):
        return x * mg.abs(x)

    assert gradcheck(smooth_once, zero)
    with pytest.raises(GradcheckError, match="is a kink"):
        gradgradcheck(smooth_once, zero)


def test_detects_edge_of_the_domain():
    with np.errstate(all="ignore"), pytest.raises(GradcheckError, match="not finite within 1e-06"):
        gradcheck(mg.sqrt, zero)


# -- what is refused, and how errors read --------------------------------------------------------


def test_message_names_the_entry():
    with pytest.raises(GradcheckError) as caught:
        gradcheck(
            lambda a, b: (a * 1, multiply_one_rule(a, b)),
            [leaf(2), mg.tensor([3.0, 4.0], dtype=mg.float64, requires_grad=True)],
        )
    a = leaf(2).data
    assert str(caught.value) == (
        f"gradcheck: d(output 1 at (0,)) / d(input 1 at (0,)): backward gives 0, "
        f"the central difference {a[0]:.6g} (relative error 1); 2 of 8 entries differ"
    )


def test_error_is_an_assertion_error():
    assert issubclass(GradcheckError, MinigradError) and issubclass(GradcheckError, AssertionError)


@pytest.mark.parametrize("check", [gradcheck, gradgradcheck])
def test_refuses_float32(check):
    with pytest.raises(DtypeError, match=r"input 1 is float32.*make it float64"):
        check(lambda a, b: a + b, [leaf(2), mg.ones(2, requires_grad=True)])


@pytest.mark.parametrize("check", [gradcheck, gradgradcheck])
def test_refuses_float32_on_the_way_out(check):
    with pytest.raises(DtypeError, match="output 0 is float32 though the inputs are float64"):
        check(lambda x: x.astype(mg.float32), leaf(2))


def test_refuses_nothing_to_check():
    with pytest.raises(ArgumentError, match="no input requires a gradient"):
        gradcheck(mg.exp, mg.ones(2, dtype=mg.float64))
    with pytest.raises(ArgumentError, match="no floating-point Tensor"):
        gradcheck(mg.argmax, leaf(2))
    with pytest.raises(DtypeError, match="func returned ndarray as output 0"):
        gradcheck(lambda x: x.data, leaf(2))


def test_refuses_a_function_that_changes_its_mind():
    calls = itertools.count()
    with pytest.raises(ArgumentError, match="another result when called again"):
        gradcheck(lambda x: x * next(calls), leaf(2))
