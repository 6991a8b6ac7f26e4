"""DeZero, as its book writes it.

DeZero 0.0.13 is of NumPy 1's time. Under NumPy 2 a Python number in one of its formulas turns what
follows into float64, so that most of its backward pass is computed in double precision.
"""

import numpy as np

vars(np).setdefault("int", int)  # asked for while DeZero is imported; NumPy 1.24 dropped it

import dezero.functions as F
import dezero.layers as L
from dezero import optimizers
from dezero.models import Sequential

from ..networks import data, weights

ACTIVATIONS = {"tanh": F.tanh, "relu": F.relu}


def training_step(case):
    layers = []
    for weight, (n_in, n_out) in zip(weights(case), case.sizes, strict=True):
        linear = L.Linear(n_out, in_size=n_in)
        linear.W.data = weight.T.copy()
        layers += [linear, ACTIVATIONS[case.activation]]
    model = Sequential(*layers[:-1])
    optimizer = {"adam": optimizers.Adam, "sgd": optimizers.SGD}[case.optimizer](case.lr)
    optimizer.setup(model)
    x, y = data(case)

    def step():
        loss = F.softmax_cross_entropy(model(x), y)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        return loss.data.item()

    return step
