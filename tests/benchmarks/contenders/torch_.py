"""PyTorch in eager mode: the same words as in minigrad_.py."""

from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from ..networks import data, weights


def network(case):
    activation = {"tanh": nn.Tanh, "relu": nn.ReLU}[case.activation]
    norms = {None: [], "batch": [nn.BatchNorm1d], "layer": [nn.LayerNorm]}[case.norm]
    layers = []
    for weight, (n_in, n_out) in zip(weights(case), case.sizes, strict=True):
        linear = nn.Linear(n_in, n_out)
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(weight))
            linear.bias.zero_()
        layers += [linear, *(norm(n_out) for norm in norms), activation()]
    return nn.Sequential(*layers[: -len(norms) - 1])  # the last layer's outputs stay as they are


def training_step(case, **of_optimizer):
    net = network(case)
    optimizer_class = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}[case.optimizer]
    optimizer = optimizer_class(net.parameters(), lr=case.lr, **of_optimizer)
    x, y = map(torch.tensor, data(case))

    def step():
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


fused_training_step = partial(training_step, fused=True)


def small_op(case):
    x, y = (torch.tensor(a, requires_grad=True) for a in case.arrays())
    seed = torch.ones_like(x)

    def step():
        x.grad = y.grad = None
        z = torch.tanh(x * y + x)
        z.backward(seed)
        return x.grad

    return step
