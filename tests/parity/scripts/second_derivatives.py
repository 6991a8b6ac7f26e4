"""Derivatives of derivatives: a gradient penalty, and a Hessian times a vector."""

import numpy as np
import torch
import torch.nn as nn

rng = np.random.default_rng(10)
net = nn.Sequential(nn.Linear(3, 8), nn.Softplus(), nn.Linear(8, 8), nn.GELU(), nn.Linear(8, 1))
net = net.double()
with torch.no_grad():
    for p in net.parameters():
        p.copy_(torch.tensor(rng.normal(0, 0.6, size=p.shape)))

x = torch.tensor(rng.normal(size=(10, 3)), requires_grad=True)
(slope,) = torch.autograd.grad(net(x).sum(), x, create_graph=True)
penalty = ((slope.norm(dim=1) - 1) ** 2).mean()
penalty.backward()

parameters = list(net.parameters())
loss = (net(x.detach()) ** 2).mean()
grads = torch.autograd.grad(loss, parameters, create_graph=True)
v = [torch.ones_like(p) for p in parameters]
product = sum((g * u).sum() for g, u in zip(grads, v, strict=True))
hv = torch.autograd.grad(product, parameters, allow_unused=True)
results = {
    "slope": slope,
    "penalty": penalty,
    "grads": [p.grad for p in parameters if p.grad is not None],
    "hv": [0 if h is None else float(h.abs().sum()) for h in hv],
}
