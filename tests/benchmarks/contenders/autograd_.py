"""HIPS autograd, in the manner of its example `neural_net.py`."""

import autograd.numpy as np
from autograd import value_and_grad
from autograd.scipy.special import logsumexp

from ..networks import data, weights

ACTIVATIONS = {"tanh": np.tanh, "relu": lambda z: np.maximum(z, 0)}


def training_step(case):
    params = [array for w in weights(case) for array in (w.T.copy(), np.zeros(len(w), w.dtype))]
    x, y = data(case)
    rows = np.arange(len(y))
    activation = ACTIVATIONS[case.activation]
    update = {"adam": adam, "sgd": sgd}[case.optimizer](params, case.lr)

    def loss_of(params):
        h = x
        for w, b in zip(params[:-2:2], params[1:-2:2], strict=True):
            h = activation(np.dot(h, w) + b)
        z = np.dot(h, params[-2]) + params[-1]
        log_p = z - logsumexp(z, axis=1, keepdims=True)
        return -np.mean(log_p[rows, y])

    loss_and_gradients = value_and_grad(loss_of)

    def step():
        loss, gradients = loss_and_gradients(params)
        update(gradients)
        return loss.item()

    return step


def adam(params, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    averages = [(np.zeros_like(p), np.zeros_like(p)) for p in params]
    t = 0

    def update(gradients):
        nonlocal t
        t += 1
        for p, g, (m, v) in zip(params, gradients, averages, strict=True):
            m += (1 - beta1) * (g - m)
            v += (1 - beta2) * (g * g - v)
            p -= lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)

    return update


def sgd(params, lr):
    def update(gradients):
        for p, g in zip(params, gradients, strict=True):
            p -= lr * g

    return update
