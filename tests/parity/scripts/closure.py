"""A step that evaluates the loss itself, and one that goes up."""

import numpy as np
import torch

rng = np.random.default_rng(15)
a = rng.normal(size=(6, 6))
a = torch.tensor(a @ a.T + np.eye(6))
w = torch.tensor(rng.normal(size=6), requires_grad=True)
optimizer = torch.optim.Rprop([w], lr=0.05)


def closure():
    optimizer.zero_grad()
    loss = 0.5 * w @ a @ w
    loss.backward()
    return loss


losses = [optimizer.step(closure).item() for _ in range(15)]

v = torch.ones(6, dtype=torch.float64, requires_grad=True)
up = torch.optim.Adadelta([v], lr=0.5, maximize=True)
for _ in range(15):
    up.zero_grad()
    (v @ a @ v / (v @ v)).backward()
    up.step()
results = {"losses": losses, "w": w, "quotient": (v @ a @ v / (v @ v)).item()}
