"""Layers with settings of their own, frozen layers, layers that join later."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

rng = np.random.default_rng(9)
x, y = torch.tensor(rng.normal(size=(25, 4))), torch.tensor(rng.normal(size=(25, 3)))
body = nn.Sequential(nn.Linear(4, 6), nn.ELU(), nn.Linear(6, 6), nn.SiLU()).double()
head = nn.Linear(6, 3).double()
with torch.no_grad():
    for p in [*body.parameters(), *head.parameters()]:
        p.copy_(torch.tensor(rng.normal(0, 0.5, size=p.shape)))

body.requires_grad_(False)
decayed = [p for p in head.parameters() if p.ndim > 1]
others = [p for p in head.parameters() if p.ndim <= 1]
optimizer = torch.optim.SGD(
    [{"params": decayed, "weight_decay": 0.1}, {"params": others, "lr": 0.01}], lr=0.1
)
losses = []
for step in range(12):
    if step == 4:
        body[2].requires_grad_(True)
        optimizer.add_param_group({"params": body[2].parameters(), "momentum": 0.9})
    if step == 8:
        for group in optimizer.param_groups:
            group["lr"] *= 0.1
    optimizer.zero_grad()
    loss = F.smooth_l1_loss(head(body(x)), y, beta=0.5)
    loss.backward()
    for group in optimizer.param_groups:
        torch.nn.utils.clip_grad_norm_(group["params"], 0.3)
    optimizer.step()
    losses.append(loss.item())

results = {
    "losses": losses, "frozen": body[0].weight, "grad": body[0].weight.grad is None,
    "later": body[2].weight, "head": head.bias,
    "rates": [group["lr"] for group in optimizer.param_groups],
}  # fmt: skip
