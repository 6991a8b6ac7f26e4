"""Momentum by hand, under `no_grad`, with gradients set to zero in place."""

import numpy as np
import torch

rng = np.random.default_rng(3)
x = torch.from_numpy(rng.normal(size=(50, 4)))
y = torch.from_numpy((rng.uniform(size=50) < 0.5).astype(np.float64))

weights = torch.from_numpy(rng.normal(size=(4, 1))).requires_grad_()
bias = torch.zeros(1, dtype=torch.float64, requires_grad=True)
velocity = [torch.zeros_like(p) for p in (weights, bias)]
losses = []
for _ in range(40):
    p = torch.sigmoid(x @ weights + bias).squeeze(1)
    loss = -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean()
    loss.backward()
    with torch.no_grad():
        for k, param in enumerate((weights, bias)):
            velocity[k] = 0.9 * velocity[k] + param.grad
            param -= 0.05 * velocity[k]
            param.grad.zero_()
    losses.append(loss.item())

results = {"losses": losses, "weights": weights, "bias": bias, "grad": weights.grad}
