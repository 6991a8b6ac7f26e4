"""Recurrent cells in a loop, truncated by detach, and a whole LSTM."""

import numpy as np
import torch
import torch.nn as nn

rng = np.random.default_rng(8)
steps, batch, width = 12, 5, 6
x = torch.tensor(rng.normal(size=(steps, batch, 3)))
y = torch.tensor(rng.normal(size=(steps, batch, 1)))


def redraw(module):
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(torch.tensor(rng.normal(0, 0.4, size=p.shape)))
    return module


cell = redraw(nn.RNNCell(3, width).double())
head = redraw(nn.Linear(width, 1).double())
parameters = [*cell.parameters(), *head.parameters()]
optimizer = torch.optim.Adagrad(parameters, lr=0.05)
h = torch.zeros(batch, width, dtype=torch.float64)
losses = []
for start in range(0, steps, 4):
    loss = 0
    for t in range(start, start + 4):
        h = cell(x[t], h)
        loss = loss + ((head(h) - y[t]) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_value_(parameters, 0.5)
    optimizer.step()
    h = h.detach()
    losses.append(loss.item())

gru = redraw(nn.GRUCell(3, width).double())
state = None
for t in range(steps):
    state = gru(x[t], state)

lstm = redraw(nn.LSTM(3, width, num_layers=2).double())
out, (h_n, c_n) = lstm(x)
out.sum().backward()
results = {
    "losses": losses, "h": h, "gru": state, "out": out, "h_n": h_n, "c_n": c_n,
    "grads": [p.grad for p in lstm.parameters()],
}  # fmt: skip
