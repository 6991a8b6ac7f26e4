"""minigrad, as its user writes it."""

from functools import partial

import minigrad as mg
from minigrad import nn
from minigrad.diagnostics import Probe
from minigrad.nn import functional as F

from ..networks import data, weights


def network(case):
    activation = {"tanh": nn.Tanh, "relu": nn.ReLU}[case.activation]
    norms = {None: [], "batch": [nn.BatchNorm1d], "layer": [nn.LayerNorm]}[case.norm]
    layers = []
    for weight, (n_in, n_out) in zip(weights(case), case.sizes, strict=True):
        linear = nn.Linear(n_in, n_out)
        with mg.no_grad():
            linear.weight.copy_(mg.tensor(weight))
            linear.bias.zero_()
        layers += [linear, *(norm(n_out) for norm in norms), activation()]
    return nn.Sequential(*layers[: -len(norms) - 1])  # the last layer's outputs stay as they are


def training_step(case, probe_every=None):
    net = network(case)
    optimizer_class = {"adam": mg.optim.Adam, "sgd": mg.optim.SGD}[case.optimizer]
    optimizer = optimizer_class(net.parameters(), lr=case.lr)
    x, y = map(mg.tensor, data(case))

    def step():
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    if probe_every is not None:
        Probe(net, optimizer, every=probe_every).__enter__()  # stays on while the process lives
    return step


probed_training_step = partial(training_step, probe_every=10)


def small_op(case):
    x, y = (mg.tensor(a, requires_grad=True) for a in case.arrays())
    seed = mg.ones_like(x)

    def step():
        x.grad = y.grad = None
        z = mg.tanh(x * y + x)
        z.backward(seed)
        return x.grad

    return step
