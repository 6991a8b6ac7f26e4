"""The limit: the same step written out by hand in NumPy. It shows what a step costs at least.

There is no tape, and no array is made on the way: a step is a list of calls into NumPy, each with
the memory it reads and the memory it fills, laid out once. Weights and biases are views of one
flat buffer, their gradients of another, so that the optimizer sees one long vector, and updates it
in pieces that stay in the processor's cache.

Each layer keeps W and b, as the others do. With b as one more column of W, and a 1 at the end of
every input, two of nine calls a layer would go; at width 512 they cost nothing, at 32 a seventh.
"""

import math
from functools import partial

import numpy as np

from ..networks import data, weights

PIECE = 32768  # numbers of the flat buffer updated at a time


def training_step(case):
    values, gradients = flat_buffers(case)
    forward_and_backward = network(case, values, gradients)
    update = {"adam": adam, "sgd": sgd}[case.optimizer](values, gradients, case.lr)

    def step():
        loss = forward_and_backward()
        update()
        return loss

    return step


def flat_buffers(case):
    """Parameters and their gradients, laid side by side: W, b, W, b, ..."""
    parts = []
    for w in weights(case):
        parts += [w.ravel(), np.zeros(len(w), np.float32)]
    values = np.concatenate(parts)
    return values, np.zeros_like(values)


def views(buffer, case):
    """All W and all b, as views of a flat buffer."""
    all_w, all_b, start = [], [], 0
    for n_in, n_out in case.sizes:
        middle, end = start + n_out * n_in, start + n_out * n_in + n_out
        all_w.append(buffer[start:middle].reshape(n_out, n_in))
        all_b.append(buffer[middle:end])
        start = end
    return all_w, all_b


def network(case, values, gradients):
    """A function that fills `gradients` and returns the loss."""
    x, y = data(case)
    ones = np.ones(case.batch, np.float32)
    activate, times_slope = {"tanh": tanh_calls, "relu": relu_calls}[case.activation](case)
    # dL/dz of a layer is needed only until that of the layer before it is known.
    in_turn = np.empty((2, case.batch, case.width), np.float32)
    forward, backward = [], []  # of backward, the calls of a layer together

    h, dh = x, None
    for k, (w, b, dw, db) in enumerate(
        zip(*views(values, case), *views(gradients, case), strict=True)
    ):
        hidden = k < case.depth - 1
        z = np.empty((case.batch, len(b)), np.float32)  # becomes activation(z) in place
        dz = in_turn[k % 2] if hidden else np.empty_like(z)
        forward += [(np.dot, (h, w.T, z)), (np.add, (z, b, z))]
        # Column sums are faster as a product with ones than as dz.sum(axis=0).
        calls = [(np.dot, (dz.T, h, dw)), (np.dot, (ones, dz, db))]
        if dh is not None:
            calls += [(np.dot, (dz, w, dh))]
        if hidden:
            forward += activate(z)
            calls = times_slope(z, dz) + calls
        backward.append(calls)
        h, dh = z, dz
    loss, at_the_top = cross_entropy_calls(h, y, dh)
    step = forward + at_the_top + [call for calls in reversed(backward) for call in calls]

    def forward_and_backward():
        for function, arrays in step:
            function(*arrays)
        return loss.item()

    return forward_and_backward


# Below, a whole array of ones or zeros stands where a number would do: NumPy would make the number
# an array at each call, and its maximum of two arrays is twice as fast.


def tanh_calls(case):
    """The calls for h = tanh(z) in place, and for dz = dh (1 - h^2) in place of dh."""
    one, slope = np.ones((2, case.batch, case.width), np.float32)
    return (
        lambda z: [(np.tanh, (z, z))],
        lambda h, dh: [
            (np.multiply, (h, h, slope)),
            (np.subtract, (one, slope, slope)),
            (np.multiply, (dh, slope, dh)),
        ],
    )


def relu_calls(case):
    """The calls for h = max(z, 0) in place, and for dz = dh (h > 0) in place of dh."""
    zero = np.zeros((case.batch, case.width), np.float32)
    positive = np.zeros(zero.shape, bool)
    return (
        lambda z: [(partial(np.maximum, out=z), (z, zero))],
        lambda h, dh: [
            (np.greater, (h, zero, positive)),
            (np.multiply, (dh, positive, dh)),
        ],
    )


def cross_entropy_calls(z, y, dz):
    """The loss, and the calls that fill it: the mean over the rows of log(sum(exp(z))) - z[y].

    They leave its gradient in dz: (softmax(z) - one hot of y) / batch.
    """
    one_hot = np.eye(z.shape[1], dtype=np.float32)[y]
    mean, ones = np.full(len(y), 1 / len(y), np.float32), np.ones(z.shape[1], np.float32)
    largest, scale = np.empty((2, len(y), 1), np.float32)
    total, surprise, of_y = np.empty((3, len(y)), np.float32)
    loss = np.empty((), np.float32)
    chosen, share = np.empty_like(z), one_hot / len(y)
    return loss, [
        (partial(np.maximum.reduce, keepdims=True), (z, 1, None, largest)),
        (np.subtract, (z, largest, z)),  # so that exp cannot overflow
        (np.exp, (z, dz)),
        (np.dot, (dz, ones, total)),
        (np.multiply, (z, one_hot, chosen)),
        (np.dot, (chosen, ones, of_y)),
        (np.log, (total, surprise)),
        (np.subtract, (surprise, of_y, surprise)),
        (np.dot, (mean, surprise, loss)),
        (np.divide, (mean[:, None], total[:, None], scale)),
        (np.multiply, (dz, scale, dz)),
        (np.subtract, (dz, share, dz)),
    ]


def pieces(*arrays):
    """The flat arrays cut alike: [(piece of each), ...]."""
    starts = range(0, len(arrays[0]), PIECE)
    return [tuple(a[i : i + PIECE] for a in arrays) for i in starts]


def adam(values, gradients, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    """Adam with both averages kept without their constant factors, which saves two calls.

    m / (1 - beta1) = sum of beta1^k g_k, and v / (1 - beta2) = sum of beta2^k g_k^2; the factors
    go, with those of the bias correction, into two numbers a step.
    """
    m, v = np.zeros_like(values), np.zeros_like(values)
    space = np.empty(PIECE, np.float32)
    cut = [(*arrays, space[: len(arrays[0])]) for arrays in pieces(values, gradients, m, v)]
    t = 0

    def update():
        nonlocal t
        t += 1
        root = math.sqrt((1 - beta2**t) / (1 - beta2))
        scale, small = lr * (1 - beta1) / (1 - beta1**t) * root, eps * root
        for p, g, m, v, change in cut:
            np.multiply(m, beta1, m)
            np.add(m, g, m)
            np.multiply(g, g, g)
            np.multiply(v, beta2, v)
            np.add(v, g, v)
            np.sqrt(v, change)
            np.add(change, small, change)
            np.divide(m, change, change)
            np.multiply(change, scale, change)
            np.subtract(p, change, p)

    return update


def sgd(values, gradients, lr):
    cut = pieces(values, gradients)

    def update():
        for p, g in cut:
            np.multiply(g, lr, g)
            np.subtract(p, g, p)

    return update


def small_op(case):
    """z = tanh(x y + x): dz/dx = (1 - z^2) (y + 1), dz/dy = (1 - z^2) x."""
    x, y = case.arrays()
    z, slope, dx, dy = (np.empty_like(x) for _ in range(4))
    one = np.ones_like(x)

    def step():
        np.multiply(x, y, z)
        np.add(z, x, z)
        np.tanh(z, z)
        np.multiply(z, z, slope)
        np.subtract(one, slope, slope)
        np.multiply(slope, x, dy)
        np.add(y, one, dx)
        np.multiply(slope, dx, dx)
        return dx

    return step
