"""Gradient descent by hand, writing to `.data`."""

import numpy as np
import torch

rng = np.random.default_rng(2)
x = torch.tensor(rng.normal(size=(40, 3)))
y = x @ torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64) + 0.3

w = torch.zeros(3, dtype=torch.float64, requires_grad=True)
b = torch.zeros((), dtype=torch.float64, requires_grad=True)
losses = []
for _ in range(50):
    loss = ((x @ w + b - y) ** 2).mean()
    loss.backward()
    for p in (w, b):
        p.data -= 0.1 * p.grad.data
        p.grad = None
    losses.append(loss.item())

results = {"losses": losses, "w": w, "b": b}
