"""detect_anomaly: names op, layer, line, values; no false alarms; nothing is left behind."""

from __future__ import annotations

import math
import threading

import numpy as np
import pytest

import minigrad as mg
from minigrad import autograd, nn
from minigrad.diagnostics import AnomalyError, detect_anomaly
from minigrad.errors import GraphError
from minigrad.nn import functional as F
from minigrad.ops import table
from minigrad.ops.table import op, op_with_parts
from minigrad.tape import Node


def caught(function, **settings):
    with pytest.raises(AnomalyError) as found, detect_anomaly(**settings):
        function()
    return found.value


def leaf(*values, dtype=mg.float32):
    return mg.tensor(values, dtype=dtype, requires_grad=True)


# -- what it names -------------------------------------------------------------------------------


def test_forward_op_line_and_values():
    x = mg.tensor([[1.0, 2.0], [0.0, -3.0]])

    def broken():
        return mg.log(x).sum()  # the line

    error = caught(broken)
    assert (error.op, error.phase) == ("log", "forward")
    assert error.place.function == "broken"
    assert error.place.file == __file__
    assert error.place.line == broken.__code__.co_firstlineno + 1
    text = str(error)
    assert "'log' gave -inf (the first at [1, 0]; 2 of 4 numbers are wrong)" in text
    assert "x: float32 of shape (2, 2), -3 to 2" in text
    assert text.endswith("in broken: return mg.log(x).sum()  # the line")
    assert "mg.log(mg.clip(x, 1e-8))" in text


def test_backward_op_line_and_values_are_those_of_the_forward():
    def root(x):
        return mg.sqrt(x)

    error = caught(lambda: root(leaf(4.0, 0.0, 0.0)).sum().backward())
    assert (error.op, error.phase, error.place.function) == ("sqrt", "backward", "root")
    text = str(error)
    assert "the backward of 'sqrt' gave inf (the first at [1]; 2 of 3 numbers" in text
    assert "as gradient of x" in text
    assert "the gradient of its output: float32 of shape (3,), 1 to 1" in text
    assert "out: float32 of shape (3,), 0 to 2" in text


def test_the_first_op_is_named_not_those_that_it_spoiled():
    x = leaf(1.0, 2.0)
    error = caught(lambda: mg.tanh(mg.exp(mg.log(x - 1) * 2)).sum())
    assert error.op == "log"
    # Backward, the first is the one nearest the loss.
    error = caught(lambda: (mg.sqrt(mg.sqrt(x - 1)) * 3).sum().backward())
    assert (error.op, error.phase) == ("sqrt", "backward")
    assert "the gradient of its output: float32 of shape (2,), 3 to 3" in str(error)


class Rooted(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 2, generator=mg.Generator(0))

    def forward(self, x):
        return mg.sqrt(mg.relu(self.linear(x)))


def test_the_layer_forward_and_backward():
    model = nn.Sequential({"first": nn.Linear(2, 2), "body": nn.Sequential(Rooted(), nn.Tanh())})
    x = mg.ones(3, 2)
    model.body[0].linear.bias.data[...] = -100  # so relu gives 0, where the root has no slope
    error = caught(lambda: model(x).sum().backward())
    assert error.phase == "backward"
    assert "[in layer 'body.0' (Rooted())]" in str(error)
    assert error.place.function == "forward"

    model.first.weight.data[0, 1] = math.nan
    error = caught(lambda: model(x))
    assert (error.op, error.phase) == ("linear", "forward")
    assert "[in layer 'first' (Linear(in_features=2" in str(error)
    assert "it came in with weight, which is the parameter 'first.weight'" in str(error)
    assert "besides 1 NaN and 0 infinite, first at [0, 1]" in str(error)


def test_what_came_in_from_outside_is_told_apart_from_what_the_op_made():
    x = mg.tensor([1.0, math.inf, math.nan])
    error = caught(lambda: x * 2)
    assert "it came in with a" in str(error)
    assert "a: float32 of shape (3,), 1 to 1, besides 1 NaN and 1 infinite, first at [1]" in str(
        error
    )
    assert "b: 2" in str(error)
    error = caught(lambda: mg.tensor([1e30]) * 1e30)
    assert "came in" not in str(error)
    seed = mg.tensor([math.nan, 1.0])
    error = caught(lambda: (leaf(1.0, 2.0) * 3).backward(seed))
    assert "it came in with the gradient of its output" in str(error)


@pytest.mark.parametrize("dtype", [mg.float32, mg.float64])
def test_numbers_that_outgrow_their_dtype_get_a_cure_of_their_own(dtype):
    large = float(np.finfo(dtype).max) ** 0.6
    x = leaf(large, dtype=dtype)
    seed = leaf(large, dtype=dtype)
    cure = f"where {np.dtype(dtype)} ends; try a smaller learning rate, an initialization with"
    for function in (
        lambda: x * x,
        lambda: x.reshape(1, 1) @ x.reshape(1, 1),
        lambda: F.linear(x.reshape(1, 1), x.reshape(1, 1)),
        lambda: (leaf(1e-30, dtype=dtype) * x).backward(seed),
    ):
        assert cure in str(caught(function))


def test_what_is_no_overflow_is_not_told_as_one():
    zero, one = leaf(0.0), leaf(1.0)
    infinite = mg.tensor([math.inf])
    for function in (lambda: mg.log(zero), lambda: infinite * 0, lambda: mg.arctanh(one)):
        assert "where float32" not in str(caught(function))


def test_a_sum_of_gradients_that_overflows_is_found_where_it_goes_on():
    y = mg.tanh(leaf(1e-30))  # of which each product is finite, and so is each one's slope
    error = caught(lambda: (y * 3e38 + y * 3e38).sum().backward())
    assert error.op == "tanh"
    assert "it came in with the gradient of its output" in str(error)


def test_higher_derivatives():
    x = leaf(1.0, 0.0)

    def power():
        return x**1.5

    def slope():
        (found,) = mg.grad(power().sum(), x, create_graph=True)
        return found

    with detect_anomaly():
        slope()  # 1.5 sqrt(x): finite
    error = caught(lambda: slope().sum().backward())
    assert error.phase == "backward"
    assert error.place.function == "power"  # whose derivative it is the derivative of


def test_operations_with_several_arrays_or_outputs():
    bad = mg.tensor([[math.inf, 0.0]])
    error = caught(lambda: mg.concatenate([mg.ones(1, 2), bad]))
    assert "it came in with xs[1]" in str(error)
    broken = op_with_parts(
        "broken", lambda xp, x: (x + 1, xp.log(x)), 2, lambda g, needs: [next(iter(g)) / 0.0]
    )
    assert "'broken' gave -inf" in str(caught(lambda: broken(mg.zeros(2))))

    def call():
        return broken(leaf(1.0))

    error = caught(lambda: call()[0].sum().backward())
    assert (error.op, error.phase, error.place.function) == ("broken", "backward", "call")


def test_a_gradient_that_nobody_asked_for_may_be_what_it_likes():
    def both(g, needs, x, y):
        return [g * y, g * x / 0.0]

    product = op("product", lambda xp, x, y: x * y, both)
    with detect_anomaly():
        product(leaf(1.0), mg.ones(1)).backward()
    assert caught(lambda: product(leaf(1.0), leaf(1.0)).backward()).op == "product"


def test_an_operation_of_ones_own():
    cube_root = op("cube_root", lambda xp, x: xp.cbrt(x), x=lambda g, out: g / (3 * out * out))
    error = caught(lambda: cube_root(leaf(8.0, 0.0)).sum().backward())
    assert (error.op, error.phase) == ("cube_root", "backward")


def test_without_infinity_only_nan_counts():
    scores = mg.tensor([[1.0, 2.0]])
    mask = mg.tensor([[0.0, -math.inf]])
    with detect_anomaly(infinity=False):
        masked = F.softmax(scores + mask, 1)
    assert masked.tolist() == [[1.0, 0.0]]
    caught(lambda: scores + mask)
    caught(lambda: mask - mask, infinity=False)


def test_inside_no_grad_and_as_a_decorator():
    @detect_anomaly()
    def broken():
        with mg.no_grad():
            return mg.log(mg.zeros(1))

    with pytest.raises(AnomalyError, match="in broken"):
        broken()


# -- where its forward did not run inside --------------------------------------------------------


def test_a_graph_made_before_is_checked_but_its_line_is_not_known():
    y = mg.sqrt(leaf(0.0)).sum()
    error = caught(lambda: y.backward())
    assert error.place is None
    assert "ran before the block began" in str(error)


def test_a_graph_made_inside_is_not_checked_after():
    x = leaf(0.0)
    with detect_anomaly():
        y = mg.sqrt(x).sum()
    with np.errstate(all="ignore"):
        y.backward()
    assert x.grad.item() == math.inf


# -- no false alarms -----------------------------------------------------------------------------


def test_healthy_networks_and_losses_raise_nothing_and_compute_the_same():
    g = mg.Generator(0)
    x = g.normal((6, 8)).astype("f")
    y = g.integers((6,), 0, 4)
    for norm in ("none", "batch", "layer", "rms", "group", "weight", "spectral"):
        for activation in ("relu", "sigmoid", "gelu", "mish", "softplus", "prelu"):
            found = []
            for checked in (False, True):
                model = mg.models.deep_mlp(4, 8, activation, norm=norm, in_features=8,
                                           out_features=4, generator=mg.Generator(1))  # fmt: skip
                with detect_anomaly() if checked else mg.enable_grad():
                    F.cross_entropy(model(mg.tensor(100 * x)), mg.tensor(y)).backward()
                found.append([p.grad.data for p in model.parameters()])
            for a, b in zip(*found, strict=True):
                np.testing.assert_array_equal(a, b)


LOSSES = {
    "cross_entropy": (lambda s: F.cross_entropy(s, mg.tensor([0, 1]))),
    "smoothed": (lambda s: F.cross_entropy(s, mg.tensor([0, 1]), label_smoothing=0.1)),
    "bce_with_logits": (lambda s: F.binary_cross_entropy_with_logits(s, mg.ones(2, 3))),
    "bce": (lambda s: F.binary_cross_entropy(mg.sigmoid(s), mg.ones(2, 3))),
    "kl": (lambda s: F.kl_div(F.log_softmax(s, 1), mg.tensor([[1.0, 0, 0]] * 2))),
    "mse": (lambda s: F.mse_loss(s, mg.zeros(2, 3))),
    "huber": (lambda s: F.huber_loss(s, mg.zeros(2, 3))),
    "norm": (lambda s: mg.linalg.norm(s * 0)),
    "logsumexp": (lambda s: mg.logsumexp(s)),
    "std": (lambda s: (s * 0).std()),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("scale", [0.0, 1.0, 1000.0])
def test_losses_that_are_written_to_bear_extremes_do_so_inside_too(name, scale):
    s = mg.tensor([[scale, -scale, 0.0], [-scale, 0.0, scale]], requires_grad=True)
    with detect_anomaly():
        LOSSES[name](s).backward()


def test_a_training_step_with_second_derivatives_raises_nothing():
    model = mg.models.deep_mlp(3, 8, "relu", "he", in_features=4, out_features=3,
                               generator=mg.Generator(0))  # fmt: skip
    x, y = mg.randn(5, 4, generator=mg.Generator(1)), mg.tensor([0, 1, 2, 0, 1])
    with detect_anomaly():
        slopes = mg.grad(F.cross_entropy(model(x), y), list(model.parameters()), create_graph=True)
        sum((s * s).sum() for s in slopes).backward()


# -- nothing is left behind ----------------------------------------------------------------------


def is_clean():
    operations = list(table.operations)
    assert len(operations) > 100
    return (
        all(f.__globals__["forward"] is f.spec.forward for f in operations if f.spec.outputs == 1)
        and all(f.__globals__["new"] is object.__new__ for f in operations if f.spec.outputs == 1)
        and all(f.spec.forward.__name__ != "run" for f in operations)
        and table.Node is Node
        and autograd._walk.__module__ == "minigrad.autograd"
    )


def test_afterwards_everything_is_as_before_also_nested_and_after_errors():
    assert is_clean()
    with detect_anomaly():
        assert not is_clean()
        with detect_anomaly(infinity=False):
            pass
        caught(lambda: mg.log(mg.zeros(1)))
        assert not is_clean()
        with pytest.raises(AnomalyError):
            mg.log(mg.zeros(1))
    assert is_clean()
    with pytest.raises(KeyboardInterrupt), detect_anomaly():
        raise KeyboardInterrupt
    assert is_clean()
    with np.errstate(all="ignore"):
        assert mg.log(mg.zeros(1)).item() == -math.inf
    x = leaf(2.0)
    y = x * x
    assert type(y.grad_fn) is Node


def test_after_an_error_in_backward_the_graph_still_holds_its_own_operations():
    x = leaf(0.0)
    y = mg.sqrt(x).sum()
    caught(lambda: y.backward(retain_graph=True))
    assert isinstance(y.grad_fn.op, table.Op)
    with np.errstate(all="ignore"):
        y.backward()
    assert x.grad.item() == math.inf


def test_another_thread_is_not_checked():
    found = []

    def elsewhere():
        with np.errstate(all="ignore"):
            x = leaf(0.0)
            mg.sqrt(x).sum().backward()
            found.append(x.grad.item())

    with detect_anomaly():
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert found == [math.inf]


def test_two_threads_in_blocks_that_overlap():
    inside, go_on, found = threading.Event(), threading.Event(), []

    def elsewhere():
        with detect_anomaly():
            inside.set()
            go_on.wait(10)
            with pytest.raises(AnomalyError) as error:
                mg.log(mg.zeros(1))
            found.append(error)

    thread = threading.Thread(target=elsewhere)
    with detect_anomaly():
        thread.start()
        inside.wait(10)
    assert not is_clean()  # the other is still inside
    go_on.set()
    thread.join()
    assert found
    assert is_clean()


def test_other_errors_pass_unchanged():
    with detect_anomaly(), pytest.raises(GraphError, match="does not require a gradient"):
        mg.ones(1).backward()
    with detect_anomaly(), pytest.raises(mg.errors.ShapeError, match="do not broadcast"):
        mg.ones(2) + mg.ones(3)
