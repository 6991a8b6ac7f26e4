"""Initial weights: those that are not drawn, and the bounds of those that are."""

import math

import torch
import torch.nn as nn

net = nn.Sequential(nn.Linear(30, 20), nn.ReLU(), nn.Linear(20, 20), nn.Tanh(), nn.Linear(20, 20))


def start(module):
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight, gain=nn.init.calculate_gain("tanh"))
        nn.init.constant_(module.bias, 0.1)


torch.manual_seed(0)
net.apply(start)
bound = 5 / 3 * math.sqrt(6 / 50)
largest = net[0].weight.abs().max().item()
nn.init.kaiming_normal_(net[2].weight, nonlinearity="relu")
deviation = net[2].weight.pow(2).mean().sqrt().item()
nn.init.eye_(net[4].weight)
nn.init.zeros_(net[4].bias)
q = nn.init.orthogonal_(torch.zeros(6, 4, dtype=torch.float64), gain=2.0)
results = {
    "within": 0.9 * bound < largest <= bound,
    "He": 0.8 < deviation / math.sqrt(2 / 20) < 1.2,
    "eye": net[4](torch.ones(1, 20)),
    "bias": net[0].bias,
    "orthogonal": torch.round(q.T @ q * 1e6) / 1e6,
    "gains": [
        nn.init.calculate_gain(name) for name in ("linear", "tanh", "relu", "leaky_relu", "selu")
    ],
}
