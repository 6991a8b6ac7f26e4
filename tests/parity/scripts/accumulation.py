"""Four small batches are one large one."""

import numpy as np
import torch
import torch.nn as nn

rng = np.random.default_rng(4)
x, y = torch.tensor(rng.normal(size=(32, 5))), torch.tensor(rng.normal(size=(32, 2)))
net = nn.Sequential(nn.Linear(5, 7), nn.Sigmoid(), nn.Linear(7, 2)).double()
with torch.no_grad():
    for p in net.parameters():
        p.copy_(torch.tensor(rng.normal(size=p.shape)))

loss_fn = nn.L1Loss(reduction="sum")
(loss_fn(net(x), y) / 32).backward()
whole = [p.grad.clone() for p in net.parameters()]

optimizer = torch.optim.RMSprop(net.parameters(), lr=0.01)
optimizer.zero_grad(set_to_none=False)
zeros = sum(float(p.grad.abs().sum()) for p in net.parameters())
for part in range(4):
    rows = slice(8 * part, 8 * part + 8)
    loss = loss_fn(net(x[rows]), y[rows]) / 32
    loss.backward()
difference = max(
    float((p.grad - g).abs().max()) for p, g in zip(net.parameters(), whole, strict=True)
)
optimizer.step()
results = {"whole": whole, "zeros": zeros, "equal": difference < 1e-12, "after": net(x)}
