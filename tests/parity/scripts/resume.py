"""Stopping and going on: state_dict of the network and of the optimizer."""

import copy

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

rng = np.random.default_rng(7)
x, y = torch.tensor(rng.normal(size=(30, 4))), torch.tensor(rng.normal(size=(30, 1)))


def make():
    net = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.ReLU(), nn.Linear(8, 1)).double()
    return net, torch.optim.Adam(net.parameters(), lr=0.02, amsgrad=True)


def train(net, optimizer, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        F.mse_loss(net(x), y).backward()
        optimizer.step()


net, optimizer = make()
with torch.no_grad():
    for p in net.parameters():
        p.copy_(torch.tensor(rng.normal(size=p.shape)))
train(net, optimizer, 5)
saved = copy.deepcopy({"net": net.state_dict(), "optimizer": optimizer.state_dict()})
exp_avg = copy.deepcopy(saved["optimizer"]["state"][0]["exp_avg"])
train(net, optimizer, 5)
straight = net(x)

net, optimizer = make()
missing = net.load_state_dict(saved["net"])
optimizer.load_state_dict(saved["optimizer"])
train(net, optimizer, 5)

partly = net.load_state_dict({"0.bias": torch.zeros(8), "extra": torch.zeros(1)}, strict=False)
print(list(saved["net"]), sorted(saved["optimizer"]))
print(missing.missing_keys, missing.unexpected_keys)
print(partly.missing_keys, partly.unexpected_keys)
results = {
    "straight": straight,
    "saved": list(saved["net"].values()),
    "lr": saved["optimizer"]["param_groups"][0]["lr"],
    "exp_avg": exp_avg,
    "resumed": net[3].weight,
    "bias": net[0].bias,
}
